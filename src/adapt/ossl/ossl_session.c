#include "adapt/ossl/ossl.h"

#include <string.h>

#include <openssl/err.h>

#include "adapt/blob.h"

/* What marks a serialised session of OpenSSL's. */
static const char magic[] = "PFS1";

/* What an SSL_SESSION carries: its tag, and behind it the bytes of the
 * serialised session that the tag was made for, if there were such. */
struct tag {
	size_t len;
	size_t blob_len;
	uint8_t bytes[];
};

static int tag_index = -1;

static struct tag *
make_tag(const uint8_t *bytes, size_t len, const uint8_t *blob, size_t blob_len)
{
	struct tag *tag = OPENSSL_malloc(sizeof *tag + len + blob_len);

	if (tag == NULL)
		return NULL;
	tag->len = len;
	tag->blob_len = blob_len;
	memcpy(tag->bytes, bytes, len);
	if (blob_len > 0)
		memcpy(tag->bytes + len, blob, blob_len);
	return tag;
}

/* TLS 1.3 makes a copy of the session for every ticket. */
static int
dup_tag(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **ptr, int index,
    long argl, void *argp)
{
	const struct tag *tag = *ptr;

	(void)to, (void)from, (void)index, (void)argl, (void)argp;
	/* Without its tag a session is not offered: nothing else is lost. */
	if (tag != NULL)
		*ptr = make_tag(tag->bytes, tag->len, tag->bytes + tag->len,
		    tag->blob_len);
	return 1;
}

static void
free_tag(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
    void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	OPENSSL_free(ptr);
}

int
pf_ossl_session_prepare(void)
{
	if (tag_index < 0)
		tag_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, dup_tag,
		    free_tag);
	return tag_index >= 0;
}

/* Takes the tag; without memory the session has none. */
static void
put_tag(SSL_SESSION *session, struct tag *tag)
{
	struct tag *old = SSL_SESSION_get_ex_data(session, tag_index);

	if (!SSL_SESSION_set_ex_data(session, tag_index, tag)) {
		OPENSSL_free(tag);
		return;
	}
	OPENSSL_free(old);
}

/* Servers find it in the ticket, everybody else with the session. */
static struct pinfast_verdict
judge_session(struct pf_ossl *st, SSL_SESSION *session)
{
	const struct tag *tag = SSL_SESSION_get_ex_data(session, tag_index);
	struct pinfast_bytes bytes = {NULL, 0}, blob = {NULL, 0};
	void *data;

	if (tag != NULL) {
		bytes.data = tag->bytes;
		bytes.len = tag->len;
		blob.data = tag->bytes + tag->len;
		blob.len = tag->blob_len;
	} else if (st->a.server && SSL_SESSION_get0_ticket_appdata(session,
	                               &data, &bytes.len) == 1) {
		bytes.data = data;
	}
	return pinfast_judge_tag(st->a.conn, bytes, blob);
}

void
pf_ossl_session_check(SSL *ssl, struct pf_ossl *st)
{
	SSL_SESSION *session = SSL_get_session(ssl);

	st->a.by_tag = 0;
	if (session == NULL)
		return;
	if (judge_session(st, session).decision == PINFAST_ALLOW)
		st->a.by_tag = 1;
	else
		SSL_set_session(ssl, NULL);
}

int
pf_ossl_session_tagged(const SSL *ssl)
{
	SSL_SESSION *session = SSL_get_session(ssl);

	return session != NULL &&
	       SSL_SESSION_get_ex_data(session, tag_index) != NULL;
}

void
pf_ossl_session_tag(SSL *ssl, struct pf_ossl *st)
{
	struct pinfast_bytes none = {NULL, 0};
	uint8_t bytes[PINFAST_TAG_MAX];
	SSL_SESSION *session = SSL_get_session(ssl);
	struct tag *tag;
	size_t len;

	/* A resumed session is shared, and has one. */
	if (session == NULL || SSL_session_reused(ssl) ||
	    pinfast_conn_tag(st->a.conn, none, bytes, &len) != PINFAST_OK)
		return;
	tag = make_tag(bytes, len, NULL, 0);
	if (tag != NULL)
		put_tag(session, tag);
}

