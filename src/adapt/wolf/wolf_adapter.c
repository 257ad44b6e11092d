#include "adapt/wolf/wolf.h"

#include <wolfssl/version.h>

static enum pinfast_error
init(void *ctx, struct pinfast *policy, struct pinfast_diag *diag)
{
	return pinfast_wolfssl_init(ctx, policy, NULL, diag);
}

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	(void)policy;
	return pinfast_wolfssl_attach(tls, host, port, diag);
}

static struct pinfast_verdict
result(void *tls)
{
	return pinfast_wolfssl_result(tls);
}

static struct pinfast_verdict
recheck(void *tls, const char *host, uint16_t port)
{
	return pinfast_wolfssl_recheck(tls, host, port);
}

static size_t
explain(void *tls, char *text, size_t size)
{
	return pinfast_wolfssl_explain(tls, text, size);
}

static struct pinfast_conn *
conn(void *tls)
{
	return pinfast_wolfssl_conn(tls);
}

const struct pf_adapter *
pinfast_adapter_wolfssl(void)
{
	static const struct pf_adapter adapter = {
	    .abi = PF_ADAPTER_ABI,
	    .size = sizeof adapter,
	    .name = "wolfssl",
	    .library = "wolfSSL " LIBWOLFSSL_VERSION_STRING,
	    .caps = PF_CAN_TLS13 | PF_CAN_SERVER | PF_CAN_RESUME |
	            PF_CAN_RESUME_FILE | PF_CAN_SECOND_PATH | PF_CAN_ADDRESS |
	            PF_CAN_ALERT | PF_CAN_RELOAD,
	    .init = init,
	    .attach = attach,
	    .result = result,
	    .recheck = recheck,
	    .explain = explain,
	    .conn = conn,
	    .symbol = "wolfSSL_new",
	    .function = (void (*)(void))wolfSSL_new,
	};

	return &adapter;
}
