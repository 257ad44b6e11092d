#include "adapt/wolf/wolf.h"

#include <pthread.h>
#include <stdlib.h>

#include <wolfssl/wolfcrypt/asn.h>

#include "base/bytes.h"

#define GIVEN_MAX 4096

/*
 * wolfSSL keeps in one table what the application has loaded and what peers
 * have sent, and tells which is which only while it puts them there, without
 * saying whose table it is.  A certificate that a peer has sent comes in the
 * middle of a verification, for which this thread has said its WOLFSSL_CTX.
 * The anchors are what is in the table but for those.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned loaded; /* grows when anything was loaded anywhere */
static struct pf_wolf_ctx *all; /* those that are watched */
static CallbackCACache further; /* the application's */
static struct pf_pool given; /* was loaded somewhere, and may not be listed */
static _Thread_local const struct pf_wolf_ctx *working;

void
pf_wolf_anchors_watch(struct pf_wolf_ctx *ctx)
{
	pf_pool_init(&ctx->chain);
	pthread_mutex_lock(&lock);
	ctx->following = all;
	all = ctx;
	if (ctx->next.ca != NULL)
		further = ctx->next.ca;
	pthread_mutex_unlock(&lock);
	pf_wolf_anchors_follow(ctx);
}

void
pf_wolf_anchors_forget(struct pf_wolf_ctx *ctx)
{
	struct pf_wolf_ctx **at = &all;

	pthread_mutex_lock(&lock);
	while (*at != ctx)
		at = &(*at)->following;
	*at = ctx->following;
	if (all == NULL)
		pf_pool_fini(&given, NULL);
	pthread_mutex_unlock(&lock);
	pf_wolf_anchors_drop(ctx->anchors);
	pf_pool_fini(&ctx->chain, NULL);
	wolfSSL_CertManagerFree(ctx->manager);
}

void
pf_wolf_anchors_for(const struct pf_wolf_ctx *ctx)
{
	working = ctx;
}

/* 0: out of memory.  What is no structure-exact certificate is left out. */
static int
add_once(struct pf_pool *pool, struct pinfast_bytes der)
{
	struct pf_link link;

	return pf_link_set(&link, der, NULL) != PINFAST_OK ||
	       pf_pool_find(pool, &link) != NULL ||
	       pf_pool_add_copy(pool, der, NULL) != PINFAST_ENOMEM;
}

/* Under the lock: for all that share the table. */
static int
note(const WOLFSSL_CERT_MANAGER *manager, struct pinfast_bytes der)
{
	int noted = 1;

	for (struct pf_wolf_ctx *c = all; c != NULL; c = c->following)
		if (c->manager == manager)
			noted &= add_once(&c->chain, der);
	return noted;
}

/* Under the lock.  What could not be kept is no anchor where it is needed. */
static void
give(struct pinfast_bytes der)
{
	if (given.count >= GIVEN_MAX)
		pf_pool_fini(&given, NULL);
	if (all != NULL)
		(void)add_once(&given, der);
}

void
pf_wolf_anchors_seen(unsigned char *der, int len, int type)
{
	struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
	const WOLFSSL_CERT_MANAGER *manager = NULL;
	CallbackCACache next;

	pthread_mutex_lock(&lock);
	if (type == WOLFSSL_USER_CA) {
		loaded++;
		give(bytes);
	} else {
		for (struct pf_wolf_ctx *c = all; c != NULL; c = c->following)
			if (c == working)
				manager = c->manager;
		/* Somebody's, when our own callback was not asked. */
		for (struct pf_wolf_ctx *c = all; c != NULL; c = c->following)
			if (manager == NULL || c->manager == manager)
				c->lost |= !add_once(&c->chain, bytes);
	}
	next = further;
	pthread_mutex_unlock(&lock);
	if (next != NULL)
		next(der, len, type);
}

/* Everything in the table that no peer has sent; 0: out of memory. */
static int
fill(struct pf_wolf_anchors *anchors, struct pf_wolf_ctx *ctx,
    WOLFSSL_STACK *certs)
{
	int count = wolfSSL_sk_X509_num(certs);

	for (int i = 0; i < count; i++) {
		WOLFSSL_X509 *cert = wolfSSL_sk_X509_value(certs, i);
		struct pinfast_bytes der;
		struct pf_link link;
		int len = 0;

		der.data = wolfSSL_X509_get_der(cert, &len);
		der.len = der.data != NULL && len > 0 ? (size_t)len : 0;
		/* What cannot be walked cannot be built upon. */
		if (pf_link_set(&link, der, NULL) == PINFAST_OK &&
		    pf_pool_find(&ctx->chain, &link) == NULL &&
		    pf_pool_add_copy(&anchors->pool, der, NULL) != PINFAST_OK)
			return 0;
	}
	return 1;
}

