#include "adapt/ossl/ossl.h"

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

static int
known(void *arg, size_t index, uint8_t pin[PINFAST_PIN_LEN])
{
	struct pf_ossl_certs *certs = arg;

	return certs->seen != NULL &&
	       pf_ossl_seen_get(certs->seen,
	           sk_X509_value(certs->chain, (int)index), pin);
}

static void
learned(void *arg, size_t index, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct pf_ossl_certs *certs = arg;

	if (certs->seen != NULL)
		pf_ossl_seen_put(certs->seen,
		    sk_X509_value(certs->chain, (int)index), pin);
}

void
pf_ossl_certs_init(struct pf_ossl_certs *certs, STACK_OF(X509) * chain,
    struct pf_ossl_seen *seen)
{
	certs->chain = chain;
	certs->seen = seen;
	memset(certs->der, 0, sizeof certs->der);
}

void
pf_ossl_certs_fini(struct pf_ossl_certs *certs)
{
	for (size_t i = 0; i < PINFAST_PATH_MAX; i++)
		if (certs->der[i] != NULL)
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
