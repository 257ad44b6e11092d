/*
 * Tags: what a full handshake proved, packed to be stored with the session.
 *
 * Layout, little-endian: 0 "PFT1", 4 u16 length, 6 u8 flags, 7 u8 evidence,
 * 8 u8 pkix, 9 u8 count, 10 u16 port, 12 u16 known, 14 u16 agreed, 16 policy
 * digest[32], 48 trust[32], 80 i64 path-until, 88 i64 verified-at, 96 i64
 * valid-until, 104 pass id[16], 120 hash of the session blob[32], 152 hash of
 * the leaf certificate[32], 184 u16 bad, 186 u8 host kind, 187 u8 host
 * length, 188 host, then 32 bytes for each known key, then u64 sum.
 *
 * The sum finds damage; whoever can write a session file could as well write
 * the session's secrets, so nothing here is signed.
 */
#include "core/conn.h"
#include "core/live.h"
#include "core/sum.h"

#define TAG_MAGIC "PFT1"
#define TAG_HEAD 188
#define TAG_SUM 8

#define FLAG_SERVER 1U
#define FLAG_BLOB 2U
#define FLAG_COMPLETE 4U /* every key of the path is known */
#define FLAG_LEAF_CERT 8U
#define FLAG_DATES 16U
#define FLAG_ALL 31U

static uint64_t
sum_of(const uint8_t *tag, size_t len)
{
	struct pf_sum sum;

	pf_sum_init(&sum);
	pf_sum_update(&sum, tag, len);
	return pf_sum_final(&sum);
}

static unsigned
bits(unsigned mask)
{
	unsigned n = 0;

	for (; mask != 0; mask &= mask - 1)
		n++;
	return n;
}

static int
is_complete(const struct pf_shown *s)
{
	return s->bad == 0 && bits(s->known) == s->count;
}

/* Only what was allowed on evidence, for one name, can be resumed. */
static int
can_be_tagged(const struct pinfast_conn *conn)
{
	const struct pf_shown *s = &conn->shown;

	return conn->settled && !conn->invalid && conn->judged &&
	       conn->name_count == 1 && s->count > 0 &&
	       conn->last.verdict.decision == PINFAST_ALLOW &&
	       (s->path_until != 0 || s->evidence == PINFAST_EVIDENCE_RAW_KEY);
}

static int64_t
valid_until(const struct pinfast_conn *conn)
{
	int64_t path = conn->shown.path_until;
	int64_t policy = conn->last.boundary;

	if (path == 0 || policy == 0)
		return path + policy;
	return path < policy ? path : policy;
}

static void
put_fixed(const struct pinfast_conn *conn, uint8_t *tag)
{
	const struct pf_shown *s = &conn->shown;
	const struct pf_host *host = conn->names[0];

	memcpy(tag, TAG_MAGIC, 4);
	tag[6] = (uint8_t)((conn->server ? FLAG_SERVER : 0U) |
	                   (is_complete(s) ? FLAG_COMPLETE : 0U) |
	                   (s->leaf_cert_known ? FLAG_LEAF_CERT : 0U) |
	                   (s->dates_known ? FLAG_DATES : 0U));
	tag[7] = s->evidence;
	tag[8] = s->pkix;
	tag[9] = s->count;
	pf_put_le16(tag + 10, conn->port);
	pf_put_le16(tag + 12, s->known);
	pf_put_le16(tag + 14, s->agreed);
	memcpy(tag + 16, conn->last.policy, 32);
	memcpy(tag + 48, s->trust, 32);
	pf_put_le64(tag + 80, (uint64_t)s->path_until);
	pf_put_le64(tag + 88, (uint64_t)s->verified_at);
	pf_put_le64(tag + 96, (uint64_t)valid_until(conn));
	memset(tag + 104, 0, 16);
	memcpy(tag + 152, s->leaf_cert, 32);
	pf_put_le16(tag + 184, s->bad);
	tag[186] = host->kind;
	tag[187] = host->key_len;
	memcpy(tag + TAG_HEAD, host->key, host->key_len);
}

enum pinfast_error
pinfast_conn_tag(struct pinfast_conn *conn, struct pinfast_bytes blob,
    uint8_t tag[PINFAST_TAG_MAX], size_t *len)
{
	const struct pf_shown *s = &conn->shown;
	uint8_t hash[32] = {0};
	size_t at;

	if (!can_be_tagged(conn))
		return PINFAST_ENOTFOUND;
	if (blob.len > 0 &&
	    pf_live_hash(conn->policy, blob.data, blob.len, hash) != 0)
		return PINFAST_EIO;
	put_fixed(conn, tag);
	memcpy(tag + 120, hash, 32);
	if (blob.len > 0)
		tag[6] |= FLAG_BLOB;
	at = TAG_HEAD + conn->names[0]->key_len;
	for (unsigned i = 0; i < s->count; i++)
		if (s->known >> i & 1) {
			memcpy(tag + at, s->hash[i], PINFAST_PIN_LEN);
			at += PINFAST_PIN_LEN;
		}
	pf_put_le16(tag + 4, (uint16_t)(at + TAG_SUM));
	pf_put_le64(tag + at, sum_of(tag, at));
	*len = at + TAG_SUM;
	return PINFAST_OK;
}

