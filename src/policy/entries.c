#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pem.h"
#include "core/spki.h"
#include "policy/name.h"
#include "policy/reader.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void
set(struct pf_draft_entry *e, enum pinfast_entry_key key, int64_t value)
{
	e->settings |= 1U << key;
	e->value[key] = value;
}

static int
field_name(struct pf_reader *r, void *object)
{
	struct pf_draft_entry *e = object;

	if (!pf_is_scalar(r, "`name`"))
		return pf_yaml_skip(&r->yaml);
	e->name_line = pf_yaml_line(&r->yaml);
	e->name_column = pf_yaml_column(&r->yaml);
	if (pf_yaml_len(&r->yaml) == 0 ||
	    pf_yaml_len(&r->yaml) >= sizeof e->name)
		pf_reader_error(r, "host", "a host name has 1 to 253 octets");
	else
		memcpy(e->name, pf_yaml_text(&r->yaml),
		    pf_yaml_len(&r->yaml) + 1);
	return 0;
}

static int
field_port(struct pf_reader *r, void *object)
{
	struct pf_draft_entry *e = object;
	int64_t port;

	if (pf_read_number(r, "`port`", 1, 65535, &port))
		e->port = (uint16_t)port;
	return pf_yaml_skip(&r->yaml);
}

static int
field_subdomains(struct pf_reader *r, void *object)
{
	static const char *const words[] = {"none", "one", "any"};
	struct pf_draft_entry *e = object;
	int word = pf_read_word(r, "`subdomains`", words, COUNT(words));

	if (word >= 0)
		e->scope = (uint8_t)word;
	return pf_yaml_skip(&r->yaml);
}

static int
field_apex(struct pf_reader *r, void *object)
{
	static const char *const words[] = {"true", "false"};
	struct pf_draft_entry *e = object;
	int word = pf_read_word(r, "`apex`", words, COUNT(words));

	e->no_apex = word == 1;
	e->apex_said = 1;
	return pf_yaml_skip(&r->yaml);
}

static int
field_pins(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, &((struct pf_draft_entry *)object)->set,
	    PINFAST_ROLE_ANY);
}

static int
field_leaf(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, &((struct pf_draft_entry *)object)->set,
	    PINFAST_ROLE_LEAF);
}

static int
field_ca(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, &((struct pf_draft_entry *)object)->set,
	    PINFAST_ROLE_CA);
}

static int
field_reject(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, &((struct pf_draft_entry *)object)->set,
	    PINFAST_ROLE_REJECT);
}

static int
set_pins(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, object, PINFAST_ROLE_ANY);
}

static int
set_leaf(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, object, PINFAST_ROLE_LEAF);
}

static int
set_ca(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, object, PINFAST_ROLE_CA);
}

const struct pf_field pf_set_fields[3] = {
    {"pins", set_pins}, {"leaf", set_leaf}, {"ca", set_ca}};

static int
shadow_pins(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, object, PINFAST_ROLE_SHADOW_ANY);
}

static int
shadow_leaf(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, object, PINFAST_ROLE_SHADOW_LEAF);
}

static int
shadow_ca(struct pf_reader *r, void *object)
{
	return pf_read_pins(r, object, PINFAST_ROLE_SHADOW_CA);
}

static int
field_shadow(struct pf_reader *r, void *object)
{
	static const struct pf_field fields[] = {
	    {"pins", shadow_pins}, {"leaf", shadow_leaf}, {"ca", shadow_ca}};

	return pf_read_mapping(r, fields, COUNT(fields), "`shadow`",
	    &((struct pf_draft_entry *)object)->set);
}

static int
field_pinset(struct pf_reader *r, void *object)
{
	struct pf_draft_entry *e = object;
	const struct pf_named_set *s = r->sets;
	char text[160];

	if (!pf_is_scalar(r, "`pinset`"))
		return pf_yaml_skip(&r->yaml);
	while (s != NULL && strcmp(s->name, pf_yaml_text(&r->yaml)) != 0)
		s = s->next;
	if (s == NULL) {
		snprintf(text, sizeof text,
		    "there is no pin set `%.60s` under `pinsets`",
		    pf_yaml_text(&r->yaml));
		pf_reader_error(r, "pinset", text);
		return 0;
	}
	for (unsigned i = 0; i < s->set.count; i++) {
		if (e->set.count == PF_READER_PINS) {
			pf_reader_error(r, "limit",
			    "a set has more than 64 pins");
			break;
		}
		e->set.pins[e->set.count++] = s->set.pins[i];
	}
	return 0;
}

