#include "adapt/covers.h"

#include <string.h>

#include "base/bytes.h"
#include "base/host.h"
#include "core/der.h"

#define DNS_NAME 2   /* GeneralName (RFC 5280, 4.2.1.6) */
#define IP_ADDRESS 7 /* 4 octets, or 16 */

/* 2.5.29.17 */
static const uint8_t subject_alt_name[] = {0x55, 0x1d, 0x11};

/* The names of one extension, when it is that one; at NULL: it is another. */
static struct pf_der
names_of(struct pf_der extension)
{
	struct pf_der oid = pf_der_open_filled(extension, PF_DER_OID);
	struct pf_der value, names;

	if (!oid.end)
		return oid;
	if ((size_t)(oid.end - oid.at) != sizeof subject_alt_name ||
	    !pf_same(oid.at, subject_alt_name, sizeof subject_alt_name)) {
		extension.at = NULL;
		return extension;
	}
	extension.at = oid.end;
	if (pf_der_next_is(extension, PF_DER_BOOLEAN))
		extension = pf_der_skip_any(extension);
	if (!extension.end)
		return extension;
	value = pf_der_open(extension, PF_DER_OCTET_STRING);
	if (!value.end || value.end != extension.end)
		return pf_der_fail(extension.at);
	names = pf_der_open(value, PF_DER_SEQUENCE);
	if (!names.end || names.end != value.end)
		return pf_der_fail(value.at);
	return names;
}

/* The names of the only such extension; end NULL: there is none, or more than
 * one, or it is damaged. */
static struct pf_der
find_names(const struct pf_cert *cert)
{
	struct pf_der rest = {cert->extensions.data, NULL};
	struct pf_der found = pf_der_fail(NULL);

	if (cert->extensions.len == 0)
		return found;
	rest.end = rest.at + cert->extensions.len;
	while (rest.at != rest.end) {
		struct pf_der extension = pf_der_open(rest, PF_DER_SEQUENCE);
		struct pf_der names;

		if (!extension.end)
			return extension;
		rest.at = extension.end;
		names = names_of(extension);
		if (names.end && names.at == NULL)
			continue;
		if (!names.end || found.end)
			return pf_der_fail(NULL);
		found = names;
	}
	return found;
}

static int
lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* host is canonical: lower case already. */
static int
same_name(const uint8_t *name, size_t len, const char *host, size_t host_len)
{
	if (len != host_len)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (lower(name[i]) != (unsigned char)host[i])
			return 0;
	return 1;
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
	struct pf_der names = find_names(cert);
	struct pf_host want;
	int is_name, covers = 0;

	if (!names.end || pf_host_parse(host, strlen(host), &want) != 0)
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
