#include "model/draft.h"

#include "base/bytes.h"
#include "base/limits.h"

/* A host rule that covers another one. */
struct cover {
	size_t at;
	size_t count;
};

struct covers {
	struct cover *at;
	size_t count;
};

/* A name has at most 127 labels; two scopes at the nearest parent. */
#define MAX_COVERS 130

static const struct pf_entry *
entry_of(const struct pinfast_builder *b, const struct pf_keys *keys, size_t i)
{
	return &b->model.entries[keys->at[i].entry];
}

static void
add_cover(const struct pinfast_builder *b, const struct pf_keys *keys,
    struct pinfast_bytes name, uint8_t scope, struct covers *out)
{
	struct cover c;

	c.count = pf_keys_find(b, keys, name, scope, &c.at);
	if (c.count > 0)
		out->at[out->count++] = c;
}

/* Every host rule that covers all names of this one, nearest first. */
static size_t
find_covers(const struct pinfast_builder *b, const struct pf_keys *keys,
    size_t rule, struct cover *out)
{
	const struct pf_entry *e = entry_of(b, keys, rule);
	struct pinfast_bytes name = pf_entry_name(&b->model, e);
	uint8_t scope = keys->at[rule].scope;
	struct covers covers = {out, 0};
	int nearest = 1;

	if (e->kind != PF_HOST_NAME || scope == PINFAST_SCOPE_CLIENT)
		return 0;
	if (scope == PINFAST_SCOPE_ONE)
		add_cover(b, keys, name, PINFAST_SCOPE_ANY, &covers);
	for (size_t i = 0; i < name.len; i++) {
		struct pinfast_bytes parent;

		if (name.data[i] != '.')
			continue;
		parent.data = name.data + i + 1;
		parent.len = name.len - i - 1;
		if (nearest && scope == PINFAST_SCOPE_EXACT)
			add_cover(b, keys, parent, PINFAST_SCOPE_ONE, &covers);
		nearest = 0;
		add_cover(b, keys, parent, PINFAST_SCOPE_ANY, &covers);
	}
	return covers.count;
}

/* The entry of a host rule for a port: its own, else the one for every port,
 * else none. */
static const struct pf_entry *
pick(const struct pinfast_builder *b, const struct pf_keys *keys, size_t at,
    size_t n, uint16_t port)
{
	const struct pf_entry *every = NULL;

	for (size_t i = at; i < at + n; i++) {
		const struct pf_entry *e = entry_of(b, keys, i);

		if (e->port == port)
			return e;
		if (e->port == 0)
			every = e;
	}
	return every;
}

static enum pinfast_error
too_many(struct pinfast_builder *b, const struct pf_entry *e, const char *text)
{
	char name[PINFAST_HOST_LEN], sentence[512];

	pf_draft_name(b, e, name);
	pf_draft_sentence(sentence, sizeof sentence, "", name, text);
	return pf_draft_fail(b, e, PINFAST_ELIMIT, "limit", sentence);
}

static int
has_pin(const struct pf_resolved *r, uint8_t role, const uint8_t *hash)
{
	for (unsigned i = 0; i < r->count[role]; i++)
		if (pf_same(r->pins[role][i], hash, PINFAST_PIN_LEN))
			return 1;
	return 0;
}

static unsigned
own_count(const struct pf_resolved *r)
{
	return (unsigned)r->count[PINFAST_ROLE_ANY] +
	       r->count[PINFAST_ROLE_LEAF] + r->count[PINFAST_ROLE_CA] +
	       r->count[PINFAST_ROLE_CERT];
}

/* Adds those of an entry's pins whose role is in the mask. */
static enum pinfast_error
add_pins(struct pinfast_builder *b, struct pf_resolved *r,
    const struct pf_entry *from, unsigned roles)
{
	for (unsigned i = 0; i < from->pin_count; i++) {
		const struct pf_set_pin *p = &b->model.pins[from->pins_at + i];
		int own = p->role <= PINFAST_ROLE_CERT;

		if (!(roles >> p->role & 1) || has_pin(r, p->role, p->hash))
			continue;
		/* An entry's own excess has been complained about. */
		if (from == r->entry && own && own_count(r) == PF_MAX_PINS)
			return PINFAST_ELIMIT;
		if (own && own_count(r) == PF_MAX_PINS)
			return too_many(b, r->entry,
			    ": more than 64 pins after `inherit: union`");
		if (r->count[p->role] == PF_MAX_PINS)
			return too_many(b, r->entry,
			    ": more than 64 keys in one list, counted with "
			    "what covers it");
		memcpy(r->pins[p->role][r->count[p->role]++], p->hash,
		    PINFAST_PIN_LEN);
	}
	return PINFAST_OK;
}

