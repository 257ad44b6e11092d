#include "policy/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/file.h"

#define DAY 86400
#define OWN(role) ((role) <= PINFAST_ROLE_CERT)

/* clang-format off */
const struct pf_lint_rule pf_lint_rules[] = {
	{"no-backup-pin", PF_LEVEL_WARNING,
	    "only one key is pinned: when it is lost or replaced, every "
	    "client is locked out; add a backup pin"},
	{"leaf-certificate-pin", PF_LEVEL_ERROR,
	    "every leaf pin is of a whole certificate, which ends with the "
	    "next renewal (at most 200 days now, 47 from 2029): pin the key"},
	{"certificate-pin", PF_LEVEL_WARNING,
	    "a pin of a whole certificate ends with the certificate's "
	    "renewal: pin the key"},
	{"lone-root", PF_LEVEL_WARNING,
	    "one root key is all that is pinned: when the CA changes the "
	    "root it issues below, clients are locked out"},
	{"lone-intermediate", PF_LEVEL_WARNING,
	    "one intermediate's key is all that is pinned: the CA replaces "
	    "it without asking, and clients are locked out"},
	{"lone-ca", PF_LEVEL_WARNING,
	    "one CA key is all that is pinned: a re-issue from another "
	    "intermediate or a cross-signed path locks clients out"},
	{"one-ca", PF_LEVEL_WARNING,
	    "all pinned keys belong to one CA"},
	{"random-ca", PF_LEVEL_ERROR,
	    "this CA picks its intermediate at random for each certificate: "
	    "an intermediate pin fails at the next renewal"},
	{"expiry-near", PF_LEVEL_WARNING,
	    "the entry expires soon"},
	{"expired", PF_LEVEL_WARNING,
	    "the entry has expired"},
	{"lapse-near", PF_LEVEL_WARNING,
	    "the policy lapses soon"},
	{"warn-after-expiry", PF_LEVEL_WARNING,
	    "`warn-after` is not before `expires`, so it warns too late"},
	{"report-host-pinned", PF_LEVEL_WARNING,
	    "reports go to a host that this policy pins: when its pins "
	    "fail, nobody is told"},
	{"report-host-denied", PF_LEVEL_ERROR,
	    "reports go to a host that `unlisted: deny` cuts off"},
	{"pkix-none", PF_LEVEL_NOTE,
	    "the leaf pin replaces certificate validation for this entry"},
	{"pkix-none-subdomains", PF_LEVEL_ERROR,
	    "`pkix: none` with `subdomains` lets one key speak for every "
	    "name below: nothing checks the name"},
	{"rejected-pin", PF_LEVEL_ERROR,
	    "a pinned key is also rejected, so it can never match"},
	{"unreachable-entry", PF_LEVEL_WARNING,
	    "no host can reach this entry"},
	{"duplicate-pin", PF_LEVEL_WARNING,
	    "this pin stands twice in the list"},
	{"single-label-parent", PF_LEVEL_WARNING,
	    "this covers everything below a single label"},
};
/* clang-format on */
const size_t pf_lint_rule_count = sizeof pf_lint_rules / sizeof *pf_lint_rules;

/* Parents whose reject lists are looked at; what stands behind them is not. */
#define MAX_REJECTING 64

/* As many entries that leave others no name. */
#define MAX_TIGHT 64

#define BELOW (1U << PINFAST_SCOPE_ONE | 1U << PINFAST_SCOPE_ANY)

/* A key of a CA that share/pinfast/ca-keys.tsv knows. */
struct ca_key {
	uint8_t hash[PINFAST_PIN_LEN];
	char ca[40];
	int random, is_root;
};

struct lint {
	const struct pf_model *model;
	const struct pf_lint_options *options;
	const struct pf_sink *sink;
	struct ca_key *keys;
	size_t key_count;
	const struct pf_entry *rejecting[MAX_REJECTING];
	size_t rejecting_count;
	const struct pf_entry *tight[MAX_TIGHT];
	size_t tight_count;
};

