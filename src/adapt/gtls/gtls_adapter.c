#include "adapt/gtls/gtls.h"

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	return pinfast_gnutls_attach(tls, policy, host, port, diag);
}

static struct pinfast_verdict
result(void *tls)
{
	return pinfast_gnutls_result(tls);
}

static struct pinfast_verdict
recheck(void *tls, const char *host, uint16_t port)
{
	return pinfast_gnutls_recheck(tls, host, port);
}

static size_t
explain(void *tls, char *text, size_t size)
{
	return pinfast_gnutls_explain(tls, text, size);
}

static struct pinfast_conn *
conn(void *tls)
{
	return pinfast_gnutls_conn(tls);
}

static struct pinfast_verdict
judge(void *tls, struct pinfast_conn *of, const char *host)
{
	struct pf_gtls_judging j = {.session = tls, .conn = of};
	struct pinfast_verdict verdict = {0, PINFAST_REASON_HOST_INVALID};
	char name[PINFAST_HOST_LEN];

	if (host == NULL || pinfast_host_canonical(host, name) != PINFAST_OK)
		return verdict;
	j.host = name;
	pf_gtls_judge(&j);
	return j.verdict;
}

const struct pf_adapter *
pinfast_adapter_gnutls(void)
{
	static const struct pf_adapter adapter = {
	    .abi = PF_ADAPTER_ABI,
	    .size = sizeof adapter,
	    .name = "gnutls",
	    .library = "GnuTLS " GNUTLS_VERSION,
	    .caps = PF_CAN_TLS13 | PF_CAN_EARLY | PF_CAN_RAW_KEY |
	            PF_CAN_SERVER | PF_CAN_RESUME | PF_CAN_RESUME_FILE |
	            PF_CAN_SECOND_PATH | PF_CAN_ADDRESS | PF_CAN_ALERT |
	            PF_CAN_RELOAD,
	    .attach = attach,
	    .result = result,
	    .recheck = recheck,
	    .explain = explain,
	    .conn = conn,
	    .symbol = "gnutls_handshake",
	    .function = (void (*)(void))gnutls_handshake,
	    .judge = judge,
	};

	return &adapter;
}
