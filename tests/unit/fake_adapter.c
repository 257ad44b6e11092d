/* An adapter that does nothing, or is not what it says: FAKE_NAME, FAKE_ABI
 * and FAKE_SIZE say of it what a test wants. */
#include <stddef.h>

#include "adapt/adapter.h"

PINFAST_API const struct pf_adapter *FAKE_SYMBOL(void);

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	(void)tls, (void)policy, (void)host, (void)port, (void)diag;
	return PINFAST_EUNSUPPORTED;
}

static struct pinfast_verdict
result(void *tls)
{
	struct pinfast_verdict verdict = {0, 0};

	(void)tls;
	return verdict;
}

static size_t
explain(void *tls, char *text, size_t size)
{
	(void)tls, (void)text, (void)size;
	return 0;
}

static struct pinfast_conn *
conn(void *tls)
{
	(void)tls;
	return NULL;
}

const struct pf_adapter *
FAKE_SYMBOL(void)
{
	static const struct pf_adapter adapter = {.abi = FAKE_ABI,
	    .size = FAKE_SIZE,
	    .name = FAKE_NAME,
	    .library = "nothing",
	    .attach = attach,
	    .result = result,
	    .explain = explain,
	    .conn = conn};

	return &adapter;
}
