/*
 * The one canonical form of a host name or address.  Hides case, the trailing
 * dot, brackets and the many spellings of addresses.  Refuses everything that
 * two programs could read differently: then there is no form and no look-up,
 * and the verdict is a deny, never "unlisted".
 *
 * Names are A-labels of letters, digits, '-' and '_', at most 63 octets a
 * label and 253 in all; one trailing dot is dropped; an xn-- label must decode
 * by RFC 3492.  A name whose last label is numeric must be a canonical dotted
 * IPv4 address.  An IPv4-mapped IPv6 address is its IPv4 address.  There are
 * no zone identifiers.
 */
#ifndef PF_HOST_H
#define PF_HOST_H

#include "pinfast.h"

enum pf_host_kind { PF_HOST_NAME = 0, PF_HOST_IPV4 = 4, PF_HOST_IPV6 = 6 };

struct pf_host {
	uint8_t kind;
	uint8_t text_len;
	uint8_t key_len;
	char text[PINFAST_HOST_LEN];   /* for people; IPv6 as RFC 5952 */
	uint8_t key[PINFAST_HOST_LEN]; /* what stores compare: a name's own
	                                  bytes, or the kind and the address */
};

/* PINFAST_EHOST when there is no canonical form; in need not end in NUL. */
PINFAST_CHECK enum pinfast_error pf_host_parse(const char *in, size_t len,
    struct pf_host *out);

/* An address in network byte order, 4 or 16 bytes. */
PINFAST_CHECK enum pinfast_error pf_host_parse_binary(const uint8_t *addr,
    size_t len, struct pf_host *out);

/* Which rule the text breaks, a sentence; NULL when it is valid. */
const char *pf_host_complaint(const char *in, size_t len);

#endif
