#include "adapt/mbed/mbed.h"

#include <string.h>

#include "base/sha256.h"

#define SSL(m, member) ((m)->ssl->MBEDTLS_PRIVATE(member))

/* Below mbedTLS's states: before a handshake had begun, and after. */
#define STOPPED_BEFORE (-1)
#define STOPPED (-2)

void
pf_mbed_stop(struct pinfast_mbedtls *m)
{
	if (!pf_mbed_stopped(m))
		SSL(m, state) = pf_mbed_before(m) ? STOPPED_BEFORE : STOPPED;
}

void
pf_mbed_go(struct pinfast_mbedtls *m)
{
	if (SSL(m, state) == STOPPED_BEFORE)
		SSL(m, state) = MBEDTLS_SSL_HELLO_REQUEST;
}

int
pf_mbed_stopped(const struct pinfast_mbedtls *m)
{
	return SSL(m, state) < 0;
}

int
pf_mbed_over(const struct pinfast_mbedtls *m)
{
	return SSL(m, state) == MBEDTLS_SSL_HANDSHAKE_OVER ||
	       SSL(m, state) == STOPPED;
}

int
pf_mbed_before(const struct pinfast_mbedtls *m)
{
	return SSL(m, state) == MBEDTLS_SSL_HELLO_REQUEST;
}

const mbedtls_ssl_session *
pf_mbed_session(const struct pinfast_mbedtls *m)
{
	/* The one that is negotiated, and when that is over the other. */
	if (SSL(m, session_negotiate) != NULL)
		return SSL(m, session_negotiate);
	return SSL(m, session);
}

void
pf_mbed_session_id(const mbedtls_ssl_session *session,
    uint8_t out[PINFAST_PIN_LEN])
{
	/* Nothing else is the same in a session that was resumed. */
	if (session != NULL)
		pf_sha256(session->MBEDTLS_PRIVATE(master),
		    sizeof session->MBEDTLS_PRIVATE(master), out);
	else
		memset(out, 0, PINFAST_PIN_LEN);
}

void
pf_mbed_learn(struct pinfast_mbedtls *m)
{
	const char *name = SSL(m, hostname);

	/* A name that cannot be added makes the connection deny. */
	if (!m->a.server && !m->a.has_host && name != NULL)
		(void)pinfast_conn_add_name(m->a.conn, name);
}

static int
is_hello(const struct pinfast_mbedtls *m)
{
	return !pf_mbed_stopped(m) && SSL(m, state) <= MBEDTLS_SSL_SERVER_HELLO;
}

/* Has a first handshake hardly begun: nobody has shown anything yet? */
static int
is_fresh(const struct pinfast_mbedtls *m)
{
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	if (SSL(m, renego_status) != 0)
		return 0;
#endif
	return is_hello(m);
}

enum pinfast_error
pf_mbed_begin(struct pinfast_mbedtls *m)
{
	enum pinfast_error error = pf_attached_begin(&m->a);

	m->early = 0;
	if (error != PINFAST_OK)
		return error;
	/* It was reset, and what comes is judged by itself. */
	if (is_fresh(m) && !m->a.doomed)
		m->denied = 0;
	pf_mbed_learn(m);
	return error;
}

enum pinfast_error
pf_mbed_ready(struct pinfast_mbedtls *m)
{
	/* What a handshake that broke off has shown is no evidence of the next.
	 */
	if (m->a.conn == NULL || m->a.complete ||
	    ((m->a.by_peer || m->denied) && pf_mbed_before(m)))
		return pf_mbed_begin(m);
	return PINFAST_OK;
}

static int
add_anchor(void *arg, struct pinfast_bytes der)
{
	return mbedtls_x509_crt_parse_der(arg, der.data, der.len);
}

