#include "adapt/ossl/ossl.h"

#include <string.h>

/* CAs draw serial numbers at random (CA/B Baseline Requirements 7.1). */
static unsigned
set_of(const X509 *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	int len = ASN1_STRING_length(serial);

	return len <= 0
	           ? 0
	           : ASN1_STRING_get0_data(serial)[len - 1] % PF_OSSL_SEEN_SETS;
}

enum pinfast_error
pf_ossl_seen_init(struct pf_ossl_seen *seen)
{
	seen->lock = CRYPTO_THREAD_lock_new();
	return seen->lock != NULL ? PINFAST_OK : PINFAST_ENOMEM;
}

void
pf_ossl_seen_fini(struct pf_ossl_seen *seen)
{
	for (unsigned set = 0; set < PF_OSSL_SEEN_SETS; set++)
		for (unsigned i = 0; i < PF_OSSL_SEEN_WAYS; i++)
			X509_free(seen->slot[set][i].cert);
	CRYPTO_THREAD_lock_free(seen->lock);
}

/*
 * X509_cmp() compares what was signed, byte by byte, or, where one of the two
 * was made in memory, fingerprints; without those it finds any two alike.
 */
static int
is_same(X509 *a, X509 *b)
{
	return X509_cmp(a, b) == 0 &&
	       ((X509_get_extension_flags(a) | X509_get_extension_flags(b)) &
	           EXFLAG_NO_FINGERPRINT) == 0;
}

int
pf_ossl_seen_get(struct pf_ossl_seen *seen, X509 *cert,
    uint8_t pin[PINFAST_PIN_LEN])
{
	unsigned set = set_of(cert);
	int found = 0;

	if (!CRYPTO_THREAD_read_lock(seen->lock))
		return 0;
	for (unsigned i = 0; i < PF_OSSL_SEEN_WAYS && !found; i++) {
		X509 *other = seen->slot[set][i].cert;

		if (other != NULL && is_same(other, cert)) {
			memcpy(pin, seen->slot[set][i].pin, PINFAST_PIN_LEN);
			found = 1;
		}
	}
	CRYPTO_THREAD_unlock(seen->lock);
	return found;
}

void
pf_ossl_seen_put(struct pf_ossl_seen *seen, X509 *cert,
    const uint8_t pin[PINFAST_PIN_LEN])
{
	unsigned set = set_of(cert);
	unsigned way;
	X509 *old;

	if (!X509_up_ref(cert))
		return;
	if (!CRYPTO_THREAD_write_lock(seen->lock)) {
		X509_free(cert);
		return;
	}
	way = seen->next++ % PF_OSSL_SEEN_WAYS;
	old = seen->slot[set][way].cert;
	seen->slot[set][way].cert = cert;
	memcpy(seen->slot[set][way].pin, pin, PINFAST_PIN_LEN);
	CRYPTO_THREAD_unlock(seen->lock);
	X509_free(old);
}
