#include "cli/subject.h"

#include <stdio.h>

#include "base/bytes.h"
#include "core/der.h"

/* OIDs by their content octets. */
struct oid {
	const char *name;
	uint8_t len;
	uint8_t bytes[9];
};

/* Takes the next value if it has this tag; the cursor goes on behind it. */
static int
take(struct pf_der *in, unsigned tag, struct pf_der *content)
{
	struct pf_der value = pf_der_open(*in, tag);

	if (value.end == NULL)
		return 0;
	in->at = value.end;
	*content = value;
	return 1;
}

static const struct oid attributes[] = {{"CN", 3, {0x55, 4, 3}},
    {"O", 3, {0x55, 4, 10}}, {"OU", 3, {0x55, 4, 11}}, {"C", 3, {0x55, 4, 6}},
    {"L", 3, {0x55, 4, 7}}, {"ST", 3, {0x55, 4, 8}}, {"SN", 3, {0x55, 4, 4}},
    {"serialNumber", 3, {0x55, 4, 5}},
    {"E", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}}};

struct text {
	char *out;
	size_t size, len;
};

static void
add(struct text *t, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && t->len + 1 < t->size; i++)
		t->out[t->len++] = bytes[i];
	t->out[t->len] = '\0';
}

/*
 * A value as RFC 4514 2.4 writes it, so that no value can look like another
 * attribute, or end early at a NUL.
 */
static void
add_value(struct text *t, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (c == '\0') {
			add(t, "\\00", 3);
			continue;
		}
		if (strchr(",+\"\\<>;", c) != NULL || (i == 0 && c == '#') ||
		    ((i == 0 || i + 1 == len) && c == ' '))
			add(t, "\\", 1);
		add(t, &c, 1);
	}
}

/* BMPString: two bytes a character; Latin of it is enough here. */
static void
add_wide(struct text *t, struct pf_der value)
{
	char narrow[256];
	size_t len = 0;

	for (const uint8_t *p = value.at;
	     value.end - p >= 2 && len < sizeof narrow; p += 2)
		narrow[len++] = p[0] == 0 ? (char)p[1] : '?';
	add_value(t, narrow, len);
}

static int
is_oid(struct pf_der in, const struct oid *oid)
{
	return (size_t)(in.end - in.at) == oid->len &&
	       pf_same(in.at, oid->bytes, oid->len);
}

/*
 * An attribute type without a short name, as numbers with dots (RFC 4514 2.3).
 * A number beyond 32 bits, or one that does not end, is written as "?".
 */
static void
add_oid(struct text *t, struct pf_der oid)
{
	char number[16];
	uint64_t value = 0;
	int first = 1;

	for (const uint8_t *p = oid.at; p < oid.end; p++) {
		value = value << 7 | (*p & 0x7fU);
		if (value > UINT32_MAX || (*p & 0x80 && p + 1 == oid.end)) {
			add(t, first ? "?" : ".?", first ? 1 : 2);
			return;
		}
		if (*p & 0x80)
			continue;
		if (first) {
			unsigned arc = value < 80 ? (unsigned)value / 40 : 2;

			snprintf(number, sizeof number, "%u", arc);
			add(t, number, strlen(number));
			value -= arc * 40U;
			first = 0;
		}
		snprintf(number, sizeof number, ".%lu", (unsigned long)value);
		add(t, number, strlen(number));
		value = 0;
	}
}

/* The whole element in hexadecimal, as RFC 4514 2.4 wants it behind an OID. */
static void
add_hex(struct text *t, const uint8_t *at, const uint8_t *end)
{
	static const char digits[] = "0123456789abcdef";

	add(t, "#", 1);
	for (; at < end; at++) {
		add(t, &digits[*at >> 4], 1);
		add(t, &digits[*at & 15], 1);
	}
}

/* element: where the value's tag stands. */
static void
add_attribute(struct text *t, struct pf_der oid, const uint8_t *element,
    struct pf_der value)
{
	const char *name = NULL;

	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
		if (is_oid(oid, &attributes[i]))
			name = attributes[i].name;
	if (name == NULL) {
		add_oid(t, oid);
		add(t, "=", 1);
		add_hex(t, element, value.end);
		return;
	}
	add(t, name, strlen(name));
	add(t, "=", 1);
	if (*element == 0x1e)
		add_wide(t, value);
	else
		add_value(t, (const char *)value.at,
		    (size_t)(value.end - value.at));
}

