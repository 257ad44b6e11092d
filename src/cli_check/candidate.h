/*
 * A certificate that is not in service yet, or the request for one.  Hides
 * files and how a request becomes something that can be judged.  Refuses,
 * with the file's name, what is neither.
 */
#ifndef PF_CANDIDATE_H
#define PF_CANDIDATE_H

#include <openssl/x509.h>

#include "pinfast.h"

struct pf_candidate {
	const char *file;
	int is_request;
	/*
	 * The certificate and what else the file holds.  For a request, a
	 * certificate with its key and names that nobody has issued: its
	 * issuers are not known.
	 */
	STACK_OF(X509) * chain;
	STACK_OF(GENERAL_NAME) * names; /* subjectAltName; NULL: none */
	char pin[PINFAST_PIN_TEXT_LEN];
};

/* Reads one; 0: complained. */
int pf_candidate_read(const char *file, int is_request, int64_t now,
    struct pf_candidate *out);
void pf_candidate_fini(struct pf_candidate *candidate);

#endif
