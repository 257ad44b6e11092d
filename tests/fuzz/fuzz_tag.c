/*
 * Tags from anywhere, with the sum made to fit: never an allow for a host
 * that pins a key which no tag of ours holds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/sum.h"
#include "pinfast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pinfast *
pinned(void)
{
	static struct pinfast *policy;
	static struct pinfast_builder *b; /* holds the store's bytes */
	struct pinfast_bytes image;
	struct pinfast_store *store;
	uint8_t pin[32];
	char text[PINFAST_PIN_TEXT_LEN];

	if (policy != NULL)
		return policy;
	for (int i = 0; i < 32; i++)
		pin[i] = (uint8_t)(i * 37 + 11);
	pinfast_pin_write(pin, text);
	if (pinfast_builder_new(NULL, &b) != 0)
		abort();
	pinfast_builder_entry(b, "pinned.test", 0, 0);
	pinfast_builder_pin(b, PINFAST_ROLE_CA, text);
	if (pinfast_builder_finish(b, NULL, &image) != 0 ||
	    pinfast_store_open_memory(image, NULL, NULL, &store) != 0 ||
	    pinfast_new(NULL, &policy) != 0 ||
	    pinfast_load(policy, store, NULL) != 0)
		abort();
	return policy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char magic[] = "\x0b\x30\x55\x7a"; /* the pin's start */
	uint8_t tag[PINFAST_TAG_MAX];
	struct pinfast_bytes bytes = {tag, size}, none = {NULL, 0};
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	if (size > sizeof tag)
		size = sizeof tag;
	bytes.len = size;
	if (size > 0)
		memcpy(tag, data, size);
	if (size > 16) {
		struct pf_sum sum;

		pf_put_le16(tag + 4, (uint16_t)size);
		pf_sum_init(&sum);
		pf_sum_update(&sum, tag, size - 8);
		pf_put_le64(tag + size - 8, pf_sum_final(&sum));
	}
	for (size_t i = 0; i + 4 <= size; i++)
		if (memcmp(tag + i, magic, 4) == 0)
			return 0;
	if (pinfast_conn_new(pinned(), "pinned.test", 443, 1800000000, &conn) !=
	    0)
		return 0;
	v = pinfast_judge_tag(conn, bytes, none);
	if (v.decision == PINFAST_ALLOW)
		abort();
	pinfast_conn_free(conn);
	return 0;
}