void
pf_subject_text(struct pinfast_bytes name, char *out, size_t size)
{
	struct pf_der in = {name.data, name.data + name.len};
	struct pf_der seq, set, pair, oid, value;
	struct text t = {out, size, 0};

	out[0] = '\0';
	if (!take(&in, PF_DER_SEQUENCE, &seq))
		return;
	while (take(&seq, PF_DER_SET, &set)) {
		const char *join = t.len > 0 ? ", " : "";

		while (take(&set, PF_DER_SEQUENCE, &pair)) {
			if (!take(&pair, PF_DER_OID, &oid))
				return;
			value = pf_der_open_any(pair);
			if (value.end == NULL)
				continue;
			add(&t, join, strlen(join));
			add_attribute(&t, oid, pair.at, value);
			join = "+";
		}
	}
	/* What was cut is told. */
	if (t.len + 1 == size && size > 4)
		memcpy(out + size - 4, "...", 4);
}

/* Is `cA` TRUE in basicConstraints (2.5.29.19)? */
static int
is_ca(const struct pf_cert *cert)
{
	static const struct oid wanted = {"", 3, {0x55, 0x1d, 0x13}};
	struct pf_der seq = {cert->extensions.data,
	    cert->extensions.data + cert->extensions.len};
	struct pf_der one, oid, part, value, constraints, flag;

	if (cert->extensions.len == 0)
		return 0;
	while (take(&seq, PF_DER_SEQUENCE, &one)) {
		if (!take(&one, PF_DER_OID, &oid))
			return 0;
		if (!is_oid(oid, &wanted))
			continue;
		(void)take(&one, PF_DER_BOOLEAN, &part);
		return take(&one, PF_DER_OCTET_STRING, &value) &&
		       take(&value, PF_DER_SEQUENCE, &constraints) &&
		       take(&constraints, PF_DER_BOOLEAN, &flag) &&
		       flag.end - flag.at == 1 && flag.at[0] != 0;
	}
	return 0;
}

const char *
pf_cert_role(const struct pf_cert *cert)
{
	int own =
	    cert->issuer.len == cert->subject.len &&
	    pf_same(cert->issuer.data, cert->subject.data, cert->issuer.len);

	if (!is_ca(cert))
		return "leaf";
	return own ? "root" : "intermediate";
}

static int
key_is(const struct pf_key *key, const struct oid *oid)
{
	return key->oid.len == oid->len &&
	       pf_same(key->oid.data, oid->bytes, oid->len);
}

/* Whether the key's algorithm stands below an arc. */
static int
key_below(const struct pf_key *key, const struct oid *arc)
{
	return key->oid.len > arc->len &&
	       pf_same(key->oid.data, arc->bytes, arc->len);
}

static const char *
rsa_caveat(const struct pf_key *key)
{
	struct pf_der in = {key->bits.data, key->bits.data + key->bits.len};
	struct pf_der numbers, modulus;

	if (key->params.len == 0)
		return "this RSA key lacks the NULL parameters: GnuTLS, Java, "
		       "Node and Python's cryptography compute another pin";
	if (take(&in, PF_DER_SEQUENCE, &numbers) &&
	    take(&numbers, PF_DER_INTEGER, &modulus) &&
	    modulus.end > modulus.at && (modulus.at[0] & 0x80) != 0)
		return "this RSA key's modulus is written as a negative "
		       "number: GnuTLS computes another pin";
	return NULL;
}

const char *
pf_pin_caveat(const struct pf_key *key)
{
	static const struct oid rsa = {
	    "", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1}};
	static const struct oid pss = {
	    "", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10}};
	static const struct oid ec = {
	    "", 7, {0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1}};
	static const struct oid dsa = {
	    "", 7, {0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1}};
	static const struct oid gost = {"", 3, {0x2a, 0x85, 3}};
	static const struct oid signatures = {
	    "", 8, {0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3}};

	if (key_is(key, &rsa))
		return rsa_caveat(key);
	if (key_is(key, &pss))
		return "this is an RSASSA-PSS key: GnuTLS and Python's "
		       "cryptography compute another pin";
	if (key_is(key, &ec) && key->params.len > 0 &&
	    key->params.data[0] == PF_DER_SEQUENCE)
		return "this key spells its curve out: Node and Python's "
		       "cryptography compute another pin, and many clients "
		       "refuse it";
	if (key_is(key, &ec) && key->bits.len > 0 && key->bits.data[0] != 4)
		return "this key's point is compressed: Java, Node and "
		       "Python's cryptography compute another pin";
	if (key_is(key, &dsa) && key->params.len == 0)
		return "this DSA key inherits its parameters: Java and Node "
		       "compute another pin";
	if (key_below(key, &gost))
		return "this is a GOST key: GnuTLS computes another pin";
	if (key_below(key, &signatures) && key->oid.data[8] >= 17 &&
	    key->oid.data[8] <= 19)
		return "this is an ML-DSA key: Java 17 computes another pin";
	return NULL;
}
