/* Host names, A-labels and times, character by character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/host.h"
#include "base/punycode.h"
#include "base/time.h"

static void
names_are_made_of_letters_digits_hyphen_and_underscore(void **state)
{
	struct pf_host host;

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char name[] = {'a', (char)c, 'b'};
		int fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		           (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		           c == '.';

		if ((pf_host_parse(name, 3, &host) == PINFAST_OK) != fine)
			fail_msg("character %u", c);
	}
	/* What only looks like an A-label is an ordinary one. */
	assert_int_equal(pf_host_parse("xa--b.test", 10, &host), 0);
	assert_int_equal(pf_host_parse("an--b.test", 10, &host), 0);
	assert_int_equal(pf_host_parse("xn-ab.test", 10, &host), 0);
	assert_int_equal(pf_host_parse("xnab.test", 9, &host), 0);
	assert_int_equal(pf_host_parse("xn-.test", 8, &host), 0);
	assert_int_equal(pf_host_parse("xn--.test", 9, &host), PINFAST_EHOST);
	assert_int_equal(pf_host_parse("XN--tda.test", 12, &host), 0);
	assert_int_equal(pf_host_parse("xn--a!.test", 11, &host),
	    PINFAST_EHOST);
	assert_int_equal(pf_host_parse("a:b", 3, &host), PINFAST_EHOST);
	assert_int_equal(pf_host_parse("a/b", 3, &host), PINFAST_EHOST);
}

/* RFC 3492 section 6.3 for one code point and no basic ones. */
static size_t
punycode_of(uint32_t point, char *out)
{
	uint32_t q = point - 128, k = 36;
	size_t n = 0;

	for (;; k += 36) {
		uint32_t t = k <= 72 ? 1 : k >= 98 ? 26 : k - 72;
		uint32_t d;

		if (q < t)
			break;
		d = t + (q - t) % (36 - t);
		out[n++] = (char)(d < 26 ? 'a' + d : '0' + d - 26);
		q = (q - t) / (36 - t);
	}
	out[n++] = (char)(q < 26 ? 'a' + q : '0' + q - 26);
	return n;
}

static void
a_labels_decode_to_code_points_that_exist(void **state)
{
	static const struct {
		uint32_t point;
		int valid;
	} rows[] = {
	    {0x80, 1},
	    {0xfc, 1},
	    {0xd7ff, 1},
	    {0xd800, 0},
	    {0xdfff, 0},
	    {0xe000, 1},
	    {0x10ffff, 1},
	    {0x110000, 0},
	    {0x7000000, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[16];
		size_t len = punycode_of(rows[i].point, text);

		if (pf_punycode_valid(text, len) != rows[i].valid)
			fail_msg("U+%X: %.*s", rows[i].point, (int)len, text);
	}
	/* Every character that is no digit of the alphabet. */
	for (unsigned c = 1; c < 256; c++) {
		char text[] = {'t', 'd', (char)c, 'a'};
		int digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		            (c >= '0' && c <= '9') || c == '-';

		if (!digit && pf_punycode_valid(text, 4))
			fail_msg("character %u", c);
	}
	assert_int_equal(pf_punycode_valid("TDA", 3), 1);
	assert_int_equal(pf_punycode_valid("tda", 3), 1);
	assert_int_equal(pf_punycode_valid("99999999a", 9), 0);
	assert_int_equal(pf_punycode_valid("zzzzzzzzzzzz", 12), 0);
}

static void
times_are_read_to_the_letter(void **state)
{
	static const struct {
		const char *in;
		int valid;
	} rows[] = {
	    {"0000-01-01", 1},
	    {"0000-03-01", 1},
	    {"2026-11-20T01:02:03z", 1},
	    {"2026-11-20T01:02:03.5Z", 1},
	    {"2026-11-20T01:02:03.Z", 0},
	    {"2026-11-20T01:02:03.5", 0},
	    {"2026-11-20T01:02:03.5/", 0},
	    {"2026-11-20T01:02:03.:Z", 0},
	    {"2026-11-20T01:02:03x", 0},
	    {"2026-11-20T01:02:03", 0},
	    {"202/-11-20", 0},
	    {"202:-11-20", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t at;

		if ((pf_time_parse(rows[i].in, strlen(rows[i].in), &at) ==
		        PINFAST_OK) != rows[i].valid)
			fail_msg("%s", rows[i].in);
	}
	{
		int64_t zero, march;

		assert_int_equal(pf_time_parse("0000-01-01", 10, &zero), 0);
		assert_int_equal(pf_time_parse("0000-03-01", 10, &march), 0);
		assert_true(march - zero == 60 * 86400LL); /* a leap year */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        names_are_made_of_letters_digits_hyphen_and_underscore),
	    cmocka_unit_test(a_labels_decode_to_code_points_that_exist),
	    cmocka_unit_test(times_are_read_to_the_letter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
