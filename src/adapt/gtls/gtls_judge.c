#include "adapt/gtls/gtls.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/covers.h"

/* One verification: what GnuTLS said about it and what we make of it. */
struct work {
	struct pf_gtls_judging *j;
	gnutls_certificate_credentials_t cred;
	const gnutls_datum_t *peers; /* as they were sent, leaf first */
	unsigned peer_count;
	gnutls_x509_crt_t leaf; /* imported when it is needed */
	struct pf_pool own;     /* the entry's anchors */
	struct pf_paths p;
	struct pf_link links[PINFAST_PATH_MAX];
	struct pf_gtls_edges edges;
};

/* GnuTLS's own form of a certificate; NULL: it cannot read it. */
static gnutls_x509_crt_t
import(struct pinfast_bytes der)
{
	gnutls_datum_t datum;
	gnutls_x509_crt_t cert;

	/* GnuTLS declares what it only reads without const. */
	memcpy(&datum.data, &der.data, sizeof datum.data);
	datum.size = (unsigned)der.len;
	if (gnutls_x509_crt_init(&cert) != 0)
		return NULL;
	if (gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_DER) == 0)
		return cert;
	gnutls_x509_crt_deinit(cert);
	return NULL;
}

static void
release(void *object)
{
	if (object != NULL)
		gnutls_x509_crt_deinit(object);
}

static gnutls_x509_crt_t
leaf_of(struct work *w)
{
	if (w->leaf == NULL)
		w->leaf = import(w->links[0].der);
	return w->leaf;
}

/* -------------------------------------------------------------------- names */

/* What GnuTLS is told to compare the leaf with; how many. */
static unsigned
reference(const struct pf_gtls_judging *j, gnutls_typed_vdata_st data[2])
{
	static char server[] = GNUTLS_KP_TLS_WWW_SERVER;
	static char client[] = GNUTLS_KP_TLS_WWW_CLIENT;

	memset(data, 0, 2 * sizeof data[0]);
	data[0].type = GNUTLS_DT_KEY_PURPOSE_OID;
	data[0].data = (unsigned char *)(j->server ? client : server);
	if (j->host == NULL)
		return 1;
	data[1].type = GNUTLS_DT_DNS_HOSTNAME;
	memcpy(&data[1].data, &j->host, sizeof data[1].data);
	return 2;
}

/* -------------------------------------------------------------------- trust */

static int
add_anchor(void *arg, struct pinfast_bytes der)
{
	struct pf_pool *pool = arg;
	gnutls_x509_crt_t cert = import(der);

	if (cert == NULL)
		return 1;
	if (pf_pool_add_copy(pool, der, cert) == PINFAST_OK)
		return 0;
	gnutls_x509_crt_deinit(cert);
	return 1;
}

/* The entry's own anchors; -1: they cannot be had, 0: it has none. */
static int
own_anchors(struct work *w)
{
	int count = pinfast_conn_trust(w->j->conn, add_anchor, &w->own);

	return count < 0 ? -1 : count;
}

static int
add_trusted(struct work *w, struct pf_pool *pool)
{
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t cert;

	gnutls_certificate_get_trust_list(w->cred, &list);
	while (gnutls_x509_trust_list_iter_get_ca(list, &iter, &cert) == 0) {
		gnutls_datum_t der;
		struct pinfast_bytes bytes;
		enum pinfast_error error = PINFAST_ENOMEM;

		if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &der) ==
		    0) {
			bytes.data = der.data;
			bytes.len = der.size;
			error = pf_pool_add_copy(pool, bytes, cert);
			gnutls_free(der.data);
		}
		if (error != PINFAST_OK)
			gnutls_x509_crt_deinit(cert);
		if (error == PINFAST_ENOMEM)
			break;
	}
	/* Gone, unless it was left half way. */
	if (iter == NULL)
		return 0;
	gnutls_x509_trust_list_iter_deinit(iter);
	return -1;
}

/* ---------------------------------------------------------------- verifying */

/* Verifies certs[0..count) under list; 1: GnuTLS finds nothing wrong.  The
 * edges are those of this verification. */
