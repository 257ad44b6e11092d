/*
 * Certificates from anywhere: which hosts they name, and may they issue one
 * another?  What begins as a SEQUENCE is certificates, one behind the other.
 * Anything else is a list of parts, so that a mutation need not keep up the
 * lengths around it: a kind, a length, and that many bytes.  What is asked lies
 * alone in memory, without what stood around it.
 *
 * kind 0   the next certificate begins; its subject
 * kind 1   its issuer
 * others   an extension of this number and value; 0x80: critical, 0x40: the
 *          bytes alone, where an extension should be
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/covers.h"
#include "adapt/extensions.h"
#include "adapt/issuers.h"
#include "base/bytes.h"
#include "base/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CERTS 5
#define CRITICAL 0x80
#define BARE 0x40
#define VALUE_MAX 117 /* so that lengths have one octet */

static void
must(int condition)
{
	if (!condition)
		abort();
}

/* Bytes in memory of exactly their length. */
static struct pinfast_bytes
alone(struct pinfast_bytes from)
{
	uint8_t *copy = malloc(from.len + (from.len == 0));
	struct pinfast_bytes bytes = {copy, from.len};

	must(copy != NULL);
	if (from.len > 0)
		memcpy(copy, from.data, from.len);
	return bytes;
}

static void
forget(struct pinfast_bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

/* ------------------------------------------------------------------- making */

/* There, and behind it head and value. */
static struct pinfast_bytes
append(struct pinfast_bytes there, const uint8_t *head, size_t head_len,
    struct pinfast_bytes value)
{
	size_t len = there.len + head_len + value.len;
	uint8_t *all = malloc(len + (len == 0));
	struct pinfast_bytes bytes = {all, len};

	must(all != NULL);
	if (there.len > 0)
		memcpy(all, there.data, there.len);
	if (head_len > 0)
		memcpy(all + there.len, head, head_len);
	if (value.len > 0)
		memcpy(all + there.len + head_len, value.data, value.len);
	forget(there);
	return bytes;
}

/* One part of a certificate; a value has at most VALUE_MAX bytes. */
static void
add(struct pf_cert *cert, uint8_t kind, struct pinfast_bytes value)
{
	const uint8_t len = (uint8_t)value.len, number = kind & (BARE - 1);
	const uint8_t name[] = {PF_DER_SEQUENCE, len};
	const uint8_t plain[] = {PF_DER_SEQUENCE, (uint8_t)(len + 7),
	    PF_DER_OID, 3, 0x55, 0x1d, number, PF_DER_OCTET_STRING, len};
	const uint8_t critical[] = {PF_DER_SEQUENCE, (uint8_t)(len + 10),
	    PF_DER_OID, 3, 0x55, 0x1d, number, PF_DER_BOOLEAN, 1, 0xff,
	    PF_DER_OCTET_STRING, len};
	struct pinfast_bytes *all = &cert->extensions;

	if (kind == 0)
		cert->subject = append(cert->subject, name, sizeof name, value);
	else if (kind == 1)
		cert->issuer = append(cert->issuer, name, sizeof name, value);
	else if (kind & BARE)
		*all = append(*all, NULL, 0, value);
	else if (kind & CRITICAL)
		*all = append(*all, critical, sizeof critical, value);
	else
		*all = append(*all, plain, sizeof plain, value);
}

static size_t
made_of_parts(const uint8_t *data, size_t size, struct pf_cert *certs)
{
	size_t count = 0;

	while (size >= 2) {
		struct pinfast_bytes value = {
		    data + 2, data[1] % (VALUE_MAX + 1U)};

		if (value.len > size - 2)
			value.len = size - 2;
		if (data[0] == 0 && count == CERTS)
			break;
		count += data[0] == 0;
		if (count > 0)
			add(&certs[count - 1], data[0], value);
		data = value.data + value.len;
		size -= 2 + value.len;
	}
	return count;
}

/* Those of the certificates that can be walked. */
static size_t
walked(const uint8_t *data, size_t size, struct pf_cert *certs)
{
	struct pf_der all = {data, data + size};
	size_t count = 0;

	while (all.at != all.end && count < CERTS) {
		struct pf_der behind = pf_der_skip_any(all);
		struct pinfast_bytes der;
		struct pf_cert cert;

		if (behind.end == NULL)
			break;
		der = pf_der_between(all.at, behind.at);
		all = behind;
		if (pf_cert_walk(der, &cert, NULL) != PINFAST_OK)
			continue;
		certs[count].subject = alone(cert.subject);
		certs[count].issuer = alone(cert.issuer);
		certs[count++].extensions = alone(cert.extensions);
		must(pf_issuers_none(&cert) ==
		     pf_issuers_none(&certs[count - 1]));
	}
	return count;
}

/* ----------------------------------------------------------------- checking */

/* Do these bytes stand there, whatever the case of their letters? */
static int
holds(struct pinfast_bytes all, const void *part, size_t len)
{
	for (size_t i = 0; len <= all.len && i <= all.len - len; i++)
		if (pf_same_letters(all.data + i, part, len))
			return 1;
	return 0;
}

/* A host that is covered stands in the certificate, or its wildcard does. */
static void
check_covered(const struct pf_cert *cert, const char *text)
{
	struct pinfast_bytes all = cert->extensions;
	struct pf_host host;
	const char *dot = strchr(text, '.');

	must(pf_host_parse(text, strlen(text), &host) == PINFAST_OK);
	if (host.kind == PF_HOST_NAME)
		must(holds(all, text, strlen(text)) ||
		     (dot != NULL && strchr(dot + 1, '.') != NULL &&
		         holds(all, dot, strlen(dot))));
	else
		must(holds(all, host.key + 1, host.key_len - 1U));
}

/* What is found lies inside the extensions. */
static void
check_extensions(const struct pf_cert *cert)
{
	static const enum pf_extension which[] = {PF_EXT_KEY_USAGE,
	    PF_EXT_ALT_NAME, PF_EXT_BASIC, PF_EXT_CONSTRAINTS,
	    PF_EXT_EXTENDED_USE};
	const uint8_t *begin = cert->extensions.data;

	for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
		struct pf_der value = {NULL, NULL};

		if (pf_extension_find(cert, which[i], &value) <= 0)
			continue;
		must(value.at >= begin && value.at <= value.end);
		must(value.end <= begin + cert->extensions.len);
	}
}

