/*
 * Asks three TLS libraries for the key of every record they can read, and
 * compares the bytes with ours.  mbedTLS and NSS give them as they stand and
 * must agree each time; OpenSSL encodes the key anew and must agree but for
 * the records whose row says so.  What we refuse although a library reads it
 * must come with the place of the first wrong byte.
 */
#include "records.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <mbedtls/x509_crt.h>

#include <nss.h>
#include <cert.h>

#include "core/spki.h"

/* Gives the library's idea of the key to `same`; 0: it cannot read it. */
typedef int (*read_fn)(struct pinfast_bytes der, const struct pf_cert *ours,
    int *same);

static int
bytes_same(struct pinfast_bytes ours, const void *data, size_t len)
{
	return ours.len == len && memcmp(ours.data, data, len) == 0;
}

static int
read_mbedtls(struct pinfast_bytes der, const struct pf_cert *ours, int *same)
{
	mbedtls_x509_crt crt;
	int fine;

	mbedtls_x509_crt_init(&crt);
	fine = mbedtls_x509_crt_parse_der(&crt, der.data, der.len) == 0;
	if (fine && ours)
		*same =
		    bytes_same(ours->key.spki, crt.pk_raw.p, crt.pk_raw.len);
	mbedtls_x509_crt_free(&crt);
	return fine;
}

static int
read_nss(struct pinfast_bytes der, const struct pf_cert *ours, int *same)
{
	SECItem item = {siDERCertBuffer, NULL, (unsigned)der.len};
	CERTCertificate *cert;

	/* It wants a pointer to bytes that may change, and copies them. */
	memcpy(&item.data, &der.data, sizeof item.data);
	cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, NULL,
	    PR_FALSE, PR_TRUE);
	if (!cert)
		return 0;
	if (ours)
		*same = bytes_same(ours->key.spki, cert->derPublicKey.data,
		    cert->derPublicKey.len);
	CERT_DestroyCertificate(cert);
	return 1;
}

static int
read_openssl(struct pinfast_bytes der, const struct pf_cert *ours, int *same)
{
	const unsigned char *at = der.data;
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);
	unsigned char *spki = NULL;
	int len;

	ERR_clear_error();
	if (!cert)
		return 0;
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
	if (ours)
		*same =
		    len > 0 && bytes_same(ours->key.spki, spki, (size_t)len);
	OPENSSL_free(spki);
	X509_free(cert);
	return 1;
}

static struct library {
	const char *name;
	read_fn read;
	const char *row_name; /* in the table's column; NULL: never differs */
	size_t reads, agrees, known, differs, refused, unplaced;
} libraries[] = {
    {"mbedTLS pk_raw", read_mbedtls, NULL, 0, 0, 0, 0, 0, 0},
    {"NSS derPublicKey", read_nss, NULL, 0, 0, 0, 0, 0, 0},
    {"OpenSSL i2d_X509_PUBKEY", read_openssl, "openssl=", 0, 0, 0, 0, 0, 0},
};
#define LIBRARIES (sizeof libraries / sizeof *libraries)

static void
compare(struct library *l, const struct records *r)
{
	struct pf_cert cert;
	size_t bad_at = (size_t)-1;
	int same = 0, known;

	if (pf_cert_walk(r->der, &cert, &bad_at)) {
		if (!l->read(r->der, NULL, &same))
			return;
		l->refused++;
		if (bad_at > r->der.len)
			l->unplaced++;
		return;
	}
	if (!l->read(r->der, &cert, &same))
		return;
	l->reads++;
	known = l->row_name && strstr(r->other, l->row_name);
	if (same && !known) {
		l->agrees++;
	} else if (!same && known) {
		l->known++;
	} else {
		l->differs++;
		(void)printf("record %zu: %s differs\n", r->number, l->name);
	}
}

/* Requests: OpenSSL alone reads them. */
static struct {
	size_t reads, agrees;
} requests;

static void
compare_request(const struct records *r)
{
	const unsigned char *at = r->der.data;
	unsigned char *spki = NULL;
	struct pf_key key;
	X509_REQ *request;
	int len;

	if (pf_csr_walk(r->der, &key, NULL, NULL))
		return;
	request = d2i_X509_REQ(NULL, &at, (long)r->der.len);
	ERR_clear_error();
	if (!request)
		return;
	requests.reads++;
	len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &spki);
	if (len > 0 && bytes_same(key.spki, spki, (size_t)len))
		requests.agrees++;
	else
		(void)printf("record %zu: request differs\n", r->number);
	OPENSSL_free(spki);
	X509_REQ_free(request);
}

static int
report(const struct library *l)
{
	(void)printf("%s: agrees on %zu of the %zu structure-exact "
	             "certificates it reads",
	    l->name, l->agrees, l->reads);
	if (l->row_name)
		(void)printf(", %zu known re-encodings", l->known);
	(void)printf("; %zu that it reads are refused with the byte\n",
	    l->refused);
	return l->reads == 0 || l->differs != 0 || l->unplaced != 0;
}

int
main(int argc, char **argv)
{
	static struct records r;
	int bad = 0;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: agree CORPUS TABLE\n");
		return 2;
	}
	if (NSS_NoDB_Init(NULL) != SECSuccess) {
		(void)fprintf(stderr, "NSS does not start\n");
		return 2;
	}
	records_open(&r, argv[1], argv[2]);
	while (records_next(&r)) {
		for (size_t i = 0; i < LIBRARIES; i++)
			compare(&libraries[i], &r);
		compare_request(&r);
	}
	for (size_t i = 0; i < LIBRARIES; i++)
		bad |= report(&libraries[i]);
	(void)printf("requests: OpenSSL agrees on %zu of the %zu it reads\n",
	    requests.agrees, requests.reads);
	return bad || requests.agrees != requests.reads;
}
