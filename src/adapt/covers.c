#include "adapt/covers.h"

#include <string.h>

#include "adapt/extensions.h"
#include "base/bytes.h"
#include "base/host.h"

#define DNS_NAME 2   /* GeneralName (RFC 5280, 4.2.1.6) */
#define IP_ADDRESS 7 /* 4 octets, or 16 */

static int
same_name(const uint8_t *name, size_t len, const char *host, size_t host_len)
{
	return len == host_len &&
	       pf_same_letters(name, (const uint8_t *)host, len);
}

static int
name_covers(struct pf_der name, const struct pf_host *host)
{
	size_t len = (size_t)(name.end - name.at);
	const char *dot, *text = host->text;
	size_t left = host->text_len;

	if (same_name(name.at, len, text, left))
		return 1;
	if (len < 3 || name.at[0] != '*' || name.at[1] != '.' ||
	    memchr(name.at + 2, '.', len - 2) == NULL)
		return 0;
	dot = memchr(text, '.', left);
	if (dot == NULL)
		return 0;
	left -= (size_t)(dot - text);
	return same_name(name.at + 1, len - 1, dot, left);
}

static int
address_covers(struct pf_der address, const struct pf_host *host)
{
	/* The first octet of a key says of which kind it is. */
	size_t len = (size_t)host->key_len - 1;

	return (size_t)(address.end - address.at) == len &&
	       pf_same(address.at, host->key + 1, len);
}

int
pf_cert_covers(const struct pf_cert *cert, const char *host)
{
	struct pf_der names;
	struct pf_host want;
	int is_name, covers = 0;

	if (pf_extension_names(cert, &names) <= 0 ||
	    pf_host_parse(host, strlen(host), &want) != PINFAST_OK)
		return 0;
	is_name = want.kind == PF_HOST_NAME;
	while (names.at != names.end) {
		int is_wanted = pf_der_next_is(names,
		    PF_DER_CONTEXT(is_name ? DNS_NAME : IP_ADDRESS));
		struct pf_der name = pf_der_open_any(names);

		if (!name.end)
			return 0;
		names.at = name.end;
		if (is_wanted && (is_name ? name_covers(name, &want)
		                          : address_covers(name, &want)))
			covers = 1;
	}
	return covers;
}
