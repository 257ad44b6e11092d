/*
 * The base layer: SHA-256, base64, hex, PEM, hosts and times, row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/hex.h"
#include "base/host.h"
#include "base/limits.h"
#include "base/pem.h"
#include "base/sha256.h"
#include "base/time.h"

static void
the_shipped_limits_are_these(void **state)
{
	(void)state;
	assert_int_equal(PF_MAX_PATH, 16);
	assert_int_equal(PF_MAX_CERT, 65536);
	assert_int_equal(PF_MAX_HOST, 253);
	assert_int_equal(PF_MAX_LABEL, 63);
	assert_int_equal(PF_MAX_PINS, 64);
	assert_int_equal(PF_MAX_HOSTS, 4000000);
	assert_true(PF_MAX_POLICY_TEXT == 1024UL * 1024 * 1024);
	assert_int_equal(PF_MAX_YAML_DEPTH, 16);
	assert_int_equal(PF_MAX_DIALOGUE, 65536);
	assert_int_equal(PF_MAX_DIALOGUE_LINE, 1024);
	assert_true(PF_MAX_STORE ==
	            (sizeof(void *) > 4 ? 0xffffffffU : 0x40000000U));
}

static void
sha256_knows_the_answers(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
	         "2b855"},
	    {"abc",
	        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20"
	        "015ad"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419d"
	        "b06c1"},
	};
	char hex[65];
	uint8_t out[32];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		pf_sha256(rows[i].in, strlen(rows[i].in), out);
		pf_hex_write(out, 32, hex);
		assert_string_equal(hex, rows[i].out);
	}
}

static void
sha256_is_the_same_in_pieces(void **state)
{
	uint8_t in[300], whole[32], pieces[32];

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 7 + 1);
	for (size_t len = 0; len <= sizeof in; len++)
		for (size_t cut = 0; cut <= len; cut += 13) {
			struct pf_sha256 h;

			pf_sha256(in, len, whole);
			pf_sha256_init(&h);
			pf_sha256_update(&h, in, cut);
			pf_sha256_update(&h, in + cut, len - cut);
			pf_sha256_final(&h, pieces);
			assert_memory_equal(whole, pieces, 32);
		}
}

static void
base64_is_canonical_or_refused(void **state)
{
	static const struct {
		const char *text, *bytes;
		size_t bad_at;
	} rows[] = {
	    {"", "", 0},
	    {"Zg==", "f", 0},
	    {"Zm8=", "fo", 0},
	    {"Zm9v", "foo", 0},
	    {"+/+/", "\xfb\xff\xbf", 0},
	    {"Zg=", NULL, 3},
	    {"Zg", NULL, 2},
	    {"Zh==", NULL, 1},
	    {"Zm9=", NULL, 2},
	    {"Z===", NULL, 1},
	    {"Zm9v\n", NULL, 4},
	    {"Zm-v", NULL, 2},
	    {"Z g=", NULL, 1},
	    {"=Zm9", NULL, 0},
	    {"====", NULL, 0},
	    {"Zm9v=", NULL, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t out[16];
		char text[16];
		size_t len = 99;
		enum pinfast_error error = pf_base64_decode(rows[i].text,
		    strlen(rows[i].text), out, sizeof out, &len);

		if (rows[i].bytes == NULL) {
			assert_int_equal(error, PINFAST_EFORMAT);
			assert_int_equal(pf_base64_bad_at(rows[i].text,
			                     strlen(rows[i].text)),
			    rows[i].bad_at);
			continue;
		}
		assert_int_equal(error, PINFAST_OK);
		assert_int_equal(len, strlen(rows[i].bytes));
		assert_memory_equal(out, rows[i].bytes, len);
		assert_int_equal(pf_base64_encode(out, len, text),
		    strlen(rows[i].text));
		assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
	}
	{
		uint8_t small[2];
		size_t len;

		assert_int_equal(pf_base64_decode("Zm9v", 4, small, 2, &len),
		    PINFAST_ELIMIT);
	}
}

static void
pem_blocks_are_found_and_damage_is_refused(void **state)
{
	static const struct {
		const char *text;
		int result, count;
	} rows[] = {
	    {"", PINFAST_ENOTFOUND, 0},
	    {"no pem here\n", PINFAST_ENOTFOUND, 0},
	    {"-----BEGIN A-----\nZm9v\n-----END A-----\n", PINFAST_ENOTFOUND,
	        1},
	    {"x\r\n-----BEGIN A-----\r\nZm9v\r\nZm8=\r\n-----END A-----",
	        PINFAST_ENOTFOUND, 1},
	    {"-----BEGIN A-----\nZm9v\n-----END A-----\ntext\n"
	     "-----BEGIN B C-----\nZg==\n-----END B C-----\n",
	        PINFAST_ENOTFOUND, 2},
	    {"-----BEGIN A-----\nZm9v\n-----END B-----\n", PINFAST_EFORMAT, 0},
	    {"-----BEGIN A-----\nZm9v\n", PINFAST_EFORMAT, 0},
	    {"-----BEGIN A-----\nZm9\n-----END A-----\n", PINFAST_EFORMAT, 0},
	    {"-----BEGIN A-----\nZg==Zg==\n-----END A-----\n", PINFAST_EFORMAT,
	        0},
	    {"-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n"
	     "-----END A-----\n",
	        PINFAST_EFORMAT, 0},
	    {"-----BEGIN A----\nZm9v\n-----END A-----\n", PINFAST_ENOTFOUND, 0},
	    {"-----BEGIN A", PINFAST_ENOTFOUND, 0},
	    {"-----BEGIN A-----\nZm9v\n-----END A", PINFAST_EFORMAT, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_bytes text = {
		    (const uint8_t *)rows[i].text, strlen(rows[i].text)};
		struct pf_pem block;
		uint8_t out[64];
		size_t pos = 0;
		int count = 0;
		enum pinfast_error error;

		while ((error = pf_pem_next(text, &pos, &block, out,
		            sizeof out)) == PINFAST_OK) {
			count++;
			assert_true(pf_pem_is(&block, "A") ||
			            pf_pem_is(&block, "B C"));
			assert_false(pf_pem_is(&block, "ABC"));
		}
		assert_int_equal(error, rows[i].result);
		assert_int_equal(count, rows[i].count);
		pos = 0;
		if (count > 0)
			assert_int_equal(pf_pem_next(text, &pos, &block, out,
			                     0),
			    PINFAST_ELIMIT);
	}
}

static char long_label[] =
    "a123456789012345678901234567890123456789012345678901234567890123.test";

static const struct {
	const char *in, *out;
} hosts[] = {
    {"example.com", "example.com"},
    {"EXAMPLE.com.", "example.com"},
    {"a_b-c.Test", "a_b-c.test"},
    {"-x-.test", "-x-.test"},
    {"localhost", "localhost"},
    {"1a.test", "1a.test"},
    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
    {"xn-.test", "xn-.test"},
    {"a.0x", NULL},
    {"a.0xg", "a.0xg"},
    {"127.0.0.1", "127.0.0.1"},
    {"255.255.255.255", "255.255.255.255"},
    {"[::1]", "::1"},
    {"::1", "::1"},
    {"::", "::"},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"::ffff:c000:201", "192.0.2.1"},
    {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
    {"1::8", "1::8"},
    {"0:0:1::", "0:0:1::"},
    /* none */
    {"", NULL},
    {".", NULL},
    {"..", NULL},
    {".a", NULL},
    {"a..", NULL},
    {"a..b", NULL},
    {"a b", NULL},
    {"a%b", NULL},
    {"a@b", NULL},
    {"*.a", NULL},
    {"a/b", NULL},
    {"a:b", NULL},
    {"a\xc3\xa4", NULL},
    {"a\x01", NULL},
    {"127.1", NULL},
    {"0x7f.0.0.1", NULL},
    {"3221225985", NULL},
    {"0xc0.0.2.1", NULL},
    {"127.0.0.01", NULL},
    {"127.0.0.256", NULL},
    {"127.0.0.1.", NULL},
    {"1.2.3.4.5", NULL},
    {"1.2.3", NULL},
    {"a.1", NULL},
    {"a.0x1", NULL},
    {"1.2.3.", NULL},
    {"1.2.3.1234", NULL},
    {"1..2.3", NULL},
    {"fe80::1%eth0", NULL},
    {"[fe80::1%25eth0]", NULL},
    {"[127.0.0.1]", NULL},
    {"[::1", NULL},
    {"::1]", NULL},
    {"[]", NULL},
    {"[a]", NULL},
    {":", NULL},
    {":::", NULL},
    {"1:", NULL},
    {":1", NULL},
    {"1:2", NULL},
    {"1::2::3", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"1:2:3:4:5:6:7:8::", NULL},
    {"::1:2:3:4:5:6:7:8", NULL},
    {"12345::", NULL},
    {"g::", NULL},
    {"1:2:3:4:5:6:7:1.2.3.4", NULL},
    {"::1.2.3", NULL},
    {"::1.2.3.4:5", NULL},
    {"xn--", NULL},
    {"xn---", NULL},
    {"xn--99999999", NULL},
    {"xn--a-", NULL},
    {"xn--_", NULL},
    {"xn--zzzzzzzzzzzzzzzzzzzz", NULL},
    {long_label, NULL},
};

