#include "adapt/gtls/gtls_verify.h"

#include <stddef.h>
#include <string.h>

/* The path that was verified last, as links; how long it is. */
static size_t
set_links(struct pf_gtls_work *w)
{
	struct pinfast_bytes path[PINFAST_PATH_MAX];
	size_t count = pf_gtls_edges_path(&w->edges, w->links[0].der, path,
	    PINFAST_PATH_MAX);

	for (size_t i = 1; i < count && i < PINFAST_PATH_MAX; i++)
		pf_link_recall(&w->links[i], path[i], w->p.seen);
	return count;
}

/* --------------------------------------------------- what is said of a path */

/* What it says points into the certificate and at constants. */
static int
view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	struct pf_gtls_work *w = arg;
	gnutls_x509_crt_t cert = link->object;
	gnutls_pubkey_t key;
	int ours = cert == NULL && index > 0;

	/* The judge says for itself that this cannot be walked, and what
	 * GnuTLS cannot read, it cannot agree about. */
	if (cert == NULL && link->is_walked)
		cert = index == 0 ? pf_gtls_leaf(w) : pf_gtls_import(link->der);
	if (cert == NULL)
		return 0;
	if (gnutls_pubkey_init(&key) == 0) {
		if (gnutls_pubkey_import_x509(key, cert, 0) == 0)
			pf_gtls_key_view(key, &link->walked.key, out);
		gnutls_pubkey_deinit(key);
	}
	if (ours)
		pf_gtls_release(cert);
	return 0;
}

/* ------------------------------------------------------------------ judging */

static void
judge_verified(struct pf_gtls_work *w)
{
	const struct pf_link *path[PINFAST_PATH_MAX];
	struct pf_gtls_edges first;
	size_t count = set_links(w);
	int32_t reason;

	for (size_t i = 0; i < PINFAST_PATH_MAX; i++)
		path[i] = &w->links[i];
	w->p.one_path = 1;
	w->j->verdict = pf_paths_verified(&w->p, path, count);
	reason = w->j->verdict.reason;
	if (w->j->verdict.decision == PINFAST_ALLOW ||
	    (reason != PINFAST_REASON_PIN_MISMATCH &&
	        reason != PINFAST_REASON_REJECTED_KEY) ||
	    !(pinfast_conn_needs(w->j->conn) & PINFAST_NEED_PATH))
		return;
	/* Its certificates must outlive the verification of others. */
	first = w->edges;
	w->edges.count = 0;
	pf_gtls_search(w, path, count);
	pf_gtls_edges_fini(&first);
}

/* What GnuTLS and the application said, in the judge's terms. */
static void
judge(struct pf_gtls_work *w, int verified)
{
	const struct pinfast_gnutls_next *next = w->j->next;
	int accepted = -1;

	if (next != NULL && next->verify != NULL)
		accepted = next->verify(w->j->session) == 0;
	if (accepted == 0)
		w->j->verdict =
		    pf_paths_failed(&w->p, PINFAST_REASON_PKIX_FAILED);
	else if (!verified && accepted == 1)
		w->j->verdict = pf_paths_leaf(&w->p, PINFAST_PKIX_OVERRIDDEN);
	else if (!verified)
		w->j->verdict =
		    pf_paths_failed(&w->p, PINFAST_REASON_PKIX_FAILED);
	else if (w->j->host == NULL && !w->j->server)
		w->j->verdict = pf_paths_leaf(&w->p, PINFAST_PKIX_NOT_RUN);
	else
		judge_verified(w);
}

static void
judge_certificates(struct pf_gtls_work *w)
{
	unsigned needs = pinfast_conn_needs(w->j->conn);
	int own = 0;

	if (needs == PINFAST_NEED_LEAF_ONLY) {
		/* To a policy that is loaded right now, and wants it, nothing
		 * has verified. */
		w->j->verdict =
		    pf_paths_failed(&w->p, PINFAST_REASON_PKIX_FAILED);
		return;
	}
	/* Anchors that it was judged under before may count no more. */
	if ((needs & PINFAST_NEED_TRUST) ||
	    pinfast_conn_verdict(w->j->conn).reason !=
	        PINFAST_REASON_NOT_JUDGED)
		own = pf_gtls_own_anchors(w);
	if (pf_paths_before(&w->p))
		w->j->verdict = pinfast_conn_verdict(w->j->conn);
	else
		judge(w, pf_gtls_verified(w, own));
}

