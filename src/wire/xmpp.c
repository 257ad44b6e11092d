/*
 * XMPP (RFC 6120): the stream's header, its features, starttls, proceed.  This
 * is no XML parser: it sees tags, how deep they lie, and three names.  What
 * XMPP forbids (comments, DTDs, processing instructions) is refused.
 */
#include "base/bytes.h"
#include "base/host.h"
#include "wire/protocol.h"

#define TLS "urn:ietf:params:xml:ns:xmpp-tls"

enum { HEADER, FEATURES, PROCEED };
enum kind { OTHER, IS_FEATURES, IS_PROCEED, IS_FAILURE, IS_ERROR };

static const struct pf_turn turns[] = {
    {"the server's stream header", NULL, "", 0, 0, 0},
    {"the server's features", NULL, "<starttls xmlns='" TLS "'/>", 0, 0, 0},
    {"the server's answer to starttls", NULL, NULL, 0, 0, 0},
};

void
pf_xmpp_hello(struct pf_dialogue *d, const char *stanzas, const char *host)
{
	struct pf_host to;

	if (!host || pf_host_parse(host, strlen(host), &to) != PINFAST_OK) {
		pf_wire_break(d, "this is no host that a stream can be for");
		return;
	}
	pf_wire_put_text(d, "<?xml version='1.0'?><stream:stream to='");
	pf_wire_put(d, to.text, to.text_len);
	pf_wire_put_text(d, "' xmlns='");
	pf_wire_put_text(d, stanzas);
	pf_wire_put_text(d, "' xmlns:stream='http://etherx.jabber.org/streams' "
	                    "version='1.0'>");
}

static int
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One tag at a time; text between tags is passed over. */
static int
whole(struct pf_dialogue *d, uint8_t byte)
{
	if (!pf_wire_is_text(byte) || (d->in_len == 1 && byte != '<' &&
	                                  d->number == 0 && !is_space(byte))) {
		d->said_len = 0;
		pf_wire_break(d, "the server does not speak XMPP");
		return 0;
	}
	if (d->in_len == 1 && byte != '<') {
		d->in_len = 0;
	} else if (d->quote != 0) {
		if (byte == d->quote)
			d->quote = 0;
	} else if (byte == '"' || byte == '\'') {
		d->quote = byte;
	} else {
		return byte == '>';
	}
	return 0;
}

/* Does this stand anywhere in the tag? */
static int
has(const struct pf_dialogue *d, const char *what)
{
	size_t len = strlen(what);

	for (size_t i = 0; i + len <= d->in_len; i++)
		if (pf_same(d->in + i, what, len))
			return 1;
	return 0;
}

/* The element's name, without its prefix. */
static struct pinfast_bytes
name_of(const struct pf_dialogue *d)
{
	struct pinfast_bytes name = {d->in + 1, 0};
	const uint8_t *at = d->in + 1;

	for (; *at != '>' && *at != '/' && !is_space(*at); at++)
		if (*at == ':')
			name.data = at + 1;
	name.len = (size_t)(at - name.data);
	return name;
}

static int
is(struct pinfast_bytes name, const char *what)
{
	return name.len == strlen(what) && pf_same(name.data, what, name.len);
}

static enum kind
kind_of(struct pinfast_bytes name)
{
	static const struct {
		const char *name;
		enum kind kind;
	} rows[] = {
	    {"features", IS_FEATURES},
	    {"proceed", IS_PROCEED},
	    {"failure", IS_FAILURE},
	    {"error", IS_ERROR},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (is(name, rows[i].name))
			return rows[i].kind;
	return OTHER;
}

/* An element that lies directly in the stream has ended. */
static void
ended(struct pf_dialogue *d)
{
	if (d->kind == IS_ERROR)
		pf_wire_refuse(d, "the server ends the stream");
	else if (d->kind == IS_FAILURE && d->step == PROCEED)
		pf_wire_refuse(d, "the server refused STARTTLS");
	else if (d->kind == IS_FEATURES && d->step == FEATURES && !d->offered)
		pf_wire_refuse(d, "the server does not offer STARTTLS");
	else if ((d->kind == IS_FEATURES && d->step == FEATURES) ||
	         (d->kind == IS_PROCEED && d->step == PROCEED))
		pf_wire_next(d);
	else
		pf_wire_break(d, "the server sent an element that does not "
		                 "belong here");
}

/* The stream's own tag; servers before version 1.0 have no features. */
static int
opened_stream(struct pf_dialogue *d, struct pinfast_bytes name)
{
	if (!is(name, "stream") || d->in[d->in_len - 2] == '/') {
		pf_wire_break(d, "the server does not speak XMPP");
		return 0;
	}
	if (!has(d, "version=")) {
		pf_wire_refuse(d, "the server speaks XMPP before version 1.0, "
		                  "which has no STARTTLS");
		return 0;
	}
	pf_wire_next(d);
	return 1;
}

static void
opened(struct pf_dialogue *d)
{
	struct pinfast_bytes name = name_of(d);

	if (d->number == 0 && !opened_stream(d, name))
		return;
	if (d->number == 1)
		d->kind = (uint8_t)kind_of(name);
	if (d->number == 2) {
		pf_wire_hear(d, name.data, name.len);
		if (is(name, "starttls") && has(d, TLS))
			d->offered = 1;
	}
	if (d->in[d->in_len - 2] != '/')
		d->number++;
	else if (d->number == 1)
		ended(d);
}

static void
closed(struct pf_dialogue *d)
{
	if (d->number == 0)
		pf_wire_break(d, "the server does not speak XMPP");
	else if (d->number == 1)
		pf_wire_refuse(d, "the server ends the stream");
	else if (--d->number == 1)
		ended(d);
}

static void
take(struct pf_dialogue *d)
{
	static const char declaration[] = "<?xml ";

	if (d->in[1] == '/')
		closed(d);
	else if (d->in[1] != '?' && d->in[1] != '!')
		opened(d);
	else if (d->number != 0 || d->in_len < sizeof declaration ||
	         !pf_same(d->in, declaration, sizeof declaration - 1))
		pf_wire_break(d, "the server sent XML that XMPP forbids");
}

const struct pf_protocol pf_xmpp = {
    .whole = whole, .take = take, .turns = turns};
const struct pf_protocol pf_xmpp_server = {
    .whole = whole, .take = take, .turns = turns};
