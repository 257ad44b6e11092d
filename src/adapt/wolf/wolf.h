/*
 * What the files of the wolfSSL adapter share.  wolf.c attaches and answers,
 * wolf_settle.c ends handshakes and blocks connections, wolf_verify.c is
 * called in the middle of a handshake, wolf_path.c checks paths, which wolfSSL
 * does not name, wolf_anchors.c knows what they may end in, wolf_known.c what
 * wolfSSL need not compute again, wolf_session.c and wolf_serve.c keep tags,
 * for clients and servers, wolf_adapter.c is for who finds adapters at run
 * time.  Hides where states lie, since wolfSSL does not say when a connection
 * is gone.  Refuses to be compiled with a wolfSSL that does not tell enough; a
 * server that nobody attached serves nobody.
 */
#ifndef PF_WOLF_H
#define PF_WOLF_H

#include <pthread.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "adapt/adapter.h"
#include "adapt/covers.h"
#include "adapt/issuers.h"
#include "adapt/paths.h"
#include "pinfast-wolfssl.h"

#if !defined(OPENSSL_EXTRA) || !defined(HAVE_EX_DATA)
#error "libpinfast-wolfssl needs OPENSSL_EXTRA and HAVE_EX_DATA"
#endif
#if !defined(WOLFSSL_ALWAYS_VERIFY_CB) || !defined(WOLFSSL_VERIFY_CB_ALL_CERTS)
#error "this wolfSSL asks its verify callback only about errors"
#endif
#if !defined(SESSION_CERTS) || !defined(KEEP_PEER_CERT)
#error "this wolfSSL forgets what the peer has sent"
#endif
#if !defined(WOLFSSL_SIGNER_DER_CERT)
#error "this wolfSSL forgets its trust anchors' certificates"
#endif
#if defined(NO_CERTS) || defined(NO_WOLFSSL_CLIENT) || defined(NO_SHA256) ||   \
    defined(NO_HANDSHAKE_DONE_CB)
#error "this wolfSSL leaves out what the check is made of"
#endif
#if !defined(HAVE_SESSION_TICKET) || !defined(HAVE_CHACHA) ||                  \
    !defined(HAVE_POLY1305)
#error "this wolfSSL has not what session tickets are made of"
#endif
#if defined(HAVE_RPK)
#error "a wolfSSL with raw public keys accepts them unverified"
#endif
#if defined(WOLFSSL_EARLY_DATA)
#error "early data of this wolfSSL would be sent unjudged"
#endif

#define PF_WOLF_LISTS 64
#define PF_WOLF_RANDOM 32
#define PF_WOLF_MADE 4 /* tickets of a connection before it is settled */

/* For programs that find adapters at run time. */
PINFAST_API const struct pf_adapter *pinfast_adapter_wolfssl(void);

/* The trust anchors of a certificate manager as they were at some moment. */
struct pf_wolf_anchors {
	_Atomic unsigned refs;
	unsigned as_of; /* what had been loaded when they were read */
	int is_sure;    /* none is missing */
	int is_list;    /* wolfSSL has listed them */
	struct pf_pool pool;
};

/* What tickets are encrypted with. */
struct pf_wolf_key_of {
	uint8_t name[WOLFSSL_TICKET_NAME_SZ];
	uint8_t key[32];
	int64_t until; /* 0: no key */
};

/* What a WOLFSSL_CTX was told. */
struct pf_wolf_ctx {
	struct pinfast *policy;
	struct pinfast_wolfssl_next next;
	VerifyCallback verify; /* the application's, before ours */
	WOLFSSL_CTX *ctx;
	WOLFSSL_CERT_MANAGER *manager; /* whose table is watched; held */
	struct pf_wolf_anchors *anchors;
	struct pf_pool chain; /* what is in that table because peers sent it */
	int lost;             /* something that should be in chain is not */
	struct pf_wolf_ctx *following;
	struct pf_wolf *lists[PF_WOLF_LISTS]; /* its connections */
	pthread_mutex_t keys_lock;
	struct pf_wolf_key_of keys[2];
};

