#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/out.h"
#include "cli_policy/policy_command.h"
#include "core/lookup.h"
#include "core/rule.h"
#include "os/file.h"
#include "policy/name.h"

static const char help[] =
    "usage: pinfast explain POLICY HOST[:PORT] [OPTIONS]\n\n"
    "Says, as JSON, which entry of a policy (text or compiled) speaks for\n"
    "a host, which pins it wants, and which entries lost and why.\n\n"
    "  --time T  judge as if it were this time\n"
    "  --help\n";

struct explaining {
	struct pf_json j;
	const struct pinfast_store *store;
	const struct pf_host *host;
	uint16_t port;
	int has_found;
	struct pf_found found;
	int64_t now;
};

static const char *const scopes[] = {"exact", "one", "any", "client"};

static const char *
mode_name(uint8_t mode)
{
	switch (mode) {
	case PINFAST_ENFORCE:
		return "enforce";
	case PINFAST_REPORT:
		return "report";
	case PINFAST_DENY:
		return "deny";
	case PINFAST_UNPIN:
		return "unpin";
	default:
		return "off";
	}
}

/* Today's mode: the entry's, replaced by its expiry, loosened by a lapse. */
static uint8_t
mode_now(const struct explaining *x, const struct pf_rule *rule)
{
	uint8_t mode = rule->mode;

	if (rule->expires != 0 && x->now >= rule->expires)
		mode = rule->on_expiry;
	if (mode == PINFAST_ENFORCE && !(rule->flags & PF_TERM_PKIX_NONE) &&
	    x->store->valid_until != 0 && x->now >= x->store->valid_until &&
	    x->store->on_lapse == PINFAST_REPORT)
		mode = PINFAST_REPORT;
	return mode;
}

/* "example.com:443 (any)" */
static void
entry_name(const struct explaining *x, const struct pf_found *row, char *out,
    size_t size)
{
	const char *text = x->host->text;

	if (x->host->kind == PF_HOST_NAME)
		text += row->name_at;
	if (row->port != 0)
		snprintf(out, size, "%s:%u", text, row->port);
	else
		snprintf(out, size, "%s", text);
}

static void
print_keys(struct explaining *x, const uint8_t *pins, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pf_json_pin(&x->j, NULL, pins + (size_t)i * PINFAST_PIN_LEN);
}

static void
print_certs(struct explaining *x, const uint8_t *pins, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char text[PINFAST_PIN_TEXT_LEN + 5] = "cert-";

		pinfast_pin_write(pins + (size_t)i * PINFAST_PIN_LEN, text + 5);
		pf_json_string(&x->j, NULL, text);
	}
}

/* The leaf list holds keys and whole certificates. */
static void
print_list(struct explaining *x, const struct pf_rule *rule, const char *key,
    enum pinfast_role role)
{
	pf_json_begin(&x->j, key, '[');
	print_keys(x, rule->own.pins[role], rule->own.count[role]);
	if (role == PINFAST_ROLE_LEAF)
		print_certs(x, rule->own.pins[PINFAST_ROLE_CERT],
		    rule->own.count[PINFAST_ROLE_CERT]);
	pf_json_end(&x->j, ']');
}

/* Where a rejected key of an entry was written: the farthest entry that
 * covers the host and rejects it, since lists of parents are counted in. */
struct origin {
	const struct explaining *x;
	const uint8_t *pin;
	uint16_t port;
	int has_found, had_found;
	struct pf_found found, before;
};

static int
rejects(const struct explaining *x, uint32_t at, const uint8_t *pin)
{
	struct pf_rule rule;

	pf_rule_read(x->store, at, &rule);
	for (unsigned i = 0; i < rule.reject_count; i++)
		if (memcmp(rule.reject + (size_t)i * PINFAST_PIN_LEN, pin,
		        PINFAST_PIN_LEN) == 0)
			return 1;
	return 0;
}

/* A name's entry for every port comes first; one with the port replaces it. */
static int
look_for_origin(void *arg, const struct pf_found *row)
{
	struct origin *o = arg;

	if (row->port != 0 && row->port != o->port)
		return 0;
	if (row->port != 0 && o->has_found && o->found.port == 0 &&
	    o->found.scope == row->scope && o->found.name_at == row->name_at) {
		o->has_found = o->had_found;
		o->found = o->before;
	}
	if (!rejects(o->x, row->rule, o->pin))
		return 0;
	o->had_found = o->has_found;
	o->before = o->found;
	o->has_found = 1;
	o->found = *row;
	return 0;
}

