#include "adapt/paths.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/budget.h"
#include "base/bytes.h"

/* -------------------------------------------------------------------- links */

int
pf_bytes_same(struct pinfast_bytes a, struct pinfast_bytes b)
{
	return a.len == b.len && pf_same(a.data, b.data, a.len);
}

enum pinfast_error
pf_link_set(struct pf_link *link, struct pinfast_bytes der, void *object)
{
	enum pinfast_error error;

	memset(link, 0, sizeof *link);
	link->der = der;
	link->object = object;
	error = pf_cert_walk(der, &link->walked, NULL);
	link->is_walked = error == PINFAST_OK;
	return error;
}

static const struct pinfast_bytes nothing;

void
pf_link_recall(struct pf_link *link, struct pinfast_bytes der,
    struct pf_seen *seen)
{
	struct pf_facts facts;

	if (seen == NULL || !pf_seen_get(seen, der, nothing, &facts)) {
		(void)pf_link_set(link, der, NULL);
		link->is_new = seen != NULL;
		return;
	}
	memset(link, 0, sizeof *link);
	link->der = der;
	link->walked = facts.walked;
	link->is_walked = 1;
	link->is_seen = 1;
	link->not_after = facts.not_after;
	link->has_pin = facts.has_pin != 0;
	memcpy(link->pin, facts.pin, PINFAST_PIN_LEN);
}

/* -------------------------------------------------------------------- pools */

/* FNV-1a: who sends many of one bucket only uses up his own budget. */
static size_t
bucket_of(struct pinfast_bytes name)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.data[i]) * 16777619U;
	return (hash ^ hash >> 16) % PF_POOL_BUCKETS;
}

void
pf_pool_init(struct pf_pool *pool)
{
	pool->links = NULL;
	pool->count = 0;
	pool->room = 0;
}

static void
free_copy(const struct pf_link *link)
{
	void *copy;

	if (!link->is_copy)
		return;
	memcpy(&copy, &link->der.data, sizeof copy);
	free(copy);
}

void
pf_pool_fini(struct pf_pool *pool, void (*release)(void *object))
{
	for (size_t i = 0; i < pool->count; i++) {
		free_copy(&pool->links[i]);
		if (release != NULL)
			release(pool->links[i].object);
	}
	free(pool->links);
	pf_pool_init(pool);
}

static int
has_room(struct pf_pool *pool)
{
	size_t room = pool->room == 0 ? 8 : pool->room * 2;
	struct pf_link *links;

	if (pool->count < pool->room)
		return 1;
	if (room > SIZE_MAX / sizeof *links)
		return 0;
	links = realloc(pool->links, room * sizeof *links);
	if (links == NULL)
		return 0;
	if (pool->room == 0) {
		memset(pool->first, 0, sizeof pool->first);
		memset(pool->last, 0, sizeof pool->last);
	}
	pool->links = links;
	pool->room = room;
	return 1;
}

/* Behind those of the same bucket, so that the order stays. */
static void
append(struct pf_pool *pool, const struct pf_link *link)
{
	size_t bucket = bucket_of(link->walked.subject);

	pool->links[pool->count++] = *link;
	if (pool->last[bucket] != 0)
		pool->links[pool->last[bucket] - 1].next = pool->count;
	else
		pool->first[bucket] = pool->count;
	pool->last[bucket] = pool->count;
}

enum pinfast_error
pf_pool_add(struct pf_pool *pool, struct pinfast_bytes der, void *object)
{
	struct pf_link link;
	enum pinfast_error error = pf_link_set(&link, der, object);

	if (error != PINFAST_OK)
		return error;
	if (!has_room(pool))
		return PINFAST_ENOMEM;
	append(pool, &link);
	return PINFAST_OK;
}

enum pinfast_error
pf_pool_add_copy(struct pf_pool *pool, struct pinfast_bytes der, void *object)
{
	struct pinfast_bytes copied;
	enum pinfast_error error;
	uint8_t *copy = malloc(der.len > 0 ? der.len : 1);

	if (copy == NULL)
		return PINFAST_ENOMEM;
	if (der.len > 0)
		memcpy(copy, der.data, der.len);
	copied.data = copy;
	copied.len = der.len;
	error = pf_pool_add(pool, copied, object);
	if (error != PINFAST_OK)
		free(copy);
	else
		pool->links[pool->count - 1].is_copy = 1;
	return error;
}

