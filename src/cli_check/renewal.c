#include "cli_check/renewal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "cli/out.h"
#include "cli_policy/load.h"
#include "core/lookup.h"
#include "core/rule.h"
#include "policy/name.h"

struct checking {
	const struct pf_renewal *r;
	struct pf_json *j; /* NULL: text */
	struct pf_effect_case q;
	unsigned count[PF_BREAKS + 1];
	unsigned unlisted; /* names without an entry */
	int failed;        /* out of memory */
};

/* ------------------------------------------------------------- printing */

static void
print_json(struct checking *c, const char *shown)
{
	const struct pf_answer *a = &c->q.answer;

	pf_json_begin(c->j, NULL, '{');
	pf_json_string(c->j, "host", shown);
	pf_json_number(c->j, "port", c->q.port);
	if (a->entry_scope >= 0) {
		pf_json_string(c->j, "entry", a->entry);
		pf_json_string(c->j, "scope", pf_scope_name(a->entry_scope));
		pf_json_number(c->j, "entry-port", a->entry_port);
	}
	pf_json_string(c->j, "effect", pf_effect_name(c->q.effect));
	pf_json_string(c->j, "reason", pinfast_reason_name(a->verdict.reason));
	pf_json_string(c->j, "why", c->q.why);
	if (a->shadow != 0)
		pf_json_string(c->j, "shadow", pinfast_reason_name(a->shadow));
	pf_json_end(c->j, '}');
}

static void
print_text(const struct checking *c, const char *shown)
{
	const struct pf_answer *a = &c->q.answer;

	printf("%-8s  %s", pf_effect_name(c->q.effect), shown);
	if (c->q.port != 0)
		printf(":%u", c->q.port);
	if (a->entry_scope < 0)
		fputs("  no entry", stdout);
	else if (strcmp(a->entry, shown) != 0)
		printf("  entry %s (%s)", a->entry,
		    pf_scope_name(a->entry_scope));
	fputs("  ", stdout);
	pf_print_safe(stdout, c->q.why, strlen(c->q.why));
	if (a->shadow != 0)
		printf("; shadow: %s", pinfast_reason_text(a->shadow));
	putchar('\n');
}

/* A sentence about a wildcard does not name what stood in for it. */
static void
name_shown(char *why, size_t size, const char *stood_in, const char *shown)
{
	char *at = strcmp(stood_in, shown) != 0 ? strstr(why, stood_in) : NULL;
	char rest[4096];

	if (at == NULL)
		return;
	snprintf(rest, sizeof rest, "%s", at + strlen(stood_in));
	snprintf(at, size - (size_t)(at - why), "%s%s", shown, rest);
}

/* shown: the host as it is shown; a wildcard stands for one of its names. */
static void
ask(struct checking *c, const struct pf_host *host, uint16_t port,
    const char *shown)
{
	c->q.host = host;
	c->q.port = port;
	if (!pf_effect_decide(c->r, &c->q)) {
		c->failed = 1;
		return;
	}
	name_shown(c->q.why, sizeof c->q.why, host->text, shown);
	c->count[c->q.effect]++;
	if (c->q.answer.entry_scope < 0) {
		c->unlisted++;
		/* A certificate for a hundred names of which one is pinned. */
		if (c->q.effect == PF_FINE && c->j == NULL)
			return;
	}
	if (c->j != NULL)
		print_json(c, shown);
	else
		print_text(c, shown);
}

/* ------------------------------------------------------------- questions */

/* A name of the certificate; wildcards lose their star. */
struct own_name {
	struct pf_host host;
	char shown[PINFAST_HOST_LEN + 2];
	int wildcard;
};

/*
 * One of the names that a wildcard stands for, which is not shown; none that
 * has an entry of its own, since those are asked by themselves.
 */
static int
stand_in(const struct checking *c, const char *below, size_t len,
    struct pf_host *out)
{
	char text[PINFAST_HOST_LEN + 16];
	struct pf_found found;

