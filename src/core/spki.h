/*
 * Where the key stands in a certificate (RFC 5280), a certification request
 * (RFC 2986) or a bare SubjectPublicKeyInfo.  Hides the way there: the whole
 * object is walked, every constructed value must be used up exactly by its
 * children, and the key is the one in its place, never one that is found by
 * looking for it.  Refuses, with the offset, everything that is not
 * structure-exact DER.  Values that do not move the structure are not judged:
 * serial numbers, dates, names, extension contents.
 *
 * Linear, without recursion and without allocation.
 */
#ifndef PF_SPKI_H
#define PF_SPKI_H

#include "pinfast.h"

/*
 * A key, as slices of the walked bytes.
 *
 * spki    the whole SubjectPublicKeyInfo: what a pin is the hash of
 * oid     the algorithm's content octets
 * params  the parameters, whole; len 0: there are none
 * bits    the key, without the BIT STRING's octet of unused bits
 */
struct pf_key {
	struct pinfast_bytes spki;
	struct pinfast_bytes oid;
	struct pinfast_bytes params;
	struct pinfast_bytes bits;
};

/*
 * A certificate, as slices of the walked bytes.  Names and times are whole
 * values, with tag and length; extensions are the content of their SEQUENCE,
 * len 0 when there are none.
 */
struct pf_cert {
	struct pf_key key;
	struct pinfast_bytes issuer;
	struct pinfast_bytes subject;
	struct pinfast_bytes not_before;
	struct pinfast_bytes not_after;
	struct pinfast_bytes extensions;
};

/*
 * Walks one certificate and nothing behind it.
 *
 * bad_at  may be NULL; on failure the offset of the first byte that is not
 *         structure-exact, at most der.len
 * returns PINFAST_EFORMAT
 *
 * There is no limit on size here (the walk is linear): the judge has one.
 */
PINFAST_CHECK enum pinfast_error pf_cert_walk(struct pinfast_bytes der,
    struct pf_cert *out, size_t *bad_at);

/* The same for a certification request; subject may be NULL. */
PINFAST_CHECK enum pinfast_error pf_csr_walk(struct pinfast_bytes der,
    struct pf_key *out, struct pinfast_bytes *subject, size_t *bad_at);

/* The same for a bare SubjectPublicKeyInfo. */
PINFAST_CHECK enum pinfast_error pf_spki_walk(struct pinfast_bytes der,
    struct pf_key *out, size_t *bad_at);

/* When a walked certificate is valid.  PINFAST_EFORMAT: a time is not
 * written as RFC 5280 section 4.1.2.5 says. */
PINFAST_CHECK enum pinfast_error pf_cert_times(const struct pf_cert *cert,
    int64_t *not_before, int64_t *not_after);

/*
 * The two-parser rule: is the key we walked to the one that the TLS library
 * read?  Compares bytes only.  0 also when the library's view is missing.
 */
int pf_key_same(const struct pf_key *ours, const struct pinfast_cert *theirs);

#endif
