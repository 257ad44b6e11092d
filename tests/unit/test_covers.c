/* Names in certificates, with OpenSSL as the second judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapt/covers.h"
#include "claim.h"
#include "identity.h"

static EVP_PKEY *key;

static int
setup(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-256");
	return key == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static struct pinfast_bytes
certificate(struct id *id, const char *san)
{
	struct pinfast_bytes bytes;
	uint8_t *der = NULL;

	memset(id, 0, sizeof *id);
	id->key = key;
	EVP_PKEY_up_ref(key);
	identity_certify(id, "subject.test", NULL, san, 30);
	bytes.len = (size_t)i2d_X509(id->cert, &der);
	bytes.data = der;
	return bytes;
}

/* What OpenSSL makes of it, with the flags that its adapter sets. */
static int
openssl_says(X509 *cert, const char *host)
{
	if (X509_check_ip_asc(cert, host, 0) == 1)
		return 1;
	if (strspn(host, "0123456789.:abcdef") == strlen(host))
		return 0;
	return X509_check_host(cert, host, 0,
	           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
	           NULL) == 1;
}

static const struct {
	const char *name;
	const char *san; /* NULL: none */
	const char *host;
	int covers;
} rows[] = {
    {"the very name", "DNS:pin.test", "pin.test", 1},
    {"one of many", "DNS:a.test,IP:192.0.2.7,DNS:pin.test", "pin.test", 1},
    {"case does not matter", "DNS:Pin.TEST", "pin.test", 1},
    {"a wildcard for one label", "DNS:*.pin.test", "www.pin.test", 1},
    {"a wildcard for an A-label", "DNS:*.pin.test", "xn--bcher-kva.pin.test",
        1},
    {"an address", "IP:192.0.2.7", "192.0.2.7", 1},
    {"an address of 16 octets", "IP:2001:db8::7", "2001:db8::7", 1},

    {"no names at all", NULL, "pin.test", 0},
    {"the subject does not count", "DNS:other.test", "subject.test", 0},
    {"the subject alone", NULL, "subject.test", 0},
    {"another name", "DNS:pin.test", "pin.tes", 0},
    {"another name, longer", "DNS:pin.test", "pin.test.a", 0},
    {"below the name", "DNS:pin.test", "www.pin.test", 0},
    {"a wildcard for none", "DNS:*.pin.test", "pin.test", 0},
    {"a wildcard for two", "DNS:*.pin.test", "a.b.pin.test", 0},
    {"part of a label", "DNS:w*.pin.test", "www.pin.test", 0},
    {"part of a label, behind", "DNS:*w.pin.test", "www.pin.test", 0},
    {"in the second label", "DNS:www.*.test", "www.pin.test", 0},
    {"only a star", "DNS:*", "test", 0},
    {"a star and a dot", "DNS:*.", "test", 0},
    {"below a top-level name", "DNS:*.test", "pin.test", 0},
    {"two stars", "DNS:*.*.test", "www.pin.test", 0},
    {"a trailing dot", "DNS:pin.test.", "pin.test", 0},
    {"a name for an address", "DNS:192.0.2.7", "192.0.2.7", 0},
    {"a wildcard for an address", "DNS:*.0.2.7", "192.0.2.7", 0},
    {"another address", "IP:192.0.2.7", "192.0.2.8", 0},
    {"an address of another kind", "IP:192.0.2.7", "2001:db8::7", 0},
    {"an address for a name", "IP:192.0.2.7", "pin.test", 0},
    {"a URI", "URI:https://pin.test/", "pin.test", 0},
    {"a mail address", "email:root@pin.test", "pin.test", 0},
    {"no host", "DNS:pin.test", "", 0},
    {"no valid host", "DNS:*.pin.test", "a..pin.test", 0},
};

static void
only_what_the_certificate_names_is_covered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_bytes der;
		struct pf_cert cert;
		struct id id;

		der = certificate(&id, rows[i].san);
		claim(rows[i].name, pf_cert_walk(der, &cert, NULL) == 0);
		claim(rows[i].name,
		    pf_cert_covers(&cert, rows[i].host) == rows[i].covers);
		/* An empty name is "no question" to OpenSSL. */
		if (strstr(rows[i].name, "host") == NULL)
			claim(rows[i].name,
			    openssl_says(id.cert, rows[i].host) ==
			        rows[i].covers);
		OPENSSL_free((void *)(uintptr_t)der.data);
		identity_free(&id);
	}
}