/* RFC 7250: what was sent is the key itself, which GnuTLS must read as we do;
 * what it reads otherwise counts as no key at all. */
static void
judge_raw_key(struct pf_gtls_work *w)
{
	struct pinfast_bytes spki = {w->peers[0].data, w->peers[0].size};
	struct pinfast_cert theirs;
	struct pf_key ours;
	gnutls_pubkey_t key;
	int same = 0;

	memset(&theirs, 0, sizeof theirs);
	if (pf_spki_walk(spki, &ours, NULL) == PINFAST_OK &&
	    gnutls_pubkey_init(&key) == 0) {
		if (gnutls_pubkey_import(key, w->peers, GNUTLS_X509_FMT_DER) ==
		    0) {
			pf_gtls_key_view(key, &ours, &theirs);
			same = pf_key_same(&ours, &theirs);
		}
		gnutls_pubkey_deinit(key);
	}
	if (!same)
		spki.len = 0;
	w->j->verdict = pinfast_judge_key(w->j->conn, spki);
}

/* Of all sessions: GnuTLS reads a certificate anew for whoever asks for its
 * key.  Not where the application has it look at no dates. */
static struct pf_seen *
seen(gnutls_certificate_credentials_t cred)
{
	static struct pf_seen all = PF_SEEN_EMPTY;

	return gnutls_certificate_get_verify_flags(cred) &
	               (GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
	                   GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS)
	           ? NULL
	           : &all;
}

/* 0: the peer has shown nothing. */
static int
begin(struct pf_gtls_work *w, struct pf_gtls_judging *j)
{
	struct pinfast_bytes leaf;
	void *cred = NULL;

	memset(w, 0, offsetof(struct pf_gtls_work, own));
	w->j = j;
	pf_pool_init(&w->own);
	w->peers = gnutls_certificate_get_peers(j->session, &w->peer_count);
	pf_gtls_edges_init(&w->edges, w->peers, w->peer_count);
	if (w->peers == NULL || w->peer_count == 0 ||
	    gnutls_credentials_get(j->session, GNUTLS_CRD_CERTIFICATE, &cred) !=
	        0)
		return 0;
	w->cred = cred;
	leaf.data = w->peers[0].data;
	leaf.len = w->peers[0].size;
	w->p.conn = j->conn;
	w->p.leaf = &w->links[0];
	w->p.arg = w;
	w->p.view = view;
	if (j->remembers)
		w->p.seen = seen(w->cred);
	pf_link_recall(&w->links[0], leaf, w->p.seen);
	return 1;
}

static void
end(struct pf_gtls_work *w)
{
	pf_gtls_edges_fini(&w->edges);
	pf_pool_fini(&w->own, pf_gtls_release);
	pf_gtls_release(w->leaf);
}

void
pf_gtls_judge(struct pf_gtls_judging *j)
{
	struct pf_gtls_work w;

	if (!begin(&w, j))
		j->verdict = pinfast_judge_failed(j->conn, NULL,
		    PINFAST_REASON_NO_CERTIFICATE);
	else if (gnutls_certificate_type_get2(j->session, GNUTLS_CTYPE_PEERS) ==
	         GNUTLS_CRT_RAWPK)
		judge_raw_key(&w);
	else
		judge_certificates(&w);
	end(&w);
}

enum pinfast_error
pf_gtls_complete(struct pf_gtls_judging *j)
{
	enum pinfast_error error = PINFAST_EUSAGE;
	struct pinfast_path path;
	struct pf_gtls_work w;

	if (begin(&w, j) && pf_gtls_verified(&w, pf_gtls_own_anchors(&w))) {
		w.p.count = set_links(&w);
		for (size_t i = 0; i < PINFAST_PATH_MAX; i++)
			w.p.path[i] = &w.links[i];
		path = pf_paths_last(&w.p);
		error = pinfast_conn_complete(j->conn, &path);
	}
	end(&w);
	return error;
}
