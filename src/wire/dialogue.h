/*
 * A conversation before TLS begins: what a proxy or a server wants to hear
 * first.  Bytes in, bytes out; hides which protocol it is and how its answers
 * were cut on their way.  Refuses a peer that says no, one that speaks another
 * protocol, lines and conversations beyond a limit, and everything that the
 * protocol at hand does not allow.  Nothing here allocates or knows sockets;
 * whoever calls keeps the time and the connection.
 *
 * One of the _begin functions (starttls.h, httpconnect.h, socks5.h), then
 *
 *	while pf_dialogue_state() is PF_DIALOGUE_MORE:
 *		send pf_dialogue_out(), tell pf_dialogue_sent()
 *		read, and give what came to pf_dialogue_in()
 *	send what pf_dialogue_out() still has: the next layer begins
 *
 * One thread at a time may use a dialogue.  It may be copied.
 */
#ifndef PF_DIALOGUE_H
#define PF_DIALOGUE_H

#include "pinfast.h"

#include "base/limits.h"

enum pf_dialogue_state {
	PF_DIALOGUE_BROKEN = 0, /* the peer speaks something else, or too much,
	                           or it cannot be asked at all */
	PF_DIALOGUE_MORE = 1,   /* it goes on */
	PF_DIALOGUE_DONE = 2,   /* the next layer begins */
	PF_DIALOGUE_REFUSED = 3 /* the peer said no */
};

#define PF_DIALOGUE_SAID 400 /* a sentence, the peer's words, NUL */

struct pf_protocol;

/* Its members belong to the files of wire. */
struct pf_dialogue {
	const struct pf_protocol *protocol;
	enum pf_dialogue_state state;
	uint32_t heard;   /* bytes that were understood, or broke it */
	uint64_t dropped; /* bytes behind the go-ahead */
	uint16_t in_len;
	uint16_t out_from; /* what was sent ends here */
	uint16_t out_to;   /* what may be sent ends here */
	uint16_t said_len;
	uint16_t number; /* an answer's code, or how deep in elements */
	uint16_t aside;  /* of what lies behind out_to: the first message */
	uint8_t step;    /* the turn that it is at */
	uint8_t offered; /* the peer said that it can */
	uint8_t kind;    /* of the element, or of the quotes around it */
	uint8_t quote;
	char said[PF_DIALOGUE_SAID];
	uint8_t out[1280];                /* longest: HTTP CONNECT */
	uint8_t in[PF_MAX_DIALOGUE_LINE]; /* a line or message so far */
};

/* Where it stands; a dialogue may have ended when it begins. */
enum pf_dialogue_state pf_dialogue_state(const struct pf_dialogue *d);

/* What is to be sent now, also when it is done; empty: nothing. */
struct pinfast_bytes pf_dialogue_out(const struct pf_dialogue *d);

/* The first len bytes of it were sent; they are wiped. */
void pf_dialogue_sent(struct pf_dialogue *d, size_t len);

/*
 * What the peer sent.
 *
 * used     how many of the bytes belong to the dialogue.  Behind a proxy's
 *          go-ahead the others belong to the next layer.  Behind a server's
 *          they are dropped and counted: nothing that came in the clear may
 *          pass for something that came by TLS (CVE-2011-0411).
 */
enum pf_dialogue_state pf_dialogue_in(struct pf_dialogue *d,
    const uint8_t *data, size_t len, size_t *used);

/* The peer closed the connection: what was not done is broken. */
enum pf_dialogue_state pf_dialogue_end(struct pf_dialogue *d);

/* What the peer owes: "the server's greeting". */
const char *pf_dialogue_awaits(const struct pf_dialogue *d);

/* How many bytes came behind a server's go-ahead. */
uint64_t pf_dialogue_dropped(const struct pf_dialogue *d);

/*
 * When it is refused or broken: why, and what the peer said, without NUL and
 * at most PF_DIALOGUE_SAID - 1 bytes; the peer's own bytes are in it, so it
 * is for pf_print_safe() only.  Else an empty text.  Lives as long as d.
 */
const char *pf_dialogue_said(const struct pf_dialogue *d);

#endif