/* --------------------------------------------------------- by hand, in DER */

static int
covers(const uint8_t *extensions, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct pf_cert cert;
	int answer;

	assert_non_null(copy);
	memcpy(copy, extensions, len);
	memset(&cert, 0, sizeof cert);
	cert.extensions.data = copy;
	cert.extensions.len = len;
	answer = pf_cert_covers(&cert, "a.b");
	free(copy);
	return answer;
}

#define SAN 0x06, 0x03, 0x55, 0x1d, 0x11
#define A_DOT_B 0x82, 0x03, 'a', '.', 'b'

static const struct {
	const char *name;
	uint8_t bytes[48];
	size_t len;
	int covers;
} extensions[] = {
    {"as it must be", {0x30, 0x0e, SAN, 0x04, 0x07, 0x30, 0x05, A_DOT_B}, 16,
        1},
    {"critical",
        {0x30, 0x11, SAN, 0x01, 0x01, 0xff, 0x04, 0x07, 0x30, 0x05, A_DOT_B},
        19, 1},
    {"behind another",
        {0x30, 0x07, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x04, 0x00, 0x30, 0x0e, SAN,
            0x04, 0x07, 0x30, 0x05, A_DOT_B},
        25, 1},
    {"behind a longer one",
        {0x30, 0x06, 0x06, 0x02, 0x55, 0x1d, 0x04, 0x00, 0x30, 0x0e, SAN, 0x04,
            0x07, 0x30, 0x05, A_DOT_B},
        24, 1},
    {"there twice",
        {0x30, 0x0e, SAN, 0x04, 0x07, 0x30, 0x05, A_DOT_B, 0x30, 0x0e, SAN,
            0x04, 0x07, 0x30, 0x05, A_DOT_B},
        32, 0},
    {"there twice, once damaged",
        {0x30, 0x0e, SAN, 0x04, 0x07, 0x30, 0x05, A_DOT_B, 0x30, 0x0e, SAN,
            0x04, 0x07, 0x30, 0x06, A_DOT_B},
        32, 0},
    {"no names in it", {0x30, 0x09, SAN, 0x04, 0x02, 0x30, 0x00}, 11, 0},
    {"something behind the names",
        {0x30, 0x10, SAN, 0x04, 0x09, 0x30, 0x05, A_DOT_B, 0x05, 0x00}, 18, 0},
    {"something behind the value",
        {0x30, 0x10, SAN, 0x04, 0x07, 0x30, 0x05, A_DOT_B, 0x05, 0x00}, 18, 0},
    {"a name that is too long",
        {0x30, 0x0e, SAN, 0x04, 0x07, 0x30, 0x05, 0x82, 0x04, 'a', '.', 'b'},
        16, 0},
    {"damaged behind the name",
        {0x30, 0x10, SAN, 0x04, 0x09, 0x30, 0x07, A_DOT_B, 0x82, 0x01}, 18, 0},
    {"a NUL in the name",
        {0x30, 0x10, SAN, 0x04, 0x09, 0x30, 0x07, 0x82, 0x05, 'a', '.', 'b', 0,
            'c'},
        18, 0},
    {"no sequence of names", {0x30, 0x0e, SAN, 0x04, 0x07, 0x31, 0x05, A_DOT_B},
        16, 0},
    {"no octets", {0x30, 0x0e, SAN, 0x03, 0x07, 0x30, 0x05, A_DOT_B}, 16, 0},
    {"critical and no more", {0x30, 0x08, SAN, 0x01, 0x01, 0xff}, 10, 0},
    {"critical, cut off", {0x30, 0x06, SAN, 0x01}, 8, 0},
    {"no object identifier", {0x30, 0x02, 0x04, 0x00}, 4, 0},
    {"no extension", {0x04, 0x00}, 2, 0},
    {"none at all", {0}, 0, 0},
};

static void
damaged_extensions_name_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
		claim(extensions[i].name,
		    covers(extensions[i].bytes, extensions[i].len) ==
		        extensions[i].covers);
}

static void
every_byte_cut_off_names_nobody(void **state)
{
	(void)state;
	for (size_t len = 0; len < extensions[0].len; len++)
		assert_int_equal(covers(extensions[0].bytes, len), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_the_certificate_names_is_covered),
	    cmocka_unit_test(damaged_extensions_name_nobody),
	    cmocka_unit_test(every_byte_cut_off_names_nobody),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
