#include "adapt/ossl/ossl.h"

#include <openssl/err.h>

#include "adapt/budget.h"

/* One search: a walk, depth first, over who may have issued whom. */
struct walk {
	X509_STORE_CTX *xs;
	const struct pf_ossl_search *search;
	X509 *path[PINFAST_PATH_MAX];
	/* Who may have issued path[i]: ours, and which one comes next. */
	STACK_OF(X509) * issuers[PINFAST_PATH_MAX];
	int anchors[PINFAST_PATH_MAX]; /* that many of them are anchors */
	int turn[PINFAST_PATH_MAX];
	int depth;
	int builds;
	int checks;
	int steps;
	enum pf_ossl_searched end;
};

static int
in_path(const struct walk *w, X509 *cert)
{
	for (int i = 0; i <= w->depth; i++)
		if (X509_cmp(w->path[i], cert) == 0)
			return 1;
	return 0;
}

/* Anchors first, then what the peer sent.  NULL: out of memory. */
static STACK_OF(X509) * issuers_of(struct walk *w, X509 *cert, int *anchors)
{
	const X509_NAME *name = X509_get_issuer_name(cert);
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(w->xs);
	/* As OpenSSL looks anchors up: in the store or a trusted stack. */
	STACK_OF(X509) *all =
	    X509_STORE_CTX_get_lookup_certs(w->xs)(w->xs, name);

	if (all == NULL)
		all = sk_X509_new_null();
	if (all == NULL)
		return NULL;
	*anchors = sk_X509_num(all);
	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *other = sk_X509_value(sent, i);

		if (X509_NAME_cmp(X509_get_subject_name(other), name) != 0 ||
		    X509_check_issued(other, cert) != X509_V_OK)
			continue;
		if (!X509_up_ref(other))
			break;
		if (!sk_X509_push(all, other)) {
			X509_free(other);
			break;
		}
	}
	return all;
}

/* Does the walk's path promise anything? */
static int
is_promising(const struct walk *w)
{
	int promising = 0;

	for (int i = 0; i <= w->depth; i++) {
		int wants = w->search->wants(w->search->arg, w->path[i]);

		if (wants < 0)
			return 0;
		promising |= wants;
	}
	return promising || !w->search->needs_wanted;
}

/* A context like xs, but with one anchor and one way to it. */
static X509_STORE_CTX *
narrow(struct walk *w, STACK_OF(X509) * sent, STACK_OF(X509) * anchor)
{
	X509_STORE_CTX *xs = w->xs;
	X509_STORE_CTX *one = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param = X509_VERIFY_PARAM_new();
	int ssl = SSL_get_ex_data_X509_STORE_CTX_idx();

	if (one == NULL || param == NULL ||
	    !X509_STORE_CTX_init(one, X509_STORE_CTX_get0_store(xs), w->path[0],
	        sent) ||
	    !X509_VERIFY_PARAM_set1(param, X509_STORE_CTX_get0_param(xs)) ||
	    !X509_STORE_CTX_set_ex_data(one, ssl,
	        X509_STORE_CTX_get_ex_data(xs, ssl))) {
		X509_VERIFY_PARAM_free(param);
		X509_STORE_CTX_free(one);
		return NULL;
	}
	X509_STORE_CTX_set0_param(one, param);
	X509_STORE_CTX_set0_trusted_stack(one, anchor);
	if (w->search->verify != NULL)
		X509_STORE_CTX_set_verify_cb(one, w->search->verify);
	return one;
}

/* The path that one has verified, without the help of a callback that was put
 * in the place of ours; NULL: none. */
static STACK_OF(X509) *
    verified(const struct walk *w, X509_STORE_CTX *one, int says)
{
	if (says != 1 || X509_STORE_CTX_get_error(one) != X509_V_OK ||
	    (w->search->verify != NULL &&
	        X509_STORE_CTX_get_verify_cb(one) != w->search->verify))
		return NULL;
	return X509_STORE_CTX_get0_chain(one);
}

