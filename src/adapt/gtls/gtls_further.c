#include "adapt/gtls/gtls_verify.h"

#include <stdlib.h>
#include <string.h>

/* What keys and signatures may have to be, each step stronger than the one
 * before it; and two that are about which ones, the stronger one first. */
static const unsigned steps[] = {GNUTLS_PROFILE_LOW, GNUTLS_PROFILE_LEGACY,
    GNUTLS_PROFILE_MEDIUM, GNUTLS_PROFILE_HIGH, GNUTLS_PROFILE_ULTRA,
    GNUTLS_PROFILE_FUTURE};
static const unsigned suites[] = {
    GNUTLS_PROFILE_SUITEB192, GNUTLS_PROFILE_SUITEB128};

/* -------------------------------------------------------- exactly one path */

/* Has GnuTLS verified this path and no other, in its last verification? */
static int
is_taken(const struct pf_gtls_work *w, const struct pf_link *const *path,
    size_t count)
{
	struct pinfast_bytes seen[PINFAST_PATH_MAX];

	if (pf_gtls_edges_path(&w->edges, path[0]->der, seen,
	        PINFAST_PATH_MAX) != count)
		return 0;
	for (size_t i = 1; i < count; i++)
		if (seen[i].len != path[i]->der.len ||
		    memcmp(seen[i].data, path[i]->der.data, seen[i].len) != 0)
			return 0;
	return 1;
}

/* GnuTLS's own forms of a path's certificates: what has none yet is imported;
 * 0: one cannot be read. */
static int
open_path(struct pf_gtls_work *w, const struct pf_link *const *path,
    size_t count, gnutls_x509_crt_t *certs)
{
	int fine = 1;

	for (size_t i = 0; i < count; i++) {
		certs[i] = path[i]->object;
		if (i == 0)
			certs[i] = pf_gtls_leaf(w);
		else if (certs[i] == NULL)
			certs[i] = pf_gtls_import(path[i]->der);
		fine &= certs[i] != NULL;
	}
	return fine;
}

static void
close_path(const struct pf_link *const *path, size_t count,
    gnutls_x509_crt_t *certs)
{
	for (size_t i = 1; i < count; i++)
		if (path[i]->object == NULL)
			pf_gtls_release(certs[i]);
}

/* What is wrong with a path under its last certificate, by this profile?  0:
 * nothing. */
static unsigned
fault(struct pf_gtls_work *w, const struct pf_link *const *path,
    gnutls_x509_crt_t *certs, size_t count, unsigned profile)
{
	unsigned flags = gnutls_certificate_get_verify_flags(w->cred);
	gnutls_x509_trust_list_t list;
	gnutls_typed_vdata_st data[2];
	unsigned n = pf_gtls_reference(w->j, data);
	unsigned status = GNUTLS_CERT_INVALID;
	int error = -1;

	flags &= ~(unsigned)GNUTLS_VFLAGS_PROFILE_MASK;
	flags |= GNUTLS_PROFILE_TO_VFLAGS(profile);
	if (gnutls_x509_trust_list_init(&list, 0) != 0)
		return GNUTLS_CERT_INVALID;
	w->p.checks += (unsigned)count;
	pf_gtls_edges_fini(&w->edges);
	pf_gtls_edges_begin(&w->edges, pf_gtls_output(w));
	if (gnutls_x509_trust_list_add_cas(list, &certs[count - 1], 1, 0) == 1)
		error = gnutls_x509_trust_list_verify_crt2(list, certs,
		    (unsigned)(count > 1 ? count - 1 : 1), data, n, flags,
		    &status, pf_gtls_on_edge);
	pf_gtls_edges_end();
	gnutls_x509_trust_list_deinit(list, 0);
	if (error == 0 && status == 0 && !w->edges.lost &&
	    is_taken(w, path, count))
		return 0;
	return status | GNUTLS_CERT_INVALID;
}

/* ------------------------------------------------------------------- rules */

/* Does the first path meet this profile?  -1: nobody knows, because something
 * else is amiss, or for want of memory. */
static int
meets(struct pf_gtls_work *w, gnutls_x509_crt_t *certs, unsigned profile)
{
	unsigned found = fault(w, w->first, certs, w->first_count, profile);

	if (found == 0)
		return 1;
	return found & GNUTLS_CERT_INSECURE_ALGORITHM ? 0 : -1;
}

/* By which step and which suite is it as strong as it is?  0: see meets(). */
static int
measure(struct pf_gtls_work *w, gnutls_x509_crt_t *certs)
{
	unsigned floor = GNUTLS_VFLAGS_TO_PROFILE(
	    gnutls_certificate_get_verify_flags(w->cred));
	int is_suite = floor >= GNUTLS_PROFILE_SUITEB128;
	int met = 1;

	w->suite = is_suite ? floor : 0;
	w->step = floor == 0 || is_suite ? GNUTLS_PROFILE_LOW : floor;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && met > 0; i++) {
		if (steps[i] < w->step)
			continue;
		met = meets(w, certs, steps[i]);
		if (met > 0)
			w->step = steps[i];
	}
	/* Those are of 128 bits, and of 192. */
	if (w->step < GNUTLS_PROFILE_HIGH)
		return met >= 0;
	for (size_t i = 0; i < 2 && w->suite == 0 && met >= 0; i++) {
		met = meets(w, certs, suites[i]);
		if (met > 0)
			w->suite = suites[i];
	}
	return met >= 0;
}

