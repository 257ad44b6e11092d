#include "model/writer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "core/layout.h"
#include "core/sum.h"

#define MAX_SEEDS 64
#define NEAR 8U
/* A rule's bytes at most: every list full. */
#define MAX_RULE (PF_RULE_LEN + PF_RULE_SHADOW_LEN + 3 * 64 * PINFAST_PIN_LEN)
#define MAX_PORTS_LEN (PF_PORTS_LEN + PF_MAX_PORTS * PF_PORT_ROW_LEN)

static enum pinfast_error
no_memory(struct pf_writer *w)
{
	return pf_draft_fail(w->b, NULL, PINFAST_ENOMEM, "memory",
	    "out of memory");
}

/* Finds a seed with which no name lies too far from its bucket. */
static int
seed_is_good(struct pf_writer *w)
{
	uint32_t bucket = 0, used = 0;

	w->run = 0;
	for (uint32_t i = 0; i < w->slot_count; i++) {
		uint32_t own = pf_name_bucket(w->slots[i].hash, w->buckets);

		if (own > bucket) {
			bucket = own;
			used = 0;
		}
		if (used == PF_BUCKET_SLOTS) {
			bucket++;
			used = 0;
		}
		if (bucket - own > w->run)
			w->run = bucket - own;
		used++;
	}
	return w->run <= PF_MAX_RUN;
}

static void
make_slots(struct pf_writer *w)
{
	w->slot_count = 0;
	for (size_t i = 0; i < w->keys.count;) {
		struct pf_slot *s = &w->slots[w->slot_count++];

		memset(s, 0, sizeof *s);
		s->hash = w->keys.at[i].hash;
		s->key = (uint32_t)i;
		s->scope = w->keys.at[i].scope;
		i += pf_keys_rule(w->b, &w->keys, i);
	}
}

static enum pinfast_error
choose_seed(struct pf_writer *w)
{
	enum pinfast_error error = PINFAST_OK;

	for (uint64_t seed = 0; seed < MAX_SEEDS; seed++) {
		error = pf_keys_make(w->b, seed, &w->keys);
		if (error != PINFAST_OK)
			return error;
		if (w->slots == NULL)
			w->slots = pf_draft_alloc(w->b, w->keys.count,
			    sizeof *w->slots);
		if (w->slots == NULL)
			return PINFAST_ENOMEM;
		make_slots(w);
		w->buckets =
		    (w->slot_count + PF_BUCKET_FILL - 1) / PF_BUCKET_FILL;
		/* A table that is hard to fill gets more room. */
		w->buckets += w->buckets / 16 * (uint32_t)(seed / 16) + 1;
		if (seed_is_good(w))
			return PINFAST_OK;
		pf_keys_free(w->b, &w->keys);
	}
	return pf_draft_fail(w->b, NULL, PINFAST_ELIMIT, "limit",
	    "the names could not be spread over the store's buckets");
}

static unsigned
labels(struct pinfast_bytes name)
{
	unsigned n = 1;

	for (size_t i = 0; i < name.len; i++)
		n += name.data[i] == '.';
	return n > 63 ? 63 : n;
}

static enum pinfast_error
add_anchors(struct pf_writer *w, const struct pf_entry *e, uint8_t *terms)
{
	const struct pf_model *m = &w->b->model;
	const struct pf_anchor_set *set;
	uint32_t number;

	if (e->anchors == 0)
		return PINFAST_OK;
	set = &m->anchor_sets[e->anchors - 1];
	if (pf_intern_add(&w->anchors, m->blob + set->at, set->len, &number) !=
	    PINFAST_OK)
		return no_memory(w);
	pf_sha256(m->blob + set->at, set->len, terms + PF_TERMS_TRUST);
	/* The number becomes an offset when the blobs are placed. */
	pf_put_le32(terms + PF_TERMS_ANCHORS, number + 1);
	return PINFAST_OK;
}

