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
	STACK_OF(X509) * path; /* what was judged, owned; NULL: nothing */
	int matched;           /* index in path; -1: no pin matched */
	int pkix_ran, pkix_ok;
	int pkix_code;        /* X509_V_ERR_... */
	char pkix_error[160]; /* "" when ok */
	/* Of the event: */
	int reported, warn;
	int shadow;      /* reason of the shadow set; 0: none judged */
	int entry_scope; /* enum pinfast_scope; -1: no entry */
	uint16_t entry_port;
	char entry[PINFAST_HOST_LEN]; /* the entry's name */
};

/* The event of a settled connection, for pinfast_on_event(); arg is the
 * answer. */
void pf_answer_hear(void *arg, const struct pinfast_event *event);

/* Frees the connection and the path. */
void pf_answer_fini(struct pf_answer *answer);

/* "any", "client"; scope is enum pinfast_scope. */
const char *pf_scope_name(int scope);

/* Both print to standard output; the second one JSON document. */
void pf_answer_print(const struct pf_answer *answer);
void pf_answer_print_json(const struct pf_answer *answer);

#endif
