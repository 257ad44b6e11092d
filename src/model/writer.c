#include "model/draft.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "core/layout.h"
#include "core/sum.h"
#include "model/intern.h"

#define NONE 0xffffffffU
#define MAX_SEEDS 64
/* A rule's bytes at most: every list full. */
#define MAX_RULE (PF_RULE_LEN + PF_RULE_SHADOW_LEN + 3 * 64 * PINFAST_PIN_LEN)
#define MAX_PORTS_LEN (PF_PORTS_LEN + PF_MAX_PORTS * PF_PORT_ROW_LEN)

/* One host rule on its way into the file. */
struct slot {
	uint64_t hash;
	uint32_t key;  /* position of its first key */
	uint32_t rule; /* number of its rule, or of its table of ports */
	uint8_t scope;
	uint8_t by_port;
};

struct writer {
	struct pinfast_builder *b;
	struct pf_keys keys;
	struct slot *slots;
	uint32_t slot_count;
	uint32_t buckets;
	uint32_t run;
	uint64_t depths;
	struct pf_intern terms;
	struct pf_intern anchors;
	struct pf_intern rules;
	struct pf_intern tables; /* rows by port, rule numbers not offsets */
	uint32_t *rule_at; /* offset of each rule, NONE: behind its name */
};

static enum pinfast_error
no_memory(struct writer *w)
{
	return pf_draft_fail(w->b, 0, 0, PINFAST_ENOMEM, "memory",
	    "out of memory");
}

/* Finds a seed with which no name lies too far from its bucket. */
static int
seed_is_good(struct writer *w)
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
make_slots(struct writer *w)
{
	w->slot_count = 0;
	for (size_t i = 0; i < w->keys.count;) {
		struct slot *s = &w->slots[w->slot_count++];

		memset(s, 0, sizeof *s);
		s->hash = w->keys.at[i].hash;
		s->key = (uint32_t)i;
		s->scope = w->keys.at[i].scope;
		i += pf_keys_rule(w->b, &w->keys, i);
	}
}

