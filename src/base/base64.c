#include "base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* From '+' on; -1: none of the alphabet. */
/* clang-format off */
static const int8_t values[] = {
	62, -1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1,
	-1, -1, -1, -1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	-1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
	36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
/* clang-format on */

int
pf_base64_value(char c)
{
	if (c < '+' || c > 'z')
		return -1;
	return values[c - '+'];
}

/* The offset of the first character that is none, or len. */
static size_t
first_strange(const char *in, size_t len)
{
	size_t i = 0;

	while (i < len && pf_base64_value(in[i]) >= 0)
		i++;
	return i;
}

/* Decodes characters; 0: one of them is none of the alphabet.  left: the bits
 * that make no octet. */
static int
decode_chars(const char *in, size_t chars, uint8_t *out, uint32_t *left)
{
	uint32_t bits = 0, strange = 0;
	size_t i = 0;

	for (; chars - i >= 4; i += 4, out += 3) {
		bits = (uint32_t)pf_base64_value(in[i]) << 18 |
		       (uint32_t)pf_base64_value(in[i + 1]) << 12 |
		       (uint32_t)pf_base64_value(in[i + 2]) << 6 |
		       (uint32_t)pf_base64_value(in[i + 3]);
		/* What is no value sets all bits. */
		strange |= bits;
		out[0] = (uint8_t)(bits >> 16);
		out[1] = (uint8_t)(bits >> 8);
		out[2] = (uint8_t)bits;
	}
	bits = 0;
	for (; i < chars; i++) {
		bits = bits << 6 | (uint32_t)pf_base64_value(in[i]);
		if (i % 4 != 0)
			*out++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*left = bits;
	return ((strange | bits) >> 24) == 0;
}

/* How many characters come before the padding. */
static size_t
without_padding(const char *in, size_t len)
{
	size_t pad = 0;

	while (pad < 2 && pad < len && in[len - 1 - pad] == '=')
		pad++;
	return len - pad;
}

enum pinfast_error
pf_base64_decode(const char *in, size_t len, uint8_t *out, size_t size,
    size_t *out_len)
{
	size_t chars = without_padding(in, len), pad = len - chars;
	uint32_t left;

	if (len % 4 != 0 || len / 4 * 3 - pad > size ||
	    !decode_chars(in, chars, out, &left))
		return len % 4 != 0 || first_strange(in, chars) < chars
		           ? PINFAST_EFORMAT
		           : PINFAST_ELIMIT;
	/* The bits that the padding leaves over must be zero. */
	if ((pad == 1 && (left & 3) != 0) || (pad == 2 && (left & 15) != 0))
		return PINFAST_EFORMAT;
	*out_len = len / 4 * 3 - pad;
	return PINFAST_OK;
}

size_t
pf_base64_bad_at(const char *in, size_t len)
{
	size_t chars = without_padding(in, len);
	size_t strange = first_strange(in, chars);

	if (strange < chars)
		return strange;
	return len % 4 != 0 ? len : chars - 1;
}

size_t
pf_base64_encode(const uint8_t *in, size_t len, char *out)
{
	size_t at = 0;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16;

		if (n > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (n > 2)
			bits |= in[i + 2];
		out[at++] = alphabet[bits >> 18];
		out[at++] = alphabet[bits >> 12 & 63];
		out[at++] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[at++] = n > 2 ? alphabet[bits & 63] : '=';
	}
	return at;
}
