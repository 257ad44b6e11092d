#include "adapt/wolf/wolf.h"

#include <stdlib.h>
#include <string.h>

#if defined(WOLF_CRYPTO_CB) && !defined(NO_RSA) && defined(HAVE_ECC) &&        \
    !defined(WOLF_CRYPTO_CB_ONLY_RSA) && !defined(WOLF_CRYPTO_CB_ONLY_ECC)

#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

#define DEVICE 0x70696e66 /* "pinf" */
#define KNOWN 32
#define QUESTION_MAX 2048 /* key and signature of RSA with 4,096 bits */

/* What is computed, of what: all that the answer depends on. */
struct question {
	size_t len;
	uint8_t bytes[QUESTION_MAX];
};

enum operation { OP_ECDSA_VERIFY = 1, OP_RSA_PUBLIC };

/* A question, and behind it the answer. */
struct known {
	uint8_t *bytes; /* NULL: free */
	size_t question, answer;
	unsigned long asked; /* when it was last */
};

/* Nobody waits: who comes meanwhile knows nothing, as in a child of fork(). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known known[KNOWN];
static unsigned long asked;

/* Under the lock.  NULL: it is not known. */
static struct known *
find(const struct question *q)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].bytes != NULL && known[i].question == q->len &&
		    memcmp(known[i].bytes, q->bytes, q->len) == 0) {
			known[i].asked = ++asked;
			return &known[i];
		}
	return NULL;
}

/* 1: the answer is known, and was copied; *len is the room for it, and then
 * its length. */
static int
recall(const struct question *q, uint8_t *answer, word32 *len)
{
	const struct known *k;
	int found;

	if (q->len == 0 || pthread_mutex_trylock(&lock) != 0)
		return 0;
	k = find(q);
	found = k != NULL && k->answer <= *len;
	if (found) {
		if (k->answer > 0)
			memcpy(answer, k->bytes + k->question, k->answer);
		*len = (word32)k->answer;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

/* Under the lock: a free place, or that of what nobody has asked for longest.
 */
static struct known *
oldest(void)
{
	struct known *old = &known[0];

	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].bytes == NULL)
			return &known[i];
		if (known[i].asked < old->asked)
			old = &known[i];
	}
	return old;
}

static void
remember(const struct question *q, const uint8_t *answer, size_t len)
{
	uint8_t *bytes = q->len > 0 ? malloc(q->len + len) : NULL;
	struct known *k;

	if (bytes == NULL)
		return;
	memcpy(bytes, q->bytes, q->len);
	if (len > 0)
		memcpy(bytes + q->len, answer, len);
	if (pthread_mutex_trylock(&lock) == 0) {
		if (find(q) == NULL) {
			k = oldest();
			free(k->bytes);
			k->bytes = bytes;
			k->question = q->len;
			k->answer = len;
			k->asked = ++asked;
			bytes = NULL;
		}
		pthread_mutex_unlock(&lock);
	}
	free(bytes);
}

/* ---------------------------------------------------------------- questions */

/* Each part with its length in front; what is too long is not asked at all. */
static void
add(struct question *q, const uint8_t *bytes, word32 len)
{
	size_t room = sizeof q->bytes - q->len;

	if (q->len == 0 || room < sizeof len || len > room - sizeof len) {
		q->len = 0;
		return;
	}
	memcpy(q->bytes + q->len, &len, sizeof len);
	q->len += sizeof len;
	if (len > 0)
		memcpy(q->bytes + q->len, bytes, len);
	q->len += len;
}

static void
begin(struct question *q, enum operation op)
{
	q->bytes[0] = (uint8_t)op;
	q->len = 1;
}

/* A curve, a point, a hash and a signature. */
static void
ask_ecdsa(struct question *q, const wc_CryptoInfo *info)
{
	ecc_key *key = info->pk.eccverify.key;
	uint8_t point[1 + 2 * MAX_ECC_BYTES];
	word32 len = sizeof point;
	int curve = wc_ecc_get_curve_id(key->idx);

	begin(q, OP_ECDSA_VERIFY);
	add(q, (const uint8_t *)&curve, sizeof curve);
	if (wc_ecc_export_x963(key, point, &len) != 0 || curve < 0)
		q->len = 0;
	add(q, point, len);
	add(q, info->pk.eccverify.hash, info->pk.eccverify.hashlen);
	add(q, info->pk.eccverify.sig, info->pk.eccverify.siglen);
}

/* An exponent, a modulus and a signature. */
static void
ask_rsa(struct question *q, const wc_CryptoInfo *info)
{
	uint8_t e[QUESTION_MAX / 2], n[QUESTION_MAX / 2];
	word32 e_len = sizeof e, n_len = sizeof n;

	begin(q, OP_RSA_PUBLIC);
	if (wc_RsaFlattenPublicKey(info->pk.rsa.key, e, &e_len, n, &n_len) != 0)
		q->len = 0;
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
	word32 none = 0;
	int ret;

	ask_ecdsa(&q, info);
	if (recall(&q, NULL, &none)) {
		*good = 1;
		return 0;
	}
	key->devId = INVALID_DEVID;
	ret = wc_ecc_verify_hash(info->pk.eccverify.sig,
	    info->pk.eccverify.siglen, info->pk.eccverify.hash,
	    info->pk.eccverify.hashlen, good, key);
	key->devId = DEVICE;
	if (ret == 0 && *good == 1)
		remember(&q, NULL, 0);
	return ret;
}

/* What comes out is compared by wolfSSL, good or not. */
static int
apply_rsa(const wc_CryptoInfo *info)
{
	RsaKey *key = info->pk.rsa.key;
	word32 *len = info->pk.rsa.outLen;
	struct question q;
	int ret;

	/* It may be written over what was asked. */
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
	if (info->algo_type != WC_ALGO_TYPE_PK)
		return CRYPTOCB_UNAVAILABLE;
	if (info->pk.type == WC_PK_TYPE_ECDSA_VERIFY)
		return verify_ecdsa(info);
	if (info->pk.type == WC_PK_TYPE_RSA &&
	    info->pk.rsa.type == RSA_PUBLIC_DECRYPT)
		return apply_rsa(info);
	return CRYPTOCB_UNAVAILABLE;
}

void
pf_wolf_known_prepare(void)
{
	/* Without room for it everything is computed. */
	(void)wc_CryptoCb_RegisterDevice(DEVICE, on_operation, NULL);
}

void
pf_wolf_known_begin(WOLFSSL *ssl)
{
	if (wolfSSL_CTX_GetDevId(wolfSSL_get_SSL_CTX(ssl), ssl) ==
	    INVALID_DEVID)
		wolfSSL_SetDevId(ssl, DEVICE);
}

void
pf_wolf_known_end(WOLFSSL *ssl)
{
	if (wolfSSL_CTX_GetDevId(NULL, ssl) == DEVICE)
		wolfSSL_SetDevId(ssl, INVALID_DEVID);
}

#else

void
pf_wolf_known_prepare(void)
{
}

void
pf_wolf_known_begin(WOLFSSL *ssl)
{
	(void)ssl;
}

void
pf_wolf_known_end(WOLFSSL *ssl)
{
	(void)ssl;
}

#endif
