/*
 * What RFC 5280 makes of the extensions of a path's certificates, for TLS
 * libraries that do not look at whole paths: may its issuers issue what stands
 * below them?  Hides where the extensions stand.  Refuses whatever it cannot
 * read: extensions that come twice, values that are not structure-exact,
 * constraints on names that cannot be compared.  It checks no signature and no
 * date: that is the library's.
 */
#ifndef PF_ISSUERS_H
#define PF_ISSUERS_H

#include "core/spki.h"

/* Is it certain that this is no CA?  1 also when nothing is said. */
int pf_issuers_none(const struct pf_cert *cert);

/* Who the leaf is for: the last number of its extended key usage. */
enum pf_issuers_for { PF_ISSUERS_SERVER = 1, PF_ISSUERS_CLIENT = 2 };

/*
 * May every certificate of the path issue the ones before it (RFC 5280, 6.1.4:
 * CA, keyCertSign, extended key usage where there is one, path length, name
 * constraints)?  Leaf first, the trust anchor last.  An anchor without
 * extensions may issue anything.
 */
int pf_issuers_may(const struct pf_cert *const *path, size_t count,
    enum pf_issuers_for use);

#endif