static enum pinfast_error
add_terms(struct pf_writer *w, const struct pf_resolved *r, uint32_t *number)
{
	const struct pf_entry *e = r->entry;
	uint8_t t[PF_TERMS_LEN] = {0};
	enum pinfast_error error;

	t[PF_TERMS_MODE] = e->mode;
	t[PF_TERMS_ON_EXPIRY] = e->on_expiry;
	t[PF_TERMS_FLAGS] =
	    (uint8_t)((e->flags & PF_ENTRY_PKIX_NONE ? PF_TERM_PKIX_NONE : 0U) |
	              (e->flags & PF_ENTRY_IGNORE_DATES ? PF_TERM_IGNORE_DATES
	                                                : 0U) |
	              (e->flags & PF_ENTRY_REQUIRE_ALL ? PF_TERM_REQUIRE_ALL
	                                               : 0U) |
	              (e->flags & PF_ENTRY_UNION ? PF_TERM_UNION : 0U) |
	              (r->derived ? PF_TERM_DERIVED : 0U));
	pf_put_le64(t + PF_TERMS_WARN, (uint64_t)e->warn_after);
	pf_put_le64(t + PF_TERMS_EXPIRES, (uint64_t)e->expires);
	error = add_anchors(w, e, t);
	if (error != PINFAST_OK)
		return error;
	if (pf_intern_add(&w->terms, t, sizeof t, number) != PINFAST_OK)
		return no_memory(w);
	if (*number >= PF_MAX_TERMS)
		return pf_draft_fail(w->b, e, PINFAST_ELIMIT, "limit",
		    "the policy has more than 65,534 different sets of mode, "
		    "dates and trust");
	return PINFAST_OK;
}

static uint8_t *
put_list(const struct pf_resolved *r, unsigned role, uint8_t *at)
{
	memcpy(at, r->pins[role], (size_t)r->count[role] * PINFAST_PIN_LEN);
	return at + (size_t)r->count[role] * PINFAST_PIN_LEN;
}

/* Packs a resolved row. */
static enum pinfast_error
add_rule(struct pf_writer *w, const struct pf_resolved *r, uint32_t *number)
{
	uint8_t rule[MAX_RULE];
	uint8_t *counts = rule + PF_RULE_COUNTS, *at = rule + PF_RULE_LEN;
	unsigned shadow = 0;
	uint32_t terms;
	enum pinfast_error error = add_terms(w, r, &terms);

	if (error != PINFAST_OK)
		return error;
	pf_put_le16(rule + PF_RULE_TERMS, (uint16_t)terms);
	for (unsigned i = PINFAST_ROLE_ANY; i <= PINFAST_ROLE_REJECT; i++)
		counts[i] = r->count[i];
	for (unsigned i = 0; i < 4; i++)
		shadow += r->count[PINFAST_ROLE_SHADOW_ANY + i];
	counts[5] = (uint8_t)shadow;
	if (shadow > 0)
		for (unsigned i = 0; i < 4; i++)
			*at++ = r->count[PINFAST_ROLE_SHADOW_ANY + i];
	for (unsigned i = 0; i < PINFAST_ROLE_COUNT; i++)
		at = put_list(r, i, at);
	if (pf_intern_add(&w->rules, rule, (size_t)(at - rule), number) !=
	    PINFAST_OK)
		return no_memory(w);
	return PINFAST_OK;
}

/* An enforced entry must end up with pins, or with own rejected keys. */
static enum pinfast_error
check_resolved(struct pf_writer *w, const struct pf_resolved *r)
{
	const struct pf_entry *e = r->entry;
	char name[PINFAST_HOST_LEN], sentence[512];

	if (!(e->flags & PF_ENTRY_UNION) || e->mode != PINFAST_ENFORCE ||
	    r->count[0] + r->count[1] + r->count[2] + r->count[3] +
	            r->count[PINFAST_ROLE_REJECT] >
	        0)
		return PINFAST_OK;
	pf_draft_name(w->b, e, name);
	pf_draft_sentence(sentence, sizeof sentence, "", name,
	    ": an enforced entry needs pins, and it inherits none");
	return pf_draft_fail(w->b, e, PINFAST_EPOLICY, "no-pins", sentence);
}

