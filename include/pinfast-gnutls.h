/*
 * pinfast for GnuTLS 3.7 and later.
 *
 *	pinfast_gnutls_attach(session, policy, "api.example.com", 443, &diag);
 *	if (pinfast_gnutls_handshake(session) < 0)    for gnutls_handshake()
 *		close it; pinfast_gnutls_explain() says why
 *	pinfast_gnutls_result(session)    before each request on a kept one
 *
 * Attach when the session has its credentials.  pinfast then verifies the
 * chain and the name itself, inside the handshake, with the trust anchors,
 * CRLs, OCSP answers and flags that the credentials hold: an application that
 * would have forgotten it need not remember.  The names of a server's
 * certificate are those of RFC 9525 (subject alternative names only), its
 * purpose must be the right one.  A leaf that is sure to be refused, because
 * its entry pins leaf keys alone and not this one, is refused before GnuTLS
 * verifies.
 *
 * GnuTLS can neither be stopped at the end of a handshake that resumes a
 * session, nor does it show there what the session rests on, so
 * pinfast_gnutls_handshake() takes the place of gnutls_handshake().  Who calls
 * gnutls_handshake() all the same gets complete handshakes judged, resumed
 * ones of TLS 1.2 too, and in TLS 1.3 only those whose tag has passed.
 *
 * A session that was refused carries no application bytes: its handshake fails
 * with alert certificate_unknown and GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR,
 * and its transport functions are taken away.
 *
 * Owned by pinfast on such a session: its verify function, its handshake hook,
 * while certificates are verified its verify output function, and one
 * extension number (65440) that is never sent.  GnuTLS tells nobody which
 * functions were there before: name them in struct pinfast_gnutls_next.  The
 * pointer of its credentials' trust list marks that there are anchors: an
 * application that uses gnutls_x509_trust_list_set_ptr() sets it beforehand.
 *
 * TLS, neither DTLS, which attaching refuses, nor QUIC, whose records GnuTLS
 * does not make.  Where the kernel makes them (`ktls`), a refused session's
 * socket is shut down as well.
 *
 * Threads: as GnuTLS's: a session is for one at a time.  Nothing here outlives
 * the struct pinfast it was given.
 */
#ifndef PINFAST_GNUTLS_H
#define PINFAST_GNUTLS_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "pinfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Pins a client session: from here on it is judged.  Makes host what the
 * certificate is compared with and, unless it is an address, the SNI; for
 * another SNI call gnutls_server_name_set() afterwards.
 *
 * policy  must live longer than the session
 * host    name or address; GnuTLS does not tell which names a session was
 *         given.  NULL: unknown, and then the policy's `unknown-host` says
 *         what becomes of it
 * port    the origin's, never a proxy's; 0: unknown
 * diag    may be NULL
 * returns PINFAST_EUSAGE (too late), PINFAST_EUNSUPPORTED (DTLS),
 *         PINFAST_EUNSAFE (the credentials hold no trust anchor, so that
 *         nothing could be verified, unless the host's entry says
 *         `pkix: none` or brings its own), PINFAST_EHOST, PINFAST_ENOMEM.
 *         After a failure the session denies, or, where not even that could
 *         be noted for want of memory, pinfast_gnutls_handshake() does
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_attach(gnutls_session_t session, struct pinfast *policy,
    const char *host, uint16_t port, struct pinfast_diag *diag);

/*
 * Tells a server session which of the policy's `clients` may come.  Asks for a
 * client certificate that must be there.
 *
 * policy  must live longer than the session
 * label   of the policy's `clients`; copied
 * diag    may be NULL
 * returns PINFAST_EUSAGE (no label, too late), PINFAST_EUNSUPPORTED (DTLS),
 *         PINFAST_EHOST (a label that is too long), PINFAST_ENOMEM.  After a
 *         failure the session denies, as after pinfast_gnutls_attach()
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_attach_server(gnutls_session_t session, struct pinfast *policy,
    const char *label, struct pinfast_diag *diag);

/* Functions of the application that GnuTLS has no getter for; each may be
 * NULL. */
struct pinfast_gnutls_next {
	/* What gnutls_certificate_set_verify_function() or
	 * gnutls_session_set_verify_function() was given.  It is called after
	 * pinfast has verified: when it refuses, the chain counts as failed;
	 * when it accepts what did not verify, the chain counts as overridden
	 * and only the leaf as known. */
	gnutls_certificate_verify_function *verify;
	/* What gnutls_handshake_set_hook_function() was given. */
	gnutls_handshake_hook_func hook;
	unsigned hook_type; /* GNUTLS_HANDSHAKE_... */
	int hook_when;      /* GNUTLS_HOOK_... */
	/* What gnutls_session_set_verify_output_function() was given. */
	gnutls_verify_output_function *output;
};

