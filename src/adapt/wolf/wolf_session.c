#define _DEFAULT_SOURCE /* explicit_bzero() */
#include "adapt/wolf/wolf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/blob.h"
#include "base/bytes.h"
#include "base/sha256.h"

#define MAGIC "PFW1"
#define SETS 1024
#define WAYS 4
#define SECRET_LEN 48

/*
 * wolfSSL copies sessions without telling and shares what is put beside them:
 * a session carries a number, which its copies in memory have, too, and the
 * tags are here.  Each stands under a hash of the secret that all sessions of
 * one connection have and no other (RFC 8446, 4.6.1, RFC 5246, 8.1).
 */
struct slot {
	uint8_t key[PINFAST_PIN_LEN];
	uintptr_t number;
	size_t len; /* of the tag; 0: nothing here */
	uint8_t *tag;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SETS][WAYS];
static unsigned turn; /* the way that is overwritten next */
static uintptr_t last_number;
static int session_index = -1;

/* A serialised session that was read: its bytes and its tag. */
struct pf_wolf_kept {
	uint8_t key[PINFAST_PIN_LEN];
	size_t tag_len;
	size_t blob_len;
	uint8_t bytes[];
};

/* 0: this session has no secret yet. */
static int
key_of(const WOLFSSL_SESSION *session, uint8_t key[PINFAST_PIN_LEN])
{
	uint8_t secret[SECRET_LEN];
	uint8_t any = 0;

	memset(secret, 0, sizeof secret);
	if (session == NULL || wolfSSL_SESSION_get_master_key(session, secret,
	                           (int)sizeof secret) <= 0)
		return 0;
	for (size_t i = 0; i < sizeof secret; i++)
		any |= secret[i];
	pf_sha256(secret, sizeof secret, key);
	explicit_bzero(secret, sizeof secret);
	return any != 0;
}

int
pf_wolf_session_prepare(void)
{
	if (session_index < 0)
		session_index =
		    wolfSSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	/* 0 is what others take without asking. */
	if (session_index == 0)
		session_index =
		    wolfSSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return session_index > 0;
}

/* --------------------------------------------------------------------- tags */

static struct slot *
find(const uint8_t key[PINFAST_PIN_LEN])
{
	struct slot *set = slots[pf_le16(key) % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].len > 0 && pf_same(set[i].key, key, PINFAST_PIN_LEN))
			return &set[i];
	return NULL;
}

/* Takes the tag; the number of sessions with this key. */
static uintptr_t
put_tag(const uint8_t key[PINFAST_PIN_LEN], uint8_t *tag, size_t len)
{
	struct slot *slot;
	uintptr_t number;
	uint8_t *old;

	pthread_mutex_lock(&lock);
	slot = find(key);
	if (slot == NULL) {
		slot = &slots[pf_le16(key) % SETS][turn++ % WAYS];
		memcpy(slot->key, key, PINFAST_PIN_LEN);
		slot->number = ++last_number;
	}
	old = slot->tag;
	slot->tag = tag;
	slot->len = len;
	number = slot->number;
	pthread_mutex_unlock(&lock);
	free(old);
	return number;
}

/* The tag of a session with this key and this number; 0: any. */
static struct pinfast_bytes
get_tag(const uint8_t key[PINFAST_PIN_LEN], uintptr_t number,
    uint8_t tag[PINFAST_TAG_MAX])
{
	struct pinfast_bytes out = {tag, 0};
	const struct slot *slot;

	pthread_mutex_lock(&lock);
	slot = find(key);
	if (slot != NULL && (number == 0 || slot->number == number)) {
		memcpy(tag, slot->tag, slot->len);
		out.len = slot->len;
	}
	pthread_mutex_unlock(&lock);
	return out;
}

static struct pinfast_bytes
tag_of(const struct pf_wolf *st, const WOLFSSL_SESSION *session,
    uint8_t bytes[PINFAST_TAG_MAX], struct pinfast_bytes *blob)
{
	const struct pf_wolf_kept *kept = st->kept;
	struct pinfast_bytes tag = {NULL, 0};
	uint8_t key[PINFAST_PIN_LEN];
	uintptr_t number;

	blob->data = NULL;
	blob->len = 0;
	if (!key_of(session, key))
		return tag;
	if (kept != NULL && pf_same(kept->key, key, sizeof key)) {
		tag.data = kept->bytes;
		tag.len = kept->tag_len;
		blob->data = kept->bytes + kept->tag_len;
		blob->len = kept->blob_len;
		return tag;
	}
	/* wolfSSL's cache, in which servers find theirs, has no numbers. */
	if (st->a.server)
		return get_tag(key, 0, bytes);
	number = (uintptr_t)wolfSSL_SESSION_get_ex_data(session, session_index);
	return number != 0 ? get_tag(key, number, bytes) : tag;
}

