/*
 * What the files that read policy text share: where the reader stands, and
 * reading mappings by tables of keys.
 */
#ifndef PF_READER_H
#define PF_READER_H

#include "policy/text.h"
#include "policy/yaml.h"

#define PF_READER_PINS 192
#define PF_READER_NAME 1024

struct pf_reader_pin {
	uint8_t role;
	uint8_t hash[PINFAST_PIN_LEN];
};

/* Pins of an entry, or of a pin set. */
struct pf_reader_set {
	struct pf_reader_pin pins[PF_READER_PINS];
	unsigned count;
};

struct pf_named_set {
	struct pf_named_set *next;
	struct pf_reader_set set;
	char name[64];
};

#define PF_READER_PROBES 16

struct pf_reader_probe {
	struct pf_host host;
	int has_host;
	uint16_t port;
	const char *starttls; /* static; NULL: not said */
};

/* An entry while its keys are being read, in any order. */
struct pf_draft_entry {
	uint32_t line, column;
	uint32_t name_line, name_column;
	char name[PF_READER_NAME];
	uint16_t port;
	uint8_t scope;   /* enum pinfast_scope */
	uint8_t no_apex; /* `apex: false` */
	uint8_t apex_said;
	int is_client;
	uint32_t settings; /* bit k: value[k] is set */
	int64_t value[PINFAST_ENTRY_ON_EXPIRY + 1];
	char ca_file[PF_READER_NAME];
	uint32_t ca_line, ca_column;
	struct pf_reader_set set;
	struct pf_reader_probe probes[PF_READER_PROBES];
	unsigned probe_count;
};

struct pf_reader {
	struct pf_yaml yaml;
	struct pinfast_builder *builder;
	const struct pf_sink *sink;
	const struct pf_text_options *options;
	struct pf_named_set *sets;
	struct pf_draft_entry entry;
	int pinsets_only; /* the first of two passes */
	int quiet;        /* complaints are left to the second pass */
	int errors;
};

/* Reads the value that the present event begins; -1: the text is broken. */
typedef int (*pf_field_fn)(struct pf_reader *r, void *object);

struct pf_field {
	const char *name;
	pf_field_fn read;
};

/* Complaints at the present event, or at a place. */
void pf_reader_error(struct pf_reader *r, const char *rule, const char *text);
void pf_reader_error_at(struct pf_reader *r, uint32_t line, uint32_t column,
    const char *rule, const char *text);
void pf_reader_warn_at(struct pf_reader *r, uint32_t line, uint32_t column,
    const char *rule, const char *text);

/* Reads a mapping by a table of at most 32 keys. */
int pf_read_mapping(struct pf_reader *r, const struct pf_field *fields,
    size_t count, const char *what, void *object);

/* Reads a sequence, calling item for each. */
int pf_read_sequence(struct pf_reader *r, pf_field_fn item, const char *what,
    void *object);

/* The present event is a scalar, else a complaint and 0. */
int pf_is_scalar(struct pf_reader *r, const char *what);

/* One of the words; its index, or -1 after a complaint. */
int pf_read_word(struct pf_reader *r, const char *what,
    const char *const *words, size_t count);

/* A key whose value is one of a few words. */
struct pf_choice {
	const char *what;
	size_t count;
	const char *words[4];
	int64_t values[4];
};

/* 1: *value is that of the word; 0: complained. */
int pf_read_choice(struct pf_reader *r, const struct pf_choice *choice,
    int64_t *value);
int pf_read_time(struct pf_reader *r, int64_t *out);
int pf_read_number(struct pf_reader *r, const char *what, int64_t least,
    int64_t most, int64_t *out);

/* Lists of pins (policy/pins.c). */
int pf_read_pins(struct pf_reader *r, struct pf_reader_set *set,
    enum pinfast_role role);

/* One pin that is no role's; 1: read, 0: complained, -1: broken. */
int pf_read_pin(struct pf_reader *r, int cert_ok, struct pf_reader_pin *out,
    int *is_cert);

/* hosts and clients (policy/entries.c). */
int pf_read_hosts(struct pf_reader *r, void *object);
int pf_read_clients(struct pf_reader *r, void *object);
extern const struct pf_field pf_set_fields[3]; /* pins leaf ca */

/* A file's text relative to the policy's folder; NULL after a complaint. */
uint8_t *pf_reader_file(struct pf_reader *r, const char *name, uint32_t line,
    uint32_t column, size_t *len);

#endif