static void
print_origin(struct explaining *x, const uint8_t *pin, uint16_t port)
{
	struct origin o = {x, pin, port, 0, 0, {0}, {0}};
	char name[PINFAST_HOST_LEN + 8];
	struct pf_rule rule;

	(void)pf_lookup_walk(x->store, x->host, look_for_origin, &o);
	/* A row made for a parent's port says what its name says for all. */
	pf_rule_read(x->store, o.found.rule, &rule);
	if (rule.flags & PF_TERM_DERIVED)
		o.found.port = 0;
	entry_name(x, &o.found, name, sizeof name);
	pf_json_begin(&x->j, NULL, '{');
	pf_json_pin(&x->j, "pin", pin);
	pf_json_string(&x->j, "from", name);
	pf_json_string(&x->j, "scope", scopes[o.found.scope]);
	pf_json_end(&x->j, '}');
}

/* Every rejected key, and who rejects it: the policy, or which entry. */
static void
print_rejected(struct explaining *x, const struct pf_rule *rule, uint16_t port)
{
	pf_json_begin(&x->j, "reject-from", '[');
	for (uint32_t i = 0; i < x->store->reject_count; i++) {
		pf_json_begin(&x->j, NULL, '{');
		pf_json_pin(&x->j, "pin",
		    x->store->reject + (size_t)i * PINFAST_PIN_LEN);
		pf_json_string(&x->j, "from", "policy");
		pf_json_end(&x->j, '}');
	}
	for (unsigned i = 0; rule != NULL && i < rule->reject_count; i++)
		print_origin(x, rule->reject + (size_t)i * PINFAST_PIN_LEN,
		    port);
	pf_json_end(&x->j, ']');
}

static void
print_rule(struct explaining *x, uint32_t at, uint16_t port)
{
	struct pf_rule rule;

	pf_rule_read(x->store, at, &rule);
	pf_json_string(&x->j, "mode", mode_name(rule.mode));
	pf_json_string(&x->j, "effective-mode", mode_name(mode_now(x, &rule)));
	pf_json_string(&x->j, "pkix",
	    rule.flags & PF_TERM_PKIX_NONE ? "none" : "required");
	print_list(x, &rule, "leaf", PINFAST_ROLE_LEAF);
	print_list(x, &rule, "ca", PINFAST_ROLE_CA);
	print_list(x, &rule, "pins", PINFAST_ROLE_ANY);
	pf_json_begin(&x->j, "reject", '[');
	print_keys(x, rule.reject, rule.reject_count);
	pf_json_end(&x->j, ']');
	print_rejected(x, &rule, port);
}

static const char *
why_lost(const struct explaining *x, const struct pf_found *row)
{
	if (x->port != 0 && row->port != 0 && row->port != x->port)
		return "other-port";
	if (row->scope == x->found.scope && row->name_at == x->found.name_at)
		return x->found.all_rows || row->port == x->found.port
		           ? NULL
		           : "an-entry-names-the-port";
	return "a-nearer-entry-covers-the-host";
}

static int
print_considered(void *arg, const struct pf_found *row)
{
	struct explaining *x = arg;
	char name[PINFAST_HOST_LEN + 8];
	struct pf_rule rule;
	const char *lost = x->has_found ? why_lost(x, row) : "other-port";

	pf_rule_read(x->store, row->rule, &rule);
	if (rule.flags & PF_TERM_DERIVED)
		return 0;
	entry_name(x, row, name, sizeof name);
	pf_json_begin(&x->j, NULL, '{');
	pf_json_string(&x->j, "entry", name);
	pf_json_string(&x->j, "scope", scopes[row->scope]);
	if (lost != NULL)
		pf_json_string(&x->j, "lost-because", lost);
	pf_json_end(&x->j, '}');
	return 0;
}

