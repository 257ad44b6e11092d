#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/known.h"
#include "core/pin.h"
#include "claim.h"
#include "data_file.h"

/* Pins of two keys, and a value that begins with a slash. */
#define CHARS "l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoM"
#define VALUE CHARS "="
#define OTHER "+N+fqffdjL3kZ7siC3D8dmlACkDD58eql2N5f3xIbPY="
#define SLASHED "/4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoM="
#define HEX "978b02ce9bb977ea612434afd5a285ad2879e9fa6f9e821c6e445c22121a3283"
#define COLONS                                                                 \
	"97:8B:02:CE:9B:B9:77:EA:61:24:34:AF:D5:A2:85:AD:28:79:E9:FA:6F:"      \
	"9E:82:1C:6E:44:5C:22:12:1A:32:83"
#define SHA1_HEX "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define MD5_HEX "d41d8cd98f00b204e9800998ecf8427e"

static const struct {
	const char *text;
	enum pf_pin_kind kind;
	uint8_t first; /* of the 32 bytes */
} good[] = {
    {"sha256/" VALUE, PF_PIN_SPKI, 0x97},
    {"sha256//" VALUE, PF_PIN_SPKI, 0x97},
    {"pin-sha256=\"" VALUE "\"", PF_PIN_SPKI, 0x97},
    {VALUE, PF_PIN_SPKI, 0x97},
    {"cert-sha256/" VALUE, PF_PIN_CERT, 0x97},
    {"sha256/" SLASHED, PF_PIN_SPKI, 0xff},
    {"sha256//" SLASHED, PF_PIN_SPKI, 0xff},
    {SLASHED, PF_PIN_SPKI, 0xff},
    {"md5/"
     "zpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoM=",
        PF_PIN_SPKI, 0x99},
};

static void
every_spelling_in_use_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct pf_pin pin;
		size_t bad_at = 77;
		const char *why = NULL;

		claim(good[i].text,
		    pf_pin_text(good[i].text, strlen(good[i].text), &pin,
		        &bad_at, &why) == PINFAST_OK);
		claim(good[i].text, pin.kind == good[i].kind);
		claim(good[i].text, pin.hash[0] == good[i].first);
		claim(good[i].text, bad_at == 77 && why == NULL);
	}
}

