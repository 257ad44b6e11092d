#include "core/image.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/layout.h"
#include "core/rule.h"
#include "core/sum.h"

#define BAD(text) pf_diag(diag, PINFAST_EFORMAT, text)

/* What the walk over an image carries along. */
struct image {
	const uint8_t *base;
	size_t size;
	uint32_t names_at;
	uint32_t rules_at;
	uint32_t terms_at;
	uint32_t blobs_at;
	uint32_t terms;
	struct pf_sum sum; /* over the first summed bytes */
	size_t summed;
	uint64_t seen; /* a rule's counts that have been found good */
	uint32_t seen_size;
};

/* How far the sum runs ahead of the walk: so that the walk finds in the cache
 * what the sum has read, and memory is read once. */
#define SUM_AHEAD 262144U

static int
all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return 0;
	return 1;
}

static enum pinfast_error
check_head(struct pinfast_bytes image, struct pinfast_diag *diag)
{
	const uint8_t *h = image.data;

	if (image.len < PF_HEADER_LEN || !pf_same(h, PF_MAGIC, PF_MAGIC_LEN))
		return BAD("not a compiled pinfast policy");
	if (pf_le32(h + PF_HDR_VERSION) != PF_VERSION)
		return pf_diag(diag, PINFAST_EVERSION,
		    "compiled for another version of pinfast: compile the "
		    "policy again with this one");
	if (pf_le32(h + PF_HDR_LEN) != PF_HEADER_LEN)
		return BAD("the store's header is damaged");
	if (pf_le64(h + PF_HDR_SIZE) != image.len)
		return BAD("the store is truncated or has bytes after its end");
	if (image.len > PF_MAX_STORE)
		return pf_diag(diag, PINFAST_ELIMIT,
		    "the store is larger than this machine's limit");
	if (!all_zero(h + PF_HDR_RESERVED, PF_HDR_SUM - PF_HDR_RESERVED) ||
	    !all_zero(h + PF_HDR_RESERVED2, PF_HDR_DIGEST - PF_HDR_RESERVED2) ||
	    pf_le32(h + PF_HDR_FLAGS) != 0)
		return BAD("the store's reserved bytes are set");
	return PINFAST_OK;
}

static enum pinfast_error
check_policy_fields(const uint8_t *h, struct pinfast_diag *diag)
{
	int lapses = pf_le64(h + PF_HDR_VALID) != 0;
	uint8_t lapse = h[PF_HDR_ON_LAPSE];
	uint8_t unlisted = h[PF_HDR_UNLISTED];
	uint8_t unknown = h[PF_HDR_UNKNOWN_HOST];
	uint8_t https = h[PF_HDR_HTTPS_ONLY];

	if (lapses ? lapse != PINFAST_ENFORCE && lapse != PINFAST_REPORT
	           : lapse != 0)
		return BAD("the store's on-lapse is none");
	if ((unlisted != PINFAST_PASS && unlisted != PINFAST_REPORT &&
	        unlisted != PINFAST_DENY) ||
	    (unknown != PINFAST_PASS && unknown != PINFAST_REPORT &&
	        unknown != PINFAST_DENY))
		return BAD("the store's default actions are none");
	if (https < PINFAST_HTTPS_LISTED || https > PINFAST_HTTPS_NONE)
		return BAD("the store's https-only is none");
	if (pf_le64(h + PF_HDR_SERIAL) >> 63 != 0 ||
	    pf_le64(h + PF_HDR_ISSUED) >> 63 != 0 ||
	    pf_le64(h + PF_HDR_VALID) >> 63 != 0)
		return BAD("the store's serial or dates are negative");
	return PINFAST_OK;
}

/* The sections must follow each other exactly. */
static enum pinfast_error
check_sections(struct image *im, struct pinfast_diag *diag)
{
	const uint8_t *h = im->base;
	uint64_t buckets = pf_le32(h + PF_HDR_BUCKETS);
	uint32_t run = pf_le32(h + PF_HDR_RUN);
	uint64_t names;

	im->names_at = pf_le32(h + PF_HDR_NAMES_AT);
	im->rules_at = pf_le32(h + PF_HDR_RULES_AT);
	im->terms_at = pf_le32(h + PF_HDR_TERMS_AT);
	im->blobs_at = pf_le32(h + PF_HDR_BLOBS_AT);
	im->terms = pf_le32(h + PF_HDR_TERMS);
	names = PF_HEADER_LEN + (buckets + run) * PF_BUCKET_LEN;
	if (buckets == 0 || run > PF_MAX_RUN || im->terms > PF_MAX_TERMS)
		return BAD("the store's counts are out of range");
	if (pf_le32(h + PF_HDR_BUCKETS_AT) != PF_HEADER_LEN ||
	    im->names_at != names || im->rules_at < im->names_at ||
	    im->terms_at < im->rules_at ||
	    im->blobs_at != im->terms_at + (uint64_t)im->terms * PF_TERMS_LEN ||
	    im->blobs_at > im->size)
		return BAD("the store's sections do not fit");
	return PINFAST_OK;
}

