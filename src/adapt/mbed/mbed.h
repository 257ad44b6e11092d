/*
 * What the files of the mbedTLS adapter share.  mbed.c attaches and answers,
 * mbed_end.c begins and ends handshakes and stands in front of the bytes,
 * mbed_verify.c is called in the middle of a handshake, mbed_path.c lets
 * mbedTLS verify one path and no other, mbed_message.c reads certificates as
 * they were sent, mbed_session.c keeps a client's sessions, mbed_server.c a
 * server's, mbed_adapter.c is for who finds adapters at run time.  Hides which
 * members of mbedTLS's structures are read and written.  Refuses to be compiled
 * with a mbedTLS that only seems to check; an object that could not be attached
 * lets nothing pass.
 */
#ifndef PF_MBED_H
#define PF_MBED_H

#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "adapt/adapter.h"
#include "adapt/paths.h"
#include "pinfast-mbedtls.h"

/* What the check rests on; a mbedTLS without it would only seem to check. */
#if !defined(MBEDTLS_SSL_TLS_C) || !defined(MBEDTLS_X509_CRT_PARSE_C)
#error "pinfast needs a mbedTLS that verifies certificates in TLS"
#endif
#if !defined(MBEDTLS_SSL_SERVER_NAME_INDICATION)
#error                                                                         \
    "pinfast needs MBEDTLS_SSL_SERVER_NAME_INDICATION: anchors of one connection"
#endif
#if !defined(MBEDTLS_HAVE_TIME_DATE)
#error "pinfast needs MBEDTLS_HAVE_TIME_DATE: without it dates are not checked"
#endif
#if defined(MBEDTLS_X509_ALLOW_UNSUPPORTED_CRITICAL_EXTENSION)
#error "pinfast needs critical extensions to count"
#endif
#if MBEDTLS_VERSION_NUMBER < 0x021c0000
#error "pinfast needs mbedTLS 2.28 or later"
#endif

/* Mbed TLS 3 calls these private and has no functions for them.  Not built
 * here. */
#if MBEDTLS_VERSION_MAJOR < 3
#define MBEDTLS_PRIVATE(member) member
#endif

/* No flag of mbedTLS's: certificate_unknown is sent, and
 * mbedtls_ssl_get_verify_result() tells it. */
#define PF_MBED_FLAG 0x40000000U

/* For programs that find adapters at run time; tls is a struct
 * pinfast_mbedtls. */
PINFAST_API const struct pf_adapter *pinfast_adapter_mbedtls(void);

struct pinfast_mbedtls {
	struct pf_attached a;
	struct pinfast_alloc alloc;
	mbedtls_ssl_context *ssl;
	struct pinfast_mbedtls_next given; /* by the application */
	struct pinfast_mbedtls_next next;
	uint8_t own_next;    /* it stood in this connection */
	uint8_t denied;      /* no more bytes but alerts */
	uint8_t forced;      /* this handshake's authmode is REQUIRED */
	uint8_t early;       /* settled before mbedTLS calls it over */
	uint8_t had_anchors; /* the entry had anchors of its own */
	uint8_t bad_anchors; /* they cannot be had */
	uint8_t verifying;

	/* What stood where we stand: the application's. */
	mbedtls_ssl_send_t *send;
	mbedtls_ssl_recv_t *recv;
	mbedtls_ssl_recv_timeout_t *recv_timeout;
	void *bio;
	const mbedtls_ssl_config *base; /* servers */
	mbedtls_ssl_config conf;        /* servers: the copy */

	mbedtls_x509_crt anchors; /* the entry's own, or an empty one */

	/* One verification: its certificates, what mbedTLS said of them, what
	 * the application left of that, and its error. */
	mbedtls_x509_crt *path[PINFAST_PATH_MAX];
	size_t count;
	uint32_t found;
	uint32_t left;
	int next_error;

	uint8_t tagged[PINFAST_PIN_LEN];  /* the session that passed by tag */
	uint8_t settled[PINFAST_PIN_LEN]; /* the session of the verdict */
	uint8_t shown[PINFAST_PIN_LEN];   /* the leaf that was judged */
};

/* ---------------------------------------------------------- begin and end */

/* A new connection object with its names. */
PINFAST_CHECK enum pinfast_error pf_mbed_begin(struct pinfast_mbedtls *m);

/* The same, unless one has begun already that is not over. */
PINFAST_CHECK enum pinfast_error pf_mbed_ready(struct pinfast_mbedtls *m);

