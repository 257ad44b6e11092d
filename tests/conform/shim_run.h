/*
 * What every shim does alike: the application around the TLS library, in its
 * careful and its careless forms.  A shim says in struct shim_library how its
 * library does each step; the order of the steps, the policy, the clock, kept
 * sessions, rechecks and the answer are here.  Refuses nothing by itself.
 *
 * What each option of a request means for any library stands in README.md.
 */
#ifndef SHIM_RUN_H
#define SHIM_RUN_H

#include "adapt/adapter.h"
#include "shim.h"

/* How a session is offered. */
#define SHIM_SER 1   /* it was serialised with its tag */
#define SHIM_PLAIN 2 /* it was stored as if there were no tags */
#define SHIM_ASK 4   /* ask first whether it may be offered */

/*
 * ctx is the library's shared object (SSL_CTX, credentials, configuration),
 * tls one connection.  A function that a library has no use for is NULL, but
 * for those marked *.  r is the request, server whether it is an `accept`.
 */
struct shim_library {
	/* * pinfast_adapter_LIB. */
	pf_adapter_fn adapter;
	/* What the adapter calls the connection; NULL: tls itself. */
	void *(*object)(void *tls);
	/* * Made as the request says: tls, trust, ciphers, psk, partial,
	 * usercb, verify; of a server also cert, key, tickets.  Aborts when it
	 * cannot. */
	void *(*ctx_new)(const struct shim_request *r, int server);
	void (*ctx_free)(void *ctx); /* * */
	/* * A connection over fd, or inside the connection outer when that is
	 * not NULL.  Aborts when it cannot.  close says goodbye, but leaves fd
	 * open. */
	void *(*open)(void *ctx, const struct shim_request *r, int fd,
	    void *outer, int server);
	void (*close)(void *tls); /* * */
	/* The application tells the library a name: how is `sni`,
	 * `verify-host` or `verify-ip`. */
	void (*tell_name)(void *tls, const char *how, const char *name);
	/* NULL: as the adapter does.  host is NULL when pinfast is to learn
	 * it. */
	enum pinfast_error (*attach)(void *tls, struct pinfast *policy,
	    const char *host, uint16_t port, struct pinfast_diag *diag);
	enum pinfast_error (*attach_server)(void *tls, struct pinfast *policy,
	    const char *label, struct pinfast_diag *diag);
	/* After attach: the application puts another verification callback in
	 * the place of ours (hook=overwrite), or another hook. */
	void (*overwrite)(void *ctx, void *tls, const char *what);
	/* * 1: complete.  A failure is told in answer->error, alerts in
	 * answer->alert_sent and alert_got where the library tells them. */
	int (*handshake)(void *tls, int server, struct shim_answer *answer);
	int (*resumed)(void *tls);
	/* * The number of bytes, or what is not positive. */
	int (*write)(void *tls, const void *data, int len);
	int (*read)(void *tls, void *data, int size);
	/* The session, to be dropped with session_drop; NULL: there is none.
	 * mode is 0 or SHIM_SER. */
	void *(*session_keep)(void *tls, int mode);
	void (*session_drop)(void *session);
	enum pinfast_error (*session_offer)(void *tls, void *session, int mode);
	/* Sends early data if the session that is offered lets it; the bytes.
	 */
	int (*early)(void *tls, const void *data, int len);
	int (*early_declined)(void *tls);
	/* The certificate that the peer has shown, DER; its length. */
	size_t (*leaf)(void *tls, uint8_t *der, size_t size);
};

/* One line after the other until there are no more. */
int shim_main(const struct shim_library *library);

/* Reads lines and lets each_line answer: for shims that do it all alone. */
int shim_lines(void (*each_line)(const struct shim_request *,
    struct shim_answer *));

/* How far ahead the clock of the whole program is, in seconds: time() is
 * replaced, also for the libraries. */
void shim_clock(int ahead);

/* The answer that is being made, for callbacks. */
struct shim_answer *shim_now(void);

/* Has the application of this connection a verification callback of its own,
 * and what does that say where the library says ok?  It counts its calls. */
int shim_user_has(void);
int shim_user_verify(int ok);

#endif
