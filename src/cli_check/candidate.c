#include "cli_check/candidate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/sha256.h"
#include "cli/out.h"
#include "cli_live/pemfile.h"
#include "core/spki.h"

#define MAX_REQUEST (256UL * 1024)

/* PEM or DER; NULL: neither. */
static X509_REQ *
decode(const uint8_t *data, size_t len)
{
	const unsigned char *at = data;
	X509_REQ *req = NULL;
	BIO *text = BIO_new_mem_buf(data, (int)len);

	if (text != NULL)
		req = PEM_read_bio_X509_REQ(text, NULL, NULL, NULL);
	BIO_free(text);
	if (req == NULL)
		req = d2i_X509_REQ(NULL, &at, (long)len);
	return req;
}

/* The pin by the exact walk, as everywhere; 0: not exact DER. */
static int
pin_of(struct pinfast_bytes der, char pin[PINFAST_PIN_TEXT_LEN])
{
	uint8_t hash[PINFAST_PIN_LEN];

	if (pinfast_pin_of(der, hash, NULL) != PINFAST_OK)
		return 0;
	pinfast_pin_write(hash, pin);
	return 1;
}

static int
pin_of_request(X509_REQ *req, char pin[PINFAST_PIN_TEXT_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_X509_REQ(req, &der);
	struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
	int fine = len > 0 && pin_of(bytes, pin);

	OPENSSL_free(der);
	return fine;
}

static int
pin_of_cert(X509 *cert, char pin[PINFAST_PIN_TEXT_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
	int fine = len > 0 && pin_of(bytes, pin);

	OPENSSL_free(der);
	return fine;
}

/* The names that the request asks for. */
static int
copy_names(X509 *cert, X509_REQ *req)
{
	STACK_OF(X509_EXTENSION) *asked = X509_REQ_get_extensions(req);
	int at = X509v3_get_ext_by_NID(asked, NID_subject_alt_name, -1);
	int fine = at < 0 ||
	           X509_add_ext(cert, sk_X509_EXTENSION_value(asked, at), -1);

	sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
	return fine;
}

/* A certificate with the request's key and names, signed by nobody. */
static X509 *
stand_in(X509_REQ *req, int64_t now)
{
	X509 *cert = X509_new();
	EVP_PKEY *throwaway = EVP_EC_gen("P-256");
	int fine =
	    cert != NULL && throwaway != NULL && X509_set_version(cert, 2) &&
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
	    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now - 86400)) &&
	    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now + 86400)) &&
	    X509_set_pubkey(cert, X509_REQ_get0_pubkey(req)) &&
	    copy_names(cert, req) && X509_sign(cert, throwaway, EVP_sha256());

	EVP_PKEY_free(throwaway);
	if (fine)
		return cert;
	X509_free(cert);
	return NULL;
}

/* A sentence when it cannot be used, else NULL. */
static const char *
read_request(X509_REQ *req, int64_t now, struct pf_candidate *out)
{
	char pin[PINFAST_PIN_TEXT_LEN];
	X509 *cert;

	if (req == NULL)
		return "is no certificate request in PEM or DER";
	if (!pin_of_request(req, out->pin))
		return "is no request in exact DER; nothing can be pinned "
		       "safely here";
	if (X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1)
		return "is not signed with its own key";
	out->chain = sk_X509_new_null();
	cert = stand_in(req, now);
	if (out->chain == NULL || cert == NULL ||
	    !sk_X509_push(out->chain, cert)) {
		X509_free(cert);
		return "cannot be judged: OpenSSL makes no certificate of it";
	}
	/* A spelling of the key that OpenSSL changes would be judged as
	 * another key. */
	if (!pin_of_cert(cert, pin) || strcmp(pin, out->pin) != 0)
		return "spells its key in a way that OpenSSL changes; judge "
		       "the certificate instead";
	return NULL;
}

static int
load_request(struct pf_candidate *out, int64_t now)
{
	struct pinfast_diag diag;
	struct pf_content file;
	const char *why;
	X509_REQ *req;

	memset(&diag, 0, sizeof diag);
	if (pf_file_read(out->file, MAX_REQUEST, PF_FILE_ANY, &diag, &file) !=
	    PINFAST_OK) {
		pf_complain(out->file, diag.text);
		return 0;
	}
	req = decode(file.data, file.len);
	why = read_request(req, now, out);
	X509_REQ_free(req);
	free(file.data);
	if (why != NULL)
		pf_complain(out->file, why);
	return why == NULL;
}

static int
load_cert(struct pf_candidate *out)
{
	out->chain = pf_pemfile_read(out->file, PF_FILE_ANY);
	if (out->chain == NULL)
		return 0;
	if (pin_of_cert(sk_X509_value(out->chain, 0), out->pin))
		return 1;
	pf_complain(out->file, "is not a certificate in exact DER");
	return 0;
}

int
pf_candidate_read(const char *file, int is_request, int64_t now,
    struct pf_candidate *out)
{
	memset(out, 0, sizeof *out);
	out->file = file;
	out->is_request = is_request;
	if (is_request ? !load_request(out, now) : !load_cert(out))
		return 0;
	out->names = X509_get_ext_d2i(sk_X509_value(out->chain, 0),
	    NID_subject_alt_name, NULL, NULL);
	return 1;
}

void
pf_candidate_fini(struct pf_candidate *candidate)
{
	pf_pemfile_free(candidate->chain);
	GENERAL_NAMES_free(candidate->names);
}
