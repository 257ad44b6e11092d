#include "policy/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"
#include "base/time.h"
#include "os/file.h"

#define MAX_SIDE_FILE (1024UL * 1024)

void
pf_reader_error_at(struct pf_reader *r, uint32_t line, uint32_t column,
    const char *rule, const char *text)
{
	if (r->quiet)
		return;
	r->errors++;
	pf_builder_at(r->builder, line, column);
	pf_builder_fail(r->builder, PINFAST_EPOLICY, rule, text);
}

void
pf_reader_error(struct pf_reader *r, const char *rule, const char *text)
{
	pf_reader_error_at(r, pf_yaml_line(&r->yaml), pf_yaml_column(&r->yaml),
	    rule, text);
}

void
pf_reader_warn_at(struct pf_reader *r, uint32_t line, uint32_t column,
    const char *rule, const char *text)
{
	struct pf_finding finding = {
	    PF_LEVEL_WARNING, line, column, rule, text};

	if (r->sink != NULL && !r->quiet)
		r->sink->say(r->sink->arg, &finding);
}

static void
unknown_key(struct pf_reader *r, const struct pf_field *fields, size_t count,
    const char *what)
{
	const char *nearest = NULL;
	unsigned best = 3;
	char text[256];

	for (size_t i = 0; i < count; i++) {
		unsigned d = pf_spelling_mistakes(pf_yaml_text(&r->yaml),
		    fields[i].name);

		if (d < best && 2 * d <= pf_yaml_len(&r->yaml)) {
			best = d;
			nearest = fields[i].name;
		}
	}
	if (nearest != NULL)
		snprintf(text, sizeof text,
		    "unknown key `%.60s` in %s; did you mean `%s`?",
		    pf_yaml_text(&r->yaml), what, nearest);
	else
		snprintf(text, sizeof text, "unknown key `%.60s` in %s",
		    pf_yaml_text(&r->yaml), what);
	pf_reader_error(r, "unknown-key", text);
}

static size_t
find_field(const struct pf_field *fields, size_t count, const char *name)
{
	size_t i = 0;

	while (i < count && strcmp(fields[i].name, name) != 0)
		i++;
	return i;
}

/* A mapping that is being read. */
struct mapping {
	const struct pf_field *fields;
	size_t count;
	const char *what;
	void *object;
	uint32_t seen; /* bit i: fields[i] */
};

/* One key and its value. */
static int
read_field(struct pf_reader *r, struct mapping *m)
{
	size_t i;
	char text[128];

	if (r->yaml.event.type != YAML_SCALAR_EVENT) {
		pf_reader_error(r, "key", "a key must be a plain word");
		return pf_yaml_skip(&r->yaml) < 0 ||
		               pf_yaml_next(&r->yaml) == YAML_NO_EVENT
		           ? -1
		           : pf_yaml_skip(&r->yaml);
	}
	i = find_field(m->fields, m->count, pf_yaml_text(&r->yaml));
	if (i == m->count) {
		unknown_key(r, m->fields, m->count, m->what);
	} else if (m->seen >> i & 1) {
		snprintf(text, sizeof text, "`%s` stands twice in %s",
		    m->fields[i].name, m->what);
		pf_reader_error(r, "duplicate-key", text);
		i = m->count;
	} else {
		m->seen |= 1U << i;
	}
	if (pf_yaml_next(&r->yaml) == YAML_NO_EVENT)
		return -1;
	if (i == m->count)
		return pf_yaml_skip(&r->yaml);
	return m->fields[i].read(r, m->object);
}

int
pf_read_mapping(struct pf_reader *r, const struct pf_field *fields,
    size_t count, const char *what, void *object)
{
	struct mapping m = {fields, count, what, object, 0};
	char text[128];

	if (r->yaml.event.type != YAML_MAPPING_START_EVENT) {
		snprintf(text, sizeof text, "%s must be a mapping of keys",
		    what);
		pf_reader_error(r, "kind", text);
		return pf_yaml_skip(&r->yaml);
	}
	for (;;) {
		yaml_event_type_t type = pf_yaml_next(&r->yaml);

		if (type == YAML_NO_EVENT)
			return -1;
		if (type == YAML_MAPPING_END_EVENT)
			return 0;
		if (read_field(r, &m) < 0)
			return -1;
	}
}

