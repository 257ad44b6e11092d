/*
 * What is legal in a policy and still unwise.  Hides the table of CA keys.
 * Refuses nothing: it tells a sink, with stable rule identifiers
 * (pinfast-policy(5) lists them).
 */
#ifndef PF_LINT_H
#define PF_LINT_H

#include "model/builder.h"

struct pf_lint_options {
	int64_t now;
	unsigned horizon_days; /* an expiry nearer than this is told */
	const char *ca_keys;   /* path of ca-keys.tsv; NULL: none */
};

/* The builder has been read without errors. */
void pf_lint(const struct pinfast_builder *builder,
    const struct pf_lint_options *options, const struct pf_sink *sink);

struct pf_lint_rule {
	const char *id;
	enum pf_level level;
	const char *text;
};
extern const struct pf_lint_rule pf_lint_rules[];
extern const size_t pf_lint_rule_count;

#endif
