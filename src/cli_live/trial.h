/*
 * A chain put to the judge, offline or in the middle of a handshake, just as
 * the OpenSSL adapter does it: anchors of the entry, name, further paths.
 * Hides OpenSSL's verification.  Refuses nothing: what cannot be verified is
 * judged as that.
 */
#ifndef PF_TRIAL_H
#define PF_TRIAL_H

#include "base/host.h"
#include "cli_live/verdict.h"

struct pf_trial {
	const struct pf_host *host; /* NULL: what was named is no host */
	int64_t now;
	int partial; /* an anchor need not be self-signed */
};

/* Gives an initialised xs the parameters of a client of that host; 0: out of
 * memory. */
int pf_trial_set(const struct pf_trial *trial, X509_STORE_CTX *xs);

/* Is a host, canonical, one that the certificate is for? */
int pf_trial_covers(X509 *cert, const char *host);

/*
 * Verifies and judges.  answer->conn is the connection to judge; its path,
 * verdict and what OpenSSL said are written.  The caller settles.
 */
void pf_trial_judge(const struct pf_trial *trial, X509_STORE_CTX *xs,
    struct pf_answer *answer);

/*
 * file     trust anchors in PEM that only we may write; NULL: the system's
 * returns  for X509_STORE_free(); NULL after a complaint
 */
X509_STORE *pf_anchors_load(const char *file);

#endif