int
pf_wolf_session_judge(struct pf_wolf *st)
{
	/* Not the copy in wolfSSL's cache. */
	WOLFSSL_SESSION *session = wolfSSL_get1_session(st->ssl);
	uint8_t bytes[PINFAST_TAG_MAX];
	struct pinfast_bytes blob;
	struct pinfast_bytes tag = tag_of(st, session, bytes, &blob);

	wolfSSL_SESSION_free(session);
	if (tag.len == 0 && st->a.server && st->a.by_tag)
		return 1;
	return pf_attached_resume(&st->a, tag, blob);
}

void
pf_wolf_session_drop(WOLFSSL *ssl)
{
	WOLFSSL_SESSION *session;
	const uint8_t *id;
	uint8_t other[PINFAST_PIN_LEN], *writable;
	unsigned len = 0;

	if (!wolfSSL_session_reused(ssl))
		return;
	/* wolfSSL takes no "no session": one that no server knows is as good.
	 * This copy is the connection's own. */
	wolfSSL_set_SessionTicket(ssl, NULL, 0);
	session = wolfSSL_get1_session(ssl);
	id = session == NULL ? NULL : wolfSSL_SESSION_get_id(session, &len);
	if (id != NULL && len > 0 && len <= sizeof other) {
		pf_sha256(id, len, other);
		memcpy(&writable, &id, sizeof writable);
		memcpy(writable, other, len);
	}
	wolfSSL_SESSION_free(session);
}

void
pf_wolf_session_check(struct pf_wolf *st)
{
	st->a.by_tag = 0;
	/* wolfSSL says so before a session is resumed, too. */
	if (wolfSSL_session_reused(st->ssl) && !pf_wolf_session_judge(st))
		pf_wolf_session_drop(st->ssl);
}

uintptr_t
pf_wolf_session_put(struct pf_wolf *st, const uint8_t key[PINFAST_PIN_LEN])
{
	struct pinfast_bytes none = {NULL, 0};
	uint8_t bytes[PINFAST_TAG_MAX];
	uint8_t *copy = NULL;
	size_t len;

	if (pinfast_conn_tag(st->a.conn, none, bytes, &len) == PINFAST_OK)
		copy = malloc(len);
	/* A session without a tag is not offered: nothing else is lost. */
	if (copy == NULL)
		return 0;
	memcpy(copy, bytes, len);
	return put_tag(key, copy, len);
}

struct pinfast_bytes
pf_wolf_session_find(const uint8_t key[PINFAST_PIN_LEN],
    uint8_t tag[PINFAST_TAG_MAX])
{
	return get_tag(key, 0, tag);
}

void
pf_wolf_session_tag(struct pf_wolf *st)
{
	WOLFSSL_SESSION *session = wolfSSL_get1_session(st->ssl);
	uint8_t key[PINFAST_PIN_LEN];
	uintptr_t number = 0;

	if (key_of(session, key))
		number = pf_wolf_session_put(st, key);
	if (number != 0)
		wolfSSL_SESSION_set_ex_data(session, session_index,
		    (void *)number);
	wolfSSL_SESSION_free(session);
	if (st->a.server)
		pf_wolf_serve_tag(st);
}

/* ----------------------------------------------------- serialised sessions */

void
pf_wolf_session_forget(struct pf_wolf *st)
{
	if (st->kept != NULL)
		explicit_bzero(st->kept->bytes,
		    st->kept->tag_len + st->kept->blob_len);
	free(st->kept);
	st->kept = NULL;
}

/* The session's bytes, for free(); 0: none. */
static size_t
serialise(WOLFSSL_SESSION *session, uint8_t **out)
{
	int len = wolfSSL_i2d_SSL_SESSION(session, NULL);
	unsigned char *at;

	if (len <= 0)
		return 0;
	*out = malloc((size_t)len);
	at = *out;
	if (at == NULL)
		return 0;
	if (wolfSSL_i2d_SSL_SESSION(session, &at) != len) {
		explicit_bzero(*out, (size_t)len);
		return 0;
	}
	return (size_t)len;
}

static size_t
write_session(struct pf_wolf *st, WOLFSSL_SESSION *session, uint8_t *out,
    size_t size)
{
	uint8_t tag[PINFAST_TAG_MAX];
	struct pf_blob blob = {{tag, 0}, {NULL, 0}};
	uint8_t *bytes = NULL;
	size_t all = 0;

	blob.session.len = serialise(session, &bytes);
	blob.session.data = bytes;
	if (blob.session.len > 0 && pinfast_conn_tag(st->a.conn, blob.session,
	                                tag, &blob.tag.len) == PINFAST_OK)
		all = pf_blob_write(MAGIC, &blob, out, size);
	if (bytes != NULL)
		explicit_bzero(bytes, blob.session.len);
	free(bytes);
	return all;
}

size_t
pinfast_wolfssl_session_write(WOLFSSL *ssl, WOLFSSL_SESSION *session,
    uint8_t *out, size_t size)
{
	struct pf_wolf *st = ssl == NULL ? NULL : pf_wolf_of(ssl);
	uint8_t ours[PINFAST_PIN_LEN], theirs[PINFAST_PIN_LEN];
	WOLFSSL_SESSION *own;
	size_t len = 0;

	if (st == NULL || st->a.doomed || !pf_wolf_over(ssl, st) ||
	    pf_wolf_end(st).decision != PINFAST_ALLOW || st->shared)
		return 0;
	own = wolfSSL_get1_session(ssl);
	if (session == NULL)
		session = own;
	/* The tag is this connection's. */
	if (key_of(own, ours) && key_of(session, theirs) &&
	    pf_same(ours, theirs, sizeof ours))
		len = write_session(st, session, out, size);
	wolfSSL_SESSION_free(own);
	return len;
}

