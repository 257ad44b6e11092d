/*
 * One TLS connection from attach to settling.  Hides its names, the evidence
 * and the judgement of today's policy over all of them.  Refuses to be judged
 * after it has been settled, and denies until it has been judged.
 */
#ifndef PF_CONN_H
#define PF_CONN_H

#include "base/host.h"
#include "base/limits.h"
#include "core/judge.h"
#include "core/lookup.h"

#define PF_WANTED 4 /* pins that an explanation names */

/* What the last judgement leaves for events, tags and explanations. */
struct pf_judgement {
	struct pf_outcome outcome;
	struct pinfast_verdict verdict;
	uint8_t policy[32];
	uint64_t serial;
	int has_policy;
	int32_t scope;     /* enum pinfast_scope; -1: no entry */
	uint32_t entry_at; /* in the name's key */
	uint16_t entry_port;
	uint16_t name;    /* which of the names it speaks of */
	int64_t at;       /* judged at this time, as clamped */
	int64_t boundary; /* when the policy may judge otherwise; 0: never */
	uint8_t wanted[PF_WANTED][PINFAST_PIN_LEN];
	uint32_t wanted_count; /* of all wanted pins */
	uint8_t wanted_certs;  /* bit i: wanted[i] is of a whole certificate */
	uint8_t beyond_leaf;   /* some rule asks about more than the leaf,
	                        * or tries another set out on the path */
	uint8_t dated;         /* some rule asks for the leaf's dates */
};

struct pinfast_conn {
	struct pinfast *policy;
	struct pf_host *names[PF_MAX_NAMES];
	uint16_t name_count;
	uint16_t port;
	uint8_t explicit_host;
	uint8_t invalid; /* a name that has no canonical form */
	uint8_t server;
	uint8_t one_parser;
	uint8_t settled;
	uint8_t refused; /* it was settled as a deny */
	uint8_t judged;
	uint8_t resumed;
	uint8_t again; /* another object has had this connection's event */
	int64_t now;
	uint8_t trust[32]; /* anchors in use; zeros: the application's */
	uint8_t delegated; /* terms are those of pinfast_conn_leaf_pins() */
	uint8_t terms[32];
	uint8_t first_pin[PINFAST_PIN_LEN];
	struct pf_shown shown;
	struct pf_judgement last;
};

/* A question to today's policy: these names, this port, this time. */
struct pf_question {
	struct pf_host *const *names;
	uint16_t name_count;
	uint16_t port;
	uint8_t server;
	uint8_t name_verified; /* 0: nothing verifies for this name */
	int64_t now;
};

/* Judges the view's evidence; writes the whole judgement. */
void pf_conn_judge(struct pinfast *policy, const struct pf_question *question,
    struct pf_view *view, struct pf_judgement *out);

/* Of one that was judged: is it settled as allowed, and would the policy of
 * today say the same again of the same evidence, asked now?  0: ask it. */
int pf_conn_stands(const struct pinfast_conn *conn, int64_t now);

/* pinfast_conn_wants() of a key that was hashed already. */
int pf_conn_wants(struct pinfast_conn *conn,
    const uint8_t pin[PINFAST_PIN_LEN]);

/* The connection's own question. */
struct pf_question pf_conn_question(const struct pinfast_conn *conn);

/* Begins a judgement: a deny with this reason, and evidence forgotten. */
void pf_conn_begin(struct pinfast_conn *conn, uint8_t evidence, uint8_t pkix,
    struct pf_view *view);

/* Ends it. */
struct pinfast_verdict pf_conn_end(struct pinfast_conn *conn,
    struct pf_view *view);

/* A deny without evidence: nothing can be rechecked or tagged afterwards. */
struct pinfast_verdict pf_conn_deny(struct pinfast_conn *conn,
    enum pinfast_reason reason);

#endif
