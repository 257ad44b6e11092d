/*
 * A client and a server of mbedTLS in one process, joined by memory.  What the
 * server's application receives is counted: the peer's word decides.
 */
#ifndef MBED_PAIR_H
#define MBED_PAIR_H

#include "pair.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>

#include "pinfast-mbedtls.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context rng;

static inline int
make_mbed(void **state)
{
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&rng);
	assert_int_equal(mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func,
	                     &entropy, NULL, 0),
	    0);
	return make_everybody(state);
}

static inline int
free_mbed(void **state)
{
	mbedtls_ctr_drbg_free(&rng);
	mbedtls_entropy_free(&entropy);
	return free_everybody(state);
}

/* ---------------------------------------------------------- configurations */

struct shared {
	mbedtls_ssl_config conf;
	mbedtls_x509_crt trust, own;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context tickets;
	mbedtls_ssl_cache_context cache;
};

static inline void
parse(mbedtls_x509_crt *out, const struct id *id)
{
	unsigned char *der = NULL;
	int len = i2d_X509(id->cert, &der);

	assert_int_equal(mbedtls_x509_crt_parse_der(out, der, (size_t)len), 0);
	OPENSSL_free(der);
}

static inline struct shared *
new_shared(int endpoint)
{
	struct shared *s = calloc(1, sizeof *s);

	assert_non_null(s);
	mbedtls_ssl_config_init(&s->conf);
	mbedtls_x509_crt_init(&s->trust);
	mbedtls_x509_crt_init(&s->own);
	mbedtls_pk_init(&s->key);
	mbedtls_ssl_ticket_init(&s->tickets);
	mbedtls_ssl_cache_init(&s->cache);
	assert_int_equal(mbedtls_ssl_config_defaults(&s->conf, endpoint,
	                     MBEDTLS_SSL_TRANSPORT_STREAM,
	                     MBEDTLS_SSL_PRESET_DEFAULT),
	    0);
	mbedtls_ssl_conf_rng(&s->conf, mbedtls_ctr_drbg_random, &rng);
	return s;
}

static inline void
show(struct shared *s, const struct id *id, const struct id *sent)
{
	unsigned char *der = NULL;
	int len = i2d_PrivateKey(id->key, &der);

	parse(&s->own, id);
	if (sent != NULL)
		parse(&s->own, sent);
	assert_int_equal(mbedtls_pk_parse_key(&s->key, der, (size_t)len, NULL,
	                     0),
	    0);
	OPENSSL_free(der);
	assert_int_equal(mbedtls_ssl_conf_own_cert(&s->conf, &s->own, &s->key),
	    0);
}

/* Trusts rootA and rootB. */
static inline struct shared *
client_side(void)
{
	struct shared *s = new_shared(MBEDTLS_SSL_IS_CLIENT);

	parse(&s->trust, &rootA);
	parse(&s->trust, &rootB);
	mbedtls_ssl_conf_ca_chain(&s->conf, &s->trust, NULL);
	return s;
}

static inline struct shared *
server_side(const struct id *id, const struct id *sent)
{
	struct shared *s = new_shared(MBEDTLS_SSL_IS_SERVER);

	show(s, id, sent);
	return s;
}

static inline void
with_tickets(struct shared *s)
{
	assert_int_equal(mbedtls_ssl_ticket_setup(&s->tickets,
	                     mbedtls_ctr_drbg_random, &rng,
	                     MBEDTLS_CIPHER_AES_256_GCM, 86400),
	    0);
	mbedtls_ssl_conf_session_tickets_cb(&s->conf, mbedtls_ssl_ticket_write,
	    mbedtls_ssl_ticket_parse, &s->tickets);
}

