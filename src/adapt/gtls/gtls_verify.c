#include "adapt/gtls/gtls_verify.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/covers.h"

gnutls_x509_crt_t
pf_gtls_import(struct pinfast_bytes der)
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

void
pf_gtls_release(void *object)
{
	if (object != NULL)
		gnutls_x509_crt_deinit(object);
}

gnutls_x509_crt_t
pf_gtls_leaf(struct pf_gtls_work *w)
{
	if (w->leaf == NULL)
		w->leaf = pf_gtls_import(w->links[0].der);
	return w->leaf;
}

gnutls_verify_output_function *
pf_gtls_output(const struct pf_gtls_work *w)
{
	return w->j->next != NULL ? w->j->next->output : NULL;
}

unsigned
pf_gtls_reference(const struct pf_gtls_judging *j,
    gnutls_typed_vdata_st data[2])
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

/* ----------------------------------------------------------------- anchors */

static int
add_anchor(void *arg, struct pinfast_bytes der)
{
	struct pf_pool *pool = arg;
	gnutls_x509_crt_t cert = pf_gtls_import(der);

	if (cert == NULL)
		return 1;
	if (pf_pool_add_copy(pool, der, cert) == PINFAST_OK)
		return 0;
	gnutls_x509_crt_deinit(cert);
	return 1;
}

int
pf_gtls_own_anchors(struct pf_gtls_work *w)
{
	int count = pinfast_conn_trust(w->j->conn, add_anchor, &w->own);

	return count < 0 ? -1 : count;
}

/* Credentials of these anchors alone, with the flags of the application's;
 * NULL: out of memory. */
static gnutls_certificate_credentials_t
cred_of(const struct pf_gtls_work *w, gnutls_x509_crt_t *anchors, int count)
{
	gnutls_certificate_credentials_t cred = NULL;

	if (gnutls_certificate_allocate_credentials(&cred) != 0)
		return NULL;
	gnutls_certificate_set_verify_flags(cred,
	    gnutls_certificate_get_verify_flags(w->cred));
	if (gnutls_certificate_set_x509_trust(cred, anchors, count) == count)
		return cred;
	gnutls_certificate_free_credentials(cred);
	return NULL;
}

/* --------------------------------------------------------------- verifying */

/* With all that the session and its credentials say.  Returns GnuTLS's error;
 * 0: status has what it found. */
static int
verify_peers(struct pf_gtls_work *w, unsigned *status)
{
	gnutls_session_t session = w->j->session;
	gnutls_verify_output_function *next = pf_gtls_output(w);
	gnutls_typed_vdata_st data[2];
	unsigned n = pf_gtls_reference(w->j, data);
	int error;

	*status = GNUTLS_CERT_INVALID;
	pf_gtls_edges_fini(&w->edges);
	pf_gtls_edges_begin(&w->edges, next);
	gnutls_session_set_verify_output_function(session, pf_gtls_on_edge);
	error = gnutls_certificate_verify_peers(session, data, n, status);
	gnutls_session_set_verify_output_function(session, next);
	pf_gtls_edges_end();
	return error;
}

/* Only with credentials does GnuTLS heed what the session's priorities ask of
 * keys and signatures; those of the application are for other sessions, too. */
static int
verify_with(struct pf_gtls_work *w, gnutls_x509_crt_t *anchors, int count)
{
	gnutls_session_t session = w->j->session;
	gnutls_certificate_credentials_t cred = cred_of(w, anchors, count);
	unsigned status;
	int error;

	if (cred == NULL)
		return 0;
	/* There are such already: they are replaced, and nothing can fail. */
	(void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred);
	error = verify_peers(w, &status);
	(void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, w->cred);
	gnutls_certificate_free_credentials(cred);
	return error == 0 && status == 0;
}

int
pf_gtls_verified_under(struct pf_gtls_work *w, gnutls_x509_crt_t anchor)
{
	return verify_with(w, &anchor, 1) && !w->edges.lost;
}

static int
verify_own(struct pf_gtls_work *w)
{
	int count = (int)w->own.count, fine = 0;
	gnutls_x509_crt_t *anchors;
	unsigned status;

	/* What the application has revoked stays so under other anchors, and
	 * what is longer than it allows is too long. */
	if (verify_peers(w, &status) != 0 || (status & GNUTLS_CERT_REVOKED))
		return 0;
	anchors = calloc(w->own.count, sizeof *anchors);
	if (anchors == NULL)
		return 0;
	for (int i = 0; i < count; i++)
		anchors[i] = w->own.links[i].object;
	fine = verify_with(w, anchors, count);
	free(anchors);
	return fine;
}

/* GnuTLS would also look into the subject. */
static int
covers(struct pf_gtls_work *w)
{
	struct pinfast_bytes host = {
	    (const uint8_t *)w->j->host, strlen(w->j->host)};
	const struct pf_link *leaf = &w->links[0];

	/* Who covers whom stands in the certificate's bytes. */
	if (w->p.seen != NULL && pf_seen_get(w->p.seen, leaf->der, host, NULL))
		return 1;
	if (!leaf->is_walked || !pf_cert_covers(&leaf->walked, w->j->host))
		return 0;
	if (w->p.seen != NULL)
		pf_seen_put(w->p.seen, leaf->der, host, NULL);
	return 1;
}

int
pf_gtls_verified(struct pf_gtls_work *w, int own)
{
	unsigned status = GNUTLS_CERT_INVALID;
	int fine;

	if (own < 0)
		return 0;
	fine = own > 0 ? verify_own(w)
	               : verify_peers(w, &status) == 0 && status == 0;
	if (!fine || w->edges.lost)
		return 0;
	return w->j->host == NULL || covers(w);
}
