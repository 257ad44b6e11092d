#include "core/shown.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/live.h"

/* Takes note of a certificate's dates; the leaf's and the earliest end. */
static void
note_dates(struct pf_shown *s, const struct pf_cert *cert, unsigned i,
    int *path_known)
{
	int64_t from, until;

	if (pf_cert_times(cert, &from, &until) != PINFAST_OK) {
		*path_known = 0;
		return;
	}
	if (i == 0) {
		s->not_before = from;
		s->not_after = until;
		s->dates_known = 1;
	}
	if (i == 0 || until < s->path_until)
		s->path_until = until;
}

/* Walks certificate i; its dates are noted by the caller. */
static int
walk_one(struct pf_view *view, const struct pinfast_cert *given, unsigned i,
    int one_parser, struct pf_cert *cert)
{
	struct pf_shown *s = view->shown;

	if (given->der.data == NULL || given->der.len > PF_MAX_CERT ||
	    pf_cert_walk(given->der, cert, NULL) != PINFAST_OK) {
		s->bad |= (uint16_t)(1U << i);
		return 0;
	}
	view->spki[i] = cert->key.spki;
	if (one_parser || pf_key_same(&cert->key, given))
		s->agreed |= (uint16_t)(1U << i);
	return 1;
}

void
pf_view_certs(struct pf_view *view, const struct pinfast_cert *certs,
    size_t count, int one_parser)
{
	struct pf_shown *s = view->shown;
	int path_known = 1;

	view->leaf = certs[0].der;
	s->count = (uint8_t)count;
	for (unsigned i = 0; i < count; i++) {
		struct pf_cert cert;

		if (walk_one(view, &certs[i], i, one_parser, &cert))
			note_dates(s, &cert, i, &path_known);
		else
			path_known = 0;
	}
	if (!path_known)
		s->path_until = 0;
}

/* The leaf of a path whose pin was learned before. */
static int
leaf_is_known(struct pf_view *view, const struct pinfast_path *path)
{
	struct pf_shown *s = view->shown;

	if (path->known == NULL || !path->known(path->arg, 0, s->hash[0]))
		return 0;
	s->known |= 1;
	s->agreed |= 1;
	s->path_until = path->not_after(path->arg, 0);
	/* The library has just found it valid, and it is until then. */
	s->dates_known = s->path_until != 0;
	s->not_before = s->verified_at;
	s->not_after = s->path_until;
	return 1;
}

void
pf_view_path(struct pf_view *view, const struct pinfast_path *path,
    int one_parser)
{
	struct pf_shown *s = view->shown;
	struct pinfast_cert leaf;

	view->path = path;
	view->one_parser = one_parser;
	if (!leaf_is_known(view, path)) {
		memset(&leaf, 0, sizeof leaf);
		if (path->cert(path->arg, 0, &leaf) != 0)
			leaf.der.data = NULL;
		pf_view_certs(view, &leaf, 1, one_parser);
	}
	s->count = (uint8_t)path->count;
	for (unsigned i = 1; i < path->count; i++) {
		int64_t until = path->not_after(path->arg, i);

		if (until < s->path_until)
			s->path_until = until;
	}
}

/* What one parser alone has read is no news for other connections. */
static void
tell(const struct pf_view *view, unsigned i)
{
	const struct pinfast_path *path = view->path;

	if (path != NULL && path->learned != NULL && !view->one_parser &&
	    (view->shown->agreed >> i & 1))
		path->learned(path->arg, i, view->shown->hash[i]);
}

/* Fetches certificate i and hashes its key, unless both were done before. */
static enum pf_asked
fetch(struct pf_view *view, unsigned i)
{
	const struct pinfast_path *path = view->path;
	struct pf_shown *s = view->shown;
	struct pinfast_cert given;
	struct pf_cert cert;

	if (path->known != NULL && path->known(path->arg, i, s->hash[i])) {
		s->known |= (uint16_t)(1U << i);
		s->agreed |= (uint16_t)(1U << i);
		return PF_ASKED_KNOWN;
	}
	memset(&given, 0, sizeof given);
	if (path->cert(path->arg, i, &given) != 0)
		return PF_ASKED_FAILED;
	if (!walk_one(view, &given, i, view->one_parser, &cert))
		return PF_ASKED_BAD;
	if (pf_live_hash(view->policy, view->spki[i].data, view->spki[i].len,
	        s->hash[i]) != 0)
		return PF_ASKED_FAILED;
	s->known |= (uint16_t)(1U << i);
	tell(view, i);
	return PF_ASKED_KNOWN;
}

void
pf_view_key(struct pf_view *view, struct pinfast_bytes spki)
{
	struct pf_shown *s = view->shown;
	struct pf_key key;

	s->count = 1;
	if (spki.len > PF_MAX_CERT ||
	    pf_spki_walk(spki, &key, NULL) != PINFAST_OK)
		s->bad = 1;
	/* The key itself is what the library checks the signature with. */
	s->agreed = 1;
	view->spki[0] = spki;
}

enum pf_asked
pf_view_hash(struct pf_view *view, unsigned i)
{
	struct pf_shown *s = view->shown;

	if (s->known >> i & 1)
		return PF_ASKED_KNOWN;
	if (s->bad >> i & 1)
		return PF_ASKED_BAD;
	if (view->spki[i].data == NULL)
		return view->path != NULL ? fetch(view, i) : PF_ASKED_GONE;
	if (pf_live_hash(view->policy, view->spki[i].data, view->spki[i].len,
	        s->hash[i]) != 0)
		return PF_ASKED_FAILED;
	s->known |= (uint16_t)(1U << i);
	tell(view, i);
	return PF_ASKED_KNOWN;
}

/* Its key was known, so nobody has fetched it yet. */
static void
fetch_leaf(struct pf_view *view)
{
	struct pinfast_cert leaf;

	memset(&leaf, 0, sizeof leaf);
	if (view->path->cert(view->path->arg, 0, &leaf) == 0)
		view->leaf = leaf.der;
}

enum pf_asked
pf_view_leaf_cert(struct pf_view *view)
{
	struct pf_shown *s = view->shown;

	if (s->leaf_cert_known)
		return PF_ASKED_KNOWN;
	if (s->bad & 1)
		return PF_ASKED_BAD;
	if (view->leaf.data == NULL && view->path != NULL)
		fetch_leaf(view);
	if (view->leaf.data == NULL)
		return PF_ASKED_GONE;
	if (pf_live_hash(view->policy, view->leaf.data, view->leaf.len,
	        s->leaf_cert) != 0)
		return PF_ASKED_FAILED;
	s->leaf_cert_known = 1;
	return PF_ASKED_KNOWN;
}