/* The first of this subject at or behind index + 1; NULL: no more. */
static const struct pf_link *
named(const struct pf_pool *pool, size_t at, struct pinfast_bytes subject)
{
	while (at != 0) {
		const struct pf_link *link = &pool->links[at - 1];

		if (pf_bytes_same(link->walked.subject, subject))
			return link;
		at = link->next;
	}
	return NULL;
}

static const struct pf_link *
first_named(const struct pf_pool *pool, struct pinfast_bytes subject)
{
	if (pool == NULL || pool->count == 0)
		return NULL;
	return named(pool, pool->first[bucket_of(subject)], subject);
}

static const struct pf_link *
next_named(const struct pf_pool *pool, const struct pf_link *link)
{
	return named(pool, link->next, link->walked.subject);
}

const struct pf_link *
pf_pool_find(const struct pf_pool *pool, const struct pf_link *like)
{
	const struct pf_link *link = NULL;

	if (like->is_walked)
		link = first_named(pool, like->walked.subject);
	while (link != NULL && !pf_bytes_same(link->der, like->der))
		link = next_named(pool, link);
	return link;
}

/* ------------------------------------------------------------------ judging */

static int
cert_of(void *arg, size_t index, struct pinfast_cert *out)
{
	struct pf_paths *p = arg;

	memset(out, 0, sizeof *out);
	out->der = p->path[index]->der;
	return p->view(p->arg, index, p->path[index], out);
}

static int64_t
link_until(const struct pf_link *link)
{
	int64_t begin, end;

	if (link->is_seen)
		return link->not_after;
	if (!link->is_walked ||
	    pf_cert_times(&link->walked, &begin, &end) != PINFAST_OK)
		return 0;
	return end;
}

static int64_t
not_after(void *arg, size_t index)
{
	const struct pf_paths *p = arg;

	return link_until(p->path[index]);
}

static int
known(void *arg, size_t index, uint8_t pin[PINFAST_PIN_LEN])
{
	const struct pf_paths *p = arg;
	const struct pf_link *link = p->path[index];
	const uint8_t *found = NULL;
	struct pf_facts facts;

	if (p->has_leaf_pin && link == p->leaf)
		found = p->leaf_pin;
	else if (link->has_pin)
		found = link->pin;
	else if (p->seen != NULL &&
	         pf_seen_get(p->seen, link->der, nothing, &facts) &&
	         facts.has_pin)
		found = facts.pin;
	if (found != NULL)
		memcpy(pin, found, PINFAST_PIN_LEN);
	return found != NULL;
}

/* pin: NULL, it is not known. */
static void
remember(const struct pf_paths *p, const struct pf_link *link,
    const uint8_t *pin)
{
	struct pf_facts facts;

	if (p->seen == NULL)
		return;
	memset(&facts, 0, sizeof facts);
	facts.walked = link->walked;
	facts.not_after = link_until(link);
	facts.has_pin = pin != NULL;
	if (pin != NULL)
		memcpy(facts.pin, pin, PINFAST_PIN_LEN);
	pf_seen_put(p->seen, link->der, nothing, &facts);
}

static void
learned(void *arg, size_t index, const uint8_t pin[PINFAST_PIN_LEN])
{
	const struct pf_paths *p = arg;

	remember(p, p->path[index], pin);
}

/* Anybody can show what nobody verified: it is kept for this time only. */
static void
keep_leaf(void *arg, size_t index, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct pf_paths *p = arg;

	(void)index;
	p->has_leaf_pin = 1;
	memcpy(p->leaf_pin, pin, PINFAST_PIN_LEN);
}

struct pinfast_path
pf_paths_last(struct pf_paths *p)
{
	struct pinfast_path path = {
	    p->count, p, cert_of, not_after, known, learned};

	return path;
}

