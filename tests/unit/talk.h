/*
 * Conversations as rows: what the peer sends, and what becomes of it.  Each is
 * held whole, byte by byte, and cut at every place, with and without sending
 * in between; all of these must end in the same way.
 */
#ifndef TALK_H
#define TALK_H

#include "claim.h"
#include "wire/starttls.h"

#define MORE PF_DIALOGUE_MORE
#define DONE PF_DIALOGUE_DONE
#define REFUSED PF_DIALOGUE_REFUSED
#define BROKEN PF_DIALOGUE_BROKEN
#define NO_TEXT                                                                \
	"bytes came that are no text: it may speak TLS from the first byte"

/* A string literal with NULs in it. */
#define BYTES(s) s, sizeof(s) - 1

struct talk {
	const char *name;
	const char *peer; /* all that it sends */
	size_t peer_len;
	const char *ours; /* all that we send */
	size_t ours_len;
	enum pf_dialogue_state state;
	const char *said;
	size_t left; /* bytes behind the go-ahead */
};

struct talk_end {
	enum pf_dialogue_state state;
	uint64_t dropped;
	size_t used;
	size_t ours_len;
	char ours[2048];
	char said[PF_DIALOGUE_SAID];
};

/* Sends what is there in two pieces. */
static inline void
talk_send(struct pf_dialogue *d, struct talk_end *end)
{
	struct pinfast_bytes out = pf_dialogue_out(d);

	while (out.len > 0) {
		size_t part = (out.len + 1) / 2;

		assert_true(end->ours_len + part <= sizeof end->ours);
		memcpy(end->ours + end->ours_len, out.data, part);
		end->ours_len += part;
		pf_dialogue_sent(d, part);
		out = pf_dialogue_out(d);
	}
}

static inline void
talk_in(struct pf_dialogue *d, const char *peer, size_t len,
    struct talk_end *end)
{
	size_t used = 0;
	enum pf_dialogue_state state =
	    pf_dialogue_in(d, (const uint8_t *)peer, len, &used);

	assert_true(used <= len);
	assert_true(state == pf_dialogue_state(d));
	end->used += used;
}

static inline void
talk_finish(struct pf_dialogue *d, struct talk_end *end)
{
	talk_send(d, end);
	end->state = pf_dialogue_state(d);
	end->dropped = pf_dialogue_dropped(d);
	strcpy(end->said, pf_dialogue_said(d));
}

/* How the peer's bytes come: pieces of `piece` bytes after one of `first`. */
struct talk_cuts {
	size_t first, piece;
	int send; /* ours are sent in between */
};

static inline void
talk_cut(const struct pf_dialogue *begun, const struct talk *row,
    struct talk_cuts cuts, struct talk_end *end)
{
	struct pf_dialogue d = *begun;

	memset(end, 0, sizeof *end);
	for (size_t at = 0, len = cuts.first; at < row->peer_len;
	     at += len, len = cuts.piece) {
		if (len > row->peer_len - at)
			len = row->peer_len - at;
		if (cuts.send)
			talk_send(&d, end);
		talk_in(&d, row->peer + at, len, end);
	}
	talk_finish(&d, end);
}

static inline void
talk_same(const struct talk *row, const struct talk_end *a,
    const struct talk_end *b)
{
	claim(row->name, a->state == b->state);
	claim(row->name, a->dropped == b->dropped);
	claim(row->name, a->used == b->used);
	claim(row->name, strcmp(a->said, b->said) == 0);
	/* What was not sent before a refusal is not sent any more. */
	if (a->state == PF_DIALOGUE_REFUSED || a->state == PF_DIALOGUE_BROKEN)
		return;
	claim(row->name, a->ours_len == b->ours_len);
	claim(row->name, memcmp(a->ours, b->ours, a->ours_len) == 0);
}

static inline void
talk_hold(const struct pf_dialogue *begun, const struct talk *row, int proxy)
{
	size_t left = row->left;
	struct talk_end one, other;

	talk_cut(begun, row, (struct talk_cuts){1, 1, 1}, &one);
	if (one.state != row->state || strcmp(one.said, row->said) != 0)
		print_message("# %s: %d, %s\n", row->name, (int)one.state,
		    one.said);
	claim(row->name, one.state == row->state);
	claim(row->name, strcmp(one.said, row->said) == 0);
	claim(row->name, one.ours_len == row->ours_len);
	claim(row->name, memcmp(one.ours, row->ours, one.ours_len) == 0);
	claim(row->name, one.dropped == (proxy ? 0 : left));
	if (row->state == PF_DIALOGUE_DONE)
		claim(row->name,
		    one.used == row->peer_len - (proxy ? left : 0));
	talk_cut(begun, row, (struct talk_cuts){row->peer_len, 1, 0}, &other);
	talk_same(row, &one, &other);
	for (size_t at = 1; at < row->peer_len; at++) {
		talk_cut(begun, row, (struct talk_cuts){at, row->peer_len, 1},
		    &other);
		talk_same(row, &one, &other);
		talk_cut(begun, row, (struct talk_cuts){at, row->peer_len, 0},
		    &other);
		talk_same(row, &one, &other);
	}
}

/* A cut conversation is not yet anything but broken. */
static inline void
talk_truncate(const struct pf_dialogue *begun, const struct talk *row)
{
	if (row->state != PF_DIALOGUE_DONE)
		return;
	for (size_t len = 0; len + row->left < row->peer_len; len++) {
		struct talk cut = *row;
		struct talk_end end;

		cut.peer_len = len;
		talk_cut(begun, &cut, (struct talk_cuts){len, 1, 1}, &end);
		claim(row->name, end.state == PF_DIALOGUE_MORE);
	}
}

static inline void
talk_protocol(enum pf_starttls protocol, const struct talk *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pf_dialogue d;

		pf_starttls_begin(&d, protocol, "im.example.org");
		talk_hold(&d, rows + i, 0);
		talk_truncate(&d, rows + i);
	}
}
#define TALKS(protocol, rows)                                                  \
	talk_protocol(PF_STARTTLS_##protocol, rows, sizeof rows / sizeof *rows)

#endif