/* place: line and column of what is not said about an entry. */
static void
tell_at(const struct lint *l, const struct pf_entry *e, const char *id,
    const char *more, const uint32_t place[2])
{
	char name[PINFAST_HOST_LEN] = "", text[512];
	const struct pf_lint_rule *rule = pf_lint_rules;
	struct pf_finding finding = {0, place[0], place[1], id, text};

	while (strcmp(rule->id, id) != 0)
		rule++;
	if (e != NULL && e->kind == PF_HOST_NAME) {
		struct pinfast_bytes key = pf_entry_name(l->model, e);

		memcpy(name, key.data, key.len);
		name[key.len] = '\0';
	}
	snprintf(text, sizeof text, "%s%s%s%s%s", name,
	    name[0] != '\0' ? ": " : "", rule->text, more != NULL ? ": " : "",
	    more != NULL ? more : "");
	finding.level = rule->level;
	l->sink->say(l->sink->arg, &finding);
}

static void
tell(const struct lint *l, const struct pf_entry *e, const char *id,
    const char *more)
{
	const uint32_t place[2] = {e->line, e->column};

	tell_at(l, e, id, more, place);
}

/* pin <tab> ca <tab> kind <tab> rotation <tab> since <tab> source */
static void
read_key(struct lint *l, char *line)
{
	char *column[4];
	struct ca_key *key = &l->keys[l->key_count];

	if (line[0] == '#')
		return;
	for (unsigned i = 0; i < 4; i++) {
		column[i] = line;
		line = strchr(line, '\t');
		if (line == NULL)
			return;
		*line++ = '\0';
	}
	if (pinfast_pin_read(column[0], key->hash) != PINFAST_OK)
		return;
	snprintf(key->ca, sizeof key->ca, "%s", column[1]);
	key->is_root = strcmp(column[2], "root") == 0;
	key->random = strcmp(column[2], "intermediate") == 0 &&
	              strcmp(column[3], "random") == 0;
	l->key_count++;
}

static void
read_keys(struct lint *l)
{
	struct pf_content file;
	size_t lines = 1;
	char *at, *next;

	if (l->options->ca_keys == NULL ||
	    pf_file_read(l->options->ca_keys, 1UL << 20, PF_FILE_ANY, NULL,
	        &file) != PINFAST_OK)
		return;
	for (size_t i = 0; i < file.len; i++)
		lines += file.data[i] == '\n';
	l->keys = calloc(lines, sizeof *l->keys);
	for (at = (char *)file.data; l->keys != NULL && at != NULL; at = next) {
		next = strchr(at, '\n');
		if (next != NULL)
			*next++ = '\0';
		read_key(l, at);
	}
	free(file.data);
}

static const struct ca_key *
find_key(const struct lint *l, const uint8_t *hash)
{
	for (size_t i = 0; i < l->key_count; i++)
		if (memcmp(l->keys[i].hash, hash, PINFAST_PIN_LEN) == 0)
			return &l->keys[i];
	return NULL;
}

/* What an entry's own pins are. */
struct tally {
	unsigned own, role[PINFAST_ROLE_COUNT];
	unsigned ca_known; /* pins of known CAs */
	const char *ca;    /* theirs, NULL when they differ */
	int random, roots, rejected;
};

static int
entry_rejects(const struct lint *l, const struct pf_entry *e,
    const uint8_t *hash)
{
	for (unsigned i = 0; i < e->pin_count; i++) {
		const struct pf_set_pin *p = &l->model->pins[e->pins_at + i];

		if (p->role == PINFAST_ROLE_REJECT &&
		    (hash == NULL ||
		        memcmp(p->hash, hash, PINFAST_PIN_LEN) == 0))
			return 1;
	}
	return 0;
}

/* Does every connection that the entry speaks for fall under the other one,
 * too?  Seen only between entries of equal ports. */
static int
lies_below(const struct lint *l, const struct pf_entry *e,
    const struct pf_entry *parent)
{
	struct pinfast_bytes name = pf_entry_name(l->model, e);
	struct pinfast_bytes above = pf_entry_name(l->model, parent);

	return e->kind == PF_HOST_NAME &&
	       !(e->scopes >> PINFAST_SCOPE_CLIENT & 1) &&
	       parent->port == e->port && name.len > above.len + 1 &&
	       name.data[name.len - above.len - 1] == '.' &&
	       memcmp(name.data + name.len - above.len, above.data,
	           above.len) == 0;
}

