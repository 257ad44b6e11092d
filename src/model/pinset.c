#include "model/draft.h"

#include "base/bytes.h"
#include "core/sum.h"

/* Sorts an entry's pins by role and hash, so that equal sets are equal. */
static void
sort_pins(struct pf_set_pin *pins, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct pf_set_pin pin = pins[i];
		size_t j = i;

		for (; j > 0 && memcmp(&pins[j - 1], &pin, sizeof pin) > 0; j--)
			pins[j] = pins[j - 1];
		pins[j] = pin;
	}
}

static struct pf_set_slot *
slot_of(struct pinfast_builder *b, uint64_t hash)
{
	return &b->sets[(size_t)hash & (b->set_slots - 1)];
}

/* Makes the table of pin sets twice as large. */
static enum pinfast_error
grow_sets(struct pinfast_builder *b)
{
	struct pf_set_slot *old = b->sets;
	size_t count = b->set_slots;
	size_t slots = count == 0 ? 64 : count * 2;
	struct pf_set_slot *bigger = pf_draft_alloc(b, slots, sizeof *bigger);

	if (bigger == NULL)
		return PINFAST_ENOMEM;
	memset(bigger, 0, slots * sizeof *bigger);
	b->sets = bigger;
	b->set_slots = slots;
	for (size_t i = 0; i < count; i++) {
		size_t j = old[i].hash;

		if (old[i].entry == 0)
			continue;
		while (slot_of(b, j)->entry != 0)
			j++;
		*slot_of(b, j) = old[i];
	}
	pf_draft_release(b, old);
	return PINFAST_OK;
}

enum pinfast_error
pf_draft_close(struct pinfast_builder *b)
{
	struct pf_model *m = &b->model;
	struct pf_entry *e;
	struct pf_set_pin *pins;
	struct pf_set_slot set;
	size_t len;

	if (!b->open)
		return PINFAST_OK;
	b->open = 0;
	e = &m->entries[m->entry_count - 1];
	if (e->pin_count == 0)
		return PINFAST_OK;
	if (m->entry_count * 2 > b->set_slots && grow_sets(b) != PINFAST_OK)
		return PINFAST_ENOMEM;
	pins = m->pins + e->pins_at;
	len = e->pin_count * sizeof *pins;
	sort_pins(pins, e->pin_count);
	set.hash = (uint32_t)pf_name_hash(0, (const uint8_t *)pins, len);
	set.entry = (uint32_t)m->entry_count;
	for (size_t j = set.hash;; j++) {
		struct pf_set_slot *slot = slot_of(b, j);
		const struct pf_entry *other;

		if (slot->entry == 0) {
			*slot = set;
			return PINFAST_OK;
		}
		other = &m->entries[slot->entry - 1];
		if (slot->hash == set.hash &&
		    other->pin_count == e->pin_count &&
		    pf_same(m->pins + other->pins_at, pins, len)) {
			m->pin_count = e->pins_at;
			e->pins_at = other->pins_at;
			return PINFAST_OK;
		}
	}
}