static inline void
with_cache(struct shared *s)
{
	mbedtls_ssl_conf_session_cache(&s->conf, &s->cache,
	    mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
}

static inline void
with_psk(struct shared *s)
{
	static const unsigned char key[16] = {7};

	assert_int_equal(mbedtls_ssl_conf_psk(&s->conf, key, sizeof key,
	                     (const unsigned char *)"us", 2),
	    0);
}

static inline void
drop_shared(struct shared *s)
{
	mbedtls_ssl_config_free(&s->conf);
	mbedtls_x509_crt_free(&s->trust);
	mbedtls_x509_crt_free(&s->own);
	mbedtls_pk_free(&s->key);
	mbedtls_ssl_ticket_free(&s->tickets);
	mbedtls_ssl_cache_free(&s->cache);
	free(s);
}

/* ------------------------------------------------------------- connections */

struct wire {
	size_t from, to;
	unsigned char bytes[32768];
};

struct end {
	mbedtls_ssl_context ssl;
	struct pinfast_mbedtls *pin;
	struct wire *in, *out;
	int done; /* its handshake succeeded */
	int error;
	int alert; /* that it was told; 0: none */
};

struct duo {
	struct end c, s;
	struct wire to_c, to_s;
	int resumed; /* the server says so */
	size_t app;  /* bytes that the server's application received */
	size_t got;  /* and the client's */
};

static inline int
wire_send(void *arg, const unsigned char *data, size_t len)
{
	struct end *e = arg;

	if (len > sizeof e->out->bytes - e->out->to)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	memcpy(e->out->bytes + e->out->to, data, len);
	e->out->to += len;
	return (int)len;
}

static inline int
wire_recv(void *arg, unsigned char *data, size_t size)
{
	struct end *e = arg;
	size_t there = e->in->to - e->in->from;

	if (there == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (size > there)
		size = there;
	memcpy(data, e->in->bytes + e->in->from, size);
	e->in->from += size;
	if (e->in->from == e->in->to)
		e->in->from = e->in->to = 0;
	return (int)size;
}

static inline void
open_end(struct end *e, struct shared *shared, struct wire *in,
    struct wire *out)
{
	mbedtls_ssl_init(&e->ssl);
	assert_int_equal(mbedtls_ssl_setup(&e->ssl, &shared->conf), 0);
	e->in = in;
	e->out = out;
	mbedtls_ssl_set_bio(&e->ssl, e, wire_send, wire_recv, NULL);
}

static inline struct duo *
duo_of(struct shared *client_conf, struct shared *server_conf)
{
	struct duo *d = calloc(1, sizeof *d);

	assert_non_null(d);
	open_end(&d->c, client_conf, &d->to_c, &d->to_s);
	open_end(&d->s, server_conf, &d->to_s, &d->to_c);
	return d;
}

static inline void
pin_end(struct end *e, struct pinfast *policy)
{
	assert_int_equal(pinfast_mbedtls_new(policy, &e->ssl, NULL, NULL,
	                     &e->pin),
	    0);
}

/* A client that is attached. */
static inline struct duo *
pinned_duo(struct pinfast *policy, struct shared *client_conf,
    struct shared *server_conf, const char *host)
{
	struct duo *d = duo_of(client_conf, server_conf);

	pin_end(&d->c, policy);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, host, 443, NULL), 0);
	return d;
}

/* One call of one end's handshake; 1: it will not go on. */
static inline int
push_end(struct end *e, int careless)
{
	int ret;

	if (e->done || e->error != 0)
		return 1;
	ret = careless || e->pin == NULL ? mbedtls_ssl_handshake(&e->ssl)
	                                 : pinfast_mbedtls_handshake(e->pin);
	if (ret == 0)
		e->done = 1;
	else if (ret != MBEDTLS_ERR_SSL_WANT_READ &&
	         ret != MBEDTLS_ERR_SSL_WANT_WRITE)
		e->error = ret;
	if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		e->alert = e->ssl.in_msg[1];
	return e->done || e->error != 0;
}

static inline void
pump(struct duo *d, int careless)
{
	for (int i = 0; i < 30; i++) {
		int c = push_end(&d->c, careless);
		int s = push_end(&d->s, careless);

		if (c && s)
			break;
	}
}

/* Both applications write, whatever they were told, and read. */
static inline void
talk(struct duo *d)
{
	unsigned char buffer[256];
	int n;

	(void)mbedtls_ssl_write(&d->c.ssl,
	    (const unsigned char *)"0123456789abcdef", 16);
	while ((n = mbedtls_ssl_read(&d->s.ssl, buffer, sizeof buffer)) > 0)
		d->app += (size_t)n;
	(void)mbedtls_ssl_write(&d->s.ssl, (const unsigned char *)"fine", 4);
	while ((n = mbedtls_ssl_read(&d->c.ssl, buffer, sizeof buffer)) > 0)
		d->got += (size_t)n;
}

static inline void
close_duo(struct duo *d)
{
	mbedtls_ssl_free(&d->c.ssl);
	mbedtls_ssl_free(&d->s.ssl);
	pinfast_mbedtls_free(d->c.pin);
	pinfast_mbedtls_free(d->s.pin);
	free(d);
}

/* What the client was told, and what passed. */
static inline void
expect_duo(const char *name, struct duo *d, int allow, int32_t reason)
{
	struct pinfast_verdict verdict = pinfast_mbedtls_result(d->c.pin);

	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || d->app != (allow ? 16U : 0U) ||
	    d->got != (allow ? 4U : 0U))
		fail_msg("%s: %s, %zu bytes there, %zu back (-0x%x)", name,
		    pinfast_reason_name(verdict.reason), d->app, d->got,
		    (unsigned)-d->c.error);
}

/* What an application that is not pinned has of this server. */
static inline void
own_session(struct shared *ours, struct shared *theirs,
    mbedtls_ssl_session *session)
{
	struct duo *d = duo_of(ours, theirs);

	assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl, "pin.test"), 0);
	pump(d, 1);
	mbedtls_ssl_session_init(session);
	assert_int_equal(mbedtls_ssl_get_session(&d->c.ssl, session), 0);
	close_duo(d);
}

/* ------------------------------------------------ an application's own timer
 */

static int times_asked;

static inline int
own_time(void *arg)
{
	(void)arg;
	times_asked++;
	return 0;
}

static inline void
set_no_timer(void *arg, uint32_t soon, uint32_t late)
{
	(void)arg, (void)soon, (void)late;
}

static inline void
set_own_timer(struct end *e)
{
	mbedtls_ssl_set_timer_cb(&e->ssl, e, set_no_timer, own_time);
}

#endif
