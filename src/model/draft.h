/*
 * The inside of a builder, shared by the files that make a store of it.
 * Hides the builder from everybody else.
 */
#ifndef PF_DRAFT_H
#define PF_DRAFT_H

#include "model/builder.h"
#include "core/store.h"
#include "model/grow.h"

struct pinfast_builder {
	struct pf_model model;
	struct pinfast_alloc alloc;
	const struct pf_sink *sink;
	struct pinfast_diag first; /* the first complaint */
	enum pinfast_error error;  /* its number */
	uint32_t line;
	uint32_t column;
	size_t entry_room, names_room, pins_room, reject_room;
	size_t anchor_room, blob_room, urls_room;
	uint32_t *sets; /* hash table of pin sets: 1 + entry index */
	size_t set_slots;
	int open; /* the last entry still takes pins */
	uint8_t *image;
	size_t image_len;
};

/* Remembers and tells a complaint; returns error. */
enum pinfast_error pf_draft_fail(struct pinfast_builder *b, uint32_t line,
    uint32_t column, enum pinfast_error error, const char *rule,
    const char *text);

/* Memory for `count` elements of `size` bytes; NULL and error when none. */
void *pf_draft_alloc(struct pinfast_builder *b, size_t count, size_t size);
void pf_draft_release(struct pinfast_builder *b, void *ptr);

/* Ends the entry that takes pins: sorts them and shares equal sets. */
enum pinfast_error pf_draft_close(struct pinfast_builder *b);

/* The text of an entry's name, NUL-terminated, for complaints. */
void pf_draft_name(const struct pinfast_builder *b, const struct pf_entry *e,
    char out[PINFAST_HOST_LEN]);

/* Puts "a NAME b" into out. */
void pf_draft_sentence(char *out, size_t size, const char *a,
    const char *name, const char *b);

/* A host rule: one name and scope, with its entries by port. */
struct pf_name_key {
	uint64_t hash;
	uint32_t entry;
	uint8_t scope;
};

/* The rules of meaning, over entries only (entry_rules) and over all. */
enum pinfast_error pf_check_entries(struct pinfast_builder *b);

/* Sorted keys of all entries; doubles and conflicts are complained about. */
PINFAST_CHECK enum pinfast_error pf_keys_make(struct pinfast_builder *b,
    uint64_t seed, struct pf_name_key **keys, size_t *count);

/* The first key of a name and scope, count when there is none; *n: its
 * entries. */
size_t pf_keys_find(const struct pinfast_builder *b,
    const struct pf_name_key *keys, size_t count, uint64_t hash, uint8_t scope,
    struct pinfast_bytes name, size_t *n);

#endif