/* A list of anchors that lies wholly inside the blobs. */
static int
anchors_fit(const struct image *im, uint32_t at)
{
	uint64_t left;
	uint32_t count;

	if (at < im->blobs_at || at > im->size || im->size - at < 4)
		return 0;
	count = pf_le32(im->base + at);
	if (count == 0 || count > PF_MAX_ANCHORS)
		return 0;
	left = im->size - at - 4;
	for (at += 4; count > 0; count--) {
		uint32_t len;

		if (left < 4)
			return 0;
		len = pf_le32(im->base + at);
		if (len == 0 || len > PF_MAX_CERT || len > left - 4)
			return 0;
		left -= 4 + (uint64_t)len;
		at += 4 + len;
	}
	return 1;
}

static int
times_fit(const uint8_t *t)
{
	uint8_t mode = t[PF_TERMS_MODE];
	uint8_t then = t[PF_TERMS_ON_EXPIRY];

	if (pf_le64(t + PF_TERMS_WARN) >> 63 != 0 ||
	    pf_le64(t + PF_TERMS_EXPIRES) >> 63 != 0)
		return 0;
	if (pf_le64(t + PF_TERMS_EXPIRES) == 0)
		return then == 0;
	if (then != PINFAST_ENFORCE && then != PINFAST_REPORT &&
	    then != PINFAST_DENY && then != PINFAST_UNPIN)
		return 0;
	return mode != PINFAST_OFF || then != PINFAST_ENFORCE;
}

/* `pkix: none` is never loosened and brings no anchors. */
static int
pkix_none_fits(const uint8_t *t)
{
	uint8_t then = t[PF_TERMS_ON_EXPIRY];

	return t[PF_TERMS_MODE] == PINFAST_ENFORCE &&
	       pf_le32(t + PF_TERMS_ANCHORS) == 0 &&
	       (t[PF_TERMS_FLAGS] & PF_TERM_REQUIRE_ALL) == 0 &&
	       then != PINFAST_REPORT && then != PINFAST_UNPIN;
}

static int
terms_fit(const struct image *im, const uint8_t *t)
{
	uint8_t mode = t[PF_TERMS_MODE];
	uint8_t flags = t[PF_TERMS_FLAGS];
	uint32_t anchors = pf_le32(t + PF_TERMS_ANCHORS);

	if ((mode != PINFAST_ENFORCE && mode != PINFAST_REPORT &&
	        mode != PINFAST_OFF) ||
	    (flags & ~PF_TERM_ALL) != 0 || t[3] != 0 ||
	    !all_zero(t + PF_TERMS_RESERVED, 8))
		return 0;
	if (anchors != 0 ? !anchors_fit(im, anchors)
	                 : !all_zero(t + PF_TERMS_TRUST, 32))
		return 0;
	if (!times_fit(t))
		return 0;
	if (flags & PF_TERM_PKIX_NONE)
		return pkix_none_fits(t);
	return (flags & PF_TERM_IGNORE_DATES) == 0;
}

static enum pinfast_error
check_terms(const struct image *im, struct pinfast_diag *diag)
{
	for (uint32_t i = 0; i < im->terms; i++)
		if (!terms_fit(im,
		        im->base + im->terms_at + (size_t)i * PF_TERMS_LEN))
			return BAD("the store holds terms that contradict "
			           "each other");
	return PINFAST_OK;
}

/* Sums on to a position, the end at most. */
static void
sum_to(struct image *im, size_t to)
{
	if (to > im->size)
		to = im->size;
	pf_sum_update(&im->sum, im->base + im->summed, to - im->summed);
	im->summed = to;
}