/* What one WOLFSSL carries. */
struct pf_wolf {
	struct pf_attached a;
	struct pf_wolf_ctx *ctx;
	WOLFSSL *ssl;
	struct pf_wolf *next;  /* of the same list */
	VerifyCallback verify; /* the application's; NULL: none */
	HandShakeDoneCb done;  /* the application's; NULL: none */
	void *done_arg;
	int saw_error; /* verification met an error, whoever forgave it */
	int bypassed;  /* or one of which the policy wanted to know nothing */
	int shared;    /* the application offered a key that it shares */
	int begun;     /* the ClientHello's session has been looked at */
	int blocked;
	int has_hello;
	uint8_t before[PF_WOLF_RANDOM]; /* the ClientHello's random before it */
	uint8_t hello[PF_WOLF_RANDOM]; /* and of the handshake that is judged */
	uint8_t ours[PF_WOLF_RANDOM];  /* a server's own, when it was judged */
	int had_anchors;               /* the entry had anchors of its own */
	int bad_anchors;               /* and they cannot be had */
	struct pf_pool own;            /* those */
	struct pf_wolf_kept *kept;     /* a session that was read; NULL: none */
	struct pf_wolf_shown *shown;   /* the path that was verified */
	uint8_t session_id[32];        /* servers: what tickets are bound to */
	uint8_t made[PF_WOLF_MADE][PINFAST_PIN_LEN]; /* hashes of tickets */
	unsigned made_count;
};

/* The state of a WOLFSSL; NULL: none. */
struct pf_wolf *pf_wolf_of(WOLFSSL *ssl);

/* The same, made when the application did not attach; NULL: no memory, a
 * server, or a WOLFSSL_CTX that was never initialised. */
struct pf_wolf *pf_wolf_make(WOLFSSL *ssl);

/* The one whose anchors count: a server may have moved to another WOLFSSL_CTX
 * (wolfSSL_set_SSL_CTX()) since it was attached. */
struct pf_wolf_ctx *pf_wolf_ctx_of(const struct pf_wolf *st);

/* Begins a handshake: a new connection object with its names and anchors. */
PINFAST_CHECK enum pinfast_error pf_wolf_begin(struct pf_wolf *st);

/* Ends one: the verdict is final, the session gets its tag. */
struct pinfast_verdict pf_wolf_end(struct pf_wolf *st);

/* A handshake is judged now: what was shown in another one, which broke off or
 * of whose beginning nobody told us, is no evidence. */
PINFAST_CHECK enum pinfast_error pf_wolf_now(struct pf_wolf *st);

/* The ClientHello is about to be sent (first), or may have been. */
void pf_wolf_hello(struct pf_wolf *st, int first);

/* Has nothing been sent yet? */
int pf_wolf_is_before(WOLFSSL *ssl, const struct pf_wolf *st);

/* Is the handshake over? */
int pf_wolf_over(WOLFSSL *ssl, const struct pf_wolf *st);

/* Called by wolfSSL when a handshake is complete. */
int pf_wolf_done(WOLFSSL *ssl, void *arg);

/* From here on this WOLFSSL neither sends nor receives. */
void pf_wolf_block(WOLFSSL *ssl, struct pf_wolf *st);

/* Called by wolfSSL for each certificate that the peer has sent. */
int pf_wolf_verify(int ok, WOLFSSL_X509_STORE_CTX *store);

/* The handshake goes on or has failed: if wolfSSL could not read the leaf, it
 * is looked at. */
void pf_wolf_unread(struct pf_wolf *st);

/* ------------------------------------------------------------------ anchors */

/* Makes and ends what an initialised WOLFSSL_CTX remembers of them. */
void pf_wolf_anchors_watch(struct pf_wolf_ctx *ctx);
void pf_wolf_anchors_forget(struct pf_wolf_ctx *ctx);

/* Something was loaded somewhere: the callback of wolfSSL_CTX_SetCACb(). */
void pf_wolf_anchors_seen(unsigned char *der, int len, int type);

/* Before a handshake: the application may have set another store. */
void pf_wolf_anchors_follow(struct pf_wolf_ctx *ctx);