/* By the policy, by the entry, or by what covers it. */
static int
is_rejected(const struct lint *l, const struct pf_entry *e, const uint8_t *hash)
{
	for (size_t i = 0; i < l->model->reject_count; i++)
		if (memcmp(l->model->reject[i], hash, PINFAST_PIN_LEN) == 0)
			return 1;
	for (size_t i = 0; i < l->rejecting_count; i++)
		if (lies_below(l, e, l->rejecting[i]) &&
		    entry_rejects(l, l->rejecting[i], hash))
			return 1;
	return entry_rejects(l, e, hash);
}

/* Which entries reject keys for everything below them. */
static void
find_rejecting(struct lint *l)
{
	const struct pf_model *m = l->model;

	for (size_t i = 0;
	     i < m->entry_count && l->rejecting_count < MAX_REJECTING; i++)
		if (m->entries[i].scopes >> PINFAST_SCOPE_ANY & 1 &&
		    entry_rejects(l, &m->entries[i], NULL))
			l->rejecting[l->rejecting_count++] = &m->entries[i];
}

static struct tally
count(const struct lint *l, const struct pf_entry *e)
{
	struct tally t;

	memset(&t, 0, sizeof t);
	for (unsigned i = 0; i < e->pin_count; i++) {
		const struct pf_set_pin *p = &l->model->pins[e->pins_at + i];
		const struct ca_key *key = find_key(l, p->hash);

		t.role[p->role]++;
		if (!OWN(p->role))
			continue;
		t.own++;
		t.rejected |= is_rejected(l, e, p->hash);
		if (key == NULL)
			continue;
		t.random |= key->random;
		t.roots += key->is_root;
		if (t.ca_known++ == 0)
			t.ca = key->ca;
		else if (t.ca != NULL && strcmp(t.ca, key->ca) != 0)
			t.ca = NULL;
	}
	return t;
}

/* The rule that one pin alone breaks. */
static const char *
lone(const struct tally *t)
{
	if (t->role[PINFAST_ROLE_CA] == 0 && t->ca_known == 0)
		return "no-backup-pin";
	if (t->ca_known == 0)
		return "lone-ca";
	return t->roots > 0 ? "lone-root" : "lone-intermediate";
}

static void
lint_pins(const struct lint *l, const struct pf_entry *e)
{
	struct tally t = count(l, e);

	if (t.own == 0)
		return;
	if (t.own == 1 && !(e->flags & PF_ENTRY_UNION))
		tell(l, e, lone(&t), NULL);
	if (t.role[PINFAST_ROLE_CERT] == t.own)
		tell(l, e, "leaf-certificate-pin", NULL);
	else if (t.role[PINFAST_ROLE_CERT] > 0)
		tell(l, e, "certificate-pin", NULL);
	if (t.own > 1 && t.ca_known == t.own && t.ca != NULL)
		tell(l, e, "one-ca", t.ca);
	if (t.random)
		tell(l, e, "random-ca", NULL);
	if (t.rejected)
		tell(l, e, "rejected-pin", NULL);
}

static void
lint_dates(const struct lint *l, const struct pf_entry *e)
{
	int64_t near =
	    l->options->now + (int64_t)l->options->horizon_days * DAY;
	char days[48];

	if (e->expires != 0 && e->expires <= l->options->now) {
		tell(l, e, "expired", NULL);
	} else if (e->expires != 0 && e->expires <= near) {
		snprintf(days, sizeof days, "in %lld days",
		    (long long)((e->expires - l->options->now) / DAY));
		tell(l, e, "expiry-near", days);
	}
	if (e->warn_after != 0 && e->expires != 0 &&
	    e->warn_after >= e->expires)
		tell(l, e, "warn-after-expiry", NULL);
}

/* How many octets of a host are left for labels below this name. */
static size_t
room_below(const struct lint *l, const struct pf_entry *e)
{
	size_t len = pf_entry_name(l->model, e).len + 1;

	return len < PINFAST_HOST_LEN ? PINFAST_HOST_LEN - 1 - len : 0;
}

/* Which entries take the one label that fits below their name. */
static void
find_tight(struct lint *l)
{
	const struct pf_model *m = l->model;

	for (size_t i = 0; i < m->entry_count && l->tight_count < MAX_TIGHT;
	     i++)
		if (m->entries[i].scopes >> PINFAST_SCOPE_ONE & 1 &&
		    room_below(l, &m->entries[i]) < 3)
			l->tight[l->tight_count++] = &m->entries[i];
}

