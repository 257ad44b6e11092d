#include "adapt/gtls/gtls.h"

#include <string.h>

#include "core/der.h"

/* The bytes of an algorithm or a curve in an AlgorithmIdentifier. */
#define OID(text)                                                              \
	{                                                                      \
		(const uint8_t *)(text), sizeof(text) - 1                      \
	}

static const struct algorithm {
	gnutls_pk_algorithm_t id;
	struct pinfast_bytes oid;
} algorithms[] = {
    {GNUTLS_PK_RSA, OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")},
    {GNUTLS_PK_RSA_PSS, OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")},
    {GNUTLS_PK_ECDSA, OID("\x2a\x86\x48\xce\x3d\x02\x01")},
    {GNUTLS_PK_EDDSA_ED25519, OID("\x2b\x65\x70")},
    {GNUTLS_PK_EDDSA_ED448, OID("\x2b\x65\x71")},
};

/* With their tag and length: as parameters they stand alone. */
static const struct curve {
	gnutls_ecc_curve_t id;
	struct pinfast_bytes oid;
} curves[] = {
    {GNUTLS_ECC_CURVE_SECP192R1,
        OID("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01")},
    {GNUTLS_ECC_CURVE_SECP224R1, OID("\x06\x05\x2b\x81\x04\x00\x21")},
    {GNUTLS_ECC_CURVE_SECP256R1,
        OID("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")},
    {GNUTLS_ECC_CURVE_SECP384R1, OID("\x06\x05\x2b\x81\x04\x00\x22")},
    {GNUTLS_ECC_CURVE_SECP521R1, OID("\x06\x05\x2b\x81\x04\x00\x23")},
};

static const uint8_t nothing[1];

/* Numbers, whatever zeros stand in front of them. */
static int
same_number(struct pinfast_bytes a, const gnutls_datum_t *b)
{
	const uint8_t *at = b->data;
	size_t len = b->size;

	while (a.len > 0 && a.data[0] == 0)
		a.data++, a.len--;
	while (len > 0 && at[0] == 0)
		at++, len--;
	return a.len == len && (len == 0 || memcmp(a.data, at, len) == 0);
}

/* Takes an INTEGER; 0: there is none. */
static int
take_number(struct pf_der *der, struct pinfast_bytes *out)
{
	struct pf_der value = pf_der_open(*der, PF_DER_INTEGER);

	if (value.end == NULL)
		return 0;
	out->data = value.at;
	out->len = (size_t)(value.end - value.at);
	der->at = value.end;
	return 1;
}

/* RSAPublicKey (RFC 8017, A.1.1) of exactly these numbers? */
static int
rsa_agrees(struct pinfast_bytes bits, const gnutls_datum_t *modulus,
    const gnutls_datum_t *exponent)
{
	struct pf_der whole = {bits.data, bits.data + bits.len};
	struct pf_der inner = pf_der_open(whole, PF_DER_SEQUENCE);
	struct pinfast_bytes m, e;

	return inner.end != NULL && inner.end == whole.end &&
	       take_number(&inner, &m) && take_number(&inner, &e) &&
	       inner.at == inner.end && same_number(m, modulus) &&
	       same_number(e, exponent);
}

static void
view_rsa(gnutls_pubkey_t key, const struct pf_key *walked,
    struct pinfast_cert *out)
{
	gnutls_datum_t m, e;

	if (gnutls_pubkey_export_rsa_raw2(key, &m, &e, 0) != 0)
		return;
	if (rsa_agrees(walked->bits, &m, &e))
		out->key_bits = walked->bits;
	gnutls_free(m.data);
	gnutls_free(e.data);
}

/* 04 X Y (SEC 1, 2.3.3), X and Y as long as the curve's field. */
static int
point_agrees(struct pinfast_bytes bits, const gnutls_datum_t *x,
    const gnutls_datum_t *y)
{
	struct pinfast_bytes half;

	if (bits.len < 3 || bits.len % 2 == 0 || bits.data[0] != 4)
		return 0;
	half.data = bits.data + 1;
	half.len = bits.len / 2;
	if (!same_number(half, x))
		return 0;
	half.data += half.len;
	return same_number(half, y);
}

static void
view_curve(gnutls_pubkey_t key, const struct pf_key *walked,
    struct pinfast_cert *out)
{
	gnutls_ecc_curve_t curve;
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0};
	int edwards;

	if (gnutls_pubkey_export_ecc_raw2(key, &curve, &x, &y, 0) != 0)
		return;
	edwards = curve == GNUTLS_ECC_CURVE_ED25519 ||
	          curve == GNUTLS_ECC_CURVE_ED448;
	if (edwards && x.size == walked->bits.len &&
	    memcmp(x.data, walked->bits.data, x.size) == 0)
		out->key_bits = walked->bits;
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (curves[i].id == curve)
			out->key_params = curves[i].oid;
	if (!edwards && point_agrees(walked->bits, &x, &y))
		out->key_bits = walked->bits;
	gnutls_free(x.data);
	gnutls_free(y.data);
}

/* GnuTLS takes NULL and nothing for the same (RFC 3279, 2.3.1). */
static struct pinfast_bytes
rsa_params(const struct pf_key *walked)
{
	static const uint8_t null[2] = {5, 0};
	struct pinfast_bytes params = {nothing, 0};

	if (walked->params.len > 0) {
		params.data = null;
		params.len = sizeof null;
	}
	return params;
}

void
pf_gtls_key_view(gnutls_pubkey_t key, const struct pf_key *walked,
    struct pinfast_cert *out)
{
	int id = gnutls_pubkey_get_pk_algorithm(key, NULL);

	/* A key of no known kind is none: then the two disagree. */
	out->key_oid.data = out->key_params.data = out->key_bits.data = nothing;
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
		if ((int)algorithms[i].id == id)
			out->key_oid = algorithms[i].oid;
	if (id == GNUTLS_PK_RSA)
		out->key_params = rsa_params(walked);
	else if (id == GNUTLS_PK_RSA_PSS)
		/* It keeps them in a form of its own. */
		out->key_params.data = NULL;
	if (id == GNUTLS_PK_RSA || id == GNUTLS_PK_RSA_PSS)
		view_rsa(key, walked, out);
	else
		view_curve(key, walked, out);
}
