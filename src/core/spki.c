#include "core/spki.h"

#include "base/bytes.h"
#include "base/time.h"
#include "core/der.h"

/*
 * The walkers below take the cursor in front of a value and return it behind
 * that value, or failed.
 */

/* AlgorithmIdentifier: OID and at most one value of any kind. */
static inline struct pf_der
walk_algorithm(struct pf_der d, struct pf_key *key)
{
	struct pf_der in = pf_der_open(d, PF_DER_SEQUENCE);
	struct pf_der oid;

	if (!in.end)
		return in;
	oid = pf_der_open_filled(in, PF_DER_OID);
	if (!oid.end)
		return oid;
	key->oid = pf_der_between(oid.at, oid.end);
	key->params = pf_der_between(oid.end, in.end);
	in.at = oid.end;
	if (in.at != in.end) {
		in = pf_der_skip_any(in);
		if (!in.end)
			return in;
	}
	return pf_der_close(d, in);
}

/* SubjectPublicKeyInfo. */
static inline struct pf_der
walk_spki(struct pf_der d, struct pf_key *key)
{
	struct pf_der in = pf_der_open(d, PF_DER_SEQUENCE);
	struct pf_der bits;

	if (!in.end)
		return in;
	key->spki = pf_der_between(d.at, in.end);
	in = walk_algorithm(in, key);
	if (!in.end)
		return in;
	bits = pf_der_open_filled(in, PF_DER_BIT_STRING);
	if (!bits.end)
		return bits;
	if (*bits.at != 0)
		return pf_der_fail(bits.at);
	key->bits = pf_der_between(bits.at + 1, bits.end);
	in.at = bits.end;
	return pf_der_close(d, in);
}

/* SEQUENCE { OID, any }: an attribute of a name, and of a request when the
 * value is a SET. */
static inline struct pf_der
walk_pair(struct pf_der d)
{
	struct pf_der in = pf_der_open(d, PF_DER_SEQUENCE);

	if (!in.end)
		return in;
	in = pf_der_behind(in, pf_der_open_filled(in, PF_DER_OID));
	if (!in.end)
		return in;
	in = pf_der_skip_any(in);
	if (!in.end)
		return in;
	return pf_der_close(d, in);
}

/* Name: SEQUENCE of SET of SEQUENCE { OID, any }. */
static struct pf_der
walk_name(struct pf_der d)
{
	struct pf_der in = pf_der_open(d, PF_DER_SEQUENCE);
	struct pf_der set;

	if (!in.end)
		return in;
	while (in.at != in.end) {
		set = pf_der_open(in, PF_DER_SET);
		if (!set.end)
			return set;
		while (set.at != set.end) {
			set = walk_pair(set);
			if (!set.end)
				return set;
		}
		in.at = set.end;
	}
	d.at = in.end;
	return d;
}

/* A version that exists: one octet, v1 to v3. */
static inline struct pf_der
walk_version(struct pf_der d)
{
	struct pf_der value = pf_der_open_filled(d, PF_DER_INTEGER);

	if (!value.end)
		return value;
	if (*value.at > 2)
		return pf_der_fail(value.at);
	value.at++;
	return pf_der_close(d, value);
}

/* The version, when it is there, and the serial number. */
static inline struct pf_der
walk_version_serial(struct pf_der d)
{
	struct pf_der in;

	if (pf_der_next_is(d, PF_DER_EXPLICIT(0))) {
		in = pf_der_open_any(d);
		if (!in.end)
			return in;
		in = walk_version(in);
		if (!in.end)
			return in;
		d = pf_der_close(d, in);
		if (!d.end)
			return d;
	}
	return pf_der_behind(d, pf_der_open_filled(d, PF_DER_INTEGER));
}

static inline struct pf_der
walk_time(struct pf_der d)
{
	unsigned tag = PF_DER_UTC_TIME;

	if (pf_der_next_is(d, PF_DER_GENERALIZED_TIME))
		tag = PF_DER_GENERALIZED_TIME;
	return pf_der_behind(d, pf_der_open(d, tag));
}

