#include "adapt/mbed/mbed.h"

#include <string.h>

#include <mbedtls/platform_util.h>

#include "adapt/blob.h"

/* Which library wrote it. */
#define MAGIC "PFM1"

/* A mbedTLS for servers only has no sessions to keep. */
#if !defined(MBEDTLS_SSL_CLI_C)
#define mbedtls_ssl_get_session(ssl, session)                                  \
	MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE
#define mbedtls_ssl_set_session(ssl, session)                                  \
	MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE
#endif

/* The tag of a session in memory is made for its master secret. */
static struct pinfast_bytes
secret_of(const mbedtls_ssl_session *session)
{
	struct pinfast_bytes secret = {session->MBEDTLS_PRIVATE(master),
	    sizeof session->MBEDTLS_PRIVATE(master)};

	return secret;
}

/* Sessions of TLS 1.3 have none, and so nothing that tells them apart. */
static int
has_secret(const mbedtls_ssl_session *session)
{
	struct pinfast_bytes secret = secret_of(session);

	while (secret.len > 0 && secret.data[secret.len - 1] == 0)
		secret.len--;
	return secret.len > 0;
}

int
pf_mbed_session_judge(struct pinfast_mbedtls *m,
    const mbedtls_ssl_session *session, struct pinfast_bytes tag)
{
	if (m->a.doomed || m->a.conn == NULL || m->a.complete ||
	    !has_secret(session) ||
	    !pf_attached_resume(&m->a, tag, secret_of(session)))
		return 0;
	pf_mbed_session_id(session, m->tagged);
	return 1;
}

static void
take_away(struct pinfast_mbedtls *m)
{
	m->a.by_tag = 0;
#if MBEDTLS_VERSION_MAJOR < 3
	mbedtls_ssl_session_free(m->ssl->session_negotiate);
#else
	(void)mbedtls_ssl_session_reset(m->ssl); /* Not built here. */
#endif
}

void
pf_mbed_session_check(struct pinfast_mbedtls *m)
{
	uint8_t id[PINFAST_PIN_LEN];

	if (m->a.server)
		return;
	pf_mbed_session_id(pf_mbed_session(m), id);
	if (!m->a.by_tag || memcmp(id, m->tagged, sizeof id) != 0)
		take_away(m);
}

void
pinfast_mbedtls_session_init(struct pinfast_mbedtls_session *session)
{
	memset(session, 0, sizeof *session);
	mbedtls_ssl_session_init(&session->session);
}

void
pinfast_mbedtls_session_free(struct pinfast_mbedtls_session *session)
{
	if (session == NULL)
		return;
	mbedtls_ssl_session_free(&session->session);
	session->tag_len = 0;
}

/* Was this connection let in? */
static int
is_let_in(struct pinfast_mbedtls *m)
{
	return m != NULL && m->a.conn != NULL && pf_mbed_over(m) &&
	       pf_mbed_end(m).decision == PINFAST_ALLOW;
}

enum pinfast_error
pinfast_mbedtls_session_get(struct pinfast_mbedtls *m,
    struct pinfast_mbedtls_session *session)
{
	if (session == NULL)
		return PINFAST_EUSAGE;
	if (!is_let_in(m))
		return PINFAST_ENOTFOUND;
	if (mbedtls_ssl_get_session(m->ssl, &session->session) != 0) {
		pinfast_mbedtls_session_free(session);
		return PINFAST_ENOMEM;
	}
	if (has_secret(&session->session) &&
	    pinfast_conn_tag(m->a.conn, secret_of(&session->session),
	        session->tag, &session->tag_len) == PINFAST_OK)
		return PINFAST_OK;
	pinfast_mbedtls_session_free(session);
	return PINFAST_ENOTFOUND;
}

/* Whoever offers sessions is a client that has not begun. */
static int
may_offer(const struct pinfast_mbedtls *m)
{
	return m != NULL && m->a.conn != NULL && !m->a.doomed && !m->a.server &&
	       pf_mbed_before(m);
}

enum pinfast_error
pinfast_mbedtls_session_use(struct pinfast_mbedtls *m,
    const struct pinfast_mbedtls_session *session)
{
	struct pinfast_bytes tag;

	if (!may_offer(m) || session == NULL)
		return PINFAST_EUSAGE;
	if (pf_mbed_ready(m) != PINFAST_OK)
		return PINFAST_ENOMEM;
	take_away(m);
	tag.data = session->tag;
	tag.len =
	    session->tag_len <= sizeof session->tag ? session->tag_len : 0;
	if (!pf_mbed_session_judge(m, &session->session, tag))
		return PINFAST_EPOLICY;
	if (mbedtls_ssl_set_session(m->ssl, &session->session) == 0)
		return PINFAST_OK;
	take_away(m);
	return PINFAST_ENOMEM;
}

