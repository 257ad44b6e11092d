/*
 * Policy text into a builder (pinfast-policy(5)).  Hides the keys.  Refuses
 * unknown and repeated keys, values of another kind, and everything that the
 * builder refuses; every complaint has its line and column, and reading goes
 * on behind it as far as the text's structure allows.
 */
#ifndef PF_POLICY_TEXT_H
#define PF_POLICY_TEXT_H

#include "model/builder.h"

struct pf_text_options {
	const char *path; /* of the policy: `file:` is relative to it */
	int64_t now;      /* `issued` may be at most a day ahead of it */
	int no_files;     /* 1: `file:` and `ca-file:` are errors */
};

/* Complaints go to the sink; returns PINFAST_EPOLICY after any error. */
PINFAST_CHECK enum pinfast_error pf_policy_read(struct pinfast_bytes text,
    const struct pf_text_options *options, struct pinfast_builder *builder,
    const struct pf_sink *sink);

#endif
