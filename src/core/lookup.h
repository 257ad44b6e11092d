/*
 * Which entry covers a name.  Hides the buckets.  Refuses nothing; the name
 * must be canonical (base/host.h) and the answer may be "none".  A look-up
 * costs one bucket for the name and one for each covering depth that the
 * store has, allocates nothing and does not recurse.
 */
#ifndef PF_LOOKUP_H
#define PF_LOOKUP_H

#include "core/store.h"
#include "base/host.h"

struct pf_found {
	uint32_t rule;     /* a single rule, or rows by port when port is 0 */
	uint32_t name_at;  /* the entry's name is key + name_at */
	int32_t scope;     /* enum pinfast_scope */
	uint16_t port;     /* 0: the entry is for every port */
	uint16_t all_rows; /* 1: the port is unknown, judge every row */
};

/*
 * port     0: unknown
 * returns  1 and *found, or 0: unlisted
 */
int pf_lookup_host(const struct pinfast_store *store,
    const struct pf_host *host, uint16_t port, struct pf_found *found);

/* For servers: the entry of a client label. */
int pf_lookup_client(const struct pinfast_store *store,
    const struct pf_host *label, struct pf_found *found);

/*
 * Every entry that covers the name, nearest first, whatever its port: for
 * explanations.  fn gets the row's rule, scope, name position and port; a
 * non-zero result ends the walk and is returned.
 */
typedef int (*pf_lookup_fn)(void *arg, const struct pf_found *row);
int pf_lookup_walk(const struct pinfast_store *store,
    const struct pf_host *host, pf_lookup_fn fn, void *arg);

#endif
