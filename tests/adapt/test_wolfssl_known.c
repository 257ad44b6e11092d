/* What wolfSSL does not compute again: only what was good, of the very same
 * key, hash and signature (ECDSA). */
#define _GNU_SOURCE
#include "wolf_begun.h"

#include <dlfcn.h>

#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>

static unsigned computed; /* signatures of ECDSA, behind any device */

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
	uint8_t hash[WC_SHA256_DIGEST_SIZE];

	(void)state;
	assert_int_equal(wc_CryptoCb_RegisterDevice(APPLICATIONS, on_operation,
	                     NULL),
	    0);
	/* It comes later, and is the first all the same, whom wolfSSL asks. */
	asked = 0;
	assert_int_equal(wc_Sha256Hash(hashes[0], 32, hash), 0);
	assert_true(asked > 0);
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
	struct begun b = begin();
	int ours = device;
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
	end(&b);
	/* What handshakes sign themselves is no certificate. */
	computed = 0;
	assert_int_equal(verify_ecdsa(&key, ours, &good, hashes[0]), 1);
	assert_int_equal(computed, 1);
	wc_ecc_free(&key);
	wc_ecc_free(&other);
	wc_ecc_free(&elsewhere);
}

/* Who brings a curve chooses its generator, and so which key is whose. */
static void
a_curve_without_a_name_is_not_known(void **state)
{
	struct begun b = begin();
	struct signature good;
	ecc_set_type unnamed;
	ecc_key key;

	(void)state;
	make_ecc(&key, &good);
	unnamed = *key.dp;
	key.dp = &unnamed;
	for (int idx = ECC_CUSTOM_IDX; idx <= 0; idx++) {
		key.idx = idx;
		for (int again = 0; again < 3; again++) {
			computed = 0;
			assert_int_equal(verify_ecdsa(&key, device, &good,
			                     hashes[0]),
			    1);
			assert_int_equal(computed, 1);
		}
	}
	end(&b);
	wc_ecc_free(&key);
}

/* Others are asked about so often that there is no room for all. */
static void
what_nobody_asks_about_is_forgotten(void **state)
{
	struct begun b = begin();
	int ours = device;
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
	end(&b);
	wc_ecc_free(&key);
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
	    cmocka_unit_test(a_curve_without_a_name_is_not_known),
	    cmocka_unit_test(what_nobody_asks_about_is_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_all, free_all);
}
