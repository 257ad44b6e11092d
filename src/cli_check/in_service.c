#include "cli_check/in_service.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/sha256.h"
#include "core/spki.h"

void
pf_in_service_init(struct pf_in_service *in, const struct pinfast_store *store,
    const struct pf_host *host, uint16_t port, struct pf_checked *checked)
{
	struct pf_found found;

	memset(in, 0, sizeof *in);
	checked->entry_scope = checked->pins = checked->backups = -1;
	in->has_rule = pf_lookup_host(store, host, port, &found);
	if (!in->has_rule)
		return;
	pf_rule_read(store, found.rule, &in->rule);
	checked->entry_scope = found.scope;
	checked->entry_port = found.port;
	checked->expires = in->rule.expires;
	checked->pins = in->rule.pin_count;
	/* Only names have parents that speak for them. */
	snprintf(checked->entry, sizeof checked->entry, "%s",
	    host->kind == PF_HOST_NAME ? host->text + found.name_at
	                               : host->text);
}

/* Marks this hash where a list holds it. */
static void
mark(struct pf_in_service *in, unsigned roles, const uint8_t *hash)
{
	unsigned at = 0;

	for (unsigned role = 0; role < PF_LISTS; role++)
		for (unsigned i = 0; i < in->rule.own.count[role]; i++, at++)
			if ((roles >> role & 1) &&
			    pf_same(in->rule.own.pins[role] +
			                (size_t)i * PINFAST_PIN_LEN,
			        hash, PINFAST_PIN_LEN))
				in->pins[at / 8] |= (uint8_t)(1U << at % 8);
}

void
pf_in_service_path(struct pf_in_service *in, STACK_OF(X509) * path)
{
	for (int i = 0; in->has_rule && i < sk_X509_num(path); i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(sk_X509_value(path, i), &der);
		struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
		uint8_t hash[PINFAST_PIN_LEN];

		in->has_path = 1;
		if (pinfast_pin_of(bytes, hash, NULL) == PINFAST_OK)
			mark(in,
			    1U << PINFAST_ROLE_ANY |
			        1U << (i == 0 ? PINFAST_ROLE_LEAF
			                      : PINFAST_ROLE_CA),
			    hash);
		if (i == 0 && in->rule.own.count[PINFAST_ROLE_CERT] > 0) {
			pf_sha256(bytes.data, bytes.len, hash);
			mark(in, 1U << PINFAST_ROLE_CERT, hash);
		}
		OPENSSL_free(der);
	}
}

void
pf_in_service_count(const struct pf_in_service *in, struct pf_checked *checked)
{
	int shown = 0;

	if (!in->has_path)
		return;
	for (unsigned i = 0; i < in->rule.pin_count; i++)
		shown += in->pins[i / 8] >> i % 8 & 1;
	checked->backups = checked->pins - shown;
}

static const char *
kind_of(X509 *cert)
{
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	int id = key != NULL ? EVP_PKEY_get_base_id(key) : 0;

	if (id == EVP_PKEY_RSA || id == EVP_PKEY_RSA_PSS)
		return "rsa";
	return key != NULL ? "ecdsa" : NULL;
}

void
pf_in_service_leaf(STACK_OF(X509) * presented, struct pf_checked_row *row)
{
	X509 *leaf =
	    sk_X509_num(presented) > 0 ? sk_X509_value(presented, 0) : NULL;
	unsigned char *der = NULL;
	int len = leaf != NULL ? i2d_X509(leaf, &der) : 0;
	struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
	uint8_t hash[PINFAST_PIN_LEN];
	struct pf_cert cert;
	int64_t from, until;

	if (leaf == NULL)
		return;
	row->key = kind_of(leaf);
	if (pf_cert_walk(bytes, &cert, NULL) == PINFAST_OK) {
		pf_sha256(cert.key.spki.data, cert.key.spki.len, hash);
		pinfast_pin_write(hash, row->pin);
		if (pf_cert_times(&cert, &from, &until) == PINFAST_OK)
			row->not_after = until;
	}
	OPENSSL_free(der);
}
