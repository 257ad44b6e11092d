/*
 * Connections that are made without waiting.  Hides sockets.  Refuses to
 * block: the caller polls, and decides how long.
 */
#ifndef PF_DIAL_H
#define PF_DIAL_H

#include "net/address.h"

/* Begins a connection; a descriptor, or -1 with errno: EADDRINUSE when this
 * machine has no free port for it. */
int pf_dial(const struct pf_address *address);

/* The descriptor has become writable: 0 when it is connected, else errno. */
int pf_dial_result(int fd);

/* Does this machine lead anywhere in this family, 4 or 6?  Nothing is sent. */
int pf_dial_has_route(int family);

/* Why a connection could not be made, a sentence with a remedy. */
const char *pf_dial_sentence(int error);

#endif
