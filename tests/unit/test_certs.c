#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/spki.h"
#include "claim.h"
#include "data_file.h"

static const char *const files[] = {"rsa.der", "p256.der", "p384.der",
    "ed25519.der", "root.der", "intermediate.der", "leaf.der"};

static int
inside(struct pinfast_bytes part, struct pinfast_bytes whole)
{
	return part.data >= whole.data && part.len <= whole.len &&
	       (size_t)(part.data - whole.data) <= whole.len - part.len;
}

/* Walks a block of exactly this size; what it gives lies inside. */
static enum pinfast_error
walk_exact(const uint8_t *data, size_t len, struct pf_cert *cert)
{
	uint8_t *copy = malloc(len + 1);
	struct pinfast_bytes der = {copy + 1, len};
	size_t bad_at = 0;
	struct pf_key key;
	enum pinfast_error error;

	assert_non_null(copy);
	memcpy(copy + 1, data, len);
	error = pf_cert_walk(der, cert, &bad_at);
	assert_true(bad_at <= len);
	if (!error) {
		assert_true(inside(cert->key.spki, der));
		assert_true(inside(cert->key.oid, cert->key.spki));
		assert_true(inside(cert->key.bits, cert->key.spki));
		assert_true(inside(cert->extensions, der) ||
		            cert->extensions.len == 0);
		assert_int_equal(pf_spki_walk(cert->key.spki, &key, NULL),
		    PINFAST_OK);
		assert_ptr_equal(key.bits.data, cert->key.bits.data);
		/* Speak of the caller's bytes again. */
		cert->key.spki.data = data + (cert->key.spki.data - der.data);
	}
	free(copy);
	return error;
}

static void
every_truncation_is_refused(void **state)
{
	uint8_t data[2048];

	(void)state;
	for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
		size_t len = data_file(files[f], data, sizeof data);
		struct pf_cert cert;

		claim(files[f], walk_exact(data, len, &cert) == PINFAST_OK);
		for (size_t n = 0; n < len; n++)
			claim(files[f],
			    walk_exact(data, n, &cert) == PINFAST_EFORMAT);
		data[len] = 0;
		claim(files[f],
		    walk_exact(data, len + 1, &cert) == PINFAST_EFORMAT);
	}
}

/*
 * Whatever one byte becomes: an error, or the key in its old place.  No
 * change of one byte may move it.
 */
static void
every_changed_byte_is_refused_or_moves_nothing(void **state)
{
	uint8_t data[2048];
	struct pf_cert cert;
	size_t len = data_file("leaf.der", data, sizeof data);
	struct pinfast_bytes spki;

	(void)state;
	assert_int_equal(walk_exact(data, len, &cert), PINFAST_OK);
	spki = cert.key.spki;
	for (size_t at = 0; at < len; at++) {
		uint8_t was = data[at];

		for (unsigned xor = 1; xor < 256; xor ++) {
			data[at] = (uint8_t)(was ^ xor);
			if (walk_exact(data, len, &cert))
				continue;
			assert_ptr_equal(cert.key.spki.data, spki.data);
			assert_int_equal(cert.key.spki.len, spki.len);
		}
		data[at] = was;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_truncation_is_refused),
	    cmocka_unit_test(every_changed_byte_is_refused_or_moves_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
