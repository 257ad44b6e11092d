/*
 * What every command does that takes POLICY and HOST[:PORT].  Hides whether
 * POLICY is text or a compiled store.  Refuses what cannot be read, what
 * others may write and what contradicts itself, with the file's name.
 */
#ifndef PF_LOAD_H
#define PF_LOAD_H

#include <stdio.h>

#include "cli/out.h"
#include "policy/text.h"

/* A policy in memory; everything is released by pf_loaded_free(). */
struct pf_loaded {
	struct pinfast_builder *builder; /* NULL when it was a store */
	struct pinfast_store *store;     /* NULL after an error in the text */
	struct pinfast_bytes image;      /* of a text that was compiled */
	uint8_t *text;
};

/* Prints complaints as path:line:col: level: text [rule], and counts. */
struct pf_listener {
	const char *path;
	unsigned errors, warnings;
	int quiet_below; /* enum pf_level: levels above it are not printed */
	struct pf_sink sink;
	FILE *out;            /* standard output by default */
	struct pf_json *json; /* findings as JSON instead */
};
void pf_listener_init(struct pf_listener *l, const char *path);

/*
 * returns enum pf_exit: FINE, or UNDECIDED after a complaint on standard
 *         error (for a text: through the listener)
 */
int pf_policy_load(const char *path, int64_t now, struct pf_listener *l,
    struct pf_loaded *out);
void pf_loaded_free(struct pf_loaded *loaded);

/* Reads --time; 0: complained. */
int pf_time_option(const char *command, const char *text, int64_t *now);

/*
 * Splits HOST[:PORT]; an IPv6 address with a port is written in brackets.
 * *len is that of the host, *port 0 when there is none.  0: no port.
 */
int pf_target_split(const char *text, size_t *len, uint16_t *port);

#endif
