#define _DEFAULT_SOURCE
#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"

static size_t
size_of(const struct pf_address *address)
{
	return address->family == 6 ? 16 : 4;
}

int
pf_address_parse(const char *text, size_t len, uint16_t port,
    struct pf_address *out)
{
	struct pf_host host;

	if (pf_host_parse(text, len, &host) != PINFAST_OK ||
	    host.kind == PF_HOST_NAME)
		return 0;
	memset(out, 0, sizeof *out);
	out->family = host.kind;
	out->port = port;
	memcpy(out->bytes, host.key + 1, size_of(out));
	return 1;
}

void
pf_address_text(const struct pf_address *address, char out[PF_ADDRESS_TEXT])
{
	char zone[IF_NAMESIZE];
	struct pf_host host;
	int len;

	out[0] = '\0';
	if (address->family == 0 || pf_host_parse_binary(address->bytes,
	                                size_of(address), &host) != PINFAST_OK)
		return;
	len = snprintf(out, PF_ADDRESS_TEXT, "%.45s", host.text);
	if (address->zone != 0 && if_indextoname(address->zone, zone) != NULL)
		snprintf(out + len, PF_ADDRESS_TEXT - (size_t)len, "%%%s",
		    zone);
}

socklen_t
pf_address_to_system(const struct pf_address *address,
    struct sockaddr_storage *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(out, 0, sizeof *out);
	if (address->family == 4) {
		memset(&v4, 0, sizeof v4);
		v4.sin_family = AF_INET;
		v4.sin_port = htons(address->port);
		memcpy(&v4.sin_addr, address->bytes, 4);
		memcpy(out, &v4, sizeof v4);
		return sizeof v4;
	}
	if (address->family != 6)
		return 0;
	memset(&v6, 0, sizeof v6);
	v6.sin6_family = AF_INET6;
	v6.sin6_port = htons(address->port);
	v6.sin6_scope_id = address->zone;
	memcpy(&v6.sin6_addr, address->bytes, 16);
	memcpy(out, &v6, sizeof v6);
	return sizeof v6;
}

int
pf_address_from_system(const struct sockaddr *in, uint16_t port,
    struct pf_address *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(out, 0, sizeof *out);
	out->port = port;
	if (in->sa_family == AF_INET) {
		memcpy(&v4, in, sizeof v4);
		out->family = 4;
		memcpy(out->bytes, &v4.sin_addr, 4);
		return 1;
	}
	if (in->sa_family != AF_INET6)
		return 0;
	memcpy(&v6, in, sizeof v6);
	out->family = 6;
	out->zone = v6.sin6_scope_id;
	memcpy(out->bytes, &v6.sin6_addr, 16);
	return 1;
}

int
pf_address_same(const struct pf_address *a, const struct pf_address *b)
{
	return a->family == b->family && a->port == b->port &&
	       a->zone == b->zone && memcmp(a->bytes, b->bytes, 16) == 0;
}