/* ----------------------------------------------------- serialised sessions */

/* What mbedTLS makes of the session, for pf_mbed_drop(); NULL: nothing. */
static uint8_t *
serialise(struct pinfast_mbedtls *m, size_t *len)
{
	mbedtls_ssl_session session;
	uint8_t *bytes = NULL;
	size_t size = 0;

	mbedtls_ssl_session_init(&session);
	if (mbedtls_ssl_get_session(m->ssl, &session) == 0 &&
	    has_secret(&session) &&
	    mbedtls_ssl_session_save(&session, NULL, 0, &size) ==
	        MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL)
		bytes = pf_mbed_alloc(m, size);
	if (bytes != NULL &&
	    mbedtls_ssl_session_save(&session, bytes, size, len) != 0) {
		mbedtls_platform_zeroize(bytes, size);
		pf_mbed_drop(m, bytes);
		bytes = NULL;
	}
	mbedtls_ssl_session_free(&session);
	return bytes;
}

size_t
pinfast_mbedtls_session_write(struct pinfast_mbedtls *m, uint8_t *out,
    size_t size)
{
	uint8_t tag[PINFAST_TAG_MAX];
	struct pf_blob blob = {{tag, 0}, {NULL, 0}};
	uint8_t *bytes;
	size_t all = 0;

	if (!is_let_in(m))
		return 0;
	bytes = serialise(m, &blob.session.len);
	if (bytes == NULL)
		return 0;
	blob.session.data = bytes;
	if (pinfast_conn_tag(m->a.conn, blob.session, tag, &blob.tag.len) ==
	    PINFAST_OK)
		all = pf_blob_write(MAGIC, &blob, out, size);
	mbedtls_platform_zeroize(bytes, blob.session.len);
	pf_mbed_drop(m, bytes);
	return all;
}

/* The session passed: it is offered. */
static enum pinfast_error
offer(struct pinfast_mbedtls *m, struct pinfast_bytes bytes)
{
	enum pinfast_error error = PINFAST_OK;
	mbedtls_ssl_session session;
	int ret;

	mbedtls_ssl_session_init(&session);
	ret = mbedtls_ssl_session_load(&session, bytes.data, bytes.len);
	if (ret == MBEDTLS_ERR_SSL_ALLOC_FAILED)
		error = PINFAST_ENOMEM;
	else if (ret != 0 || !has_secret(&session))
		error = PINFAST_EFORMAT;
	else if (mbedtls_ssl_set_session(m->ssl, &session) != 0)
		error = PINFAST_ENOMEM;
	pf_mbed_session_id(&session, m->tagged);
	mbedtls_ssl_session_free(&session);
	return error;
}

enum pinfast_error
pinfast_mbedtls_session_read(struct pinfast_mbedtls *m, const uint8_t *data,
    size_t len)
{
	enum pinfast_error error;
	struct pf_blob blob;

	if (!may_offer(m) || data == NULL)
		return PINFAST_EUSAGE;
	if (pf_mbed_ready(m) != PINFAST_OK)
		return PINFAST_ENOMEM;
	take_away(m);
	error = pf_blob_read(MAGIC, data, len, &blob);
	if (error != PINFAST_OK)
		return error;
	if (!pf_attached_resume(&m->a, blob.tag, blob.session))
		return PINFAST_EPOLICY;
	error = offer(m, blob.session);
	if (error != PINFAST_OK)
		take_away(m);
	return error;
}

static size_t
write_to(void *m, uint8_t *out, size_t size)
{
	return pinfast_mbedtls_session_write(m, out, size);
}

enum pinfast_error
pinfast_mbedtls_session_save(struct pinfast_mbedtls *m, const char *path,
    struct pinfast_diag *diag)
{
	return pf_blob_save(path, write_to, m, diag);
}

static enum pinfast_error
read_from(void *m, const uint8_t *data, size_t len)
{
	return pinfast_mbedtls_session_read(m, data, len);
}

enum pinfast_error
pinfast_mbedtls_session_load(struct pinfast_mbedtls *m, const char *path,
    struct pinfast_diag *diag)
{
	return pf_blob_load(path, read_from, m, diag);
}