static void
hosts_have_one_form_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct pf_host host, again;
		size_t len = strlen(hosts[i].in);
		const char *complaint = pf_host_complaint(hosts[i].in, len);
		int fine;
		const char *want = hosts[i].out;

		/* What was in there before does not matter. */
		memset(&host, 0xff, sizeof host);
		memset(&again, 0xee, sizeof again);
		fine = pf_host_parse(hosts[i].in, len, &host) == PINFAST_OK;
		if (fine != (want != NULL) || fine != (complaint == NULL))
			fail_msg("%s: %s", hosts[i].in,
			    complaint != NULL ? complaint : "accepted");
		if (!fine)
			continue;
		assert_string_equal(host.text, want);
		assert_int_equal(pf_host_parse(host.text, host.text_len,
		                     &again),
		    0);
		assert_string_equal(again.text, host.text);
		assert_int_equal(again.text_len, host.text_len);
		assert_int_equal(again.kind, host.kind);
		assert_int_equal(again.key_len, host.key_len);
		assert_memory_equal(again.key, host.key, host.key_len);
	}
}

static void
every_octet_is_in_names_or_is_not(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char in[] = {'a', (char)c, 'b', '.', 't'};
		char small = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
		int good =
		    c != 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.",
		                  small) != NULL;
		struct pf_host host;

		if ((pf_host_parse(in, sizeof in, &host) == PINFAST_OK) != good)
			fail_msg("octet %d", c);
		if (good) {
			in[1] = small;
			assert_memory_equal(host.text, in, sizeof in);
		}
	}
}

