/*
 * DER from text, for tests: hexadecimal bytes, `30{ ... }` for a value whose
 * length is counted, `!` where the first wrong byte stands.  Spaces are free.
 */
#ifndef DER_TEXT_H
#define DER_TEXT_H

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DER_TEXT_NO_MARK ((size_t)-1)

struct der_text {
	uint8_t data[4096];
	size_t len;
	size_t mark;
};

/* Puts the length of what stands from `from` on in front of it. */
static void
der_text_close(struct der_text *out, size_t from)
{
	size_t len = out->len - from;
	size_t octets = len < 0x80 ? 1 : len < 0x100 ? 2 : 3;

	memmove(out->data + from + octets, out->data + from, len);
	if (octets == 1)
		out->data[from] = (uint8_t)len;
	else
		out->data[from] = (uint8_t)(0x80 | (octets - 1));
	for (size_t i = 1; i < octets; i++)
		out->data[from + i] = (uint8_t)(len >> 8 * (octets - 1 - i));
	out->len += octets;
	if (out->mark != DER_TEXT_NO_MARK && out->mark >= from)
		out->mark += octets;
}

static inline void
der_text(const char *text, struct der_text *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t open[32], depth = 0;

	out->len = 0;
	out->mark = DER_TEXT_NO_MARK;
	for (; *text; text++) {
		if (*text == ' ')
			continue;
		if (*text == '!') {
			out->mark = out->len;
		} else if (*text == '{') {
			open[depth++] = out->len;
		} else if (*text == '}') {
			der_text_close(out, open[--depth]);
		} else {
			const char *high = strchr(digits, text[0]);
			const char *low = strchr(digits, text[1]);

			assert(high && low && *low);
			out->data[out->len++] =
			    (uint8_t)((high - digits) * 16 + (low - digits));
			text++;
		}
	}
	assert(depth == 0);
}

#endif