/* The application may see in the same path what OpenSSL does not. */
static int
application_agrees(struct walk *w, STACK_OF(X509) * sent,
    STACK_OF(X509) * anchor)
{
	X509_STORE_CTX *one;
	int agrees = 0;

	if (w->search->own == NULL)
		return 1;
	w->checks += w->depth + 1;
	one = narrow(w, sent, anchor);
	if (one != NULL)
		agrees = verified(w, one,
		             w->search->own(one, w->search->own_arg)) != NULL;
	X509_STORE_CTX_free(one);
	return agrees;
}

static int
verify(struct walk *w, STACK_OF(X509) * sent, STACK_OF(X509) * anchor)
{
	STACK_OF(X509) * path;
	X509_STORE_CTX *one;
	int verdict = 0;

	for (int i = 1; i < w->depth; i++)
		if (!sk_X509_push(sent, w->path[i]))
			return 0;
	if (!sk_X509_push(anchor, w->path[w->depth]))
		return 0;
	one = narrow(w, sent, anchor);
	if (one == NULL)
		return 0;
	path = verified(w, one, X509_verify_cert(one));
	if (path != NULL && application_agrees(w, sent, anchor))
		verdict = w->search->found(w->search->arg, path);
	X509_STORE_CTX_free(one);
	return verdict;
}

/* path[depth] is an anchor: has OpenSSL the same opinion of this path? */
static void
build(struct walk *w)
{
	STACK_OF(X509) * sent, *anchor;

	if (!is_promising(w))
		return;
	if (w->builds == PF_BUDGET_BUILDS ||
	    w->checks + w->depth + 1 > PF_BUDGET_CHECKS) {
		w->end = PF_OSSL_LIMIT;
		return;
	}
	w->builds++;
	w->checks += w->depth + 1;
	sent = sk_X509_new_null();
	anchor = sk_X509_new_null();
	if (sent != NULL && anchor != NULL && verify(w, sent, anchor))
		w->end = PF_OSSL_FOUND;
	sk_X509_free(sent);
	sk_X509_free(anchor);
}

static int
is_self_issued(X509 *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(cert),
	           X509_get_issuer_name(cert)) == 0;
}

/* Opens the list of issuers of path[depth]. */
static void
look_up(struct walk *w)
{
	int at = w->depth;

	w->turn[at] = 0;
	w->issuers[at] = issuers_of(w, w->path[at], &w->anchors[at]);
	if (w->issuers[at] == NULL)
		w->end = PF_OSSL_LIMIT;
}

/* Takes the next issuer of path[depth], or goes back. */
static void
step(struct walk *w)
{
	int at = w->depth;
	int turn = w->turn[at]++;
	X509 *issuer;

	if (turn >= sk_X509_num(w->issuers[at])) {
		sk_X509_pop_free(w->issuers[at], X509_free);
		w->issuers[at] = NULL;
		w->depth--;
		return;
	}
	if (++w->steps > PF_BUDGET_STEPS) {
		w->end = PF_OSSL_LIMIT;
		return;
	}
	issuer = sk_X509_value(w->issuers[at], turn);
	if (in_path(w, issuer) || at + 1 == PINFAST_PATH_MAX)
		return;
	w->path[++w->depth] = issuer;
	if (turn < w->anchors[at])
		build(w);
	/* An anchor that somebody issued may stand in the middle as well. */
	if (w->end == PF_OSSL_NONE && !is_self_issued(issuer))
		look_up(w);
	else
		w->depth--;
}

enum pf_ossl_searched
pf_ossl_search(X509_STORE_CTX *xs, const struct pf_ossl_search *search)
{
	struct walk w = {.xs = xs, .search = search};

	w.path[0] = X509_STORE_CTX_get0_cert(xs);
	if (w.path[0] == NULL || search->wants(search->arg, w.path[0]) < 0)
		return PF_OSSL_NONE;
	ERR_set_mark();
	look_up(&w);
	while (w.depth >= 0 && w.end == PF_OSSL_NONE)
		step(&w);
	for (int i = 0; i < PINFAST_PATH_MAX; i++)
		sk_X509_pop_free(w.issuers[i], X509_free);
	ERR_pop_to_mark();
	return w.end;
}
