/*
 * What was found out about certificates before: where a walk has found what,
 * the pin of one about which both parsers agreed, that one was verified to be
 * issued by another, or that it is one of a host's.  All are true for ever of
 * exactly these bytes.  Hides where it is kept and what is forgotten when there
 * is no room.  Keeps nothing that is large, and what nobody has verified must
 * not be put in: anybody can show that.
 */
#ifndef PF_REMEMBER_H
#define PF_REMEMBER_H

#include <pthread.h>

#include "core/spki.h"
#include "pinfast.h"

#define PF_SEEN_SETS 32
#define PF_SEEN_WAYS 4
#define PF_SEEN_MAX 8192 /* bytes of one */

/* Of one certificate. */
struct pf_facts {
	struct pf_cert walked; /* slices of the bytes that are asked about */
	int64_t not_after;     /* seconds since 1970; 0: cannot be read */
	int has_pin;
	uint8_t pin[PINFAST_PIN_LEN];
};

/* Any number of threads use one.  Nobody waits for another: who comes meanwhile
 * knows nothing, also in a child that was forked in between. */
struct pf_seen {
	pthread_mutex_t lock;
	unsigned next; /* the way that is overwritten next */
	struct {
		uint8_t *bytes; /* both, one behind the other */
		size_t len;
		size_t other_len;
		struct pf_facts facts; /* slices of bytes */
	} slot[PF_SEEN_SETS][PF_SEEN_WAYS];
};

/* One without anything in it: of a process, or cleared memory for _init(). */
#define PF_SEEN_EMPTY                                                          \
	{                                                                      \
		.lock = PTHREAD_MUTEX_INITIALIZER                              \
	}
void pf_seen_init(struct pf_seen *seen);
void pf_seen_fini(struct pf_seen *seen);

/*
 * What was put in for these bytes, and these others (len 0: there are none).
 * 1: facts, unless they are NULL, have been written, slices of bytes; 0:
 * nothing is known
 */
int pf_seen_get(struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other, struct pf_facts *facts);

/* Keeps a copy, when there is memory; of facts that are NULL only that these
 * bytes are known.  What is known of the same bytes stays, but for a pin that
 * it had not. */
void pf_seen_put(struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other, const struct pf_facts *facts);

#endif
