#include "adapt/wolf/wolf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(WOLF_CRYPTO_CB) && !defined(NO_RSA) && defined(HAVE_ECC) &&        \
    !defined(WOLF_CRYPTO_CB_ONLY_RSA) && !defined(WOLF_CRYPTO_CB_ONLY_ECC)

#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

#define DEVICE 0x70696e66 /* "pinf": a number that others do not take */
#define ENTRIES 32
#define QUESTION_MAX 1100 /* bytes: modulus, exponent and signature (4,096) */

/* All that an answer depends on. */
struct question {
	int is_whole; /* 0: it did not fit, and is not asked */
	size_t len;
	uint8_t bytes[QUESTION_MAX];
};

/* Unlike what remember.h keeps it has an answer, and stays while it is used. */
struct entry {
	uint8_t *bytes; /* question, then answer; NULL: free */
	size_t question_len, answer_len;
	unsigned long last_used;
};

/* Nobody waits: who comes meanwhile knows nothing, as in a child of fork(). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[ENTRIES];
static unsigned long uses;

/* This thread is in a client's handshake, before the leaf was verified.  Else
 * nothing is known: of what is signed there once, for that handshake. */
static _Thread_local int verifying;

/* Under the lock.  NULL: it is not known. */
static struct entry *
find(const struct question *q)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (entries[i].bytes != NULL &&
		    entries[i].question_len == q->len &&
		    memcmp(entries[i].bytes, q->bytes, q->len) == 0) {
			entries[i].last_used = ++uses;
			return &entries[i];
		}
	return NULL;
}

/* 1: the answer is known, and was copied; *len is the room for it, and then
 * its length. */