static int
shadow_fits(const uint8_t *rule)
{
	const uint8_t *s = rule + PF_RULE_LEN;

	return rule[PF_RULE_COUNTS + 5] == 0 ||
	       (uint32_t)s[0] + s[1] + s[2] + s[3] == rule[PF_RULE_COUNTS + 5];
}

/* Do a rule's lists keep the limits, and suit its terms? */
static int
counts_fit(const struct image *im, const uint8_t *rule)
{
	const uint8_t *n = rule + PF_RULE_COUNTS;
	uint32_t own = (uint32_t)n[0] + n[1] + n[2] + n[3];
	const uint8_t *t;

	if (pf_le16(rule) >= im->terms || own > PF_MAX_PINS ||
	    n[4] > PF_MAX_REJECT || n[5] > PF_MAX_PINS)
		return 0;
	t = im->base + im->terms_at + (size_t)pf_le16(rule) * PF_TERMS_LEN;
	if (t[PF_TERMS_FLAGS] & PF_TERM_PKIX_NONE)
		return n[0] == 0 && n[2] == 0 && n[1] + n[3] > 0;
	if (t[PF_TERMS_MODE] == PINFAST_OFF)
		return own + n[5] == 0;
	return t[PF_TERMS_MODE] != PINFAST_ENFORCE || own > 0 || n[4] > 0;
}

/*
 * A single rule whose bytes end before limit; 0: it does not fit.  Most rules
 * begin like the one before them, and then its counts are as good.
 */
static inline uint32_t
rule_extent(struct image *im, uint32_t at, uint32_t limit)
{
	const uint8_t *rule = im->base + at;

	if (at > limit || limit - at < PF_RULE_LEN)
		return 0;
	if (pf_le64(rule) != im->seen) {
		if (!counts_fit(im, rule))
			return 0;
		im->seen = pf_le64(rule);
		im->seen_size = pf_rule_size(rule);
	}
	if (im->seen_size > limit - at || !shadow_fits(rule))
		return 0;
	return im->seen_size;
}

/* Rows by port: sorted, different, each a single rule of the rules section. */
static uint32_t
ports_extent(struct image *im, uint32_t at, uint32_t limit)
{
	const uint8_t *rows = im->base + at + PF_PORTS_LEN;
	uint32_t count, size;
	int32_t last = -1;

	if (limit - at < PF_PORTS_LEN)
		return 0;
	count = pf_le16(im->base + at + 2);
	size = PF_PORTS_LEN + count * PF_PORT_ROW_LEN;
	if (count == 0 || size > limit - at)
		return 0;
	for (uint32_t i = 0; i < count; i++, rows += PF_PORT_ROW_LEN) {
		uint32_t rule = pf_le32(rows + 4);

		if (pf_le16(rows) <= last || pf_le16(rows + 2) != 0 ||
		    rule < im->rules_at ||
		    rule_extent(im, rule, im->terms_at) == 0)
			return 0;
		last = pf_le16(rows);
	}
	return size;
}

/* The record of one slot; returns where the next one must lie, or 0. */
static uint32_t
record_end(struct image *im, uint32_t at)
{
	const uint8_t *record = im->base + at;
	uint32_t rule, end, size;

	if (at < im->names_at || at > im->rules_at - PF_NAME_TEXT)
		return 0;
	rule = pf_le32(record + PF_NAME_RULE);
	if (record[PF_NAME_LEN] == 0 || record[PF_NAME_LEN] > PF_MAX_HOST ||
	    record[PF_NAME_LEN] > im->rules_at - at - PF_NAME_TEXT)
		return 0;
	end = at + PF_NAME_TEXT + record[PF_NAME_LEN];
	/* Behind the last name begin the rules that names share. */
	if (rule != end || end == im->rules_at)
		return rule >= im->rules_at &&
		               rule_extent(im, rule, im->terms_at) != 0
		           ? end
		           : 0;
	if (im->rules_at - end >= 2 &&
	    pf_le16(im->base + end) == PF_TERMS_BY_PORT)
		size = ports_extent(im, end, im->rules_at);
	else
		size = rule_extent(im, end, im->rules_at);
	return size == 0 ? 0 : end + size;
}

/*
 * Checks one bucket's records, the first of which must lie at *at, and moves
 * *at behind them.  Each is looked at where its slot says that it is, and only
 * then compared with the end of the one before: so none has to wait for it.
 */
