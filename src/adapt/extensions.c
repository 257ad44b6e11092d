#include "adapt/extensions.h"

#include <string.h>

/* Takes the extension that comes next apart; 0: it cannot be read. */
static int
next_extension(struct pf_der *all, struct pf_der *oid, struct pf_der *value)
{
	struct pf_der one = pf_der_open(*all, PF_DER_SEQUENCE);

	if (one.end == NULL)
		return 0;
	all->at = one.end;
	*oid = pf_der_open(one, PF_DER_OID);
	if (oid->end == NULL)
		return 0;
	one.at = oid->end;
	if (pf_der_next_is(one, PF_DER_BOOLEAN)) {
		one = pf_der_skip_any(one);
		if (one.end == NULL)
			return 0;
	}
	*value = pf_der_open(one, PF_DER_OCTET_STRING);
	return value->end != NULL && value->end == one.end;
}

int
pf_extension_find(const struct pf_cert *cert, enum pf_extension which,
    struct pf_der *value)
{
	const uint8_t wanted[] = {0x55, 0x1d, (uint8_t)which};
	struct pf_der all = {cert->extensions.data, cert->extensions.data};
	struct pf_der oid, one;
	int there = 0;

	if (cert->extensions.len > 0)
		all.end += cert->extensions.len;
	while (all.at != all.end) {
		if (!next_extension(&all, &oid, &one))
			return -1;
		if (oid.end - oid.at != (ptrdiff_t)sizeof wanted ||
		    memcmp(oid.at, wanted, sizeof wanted) != 0)
			continue;
		/* RFC 5280, 4.2: not more than one of a kind. */
		if (there)
			return -1;
		*value = one;
		there = 1;
	}
	return there;
}

int
pf_extension_names(const struct pf_cert *cert, struct pf_der *names)
{
	struct pf_der value;
	int there = pf_extension_find(cert, PF_EXT_ALT_NAME, &value);

	if (there <= 0)
		return there;
	*names = pf_der_open(value, PF_DER_SEQUENCE);
	return names->end != NULL && names->end == value.end ? 1 : -1;
}

static int
lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

int
pf_same_letters(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return 0;
	return 1;
}