/* Names them for an attached session.  Copied.  PINFAST_EUSAGE: it is not
 * attached. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_set_next(gnutls_session_t session,
    const struct pinfast_gnutls_next *next);

/*
 * gnutls_handshake(), and the last word: returns 0 only when the handshake is
 * complete and allowed.  GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR: it was
 * refused, or the session was never attached.  Anything else is what
 * gnutls_handshake() says.
 */
PINFAST_API PINFAST_CHECK int
pinfast_gnutls_handshake(gnutls_session_t session);

/*
 * PINFAST_ALLOW only for a completed handshake that was judged and that
 * today's policy still allows.  Call it before each request on a kept
 * connection.  Anything else, once the handshake is over, also takes the
 * session's transport away.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_gnutls_result(gnutls_session_t session);

/*
 * May this live connection carry a request for another host (a pool, HTTP/2
 * coalescing)?  The leaf certificate must cover host, and today's policy
 * allow it for what the connection has shown.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_gnutls_recheck(gnutls_session_t session, const char *host,
    uint16_t port);

/* One sentence: what was decided and why, with the keys shown and wanted.
 * As pinfast_conn_explain(). */
PINFAST_API size_t pinfast_gnutls_explain(gnutls_session_t session, char *text,
    size_t size);

/* The connection object; NULL when there is none.  Borrowed. */
PINFAST_API struct pinfast_conn *pinfast_gnutls_conn(gnutls_session_t session);

/* --------------------------------------------------------------- sessions */

/*
 * A session to be resumed is bytes: what gnutls_session_get_data2() says, and
 * the tag of what its full handshake has proved.  The tag is judged by today's
 * policy before a ClientHello offers the session.
 *
 * A session that the application gave gnutls_session_set_data() itself has no
 * tag.  When a server resumes it, its certificates are verified and judged
 * again before pinfast_gnutls_handshake() returns; early data are not sent
 * with it, the handshake fails before its first byte.
 */

/*
 * Serialises the session of a client; for memory and for files.  Holds
 * secrets.  In TLS 1.3 call it after something was received: the server sends
 * tickets behind the handshake.
 *
 * returns  the length; 0: this connection's session cannot be resumed safely.
 *          Nothing is written when size is smaller
 */
PINFAST_API size_t pinfast_gnutls_session_write(gnutls_session_t session,
    uint8_t *out, size_t size);

/*
 * Reads such bytes for an attached client session and offers the session when
 * its tag passes today's policy.  Needed before
 * gnutls_record_send_early_data().
 *
 * returns PINFAST_OK (it will be offered), PINFAST_EPOLICY (its tag does not
 *         pass: make a full handshake), PINFAST_EFORMAT (also: GnuTLS finds it
 *         too old), PINFAST_EUSAGE, PINFAST_ENOMEM.  After any failure a full
 *         handshake will be made
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_session_read(gnutls_session_t session, const uint8_t *data,
    size_t len);

/*
 * The same with a file, which is written whole or not at all with mode 0600,
 * and not read when others may read or write it (PINFAST_EUNSAFE).
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_session_save(gnutls_session_t session, const char *path,
    struct pinfast_diag *diag);
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_session_load(gnutls_session_t session, const char *path,
    struct pinfast_diag *diag);

/* ----------------------------------------------------------------- servers */

/*
 * A server's sessions are for one label and for what the policy asks of it
 * today: clients that come back under another make a full handshake.  What is
 * resumed is verified and judged again before pinfast_gnutls_handshake()
 * returns, also when the application has set tickets and cache up itself.
 * Early data come before that: they are taken with pinfast_gnutls_tickets()
 * only.
 */

/*
 * In place of gnutls_session_ticket_enable_server().
 *
 * key     what gnutls_session_ticket_key_generate() made; the same for all
 *         sessions.  What is used is derived from it
 * returns PINFAST_EUSAGE (no attached server, or no such key),
 *         PINFAST_ENOMEM
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_tickets(gnutls_session_t session, const gnutls_datum_t *key);

/* A cache of TLS 1.2 sessions, as gnutls_db_set_ptr() and its kin take it.
 * Its keys are 32 bytes. */
struct pinfast_gnutls_cache {
	void *ptr;
	gnutls_db_store_func store;
	gnutls_db_retr_func retrieve;
	gnutls_db_remove_func remove;
};

/* In place of gnutls_db_set_store_function() and its kin.  Copied; what ptr
 * points at lives longer than the session.  PINFAST_EUSAGE: no attached
 * server, or a function is missing. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_gnutls_cache(gnutls_session_t session,
    const struct pinfast_gnutls_cache *cache);

#ifdef __cplusplus
}
#endif

#endif
