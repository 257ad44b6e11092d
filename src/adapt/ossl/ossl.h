/*
 * What the files of the OpenSSL adapter share.  ossl.c attaches and answers,
 * ossl_settle.c ends handshakes, ossl_verify.c is called in the middle of a
 * handshake, ossl_expect.c knows those that nobody attaches, ossl_judge.c asks
 * the judge, ossl_path.c looks for further paths, ossl_certs.c hands
 * certificates to the judge, ossl_seen.c remembers their pins, ossl_session.c
 * keeps tags, ossl_adapter.c is for who finds adapters at run time.  Hides
 * where states lie and when OpenSSL calls whom.  Refuses an SSL for which there
 * is no state: nothing in it can be judged.
 */
#ifndef PF_OSSL_H
#define PF_OSSL_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "adapt/adapter.h"
#include "pinfast-openssl.h"

#define PF_OSSL_SEEN_SETS 32
#define PF_OSSL_SEEN_WAYS 2

/* For programs that find adapters at run time. */
PINFAST_API const struct pf_adapter *pinfast_adapter_openssl(void);

/*
 * Certificates whose keys were hashed before, with both parsers agreeing: the
 * anchors, and what servers show again and again.  Holds a reference to each,
 * and finds one only by the very bytes that were signed.
 */
struct pf_ossl_seen {
	CRYPTO_RWLOCK *lock;
	unsigned next; /* the way that is overwritten next */
	struct {
		X509 *cert;
		uint8_t pin[PINFAST_PIN_LEN];
	} slot[PF_OSSL_SEEN_SETS][PF_OSSL_SEEN_WAYS];
};

/* A host that connections which nobody attaches may be for. */
struct pf_ossl_expected {
	char host[PINFAST_HOST_LEN]; /* canonical */
	uint16_t port;
	uint8_t is_address;
	uint8_t may_be_unverified; /* its entry says `pkix: none` */
};
#define PF_OSSL_EXPECTED 4

/* What an SSL_CTX was told. */
struct pf_ossl_ctx {
	struct pinfast *policy;
	struct pinfast_openssl_next next;
	void (*info)(const SSL *ssl, int where, int value);
	void (*told)(void *arg, const struct pinfast_conn *conn);
	void *told_arg;
	struct pf_ossl_expected expected[PF_OSSL_EXPECTED];
	size_t expected_count;
	struct pf_ossl_seen seen;
};

/* Neither a common name nor a star that is only a part of a label counts
 * (RFC 9525, 6.3). */
