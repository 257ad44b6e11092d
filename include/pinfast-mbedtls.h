/*
 * pinfast for mbedTLS 2.28; in source, not built, also for Mbed TLS 3.6.
 *
 *	mbedtls_ssl_setup(&ssl, &conf);              as always
 *	mbedtls_ssl_set_bio(&ssl, ...);
 *
 *	pinfast_mbedtls_new(policy, &ssl, NULL, NULL, &pin);
 *	pinfast_mbedtls_attach(pin, "api.example.com", 443, &diag);
 *	pinfast_mbedtls_handshake(pin);   for mbedtls_ssl_handshake(&ssl)
 *	if (pinfast_mbedtls_result(pin).decision != PINFAST_ALLOW)
 *		close it; pinfast_mbedtls_explain() says why
 *
 *	mbedtls_ssl_free(&ssl);
 *	pinfast_mbedtls_free(pin);                   in this order
 *
 * mbedTLS keeps nothing for anybody else with a connection, so the application
 * holds a struct pinfast_mbedtls for each one.  Attaching puts the judge into
 * the connection's certificate verification, in front of its bytes, and, on a
 * server, into a copy of its configuration.  The judge sees the path that
 * mbedTLS verified, from the leaf to the anchor, and compares the name with
 * the leaf itself: only subjectAltNames count (RFC 9525), also addresses,
 * which mbedTLS 2.28 does not match.
 *
 * A certificate whose key usage does not allow what it is used for is refused
 * by mbedTLS itself, whatever the policy says, `pkix: none` as well.
 *
 * A connection that was refused carries no application bytes: its handshake
 * fails with alert certificate_unknown, or, when no certificate was judged at
 * all (a session of the application's own, a pre-shared key, another callback
 * in our place), nothing passes once the handshake is complete, also when
 * nobody asks.  The latter rests on the connection's bytes passing through us:
 * after another mbedtls_ssl_set_bio() only pinfast_mbedtls_handshake() and
 * _result() keep to it.  What they have refused, and what could not be
 * attached, stays silent whatever is set afterwards: until
 * mbedtls_ssl_session_reset() mbedTLS is in none of its states, and its
 * functions fail with MBEDTLS_ERR_SSL_BAD_INPUT_DATA.
 *
 * Owned by pinfast on such a connection: the verification callback, the
 * functions of mbedtls_ssl_set_bio(), the trusted certificates and the
 * authmode of the handshake (mbedtls_ssl_set_hs_ca_chain(), _authmode()); on
 * servers also its mbedtls_ssl_config, which is a copy: what is changed in the
 * original counts for connections that are attached afterwards.
 *
 * Threads: as mbedTLS's: a configuration for many, a connection for one at a
 * time.  Nothing here outlives the struct pinfast it was given.
 */
#ifndef PINFAST_MBEDTLS_H
#define PINFAST_MBEDTLS_H

#include <mbedtls/ssl.h>

#include "pinfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the application has put where the judge goes now.  Copied. */
struct pinfast_mbedtls_next {
	/* As of mbedtls_ssl_set_verify() or mbedtls_ssl_conf_verify().  When
	 * it clears flags, or an error of another certificate of the path, the
	 * chain counts as not verified. */
	int (*verify)(void *arg, mbedtls_x509_crt *crt, int depth,
	    uint32_t *flags);
	void *verify_arg;
};

/* One connection. */
struct pinfast_mbedtls;

/*
 * Makes what one connection needs; it may be attached again after
 * mbedtls_ssl_session_reset().  Where another one was attached before, call
 * mbedtls_ssl_set_bio() again.
 *
 * policy  must live longer
 * ssl     must live until it is freed, and be freed first
 * next    NULL: the verification callback that ssl, or its configuration, has
 *         when it is attached
 * alloc   NULL: malloc() and free(); copied
 * out     for pinfast_mbedtls_free()
 * returns PINFAST_EUSAGE (no policy, no ssl), PINFAST_ENOMEM
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_new(struct pinfast *policy, mbedtls_ssl_context *ssl,
    const struct pinfast_mbedtls_next *next, const struct pinfast_alloc *alloc,
    struct pinfast_mbedtls **out);

/* After mbedtls_ssl_free(); NULL is fine. */
PINFAST_API void pinfast_mbedtls_free(struct pinfast_mbedtls *pin);

