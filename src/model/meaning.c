#include "model/draft.h"

#include "base/bytes.h"
#include "base/limits.h"

static void
blame(struct pinfast_builder *b, const struct pf_entry *e, const char *rule,
    const char *text)
{
	char name[PINFAST_HOST_LEN];
	char sentence[512];

	pf_draft_name(b, e, name);
	pf_draft_sentence(sentence, sizeof sentence, "", name, text);
	pf_draft_fail(b, e, PINFAST_EPOLICY, rule, sentence);
}

void
pf_draft_name(const struct pinfast_builder *b, const struct pf_entry *e,
    char out[PINFAST_HOST_LEN])
{
	struct pinfast_bytes key = pf_entry_name(&b->model, e);
	struct pf_host host;

	if (e->kind != PF_HOST_NAME && pf_host_parse_binary(key.data + 1,
	                                   key.len - 1, &host) == PINFAST_OK) {
		memcpy(out, host.text, host.text_len);
		out[host.text_len] = '\0';
		return;
	}
	memcpy(out, key.data, key.len);
	out[key.len] = '\0';
}

void
pf_draft_sentence(char *out, size_t size, const char *a, const char *name,
    const char *b)
{
	const char *parts[3] = {a, name, b};
	size_t at = 0;

	for (unsigned i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p != '\0' && at + 1 < size;)
			out[at++] = *p++;
	out[at] = '\0';
}

struct counts {
	unsigned role[PINFAST_ROLE_COUNT];
	unsigned own;
	unsigned shadow;
};

static struct counts
count_pins(const struct pinfast_builder *b, const struct pf_entry *e)
{
	struct counts n = {{0}, 0, 0};

	for (unsigned i = 0; i < e->pin_count; i++)
		n.role[b->model.pins[e->pins_at + i].role]++;
	for (unsigned r = PINFAST_ROLE_ANY; r <= PINFAST_ROLE_CERT; r++)
		n.own += n.role[r];
	for (unsigned r = PINFAST_ROLE_SHADOW_ANY; r < PINFAST_ROLE_COUNT; r++)
		n.shadow += n.role[r];
	return n;
}

static void
check_pkix_none(struct pinfast_builder *b, const struct pf_entry *e,
    const struct counts *n)
{
	if (e->mode != PINFAST_ENFORCE)
		blame(b, e, "pkix-none-loosened",
		    ": `pkix: none` is always enforced; its mode cannot be "
		    "report or off");
	if (e->on_expiry == PINFAST_REPORT || e->on_expiry == PINFAST_UNPIN)
		blame(b, e, "pkix-none-loosened",
		    ": with `pkix: none` an expiry can only enforce or deny");
	if (n->role[PINFAST_ROLE_ANY] + n->role[PINFAST_ROLE_CA] +
	        n->role[PINFAST_ROLE_SHADOW_ANY] +
	        n->role[PINFAST_ROLE_SHADOW_CA] >
	    0)
		blame(b, e, "pkix-none-pins",
		    ": with `pkix: none` only `leaf` pins have a meaning, "
		    "not `pins` or `ca`");
	if (e->anchors != 0)
		blame(b, e, "pkix-none-trust",
		    ": `trust` has no meaning with `pkix: none`");
	if (e->flags & PF_ENTRY_REQUIRE_SAID)
		blame(b, e, "pkix-none-require",
		    ": `require` has no meaning with `pkix: none`");
}

static void
check_expiry(struct pinfast_builder *b, const struct pf_entry *e)
{
	if (e->expires != 0 && e->on_expiry == 0)
		blame(b, e, "on-expiry",
		    ": `expires` needs `on-expiry`: enforce, report, deny or "
		    "unpin");
	if (e->expires == 0 && e->on_expiry != 0)
		blame(b, e, "on-expiry",
		    ": `on-expiry` has no meaning without `expires`");
	if (e->mode == PINFAST_OFF && e->on_expiry == PINFAST_ENFORCE)
		blame(b, e, "on-expiry",
		    ": with `mode: off` there are no pins that "
		    "`on-expiry: enforce` could enforce");
}

