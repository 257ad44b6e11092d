#include "adapt/ossl.h"

#include <string.h>

#include "base/time.h"

/*
 * The key as OpenSSL parsed it, raw: X509_PUBKEY_get0_param() hands out what
 * it holds, where i2d_X509_PUBKEY() would encode it again.
 */
static int
library_view(X509 *cert, uint8_t params[32], struct pinfast_cert *out)
{
	ASN1_OBJECT *oid;
	X509_ALGOR *algor;
	const unsigned char *bits;
	const void *value;
	int len, type;

	if (X509_PUBKEY_get0_param(&oid, &bits, &len, &algor,
	        X509_get_X509_PUBKEY(cert)) != 1 ||
	    len < 0)
		return -1;
	out->key_oid.data = OBJ_get0_data(oid);
	out->key_oid.len = OBJ_length(oid);
	out->key_bits.data = bits;
	out->key_bits.len = (size_t)len;
	/* Parameters of no known form are none: then the keys disagree. */
	out->key_params.data = params;
	out->key_params.len = 0;
	X509_ALGOR_get0(NULL, &type, &value, algor);
	if (type == V_ASN1_NULL) {
		params[0] = V_ASN1_NULL;
		params[1] = 0;
		out->key_params.len = 2;
	} else if (type == V_ASN1_OBJECT && OBJ_length(value) <= 30) {
		params[0] = V_ASN1_OBJECT;
		params[1] = (uint8_t)OBJ_length(value);
		memcpy(params + 2, OBJ_get0_data(value), OBJ_length(value));
		out->key_params.len = OBJ_length(value) + 2;
	} else if (type == V_ASN1_SEQUENCE) {
		out->key_params.data = ASN1_STRING_get0_data(value);
		out->key_params.len = (size_t)ASN1_STRING_length(value);
	}
	return 0;
}

int
pf_ossl_certs_get(void *arg, size_t index, struct pinfast_cert *out)
{
	struct pf_ossl_certs *certs = arg;
	X509 *cert = sk_X509_value(certs->chain, (int)index);
	int len;

	if (cert == NULL || certs->der[index] != NULL)
		return -1;
	/* The TBSCertificate, and so the key, comes out as it came in. */
	len = i2d_X509(cert, &certs->der[index]);
	if (len <= 0)
		return -1;
	memset(out, 0, sizeof *out);
	out->der.data = certs->der[index];
	out->der.len = (size_t)len;
	return library_view(cert, certs->params[index], out);
}

static int64_t
not_after(void *arg, size_t index)
{
	struct pf_ossl_certs *certs = arg;
	const ASN1_TIME *end =
	    X509_get0_notAfter(sk_X509_value(certs->chain, (int)index));
	int64_t at;

	if (pf_time_asn1(ASN1_STRING_get0_data(end),
	        (size_t)ASN1_STRING_length(end),
	        ASN1_STRING_type(end) == V_ASN1_GENERALIZEDTIME,
	        &at) != PINFAST_OK)
		return 0;
	return at;
}

/* Only the anchor is the same object in the next handshake. */
static X509 *
anchor_of(const struct pf_ossl_certs *certs, size_t index)
{
	if (certs->anchors == NULL ||
	    (int)index != sk_X509_num(certs->chain) - 1)
		return NULL;
	return sk_X509_value(certs->chain, (int)index);
}

static int
known(void *arg, size_t index, uint8_t pin[PINFAST_PIN_LEN])
{
	struct pf_ossl_certs *certs = arg;
	struct pf_ossl_anchors *a = certs->anchors;
	X509 *anchor = anchor_of(certs, index);
	int found = 0;

	if (anchor == NULL || !CRYPTO_THREAD_read_lock(a->lock))
		return 0;
	for (unsigned i = 0; i < PF_OSSL_ANCHORS && !found; i++)
		if (a->cert[i] == anchor) {
			memcpy(pin, a->pin[i], PINFAST_PIN_LEN);
			found = 1;
		}
	CRYPTO_THREAD_unlock(a->lock);
	return found;
}

static void
learned(void *arg, size_t index, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct pf_ossl_certs *certs = arg;
	struct pf_ossl_anchors *a = certs->anchors;
	X509 *anchor = anchor_of(certs, index);
	X509 *old;

	if (anchor == NULL || !X509_up_ref(anchor))
		return;
	if (!CRYPTO_THREAD_write_lock(a->lock)) {
		X509_free(anchor);
		return;
	}
	old = a->cert[a->next];
	a->cert[a->next] = anchor;
	memcpy(a->pin[a->next], pin, PINFAST_PIN_LEN);
	a->next = (a->next + 1) % PF_OSSL_ANCHORS;
	CRYPTO_THREAD_unlock(a->lock);
	X509_free(old);
}

void
pf_ossl_certs_init(struct pf_ossl_certs *certs, STACK_OF(X509) * chain,
    struct pf_ossl_anchors *anchors)
{
	certs->chain = chain;
	certs->anchors = anchors;
	memset(certs->der, 0, sizeof certs->der);
}

void
pf_ossl_certs_fini(struct pf_ossl_certs *certs)
{
	for (size_t i = 0; i < PINFAST_PATH_MAX; i++)
		OPENSSL_free(certs->der[i]);
}

struct pinfast_path
pf_ossl_certs_path(struct pf_ossl_certs *certs)
{
	struct pinfast_path path;

	path.count = (size_t)sk_X509_num(certs->chain);
	path.arg = certs;
	path.cert = pf_ossl_certs_get;
	path.not_after = not_after;
	path.known = known;
	path.learned = learned;
	return path;
}

enum pinfast_error
pf_ossl_anchors_init(struct pf_ossl_anchors *anchors)
{
	anchors->lock = CRYPTO_THREAD_lock_new();
	return anchors->lock != NULL ? PINFAST_OK : PINFAST_ENOMEM;
}

void
pf_ossl_anchors_fini(struct pf_ossl_anchors *anchors)
{
	for (unsigned i = 0; i < PF_OSSL_ANCHORS; i++)
		X509_free(anchors->cert[i]);
	CRYPTO_THREAD_lock_free(anchors->lock);
}
