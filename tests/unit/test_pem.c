#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"
#include "base/pem.h"
#include "claim.h"

#define B(label) "-----BEGIN " label "-----"
#define E(label) "-----END " label "-----"

/* A text, and what its first block is: hexadecimal bytes or an error. */
struct row {
	const char *name;
	const char *text;
	enum pinfast_error error;
	const char *bytes;
	size_t line;
};

static const struct row good[] = {
    {"a block", B("X") "\nAAEC\n" E("X") "\n", PINFAST_OK, "000102", 1},
    {"no line end behind it", B("X") "\nAAEC\n" E("X"), PINFAST_OK, "000102",
        1},
    {"one byte", B("X") "\nAA==\n" E("X") "\n", PINFAST_OK, "00", 1},
    {"two bytes", B("X") "\nAAE=\n" E("X") "\n", PINFAST_OK, "0001", 1},
    {"no bytes", B("X") "\n" E("X") "\n", PINFAST_OK, "", 1},
    {"no label", B("") "\nAAEC\n" E("") "\n", PINFAST_OK, "000102", 1},
    {"CRLF", B("X") "\r\nAAEC\r\n" E("X") "\r\n", PINFAST_OK, "000102", 1},
    {"spaces, tabs and odd lines", B("X") "\n A\tA\nE\nC \n\n" E("X"),
        PINFAST_OK, "000102", 1},
    {"text around it", "first\n-----\n" B("X") "\nAAEC\n" E("X") "\nlast",
        PINFAST_OK, "000102", 3},
    {"a boundary in the middle of a line is text",
        "see " B("Y") "\n" B("X") "\nAAEC\n" E("X") "\n", PINFAST_OK, "000102",
        2},
    {"a boundary that does not end is text",
        "-----BEGIN Y\n" B("X") "\nAAEC\n" E("X") "\n", PINFAST_OK, "000102",
        2},
    {"a label with spaces and digits",
        B("X509 CRL 2") "\nAAEC\n" E("X509 CRL 2"), PINFAST_OK, "000102", 1},
};

static const struct row bad[] = {
    {"nothing", "", PINFAST_ENOTFOUND, NULL, 1},
    {"text", "no block\nat all\n", PINFAST_ENOTFOUND, NULL, 3},
    {"an end alone", E("X") "\n", PINFAST_ENOTFOUND, NULL, 2},
    {"a begin that the text cuts", "-----BEGIN X---", PINFAST_ENOTFOUND, NULL,
        2},
    {"a begin in small letters", "-----begin X-----\nAAEC\n", PINFAST_ENOTFOUND,
        NULL, 3},
    {"no end", B("X") "\nAAEC\n", PINFAST_EFORMAT, NULL, 1},
    {"no end and no line end", B("X"), PINFAST_EFORMAT, NULL, 1},
    {"another end", B("X") "\nAAEC\n" E("Y") "\n", PINFAST_EFORMAT, NULL, 1},
    {"a longer end", B("X") "\nAAEC\n" E("XY") "\n", PINFAST_EFORMAT, NULL, 1},
    {"a shorter end", B("XY") "\nAAEC\n" E("X") "\n", PINFAST_EFORMAT, NULL, 1},
    {"an end that is cut in its label", B("XYZ") "\nAAEC\n-----END XY",
        PINFAST_EFORMAT, NULL, 1},
    {"an end that is cut in its dashes", B("X") "\nAAEC\n-----END X---",
        PINFAST_EFORMAT, NULL, 1},
    {"another begin", B("X") "\nAAEC\n" B("X") "\nAAEC\n" E("X"),
        PINFAST_EFORMAT, NULL, 1},
    {"a header, as encrypted keys have",
        B("X") "\nProc-Type: 4,ENCRYPTED\n\nAAEC\n" E("X"), PINFAST_EFORMAT,
        NULL, 1},
    {"three characters", B("X") "\nAAE\n" E("X"), PINFAST_EFORMAT, NULL, 1},
    {"five characters", B("X") "\nAAECA\n" E("X"), PINFAST_EFORMAT, NULL, 1},
    {"bytes behind the padding", B("X") "\nAA==AAEC\n" E("X"), PINFAST_EFORMAT,
        NULL, 1},
    {"padding behind the padding", B("X") "\nAA==\n====\n" E("X"),
        PINFAST_EFORMAT, NULL, 1},
    {"trailing bits", B("X") "\nAB==\n" E("X"), PINFAST_EFORMAT, NULL, 1},
    {"the url-safe alphabet", B("X") "\nA_EC\n" E("X"), PINFAST_EFORMAT, NULL,
        1},
    {"a dash among the letters", B("X") "\nA-EC\n" E("X"), PINFAST_EFORMAT,
        NULL, 1},
    {"a line behind text, damaged", "one\ntwo\n" B("X") "\n*\n" E("X"),
        PINFAST_EFORMAT, NULL, 3},
};

