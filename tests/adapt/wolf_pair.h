/*
 * A client and a server of wolfSSL in one process, joined by memory.  What the
 * server's application receives is counted: the peer's word decides.
 */
#ifndef WOLF_PAIR_H
#define WOLF_PAIR_H

#include "wolf_world.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfio.h>

#include "pinfast-wolfssl.h"

enum { TLS12, TLS13 };

static inline int
make_wolf(void **state)
{
	assert_int_equal(wolfSSL_Init(), WOLFSSL_SUCCESS);
	return make_world(state);
}

static inline int
free_wolf(void **state)
{
	wolfSSL_Cleanup();
	return free_world(state);
}

/* ---------------------------------------------------------- shared objects */

static inline void
trust(WOLFSSL_CTX *ctx, enum who who)
{
	struct pinfast_bytes der = cert_of(who);

	assert_int_equal(wolfSSL_CTX_load_verify_buffer(ctx, der.data,
	                     (long)der.len, WOLFSSL_FILETYPE_ASN1),
	    WOLFSSL_SUCCESS);
}

/* Trusts nobody yet. */
static inline WOLFSSL_CTX *
bare_ctx(int tls)
{
	WOLFSSL_CTX *ctx =
	    wolfSSL_CTX_new(tls == TLS13 ? wolfTLSv1_3_client_method()
	                                 : wolfTLSv1_2_client_method());

	assert_non_null(ctx);
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
	return ctx;
}

/* Trusts rootA and rootB. */
static inline WOLFSSL_CTX *
client_ctx(int tls)
{
	WOLFSSL_CTX *ctx = bare_ctx(tls);

	wolfSSL_CTX_UseSessionTicket(ctx);
	trust(ctx, ROOT_A);
	trust(ctx, ROOT_B);
	return ctx;
}

static inline WOLFSSL_CTX *
pinned_ctx(struct pinfast *policy, int tls)
{
	WOLFSSL_CTX *ctx = client_ctx(tls);

	assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, NULL), 0);
	return ctx;
}

