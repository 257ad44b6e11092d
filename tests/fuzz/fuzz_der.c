/*
 * Any bytes as a certificate, a request and a bare key.  What the walkers
 * give must lie inside what they were given, in its place; walking the key
 * alone must give the same key; what they refuse they must refuse at a byte
 * that is there, or at the end.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "core/spki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

static int
inside(struct pinfast_bytes part, struct pinfast_bytes whole)
{
	return part.data >= whole.data && part.len <= whole.len &&
	       (size_t)(part.data - whole.data) <= whole.len - part.len;
}

static int
equal(struct pinfast_bytes a, struct pinfast_bytes b)
{
	return a.data == b.data && a.len == b.len;
}

static void
check_key(const struct pf_key *key, struct pinfast_bytes der)
{
	struct pinfast_cert theirs = {.der = der, .key_spki = key->spki};
	struct pf_key again;

	must(inside(key->spki, der));
	must(inside(key->oid, key->spki) && key->oid.len > 0);
	must(inside(key->params, key->spki));
	must(inside(key->bits, key->spki));
	must(key->bits.data + key->bits.len == key->spki.data + key->spki.len);
	must(pf_spki_walk(key->spki, &again, NULL) == PINFAST_OK);
	must(equal(again.spki, key->spki) && equal(again.oid, key->oid));
	must(equal(again.params, key->params));
	must(equal(again.bits, key->bits));
	must(pf_key_same(key, &theirs));
}

static void
check_cert(const struct pf_cert *cert, struct pinfast_bytes der)
{
	int64_t from, until;

	check_key(&cert->key, der);
	must(inside(cert->issuer, der) && inside(cert->subject, der));
	must(inside(cert->not_before, der) && inside(cert->not_after, der));
	must(cert->issuer.data < cert->not_before.data);
	must(cert->not_after.data < cert->subject.data);
	must(cert->subject.data + cert->subject.len == cert->key.spki.data);
	must(cert->extensions.len == 0 || inside(cert->extensions, der));
	if (pf_cert_times(cert, &from, &until) == PINFAST_OK)
		must(cert->not_before.len <= 17 && cert->not_after.len <= 17);
}

/* The pin is that of the key, and there is one when there is a key. */
static void
check_pin(struct pinfast_bytes der, const struct pf_key *key, int kinds)
{
	uint8_t pin[PINFAST_PIN_LEN], hash[PINFAST_PIN_LEN];
	size_t bad_at = (size_t)-1;
	enum pinfast_error error = pinfast_pin_of(der, pin, &bad_at);

	must((error == PINFAST_OK) == (kinds == 1));
	if (error != PINFAST_OK) {
		must(bad_at <= der.len);
		return;
	}
	pf_sha256(key->spki.data, key->spki.len, hash);
	must(pf_same(pin, hash, sizeof pin));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinfast_bytes der = {data, size}, subject;
	struct pf_cert cert;
	struct pf_key key = {.spki = {NULL, 0}};
	size_t bad_at = 0;
	int kinds = 0;

	if (pf_cert_walk(der, &cert, &bad_at) == PINFAST_OK) {
		check_cert(&cert, der);
		key = cert.key;
		kinds++;
	}
	must(bad_at <= size);
	if (pf_csr_walk(der, &key, &subject, &bad_at) == PINFAST_OK) {
		check_key(&key, der);
		must(inside(subject, der));
		kinds++;
	}
	must(bad_at <= size);
	if (pf_spki_walk(der, &key, &bad_at) == PINFAST_OK) {
		check_key(&key, der);
		must(equal(key.spki, der));
		kinds++;
	}
	must(bad_at <= size);
	must(kinds <= 1);
	check_pin(der, &key, kinds);
	return 0;
}