static int
verify_under(struct work *w, gnutls_x509_trust_list_t list,
    gnutls_x509_crt_t *certs, unsigned count, unsigned *status)
{
	gnutls_typed_vdata_st data[2];
	unsigned flags = gnutls_certificate_get_verify_flags(w->cred);
	unsigned n = reference(w->j, data);
	int error;

	/* GnuTLS tells nobody what the priorities ask for.  Without a profile
	 * it would look at no key's length at all. */
	if ((flags & GNUTLS_VFLAGS_PROFILE_MASK) == 0)
		flags |= GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_LOW);
	*status = GNUTLS_CERT_INVALID;
	pf_gtls_edges_fini(&w->edges);
	pf_gtls_edges_begin(&w->edges,
	    w->j->next != NULL ? w->j->next->output : NULL);
	error = gnutls_x509_trust_list_verify_crt2(list, certs, count, data, n,
	    flags, status, pf_gtls_on_edge);
	pf_gtls_edges_end();
	return error == 0 && *status == 0;
}

/* Under the application's anchors, with all that it has set. */
static int
verify_peers(struct work *w, unsigned *status)
{
	gnutls_session_t session = w->j->session;
	gnutls_verify_output_function *next =
	    w->j->next != NULL ? w->j->next->output : NULL;
	gnutls_typed_vdata_st data[2];
	unsigned n = reference(w->j, data);
	int error;

	*status = GNUTLS_CERT_INVALID;
	pf_gtls_edges_fini(&w->edges);
	pf_gtls_edges_begin(&w->edges, next);
	gnutls_session_set_verify_output_function(session, pf_gtls_on_edge);
	error = gnutls_certificate_verify_peers(session, data, n, status);
	gnutls_session_set_verify_output_function(session, next);
	pf_gtls_edges_end();
	return error == 0 && *status == 0;
}

static gnutls_x509_trust_list_t
list_of(gnutls_x509_crt_t *anchors, unsigned count)
{
	gnutls_x509_trust_list_t list;

	if (gnutls_x509_trust_list_init(&list, 0) != 0)
		return NULL;
	if (gnutls_x509_trust_list_add_cas(list, anchors, count, 0) ==
	    (int)count)
		return list;
	gnutls_x509_trust_list_deinit(list, 0);
	return NULL;
}

/* Credentials of the entry's anchors alone; NULL: out of memory. */
static gnutls_certificate_credentials_t
own_cred(const struct work *w)
{
	int count = (int)w->own.count, added = -1;
	gnutls_x509_crt_t *anchors = calloc(w->own.count, sizeof *anchors);
	gnutls_certificate_credentials_t cred = NULL;

	if (anchors == NULL ||
	    gnutls_certificate_allocate_credentials(&cred) != 0) {
		free(anchors);
		return NULL;
	}
	for (int i = 0; i < count; i++)
		anchors[i] = w->own.links[i].object;
	added = gnutls_certificate_set_x509_trust(cred, anchors, count);
	free(anchors);
	gnutls_certificate_set_verify_flags(cred,
	    gnutls_certificate_get_verify_flags(w->cred));
	if (added == count)
		return cred;
	gnutls_certificate_free_credentials(cred);
	return NULL;
}

/* Only with credentials does GnuTLS heed what the session's priorities ask of
 * keys and signatures; those of the application are for other sessions, too. */
static int
verify_own(struct work *w)
{
	gnutls_session_t session = w->j->session;
	gnutls_certificate_credentials_t cred;
	unsigned status;
	int fine;

	/* What the application has revoked stays so under other anchors. */
	(void)verify_peers(w, &status);
	if (status & GNUTLS_CERT_REVOKED)
		return 0;
	cred = own_cred(w);
	if (cred == NULL)
		return 0;
	/* There are such already: they are replaced, and nothing can fail. */
	(void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred);
	fine = verify_peers(w, &status);
	(void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, w->cred);
	gnutls_certificate_free_credentials(cred);
	return fine;
}

/* The path that was verified last, as links; how long it is. */
static size_t
set_links(struct work *w)
{
	struct pinfast_bytes path[PINFAST_PATH_MAX];
	size_t count = pf_gtls_edges_path(&w->edges, w->links[0].der, path,
	    PINFAST_PATH_MAX);

	for (size_t i = 1; i < count && i < PINFAST_PATH_MAX; i++)
		(void)pf_link_set(&w->links[i], path[i], NULL);
	return count;
}

