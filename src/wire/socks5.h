/*
 * A way through a SOCKS5 proxy (RFC 1928), with a user name and password (RFC
 * 1929) when there are any.  Hides the messages.  Refuses proxies that want
 * another kind of authentication, and every reply but success.  Names are sent
 * as names, so that the proxy looks them up; addresses as addresses.
 */
#ifndef PF_SOCKS5_H
#define PF_SOCKS5_H

#include "wire/dialogue.h"

/*
 * host      the origin's name or address
 * user      NULL: only "no authentication" is offered; at most 255 bytes
 * password  NULL is an empty one; at most 255 bytes
 *
 * All are borrowed for the call.  What cannot be sent is PF_DIALOGUE_BROKEN.
 */
void pf_socks5_begin(struct pf_dialogue *d, const char *host, uint16_t port,
    const char *user, const char *password);

#endif
