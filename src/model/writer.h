/*
 * A store on its way from entries to bytes: writer.c decides what it holds,
 * emit.c where each part lies.  Hides both from everybody else.
 */
#ifndef PF_WRITER_H
#define PF_WRITER_H

#include "model/draft.h"
#include "model/intern.h"

/* The offset of a rule that lies behind the one name that uses it. */
#define PF_BEHIND_NAME 0xffffffffU

/* One host rule on its way into the file. */
struct pf_slot {
	uint64_t hash;
	uint32_t key;  /* position of its first key */
	uint32_t rule; /* number of its rule, or of its table of ports */
	uint8_t scope;
	uint8_t by_port;
	uint8_t name_len;
};

struct pf_writer {
	struct pinfast_builder *b;
	struct pf_keys keys;
	struct pf_slot *slots;
	uint32_t slot_count;
	uint32_t buckets;
	uint32_t run;
	uint64_t depths;
	struct pf_intern terms;
	struct pf_intern anchors;
	struct pf_intern rules;
	struct pf_intern tables; /* rows by port, rule numbers not offsets */
	uint32_t *rule_at; /* offset of each rule, PF_BEHIND_NAME: its name */
};

/*
 * Slots stand in the order of hashes, their entries in that of the text.  Asks
 * for the entry, name and pins of slots beyond the i-th, so that a walk over
 * all slots need not wait for each.
 */
void pf_writer_ahead(const struct pf_writer *w, uint32_t i);

/* Writes the bytes into the builder. */
PINFAST_CHECK enum pinfast_error pf_writer_image(struct pf_writer *w);

#endif
