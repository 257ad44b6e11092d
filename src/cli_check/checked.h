/*
 * What a live check found out about one server, as plain values: everything
 * that is printed or written comes from here.  Hides how the results of
 * several connections become one.
 */
#ifndef PF_CHECKED_H
#define PF_CHECKED_H

#include "pinfast.h"

/* In the order of how bad they are. */
enum pf_checked_status {
	PF_CHECKED_OK = 0,
	PF_CHECKED_REPORTED = 1,  /* clients go on and report it */
	PF_CHECKED_UNDECIDED = 2, /* there was no answer */
	PF_CHECKED_DENIED = 3
};
const char *pf_checked_status_name(enum pf_checked_status status);

/* One connection: an address, and a kind of key. */
struct pf_checked_row {
	char address[80];
	const char *key;     /* "ecdsa", "rsa"; NULL: not known */
	const char *version; /* "TLSv1.3"; NULL: not known */
	const char *stage;   /* where it failed; NULL: it did not */
	enum pf_checked_status status;
	int no_route; /* from here: says nothing about the server */
	int absent;   /* there is no key of this kind; why says more */
	int judged;
	int reason; /* enum pinfast_reason, when judged */
	int shadow; /* the same of the shadow set; 0: none judged */
	int pkix_ran, pkix_ok;
	char pkix_error[160];
	char pin[PINFAST_PIN_TEXT_LEN]; /* of the leaf's key; "": not known */
	int64_t not_after;              /* of the leaf; 0: not known */
	int64_t elapsed_ms;
	size_t dropped; /* bytes in front of the handshake that were not ours */
	char *why;      /* malloc'ed; a sentence, NULL when there is no need */
};

/* One server. */
struct pf_checked {
	char host[PINFAST_HOST_LEN];
	uint16_t port;
	const char *starttls; /* NULL: none */
	int by_proxy;         /* a proxy chose one of its addresses */
	char entry[PINFAST_HOST_LEN];
	int entry_scope; /* enum pinfast_scope; -1: no entry */
	uint16_t entry_port;
	int warn;          /* the entry's warn-after has passed */
	int64_t expires;   /* of the entry; 0: never */
	int pins, backups; /* of the entry, SPKI and whole certificates; the
	                      latter: nobody showed them; -1: not known */
	struct pf_checked_row *rows;
	size_t count;
	size_t looked; /* rows that are not absent */
	/* Made of the rows by pf_checked_fold(): */
	enum pf_checked_status status;
	int up;            /* every connection was made */
	int pin_match;     /* every connection showed what is pinned */
	int64_t not_after; /* the earliest of the leaves; 0: not known */
	int shadow;        /* what is worst for the shadow set; 0: none */
};

/* Takes the row and what it owns; 0: out of memory, and the row is freed. */
int pf_checked_add(struct pf_checked *checked,
    const struct pf_checked_row *row);
void pf_checked_fold(struct pf_checked *checked);
void pf_checked_fini(struct pf_checked *checked);

/* All of them together. */
struct pf_checked_sum {
	unsigned long count[PF_CHECKED_DENIED + 1];
	unsigned long not_checked; /* entries that name no server */
	int without_probes;        /* it was a store that was asked for them */
	int64_t now;
	int64_t valid_until; /* of the policy; 0: always */
	int interrupted;
};

/* Whole days from now until then, rounded down; negative: it is over. */
long pf_days_between(int64_t now, int64_t then);

/* "host:443", "[2001:db8::1]:443" */
#define PF_CHECKED_NAME (PINFAST_HOST_LEN + 8)
void pf_checked_name(const struct pf_checked *checked,
    char out[PF_CHECKED_NAME]);

#endif
