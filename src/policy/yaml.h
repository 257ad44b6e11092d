/*
 * YAML as a stream of events (libyaml), made strict.  Hides the parser.
 * Refuses what can surprise in a security policy: tags, anchors and aliases,
 * a second document, NUL, other encodings than UTF-8, deep nesting.  Nothing
 * is kept of what has been read.
 */
#ifndef PF_YAML_H
#define PF_YAML_H

#include <yaml.h>

#include "model/sink.h"
#include "pinfast.h"

struct pf_yaml {
	yaml_parser_t parser;
	yaml_event_t event; /* the present one */
	int has_event;
	unsigned depth;
	const struct pf_sink *sink;
	struct pinfast_bytes text;
	int failed; /* the text cannot be read on */
};

/* Begins to read; text is borrowed until pf_yaml_close(). */
PINFAST_CHECK enum pinfast_error pf_yaml_open(struct pf_yaml *y,
    struct pinfast_bytes text, const struct pf_sink *sink);
void pf_yaml_close(struct pf_yaml *y);

/*
 * Moves to the next event and returns its type; YAML_NO_EVENT when the text
 * is wrong, which the sink has been told.
 */
yaml_event_type_t pf_yaml_next(struct pf_yaml *y);

/* Passes over the value whose first event is the present one. */
int pf_yaml_skip(struct pf_yaml *y);

/* Where the present event stands; 1 is the first. */
uint32_t pf_yaml_line(const struct pf_yaml *y);
uint32_t pf_yaml_column(const struct pf_yaml *y);

/* The present scalar's text, NUL-terminated. */
const char *pf_yaml_text(const struct pf_yaml *y);
size_t pf_yaml_len(const struct pf_yaml *y);
/* Is it written without quotation marks? */
int pf_yaml_plain(const struct pf_yaml *y);

#endif
