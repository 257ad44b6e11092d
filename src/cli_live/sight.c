#include "cli_live/sight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/ossl/ossl.h"
#include "base/sha256.h"
#include "cli/out.h"
#include "cli/subject.h"
#include "core/spki.h"

void
pf_sight_name(const struct pf_probe *probe, const char *address,
    char out[PF_SIGHT_NAME])
{
	int v6 = strchr(probe->host, ':') != NULL;

	snprintf(out, PF_SIGHT_NAME, "%s%s%s:%u%s%s", v6 ? "[" : "",
	    probe->host, v6 ? "]" : "", probe->port,
	    address[0] != '\0' && strcmp(address, probe->host) != 0 ? ", " : "",
	    strcmp(address, probe->host) != 0 ? address : "");
}

static void
complain(const struct pf_probe *probe, const struct pf_probe_result *result,
    const char *text)
{
	char name[PF_SIGHT_NAME];

	pf_sight_name(probe, result->address, name);
	pf_complain(name, text);
}

/* -------------------------------------------------------------- one result */

/* NULL: kept; else why it is not. */
static const char *
look(const struct pinfast_cert *view, struct pf_sighted *out)
{
	static char text[160];
	struct pf_cert cert;
	int64_t not_before;
	size_t at;

	if (pf_cert_walk(view->der, &cert, &at) != PINFAST_OK) {
		snprintf(text, sizeof text,
		    "a certificate is not exact DER (byte %zu is wrong); "
		    "nothing can be pinned safely here",
		    at);
		return text;
	}
	if (!pf_key_same(&cert.key, view))
		return "OpenSSL reads another key from the same certificate; "
		       "nothing can be pinned safely here";
	memset(out, 0, sizeof *out);
	pf_sha256(cert.key.spki.data, cert.key.spki.len, out->pin);
	pf_sha256(view->der.data, view->der.len, out->cert);
	out->role = pf_cert_role(&cert);
	out->caveat = pf_pin_caveat(&cert.key);
	pf_subject_text(cert.subject, out->subject, sizeof out->subject);
	if (pf_cert_times(&cert, &not_before, &out->not_after) != PINFAST_OK)
		out->not_after = 0;
	return NULL;
}

static const char *
look_at_all(STACK_OF(X509) * chain, struct pf_sight *out)
{
	struct pf_ossl_certs certs;
	const char *why = NULL;
	int count = sk_X509_num(chain);

	if (count > PINFAST_PATH_MAX)
		count = PINFAST_PATH_MAX;
	pf_ossl_certs_init(&certs, chain, NULL);
	for (int i = 0; i < count && why == NULL; i++) {
		struct pinfast_cert view;

		if (pf_ossl_certs_get(&certs, (size_t)i, &view) != 0)
			why = "OpenSSL cannot hand out the certificate";
		else
			why = look(&view, &out->cert[i]);
	}
	pf_ossl_certs_fini(&certs);
	out->count = (size_t)count;
	return why;
}

static enum pf_probe_key
kind_of(X509 *leaf)
{
	const EVP_PKEY *key = leaf != NULL ? X509_get0_pubkey(leaf) : NULL;
	int id = key != NULL ? EVP_PKEY_get_base_id(key) : 0;

	return id == 0                                        ? PF_PROBE_ANY
	       : id == EVP_PKEY_RSA || id == EVP_PKEY_RSA_PSS ? PF_PROBE_RSA
	                                                      : PF_PROBE_ECDSA;
}

static int
same(const struct pf_sight *a, const struct pf_sight *b)
{
	if (a->probe != b->probe || a->count != b->count ||
	    a->is_path != b->is_path || strcmp(a->version, b->version) != 0 ||
	    strcmp(a->pkix.error, b->pkix.error) != 0)
		return 0;
	for (size_t i = 0; i < a->count; i++)
		if (memcmp(a->cert[i].cert, b->cert[i].cert, PINFAST_PIN_LEN) !=
		    0)
			return 0;
	return 1;
}

