#include "model/writer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/layout.h"
#include "core/sum.h"

/* Where everything lies. */
struct plan {
	uint64_t names_at, rules_at, terms_at, blobs_at, reject_at, urls_at;
	uint64_t size;
};

static uint64_t
slot_size(const struct pf_writer *w, const struct pf_slot *s)
{
	uint64_t size = PF_NAME_TEXT + (uint64_t)s->name_len;

	if (s->by_port)
		return size + w->tables.items[s->rule].len;
	if (w->rules.items[s->rule].uses == 1)
		return size + w->rules.items[s->rule].len;
	return size;
}

static enum pinfast_error
make_plan(struct pf_writer *w, struct plan *p)
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

		w->rule_at[i] = shared ? (uint32_t)at : PF_BEHIND_NAME;
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
	return pf_draft_fail(w->b, NULL, PINFAST_ELIMIT, "limit",
	    "the store would be larger than its limit (4 GiB, 1 GiB on "
	    "32-bit machines)");
}

/* Writes one name's record; returns where the next one begins. */
static uint64_t
put_record(const struct pf_writer *w, const struct pf_slot *s, uint8_t *image,
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
	if (!s->by_port && w->rule_at[s->rule] != PF_BEHIND_NAME) {
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
put_names(const struct pf_writer *w, const struct plan *p, uint8_t *image)
{
	uint64_t at = p->names_at;
	uint32_t bucket = 0;

	for (uint32_t i = 0; i < w->slot_count; i++) {
		const struct pf_slot *s = &w->slots[i];
		uint32_t own = pf_name_bucket(s->hash, w->buckets);
		uint8_t *to;

		pf_writer_ahead(w, i);
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
put_rest(const struct pf_writer *w, const struct plan *p, uint8_t *image)
{
	const struct pf_model *m = &w->b->model;
	uint8_t *terms = image + p->terms_at;
	uint64_t at = p->blobs_at;

	for (size_t i = 0; i < w->rules.count; i++)
		if (w->rule_at[i] != PF_BEHIND_NAME)
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
put_header(const struct pf_writer *w, const struct plan *p, uint8_t *h)
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

enum pinfast_error
pf_writer_image(struct pf_writer *w)
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
