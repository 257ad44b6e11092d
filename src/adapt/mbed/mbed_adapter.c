#include "adapt/mbed/mbed.h"

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	(void)policy; /* it has one */
	return pinfast_mbedtls_attach(tls, host, port, diag);
}

static struct pinfast_verdict
result(void *tls)
{
	return pinfast_mbedtls_result(tls);
}

static struct pinfast_verdict
recheck(void *tls, const char *host, uint16_t port)
{
	return pinfast_mbedtls_recheck(tls, host, port);
}

static size_t
explain(void *tls, char *text, size_t size)
{
	return pinfast_mbedtls_explain(tls, text, size);
}

static struct pinfast_conn *
conn(void *tls)
{
	return pinfast_mbedtls_conn(tls);
}

const struct pf_adapter *
pinfast_adapter_mbedtls(void)
{
	static const struct pf_adapter adapter = {
	    PF_ADAPTER_ABI,
	    sizeof adapter,
	    "mbedtls",
	    MBEDTLS_VERSION_STRING_FULL,
	    PF_CAN_SERVER | PF_CAN_RESUME | PF_CAN_RESUME_FILE |
	        PF_CAN_SECOND_PATH | PF_CAN_ADDRESS | PF_CAN_ALERT |
	        PF_CAN_RELOAD,
	    NULL,
	    attach,
	    result,
	    recheck,
	    explain,
	    conn,
	    NULL,
	    NULL,
	    NULL,
	    NULL,
	};

	return &adapter;
}