static struct pinfast_verdict
judge(struct pf_paths *p, const struct pf_link *const *path, size_t count)
{
	struct pinfast_path lazy;

	/* What is too long is refused before anybody looks into it. */
	p->count = count < PINFAST_PATH_MAX ? count : PINFAST_PATH_MAX;
	for (size_t i = 0; i < p->count; i++)
		p->path[i] = path[i];
	/* Now that they are verified they may be remembered. */
	for (size_t i = 0; i < p->count; i++)
		if (path[i]->is_new && path[i]->is_walked)
			remember(p, path[i], NULL);
	if (p->has_leaf_pin && p->count > 0 && p->path[0] == p->leaf)
		learned(p, 0, p->leaf_pin);
	lazy = pf_paths_last(p);
	lazy.count = count;
	return pinfast_judge_path_lazy(p->conn, &lazy);
}

/* The leaf alone; 0: there is none, or the library's view cannot be had. */
static int
leaf_of(struct pf_paths *p, struct pinfast_cert *out)
{
	if (p->leaf == NULL)
		return 0;
	p->path[0] = p->leaf;
	p->count = 1;
	return cert_of(p, 0, out) == 0;
}

int
pf_paths_before(struct pf_paths *p)
{
	struct pinfast_path lazy;

	if (p->leaf == NULL)
		return 0;
	p->path[0] = p->leaf;
	p->count = 1;
	lazy = pf_paths_last(p);
	lazy.learned = p->seen != NULL ? keep_leaf : NULL;
	return pinfast_judge_before(p->conn, &lazy);
}

struct pinfast_verdict
pf_paths_leaf(struct pf_paths *p, enum pinfast_pkix pkix)
{
	struct pinfast_cert leaf;
	int have = leaf_of(p, &leaf);

	return pinfast_judge_leaf(p->conn, have ? &leaf : NULL, pkix);
}

struct pinfast_verdict
pf_paths_failed(struct pf_paths *p, enum pinfast_reason why)
{
	struct pinfast_cert leaf;
	int have = leaf_of(p, &leaf);

	return pinfast_judge_failed(p->conn, have ? &leaf : NULL, why);
}

/* ---------------------------------------------------------------- searching */

enum end { END_NONE, END_FOUND, END_LIMIT };

/* A walk, depth first, over who may have issued whom. */
struct walk {
	struct pf_paths *p;
	const struct pf_link *path[PINFAST_PATH_MAX];
	/* Who comes next as the issuer of path[i], anchors first. */
	const struct pf_link *next[PINFAST_PATH_MAX];
	uint8_t from_sent[PINFAST_PATH_MAX];
	int8_t wants[PINFAST_PATH_MAX]; /* pinfast_conn_wants(path[i]) */
	size_t depth;                   /* certificates in path */
	unsigned builds;
	unsigned checks;
	unsigned steps;
	int any;          /* any path that verifies will do */
	int needs_wanted; /* a path without a pinned key cannot do */
	struct pinfast_verdict verdict;
	enum end end;
};

static int
in_path(const struct walk *w, const struct pf_link *link)
{
	for (size_t i = 0; i < w->depth; i++)
		if (pf_bytes_same(w->path[i]->der, link->der))
			return 1;
	return 0;
}

static int
is_promising(const struct walk *w)
{
	int promising = 0;

	if (w->any)
		return 1;
	for (size_t i = 0; i < w->depth; i++) {
		if (w->wants[i] < 0)
			return 0;
		promising |= w->wants[i];
	}
	return promising || !w->needs_wanted;
}

/* The path ends in an anchor: what does the library say of it? */
static void
build(struct walk *w)
{
	int verified;

	if (!is_promising(w))
		return;
	if (w->builds == PF_BUDGET_BUILDS ||
	    w->checks + w->depth > PF_BUDGET_CHECKS) {
		w->end = END_LIMIT;
		return;
	}
	w->builds++;
	w->p->checks = 0;
	verified = w->p->verify(w->p->arg, w->path, w->depth);
	w->checks +=
	    w->p->checks > w->depth ? w->p->checks : (unsigned)w->depth;
	if (!verified)
		return;
	w->verdict = judge(w->p, w->path, w->depth);
	if (w->any || w->verdict.decision == PINFAST_ALLOW)
		w->end = END_FOUND;
}

