/*
 * Certificates that no tool makes: the bytes that are signed are taken apart,
 * changed and signed again, so that only a parser can tell.  Hides how DER is
 * put together; refuses edits that it does not know.
 */
#ifndef CONFORM_EDIT_H
#define CONFORM_EDIT_H

#include <openssl/x509.h>

struct edit_keys {
	EVP_PKEY *own;
	EVP_PKEY *other;  /* the one that HOW names, or NULL */
	EVP_PKEY *signer; /* the issuer's; no Ed25519 */
};

/*
 * Edits a certificate and signs it again.
 *
 * how     form:FORM     its key as compressed or hybrid point, or with the
 *                       curve's parameters spelled out
 *         in-PLACE:KEY  the other key's SPKI in serial, rdn, uid or ext
 *         eat-FIELD:KEY version, algorithm, issuer, validity, subject or key
 *                       swallows what follows up to the certificate's key;
 *                       the same again with the other key comes behind it
 *         params        its key's algorithm with parameters that it has not
 *         ber-FORM      indefinite, long, bits (a constructed BIT STRING) or
 *                       unused (an unused bit)
 * out     the certificate, to be released by OPENSSL_free
 *
 * Gives its length, or 0 when HOW is no such edit.
 */
size_t edit_certificate(X509 *plain, const char *how,
    const struct edit_keys *keys, unsigned char **out);

/* The bytes of a certificate's SPKI, as they stand in DER: their length, and
 * at most size of them in out. */
size_t edit_spki(const unsigned char *der, size_t len, unsigned char *out,
    size_t size);

#endif
