#include "policy/yaml.h"

#include <string.h>

#include "base/limits.h"

static void
complain(struct pf_yaml *y, uint32_t line, uint32_t column, const char *text)
{
	struct pf_finding finding = {
	    PF_LEVEL_ERROR, line, column, "syntax", text};

	if (!y->failed && y->sink != NULL)
		y->sink->say(y->sink->arg, &finding);
	y->failed = 1;
}

static void
complain_here(struct pf_yaml *y, const char *text)
{
	complain(y, pf_yaml_line(y), pf_yaml_column(y), text);
}

enum pinfast_error
pf_yaml_open(struct pf_yaml *y, struct pinfast_bytes text,
    const struct pf_sink *sink)
{
	memset(y, 0, sizeof *y);
	y->sink = sink;
	y->text = text;
	if (!yaml_parser_initialize(&y->parser))
		return PINFAST_ENOMEM;
	yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y->parser, text.data, text.len);
	/* libyaml would take it for the beginning of the first word. */
	if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
		complain(y, 1, 1,
		    "the policy begins with a byte order mark: save it as "
		    "UTF-8 without one");
	return PINFAST_OK;
}

void
pf_yaml_close(struct pf_yaml *y)
{
	if (y->has_event)
		yaml_event_delete(&y->event);
	yaml_parser_delete(&y->parser);
}

uint32_t
pf_yaml_line(const struct pf_yaml *y)
{
	return (uint32_t)y->event.start_mark.line + 1;
}

uint32_t
pf_yaml_column(const struct pf_yaml *y)
{
	return (uint32_t)y->event.start_mark.column + 1;
}

const char *
pf_yaml_text(const struct pf_yaml *y)
{
	return (const char *)y->event.data.scalar.value;
}

size_t
pf_yaml_len(const struct pf_yaml *y)
{
	return y->event.data.scalar.length;
}

int
pf_yaml_plain(const struct pf_yaml *y)
{
	return y->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static const char *
strange_scalar(const struct pf_yaml *y)
{
	if (y->event.data.scalar.anchor != NULL)
		return "anchors and aliases are not accepted in a policy";
	if (y->event.data.scalar.tag != NULL)
		return "tags are not accepted in a policy";
	if (memchr(pf_yaml_text(y), '\0', pf_yaml_len(y)) != NULL)
		return "a NUL character is not accepted";
	return NULL;
}

/* What a policy may not hold; NULL: fine. */
static const char *
strange(struct pf_yaml *y)
{
	const yaml_event_t *e = &y->event;
	const void *anchor = NULL, *tag = NULL;

	if (e->type == YAML_SCALAR_EVENT)
		return strange_scalar(y);
	if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (anchor != NULL || e->type == YAML_ALIAS_EVENT)
		return "anchors and aliases are not accepted in a policy";
	return tag != NULL ? "tags are not accepted in a policy" : NULL;
}

static const char *
count_depth(struct pf_yaml *y)
{
	yaml_event_type_t type = y->event.type;

	if (type == YAML_SEQUENCE_START_EVENT ||
	    type == YAML_MAPPING_START_EVENT) {
		if (++y->depth > PF_MAX_YAML_DEPTH)
			return "nested deeper than 16 levels";
	} else if (type == YAML_SEQUENCE_END_EVENT ||
	           type == YAML_MAPPING_END_EVENT) {
		y->depth--;
	}
	return NULL;
}

/* libyaml says where in the text, in octets, what it reads is not UTF-8. */
static void
complain_about_octets(struct pf_yaml *y)
{
	const yaml_parser_t *p = &y->parser;
	uint32_t line = 1, column = 1;

	for (size_t i = 0; i < p->problem_offset && i < y->text.len; i++) {
		if (y->text.data[i] == '\n') {
			line++;
			column = 1;
		} else if ((y->text.data[i] & 0xC0) != 0x80) {
			column++;
		}
	}
	complain(y, line, column,
	    "not UTF-8, or a character that YAML does not accept");
}

static void
complain_about_yaml(struct pf_yaml *y)
{
	const yaml_parser_t *p = &y->parser;

	if (p->error == YAML_READER_ERROR)
		complain_about_octets(y);
	else
		complain(y, (uint32_t)p->problem_mark.line + 1,
		    (uint32_t)p->problem_mark.column + 1,
		    p->problem != NULL ? p->problem : "not YAML");
}

yaml_event_type_t
pf_yaml_next(struct pf_yaml *y)
{
	const char *complaint;

	if (y->failed)
		return YAML_NO_EVENT;
	if (y->has_event)
		yaml_event_delete(&y->event);
	y->has_event = yaml_parser_parse(&y->parser, &y->event);
	if (!y->has_event) {
		complain_about_yaml(y);
		return YAML_NO_EVENT;
	}
	complaint = strange(y);
	if (complaint == NULL)
		complaint = count_depth(y);
	if (complaint != NULL) {
		complain_here(y, complaint);
		return YAML_NO_EVENT;
	}
	return y->event.type;
}

int
pf_yaml_skip(struct pf_yaml *y)
{
	unsigned above;

	if (y->failed)
		return -1;
	if (y->event.type != YAML_SEQUENCE_START_EVENT &&
	    y->event.type != YAML_MAPPING_START_EVENT)
		return 0;
	above = y->depth - 1;
	while (y->depth > above)
		if (pf_yaml_next(y) == YAML_NO_EVENT)
			return -1;
	return 0;
}
