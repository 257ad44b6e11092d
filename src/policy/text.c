#define _GNU_SOURCE
#include "policy/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "policy/reader.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define DAY 86400

struct top {
	uint32_t line, column; /* of the document */
	int version_said;
	int hosts_said;
	uint32_t until[2], lapse[2]; /* line and column of the keys */
};

/* In the first of two passes only the pin sets are read. */
static int
passing_over(struct pf_reader *r)
{
	return r->pinsets_only;
}

static void
note_place(const struct pf_reader *r, uint32_t place[2])
{
	place[0] = pf_yaml_line(&r->yaml);
	place[1] = pf_yaml_column(&r->yaml);
}

static int
top_version(struct pf_reader *r, void *object)
{
	struct top *top = object;

	top->version_said = 1;
	if (!passing_over(r) && pf_is_scalar(r, "`pinfast`") &&
	    strcmp(pf_yaml_text(&r->yaml), "1") != 0)
		pf_reader_error(r, "version",
		    "this pinfast reads format version 1: write "
		    "`pinfast: 1`");
	return pf_yaml_skip(&r->yaml);
}

static int
put(struct pf_reader *r, enum pinfast_policy_key key, int64_t value)
{
	pf_builder_at(r->builder, pf_yaml_line(&r->yaml),
	    pf_yaml_column(&r->yaml));
	(void)pinfast_builder_set(r->builder, key, value);
	return pf_yaml_skip(&r->yaml);
}

static int
top_serial(struct pf_reader *r, void *object)
{
	int64_t value;

	(void)object;
	if (!passing_over(r) &&
	    pf_read_number(r, "`serial`", 1, INT64_MAX, &value))
		return put(r, PINFAST_POLICY_SERIAL, value);
	return pf_yaml_skip(&r->yaml);
}

static int
top_issued(struct pf_reader *r, void *object)
{
	int64_t at;

	(void)object;
	if (passing_over(r) || !pf_read_time(r, &at))
		return pf_yaml_skip(&r->yaml);
	if (at > r->options->now + DAY)
		pf_reader_error(r, "issued",
		    "`issued` is more than 24 hours ahead of the clock");
	return put(r, PINFAST_POLICY_ISSUED, at);
}

static int
top_valid_until(struct pf_reader *r, void *object)
{
	int64_t at;

	note_place(r, ((struct top *)object)->until);
	if (passing_over(r) || !pf_read_time(r, &at))
		return pf_yaml_skip(&r->yaml);
	return put(r, PINFAST_POLICY_VALID_UNTIL, at);
}

static int
read_action(struct pf_reader *r, const struct pf_choice *choice,
    enum pinfast_policy_key key)
{
	int64_t value;

	if (passing_over(r) || !pf_read_choice(r, choice, &value))
		return pf_yaml_skip(&r->yaml);
	return put(r, key, value);
}

static int
top_on_lapse(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {"`on-lapse`", 2,
	    {"enforce", "report"}, {PINFAST_ENFORCE, PINFAST_REPORT}};

	note_place(r, ((struct top *)object)->lapse);
	return read_action(r, &choice, PINFAST_POLICY_ON_LAPSE);
}

static int
top_unlisted(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {"`unlisted`", 3,
	    {"allow", "report", "deny"},
	    {PINFAST_PASS, PINFAST_REPORT, PINFAST_DENY}};

	(void)object;
	return read_action(r, &choice, PINFAST_POLICY_UNLISTED);
}

static int
top_unknown_host(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {"`unknown-host`", 3,
	    {"allow", "report", "deny"},
	    {PINFAST_PASS, PINFAST_REPORT, PINFAST_DENY}};

	(void)object;
	return read_action(r, &choice, PINFAST_POLICY_UNKNOWN_HOST);
}

static int
top_https_only(struct pf_reader *r, void *object)
{
	static const struct pf_choice choice = {"`https-only`", 3,
	    {"listed", "all", "none"},
	    {PINFAST_HTTPS_LISTED, PINFAST_HTTPS_ALL, PINFAST_HTTPS_NONE}};

	(void)object;
	return read_action(r, &choice, PINFAST_POLICY_HTTPS_ONLY);
}

