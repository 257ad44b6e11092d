#include "core/rule.h"

static const uint8_t *
read_lists(const uint8_t *counts, const uint8_t *pins, struct pf_lists *out)
{
	for (unsigned i = 0; i < PF_LISTS; i++) {
		out->count[i] = counts[i];
		out->pins[i] = pins;
		pins += (size_t)counts[i] * PINFAST_PIN_LEN;
	}
	return pins;
}

void
pf_rule_read(const struct pinfast_store *store, uint32_t at,
    struct pf_rule *out)
{
	static const uint8_t none[PF_LISTS] = {0};
	const uint8_t *rule = store->base + at;
	const uint8_t *counts = rule + PF_RULE_COUNTS;
	const uint8_t *shadow = counts[5] > 0 ? rule + PF_RULE_LEN : none;
	const uint8_t *pins =
	    rule + PF_RULE_LEN + (counts[5] > 0 ? PF_RULE_SHADOW_LEN : 0);
	const uint8_t *terms =
	    store->terms_at +
	    (size_t)pf_le16(rule + PF_RULE_TERMS) * PF_TERMS_LEN;

	pins = read_lists(counts, pins, &out->own);
	out->reject = pins;
	out->reject_count = counts[4];
	pins += (size_t)counts[4] * PINFAST_PIN_LEN;
	read_lists(shadow, pins, &out->shadow);
	out->pin_count =
	    (uint8_t)(counts[0] + counts[1] + counts[2] + counts[3]);
	out->shadow_count = counts[5];
	out->mode = terms[PF_TERMS_MODE];
	out->flags = terms[PF_TERMS_FLAGS];
	out->on_expiry = terms[PF_TERMS_ON_EXPIRY];
	out->anchors = pf_le32(terms + PF_TERMS_ANCHORS);
	out->warn_after = (int64_t)pf_le64(terms + PF_TERMS_WARN);
	out->expires = (int64_t)pf_le64(terms + PF_TERMS_EXPIRES);
	out->trust = terms + PF_TERMS_TRUST;
}

uint32_t
pf_rule_row(const struct pinfast_store *store, uint32_t at, uint32_t index,
    uint16_t *port)
{
	const uint8_t *rule = store->base + at;
	const uint8_t *row =
	    rule + PF_PORTS_LEN + (size_t)index * PF_PORT_ROW_LEN;

	if (pf_le16(rule) != PF_TERMS_BY_PORT) {
		*port = 0;
		return at;
	}
	*port = pf_le16(row);
	return pf_le32(row + 4);
}

uint32_t
pf_rule_for_port(const struct pinfast_store *store, uint32_t at, uint16_t port,
    uint16_t *row_port)
{
	uint32_t rows = pf_rule_rows(store, at);
	uint32_t every = 0;

	for (uint32_t i = 0; i < rows; i++) {
		uint16_t has;
		uint32_t rule = pf_rule_row(store, at, i, &has);

		if (has == 0)
			every = rule;
		if (has == port) {
			*row_port = port;
			return rule;
		}
	}
	if (every != 0)
		*row_port = 0;
	return every;
}