static void
push(struct walk *w, const struct pf_link *link)
{
	struct pinfast_bytes issuer = link->walked.issuer;
	size_t at = w->depth++;

	w->path[at] = link;
	w->wants[at] = 0;
	if (!w->any)
		w->wants[at] = (int8_t)pinfast_conn_wants(w->p->conn,
		    link->walked.key.spki);
	w->next[at] = first_named(w->p->anchors, issuer);
	w->from_sent[at] = 0;
	if (w->next[at] == NULL) {
		w->next[at] = first_named(w->p->sent, issuer);
		w->from_sent[at] = 1;
	}
}

/* Takes the issuer that comes next; NULL: there is none any more. */
static const struct pf_link *
take(struct walk *w, int *anchor)
{
	size_t at = w->depth - 1;
	const struct pf_link *link = w->next[at];

	*anchor = !w->from_sent[at];
	if (link == NULL)
		return NULL;
	w->next[at] = next_named(*anchor ? w->p->anchors : w->p->sent, link);
	if (w->next[at] == NULL && *anchor) {
		w->next[at] = first_named(w->p->sent, link->walked.subject);
		w->from_sent[at] = 1;
	}
	return link;
}

static void
step(struct walk *w)
{
	int anchor;
	const struct pf_link *issuer = take(w, &anchor);

	if (issuer == NULL) {
		w->depth--;
		return;
	}
	if (++w->steps > PF_BUDGET_STEPS) {
		w->end = END_LIMIT;
		return;
	}
	if (w->depth == PINFAST_PATH_MAX || in_path(w, issuer))
		return;
	push(w, issuer);
	if (anchor)
		build(w);
	/* An anchor that somebody issued may stand in the middle as well. */
	if (w->end == END_NONE &&
	    pf_bytes_same(issuer->walked.subject, issuer->walked.issuer))
		w->depth--;
}

static void
search(struct walk *w)
{
	const struct pf_link *leaf = w->p->leaf;

	if (leaf == NULL || !leaf->is_walked || w->p->verify == NULL)
		return;
	push(w, leaf);
	if (w->wants[0] < 0)
		return;
	if (w->any && pf_pool_find(w->p->anchors, leaf) != NULL)
		build(w);
	while (w->depth > 0 && w->end == END_NONE)
		step(w);
}

/* The first path does not satisfy the entry: is there one that does? */
static struct pinfast_verdict
search_further(struct pf_paths *p, struct pinfast_verdict first)
{
	int rejected = first.reason == PINFAST_REASON_REJECTED_KEY;
	const struct pf_link *path[PINFAST_PATH_MAX];
	size_t count = p->count;
	struct walk w;

	if ((first.reason != PINFAST_REASON_PIN_MISMATCH && !rejected) ||
	    p->one_path || !(pinfast_conn_needs(p->conn) & PINFAST_NEED_PATH))
		return first;
	memcpy(path, p->path, sizeof path);
	memset(&w, 0, sizeof w);
	w.p = p;
	w.needs_wanted = !rejected;
	search(&w);
	if (w.end == END_FOUND)
		return w.verdict;
	if (w.end == END_LIMIT)
		return pinfast_judge_failed(p->conn, NULL,
		    PINFAST_REASON_PATH_SEARCH_LIMIT);
	/* The keys of the first path are the ones to speak about. */
	return judge(p, path, count);
}

/* The library names no path: the first that it verifies. */
static struct pinfast_verdict
find_first(struct pf_paths *p)
{
	const struct pf_link *leaf = p->leaf;
	struct walk w;

	memset(&w, 0, sizeof w);
	w.p = p;
	w.any = 1;
	/* Nothing can be built upon it, and its key is not to be had. */
	if (leaf != NULL && !leaf->is_walked &&
	    !(pinfast_conn_needs(p->conn) & PINFAST_NEED_TRUST))
		return judge(p, &leaf, 1);
	search(&w);
	if (w.end == END_FOUND)
		return w.verdict;
	return pf_paths_failed(p, w.end == END_LIMIT
	                              ? PINFAST_REASON_PATH_SEARCH_LIMIT
	                              : PINFAST_REASON_PKIX_FAILED);
}

struct pinfast_verdict
pf_paths_verified(struct pf_paths *p, const struct pf_link *const *first,
    size_t count)
{
	struct pinfast_verdict verdict;

	if (first != NULL)
		verdict = judge(p, first, count);
	else
		verdict = find_first(p);
	if (verdict.decision == PINFAST_ALLOW)
		return verdict;
	return search_further(p, verdict);
}
