/*
 * What an adapter asks before and between judgements: it steers the TLS
 * library and decides nothing.
 */
#include "core/conn.h"
#include "core/live.h"
#include "base/sha256.h"

/* Calls fn with the rule of every entry that the connection's names have.
 * found is NULL for a name without entry. */
typedef void (*rule_fn)(void *arg, const struct pinfast_store *store,
    const struct pf_rule *rule);

static void
each_row(const struct pinfast_store *store, const struct pf_found *found,
    rule_fn fn, void *arg)
{
	uint32_t rows = found->all_rows ? pf_rule_rows(store, found->rule) : 1;

	for (uint32_t i = 0; i < rows; i++) {
		struct pf_rule rule;
		uint32_t at = found->rule;
		uint16_t port;

		if (found->all_rows)
			at = pf_rule_row(store, found->rule, i, &port);
		pf_rule_read(store, at, &rule);
		fn(arg, store, &rule);
	}
}

static void
each_rule(const struct pinfast_conn *conn, const struct pinfast_store *store,
    rule_fn fn, void *arg)
{
	for (unsigned i = 0; i < conn->name_count; i++) {
		struct pf_found found;
		int has = conn->server
		              ? pf_lookup_client(store, conn->names[i], &found)
		              : pf_lookup_host(store, conn->names[i],
		                    conn->port, &found);

		if (has)
			each_row(store, &found, fn, arg);
		else
			fn(arg, store, NULL);
	}
}

struct wanting {
	const uint8_t *hash;
	int answer;
};

static int
has(const uint8_t *pins, unsigned count, const uint8_t *hash)
{
	for (; count > 0; count--, pins += PINFAST_PIN_LEN)
		if (pf_same(pins, hash, PINFAST_PIN_LEN))
			return 1;
	return 0;
}

static void
want_rule(void *arg, const struct pinfast_store *store,
    const struct pf_rule *rule)
{
	struct wanting *w = arg;

	if (has(store->reject, store->reject_count, w->hash) ||
	    (rule != NULL && has(rule->reject, rule->reject_count, w->hash)))
		w->answer = -1;
	if (rule == NULL || w->answer != 0)
		return;
	for (unsigned i = PINFAST_ROLE_ANY; i <= PINFAST_ROLE_CA; i++)
		if (has(rule->own.pins[i], rule->own.count[i], w->hash))
			w->answer = 1;
}

int
pf_conn_wants(struct pinfast_conn *conn, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct wanting w = {pin, 0};
	const struct pinfast_store *store;
	unsigned side;

	store = pf_live_enter(conn->policy, &side);
	if (store != NULL)
		each_rule(conn, store, want_rule, &w);
	pf_live_leave(conn->policy, side);
	return w.answer;
}

int
pinfast_conn_wants(struct pinfast_conn *conn, struct pinfast_bytes spki)
{
	uint8_t pin[PINFAST_PIN_LEN];

	if (pf_live_hash(conn->policy, spki.data, spki.len, pin) != 0)
		return 0;
	return pf_conn_wants(conn, pin);
}

static void
hash_lists(struct pf_sha256 *hash, const struct pf_lists *lists)
{
	for (unsigned i = 0; i < PF_LISTS; i++)
		pf_sha256_update(hash, lists->pins[i],
		    (size_t)lists->count[i] * PINFAST_PIN_LEN);
}

struct hashing {
	struct pf_sha256 hash;
	int64_t now;
};

/* What time has made of an entry: other terms than it had before. */
static uint8_t
over(const struct pinfast_store *store, const struct pf_rule *rule, int64_t now)
{
	uint8_t over = rule->expires != 0 && now >= rule->expires;

	if (store->valid_until != 0 && now >= store->valid_until)
		over |= 2;
	return over;
}

/* Everything that is of a fixed length comes before what is not. */
static void
hash_rule(void *arg, const struct pinfast_store *store,
    const struct pf_rule *rule)
{
	struct hashing *h = arg;
	struct pf_sha256 *hash = &h->hash;
	uint8_t head[16] = {0};

	pf_put_le32(head + 12, store->reject_count);
	if (rule != NULL) {
		memcpy(head, rule->own.count, PF_LISTS);
		head[4] = rule->reject_count;
		head[5] = rule->mode;
		head[6] = rule->flags;
		head[7] = rule->on_expiry;
		head[8] = 1;
		head[9] = over(store, rule, h->now);
	}
	pf_sha256_update(hash, head, sizeof head);
	pf_sha256_update(hash, store->reject,
	    (size_t)store->reject_count * PINFAST_PIN_LEN);
	if (rule == NULL)
		return;
	pf_put_le64(head, (uint64_t)rule->expires);
	pf_sha256_update(hash, head, 8);
	pf_sha256_update(hash, rule->trust, 32);
	hash_lists(hash, &rule->own);
	pf_sha256_update(hash, rule->reject,
	    (size_t)rule->reject_count * PINFAST_PIN_LEN);
}

