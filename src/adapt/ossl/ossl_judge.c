#include "adapt/ossl/ossl.h"

#include <string.h>

#include "core/spki.h"

static int
add_anchor(void *arg, struct pinfast_bytes der)
{
	STACK_OF(X509) *anchors = arg;
	const unsigned char *at = der.data;
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);

	if (cert == NULL)
		return 1;
	if (sk_X509_push(anchors, cert))
		return 0;
	X509_free(cert);
	return 1;
}

STACK_OF(X509) * pf_ossl_use_anchors(struct pf_ossl_judging *j, int *bad)
{
	STACK_OF(X509) * anchors;
	int count;

	*bad = 0;
	/* An earlier try may have had other anchors. */
	if (!(pinfast_conn_needs(j->conn) & PINFAST_NEED_TRUST) &&
	    !j->had_anchors)
		return NULL;
	anchors = sk_X509_new_null();
	/* A policy that is loaded right now may bring some, or take them. */
	count = anchors == NULL
	            ? -1
	            : pinfast_conn_trust(j->conn, add_anchor, anchors);
	j->had_anchors = count != 0;
	*bad = count < 0;
	if (count > 0) {
		X509_STORE_CTX_set0_trusted_stack(j->xs, anchors);
		X509_STORE_CTX_set_flags(j->xs, X509_V_FLAG_PARTIAL_CHAIN);
	}
	return anchors;
}

void
pf_ossl_judge_leaf(struct pf_ossl_judging *j, X509 *cert,
    enum pinfast_pkix pkix, int failed)
{
	STACK_OF(X509) *alone = sk_X509_new_null();
	struct pf_ossl_certs certs;
	struct pinfast_cert leaf;
	int have;

	if (alone != NULL && cert != NULL)
		sk_X509_push(alone, cert);
	pf_ossl_certs_init(&certs, alone, NULL);
	have = pf_ossl_certs_get(&certs, 0, &leaf) == 0;
	if (failed)
		j->verdict = pinfast_judge_failed(j->conn, have ? &leaf : NULL,
		    PINFAST_REASON_PKIX_FAILED);
	else
		j->verdict =
		    pinfast_judge_leaf(j->conn, have ? &leaf : NULL, pkix);
	pf_ossl_certs_fini(&certs);
	sk_X509_free(alone);
}

struct before {
	struct pf_ossl_certs certs; /* first: what its own callbacks get */
	struct pf_ossl_judging *j;
};

/* Anybody can show what nobody verified: it is kept for this time only. */
static void
keep_leaf(void *arg, size_t index, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct before *b = arg;

	b->j->hashed = sk_X509_value(b->certs.chain, (int)index);
	memcpy(b->j->hashed_pin, pin, PINFAST_PIN_LEN);
}

int
pf_ossl_judge_before(struct pf_ossl_judging *j, X509 *leaf)
{
	STACK_OF(X509) *alone = sk_X509_new_null();
	struct before b = {.j = j};
	struct pinfast_path path;
	int refused = 0;

	if (alone != NULL && leaf != NULL && sk_X509_push(alone, leaf)) {
		pf_ossl_certs_init(&b.certs, alone, j->seen);
		path = pf_ossl_certs_path(&b.certs);
		path.learned = keep_leaf;
		refused = pinfast_judge_before(j->conn, &path);
		j->verdict = pinfast_conn_verdict(j->conn);
		pf_ossl_certs_fini(&b.certs);
	}
	sk_X509_free(alone);
	return refused;
}

static void
judge_path(struct pf_ossl_judging *j, STACK_OF(X509) * chain)
{
	struct pf_ossl_certs certs;
	struct pinfast_path path;

	/* Now that it is verified it may be remembered. */
	if (j->hashed != NULL && j->hashed == sk_X509_value(chain, 0) &&
	    j->seen != NULL)
		pf_ossl_seen_put(j->seen, j->hashed, j->hashed_pin);
	j->hashed = NULL;
	pf_ossl_certs_init(&certs, chain, j->seen);
	path = pf_ossl_certs_path(&certs);
	j->verdict = pinfast_judge_path_lazy(j->conn, &path);
	pf_ossl_certs_fini(&certs);
}

static int
wants(void *arg, X509 *cert)
{
	struct pf_ossl_judging *j = arg;
	unsigned char *der = NULL;
	struct pinfast_bytes bytes;
	struct pf_cert walked;
	int answer = 0;
	int len = i2d_X509(cert, &der);

	bytes.data = der;
	bytes.len = len > 0 ? (size_t)len : 0;
	if (len > 0 && pf_cert_walk(bytes, &walked, NULL) == PINFAST_OK)
		answer = pinfast_conn_wants(j->conn, walked.key.spki);
	OPENSSL_free(der);
	return answer;
}

/* The application sees the path that was judged. */
static int
found(void *arg, STACK_OF(X509) * path)
{
	struct pf_ossl_judging *j = arg;
	STACK_OF(X509) * copy;

	judge_path(j, path);
	if (j->verdict.decision != PINFAST_ALLOW)
		return 0;
	copy = X509_chain_up_ref(path);
	if (copy != NULL)
		X509_STORE_CTX_set0_verified_chain(j->xs, copy);
	return 1;
}

/* The first path does not satisfy the entry: is there one that does? */
static void
search(struct pf_ossl_judging *j)
{
	struct pinfast_verdict first = j->verdict;
	int rejected = first.reason == PINFAST_REASON_REJECTED_KEY;
	struct pf_ossl_search search = {
	    wants, found, j->own, j->own_arg, j, !rejected, j->further};

	if ((first.reason != PINFAST_REASON_PIN_MISMATCH && !rejected) ||
	    j->one_path || !(pinfast_conn_needs(j->conn) & PINFAST_NEED_PATH))
		return;
	switch (pf_ossl_search(j->xs, &search)) {
	case PF_OSSL_FOUND:
		break;
	case PF_OSSL_LIMIT:
		j->verdict = pinfast_judge_failed(j->conn, NULL,
		    PINFAST_REASON_PATH_SEARCH_LIMIT);
		break;
	case PF_OSSL_NONE:
	default:
		/* The keys of the first path are the ones to speak about. */
		judge_path(j, X509_STORE_CTX_get0_chain(j->xs));
		break;
	}
}

void
pf_ossl_judge_verified(struct pf_ossl_judging *j, STACK_OF(X509) * chain)
{
	judge_path(j, chain);
	if (j->verdict.decision != PINFAST_ALLOW)
		search(j);
}
