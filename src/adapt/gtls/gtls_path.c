#include "adapt/gtls/gtls.h"

#include <string.h>

/* GnuTLS hands its output function no pointer of ours. */
static _Thread_local struct pf_gtls_edges *collecting;

void
pf_gtls_edges_init(struct pf_gtls_edges *edges, const gnutls_datum_t *peers,
    unsigned peer_count)
{
	edges->peers = peers;
	edges->peer_count = peer_count;
	edges->count = 0;
	edges->lost = 0;
	edges->next = NULL;
}

void
pf_gtls_edges_begin(struct pf_gtls_edges *edges,
    gnutls_verify_output_function *next)
{
	edges->count = 0;
	edges->lost = 0;
	edges->next = next;
	collecting = edges;
}

void
pf_gtls_edges_end(void)
{
	collecting = NULL;
}

/* What the peer sent lies with the session, and what does not is ours. */
static void
drop(const struct pf_gtls_edges *edges, gnutls_datum_t *der)
{
	for (unsigned i = 0; i < edges->peer_count; i++)
		if (der->data == edges->peers[i].data)
			return;
	gnutls_free(der->data);
}

static void
drop_first(struct pf_gtls_edges *edges)
{
	drop(edges, &edges->edge[0].cert);
	drop(edges, &edges->edge[0].issuer);
	memmove(edges->edge, edges->edge + 1,
	    (PF_GTLS_EDGES - 1) * sizeof edges->edge[0]);
	edges->count--;
}

/* The bytes of a certificate; 0: there is no memory for them. */
static int
take(const struct pf_gtls_edges *edges, gnutls_x509_crt_t cert,
    gnutls_datum_t *der)
{
	for (unsigned i = 0; i < edges->peer_count; i++)
		if (gnutls_x509_crt_equals2(cert, &edges->peers[i])) {
			*der = edges->peers[i];
			return 1;
		}
	return gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, der) == 0;
}

static void
note(struct pf_gtls_edges *edges, gnutls_x509_crt_t cert,
    gnutls_x509_crt_t issuer)
{
	gnutls_datum_t one, other;

	if (edges->count == PF_GTLS_EDGES)
		drop_first(edges);
	if (!take(edges, cert, &one)) {
		edges->lost = 1;
		return;
	}
	if (!take(edges, issuer, &other)) {
		drop(edges, &one);
		edges->lost = 1;
		return;
	}
	edges->edge[edges->count].cert = one;
	edges->edge[edges->count++].issuer = other;
}

int
pf_gtls_on_edge(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
    gnutls_x509_crl_t crl, unsigned status)
{
	struct pf_gtls_edges *edges = collecting;

	if (edges == NULL)
		return 0;
	if (status == 0 && crl == NULL && cert != NULL && issuer != NULL)
		note(edges, cert, issuer);
	return edges->next != NULL ? edges->next(cert, issuer, crl, status) : 0;
}

void
pf_gtls_edges_fini(struct pf_gtls_edges *edges)
{
	for (size_t i = 0; i < edges->count; i++) {
		drop(edges, &edges->edge[i].cert);
		drop(edges, &edges->edge[i].issuer);
	}
	edges->count = 0;
}

static int
is_same(const gnutls_datum_t *a, struct pinfast_bytes b)
{
	return a->size == b.len && memcmp(a->data, b.data, b.len) == 0;
}

/*
 * GnuTLS verifies from the anchor down to the leaf, and may have tried other
 * ways before: the last attempt is the one that counts, so the walk up only
 * ever goes back in time.
 */
size_t
pf_gtls_edges_path(const struct pf_gtls_edges *edges, struct pinfast_bytes leaf,
    struct pinfast_bytes *path, size_t size)
{
	struct pinfast_bytes at = leaf;
	size_t count = 1;

	path[0] = leaf;
	for (size_t i = edges->count; i-- > 0;) {
		const gnutls_datum_t *issuer = &edges->edge[i].issuer;

		if (!is_same(&edges->edge[i].cert, at) || is_same(issuer, at))
			continue;
		at.data = issuer->data;
		at.len = issuer->size;
		if (count < size)
			path[count] = at;
		count++;
	}
	return count;
}
