#include "core/spki.h"

#include "base/bytes.h"
#include "base/time.h"
#include "core/der.h"

/*
 * A walk over one input.  The first thing that is wrong leaves its place in
 * `bad`, and every step after it does nothing.
 */
struct walk {
	const uint8_t *bad;
};

static int
fail(struct walk *w, const struct pf_der *in)
{
	if (w->bad == NULL)
		w->bad = in->at;
	return 0;
}

static int
take(struct walk *w, struct pf_der *in, int tag, struct pf_der *content)
{
	return pf_der_take(in, tag, content) || fail(w, in);
}

static int
done(struct walk *w, const struct pf_der *in)
{
	return pf_der_done(in) || fail(w, in);
}

static struct pinfast_bytes
bytes(const uint8_t *at, const uint8_t *end)
{
	struct pinfast_bytes b = {at, (size_t)(end - at)};

	return b;
}

/* AlgorithmIdentifier: an OID and at most one element more. */
static int
algorithm(struct walk *w, struct pf_der *in, struct pf_key *key)
{
	struct pf_der seq, oid, params;

	if (!take(w, in, PF_DER_SEQUENCE, &seq) ||
	    !take(w, &seq, PF_DER_OID, &oid))
		return 0;
	key->oid = bytes(oid.at, oid.end);
	key->params = bytes(seq.at, seq.end);
	if (pf_der_done(&seq))
		return 1;
	if (pf_der_any(&seq, &params) < 0)
		return fail(w, &seq);
	return done(w, &seq);
}

static int
spki(struct walk *w, struct pf_der *in, struct pf_key *key)
{
	const uint8_t *start = in->at;
	struct pf_der seq, bits;

	if (!take(w, in, PF_DER_SEQUENCE, &seq) ||
	    !algorithm(w, &seq, key) ||
	    !take(w, &seq, PF_DER_BIT_STRING, &bits))
		return 0;
	if (pf_der_done(&bits) || bits.at[0] != 0)
		return fail(w, &bits);
	key->bits = bytes(bits.at + 1, bits.end);
	key->spki = bytes(start, in->at);
	return done(w, &seq);
}

/* Name: SEQUENCE OF SET OF SEQUENCE { OID, any }. */
static int
name(struct walk *w, struct pf_der *in, struct pinfast_bytes *out)
{
	const uint8_t *start = in->at;
	struct pf_der seq, set, pair, part;

	if (!take(w, in, PF_DER_SEQUENCE, &seq))
		return 0;
	while (!pf_der_done(&seq)) {
		if (!take(w, &seq, PF_DER_SET, &set))
			return 0;
		while (!pf_der_done(&set)) {
			if (!take(w, &set, PF_DER_SEQUENCE, &pair) ||
			    !take(w, &pair, PF_DER_OID, &part))
				return 0;
			if (pf_der_any(&pair, &part) < 0)
				return fail(w, &pair);
			if (!done(w, &pair))
				return 0;
		}
	}
	*out = bytes(start, in->at);
	return 1;
}

static int
time_of(struct walk *w, struct pf_der *in, struct pinfast_bytes *out)
{
	const uint8_t *start = in->at;
	struct pf_der content;

	if (!pf_der_take(in, PF_DER_UTC_TIME, &content) &&
	    !pf_der_take(in, PF_DER_GENERALIZED_TIME, &content))
		return fail(w, in);
	*out = bytes(start, in->at);
	return 1;
}

static int
validity(struct walk *w, struct pf_der *in, struct pf_cert *cert)
{
	struct pf_der seq;

	return take(w, in, PF_DER_SEQUENCE, &seq) &&
	    time_of(w, &seq, &cert->not_before) &&
	    time_of(w, &seq, &cert->not_after) && done(w, &seq);
}

/* Extensions: SEQUENCE OF SEQUENCE { OID, BOOLEAN?, OCTET STRING }. */
static int
extensions(struct walk *w, struct pf_der *in, struct pf_cert *cert)
{
	struct pf_der seq, one, part;

	if (!take(w, in, PF_DER_SEQUENCE, &seq))
		return 0;
	cert->extensions = bytes(seq.at, seq.end);
	while (!pf_der_done(&seq)) {
		if (!take(w, &seq, PF_DER_SEQUENCE, &one) ||
		    !take(w, &one, PF_DER_OID, &part))
			return 0;
		if (pf_der_take(&one, PF_DER_BOOLEAN, &part) &&
		    part.end - part.at != 1)
			return fail(w, &part);
		if (!take(w, &one, PF_DER_OCTET_STRING, &part) ||
		    !done(w, &one))
			return 0;
	}
	return done(w, in);
}

/* Everything behind the SPKI: unique identifiers and extensions. */
static int
tbs_tail(struct walk *w, struct pf_der *tbs, struct pf_cert *cert)
{
	struct pf_der content;

	(void)pf_der_take(tbs, 0x81, &content);
	(void)pf_der_take(tbs, 0x82, &content);
	if (pf_der_take(tbs, PF_DER_CONTEXT(3), &content) &&
	    !extensions(w, &content, cert))
		return 0;
	return done(w, tbs);
}