/* --------------------------------------------------- what is said of a path */

/* What it says points into the certificate and at constants. */
static int
view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	struct work *w = arg;
	gnutls_x509_crt_t cert = link->object;
	gnutls_pubkey_t key;
	int ours = cert == NULL && index > 0;

	/* The judge says for itself that this cannot be walked, and what
	 * GnuTLS cannot read, it cannot agree about. */
	if (cert == NULL && link->is_walked)
		cert = index == 0 ? leaf_of(w) : import(link->der);
	if (cert == NULL)
		return 0;
	if (gnutls_pubkey_init(&key) == 0) {
		if (gnutls_pubkey_import_x509(key, cert, 0) == 0)
			pf_gtls_key_view(key, &link->walked.key, out);
		gnutls_pubkey_deinit(key);
	}
	if (ours)
		release(cert);
	return 0;
}

/* Under one anchor, through exactly these. */
static int
verify_exactly(struct work *w, const struct pf_link *const *path, size_t count)
{
	gnutls_x509_crt_t certs[PINFAST_PATH_MAX];
	struct pinfast_bytes seen[PINFAST_PATH_MAX];
	gnutls_x509_trust_list_t list;
	unsigned status;
	int fine;

	for (size_t i = 0; i < count; i++) {
		certs[i] = i == 0 ? leaf_of(w) : path[i]->object;
		if (certs[i] == NULL)
			return 0;
	}
	list = list_of(&certs[count - 1], 1);
	if (list == NULL)
		return 0;
	fine = verify_under(w, list, certs,
	    (unsigned)(count > 1 ? count - 1 : 1), &status);
	gnutls_x509_trust_list_deinit(list, 0);
	if (!fine || pf_gtls_edges_path(&w->edges, path[0]->der, seen,
	                 PINFAST_PATH_MAX) != count)
		return 0;
	for (size_t i = 1; i < count; i++)
		if (seen[i].len != path[i]->der.len ||
		    memcmp(seen[i].data, path[i]->der.data, seen[i].len) != 0)
			return 0;
	return 1;
}

/* GnuTLS hands nobody its CRLs: does it find one of these revoked under the
 * application's own list?  That looks no further than to the first of its
 * anchors, so those that come behind one are asked about again. */
static int
is_revoked(struct work *w, const struct pf_link *const *path, size_t count)
{
	gnutls_x509_crt_t certs[PINFAST_PATH_MAX];
	gnutls_x509_trust_list_t list;
	unsigned status;

	gnutls_certificate_get_trust_list(w->cred, &list);
	for (size_t i = 0; i < count; i++)
		certs[i] = i == 0 ? leaf_of(w) : path[i]->object;
	for (size_t i = 0; i + 1 < count; i++) {
		if (i > 0 && pf_pool_find(w->p.anchors, path[i]) == NULL)
			continue;
		/* Who cannot say is not taken for one that denies it. */
		status = 0;
		if (gnutls_x509_trust_list_verify_crt2(list, certs + i,
		        (unsigned)(count - i), NULL, 0,
		        gnutls_certificate_get_verify_flags(w->cred), &status,
		        NULL) != 0 ||
		    (status & GNUTLS_CERT_REVOKED) != 0)
			return 1;
	}
	return 0;
}

static int
verify_path(void *arg, const struct pf_link *const *path, size_t count)
{
	struct work *w = arg;

	return verify_exactly(w, path, count) && !is_revoked(w, path, count);
}

/* ------------------------------------------------------------------ judging */

/* Fills what a search needs; 0: out of memory. */
static int
fill_pools(struct work *w, struct pf_pool *sent, struct pf_pool *anchors)
{
	for (unsigned i = 1; i < w->peer_count; i++) {
		struct pinfast_bytes der = {w->peers[i].data, w->peers[i].size};
		gnutls_x509_crt_t cert = import(der);

		if (cert == NULL)
			continue;
		if (pf_pool_add(sent, der, cert) != PINFAST_OK)
			gnutls_x509_crt_deinit(cert);
	}
	return w->own.count > 0 || add_trusted(w, anchors) == 0;
}