int
pf_read_sequence(struct pf_reader *r, pf_field_fn item, const char *what,
    void *object)
{
	char text[128];

	if (r->yaml.event.type != YAML_SEQUENCE_START_EVENT) {
		snprintf(text, sizeof text, "%s must be a list", what);
		pf_reader_error(r, "kind", text);
		return pf_yaml_skip(&r->yaml);
	}
	for (;;) {
		yaml_event_type_t type = pf_yaml_next(&r->yaml);

		if (type == YAML_NO_EVENT)
			return -1;
		if (type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (item(r, object) < 0)
			return -1;
	}
}

int
pf_is_scalar(struct pf_reader *r, const char *what)
{
	char text[128];

	if (r->yaml.event.type == YAML_SCALAR_EVENT)
		return 1;
	snprintf(text, sizeof text, "%s must be a single value", what);
	pf_reader_error(r, "kind", text);
	return 0;
}

int
pf_read_word(struct pf_reader *r, const char *what, const char *const *words,
    size_t count)
{
	char text[256];
	size_t at;

	if (!pf_is_scalar(r, what))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(pf_yaml_text(&r->yaml), words[i]) == 0)
			return (int)i;
	at = (size_t)snprintf(text, sizeof text, "%s is one of", what);
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s %s",
		    i > 0 ? "," : "", words[i]);
	snprintf(text + at, sizeof text - at, "; not `%.60s`",
	    pf_yaml_text(&r->yaml));
	pf_reader_error(r, "value", text);
	return -1;
}

int
pf_read_choice(struct pf_reader *r, const struct pf_choice *choice,
    int64_t *value)
{
	int word = pf_read_word(r, choice->what, choice->words, choice->count);

	if (word < 0)
		return 0;
	*value = choice->values[word];
	return 1;
}

int
pf_read_time(struct pf_reader *r, int64_t *out)
{
	if (!pf_is_scalar(r, "a date"))
		return 0;
	if (pf_time_parse(pf_yaml_text(&r->yaml), pf_yaml_len(&r->yaml), out) ==
	        PINFAST_OK &&
	    *out > 0)
		return 1;
	pf_reader_error(r, "date",
	    "not a date: write 2027-05-20 (midnight UTC) or "
	    "2027-05-20T12:00:00Z");
	return 0;
}

int
pf_read_number(struct pf_reader *r, const char *what, int64_t least,
    int64_t most, int64_t *out)
{
	char text[160];
	const char *p;
	int64_t value = 0;

	if (!pf_is_scalar(r, what))
		return 0;
	p = pf_yaml_text(&r->yaml);
	while (*p >= '0' && *p <= '9' && value <= (most - (*p - '0')) / 10)
		value = value * 10 + (*p++ - '0');
	if (*p == '\0' && pf_yaml_len(&r->yaml) > 0 && value >= least) {
		*out = value;
		return 1;
	}
	snprintf(text, sizeof text, "%s is a whole number from %lld to %lld",
	    what, (long long)least, (long long)most);
	pf_reader_error(r, "value", text);
	return 0;
}

uint8_t *
pf_reader_file(struct pf_reader *r, const char *name, uint32_t line,
    uint32_t column, size_t *len)
{
	const char *slash = strrchr(r->options->path, '/');
	char path[4096], text[512];
	struct pinfast_diag diag;
	struct pf_content file;
	int folder = slash == NULL || name[0] == '/'
	                 ? 0
	                 : (int)(slash - r->options->path) + 1;

	if (r->options->no_files) {
		pf_reader_error_at(r, line, column, "file",
		    "files cannot be read here");
		return NULL;
	}
	memset(&diag, 0, sizeof diag);
	snprintf(path, sizeof path, "%.*s%s", folder, r->options->path, name);
	if (strcmp(name, "-") != 0 &&
	    pf_file_read(path, MAX_SIDE_FILE, PF_FILE_OURS, &diag, &file) ==
	        PINFAST_OK) {
		*len = file.len;
		return file.data;
	}
	snprintf(text, sizeof text, "%.200s: %.200s", path,
	    diag.text[0] != '\0' ? diag.text : "not a file");
	pf_reader_error_at(r, line, column, "file", text);
	return NULL;
}
