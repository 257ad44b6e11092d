/*
 * pinfast for OpenSSL 3.0 and later.
 *
 *	pinfast_openssl_init(ctx, policy, NULL, &diag);   once per SSL_CTX
 *	pinfast_openssl_attach(ssl, "api.example.com", 443, &diag);
 *	SSL_connect(ssl);
 *	if (pinfast_openssl_result(ssl).decision != PINFAST_ALLOW)
 *		close it; pinfast_openssl_explain() says why
 *
 * pinfast_openssl_init() puts the judge into the certificate verification of
 * every connection of that SSL_CTX; attaching tells it the host that the
 * application asked for.  A connection that is never attached is judged by
 * the names it was told to verify and by its SNI.  A leaf that is sure to be
 * refused, because its entry pins leaf keys alone and not this one, is refused
 * before OpenSSL verifies.  The judge's go-ahead inside the handshake is
 * provisional; result() gives the last word when the
 * handshake is complete, and again before each request on a kept connection.
 *
 * An SSL that was refused carries no application bytes: its handshake fails
 * with alert certificate_unknown, or, when no certificate was judged at all
 * (another callback took our place, a cipher without certificates), it is shut
 * down as soon as the handshake is complete.
 *
 * Owned by pinfast on such an SSL_CTX: the certificate verification callback,
 * the info callback, on servers also the session ticket callbacks.  Callbacks
 * that were there before are called; OpenSSL does not tell which verification
 * and ticket callbacks those are, so name them in struct pinfast_openssl_next.
 * Callbacks for external PSKs (SSL_set_psk_use_session_callback(),
 * SSL_set_psk_find_session_callback()) are taken away: a PSK shows no
 * certificate that could be judged.
 *
 * Threads: as OpenSSL's: an SSL_CTX for many, an SSL for one at a time.
 * Nothing here outlives the struct pinfast it was given.
 */
#ifndef PINFAST_OPENSSL_H
#define PINFAST_OPENSSL_H

#include <openssl/ssl.h>

#include "pinfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Callbacks of the application that OpenSSL has no getter for; each may be
 * NULL.  Copied. */
struct pinfast_openssl_next {
	/* What SSL_CTX_set_cert_verify_callback() was given.  It is called in
	 * place of X509_verify_cert(); the chain that it leaves counts as
	 * verified only when it returns 1 without having met an error, has
	 * left none in the X509_STORE_CTX and its callback in place
	 * (SSL_set_verify() takes the application's). */
	int (*verify)(X509_STORE_CTX *store, void *arg);
	void *verify_arg;
	/* What SSL_CTX_set_session_ticket_cb() was given (servers).  It must
	 * leave the ticket's application data alone: they hold our tag. */
	SSL_CTX_generate_session_ticket_fn ticket_new;
	SSL_CTX_decrypt_session_ticket_fn ticket_read;
	void *ticket_arg;
};

/*
 * Pins every connection that is made from ctx, and lets the policy hash with
 * OpenSSL's SHA-256 unless the application has chosen another.  Before the
 * first SSL_new(); once per SSL_CTX.
 *
 * policy  must live longer than every SSL of ctx
 * next    may be NULL
 * diag    may be NULL
 * returns PINFAST_EUSAGE (called twice, an SSL_CTX of another kind),
 *         PINFAST_ENOMEM, PINFAST_EUNSAFE (OpenSSL's SHA-256 does not give
 *         the known answers)
 */
PINFAST_API PINFAST_CHECK enum pinfast_error pinfast_openssl_init(SSL_CTX *ctx,
    struct pinfast *policy, const struct pinfast_openssl_next *next,
    struct pinfast_diag *diag);

