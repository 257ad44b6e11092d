#include "model/builder.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/pin.h"
#include "model/draft.h"

#define FAIL(error, rule, text) fail_here(b, error, rule, text)

static enum pinfast_error
fail(struct pinfast_builder *b, enum pinfast_error error,
    const struct pf_finding *finding)
{
	if (b->error == PINFAST_OK) {
		b->error = error;
		b->first.line = finding->line;
		b->first.column = finding->column;
		(void)pf_diag(&b->first, error, finding->text);
	}
	if (b->sink != NULL)
		b->sink->say(b->sink->arg, finding);
	return error;
}

static enum pinfast_error
fail_here(struct pinfast_builder *b, enum pinfast_error error, const char *rule,
    const char *text)
{
	struct pf_finding finding = {
	    PF_LEVEL_ERROR, b->line, b->column, rule, text};

	return fail(b, error, &finding);
}

enum pinfast_error
pf_draft_fail(struct pinfast_builder *b, const struct pf_entry *e,
    enum pinfast_error error, const char *rule, const char *text)
{
	struct pf_finding finding = {PF_LEVEL_ERROR, 0, 0, rule, text};

	if (e != NULL) {
		finding.line = e->line;
		finding.column = e->column;
	}
	return fail(b, error, &finding);
}

void *
pf_draft_alloc(struct pinfast_builder *b, size_t count, size_t size)
{
	void *p = NULL;

	if (count == 0)
		count = 1;
	if (count <= SIZE_MAX / size)
		p = b->alloc.alloc(b->alloc.arg, count * size);
	if (p == NULL)
		FAIL(PINFAST_ENOMEM, "memory", "out of memory");
	return p;
}

void
pf_draft_release(struct pinfast_builder *b, void *ptr)
{
	b->alloc.free(b->alloc.arg, ptr);
}

void
pf_builder_fail(struct pinfast_builder *b, enum pinfast_error error,
    const char *rule, const char *text)
{
	FAIL(error, rule, text);
}

enum pinfast_error
pinfast_builder_new(const struct pinfast_alloc *alloc,
    struct pinfast_builder **out)
{
	struct pinfast_alloc use = pf_alloc_or_default(alloc);
	struct pinfast_builder *b;

	if (out == NULL)
		return PINFAST_EUSAGE;
	b = use.alloc(use.arg, sizeof *b);
	if (b == NULL)
		return PINFAST_ENOMEM;
	memset(b, 0, sizeof *b);
	b->alloc = use;
	b->model.unlisted = PINFAST_PASS;
	b->model.unknown_host = PINFAST_DENY;
	b->model.https_only = PINFAST_HTTPS_LISTED;
	*out = b;
	return PINFAST_OK;
}

void
pf_builder_forget(struct pinfast_builder *b)
{
	struct pinfast_alloc alloc = b->alloc;
	struct pinfast_builder kept = {
	    .alloc = alloc, .image = b->image, .image_len = b->image_len};

	alloc.free(alloc.arg, b->model.entries);
	alloc.free(alloc.arg, b->model.probes);
	alloc.free(alloc.arg, b->model.names);
	alloc.free(alloc.arg, b->model.pins);
	alloc.free(alloc.arg, b->model.reject);
	alloc.free(alloc.arg, b->model.anchor_sets);
	alloc.free(alloc.arg, b->model.blob);
	alloc.free(alloc.arg, b->model.urls);
	alloc.free(alloc.arg, b->sets);
	*b = kept;
}

void
pinfast_builder_free(struct pinfast_builder *b)
{
	struct pinfast_alloc alloc;

	if (b == NULL)
		return;
	alloc = b->alloc;
	pf_builder_forget(b);
	alloc.free(alloc.arg, b->image);
	alloc.free(alloc.arg, b);
}

void
pf_builder_sink(struct pinfast_builder *b, const struct pf_sink *sink)
{
	b->sink = sink;
}

void
pf_builder_at(struct pinfast_builder *b, uint32_t line, uint32_t column)
{
	b->line = line;
	b->column = column;
}

const struct pf_model *
pf_builder_model(const struct pinfast_builder *b)
{
	return &b->model;
}

