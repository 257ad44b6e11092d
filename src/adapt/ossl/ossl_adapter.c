#include "adapt/ossl/ossl.h"

#include <openssl/crypto.h>

static enum pinfast_error
init(void *ctx, struct pinfast *policy, struct pinfast_diag *diag)
{
	return pinfast_openssl_init(ctx, policy, NULL, diag);
}

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	(void)policy;
	return pinfast_openssl_attach(tls, host, port, diag);
}

static struct pinfast_verdict
result(void *tls)
{
	return pinfast_openssl_result(tls);
}

static struct pinfast_verdict
recheck(void *tls, const char *host, uint16_t port)
{
	return pinfast_openssl_recheck(tls, host, port);
}

static size_t
explain(void *tls, char *text, size_t size)
{
	return pinfast_openssl_explain(tls, text, size);
}

static struct pinfast_conn *
conn(void *tls)
{
	return pinfast_openssl_conn(tls);
}

static enum pinfast_error
expect(void *ctx, const struct pf_expecting *what, struct pinfast_diag *diag)
{
	return pf_ossl_expect(ctx, what, diag);
}

const struct pf_adapter *
pinfast_adapter_openssl(void)
{
	static const struct pf_adapter adapter = {
		.abi = PF_ADAPTER_ABI,
		.size = sizeof adapter,
		.name = "openssl",
		.library = OPENSSL_VERSION_TEXT,
		.caps = PF_CAN_TLS13 | PF_CAN_EARLY | PF_CAN_SERVER |
		        PF_CAN_RESUME | PF_CAN_RESUME_FILE |
		        PF_CAN_SECOND_PATH | PF_CAN_ADDRESS | PF_CAN_ALERT |
		        PF_CAN_RELOAD
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
		        | PF_CAN_RAW_KEY
#endif
		,
		.init = init,
		.attach = attach,
		.result = result,
		.recheck = recheck,
		.explain = explain,
		.conn = conn,
		.symbol = "SSL_new",
		.function = (void (*)(void))SSL_new,
		.expect = expect,
	};

	return &adapter;
}