static int
masks_fit(const uint8_t *t)
{
	unsigned all = (1U << t[9]) - 1;

	return ((unsigned)(pf_le16(t + 12) | pf_le16(t + 14) |
	                   pf_le16(t + 184)) &
	           ~all) == 0 &&
	       (pf_le16(t + 12) & pf_le16(t + 184)) == 0;
}

/* Evidence and what the library said must belong together. */
static int
evidence_fits(uint8_t evidence, uint8_t pkix, uint8_t count)
{
	switch (evidence) {
	case PINFAST_EVIDENCE_VERIFIED_PATH:
		return pkix == PINFAST_PKIX_OK && count <= PF_MAX_PATH;
	case PINFAST_EVIDENCE_LEAF_ONLY:
		return count == 1 && (pkix == PINFAST_PKIX_NOT_RUN ||
		                         pkix == PINFAST_PKIX_OVERRIDDEN);
	case PINFAST_EVIDENCE_RAW_KEY:
		return count == 1 && pkix == PINFAST_PKIX_NOT_RUN;
	case PINFAST_EVIDENCE_FAILED:
		return count == 1 && pkix == PINFAST_PKIX_FAILED;
	default:
		return 0;
	}
}

static int
tag_fits(struct pinfast_bytes tag)
{
	const uint8_t *t = tag.data;
	size_t want;

	if (t == NULL || tag.len < TAG_HEAD + TAG_SUM ||
	    tag.len > PINFAST_TAG_MAX || !pf_same(t, TAG_MAGIC, 4) ||
	    pf_le16(t + 4) != tag.len || (t[6] & ~FLAG_ALL) != 0)
		return 0;
	if (t[9] == 0 || !evidence_fits(t[7], t[8], t[9]) || !masks_fit(t))
		return 0;
	want = TAG_HEAD + (size_t)t[187] +
	       (size_t)bits(pf_le16(t + 12)) * PINFAST_PIN_LEN + TAG_SUM;
	return tag.len == want &&
	       pf_le64(t + tag.len - TAG_SUM) == sum_of(t, tag.len - TAG_SUM);
}

/* Is it this connection's: host, port, side, session? */
static int
tag_is_ours(const struct pinfast_conn *conn, const uint8_t *t,
    struct pinfast_bytes blob)
{
	const struct pf_host *host;
	uint8_t hash[32];

	if (conn->name_count != 1 || conn->invalid)
		return 0;
	host = conn->names[0];
	if (t[187] != host->key_len || t[186] != host->kind ||
	    !pf_same(t + TAG_HEAD, host->key, host->key_len) ||
	    pf_le16(t + 10) != conn->port ||
	    ((t[6] & FLAG_SERVER) != 0) != (conn->server != 0))
		return 0;
	if (((t[6] & FLAG_BLOB) != 0) != (blob.len > 0))
		return 0;
	if (blob.len == 0)
		return 1;
	return pf_live_hash(conn->policy, blob.data, blob.len, hash) == 0 &&
	       pf_same(hash, t + 120, 32);
}

static void
read_shown(struct pf_shown *s, const uint8_t *t)
{
	const uint8_t *at = t + TAG_HEAD + t[187];

	s->evidence = t[7];
	s->pkix = t[8];
	s->count = t[9];
	s->known = pf_le16(t + 12);
	s->agreed = pf_le16(t + 14);
	s->bad = pf_le16(t + 184);
	memcpy(s->trust, t + 48, 32);
	s->path_until = (int64_t)pf_le64(t + 80);
	s->verified_at = (int64_t)pf_le64(t + 88);
	s->leaf_cert_known = (t[6] & FLAG_LEAF_CERT) != 0;
	memcpy(s->leaf_cert, t + 152, 32);
	/* The leaf was valid when it was verified, and is until path_until. */
	s->dates_known = (t[6] & FLAG_DATES) != 0;
	s->not_before = s->verified_at;
	s->not_after = s->path_until;
	for (unsigned i = 0; i < s->count; i++)
		if (s->known >> i & 1) {
			memcpy(s->hash[i], at, PINFAST_PIN_LEN);
			at += PINFAST_PIN_LEN;
		}
}

/*
 * Today's policy judges the keys again, also when its digest is the tag's:
 * nothing is hashed, so there is nothing to save by not asking.
 */
struct pinfast_verdict
pinfast_judge_tag(struct pinfast_conn *conn, struct pinfast_bytes tag,
    struct pinfast_bytes blob)
{
	struct pf_view view;
	int64_t until;

	if (conn->settled) {
		struct pinfast_verdict late = {0, PINFAST_REASON_SETTLED};

		return late;
	}
	pf_conn_begin(conn, PINFAST_EVIDENCE_TAG, PINFAST_PKIX_NOT_RUN, &view);
	conn->resumed = 1;
	if (!tag_fits(tag))
		return pf_conn_deny(conn, PINFAST_REASON_TAG_INVALID);
	if (!tag_is_ours(conn, tag.data, blob))
		return pf_conn_deny(conn, PINFAST_REASON_TAG_MISMATCH);
	read_shown(&conn->shown, tag.data);
	until = conn->shown.path_until;
	if (conn->now < conn->shown.verified_at ||
	    (until != 0 && conn->now >= until))
		return pf_conn_deny(conn, PINFAST_REASON_TAG_EXPIRED);
	return pf_conn_end(conn, &view);
}
