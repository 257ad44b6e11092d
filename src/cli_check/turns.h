/*
 * Servers are asked side by side and told about in the policy's order.  Hides
 * those that have answered and wait for one in front of them.  Not more than
 * `most` of them wait: beyond that one is told before its turn, so that memory
 * stays flat whatever a server does.
 */
#ifndef PF_TURNS_H
#define PF_TURNS_H

#include "cli_check/checked.h"

#define PF_TURNS_MOST 10000

struct pf_in_turn {
	struct pf_in_turn *prev, *next;
	int is_over, is_told;
	struct pf_checked checked; /* the caller's, until it is over */
};

struct pf_turns {
	size_t most;
	void (*tell)(void *arg, const struct pf_checked *checked);
	void *arg;
	/* Private: */
	struct pf_in_turn *first, *last;
	size_t waiting;
};

/* A turn behind all others; NULL: out of memory. */
struct pf_in_turn *pf_turns_take(struct pf_turns *turns);

/* It is over: tells it, unless it is not worth it, as soon as all in front of
 * it are over, and frees it then. */
void pf_turns_over(struct pf_turns *turns, struct pf_in_turn *turn,
    int worth_it);

#endif