static enum pinfast_error
check_bucket(struct image *im, const uint8_t *bucket, uint32_t *at,
    struct pinfast_diag *diag)
{
	const uint8_t *slot = bucket + PF_BUCKET_AT;
	unsigned n = bucket[0];
	uint32_t end[PF_BUCKET_SLOTS];

	if (n > PF_BUCKET_SLOTS || bucket[1] > 1 || pf_le16(bucket + 2) != 0)
		return BAD("the store's buckets are damaged");
	for (unsigned i = 0; i < n; i++)
		end[i] = record_end(im, pf_le32(slot + 4 * i));
	for (unsigned i = 0; i < n; i++) {
		if (pf_le32(slot + 4 * i) != *at)
			return BAD("the store's names are out of place");
		if (end[i] == 0)
			return BAD("the store holds a damaged entry");
		*at = end[i];
	}
	return PINFAST_OK;
}

/*
 * Every slot's record must lie where the one before it ended, so that each
 * offset names the start of a record and every byte belongs to one.
 */
static enum pinfast_error
check_names(struct image *im, struct pinfast_diag *diag)
{
	const uint8_t *h = im->base;
	const uint8_t *bucket = h + PF_HEADER_LEN;
	uint32_t total = pf_le32(h + PF_HDR_BUCKETS) + pf_le32(h + PF_HDR_RUN);
	uint32_t at = im->names_at;
	uint32_t slots = 0;

	sum_to(im, at);
	for (uint32_t b = 0; b < total; b++, bucket += PF_BUCKET_LEN) {
		enum pinfast_error error;

		if ((size_t)at + SUM_AHEAD / 4 > im->summed)
			sum_to(im, im->summed + SUM_AHEAD);
		error = check_bucket(im, bucket, &at, diag);
		if (error != PINFAST_OK)
			return error;
		slots += bucket[0];
	}
	if (at != im->rules_at || slots != pf_le32(h + PF_HDR_SLOTS))
		return BAD("the store's names do not add up");
	return PINFAST_OK;
}

static enum pinfast_error
check_blobs(const struct image *im, struct pinfast_diag *diag)
{
	const uint8_t *h = im->base;
	uint32_t reject = pf_le32(h + PF_HDR_REJECT_AT);
	uint32_t count = pf_le32(h + PF_HDR_REJECT_COUNT);
	uint32_t urls = pf_le32(h + PF_HDR_URLS_AT);
	uint32_t url_count = pf_le32(h + PF_HDR_URLS_COUNT);

	if (count > PF_MAX_REJECT || url_count > PF_MAX_REPORT_TO)
		return BAD("the store's lists are longer than their limits");
	if (reject < im->blobs_at || reject > im->size ||
	    count > (im->size - reject) / PINFAST_PIN_LEN)
		return BAD("the store's reject list does not fit");
	if (urls < im->blobs_at)
		return BAD("the store's report URLs do not fit");
	for (; url_count > 0; url_count--) {
		uint32_t len;

		if (urls > im->size || im->size - urls < 2)
			return BAD("the store's report URLs do not fit");
		len = pf_le16(h + urls);
		if (len > im->size - urls - 2)
			return BAD("the store's report URLs do not fit");
		urls += 2 + len;
	}
	return PINFAST_OK;
}

static enum pinfast_error
check_body(struct image *im, struct pinfast_diag *diag)
{
	enum pinfast_error error = check_policy_fields(im->base, diag);

	if (error == PINFAST_OK)
		error = check_sections(im, diag);
	if (error == PINFAST_OK)
		error = check_terms(im, diag);
	if (error == PINFAST_OK)
		error = check_blobs(im, diag);
	if (error == PINFAST_OK)
		error = check_names(im, diag);
	return error;
}

enum pinfast_error
pf_image_check(struct pinfast_bytes image, struct pinfast_diag *diag)
{
	struct image im;
	enum pinfast_error error = check_head(image, diag);

	if (error != PINFAST_OK)
		return error;
	memset(&im, 0, sizeof im);
	im.base = image.data;
	im.size = image.len;
	im.seen = UINT64_MAX; /* no rule begins so: such terms do not exist */
	im.summed = pf_sum_head(&im.sum, image.data);
	error = check_body(&im, diag);
	/* Whatever else is wrong, damage is what explains it. */
	sum_to(&im, im.size);
	if (pf_le64(im.base + PF_HDR_SUM) != pf_sum_final(&im.sum))
		return BAD("the store is damaged: its sum does not match");
	return error;
}
