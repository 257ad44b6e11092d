/*
 * Any text as a pin.  What is refused has a sentence and a place; what is read
 * is written and read again as the same.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "core/pin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

static void
check_pin(const char *text, size_t len)
{
	struct pf_pin pin, again;
	char out[PINFAST_PIN_TEXT_LEN];
	uint8_t strict[PINFAST_PIN_LEN];
	size_t bad_at = (size_t)-1;
	const char *why = NULL;

	if (pf_pin_text(text, len, &pin, &bad_at, &why) != PINFAST_OK) {
		must(bad_at <= len && why && *why);
		return;
	}
	must(pin.kind == PF_PIN_SPKI || pin.kind == PF_PIN_CERT);
	pinfast_pin_write(pin.hash, out);
	must(pinfast_pin_read(out, strict) == PINFAST_OK);
	must(pf_same(strict, pin.hash, sizeof strict));
	must(pf_pin_text(out, PINFAST_PIN_TEXT_LEN - 1, &again, &bad_at,
	         &why) == PINFAST_OK);
	must(pf_same(again.hash, pin.hash, sizeof strict));
}

/* The text with a NUL behind it, as the public functions take it. */
static void
check_strict(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	uint8_t hash[PINFAST_PIN_LEN];
	char out[PINFAST_PIN_TEXT_LEN];

	must(copy != NULL);
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (pinfast_pin_read(copy, hash) == PINFAST_OK) {
		pinfast_pin_write(hash, out);
		must(strcmp(out, copy) == 0);
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "";

	check_pin(text, size);
	check_strict(text, size);
	return 0;
}