/*
 * What the session asks for the first path meets, so that whoever is as strong
 * meets it as well.  Once for all further paths, and for none of them: it is
 * not counted.
 */
static int
is_measured(struct pf_gtls_work *w)
{
	gnutls_x509_crt_t certs[PINFAST_PATH_MAX] = {NULL};

	if (w->is_measured)
		return 1;
	w->is_measured =
	    open_path(w, w->first, w->first_count, certs) && measure(w, certs);
	close_path(w->first, w->first_count, certs);
	if (w->is_measured)
		w->p.checks = 0;
	return w->is_measured;
}

/* What is wrong with a path when it has to be as strong as the first one? */
static unsigned
weakness(struct pf_gtls_work *w, const struct pf_link *const *path,
    gnutls_x509_crt_t *certs, size_t count)
{
	unsigned bits = w->suite == GNUTLS_PROFILE_SUITEB192
	                    ? GNUTLS_PROFILE_ULTRA
	                    : GNUTLS_PROFILE_HIGH;
	unsigned found = 0;

	if (w->suite != 0)
		found = fault(w, path, certs, count, w->suite);
	if (found == 0 && (w->suite == 0 || w->step > bits))
		found = fault(w, path, certs, count, w->step);
	return found;
}

/*
 * GnuTLS tells nobody what a session's priorities ask for, and heeds them only
 * in the list as it was sent.  So a path has to be as strong as the one that
 * passed, and never of keys that nobody looked at; or, where that is more than
 * the session wants, GnuTLS has to take it in there, under its anchor alone.
 */
static int
holds(struct pf_gtls_work *w, const struct pf_link *const *path,
    gnutls_x509_crt_t *certs, size_t count)
{
	unsigned found = GNUTLS_CERT_INVALID;

	if (is_measured(w))
		found = weakness(w, path, certs, count);
	if (found == 0)
		return 1;
	/* That is so whatever the session wants. */
	if (found & GNUTLS_CERT_SIGNATURE_FAILURE)
		return 0;
	w->p.checks += (unsigned)count;
	return pf_gtls_verified_under(w, certs[count - 1]) &&
	       is_taken(w, path, count);
}

/* GnuTLS hands nobody its CRLs: does it find one of these revoked under the
 * application's own list?  That looks no further than to the first of its
 * anchors, so those that come behind one are asked about again.  Not counted:
 * as many paths that hold are tried as by any adapter. */
static int
is_revoked(struct pf_gtls_work *w, const struct pf_link *const *path,
    gnutls_x509_crt_t *certs, size_t count)
{
	gnutls_x509_trust_list_t list;
	unsigned status;

	gnutls_certificate_get_trust_list(w->cred, &list);
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

/* For struct pf_paths. */
static int
verify_path(void *arg, const struct pf_link *const *path, size_t count)
{
	struct pf_gtls_work *w = arg;
	gnutls_x509_crt_t certs[PINFAST_PATH_MAX] = {NULL};
	int fine = open_path(w, path, count, certs) &&
	           holds(w, path, certs, count) &&
	           !is_revoked(w, path, certs, count);

	close_path(path, count, certs);
	return fine;
}

/* ------------------------------------------------------------------ search */

/* All that the application trusts; -1: out of memory. */
static int
add_trusted(struct pf_gtls_work *w, struct pf_pool *pool)
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

/* Fills what a search needs; 0: out of memory. */
static int
fill_pools(struct pf_gtls_work *w, struct pf_pool *sent,
    struct pf_pool *anchors)
{
	for (unsigned i = 1; i < w->peer_count; i++) {
		struct pinfast_bytes der = {w->peers[i].data, w->peers[i].size};
		gnutls_x509_crt_t cert = pf_gtls_import(der);

		if (cert == NULL)
			continue;
		if (pf_pool_add(sent, der, cert) != PINFAST_OK)
			gnutls_x509_crt_deinit(cert);
	}
	return w->own.count > 0 || add_trusted(w, anchors) == 0;
}

void
pf_gtls_search(struct pf_gtls_work *w, const struct pf_link *const *first,
    size_t count)
{
	struct pf_pool sent, anchors;
	int own = w->own.count > 0;

	w->first = first;
	w->first_count = count;
	w->p.verify = verify_path;
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
	pf_pool_fini(&sent, pf_gtls_release);
	pf_pool_fini(&anchors, pf_gtls_release);
}
