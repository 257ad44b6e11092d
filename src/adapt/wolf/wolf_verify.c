#include "adapt/wolf/wolf.h"

#include <stdlib.h>
#include <string.h>

/* wolfSSL reads a certificate anew for whoever asks for its key. */
static struct pf_seen seen = PF_SEEN_EMPTY;

/* One verification: what wolfSSL said about it and what we make of it. */
struct hook {
	WOLFSSL_X509_STORE_CTX *store;
	WOLFSSL *ssl;
	struct pf_wolf *st;
	struct pf_link leaf;
	struct pf_pool sent;
	struct pf_wolf_anchors *anchors;
	struct pf_paths paths;
	uint8_t *keys[PINFAST_PATH_MAX];
	struct pinfast_verdict verdict;
};

static struct pinfast_bytes
cert_at(const WOLFSSL_X509_STORE_CTX *store, int i)
{
	struct pinfast_bytes der;

	der.data = store->certs[i].buffer;
	der.len = store->certs[i].length;
	return der;
}

static int
view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	struct hook *h = arg;

	pf_wolf_key(link->der, &h->keys[index], out);
	return 0;
}

static int
verify(void *arg, const struct pf_link *const *path, size_t count)
{
	struct hook *h = arg;

	return pf_wolf_path(path, count,
	    h->st->a.server ? PF_ISSUERS_CLIENT : PF_ISSUERS_SERVER);
}

/* What is put to the judge, but for anchors; 0: out of memory. */
static int
set_up(struct hook *h)
{
	h->paths.conn = h->st->a.conn;
	h->paths.arg = h;
	h->paths.verify = verify;
	h->paths.view = view;
	/* Who brings a SHA-256 wants it asked. */
	if (pinfast_hashes_itself(h->st->a.policy))
		h->paths.seen = &seen;
	pf_pool_init(&h->sent);
	if (h->store->totalCerts < 1)
		return 1;
	/* What cannot be walked is refused when its key is asked for. */
	(void)pf_link_set(&h->leaf, cert_at(h->store, 0), NULL);
	h->paths.leaf = &h->leaf;
	h->paths.sent = &h->sent;
	for (int i = 1; i < h->store->totalCerts; i++)
		if (pf_pool_add(&h->sent, cert_at(h->store, i), NULL) ==
		    PINFAST_ENOMEM)
			return 0;
	return 1;
}

static void
tear_down(struct hook *h)
{
	for (size_t i = 0; i < PINFAST_PATH_MAX; i++)
		free(h->keys[i]);
	pf_pool_fini(&h->sent, NULL);
	pf_wolf_anchors_drop(h->anchors);
}

/* Which wolfSSL verifies with. */
static const WOLFSSL_CERT_MANAGER *
manager_of(const struct hook *h)
{
	return h->store->store != NULL ? h->store->store->cm : NULL;
}

/* The entry's own anchors, or those of the WOLFSSL_CTX. */
static void
find_anchors(struct hook *h)
{
	if (h->st->had_anchors) {
		h->paths.anchors = &h->st->own;
		return;
	}
	h->anchors = pf_wolf_anchors_get(pf_wolf_ctx_of(h->st), manager_of(h));
	if (h->anchors != NULL)
		h->paths.anchors = &h->anchors->pool;
}

/*
 * Was the name verified?  1: yes, 0: there is none that could be, -1: the leaf
 * is somebody else's.
 */
static int
name_verified(const struct hook *h)
{
	const struct pf_attached *a = &h->st->a;
	const WOLFSSL_X509_VERIFY_PARAM *param = wolfSSL_get0_param(h->ssl);

	if (a->server)
		return 1;
	if (!h->leaf.is_walked)
		return -1;
	if (a->has_host)
		return pf_cert_covers(&h->leaf.walked, a->host) ? 1 : -1;
	if (param == NULL ||
	    (param->hostName[0] == '\0' && param->ipasc[0] == '\0'))
		return 0;
	if (param->hostName[0] != '\0' &&
	    !pf_cert_covers(&h->leaf.walked, param->hostName))
		return -1;
	return param->ipasc[0] == '\0' ||
	               pf_cert_covers(&h->leaf.walked, param->ipasc)
	           ? 1
	           : -1;
}

/* wolfSSL found nothing amiss: is there a path, and for this name? */
static struct pinfast_verdict
judge_verified(struct hook *h)
{
	int named = name_verified(h);

	if (named == 0)
		return pf_paths_leaf(&h->paths, PINFAST_PKIX_NOT_RUN);
	if (named < 0 && h->leaf.is_walked)
		return pf_paths_failed(&h->paths, PINFAST_REASON_PKIX_FAILED);
	find_anchors(h);
	return pf_paths_verified(&h->paths, NULL, 0);
}

/* What verification proved, in the judge's terms.  ok: wolfSSL's opinion of
 * the leaf, agreed: the application's. */
static void
judge(struct hook *h, int ok, int agreed)
{
	int none = wolfSSL_get_verify_mode(h->ssl) == WOLFSSL_VERIFY_NONE;

	if (h->st->bad_anchors)
		agreed = none = 0;
	if (h->st->bypassed)
		agreed = 0;
	if (none)
		h->verdict = pf_paths_leaf(&h->paths, PINFAST_PKIX_NOT_RUN);
	else if (!agreed)
		h->verdict =
		    pf_paths_failed(&h->paths, PINFAST_REASON_PKIX_FAILED);
	else if (!ok || h->st->saw_error)
		h->verdict = pf_paths_leaf(&h->paths, PINFAST_PKIX_OVERRIDDEN);
	else
		h->verdict = judge_verified(h);
}