static void
hosts_at_their_limits(void **state)
{
	char name[300];
	struct pf_host host;
	uint8_t raw[16] = {0};

	(void)state;
	memset(name, 'a', sizeof name);
	for (int i = 63; i < 252; i += 64)
		name[i] = '.';
	assert_int_equal(pf_host_parse(name, 253, &host), PINFAST_OK);
	assert_int_equal(host.key_len, 253);
	assert_int_equal(pf_host_parse(name, 255, &host), PINFAST_EHOST);
	name[253] = '.';
	assert_int_equal(pf_host_parse(name, 254, &host), PINFAST_OK);
	assert_int_equal(pf_host_parse("a", 1, &host), PINFAST_OK);
	assert_int_equal(pf_host_parse("a\0b", 3, &host), PINFAST_EHOST);
	assert_int_equal(pf_host_parse(name, 63, &host), PINFAST_OK);
	name[63] = 'a';
	assert_int_equal(pf_host_parse(name, 64, &host), PINFAST_EHOST);
	assert_int_equal(pf_host_parse_binary(raw, 4, &host), PINFAST_OK);
	assert_string_equal(host.text, "0.0.0.0");
	assert_int_equal(pf_host_parse_binary(raw, 16, &host), PINFAST_OK);
	assert_string_equal(host.text, "::");
	assert_int_equal(pf_host_parse_binary(raw, 5, &host), PINFAST_EHOST);
}

static const struct {
	const char *in;
	int64_t at; /* -1: refused */
	const char *out;
} times[] = {
    {"1970-01-01", 0, "1970-01-01T00:00:00Z"},
    {"2026-11-20", 1795132800, "2026-11-20T00:00:00Z"},
    {"2026-11-20T10:11:12Z", 1795169472, "2026-11-20T10:11:12Z"},
    {"2026-11-20t10:11:12z", 1795169472, "2026-11-20T10:11:12Z"},
    {"2026-11-20T10:11:12.75Z", 1795169472, "2026-11-20T10:11:12Z"},
    {"2026-11-20T11:41:12+01:30", 1795169472, "2026-11-20T10:11:12Z"},
    {"2026-11-20T09:11:12-01:00", 1795169472, "2026-11-20T10:11:12Z"},
    {"2000-02-29", 951782400, "2000-02-29T00:00:00Z"},
    {"2024-02-29", 1709164800, "2024-02-29T00:00:00Z"},
    {"2038-01-19T03:14:08Z", 2147483648LL, "2038-01-19T03:14:08Z"},
    {"9999-12-31T23:59:59Z", 253402300799LL, "9999-12-31T23:59:59Z"},
    {"", -1, NULL},
    {"2026", -1, NULL},
    {"2026-1-01", -1, NULL},
    {"2026-13-01", -1, NULL},
    {"2026-00-01", -1, NULL},
    {"2026-01-00", -1, NULL},
    {"2026-01-32", -1, NULL},
    {"2026-02-29", -1, NULL},
    {"1900-02-29", -1, NULL},
    {"2026/01/01", -1, NULL},
    {"2026-01-01 ", -1, NULL},
    {"2026-01-01T00:00:00", -1, NULL},
    {"2026-01-01T24:00:00Z", -1, NULL},
    {"2026-01-01T00:60:00Z", -1, NULL},
    {"2026-01-01T00:00:60Z", -1, NULL},
    {"2026-01-01T00:00:00.Z", -1, NULL},
    {"2026-01-01T00:00:00+1:00", -1, NULL},
    {"2026-01-01T00:00:00+24:00", -1, NULL},
    {"2026-01-01T00:00:00+00:60", -1, NULL},
    {"2026-01-01T00:00:00+00-00", -1, NULL},
    {"2026-01-01T00:00:00*00:00", -1, NULL},
    {"2026-01-01X00:00:00Z", -1, NULL},
    {"2026-01-01T00-00:00Z", -1, NULL},
    {"2026-01-01T00:00-00Z", -1, NULL},
    {"2026-01-01T0a:00:00Z", -1, NULL},
    {"2026-01-01T00:0a:00Z", -1, NULL},
    {"2026-01-01T00:00:0aZ", -1, NULL},
    {"202a-01-01", -1, NULL},
    {"2026-0a-01", -1, NULL},
    {"2026-01-0a", -1, NULL},
    {"2026-01x01", -1, NULL},
    {"2026-01-01T00:00:00+0a:00", -1, NULL},
    {"2026-01-01T00:00:00+00:0a", -1, NULL},
};