/*
 * Tells a client connection which host the application asked for.  A name also
 * becomes its mbedtls_ssl_set_hostname(), and so its SNI, unless the
 * application has set another; an address does not.
 *
 * host    name or address; NULL: unknown, the name that the application has
 *         given to mbedtls_ssl_set_hostname() is judged
 * port    the origin's, never a proxy's; 0: unknown
 * returns PINFAST_EUSAGE (no mbedtls_ssl_setup() or mbedtls_ssl_set_bio()
 *         before, a server, too late), PINFAST_EUNSAFE (the authmode is not
 *         MBEDTLS_SSL_VERIFY_REQUIRED, unless the host's entry says
 *         `pkix: none`), PINFAST_EUNSUPPORTED (DTLS), PINFAST_EHOST,
 *         PINFAST_ENOMEM.  After a failure the connection denies, but one that
 *         lives keeps its verdict when it is attached to the same host and
 *         port once more
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_attach(struct pinfast_mbedtls *pin, const char *host,
    uint16_t port, struct pinfast_diag *diag);

/*
 * Tells a server connection which of the policy's `clients` may come.  Asks
 * for a client certificate that must be there.  Sessions, in tickets and in a
 * cache, carry what their clients have shown and are resumed only for a client
 * that today's policy still allows for this label; this needs a mbedTLS with
 * MBEDTLS_SSL_CLI_C and callbacks that keep whole sessions, as
 * mbedtls_ssl_ticket_write() and mbedtls_ssl_cache_set() do: with others every
 * handshake is a full one.
 *
 * label   of the policy's `clients`; copied
 * returns PINFAST_EUSAGE (no label, no mbedtls_ssl_setup() or
 *         mbedtls_ssl_set_bio() before, a client, too late), PINFAST_EHOST (a
 *         label that is too long), PINFAST_EUNSUPPORTED (DTLS),
 *         PINFAST_ENOMEM.  After a failure the connection denies
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_attach_server(struct pinfast_mbedtls *pin, const char *label,
    struct pinfast_diag *diag);

/*
 * mbedtls_ssl_handshake(), and its last step: call it in the other's place,
 * again while it returns MBEDTLS_ERR_SSL_WANT_READ or _WRITE.  A session that
 * was not offered by pinfast_mbedtls_session_use(), _read() or _load() is
 * taken away before it is offered.
 *
 * returns what mbedtls_ssl_handshake() does, or
 *         MBEDTLS_ERR_X509_CERT_VERIFY_FAILED when the connection was refused
 */
PINFAST_API PINFAST_CHECK int
pinfast_mbedtls_handshake(struct pinfast_mbedtls *pin);

/*
 * The last word: PINFAST_ALLOW only for a completed handshake that was judged
 * and that today's policy still allows.  Call it after the handshake and
 * before each request on a kept connection.  After anything else nothing but
 * alerts passes.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_mbedtls_result(struct pinfast_mbedtls *pin);

/*
 * May this live connection carry a request for another host (a pool)?  The
 * leaf certificate must cover host (MBEDTLS_SSL_KEEP_PEER_CERTIFICATE: without
 * it the answer is no), and today's policy allow it for what was shown.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_mbedtls_recheck(struct pinfast_mbedtls *pin, const char *host,
    uint16_t port);

/* One sentence: what was decided and why, with the keys shown and wanted.  As
 * pinfast_conn_explain(). */
PINFAST_API size_t pinfast_mbedtls_explain(struct pinfast_mbedtls *pin,
    char *text, size_t size);

/* The connection object; NULL when there is none.  Borrowed. */
PINFAST_API struct pinfast_conn *
pinfast_mbedtls_conn(struct pinfast_mbedtls *pin);

/* --------------------------------------------------------------- sessions */

/*
 * A session and what its full handshake proved.  The tag belongs to this very
 * session and to no other.  Holds secrets.
 */
struct pinfast_mbedtls_session {
	mbedtls_ssl_session session;
	size_t tag_len; /* 0: cannot be resumed */
	uint8_t tag[PINFAST_TAG_MAX];
};

/* An empty one; and its end. */
PINFAST_API void
pinfast_mbedtls_session_init(struct pinfast_mbedtls_session *session);
PINFAST_API void
pinfast_mbedtls_session_free(struct pinfast_mbedtls_session *session);

/*
 * Takes the session of a connection that was let in.
 *
 * session  initialised and empty
 * returns  PINFAST_ENOTFOUND (it cannot be resumed safely), PINFAST_EUSAGE
 *          (no session), PINFAST_ENOMEM
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_session_get(struct pinfast_mbedtls *pin,
    struct pinfast_mbedtls_session *session);

/*
 * Offers it, for mbedtls_ssl_set_session(), between attaching and the
 * handshake.
 *
 * returns PINFAST_OK (it will be offered), PINFAST_EPOLICY (its tag does not
 *         pass today's policy), PINFAST_EUSAGE, PINFAST_ENOMEM.  After any
 *         failure a full handshake will be made
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_session_use(struct pinfast_mbedtls *pin,
    const struct pinfast_mbedtls_session *session);

/*
 * The same in one piece of bytes, which hold secrets.
 *
 * write returns the length, and writes nothing when size is smaller; 0: this
 * connection's session cannot be resumed safely.  read returns as
 * pinfast_mbedtls_session_use(), or PINFAST_EFORMAT.
 */
PINFAST_API size_t pinfast_mbedtls_session_write(struct pinfast_mbedtls *pin,
    uint8_t *out, size_t size);
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_session_read(struct pinfast_mbedtls *pin, const uint8_t *data,
    size_t len);

/*
 * The same with a file, which is written whole or not at all with mode 0600,
 * and not read when others may read or write it (PINFAST_EUNSAFE).
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_session_save(struct pinfast_mbedtls *pin, const char *path,
    struct pinfast_diag *diag);
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_mbedtls_session_load(struct pinfast_mbedtls *pin, const char *path,
    struct pinfast_diag *diag);

#ifdef __cplusplus
}
#endif

#endif
