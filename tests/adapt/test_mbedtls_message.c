/* Lists of certificates as a peer may send them, without a handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapt/mbed/mbed.h"

#define ONE 0, 0, 5, 0x30, 3, 2, 1, 5
#define TWO 0, 0, 4, 0x30, 2, 5, 0

/* What stands behind the length of the list; leaf: the length of the first. */
static const struct {
	const char *name;
	uint8_t list[32];
	size_t len;
	size_t leaf;
	int exactly;
} rows[] = {
    {"one", {ONE}, 8, 5, 1},
    {"two", {ONE, TWO}, 15, 5, 1},
    {"none", {0}, 0, 0, 1},
    {"no DER: refused when it is walked", {0, 0, 1, 0x30}, 4, 1, 1},

    {"the first is empty", {0, 0, 0}, 3, 0, 0},
    {"the second is empty", {ONE, 0, 0, 0}, 11, 5, 0},
    {"half a length", {0, 0}, 2, 0, 0},
    {"half a length behind one", {ONE, 0, 0}, 10, 5, 0},
    {"the first is longer than the list", {0, 0, 6, 0x30, 3, 2, 1, 5}, 8, 0, 0},
    {"the second is", {ONE, 0, 0, 5, 0x30, 2, 5, 0}, 15, 5, 0},
    {"much longer", {0xff, 0xff, 0xff, 0x30, 3, 2, 1, 5}, 8, 0, 0},
    {"something behind a certificate", {0, 0, 6, 0x30, 3, 2, 1, 5, 0}, 9, 6, 0},
};

/* The message in memory of exactly its length. */
static uint8_t *
message_of(const uint8_t *list, size_t len, mbedtls_ssl_context *ssl)
{
	uint8_t *message = calloc(1, 7 + len);

	assert_non_null(message);
	message[0] = MBEDTLS_SSL_HS_CERTIFICATE;
	memcpy(message + 7, list, len);
	memset(ssl, 0, sizeof *ssl);
	ssl->state = MBEDTLS_SSL_SERVER_CERTIFICATE;
	ssl->in_msg = message;
	ssl->in_msglen = ssl->in_hslen = 7 + len;
	return message;
}

static void
only_whole_certificates_are_sent_exactly(void **state)
{
	static struct pinfast_mbedtls m;
	mbedtls_ssl_context ssl;

	(void)state;
	m.ssl = &ssl;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t *message = message_of(rows[i].list, rows[i].len, &ssl);

		if (pf_mbed_sent_leaf(&m).len != rows[i].leaf ||
		    pf_mbed_sent_exactly(&m) != rows[i].exactly)
			fail_msg("%s", rows[i].name);
		free(message);
	}
}

static void
what_is_no_certificate_message_has_none(void **state)
{
	static struct pinfast_mbedtls m;
	mbedtls_ssl_context ssl;
	uint8_t *message = message_of(rows[0].list, rows[0].len, &ssl);

	(void)state;
	m.ssl = &ssl;
	assert_int_equal(pf_mbed_sent_leaf(&m).len, 5);
	ssl.in_hslen = 6;
	assert_int_equal(pf_mbed_sent_leaf(&m).len, 0);
	ssl.in_hslen = ssl.in_msglen + 1;
	assert_int_equal(pf_mbed_sent_leaf(&m).len, 0);
	ssl.in_hslen = ssl.in_msglen;
	message[0] = MBEDTLS_SSL_HS_FINISHED;
	assert_int_equal(pf_mbed_sent_leaf(&m).len, 0);
	message[0] = MBEDTLS_SSL_HS_CERTIFICATE;
	ssl.state = MBEDTLS_SSL_HANDSHAKE_OVER;
	assert_int_equal(pf_mbed_sent_leaf(&m).len, 0);
	ssl.in_msg = NULL;
	assert_int_equal(pf_mbed_sent_leaf(&m).len, 0);
	free(message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_whole_certificates_are_sent_exactly),
	    cmocka_unit_test(what_is_no_certificate_message_has_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