static int
reject_item(struct pf_reader *r, void *object)
{
	struct pf_reader_pin pin;
	int is_cert;
	int got = pf_read_pin(r, 0, &pin, &is_cert);

	(void)object;
	if (got > 0)
		(void)pf_builder_reject(r->builder, pin.hash);
	return got < 0 ? -1 : 0;
}

static int
top_reject(struct pf_reader *r, void *object)
{
	if (passing_over(r))
		return pf_yaml_skip(&r->yaml);
	return pf_read_sequence(r, reject_item, "`reject`", object);
}

static int
url_item(struct pf_reader *r, void *object)
{
	(void)object;
	pf_builder_at(r->builder, pf_yaml_line(&r->yaml),
	    pf_yaml_column(&r->yaml));
	if (pf_is_scalar(r, "a report URL"))
		(void)pinfast_builder_report_to(r->builder,
		    pf_yaml_text(&r->yaml));
	return pf_yaml_skip(&r->yaml);
}

static int
top_report_to(struct pf_reader *r, void *object)
{
	if (passing_over(r))
		return pf_yaml_skip(&r->yaml);
	return pf_read_sequence(r, url_item, "`report-to`", object);
}

/* One named set; the present event is its name. */
static int
read_named_set(struct pf_reader *r)
{
	struct pf_named_set *s;

	for (s = r->sets; s != NULL; s = s->next)
		if (strcmp(s->name, pf_yaml_text(&r->yaml)) == 0)
			pf_reader_error(r, "duplicate-key",
			    "two pin sets have this name");
	if (pf_yaml_len(&r->yaml) == 0 ||
	    pf_yaml_len(&r->yaml) >= sizeof s->name)
		pf_reader_error(r, "pinset",
		    "a pin set's name has 1 to 63 characters");
	s = calloc(1, sizeof *s);
	if (s == NULL) {
		pf_reader_error(r, "memory", "out of memory");
		return -1;
	}
	strncpy(s->name, pf_yaml_text(&r->yaml), sizeof s->name - 1);
	s->next = r->sets;
	r->sets = s;
	if (pf_yaml_next(&r->yaml) == YAML_NO_EVENT)
		return -1;
	return pf_read_mapping(r, pf_set_fields, COUNT(pf_set_fields),
	    "a pin set", &s->set);
}

static int
top_pinsets(struct pf_reader *r, void *object)
{
	(void)object;
	if (!passing_over(r))
		return pf_yaml_skip(&r->yaml);
	r->quiet = 0;
	if (r->yaml.event.type != YAML_MAPPING_START_EVENT) {
		pf_reader_error(r, "kind", "`pinsets` must be a mapping");
		return -1;
	}
	for (;;) {
		yaml_event_type_t type = pf_yaml_next(&r->yaml);

		if (type == YAML_MAPPING_END_EVENT)
			return -1; /* the first pass wants no more */
		if (type != YAML_SCALAR_EVENT) {
			if (type != YAML_NO_EVENT)
				pf_reader_error(r, "key",
				    "a pin set's name must be a plain word");
			return -1;
		}
		if (read_named_set(r) < 0)
			return -1;
	}
}

static int
top_hosts(struct pf_reader *r, void *object)
{
	((struct top *)object)->hosts_said = 1;
	return pf_read_hosts(r, object);
}

static int
top_clients(struct pf_reader *r, void *object)
{
	((struct top *)object)->hosts_said = 1;
	return pf_read_clients(r, object);
}

static const struct pf_field top_fields[] = {{"pinfast", top_version},
    {"serial", top_serial}, {"issued", top_issued},
    {"valid-until", top_valid_until}, {"on-lapse", top_on_lapse},
    {"unlisted", top_unlisted}, {"unknown-host", top_unknown_host},
    {"https-only", top_https_only}, {"reject", top_reject},
    {"report-to", top_report_to}, {"pinsets", top_pinsets},
    {"hosts", top_hosts}, {"clients", top_clients}};

