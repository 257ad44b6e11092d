/*
 * What every adapter is made of, and what a program sees of an adapter whose
 * TLS library it does not link.
 *
 * struct pf_attached is one connection as all adapters know it: it hides when
 * the connection object is made anew, what counts as evidence of this very
 * handshake, and when the verdict becomes final.  It refuses a handshake in
 * which no certificate, key or tag was judged, whatever the TLS library says.
 *
 * struct pf_adapter is for libpinfast-curl, which finds an adapter at run time
 * by its exported name.
 */
#ifndef PF_ADAPTER_H
#define PF_ADAPTER_H

#include "pinfast.h"

/* ------------------------------------------------------------ a connection */

struct pf_attached {
	struct pinfast *policy;
	struct pinfast_conn *conn; /* NULL until the first handshake */
	uint16_t port;
	uint8_t server;
	uint8_t has_host;
	uint8_t is_address; /* its host is one, no name */
	uint8_t by_peer;    /* this handshake's certificate or key was judged */
	uint8_t by_tag;     /* the session that it offers passed by its tag */
	uint8_t complete;   /* settled: the handshake is over */
	uint8_t doomed;     /* attaching failed: it denies, whatever comes */
	char host[PINFAST_HOST_LEN];
};

/* Is this host, canonical or not, an address?  0 also when it is no host. */
int pf_is_address(const char *host);

/* host: NULL when it must be learned; a label when server is 1. */
PINFAST_CHECK enum pinfast_error pf_attached_init(struct pf_attached *a,
    struct pinfast *policy, const char *host, uint16_t port, int server);
void pf_attached_fini(struct pf_attached *a);

/* Writes what pf_attached_init() says of host; returns error, whichever. */
enum pinfast_error pf_attached_misnamed(struct pinfast_diag *diag,
    enum pinfast_error error, int server);

/*
 * The TLS library verifies nothing: fine when the host's entry does without
 * (`pkix: none`), else a connection that denies from here on.
 *
 * a    has begun, when it has a host
 * why  what is off and how it is switched on: the sentence goes on with "or"
 */
PINFAST_CHECK enum pinfast_error pf_attached_unverified(struct pf_attached *a,
    struct pinfast_diag *diag, const char *why);

/* Before a handshake: evidence of an earlier one counts no more. */
PINFAST_CHECK enum pinfast_error pf_attached_begin(struct pf_attached *a);

/* The same, unless one has begun already that is not over. */
PINFAST_CHECK enum pinfast_error pf_attached_ready(struct pf_attached *a);

/*
 * The anchors of the entry, before each verification: fn gets each of them
 * (pinfast_conn_trust()), also of a policy that is loaded right now.
 *
 * returns how many there are; 0: the application's count; -1: they cannot be
 *         had, and the chain counts as not verified
 */
PINFAST_CHECK int pf_attached_trust(struct pf_attached *a, pinfast_anchor_fn fn,
    void *arg);

/* A session is about to be offered, or taken up again: 1: it may be. */
PINFAST_CHECK int pf_attached_resume(struct pf_attached *a,
    struct pinfast_bytes tag, struct pinfast_bytes blob);

/*
 * Servers: sessions of another label, or of what the policy asked of this one
 * before, must not even be looked at.  id: H(label, terms).
 */
PINFAST_CHECK enum pinfast_error pf_attached_session_id(struct pf_attached *a,
    uint8_t id[32]);

/* What there is to say of a connection that nobody has judged: a deny. */
struct pinfast_verdict pf_not_judged(void);

/* The handshake is over.  resumed: the library resumed a session. */
struct pinfast_verdict pf_attached_end(struct pf_attached *a, int resumed);

/* While the handshake goes on: a deny is final, a go-ahead is not yet. */
struct pinfast_verdict pf_attached_so_far(const struct pf_attached *a);

/*
 * What a connection that is kept can still say of its peer.  Both may be NULL.
 *
 * covers    does the leaf, which was verified, name this host?
 * complete  pinfast_conn_complete() with the path that was verified
 */
struct pf_kept {
	int (*covers)(void *arg, const char *host);
	enum pinfast_error (*complete)(void *arg);
	void *arg;
};

/*
 * Asks again under today's policy, after a handshake that ended in a go-ahead
 * (anything else stays what it is).  host: NULL, or another one that the
 * connection is to be used for as well.
 */
PINFAST_CHECK struct pinfast_verdict pf_attached_recheck(struct pf_attached *a,
    const char *host, uint16_t port, const struct pf_kept *kept);

