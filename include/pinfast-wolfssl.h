/*
 * pinfast for wolfSSL 5.5 and later.
 *
 *	pinfast_wolfssl_init(ctx, policy, NULL, &diag);   once per WOLFSSL_CTX
 *	pinfast_wolfssl_attach(ssl, "api.example.com", 443, &diag);
 *	wolfSSL_connect(ssl);
 *	if (pinfast_wolfssl_result(ssl).decision != PINFAST_ALLOW)
 *		close it; pinfast_wolfssl_explain() says why
 *	pinfast_wolfssl_detach(ssl);
 *	wolfSSL_free(ssl);
 *
 * wolfSSL does not tell which path it has verified.  The adapter finds it
 * among what the peer has sent and the trust anchors of the WOLFSSL_CTX, and
 * has wolfSSL check each of its certificates under the next one; authority,
 * path length, name constraints and the host's name it reads from the
 * certificates itself (RFC 5280, RFC 9525: names in the subjectAltName only,
 * addresses in iPAddress only).  What wolfSSL puts into its CA table because
 * some peer sent it is never an anchor.  Both have to agree: what wolfSSL
 * refuses by itself is refused.
 *
 * The judge's go-ahead inside the handshake is provisional; result() gives the
 * last word when the handshake is complete, and again before each request on a
 * kept connection.  A WOLFSSL that was refused carries no application bytes,
 * and is not used for another connection: its handshake fails with
 * VERIFY_CERT_ERROR and alert bad_certificate (the only one that wolfSSL lets
 * a callback choose), or, on a resumed session, with close_notify.
 *
 * Owned by pinfast on such a WOLFSSL_CTX: the verify callback, the info
 * callback, the CA callback (wolfSSL_CTX_SetCACb()), on each of its WOLFSSL
 * the handshake-done callback, on servers the ticket callback.  A verify
 * callback that was there before is called; wolfSSL does not tell which the
 * others are, so name them in struct pinfast_wolfssl_next.
 *
 * From the ClientHello until its leaf is verified a client's WOLFSSL has a
 * device of pinfast's (wolfSSL_SetDevId(), where wolfSSL has WOLF_CRYPTO_CB),
 * which remembers for the process which signatures were good; not when the
 * application has given it one.
 *
 * Needs a wolfSSL with OPENSSL_EXTRA, HAVE_EX_DATA, SESSION_CERTS,
 * KEEP_PEER_CERT, WOLFSSL_ALWAYS_VERIFY_CB, WOLFSSL_VERIFY_CB_ALL_CERTS,
 * WOLFSSL_SIGNER_DER_CERT, HAVE_SESSION_TICKET, HAVE_CHACHA and HAVE_POLY1305,
 * and without HAVE_RPK and WOLFSSL_EARLY_DATA; it does not compile without.
 * wolfSSL itself refuses a peer that sends more than nine certificates.
 *
 * Threads: as wolfSSL's: a WOLFSSL_CTX for many, a WOLFSSL for one at a time.
 */
#ifndef PINFAST_WOLFSSL_H
#define PINFAST_WOLFSSL_H

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "pinfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Callbacks of the application that wolfSSL has no getter for; each may be
 * NULL.  Copied. */
struct pinfast_wolfssl_next {
	/* What wolfSSL_CTX_set_info_callback() was given. */
	void (*info)(const WOLFSSL *ssl, int type, int value);
	/* What wolfSSL_CTX_SetCACb() was given. */
	CallbackCACache ca;
	/* What wolfSSL_SetHsDoneCb() would be given.  Called when the judge
	 * has let the connection through; it may still refuse. */
	HandShakeDoneCb done;
	void *done_arg;
};

/*
 * Pins every connection that is made from ctx.  Before the first
 * wolfSSL_new(); once per WOLFSSL_CTX.  Trust anchors may be loaded before or
 * after it, those of Ed25519 and Ed448 after it: wolfSSL does not list them.
 * Those that are taken out again (wolfSSL_CTX_UnloadCAs()) count no more.
 *
 * policy  must live until pinfast_wolfssl_fini()
 * next    may be NULL
 * diag    may be NULL
 * returns PINFAST_EUSAGE (called twice), PINFAST_ENOMEM
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_init(WOLFSSL_CTX *ctx, struct pinfast *policy,
    const struct pinfast_wolfssl_next *next, struct pinfast_diag *diag);

/*
 * Lets go of ctx and of what its connections still have, which are not to be
 * used any more.  Before wolfSSL_CTX_free(), after the last wolfSSL_free():
 * wolfSSL does not tell when it frees something.  NULL is fine.
 */
PINFAST_API void pinfast_wolfssl_fini(WOLFSSL_CTX *ctx);