static void
check_top(struct pf_reader *r, const struct top *top)
{
	if (!top->version_said)
		pf_reader_error_at(r, top->line, top->column, "version",
		    "the policy does not begin with `pinfast: 1`");
	if (!top->hosts_said)
		pf_reader_error_at(r, top->line, top->column, "hosts",
		    "the policy has no `hosts`: nothing is pinned");
	if (top->until[0] != 0 && top->lapse[0] == 0)
		pf_reader_error_at(r, top->until[0], top->until[1], "on-lapse",
		    "`valid-until` needs `on-lapse`: enforce or report");
	if (top->until[0] == 0 && top->lapse[0] != 0)
		pf_reader_error_at(r, top->lapse[0], top->lapse[1], "on-lapse",
		    "`on-lapse` has no meaning without `valid-until`");
}

/* The one document. */
static int
read_document(struct pf_reader *r)
{
	struct top top = {1, 1, 0, 0, {0, 0}, {0, 0}};
	int is_mapping;
	yaml_event_type_t type = pf_yaml_next(&r->yaml); /* stream */

	if (type != YAML_NO_EVENT)
		type = pf_yaml_next(&r->yaml);
	if (type == YAML_STREAM_END_EVENT) {
		pf_reader_error(r, "syntax", "the policy is empty");
		return -1;
	}
	if (type == YAML_NO_EVENT || pf_yaml_next(&r->yaml) == YAML_NO_EVENT)
		return -1;
	top.line = pf_yaml_line(&r->yaml);
	top.column = pf_yaml_column(&r->yaml);
	is_mapping = r->yaml.event.type == YAML_MAPPING_START_EVENT;
	if (pf_read_mapping(r, top_fields, COUNT(top_fields), "the policy",
	        &top) < 0)
		return -1;
	if (r->pinsets_only)
		return 0;
	if (is_mapping)
		check_top(r, &top);
	if (pf_yaml_next(&r->yaml) == YAML_NO_EVENT) /* end of document */
		return -1;
	type = pf_yaml_next(&r->yaml);
	if (type == YAML_STREAM_END_EVENT)
		return 0;
	if (type != YAML_NO_EVENT)
		pf_reader_error(r, "syntax",
		    "a second document begins: a policy is one document");
	return -1;
}

static enum pinfast_error
one_pass(struct pf_reader *r, struct pinfast_bytes text, int pinsets_only)
{
	enum pinfast_error error =
	    pf_yaml_open(&r->yaml, text, pinsets_only ? NULL : r->sink);

	if (error != PINFAST_OK)
		return error;
	r->pinsets_only = r->quiet = pinsets_only;
	if (read_document(r) < 0 || r->yaml.failed)
		error = PINFAST_EPOLICY;
	pf_yaml_close(&r->yaml);
	return error;
}

/* Pin sets may stand behind the hosts that use them. */
static int
needs_two_passes(struct pinfast_bytes text)
{
	return memmem(text.data, text.len, "pinsets", 7) != NULL;
}

enum pinfast_error
pf_policy_read(struct pinfast_bytes text, const struct pf_text_options *options,
    struct pinfast_builder *builder, const struct pf_sink *sink)
{
	struct pf_reader *r = calloc(1, sizeof *r);
	enum pinfast_error error = PINFAST_OK;

	if (r == NULL)
		return PINFAST_ENOMEM;
	r->builder = builder;
	r->sink = sink;
	r->options = options;
	pf_builder_sink(builder, sink);
	if (text.len > PF_MAX_POLICY_TEXT) {
		pf_reader_error_at(r, 0, 0, "limit",
		    "the policy's text is larger than 1 GiB");
		error = PINFAST_ELIMIT;
	}
	if (error == PINFAST_OK && needs_two_passes(text))
		(void)one_pass(r, text, 1);
	if (error == PINFAST_OK)
		error = one_pass(r, text, 0);
	if (error == PINFAST_OK && r->errors > 0)
		error = PINFAST_EPOLICY;
	while (r->sets != NULL) {
		struct pf_named_set *s = r->sets;

		r->sets = s->next;
		free(s);
	}
	free(r);
	return error;
}