/* A setting that is one of some words. */
static int
read_setting(struct pf_reader *r, struct pf_draft_entry *e,
    const struct pf_choice *choice, enum pinfast_entry_key key)
{
	int64_t value;

	if (pf_read_choice(r, choice, &value))
		set(e, key, value);
	return pf_yaml_skip(&r->yaml);
}

static int
field_mode(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {"`mode`", 3,
	    {"enforce", "report", "off"},
	    {PINFAST_ENFORCE, PINFAST_REPORT, PINFAST_OFF}};

	return read_setting(r, object, &choice, PINFAST_ENTRY_MODE);
}

static int
field_pkix(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {
	    "`pkix`", 2, {"required", "none"}, {0, 1}};

	return read_setting(r, object, &choice, PINFAST_ENTRY_PKIX_NONE);
}

static int
field_dates(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {
	    "`dates`", 2, {"check", "ignore"}, {0, 1}};

	return read_setting(r, object, &choice, PINFAST_ENTRY_IGNORE_DATES);
}

static int
field_require(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {
	    "`require`", 2, {"any-list", "all-lists"}, {0, 1}};

	return read_setting(r, object, &choice, PINFAST_ENTRY_REQUIRE_ALL);
}

static int
field_inherit(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {
	    "`inherit`", 2, {"override", "union"}, {0, 1}};

	return read_setting(r, object, &choice, PINFAST_ENTRY_INHERIT_UNION);
}

static int
field_on_expiry(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {"`on-expiry`", 4,
	    {"enforce", "report", "deny", "unpin"},
	    {PINFAST_ENFORCE, PINFAST_REPORT, PINFAST_DENY, PINFAST_UNPIN}};

	return read_setting(r, object, &choice, PINFAST_ENTRY_ON_EXPIRY);
}

static int
field_warn_after(struct pf_reader *r, void *object)
{
	int64_t at;

	if (pf_read_time(r, &at))
		set(object, PINFAST_ENTRY_WARN_AFTER, at);
	return pf_yaml_skip(&r->yaml);
}

static int
field_expires(struct pf_reader *r, void *object)
{
	int64_t at;

	if (pf_read_time(r, &at))
		set(object, PINFAST_ENTRY_EXPIRES, at);
	return pf_yaml_skip(&r->yaml);
}

static int
trust_ca_file(struct pf_reader *r, void *object)
{
	struct pf_draft_entry *e = object;

	if (!pf_is_scalar(r, "`ca-file`"))
		return pf_yaml_skip(&r->yaml);
	e->ca_line = pf_yaml_line(&r->yaml);
	e->ca_column = pf_yaml_column(&r->yaml);
	if (pf_yaml_len(&r->yaml) == 0 ||
	    pf_yaml_len(&r->yaml) >= sizeof e->ca_file)
		pf_reader_error(r, "file", "`ca-file` is not a file name");
	else
		memcpy(e->ca_file, pf_yaml_text(&r->yaml),
		    pf_yaml_len(&r->yaml) + 1);
	return 0;
}

static int
field_trust(struct pf_reader *r, void *object)
{
	static const struct pf_field fields[] = {{"ca-file", trust_ca_file}};
	uint32_t line = pf_yaml_line(&r->yaml);
	uint32_t column = pf_yaml_column(&r->yaml);
	int errors = r->errors;

	if (pf_read_mapping(r, fields, 1, "`trust`", object) < 0)
		return -1;
	if (((struct pf_draft_entry *)object)->ca_file[0] == '\0' &&
	    errors == r->errors)
		pf_reader_error_at(r, line, column, "trust",
		    "`trust` needs `ca-file`");
	return 0;
}

static int
probe_host(struct pf_reader *r, void *object)
{
	struct pf_reader_probe *probe = object;
	const char *why;

	if (!pf_is_scalar(r, "`host`"))
		return pf_yaml_skip(&r->yaml);
	probe->has_host = pf_name_read(pf_yaml_text(&r->yaml),
	    pf_yaml_len(&r->yaml), &probe->host, &why);
	if (!probe->has_host)
		pf_reader_error(r, "host", why);
	return pf_yaml_skip(&r->yaml);
}

static int
probe_port(struct pf_reader *r, void *object)
{
	int64_t port;

	if (pf_read_number(r, "`port`", 1, 65535, &port))
		((struct pf_reader_probe *)object)->port = (uint16_t)port;
	return pf_yaml_skip(&r->yaml);
}

/* The names that wire/starttls.h knows. */
static int
probe_starttls(struct pf_reader *r, void *object)
{
	static const char *const words[] = {"none", "smtp", "lmtp", "imap",
	    "pop3", "ftp", "nntp", "sieve", "ldap", "postgres", "mysql", "xmpp",
	    "xmpp-server"};
	int word = pf_read_word(r, "`starttls`", words, COUNT(words));

	if (word >= 0)
		((struct pf_reader_probe *)object)->starttls = words[word];
	return pf_yaml_skip(&r->yaml);
}