/* The entry's anchors, as today's policy has them. */
static void
take_anchors(struct pinfast_mbedtls *m, unsigned needs)
{
	int count;

	m->bad_anchors = 0;
	/* An earlier try may have had other anchors. */
	if (!(needs & PINFAST_NEED_TRUST) && !m->had_anchors)
		return;
	mbedtls_x509_crt_free(&m->anchors);
	mbedtls_x509_crt_init(&m->anchors);
	count = pf_attached_trust(&m->a, add_anchor, &m->anchors);
	m->had_anchors = count != 0;
	m->bad_anchors = count < 0;
}

void
pf_mbed_arm(struct pinfast_mbedtls *m)
{
	unsigned needs = pinfast_conn_needs(m->a.conn);
	const mbedtls_ssl_config *conf = SSL(m, conf);
	mbedtls_x509_crt *trusted = &m->anchors;

	take_anchors(m, needs);
	mbedtls_ssl_set_hs_authmode(m->ssl, MBEDTLS_SSL_VERIFY_REQUIRED);
	/* A client without server code does not look at that. */
#if defined(MBEDTLS_SSL_SRV_C)
	m->forced = 1;
#endif
	/* An empty list of anchors is one: mbedTLS verifies, and trusts
	 * nobody. */
	if (!m->had_anchors && conf->MBEDTLS_PRIVATE(ca_chain) != NULL)
		trusted = conf->MBEDTLS_PRIVATE(ca_chain);
	mbedtls_ssl_set_hs_ca_chain(m->ssl, trusted,
	    conf->MBEDTLS_PRIVATE(ca_crl));
}

/* ------------------------------------------------------------------ ending */

void
pf_mbed_leaf_id(const mbedtls_x509_crt *leaf, uint8_t out[PINFAST_PIN_LEN])
{
	if (leaf != NULL && leaf->raw.p != NULL)
		pf_sha256(leaf->raw.p, leaf->raw.len, out);
	else
		memset(out, 0, PINFAST_PIN_LEN);
}

/* Is the certificate that was judged the one of this session?  Where the bytes
 * do not pass through us, it may be of a handshake that broke off. */
static int
is_judged(const struct pinfast_mbedtls *m)
{
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
	const mbedtls_ssl_session *session = pf_mbed_session(m);
	uint8_t id[PINFAST_PIN_LEN];

	if (session == NULL)
		return 0;
	pf_mbed_leaf_id(session->MBEDTLS_PRIVATE(peer_cert), id);
	return memcmp(id, m->shown, sizeof id) == 0;
#else
	(void)m;
	return 1;
#endif
}

static struct pinfast_verdict
end(struct pinfast_mbedtls *m)
{
	struct pinfast_verdict verdict = pf_not_judged();
	uint8_t id[PINFAST_PIN_LEN];

	if (m->a.doomed)
		return verdict;
	/* From here on every other state is that of another handshake. */
	if (pf_mbed_over(m))
		m->early = 0;
	pf_mbed_session_id(pf_mbed_session(m), id);
	/* Nobody told us of this one: nothing of it was judged. */
	if (m->a.complete && memcmp(id, m->settled, sizeof id) != 0 &&
	    pf_mbed_begin(m) != PINFAST_OK)
		return verdict;
	if (!m->a.complete) {
		m->a.by_peer = m->a.by_peer && is_judged(m);
		memcpy(m->settled, id, sizeof id);
		m->forced = 0;
		m->early = (uint8_t)!pf_mbed_over(m);
	}
	return pf_attached_end(&m->a,
	    m->a.by_tag && memcmp(id, m->tagged, sizeof id) == 0);
}

struct pinfast_verdict
pf_mbed_end(struct pinfast_mbedtls *m)
{
	struct pinfast_verdict verdict = end(m);

	if (verdict.decision == PINFAST_ALLOW)
		return verdict;
	m->denied = 1;
	/* mbedTLS counts its states up while a handshake goes on. */
	if (pf_mbed_over(m))
		pf_mbed_stop(m);
	return verdict;
}

/* --------------------------------------------------------------- the bytes */

