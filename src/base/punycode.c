#include "base/punycode.h"

#include <stdint.h>

#define BASE 36U
#define TMIN 1U
#define TMAX 26U
#define SKEW 38U
#define DAMP 700U
#define MAX_POINT 0x10ffffU

static unsigned
digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 26;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a');
	return BASE;
}

static uint32_t
adapt(uint32_t delta, uint32_t points, int first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

/*
 * One generalised variable-length integer; *at moves behind it.  A weight that
 * has outgrown 31 bits ends with the next digit: no digit but 0 fits, and 0
 * is always the last.
 */
static int
read_delta(const char *in, size_t len, size_t *at, uint32_t bias,
    uint32_t *delta)
{
	uint64_t weight = 1;

	*delta = 0;
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t d, t;

		if (*at == len)
			return 0;
		d = digit(in[(*at)++]);
		if (d >= BASE || d > (0x7fffffffU - *delta) / weight)
			return 0;
		*delta += d * (uint32_t)weight;
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (d < t)
			return 1;
		weight *= BASE - t;
	}
}

int
pf_punycode_valid(const char *in, size_t len)
{
	uint32_t point = 128, bias = 72, points = 0;
	uint64_t i = 0;
	size_t at = 0;
	int first = 1;

	for (size_t j = len; j > 0; j--)
		if (in[j - 1] == '-') {
			/* A delimiter with nothing before it is none. */
			if (j == 1)
				return 0;
			points = (uint32_t)(j - 1);
			at = j;
			break;
		}
	while (at < len) {
		uint32_t delta;

		if (!read_delta(in, len, &at, bias, &delta))
			return 0;
		points++;
		bias = adapt(delta, points, first);
		first = 0;
		i += delta;
		if (i / points > MAX_POINT - point)
			return 0;
		point += (uint32_t)(i / points);
		if (point >= 0xd800 && point <= 0xdfff)
			return 0;
		i = i % points + 1;
	}
	return !first;
}
