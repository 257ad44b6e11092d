/*
 * Internet addresses with a port, as small values.  Hides sockaddr and its
 * families.  Refuses every spelling of an address but the canonical ones
 * (base/host.h).
 */
#ifndef PF_ADDRESS_H
#define PF_ADDRESS_H

#include <sys/socket.h>

#include "pinfast.h"

#define PF_ADDRESS_TEXT 72 /* an IPv6 address with a zone, and NUL */

struct pf_address {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t bytes[16];
	uint16_t port;
	uint32_t zone; /* of a link-local address; 0: none */
};

/* An address literal, IPv6 also in brackets; 0: it is none. */
int pf_address_parse(const char *text, size_t len, uint16_t port,
    struct pf_address *out);

/* Without the port.  "" for family 0. */
void pf_address_text(const struct pf_address *address,
    char out[PF_ADDRESS_TEXT]);

/* To and from the system's form; 0: of neither family. */
socklen_t pf_address_to_system(const struct pf_address *address,
    struct sockaddr_storage *out);
int pf_address_from_system(const struct sockaddr *in, uint16_t port,
    struct pf_address *out);

/* The same address, port and zone? */
int pf_address_same(const struct pf_address *a, const struct pf_address *b);

#endif