static int
probe_item(struct pf_reader *r, void *object)
{
	static const struct pf_field fields[] = {{"host", probe_host},
	    {"port", probe_port}, {"starttls", probe_starttls}};
	struct pf_draft_entry *e = object;
	struct pf_reader_probe *probe;

	if (e->probe_count == PF_READER_PROBES) {
		pf_reader_error(r, "limit", "an entry has more than 16 probes");
		return pf_yaml_skip(&r->yaml);
	}
	probe = &e->probes[e->probe_count++];
	memset(probe, 0, sizeof *probe);
	return pf_read_mapping(r, fields, COUNT(fields), "a probe", probe);
}

static int
field_probe(struct pf_reader *r, void *object)
{
	return pf_read_sequence(r, probe_item, "`probe`", object);
}

static int
field_note(struct pf_reader *r, void *object)
{
	(void)object;
	(void)pf_is_scalar(r, "`note`");
	return pf_yaml_skip(&r->yaml);
}

/* Gives the builder the certificates of `ca-file`. */
static void
add_anchors(struct pf_reader *r, const struct pf_draft_entry *e)
{
	struct pinfast_bytes text, der;
	struct pf_pem block;
	struct pf_cert cert;
	size_t pos = 0, count = 0;
	uint8_t *buffer, *data = pf_reader_file(r, e->ca_file, e->ca_line,
	                     e->ca_column, &text.len);

	if (data == NULL)
		return;
	text.data = data;
	buffer = malloc(text.len + 4);
	while (buffer != NULL && pf_pem_next(text, &pos, &block, buffer,
	                             text.len + 4) == PINFAST_OK) {
		if (!pf_pem_is(&block, "CERTIFICATE"))
			continue;
		der.data = buffer;
		der.len = block.len;
		count++;
		if (pf_cert_walk(der, &cert, NULL) != PINFAST_OK)
			pf_reader_error_at(r, e->ca_line, e->ca_column, "trust",
			    "`ca-file` holds a certificate that is not "
			    "exact DER");
		else
			(void)pinfast_builder_anchor(r->builder, der);
	}
	if (count == 0)
		pf_reader_error_at(r, e->ca_line, e->ca_column, "trust",
		    "`ca-file` holds no PEM certificate");
	free(buffer);
	free(data);
}

/* Which keys the entry occupies: 1 << enum pinfast_scope. */
static unsigned
scopes_of(struct pf_reader *r, const struct pf_draft_entry *e,
    const struct pf_host *name)
{
	if (e->is_client)
		return 1U << PINFAST_SCOPE_CLIENT;
	if (e->scope == PINFAST_SCOPE_EXACT) {
		if (e->no_apex)
			pf_reader_error_at(r, e->line, e->column, "apex",
			    "`apex: false` without `subdomains` covers "
			    "nothing");
		return 1U << PINFAST_SCOPE_EXACT;
	}
	if (name->kind == PF_HOST_NAME)
		switch (pf_name_suffix(name)) {
		case PF_SUFFIX_PUBLIC:
			pf_reader_error_at(r, e->name_line, e->name_column,
			    "public-suffix",
			    "others register names below this public "
			    "suffix: name the hosts that are yours");
			break;
		case PF_SUFFIX_NO_LIST:
			pf_reader_error_at(r, e->name_line, e->name_column,
			    "public-suffix",
			    "there is no list of public suffixes");
			break;
		case PF_SUFFIX_SINGLE_LABEL:
			pf_reader_warn_at(r, e->name_line, e->name_column,
			    "single-label-parent",
			    "this covers everything below a single label");
			break;
		case PF_SUFFIX_NONE:
		default:
			break;
		}
	return 1U << e->scope | (e->no_apex ? 0U : 1U << PINFAST_SCOPE_EXACT);
}

