/*
 * A client and a server of OpenSSL in one process, joined by memory, with a
 * small public key infrastructure made on the spot.  What the server's
 * application receives is counted: the peer's word decides.
 */
#ifndef PAIR_H
#define PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../unit/identity.h"
#include "pinfast-openssl.h"

/* Everybody there is.  intXA and intXB are one key under two roots. */
static struct id rootA, rootB, intA, intXA, intXB, leaf, leafX, evil, other,
    self, client, stranger;

/* As identity_certify(), with a key and the pin. */
static inline void
certify(struct id *id, const char *name, const struct id *issuer,
    const char *san, int days)
{
	uint8_t *der = NULL, pin[PINFAST_PIN_LEN];
	struct pinfast_bytes bytes;

	if (id->key == NULL)
		id->key = EVP_EC_gen("P-256");
	identity_certify(id, name, issuer, san, days);
	bytes.len = (size_t)i2d_X509(id->cert, &der);
	bytes.data = der;
	assert_int_equal(pinfast_pin_of(bytes, pin, NULL), 0);
	pinfast_pin_write(pin, id->pin);
	OPENSSL_free(der);
}

static inline int
make_everybody(void **state)
{
	(void)state;
	certify(&rootA, "Root A", NULL, NULL, 30);
	certify(&rootB, "Root B", NULL, NULL, 30);
	certify(&intA, "Int A", &rootA, NULL, 30);
	certify(&intXA, "Int X", &rootA, NULL, 30);
	intXB.key = intXA.key;
	EVP_PKEY_up_ref(intXB.key);
	certify(&intXB, "Int X", &rootB, NULL, 30);
	certify(&leaf, "leaf", &intA, "DNS:pin.test,DNS:two.test,IP:192.0.2.7",
	    30);
	certify(&leafX, "leaf X", &intXA, "DNS:pin.test", 30);
	certify(&evil, "evil", &rootB, "DNS:pin.test,DNS:two.test", 30);
	certify(&other, "other", &intA, "DNS:other.test", 30);
	certify(&self, "self", NULL, "DNS:whatever.test", 30);
	certify(&client, "client", &intA, "DNS:client.test", 30);
	certify(&stranger, "stranger", &intA, "DNS:stranger.test", 30);
	return 0;
}

/* Images of policies: stores borrow them. */
static uint8_t *kept_images[4096];
static size_t kept_count;

static inline int
free_everybody(void **state)
{
	struct id *const all[] = {&rootA, &rootB, &intA, &intXA, &intXB, &leaf,
	    &leafX, &evil, &other, &self, &client, &stranger};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		identity_free(all[i]);
	for (size_t i = 0; i < 4096; i++)
		free(kept_images[i]);
	return 0;
}

/* ---------------------------------------------------------------- policies */

static inline struct pinfast_builder *
begin_policy(int64_t serial)
{
	struct pinfast_builder *b;

	assert_int_equal(pinfast_builder_new(NULL, &b), 0);
	pinfast_builder_set(b, PINFAST_POLICY_SERIAL, serial);
	return b;
}

static inline void
add_entry(struct pinfast_builder *b, const char *host, enum pinfast_role role,
    const struct id *id)
{
	pinfast_builder_entry(b, host, 0,
	    role == PINFAST_ROLE_COUNT ? PINFAST_SCOPE_CLIENT
	                               : PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_ENFORCE);
	pinfast_builder_pin(b,
	    role == PINFAST_ROLE_COUNT ? PINFAST_ROLE_LEAF : role, id->pin);
}

/* Puts it into service.  The store borrows the bytes, so that they are kept as
 * long as the program lives. */
static inline void
serve_policy(struct pinfast *policy, struct pinfast_builder *b)
{
	struct pinfast_bytes image;
	struct pinfast_diag diag = {0};
	struct pinfast_store *store;
	enum pinfast_error error;
	uint8_t *copy;

	if (pinfast_builder_finish(b, &diag, &image) != PINFAST_OK)
		fail_msg("%s", diag.text);
	copy = malloc(image.len);
	assert_non_null(copy);
	kept_images[kept_count++ % 4096] = copy;
	memcpy(copy, image.data, image.len);
	image.data = copy;
	assert_int_equal(pinfast_store_open_memory(image, NULL, &diag, &store),
	    0);
	/* Somebody may still read what was in service before. */
	do {
		error = pinfast_load(policy, store, &diag);
	} while (error == PINFAST_EBUSY);
	if (error != PINFAST_OK)
		fail_msg("%s", diag.text);
	pinfast_builder_free(b);
}

