/*
 * One rule of a store: which pins, on which terms.  Hides how rules are
 * packed.  Refuses nothing: store.c has checked every rule before anyone
 * reads one here.
 */
#ifndef PF_RULE_H
#define PF_RULE_H

#include "core/layout.h"
#include "core/store.h"
#include "base/bytes.h"

/* Lists in the order of enum pinfast_role without reject: any leaf ca cert. */
#define PF_LISTS 4

struct pf_lists {
	const uint8_t *pins[PF_LISTS];
	uint8_t count[PF_LISTS];
};

struct pf_rule {
	struct pf_lists own;
	struct pf_lists shadow;
	const uint8_t *reject;
	uint8_t reject_count;
	uint8_t pin_count;    /* of own together */
	uint8_t shadow_count; /* of shadow together */
	uint8_t mode;
	uint8_t flags; /* PF_TERM_... */
	uint8_t on_expiry;
	uint32_t anchors;
	int64_t warn_after;
	int64_t expires;
	const uint8_t *trust; /* 32 bytes */
};

/* Reads the rule at an offset that names a single rule. */
void pf_rule_read(const struct pinfast_store *store, uint32_t at,
    struct pf_rule *out);

/* How many bytes a single rule takes. */
static inline uint32_t
pf_rule_size(const uint8_t *rule)
{
	const uint8_t *n = rule + PF_RULE_COUNTS;
	uint32_t pins = (uint32_t)n[0] + n[1] + n[2] + n[3] + n[4] + n[5];

	return PF_RULE_LEN + (n[5] > 0 ? PF_RULE_SHADOW_LEN : 0U) +
	       pins * PINFAST_PIN_LEN;
}

/* Rows of a rule by port; 1 for a single rule. */
static inline uint32_t
pf_rule_rows(const struct pinfast_store *store, uint32_t at)
{
	const uint8_t *rule = store->base + at;

	if (pf_le16(rule) != PF_TERMS_BY_PORT)
		return 1;
	return pf_le16(rule + 2);
}

/* The index-th row's rule and port (0: every port). */
uint32_t pf_rule_row(const struct pinfast_store *store, uint32_t at,
    uint32_t index, uint16_t *port);

/* The row for a port: its own, else the one for every port, else 0.
 * row_port: which of the two, set when the result is not 0. */
uint32_t pf_rule_for_port(const struct pinfast_store *store, uint32_t at,
    uint16_t port, uint16_t *row_port);

#endif