static void
check_entry(struct pinfast_builder *b, const struct pf_entry *e)
{
	struct counts n = count_pins(b, e);

	if (n.own > PF_MAX_PINS || n.shadow > PF_MAX_PINS ||
	    n.role[PINFAST_ROLE_REJECT] > PF_MAX_REJECT)
		blame(b, e, "limit", ": a set has more than 64 pins");
	if (e->mode == PINFAST_OFF && n.own + n.shadow > 0)
		blame(b, e, "off-with-pins",
		    ": `mode: off` exempts the host, so it takes no pins; "
		    "use `mode: report` to watch them");
	if (e->mode == PINFAST_ENFORCE && n.own == 0 &&
	    n.role[PINFAST_ROLE_REJECT] == 0 && !(e->flags & PF_ENTRY_UNION))
		blame(b, e, "no-pins",
		    ": an enforced entry needs pins; write `mode: off` to "
		    "exempt the host");
	if (e->flags & PF_ENTRY_PKIX_NONE) {
		check_pkix_none(b, e, &n);
		if (n.own == 0)
			blame(b, e, "no-pins",
			    ": `pkix: none` needs at least one `leaf` pin");
	} else if (e->flags & PF_ENTRY_IGNORE_DATES) {
		blame(b, e, "dates",
		    ": `dates: ignore` has a meaning only with "
		    "`pkix: none`");
	}
	check_expiry(b, e);
}

void
pf_check_entries(struct pinfast_builder *b)
{
	const struct pf_model *m = &b->model;

	if (m->valid_until != 0 && m->on_lapse == 0)
		pf_draft_fail(b, NULL, PINFAST_EPOLICY, "on-lapse",
		    "`valid-until` needs `on-lapse`: enforce or report");
	if (m->valid_until == 0 && m->on_lapse != 0)
		pf_draft_fail(b, NULL, PINFAST_EPOLICY, "on-lapse",
		    "`on-lapse` has no meaning without `valid-until`");
	for (size_t i = 0; i < m->entry_count; i++)
		check_entry(b, &m->entries[i]);
}

/* All entries of a host rule say `inherit: union`. */
static int
all_union(const struct pinfast_builder *b, const struct pf_keys *keys,
    size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++)
		if (!(b->model.entries[keys->at[i].entry].flags &
		        PF_ENTRY_UNION))
			return 0;
	return 1;
}

static void
check_rule(struct pinfast_builder *b, const struct pf_keys *keys, size_t at,
    size_t n)
{
	const struct pf_entry *entries = b->model.entries;
	const struct pf_entry *e = &entries[keys->at[at].entry];
	size_t any_at, any_n;

	for (size_t i = at + 1; i < at + n; i++)
		if (entries[keys->at[i].entry].port ==
		    entries[keys->at[i - 1].entry].port)
			blame(b, &entries[keys->at[i].entry], "duplicate-entry",
			    ": two entries for the same name and port");
	if (n > PF_MAX_PORTS)
		blame(b, e, "limit", ": more than 255 ports of one name");
	if (keys->at[at].scope != PINFAST_SCOPE_ONE)
		return;
	any_n = pf_keys_find(b, keys, pf_entry_name(&b->model, e),
	    PINFAST_SCOPE_ANY, &any_at);
	if (any_n > 0 &&
	    (!all_union(b, keys, at, n) || !all_union(b, keys, any_at, any_n)))
		blame(b, e, "one-and-any",
		    ": `subdomains: one` and `any` below the same name need "
		    "`inherit: union` in both");
}

void
pf_check_keys(struct pinfast_builder *b, const struct pf_keys *keys)
{
	for (size_t i = 0; i < keys->count;) {
		size_t n = pf_keys_rule(b, keys, i);

		check_rule(b, keys, i, n);
		i += n;
	}
}