#define PF_OSSL_NAMES                                                          \
	(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |                                \
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

#define PF_OSSL_RANDOMS (2 * SSL3_RANDOM_SIZE)

/* What one SSL carries. */
struct pf_ossl {
	struct pf_attached a;
	struct pf_ossl_ctx *ctx;
	void (*info)(const SSL *ssl, int where, int value);
	int saw_error;   /* verification met an error, whoever forgave it */
	int had_anchors; /* the entry had anchors of its own */
	int renegotiates;
	/* Each handshake has its own: of the one that was settled, and of the
	 * one in which a certificate or key was judged last. */
	uint8_t random[PF_OSSL_RANDOMS];
	uint8_t judged[PF_OSSL_RANDOMS];
	X509_STORE_CTX_verify_cb user;
};

/* The state of an SSL or SSL_CTX; NULL: none. */
struct pf_ossl *pf_ossl_of(const SSL *ssl);
struct pf_ossl_ctx *pf_ossl_of_ctx(const SSL_CTX *ctx);

/* The same, made when the application did not attach; NULL: no memory or an
 * SSL_CTX that was never initialised. */
struct pf_ossl *pf_ossl_make(SSL *ssl);

/* Begins a handshake: a new connection object with its names. */
PINFAST_CHECK enum pinfast_error pf_ossl_begin(SSL *ssl, struct pf_ossl *st);

/* A certificate or key is about to be judged in this very handshake: begins
 * anew when what was judged before belongs to another. */
PINFAST_CHECK enum pinfast_error pf_ossl_judging_now(SSL *ssl,
    struct pf_ossl *st);

/* Ends one: the verdict is final, the session gets its tag.  Asked again, it
 * says the same, unless another handshake was made meanwhile. */
struct pinfast_verdict pf_ossl_end(SSL *ssl, struct pf_ossl *st);

/* What the end of a handshake brings about. */
void pf_ossl_done(SSL *ssl);

/* From here on this SSL neither sends nor receives application bytes. */
void pf_ossl_block(SSL *ssl);

/* Is the handshake over?  True before SSL_is_init_finished() is, in a
 * new-session callback, and while what comes after the handshake comes in
 * pieces. */
int pf_ossl_over(const SSL *ssl);

/* Makes its host what OpenSSL compares the leaf with (RFC 9525); 0: out of
 * memory. */
int pf_ossl_reference(SSL *ssl, struct pf_attached *a);

/* Names the hosts of an SSL_CTX whose connections nobody attaches. */
PINFAST_CHECK enum pinfast_error pf_ossl_expect(SSL_CTX *ctx,
    const struct pf_expecting *what, struct pinfast_diag *diag);

/* A connection that nobody attached begins: one that was expected has its
 * host, any other is judged by the names it has.  PINFAST_ENOMEM. */
PINFAST_CHECK enum pinfast_error pf_ossl_expected(SSL *ssl, struct pf_ossl *st);

/* Tells whoever expected this connection what it came to. */
void pf_ossl_tell(const SSL *ssl, const struct pf_ossl *st);

/* The address that is verified, for OPENSSL_free(); NULL: none. */
char *pf_ossl_address(X509_VERIFY_PARAM *param);

/* Is name, canonical or as the application wrote it, one of the leaf's?
 * flags: X509_CHECK_FLAG_..., beyond those that RFC 9525 wants. */
int pf_ossl_covers(X509 *leaf, const char *name, unsigned flags);

/* Puts the verdict's sentence into the error queue. */
void pf_ossl_raise(struct pf_ossl *st, int32_t reason);

/* The certificate verification callback (SSL_CTX_set_cert_verify_callback). */
int pf_ossl_verify(X509_STORE_CTX *xs, void *arg);

/* ------------------------------------------------------------ certificates */

/* A chain as the judge sees it.  Holds the DER it has handed out. */
struct pf_ossl_certs {
	STACK_OF(X509) * chain;
	struct pf_ossl_seen *seen; /* NULL: remember nothing */
	unsigned char *der[PINFAST_PATH_MAX];
	uint8_t params[PINFAST_PATH_MAX][32];
};

/* chain, leaf first, and anchors are borrowed until the end; the path that is
 * given to the judge asks pf_ossl_certs_get() for each certificate. */
void pf_ossl_certs_init(struct pf_ossl_certs *certs, STACK_OF(X509) * chain,
    struct pf_ossl_seen *seen);
void pf_ossl_certs_fini(struct pf_ossl_certs *certs);
struct pinfast_path pf_ossl_certs_path(struct pf_ossl_certs *certs);

/* One certificate; 0: done. */
int pf_ossl_certs_get(void *arg, size_t index, struct pinfast_cert *out);

/* Nothing seen yet; only the lock can fail. */
PINFAST_CHECK enum pinfast_error pf_ossl_seen_init(struct pf_ossl_seen *seen);
void pf_ossl_seen_fini(struct pf_ossl_seen *seen);

/* The pin of a certificate that was put in before; 0: none. */
int pf_ossl_seen_get(struct pf_ossl_seen *seen, X509 *cert,
    uint8_t pin[PINFAST_PIN_LEN]);
void pf_ossl_seen_put(struct pf_ossl_seen *seen, X509 *cert,
    const uint8_t pin[PINFAST_PIN_LEN]);

/* -------------------------------------------------------------------- path */

/*
 * A search for further paths: from a leaf that already has one valid path to
 * others, which OpenSSL does not look for (it does not backtrack).
 */
struct pf_ossl_search {
	/* 1: a path needs a key like this, 0: it says nothing, -1: a path must
	 * not hold it. */
	int (*wants)(void *arg, X509 *cert);
	/* A valid path.  Non-zero ends the search. */
	int (*found)(void *arg, STACK_OF(X509) * path);
	/* What the application has in place of X509_verify_cert(): it is asked
	 * as well, in a context of its own.  NULL: nothing. */
	int (*own)(X509_STORE_CTX *xs, void *arg);
	void *own_arg;
	void *arg;
	int needs_wanted; /* 0: every path that holds no rejected key will do */
	/* X509_STORE_CTX_set_verify_cb() of each build; it may refuse, never
	 * forgive.  NULL: none. */
	X509_STORE_CTX_verify_cb verify;
};

enum pf_ossl_searched {
	PF_OSSL_NONE = 0,  /* no further path */
	PF_OSSL_FOUND = 1, /* found() was content */
	PF_OSSL_LIMIT = 2  /* given up */
};

/*
 * xs has verified one path.  Looks as far as adapt/budget.h says.  Each path is
 * verified by X509_verify_cert() with the parameters and the store of xs.
 * Leaves the error queue as it was.
 */
enum pf_ossl_searched pf_ossl_search(X509_STORE_CTX *xs,
    const struct pf_ossl_search *search);

/* ----------------------------------------------------------------- judging */

/*
 * One verification by OpenSSL, put to the judge.  Knows no SSL, so that a
 * chain can be judged offline just as in a handshake.
 */
struct pf_ossl_judging {
	X509_STORE_CTX *xs;
	struct pinfast_conn *conn;
	struct pf_ossl_seen *seen; /* NULL: remember nothing */
	X509 *hashed; /* leaf whose pin is known before it is verified */
	uint8_t hashed_pin[PINFAST_PIN_LEN];
	X509_STORE_CTX_verify_cb further; /* of further paths; NULL: none */
	/* Of further paths, too: pinfast_openssl_next; NULL: none. */
	int (*own)(X509_STORE_CTX *xs, void *arg);
	void *own_arg;
	int one_path;    /* 1: look for no further paths */
	int had_anchors; /* this connection object had some */
	struct pinfast_verdict verdict;
};

/*
 * Before verification: the entry's own anchors in place of the store's.  They
 * need not be self-signed: the policy says that they are anchors.
 * returns them, to be freed after judging; *bad: they cannot be had
 */
STACK_OF(X509) * pf_ossl_use_anchors(struct pf_ossl_judging *j, int *bad);

/* Before verification: is it certain that the leaf's key will be refused?
 * Then j->verdict is the deny, and nobody needs to verify. */
int pf_ossl_judge_before(struct pf_ossl_judging *j, X509 *leaf);

/* The leaf alone is known (pkix), or its verification failed. */
void pf_ossl_judge_leaf(struct pf_ossl_judging *j, X509 *cert,
    enum pinfast_pkix pkix, int failed);

/* xs has verified chain and name: judges it, and further paths when that does
 * not do.  The chain of xs is then the path that was judged last. */
void pf_ossl_judge_verified(struct pf_ossl_judging *j, STACK_OF(X509) * chain);

/* ----------------------------------------------------------------- session */

/* Judges the session that ssl is about to offer; drops it if it may not be. */
void pf_ossl_session_check(SSL *ssl, struct pf_ossl *st);

/* Has the session that is in use a tag?  An external PSK (RFC 8446, 2.2) also
 * counts as a resumed session, and has none. */
int pf_ossl_session_tagged(const SSL *ssl);

/* Gives the session of a settled connection its tag. */
void pf_ossl_session_tag(SSL *ssl, struct pf_ossl *st);

/* Makes what tags need, once, under ossl.c's lock; 0: out of memory. */
int pf_ossl_session_prepare(void);

/* Servers: binds sessions to the policy, and puts tags into tickets. */
PINFAST_CHECK enum pinfast_error pf_ossl_session_serve_ctx(SSL_CTX *ctx);
PINFAST_CHECK enum pinfast_error pf_ossl_session_serve(SSL *ssl,
    struct pf_ossl *st);

/* A server's handshake is as good as over: puts the tag where it stays when
 * the session is serialised.  st may be NULL; 0: out of memory. */
int pf_ossl_session_seal(SSL *ssl, struct pf_ossl *st);

/* The session in use was resumed, by a server out of its own cache: judges its
 * tag; 0: it does not pass. */
int pf_ossl_session_resumed(SSL *ssl, struct pf_ossl *st);

#endif