static enum pinfast_error
grow(struct pinfast_builder *b, void **array, size_t *room, size_t count,
    size_t size)
{
	enum pinfast_error error = pf_grow(&b->alloc, array, room, count, size);

	return error == PINFAST_OK ? error
	                           : FAIL(error, "memory", "out of memory");
}

static int
is_action(int64_t value, int64_t a, int64_t b, int64_t c)
{
	return value == a || value == b || value == c;
}

enum pinfast_error
pinfast_builder_set(struct pinfast_builder *b, enum pinfast_policy_key key,
    int64_t value)
{
	struct pf_model *m = &b->model;
	int fits = value >= 0;

	switch (key) {
	case PINFAST_POLICY_SERIAL:
		m->serial = fits ? value : 0;
		break;
	case PINFAST_POLICY_ISSUED:
		m->issued = fits ? value : 0;
		break;
	case PINFAST_POLICY_VALID_UNTIL:
		m->valid_until = fits ? value : 0;
		m->until_place[0] = b->line;
		m->until_place[1] = b->column;
		break;
	case PINFAST_POLICY_ON_LAPSE:
		fits = is_action(value, PINFAST_ENFORCE, PINFAST_REPORT,
		    PINFAST_REPORT);
		m->on_lapse = fits ? (uint8_t)value : 0;
		break;
	case PINFAST_POLICY_UNLISTED:
		fits = is_action(value, PINFAST_PASS, PINFAST_REPORT,
		    PINFAST_DENY);
		m->unlisted = fits ? (uint8_t)value : PINFAST_DENY;
		break;
	case PINFAST_POLICY_UNKNOWN_HOST:
		fits = is_action(value, PINFAST_PASS, PINFAST_REPORT,
		    PINFAST_DENY);
		m->unknown_host = fits ? (uint8_t)value : PINFAST_DENY;
		break;
	case PINFAST_POLICY_HTTPS_ONLY:
		fits = is_action(value, PINFAST_HTTPS_LISTED, PINFAST_HTTPS_ALL,
		    PINFAST_HTTPS_NONE);
		m->https_only = fits ? (uint8_t)value : PINFAST_HTTPS_ALL;
		break;
	default:
		fits = 0;
		break;
	}
	return fits ? PINFAST_OK
	            : FAIL(PINFAST_EUSAGE, "value",
	                  "a policy setting has a value that it cannot have");
}

enum pinfast_error
pf_builder_reject(struct pinfast_builder *b,
    const uint8_t hash[PINFAST_PIN_LEN])
{
	struct pf_model *m = &b->model;
	void *array = m->reject;
	enum pinfast_error error;

	for (size_t i = 0; i < m->reject_count; i++)
		if (pf_same(m->reject[i], hash, PINFAST_PIN_LEN))
			return PINFAST_OK;
	if (m->reject_count == PF_MAX_REJECT)
		return FAIL(PINFAST_ELIMIT, "limit",
		    "the policy's reject list has more than 64 keys");
	error = grow(b, &array, &b->reject_room, m->reject_count + 1,
	    PINFAST_PIN_LEN);
	m->reject = array;
	if (error != PINFAST_OK)
		return error;
	memcpy(m->reject[m->reject_count++], hash, PINFAST_PIN_LEN);
	return PINFAST_OK;
}

/* Reads a pin's text and insists on its kind. */
static enum pinfast_error
read_pin(struct pinfast_builder *b, const char *text, enum pf_pin_kind kind,
    uint8_t hash[PINFAST_PIN_LEN])
{
	struct pf_pin pin;
	size_t bad_at;
	const char *why;
	enum pinfast_error error;

	if (text == NULL)
		return FAIL(PINFAST_EUSAGE, "pin", "a pin is missing");
	error = pf_pin_text(text, strlen(text), &pin, &bad_at, &why);
	if (error != PINFAST_OK)
		return FAIL(error, "pin", why);
	if (pin.kind != kind)
		return FAIL(PINFAST_EUSAGE, "pin",
		    kind == PF_PIN_SPKI
		        ? "this list takes sha256/ pins, not cert-sha256/"
		        : "this list takes cert-sha256/ pins, not sha256/");
	memcpy(hash, pin.hash, PINFAST_PIN_LEN);
	return PINFAST_OK;
}