static int
recall(const struct question *q, uint8_t *answer, word32 *len)
{
	const struct entry *e;
	int found;

	if (!q->is_whole || pthread_mutex_trylock(&lock) != 0)
		return 0;
	e = find(q);
	found = e != NULL && e->answer_len <= *len;
	if (found) {
		if (e->answer_len > 0)
			memcpy(answer, e->bytes + e->question_len,
			    e->answer_len);
		*len = (word32)e->answer_len;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

/* Under the lock: a free one, or that which was not used for longest. */
static struct entry *
oldest(void)
{
	struct entry *old = &entries[0];

	for (size_t i = 0; i < ENTRIES; i++) {
		if (entries[i].bytes == NULL)
			return &entries[i];
		if (entries[i].last_used < old->last_used)
			old = &entries[i];
	}
	return old;
}

static void
remember(const struct question *q, const uint8_t *answer, size_t len)
{
	uint8_t *bytes = q->is_whole ? malloc(q->len + len) : NULL;
	struct entry *e;

	if (bytes == NULL)
		return;
	memcpy(bytes, q->bytes, q->len);
	if (len > 0)
		memcpy(bytes + q->len, answer, len);
	if (pthread_mutex_trylock(&lock) == 0) {
		if (find(q) == NULL) {
			e = oldest();
			free(e->bytes);
			e->bytes = bytes;
			e->question_len = q->len;
			e->answer_len = len;
			e->last_used = ++uses;
			bytes = NULL;
		}
		pthread_mutex_unlock(&lock);
	}
	free(bytes);
}

/* --------------------------------------------------------------- questions */

/* Each part with its length in front: no two questions look alike. */
static void
add(struct question *q, const uint8_t *bytes, word32 len)
{
	size_t room = sizeof q->bytes - q->len;

	if (room < sizeof len || len > room - sizeof len) {
		q->is_whole = 0;
		return;
	}
	memcpy(q->bytes + q->len, &len, sizeof len);
	q->len += sizeof len;
	if (len > 0)
		memcpy(q->bytes + q->len, bytes, len);
	q->len += len;
}

/* A curve, a point, a hash and a signature. */
static void
ask_ecdsa(struct question *q, const wc_CryptoInfo *info)
{
	ecc_key *key = info->pk.eccverify.key;
	uint8_t point[1 + 2 * MAX_ECC_BYTES];
	word32 len = sizeof point;
	const ecc_set_type *named = wc_ecc_get_curve_params(key->idx);

	q->len = 0;
	/* Of a curve that a key brings with it a name says nothing. */
	q->is_whole = named != NULL && key->dp == named &&
	              wc_ecc_export_x963(key, point, &len) == 0;
	if (!q->is_whole)
		return;
	add(q, (const uint8_t *)&named->id, sizeof named->id);
	add(q, point, len);
	add(q, info->pk.eccverify.hash, info->pk.eccverify.hashlen);
	add(q, info->pk.eccverify.sig, info->pk.eccverify.siglen);
}

/* An exponent, a modulus and a signature: one part less than above. */
static void
ask_rsa(struct question *q, const wc_CryptoInfo *info)
{
	uint8_t e[QUESTION_MAX / 2], n[QUESTION_MAX / 2];
	word32 e_len = sizeof e, n_len = sizeof n;

	q->len = 0;
	q->is_whole =
	    wc_RsaFlattenPublicKey(info->pk.rsa.key, e, &e_len, n, &n_len) == 0;
	if (!q->is_whole)
		return;
	add(q, e, e_len);
	add(q, n, n_len);
	add(q, info->pk.rsa.in, info->pk.rsa.inLen);
}

/* ----------------------------------------------------------------- answers */

/* Only what wolfSSL has found good is kept, and that is all there is to say. */
static int
verify_ecdsa(const wc_CryptoInfo *info)
{
	ecc_key *key = info->pk.eccverify.key;
	int *good = info->pk.eccverify.res;
	struct question q;
	uint8_t nothing[1] = {0};
	word32 none = 0;
	int ret;

	ask_ecdsa(&q, info);
	if (recall(&q, nothing, &none)) {
		*good = 1;
		return 0;
	}
	key->devId = INVALID_DEVID;
	ret = wc_ecc_verify_hash(info->pk.eccverify.sig,
	    info->pk.eccverify.siglen, info->pk.eccverify.hash,
	    info->pk.eccverify.hashlen, good, key);
	key->devId = DEVICE;
	if (ret == 0 && *good == 1)
		remember(&q, nothing, none);
	return ret;
}

/* What comes out is compared by wolfSSL, so that it may be of a bad signature
 * as well: who forges many makes others be forgotten, which costs time. */
static int
apply_rsa(const wc_CryptoInfo *info)
{
	RsaKey *key = info->pk.rsa.key;
	word32 *len = info->pk.rsa.outLen;
	struct question q;
	int ret;

	/* Now: out may be where in is. */
	ask_rsa(&q, info);
	if (recall(&q, info->pk.rsa.out, len))
		return 0;
	key->devId = INVALID_DEVID;
	ret = wc_RsaFunction(info->pk.rsa.in, info->pk.rsa.inLen,
	    info->pk.rsa.out, len, info->pk.rsa.type, key, info->pk.rsa.rng);
	key->devId = DEVICE;
	if (ret == 0)
		remember(&q, info->pk.rsa.out, *len);
	return ret;
}

/* All else wolfSSL computes as if we were not there. */
static int
on_operation(int device, wc_CryptoInfo *info, void *arg)
{
	(void)device, (void)arg;
	if (!verifying || info->algo_type != WC_ALGO_TYPE_PK)
		return CRYPTOCB_UNAVAILABLE;
	if (info->pk.type == WC_PK_TYPE_ECDSA_VERIFY)
		return verify_ecdsa(info);
	if (info->pk.type == WC_PK_TYPE_RSA &&
	    info->pk.rsa.type == RSA_PUBLIC_DECRYPT)
		return apply_rsa(info);
	return CRYPTOCB_UNAVAILABLE;
}

/* wolfSSL asks the first device of all also about hashes that have none: that
 * place is left to the application. */
void
pf_wolf_known_prepare(void)
{
	static int prepared;

	/* Once: wolfSSL reads its table without a lock.  Where there is no room
	 * everything is computed. */
	if (prepared)
		return;
	prepared = 1;
	if (wc_CryptoCb_RegisterDevice(DEVICE + 1, on_operation, NULL) != 0)
		return;
	(void)wc_CryptoCb_RegisterDevice(DEVICE, on_operation, NULL);
	wc_CryptoCb_UnRegisterDevice(DEVICE + 1);
}

void
pf_wolf_known_begin(WOLFSSL *ssl, int first)
{
	if (first && wolfSSL_CTX_GetDevId(wolfSSL_get_SSL_CTX(ssl), ssl) ==
	                 INVALID_DEVID)
		wolfSSL_SetDevId(ssl, DEVICE);
	verifying = wolfSSL_CTX_GetDevId(NULL, ssl) == DEVICE;
}

void
pf_wolf_known_end(WOLFSSL *ssl)
{
	verifying = 0;
	if (wolfSSL_CTX_GetDevId(NULL, ssl) == DEVICE)
		wolfSSL_SetDevId(ssl, INVALID_DEVID);
}

#else

void
pf_wolf_known_prepare(void)
{
}

void
pf_wolf_known_begin(WOLFSSL *ssl, int first)
{
	(void)ssl, (void)first;
}

void
pf_wolf_known_end(WOLFSSL *ssl)
{
	(void)ssl;
}

#endif
