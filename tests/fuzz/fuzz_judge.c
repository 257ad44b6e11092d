/*
 * A policy and a chain from anywhere: which list pins, how the chain was
 * verified, how many certificates there are and what they hold.  The pin is
 * no key's, so nothing may be allowed; explaining must stay inside its text.
 */
#include <stdlib.h>
#include <string.h>

#include "pinfast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CERTS 20 /* more than a path may have */

static struct pinfast *
pinned(const uint8_t *how, struct pinfast_builder *b)
{
	static const char *const pins[] = {
	    "sha256/CzBVep/E6Q4zWH2ix+wRNluApcrvFDleg6jN8hc8YYY=",
	    "cert-sha256/CzBVep/E6Q4zWH2ix+wRNluApcrvFDleg6jN8hc8YYY="};
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast *policy;
	unsigned role = how[0] & 3, none = how[0] >> 2 & 1;

	if (none)
		role = role == PINFAST_ROLE_CERT ? role : PINFAST_ROLE_LEAF;
	pinfast_builder_entry(b, "pinned.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, (enum pinfast_role)role,
	    pins[role == PINFAST_ROLE_CERT]);
	if (none)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	if (none && (how[0] >> 3 & 1))
		pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	if (pinfast_builder_finish(b, NULL, &image) != 0 ||
	    pinfast_store_open_memory(image, NULL, NULL, &store) != 0 ||
	    pinfast_new(NULL, &policy) != 0 ||
	    pinfast_load(policy, store, NULL) != 0)
		abort();
	return policy;
}

/* Cuts the bytes into certificates: two octets of length, then as many. */
static size_t
cut(const uint8_t *data, size_t size, size_t want, struct pinfast_cert *out)
{
	struct pinfast_bytes der = {data, 0};

	memset(out, 0, CERTS * sizeof *out);
	for (size_t i = 0; i < want; i++) {
		if (size >= 2) {
			der.len = (size_t)data[0] << 8 | data[1];
			der.data = data + 2;
			size -= 2;
			if (der.len > size)
				der.len = size;
			data += 2 + der.len;
			size -= der.len;
		}
		out[i].der = der; /* the last one again when none is left */
	}
	return want;
}

static struct pinfast_verdict
judge(struct pinfast_conn *conn, unsigned how, const struct pinfast_cert *path,
    size_t count)
{
	switch (how % 4) {
	case 0:
		return pinfast_judge_path(conn, path, count);
	case 1:
		return pinfast_judge_leaf(conn, path, PINFAST_PKIX_NOT_RUN);
	case 2:
		return pinfast_judge_failed(conn, path,
		    PINFAST_REASON_PKIX_FAILED);
	default:
		return pinfast_judge_key(conn, path[0].der);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinfast_cert path[CERTS];
	struct pinfast_builder *b;
	struct pinfast_conn *conn;
	struct pinfast *policy;
	struct pinfast_verdict v;
	char text[300];

	if (size < 3 || pinfast_builder_new(NULL, &b) != 0)
		return 0;
	policy = pinned(data, b);
	if (pinfast_conn_new(policy, "pinned.test", 443, 1800000000, &conn))
		abort();
	if (data[0] & 16)
		pinfast_insecure_conn_one_parser(conn);
	cut(data + 3, size - 3, 1 + data[1] % CERTS, path);
	v = judge(conn, data[2], path, 1 + data[1] % CERTS);
	if (v.decision == PINFAST_ALLOW)
		abort();
	if (pinfast_conn_explain(conn, text, sizeof text) == 0)
		abort();
	if (pinfast_conn_settle(conn).decision == PINFAST_ALLOW)
		abort();
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
	return 0;
}
