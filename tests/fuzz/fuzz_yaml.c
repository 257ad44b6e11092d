/*
 * Policy text from anywhere: a complaint or a policy that compiles into a
 * store that opens, never a crash, and never both.
 */
#include <stdlib.h>

#include "policy/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
count(void *arg, const struct pf_finding *finding)
{
	if (finding->rule[0] == '\0' || finding->text[0] == '\0')
		abort();
	*(unsigned *)arg += finding->level == PF_LEVEL_ERROR;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned errors = 0;
	struct pf_sink sink = {count, &errors};
	struct pf_text_options options = {"fuzz.yaml", 1800000000, 1};
	struct pinfast_bytes text = {data, size}, image;
	struct pinfast_builder *b;
	struct pinfast_store *store;

	if (pinfast_builder_new(NULL, &b) != PINFAST_OK)
		return 0;
	if (pf_policy_read(text, &options, b, &sink) == PINFAST_OK) {
		if (pinfast_builder_finish(b, NULL, &image) == PINFAST_OK) {
			if (errors > 0)
				abort();
			if (pinfast_store_open_memory(image, NULL, NULL,
			        &store) != PINFAST_OK)
				abort();
			pinfast_store_free(store);
		} else if (errors == 0) {
			abort();
		}
	} else if (errors == 0) {
		abort();
	}
	pinfast_builder_free(b);
	return 0;
}