/* Makes the handshake fail. */
static int
refuse(struct hook *h)
{
	h->verdict = pinfast_conn_settle(h->st->a.conn);
	return 0;
}

static int
on_leaf(struct hook *h, int ok, int agreed)
{
	h->st->a.by_peer = 1;
	/* To a policy that is loaded right now, and wants it, nothing has
	 * verified. */
	if (pinfast_conn_needs(h->st->a.conn) == PINFAST_NEED_LEAF_ONLY)
		h->verdict =
		    pf_paths_failed(&h->paths, PINFAST_REASON_PKIX_FAILED);
	else if (pf_paths_before(&h->paths))
		return refuse(h);
	else
		judge(h, ok, agreed);
	if (h->verdict.decision != PINFAST_ALLOW)
		return refuse(h);
	pf_wolf_show(h->st, &h->paths);
	return 1;
}

/*
 * A certificate behind the leaf.  Yes to one that is no CA has no consequences
 * (the path is ours to find).  Yes to a CA that wolfSSL finds bad would put it
 * into the CA table; and after a no wolfSSL asks nobody about the leaf.
 */
static int
on_issuer(struct hook *h, int ok, int agreed)
{
	struct pf_link link;

	int walked =
	    pf_link_set(&link, cert_at(h->store, h->store->error_depth),
	        NULL) == PINFAST_OK;

	if (pinfast_conn_needs(h->st->a.conn) == PINFAST_NEED_LEAF_ONLY)
		h->st->bypassed |= !agreed;
	else if (!ok && agreed)
		h->st->saw_error = 1;
	if (agreed || h->st->bypassed)
		return !walked || pf_wolf_anchors_expect(pf_wolf_ctx_of(h->st),
		                      manager_of(h), &link);
	if (h->st->verify == NULL && walked && pf_issuers_none(&link.walked))
		return 1;
	h->st->a.by_peer = 1;
	if (!pf_paths_before(&h->paths))
		h->verdict =
		    pf_paths_failed(&h->paths, PINFAST_REASON_PKIX_FAILED);
	return refuse(h);
}

/* The application's callback, told also of a name that wolfSSL found wrong
 * after it had said that all was well. */
static int
ask_application(struct pf_wolf *st, int ok, WOLFSSL_X509_STORE_CTX *store)
{
	return st->verify != NULL ? st->verify(ok, store) : ok;
}

static int
hook(struct hook *h, int ok)
{
	int depth = h->store->error_depth;
	int agreed = ask_application(h->st, ok, h->store);
	int go = 0;

	if (h->store->certs != NULL && depth >= 0 &&
	    depth < h->store->totalCerts && set_up(h))
		go = depth > 0 ? on_issuer(h, ok, agreed)
		               : on_leaf(h, ok, agreed);
	tear_down(h);
	return go;
}

/*
 * wolfSSL asks nobody about a leaf that it cannot read.  Nor is it believed
 * then; but what is known about its key is said.
 */
void
pf_wolf_unread(struct pf_wolf *st)
{
	WOLFSSL_X509_CHAIN *chain = wolfSSL_get_peer_chain(st->ssl);
	int error = wolfSSL_get_error(st->ssl, 0);
	struct pinfast_bytes der;
	struct hook h;

	if (error == 0 || error == WOLFSSL_ERROR_WANT_READ ||
	    error == WOLFSSL_ERROR_WANT_WRITE)
		return;
	if (st->a.conn == NULL || st->a.complete || st->a.by_peer ||
	    st->a.doomed || wolfSSL_session_reused(st->ssl) || chain == NULL ||
	    wolfSSL_get_chain_count(chain) < 1)
		return;
	der.data = wolfSSL_get_chain_cert(chain, 0);
	der.len = (size_t)wolfSSL_get_chain_length(chain, 0);
	memset(&h, 0, sizeof h);
	h.st = st;
	(void)pf_link_set(&h.leaf, der, NULL);
	h.paths.conn = st->a.conn;
	h.paths.leaf = &h.leaf;
	h.paths.arg = &h;
	h.paths.view = view;
	if (pf_paths_before(&h.paths)) {
		st->a.by_peer = 1;
		h.verdict = pinfast_conn_settle(st->a.conn);
	}
	tear_down(&h);
}

int
pf_wolf_verify(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	struct hook h;
	int go;

	memset(&h, 0, sizeof h);
	h.store = store;
	h.ssl = wolfSSL_X509_STORE_CTX_get_ex_data(store,
	    wolfSSL_get_ex_data_X509_STORE_CTX_idx());
	/* A certificate manager's own business. */
	if (h.ssl == NULL)
		return 0;
	h.st = pf_wolf_make(h.ssl);
	if (h.st == NULL || h.st->a.doomed)
		return 0;
	/* After a handshake (RFC 8446, 4.6.2) wolfSSL does not tell when the
	 * peer has proved that the key is its own. */
	if (wolfSSL_is_init_finished(h.ssl))
		return 0;
	/* Nobody told us of this handshake's beginning, or it is another. */
	if ((h.st->a.complete && pf_wolf_begin(h.st) != PINFAST_OK) ||
	    pf_wolf_now(h.st) != PINFAST_OK)
		return 0;
	pf_wolf_anchors_for(pf_wolf_ctx_of(h.st));
	go = hook(&h, ok && store->error == 0);
	if (!go || store->error_depth == 0) {
		pf_wolf_anchors_for(NULL);
		pf_wolf_known_end(h.ssl);
	}
	return go;
}
