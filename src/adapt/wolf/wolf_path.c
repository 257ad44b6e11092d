#include "adapt/wolf/wolf.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>

#include "os/file.h"

/* Does wolfSSL verify child when issuer is all that it trusts?  Signature,
 * dates, names; it fits no certificate under another than its issuer. */
static int
is_issued(const struct pf_link *child, const struct pf_link *issuer)
{
	WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
	int issued;

	if (manager == NULL)
		return 0;
	issued =
	    wolfSSL_CertManagerLoadCABuffer(manager, issuer->der.data,
	        (long)issuer->der.len,
	        WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
	    wolfSSL_CertManagerVerifyBuffer(manager, child->der.data,
	        (long)child->der.len, WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
	wolfSSL_CertManagerFree(manager);
	return issued;
}

/* An anchor is verified by nobody, and wolfSSL does not ask for its dates. */
static int
is_valid_now(const struct pf_link *link)
{
	int64_t now = pf_clock_now();
	int64_t begin, end;

	return pf_cert_times(&link->walked, &begin, &end) == PINFAST_OK &&
	       now >= begin && now <= end;
}

/*
 * The same, by what was found out before: a signature that was good once is so
 * for ever, and only the dates are asked for each time.  wolfSSL takes a fifth
 * of a handshake for each of them.
 */
static int
is_issued_today(const struct pf_link *child, const struct pf_link *issuer)
{
	static struct pf_seen issued = PF_SEEN_EMPTY;

	if (!is_valid_now(child))
		return 0;
	if (pf_seen_get(&issued, child->der, issuer->der, NULL))
		return 1;
	if (!is_issued(child, issuer))
		return 0;
	pf_seen_put(&issued, child->der, issuer->der, NULL);
	return 1;
}

int
pf_wolf_path(const struct pf_link *const *path, size_t count,
    enum pf_issuers_for use)
{
	const struct pf_cert *walked[PINFAST_PATH_MAX];

	for (size_t i = 0; i < count; i++)
		walked[i] = &path[i]->walked;
	if (!pf_issuers_may(walked, count, use) ||
	    !is_valid_now(path[count - 1]))
		return 0;
	for (size_t i = count - 1; i > 0; i--)
		if (!is_issued_today(path[i - 1], path[i]))
			return 0;
	return 1;
}

/* The algorithms of which wolfSSL keeps the bits alone; of ECC keys it keeps
 * all of the SubjectPublicKeyInfo. */
struct algorithm {
	uint32_t sum; /* as wolfSSL calls it */
	uint8_t len;
	uint8_t oid[9];
};

static const struct algorithm algorithms[] = {
    {RSAk, 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}},
    {RSAPSSk, 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a}},
    {ED25519k, 3, {0x2b, 0x65, 0x70}},
    {ED448k, 3, {0x2b, 0x65, 0x71}},
};

static void
describe(uint32_t sum, struct pinfast_bytes key, struct pinfast_cert *out)
{
	if (sum == ECDSAk) {
		out->key_spki = key;
		return;
	}
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		if (algorithms[i].sum != sum)
			continue;
		out->key_oid.data = algorithms[i].oid;
		out->key_oid.len = algorithms[i].len;
		out->key_bits = key;
	}
}

/* What wolfSSL cannot read it has no view of: then no key satisfies a pin. */
void
pf_wolf_key(struct pinfast_bytes der, uint8_t **key, struct pinfast_cert *out)
{
	struct DecodedCert *cert = malloc(sizeof *cert);
	struct pinfast_bytes bytes;

	if (cert == NULL)
		return;
	wc_InitDecodedCert(cert, der.data, (word32)der.len, NULL);
	if (wc_ParseCert(cert, CERT_TYPE, NO_VERIFY, NULL) == 0 &&
	    cert->publicKey != NULL && cert->pubKeySize > 0) {
		free(*key);
		*key = malloc(cert->pubKeySize);
		if (*key != NULL) {
			memcpy(*key, cert->publicKey, cert->pubKeySize);
			bytes.data = *key;
			bytes.len = cert->pubKeySize;
			describe(cert->keyOID, bytes, out);
		}
	}
	wc_FreeDecodedCert(cert);
	free(cert);
}

/* ------------------------------------------------------------------ memory */

struct pf_wolf_shown {
	size_t count;
	size_t len[PINFAST_PATH_MAX];
	uint8_t bytes[];
};

void
pf_wolf_unshow(struct pf_wolf *st)
{
	free(st->shown);
	st->shown = NULL;
}

void
pf_wolf_show(struct pf_wolf *st, const struct pf_paths *judged)
{
	struct pf_wolf_shown *shown;
	size_t all = 0;

	pf_wolf_unshow(st);
	for (size_t i = 0; i < judged->count; i++)
		all += judged->path[i]->der.len;
	shown = malloc(sizeof *shown + all);
	/* Then what nobody asked about cannot be told later: a deny. */
	if (shown == NULL)
		return;
	shown->count = judged->count;
	all = 0;
	for (size_t i = 0; i < judged->count; i++) {
		const struct pinfast_bytes *der = &judged->path[i]->der;

		shown->len[i] = der->len;
		memcpy(shown->bytes + all, der->data, der->len);
		all += der->len;
	}
	st->shown = shown;
}

/* The same keys, read once more. */
struct again {
	struct pf_link links[PINFAST_PATH_MAX];
	uint8_t *keys[PINFAST_PATH_MAX];
};

static int
view_again(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	struct again *again = arg;

	pf_wolf_key(link->der, &again->keys[index], out);
	return 0;
}

enum pinfast_error
pf_wolf_complete(struct pf_wolf *st)
{
	const struct pf_wolf_shown *shown = st->shown;
	struct pf_paths paths = {.view = view_again};
	struct pinfast_path path;
	struct again again;
	enum pinfast_error error;
	size_t at = 0;

	if (shown == NULL)
		return PINFAST_EUSAGE;
	memset(&again, 0, sizeof again);
	paths.arg = &again;
	paths.count = shown->count;
	for (size_t i = 0; i < shown->count; i++) {
		struct pinfast_bytes der = {shown->bytes + at, shown->len[i]};

		(void)pf_link_set(&again.links[i], der, NULL);
		paths.path[i] = &again.links[i];
		at += der.len;
	}
	path = pf_paths_last(&paths);
	error = pinfast_conn_complete(st->a.conn, &path);
	for (size_t i = 0; i < shown->count; i++)
		free(again.keys[i]);
	return error;
}