	for (unsigned n = 0;; n++) {
		int size =
		    snprintf(text, sizeof text, "%x.%.*s", n, (int)len, below);

		if (size >= (int)sizeof text ||
		    pf_host_parse(text, (size_t)size, out) != PINFAST_OK)
			return 0;
		if (!pf_lookup_host(c->r->store, out, 0, &found) ||
		    found.scope != PINFAST_SCOPE_EXACT)
			return 1;
	}
}

static int
read_dns(const struct checking *c, const char *text, size_t len,
    struct own_name *out)
{
	out->wildcard = len > 2 && memcmp(text, "*.", 2) == 0;
	if (!out->wildcard) {
		if (pf_host_parse(text, len, &out->host) != PINFAST_OK)
			return 0;
		snprintf(out->shown, sizeof out->shown, "%s", out->host.text);
		return 1;
	}
	if (!stand_in(c, text + 2, len - 2, &out->host))
		return 0;
	snprintf(out->shown, sizeof out->shown, "*%s",
	    strchr(out->host.text, '.'));
	return 1;
}

static int
read_name(const struct checking *c, const GENERAL_NAME *name,
    struct own_name *out)
{
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

	out->wildcard = 0;
	if (type == GEN_DNS)
		return read_dns(c, (const char *)ASN1_STRING_get0_data(value),
		    (size_t)ASN1_STRING_length(value), out);
	if (type != GEN_IPADD ||
	    pf_host_parse_binary(ASN1_STRING_get0_data(value),
	        (size_t)ASN1_STRING_length(value), &out->host) != PINFAST_OK)
		return 0;
	snprintf(out->shown, sizeof out->shown, "%s", out->host.text);
	return 1;
}

/* A port for which the row for every port speaks: 0 when it is alone. */
static uint16_t
port_of_row(const struct checking *c, const struct pf_host *host, uint16_t port)
{
	struct pf_found found;
	unsigned free_port = 443;

	if (port != 0 || !pf_lookup_host(c->r->store, host, 0, &found) ||
	    pf_rule_rows(c->r->store, found.rule) == 1)
		return port;
	for (unsigned tried = 0; tried < 65535; tried++) {
		if (!pf_lookup_host(c->r->store, host, (uint16_t)free_port,
		        &found) ||
		    found.port == 0)
			return (uint16_t)free_port;
		free_port = free_port == 65535 ? 1 : free_port + 1;
	}
	return 0; /* each has a row of its own: it speaks for none */
}

/* Does this entry speak for the host? */
static int
speaks_for(const struct checking *c, const struct pf_host *host,
    const char *name, enum pinfast_scope scope)
{
	struct pf_found found;

	return pf_lookup_host(c->r->store, host, 0, &found) &&
	       found.scope == (int32_t)scope && found.name_at < host->key_len &&
	       strcmp(host->text + found.name_at, name) == 0;
}

/* An entry for names below its own: asked for each name of the certificate. */
static void
ask_below(struct checking *c, const char *name, enum pinfast_scope scope,
    uint16_t port)
{
	struct own_name own;

	for (int i = 0; i < sk_GENERAL_NAME_num(c->r->candidate->names); i++)
		if (read_name(c,
		        sk_GENERAL_NAME_value(c->r->candidate->names, i),
		        &own) &&
		    own.host.kind == PF_HOST_NAME &&
		    speaks_for(c, &own.host, name, scope))
			ask(c, &own.host, port_of_row(c, &own.host, port),
			    own.shown);
}

static int
ask_entry(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	struct checking *c = arg;
	struct pf_host host;

	if (scope == PINFAST_SCOPE_ONE || scope == PINFAST_SCOPE_ANY)
		ask_below(c, name, scope, port);
	else if (scope == PINFAST_SCOPE_EXACT &&
	         pf_trial_covers(sk_X509_value(c->r->candidate->chain, 0),
	             name) &&
	         pf_host_parse(name, len, &host) == PINFAST_OK)
		ask(c, &host, port_of_row(c, &host, port), host.text);
	return c->failed;
}