/* ----------------------------------------------------- serialised sessions */

size_t
pinfast_openssl_session_write(SSL *ssl, SSL_SESSION *session, uint8_t *out,
    size_t size)
{
	struct pf_ossl *st = ssl == NULL ? NULL : pf_ossl_of(ssl);
	struct pf_blob blob;
	uint8_t tag[PINFAST_TAG_MAX];
	unsigned char *der = NULL;
	size_t all = 0;
	int len;

	if (session == NULL && ssl != NULL)
		session = SSL_get0_session(ssl);
	if (st == NULL || session == NULL || !pf_ossl_over(ssl) ||
	    pf_ossl_end(ssl, st).decision != PINFAST_ALLOW)
		return 0;
	len = i2d_SSL_SESSION(session, &der);
	if (len <= 0)
		return 0;
	blob.session.data = der;
	blob.session.len = (size_t)len;
	blob.tag.data = tag;
	if (pinfast_conn_tag(st->a.conn, blob.session, tag, &blob.tag.len) ==
	    PINFAST_OK)
		all = pf_blob_write(magic, &blob, out, size);
	OPENSSL_clear_free(der, (size_t)len);
	return all;
}

/* Whoever offers sessions is a client that has not begun. */
static struct pf_ossl *
before(SSL *ssl)
{
	struct pf_ossl *st = ssl == NULL ? NULL : pf_ossl_make(ssl);

	if (st == NULL || st->a.server || !SSL_in_before(ssl))
		return NULL;
	if ((st->a.conn == NULL || st->a.complete) &&
	    pf_ossl_begin(ssl, st) != PINFAST_OK)
		return NULL;
	return st;
}

/* The session passed: ssl offers it. */
static enum pinfast_error
offer(SSL *ssl, struct pf_ossl *st, const struct pf_blob *blob)
{
	struct pinfast_bytes der = blob->session;
	const unsigned char *at = der.data;
	SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)der.len);
	struct tag *kept;

	if (session == NULL || at != der.data + der.len) {
		SSL_SESSION_free(session);
		return PINFAST_EFORMAT;
	}
	kept = make_tag(blob->tag.data, blob->tag.len, der.data, der.len);
	if (kept == NULL || !SSL_set_session(ssl, session)) {
		OPENSSL_free(kept);
		SSL_SESSION_free(session);
		return PINFAST_ENOMEM;
	}
	put_tag(session, kept);
	SSL_SESSION_free(session);
	st->a.by_tag = 1;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_openssl_session_read(SSL *ssl, const uint8_t *data, size_t len)
{
	struct pf_ossl *st = before(ssl);
	struct pf_blob blob;
	enum pinfast_error error;

	if (st == NULL || data == NULL)
		return PINFAST_EUSAGE;
	SSL_set_session(ssl, NULL);
	st->a.by_tag = 0;
	error = pf_blob_read(magic, data, len, &blob);
	if (error != PINFAST_OK)
		return error;
	if (pinfast_judge_tag(st->a.conn, blob.tag, blob.session).decision !=
	    PINFAST_ALLOW)
		return PINFAST_EPOLICY;
	ERR_set_mark();
	error = offer(ssl, st, &blob);
	ERR_pop_to_mark();
	if (error != PINFAST_OK)
		SSL_set_session(ssl, NULL);
	return error;
}

enum pinfast_error
pinfast_openssl_session_use(SSL *ssl, SSL_SESSION *session)
{
	struct pf_ossl *st = before(ssl);

	if (st == NULL)
		return PINFAST_EUSAGE;
	if (!SSL_set_session(ssl, session))
		return PINFAST_ENOMEM;
	pf_ossl_session_check(ssl, st);
	return st->a.by_tag ? PINFAST_OK : PINFAST_EPOLICY;
}

/* What is saved: a session of a connection. */
struct saved {
	SSL *ssl;
	SSL_SESSION *session;
};

static size_t
write_to(void *arg, uint8_t *out, size_t size)
{
	const struct saved *saved = arg;

	return pinfast_openssl_session_write(saved->ssl, saved->session, out,
	    size);
}