/* The names that mbedTLS was told, when nobody told us. */
void pf_mbed_learn(struct pinfast_mbedtls *m);

/* Puts the anchors and the authmode of this handshake in place. */
void pf_mbed_arm(struct pinfast_mbedtls *m);

/* Is the handshake over, and has it not begun? */
int pf_mbed_over(const struct pinfast_mbedtls *m);
int pf_mbed_before(const struct pinfast_mbedtls *m);

/*
 * Puts the connection into no state of mbedTLS's: it neither goes on nor reads
 * nor writes, whoever moves its bytes, until mbedtls_ssl_session_reset().
 * pf_mbed_go() takes that back when nothing had begun.
 */
void pf_mbed_stop(struct pinfast_mbedtls *m);
void pf_mbed_go(struct pinfast_mbedtls *m);
int pf_mbed_stopped(const struct pinfast_mbedtls *m);

/* A hash of a certificate; zeros: there is none. */
void pf_mbed_leaf_id(const mbedtls_x509_crt *leaf,
    uint8_t out[PINFAST_PIN_LEN]);

/* Ends a handshake: the verdict is final.  Asked again, it says the same,
 * unless another handshake was made meanwhile. */
struct pinfast_verdict pf_mbed_end(struct pinfast_mbedtls *m);

/* Puts us in front of the bytes; 0: nobody moves them yet. */
int pf_mbed_stand_before(struct pinfast_mbedtls *m);

/* Has mbedTLS call us before it reads, whoever moves the bytes: whoever has
 * taken our place there loses it again.  An application's own timer stays. */
void pf_mbed_watch(struct pinfast_mbedtls *m);

/* Does another object, which may be gone, stand where we should?  Then nobody
 * moves bytes until the application says who. */
int pf_mbed_follows_another(struct pinfast_mbedtls *m);

/* A hash of what the session in hand, or another, is known by. */
void pf_mbed_session_id(const mbedtls_ssl_session *session,
    uint8_t out[PINFAST_PIN_LEN]);
const mbedtls_ssl_session *pf_mbed_session(const struct pinfast_mbedtls *m);

/* ------------------------------------------------------------ verification */

/* For mbedtls_ssl_set_verify(). */
int pf_mbed_verify(void *arg, mbedtls_x509_crt *crt, int depth,
    uint32_t *flags);

/* Is name one of the leaf's subjectAltNames (RFC 9525)? */
int pf_mbed_covers(const mbedtls_x509_crt *leaf, const char *name);

/* The leaf of the Certificate message that mbedTLS has in its hands; len 0:
 * it has none. */
struct pinfast_bytes pf_mbed_sent_leaf(const struct pinfast_mbedtls *m);

/* Has that message nothing behind its certificates? */
int pf_mbed_sent_exactly(const struct pinfast_mbedtls *m);

/* Has mbedTLS verified exactly this path, and the application not refused it?
 * For struct pf_paths. */
int pf_mbed_exactly(void *arg, const struct pf_link *const *path, size_t count);

/* The key as mbedTLS parsed it.  For struct pf_paths. */
int pf_mbed_view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out);

/* The trusted certificates that count for this connection. */
const mbedtls_x509_crt *pf_mbed_trusted(const struct pinfast_mbedtls *m);

/* The handshake has failed with ret before anybody could judge: why. */
void pf_mbed_judge_error(struct pinfast_mbedtls *m, int ret);

/* Gives a kept connection the keys that nobody asked about before.  For struct
 * pf_kept, as the other. */
PINFAST_CHECK enum pinfast_error pf_mbed_complete(void *arg);
int pf_mbed_covers_now(void *arg, const char *host);

/* ---------------------------------------------------------------- sessions */

/* Takes away what is offered without having passed. */
void pf_mbed_session_check(struct pinfast_mbedtls *m);

/* Judges a session by its tag; 1: it may be resumed. */
int pf_mbed_session_judge(struct pinfast_mbedtls *m,
    const mbedtls_ssl_session *session, struct pinfast_bytes tag);

/* Servers: tickets and cache of the copied configuration. */
void pf_mbed_serve(struct pinfast_mbedtls *m);

/* Memory of the application's. */
void *pf_mbed_alloc(const struct pinfast_mbedtls *m, size_t size);
void pf_mbed_drop(const struct pinfast_mbedtls *m, void *ptr);

#endif