/* This thread is in the middle of a verification for ctx; NULL: no more. */
void pf_wolf_anchors_for(const struct pf_wolf_ctx *ctx);

/* wolfSSL will put what a peer has sent into its table: it is no anchor, if it
 * has not been one before.  0: out of memory; it must not be put there. */
PINFAST_CHECK int pf_wolf_anchors_expect(struct pf_wolf_ctx *ctx,
    const WOLFSSL_CERT_MANAGER *manager, const struct pf_link *link);

/* What a path may end in, for pf_wolf_anchors_drop().  NULL: nothing, out of
 * memory, or wolfSSL has verified with another manager. */
struct pf_wolf_anchors *pf_wolf_anchors_get(struct pf_wolf_ctx *ctx,
    const WOLFSSL_CERT_MANAGER *manager);
void pf_wolf_anchors_drop(struct pf_wolf_anchors *anchors);

/* The entry's own anchors, in place of all others: what wolfSSL verifies
 * under and what we do. */
void pf_wolf_anchors_own(struct pf_wolf *st);

/* -------------------------------------------------------------------- paths */

/* Has wolfSSL verified each certificate under the next one, and do the
 * certificates allow it? */
int pf_wolf_path(const struct pf_link *const *path, size_t count,
    enum pf_issuers_for use);

/* A certificate's key as wolfSSL reads it, if it does; *key is for free() when
 * out is not needed any more. */
void pf_wolf_key(struct pinfast_bytes der, uint8_t **key,
    struct pinfast_cert *out);

/* Keeps a copy of the path that was judged, for what a later policy asks;
 * frees it. */
void pf_wolf_show(struct pf_wolf *st, const struct pf_paths *judged);
void pf_wolf_unshow(struct pf_wolf *st);

/* Hashes what nobody asked about in that path. */
PINFAST_CHECK enum pinfast_error pf_wolf_complete(struct pf_wolf *st);

/*
 * From _begin() to _end() wolfSSL does not compute again, for this client,
 * which signatures of certificates are good: what it has found out once is true
 * for ever of the same key, the same hash and the same signature.  Each time
 * that a handshake goes on it has begun in this thread; first: with its
 * ClientHello.  Nothing happens when the application has brought a device of
 * its own.  _prepare() tells wolfSSL that there is something to ask, under
 * wolf.c's lock.
 */
void pf_wolf_known_prepare(void);
void pf_wolf_known_begin(WOLFSSL *ssl, int first);
void pf_wolf_known_end(WOLFSSL *ssl);

/* ----------------------------------------------------------------- sessions */

/* Judges the session that is about to be offered; drops it if it may not be. */
void pf_wolf_session_check(struct pf_wolf *st);

/* No session will be offered. */
void pf_wolf_session_drop(WOLFSSL *ssl);

/* Judges the tag of the session that is in use; 1: it passes, or, of a ticket
 * that a server has judged, it is not here any more. */
int pf_wolf_session_judge(struct pf_wolf *st);

/* Makes what tags need, once, under wolf.c's lock; 0: wolfSSL has no room. */
int pf_wolf_session_prepare(void);

/* Wipes what was kept of a session that was read. */
void pf_wolf_session_forget(struct pf_wolf *st);

/* Gives the session of a settled connection its tag. */
void pf_wolf_session_tag(struct pf_wolf *st);

/* Puts the tag of a settled connection under key; its sessions' number, 0:
 * there is no tag. */
uintptr_t pf_wolf_session_put(struct pf_wolf *st,
    const uint8_t key[PINFAST_PIN_LEN]);

/* The tag that was put under key; len 0: none. */
struct pinfast_bytes pf_wolf_session_find(const uint8_t key[PINFAST_PIN_LEN],
    uint8_t tag[PINFAST_TAG_MAX]);

/* Servers: puts our hand on tickets; binds those of a connection; gives those
 * that were made their tag. */
PINFAST_CHECK enum pinfast_error pf_wolf_serve_ctx(struct pf_wolf_ctx *ctx);
PINFAST_CHECK enum pinfast_error pf_wolf_serve(struct pf_wolf *st);
void pf_wolf_serve_tag(struct pf_wolf *st);

#endif
