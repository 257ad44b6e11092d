#include "cli_check/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lookup.h"
#include "core/rule.h"
#include "model/builder.h"
#include "policy/name.h"

/* The port of the entry that speaks for the host; 0: any. */
static uint16_t
entry_port(const struct pinfast_store *store, const struct pf_host *host,
    uint16_t usual)
{
	struct pf_found found;
	uint16_t port = 0;

	if (pf_lookup_host(store, host, usual, &found) ||
	    !pf_lookup_host(store, host, 0, &found))
		return 0;
	(void)pf_rule_row(store, found.rule, 0, &port);
	return port;
}

/* Without a protocol it is that of the port. */
static void
complete(const struct pf_targets *t, struct pf_target *target)
{
	enum pf_starttls said = target->starttls != PF_STARTTLS_NOT_SAID
	                            ? target->starttls
	                            : t->starttls;
	uint16_t usual =
	    pf_starttls_port(said != PF_STARTTLS_NOT_SAID ? said
	                                                  : PF_STARTTLS_NONE);

	if (target->port == 0)
		target->port = entry_port(t->store, &target->host, usual);
	if (target->port == 0)
		target->port = usual;
	target->starttls = said != PF_STARTTLS_NOT_SAID
	                       ? said
	                       : pf_starttls_of_port(target->port);
}

/* ------------------------------------------------------------- the list */

/* In few bytes, since there may be millions: protocol, port, length of the
 * name, name.  The protocol does not tell servers apart. */
#define HEAD 4
#define LEN_AT 3

static size_t
hash_of(const char *bytes, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * 0x100000001b3U;
	return (size_t)(hash ^ hash >> 32);
}

/* The slot of what stands at a position, or an empty one. */
static size_t *
slot_of(const struct pf_targets *t, size_t at)
{
	const char *bytes = t->list + at + 1;
	size_t len = HEAD - 1 + (uint8_t)bytes[LEN_AT - 1];
	size_t i = hash_of(bytes, len) & (t->slot_count - 1);

	while (t->slots[i] != 0 &&
	       memcmp(t->list + t->slots[i], bytes, len) != 0)
		i = (i + 1) & (t->slot_count - 1);
	return &t->slots[i];
}

/* Keeps half of the slots free; 0: out of memory. */
static int
grow_slots(struct pf_targets *t)
{
	size_t *old = t->slots;

	if (2 * (t->count + 1) <= t->slot_count)
		return 1;
	t->slot_count = t->slot_count == 0 ? 64 : 2 * t->slot_count;
	t->slots = calloc(t->slot_count, sizeof *t->slots);
	free(old);
	if (t->slots == NULL)
		return 0;
	for (size_t at = 0; at < t->len;
	     at += HEAD + (uint8_t)t->list[at + LEN_AT])
		*slot_of(t, at) = at + 1;
	return 1;
}

/* Room for a record behind the list, and for comparing a longer one with the
 * last. */
static int
grow_list(struct pf_targets *t, size_t more)
{
	char *grown;

	if (t->len + more + PINFAST_HOST_LEN <= t->room)
		return 1;
	grown = realloc(t->list, 2 * t->room + more + PINFAST_HOST_LEN);
	if (grown == NULL)
		return 0;
	t->room = 2 * t->room + more + PINFAST_HOST_LEN;
	t->list = grown;
	return 1;
}

/* Each server once. */
static void
append(struct pf_targets *t, const struct pf_target *target)
{
	size_t more = HEAD + target->host.text_len, *slot;
	char *at;

	if (!grow_list(t, more) || !grow_slots(t)) {
		t->failed = 1;
		return;
	}
	at = t->list + t->len;
	at[0] = (char)target->starttls;
	memcpy(at + 1, &target->port, 2);
	at[LEN_AT] = (char)target->host.text_len;
	memcpy(at + HEAD, target->host.text, target->host.text_len);
	slot = slot_of(t, t->len);
	if (*slot != 0)
		return;
	*slot = t->len + 1;
	t->len += more;
	t->count++;
}

int
pf_targets_next(struct pf_targets *t, struct pf_target *out)
{
	const char *at = t->list + t->next;
	size_t len;

	if (t->next >= t->len)
		return 0;
	len = (uint8_t)at[LEN_AT];
	memcpy(&out->port, at + 1, 2);
	out->starttls = (enum pf_starttls)at[0];
	t->next += HEAD + len;
	return pf_host_parse(at + HEAD, len, &out->host) == PINFAST_OK;
}

void
pf_targets_fini(struct pf_targets *t)
{
	free(t->list);
	free(t->slots);
}

/*
 * An entry without a port, where another entry has the usual one: no port is
 * known for it.
 */
static int
is_reached(const struct pf_targets *t, const struct pf_target *target,
    uint16_t port)
{
	struct pf_found found;

	return pf_lookup_host(t->store, &target->host, target->port, &found) &&
	       found.scope == PINFAST_SCOPE_EXACT && found.port == port;
}

/* The name alone says where the server is. */
static void
add_name(struct pf_targets *t, const struct pf_host *host, uint16_t port)
{
	struct pf_target target = {*host, port, PF_STARTTLS_NOT_SAID};

	if (port == 0)
		target.port =
		    pf_starttls_port(t->starttls != PF_STARTTLS_NOT_SAID
		                         ? t->starttls
		                         : PF_STARTTLS_NONE);
	complete(t, &target);
	if (is_reached(t, &target, port))
		append(t, &target);
	else
		t->not_checked++;
}

/* ------------------------------------------------------- a policy's text */

