#include "wolf_peer.h"

#include "pair.h"

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *out;
	size_t app;
};

static struct id *
id_of(enum who who)
{
	struct id *const all[] = {&rootA, &rootB, &evil};

	return all[who];
}

int
peer_make_everybody(void **state)
{
	return make_everybody(state);
}

int
peer_free_everybody(void **state)
{
	return free_everybody(state);
}

size_t
peer_cert(enum who who, uint8_t **der)
{
	unsigned char *at;
	int len = i2d_X509(id_of(who)->cert, NULL);

	assert_true(len > 0);
	*der = at = malloc((size_t)len);
	assert_non_null(at);
	i2d_X509(id_of(who)->cert, &at);
	return (size_t)len;
}

struct pinfast *
peer_policy(enum who who, int leaf_only)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, id_of(who));
	if (leaf_only)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	return policy_made(b);
}

void
peer_policy_off(struct pinfast *policy, int64_t serial)
{
	struct pinfast_builder *b = begin_policy(serial);

	add_entry(b, "other.test", PINFAST_ROLE_LEAF, &leaf);
	serve_policy(policy, b);
}

void
peer_policy_reject(struct pinfast *policy, int64_t serial)
{
	change_policy(policy, serial, PINFAST_ROLE_LEAF, &leaf);
}

static unsigned
on_psk(SSL *ssl, const char *identity, unsigned char *psk, unsigned max)
{
	(void)ssl;
	/* Not the ticket of a session. */
	if (max < 16 || strcmp(identity, "x") != 0)
		return 0;
	memset(psk, 'Z', 16);
	return 16;
}

static void
open_ssl(struct peer *peer)
{
	BIO *in = BIO_new(BIO_s_mem());

	peer->out = BIO_new(BIO_s_mem());
	peer->ssl = SSL_new(peer->ctx);
	assert_non_null(peer->ssl);
	SSL_set_bio(peer->ssl, in, peer->out);
	SSL_set_accept_state(peer->ssl);
}

struct peer *
peer_new(enum who who, int psk, int tls13)
{
	int tls = tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	struct peer *peer = calloc(1, sizeof *peer);

	assert_non_null(peer);
	peer->ctx = server_ctx(id_of(who), NULL, tls);
	if (psk) {
		SSL_CTX_free(peer->ctx);
		peer->ctx = SSL_CTX_new(TLS_server_method());
		assert_non_null(peer->ctx);
		SSL_CTX_set_max_proto_version(peer->ctx, tls);
		SSL_CTX_set_psk_server_callback(peer->ctx, on_psk);
		SSL_CTX_set_cipher_list(peer->ctx, "PSK:@SECLEVEL=0");
	}
	open_ssl(peer);
	return peer;
}

struct peer *
peer_again(const struct peer *peer)
{
	struct peer *again = calloc(1, sizeof *again);

	assert_non_null(again);
	again->ctx = peer->ctx;
	SSL_CTX_up_ref(again->ctx);
	open_ssl(again);
	return again;
}

void
peer_free(struct peer *peer)
{
	/* Or its session counts as broken. */
	SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	free(peer);
}

void
peer_take(struct peer *peer, const void *bytes, size_t len)
{
	char text[256];
	int n;

	BIO_write(SSL_get_rbio(peer->ssl), bytes, (int)len);
	while ((n = SSL_read(peer->ssl, text, sizeof text)) > 0)
		peer->app += (size_t)n;
	ERR_clear_error();
}

size_t
peer_give(struct peer *peer, void *bytes, size_t size)
{
	int n = BIO_read(peer->out, bytes, (int)size);

	return n > 0 ? (size_t)n : 0;
}

size_t
peer_app(struct peer *peer)
{
	return peer->app;
}