static void
print_listed(struct explaining *x)
{
	char name[PINFAST_HOST_LEN + 8];
	struct pf_rule rule;
	uint16_t port = x->found.port;
	uint32_t at = x->found.rule;

	/* An unknown port: every row is judged; the first one stands here. */
	if (x->found.all_rows)
		at = pf_rule_row(x->store, at, 0, &port);
	pf_rule_read(x->store, at, &rule);
	pf_json_string(&x->j, "lookup",
	    rule.mode == PINFAST_OFF ? "exempt" : "listed");
	entry_name(x, &x->found, name, sizeof name);
	pf_json_string(&x->j, "entry", name);
	pf_json_string(&x->j, "scope", scopes[x->found.scope]);
	print_rule(x, at, port);
	if (!x->found.all_rows)
		return;
	pf_json_begin(&x->j, "by-port", '[');
	for (uint32_t i = 0; i < pf_rule_rows(x->store, x->found.rule); i++) {
		at = pf_rule_row(x->store, x->found.rule, i, &port);
		pf_json_begin(&x->j, NULL, '{');
		pf_json_number(&x->j, "port", port);
		print_rule(x, at, port);
		pf_json_end(&x->j, '}');
	}
	pf_json_end(&x->j, ']');
}

static void
print_all(struct explaining *x)
{
	pf_json_begin(&x->j, NULL, '{');
	pf_json_string(&x->j, "host", x->host->text);
	pf_json_number(&x->j, "port", x->port);
	x->has_found = pf_lookup_host(x->store, x->host, x->port, &x->found);
	if (x->has_found) {
		print_listed(x);
	} else {
		pf_json_string(&x->j, "lookup", "unlisted");
		pf_json_string(&x->j, "effective-mode",
		    x->store->unlisted == PINFAST_PASS
		        ? "allow"
		        : mode_name(x->store->unlisted));
		print_rejected(x, NULL, 0);
	}
	pf_json_begin(&x->j, "considered", '[');
	(void)pf_lookup_walk(x->store, x->host, print_considered, x);
	pf_json_end(&x->j, ']');
	pf_json_end(&x->j, '}');
	putchar('\n');
}

static int
print_invalid(const char *text, const char *why)
{
	struct pf_json j = {stdout, 1};

	pf_json_begin(&j, NULL, '{');
	pf_json_string(&j, "host", text);
	pf_json_string(&j, "lookup", "invalid");
	pf_json_string(&j, "effective-mode", "deny");
	pf_json_string(&j, "why", why);
	pf_json_end(&j, '}');
	putchar('\n');
	return PF_EXIT_FINE;
}

static int
explain(const struct pinfast_store *store, const char *target, int64_t now)
{
	struct explaining x;
	struct pf_host host;
	const char *why;
	char name[1024];
	size_t len;

	memset(&x, 0, sizeof x);
	if (!pf_target_split(target, &len, &x.port))
		return pf_usage("explain",
		    "a port is 1 to 65535; write HOST:PORT, not", target);
	if (len >= sizeof name)
		return print_invalid(target, "the name is too long");
	memcpy(name, target, len);
	name[len] = '\0';
	if (!pf_name_read(name, len, &host, &why))
		return print_invalid(name, why);
	x.j.out = stdout;
	x.j.first = 1;
	x.store = store;
	x.host = &host;
	x.now = now > store->issued ? now : store->issued;
	x.now = x.now > PF_RELEASE_TIME ? x.now : PF_RELEASE_TIME;
	print_all(&x);
	return PF_EXIT_FINE;
}

struct options {
	const char *words[2]; /* a policy and a host */
	int count;
	int64_t now;
};

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct options *o = arg;
	const char *value = pf_option(argc, argv, i, "--time");

	if (value == NULL)
		return pf_unknown("explain", argv[*i]);
	return pf_time_option("explain", value, &o->now) ? -1 : PF_EXIT_USAGE;
}

static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	if (o->count == 2)
		return pf_usage("explain", "one policy and one host, not also",
		    word);
	o->words[o->count++] = word;
	return -1;
}

int
pf_cmd_explain(int argc, char *argv[])
{
	static const char *const texts[] = {help, NULL};
	static const struct pf_arguments how = {texts, read_option, read_word};
	struct options o = {{NULL, NULL}, 0, pf_clock_now()};
	int status = pf_read_arguments(argc, argv, &how, &o);
	struct pf_listener l;
	struct pf_loaded policy;

	if (status >= 0)
		return status;
	if (o.count < 2)
		return pf_usage("explain", "name a policy and a host", NULL);
	pf_listener_init(&l, o.words[0]);
	l.quiet_below = PF_LEVEL_ERROR;
	l.out = stderr;
	status = pf_policy_load(o.words[0], o.now, &l, &policy);
	if (status == PF_EXIT_FINE)
		status = explain(policy.store, o.words[1], o.now);
	pf_loaded_free(&policy);
	return status;
}