/* Does another entry take every name of one label below this one's? */
static int
is_taken(const struct lint *l, const struct pf_entry *e)
{
	struct pinfast_bytes name = pf_entry_name(l->model, e);

	for (size_t i = 0; i < l->tight_count; i++) {
		struct pinfast_bytes other =
		    pf_entry_name(l->model, l->tight[i]);

		if ((l->tight[i]->port == 0 || l->tight[i]->port == e->port) &&
		    name.len == other.len &&
		    memcmp(name.data, other.data, name.len) == 0)
			return 1;
	}
	return 0;
}

/*
 * A name that is written exactly is always reached, and below a name there is
 * always one that no other entry speaks for, unless no more than a label fits.
 * That somebody lists every name of one octet is not looked for.
 */
static void
lint_reach(const struct lint *l, const struct pf_entry *e)
{
	if (e->scopes & ~BELOW)
		return;
	if (room_below(l, e) < 1)
		tell(l, e, "unreachable-entry",
		    "its name is so long that no label fits below it");
	else if (!(e->scopes >> PINFAST_SCOPE_ONE & 1) &&
	         room_below(l, e) < 3 && is_taken(l, e))
		tell(l, e, "unreachable-entry",
		    "its name is so long that only one label fits below it, "
		    "and the entry with `subdomains: one` takes that");
}

static void
lint_entry(const struct lint *l, const struct pf_entry *e)
{
	lint_pins(l, e);
	lint_dates(l, e);
	lint_reach(l, e);
	if (e->flags & PF_ENTRY_PKIX_NONE) {
		tell(l, e, "pkix-none", NULL);
		if (e->scopes & BELOW)
			tell(l, e, "pkix-none-subdomains", NULL);
	}
}

/* Does the entry cover this host? */
static int
covers(const struct lint *l, const struct pf_entry *e,
    const struct pf_host *host)
{
	struct pinfast_bytes name = pf_entry_name(l->model, e);
	size_t rest;

	if (e->scopes >> PINFAST_SCOPE_CLIENT & 1)
		return 0;
	if (name.len == host->key_len)
		return (e->scopes & 1) != 0 &&
		       memcmp(name.data, host->key, name.len) == 0;
	if (name.len + 1 >= host->key_len || (e->scopes & 6) == 0)
		return 0;
	rest = host->key_len - name.len;
	return host->key[rest - 1] == '.' &&
	       memcmp(name.data, host->key + rest, name.len) == 0 &&
	       ((e->scopes >> PINFAST_SCOPE_ANY & 1) != 0 ||
	           memchr(host->key, '.', rest - 1) == NULL);
}

static void
lint_url(const struct lint *l, const char *url, size_t len,
    const uint32_t place[2])
{
	const char *host = url + 8, *end = url + len, *p = host;
	const struct pf_entry *by = NULL;
	struct pf_host parsed;

	while (p < end && *p != '/' && *p != '?' && *p != '#' &&
	       (*p != ':' || *host == '['))
		p++;
	if (pf_host_parse(host, (size_t)(p - host), &parsed) != PINFAST_OK)
		return;
	for (size_t i = 0; i < l->model->entry_count && by == NULL; i++)
		if (covers(l, &l->model->entries[i], &parsed))
			by = &l->model->entries[i];
	if (by == NULL && l->model->unlisted == PINFAST_DENY)
		tell_at(l, NULL, "report-host-denied", parsed.text, place);
	if (by != NULL && by->mode == PINFAST_ENFORCE)
		tell(l, by, "report-host-pinned", parsed.text);
}

void
pf_lint(const struct pinfast_builder *builder,
    const struct pf_lint_options *options, const struct pf_sink *sink)
{
	const struct pf_model *m = pf_builder_model(builder);
	struct lint l = {.model = m, .options = options, .sink = sink};
	const uint8_t *url = m->urls;

	read_keys(&l);
	find_rejecting(&l);
	find_tight(&l);
	for (size_t i = 0; i < m->entry_count; i++)
		lint_entry(&l, &m->entries[i]);
	for (size_t i = 0; i < m->url_count; i++) {
		size_t len = (size_t)url[0] | (size_t)url[1] << 8;

		lint_url(&l, (const char *)url + 2, len, m->url_place[i]);
		url += 2 + len;
	}
	if (m->valid_until != 0 &&
	    m->valid_until <=
	        options->now + (int64_t)options->horizon_days * DAY)
		tell_at(&l, NULL, "lapse-near", NULL, m->until_place);
	free(l.keys);
}