/*
 * Is it, to the byte, in wolfSSL's table, where no peer has sent it?  wolfSSL
 * tells what it would verify a certificate under, and so finds those that are
 * their own issuers.  -1: perhaps; memory has failed, or the like.
 */
static int
is_loaded(const struct pf_wolf_ctx *ctx, const struct pf_link *link)
{
	struct DecodedCert *cert;
	const struct DerBuffer *found = NULL;
	int error, answer;

	if (pf_pool_find(&ctx->chain, link) != NULL ||
	    !pf_bytes_same(link->walked.subject, link->walked.issuer))
		return 0;
	cert = malloc(sizeof *cert);
	if (cert == NULL)
		return -1;
	wc_InitDecodedCert(cert, link->der.data, (word32)link->der.len, NULL);
	error = wc_ParseCert(cert, CERT_TYPE, VERIFY_NAME, ctx->manager);
	if (cert->ca != NULL)
		found = cert->ca->derCert;
	if (found != NULL)
		answer = found->length == link->der.len &&
		         pf_same(found->buffer, link->der.data, link->der.len);
	else
		answer = error == ASN_NO_SIGNER_E || error == ASN_SELF_SIGNED_E
		             ? 0
		             : -1;
	wc_FreeDecodedCert(cert);
	free(cert);
	return answer;
}

/* Of a key of Ed25519 or Ed448 (RFC 8410) wolfSSL makes no X509. */
static int
is_unlisted(const struct pf_link *link)
{
	static const uint8_t oids[2][3] = {
	    {0x2b, 0x65, 0x70}, {0x2b, 0x65, 0x71}};
	struct pinfast_bytes oid = link->walked.key.oid;

	return oid.len == 3 &&
	       (pf_same(oid.data, oids[0], 3) || pf_same(oid.data, oids[1], 3));
}

/*
 * wolfSSL lists nothing at all when it can make no X509 of one of them.  Then
 * each that is known to have been loaded somewhere is asked for.  Where nothing
 * tells why there is no list it is asked for again each time.
 */
static int
fill_known(struct pf_wolf_anchors *anchors, const struct pf_wolf_ctx *ctx)
{
	const struct pf_pool *before =
	    ctx->anchors != NULL ? &ctx->anchors->pool : NULL;
	int doubts = 0;

	for (size_t i = 0; before != NULL && i < before->count; i++)
		if (!add_once(&given, before->links[i].der))
			return 0;
	for (size_t i = 0; i < given.count; i++) {
		const struct pf_link *link = &given.links[i];
		int answer = is_loaded(ctx, link);

		if (answer > 0 && pf_pool_add_copy(&anchors->pool, link->der,
		                      NULL) != PINFAST_OK)
			return 0;
		anchors->is_sure |= answer > 0 && is_unlisted(link);
		doubts |= answer < 0;
	}
	anchors->is_sure &= !doubts;
	return 1;
}

/* Under the lock. */
static struct pf_wolf_anchors *
read_anchors(struct pf_wolf_ctx *ctx, unsigned as_of)
{
	struct pf_wolf_anchors *anchors = calloc(1, sizeof *anchors);
	WOLFSSL_STACK *certs;
	int filled;

	if (anchors == NULL)
		return NULL;
	anchors->refs = 1;
	anchors->as_of = as_of;
	pf_pool_init(&anchors->pool);
	/* NULL: out of memory, there is none, or not all can be listed. */
	certs = wolfSSL_CertManagerGetCerts(ctx->manager);
	filled = certs != NULL ? fill(anchors, ctx, certs)
	                       : fill_known(anchors, ctx);
	if (filled && certs != NULL)
		anchors->is_sure = anchors->is_list = 1;
	wolfSSL_sk_X509_pop_free(certs, NULL);
	if (filled)
		return anchors;
	pf_wolf_anchors_drop(anchors);
	return NULL;
}

/* Under the lock. */
static int
is_current(const struct pf_wolf_ctx *ctx)
{
	return ctx->anchors != NULL && ctx->anchors->as_of == loaded;
}

/* Under the lock: does nobody need to know what was loaded? */
static int
all_are_listed(void)
{
	for (const struct pf_wolf_ctx *c = all; c != NULL; c = c->following)
		if (!is_current(c) || !c->anchors->is_list)
			return 0;
	return 1;
}

/* Under the lock.  What was read before stays, as what may be loaded. */
static void
refresh(struct pf_wolf_ctx *ctx)
{
	struct pf_wolf_anchors *fresh;

	if (is_current(ctx) && ctx->anchors->is_sure)
		return;
	fresh = read_anchors(ctx, loaded);
	if (fresh == NULL)
		return;
	pf_wolf_anchors_drop(ctx->anchors);
	ctx->anchors = fresh;
	if (all_are_listed())
		pf_pool_fini(&given, NULL);
}

