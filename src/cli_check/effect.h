/*
 * What a certificate that is not in service yet would do to the clients of
 * one host.  Hides how a key is judged whose issuers are not known.  Refuses
 * to guess: what rests on an issuer is told as that.
 */
#ifndef PF_EFFECT_H
#define PF_EFFECT_H

#include "cli_check/candidate.h"
#include "cli_live/trial.h"

struct pf_renewal {
	const struct pf_candidate *candidate;
	struct pinfast *policy;            /* holds the store */
	const struct pinfast_store *store; /* the same one, for look-ups */
	X509_STORE *anchors;
	int64_t now;
};

/* In the order of how bad they are. */
enum pf_effect {
	PF_FINE = 0,
	PF_REPORTED = 1, /* clients go on and report it */
	PF_UNSURE = 2,
	PF_BREAKS = 3
};
const char *pf_effect_name(enum pf_effect effect);

/* One host and port, and what came of it. */
struct pf_effect_case {
	const struct pf_host *host;
	uint16_t port; /* 0: unknown */
	enum pf_effect effect;
	struct pf_answer answer; /* what the last judgement said */
	char why[4096];          /* a sentence */
};

/*
 * Judges the candidate for q->host and q->port; the rest of *q is zeroed or
 * of the question before, and pf_answer_hear() hears the policy's events for
 * q->answer.  pf_answer_fini(&q->answer) when all is done.
 * 0: out of memory.
 */
int pf_effect_decide(const struct pf_renewal *renewal,
    struct pf_effect_case *q);

#endif