static const struct {
	const char *name;
	const char *text;
	size_t at;
	const char *why; /* in the sentence */
} bad[] = {
    {"empty", "", 0, "empty"},
    {"prefix alone", "sha256/", 7, "empty"},
    {"empty quotation", "pin-sha256=\"\"", 12, "empty"},
    {"hexadecimal", HEX, 0, "cert-sha256/ if it is a fingerprint"},
    {"hexadecimal with colons", COLONS, 0, "openssl x509 -fingerprint"},
    {"hexadecimal behind the prefix", "sha256/" HEX, 7, "hexadecimal"},
    {"hexadecimal behind the other prefix", "cert-sha256/" COLONS, 12,
        "hexadecimal"},
    {"what openssl prints", "sha256 Fingerprint=" COLONS, 0, "hexadecimal"},
    {"SHA-1 in hexadecimal", SHA1_HEX, 0, "SHA-1"},
    {"SHA-1 that openssl prints", "SHA1 Fingerprint=" SHA1_HEX, 0, "SHA-1"},
    {"SHA-1 in base64", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", 0, "SHA-1"},
    {"SHA-1 behind our prefix", "sha256/2jmj7l5rSw0yVb/vlWAYkK/YBwk=", 7,
        "SHA-1"},
    {"SHA-1 behind its prefix", "sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=", 0,
        "SHA-1"},
    {"SHA-1 behind another prefix", "SHA-1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=", 0,
        "SHA-1"},
    {"another hash's prefix alone", "sha1/", 0, "SHA-1"},
    {"MD5 in hexadecimal", MD5_HEX, 0, "MD5"},
    {"MD5 in base64", "1B2M2Y8AsgTpgAmY7PhCfg==", 0, "MD5"},
    {"MD5 behind its prefix", "md5/1B2M2Y8AsgTpgAmY7PhCfg==", 0, "MD5"},
    {"SHA-512", "sha512/" VALUE, 0, "another hash"},
    {"SHA-384", "sha384/" VALUE, 0, "another hash"},
    {"31 bytes", "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMg==", 7,
        "another length"},
    {"33 bytes", "sha256/" CHARS "A", 7, "another length"},
    {"34 bytes", "sha256/" CHARS "AA==", 7, "another length"},
    {"48 bytes", CHARS "AAAAAAAAAAAAAAAAAAAAA", 0, "another length"},
    {"41 characters and padding",
        "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRc"
        "IhIaMo=",
        7, "another length"},
    {"padding alone", "sha256/====", 7, "another length"},
    {"colon inside a pair", "978:b02ce9b", 3, "does not belong"},
    {"one character", "sha256/A", 7, "another length"},
    {"odd hexadecimal", "abc", 0, "another length"},
    {"no padding", "sha256/" CHARS, 50, "padding is missing"},
    {"no padding, as curl", "sha256//" CHARS, 51, "padding is missing"},
    {"no padding, bare", CHARS, 43, "padding is missing"},
    {"two paddings", "sha256/" CHARS "==", 51, "too much padding"},
    {"three paddings", CHARS "===", 44, "too much padding"},
    {"padding in the middle",
        "sha256/l4sC=pu5d+phJDSv1aKFrSh56fpvnoIcbkRc"
        "IhIaMoM=",
        11, "only at the end"},
    {"two values joined", VALUE VALUE, 43, "only at the end"},
    {"url-safe minus", "sha256/-4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoM=", 7,
        "URL-safe"},
    {"url-safe underscore", "l4sCzpu5d_phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoM=", 9,
        "URL-safe"},
    {"trailing bits", "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoN=", 49,
        "bits that belong to nothing"},
    {"inner space", "sha256/l4sCzpu5 d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoM=", 15,
        "white space"},
    {"space in front", " sha256/" VALUE, 0, "white space"},
    {"space behind", "sha256/" VALUE " ", 51, "white space"},
    {"line end behind", VALUE "\n", 44, "white space"},
    {"tab behind the prefix", "sha256/\t" VALUE, 7, "white space"},
    {"two pins and a space", "sha256/" VALUE " sha256/" OTHER, 51,
        "white space"},
    {"list with a comma", "sha256/" VALUE ",sha256/" OTHER, 51, "list"},
    {"list as curl takes it", "sha256//" VALUE ";sha256//" OTHER, 52, "list"},
    {"header", "pin-sha256=\"" VALUE "\"; max-age=1", 57, "list"},
    {"list in quotation marks", "pin-sha256=\"" VALUE "," OTHER "\"", 56,
        "list"},
    {"large letters", "SHA256/" VALUE, 0, "small letters"},
    {"one large letter", "Sha256/" VALUE, 0, "small letters"},
    {"large letters, certificate", "CERT-SHA256/" VALUE, 0,
        "write cert-sha256/ in small"},
    {"large letters, quotation", "PIN-SHA256=\"" VALUE "\"", 0,
        "quotation marks"},
    {"no quotation marks", "pin-sha256=" VALUE, 0, "quotation marks"},
    {"no closing mark", "pin-sha256=\"" VALUE, 56, "closing quotation"},
    {"opening mark alone", "pin-sha256=\"", 12, "closing quotation"},
    {"hyphen in the hash's name", "sha-256/" VALUE, 0, "hyphen"},
    {"colon", "sha256:" VALUE, 0, "with a slash"},
    {"as in a web page", "sha256-" VALUE, 0, "with a slash"},
    {"equals sign", "sha256=" VALUE, 0, "with a slash"},
    {"no letter of base64",
        "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhI"
        "aMo*=",
        49, "does not belong to base64"},
    {"three slashes", "sha256///" VALUE, 8, "another length"},
    {"zeros", "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 7,
        "placeholder"},
    {"the letter B", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=", 0,
        "placeholder"},
    {"the letter X without padding",
        "sha256/XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", 7,
        "placeholder"},
    {"empty input's hash",
        "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 7,
        "hash of empty input"},
    {"empty input's hash of a certificate",
        "cert-sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 12,
        "hash of empty input"},
    {"RFC 7469's example",
        "pin-sha256=\"E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g=\"", 12,
        "RFC 7469"},
    {"Android's example", "fwza0LRMXouZHRC8Ei+4PyuldPDcf3UKgO/04cDM1oE=", 0,
        "Android"},
    {"curl's example",
        "sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE=", 8, "curl"},
    {"OkHttp's example",
        "sha256/afwiKY3RxoMmLkuRW1l7QsPZTJPwDS2pdDROQjXw8ig=", 7, "OkHttp"},
};

static void
every_mistake_has_its_sentence_and_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t len = strlen(bad[i].text), bad_at = 9999;
		struct pf_pin pin = {PF_PIN_CERT, {0xaa}};
		const char *why = "";
		char *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy + 1, bad[i].text, len);
		claim(bad[i].name, pf_pin_text(copy + 1, len, &pin, &bad_at,
		                       &why) == PINFAST_EFORMAT);
		if (!strstr(why, bad[i].why) || bad_at != bad[i].at)
			fail_msg("%s: at %zu: %s", bad[i].name, bad_at, why);
		claim(bad[i].name, pin.hash[0] == 0xaa);
		free(copy);
	}
}

/* No text one character away from a pin is the same pin. */
static void
a_changed_or_cut_pin_is_never_the_same_pin(void **state)
{
	char text[] = "sha256/" VALUE;
	size_t len = strlen(text), at;
	struct pf_pin want, got;
	const char *why;

	(void)state;
	assert_int_equal(pf_pin_text(text, len, &want, &at, &why), PINFAST_OK);
	for (size_t n = 0; n < len; n++)
		assert_int_not_equal(pf_pin_text(text, n, &got, &at, &why),
		    PINFAST_OK);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		for (int c = 0; c < 256; c++) {
			text[i] = (char)c;
			if (text[i] == was ||
			    pf_pin_text(text, len, &got, &at, &why))
				continue;
			assert_memory_not_equal(got.hash, want.hash, 32);
		}
		text[i] = was;
	}
}