/*
 * Tells a client connection which host the application asked for.  Makes it
 * the reference identity (SSL_set1_host(), or the address; RFC 9525: no names
 * from the subject, no partial wildcards) and, when the application has set
 * none, the SNI.  Before the handshake; also again for another connection on
 * the same SSL after SSL_clear().
 *
 * host    name or address; NULL: unknown, the names that the SSL verifies and
 *         its SNI are judged, and all must allow
 * port    the origin's, never a proxy's; 0: unknown
 * returns PINFAST_EUSAGE (no pinfast_openssl_init(), too late),
 *         PINFAST_EUNSAFE (SSL_VERIFY_NONE, unless the host's entry says
 *         `pkix: none`), PINFAST_EHOST, PINFAST_ENOMEM.  After a failure the
 *         connection denies, or, where not even that could be noted for want
 *         of memory, is judged as one that was never attached
 */
PINFAST_API PINFAST_CHECK enum pinfast_error pinfast_openssl_attach(SSL *ssl,
    const char *host, uint16_t port, struct pinfast_diag *diag);

/*
 * Tells a server connection which of the policy's `clients` may come; a server
 * connection of an initialised SSL_CTX that is not told serves nobody.  Asks
 * for a client certificate that must be there, and binds sessions to the
 * label and to what the policy asks of it (session id context).
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_openssl_attach_server(SSL *ssl, const char *label,
    struct pinfast_diag *diag);

/*
 * The last word: PINFAST_ALLOW only for a completed handshake that was judged
 * and that today's policy still allows.  Call it after the handshake and
 * before each request on a kept connection.  Anything else also shuts the SSL
 * down for application bytes.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_openssl_result(SSL *ssl);

/*
 * May this live connection carry a request for another host (a pool, HTTP/2
 * coalescing)?  The leaf certificate must cover host, and today's policy
 * allow it for what the connection has shown.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_openssl_recheck(SSL *ssl, const char *host, uint16_t port);

/* One sentence: what was decided and why, with the keys shown and wanted.
 * As pinfast_conn_explain(); the error queue of a failed handshake has it
 * too. */
PINFAST_API size_t pinfast_openssl_explain(SSL *ssl, char *text, size_t size);

/* The connection object; NULL when there is none.  Borrowed. */
PINFAST_API struct pinfast_conn *pinfast_openssl_conn(SSL *ssl);

/* --------------------------------------------------------------- sessions */

/*
 * Sessions in memory need nothing: their tag is kept with the SSL_SESSION and
 * judged by today's policy before a ClientHello offers it.  A session whose
 * tag does not pass is not offered and a full handshake is made.
 *
 * i2d_SSL_SESSION() loses the tag.  These two keep it.
 */

/*
 * Serialises a session of ssl together with its tag; both belong together.
 * The bytes hold secrets.  Also from a new-session callback.
 *
 * session  NULL: the one that SSL_get0_session() returns
 * returns  the length; 0: this connection's session cannot be resumed safely.
 *          Nothing is written when size is smaller
 */
PINFAST_API size_t pinfast_openssl_session_write(SSL *ssl, SSL_SESSION *session,
    uint8_t *out, size_t size);

/*
 * Reads such bytes for an attached client connection and offers the session
 * when its tag passes today's policy.  Needed before SSL_write_early_data().
 *
 * returns PINFAST_OK (it will be offered), PINFAST_EPOLICY (its tag does not
 *         pass: make a full handshake), PINFAST_EFORMAT, PINFAST_EUSAGE,
 *         PINFAST_ENOMEM.  After any failure a full handshake will be made
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_openssl_session_read(SSL *ssl, const uint8_t *data, size_t len);

/*
 * The same with a file, which is written whole or not at all with mode 0600,
 * and not read when others may read or write it (PINFAST_EUNSAFE).
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_openssl_session_save(SSL *ssl, SSL_SESSION *session, const char *path,
    struct pinfast_diag *diag);
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_openssl_session_load(SSL *ssl, const char *path,
    struct pinfast_diag *diag);

/*
 * As SSL_set_session() for an attached client connection, but says at once
 * whether the session will be offered: an application that wants to send
 * early data calls this.  Returns as pinfast_openssl_session_read().
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_openssl_session_use(SSL *ssl, SSL_SESSION *session);

#ifdef __cplusplus
}
#endif

#endif
