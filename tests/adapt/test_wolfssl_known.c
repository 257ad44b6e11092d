/* What wolfSSL does not compute again: the same as it would, and only of the
 * very same key, hash and signature. */
#define _GNU_SOURCE
#include "wolf_pair.h"

#include <dlfcn.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

static unsigned computed; /* signatures of ECDSA, behind any device */
static unsigned opened;   /* signatures of RSA, by the adapter */

__attribute__((visibility("default"))) int
wc_RsaFunction(const uint8_t *in, word32 in_len, uint8_t *out, word32 *len,
    int type, RsaKey *key, WC_RNG *random)
{
	static int (*real)(const uint8_t *, word32, uint8_t *, word32 *, int,
	    RsaKey *, WC_RNG *);
	void *found = dlsym(RTLD_NEXT, "wc_RsaFunction");

	memcpy(&real, &found, sizeof real);
	opened++;
	return real(in, in_len, out, len, type, key, random);
}

__attribute__((visibility("default"))) int
wc_ecc_verify_hash_ex(mp_int *r, mp_int *s, const uint8_t *hash, word32 len,
    int *good, ecc_key *key)
{
	static int (*real)(mp_int *, mp_int *, const uint8_t *, word32, int *,
	    ecc_key *);
	void *found = dlsym(RTLD_NEXT, "wc_ecc_verify_hash_ex");

	memcpy(&real, &found, sizeof real);
	computed++;
	return real(r, s, hash, len, good, key);
}

/* ------------------------------------------------------------- connections */

static int device;     /* of the connection, when its handshake began */
static int device_now; /* and when it last went on */

static void
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

static int
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

static struct scene
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

static void
end_scene(struct scene *s)
{
	drop_ctx(s->client);
	drop_ctx(s->server);
	pinfast_free(s->policy);
}

/* One connection; device_after: that of its end, 0: any. */
static void
connect_once(struct scene *s, int32_t reason, int device_after)
{
	struct duo *d = pinned_duo(s->client, s->server);

	device = 0;
	computed = 0;
	pump(d);
	talk(d);
	expect_end("once", d, &d->c, reason == PINFAST_REASON_PIN_MATCHED,
	    reason);
	if (device_after != 0)
		assert_int_equal(wolfSSL_CTX_GetDevId(NULL, d->c.ssl),
		    device_after);
	close_duo(d);
}

/* Runs first: what is remembered is the process's. */
static void
what_was_computed_is_not_computed_again(void **state)
{
	struct scene s = scene_of(TLS12);

	(void)state;
	connect_once(&s, PINFAST_REASON_PIN_MATCHED, INVALID_DEVID);
	/* By wolfSSL, for us, and the proof that the key is the server's. */
	assert_int_equal(computed, 2 + 2 + 1);
	connect_once(&s, PINFAST_REASON_PIN_MATCHED, INVALID_DEVID);
	assert_int_equal(computed, 1);
	/* Its key exchange was still to come. */
	assert_int_not_equal(device, device_now);
	assert_int_equal(device_now, INVALID_DEVID);
	end_scene(&s);
	s = scene_of(TLS13);
	connect_once(&s, PINFAST_REASON_PIN_MATCHED, INVALID_DEVID);
	assert_int_equal(computed, 1);
	end_scene(&s);
}

static void
a_resumed_connection_keeps_no_device(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct scene s = scene_of(tls);
		struct duo *d = pinned_duo(s.client, s.server);
		WOLFSSL_SESSION *session;

		pump(d);
		talk(d);
		session = wolfSSL_get1_session(d->c.ssl);
		assert_non_null(session);
		close_duo(d);
		d = pinned_duo(s.client, s.server);
		assert_int_equal(pinfast_wolfssl_session_use(d->c.ssl, session),
		    0);
		pump(d);
		talk(d);
		assert_true(wolfSSL_session_reused(d->c.ssl));
		assert_int_equal(wolfSSL_CTX_GetDevId(NULL, d->c.ssl),
		    INVALID_DEVID);
		wolfSSL_SESSION_free(session);
		close_duo(d);
		end_scene(&s);
	}
}

#define APPLICATIONS 7

static unsigned asked;

static int
on_operation(int id, wc_CryptoInfo *info, void *arg)
{
	(void)id, (void)info, (void)arg;
	asked++;
	return CRYPTOCB_UNAVAILABLE;
}

