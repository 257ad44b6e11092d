/*
 * Names to addresses without waiting.  Hides getaddrinfo(), which blocks, in
 * a thread for each name; the caller asks for a few names at a time and polls
 * one descriptor.  A name that hangs is forgotten and delays no other.
 */
#ifndef PF_RESOLVER_H
#define PF_RESOLVER_H

#include "net/address.h"

#define PF_RESOLVE_MAX 64     /* addresses of one name */
#define PF_RESOLVE_HANGING 64 /* threads of forgotten names */

struct pf_resolver;

/* A question and its answer. */
struct pf_query {
	void *tag;
	size_t count;    /* addresses, each once; 0: see why */
	const char *why; /* a sentence with a remedy */
	int missing;     /* 4 or 6: addresses of this family could not be
	                    looked up, which is hidden when there are others;
	                    0: none */
	struct pf_address address[PF_RESOLVE_MAX];
};

/* Its threads start when they are needed. */
PINFAST_CHECK enum pinfast_error pf_resolver_new(struct pf_resolver **out);

/* Threads that still hang end by themselves. */
void pf_resolver_free(struct pf_resolver *resolver);

/* Is readable when an answer waits. */
int pf_resolver_fd(const struct pf_resolver *resolver);

/*
 * Asks for a name, which is copied.  The query lives until it is taken and
 * freed, or forgotten.
 *
 * returns PINFAST_ENOMEM, PINFAST_EHOST (too long), PINFAST_ELIMIT (too many
 *         names hang)
 */
PINFAST_CHECK enum pinfast_error pf_resolver_ask(struct pf_resolver *resolver,
    const char *name, uint16_t port, void *tag, struct pf_query **out);

/* The next answer, for pf_query_free(); NULL: none waits. */
struct pf_query *pf_resolver_take(struct pf_resolver *resolver);
void pf_query_free(struct pf_query *query);

/* Its answer, if it ever comes, will be dropped. */
void pf_resolver_forget(struct pf_resolver *resolver, struct pf_query *query);

#endif