static inline struct pf_der
walk_validity(struct pf_der d, struct pf_cert *cert)
{
	struct pf_der in = pf_der_open(d, PF_DER_SEQUENCE);
	const uint8_t *from = in.at;

	if (!in.end)
		return in;
	in = walk_time(in);
	if (!in.end)
		return in;
	cert->not_before = pf_der_between(from, in.at);
	from = in.at;
	in = walk_time(in);
	if (!in.end)
		return in;
	cert->not_after = pf_der_between(from, in.at);
	return pf_der_close(d, in);
}

/* Extension: SEQUENCE { OID, BOOLEAN?, OCTET STRING }. */
static inline struct pf_der
walk_extension(struct pf_der d)
{
	struct pf_der in = pf_der_open(d, PF_DER_SEQUENCE);
	struct pf_der critical;

	if (!in.end)
		return in;
	in = pf_der_behind(in, pf_der_open_filled(in, PF_DER_OID));
	if (!in.end)
		return in;
	if (pf_der_next_is(in, PF_DER_BOOLEAN)) {
		critical = pf_der_open_filled(in, PF_DER_BOOLEAN);
		if (!critical.end)
			return critical;
		critical.at++;
		in = pf_der_close(in, critical);
		if (!in.end)
			return in;
	}
	in = pf_der_behind(in, pf_der_open(in, PF_DER_OCTET_STRING));
	if (!in.end)
		return in;
	return pf_der_close(d, in);
}

/* What may follow the key: [1] and [2] unique identifiers, [3] extensions. */
static struct pf_der
walk_tail(struct pf_der d, struct pinfast_bytes *extensions)
{
	struct pf_der wrapper, in;

	for (unsigned n = 1; n <= 2; n++) {
		if (!pf_der_next_is(d, PF_DER_CONTEXT(n)))
			continue;
		d = pf_der_behind(d, pf_der_open_filled(d, PF_DER_CONTEXT(n)));
		if (!d.end)
			return d;
	}
	if (!pf_der_next_is(d, PF_DER_EXPLICIT(3)))
		return d;
	wrapper = pf_der_open_any(d);
	if (!wrapper.end)
		return wrapper;
	in = pf_der_open(wrapper, PF_DER_SEQUENCE);
	if (!in.end)
		return in;
	*extensions = pf_der_between(in.at, in.end);
	while (in.at != in.end) {
		in = walk_extension(in);
		if (!in.end)
			return in;
	}
	wrapper.at = in.end;
	return pf_der_close(d, wrapper);
}

/* A signature's algorithm and BIT STRING, the last things in an object. */
static inline struct pf_der
walk_signature(struct pf_der d)
{
	struct pf_key ignored;

	d = walk_algorithm(d, &ignored);
	if (!d.end)
		return d;
	return pf_der_behind(d, pf_der_open_filled(d, PF_DER_BIT_STRING));
}

/* What is signed; d is the content of the TBSCertificate. */
static inline struct pf_der
walk_tbs(struct pf_der d, struct pf_cert *cert)
{
	struct pf_key ignored;
	const uint8_t *from;

	d = walk_version_serial(d);
	if (!d.end)
		return d;
	d = walk_algorithm(d, &ignored);
	if (!d.end)
		return d;
	from = d.at;
	d = walk_name(d);
	if (!d.end)
		return d;
	cert->issuer = pf_der_between(from, d.at);
	d = walk_validity(d, cert);
	if (!d.end)
		return d;
	from = d.at;
	d = walk_name(d);
	if (!d.end)
		return d;
	cert->subject = pf_der_between(from, d.at);
	d = walk_spki(d, &cert->key);
	if (!d.end)
		return d;
	return walk_tail(d, &cert->extensions);
}

/* A request's attributes: [0] of SEQUENCE { OID, any }.  RFC 2986 demands
 * the [0]; requests without it are about and mean no attributes. */
static struct pf_der
walk_attributes(struct pf_der d)
{
	struct pf_der in;

	if (!pf_der_next_is(d, PF_DER_EXPLICIT(0)))
		return d;
	in = pf_der_open_any(d);
	if (!in.end)
		return in;
	while (in.at != in.end) {
		in = walk_pair(in);
		if (!in.end)
			return in;
	}
	d.at = in.end;
	return d;
}

/* What is signed; d is the content of the CertificationRequestInfo. */
static struct pf_der
walk_request(struct pf_der d, struct pf_key *key, struct pinfast_bytes *subject)
{
	const uint8_t *from;

	d = walk_version(d);
	if (!d.end)
		return d;
	from = d.at;
	d = walk_name(d);
	if (!d.end)
		return d;
	*subject = pf_der_between(from, d.at);
	d = walk_spki(d, key);
	if (!d.end)
		return d;
	return walk_attributes(d);
}

