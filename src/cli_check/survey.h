/*
 * A live check: connects to servers, puts what they show to the judge, and
 * tells what comes of it.  Hides the engine and its callbacks.
 */
#ifndef PF_SURVEY_H
#define PF_SURVEY_H

#include "cli_check/junit.h"
#include "cli_check/prom.h"
#include "cli_check/target.h"
#include "cli_live/reach.h"

struct pf_survey {
	struct pinfast *policy;            /* holds the store */
	const struct pinfast_store *store; /* the same one, for look-ups */
	const struct pf_reach *reach;
	struct pf_targets *targets;
	int64_t now;
	int json;
	int quiet;                      /* text: only what needs a look */
	const char *junit, *prometheus; /* files; NULL: none */
};

/* returns enum pf_exit, or 130 or 143 when it was interrupted. */
int pf_survey_run(const struct pf_survey *survey);

#endif
