/*
 * The inside of a builder, shared by the files that make a store of it.
 * Hides the builder from everybody else.
 */
#ifndef PF_DRAFT_H
#define PF_DRAFT_H

#include "model/builder.h"
#include "core/store.h"
#include "model/grow.h"

/* A set of pins: its hash and 1 + the first entry that has it. */
struct pf_set_slot {
	uint32_t hash;
	uint32_t entry;
};

struct pinfast_builder {
	struct pf_model model;
	struct pinfast_alloc alloc;
	const struct pf_sink *sink;
	struct pinfast_diag first; /* the first complaint */
	enum pinfast_error error;  /* its number */
	uint32_t line;
	uint32_t column;
	size_t entry_room, names_room, pins_room, reject_room;
	size_t anchor_room, blob_room, urls_room, probe_room;
	struct pf_set_slot *sets; /* hash table */
	size_t set_slots;
	int covering_matters; /* set by finish: an entry that covers others
	                         has rejected keys, or some entry joins */
	int open;             /* the last entry still takes pins */
	uint8_t *image;
	size_t image_len;
};

/* Remembers and tells a complaint about an entry, or about the whole policy
 * (NULL); returns error. */
enum pinfast_error pf_draft_fail(struct pinfast_builder *b,
    const struct pf_entry *e, enum pinfast_error error, const char *rule,
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
void pf_draft_sentence(char *out, size_t size, const char *a, const char *name,
    const char *b);

/*
 * One name in one scope for one port.  Sorted by hash, name, scope and port,
 * so that the entries of a name in a scope (a host rule) stand together.
 */
struct pf_name_key {
	uint64_t hash;
	uint32_t entry;
	uint8_t scope;
};

struct pf_keys {
	struct pf_name_key *at;
	size_t count;
	uint64_t seed;
};

/* Makes the sorted keys of all entries, for pf_keys_free(). */
PINFAST_CHECK enum pinfast_error pf_keys_make(struct pinfast_builder *b,
    uint64_t seed, struct pf_keys *out);
void pf_keys_free(struct pinfast_builder *b, struct pf_keys *keys);

/* The entries of the host rule that starts at position i: at least 1. */
size_t pf_keys_rule(const struct pinfast_builder *b, const struct pf_keys *keys,
    size_t i);

/* The host rule of a name and scope: its position and number of entries, 0
 * when there is none. */
size_t pf_keys_find(const struct pinfast_builder *b, const struct pf_keys *keys,
    struct pinfast_bytes name, uint8_t scope, size_t *at);

/* What an entry means when everything that covers it has been counted in. */
struct pf_resolved {
	const struct pf_entry *entry;
	uint16_t port;
	int derived; /* the entry names no port, a parent does */
	uint8_t count[PINFAST_ROLE_COUNT];
	uint8_t pins[PINFAST_ROLE_COUNT][64][PINFAST_PIN_LEN];
};

/* Does anything that covers other names change what they mean? */
int pf_covering_matters(const struct pinfast_builder *b);

/* Resolves the row of a host rule for one port (0: every port). */
PINFAST_CHECK enum pinfast_error pf_resolve(struct pinfast_builder *b,
    const struct pf_keys *keys, size_t rule, uint16_t port,
    struct pf_resolved *out);

/* The ports for which the host rule needs a row, ascending; at most
 * PF_MAX_PORTS, else PINFAST_ELIMIT. */
PINFAST_CHECK enum pinfast_error pf_rule_ports(struct pinfast_builder *b,
    const struct pf_keys *keys, size_t rule, uint16_t *ports, size_t *count);

/* The rules of meaning that concern one entry, or the top level. */
void pf_check_entries(struct pinfast_builder *b);
/* Those that concern entries of one name. */
void pf_check_keys(struct pinfast_builder *b, const struct pf_keys *keys);

#endif