/* The cursor in front of the object. */
static inline struct pf_der
start(struct pinfast_bytes der)
{
	struct pf_der d = {der.data, der.data};

	if (der.len)
		d.end += der.len;
	return d;
}

/* The cursor must have come to the end of all bytes. */
static enum pinfast_error
finish(struct pinfast_bytes der, struct pf_der d, size_t *bad_at)
{
	if (d.at && d.at == d.end)
		return PINFAST_OK;
	if (bad_at)
		*bad_at = der.len ? (size_t)(d.at - der.data) : 0;
	return PINFAST_EFORMAT;
}

/* SEQUENCE { SEQUENCE { what is signed }, algorithm, signature }. */
static inline struct pf_der
open_signed(struct pf_der d, struct pf_der *object)
{
	*object = pf_der_open(d, PF_DER_SEQUENCE);
	if (!object->end)
		return *object;
	return pf_der_open(*object, PF_DER_SEQUENCE);
}

/* signed_part is what remains of the part that is signed. */
static inline struct pf_der
close_signed(struct pf_der d, struct pf_der object, struct pf_der signed_part)
{
	if (!signed_part.end)
		return signed_part;
	object = pf_der_close(object, signed_part);
	if (!object.end)
		return object;
	object = walk_signature(object);
	if (!object.end)
		return object;
	return pf_der_close(d, object);
}

enum pinfast_error
pf_cert_walk(struct pinfast_bytes der, struct pf_cert *out, size_t *bad_at)
{
	struct pf_der d = start(der), object, part;
	struct pf_cert cert;
	enum pinfast_error error;

	cert.extensions.data = NULL;
	cert.extensions.len = 0;
	part = open_signed(d, &object);
	if (part.end)
		part = walk_tbs(part, &cert);
	error = finish(der, close_signed(d, object, part), bad_at);
	if (!error)
		*out = cert;
	return error;
}

enum pinfast_error
pf_csr_walk(struct pinfast_bytes der, struct pf_key *out,
    struct pinfast_bytes *subject, size_t *bad_at)
{
	struct pf_der d = start(der), object, part;
	struct pf_key key;
	struct pinfast_bytes name;
	enum pinfast_error error;

	part = open_signed(d, &object);
	if (part.end)
		part = walk_request(part, &key, &name);
	error = finish(der, close_signed(d, object, part), bad_at);
	if (error)
		return error;
	*out = key;
	if (subject)
		*subject = name;
	return PINFAST_OK;
}

enum pinfast_error
pf_spki_walk(struct pinfast_bytes der, struct pf_key *out, size_t *bad_at)
{
	struct pf_key key;
	enum pinfast_error error =
	    finish(der, walk_spki(start(der), &key), bad_at);

	if (!error)
		*out = key;
	return error;
}

/* A time so long that its length has several octets is refused for its
 * length, wherever its content begins. */
static enum pinfast_error
read_time(struct pinfast_bytes time, int64_t *out)
{
	return pf_time_asn1(time.data + 2, time.len - 2,
	    *time.data == PF_DER_GENERALIZED_TIME, out);
}

enum pinfast_error
pf_cert_times(const struct pf_cert *cert, int64_t *not_before,
    int64_t *not_after)
{
	int64_t from, until;

	if (read_time(cert->not_before, &from) ||
	    read_time(cert->not_after, &until))
		return PINFAST_EFORMAT;
	*not_before = from;
	*not_after = until;
	return PINFAST_OK;
}

static inline int
same(struct pinfast_bytes ours, struct pinfast_bytes theirs)
{
	return theirs.data && ours.len == theirs.len &&
	       pf_same(ours.data, theirs.data, ours.len);
}

int
pf_key_same(const struct pf_key *ours, const struct pinfast_cert *theirs)
{
	if (theirs->key_spki.data)
		return same(ours->spki, theirs->key_spki);
	if (theirs->key_params.data && !same(ours->params, theirs->key_params))
		return 0;
	return same(ours->oid, theirs->key_oid) &&
	       same(ours->bits, theirs->key_bits);
}
