#include "adapt/ossl/ossl.h"

#include <string.h>

#include <openssl/err.h>

/* Not in OpenSSL's table of alerts, so certificate_unknown is sent, and
 * SSL_get_verify_result() tells the reason: "PIN" and the reason's number. */
#define VERIFY_ERROR 0x50494e00

/* One verification: what OpenSSL said about it and what we make of it. */
struct hook {
	X509_STORE_CTX *xs;
	SSL *ssl;
	struct pf_ossl *st;
	X509 *leaf;
	EVP_PKEY *key; /* a raw public key (RFC 7250): then no certificate */
	struct pf_ossl_judging j;
};

/* The peer's raw public key; NULL: it showed certificates. */
static EVP_PKEY *
raw_key(const X509_STORE_CTX *xs)
{
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
	return X509_STORE_CTX_get0_rpk(xs);
#else
	(void)xs;
	return NULL;
#endif
}

static SSL *
ssl_of(X509_STORE_CTX *xs)
{
	return X509_STORE_CTX_get_ex_data(xs,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
}

/* NULL: the application took our callback over into a context of its own, and
 * did not say whose it is. */
static struct pf_ossl *
state_of(X509_STORE_CTX *xs)
{
	SSL *ssl = ssl_of(xs);

	return ssl != NULL ? pf_ossl_of(ssl) : NULL;
}

/* Sees every error before the application's callback can hide it. */
static int
see(int ok, X509_STORE_CTX *xs)
{
	struct pf_ossl *st = state_of(xs);

	if (st == NULL)
		return 0;
	if (!ok)
		st->saw_error = 1;
	return st->user(ok, xs);
}

/* The same where the application has no callback. */
static int
see_errors(int ok, X509_STORE_CTX *xs)
{
	struct pf_ossl *st = state_of(xs);

	if (!ok && st != NULL)
		st->saw_error = 1;
	return ok;
}

/* On further paths the application may refuse, but nobody forgives. */
static int
see_further(int ok, X509_STORE_CTX *xs)
{
	struct pf_ossl *st = pf_ossl_of(ssl_of(xs));

	return ok && (st->user == NULL || st->user(ok, xs));
}

/* Has the application its own verification callback, on whatever object? */
static int
has_callback(const struct hook *h)
{
	return SSL_get_verify_callback(h->ssl) != NULL ||
	       X509_STORE_get_verify_cb(X509_STORE_CTX_get0_store(h->xs)) !=
	           NULL;
}

/* OpenSSL's own verification, or what the application put in its place. */
static int
run(struct hook *h)
{
	const struct pinfast_openssl_next *next = &h->st->ctx->next;
	X509_STORE_CTX_verify_cb watch = has_callback(h) ? see : see_errors;
	int verified;

	h->st->saw_error = 0;
	h->st->user = X509_STORE_CTX_get_verify_cb(h->xs);
	X509_STORE_CTX_set_verify_cb(h->xs, watch);
	if (next->verify == NULL)
		return X509_verify_cert(h->xs);
	verified = next->verify(h->xs, next->verify_arg);
	/* What another callback was told we cannot know, and some errors
	 * nobody is told of. */
	if (X509_STORE_CTX_get_verify_cb(h->xs) != watch ||
	    X509_STORE_CTX_get_error(h->xs) != X509_V_OK)
		h->st->saw_error = 1;
	return verified;
}

/*
 * The usage of the DANE record that matched; -1: none did.  OpenSSL does not
 * tell while the SSL's result, of an earlier connection or set by hand, is
 * not X509_V_OK; this verification overwrites it anyway.
 */
static int
dane_usage(SSL *ssl)
{
	long before = SSL_get_verify_result(ssl);
	uint8_t usage;
	int depth;

	SSL_set_verify_result(ssl, X509_V_OK);
	depth = SSL_get0_dane_tlsa(ssl, &usage, NULL, NULL, NULL, NULL);
	SSL_set_verify_result(ssl, before);
	return depth >= 0 ? usage : -1;
}

int
pf_ossl_covers(X509 *leaf, const char *name, unsigned flags)
{
	if (pf_is_address(name))
		return X509_check_ip_asc(leaf, name, 0) == 1;
	return X509_check_host(leaf, name, 0, flags | PF_OSSL_NAMES, NULL) == 1;
}

/* Has the library compared the leaf with exactly this name? */
static int
library_checked(X509_VERIFY_PARAM *param, const char *name)
{
	const char *host = X509_VERIFY_PARAM_get0_host(param, 0);

	unsigned flags = X509_VERIFY_PARAM_get_hostflags(param);

	return host != NULL && X509_VERIFY_PARAM_get0_host(param, 1) == NULL &&
	       strcmp(host, name) == 0 &&
	       (flags & PF_OSSL_NAMES) == PF_OSSL_NAMES;
}

/*
 * Was the name verified?  1: yes, 0: there is none that could be, -1: the leaf
 * is somebody else's.
 */
static int
name_verified(const struct hook *h)
{
	const struct pf_attached *a = &h->st->a;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(h->xs);
	unsigned flags = X509_VERIFY_PARAM_get_hostflags(param);
	int own = h->st->ctx->next.verify != NULL;
	const char *name;
	char *address;

	if (a->server)
		return 1;
	if (a->has_host) {
		if (!own && library_checked(param, a->host))
			return 1;
		return pf_ossl_covers(h->leaf, a->host, flags) ? 1 : -1;
	}
	address = pf_ossl_address(param);
	name = X509_VERIFY_PARAM_get0_host(param, 0);
	if (name == NULL && address == NULL) {
		name = SSL_get_servername(h->ssl, TLSEXT_NAMETYPE_host_name);
		if (name == NULL)
			return 0;
		return pf_ossl_covers(h->leaf, name, flags) ? 1 : -1;
	}
	own =
	    own && (name != NULL ? !pf_ossl_covers(h->leaf, name, flags)
	                         : X509_check_ip_asc(h->leaf, address, 0) != 1);
	OPENSSL_free(address);
	return own ? -1 : 1;
}

/* OpenSSL keeps no bytes of a raw key: what is judged is the very key that it
 * uses, encoded again, so that there is no second reading to compare. */
static void
judge_raw_key(struct hook *h)
{
	struct pinfast_bytes spki;
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(h->key, &der);

	spki.data = der;
	spki.len = len > 0 ? (size_t)len : 0;
	h->j.verdict = pinfast_judge_key(h->j.conn, spki);
	OPENSSL_free(der);
}

static void
judge_leaf(struct hook *h, enum pinfast_pkix pkix, int failed)
{
	if (h->key != NULL && !failed)
		judge_raw_key(h);
	else
		pf_ossl_judge_leaf(&h->j, h->leaf, pkix, failed);
}

/* The path that OpenSSL verified, further ones when that does not do. */
static void
judge_verified(struct hook *h)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(h->xs);
	int usage = dane_usage(h->ssl);
	int named;

	/* DANE-TA and DANE-EE stand in for PKIX: nothing was proved by it. */
	if (chain == NULL || sk_X509_num(chain) == 0 || usage >= 2) {
		judge_leaf(h, PINFAST_PKIX_NOT_RUN, 0);
		return;
	}
	named = name_verified(h);
	if (named == 0) {
		judge_leaf(h, PINFAST_PKIX_NOT_RUN, 0);
	} else if (named < 0) {
		X509_STORE_CTX_set_error(h->xs, X509_V_ERR_HOSTNAME_MISMATCH);
		judge_leaf(h, PINFAST_PKIX_FAILED, 1);
	} else {
		/* DANE has picked this path: another could not be held
		 * against it. */
		h->j.one_path = usage >= 0;
		pf_ossl_judge_verified(&h->j, chain);
	}
}

