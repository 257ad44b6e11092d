/*
 * What was decided about a chain, for people or as JSON.  Hides how pins and
 * subjects are got out of certificates.
 */
#ifndef PF_VERDICT_H
#define PF_VERDICT_H

#include <openssl/x509.h>

#include "pinfast.h"

struct pf_answer {
	struct pinfast_verdict verdict;
	struct pinfast_conn *conn;
	STACK_OF(X509) * path; /* what was judged; NULL: nothing */
	int matched;           /* index in path; -1: no pin matched */
	int pkix_ran, pkix_ok;
	char pkix_error[160]; /* "" when ok */
};

void pf_answer_print(const struct pf_answer *answer);
void pf_answer_print_json(const struct pf_answer *answer);

#endif