static enum pinfast_error
choose_seed(struct writer *w)
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
	return pf_draft_fail(w->b, 0, 0, PINFAST_ELIMIT, "limit",
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
add_anchors(struct writer *w, const struct pf_entry *e, uint8_t *terms)
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
add_terms(struct writer *w, const struct pf_resolved *r, uint32_t *number)
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
		return pf_draft_fail(w->b, e->line, e->column, PINFAST_ELIMIT,
		    "limit",
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
add_rule(struct writer *w, const struct pf_resolved *r, uint32_t *number)
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
check_resolved(struct writer *w, const struct pf_resolved *r)
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
	return pf_draft_fail(w->b, e->line, e->column, PINFAST_EPOLICY,
	    "no-pins", sentence);
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
add_rows(struct writer *w, struct slot *s, struct pf_resolved scratch[2])
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

static enum pinfast_error
resolve_all(struct writer *w)
{
	struct pf_resolved *scratch = pf_draft_alloc(w->b, 2, sizeof *scratch);
	enum pinfast_error error, first = PINFAST_OK;

	if (scratch == NULL)
		return PINFAST_ENOMEM;
	for (uint32_t i = 0; i < w->slot_count; i++) {
		struct slot *s = &w->slots[i];
		const struct pf_entry *e =
		    &w->b->model.entries[w->keys.at[s->key].entry];

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

/* Where everything lies. */
struct plan {
	uint64_t names_at, rules_at, terms_at, blobs_at, reject_at, urls_at;
	uint64_t size;
};

static uint64_t
slot_size(const struct writer *w, const struct slot *s)
{
	const struct pf_entry *e =
	    &w->b->model.entries[w->keys.at[s->key].entry];
	uint64_t size = PF_NAME_TEXT + (uint64_t)e->name_len;

	if (s->by_port)
		return size + w->tables.items[s->rule].len;
	if (w->rules.items[s->rule].uses == 1)
		return size + w->rules.items[s->rule].len;
	return size;
}

static enum pinfast_error
make_plan(struct writer *w, struct plan *p)
{
	const struct pf_model *m = &w->b->model;
	uint64_t at =
	    PF_HEADER_LEN + ((uint64_t)w->buckets + w->run) * PF_BUCKET_LEN;

	p->names_at = at;
	for (uint32_t i = 0; i < w->slot_count; i++)
		at += slot_size(w, &w->slots[i]);
	p->rules_at = at;
	for (size_t i = 0; i < w->rules.count; i++) {
		int shared = w->rules.items[i].uses > 1;

		w->rule_at[i] = shared ? (uint32_t)at : NONE;
		at += shared ? w->rules.items[i].len : 0;
	}
	p->terms_at = at;
	at += (uint64_t)w->terms.count * PF_TERMS_LEN;
	p->blobs_at = at;
	at += 4 * (uint64_t)w->anchors.count + w->anchors.len;
	p->reject_at = at;
	at += m->reject_count * PINFAST_PIN_LEN;
	p->urls_at = at;
	p->size = at + m->urls_len;
	if (p->size <= PF_MAX_STORE)
		return PINFAST_OK;
	return pf_draft_fail(w->b, 0, 0, PINFAST_ELIMIT, "limit",
	    "the store would be larger than its limit (4 GiB, 1 GiB on "
	    "32-bit machines)");
}

/* Writes one name's record; returns where the next one begins. */
static uint64_t
put_record(const struct writer *w, const struct slot *s, uint8_t *image,
    uint64_t at)
{
	const struct pf_entry *e =
	    &w->b->model.entries[w->keys.at[s->key].entry];
	uint8_t *record = image + at;
	uint64_t end = at + PF_NAME_TEXT + e->name_len;
	const struct pf_interned *item;
	const uint8_t *bytes;

	record[PF_NAME_LEN] = e->name_len;
	memcpy(record + PF_NAME_TEXT, w->b->model.names + e->name_at,
	    e->name_len);
	if (!s->by_port && w->rule_at[s->rule] != NONE) {
		pf_put_le32(record + PF_NAME_RULE, w->rule_at[s->rule]);
		return end;
	}
	pf_put_le32(record + PF_NAME_RULE, (uint32_t)end);
	item =
	    s->by_port ? &w->tables.items[s->rule] : &w->rules.items[s->rule];
	bytes = (s->by_port ? w->tables.bytes : w->rules.bytes) + item->at;
	memcpy(image + end, bytes, item->len);
	if (s->by_port)
		for (uint32_t i = 0; i < pf_le16(bytes + 2); i++) {
			uint8_t *row = image + end + PF_PORTS_LEN +
			               (size_t)i * PF_PORT_ROW_LEN;

			pf_put_le32(row + 4, w->rule_at[pf_le32(row + 4)]);
		}
	return end + item->len;
}

static void
put_names(const struct writer *w, const struct plan *p, uint8_t *image)
{
	uint64_t at = p->names_at;
	uint32_t bucket = 0;

	for (uint32_t i = 0; i < w->slot_count; i++) {
		const struct slot *s = &w->slots[i];
		uint32_t own = pf_name_bucket(s->hash, w->buckets);
		uint8_t *to;

		if (own > bucket)
			bucket = own;
		to = image + PF_HEADER_LEN + (size_t)bucket * PF_BUCKET_LEN;
		if (to[0] == PF_BUCKET_SLOTS) {
			to[1] = 1;
			to += PF_BUCKET_LEN;
			bucket++;
		}
		pf_put_le16(to + PF_BUCKET_TAG + 2 * to[0],
		    (uint16_t)((s->hash & PF_TAG_HASH) | s->scope));
		pf_put_le32(to + PF_BUCKET_AT + 4 * to[0], (uint32_t)at);
		to[0]++;
		at = put_record(w, s, image, at);
	}
}

static void
put_rest(const struct writer *w, const struct plan *p, uint8_t *image)
{
	const struct pf_model *m = &w->b->model;
	uint8_t *terms = image + p->terms_at;
	uint64_t at = p->blobs_at;

	for (size_t i = 0; i < w->rules.count; i++)
		if (w->rule_at[i] != NONE)
			memcpy(image + w->rule_at[i],
			    w->rules.bytes + w->rules.items[i].at,
			    w->rules.items[i].len);
	if (w->terms.len > 0)
		memcpy(terms, w->terms.bytes, w->terms.len);
	for (size_t i = 0; i < w->anchors.count; i++) {
		const struct pf_interned *a = &w->anchors.items[i];
		const uint8_t *bytes = w->anchors.bytes + a->at;
		uint32_t count = 0;

		for (uint32_t o = 0; o < a->len; o += 4 + pf_le32(bytes + o))
			count++;
		pf_put_le32(image + at, count);
		memcpy(image + at + 4, bytes, a->len);
		for (size_t t = 0; t < w->terms.count; t++) {
			const uint8_t *from = w->terms.bytes + t * PF_TERMS_LEN;

			if (pf_le32(from + PF_TERMS_ANCHORS) == i + 1)
				pf_put_le32(terms + t * PF_TERMS_LEN +
				                PF_TERMS_ANCHORS,
				    (uint32_t)at);
		}
		at += 4 + (uint64_t)a->len;
	}
	if (m->reject_count > 0)
		memcpy(image + p->reject_at, m->reject,
		    m->reject_count * PINFAST_PIN_LEN);
	if (m->urls_len > 0)
		memcpy(image + p->urls_at, m->urls, m->urls_len);
}

static void
put_header(const struct writer *w, const struct plan *p, uint8_t *h)
{
	const struct pf_model *m = &w->b->model;

	memcpy(h, PF_MAGIC, PF_MAGIC_LEN);
	pf_put_le32(h + PF_HDR_VERSION, PF_VERSION);
	pf_put_le32(h + PF_HDR_LEN, PF_HEADER_LEN);
	pf_put_le64(h + PF_HDR_SIZE, p->size);
	pf_put_le64(h + PF_HDR_SERIAL, (uint64_t)m->serial);
	pf_put_le64(h + PF_HDR_ISSUED, (uint64_t)m->issued);
	pf_put_le64(h + PF_HDR_VALID, (uint64_t)m->valid_until);
	pf_put_le64(h + PF_HDR_SEED, w->keys.seed);
	pf_put_le64(h + PF_HDR_DEPTHS, w->depths);
	pf_put_le32(h + PF_HDR_BUCKETS, w->buckets);
	pf_put_le32(h + PF_HDR_SLOTS, w->slot_count);
	pf_put_le32(h + PF_HDR_TERMS, (uint32_t)w->terms.count);
	pf_put_le32(h + PF_HDR_RUN, w->run);
	h[PF_HDR_ON_LAPSE] = m->on_lapse;
	h[PF_HDR_UNLISTED] = m->unlisted;
	h[PF_HDR_UNKNOWN_HOST] = m->unknown_host;
	h[PF_HDR_HTTPS_ONLY] = m->https_only;
	pf_put_le32(h + PF_HDR_BUCKETS_AT, PF_HEADER_LEN);
	pf_put_le32(h + PF_HDR_NAMES_AT, (uint32_t)p->names_at);
	pf_put_le32(h + PF_HDR_RULES_AT, (uint32_t)p->rules_at);
	pf_put_le32(h + PF_HDR_TERMS_AT, (uint32_t)p->terms_at);
	pf_put_le32(h + PF_HDR_BLOBS_AT, (uint32_t)p->blobs_at);
	pf_put_le32(h + PF_HDR_REJECT_AT, (uint32_t)p->reject_at);
	pf_put_le32(h + PF_HDR_REJECT_COUNT, (uint32_t)m->reject_count);
	pf_put_le32(h + PF_HDR_URLS_AT, (uint32_t)p->urls_at);
	pf_put_le32(h + PF_HDR_URLS_COUNT, (uint32_t)m->url_count);
	pf_store_digest(h, (size_t)p->size, h + PF_HDR_DIGEST);
	pf_put_le64(h + PF_HDR_SUM, pf_sum_store(h, (size_t)p->size));
}

static enum pinfast_error
write_image(struct writer *w)
{
	struct plan plan;
	uint8_t *image;
	enum pinfast_error error;

	w->rule_at = pf_draft_alloc(w->b, w->rules.count, sizeof *w->rule_at);
	if (w->rule_at == NULL)
		return PINFAST_ENOMEM;
	error = make_plan(w, &plan);
	if (error != PINFAST_OK)
		return error;
	image = pf_draft_alloc(w->b, (size_t)plan.size, 1);
	if (image == NULL)
		return PINFAST_ENOMEM;
	memset(image, 0, (size_t)plan.size);
	put_names(w, &plan, image);
	put_rest(w, &plan, image);
	put_header(w, &plan, image);
	pf_draft_release(w->b, w->b->image);
	w->b->image = image;
	w->b->image_len = (size_t)plan.size;
	return PINFAST_OK;
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
	struct writer w;
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
		error = write_image(&w);
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