/* What verification proved, in the judge's terms. */
static void
judge(struct hook *h, int verified)
{
	int ignored =
	    !h->st->a.server && SSL_get_verify_mode(h->ssl) == SSL_VERIFY_NONE;

	if (verified <= 0 && !ignored)
		judge_leaf(h, PINFAST_PKIX_FAILED, 1);
	else if (verified <= 0 || h->st->saw_error)
		judge_leaf(h, PINFAST_PKIX_OVERRIDDEN, 0);
	else
		judge_verified(h);
	h->st->a.by_peer = 1;
}

/* Makes the handshake fail, also when nobody wanted verification. */
static int
refuse(struct hook *h, int32_t reason)
{
	int error = X509_STORE_CTX_get_error(h->xs);

	SSL_set_verify(h->ssl, SSL_get_verify_mode(h->ssl) | SSL_VERIFY_PEER,
	    SSL_get_verify_callback(h->ssl));
	if (error == X509_V_OK || reason != PINFAST_REASON_PKIX_FAILED)
		X509_STORE_CTX_set_error(h->xs, VERIFY_ERROR + (int)reason);
	if (h->st != NULL) {
		pf_ossl_raise(h->st, reason);
		pf_ossl_tell(h->ssl, h->st);
	}
	return 0;
}

static int
conclude(struct hook *h, int verified)
{
	if (h->j.verdict.decision != PINFAST_ALLOW) {
		struct pinfast_verdict verdict =
		    pinfast_conn_settle(h->st->a.conn);

		return refuse(h, verdict.reason);
	}
	/* A pin that replaces PKIX, or nobody wanted PKIX. */
	if (verified <= 0 && SSL_get_verify_mode(h->ssl) != SSL_VERIFY_NONE) {
		X509_STORE_CTX_set_error(h->xs, X509_V_OK);
		return 1;
	}
	return verified;
}

