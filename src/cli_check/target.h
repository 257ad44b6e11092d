/*
 * The servers that stand behind the entries of a policy.  Hides whether it
 * was text, whose entries may name servers, or a store, whose entries only
 * have names.  Refuses to guess: an entry that names no server is counted.
 */
#ifndef PF_TARGET_H
#define PF_TARGET_H

#include "base/host.h"
#include "cli_policy/load.h"
#include "wire/starttls.h"

#define PF_STARTTLS_NOT_SAID ((enum pf_starttls)PF_STARTTLS_COUNT)

struct pf_target {
	struct pf_host host;
	uint16_t port;
	enum pf_starttls starttls;
};

/* What is known when somebody asks for a server. */
struct pf_targets {
	const struct pinfast_store *store;
	int is_store;                 /* which holds no probes */
	const struct pf_model *model; /* of a text, until all are found */
	enum pf_starttls starttls;    /* for all that say nothing */
	/* Private: */
	char *list;
	size_t len, room, next;
	size_t *slots; /* a hash table: 1 + position in list */
	size_t slot_count;
	/* Results: */
	size_t count;              /* each server once */
	unsigned long not_checked; /* entries that name no server */
	int failed;                /* out of memory */
};

/* Looks for all of them. */
void pf_targets_find(struct pf_targets *targets);

/*
 * Adds a server that was named, HOST[:PORT]: without a port it is that of its
 * entry, or where such servers listen.  0: it is none, after a complaint.
 */
int pf_targets_name(struct pf_targets *targets, const char *text);

/* Frees what was found. */
void pf_targets_fini(struct pf_targets *targets);

/* The next one; 0: no more. */
int pf_targets_next(struct pf_targets *targets, struct pf_target *out);

#endif
