/*
 * The judge: one rule, one piece of evidence, one answer.  Hides the decision
 * tables.  Refuses by default: an outcome says "go" only where a row of a
 * table says so, and only pf_verdict() turns that into PINFAST_ALLOW.
 *
 * Reads nothing but its arguments; hashes through shown.h.
 */
#ifndef PF_JUDGE_H
#define PF_JUDGE_H

#include "core/rule.h"
#include "core/shown.h"

/* Far from zero, as the public constant. */
#define PF_GO 0x60U
#define PF_STOP 0U

struct pf_outcome {
	uint32_t go;      /* PF_GO or not */
	int32_t reason;   /* enum pinfast_reason */
	int32_t shadow;   /* reason of the shadow set; 0: none */
	int32_t matched;  /* index in the path; -1: none */
	uint8_t reported; /* goes only because it is report-only */
	uint8_t loosened; /* enum pinfast_loosened */
	uint8_t warn;     /* warn-after has passed */
};

/* What the rule is asked about. */
struct pf_ask {
	const struct pinfast_store *store;
	struct pf_view *view;
	int64_t now;  /* clamped */
	uint8_t pkix; /* enum pinfast_pkix, what counts for this name */
	int32_t why;  /* reason of the deny where that is _FAILED */
};

/* A host or client that an entry covers. */
void pf_judge_rule(const struct pf_ask *ask, const struct pf_rule *rule,
    struct pf_outcome *out);

/* A host that no entry covers, or no host at all. */
void pf_judge_default(const struct pf_ask *ask, uint8_t action,
    enum pinfast_reason verified, enum pinfast_reason unverified,
    struct pf_outcome *out);

/* A deny. */
void pf_judge_stop(struct pf_outcome *out, enum pinfast_reason reason);

/* The one place where PINFAST_ALLOW is made. */
struct pinfast_verdict pf_verdict(const struct pf_outcome *outcome);

#endif
