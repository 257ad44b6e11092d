/*
 * The write side's picture of a policy: what the builder was told, entry by
 * entry, before it becomes a store.  Hides nothing (lint and the writer read
 * it) and refuses nothing (meaning.c does).  Names, pins and anchors lie in
 * arrays of the model; entries hold positions in them.
 */
#ifndef PF_ENTRY_H
#define PF_ENTRY_H

#include "pinfast.h"
#include "base/limits.h"

/* One pin of a set, with the list that it is in. */
struct pf_set_pin {
	uint8_t role; /* enum pinfast_role */
	uint8_t hash[PINFAST_PIN_LEN];
};

/* Flags of an entry. */
#define PF_ENTRY_PKIX_NONE 1U
#define PF_ENTRY_IGNORE_DATES 2U
#define PF_ENTRY_REQUIRE_ALL 4U
#define PF_ENTRY_UNION 8U
#define PF_ENTRY_REQUIRE_SAID 16U /* `require` was written */
#define PF_ENTRY_DATES_SAID 32U
#define PF_ENTRY_MODE_SAID 64U

struct pf_entry {
	int64_t warn_after; /* 0: never */
	int64_t expires;    /* 0: never */
	uint32_t line;
	uint32_t column;
	uint32_t name_at;   /* position in model->names: key bytes */
	uint32_t pins_at;   /* position in model->pins, sorted by role */
	uint32_t anchors;   /* 1 + position in model->anchor_sets; 0: none */
	uint16_t pin_count; /* of all roles together */
	uint16_t port;      /* 0: every port */
	uint8_t name_len;
	uint8_t kind;   /* enum pf_host_kind */
	uint8_t scopes; /* 1 << enum pinfast_scope, one or two bits */
	uint8_t flags;
	uint8_t mode;      /* PINFAST_ENFORCE, _REPORT or _OFF */
	uint8_t on_expiry; /* 0: not said */
};

/* The private trust anchors of an entry: DER certificates, one behind the
 * other in model->blob, each behind its 32-bit little-endian length. */
struct pf_anchor_set {
	uint32_t at;
	uint32_t len;
	uint32_t count;
};

/* What live checks connect to for an entry.  No store holds it. */
struct pf_probe_target {
	uint32_t entry;   /* index in model->entries */
	uint32_t name_at; /* position in model->names: key bytes */
	uint8_t name_len;
	uint8_t kind;         /* enum pf_host_kind */
	uint16_t port;        /* 0: not said */
	const char *starttls; /* a protocol's name, static; NULL: not said */
};

struct pf_model {
	int64_t serial;
	int64_t issued;
	int64_t valid_until;
	uint8_t on_lapse; /* 0: not said */
	uint8_t unlisted;
	uint8_t unknown_host;
	uint8_t https_only;

	struct pf_entry *entries;
	size_t entry_count;
	struct pf_probe_target *probes; /* in the order of their entries */
	size_t probe_count;
	uint8_t *names; /* canonical key bytes (base/host.h), no ends */
	size_t names_len;
	struct pf_set_pin *pins;
	size_t pin_count;
	uint8_t (*reject)[PINFAST_PIN_LEN];
	size_t reject_count;
	struct pf_anchor_set *anchor_sets;
	size_t anchor_set_count;
	uint8_t *blob; /* anchors */
	size_t blob_len;
	uint8_t *urls; /* each: u16 little-endian length, bytes */
	size_t urls_len;
	size_t url_count;
	uint32_t url_place[PF_MAX_REPORT_TO][2]; /* line and column */
	uint32_t until_place[2];                 /* of valid_until */
};

/* The entry's key bytes: host.h's key, or a client label's text. */
static inline struct pinfast_bytes
pf_entry_name(const struct pf_model *model, const struct pf_entry *entry)
{
	struct pinfast_bytes name = {
	    model->names + entry->name_at, entry->name_len};

	return name;
}

#endif
