/* What wolfSSL does not compute again of RSA: what comes out is the same. */
#define _GNU_SOURCE
#include "wolf_begun.h"

#include <dlfcn.h>

#include <wolfssl/wolfcrypt/rsa.h>

static unsigned opened; /* signatures, by the adapter */

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
	struct begun b = begin();
	int ours = device;
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
	end(&b);
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
	struct begun b = begin();
	int ours = device;

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
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rsa_is_known_by_all_of_it),
	    cmocka_unit_test(rsa_is_what_wolfssl_computes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_all, free_all);
}
