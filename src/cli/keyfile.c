#include "cli/keyfile.h"

#include "base/bytes.h"
#include "core/der.h"

/* AlgorithmIdentifier { rsaEncryption, NULL } (RFC 3279 section 2.3.1). */
static const uint8_t rsa_algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86,
    0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
/* Heads of other AlgorithmIdentifiers: the OID as a whole value. */
static const uint8_t ec_oid[] = {
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t ed25519_algorithm[] = {
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
static const uint8_t ed448_algorithm[] = {
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71};

struct making {
	uint8_t *out;
	size_t len;
};

static void
put(struct making *m, const uint8_t *bytes, size_t len)
{
	memcpy(m->out + m->len, bytes, len);
	m->len += len;
}

/* Tag and length; lengths stay below 64 KiB here. */
static void
put_head(struct making *m, uint8_t tag, size_t len)
{
	m->out[m->len++] = tag;
	if (len > 0xff) {
		m->out[m->len++] = 0x82;
		m->out[m->len++] = (uint8_t)(len >> 8);
	} else if (len > 0x7f) {
		m->out[m->len++] = 0x81;
	}
	m->out[m->len++] = (uint8_t)len;
}

static size_t
head_size(size_t len)
{
	return len > 0xff ? 4 : len > 0x7f ? 3 : 2;
}

/* SEQUENCE { algorithm, BIT STRING { 0, key } }; as_sequence wraps the key
 * once more, which is how RSA keys stand there. */
static enum pf_keyfile
make(struct making *m, struct pinfast_bytes algorithm, struct pinfast_bytes key,
    int as_sequence)
{
	size_t inner, bits;

	if (algorithm.len > PF_KEYFILE_MAX / 4 || key.len > PF_KEYFILE_MAX / 2)
		return PF_KEYFILE_NEEDS_MORE;
	inner = key.len + (as_sequence ? head_size(key.len) : 0);
	bits = 1 + inner;
	put_head(m, PF_DER_SEQUENCE, algorithm.len + head_size(bits) + bits);
	put(m, algorithm.data, algorithm.len);
	put_head(m, PF_DER_BIT_STRING, bits);
	m->out[m->len++] = 0;
	if (as_sequence)
		put_head(m, PF_DER_SEQUENCE, key.len);
	put(m, key.data, key.len);
	return PF_KEYFILE_MADE;
}

/* A cursor over a value that fills the whole of its bytes. */
static struct pf_der
open_whole(struct pinfast_bytes der, unsigned tag)
{
	struct pf_der d = {der.data, der.data + der.len};
	struct pf_der in = pf_der_open(d, tag);

	if (in.end && in.end != d.end)
		return pf_der_fail(in.end);
	return in;
}

/* Is this a version with this number?  The cursor goes on behind it. */
static int
take_version(struct pf_der *in, uint8_t least, uint8_t most)
{
	struct pf_der value = pf_der_open(*in, PF_DER_INTEGER);

	if (!value.end || value.end - value.at != 1 || *value.at < least ||
	    *value.at > most)
		return 0;
	in->at = value.end;
	return 1;
}

/* A positive INTEGER in its one encoding. */
static int
take_positive(struct pf_der *in)
{
	struct pf_der value = pf_der_open_filled(*in, PF_DER_INTEGER);

	if (!value.end || *value.at >= 0x80 ||
	    (*value.at == 0 &&
	        (value.end - value.at == 1 || value.at[1] < 0x80)))
		return 0;
	in->at = value.end;
	return 1;
}

/* RSAPrivateKey, or RSAPublicKey when count is 2: modulus and exponent stand
 * beside each other in both. */
static enum pf_keyfile
from_rsa(struct pinfast_bytes der, unsigned count, struct making *m)
{
	struct pinfast_bytes algorithm = {rsa_algorithm, sizeof rsa_algorithm};
	struct pf_der in = open_whole(der, PF_DER_SEQUENCE);
	const uint8_t *modulus, *behind = NULL;

	if (!in.end || (count > 2 && !take_version(&in, 0, 0)))
		return PF_KEYFILE_NONE;
	modulus = in.at;
	for (unsigned i = 0; i < count; i++) {
		if (!take_positive(&in))
			return PF_KEYFILE_NONE;
		if (i == 1)
			behind = in.at;
	}
	if (in.at != in.end)
		return PF_KEYFILE_NONE;
	return make(m, algorithm, pf_der_between(modulus, behind), 1);
}

/* An optional explicit value; its content, len 0 when it is not there. */
static int
take_optional(struct pf_der *in, unsigned tag, struct pinfast_bytes *content)
{
	struct pf_der value;

	*content = pf_der_between(in->at, in->at);
	if (!pf_der_next_is(*in, tag))
		return 1;
	value = pf_der_open_filled(*in, tag);
	if (!value.end)
		return 0;
	*content = pf_der_between(value.at, value.end);
	in->at = value.end;
	return 1;
}

/* SEC 1 without an algorithm around it: the curve is in the key. */
static struct pinfast_bytes
ec_algorithm(struct pinfast_bytes curve, uint8_t room[64])
{
	struct making m = {room, 0};
	struct pinfast_bytes made = {room, 0};

	if (curve.len == 0 || curve.len > 32)
		return made;
	put_head(&m, PF_DER_SEQUENCE, sizeof ec_oid + curve.len);
	put(&m, ec_oid, sizeof ec_oid);
	put(&m, curve.data, curve.len);
	made.len = m.len;
	return made;
}

/* A named curve's point as certificates carry it: uncompressed. */
static enum pf_keyfile
from_point(struct pinfast_bytes algorithm, struct pinfast_bytes bit_string,
    struct making *m)
{
	struct pf_der bits = open_whole(bit_string, PF_DER_BIT_STRING);

	if (algorithm.len == 0 || !bits.end || bits.end - bits.at < 4 ||
	    bits.at[0] != 0 || bits.at[1] != 4)
		return PF_KEYFILE_NEEDS_MORE;
	return make(m, algorithm, pf_der_between(bits.at + 1, bits.end), 0);
}

/* ECPrivateKey; params are those of the PKCS#8 around it, len 0: none. */
static enum pf_keyfile
from_ec(struct pinfast_bytes der, struct pinfast_bytes params, struct making *m)
{
	struct pf_der in = open_whole(der, PF_DER_SEQUENCE);
	struct pinfast_bytes curve, point;
	uint8_t room[64];

	if (!in.end || !take_version(&in, 1, 1))
		return PF_KEYFILE_NONE;
	in = pf_der_behind(in, pf_der_open(in, PF_DER_OCTET_STRING));
	if (!in.end || !take_optional(&in, PF_DER_EXPLICIT(0), &curve) ||
	    !take_optional(&in, PF_DER_EXPLICIT(1), &point) || in.at != in.end)
		return PF_KEYFILE_NONE;
	if (curve.len == 0)
		curve = params;
	if (params.len > 0 && (params.len != curve.len ||
	                          !pf_same(params.data, curve.data, curve.len)))
		return PF_KEYFILE_NEEDS_MORE;
	if (curve.len == 0 || curve.data[0] != PF_DER_OID)
		return PF_KEYFILE_NEEDS_MORE;
	return from_point(ec_algorithm(curve, room), point, m);
}

static int
is_whole(struct pinfast_bytes bytes, const uint8_t *wanted, size_t wanted_len)
{
	return bytes.len == wanted_len &&
	       pf_same(bytes.data, wanted, wanted_len);
}

/* Version 2 of an Edwards key carries the public half. */
static enum pf_keyfile
from_edwards(struct pinfast_bytes algorithm, struct pinfast_bytes bits,
    size_t size, struct making *m)
{
	if (bits.len != size + 1 || bits.data[0] != 0)
		return PF_KEYFILE_NEEDS_MORE;
	bits.data++;
	bits.len--;
	return make(m, algorithm, bits, 0);
}

/* What PKCS#8 says beside the key itself. */
struct package {
	struct pinfast_bytes algorithm, key, bits;
};

static int
open_package(struct pinfast_bytes der, struct package *p)
{
	struct pf_der in = open_whole(der, PF_DER_SEQUENCE);
	struct pf_der value;
	struct pinfast_bytes attributes;

	if (!in.end || !take_version(&in, 0, 1))
		return 0;
	value = pf_der_open(in, PF_DER_SEQUENCE);
	if (!value.end)
		return 0;
	p->algorithm = pf_der_between(in.at, value.end);
	in.at = value.end;
	value = pf_der_open(in, PF_DER_OCTET_STRING);
	if (!value.end)
		return 0;
	p->key = pf_der_between(value.at, value.end);
	in.at = value.end;
	return take_optional(&in, PF_DER_EXPLICIT(0), &attributes) &&
	       take_optional(&in, PF_DER_CONTEXT(1), &p->bits) &&
	       in.at == in.end;
}

static enum pf_keyfile
from_package(const struct package *p, struct making *m)
{
	struct pf_der in = open_whole(p->algorithm, PF_DER_SEQUENCE);
	size_t left = (size_t)(in.end - in.at);
	struct pinfast_bytes params;

	if (is_whole(p->algorithm, rsa_algorithm, sizeof rsa_algorithm))
		return from_rsa(p->key, 8, m);
	if (is_whole(p->algorithm, ed25519_algorithm, sizeof ed25519_algorithm))
		return from_edwards(p->algorithm, p->bits, 32, m);
	if (is_whole(p->algorithm, ed448_algorithm, sizeof ed448_algorithm))
		return from_edwards(p->algorithm, p->bits, 57, m);
	if (left > sizeof ec_oid && pf_same(in.at, ec_oid, sizeof ec_oid)) {
		params = pf_der_between(in.at + sizeof ec_oid, in.end);
		return from_ec(p->key, params, m);
	}
	return PF_KEYFILE_NEEDS_MORE;
}

enum pf_keyfile
pf_keyfile_public(struct pinfast_bytes der, uint8_t spki[PF_KEYFILE_MAX],
    size_t *len)
{
	static const struct pinfast_bytes no_params = {NULL, 0};
	struct making m = {spki, 0};
	struct package p;
	enum pf_keyfile found;

	if (open_package(der, &p))
		found = from_package(&p, &m);
	else
		found = from_rsa(der, 8, &m);
	if (found == PF_KEYFILE_NONE)
		found = from_rsa(der, 2, &m);
	if (found == PF_KEYFILE_NONE)
		found = from_ec(der, no_params, &m);
	if (found == PF_KEYFILE_MADE)
		*len = m.len;
	return found;
}