static void
times_are_exact_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		int64_t at = -1;
		char text[PF_TIME_TEXT_LEN];
		enum pinfast_error error =
		    pf_time_parse(times[i].in, strlen(times[i].in), &at);

		if ((error == PINFAST_OK) != (times[i].out != NULL) ||
		    at != times[i].at)
			fail_msg("%s", times[i].in);
		if (error != PINFAST_OK)
			continue;
		pf_time_write(at, text);
		assert_string_equal(text, times[i].out);
	}
}

static void
every_day_of_four_centuries_round_trips(void **state)
{
	(void)state;
	for (int64_t day = -719000; day < 150000; day += 17) {
		char text[PF_TIME_TEXT_LEN];
		int64_t at;

		pf_time_write(day * 86400 + 3661, text);
		assert_int_equal(pf_time_parse(text, strlen(text), &at),
		    PINFAST_OK);
		assert_true(at == day * 86400 + 3661);
	}
	{
		char text[PF_TIME_TEXT_LEN];

		pf_time_write(INT64_MAX, text);
		assert_string_equal(text, "9999-12-31T23:59:59Z");
		pf_time_write(INT64_MIN, text);
		assert_string_equal(text, "0000-01-01T00:00:00Z");
	}
}

static void
certificate_times_are_exact_or_refused(void **state)
{
	static const struct {
		const char *in;
		int generalized;
		int64_t at;
	} rows[] = {
	    {"700101000000Z", 0, 0},
	    {"491231235959Z", 0, 2524607999LL},
	    {"500101000000Z", 0, -631152000LL},
	    {"20500101000000Z", 1, 2524608000LL},
	    {"99991231235959Z", 1, 253402300799LL},
	    {"7001010000Z", 0, INT64_MIN},
	    {"700101000000", 0, INT64_MIN},
	    {"7001010000000", 0, INT64_MIN},
	    {"700101000000+0000", 0, INT64_MIN},
	    {"701301000000Z", 0, INT64_MIN},
	    {"700101240000Z", 0, INT64_MIN},
	    {"70010100000aZ", 0, INT64_MIN},
	    {"700101000a00Z", 0, INT64_MIN},
	    {"7001010a0000Z", 0, INT64_MIN},
	    {"70010a000000Z", 0, INT64_MIN},
	    {"700a01000000Z", 0, INT64_MIN},
	    {"7a0101000000Z", 0, INT64_MIN},
	    {"a00101000000Z", 0, INT64_MIN},
	    {"2a500101000000Z", 1, INT64_MIN},
	    {"a0500101000000Z", 1, INT64_MIN},
	    {"20a00101000000Z", 1, INT64_MIN},
	    {"20500101000000.5Z", 1, INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t at = INT64_MIN;
		enum pinfast_error error =
		    pf_time_asn1((const uint8_t *)rows[i].in,
		        strlen(rows[i].in), rows[i].generalized, &at);

		if ((error == PINFAST_OK) != (rows[i].at != INT64_MIN) ||
		    at != rows[i].at)
			fail_msg("%s", rows[i].in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_shipped_limits_are_these),
	    cmocka_unit_test(sha256_knows_the_answers),
	    cmocka_unit_test(sha256_is_the_same_in_pieces),
	    cmocka_unit_test(base64_is_canonical_or_refused),
	    cmocka_unit_test(pem_blocks_are_found_and_damage_is_refused),
	    cmocka_unit_test(hosts_have_one_form_or_none),
	    cmocka_unit_test(every_octet_is_in_names_or_is_not),
	    cmocka_unit_test(hosts_at_their_limits),
	    cmocka_unit_test(times_are_exact_or_refused),
	    cmocka_unit_test(every_day_of_four_centuries_round_trips),
	    cmocka_unit_test(certificate_times_are_exact_or_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
