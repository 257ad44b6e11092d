/*
 * What one protocol of wire tells dialogue.c about itself, and what it may do
 * to a dialogue.  Hides nothing from the files of wire; nobody else includes
 * it.  A protocol sees whole lines or messages only, so that no answer depends
 * on how it was cut.
 */
#ifndef PF_PROTOCOL_H
#define PF_PROTOCOL_H

#include "wire/dialogue.h"

/* What a line means for the turn that a dialogue is at. */
enum pf_reply {
	PF_ANSWER_MORE, /* nothing yet, more lines follow */
	PF_ANSWER_YES,
	PF_ANSWER_NO,
	PF_ANSWER_ODD /* it does not belong here */
};

/* The peer's turn: what it owes, and what it hears then. */
struct pf_turn {
	const char *awaits;
	const char *refused; /* when it says no */
	const char *next;    /* sent after a yes; NULL: this was the last */
	uint16_t yes;        /* codes, where answers have codes */
	uint16_t yes_too;
	uint8_t offers; /* it must have offered STARTTLS by now */
};

struct pf_protocol {
	/* Is in[0..in_len) whole now that byte has come? */
	int (*whole)(struct pf_dialogue *d, uint8_t byte);
	/* Takes a whole line or message. */
	void (*take)(struct pf_dialogue *d);
	/* For protocols of lines: pf_lines_take() asks it. */
	enum pf_reply (*read)(struct pf_dialogue *d, const char *line,
	    size_t len);
	const struct pf_turn *turns;
	struct pinfast_bytes hello; /* sent at the beginning */
	const char *foreign;        /* what is wrong when an answer is odd */
	uint8_t is_proxy;           /* what follows belongs to the next layer */
};

extern const struct pf_protocol pf_smtp, pf_lmtp, pf_imap, pf_pop3, pf_ftp,
    pf_nntp, pf_sieve, pf_ldap, pf_postgres, pf_mysql, pf_xmpp, pf_xmpp_server,
    pf_none;

/* A new dialogue: the protocol's hello waits to be sent. */
void pf_wire_begin(struct pf_dialogue *d, const struct pf_protocol *protocol);

/* The out of a dialogue has room for all that its protocol ever says. */
void pf_wire_put(struct pf_dialogue *d, const void *bytes, size_t len);
void pf_wire_put_text(struct pf_dialogue *d, const char *text);

/* Keeps words of the peer for whoever asks why it was refused. */
void pf_wire_hear(struct pf_dialogue *d, const void *bytes, size_t len);

/* The peer said yes: the next turn, or the end. */
void pf_wire_next(struct pf_dialogue *d);

/* Ends it; why is a sentence without its full stop. */
void pf_wire_refuse(struct pf_dialogue *d, const char *why);
void pf_wire_break(struct pf_dialogue *d, const char *why);

/* XMPP says which host it wants, and whether it is a client or a server. */
void pf_xmpp_hello(struct pf_dialogue *d, const char *stanzas,
    const char *host);

/* A line of text has come; for protocols of lines. */
int pf_lines_whole(struct pf_dialogue *d, uint8_t byte);
void pf_lines_take(struct pf_dialogue *d);

/* Is this a character that text has, as opposed to TLS or other bytes? */
int pf_wire_is_text(uint8_t byte);

/* The line begins with this word (in any case), and there it ends, too. */
int pf_wire_word(const char *line, size_t len, const char *word);

#define PF_WIRE_TEXT_(n) #n
#define PF_WIRE_TEXT(n) PF_WIRE_TEXT_(n)
#define PF_WIRE_LINE PF_WIRE_TEXT(PF_MAX_DIALOGUE_LINE) " bytes"
#define PF_WIRE_ALL PF_WIRE_TEXT(PF_MAX_DIALOGUE) " bytes"

#endif