/*
 * Whoever may issue all that stands below may issue a part of it, and is known
 * as no CA only when it is the anchor.
 */
static void
check_path(const struct pf_cert *const *path, size_t count,
    enum pf_issuers_for use)
{
	int may = pf_issuers_may(path, count, use);

	must(pf_issuers_may(path, count, use) == may);
	must(pf_issuers_may(path, 1, use));
	for (size_t n = 1; may && n < count; n++)
		must(pf_issuers_may(path, n, use));
	for (size_t i = 1; may && i + 1 < count; i++)
		must(!pf_issuers_none(path[i]));
}

/* A certificate that names this host and nothing else. */
static struct pinfast_bytes
extensions_naming(const char *text)
{
	uint8_t value[64] = {PF_DER_SEQUENCE};
	struct pinfast_bytes names = {value, 4};
	struct pf_cert made;
	struct pf_host host;

	memset(&made, 0, sizeof made);
	must(pf_host_parse(text, strlen(text), &host) == PINFAST_OK);
	if (host.kind == PF_HOST_NAME) {
		value[2] = PF_DER_CONTEXT(2);
		value[3] = host.text_len;
		memcpy(value + 4, host.text, host.text_len);
	} else {
		value[2] = PF_DER_CONTEXT(7);
		value[3] = (uint8_t)(host.key_len - 1);
		memcpy(value + 4, host.key + 1, value[3]);
	}
	value[1] = (uint8_t)(value[3] + 2);
	names.len += value[3];
	add(&made, PF_EXT_ALT_NAME, names);
	must(pf_cert_covers(&made, text));
	return made.extensions;
}

/* Whoever may issue a certificate that covers a host, by a wildcard or among
 * other names, may issue one for just this host. */
static void
check_named(const struct pf_cert *const *path, size_t count, const char *host)
{
	const struct pf_cert *other[CERTS];
	struct pf_cert leaf = *path[0];

	/* As a constraint a star is no wildcard, and nothing that is asked for
	 * begins with it. */
	for (size_t i = 1; i < count; i++)
		if (holds(path[i]->extensions, "*", 1))
			return;
	leaf.extensions = extensions_naming(host);
	memcpy(other, path, count * sizeof *other);
	other[0] = &leaf;
	must(pf_issuers_may(other, count, PF_ISSUERS_SERVER));
	forget(leaf.extensions);
}

static void
check_leaf(const struct pf_cert *const *path, size_t count)
{
	static const char *const hosts[] = {"www.example.test", "example.test",
	    "a.b", "a", "192.0.2.7", "2001:db8::7"};
	static const char *const none[] = {"", "a..b", "*.example.test"};
	struct pf_der names;
	int there = pf_extension_names(path[0], &names);
	int may = pf_issuers_may(path, count, PF_ISSUERS_SERVER);

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		int covers = pf_cert_covers(path[0], hosts[i]);

		must(pf_cert_covers(path[0], hosts[i]) == covers);
		if (!covers)
			continue;
		must(there == 1);
		check_covered(path[0], hosts[i]);
		if (may)
			check_named(path, count, hosts[i]);
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		must(!pf_cert_covers(path[0], none[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pf_cert certs[CERTS];
	const struct pf_cert *up[CERTS], *down[CERTS];
	size_t count;

	memset(certs, 0, sizeof certs);
	count = size > 0 && data[0] == PF_DER_SEQUENCE
	            ? walked(data, size, certs)
	            : made_of_parts(data, size, certs);
	for (size_t i = 0; i < count; i++) {
		up[i] = down[count - 1 - i] = &certs[i];
		check_extensions(&certs[i]);
	}
	if (count > 0) {
		check_path(up, count, PF_ISSUERS_SERVER);
		check_path(up, count, PF_ISSUERS_CLIENT);
		check_path(down, count, PF_ISSUERS_SERVER);
		check_leaf(up, count);
	}
	for (size_t i = 0; i < count; i++) {
		forget(certs[i].subject);
		forget(certs[i].issuer);
		forget(certs[i].extensions);
	}
	return 0;
}