/* Does another handshake go on than the one that was settled? */
static int
is_another(const struct pinfast_mbedtls *m)
{
	if (m->a.complete)
		return !m->early || is_hello(m);
	return (m->a.by_peer || m->denied) && is_hello(m);
}

/* May bytes pass?  Those of a handshake may; others when it was let in. */
static int
may_pass(struct pinfast_mbedtls *m)
{
	if (m->denied && (m->a.doomed || !is_fresh(m)))
		return 0;
	if (pf_mbed_over(m))
		return pf_mbed_end(m).decision == PINFAST_ALLOW;
	if (!is_another(m))
		return !m->denied;
	if (pf_mbed_begin(m) == PINFAST_OK)
		pf_mbed_arm(m);
	else
		m->denied = 1;
	return !m->denied;
}

static int
on_send(void *arg, const unsigned char *data, size_t len)
{
	struct pinfast_mbedtls *m = arg;

	/* The peer may learn why. */
	if (!may_pass(m) && SSL(m, out_msgtype) != MBEDTLS_SSL_MSG_ALERT)
		return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	return m->send(m->bio, data, len);
}

static int
on_recv(void *arg, unsigned char *data, size_t size)
{
	struct pinfast_mbedtls *m = arg;

	if (!may_pass(m))
		return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	return m->recv(m->bio, data, size);
}

static int
on_recv_timeout(void *arg, unsigned char *data, size_t size,
    uint32_t timeout_ms)
{
	struct pinfast_mbedtls *m = arg;

	if (!may_pass(m))
		return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	return m->recv_timeout(m->bio, data, size, timeout_ms);
}

/* Where we know nobody who moves bytes. */
static int
send_nothing(void *arg, const unsigned char *data, size_t len)
{
	(void)arg, (void)data, (void)len;
	return MBEDTLS_ERR_SSL_CONN_EOF;
}

static int
recv_nothing(void *arg, unsigned char *data, size_t size)
{
	(void)arg, (void)data, (void)size;
	return MBEDTLS_ERR_SSL_CONN_EOF;
}

static int
stands_before(const struct pinfast_mbedtls *m)
{
	return SSL(m, f_send) == on_send && SSL(m, p_bio) == m &&
	       m->send != NULL;
}

int
pf_mbed_follows_another(struct pinfast_mbedtls *m)
{
	if (SSL(m, f_send) == send_nothing)
		return 1;
	/* It may have lain where this one lies now. */
	if (SSL(m, f_send) != on_send || stands_before(m))
		return 0;
	mbedtls_ssl_set_bio(m->ssl, NULL, send_nothing, recv_nothing, NULL);
	return 1;
}

int
pf_mbed_stand_before(struct pinfast_mbedtls *m)
{
	if (SSL(m, f_send) == on_send || SSL(m, f_send) == send_nothing)
		return stands_before(m);
	if (SSL(m, f_send) == NULL ||
	    (SSL(m, f_recv) == NULL && SSL(m, f_recv_timeout) == NULL))
		return 0;
	m->send = SSL(m, f_send);
	m->recv = SSL(m, f_recv);
	m->recv_timeout = SSL(m, f_recv_timeout);
	m->bio = SSL(m, p_bio);
	mbedtls_ssl_set_bio(m->ssl, m, on_send, m->recv ? on_recv : NULL,
	    m->recv_timeout ? on_recv_timeout : NULL);
	return 1;
}

/* mbedtls_ssl_get_timer_t: mbedTLS asks for the time before each read, also of
 * connections that have no timer. */
static int
on_time(void *arg)
{
	(void)pf_mbed_stand_before(arg);
	return 0;
}

void
pf_mbed_watch(struct pinfast_mbedtls *m)
{
	if (SSL(m, f_get_timer) == NULL || SSL(m, f_get_timer) == on_time)
		mbedtls_ssl_set_timer_cb(m->ssl, m, NULL, on_time);
}