/* A policy in service, made of what was built. */
static inline struct pinfast *
policy_made(struct pinfast_builder *b)
{
	struct pinfast *policy;

	assert_int_equal(pinfast_new(NULL, &policy), 0);
	serve_policy(policy, b);
	return policy;
}

/* pin.test with one pin. */
static inline struct pinfast *
policy_from(const struct pinfast_alloc *alloc, enum pinfast_role role,
    const struct id *id)
{
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;

	assert_int_equal(pinfast_new(alloc, &policy), 0);
	add_entry(b, "pin.test", role, id);
	serve_policy(policy, b);
	return policy;
}

static inline struct pinfast *
policy_of(enum pinfast_role role, const struct id *id)
{
	return policy_from(NULL, role, id);
}

static inline void
change_policy(struct pinfast *policy, int64_t serial, enum pinfast_role role,
    const struct id *id)
{
	struct pinfast_builder *b = begin_policy(serial);

	add_entry(b, "pin.test", role, id);
	serve_policy(policy, b);
}

/* -------------------------------------------------------------- connections */

static inline SSL_CTX *
server_ctx(const struct id *id, const struct id *issuer, int tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(ctx);
	SSL_CTX_set_min_proto_version(ctx, tls);
	SSL_CTX_set_max_proto_version(ctx, tls);
	SSL_CTX_set_max_early_data(ctx, 1024);
	SSL_CTX_set_recv_max_early_data(ctx, 1024);
	SSL_CTX_set_options(ctx, SSL_OP_NO_ANTI_REPLAY);
	SSL_CTX_use_certificate(ctx, id->cert);
	SSL_CTX_use_PrivateKey(ctx, id->key);
	if (issuer != NULL)
		SSL_CTX_add1_chain_cert(ctx, issuer->cert);
	return ctx;
}

/* Trusts rootA and rootB. */
static inline SSL_CTX *
bare_ctx(int tls)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	assert_non_null(ctx);
	SSL_CTX_set_min_proto_version(ctx, tls);
	SSL_CTX_set_max_proto_version(ctx, tls);
	X509_STORE_add_cert(store, rootA.cert);
	X509_STORE_add_cert(store, rootB.cert);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return ctx;
}

static inline SSL_CTX *
pinned_ctx(struct pinfast *policy, int tls)
{
	SSL_CTX *ctx = bare_ctx(tls);

	assert_int_equal(pinfast_openssl_init(ctx, policy, NULL, NULL), 0);
	return ctx;
}

struct pair {
	SSL *c, *s;
	int shaken; /* the client's handshake succeeded */
	size_t app; /* bytes that the server's application received */
	size_t early;
};

static inline struct pair
join(SSL_CTX *cctx, SSL_CTX *sctx)
{
	struct pair p = {SSL_new(cctx), SSL_new(sctx), 0, 0, 0};
	BIO *one, *two;

	assert_non_null(p.c);
	assert_non_null(p.s);
	assert_int_equal(BIO_new_bio_pair(&one, 65536, &two, 65536), 1);
	SSL_set_bio(p.c, one, one);
	SSL_set_bio(p.s, two, two);
	SSL_set_connect_state(p.c);
	SSL_set_accept_state(p.s);
	return p;
}

static inline void
attach(const struct pair *p, const char *host)
{
	assert_int_equal(pinfast_openssl_attach(p->c, host, 443, NULL), 0);
}

/* The same once more, with what was made already. */
static inline struct pair
attached(SSL_CTX *cctx, SSL_CTX *sctx, const char *host)
{
	struct pair p = join(cctx, sctx);

	attach(&p, host);
	return p;
}