static int
read_key(const struct pf_model *m, uint32_t at, uint8_t len, uint8_t kind,
    struct pf_host *out)
{
	const uint8_t *key = m->names + at;

	if (kind == PF_HOST_NAME)
		return pf_host_parse((const char *)key, len, out) == PINFAST_OK;
	return pf_host_parse_binary(key + 1, len - 1U, out) == PINFAST_OK;
}

static int
is_derived(const struct pf_targets *t, const struct pf_host *host,
    uint16_t port)
{
	struct pf_found found;
	struct pf_rule rule;

	if (port == 0 || !pf_lookup_host(t->store, host, port, &found))
		return 0;
	pf_rule_read(t->store, found.rule, &rule);
	return (rule.flags & PF_TERM_DERIVED) != 0;
}

/* Is this entry the one that speaks for the server? */
static int
speaks_for(const struct pf_targets *t, const struct pf_entry *e,
    const struct pf_target *target)
{
	const struct pf_host *host = &target->host;
	struct pf_found found;

	if (!pf_lookup_host(t->store, host, target->port, &found) ||
	    !(e->scopes & 1U << found.scope))
		return 0;
	return host->key_len - found.name_at == e->name_len &&
	       memcmp(host->key + found.name_at, t->model->names + e->name_at,
	           e->name_len) == 0 &&
	       (found.port == e->port ||
	           (e->port == 0 && is_derived(t, host, target->port)));
}

/* probe: of this entry.  1: the entry is judged there. */
static int
add_probe(struct pf_targets *t, const struct pf_entry *e,
    const struct pf_probe_target *probe)
{
	struct pf_target target = {.port = probe->port};

	target.starttls = PF_STARTTLS_NOT_SAID;
	if (probe->starttls != NULL)
		(void)pf_starttls_find(probe->starttls, &target.starttls);
	if (target.port == 0)
		target.port = e->port;
	if (!read_key(t->model, probe->name_at, probe->name_len, probe->kind,
	        &target.host))
		return 0;
	complete(t, &target);
	append(t, &target);
	return speaks_for(t, e, &target);
}

/* Probes that lead past their entry: it would pass for checked. */
static void
warn_astray(const struct pf_targets *t, const struct pf_entry *e)
{
	char text[PINFAST_HOST_LEN + 16] = "an entry";
	struct pf_host host;

	if (read_key(t->model, e->name_at, e->name_len, e->kind, &host))
		snprintf(text, sizeof text, "entry %s", host.text);
	pf_complain(text, "not checked: its `probe` leads to no host and port "
	                  "that it speaks for");
}

static void
find_in_model(struct pf_targets *t)
{
	const struct pf_model *m = t->model;
	size_t probe = 0;
	struct pf_host host;

	for (size_t i = 0; i < m->entry_count && !t->failed; i++) {
		const struct pf_entry *e = &m->entries[i];

		if (e->scopes == 1U << PINFAST_SCOPE_CLIENT)
			continue;
		if (probe < m->probe_count && m->probes[probe].entry == i) {
			int judged = 0;

			for (; probe < m->probe_count &&
			       m->probes[probe].entry == i;
			     probe++)
				judged |= add_probe(t, e, &m->probes[probe]);
			if (!judged) {
				warn_astray(t, e);
				t->not_checked++;
			}
		} else if (!(e->scopes & 1U << PINFAST_SCOPE_EXACT)) {
			t->not_checked++;
		} else if (read_key(m, e->name_at, e->name_len, e->kind,
		               &host)) {
			add_name(t, &host, e->port);
		}
	}
}

/* --------------------------------------------------------------- a store */

static int
find_in_store(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	struct pf_targets *t = arg;
	struct pf_host host;
	struct pf_found found;

	if (scope == PINFAST_SCOPE_CLIENT ||
	    pf_host_parse(name, len, &host) != PINFAST_OK)
		return 0;
	if (scope == PINFAST_SCOPE_EXACT) {
		if (!is_derived(t, &host, port))
			add_name(t, &host, port);
	} else if (!pf_lookup_host(t->store, &host, port, &found) ||
	           found.scope != PINFAST_SCOPE_EXACT) {
		/* With the name itself it is one entry, and that is asked. */
		t->not_checked++;
	}
	return t->failed;
}

void
pf_targets_find(struct pf_targets *t)
{
	if (t->model != NULL)
		find_in_model(t);
	else
		(void)pinfast_store_each(t->store, find_in_store, t);
}

/* Who names a server means its pins: a slip would pass for checked. */
static void
warn_unlisted(const struct pf_targets *t, const struct pf_target *target)
{
	char text[PINFAST_HOST_LEN + 16];
	struct pf_found found;

	if (pf_lookup_host(t->store, &target->host, target->port, &found))
		return;
	snprintf(text, sizeof text,
	    target->host.kind == PF_HOST_IPV6 ? "[%s]:%u" : "%s:%u",
	    target->host.text, target->port);
	pf_complain(text, "no entry of the policy speaks for it: any key of "
	                  "it counts as `unlisted` says");
}

int
pf_targets_name(struct pf_targets *t, const char *text)
{
	struct pf_target target = {.starttls = PF_STARTTLS_NOT_SAID};
	const char *why = "the name is too long";
	size_t len;

	if (!pf_target_split(text, &len, &target.port)) {
		(void)pf_usage("check",
		    "a port is 1 to 65535; write HOST:PORT, not", text);
		return 0;
	}
	if (len >= 1024 || !pf_name_read(text, len, &target.host, &why)) {
		pf_complain(text, why);
		return 0;
	}
	complete(t, &target);
	append(t, &target);
	warn_unlisted(t, &target);
	return 1;
}