static void
a_device_of_the_applications_own_stays(void **state)
{
	(void)state;
	assert_int_equal(wc_CryptoCb_RegisterDevice(APPLICATIONS, on_operation,
	                     NULL),
	    0);
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct scene s = scene_of(tls);
		struct duo *d;

		/* Of one connection. */
		d = pinned_duo(s.client, s.server);
		assert_int_equal(wolfSSL_SetDevId(d->c.ssl, APPLICATIONS),
		    WOLFSSL_SUCCESS);
		asked = 0;
		pump(d);
		talk(d);
		expect_end("one", d, &d->c, 1, PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(wolfSSL_CTX_GetDevId(NULL, d->c.ssl),
		    APPLICATIONS);
		assert_true(asked > 0);
		close_duo(d);
		/* Of all. */
		assert_int_equal(wolfSSL_CTX_SetDevId(s.client, APPLICATIONS),
		    WOLFSSL_SUCCESS);
		asked = 0;
		connect_once(&s, PINFAST_REASON_PIN_MATCHED, APPLICATIONS);
		assert_int_equal(device, APPLICATIONS);
		assert_int_equal(computed, 2 + 1);
		assert_true(asked > 0);
		end_scene(&s);
	}
	wc_CryptoCb_UnRegisterDevice(APPLICATIONS);
}

/* The leaf of a good chain with one bit flipped, counted in bytes from the end.
 */
static void
show_forged(WOLFSSL_CTX *server, size_t from_end)
{
	struct pinfast_bytes leaf = cert_of(LEAF), issuer = cert_of(INT_A);
	uint8_t forged[2048], chain[8192];
	int len, more;

	assert_true(leaf.len <= sizeof forged && from_end < leaf.len);
	memcpy(forged, leaf.data, leaf.len);
	forged[leaf.len - 1 - from_end] ^= 1;
	len = wc_DerToPem(forged, (word32)leaf.len, chain, sizeof chain,
	    CERT_TYPE);
	assert_true(len > 0);
	more = wc_DerToPem(issuer.data, (word32)issuer.len, chain + len,
	    (word32)(sizeof chain - (size_t)len), CERT_TYPE);
	assert_true(more > 0);
	assert_int_equal(wolfSSL_CTX_use_certificate_chain_buffer_format(server,
	                     chain, len + more, WOLFSSL_FILETYPE_PEM),
	    WOLFSSL_SUCCESS);
}

/* How far from the end the bytes of needle are in the leaf. */
static size_t
from_end_of_leaf(const char *needle)
{
	struct pinfast_bytes leaf = cert_of(LEAF);
	const uint8_t *at = memmem(leaf.data, leaf.len, needle, strlen(needle));

	assert_non_null(at);
	return leaf.len - 1 - (size_t)(at - leaf.data);
}

/* A good leaf first, then three times the forged one. */
static void
forge(int tls, size_t from_end)
{
	struct scene s = scene_of(tls);

	connect_once(&s, PINFAST_REASON_PIN_MATCHED, 0);
	assert_int_equal(said, 0);
	show_forged(s.server, from_end);
	for (int again = 0; again < 3; again++) {
		connect_once(&s, PINFAST_REASON_PKIX_FAILED, 0);
		assert_int_equal(said, X509_V_ERR_CERT_SIGNATURE_FAILURE);
	}
	end_scene(&s);
}

static void
what_is_forged_is_found_each_time(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		/* Another signature, and another name. */
		forge(tls, 0);
		forge(tls, from_end_of_leaf("two.test"));
	}
}

/* --------------------------------------------------------------- operations */

/* The device that connections have while certificates are verified. */
static int
our_device(void)
{
	struct scene s = scene_of(TLS13);

	connect_once(&s, PINFAST_REASON_PIN_MATCHED, INVALID_DEVID);
	end_scene(&s);
	assert_int_not_equal(device, 0);
	assert_int_not_equal(device, INVALID_DEVID);
	return device;
}

struct signature {
	uint8_t bytes[512];
	word32 len;
};

static WC_RNG rng;
static uint8_t hashes[2][32] = {{1}, {2}};

static void
make_ecc(ecc_key *key, struct signature *good)
{
	assert_int_equal(wc_ecc_init(key), 0);
	assert_int_equal(wc_ecc_make_key(&rng, 32, key), 0);
	good->len = sizeof good->bytes;
	assert_int_equal(wc_ecc_sign_hash(hashes[0], 32, good->bytes,
	                     &good->len, &rng, key),
	    0);
}

