#include "adapt/issuers.h"

#include <string.h>

#include "adapt/extensions.h"
#include "base/bytes.h"

/* GeneralName (RFC 5280, 4.2.1.6). */
#define NAME_DNS 0x82
#define NAME_DIRECTORY 0xa4
#define NAME_ADDRESS 0x87

#define USE_CERT_SIGN 0x04 /* in the first octet */

static struct pinfast_bytes
rest(struct pf_der d)
{
	return pf_der_between(d.at, d.end);
}

static struct pf_der
cursor(struct pinfast_bytes bytes)
{
	struct pf_der d = {bytes.data, bytes.data + bytes.len};

	return d;
}

/* Takes the general name that comes next; 0: there is none to be read. */
static int
next_name(struct pf_der *names, unsigned *tag, struct pinfast_bytes *name)
{
	struct pf_der one;

	*tag = *names->at;
	one = pf_der_open_any(*names);
	if (one.end == NULL)
		return 0;
	*name = rest(one);
	names->at = one.end;
	return 1;
}

/* ------------------------------------------------------------------ issuers */

/* What basicConstraints says. */
struct basic {
	int there;
	int ca;
	int has_length;
	size_t length;
	int broken;
};

static void
read_length(struct pf_der d, struct basic *out)
{
	struct pf_der value = pf_der_open_filled(d, PF_DER_INTEGER);

	if (value.end == NULL || value.end != d.end || *value.at >= 0x80) {
		out->broken = 1;
		return;
	}
	out->has_length = 1;
	for (; value.at != value.end; value.at++)
		/* No path is that long. */
		out->length = out->length > 0xffff
		                  ? out->length
		                  : out->length << 8 | *value.at;
}

static struct basic
basic_of(const struct pf_cert *cert)
{
	struct basic out = {0, 0, 0, 0, 0};
	struct pf_der d, list, value;
	int there = pf_extension_find(cert, PF_EXT_BASIC, &d);

	out.broken = there < 0;
	out.there = there > 0;
	if (there <= 0)
		return out;
	list = pf_der_open(d, PF_DER_SEQUENCE);
	out.broken = list.end == NULL || list.end != d.end;
	if (!out.broken && pf_der_next_is(list, PF_DER_BOOLEAN)) {
		value = pf_der_open_filled(list, PF_DER_BOOLEAN);
		out.broken = value.end == NULL || value.end - value.at != 1;
		if (out.broken)
			return out;
		out.ca = *value.at != 0;
		list.at = value.end;
	}
	if (!out.broken && list.at != list.end)
		read_length(list, &out);
	return out;
}

int
pf_issuers_none(const struct pf_cert *cert)
{
	struct basic basic = basic_of(cert);

	return !basic.broken && !basic.ca;
}

static int
signs_certificates(const struct pf_cert *cert)
{
	struct pf_der d, bits;
	int there = pf_extension_find(cert, PF_EXT_KEY_USAGE, &d);

	if (there <= 0)
		return there == 0;
	bits = pf_der_open(d, PF_DER_BIT_STRING);
	/* The first octet counts unused bits. */
	return bits.end != NULL && bits.end == d.end &&
	       bits.end - bits.at >= 2 && (bits.at[1] & USE_CERT_SIGN);
}

/* Extended key usage of an issuer limits what it may issue. */
static int
issues_for(const struct pf_cert *cert, enum pf_issuers_for use)
{
	static const uint8_t any[] = {0x55, 0x1d, 0x25, 0x00};
	uint8_t one[] = {
	    0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, (uint8_t)use};
	struct pf_der d, list, oid;
	int there = pf_extension_find(cert, PF_EXT_EXTENDED_USE, &d);
	int allowed = 0;

	if (there <= 0)
		return there == 0;
	list = pf_der_open(d, PF_DER_SEQUENCE);
	if (list.end == NULL || list.end != d.end)
		return 0;
	while (list.at != list.end) {
		oid = pf_der_open(list, PF_DER_OID);
		if (oid.end == NULL)
			return 0;
		list.at = oid.end;
		allowed |= (oid.end - oid.at == (ptrdiff_t)sizeof one &&
		               memcmp(oid.at, one, sizeof one) == 0) ||
		           (oid.end - oid.at == (ptrdiff_t)sizeof any &&
		               memcmp(oid.at, any, sizeof any) == 0);
	}
	return allowed;
}