/* The first path does not do: with all that leads to an anchor at hand. */
static void
search(struct work *w, const struct pf_link *const *first, size_t count)
{
	struct pf_pool sent, anchors;
	int own = w->own.count > 0;

	pf_pool_init(&sent);
	pf_pool_init(&anchors);
	if (fill_pools(w, &sent, &anchors)) {
		w->p.sent = &sent;
		w->p.anchors = own ? &w->own : &anchors;
		w->p.one_path = 0;
		w->j->verdict = pf_paths_verified(&w->p, first, count);
	} else {
		w->j->verdict =
		    pf_paths_failed(&w->p, PINFAST_REASON_PATH_SEARCH_LIMIT);
	}
	w->p.sent = w->p.anchors = NULL;
	pf_pool_fini(&sent, release);
	pf_pool_fini(&anchors, release);
}

static void
judge_verified(struct work *w)
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
	memset(&w->edges, 0, sizeof w->edges);
	search(w, path, count);
	pf_gtls_edges_fini(&first);
}

/* What GnuTLS and the application said, in the judge's terms. */
static void
judge(struct work *w, int verified)
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

/* Has GnuTLS verified chain and name? */
static int
is_verified(struct work *w, int own)
{
	unsigned status;
	int fine;

	if (own < 0)
		return 0;
	fine = own > 0 ? verify_own(w) : verify_peers(w, &status);
	if (!fine || w->edges.lost)
		return 0;
	if (w->j->host == NULL)
		return 1;
	/* GnuTLS would also look into the subject. */
	return w->links[0].is_walked &&
	       pf_cert_covers(&w->links[0].walked, w->j->host);
}

static void
judge_certificates(struct work *w)
{
	int own;

	if (pinfast_conn_needs(w->j->conn) == PINFAST_NEED_LEAF_ONLY) {
		/* To a policy that is loaded right now, and wants it, nothing
		 * has verified. */
		w->j->verdict =
		    pf_paths_failed(&w->p, PINFAST_REASON_PKIX_FAILED);
		return;
	}
	own = own_anchors(w);
	if (pf_paths_before(&w->p))
		w->j->verdict = pinfast_conn_verdict(w->j->conn);
	else
		judge(w, is_verified(w, own));
}

/* RFC 7250: what was sent is the key itself, which GnuTLS must read as we do;
 * what it reads otherwise counts as no key at all. */
static void
judge_raw_key(struct work *w)
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
begin(struct work *w, struct pf_gtls_judging *j)
{
	struct pinfast_bytes leaf;
	void *cred = NULL;

	memset(w, 0, sizeof *w);
	w->j = j;
	pf_pool_init(&w->own);
	w->peers = gnutls_certificate_get_peers(j->session, &w->peer_count);
	if (w->peers == NULL || w->peer_count == 0 ||
	    gnutls_credentials_get(j->session, GNUTLS_CRD_CERTIFICATE, &cred) !=
	        0)
		return 0;
	w->cred = cred;
	leaf.data = w->peers[0].data;
	leaf.len = w->peers[0].size;
	(void)pf_link_set(&w->links[0], leaf, NULL);
	w->p.conn = j->conn;
	w->p.leaf = &w->links[0];
	w->p.arg = w;
	w->p.verify = verify_path;
	w->p.view = view;
	if (j->remembers)
		w->p.seen = seen(w->cred);
	return 1;
}

static void
end(struct work *w)
{
	pf_gtls_edges_fini(&w->edges);
	pf_pool_fini(&w->own, release);
	release(w->leaf);
}

void
pf_gtls_judge(struct pf_gtls_judging *j)
{
	struct work w;

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
	struct work w;

	if (begin(&w, j) && is_verified(&w, own_anchors(&w))) {
		w.p.count = set_links(&w);
		for (size_t i = 0; i < PINFAST_PATH_MAX; i++)
			w.p.path[i] = &w.links[i];
		path = pf_paths_last(&w.p);
		error = pinfast_conn_complete(j->conn, &path);
	}
	end(&w);
	return error;
}
