/*
 * The public half of a private key file, without a crypto library.  Hides
 * PKCS#1 (RFC 8017), PKCS#8 (RFC 5958), SEC 1 (RFC 5915) and the v2 form of
 * Edwards keys (RFC 8410).  Refuses to compute: a file that does not hold the
 * public half as it stands in a certificate needs another program first.
 */
#ifndef PF_KEYFILE_H
#define PF_KEYFILE_H

#include "pinfast.h"

#define PF_KEYFILE_MAX 8192

enum pf_keyfile {
	PF_KEYFILE_NONE = 0, /* not a private key in exact DER */
	PF_KEYFILE_MADE = 1,
	PF_KEYFILE_NEEDS_MORE = 2 /* a key, but its public half is not there */
};

/*
 * Makes the SubjectPublicKeyInfo of a private key (or of a bare RSAPublicKey)
 * in DER.  spki and *len are written only when it is MADE.
 */
enum pf_keyfile pf_keyfile_public(struct pinfast_bytes der,
    uint8_t spki[PF_KEYFILE_MAX], size_t *len);

#endif