enum pinfast_error
pinfast_builder_reject(struct pinfast_builder *b, const char *pin)
{
	uint8_t hash[PINFAST_PIN_LEN];
	enum pinfast_error error = read_pin(b, pin, PF_PIN_SPKI, hash);

	return error == PINFAST_OK ? pf_builder_reject(b, hash) : error;
}

enum pinfast_error
pinfast_builder_report_to(struct pinfast_builder *b, const char *url)
{
	struct pf_model *m = &b->model;
	void *array = m->urls;
	enum pinfast_error error;
	size_t len = url == NULL ? 0 : strlen(url);

	if (len <= 8 || !pf_same(url, "https://", 8))
		return FAIL(PINFAST_EUSAGE, "report-to",
		    "a report URL must start with https://");
	if (len > PF_MAX_URL || m->url_count == PF_MAX_REPORT_TO)
		return FAIL(PINFAST_ELIMIT, "limit",
		    "at most 16 report URLs of at most 2048 bytes");
	error = grow(b, &array, &b->urls_room, m->urls_len + len + 2, 1);
	m->urls = array;
	if (error != PINFAST_OK)
		return error;
	pf_put_le16(m->urls + m->urls_len, (uint16_t)len);
	memcpy(m->urls + m->urls_len + 2, url, len);
	m->urls_len += len + 2;
	m->url_place[m->url_count][0] = b->line;
	m->url_place[m->url_count++][1] = b->column;
	return PINFAST_OK;
}

enum pinfast_error
pf_builder_entry(struct pinfast_builder *b, const struct pf_host *name,
    uint16_t port, unsigned scopes)
{
	struct pf_model *m = &b->model;
	void *entries = m->entries, *names = m->names;
	enum pinfast_error error = pf_draft_close(b);
	struct pf_entry *e;

	if (error == PINFAST_OK && m->entry_count >= PF_MAX_HOSTS)
		error = FAIL(PINFAST_ELIMIT, "limit",
		    "the policy has more than 4,000,000 hosts");
	if (error == PINFAST_OK)
		error = grow(b, &entries, &b->entry_room, m->entry_count + 1,
		    sizeof *e);
	m->entries = entries;
	if (error == PINFAST_OK)
		error = grow(b, &names, &b->names_room,
		    m->names_len + name->key_len, 1);
	m->names = names;
	if (error != PINFAST_OK)
		return error;
	e = &m->entries[m->entry_count++];
	memset(e, 0, sizeof *e);
	e->line = b->line;
	e->column = b->column;
	e->name_at = (uint32_t)m->names_len;
	e->name_len = name->key_len;
	e->kind = name->kind;
	e->port = port;
	e->mode = PINFAST_ENFORCE;
	e->pins_at = (uint32_t)m->pin_count;
	memcpy(m->names + m->names_len, name->key, name->key_len);
	m->names_len += name->key_len;
	b->open = 1;
	return pf_builder_scopes(b, scopes);
}

enum pinfast_error
pinfast_builder_entry(struct pinfast_builder *b, const char *name,
    uint16_t port, enum pinfast_scope scope)
{
	struct pf_host host;

	b->open = 0;
	if (name == NULL ||
	    pf_host_parse(name, strlen(name), &host) != PINFAST_OK)
		return FAIL(PINFAST_EHOST, "host",
		    "an entry's name is not a valid host name, address or "
		    "label");
	return pf_builder_entry(b, &host, port, 1U << (scope & 3));
}

/* The entry that calls speak of; NULL after a complaint. */
static struct pf_entry *
current(struct pinfast_builder *b)
{
	if (b->open)
		return &b->model.entries[b->model.entry_count - 1];
	if (b->error == PINFAST_OK)
		FAIL(PINFAST_EUSAGE, "entry", "no entry has been started");
	return NULL;
}

