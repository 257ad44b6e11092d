/*
 * Holds a dialogue in three ways, which must end alike: as a whole, byte by
 * byte, and in pieces; with other bytes in the room that a line has before it
 * comes, and with or without sending in between.
 */
#ifndef HELD_H
#define HELD_H

#include <stdlib.h>
#include <string.h>

#include "wire/dialogue.h"

struct held {
	struct pf_dialogue *d;
	size_t used;
	size_t ours_len;
	uint8_t ours[4096];
};

static void
must(int condition)
{
	if (!condition)
		abort();
}

static void
held_send(struct held *h)
{
	struct pinfast_bytes out = pf_dialogue_out(h->d);

	must(out.len <= sizeof h->ours - h->ours_len);
	memcpy(h->ours + h->ours_len, out.data, out.len);
	h->ours_len += out.len;
	pf_dialogue_sent(h->d, out.len);
	must(pf_dialogue_out(h->d).len == 0);
}

static void
held_hold(struct held *h, const struct pf_dialogue *begun,
    struct pinfast_bytes peer, size_t piece, uint8_t fill)
{
	memset(h, 0, sizeof *h);
	h->d = malloc(sizeof *h->d);
	must(h->d != NULL);
	*h->d = *begun;
	memset(h->d->in, fill, sizeof h->d->in);
	for (size_t at = 0, len; at < peer.len; at += len) {
		size_t used;

		len = piece < peer.len - at ? piece : peer.len - at;
		if (fill != 0)
			held_send(h);
		must(pf_dialogue_in(h->d, peer.data + at, len, &used) ==
		     pf_dialogue_state(h->d));
		must(used <= len);
		h->used += used;
	}
	held_send(h);
	must(strlen(pf_dialogue_said(h->d)) < PF_DIALOGUE_SAID);
	must(strlen(pf_dialogue_awaits(h->d)) > 0);
}

static void
held_compare(struct held *a, struct held *b)
{
	enum pf_dialogue_state state = pf_dialogue_state(a->d);

	must(pf_dialogue_state(b->d) == state && a->used == b->used);
	must(pf_dialogue_dropped(a->d) == pf_dialogue_dropped(b->d));
	must(strcmp(pf_dialogue_said(a->d), pf_dialogue_said(b->d)) == 0);
	/* What was not sent before a refusal is not sent any more. */
	if (state == PF_DIALOGUE_MORE || state == PF_DIALOGUE_DONE)
		must(a->ours_len == b->ours_len &&
		     memcmp(a->ours, b->ours, a->ours_len) == 0);
	else
		must(pf_dialogue_said(a->d)[0] != '\0');
	free(b->d);
}

/* Returns the dialogue, which the caller frees. */
static struct held
held_all(const struct pf_dialogue *begun, struct pinfast_bytes peer,
    size_t piece)
{
	static struct held whole, other;
	uint8_t *copy = malloc(peer.len + (peer.len == 0));

	must(copy != NULL);
	memcpy(copy, peer.data, peer.len);
	peer.data = copy;
	held_hold(&whole, begun, peer, peer.len, 0);
	held_hold(&other, begun, peer, 1, 'S');
	held_compare(&whole, &other);
	held_hold(&other, begun, peer, piece, 0xff);
	held_compare(&whole, &other);
	free(copy);
	return whole;
}

#endif
