/*
 * Names and roles of certificates, for people.  Hides DER and ASN.1 strings.
 * The result is not for comparing: bytes that no terminal should see are
 * shown as \xNN by whoever prints it.
 */
#ifndef PF_SUBJECT_H
#define PF_SUBJECT_H

#include "core/spki.h"

/*
 * "CN=example.com, O=Example" into out, without a NUL in it; "..." when it
 * does not fit.  In values `,+"\<>;` and outer spaces have a backslash in
 * front and NUL is `\00` (RFC 4514 2.4), so that a value cannot pass for
 * another attribute.
 */
void pf_subject_text(struct pinfast_bytes name, char *out, size_t size);

/* leaf, intermediate or root, by basicConstraints and self-issuance. */
const char *pf_cert_role(const struct pf_cert *cert);

/*
 * Which other TLS stacks would compute another pin for this key, in one
 * sentence; NULL: none that is known.
 */
const char *pf_pin_caveat(const struct pf_key *key);

#endif
