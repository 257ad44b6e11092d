/*
 * A way through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), with Basic
 * credentials (RFC 7617) when there are any.  Hides the header.  Refuses every
 * answer but 2xx; the body that may come with a refusal is not read.
 */
#ifndef PF_HTTPCONNECT_H
#define PF_HTTPCONNECT_H

#include "wire/dialogue.h"

/*
 * host      the origin's name or address: names are sent as names
 * user      NULL: no credentials are sent; at most 255 bytes, without ':'
 * password  NULL is an empty one; at most 255 bytes
 *
 * All are borrowed for the call.  What cannot be sent is PF_DIALOGUE_BROKEN.
 */
void pf_httpconnect_begin(struct pf_dialogue *d, const char *host,
    uint16_t port, const char *user, const char *password);

#endif