/* A row that exists only for a parent's port and says nothing new? */
static int
says_nothing_new(const struct pf_resolved *row, const struct pf_resolved *every)
{
	return row->derived &&
	       pf_same(row->count, every->count, sizeof row->count) &&
	       pf_same(row->pins[PINFAST_ROLE_REJECT],
	           every->pins[PINFAST_ROLE_REJECT],
	           (size_t)row->count[PINFAST_ROLE_REJECT] * PINFAST_PIN_LEN) &&
	       pf_same(row->pins[0], every->pins[0],
	           (size_t)row->count[0] * PINFAST_PIN_LEN) &&
	       pf_same(row->pins[1], every->pins[1],
	           (size_t)row->count[1] * PINFAST_PIN_LEN) &&
	       pf_same(row->pins[2], every->pins[2],
	           (size_t)row->count[2] * PINFAST_PIN_LEN) &&
	       pf_same(row->pins[3], every->pins[3],
	           (size_t)row->count[3] * PINFAST_PIN_LEN);
}

/* Resolves a host rule for its ports; rows end up in a table. */
static enum pinfast_error
add_rows(struct pf_writer *w, struct pf_slot *s, struct pf_resolved scratch[2])
{
	uint16_t ports[PF_MAX_PORTS];
	uint8_t table[MAX_PORTS_LEN] = {0};
	size_t count, rows = 0;
	uint32_t number = 0;
	enum pinfast_error error =
	    pf_rule_ports(w->b, &w->keys, s->key, ports, &count);

	for (size_t i = 0; i < count && error == PINFAST_OK; i++) {
		struct pf_resolved *r = &scratch[i > 0];
		uint8_t *row = table + PF_PORTS_LEN + rows * PF_PORT_ROW_LEN;

		error = pf_resolve(w->b, &w->keys, s->key, ports[i], r);
		if (error == PINFAST_OK)
			error = check_resolved(w, r);
		if (error != PINFAST_OK || says_nothing_new(r, &scratch[0]))
			continue;
		error = add_rule(w, r, &number);
		pf_put_le16(row, ports[i]);
		pf_put_le32(row + 4, number);
		rows++;
	}
	if (error != PINFAST_OK)
		return error;
	s->rule = number;
	if (rows == 1 && ports[0] == 0)
		return PINFAST_OK;
	pf_put_le16(table, PF_TERMS_BY_PORT);
	pf_put_le16(table + 2, (uint16_t)rows);
	s->by_port = 1;
	if (pf_intern_add(&w->tables, table,
	        PF_PORTS_LEN + rows * PF_PORT_ROW_LEN, &s->rule) != PINFAST_OK)
		return no_memory(w);
	/* Rows are never behind a name: count their rules as shared. */
	for (size_t i = 0; i < rows; i++) {
		const uint8_t *row = table + PF_PORTS_LEN + i * PF_PORT_ROW_LEN;

		w->rules.items[pf_le32(row + 4)].uses += 2;
	}
	return PINFAST_OK;
}

static const struct pf_entry *
entry_at(const struct pf_writer *w, uint32_t i)
{
	return &w->b->model.entries[w->keys.at[w->slots[i].key].entry];
}

void
pf_writer_ahead(const struct pf_writer *w, uint32_t i)
{
	const struct pf_model *m = &w->b->model;
	const struct pf_entry *e;
	uintptr_t pins = (uintptr_t)m->pins; /* NULL when there are none */

	if (w->slot_count - i <= 2 * NEAR)
		return;
	PF_PREFETCH(entry_at(w, i + 2 * NEAR));
	e = entry_at(w, i + NEAR); /* asked for before */
	pins += e->pins_at * sizeof *m->pins;
	PF_PREFETCH(m->names + e->name_at);
	PF_PREFETCH(pins);
	PF_PREFETCH(pins + sizeof *m->pins);
}

