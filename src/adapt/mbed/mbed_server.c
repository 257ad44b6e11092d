#include "adapt/mbed/mbed.h"

#include <string.h>

/*
 * A server's callbacks for tickets and for its cache know no connection: they
 * belong to the configuration, and so each connection has one of its own.
 * What mbedTLS stores and reads back with a session has room for a ticket,
 * which only a client has; there the tag travels, encrypted with the rest of a
 * ticket or safe in the cache.
 */
#if defined(MBEDTLS_SSL_SRV_C)

#if defined(MBEDTLS_SSL_SESSION_TICKETS) && defined(MBEDTLS_SSL_CLI_C)
#define HAS_ROOM 1
#else
#define HAS_ROOM 0
#endif

/* A session with the tag of what its client has shown; 0: it gets none. */
static int
with_tag(struct pinfast_mbedtls *m, const mbedtls_ssl_session *session,
    mbedtls_ssl_session *copy, uint8_t tag[PINFAST_TAG_MAX])
{
#if HAS_ROOM
	struct pinfast_bytes secret = {session->MBEDTLS_PRIVATE(master),
	    sizeof session->MBEDTLS_PRIVATE(master)};
	size_t len;

	/* The client has proved that the key is its own. */
	if (pf_mbed_end(m).decision != PINFAST_ALLOW ||
	    pinfast_conn_tag(m->a.conn, secret, tag, &len) != PINFAST_OK)
		return 0;
	memcpy(copy, session, sizeof *copy);
	copy->MBEDTLS_PRIVATE(ticket) = tag;
	copy->MBEDTLS_PRIVATE(ticket_len) = len;
	return 1;
#else
	(void)m, (void)session, (void)copy, (void)tag;
	return 0;
#endif
}

/* A session that came back: may its client resume it? */
static int
is_welcome(struct pinfast_mbedtls *m, mbedtls_ssl_session *session)
{
#if HAS_ROOM
	struct pinfast_bytes tag = {session->MBEDTLS_PRIVATE(ticket),
	    session->MBEDTLS_PRIVATE(ticket_len)};

	if (pf_mbed_session_judge(m, session, tag))
		return 1;
#else
	(void)m;
#endif
	mbedtls_ssl_session_free(session);
	return 0;
}

#if defined(MBEDTLS_SSL_SESSION_TICKETS)
static int
ticket_write(void *arg, const mbedtls_ssl_session *session,
    unsigned char *start, const unsigned char *end, size_t *len,
    uint32_t *lifetime)
{
	struct pinfast_mbedtls *m = arg;
	uint8_t tag[PINFAST_TAG_MAX];
	mbedtls_ssl_session copy;

	if (!with_tag(m, session, &copy, tag))
		return MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE;
	return m->base
	    ->MBEDTLS_PRIVATE(f_ticket_write)(m->base
	                                          ->MBEDTLS_PRIVATE(p_ticket),
	        &copy, start, end, len, lifetime);
}

static int
ticket_read(void *arg, mbedtls_ssl_session *session, unsigned char *data,
    size_t len)
{
	struct pinfast_mbedtls *m = arg;
	int ret = m->base->MBEDTLS_PRIVATE(f_ticket_parse)(
	    m->base->MBEDTLS_PRIVATE(p_ticket), session, data, len);

	if (ret != 0 || is_welcome(m, session))
		return ret;
	return MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
}
#endif

#if MBEDTLS_VERSION_MAJOR < 3
static int
cache_set(void *arg, const mbedtls_ssl_session *session)
{
	struct pinfast_mbedtls *m = arg;
	uint8_t tag[PINFAST_TAG_MAX];
	mbedtls_ssl_session copy;

	if (!with_tag(m, session, &copy, tag))
		return MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE;
	return m->base->f_set_cache(m->base->p_cache, &copy);
}

static int
cache_get(void *arg, mbedtls_ssl_session *session)
{
	struct pinfast_mbedtls *m = arg;
	int ret = m->base->f_get_cache(m->base->p_cache, session);

	if (ret != 0 || is_welcome(m, session))
		return ret;
	return MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE;
}
#endif

void
pf_mbed_serve(struct pinfast_mbedtls *m)
{
	const mbedtls_ssl_config *conf = m->ssl->MBEDTLS_PRIVATE(conf);

	if (conf != &m->conf)
		m->base = conf;
	memcpy(&m->conf, m->base, sizeof m->conf);
	m->conf.MBEDTLS_PRIVATE(authmode) = MBEDTLS_SSL_VERIFY_REQUIRED;
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
	if (m->base->MBEDTLS_PRIVATE(f_ticket_write) != NULL)
		m->conf.MBEDTLS_PRIVATE(f_ticket_write) = ticket_write;
	if (m->base->MBEDTLS_PRIVATE(f_ticket_parse) != NULL)
		m->conf.MBEDTLS_PRIVATE(f_ticket_parse) = ticket_read;
	m->conf.MBEDTLS_PRIVATE(p_ticket) = m;
#endif
#if MBEDTLS_VERSION_MAJOR < 3
	if (m->base->f_get_cache != NULL)
		m->conf.f_get_cache = cache_get;
	if (m->base->f_set_cache != NULL)
		m->conf.f_set_cache = cache_set;
	m->conf.p_cache = m;
#else
	/* Not built here. */
	m->conf.MBEDTLS_PRIVATE(f_get_cache) = NULL;
	m->conf.MBEDTLS_PRIVATE(f_set_cache) = NULL;
#endif
	m->ssl->MBEDTLS_PRIVATE(conf) = &m->conf;
}

#else
void
pf_mbed_serve(struct pinfast_mbedtls *m)
{
	(void)m;
}
#endif
