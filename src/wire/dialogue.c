#include "wire/dialogue.h"

#include "base/bytes.h"
#include "wire/protocol.h"

/* The longest part of said that is the peer's. */
#define HEARD_MAX 240

void
pf_wire_begin(struct pf_dialogue *d, const struct pf_protocol *protocol)
{
	memset(d, 0, sizeof *d);
	d->protocol = protocol;
	d->state = PF_DIALOGUE_MORE;
	pf_wire_put(d, protocol->hello.data, protocol->hello.len);
}

void
pf_wire_put(struct pf_dialogue *d, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < len; i++)
		d->out[d->out_to++] = from[i];
}

void
pf_wire_put_text(struct pf_dialogue *d, const char *text)
{
	pf_wire_put(d, text, strlen(text));
}

static void
say(struct pf_dialogue *d, const char *text)
{
	while (*text != '\0')
		d->said[d->said_len++] = *text++;
	d->said[d->said_len] = '\0';
}

void
pf_wire_hear(struct pf_dialogue *d, const void *bytes, size_t len)
{
	const char *from = bytes;

	if (d->said_len > 0 && d->said_len < HEARD_MAX)
		say(d, " / ");
	for (size_t i = 0; i < len; i++) {
		if (d->said_len >= HEARD_MAX) {
			d->said_len = HEARD_MAX;
			say(d, "...");
			return;
		}
		d->said[d->said_len++] = from[i];
		if (from[i] == '\0')
			d->said[d->said_len - 1] = ' ';
	}
	d->said[d->said_len] = '\0';
}

/* Puts the sentence before the peer's words. */
static void
finish(struct pf_dialogue *d, enum pf_dialogue_state state, const char *why)
{
	char words[HEARD_MAX + 4];

	memcpy(words, d->said, d->said_len);
	words[d->said_len] = '\0';
	d->said_len = 0;
	say(d, why);
	if (words[0] != '\0') {
		say(d, ": ");
		say(d, words);
	}
	d->state = state;
	memset(d->out, 0, sizeof d->out);
	d->out_from = d->out_to = 0;
}

void
pf_wire_refuse(struct pf_dialogue *d, const char *why)
{
	finish(d, PF_DIALOGUE_REFUSED, why);
}

void
pf_wire_break(struct pf_dialogue *d, const char *why)
{
	finish(d, PF_DIALOGUE_BROKEN, why);
}

void
pf_wire_next(struct pf_dialogue *d)
{
	const char *next = d->protocol->turns[d->step].next;

	if (!next) {
		d->state = PF_DIALOGUE_DONE;
		return;
	}
	pf_wire_put_text(d, next);
	d->step++;
	d->said_len = 0;
}

static void
take_byte(struct pf_dialogue *d, uint8_t byte)
{
	if (d->heard == PF_MAX_DIALOGUE) {
		pf_wire_break(d, "more than " PF_WIRE_ALL " came before TLS");
		return;
	}
	if (d->in_len == sizeof d->in) {
		pf_wire_break(d,
		    "a line or message is longer than " PF_WIRE_LINE);
		return;
	}
	d->heard++;
	d->in[d->in_len++] = byte;
	if (d->protocol->whole(d, byte)) {
		d->protocol->take(d);
		d->in_len = 0;
	}
}

enum pf_dialogue_state
pf_dialogue_in(struct pf_dialogue *d, const uint8_t *data, size_t len,
    size_t *used)
{
	size_t at = 0;

	while (at < len && d->state == PF_DIALOGUE_MORE)
		take_byte(d, data[at++]);
	if (d->state == PF_DIALOGUE_DONE && !d->protocol->is_proxy) {
		d->dropped += len - at;
		at = len;
	}
	*used = at;
	return d->state;
}

enum pf_dialogue_state
pf_dialogue_end(struct pf_dialogue *d)
{
	if (d->state != PF_DIALOGUE_MORE)
		return d->state;
	if (d->protocol->is_proxy)
		pf_wire_break(d, "the proxy closed the connection");
	else
		pf_wire_break(d, "the server closed the connection");
	return d->state;
}

enum pf_dialogue_state
pf_dialogue_state(const struct pf_dialogue *d)
{
	return d->state;
}

struct pinfast_bytes
pf_dialogue_out(const struct pf_dialogue *d)
{
	struct pinfast_bytes out = {
	    d->out + d->out_from, (size_t)(d->out_to - d->out_from)};

	return out;
}

void
pf_dialogue_sent(struct pf_dialogue *d, size_t len)
{
	size_t left = (size_t)(d->out_to - d->out_from);

	if (len > left)
		len = left;
	memset(d->out + d->out_from, 0, len);
	d->out_from = (uint16_t)(d->out_from + len);
}

const char *
pf_dialogue_awaits(const struct pf_dialogue *d)
{
	return d->protocol->turns[d->step].awaits;
}

uint64_t
pf_dialogue_dropped(const struct pf_dialogue *d)
{
	return d->dropped;
}

const char *
pf_dialogue_said(const struct pf_dialogue *d)
{
	return d->state == PF_DIALOGUE_REFUSED || d->state == PF_DIALOGUE_BROKEN
	           ? d->said
	           : "";
}
