#include "adapt/wolf/wolf.h"

#include <pthread.h>
#include <stdlib.h>

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
	pthread_mutex_unlock(&lock);
	pf_wolf_anchors_drop(ctx->anchors);
	pf_pool_fini(&ctx->chain, NULL);
}

void
pf_wolf_anchors_follow(struct pf_wolf_ctx *ctx)
{
	WOLFSSL_CERT_MANAGER *manager = wolfSSL_CTX_GetCertManager(ctx->ctx);

	pthread_mutex_lock(&lock);
	if (ctx->manager != manager) {
		ctx->manager = manager;
		wolfSSL_CTX_SetCACb(ctx->ctx, pf_wolf_anchors_seen);
		loaded++;
	}
	pthread_mutex_unlock(&lock);
}

void
pf_wolf_anchors_for(const struct pf_wolf_ctx *ctx)
{
	working = ctx;
}

/* Under the lock. */
static void
note(struct pf_wolf_ctx *ctx, struct pinfast_bytes der)
{
	struct pf_link link;

	if (pf_link_set(&link, der, NULL) == PINFAST_OK &&
	    pf_pool_find(&ctx->chain, &link) != NULL)
		return;
	/* What could not be noted must not be taken for an anchor.  What is no
	 * structure-exact certificate never is. */
	if (pf_pool_add_copy(&ctx->chain, der, NULL) == PINFAST_ENOMEM)
		ctx->lost = 1;
}

void
pf_wolf_anchors_seen(unsigned char *der, int len, int type)
{
	struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
	CallbackCACache next;
	int known = 0;

	pthread_mutex_lock(&lock);
	if (type == WOLFSSL_USER_CA) {
		loaded++;
	} else {
		for (struct pf_wolf_ctx *c = all; c != NULL; c = c->following)
			known |= c == working;
		/* Somebody's, when our own callback was not asked. */
		for (struct pf_wolf_ctx *c = all; c != NULL; c = c->following)
			if (c == working || !known)
				note(c, bytes);
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
	/* NULL: out of memory, or there is none; both end in a deny. */
	certs = wolfSSL_CertManagerGetCerts(ctx->manager);
	filled = certs != NULL && fill(anchors, ctx, certs);
	wolfSSL_sk_X509_pop_free(certs, NULL);
	if (filled)
		return anchors;
	pf_wolf_anchors_drop(anchors);
	return NULL;
}

/* Under the lock. */
static void
refresh(struct pf_wolf_ctx *ctx)
{
	struct pf_wolf_anchors *fresh;

	if (ctx->anchors != NULL && ctx->anchors->as_of == loaded)
		return;
	fresh = read_anchors(ctx, loaded);
	pf_wolf_anchors_drop(ctx->anchors);
	ctx->anchors = fresh;
}

/* wolfSSL tells only when the certificate is there already: in between another
 * thread could take it for an anchor. */
void
pf_wolf_anchors_expect(struct pf_wolf_ctx *ctx,
    const WOLFSSL_CERT_MANAGER *manager, const struct pf_link *link)
{
	if (manager == NULL || manager != ctx->manager)
		return;
	pthread_mutex_lock(&lock);
	refresh(ctx);
	if (pf_pool_find(&ctx->chain, link) == NULL &&
	    (ctx->anchors == NULL ||
	        pf_pool_find(&ctx->anchors->pool, link) == NULL))
		note(ctx, link->der);
	pthread_mutex_unlock(&lock);
}

struct pf_wolf_anchors *
pf_wolf_anchors_get(struct pf_wolf_ctx *ctx,
    const WOLFSSL_CERT_MANAGER *manager)
{
	struct pf_wolf_anchors *out = NULL;

	pthread_mutex_lock(&lock);
	refresh(ctx);
	/* Of a store that we do not watch nobody knows what is an anchor. */
	if (ctx->anchors != NULL && !ctx->lost && manager == ctx->manager) {
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

static int
add_own(void *arg, struct pinfast_bytes der)
{
	struct adding *to = arg;
	WOLFSSL_X509 *cert;
	int added;

	if (pf_pool_add_copy(&to->st->own, der, NULL) != PINFAST_OK)
		return 1;
	cert = wolfSSL_X509_load_certificate_buffer(der.data, (int)der.len,
	    WOLFSSL_FILETYPE_ASN1);
	added = cert != NULL &&
	        wolfSSL_X509_STORE_add_cert(to->store, cert) == WOLFSSL_SUCCESS;
	wolfSSL_X509_free(cert);
	return !added;
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
