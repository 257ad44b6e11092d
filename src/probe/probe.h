/*
 * Many TLS handshakes with real servers, in one thread.  Hides names and
 * their addresses, sockets, proxies, STARTTLS and OpenSSL.  Each step of each
 * connection has a deadline of its own, so that no server delays another.
 *
 * A probe asks and tells; it decides nothing.  The handshake goes on whatever
 * the verification says, so that the server proves that it holds its key, and
 * then the connection is closed: no application byte is ever sent.
 */
#ifndef PF_PROBE_H
#define PF_PROBE_H

#include <signal.h>

#include <openssl/ssl.h>

#include "net/address.h"

#define PF_PROBE_TIMEOUT_MS 10000      /* of each step, by default */
#define PF_PROBE_AT_ONCE 1024          /* connections, by default */
#define PF_PROBE_MAX_PRESENTED 100     /* certificates that a server shows */
#define PF_PROBE_MAX_LIST (256 * 1024) /* bytes of all of them */
#define PF_PROBE_MAX_BYTES (1024UL * 1024) /* of a handshake */
#define PF_PROBE_WHY 400

/* Kinds of keys.  Ed25519 and Ed448 count as ECDSA. */
enum pf_probe_key {
	PF_PROBE_ANY = 0, /* what the server chooses */
	PF_PROBE_ECDSA = 1,
	PF_PROBE_RSA = 2
};

/* How far a connection came. */
enum pf_probe_stage {
	PF_STAGE_DONE = 0, /* the server has proved that it holds its key */
	PF_STAGE_RESOLVE = 1,
	PF_STAGE_CONNECT = 2,
	PF_STAGE_PROXY = 3,
	PF_STAGE_STARTTLS = 4,
	PF_STAGE_HANDSHAKE = 5
};
const char *pf_probe_stage_name(enum pf_probe_stage stage);

/* A proxy for all connections of a run. */
struct pf_proxy {
	int socks5;       /* 0: HTTP CONNECT */
	const char *host; /* canonical name or address */
	uint16_t port;
	const char *user, *password; /* NULL: none */
};

/*
 * One server: every address of its name, and on each address the certificate
 * that it chooses and, when `both`, the one of the other kind of key.
 */
struct pf_probe {
	const char *host; /* canonical name or address (base/host.h): what is
	                     sent as SNI (names only) and verified */
	uint16_t port;
	int starttls; /* enum pf_starttls; 0: TLS at once */
	int both;     /* 1: ask for ECDSA and RSA */
	const struct pf_address *addresses; /* in place of the name's */
	size_t address_count;               /* 0: resolve it */
	void *arg;                          /* the caller's */
};

/* What verification said. */
struct pf_probe_pkix {
	int ran, ok;
	char error[160]; /* "" when ok */
};

/* What became of one connection.  Borrowed for the call. */
struct pf_probe_result {
	enum pf_probe_stage stage;
	char why[PF_PROBE_WHY]; /* stage not DONE: a sentence with a remedy;
	                           may hold the server's own text */
	char address[PF_ADDRESS_TEXT]; /* "": none known, or the proxy's */
	int timed_out, interrupted;
	int no_route;      /* from here, as to IPv6 without IPv6 */
	const char *alert; /* the server's (RFC 8446 6); NULL: none */
	enum pf_probe_key asked;
	int absent;          /* asked for the other kind: the server has none */
	int silent;          /* and says so by hanging up without a word */
	const char *version; /* "TLSv1.3"; NULL: not agreed */
	STACK_OF(X509) * presented; /* leaf first; NULL: none seen */
	STACK_OF(X509) * path;      /* verified, with its anchor; or NULL */
	struct pf_probe_pkix pkix;
	int wants_client; /* the server asked for a client certificate */
	size_t dropped;   /* bytes behind the go-ahead of STARTTLS: someone
	                     may have put them there (CVE-2011-0411) */
	int64_t elapsed_ms;
	void *judged; /* what verify() left; to be freed by the receiver */
	int last;     /* the last result of this probe */
};

/* Called exactly once for each connection that was tried or could not be, and
 * once when a name's addresses of one family could not be looked up. */
typedef void (*pf_probe_fn)(void *arg, const struct pf_probe *probe,
    const struct pf_probe_result *result);

/*
 * In the middle of a handshake, in place of pf_probe_verify(): xs is ready
 * for X509_verify_cert(); name, purpose and time are set.  What it puts into
 * *judged comes with the result.
 */
typedef void (*pf_probe_verify_fn)(void *arg, const struct pf_probe *probe,
    X509_STORE_CTX *xs, struct pf_probe_pkix *pkix, void **judged);

struct pf_probe_options {
	int timeout_ms;               /* of each step; 0: PF_PROBE_TIMEOUT_MS */
	unsigned at_once;             /* 0: PF_PROBE_AT_ONCE */
	X509_STORE *anchors;          /* borrowed; NULL: nothing verifies */
	int64_t now;                  /* for verification; 0: the clock */
	const struct pf_proxy *proxy; /* NULL: directly */
	const volatile sig_atomic_t *stop; /* not 0: end now; may be NULL */
	pf_probe_verify_fn verify;         /* NULL: pf_probe_verify() */
	pf_probe_fn done;
	void *arg; /* of verify and done */
};

/*
 * To be called first: a probe is to see what a server has, whatever this
 * machine's openssl.cnf allows, and reading that takes a tenth of the time.
 */
void pf_probe_prepare(void);

/* The plain verification (RFC 5280, RFC 9525). */
void pf_probe_verify(X509_STORE_CTX *xs, struct pf_probe_pkix *pkix);

/*
 * Gives the next probe, which lives until its last result; NULL: no more.
 * Called only when there is room, so that any number of servers takes the
 * same memory.
 */
typedef const struct pf_probe *(*pf_probe_next_fn)(void *arg);

enum pf_probe_end {
	PF_PROBE_FINISHED = 0,
	PF_PROBE_STOPPED = 1, /* what next() gave and is not over is told as
	                         interrupted */
	PF_PROBE_FAILED = 2   /* out of memory, or of descriptors at the start:
	                         some are not told */
};

/* Runs until every probe is done.  SIGPIPE is ignored meanwhile. */
enum pf_probe_end pf_probe_run(pf_probe_next_fn next, void *next_arg,
    const struct pf_probe_options *options);

/* The same for an array. */
enum pf_probe_end pf_probe_all(const struct pf_probe *probes, size_t count,
    const struct pf_probe_options *options);

/*
 * The system's trust anchors.  Certificates are read from the hashed folder
 * when they are asked for, and the bundle only when that does not do: reading
 * all of it takes longer than a handshake.  NULL: out of memory.
 */
X509_STORE *pf_probe_system_anchors(void);

#endif