enum pinfast_error
pf_builder_scopes(struct pinfast_builder *b, unsigned scopes)
{
	struct pf_entry *e = current(b);
	unsigned below = 1U << PINFAST_SCOPE_ONE | 1U << PINFAST_SCOPE_ANY;

	if (e == NULL)
		return PINFAST_EUSAGE;
	e->scopes = (uint8_t)scopes;
	if (scopes == 0 || scopes > 1U << PINFAST_SCOPE_CLIENT ||
	    (scopes & below) == below)
		return FAIL(PINFAST_EUSAGE, "subdomains",
		    "an entry covers its name, one label below it or any "
		    "depth below it");
	if ((scopes & below) != 0 && e->kind != PF_HOST_NAME)
		return FAIL(PINFAST_EPOLICY, "subdomains-of-address",
		    "an address has no subdomains");
	if (scopes == 1U << PINFAST_SCOPE_CLIENT && e->port != 0)
		return FAIL(PINFAST_EPOLICY, "client-port",
		    "a client entry has no port");
	return PINFAST_OK;
}

static int
set_flag(struct pf_entry *e, unsigned flag, int64_t value)
{
	e->flags = (uint8_t)(value == 1 ? e->flags | flag : e->flags & ~flag);
	return value == 0 || value == 1;
}

enum pinfast_error
pinfast_builder_entry_set(struct pinfast_builder *b, enum pinfast_entry_key key,
    int64_t value)
{
	struct pf_entry *e = current(b);
	int fits = 0;

	if (e == NULL)
		return PINFAST_EUSAGE;
	switch (key) {
	case PINFAST_ENTRY_MODE:
		fits = is_action(value, PINFAST_ENFORCE, PINFAST_REPORT,
		    PINFAST_OFF);
		e->mode = fits ? (uint8_t)value : e->mode;
		break;
	case PINFAST_ENTRY_PKIX_NONE:
		fits = set_flag(e, PF_ENTRY_PKIX_NONE, value);
		break;
	case PINFAST_ENTRY_IGNORE_DATES:
		fits = set_flag(e, PF_ENTRY_IGNORE_DATES, value);
		break;
	case PINFAST_ENTRY_REQUIRE_ALL:
		fits = set_flag(e, PF_ENTRY_REQUIRE_ALL, value);
		e->flags |= PF_ENTRY_REQUIRE_SAID;
		break;
	case PINFAST_ENTRY_INHERIT_UNION:
		fits = set_flag(e, PF_ENTRY_UNION, value);
		break;
	case PINFAST_ENTRY_WARN_AFTER:
		fits = value > 0;
		e->warn_after = fits ? value : 0;
		break;
	case PINFAST_ENTRY_EXPIRES:
		fits = value > 0;
		e->expires = fits ? value : 0;
		break;
	case PINFAST_ENTRY_ON_EXPIRY:
		fits =
		    value == PINFAST_UNPIN || is_action(value, PINFAST_ENFORCE,
		                                  PINFAST_REPORT, PINFAST_DENY);
		e->on_expiry = fits ? (uint8_t)value : 0;
		break;
	default:
		break;
	}
	return fits ? PINFAST_OK
	            : FAIL(PINFAST_EUSAGE, "value",
	                  "an entry's setting has a value that it cannot "
	                  "have");
}

enum pinfast_error
pf_builder_probe(struct pinfast_builder *b, const struct pf_host *host,
    uint16_t port, const char *starttls)
{
	struct pf_entry *e = current(b);
	struct pf_model *m = &b->model;
	void *probes = m->probes, *names = m->names;
	struct pf_probe_target *probe;
	enum pinfast_error error;

	if (e == NULL)
		return PINFAST_EUSAGE;
	error =
	    grow(b, &probes, &b->probe_room, m->probe_count + 1, sizeof *probe);
	m->probes = probes;
	if (error == PINFAST_OK && host != NULL)
		error = grow(b, &names, &b->names_room,
		    m->names_len + host->key_len, 1);
	m->names = names;
	if (error != PINFAST_OK)
		return error;
	probe = &m->probes[m->probe_count++];
	probe->entry = (uint32_t)(m->entry_count - 1);
	probe->name_at = e->name_at;
	probe->name_len = e->name_len;
	probe->kind = e->kind;
	probe->port = port;
	probe->starttls = starttls;
	if (host == NULL)
		return PINFAST_OK;
	probe->name_at = (uint32_t)m->names_len;
	probe->name_len = host->key_len;
	probe->kind = host->kind;
	memcpy(m->names + m->names_len, host->key, host->key_len);
	m->names_len += host->key_len;
	return PINFAST_OK;
}

