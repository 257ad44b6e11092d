/*
 * Extensions of certificates (RFC 5280, 4.2), for TLS libraries that leave
 * them to us.  Hides where they stand.  Refuses extensions that are not
 * structure-exact DER, whichever they are, and one that is there twice.
 */
#ifndef PF_EXTENSIONS_H
#define PF_EXTENSIONS_H

#include "core/der.h"
#include "core/spki.h"

/* id-ce (RFC 5280, 4.2.1): 2.5.29.n. */
enum pf_extension {
	PF_EXT_KEY_USAGE = 15,
	PF_EXT_ALT_NAME = 17,
	PF_EXT_BASIC = 19,
	PF_EXT_CONSTRAINTS = 30,
	PF_EXT_EXTENDED_USE = 37
};

/*
 * The value of an extension, for a cursor.
 *
 * returns 1: *value is it, 0: it is not there, -1: it is there twice, or the
 *         extensions cannot be read
 */
PINFAST_CHECK int pf_extension_find(const struct pf_cert *cert,
    enum pf_extension which, struct pf_der *value);

/* The same of subjectAltName: *names are its general names, one by one. */
PINFAST_CHECK int pf_extension_names(const struct pf_cert *cert,
    struct pf_der *names);

/* Are two names of hosts the same, but for the case of letters? */
int pf_same_letters(const uint8_t *a, const uint8_t *b, size_t len);

#endif