static int
add_address(struct pf_sight *sight, const char *address)
{
	char(*grown)[PF_ADDRESS_TEXT] =
	    realloc(sight->address, (sight->address_count + 1) * sizeof *grown);

	if (grown == NULL)
		return 0;
	sight->address = grown;
	memcpy(grown[sight->address_count++], address, PF_ADDRESS_TEXT);
	return 1;
}

static void
sight_free(struct pf_sight *sight)
{
	if (sight != NULL)
		free(sight->address);
	free(sight);
}

/* Behind those of the same and of earlier servers. */
static void
insert(struct pf_sights *sights, struct pf_sight *sight)
{
	struct pf_sight **at = &sights->first;

	while (*at != NULL && (*at)->probe <= sight->probe)
		at = &(*at)->next;
	sight->next = *at;
	*at = sight;
}

/* -------------------------------------------------------------- everything */

static void
warn(const struct pf_probe *probe, const struct pf_probe_result *result)
{
	char text[200];

	if (result->dropped > 0) {
		snprintf(text, sizeof text,
		    "%zu bytes came in plain text behind its go-ahead for TLS "
		    "and were dropped: somebody between may have put them "
		    "there (CVE-2011-0411)",
		    result->dropped);
		complain(probe, result, text);
	}
	if (result->version != NULL && result->asked == PF_PROBE_ANY &&
	    (strcmp(result->version, "TLSv1") == 0 ||
	        strcmp(result->version, "TLSv1.1") == 0)) {
		snprintf(text, sizeof text,
		    "it speaks %s at best, which most clients refuse",
		    result->version);
		complain(probe, result, text);
	}
}

static void
keep(struct pf_sights *sights, const struct pf_probe *probe,
    const struct pf_probe_result *result)
{
	struct pf_sight *sight = calloc(1, sizeof *sight), *old;
	const char *why;

	if (sight == NULL) {
		sights->memory = 1;
		return;
	}
	sight->probe = probe;
	sight->asked = result->asked;
	sight->kind = kind_of(sk_X509_value(result->presented, 0));
	sight->pkix = result->pkix;
	sight->is_path = result->path != NULL;
	snprintf(sight->version, sizeof sight->version, "%s",
	    result->version != NULL ? result->version : "");
	why =
	    look_at_all(result->path != NULL ? result->path : result->presented,
	        sight);
	if (why != NULL) {
		sights->failed++;
		complain(probe, result, why);
		sight_free(sight);
		return;
	}
	warn(probe, result);
	for (old = sights->first; old != NULL && !same(old, sight);
	     old = old->next)
		;
	if (old != NULL) {
		sight_free(sight);
		sight = old;
	} else {
		insert(sights, sight);
	}
	if (result->address[0] != '\0' && !add_address(sight, result->address))
		sights->memory = 1;
}

void
pf_sights_take(struct pf_sights *sights, const struct pf_probe *probe,
    const struct pf_probe_result *result)
{
	char text[PF_PROBE_WHY + 32];

	if (result->silent)
		complain(probe, result,
		    "it hung up when it was asked for a key of the other kind: "
		    "taken as having none");
	if (result->absent || result->interrupted)
		return;
	if (result->stage == PF_STAGE_DONE) {
		keep(sights, probe, result);
		return;
	}
	if (result->no_route)
		sights->no_route++;
	else
		sights->failed++;
	snprintf(text, sizeof text, "%s: %s",
	    pf_probe_stage_name(result->stage), result->why);
	complain(probe, result, text);
}

size_t
pf_sights_of(const struct pf_sights *sights, const struct pf_probe *probe)
{
	size_t count = 0;

	for (const struct pf_sight *s = sights->first; s != NULL; s = s->next)
		count += s->probe == probe;
	return count;
}

void
pf_sights_fini(struct pf_sights *sights)
{
	struct pf_sight *next;

	for (struct pf_sight *s = sights->first; s != NULL; s = next) {
		next = s->next;
		sight_free(s);
	}
}