enum pinfast_error
pf_builder_pin(struct pinfast_builder *b, enum pinfast_role role,
    const uint8_t hash[PINFAST_PIN_LEN])
{
	struct pf_entry *e = current(b);
	struct pf_model *m = &b->model;
	void *pins = m->pins;
	struct pf_set_pin *set;
	enum pinfast_error error;

	if (e == NULL || (unsigned)role >= PINFAST_ROLE_COUNT)
		return PINFAST_EUSAGE;
	for (unsigned i = 0; i < e->pin_count; i++) {
		set = &m->pins[e->pins_at + i];
		if (set->role == (uint8_t)role &&
		    pf_same(set->hash, hash, PINFAST_PIN_LEN))
			return PINFAST_OK;
	}
	if (e->pin_count >= 3 * PF_MAX_PINS)
		return FAIL(PINFAST_ELIMIT, "limit",
		    "a set has more than 64 pins");
	error = grow(b, &pins, &b->pins_room, m->pin_count + 1, sizeof *set);
	m->pins = pins;
	if (error != PINFAST_OK)
		return error;
	set = &m->pins[m->pin_count++];
	set->role = (uint8_t)role;
	memcpy(set->hash, hash, PINFAST_PIN_LEN);
	e->pin_count++;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_builder_pin(struct pinfast_builder *b, enum pinfast_role role,
    const char *pin)
{
	enum pf_pin_kind kind =
	    role == PINFAST_ROLE_CERT || role == PINFAST_ROLE_SHADOW_CERT
	        ? PF_PIN_CERT
	        : PF_PIN_SPKI;
	uint8_t hash[PINFAST_PIN_LEN];
	enum pinfast_error error = read_pin(b, pin, kind, hash);

	return error == PINFAST_OK ? pf_builder_pin(b, role, hash) : error;
}

enum pinfast_error
pinfast_builder_anchor(struct pinfast_builder *b, struct pinfast_bytes der)
{
	struct pf_entry *e = current(b);
	struct pf_model *m = &b->model;
	void *sets = m->anchor_sets, *blob = m->blob;
	struct pf_anchor_set *set;
	enum pinfast_error error = PINFAST_OK;

	if (e == NULL)
		return PINFAST_EUSAGE;
	if (der.len == 0 || der.len > PF_MAX_CERT)
		return FAIL(PINFAST_EUSAGE, "trust",
		    "a trust anchor is empty or larger than 64 KiB");
	if (e->anchors == 0)
		error = grow(b, &sets, &b->anchor_room, m->anchor_set_count + 1,
		    sizeof *set);
	m->anchor_sets = sets;
	if (error == PINFAST_OK)
		error =
		    grow(b, &blob, &b->blob_room, m->blob_len + der.len + 4, 1);
	m->blob = blob;
	if (error != PINFAST_OK)
		return error;
	if (e->anchors == 0) {
		set = &m->anchor_sets[m->anchor_set_count++];
		memset(set, 0, sizeof *set);
		set->at = (uint32_t)m->blob_len;
		e->anchors = (uint32_t)m->anchor_set_count;
	}
	set = &m->anchor_sets[e->anchors - 1];
	if (set->count == PF_MAX_ANCHORS)
		return FAIL(PINFAST_ELIMIT, "limit",
		    "an entry has more than 64 trust anchors");
	pf_put_le32(m->blob + m->blob_len, (uint32_t)der.len);
	memcpy(m->blob + m->blob_len + 4, der.data, der.len);
	m->blob_len += der.len + 4;
	set->len += (uint32_t)der.len + 4;
	set->count++;
	return PINFAST_OK;
}