void
pf_wolf_anchors_follow(struct pf_wolf_ctx *ctx)
{
	WOLFSSL_CERT_MANAGER *manager = wolfSSL_CTX_GetCertManager(ctx->ctx);

	pthread_mutex_lock(&lock);
	/* As long as it is ours no other one has its address. */
	if (ctx->manager != manager &&
	    wolfSSL_CertManager_up_ref(manager) == WOLFSSL_SUCCESS) {
		wolfSSL_CertManagerFree(ctx->manager);
		ctx->manager = manager;
		wolfSSL_CTX_SetCACb(ctx->ctx, pf_wolf_anchors_seen);
		loaded++;
		/* While all of them can be listed, perhaps. */
		refresh(ctx);
	}
	pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static int
expect(struct pf_wolf_ctx *ctx, const struct pf_link *link)
{
	int answer;

	if (pf_pool_find(&ctx->chain, link) != NULL)
		return 1;
	refresh(ctx);
	if (is_current(ctx) && pf_pool_find(&ctx->anchors->pool, link) != NULL)
		return 1;
	/* What is there already no peer has put there. */
	answer = is_loaded(ctx, link);
	if (answer > 0)
		give(link->der);
	if (answer != 0)
		return answer > 0;
	return is_current(ctx) && note(ctx->manager, link->der);
}

/* wolfSSL tells only when the certificate is there already: in between another
 * thread could take it for an anchor. */
int
pf_wolf_anchors_expect(struct pf_wolf_ctx *ctx,
    const WOLFSSL_CERT_MANAGER *manager, const struct pf_link *link)
{
	int known;

	pthread_mutex_lock(&lock);
	known = manager == NULL || manager != ctx->manager || expect(ctx, link);
	pthread_mutex_unlock(&lock);
	return known;
}

struct pf_wolf_anchors *
pf_wolf_anchors_get(struct pf_wolf_ctx *ctx,
    const WOLFSSL_CERT_MANAGER *manager)
{
	struct pf_wolf_anchors *out = NULL;

	pthread_mutex_lock(&lock);
	refresh(ctx);
	/* Of a store that we do not watch nobody knows what is an anchor. */
	if (is_current(ctx) && !ctx->lost && manager == ctx->manager) {
		out = ctx->anchors;
		out->refs++;
	}
	pthread_mutex_unlock(&lock);
	return out;
}

void
pf_wolf_anchors_drop(struct pf_wolf_anchors *anchors)
{
	if (anchors == NULL || --anchors->refs > 0)
		return;
	pf_pool_fini(&anchors->pool, NULL);
	free(anchors);
}

/* -------------------------------------------------------------- the entry's */

struct adding {
	struct pf_wolf *st;
	WOLFSSL_X509_STORE *store;
};

/* One whose dates are over, or are still to come, spoils no other. */
static int
add_own(void *arg, struct pinfast_bytes der)
{
	struct adding *to = arg;
	int answer;

	if (pf_pool_add_copy(&to->st->own, der, NULL) != PINFAST_OK)
		return 1;
	answer = wolfSSL_CertManagerLoadCABuffer(to->store->cm, der.data,
	    (long)der.len, WOLFSSL_FILETYPE_ASN1);
	return answer != WOLFSSL_SUCCESS && answer != ASN_AFTER_DATE_E &&
	       answer != ASN_BEFORE_DATE_E;
}

void
pf_wolf_anchors_own(struct pf_wolf *st)
{
	struct adding to = {st, NULL};
	int count = -1;

	/* An earlier try may have had other anchors. */
	if (!(pinfast_conn_needs(st->a.conn) & PINFAST_NEED_TRUST) &&
	    !st->had_anchors)
		return;
	pf_pool_fini(&st->own, NULL);
	to.store = wolfSSL_X509_STORE_new();
	/* A policy that is loaded right now may bring some, or take them. */
	if (to.store != NULL)
		count = pf_attached_trust(&st->a, add_own, &to);
	if (count > 0)
		wolfSSL_set1_verify_cert_store(st->ssl, to.store);
	else if (count == 0)
		/* The WOLFSSL_CTX keeps its own. */
		wolfSSL_set0_verify_cert_store(st->ssl,
		    wolfSSL_CTX_get_cert_store(pf_wolf_ctx_of(st)->ctx));
	st->had_anchors = count > 0;
	st->bad_anchors = count < 0;
	wolfSSL_X509_STORE_free(to.store);
}