static int
version(struct walk *w, struct pf_der *tbs)
{
	struct pf_der explicit, number;

	if (pf_der_done(tbs) || tbs->at[0] != PF_DER_CONTEXT(0))
		return 1;
	if (!take(w, tbs, PF_DER_CONTEXT(0), &explicit) ||
	    !take(w, &explicit, PF_DER_INTEGER, &number))
		return 0;
	if (number.end - number.at != 1 || number.at[0] > 2)
		return fail(w, &number);
	return done(w, &explicit);
}

static int
tbs_certificate(struct walk *w, struct pf_der *tbs, struct pf_cert *cert)
{
	struct pf_der serial;
	struct pf_key ignored;

	return version(w, tbs) && take(w, tbs, PF_DER_INTEGER, &serial) &&
	    algorithm(w, tbs, &ignored) && name(w, tbs, &cert->issuer) &&
	    validity(w, tbs, cert) && name(w, tbs, &cert->subject) &&
	    spki(w, tbs, &cert->key) && tbs_tail(w, tbs, cert);
}

/* SIGNED{}: opens the outer SEQUENCE and the element that is signed, and
 * checks the signature's structure behind it. */
static int
signed_object(struct walk *w, struct pf_der *in, struct pf_der *inner)
{
	struct pf_der outer, bits;
	struct pf_key ignored;

	return take(w, in, PF_DER_SEQUENCE, &outer) &&
	    take(w, &outer, PF_DER_SEQUENCE, inner) &&
	    algorithm(w, &outer, &ignored) &&
	    take(w, &outer, PF_DER_BIT_STRING, &bits) && done(w, &outer) &&
	    done(w, in);
}

static enum pinfast_error
result(const struct walk *w, int fine, struct pinfast_bytes der,
    size_t *bad_at)
{
	if (fine)
		return PINFAST_OK;
	if (bad_at != NULL)
		*bad_at = (size_t)(w->bad - der.data);
	return PINFAST_EFORMAT;
}

enum pinfast_error
pf_cert_walk(struct pinfast_bytes der, struct pf_cert *out, size_t *bad_at)
{
	struct pf_der in = {der.data, der.data + der.len}, tbs;
	struct walk w = {NULL};
	struct pf_cert cert;
	enum pinfast_error error;

	memset(&cert.extensions, 0, sizeof cert.extensions);
	error = result(&w,
	    signed_object(&w, &in, &tbs) && tbs_certificate(&w, &tbs, &cert),
	    der, bad_at);
	if (error == PINFAST_OK)
		*out = cert;
	return error;
}

enum pinfast_error
pf_csr_walk(struct pinfast_bytes der, struct pf_key *out,
    struct pinfast_bytes *subject, size_t *bad_at)
{
	struct pf_der in = {der.data, der.data + der.len}, info, part;
	struct walk w = {NULL};
	struct pinfast_bytes who;
	struct pf_key key;
	enum pinfast_error error;

	error = result(&w,
	    signed_object(&w, &in, &info) &&
		take(&w, &info, PF_DER_INTEGER, &part) &&
		name(&w, &info, &who) && spki(&w, &info, &key) &&
		take(&w, &info, PF_DER_CONTEXT(0), &part) && done(&w, &info),
	    der, bad_at);
	if (error != PINFAST_OK)
		return error;
	*out = key;
	*subject = who;
	return PINFAST_OK;
}

enum pinfast_error
pf_spki_walk(struct pinfast_bytes der, struct pf_key *out, size_t *bad_at)
{
	struct pf_der in = {der.data, der.data + der.len};
	struct walk w = {NULL};
	struct pf_key key;
	enum pinfast_error error;

	error = result(
	    &w, spki(&w, &in, &key) && done(&w, &in), der, bad_at);
	if (error == PINFAST_OK)
		*out = key;
	return error;
}

/* A Time's value; its length octet is one byte, since values are short. */
static enum pinfast_error
read_time(struct pinfast_bytes t, int64_t *out)
{
	if (t.len > 2 + 15)
		return PINFAST_EFORMAT;
	return pf_time_asn1(t.data + 2, t.len - 2,
	    t.data[0] == PF_DER_GENERALIZED_TIME, out);
}

enum pinfast_error
pf_cert_times(
    const struct pf_cert *cert, int64_t *not_before, int64_t *not_after)
{
	int64_t from, until;

	if (read_time(cert->not_before, &from) != PINFAST_OK ||
	    read_time(cert->not_after, &until) != PINFAST_OK)
		return PINFAST_EFORMAT;
	*not_before = from;
	*not_after = until;
	return PINFAST_OK;
}

static int
same(struct pinfast_bytes a, struct pinfast_bytes b)
{
	return a.len == b.len && pf_same(a.data, b.data, a.len);
}

int
pf_key_same(const struct pf_key *ours, const struct pinfast_cert *theirs)
{
	if (theirs->key_spki.data != NULL)
		return same(ours->spki, theirs->key_spki);
	if (theirs->key_oid.data == NULL || theirs->key_bits.data == NULL)
		return 0;
	if (theirs->key_params.data != NULL &&
	    !same(ours->params, theirs->key_params))
		return 0;
	return same(ours->oid, theirs->key_oid) &&
	    same(ours->bits, theirs->key_bits);
}