static void
finish_entry(struct pf_reader *r, struct pf_draft_entry *e)
{
	struct pf_host name;
	const char *why;

	if (e->name[0] == '\0') {
		if (e->name_line == 0)
			pf_reader_error_at(r, e->line, e->column, "name",
			    "the entry has no `name`");
		return;
	}
	if (!pf_name_read(e->name, strlen(e->name), &name, &why)) {
		pf_reader_error_at(r, e->name_line, e->name_column, "host",
		    why);
		return;
	}
	if (name.kind != PF_HOST_NAME && e->scope != PINFAST_SCOPE_EXACT) {
		pf_reader_error_at(r, e->name_line, e->name_column,
		    "subdomains-of-address", "an address has no subdomains");
		return;
	}
	pf_builder_at(r->builder, e->line, e->column);
	if (pf_builder_entry(r->builder, &name, e->port,
	        scopes_of(r, e, &name)) != PINFAST_OK)
		return;
	for (unsigned k = 1; k <= PINFAST_ENTRY_ON_EXPIRY; k++)
		if (e->settings >> k & 1)
			(void)pinfast_builder_entry_set(r->builder,
			    (enum pinfast_entry_key)k, e->value[k]);
	for (unsigned i = 0; i < e->set.count; i++)
		(void)pf_builder_pin(r->builder,
		    (enum pinfast_role)e->set.pins[i].role,
		    e->set.pins[i].hash);
	for (unsigned i = 0; i < e->probe_count; i++)
		(void)pf_builder_probe(r->builder,
		    e->probes[i].has_host ? &e->probes[i].host : NULL,
		    e->probes[i].port, e->probes[i].starttls);
	if (e->ca_file[0] != '\0')
		add_anchors(r, e);
}

static const struct pf_field host_fields[] = {{"name", field_name},
    {"port", field_port}, {"subdomains", field_subdomains},
    {"apex", field_apex}, {"pins", field_pins}, {"leaf", field_leaf},
    {"ca", field_ca}, {"pinset", field_pinset}, {"mode", field_mode},
    {"pkix", field_pkix}, {"dates", field_dates}, {"require", field_require},
    {"inherit", field_inherit}, {"trust", field_trust},
    {"reject", field_reject}, {"shadow", field_shadow},
    {"warn-after", field_warn_after}, {"expires", field_expires},
    {"on-expiry", field_on_expiry}, {"probe", field_probe},
    {"note", field_note}};

static const struct pf_field client_fields[] = {{"name", field_name},
    {"pins", field_pins}, {"leaf", field_leaf}, {"ca", field_ca},
    {"pinset", field_pinset}, {"mode", field_mode}, {"pkix", field_pkix},
    {"dates", field_dates}, {"require", field_require}, {"trust", field_trust},
    {"reject", field_reject}, {"shadow", field_shadow},
    {"warn-after", field_warn_after}, {"expires", field_expires},
    {"on-expiry", field_on_expiry}, {"note", field_note}};

static int
read_entry(struct pf_reader *r, int is_client)
{
	struct pf_draft_entry *e = &r->entry;
	int errors = r->errors;
	int result;

	e->line = pf_yaml_line(&r->yaml);
	e->column = pf_yaml_column(&r->yaml);
	e->name_line = e->name_column = 0;
	e->name[0] = e->ca_file[0] = '\0';
	e->port = 0;
	e->scope = PINFAST_SCOPE_EXACT;
	e->no_apex = e->apex_said = 0;
	e->is_client = is_client;
	e->settings = 0;
	e->set.count = 0;
	e->probe_count = 0;
	if (is_client)
		result = pf_read_mapping(r, client_fields, COUNT(client_fields),
		    "a client entry", e);
	else
		result = pf_read_mapping(r, host_fields, COUNT(host_fields),
		    "a host entry", e);
	if (result < 0)
		return -1;
	if (errors == r->errors)
		finish_entry(r, e);
	return 0;
}

static int
host_item(struct pf_reader *r, void *object)
{
	(void)object;
	return read_entry(r, 0);
}

static int
client_item(struct pf_reader *r, void *object)
{
	(void)object;
	return read_entry(r, 1);
}

static int
read_list(struct pf_reader *r, pf_field_fn item, const char *what,
    const char *empty)
{
	uint32_t line = pf_yaml_line(&r->yaml);
	uint32_t column = pf_yaml_column(&r->yaml);
	size_t before = pf_builder_model(r->builder)->entry_count;
	int errors = r->errors;
	int result = pf_read_sequence(r, item, what, NULL);

	if (result == 0 && errors == r->errors &&
	    pf_builder_model(r->builder)->entry_count == before)
		pf_reader_error_at(r, line, column, "empty-list", empty);
	return result;
}

int
pf_read_hosts(struct pf_reader *r, void *object)
{
	(void)object;
	if (r->pinsets_only)
		return pf_yaml_skip(&r->yaml);
	return read_list(r, host_item, "`hosts`",
	    "`hosts` is empty: nothing is pinned");
}

int
pf_read_clients(struct pf_reader *r, void *object)
{
	(void)object;
	if (r->pinsets_only)
		return pf_yaml_skip(&r->yaml);
	return read_list(r, client_item, "`clients`",
	    "`clients` is empty: remove it, or write its entries");
}
