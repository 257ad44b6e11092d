#include "wolf_world.h"

#include "pair.h"

static struct id twin_b, old_root, old_leaf, short_leaf, ed_root, ed_leaf,
    int_xs;

static struct id *const people[] = {
    [ROOT_A] = &rootA,
    [ROOT_B] = &rootB,
    [INT_A] = &intA,
    [INT_XA] = &intXA,
    [INT_XB] = &intXB,
    [LEAF] = &leaf,
    [LEAF_X] = &leafX,
    [EVIL] = &evil,
    [OTHER] = &other,
    [CLIENT] = &client,
    [STRANGER] = &stranger,
    [TWIN_B] = &twin_b,
    [OLD_ROOT] = &old_root,
    [OLD_LEAF] = &old_leaf,
    [SHORT] = &short_leaf,
    [ED_ROOT] = &ed_root,
    [ED_LEAF] = &ed_leaf,
    [INT_XS] = &int_xs,
};

static struct {
	uint8_t *cert, *key;
	int cert_len, key_len;
} der[NOBODY];

/* One more extension, signed again. */
static void
extend(struct id *id, const struct id *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer->cert, id->cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	X509_add_ext(id->cert, ext, -1);
	X509_EXTENSION_free(ext);
	assert_true(X509_sign(id->cert, issuer->key, EVP_sha256()) > 0);
}

int
make_world(void **state)
{
	(void)!make_everybody(state);
	certify(&twin_b, "Root B", NULL, NULL, 30);
	/* wolfSSL knows two of a name by their keys' identifiers. */
	extend(&rootB, &rootB, NID_subject_key_identifier, "hash");
	extend(&twin_b, &twin_b, NID_subject_key_identifier, "hash");
	extend(&evil, &rootB, NID_authority_key_identifier, "keyid");
	/* And what peers send must be allowed to sign. */
	extend(&intA, &rootA, NID_key_usage, "critical,keyCertSign");
	extend(&intXA, &rootA, NID_key_usage, "critical,keyCertSign");
	extend(&intXB, &rootB, NID_key_usage, "critical,keyCertSign");
	/* It ended before it began. */
	certify(&old_root, "Old root", NULL, NULL, -1);
	certify(&old_leaf, "old leaf", &old_root, "DNS:pin.test", 30);
	certify(&short_leaf, "short", &intA, "DNS:pin.test", 23);
	ed_root.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	ed_leaf.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int_xs.key = intXA.key;
	EVP_PKEY_up_ref(int_xs.key);
	certify(&ed_root, "Ed root", NULL, NULL, 30);
	certify(&ed_leaf, "ed leaf", &ed_root, "DNS:pin.test", 30);
	certify(&int_xs, "Int X", NULL, NULL, 30);
	for (size_t i = 0; i < NOBODY; i++) {
		der[i].cert_len = i2d_X509(people[i]->cert, &der[i].cert);
		der[i].key_len = i2d_PrivateKey(people[i]->key, &der[i].key);
		assert_true(der[i].cert_len > 0 && der[i].key_len > 0);
	}
	return 0;
}

int
free_world(void **state)
{
	for (size_t i = 0; i < NOBODY; i++) {
		OPENSSL_free(der[i].cert);
		OPENSSL_free(der[i].key);
	}
	identity_free(&twin_b);
	identity_free(&old_root);
	identity_free(&old_leaf);
	identity_free(&short_leaf);
	identity_free(&ed_root);
	identity_free(&ed_leaf);
	identity_free(&int_xs);
	return free_everybody(state);
}

struct pinfast_bytes
cert_of(enum who who)
{
	struct pinfast_bytes bytes = {der[who].cert, (size_t)der[who].cert_len};

	return bytes;
}

struct pinfast_bytes
key_of(enum who who)
{
	struct pinfast_bytes bytes = {der[who].key, (size_t)der[who].key_len};

	return bytes;
}

static struct pinfast_builder *
entry_for(int64_t serial, enum pinfast_role role, enum who pinned)
{
	struct pinfast_builder *b = begin_policy(serial);

	add_entry(b, role == PINFAST_ROLE_COUNT ? "partner" : "pin.test", role,
	    people[pinned]);
	return b;
}

static struct pinfast *
served(const struct pinfast_alloc *alloc, struct pinfast_builder *b)
{
	struct pinfast *policy;

	assert_int_equal(pinfast_new(alloc, &policy), 0);
	serve_policy(policy, b);
	return policy;
}

struct pinfast *
world_policy(const struct pinfast_alloc *alloc, enum pinfast_role role,
    enum who pinned)
{
	return served(alloc, entry_for(1, role, pinned));
}

struct pinfast *
world_anchored(const struct pinfast_alloc *alloc, enum who pinned,
    enum who anchor)
{
	struct pinfast_builder *b = entry_for(1, PINFAST_ROLE_ANY, pinned);

	pinfast_builder_anchor(b, cert_of(anchor));
	return served(alloc, b);
}

struct pinfast *
world_two_anchors(enum who pinned, enum who one, enum who two)
{
	struct pinfast_builder *b = entry_for(1, PINFAST_ROLE_ANY, pinned);

	pinfast_builder_anchor(b, cert_of(one));
	pinfast_builder_anchor(b, cert_of(two));
	return policy_made(b);
}

void
world_change(struct pinfast *policy, int64_t serial, enum pinfast_role role,
    enum who pinned)
{
	serve_policy(policy, entry_for(serial, role, pinned));
}

static struct pinfast_builder *
clients_of(int64_t serial, enum who one, enum who too)
{
	static const char *const labels[] = {"partner", "guest"};
	struct pinfast_builder *b = begin_policy(serial);

	for (size_t i = 0; i < 2; i++) {
		add_entry(b, labels[i], PINFAST_ROLE_COUNT, people[one]);
		if (too != NOBODY)
			pinfast_builder_pin(b, PINFAST_ROLE_LEAF,
			    people[too]->pin);
	}
	return b;
}

struct pinfast *
world_clients(enum who one, enum who too)
{
	return policy_made(clients_of(1, one, too));
}

void
world_change_clients(struct pinfast *policy, int64_t serial, enum who one,
    enum who too)
{
	serve_policy(policy, clients_of(serial, one, too));
}

struct pinfast *
world_unverified(enum who pinned)
{
	struct pinfast_builder *b = entry_for(1, PINFAST_ROLE_LEAF, pinned);

	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	return policy_made(b);
}

void
world_forget(struct pinfast *policy, int64_t serial)
{
	struct pinfast_builder *b = begin_policy(serial);

	add_entry(b, "other.test", PINFAST_ROLE_LEAF, &leaf);
	serve_policy(policy, b);
}

/* ------------------------------------------------------- OpenSSL's servers */

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *out;
	size_t app;
};

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
	peer->ctx = server_ctx(people[who], NULL, tls);
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
