/* Keys and certificates that tests make on the spot. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <openssl/x509v3.h>

#include "pinfast.h"

struct id {
	X509 *cert;
	EVP_PKEY *key;
	char pin[PINFAST_PIN_TEXT_LEN];
};

/* Signs subject's key; san: NULL for a CA.  days: how long it lasts. */
static inline void
identity_certify(struct id *id, const char *name, const struct id *issuer,
    const char *san, int days)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	EVP_PKEY *key;
	static long serial = 1;

	id->cert = X509_new();
	assert_non_null(id->cert);
	X509_set_version(id->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id->cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(id->cert), 86400L * days);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(id->cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(id->cert,
	    X509_get_subject_name(issuer ? issuer->cert : id->cert));
	X509_set_pubkey(id->cert, id->key);
	X509V3_set_ctx(&ctx, issuer ? issuer->cert : id->cert, id->cert, NULL,
	    NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx,
	    san ? NID_subject_alt_name : NID_basic_constraints,
	    san ? san : "critical,CA:TRUE");
	assert_non_null(ext);
	X509_add_ext(id->cert, ext, -1);
	X509_EXTENSION_free(ext);
	key = issuer ? issuer->key : id->key;
	assert_true(X509_sign(id->cert, key,
	                EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) >
	            0);
}

static inline void
identity_free(struct id *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
}

#endif
