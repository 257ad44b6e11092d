/*
 * Finds the SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in a certificate,
 * a certification request (RFC 2986) or alone.  Hides the structure around
 * it.  Refuses whatever is not structure-exact from the first byte to the
 * last, because a walker that skips what it does not look at can be made to
 * return a key that the peer does not hold.
 */
#ifndef PF_SPKI_H
#define PF_SPKI_H

#include "pinfast.h"

/* All inside the input. */
struct pf_key {
	struct pinfast_bytes spki;   /* the whole element */
	struct pinfast_bytes oid;    /* content octets of the algorithm */
	struct pinfast_bytes params; /* the whole element; len 0: none */
	struct pinfast_bytes bits;   /* the key, without unused-bits octet */
};

struct pf_cert {
	struct pf_key key;
	struct pinfast_bytes issuer;	 /* the whole Name */
	struct pinfast_bytes subject;	 /* the whole Name */
	struct pinfast_bytes not_before; /* the whole Time */
	struct pinfast_bytes not_after;
	struct pinfast_bytes extensions; /* content of the SEQUENCE; len 0 */
};

/*
 * bad_at   may be NULL; offset of the first byte that is not what must stand
 *          there
 * returns  PINFAST_EFORMAT
 *
 * There is no limit on size here (the walk is linear): the judge has one.
 */
PINFAST_CHECK enum pinfast_error pf_cert_walk(
    struct pinfast_bytes der, struct pf_cert *out, size_t *bad_at);
PINFAST_CHECK enum pinfast_error pf_csr_walk(struct pinfast_bytes der,
    struct pf_key *out, struct pinfast_bytes *subject, size_t *bad_at);
PINFAST_CHECK enum pinfast_error pf_spki_walk(
    struct pinfast_bytes der, struct pf_key *out, size_t *bad_at);

/* The certificate's validity; PINFAST_EFORMAT when a time is none by RFC 5280
 * section 4.1.2.5. */
PINFAST_CHECK enum pinfast_error pf_cert_times(
    const struct pf_cert *cert, int64_t *not_before, int64_t *not_after);

/* The two-parser rule: is this the key that the TLS library read?  0 also
 * when the library's view is missing. */
int pf_key_same(const struct pf_key *ours, const struct pinfast_cert *theirs);

#endif