/* Says why in a sentence, as pinfast_conn_explain().  a may be NULL. */
size_t pf_attached_explain(const struct pf_attached *a, char *text,
    size_t size);

/* Attaching failed: from here on it denies, whatever the application makes of
 * the error.  Returns error. */
enum pinfast_error pf_attached_doom(struct pf_attached *a,
    struct pinfast_diag *diag, enum pinfast_error error, const char *text);

/* Writes why an adapter call failed; returns error. */
enum pinfast_error pf_attached_refuse(struct pinfast_diag *diag,
    enum pinfast_error error, const char *text);

/* -------------------------------------------------------------- an adapter */

#define PF_ADAPTER_ABI 1U

/* What a TLS library or its adapter can do, for who has found it.  Bits;
 * tests/conform has a finer list of its own. */
enum pf_adapter_cap {
	PF_CAN_TLS13 = 1,
	PF_CAN_EARLY = 2,        /* 0-RTT */
	PF_CAN_RAW_KEY = 4,      /* RFC 7250 */
	PF_CAN_SERVER = 8,       /* pins of clients */
	PF_CAN_RESUME = 16,      /* sessions in memory */
	PF_CAN_RESUME_FILE = 32, /* serialised sessions */
	PF_CAN_SECOND_PATH = 64,
	PF_CAN_ADDRESS = 128, /* addresses in certificates (RFC 5280 4.2.1.6) */
	PF_CAN_ALERT = 256,   /* the refusal reaches the peer as an alert */
	PF_CAN_RELOAD = 512
};

/* A host that a connection may be for. */
struct pf_expected {
	const char *host;
	uint16_t port; /* 0: unknown */
};

/*
 * What nobody attaches.  told is called, in the middle of a transfer, when a
 * connection is refused and when its handshake is over; copied.
 */
struct pf_expecting {
	const struct pf_expected *hosts;
	size_t count;
	void (*told)(void *arg, const struct pinfast_conn *conn);
	void *arg;
};

/*
 * ctx is the library's shared object (SSL_CTX, credentials), tls one
 * connection (SSL, gnutls_session_t).  Functions that a library does not
 * need or have are NULL.  Grows at its end, guarded by size.
 */
struct pf_adapter {
	uint32_t abi;
	uint32_t size;
	const char *name;    /* "openssl" */
	const char *library; /* what it was built for: "OpenSSL 3.0.17" */
	unsigned caps;
	enum pinfast_error (*init)(void *ctx, struct pinfast *policy,
	    struct pinfast_diag *diag);
	enum pinfast_error (*attach)(void *tls, struct pinfast *policy,
	    const char *host, uint16_t port, struct pinfast_diag *diag);
	struct pinfast_verdict (*result)(void *tls);
	struct pinfast_verdict (*recheck)(void *tls, const char *host,
	    uint16_t port);
	size_t (*explain)(void *tls, char *text, size_t size);
	struct pinfast_conn *(*conn)(void *tls);
	/*
	 * For libpinfast-curl, which meets connections that somebody else has
	 * made.  symbol names a function of the TLS library, function is that
	 * one as this adapter calls it: who calls another one has another copy
	 * of the library, and its objects must not be touched.
	 */
	const char *symbol;
	void (*function)(void);
	/*
	 * After init(), where connections are judged inside their handshake:
	 * the connections of ctx are for one of these hosts, the one that they
	 * ask for (SNI); one that asks for nothing is for the first that is an
	 * address.  One that asks for another host is judged by that name.
	 * Refuses (PINFAST_EUNSAFE) when verification is off and no host has
	 * an entry with `pkix: none`.
	 */
	enum pinfast_error (*expect)(void *ctx, const struct pf_expecting *what,
	    struct pinfast_diag *diag);
	/*
	 * Where they cannot be: tls has completed its handshake, or resumed a
	 * session, and nobody attached it.  Has the library verify chain and
	 * name now, under the anchors that the application gave it or those of
	 * the entry, and judges that and further paths.  Keeps nothing, and
	 * leaves tls as it was.  conn is new and for this host; the caller
	 * settles it.
	 */
	struct pinfast_verdict (*judge)(void *tls, struct pinfast_conn *conn,
	    const char *host);
};

/* Each adapter library exports one function, pinfast_adapter_NAME. */
typedef const struct pf_adapter *(*pf_adapter_fn)(void);

#endif
