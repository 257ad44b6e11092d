#include "core/lookup.h"

#include "core/rule.h"
#include "core/sum.h"

/* A name has at most 127 labels, so at most 126 proper suffixes. */
#define MAX_SUFFIXES 128

struct suffix {
	uint64_t hash;
	uint32_t at;
};

/* Many of them: as two arrays they take little more than half the stack. */
struct suffixes {
	uint64_t hash[MAX_SUFFIXES];
	uint8_t at[MAX_SUFFIXES]; /* a key has less than 256 bytes */
};

/* What is looked for, and where. */
struct asked {
	const struct pinfast_store *store;
	const struct pf_host *host;
	uint16_t port;
};

static const uint8_t *
bucket_of(const struct pinfast_store *store, uint64_t hash)
{
	return store->buckets_at +
	       (size_t)pf_name_bucket(hash, store->buckets) * PF_BUCKET_LEN;
}

/* The rule of a name and scope, or 0. */
static uint32_t
probe(const struct pinfast_store *store, uint64_t hash, unsigned scope,
    const uint8_t *name, size_t len)
{
	const uint8_t *bucket = bucket_of(store, hash);
	uint16_t want = (uint16_t)((hash & PF_TAG_HASH) | scope);
	uint32_t further = store->run;

	for (;; bucket += PF_BUCKET_LEN) {
		for (unsigned i = 0; i < bucket[0]; i++) {
			const uint8_t *record;

			if (pf_le16(bucket + PF_BUCKET_TAG + 2 * i) != want)
				continue;
			record = store->base +
			         pf_le32(bucket + PF_BUCKET_AT + 4 * i);
			if (record[PF_NAME_LEN] == len &&
			    memcmp(record + PF_NAME_TEXT, name, len) == 0)
				return pf_le32(record + PF_NAME_RULE);
		}
		if (bucket[1] == 0 || further-- == 0)
			return 0;
	}
}

/* A rule that was found, narrowed to the port; 0: no candidate. */
static int
settle_port(const struct pinfast_store *store, uint32_t rule, uint16_t port,
    struct pf_found *found)
{
	found->rule = rule;
	found->port = 0;
	found->all_rows = 0;
	if (pf_le16(store->base + rule) != PF_TERMS_BY_PORT)
		return 1;
	if (port == 0) {
		found->all_rows = 1;
		return 1;
	}
	found->rule = pf_rule_for_port(store, rule, port, &found->port);
	return found->rule != 0;
}

static int
try_scope(const struct asked *a, const struct suffix *suffix, unsigned scope,
    struct pf_found *found)
{
	uint32_t rule = probe(a->store, suffix->hash, scope,
	    a->host->key + suffix->at, a->host->key_len - suffix->at);

	if (rule == 0 || !settle_port(a->store, rule, a->port, found))
		return 0;
	found->name_at = suffix->at;
	found->scope = (int32_t)scope;
	return 1;
}

/*
 * Collects the proper suffixes that some covering entry could have, shortest
 * first, and starts loading their buckets.
 */
static size_t
collect_suffixes(const struct pinfast_store *store, const struct pf_host *host,
    struct suffixes *out)
{
	uint64_t depths = store->depths;
	size_t count = 0;
	unsigned depth = 1;

	for (size_t i = host->key_len; i-- > 1 && depths >> depth != 0;) {
		if (host->key[i] != '.')
			continue;
		if (depths >> depth & 1) {
			out->at[count] = (uint8_t)(i + 1);
			out->hash[count] = pf_name_hash(store->seed,
			    host->key + i + 1, host->key_len - i - 1);
			PF_PREFETCH(bucket_of(store, out->hash[count]));
			count++;
		}
		if (depth < 63)
			depth++;
	}
	return count;
}

static struct suffix
nth(const struct suffixes *all, size_t i)
{
	struct suffix suffix = {all->hash[i], all->at[i]};

	return suffix;
}

/* Is there exactly one label before position at? */
static int
one_label_before(const struct pf_host *host, uint32_t at)
{
	return memchr(host->key, '.', at - 1) == NULL;
}

int
pf_lookup_host(const struct pinfast_store *store, const struct pf_host *host,
    uint16_t port, struct pf_found *found)
{
	const struct asked asked = {store, host, port};
	struct suffixes suffixes;
	struct suffix whole;
	size_t count = 0;

	whole.hash = pf_name_hash(store->seed, host->key, host->key_len);
	whole.at = 0;
	if (store->depths != 0 && host->kind == PF_HOST_NAME) {
		PF_PREFETCH(bucket_of(store, whole.hash));
		count = collect_suffixes(store, host, &suffixes);
	}
	if (try_scope(&asked, &whole, PINFAST_SCOPE_EXACT, found))
		return 1;
	while (count-- > 0) {
		const struct suffix s = nth(&suffixes, count);

		if (one_label_before(host, s.at) &&
		    try_scope(&asked, &s, PINFAST_SCOPE_ONE, found))
			return 1;
		if (try_scope(&asked, &s, PINFAST_SCOPE_ANY, found))
			return 1;
	}
	return 0;
}

int
pf_lookup_client(const struct pinfast_store *store, const struct pf_host *label,
    struct pf_found *found)
{
	const struct asked asked = {store, label, 0};
	struct suffix whole;

	whole.hash = pf_name_hash(store->seed, label->key, label->key_len);
	whole.at = 0;
	return try_scope(&asked, &whole, PINFAST_SCOPE_CLIENT, found);
}

/* Hands out every row of one name and scope. */
static int
walk_scope(const struct asked *a, const struct suffix *suffix, unsigned scope,
    pf_lookup_fn fn, void *arg)
{
	uint32_t rule = probe(a->store, suffix->hash, scope,
	    a->host->key + suffix->at, a->host->key_len - suffix->at);
	uint32_t rows = rule == 0 ? 0 : pf_rule_rows(a->store, rule);
	int result = 0;

	for (uint32_t i = 0; i < rows && result == 0; i++) {
		struct pf_found row = {0, suffix->at, (int32_t)scope, 0, 0};

		row.rule = pf_rule_row(a->store, rule, i, &row.port);
		result = fn(arg, &row);
	}
	return result;
}

int
pf_lookup_walk(const struct pinfast_store *store, const struct pf_host *host,
    pf_lookup_fn fn, void *arg)
{
	const struct asked asked = {store, host, 0};
	struct suffixes suffixes;
	struct suffix whole;
	size_t count = 0;
	int result;

	whole.hash = pf_name_hash(store->seed, host->key, host->key_len);
	whole.at = 0;
	if (host->kind == PF_HOST_NAME)
		count = collect_suffixes(store, host, &suffixes);
	result = walk_scope(&asked, &whole, PINFAST_SCOPE_EXACT, fn, arg);
	while (result == 0 && count-- > 0) {
		const struct suffix s = nth(&suffixes, count);

		if (one_label_before(host, s.at))
			result =
			    walk_scope(&asked, &s, PINFAST_SCOPE_ONE, fn, arg);
		if (result == 0)
			result =
			    walk_scope(&asked, &s, PINFAST_SCOPE_ANY, fn, arg);
	}
	return result;
}