/*
 * Tells a client connection which host the application asked for.  Makes it
 * the reference identity, but not the SNI (wolfSSL_UseSNI()), of which wolfSSL
 * does not tell whether it is set.  Before the handshake.
 *
 * host    name or address; NULL: unknown, the names that the WOLFSSL verifies
 *         (wolfSSL_set1_host(), an address in its parameters) are judged, and
 *         all must allow; its SNI nobody can read
 * port    the origin's, never a proxy's; 0: unknown
 * returns PINFAST_EUSAGE (no pinfast_wolfssl_init(), too late, a connection
 *         that was refused), PINFAST_EUNSUPPORTED (DTLS), PINFAST_EUNSAFE
 *         (WOLFSSL_VERIFY_NONE, which is the default of some builds, unless
 *         the host's entry says `pkix: none`), PINFAST_EHOST, PINFAST_ENOMEM.
 * After a failure the connection denies, or, where not even that could be noted
 * for want of memory, is judged as one that was never attached
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_attach(WOLFSSL *ssl, const char *host, uint16_t port,
    struct pinfast_diag *diag);

/*
 * Tells a server connection which of the policy's `clients` may come; a server
 * connection of an initialised WOLFSSL_CTX that is not told serves nobody.
 * Asks for a client certificate that must be there.  Sessions of another
 * label, or of what the policy asked of this one before, are not resumed; out
 * of its own cache of TLS 1.2 wolfSSL resumes them, and they are denied.
 * Certificates that are asked for after the handshake
 * (wolfSSL_request_certificate()) are refused.
 *
 * label   of the policy's `clients`; copied
 * returns PINFAST_EUSAGE (no label, no pinfast_wolfssl_init(), too late),
 *         PINFAST_EUNSUPPORTED (DTLS), PINFAST_EHOST (a label that is too
 *         long), PINFAST_ENOMEM.  After a failure the connection serves nobody
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_attach_server(WOLFSSL *ssl, const char *label,
    struct pinfast_diag *diag);

/* Before wolfSSL_free(): frees what pinfast keeps for ssl, and yields the
 * event of a connection that nobody asked about.  NULL is fine. */
PINFAST_API void pinfast_wolfssl_detach(WOLFSSL *ssl);

/*
 * The last word: PINFAST_ALLOW only for a completed handshake that was judged
 * and that today's policy still allows.  Call it after the handshake and
 * before each request on a kept connection.  Anything else also shuts the
 * connection down for application bytes.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_wolfssl_result(WOLFSSL *ssl);

/*
 * May this live connection carry a request for another host (a pool, HTTP/2
 * coalescing)?  The leaf certificate must cover host, and today's policy
 * allow it for what the connection has shown.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_wolfssl_recheck(WOLFSSL *ssl, const char *host, uint16_t port);

/* One sentence: what was decided and why, with the keys shown and wanted.
 * As pinfast_conn_explain(). */
PINFAST_API size_t pinfast_wolfssl_explain(WOLFSSL *ssl, char *text,
    size_t size);

/* The connection object; NULL when there is none.  Borrowed. */
PINFAST_API struct pinfast_conn *pinfast_wolfssl_conn(WOLFSSL *ssl);

/* --------------------------------------------------------------- sessions */

/*
 * Sessions in memory need nothing: the tags of the last connections (4,096) are
 * remembered beside them and judged by today's policy before a ClientHello
 * offers the session (in wolfSSL_connect()).  A session whose tag does not
 * pass, or is not there any more, is not offered and a full handshake is made.
 *
 * wolfSSL_i2d_SSL_SESSION() loses the tag.  These two keep it.
 */

/*
 * Serialises a session of ssl together with its tag; both belong together.
 * The bytes hold secrets.
 *
 * session  NULL: the one that wolfSSL_get_session() returns
 * returns  the length; 0: this connection's session cannot be resumed safely.
 *          Nothing is written when size is smaller
 */
PINFAST_API size_t pinfast_wolfssl_session_write(WOLFSSL *ssl,
    WOLFSSL_SESSION *session, uint8_t *out, size_t size);

/*
 * Reads such bytes for an attached client connection and offers the session
 * when its tag passes today's policy.
 *
 * returns PINFAST_OK (it will be offered), PINFAST_EPOLICY (its tag does not
 *         pass: make a full handshake), PINFAST_EFORMAT, PINFAST_EUSAGE,
 *         PINFAST_ENOMEM.  After any failure a full handshake will be made
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_session_read(WOLFSSL *ssl, const uint8_t *data, size_t len);

/*
 * The same with a file, which is written whole or not at all with mode 0600,
 * and not read when others may read or write it (PINFAST_EUNSAFE).
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_session_save(WOLFSSL *ssl, WOLFSSL_SESSION *session,
    const char *path, struct pinfast_diag *diag);
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_session_load(WOLFSSL *ssl, const char *path,
    struct pinfast_diag *diag);

/*
 * As wolfSSL_set_session() for an attached client connection, but says at once
 * whether the session will be offered.  Returns as
 * pinfast_wolfssl_session_read().
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_wolfssl_session_use(WOLFSSL *ssl, WOLFSSL_SESSION *session);

#ifdef __cplusplus
}
#endif

#endif