/* 1: good, 0: not, negative: an error.  id: whose the key is to be. */
static int
verify_ecdsa(ecc_key *key, int id, const struct signature *s,
    const uint8_t *hash)
{
	int good = 0;
	int ret;

	key->devId = id;
	ret = wc_ecc_verify_hash(s->bytes, s->len, hash, 32, &good, key);
	assert_int_equal(key->devId, id);
	return ret != 0 ? ret : good;
}

static void
ecdsa_is_known_by_all_of_it(void **state)
{
	int ours = our_device();
	struct signature good, second, bad;
	ecc_key key, other, elsewhere;
	uint8_t point[128];
	word32 len = sizeof point;
	int is_good = 0;

	(void)state;
	make_ecc(&key, &good);
	make_ecc(&other, &second);
	assert_int_equal(wc_ecc_init(&elsewhere), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(verify_ecdsa(&key, ours, &good, hashes[0]), 1);
		assert_int_equal(verify_ecdsa(&key, ours, &good, hashes[1]), 0);
		assert_int_equal(verify_ecdsa(&other, ours, &good, hashes[0]),
		    0);
		assert_int_equal(verify_ecdsa(&other, ours, &second, hashes[0]),
		    1);
		assert_int_equal(verify_ecdsa(&key, ours, &second, hashes[0]),
		    0);
	}
	/* The same point, if it were on another curve. */
	assert_int_equal(wc_ecc_export_x963(&key, point, &len), 0);
	assert_int_equal(wc_ecc_import_x963_ex(point, len, &elsewhere,
	                     ECC_SECP256K1),
	    0);
	assert_int_not_equal(verify_ecdsa(&elsewhere, ours, &good, hashes[0]),
	    1);
	/* The same bytes, but the last one of the hash is the signature's. */
	bad.len = good.len + 1;
	bad.bytes[0] = hashes[0][31];
	memcpy(bad.bytes + 1, good.bytes, good.len);
	key.devId = ours;
	if (wc_ecc_verify_hash(bad.bytes, bad.len, hashes[0], 31, &is_good,
	        &key) == 0)
		assert_int_not_equal(is_good, 1);
	for (word32 i = 0; i < good.len; i++) {
		bad = good;
		bad.bytes[i] ^= 1;
		/* Without a device it is computed. */
		assert_int_equal(verify_ecdsa(&key, ours, &bad, hashes[0]),
		    verify_ecdsa(&key, INVALID_DEVID, &bad, hashes[0]));
		assert_int_not_equal(verify_ecdsa(&key, ours, &bad, hashes[0]),
		    1);
	}
	computed = 0;
	assert_int_equal(verify_ecdsa(&key, ours, &good, hashes[0]), 1);
	assert_int_equal(computed, 0);
	wc_ecc_free(&key);
	wc_ecc_free(&other);
	wc_ecc_free(&elsewhere);
}

/* Others are asked about so often that there is no room for all. */
static void
what_nobody_asks_about_is_forgotten(void **state)
{
	int ours = our_device();
	struct signature often, once, more;
	ecc_key key;

	(void)state;
	make_ecc(&key, &once);
	often.len = sizeof often.bytes;
	assert_int_equal(wc_ecc_sign_hash(hashes[0], 32, often.bytes,
	                     &often.len, &rng, &key),
	    0);
	assert_int_equal(verify_ecdsa(&key, ours, &once, hashes[0]), 1);
	for (int i = 0; i < 100; i++) {
		more.len = sizeof more.bytes;
		assert_int_equal(wc_ecc_sign_hash(hashes[1], 32, more.bytes,
		                     &more.len, &rng, &key),
		    0);
		assert_int_equal(verify_ecdsa(&key, ours, &more, hashes[1]), 1);
		computed = 0;
		assert_int_equal(verify_ecdsa(&key, ours, &often, hashes[0]),
		    1);
		assert_int_equal(computed, i == 0);
	}
	assert_int_equal(verify_ecdsa(&key, ours, &once, hashes[0]), 1);
	assert_int_equal(computed, 1);
	wc_ecc_free(&key);
}

/* What comes out of a signature; -1: nothing does. */
static int
open_rsa(RsaKey *key, int id, const struct signature *s, struct signature *out)
{
	int len;

	key->devId = id;
	memset(out, 0, sizeof *out);
	len = wc_RsaSSL_Verify(s->bytes, s->len, out->bytes, sizeof out->bytes,
	    key);
	assert_int_equal(key->devId, id);
	out->len = len < 0 ? 0 : (word32)len;
	return len < 0 ? -1 : len;
}