static int
same_anchors(const struct pf_model *m, uint32_t a, uint32_t b)
{
	const struct pf_anchor_set *x, *y;

	if (a == b)
		return 1;
	if (a == 0 || b == 0)
		return 0;
	x = &m->anchor_sets[a - 1];
	y = &m->anchor_sets[b - 1];
	return x->len == y->len &&
	       pf_same(m->blob + x->at, m->blob + y->at, x->len);
}

/* `inherit: union` joins only what means the same. */
static int
same_terms(const struct pf_model *m, const struct pf_entry *a,
    const struct pf_entry *b)
{
	const unsigned flags =
	    PF_ENTRY_PKIX_NONE | PF_ENTRY_IGNORE_DATES | PF_ENTRY_REQUIRE_ALL;

	return ((a->flags ^ b->flags) & flags) == 0 && a->mode == b->mode &&
	       a->expires == b->expires && a->on_expiry == b->on_expiry &&
	       a->warn_after == b->warn_after &&
	       same_anchors(m, a->anchors, b->anchors);
}

static enum pinfast_error
join(struct pinfast_builder *b, struct pf_resolved *r,
    const struct pf_entry *parent, int *joining)
{
	const unsigned own = 1U << PINFAST_ROLE_ANY | 1U << PINFAST_ROLE_LEAF |
	                     1U << PINFAST_ROLE_CA | 1U << PINFAST_ROLE_CERT;
	char name[PINFAST_HOST_LEN], sentence[512];

	if (!*joining)
		return PINFAST_OK;
	*joining = (parent->flags & PF_ENTRY_UNION) != 0;
	if (same_terms(&b->model, r->entry, parent))
		return add_pins(b, r, parent, own);
	pf_draft_name(b, parent, name);
	pf_draft_sentence(sentence, sizeof sentence,
	    "`inherit: union` joins only entries of equal pkix, trust, "
	    "require, mode and expiry; those of ",
	    name, " differ");
	return pf_draft_fail(b, r->entry, PINFAST_EPOLICY, "union-of-unequals",
	    sentence);
}

enum pinfast_error
pf_resolve(struct pinfast_builder *b, const struct pf_keys *keys, size_t rule,
    uint16_t port, struct pf_resolved *out)
{
	struct cover covers[MAX_COVERS];
	size_t n = pf_keys_rule(b, keys, rule);
	size_t count = 0;
	int joining;
	enum pinfast_error error;

	out->entry = pick(b, keys, rule, n, port);
	out->port = port;
	out->derived = out->entry->port != port;
	memset(out->count, 0, sizeof out->count);
	joining = (out->entry->flags & PF_ENTRY_UNION) != 0;
	error = add_pins(b, out, out->entry, ~0U);
	if (error == PINFAST_OK && pf_covering_matters(b))
		count = find_covers(b, keys, rule, covers);
	for (size_t i = 0; i < count && error == PINFAST_OK; i++) {
		const struct pf_entry *parent =
		    pick(b, keys, covers[i].at, covers[i].count, port);

		if (parent == NULL)
			continue;
		error = add_pins(b, out, parent, 1U << PINFAST_ROLE_REJECT);
		if (error == PINFAST_OK)
			error = join(b, out, parent, &joining);
	}
	return error;
}

int
pf_covering_matters(const struct pinfast_builder *b)
{
	return b->covering_matters;
}

/* Puts a port into the ascending list, once. */
static enum pinfast_error
insert_port(uint16_t *ports, size_t *count, uint16_t port)
{
	size_t at = *count;

	for (size_t i = 0; i < *count; i++)
		if (ports[i] == port)
			return PINFAST_OK;
	if (*count == PF_MAX_PORTS)
		return PINFAST_ELIMIT;
	for (; at > 0 && ports[at - 1] > port; at--)
		ports[at] = ports[at - 1];
	ports[at] = port;
	(*count)++;
	return PINFAST_OK;
}

enum pinfast_error
pf_rule_ports(struct pinfast_builder *b, const struct pf_keys *keys,
    size_t rule, uint16_t *ports, size_t *count)
{
	struct cover covers[MAX_COVERS];
	size_t n = pf_keys_rule(b, keys, rule), cover_count = 0;
	enum pinfast_error error = PINFAST_OK;

	*count = 0;
	for (size_t i = rule; i < rule + n && error == PINFAST_OK; i++)
		error = insert_port(ports, count, entry_of(b, keys, i)->port);
	/* Only an entry for every port can be split by what covers it. */
	if (entry_of(b, keys, rule)->port == 0 && pf_covering_matters(b))
		cover_count = find_covers(b, keys, rule, covers);
	for (size_t c = 0; c < cover_count; c++)
		for (size_t i = covers[c].at;
		     i < covers[c].at + covers[c].count && error == PINFAST_OK;
		     i++)
			error = insert_port(ports, count,
			    entry_of(b, keys, i)->port);
	return error == PINFAST_OK ? error
	                           : too_many(b, entry_of(b, keys, rule),
	                                 ": more than 255 ports of one name");
}