enum pinfast_error
pinfast_openssl_session_save(SSL *ssl, SSL_SESSION *session, const char *path,
    struct pinfast_diag *diag)
{
	struct saved saved = {ssl, session};

	return pf_blob_save(path, write_to, &saved, diag);
}

static enum pinfast_error
read_from(void *ssl, const uint8_t *data, size_t len)
{
	return pinfast_openssl_session_read(ssl, data, len);
}

enum pinfast_error
pinfast_openssl_session_load(SSL *ssl, const char *path,
    struct pinfast_diag *diag)
{
	return pf_blob_load(path, read_from, ssl, diag);
}

/* ------------------------------------------------------------------ servers */

int
pf_ossl_session_seal(SSL *ssl, struct pf_ossl *st)
{
	struct pinfast_bytes none = {NULL, 0};
	uint8_t tag[PINFAST_TAG_MAX];
	size_t len = 0;

	/* A resumed session has one. */
	if (st == NULL || !st->a.server || SSL_session_reused(ssl))
		return 1;
	if (pf_ossl_end(ssl, st).decision != PINFAST_ALLOW ||
	    pinfast_conn_tag(st->a.conn, none, tag, &len) != PINFAST_OK)
		len = 0;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), tag, len);
}

/* A ticket carries the tag, encrypted and signed by OpenSSL. */
static int
ticket_new(SSL *ssl, void *arg)
{
	struct pf_ossl_ctx *ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(ssl));

	(void)arg;
	if (!pf_ossl_session_seal(ssl, pf_ossl_of(ssl)))
		return 0;
	if (ctx != NULL && ctx->next.ticket_new != NULL)
		return ctx->next.ticket_new(ssl, ctx->next.ticket_arg);
	return 1;
}

static SSL_TICKET_RETURN
ticket_default(SSL_TICKET_STATUS status)
{
	switch (status) {
	case SSL_TICKET_SUCCESS:
		return SSL_TICKET_RETURN_USE;
	case SSL_TICKET_SUCCESS_RENEW:
		return SSL_TICKET_RETURN_USE_RENEW;
	default:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	}
}

static SSL_TICKET_RETURN
ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
    size_t len, SSL_TICKET_STATUS status, void *arg)
{
	struct pf_ossl *st = pf_ossl_of(ssl);
	struct pf_ossl_ctx *ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(ssl));
	int usable =
	    status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

	(void)arg;
	/* Of a server that nobody has attached no ticket says anything. */
	if (usable && (st == NULL || st->a.server)) {
		if (st == NULL || st->a.conn == NULL || st->a.complete ||
		    judge_session(st, session).decision != PINFAST_ALLOW)
			return SSL_TICKET_RETURN_IGNORE_RENEW;
		st->a.by_tag = 1;
	}
	if (ctx != NULL && ctx->next.ticket_read != NULL)
		return ctx->next.ticket_read(ssl, session, name, len, status,
		    ctx->next.ticket_arg);
	return ticket_default(status);
}

enum pinfast_error
pf_ossl_session_serve_ctx(SSL_CTX *ctx)
{
	if (!SSL_CTX_set_session_ticket_cb(ctx, ticket_new, ticket_read, NULL))
		return PINFAST_ENOMEM;
	return PINFAST_OK;
}

/* Sessions of another label, or of what the policy asked of this one before,
 * are not even looked at. */
enum pinfast_error
pf_ossl_session_serve(SSL *ssl, struct pf_ossl *st)
{
	uint8_t id[32];

	if (pf_attached_session_id(&st->a, id) != PINFAST_OK ||
	    !SSL_set_session_id_context(ssl, id, sizeof id))
		return PINFAST_ENOMEM;
	return PINFAST_OK;
}

int
pf_ossl_session_resumed(SSL *ssl, struct pf_ossl *st)
{
	SSL_SESSION *session = SSL_get_session(ssl);

	if (session == NULL)
		return 0;
	/* The handshake rests on this tag, whatever was said of it. */
	st->a.by_tag = 1;
	if (judge_session(st, session).decision == PINFAST_ALLOW)
		return 1;
	SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl), session);
	return 0;
}