/* To a policy that is loaded right now, and wants it, nothing has verified. */
static int
judge_leaf_only(struct hook *h)
{
	judge_leaf(h, PINFAST_PKIX_FAILED, h->key == NULL);
	if (h->j.verdict.decision == PINFAST_ALLOW &&
	    h->j.verdict.reason != PINFAST_REASON_PIN_MATCHED)
		h->j.verdict = pinfast_judge_failed(h->st->a.conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	h->st->a.by_peer = 1;
	X509_STORE_CTX_set_error(h->xs, X509_V_OK);
	return conclude(h, 1);
}

/* Is the application still making up its mind (SSL_set_retry_verify())?  A
 * server goes on as if it had not asked. */
static int
asks_again(SSL *ssl, int verified)
{
	return verified > 0 && !SSL_is_server(ssl) &&
	       SSL_want(ssl) == SSL_RETRY_VERIFY;
}

/* What was seen before has no dates but those that OpenSSL finds good today:
 * not where the application has another clock, or none. */
static struct pf_ossl_seen *
seen(const struct hook *h)
{
	unsigned long flags =
	    X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(h->xs));

	if (flags & (X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_USE_CHECK_TIME))
		return NULL;
	return &h->st->ctx->seen;
}

/* With the anchors that count, in place. */
static int
verify_under(struct hook *h, int bad)
{
	int verified;

	if (pf_ossl_judge_before(&h->j, h->leaf)) {
		h->st->a.by_peer = 1;
		return conclude(h, 0);
	}
	verified = bad ? 0 : run(h);
	if (asks_again(h->ssl, verified))
		return verified;
	judge(h, verified);
	return conclude(h, verified);
}

static int
verify(struct hook *h)
{
	STACK_OF(X509) * anchors;
	int verified, bad;

	h->j.xs = h->xs;
	h->j.conn = h->st->a.conn;
	h->key = raw_key(h->xs);
	h->leaf = X509_STORE_CTX_get0_cert(h->xs);
	h->j.seen = seen(h);
	h->j.further = see_further;
	h->j.own = h->st->ctx->next.verify;
	h->j.own_arg = h->st->ctx->next.verify_arg;
	h->j.had_anchors = h->st->had_anchors;
	if (pinfast_conn_needs(h->st->a.conn) == PINFAST_NEED_LEAF_ONLY)
		return judge_leaf_only(h);
	anchors = pf_ossl_use_anchors(&h->j, &bad);
	h->st->had_anchors = h->j.had_anchors;
	verified = verify_under(h, bad);
	if (anchors != NULL)
		X509_STORE_CTX_set0_trusted_stack(h->xs, NULL);
	sk_X509_pop_free(anchors, X509_free);
	return verified;
}

int
pf_ossl_verify(X509_STORE_CTX *xs, void *arg)
{
	struct hook h;

	(void)arg;
	memset(&h, 0, sizeof h);
	h.xs = xs;
	h.ssl = ssl_of(xs);
	h.st = pf_ossl_make(h.ssl);
	if (h.st == NULL) {
		X509_STORE_CTX_set_error(xs, X509_V_ERR_OUT_OF_MEM);
		return refuse(&h, PINFAST_REASON_NOT_JUDGED);
	}
	/* SSL_set_SSL_CTX() may have put another in its place. */
	h.st->ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(h.ssl));
	if (h.st->ctx == NULL) {
		X509_STORE_CTX_set_error(xs, X509_V_ERR_UNSPECIFIED);
		return refuse(&h, PINFAST_REASON_NOT_JUDGED);
	}
	/* Nobody told us of this handshake's beginning, or it is another. */
	if (pf_ossl_judging_now(h.ssl, h.st) != PINFAST_OK) {
		X509_STORE_CTX_set_error(xs, X509_V_ERR_OUT_OF_MEM);
		return refuse(&h, PINFAST_REASON_NOT_JUDGED);
	}
	if (h.st->a.doomed)
		return refuse(&h, PINFAST_REASON_NOT_JUDGED);
	return verify(&h);
}
