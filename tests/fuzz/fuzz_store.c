/*
 * Store bytes from anywhere, with the sum made to fit so that the structure
 * checks are what stands in the way: opening, every look-up and every
 * judgement must stay inside the image.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/layout.h"
#include "core/lookup.h"
#include "core/sum.h"
#include "pinfast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
each(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	struct pinfast *policy = arg;
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	(void)scope;
	if (strlen(name) != len)
		abort();
	if (pinfast_conn_new(policy, name, port, 1800000000, &conn) != 0)
		return 1;
	v = pinfast_judge_failed(conn, NULL, PINFAST_REASON_PKIX_FAILED);
	if (v.decision == PINFAST_ALLOW)
		abort();
	(void)pinfast_conn_needs(conn);
	(void)pinfast_conn_trust(conn, NULL, NULL);
	pinfast_conn_free(conn);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct pinfast_bytes image = {copy, size};
	struct pinfast_store *store;
	struct pinfast *policy;

	if (copy == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	if (size >= PF_HEADER_LEN) {
		pf_put_le64(copy + PF_HDR_SIZE, size);
		pf_put_le64(copy + PF_HDR_SUM, pf_sum_store(copy, size));
	}
	if (pinfast_store_open_memory(image, NULL, NULL, &store) == 0) {
		if (pinfast_new(NULL, &policy) != 0)
			abort();
		if (pinfast_load(policy, store, NULL) != 0)
			abort();
		(void)pinfast_store_each(store, each, policy);
		pinfast_free(policy);
	}
	free(copy);
	return 0;
}
