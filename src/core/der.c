#include "core/der.h"

/* Lengths with more octets are beyond every limit of this library. */
#define MAX_LENGTH_OCTETS 4

/* The content behind a length of several octets, which begins at d.at. */
static struct pf_der
open_long(struct pf_der d)
{
	const uint8_t *octet = d.at + 1;
	unsigned count = *d.at & 0x7fU;
	uint32_t len = 0;
	struct pf_der value;

	if (count == 0 || count > MAX_LENGTH_OCTETS)
		return pf_der_fail(d.at);
	if (count > (size_t)(d.end - octet))
		return pf_der_fail(d.end);
	if (*octet == 0 || (count == 1 && *octet < 0x80))
		return pf_der_fail(octet);
	value.at = octet + count;
	while (octet < value.at)
		len = len << 8 | *octet++;
	if (len > (size_t)(d.end - value.at))
		return pf_der_fail(d.at);
	value.end = value.at + len;
	return value;
}

struct pf_der
pf_der_open_any(struct pf_der d)
{
	struct pf_der value;

	if (d.at == d.end || (*d.at & 0x1f) == 0x1f)
		return pf_der_fail(d.at);
	d.at++;
	if (d.at == d.end)
		return pf_der_fail(d.at);
	if (*d.at >= 0x80)
		return open_long(d);
	if (*d.at >= (size_t)(d.end - d.at))
		return pf_der_fail(d.at);
	value.at = d.at + 1;
	value.end = value.at + *d.at;
	return value;
}

struct pf_der
pf_der_open_slowly(struct pf_der d, unsigned tag)
{
	if (!pf_der_next_is(d, tag))
		return pf_der_fail(d.at);
	return pf_der_open_any(d);
}