static void
the_library_reads_one_spelling_only(void **state)
{
	static const char *const refused[] = {"", VALUE, "sha256//" VALUE,
	    "sha256/" CHARS, "sha256/" VALUE "=", "sha256/" CHARS "A",
	    "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMg==",
	    "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMoN=",
	    "sha256/l4sCzpu5d+phJDSv1aKFrSh56fpvnoIcbkRcIhIaMo =",
	    "SHA256/" VALUE, "cert-sha256/" VALUE, " sha256/" CHARS,
	    "pin-sha256=\"" VALUE "\""};
	uint8_t pin[PINFAST_PIN_LEN] = {0xaa};
	char text[PINFAST_PIN_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		claim(refused[i],
		    pinfast_pin_read(refused[i], pin) == PINFAST_EFORMAT);
	assert_int_equal(pinfast_pin_read(NULL, pin), PINFAST_EFORMAT);
	assert_int_equal(pin[0], 0xaa);
	assert_int_equal(pinfast_pin_read("sha256/" VALUE, pin), PINFAST_OK);
	assert_int_equal(pin[0], 0x97);
	assert_int_equal(pin[31], 0x83);
	pinfast_pin_write(pin, text);
	assert_string_equal(text, "sha256/" VALUE);
}

/* ----------------------------------------------------------- pins of DER */

/* pins.tsv was written by openssl. */
static void
pins_are_those_that_openssl_gives(void **state)
{
	uint8_t list[4096], data[2048], pin[PINFAST_PIN_LEN];
	char text[PINFAST_PIN_TEXT_LEN];
	size_t rows = 0, bad_at = 77;
	char *line;

	(void)state;
	list[data_file("pins.tsv", list, sizeof list - 1)] = '\0';
	for (line = strtok((char *)list, "\n"); line;
	     line = strtok(NULL, "\n")) {
		char *want = strchr(line, '\t');
		struct pinfast_bytes der = {data, 0};

		assert_non_null(want);
		*want++ = '\0';
		der.len = data_file(line, data, sizeof data);
		claim(line, pinfast_pin_of(der, pin, &bad_at) == PINFAST_OK);
		pinfast_pin_write(pin, text);
		claim(line, strcmp(text, want) == 0);
		rows++;
	}
	assert_int_equal(rows, 10);
	assert_int_equal(bad_at, 77);
}

static void
what_has_no_pin_is_refused_where_it_goes_wrong(void **state)
{
	static const struct {
		const char *file;
		size_t change; /* this byte */
		size_t cut;    /* bytes off the end */
		size_t at;
	} rows[] = {
	    {"leaf.der", 0, 0, 0},            /* no sequence */
	    {"leaf.der", 9999, 1, 1},         /* outer length */
	    {"leaf.der", 156, 0, 156},        /* the key's tag */
	    {"leaf-request.der", 9999, 1, 1}, /* outer length */
	    {"leaf-request.der", 3, 0, 3},
	    {"leaf-request.der", 5, 0, 5},
	    {"leaf-request.der", 37, 0, 37},
	    {"leaf-key.der", 9999, 1, 1},
	    {"leaf-key.der", 4, 0, 4},
	    {"leaf-key.der", 25, 0, 25},
	};
	uint8_t data[2048], pin[PINFAST_PIN_LEN] = {0xaa};
	struct pinfast_bytes der = {data, 0}, none = {NULL, 0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t bad_at = 9999;

		der.len =
		    data_file(rows[i].file, data, sizeof data) - rows[i].cut;
		if (rows[i].change < der.len)
			data[rows[i].change] ^= 0x80;
		claim(rows[i].file,
		    pinfast_pin_of(der, pin, &bad_at) == PINFAST_EFORMAT);
		if (bad_at != rows[i].at)
			fail_msg("row %zu: at %zu", i, bad_at);
		claim(rows[i].file,
		    pinfast_pin_of(der, pin, NULL) == PINFAST_EFORMAT);
	}
	assert_int_equal(pinfast_pin_of(none, pin, NULL), PINFAST_EFORMAT);
	assert_int_equal(pin[0], 0xaa);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_spelling_in_use_is_read),
	    cmocka_unit_test(every_mistake_has_its_sentence_and_place),
	    cmocka_unit_test(a_changed_or_cut_pin_is_never_the_same_pin),
	    cmocka_unit_test(the_library_reads_one_spelling_only),
	    cmocka_unit_test(pins_are_those_that_openssl_gives),
	    cmocka_unit_test(what_has_no_pin_is_refused_where_it_goes_wrong),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
