/*
 * One connection of a run, from the name to the end of the handshake.  Shared
 * by the files of this folder: probe.c begins and ends a run, run.c starts
 * connections and watches the clock, flight.c moves one on, tell.c says what
 * came of it, talk.c is what is said before TLS, handshake.c is its TLS,
 * hello.c asks in short, fault.c says what went wrong; anchors.c has the
 * system's.
 */
#ifndef PF_FLIGHT_H
#define PF_FLIGHT_H

#include "net/resolver.h"
#include "probe/probe.h"
#include "wire/dialogue.h"

/* What pays only when there are more questions for a kind of key. */
#define PF_PROBE_FEW 4

struct pf_flight;

/* A ring of flights; `of` is NULL in its head. */
struct pf_queued {
	struct pf_queued *prev, *next;
	struct pf_flight *of;
};

/* A probe whose results are not all there. */
struct pf_batch {
	const struct pf_probe *probe;
	struct pf_query *query; /* the question, then the answer; or NULL */
	const struct pf_address *address;
	struct pf_address literal;
	size_t count, started; /* addresses */
	size_t left;           /* results that are to come */
	struct pf_batch *next; /* of those with addresses to start */
};

/* A ClientHello without a name. */
#define PF_HELLO_MAX 1024
struct pf_hello {
	size_t len;        /* 0: not made yet */
	size_t extensions; /* where they begin */
	uint8_t data[PF_HELLO_MAX];
};

struct pf_run {
	const struct pf_probe_options *o;
	int timeout_ms;
	unsigned at_once;
	pf_probe_next_fn next;
	void *next_arg;
	int exhausted;         /* there are no more probes */
	enum pf_probe_end end; /* when there are no more */
	SSL_CTX *ctx[3];       /* by enum pf_probe_key, made when wanted */
	unsigned asked[3];
	struct pf_hello hello[3];
	unsigned brief, plain_no; /* short questions; what came of them */
	int epoll;
	int64_t clock;                /* ms, as of the last look */
	struct pf_resolver *resolver; /* made for the first name */
	unsigned resolving, open, busy;
	struct pf_queued due;    /* the first deadline first */
	struct pf_queued age[3]; /* busy ones, the oldest first; [1]: in TLS;
	                          [2]: those that wait for their second try */
	struct pf_batch *ready, *ready_last;
	/* The proxy's addresses, once they are known. */
	struct pf_query *proxy_query;
	const struct pf_address *proxy_address;
	struct pf_address proxy_literal;
	size_t proxy_count;
	const char *proxy_why; /* there are none */
};

struct pf_flight {
	struct pf_run *run;
	struct pf_batch *batch;
	struct pf_queued due, age;
	int64_t deadline, began, cools;
	struct pf_address address; /* the server's; family 0: the proxy knows */
	size_t proxy_index;
	enum pf_probe_stage stage;
	enum pf_probe_key asked, other; /* other: to be asked afterwards */
	int fd;
	int busy, through_proxy, in_clear; /* the layers that are behind us */
	int brief;                         /* asks in short, without an SSL */
	int again;   /* the answer was more than no: to be asked at length */
	int is_late; /* the second try, after silence */
	int hung_up; /* the server has closed the connection, or reset it */
	uint8_t answer[7];
	int wants_client, possession, too_many;
	enum pf_probe_key shown; /* the kind of the leaf that was shown */
	int alert;               /* the server's (RFC 8446 6); 0: none */
	size_t dropped, read;
	SSL *ssl;
	struct pf_dialogue *dialogue;
	struct pf_probe_pkix pkix;
	void *judged;
};

/* How a step ended. */
enum pf_step {
	PF_STEP_WAIT = 0,
	PF_STEP_DONE = 1,
	PF_STEP_FAILED = 2 /* the result's why is written */
};

/* run.c: until every probe is done, or the stop flag is set. */
enum pf_probe_end pf_run_loop(struct pf_run *run);

/* run.c: the next step begins, with a new deadline. */
void pf_run_enter(struct pf_flight *f, enum pf_probe_stage stage);

/* run.c: the server has shown a key of this kind: asks for one of the other
 * kind, when that is wanted, while the handshake at hand goes on, or after it
 * when others wait. */
void pf_run_other(struct pf_flight *f, enum pf_probe_key kind);

/* tell.c: the kind of a leaf's key; and all of the result but who waits. */
enum pf_probe_key pf_tell_kind(X509 *leaf);
void pf_tell(struct pf_flight *f, enum pf_step step,
    struct pf_probe_result *result);

/* tell.c: a result that no connection has: the addresses of one family could
 * not be looked up, which batch->query says, and a server may be there. */
void pf_tell_missing(struct pf_run *run, const struct pf_batch *batch);

/* flight.c: dials; FAILED as of a step. */
enum pf_step pf_flight_dial(struct pf_flight *f,
    struct pf_probe_result *result);

/* flight.c: moves on as far as it goes.  events: of epoll. */
enum pf_step pf_flight_move(struct pf_flight *f, uint32_t events,
    struct pf_probe_result *result);

/* talk.c: what is said in this stage, before TLS. */
void pf_talk_begin(struct pf_flight *f);
enum pf_step pf_talk_move(struct pf_flight *f, struct pf_probe_result *result);
void pf_talk_late(const struct pf_flight *f, struct pf_probe_result *result);

/* handshake.c */
SSL_CTX *pf_handshake_new(const struct pf_probe_options *o,
    enum pf_probe_key key);
SSL_CTX *pf_handshake_ctx(struct pf_run *run, enum pf_probe_key key);
enum pf_step pf_handshake_begin(struct pf_flight *f,
    struct pf_probe_result *result);
enum pf_step pf_handshake_move(struct pf_flight *f,
    struct pf_probe_result *result);
/* What the handshake has shown so far. */
void pf_handshake_tell(struct pf_flight *f, struct pf_probe_result *result);

/* hello.c: asks whether there is a key of this kind.  FAILED: there is none;
 * DONE: nobody knows yet. */
enum pf_step pf_hello_begin(struct pf_flight *f,
    struct pf_probe_result *result);
enum pf_step pf_hello_move(struct pf_flight *f, struct pf_probe_result *result);

/* fault.c: writes why, and fails. */
enum pf_step pf_fault(struct pf_probe_result *result, const char *why);
enum pf_step pf_fault_alert(struct pf_flight *f, int number,
    struct pf_probe_result *result);
enum pf_step pf_fault_closed(struct pf_flight *f,
    struct pf_probe_result *result);
/* Does this alert say that there is no key of the kind that was asked for? */
int pf_fault_is_no(int alert);
enum pf_step pf_fault_tls(struct pf_flight *f, int ssl_error, int system_error,
    struct pf_probe_result *result);
void pf_fault_timeout(const struct pf_flight *f,
    struct pf_probe_result *result);

#endif
