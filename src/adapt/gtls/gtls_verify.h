/*
 * One verification: what the peer sent, what GnuTLS says of it, and along
 * which path.  gtls_verify.c has GnuTLS verify what it was sent, gtls_further.c
 * one path and no other, gtls_judge.c puts what came of it to the judge.  Hides
 * how the rules of a session, which GnuTLS tells nobody, hold for paths that
 * GnuTLS would not take.  Refuses a path that GnuTLS has not verified link by
 * link.
 */
#ifndef PF_GTLS_VERIFY_H
#define PF_GTLS_VERIFY_H

#include "adapt/gtls/gtls.h"

struct pf_gtls_work {
	struct pf_gtls_judging *j;
	gnutls_certificate_credentials_t cred;
	const gnutls_datum_t *peers; /* as they were sent, leaf first */
	unsigned peer_count;
	gnutls_x509_crt_t leaf; /* imported when it is needed */
	struct pf_paths p;
	/* The path that GnuTLS took, when further ones are looked for, and the
	 * strongest profiles that it meets. */
	const struct pf_link *const *first;
	size_t first_count;
	unsigned step;
	unsigned suite; /* 0: none */
	int is_measured;

	/* Large, and written before they are read. */
	struct pf_pool own; /* the entry's anchors */
	struct pf_gtls_edges edges;
	struct pf_link links[PINFAST_PATH_MAX];
};

/* GnuTLS's own form of a certificate; NULL: it cannot read it. */
gnutls_x509_crt_t pf_gtls_import(struct pinfast_bytes der);
void pf_gtls_release(void *object);

/* The leaf's; NULL: it cannot read it.  Borrowed. */
gnutls_x509_crt_t pf_gtls_leaf(struct pf_gtls_work *w);

/* Fetches the entry's own anchors; -1: they cannot be had, 0: it has none. */
int pf_gtls_own_anchors(struct pf_gtls_work *w);

/* Has GnuTLS verified chain and name?  own: pf_gtls_own_anchors() */
int pf_gtls_verified(struct pf_gtls_work *w, int own);

/* Has it, under this anchor alone, and under the session's own rules?  The
 * edges are those of this verification. */
int pf_gtls_verified_under(struct pf_gtls_work *w, gnutls_x509_crt_t anchor);

/* What GnuTLS is told to compare the leaf with; how many. */
unsigned pf_gtls_reference(const struct pf_gtls_judging *j,
    gnutls_typed_vdata_st data[2]);

/* The application's verify output function. */
gnutls_verify_output_function *pf_gtls_output(const struct pf_gtls_work *w);

/* Looks further than to the first path, which is judged again when there is
 * no other. */
void pf_gtls_search(struct pf_gtls_work *w, const struct pf_link *const *first,
    size_t count);

#endif
