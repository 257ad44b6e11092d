/*
 * Clients of wolfSSL in the middle of a handshake, where pinfast remembers
 * which signatures were good; and what is signed and asked about there.
 */
#ifndef WOLF_BEGUN_H
#define WOLF_BEGUN_H

#include "wolf_pair.h"

static int device;     /* of the connection, when its handshake began */
static int device_now; /* and when it last went on */

static inline void
see_device(const WOLFSSL *ssl, int type, int value)
{
	WOLFSSL *writable;

	(void)value;
	memcpy(&writable, &ssl, sizeof writable);
	if (type != SSL_ST_CONNECT)
		return;
	device_now = wolfSSL_CTX_GetDevId(NULL, writable);
	if (device == 0)
		device = device_now;
}

static int said; /* what wolfSSL said of the leaf */

static inline int
hear(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	if (store->error_depth == 0)
		said = store->error;
	return ok;
}

/* A pinned client, its server, and whoever is shown. */
struct scene {
	struct pinfast *policy;
	WOLFSSL_CTX *client, *server;
};

static inline struct scene
scene_of(int tls)
{
	static const struct pinfast_wolfssl_next next = {.info = see_device};
	struct scene s = {
	    .policy = world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A),
	    .client = client_ctx(tls),
	    .server = server_ctx(LEAF, INT_A, NOBODY, tls)};

	wolfSSL_CTX_set_verify(s.client, WOLFSSL_VERIFY_PEER, hear);
	assert_int_equal(pinfast_wolfssl_init(s.client, s.policy, &next, NULL),
	    0);
	return s;
}

static inline void
end_scene(struct scene *s)
{
	drop_ctx(s->client);
	drop_ctx(s->server);
	pinfast_free(s->policy);
}

/* A client that has sent its ClientHello: as long as it is there things are
 * known, to its device. */
struct begun {
	struct scene s;
	struct duo *d;
};

static inline struct begun
begin(void)
{
	struct begun b = {.s = scene_of(TLS13)};

	b.d = pinned_duo(b.s.client, b.s.server);
	device = 0;
	assert_int_equal(push_end(&b.d->c, 0), 0);
	assert_int_not_equal(device, 0);
	assert_int_not_equal(device, INVALID_DEVID);
	return b;
}

/* Its handshake goes on to its end. */
static inline void
end(struct begun *b)
{
	run_client("begun", b->d, 1, PINFAST_REASON_PIN_MATCHED);
	end_scene(&b->s);
}

/* -------------------------------------------------------------- signatures */

static uint8_t hashes[2][32] = {{1}, {2}};

struct signature {
	uint8_t bytes[512];
	word32 len;
};

static WC_RNG rng;

static inline int
make_all(void **state)
{
	(void)!make_wolf(state);
	return wc_InitRng(&rng);
}

static inline int
free_all(void **state)
{
	wc_FreeRng(&rng);
	return free_wolf(state);
}

#endif