static int
is_self_issued(const struct pf_cert *cert)
{
	return cert->subject.len == cert->issuer.len &&
	       pf_same(cert->subject.data, cert->issuer.data,
	           cert->subject.len);
}

/* path[at] as the issuer of all that stand before it. */
static int
may_issue(const struct pf_cert *const *path, size_t at, size_t count,
    enum pf_issuers_for use)
{
	const struct pf_cert *cert = path[at];
	struct basic basic = basic_of(cert);
	size_t between = 0;

	/* An anchor of the time before extensions. */
	if (at + 1 == count && cert->extensions.len == 0)
		return 1;
	if (basic.broken || (!basic.ca && (basic.there || at + 1 < count)) ||
	    !signs_certificates(cert) || !issues_for(cert, use))
		return 0;
	for (size_t i = 1; i < at; i++)
		between += !is_self_issued(path[i]);
	return !basic.has_length || between <= basic.length;
}

/* -------------------------------------------------------------- constraints */

enum constrains { NOT_THIS, INSIDE, OUTSIDE, PARTLY, UNKNOWN };

/* Is it a wildcard that stands for the base, too? */
static int
stands_for(struct pinfast_bytes name, struct pinfast_bytes base)
{
	const uint8_t *dot = memchr(base.data, '.', base.len);
	size_t behind;

	if (dot == NULL || base.data[0] == '*' || name.len < 2 ||
	    name.data[0] != '*')
		return 0;
	behind = base.len - (size_t)(dot - base.data);
	return name.len == 1 + behind &&
	       pf_same_letters(name.data + 1, dot, behind);
}

/* Is the name the base or below it (RFC 5280, 4.2.1.10)? */
static enum constrains
name_within(struct pinfast_bytes name, struct pinfast_bytes base)
{
	size_t more;

	/* ".example.com" is not what the RFC says, and means names below. */
	if (base.len > 0 && base.data[0] == '.') {
		base.data++;
		base.len--;
		if (name.len == base.len)
			return OUTSIDE;
	} else if (stands_for(name, base)) {
		return PARTLY;
	}
	if (base.len == 0)
		return INSIDE;
	if (name.len < base.len)
		return OUTSIDE;
	more = name.len - base.len;
	if (more > 0 && name.data[more - 1] != '.')
		return OUTSIDE;
	return pf_same_letters(name.data + more, base.data, base.len) ? INSIDE
	                                                              : OUTSIDE;
}

static enum constrains
address_within(struct pinfast_bytes name, struct pinfast_bytes base)
{
	if (base.len != 2 * name.len)
		return base.len == 8 || base.len == 32 ? OUTSIDE : UNKNOWN;
	for (size_t i = 0; i < name.len; i++)
		if ((name.data[i] ^ base.data[i]) & base.data[name.len + i])
			return OUTSIDE;
	return INSIDE;
}

/* Byte by byte: who writes the same otherwise is outside. */
static enum constrains
directory_within(struct pinfast_bytes name, struct pinfast_bytes base)
{
	struct pf_der a = pf_der_open(cursor(name), PF_DER_SEQUENCE);
	struct pf_der b = pf_der_open(cursor(base), PF_DER_SEQUENCE);

	if (a.end == NULL || b.end == NULL)
		return UNKNOWN;
	return a.end - a.at >= b.end - b.at &&
	               pf_same(a.at, b.at, (size_t)(b.end - b.at))
	           ? INSIDE
	           : OUTSIDE;
}

static enum constrains
within(unsigned tag, struct pinfast_bytes name, unsigned base_tag,
    struct pinfast_bytes base)
{
	if (tag != base_tag)
		return NOT_THIS;
	if (tag == NAME_DNS)
		return name_within(name, base);
	if (tag == NAME_ADDRESS)
		return address_within(name, base);
	if (tag == NAME_DIRECTORY)
		return directory_within(name, base);
	return UNKNOWN;
}

/* What a list of subtrees has for a name: one that holds it, one of its kind
 * that does not, one that holds some of what a wildcard stands for. */
