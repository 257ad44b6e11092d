/*
 * Does a certificate name this host (RFC 9525)?  For TLS libraries that
 * compare names otherwise, or not at all: mbedTLS 2.28 knows no addresses in
 * certificates, and several fall back to the subject.  Hides where the names
 * stand.  Only subjectAltName counts: dNSName for names, byte for byte but for
 * the case of letters; iPAddress for addresses.  A wildcard is a whole left
 * label, stands for exactly one, and has two more behind it.  Refuses an
 * extension that is there twice or is not structure-exact DER.
 */
#ifndef PF_COVERS_H
#define PF_COVERS_H

#include "core/spki.h"
#include "pinfast.h"

/* host: as pinfast_host_canonical() writes it.  1: yes. */
int pf_cert_covers(const struct pf_cert *cert, const char *host);

#endif
