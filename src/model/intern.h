/*
 * Byte strings kept once.  Hides a hash table over one arena.  Refuses
 * nothing but running out of memory; numbers are given in the order of
 * first use, so that equal input makes equal output.
 */
#ifndef PF_INTERN_H
#define PF_INTERN_H

#include "pinfast.h"

struct pf_interned {
	size_t at;
	uint32_t len;
	uint32_t uses;
};

struct pf_intern_slot {
	uint32_t hash;
	uint32_t item; /* 1 + its number; 0: free */
};

/* Zero-initialise, set alloc. */
struct pf_intern {
	struct pinfast_alloc alloc;
	uint8_t *bytes;
	size_t len, room;
	struct pf_interned *items;
	size_t count, item_room;
	struct pf_intern_slot *table;
	size_t slots;
};

/* The number of these bytes, new or known; counts the use. */
PINFAST_CHECK enum pinfast_error pf_intern_add(struct pf_intern *in,
    const uint8_t *data, size_t len, uint32_t *number);
void pf_intern_fini(struct pf_intern *in);

#endif
