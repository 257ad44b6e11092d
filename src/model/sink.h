/*
 * Where complaints about a policy go.  Hides who listens: the text reader,
 * the builder and lint all say what they find through one function, and the
 * listener decides what is printed and what counts.  It refuses nothing.
 */
#ifndef PF_SINK_H
#define PF_SINK_H

#include <stdint.h>

enum pf_level { PF_LEVEL_ERROR = 1, PF_LEVEL_WARNING = 2, PF_LEVEL_NOTE = 3 };

struct pf_finding {
	enum pf_level level;
	uint32_t line, column; /* 1 is the first, 0: not known */
	const char
	    *rule; /* a stable identifier (pinfast-policy(5)), never NULL */
	const char *text; /* a sentence */
};

/* A finding and its texts live for the call. */
struct pf_sink {
	void (*say)(void *arg, const struct pf_finding *finding);
	void *arg;
};

#endif
