#include "adapt/mbed/mbed.h"

#include <string.h>

/* One path that mbedTLS is asked about: copies of its certificates, because
 * a certificate is chained by a member of its own. */
struct exact {
	struct pinfast_mbedtls *m;
	mbedtls_x509_crt *copies;
	size_t count;
	size_t seen; /* certificates of the path that were met in their place */
	int refused;
};

static struct pinfast_bytes
bytes_of(const mbedtls_x509_buf *buf)
{
	struct pinfast_bytes bytes = {buf->p, buf->len};

	return bytes;
}

int
pf_mbed_view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	const mbedtls_x509_crt *crt = link->object;

	(void)arg, (void)index;
	out->key_spki = bytes_of(&crt->pk_raw);
	return 0;
}

const mbedtls_x509_crt *
pf_mbed_trusted(const struct pinfast_mbedtls *m)
{
	const mbedtls_ssl_config *conf = m->ssl->MBEDTLS_PRIVATE(conf);

	return m->had_anchors ? &m->anchors : conf->MBEDTLS_PRIVATE(ca_chain);
}

/* The application may refuse a further path, but nobody forgives. */
static int
meet(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct exact *e = arg;

	if (depth < 0 || (size_t)depth >= e->count ||
	    crt != &e->copies[depth] || *flags != 0)
		e->refused = 1;
	else
		e->seen++;
	if (!e->refused && e->m->next.verify != NULL &&
	    (e->m->next.verify(e->m->next.verify_arg, crt, depth, flags) != 0 ||
	        *flags != 0))
		e->refused = 1;
	return 0;
}

static int
verify(struct exact *e)
{
	const mbedtls_ssl_config *conf = e->m->ssl->MBEDTLS_PRIVATE(conf);
	uint32_t flags = 0;
	int ret;

	/* The name was compared when the first path was verified. */
	ret = mbedtls_x509_crt_verify_with_profile(&e->copies[0],
	    &e->copies[e->count - 1], conf->MBEDTLS_PRIVATE(ca_crl),
	    conf->MBEDTLS_PRIVATE(cert_profile), NULL, &flags, meet, e);
	return ret == 0 && !e->refused && e->seen == e->count;
}

/* A path of one: is the leaf itself an anchor? */
static int
is_trusted(const struct pinfast_mbedtls *m, const struct pf_link *link)
{
	const mbedtls_x509_crt *crt = pf_mbed_trusted(m);

	while (crt != NULL &&
	       (crt->raw.len != link->der.len ||
	           memcmp(crt->raw.p, link->der.data, link->der.len) != 0))
		crt = crt->next;
	return crt != NULL;
}

int
pf_mbed_exactly(void *arg, const struct pf_link *const *path, size_t count)
{
	struct exact e = {.m = arg, .count = count};
	int verified;

	if (count == 0 || (count == 1 && !is_trusted(arg, path[0])))
		return 0;
	e.copies = pf_mbed_alloc(e.m, count * sizeof *e.copies);
	if (e.copies == NULL)
		return 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(&e.copies[i], path[i]->object, sizeof e.copies[i]);
		/* The anchor stands apart. */
		e.copies[i].next = i + 2 < count ? &e.copies[i + 1] : NULL;
	}
	verified = verify(&e);
	pf_mbed_drop(e.m, e.copies);
	return verified;
}