static inline void
show(WOLFSSL_CTX *ctx, enum who who, const enum who *sent)
{
	struct pinfast_bytes key = key_of(who);
	uint8_t chain[8192];
	size_t len = 0;

	for (; who != NOBODY; who = *sent++) {
		struct pinfast_bytes der = cert_of(who);

		int n = wc_DerToPem(der.data, (word32)der.len, chain + len,
		    (word32)(sizeof chain - len), CERT_TYPE);

		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_int_equal(wolfSSL_CTX_use_certificate_chain_buffer_format(ctx,
	                     chain, (long)len, WOLFSSL_FILETYPE_PEM),
	    WOLFSSL_SUCCESS);
	assert_int_equal(wolfSSL_CTX_use_PrivateKey_buffer(ctx, key.data,
	                     (long)key.len, WOLFSSL_FILETYPE_ASN1),
	    WOLFSSL_SUCCESS);
}

/* Shows who, and what is sent behind. */
static inline WOLFSSL_CTX *
server_ctx(enum who who, enum who behind, enum who further, int tls)
{
	WOLFSSL_CTX *ctx =
	    wolfSSL_CTX_new(tls == TLS13 ? wolfTLSv1_3_server_method()
	                                 : wolfTLSv1_2_server_method());
	const enum who sent[] = {behind, further, NOBODY};

	assert_non_null(ctx);
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
	show(ctx, who, sent);
	return ctx;
}

static inline void
drop_ctx(WOLFSSL_CTX *ctx)
{
	pinfast_wolfssl_fini(ctx);
	wolfSSL_CTX_free(ctx);
}

/* ------------------------------------------------------------- connections */

struct wire {
	size_t from, to;
	char bytes[32768];
};

struct end {
	WOLFSSL *ssl;
	struct wire *in, *out;
	int done; /* its handshake succeeded */
	int error;
};

struct duo {
	struct end c, s;
	struct wire to_c, to_s;
	size_t app; /* bytes that the server's application received */
	size_t got; /* and the client's */
};

static inline int
wire_send(WOLFSSL *ssl, char *data, int len, void *arg)
{
	struct end *e = arg;

	(void)ssl;
	if ((size_t)len > sizeof e->out->bytes - e->out->to)
		return WOLFSSL_CBIO_ERR_WANT_WRITE;
	memcpy(e->out->bytes + e->out->to, data, (size_t)len);
	e->out->to += (size_t)len;
	return len;
}

static inline int
wire_recv(WOLFSSL *ssl, char *data, int size, void *arg)
{
	struct end *e = arg;
	size_t there = e->in->to - e->in->from;

	(void)ssl;
	if (there == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if ((size_t)size > there)
		size = (int)there;
	memcpy(data, e->in->bytes + e->in->from, (size_t)size);
	e->in->from += (size_t)size;
	if (e->in->from == e->in->to)
		e->in->from = e->in->to = 0;
	return size;
}

static inline void
open_end(struct end *e, WOLFSSL_CTX *ctx, struct wire *in, struct wire *out)
{
	e->ssl = wolfSSL_new(ctx);
	assert_non_null(e->ssl);
	e->in = in;
	e->out = out;
	wolfSSL_SSLSetIOSend(e->ssl, wire_send);
	wolfSSL_SSLSetIORecv(e->ssl, wire_recv);
	wolfSSL_SetIOWriteCtx(e->ssl, e);
	wolfSSL_SetIOReadCtx(e->ssl, e);
}

static inline struct duo *
duo_of(WOLFSSL_CTX *cctx, WOLFSSL_CTX *sctx)
{
	struct duo *d = calloc(1, sizeof *d);

	assert_non_null(d);
	open_end(&d->c, cctx, &d->to_c, &d->to_s);
	open_end(&d->s, sctx, &d->to_s, &d->to_c);
	return d;
}

/* A client that is attached. */
static inline struct duo *
pinned_duo(WOLFSSL_CTX *cctx, WOLFSSL_CTX *sctx)
{
	struct duo *d = duo_of(cctx, sctx);

	assert_int_equal(pinfast_wolfssl_attach(d->c.ssl, "pin.test", 443,
	                     NULL),
	    0);
	return d;
}

/* One call of one end's handshake; 1: it will not go on. */
static inline int
push_end(struct end *e, int server)
{
	int ret;

	if (e->done || e->error != 0)
		return 1;
	ret = server ? wolfSSL_accept(e->ssl) : wolfSSL_connect(e->ssl);
	if (ret == WOLFSSL_SUCCESS) {
		e->done = 1;
		return 1;
	}
	ret = wolfSSL_get_error(e->ssl, ret);
	if (ret != WOLFSSL_ERROR_WANT_READ && ret != WOLFSSL_ERROR_WANT_WRITE)
		e->error = ret != 0 ? ret : -1;
	return e->error != 0;
}

static inline void
pump(struct duo *d)
{
	for (int i = 0; i < 30; i++) {
		int c = push_end(&d->c, 0);
		int s = push_end(&d->s, 1);

		if (c && s)
			break;
	}
}

/* Both applications write, whatever they were told, and read. */
static inline void
talk(struct duo *d)
{
	char buffer[256];
	int n;

	(void)wolfSSL_write(d->c.ssl, "0123456789abcdef", 16);
	while ((n = wolfSSL_read(d->s.ssl, buffer, sizeof buffer)) > 0)
		d->app += (size_t)n;
	(void)wolfSSL_write(d->s.ssl, "fine", 4);
	while ((n = wolfSSL_read(d->c.ssl, buffer, sizeof buffer)) > 0)
		d->got += (size_t)n;
}

static inline void
close_duo(struct duo *d)
{
	pinfast_wolfssl_detach(d->c.ssl);
	pinfast_wolfssl_detach(d->s.ssl);
	wolfSSL_free(d->c.ssl);
	wolfSSL_free(d->s.ssl);
	free(d);
}

/* What one end was told, and what passed. */
static inline void
expect_end(const char *name, const struct duo *d, const struct end *e,
    int allow, int32_t reason)
{
	struct pinfast_verdict verdict = pinfast_wolfssl_result(e->ssl);

	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || d->app != (allow ? 16U : 0U) ||
	    d->got != (allow ? 4U : 0U))
		fail_msg("%s: %s, %zu bytes there, %zu back (%d, %d)", name,
		    pinfast_reason_name(verdict.reason), d->app, d->got,
		    d->c.error, d->s.error);
}

/* The whole of a connection, and what its client is told. */
static inline void
run_client(const char *name, struct duo *d, int allow, int32_t reason)
{
	pump(d);
	talk(d);
	expect_end(name, d, &d->c, allow, reason);
	close_duo(d);
}

#endif