/* Joins the client to another server, after SSL_clear(). */
static inline void
join_again(struct pair *p, SSL_CTX *sctx)
{
	BIO *one, *two;

	SSL_shutdown(p->c);
	assert_int_equal(SSL_clear(p->c), 1);
	SSL_set_session(p->c, NULL);
	SSL_set_connect_state(p->c);
	SSL_free(p->s);
	p->s = SSL_new(sctx);
	SSL_set_accept_state(p->s);
	assert_int_equal(BIO_new_bio_pair(&one, 65536, &two, 65536), 1);
	SSL_set_bio(p->c, one, one);
	SSL_set_bio(p->s, two, two);
	p->app = 0;
	p->shaken = 0;
}

/* Whatever the server's application can read. */
static inline void
drain(struct pair *p)
{
	char buffer[256];
	int n;

	while ((n = SSL_read(p->s, buffer, sizeof buffer)) > 0)
		p->app += (size_t)n;
}

static inline void
take_early(struct pair *p)
{
	char buffer[256];
	size_t n = 0;

	while (SSL_get_early_data_status(p->s) != SSL_EARLY_DATA_REJECTED &&
	       SSL_read_early_data(p->s, buffer, sizeof buffer, &n) ==
	           SSL_READ_EARLY_DATA_SUCCESS)
		p->early += n;
}

/* Pumps both sides until the client is done or stuck. */
static inline void
shake(struct pair *p)
{
	for (int i = 0; i < 20; i++) {
		int c = SSL_do_handshake(p->c), s;

		if (c == 1)
			p->shaken = 1;
		s = SSL_do_handshake(p->s);
		if (c == 1 && s == 1)
			break;
		if (c != 1 && SSL_get_error(p->c, c) != SSL_ERROR_WANT_READ &&
		    SSL_get_error(p->c, c) != SSL_ERROR_WANT_WRITE &&
		    SSL_get_error(p->c, c) != SSL_ERROR_WANT_RETRY_VERIFY)
			break;
	}
	ERR_clear_error();
}

/* The application writes, whatever it was told, and reads an answer, so that
 * tickets come in. */
static inline void
chat(struct pair *p)
{
	char buffer[64];

	(void)SSL_write(p->c, "0123456789abcdef", 16);
	drain(p);
	(void)SSL_write(p->s, "fine", 4);
	(void)SSL_read(p->c, buffer, sizeof buffer);
	ERR_clear_error();
}

static inline void
part(struct pair *p)
{
	/* Or their sessions count as broken. */
	SSL_shutdown(p->c);
	SSL_shutdown(p->s);
	ERR_clear_error();
	SSL_free(p->c);
	SSL_free(p->s);
}

/* A connection with everything that it needs. */
struct scene {
	struct pinfast *policy;
	SSL_CTX *cctx, *sctx;
	struct pair p;
};

/* A pinned client, not attached yet, meets a server that shows what it is
 * told to.  The policy belongs to the scene. */
static inline struct scene
set_scene(struct pinfast *policy, const struct id *shown, const struct id *sent,
    int tls)
{
	struct scene s;

	s.policy = policy;
	s.cctx = pinned_ctx(policy, tls);
	s.sctx = server_ctx(shown, sent, tls);
	s.p = join(s.cctx, s.sctx);
	return s;
}

/* The pinned leaf is shown. */
static inline struct scene
ordinary_scene(int tls)
{
	return set_scene(policy_of(PINFAST_ROLE_LEAF, &leaf), &leaf, &intA,
	    tls);
}

static inline void
end(struct scene *s)
{
	part(&s->p);
	SSL_CTX_free(s->cctx);
	SSL_CTX_free(s->sctx);
	pinfast_free(s->policy);
}

enum { DENY = 0, ALLOW = 1 };

/* What the client was told and what the server's application got, for a row
 * of a table. */
static inline void
expect_row(const char *name, struct pair *p, int allow, int32_t reason)
{
	struct pinfast_verdict verdict = pinfast_openssl_result(p->c);

	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || p->app != (allow ? 16U : 0U))
		fail_msg("%s: %s, %zu bytes", name,
		    pinfast_reason_name(verdict.reason), p->app);
}

static inline void
expect(struct pinfast_verdict verdict, int allow, int32_t reason)
{
	assert_string_equal(pinfast_reason_name(verdict.reason),
	    pinfast_reason_name(reason));
	assert_int_equal(verdict.decision == PINFAST_ALLOW, allow);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#endif