int
pinfast_conn_terms(struct pinfast_conn *conn, uint8_t out[32])
{
	const struct pinfast_store *store;
	struct hashing h = {.now = conn->now};
	unsigned side;
	int has_policy;

	pf_sha256_init(&h.hash);
	store = pf_live_enter(conn->policy, &side);
	has_policy = store != NULL;
	if (has_policy)
		each_rule(conn, store, hash_rule, &h);
	pf_live_leave(conn->policy, side);
	pf_sha256_final(&h.hash, out);
	return has_policy;
}

struct needing {
	unsigned needs;
	unsigned entries;
	unsigned leaf_only; /* of them are `pkix: none` */
	unsigned leaf_pins; /* of them have no other pins, nor a shadow set */
};

static void
need_rule(void *arg, const struct pinfast_store *store,
    const struct pf_rule *rule)
{
	struct needing *n = arg;

	n->entries++;
	if (store->reject_count > 0)
		n->needs |= PINFAST_NEED_PATH;
	if (rule == NULL) {
		n->needs |= PINFAST_NEED_PKIX;
		return;
	}
	if (rule->flags & PF_TERM_PKIX_NONE) {
		n->leaf_only++;
		return;
	}
	n->needs |= PINFAST_NEED_PKIX;
	if (rule->anchors != 0)
		n->needs |= PINFAST_NEED_TRUST;
	if (rule->own.count[PINFAST_ROLE_ANY] > 0 ||
	    rule->own.count[PINFAST_ROLE_CA] > 0)
		n->needs |= PINFAST_NEED_PATH;
	else if (rule->pin_count > 0 && rule->shadow_count == 0)
		n->leaf_pins++;
	if (rule->reject_count > 0)
		n->needs |= PINFAST_NEED_PATH;
}

unsigned
pinfast_conn_needs(struct pinfast_conn *conn)
{
	struct needing n = {0, 0, 0, 0};
	const struct pinfast_store *store;
	unsigned side;

	store = pf_live_enter(conn->policy, &side);
	if (store != NULL)
		each_rule(conn, store, need_rule, &n);
	pf_live_leave(conn->policy, side);
	if (n.entries == 0)
		return PINFAST_NEED_PKIX;
	if (n.leaf_only == n.entries)
		return PINFAST_NEED_LEAF_ONLY;
	if (n.leaf_pins == n.entries)
		n.needs |= PINFAST_NEED_LEAF;
	return n.needs;
}

struct trusting {
	uint32_t anchors; /* offset of the list */
	uint8_t trust[32];
	unsigned entries;
	int conflict;
};

static void
trust_rule(void *arg, const struct pinfast_store *store,
    const struct pf_rule *rule)
{
	static const uint8_t applications[32] = {0};
	struct trusting *t = arg;
	const uint8_t *trust = rule != NULL ? rule->trust : applications;

	(void)store;
	/* Nobody verifies for `pkix: none`. */
	if (rule != NULL && (rule->flags & PF_TERM_PKIX_NONE))
		return;
	if (t->entries++ > 0 && !pf_same(t->trust, trust, 32))
		t->conflict = 1;
	memcpy(t->trust, trust, 32);
	t->anchors = rule != NULL ? rule->anchors : 0;
}

static int
each_anchor(const struct pinfast_store *store, uint32_t list,
    pinfast_anchor_fn fn, void *arg)
{
	const uint8_t *at = store->base + list;
	uint32_t count = list == 0 ? 0 : pf_le32(at);

	for (uint32_t i = 0; i < count; i++) {
		struct pinfast_bytes der;
		int stop;

		der.len = pf_le32(at + 4);
		der.data = at + 8;
		at += 4 + der.len;
		stop = fn == NULL ? 0 : fn(arg, der);
		if (stop != 0)
			return stop > 0 ? -stop : stop;
	}
	return (int)count;
}

int
pinfast_conn_trust(struct pinfast_conn *conn, pinfast_anchor_fn fn, void *arg)
{
	struct trusting t;
	const struct pinfast_store *store;
	unsigned side;
	int result = 0;

	memset(&t, 0, sizeof t);
	store = pf_live_enter(conn->policy, &side);
	if (store != NULL)
		each_rule(conn, store, trust_rule, &t);
	if (t.conflict)
		result = -1;
	else if (store != NULL)
		result = each_anchor(store, t.anchors, fn, arg);
	pf_live_leave(conn->policy, side);
	if (result >= 0)
		memcpy(conn->trust, t.trust, 32);
	return result;
}