static enum pinfast_error
resolve_all(struct pf_writer *w)
{
	struct pf_resolved *scratch = pf_draft_alloc(w->b, 2, sizeof *scratch);
	enum pinfast_error error, first = PINFAST_OK;

	if (scratch == NULL)
		return PINFAST_ENOMEM;
	for (uint32_t i = 0; i < w->slot_count; i++) {
		struct pf_slot *s = &w->slots[i];
		const struct pf_entry *e = entry_at(w, i);

		pf_writer_ahead(w, i);
		s->name_len = e->name_len;
		if (s->scope == PINFAST_SCOPE_ONE ||
		    s->scope == PINFAST_SCOPE_ANY)
			w->depths |= 1ULL
			             << labels(pf_entry_name(&w->b->model, e));
		error = add_rows(w, s, scratch);
		if (error != PINFAST_OK && first == PINFAST_OK)
			first = error;
		if (error == PINFAST_ENOMEM)
			break;
	}
	pf_draft_release(w->b, scratch);
	return first;
}

static int
find_covering(const struct pf_model *m)
{
	const unsigned below =
	    1U << PINFAST_SCOPE_ONE | 1U << PINFAST_SCOPE_ANY;

	for (size_t i = 0; i < m->entry_count; i++) {
		const struct pf_entry *e = &m->entries[i];

		if (e->flags & PF_ENTRY_UNION)
			return 1;
		if (!(e->scopes & below))
			continue;
		for (unsigned p = 0; p < e->pin_count; p++)
			if (m->pins[e->pins_at + p].role == PINFAST_ROLE_REJECT)
				return 1;
	}
	return 0;
}

/* Everything up to the bytes; check only: no bytes. */
static enum pinfast_error
finish_draft(struct pinfast_builder *b, int check_only)
{
	struct pf_writer w;
	enum pinfast_error error;

	memset(&w, 0, sizeof w);
	w.b = b;
	w.terms.alloc = w.anchors.alloc = b->alloc;
	w.rules.alloc = w.tables.alloc = b->alloc;
	(void)pf_draft_close(b);
	pf_check_entries(b);
	b->covering_matters = find_covering(&b->model);
	error = choose_seed(&w);
	if (error == PINFAST_OK) {
		pf_check_keys(b, &w.keys);
		error = resolve_all(&w);
	}
	if (error == PINFAST_OK && b->error == PINFAST_OK && !check_only)
		error = pf_writer_image(&w);
	pf_keys_free(b, &w.keys);
	pf_draft_release(b, w.slots);
	pf_draft_release(b, w.rule_at);
	pf_intern_fini(&w.terms);
	pf_intern_fini(&w.anchors);
	pf_intern_fini(&w.rules);
	pf_intern_fini(&w.tables);
	return b->error != PINFAST_OK ? b->error : error;
}

enum pinfast_error
pf_builder_check(struct pinfast_builder *b)
{
	return finish_draft(b, 1);
}

enum pinfast_error
pinfast_builder_finish(struct pinfast_builder *b, struct pinfast_diag *diag,
    struct pinfast_bytes *image)
{
	enum pinfast_error error;

	if (b == NULL || image == NULL)
		return PINFAST_EUSAGE;
	error = b->error != PINFAST_OK && b->error != PINFAST_EPOLICY
	            ? b->error
	            : finish_draft(b, 0);
	if (error != PINFAST_OK) {
		if (diag != NULL)
			*diag = b->first;
		return error;
	}
	image->data = b->image;
	image->len = b->image_len;
	return PINFAST_OK;
}
