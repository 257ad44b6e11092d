/*
 * What the files of the GnuTLS adapter share.  gtls.c attaches and answers,
 * gtls_hook.c is called in the middle of a handshake and ends it, gtls_judge.c
 * asks the judge about what GnuTLS has verified (gtls_verify.c, gtls_further.c:
 * see gtls_verify.h), gtls_path.c knows along which path, gtls_key.c gives
 * GnuTLS's view of a key, gtls_adapter.c is for who finds adapters at run time,
 * gtls_session.c keeps tags, gtls_server.c binds a server's sessions.  Hides
 * where a session's state lies and when GnuTLS calls whom.  Refuses whatever
 * reaches its callbacks without a state: nobody has attached it.
 */
#ifndef PF_GTLS_H
#define PF_GTLS_H

#include <gnutls/abstract.h>

#include "adapt/adapter.h"
#include "adapt/paths.h"
#include "pinfast-gnutls.h"

/* For programs that find adapters at run time. */
PINFAST_API const struct pf_adapter *pinfast_adapter_gnutls(void);

#define PF_GTLS_RANDOMS 64

/* What one session carries. */
struct pf_gtls {
	struct pf_attached a;
	struct pinfast_gnutls_next next;
	struct pinfast_gnutls_cache cache; /* servers */
	uint8_t id[32];  /* what their sessions are bound to */
	int wrapped;     /* pinfast_gnutls_handshake() looks after the end */
	int over;        /* the handshake is complete */
	int again;       /* it is not the first one of this session */
	int blocked;     /* no bytes any more */
	int hello;       /* a ClientHello went out, and we have seen it */
	unsigned offers; /* pf_gtls_offers() of it */
	int bound;       /* a server's tickets are its own */
	uint8_t settled[PF_GTLS_RANDOMS]; /* the handshake of the verdict */
	uint8_t *offered; /* the session that passed by its tag */
	size_t offered_len;
};

/* The state of a session; NULL: none. */
struct pf_gtls *pf_gtls_of(gnutls_session_t session);

/* From here on this session neither sends nor receives. */
void pf_gtls_block(gnutls_session_t session, struct pf_gtls *st);

/* DTLS: flights that are lost and sent again are not what is judged here. */
int pf_gtls_is_datagram(gnutls_session_t session);

/* Is the handshake over, whoever has made it? */
int pf_gtls_over(gnutls_session_t session, struct pf_gtls *st);

/* Ends one that is: the verdict is final.  Asked again, it says the same. */
struct pinfast_verdict pf_gtls_end(gnutls_session_t session,
    struct pf_gtls *st);

/* gnutls_session_set_verify_function() */
int pf_gtls_verify(gnutls_session_t session);

/* Hears of a session's messages: pf_gtls_hook() of all, when the application
 * has a hook of its own, pf_gtls_hook_alone() passes on the few that count. */
void pf_gtls_set_hook(gnutls_session_t session, const struct pf_gtls *st);
int pf_gtls_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message);
int pf_gtls_hook_alone(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message);

/* ----------------------------------------------------------------- judging */

/* What a session's certificates are put to the judge with. */
struct pf_gtls_judging {
	gnutls_session_t session;
	struct pinfast_conn *conn;
	const char *host; /* canonical; NULL: none, or this is the server */
	int server;
	int remembers; /* pins that were found out before count */
	const struct pinfast_gnutls_next *next; /* NULL: nobody is asked */
	struct pinfast_verdict verdict;
};

/* Verifies and judges what the peer has shown.  Works within the handshake,
 * and when it is over, also when a session was resumed. */
void pf_gtls_judge(struct pf_gtls_judging *j);

/* The keys of the path that was judged, for a policy that asks about others:
 * pinfast_conn_complete(). */
PINFAST_CHECK enum pinfast_error pf_gtls_complete(struct pf_gtls_judging *j);

/* How an attached session is judged. */
struct pf_gtls_judging pf_gtls_judging_of(gnutls_session_t session,
    struct pf_gtls *st);

/* GnuTLS's own reading of a key, in the judge's terms: the walker's bits where
 * they mean the same numbers, else none. */
void pf_gtls_key_view(gnutls_pubkey_t key, const struct pf_key *walked,
    struct pinfast_cert *out);

/* -------------------------------------------------------------------- path */

#define PF_GTLS_EDGES 64

/* Who was verified to have issued whom, the last ones.  Certificates that the
 * peer sent are not copied: GnuTLS keeps them as long as the handshake. */
struct pf_gtls_edges {
	const gnutls_datum_t *peers;
	unsigned peer_count;
	struct {
		gnutls_datum_t cert;
		gnutls_datum_t issuer;
	} edge[PF_GTLS_EDGES];
	size_t count;
	int lost; /* there was no memory for one */
	gnutls_verify_output_function *next;
};

/* None yet, of a peer that sent these certificates. */
void pf_gtls_edges_init(struct pf_gtls_edges *edges,
    const gnutls_datum_t *peers, unsigned peer_count);

/* From here to pf_gtls_edges_end() what GnuTLS verifies in this thread is
 * noted by pf_gtls_on_edge(), a gnutls_verify_output_function. */
void pf_gtls_edges_begin(struct pf_gtls_edges *edges,
    gnutls_verify_output_function *next);
void pf_gtls_edges_end(void);
int pf_gtls_on_edge(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
    gnutls_x509_crl_t crl, unsigned status);
void pf_gtls_edges_fini(struct pf_gtls_edges *edges);

/* Walks up from the leaf along them: the path that was verified.  Writes at
 * most size certificates, returns how many there are; they live as long as
 * the edges. */
size_t pf_gtls_edges_path(const struct pf_gtls_edges *edges,
    struct pinfast_bytes leaf, struct pinfast_bytes *path, size_t size);

/* ---------------------------------------------------------------- sessions */

/* What a ClientHello says about a session. */
struct pf_gtls_hello {
	struct pinfast_bytes id, ticket; /* TLS 1.2; len 0: none */
	struct pinfast_bytes psk;        /* TLS 1.3 */
	int early;                       /* early data will follow */
};

/* Reads one; 0: it is none. */
int pf_gtls_hello_read(const uint8_t *at, size_t len,
    struct pf_gtls_hello *out);

/* In which versions is what a ClientHello offers the session that passed?
 * Bits. */
enum { PF_GTLS_TLS12 = 1, PF_GTLS_TLS13 = 2 };
unsigned pf_gtls_offers(const struct pf_gtls *st,
    const struct pf_gtls_hello *hello);

/* Nothing is offered any more that we know of. */
void pf_gtls_forget(struct pf_gtls *st);

#endif
