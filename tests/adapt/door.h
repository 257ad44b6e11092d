/*
 * A server of the OpenSSL adapter that asks for clients of a policy, and a
 * client that comes once or again.  Hides the contexts, and who offers which
 * session; refuses nothing.
 */
#ifndef DOOR_H
#define DOOR_H

#include "pair.h"

static inline struct pinfast *
policy_with(const struct id *partner)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "partner", PINFAST_ROLE_COUNT, partner);
	return policy_made(b);
}

static inline void
replace_partner(struct pinfast *policy, const struct id *partner,
    const struct id *rejected)
{
	struct pinfast_builder *b = begin_policy(2);

	if (rejected != NULL)
		pinfast_builder_reject(b, rejected->pin);
	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	add_entry(b, "partner", PINFAST_ROLE_COUNT, partner);
	serve_policy(policy, b);
}

static inline SSL_CTX *
pinned_server(struct pinfast *policy, int tls)
{
	SSL_CTX *ctx = server_ctx(&leaf, &intA, tls);

	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), rootA.cert);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
	assert_int_equal(pinfast_openssl_init(ctx, policy, NULL, NULL), 0);
	return ctx;
}

static inline SSL_CTX *
client_ctx(const struct id *id, int tls)
{
	SSL_CTX *ctx = bare_ctx(tls);

	if (id != NULL) {
		SSL_CTX_use_certificate(ctx, id->cert);
		SSL_CTX_use_PrivateKey(ctx, id->key);
		SSL_CTX_add1_chain_cert(ctx, intA.cert);
	}
	return ctx;
}

/* A pinned server and a client that comes once or again. */
struct door {
	struct pinfast *policy;
	SSL_CTX *cctx, *sctx;
	SSL_SESSION *session; /* offered the next time */
	size_t app;           /* what the last visit brought */
	int resumed;
};

static inline struct door
open_door(const struct id *shown, int tls)
{
	struct door d = {.policy = policy_with(&client)};

	d.sctx = pinned_server(d.policy, tls);
	d.cctx = client_ctx(shown, tls);
	return d;
}

static inline void
close_door(struct door *d)
{
	SSL_SESSION_free(d->session);
	SSL_CTX_free(d->cctx);
	SSL_CTX_free(d->sctx);
	pinfast_free(d->policy);
}

/* The client writes in any case; what does the server get? */
static inline struct pinfast_verdict
visit(struct door *d, const char *label)
{
	struct pair p = join(d->cctx, d->sctx);
	struct pinfast_verdict verdict;

	if (label != NULL)
		assert_int_equal(pinfast_openssl_attach_server(p.s, label,
		                     NULL),
		    0);
	if (d->session != NULL)
		SSL_set_session(p.c, d->session);
	shake(&p);
	chat(&p);
	verdict = pinfast_openssl_result(p.s);
	d->app = p.app;
	d->resumed = SSL_session_reused(p.s);
	SSL_SESSION_free(d->session);
	d->session = SSL_get1_session(p.c);
	part(&p);
	return verdict;
}

/* An application's callback in the place of ours. */
static inline void
say_nothing(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
}

#endif