struct compared {
	int inside;
	int outside;
	int partly;
};

/* 0: cannot be told. */
static int
compare(struct pf_der list, unsigned tag, struct pinfast_bytes name,
    struct compared *out)
{
	struct pinfast_bytes base;
	struct pf_der one;
	unsigned base_tag;

	memset(out, 0, sizeof *out);
	while (list.at != list.end) {
		one = pf_der_open_filled(list, PF_DER_SEQUENCE);
		/* minimum and maximum are never there (RFC 5280). */
		if (one.end == NULL || !next_name(&one, &base_tag, &base) ||
		    one.at != one.end)
			return 0;
		list.at = one.end;
		switch (within(tag, name, base_tag, base)) {
		case NOT_THIS:
			break;
		case INSIDE:
			out->inside = 1;
			break;
		case OUTSIDE:
			out->outside = 1;
			break;
		case PARTLY:
			out->partly = 1;
			break;
		case UNKNOWN:
		default:
			return 0;
		}
	}
	return 1;
}

/* Both lists of a nameConstraints extension; empty ones for those that are not
 * there. */
struct constraints {
	struct pf_der permitted;
	struct pf_der excluded;
};

static int
allows_name(const struct constraints *c, unsigned tag,
    struct pinfast_bytes name)
{
	struct compared found;

	if (!compare(c->permitted, tag, name, &found) ||
	    ((found.outside || found.partly) && !found.inside))
		return 0;
	if (!compare(c->excluded, tag, name, &found) || found.inside ||
	    found.partly)
		return 0;
	/* Written otherwise it may well be the excluded name. */
	return tag != NAME_DIRECTORY || !found.outside;
}

static int
allows(const struct constraints *c, const struct pf_cert *cert)
{
	struct pf_der names;
	struct pinfast_bytes name;
	unsigned tag;
	int there = pf_extension_names(cert, &names);

	if (there < 0)
		return 0;
	/* An empty subject is no name: SEQUENCE, length 0. */
	if (cert->subject.len > 2 &&
	    !allows_name(c, NAME_DIRECTORY, cert->subject))
		return 0;
	while (there && names.at != names.end)
		if (!next_name(&names, &tag, &name) ||
		    !allows_name(c, tag, name))
			return 0;
	return 1;
}

/* 0: cannot be read, -1: there are none. */
static int
constraints_of(const struct pf_cert *cert, struct constraints *out)
{
	struct pf_der d, list;
	int there = pf_extension_find(cert, PF_EXT_CONSTRAINTS, &d);

	if (there <= 0)
		return there < 0 ? 0 : -1;
	list = pf_der_open_filled(d, PF_DER_SEQUENCE);
	if (list.end == NULL || list.end != d.end)
		return 0;
	out->permitted.at = out->permitted.end = list.end;
	out->excluded = out->permitted;
	if (pf_der_next_is(list, PF_DER_EXPLICIT(0))) {
		out->permitted = pf_der_open(list, PF_DER_EXPLICIT(0));
		if (out->permitted.end == NULL)
			return 0;
		list.at = out->permitted.end;
	}
	if (pf_der_next_is(list, PF_DER_EXPLICIT(1))) {
		out->excluded = pf_der_open(list, PF_DER_EXPLICIT(1));
		if (out->excluded.end == NULL)
			return 0;
		list.at = out->excluded.end;
	}
	return list.at == list.end;
}

/* Do the constraints of path[at] let all be that stand before it? */
static int
constrains_well(const struct pf_cert *const *path, size_t at)
{
	struct constraints constraints;
	int there = constraints_of(path[at], &constraints);

	if (there <= 0)
		return there < 0;
	for (size_t i = 0; i < at; i++)
		/* A CA may issue for itself; the leaf is never spared. */
		if ((i == 0 || !is_self_issued(path[i])) &&
		    !allows(&constraints, path[i]))
			return 0;
	return 1;
}

int
pf_issuers_may(const struct pf_cert *const *path, size_t count,
    enum pf_issuers_for use)
{
	for (size_t at = 1; at < count; at++)
		if (!may_issue(path, at, count, use) ||
		    !constrains_well(path, at))
			return 0;
	return 1;
}
