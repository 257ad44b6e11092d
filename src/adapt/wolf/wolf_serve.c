#define _DEFAULT_SOURCE /* explicit_bzero() */
#include "adapt/wolf/wolf.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "os/file.h"

#define KEY_LIFE 3600 /* seconds that a key makes tickets; then reads, once */
#define NONCE 12

/*
 * A wolfSSL ticket has no room for a tag.  So tags are remembered here under a
 * hash of the ticket's content, and a ticket without one is not taken.  The
 * key of a ticket is this program's, and it opens for the label and the terms
 * only that it was made for.
 */

/* What is authenticated beside a ticket's content. */
struct bound {
	uint8_t name[WOLFSSL_TICKET_NAME_SZ];
	uint8_t nonce[NONCE];
	uint8_t session_id[32];
};

/* Under the lock: a key of this hour, the one before behind it. */
static int
make_key(struct pf_wolf_ctx *ctx)
{
	struct pf_wolf_key_of *keys = ctx->keys;
	int64_t now = pf_clock_now();

	if (keys[0].until > now && keys[0].until <= now + KEY_LIFE)
		return 1;
	keys[1] = keys[0];
	if (keys[1].until <= now - KEY_LIFE)
		keys[1].until = 0;
	keys[0].until = 0;
	if (wolfSSL_RAND_bytes(keys[0].name, (int)sizeof keys[0].name) !=
	        WOLFSSL_SUCCESS ||
	    wolfSSL_RAND_bytes(keys[0].key, (int)sizeof keys[0].key) !=
	        WOLFSSL_SUCCESS)
		return 0;
	keys[0].until = now + KEY_LIFE;
	return 1;
}

/* The key that makes tickets, or that has made the one of this name. */
static int
find_key(struct pf_wolf_ctx *ctx, const uint8_t *name,
    struct pf_wolf_key_of *out)
{
	int found = 0;

	pthread_mutex_lock(&ctx->keys_lock);
	if (make_key(ctx) && name == NULL) {
		*out = ctx->keys[0];
		found = 1;
	}
	for (size_t i = 0; i < 2 && name != NULL && !found; i++) {
		*out = ctx->keys[i];
		found = out->until != 0 &&
		        pf_same(out->name, name, sizeof out->name);
	}
	pthread_mutex_unlock(&ctx->keys_lock);
	return found;
}

/* wolfSSL's arguments, in one. */
struct ticket {
	struct pf_wolf *st;
	uint8_t *name;
	uint8_t *iv;
	uint8_t *mac;
	uint8_t *content;
	int len;
};

static void
bind_to(const struct ticket *t, struct bound *bound)
{
	memcpy(bound->name, t->name, sizeof bound->name);
	memcpy(bound->nonce, t->iv, sizeof bound->nonce);
	memcpy(bound->session_id, t->st->session_id, sizeof bound->session_id);
}

static int
seal(const struct ticket *t)
{
	struct pf_wolf_key_of key;
	struct bound bound;
	int sealed = 0;

	if (find_key(t->st->ctx, NULL, &key) &&
	    wolfSSL_RAND_bytes(t->iv, WOLFSSL_TICKET_IV_SZ) ==
	        WOLFSSL_SUCCESS) {
		memcpy(t->name, key.name, sizeof key.name);
		memset(t->mac, 0, WOLFSSL_TICKET_MAC_SZ);
		bind_to(t, &bound);
		sealed = wc_ChaCha20Poly1305_Encrypt(key.key, bound.nonce,
		             (const byte *)&bound, sizeof bound, t->content,
		             (word32)t->len, t->content, t->mac) == 0;
	}
	explicit_bzero(&key, sizeof key);
	return sealed;
}

static int
unseal(const struct ticket *t)
{
	struct pf_wolf_key_of key;
	struct bound bound;
	int open = 0;

	if (find_key(t->st->ctx, t->name, &key)) {
		bind_to(t, &bound);
		open = wc_ChaCha20Poly1305_Decrypt(key.key, bound.nonce,
		           (const byte *)&bound, sizeof bound, t->content,
		           (word32)t->len, t->mac, t->content) == 0;
	}
	explicit_bzero(&key, sizeof key);
	return open;
}

/* Its tag is put there when the connection is settled. */
static int
give(const struct ticket *t)
{
	struct pf_wolf *st = t->st;
	uint8_t *made = st->made[st->made_count % PF_WOLF_MADE];

	pf_sha256(t->content, (size_t)t->len, made);
	if (!seal(t))
		return WOLFSSL_TICKET_RET_FATAL;
	st->made_count++;
	if (st->a.complete)
		pf_wolf_serve_tag(st);
	return WOLFSSL_TICKET_RET_OK;
}

static int
take(const struct ticket *t)
{
	struct pf_wolf *st = t->st;
	struct pinfast_bytes none = {NULL, 0};
	uint8_t key[PINFAST_PIN_LEN], bytes[PINFAST_TAG_MAX];

	if (!unseal(t))
		return WOLFSSL_TICKET_RET_REJECT;
	pf_sha256(t->content, (size_t)t->len, key);
	return pf_attached_resume(&st->a, pf_wolf_session_find(key, bytes),
	           none)
	           ? WOLFSSL_TICKET_RET_OK
	           : WOLFSSL_TICKET_RET_REJECT;
}

static int
on_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
    unsigned char iv[WOLFSSL_TICKET_IV_SZ],
    unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int making,
    unsigned char *content, int len, int *out_len, void *arg)
{
	struct ticket t = {pf_wolf_of(ssl), name, iv, mac, content, len};

	(void)arg;
	*out_len = len;
	if (t.st == NULL || !t.st->a.server || t.st->a.doomed || len <= 0)
		/* After a rejection wolfSSL_read() of a server says that there
		 * is a byte. */
		return making ? WOLFSSL_TICKET_RET_FATAL
		              : WOLFSSL_TICKET_RET_REJECT;
	if (making)
		return give(&t);
	if (t.st->a.conn == NULL || t.st->a.complete ||
	    pf_wolf_now(t.st) != PINFAST_OK)
		return WOLFSSL_TICKET_RET_REJECT;
	/* A certificate that is here already is of a handshake before. */
	if (t.st->a.by_peer && pf_wolf_begin(t.st) != PINFAST_OK)
		return WOLFSSL_TICKET_RET_REJECT;
	t.st->a.by_tag = 0;
	return take(&t);
}

void
pf_wolf_serve_tag(struct pf_wolf *st)
{
	unsigned count =
	    st->made_count < PF_WOLF_MADE ? st->made_count : PF_WOLF_MADE;

	for (unsigned i = 0; i < count; i++)
		(void)pf_wolf_session_put(st, st->made[i]);
	st->made_count = 0;
}

enum pinfast_error
pf_wolf_serve_ctx(struct pf_wolf_ctx *ctx)
{
	if (wolfSSL_CTX_set_TicketEncCb(ctx->ctx, on_ticket) != WOLFSSL_SUCCESS)
		return PINFAST_ENOMEM;
	return PINFAST_OK;
}

enum pinfast_error
pf_wolf_serve(struct pf_wolf *st)
{
	enum pinfast_error error =
	    pf_attached_session_id(&st->a, st->session_id);

	if (error != PINFAST_OK)
		return error;
	/* wolfSSL looks at it in sessions that it reads, not in its cache. */
	if (wolfSSL_set_session_id_context(st->ssl, st->session_id,
	        (unsigned)sizeof st->session_id - 1) != WOLFSSL_SUCCESS)
		return PINFAST_ENOMEM;
	return PINFAST_OK;
}