static struct pinfast_bytes
bytes_of(const char *text)
{
	struct pinfast_bytes bytes = {(const uint8_t *)text, strlen(text)};

	return bytes;
}

static void
check_row(const struct row *row)
{
	uint8_t out[64];
	char hex[129] = "";
	size_t pos = 0;
	struct pf_pem block;
	/* A copy without a NUL behind it, so that over-reading shows. */
	size_t size = strlen(row->text);
	char *copy = malloc(size + 1);
	struct pinfast_bytes text = {(const uint8_t *)copy + 1, size};
	enum pinfast_error error;

	assert_non_null(copy);
	memcpy(copy + 1, row->text, size);
	error = pf_pem_next(text, &pos, &block, out, sizeof out);
	claim(row->name, error == row->error);
	claim(row->name, block.line == row->line);
	if (row->bytes == NULL) {
		claim(row->name, block.len == 0 && pos == 0);
	} else {
		pf_hex_write(out, block.len, hex);
		claim(row->name, strcmp(hex, row->bytes) == 0);
		claim(row->name, pos > 0 && pos <= size);
	}
	free(copy);
}

static void
blocks_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		check_row(&good[i]);
}

static void
what_is_no_block_is_not_guessed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_row(&bad[i]);
}

static void
blocks_come_one_after_the_other(void **state)
{
	struct pinfast_bytes text = bytes_of("a\n" B("ONE") "\nAA==\n" E(
	    "ONE") "\nb\n" B("TWO") "\nAQ==\n" E("TWO") B("THREE") "\n");
	struct pf_pem block;
	uint8_t out[8];
	size_t pos = 0;

	(void)state;
	assert_int_equal(pf_pem_next(text, &pos, &block, out, sizeof out), 0);
	assert_true(pf_pem_is(&block, "ONE"));
	assert_false(pf_pem_is(&block, "TWO"));
	assert_false(pf_pem_is(&block, "ON"));
	assert_int_equal(block.line, 2);
	assert_int_equal(block.at, 2);
	assert_int_equal(pf_pem_next(text, &pos, &block, out, sizeof out), 0);
	assert_true(pf_pem_is(&block, "TWO"));
	assert_int_equal(block.line, 6);
	assert_int_equal(out[0], 1);
	/* What follows an end on its line is not looked at. */
	assert_int_equal(pf_pem_next(text, &pos, &block, out, sizeof out),
	    PINFAST_ENOTFOUND);
}

static void
a_block_that_does_not_fit_is_refused(void **state)
{
	struct pinfast_bytes text = bytes_of(B("X") "\nAAECAwQF\n" E("X") "\n");
	struct pf_pem block;
	uint8_t out[6];

	(void)state;
	for (size_t size = 0; size <= 6; size++) {
		size_t pos = 0;
		enum pinfast_error error =
		    pf_pem_next(text, &pos, &block, out, size);

		assert_int_equal(error, size < 6 ? PINFAST_ELIMIT : PINFAST_OK);
	}
}

static void
every_cut_of_a_block_is_refused(void **state)
{
	static const char whole[] =
	    B("CERTIFICATE") "\nAAECAwQF\n" E("CERTIFICATE");
	struct pf_pem block;
	uint8_t out[16];

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		struct pinfast_bytes text = {(const uint8_t *)whole, n};
		size_t pos = 0;

		assert_int_not_equal(pf_pem_next(text, &pos, &block, out,
		                         sizeof out),
		    PINFAST_OK);
	}
}

static void
hex_is_written_in_small_letters(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x0f, 0xf0, 0xab, 0xff};
	char text[11];

	(void)state;
	memset(text, 'x', sizeof text);
	pf_hex_write(bytes, sizeof bytes, text);
	assert_string_equal(text, "000ff0abff");
	pf_hex_write(bytes, 0, text);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_are_read),
	    cmocka_unit_test(what_is_no_block_is_not_guessed),
	    cmocka_unit_test(blocks_come_one_after_the_other),
	    cmocka_unit_test(a_block_that_does_not_fit_is_refused),
	    cmocka_unit_test(every_cut_of_a_block_is_refused),
	    cmocka_unit_test(hex_is_written_in_small_letters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