/* Whoever offers sessions is a client that has not begun. */
static struct pf_wolf *
before(WOLFSSL *ssl)
{
	struct pf_wolf *st = ssl == NULL ? NULL : pf_wolf_make(ssl);

	if (st == NULL || st->a.server || st->a.doomed || st->blocked ||
	    !pf_wolf_is_before(ssl, st))
		return NULL;
	if ((st->a.conn == NULL || st->a.complete || st->a.by_peer) &&
	    pf_wolf_begin(st) != PINFAST_OK)
		return NULL;
	return st;
}

static enum pinfast_error
keep(struct pf_wolf *st, const struct pf_blob *blob)
{
	struct pf_wolf_kept *kept =
	    malloc(sizeof *kept + blob->tag.len + blob->session.len);

	if (kept == NULL)
		return PINFAST_ENOMEM;
	kept->tag_len = blob->tag.len;
	kept->blob_len = blob->session.len;
	memcpy(kept->bytes, blob->tag.data, blob->tag.len);
	memcpy(kept->bytes + kept->tag_len, blob->session.data,
	    blob->session.len);
	memset(kept->key, 0, sizeof kept->key);
	st->kept = kept;
	return PINFAST_OK;
}

/* The session passed: ssl offers it. */
static enum pinfast_error
offer(struct pf_wolf *st, const struct pf_blob *blob)
{
	const unsigned char *at = blob->session.data;
	WOLFSSL_SESSION *session =
	    wolfSSL_d2i_SSL_SESSION(NULL, &at, (long)blob->session.len);
	enum pinfast_error error = PINFAST_EFORMAT;

	if (session == NULL)
		return error;
	if (at == blob->session.data + blob->session.len)
		error = keep(st, blob);
	if (error == PINFAST_OK &&
	    (!key_of(session, st->kept->key) ||
	        wolfSSL_set_session(st->ssl, session) != WOLFSSL_SUCCESS))
		error = PINFAST_EFORMAT;
	wolfSSL_SESSION_free(session);
	return error;
}

enum pinfast_error
pinfast_wolfssl_session_read(WOLFSSL *ssl, const uint8_t *data, size_t len)
{
	struct pf_wolf *st = before(ssl);
	struct pf_blob blob;
	enum pinfast_error error;

	if (st == NULL || data == NULL)
		return PINFAST_EUSAGE;
	pf_wolf_session_forget(st);
	pf_wolf_session_drop(ssl);
	st->a.by_tag = 0;
	error = pf_blob_read(MAGIC, data, len, &blob);
	if (error != PINFAST_OK)
		return error;
	if (pinfast_judge_tag(st->a.conn, blob.tag, blob.session).decision !=
	    PINFAST_ALLOW)
		return PINFAST_EPOLICY;
	error = offer(st, &blob);
	if (error == PINFAST_OK) {
		st->a.by_tag = 1;
		return PINFAST_OK;
	}
	pf_wolf_session_forget(st);
	pf_wolf_session_drop(ssl);
	return error;
}

enum pinfast_error
pinfast_wolfssl_session_use(WOLFSSL *ssl, WOLFSSL_SESSION *session)
{
	struct pf_wolf *st = before(ssl);

	if (st == NULL)
		return PINFAST_EUSAGE;
	pf_wolf_session_forget(st);
	st->a.by_tag = 0;
	if (wolfSSL_set_session(ssl, session) != WOLFSSL_SUCCESS) {
		pf_wolf_session_drop(ssl);
		return PINFAST_EFORMAT;
	}
	pf_wolf_session_check(st);
	return st->a.by_tag ? PINFAST_OK : PINFAST_EPOLICY;
}

/* What is saved: a session of a connection. */
struct saved {
	WOLFSSL *ssl;
	WOLFSSL_SESSION *session;
};

static size_t
write_to(void *arg, uint8_t *out, size_t size)
{
	const struct saved *saved = arg;

	return pinfast_wolfssl_session_write(saved->ssl, saved->session, out,
	    size);
}

enum pinfast_error
pinfast_wolfssl_session_save(WOLFSSL *ssl, WOLFSSL_SESSION *session,
    const char *path, struct pinfast_diag *diag)
{
	struct saved saved = {ssl, session};

	return pf_blob_save(path, write_to, &saved, diag);
}

static enum pinfast_error
read_from(void *ssl, const uint8_t *data, size_t len)
{
	return pinfast_wolfssl_session_read(ssl, data, len);
}

enum pinfast_error
pinfast_wolfssl_session_load(WOLFSSL *ssl, const char *path,
    struct pinfast_diag *diag)
{
	return pf_blob_load(path, read_from, ssl, diag);
}