/* Names that no entry covers: the policy may deny those, too. */
static void
ask_unlisted(struct checking *c)
{
	struct pf_found found;
	struct own_name own;

	for (int i = 0; i < sk_GENERAL_NAME_num(c->r->candidate->names); i++)
		if (read_name(c,
		        sk_GENERAL_NAME_value(c->r->candidate->names, i),
		        &own) &&
		    !pf_lookup_host(c->r->store, &own.host, 0, &found))
			ask(c, &own.host, 0, own.shown);
}

static int
ask_host(struct checking *c, const char *text)
{
	struct pf_host host;
	const char *why = "the name is too long";
	uint16_t port;
	size_t len;

	if (!pf_target_split(text, &len, &port))
		return pf_usage("check",
		    "a port is 1 to 65535; write HOST:PORT, not", text);
	if (len >= 1024 || !pf_name_read(text, len, &host, &why)) {
		pf_complain(text, why);
		return PF_EXIT_USAGE;
	}
	ask(c, &host, port, host.text);
	return PF_EXIT_FINE;
}

static int
ask_all(struct checking *c, char *const hosts[], int count)
{
	for (int i = 0; i < count; i++) {
		int status = ask_host(c, hosts[i]);

		if (status != PF_EXIT_FINE)
			return status;
	}
	if (count > 0)
		return PF_EXIT_FINE;
	if (sk_GENERAL_NAME_num(c->r->candidate->names) <= 0) {
		pf_complain(c->r->candidate->file,
		    "names no host in subjectAltName; say for which HOST it "
		    "is meant");
		return PF_EXIT_UNDECIDED;
	}
	(void)pinfast_store_each(c->r->store, ask_entry, c);
	ask_unlisted(c);
	return PF_EXIT_FINE;
}

static int
summary(const struct checking *c)
{
	const unsigned *n = c->count;
	unsigned all =
	    n[PF_FINE] + n[PF_REPORTED] + n[PF_UNSURE] + n[PF_BREAKS];

	if (all == c->unlisted)
		pf_complain(c->r->candidate->file,
		    "the policy has no entry for any of its names; name HOST "
		    "when it is meant for one");
	if (c->j == NULL)
		printf("%u fine, %u reported, %u unsure, %u broken; %u names "
		       "without an entry; key %s\n",
		    n[PF_FINE], n[PF_REPORTED], n[PF_UNSURE], n[PF_BREAKS],
		    c->unlisted, c->r->candidate->pin);
	if (n[PF_BREAKS] > 0)
		return PF_EXIT_NO;
	return n[PF_UNSURE] > 0 ? PF_EXIT_UNDECIDED : PF_EXIT_FINE;
}

int
pf_renewal_check(const struct pf_renewal *renewal, char *const hosts[],
    int count, int json)
{
	struct pf_json j = {stdout, 1};
	struct checking c = {.r = renewal, .j = json ? &j : NULL};
	int status;

	pinfast_on_event(renewal->policy, pf_answer_hear, &c.q.answer);
	if (json) {
		pf_json_begin(&j, NULL, '{');
		pf_json_string(&j, "file", renewal->candidate->file);
		pf_json_string(&j, "pin", renewal->candidate->pin);
		pf_json_begin(&j, "hosts", '[');
	}
	status = ask_all(&c, hosts, count);
	if (json) {
		pf_json_end(&j, ']');
		pf_json_end(&j, '}');
		putchar('\n');
	}
	if (c.failed) {
		pf_complain("check", "out of memory");
		status = PF_EXIT_UNDECIDED;
	}
	pf_answer_fini(&c.q.answer);
	return status == PF_EXIT_FINE ? summary(&c) : status;
}