static void
make_rsa(RsaKey *key, struct signature *good, const uint8_t *hash)
{
	int len;

	assert_int_equal(wc_InitRsaKey(key, NULL), 0);
	assert_int_equal(wc_MakeRsaKey(key, 2048, WC_RSA_EXPONENT, &rng), 0);
	len = wc_RsaSSL_Sign(hash, 32, good->bytes, sizeof good->bytes, key,
	    &rng);
	assert_int_equal(len, 256);
	good->len = 256;
}

static void
rsa_is_known_by_all_of_it(void **state)
{
	int ours = our_device();
	struct signature good, second, bad, out, truth;
	RsaKey key, other;

	(void)state;
	make_rsa(&key, &good, hashes[0]);
	make_rsa(&other, &second, hashes[1]);
	for (unsigned again = 0; again < 3; again++) {
		opened = 0;
		assert_int_equal(open_rsa(&key, ours, &good, &out), 32);
		assert_memory_equal(out.bytes, hashes[0], 32);
		assert_int_equal(open_rsa(&other, ours, &second, &out), 32);
		assert_memory_equal(out.bytes, hashes[1], 32);
		assert_int_equal(open_rsa(&other, ours, &good, &out), -1);
		assert_int_equal(open_rsa(&key, ours, &second, &out), -1);
		assert_int_equal(opened, again == 0 ? 4 : 0);
	}
	for (word32 i = 0; i < good.len; i += 16) {
		bad = good;
		bad.bytes[i] ^= 1;
		for (int again = 0; again < 2; again++)
			assert_int_equal(open_rsa(&key, ours, &bad, &out), -1);
		assert_int_equal(open_rsa(&key, INVALID_DEVID, &bad, &truth),
		    -1);
		assert_memory_equal(&out, &truth, sizeof out);
	}
	wc_FreeRsaKey(&key);
	wc_FreeRsaKey(&other);
}

/* To the power of e_len octets e, modulo 256^len - 1. */
struct power {
	uint8_t e;
	word32 e_len, len;
};

static int
raise(const struct power *p, int id, uint8_t *in, uint8_t *out)
{
	word32 len = p->len;
	uint8_t n[512], power[512];
	RsaKey key;
	int ret;

	memset(n, 0xff, len);
	memset(power, p->e, p->e_len);
	assert_int_equal(wc_InitRsaKey_ex(&key, NULL, id), 0);
	assert_int_equal(wc_RsaPublicKeyDecodeRaw(n, len, power, p->e_len,
	                     &key),
	    0);
	memset(out, 0, len);
	ret =
	    wc_RsaDirect(in, p->len, out, &len, &key, RSA_PUBLIC_DECRYPT, &rng);
	wc_FreeRsaKey(&key);
	return ret;
}

/* Each twice, and then what differs in the last octet only. */
static void
rsa_is_what_wolfssl_computes(void **state)
{
	static const struct power rows[] = {
	    {3, 1, 128},
	    {5, 1, 128},
	    {5, 2, 128},
	    {3, 1, 512},
	    /* More than is remembered. */
	    {3, 100, 512},
	};
	int ours = our_device();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (uint8_t last = 2; last < 6; last++) {
			uint8_t in[512] = {1}, out[512], truth[512];
			int len = (int)rows[i].len;

			in[len - 1] = last / 2;
			assert_int_equal(raise(&rows[i], ours, in, out), len);
			assert_int_equal(raise(&rows[i], INVALID_DEVID, in,
			                     truth),
			    len);
			assert_memory_equal(out, truth, (size_t)len);
		}
}

static int
make_all(void **state)
{
	(void)!make_wolf(state);
	return wc_InitRng(&rng);
}

static int
free_all(void **state)
{
	wc_FreeRng(&rng);
	return free_wolf(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_computed_is_not_computed_again),
	    cmocka_unit_test(a_resumed_connection_keeps_no_device),
	    cmocka_unit_test(a_device_of_the_applications_own_stays),
	    cmocka_unit_test(what_is_forged_is_found_each_time),
	    cmocka_unit_test(ecdsa_is_known_by_all_of_it),
	    cmocka_unit_test(what_nobody_asks_about_is_forgotten),
	    cmocka_unit_test(rsa_is_known_by_all_of_it),
	    cmocka_unit_test(rsa_is_what_wolfssl_computes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_all, free_all);
}
