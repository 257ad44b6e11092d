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

void
pf_view_certs(struct pf_view *view, const struct pinfast_cert *certs,
    size_t count, int one_parser)
{
	struct pf_shown *s = view->shown;
	int path_known = 1;

	view->certs = certs;
	s->count = (uint8_t)count;
	for (unsigned i = 0; i < count; i++) {
		struct pf_cert cert;

		if (certs[i].der.data == NULL ||
		    certs[i].der.len > PF_MAX_CERT ||
		    pf_cert_walk(certs[i].der, &cert, NULL) != PINFAST_OK) {
			s->bad |= (uint16_t)(1U << i);
			path_known = 0;
			continue;
		}
		view->spki[i] = cert.key.spki;
		if (one_parser || pf_key_same(&cert.key, &certs[i]))
			s->agreed |= (uint16_t)(1U << i);
		note_dates(s, &cert, i, &path_known);
	}
	if (!path_known)
		s->path_until = 0;
}

void
pf_view_key(struct pf_view *view, struct pinfast_bytes spki)
{
	struct pf_shown *s = view->shown;
	struct pf_key key;

	if (spki.data == NULL)
		return;
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
		return PF_ASKED_GONE;
	if (pf_live_hash(view->policy, view->spki[i].data, view->spki[i].len,
	        s->hash[i]) != 0)
		return PF_ASKED_FAILED;
	s->known |= (uint16_t)(1U << i);
	return PF_ASKED_KNOWN;
}

enum pf_asked
pf_view_leaf_cert(struct pf_view *view)
{
	struct pf_shown *s = view->shown;

	if (s->leaf_cert_known)
		return PF_ASKED_KNOWN;
	if (s->bad & 1)
		return PF_ASKED_BAD;
	if (view->certs == NULL)
		return PF_ASKED_GONE;
	if (pf_live_hash(view->policy, view->certs[0].der.data,
	        view->certs[0].der.len, s->leaf_cert) != 0)
		return PF_ASKED_FAILED;
	s->leaf_cert_known = 1;
	return PF_ASKED_KNOWN;
}
