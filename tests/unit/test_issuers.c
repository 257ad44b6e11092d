/* Which paths the extensions of their certificates allow (RFC 5280, 6.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/conf.h>
#include <openssl/x509v3.h>

#include "adapt/issuers.h"

/* An extension as OpenSSL writes it. */
struct extension {
	int nid;
	const char *value;
};

#define MAX_EXTENSIONS 4

/* A path of a leaf, a CA and a root: what they say beside their names. */
struct row {
	const char *name;
	int may;
	enum pf_issuers_for use;
	struct extension leaf[MAX_EXTENSIONS];
	struct extension ca[MAX_EXTENSIONS];
	struct extension root[MAX_EXTENSIONS];
};

#define SERVER PF_ISSUERS_SERVER
#define CLIENTS PF_ISSUERS_CLIENT
#define NAME                                                                   \
	{                                                                      \
		NID_subject_alt_name, "DNS:www.pin.test"                       \
	}
#define WILDCARD                                                               \
	{                                                                      \
		NID_subject_alt_name, "DNS:*.pin.test"                         \
	}
#define ADDRESS                                                                \
	{                                                                      \
		NID_subject_alt_name, "IP:192.0.2.7"                           \
	}
#define CA                                                                     \
	{                                                                      \
		NID_basic_constraints, "critical,CA:TRUE"                      \
	}
#define LENGTH_0                                                               \
	{                                                                      \
		NID_basic_constraints, "critical,CA:TRUE,pathlen:0"            \
	}
#define LENGTH_1                                                               \
	{                                                                      \
		NID_basic_constraints, "critical,CA:TRUE,pathlen:1"            \
	}
#define NO_CA                                                                  \
	{                                                                      \
		NID_basic_constraints, "CA:FALSE"                              \
	}
#define USE(what)                                                              \
	{                                                                      \
		NID_key_usage, what                                            \
	}
#define FOR(what)                                                              \
	{                                                                      \
		NID_ext_key_usage, what                                        \
	}
#define WITHIN(what)                                                           \
	{                                                                      \
		NID_name_constraints, what                                     \
	}

/* clang-format off */
static const struct row rows[] = {
    {"a CA under a root", 1, SERVER, {NAME}, {CA}, {CA}},
    {"a root without extensions", 1, SERVER, {NAME}, {CA}, {{0, NULL}}},
    {"as long as allowed", 1, SERVER, {NAME}, {LENGTH_0}, {LENGTH_1}},
    {"may sign", 1, SERVER, {NAME}, {CA, USE("keyCertSign")}, {CA}},
    {"issues for servers", 1, SERVER, {NAME}, {CA, FOR("serverAuth")}, {CA}},
    {"issues for all", 1, CLIENTS, {NAME}, {CA, FOR("anyExtendedKeyUsage")},
        {CA}},
    {"issues for clients", 1, CLIENTS, {NAME}, {CA, FOR("clientAuth")}, {CA}},
    {"one of its purposes", 1, SERVER, {NAME},
        {CA, FOR("codeSigning,serverAuth")}, {CA}},
    {"a name that is permitted", 1, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:pin.test")}, {CA}},
    {"permitted from above", 1, SERVER, {NAME}, {CA},
        {CA, WITHIN("permitted;DNS:pin.test")}},
    {"permitted, other letters", 1, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:PIN.test")}, {CA}},
    {"permitted, with a dot", 1, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:.pin.test")}, {CA}},
    {"one of two is permitted", 1, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:a.test,permitted;DNS:pin.test")}, {CA}},
    {"constraints of another kind", 1, SERVER, {NAME},
        {CA, WITHIN("permitted;IP:192.0.2.0/255.255.255.0")}, {CA}},
    {"another name is excluded", 1, SERVER, {NAME},
        {CA, WITHIN("excluded;DNS:in.test")}, {CA}},
    {"a wildcard that is permitted", 1, SERVER, {WILDCARD},
        {CA, WITHIN("permitted;DNS:www.pin.test,permitted;DNS:pin.test")},
        {CA}},
    {"a wildcard that is permitted as such", 1, SERVER, {WILDCARD},
        {CA, WITHIN("permitted;DNS:*.pin.test")}, {CA}},
    {"what no wildcard stands for is excluded", 1, SERVER, {WILDCARD},
        {CA, WITHIN("excluded;DNS:a.www.pin.test,excluded;DNS:test.pin")},
        {CA}},
    {"names below one of a wildcard's are excluded", 1, SERVER, {WILDCARD},
        {CA, WITHIN("excluded;DNS:.www.pin.test")}, {CA}},
    {"an address that is permitted", 1, SERVER, {ADDRESS},
        {CA, WITHIN("permitted;IP:192.0.2.0/255.255.255.0")}, {CA}},

    {"nothing says that it is a CA", 0, SERVER, {NAME}, {NAME}, {CA}},
    {"no CA", 0, SERVER, {NAME}, {NO_CA}, {CA}},
    {"no extensions, and no anchor", 0, SERVER, {NAME}, {{0, NULL}}, {CA}},
    {"an anchor that is no CA", 0, SERVER, {NAME}, {CA}, {NO_CA}},
    {"a longer path", 0, SERVER, {NAME}, {CA}, {LENGTH_0}},
    {"may not sign", 0, SERVER, {NAME}, {CA, USE("digitalSignature")}, {CA}},
    {"the root may not sign", 0, SERVER, {NAME}, {CA},
        {CA, USE("cRLSign")}},
    {"issues for clients only", 0, SERVER, {NAME}, {CA, FOR("clientAuth")},
        {CA}},
    {"issues for servers only", 0, CLIENTS, {NAME}, {CA, FOR("serverAuth")},
        {CA}},
    {"the root issues for mail", 0, SERVER, {NAME}, {CA},
        {CA, FOR("emailProtection")}},
    {"a name that is not permitted", 0, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:other.test")}, {CA}},
    {"not permitted from above", 0, SERVER, {NAME}, {CA},
        {CA, WITHIN("permitted;DNS:other.test")}},
    {"permitted below only", 0, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:.www.pin.test")}, {CA}},
    {"the end of a label", 0, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:n.test")}, {CA}},
    {"a longer name is permitted", 0, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:a.www.pin.test")}, {CA}},
    {"a name that is excluded", 0, SERVER, {NAME},
        {CA, WITHIN("excluded;DNS:pin.test")}, {CA}},
    {"permitted and excluded", 0, SERVER, {NAME},
        {CA, WITHIN("permitted;DNS:pin.test,excluded;DNS:www.pin.test")},
        {CA}},
    {"a wildcard for an excluded name", 0, SERVER, {WILDCARD},
        {CA, WITHIN("excluded;DNS:www.pin.test")}, {CA}},
    {"a wildcard for an excluded name, other letters", 0, SERVER, {WILDCARD},
        {CA, WITHIN("excluded;DNS:WWW.Pin.test")}, {CA}},
    {"a wildcard, and its domain is excluded", 0, SERVER, {WILDCARD},
        {CA, WITHIN("excluded;DNS:pin.test")}, {CA}},
    {"a wildcard of which one name is permitted", 0, SERVER, {WILDCARD},
        {CA, WITHIN("permitted;DNS:www.pin.test")}, {CA}},
    {"another address", 0, SERVER, {ADDRESS},
        {CA, WITHIN("permitted;IP:192.0.3.0/255.255.255.0")}, {CA}},
    {"an excluded address", 0, SERVER, {ADDRESS},
        {CA, WITHIN("excluded;IP:192.0.2.0/255.255.255.0")}, {CA}},
    {"an address of another kind", 0, SERVER, {ADDRESS},
        {CA, WITHIN("permitted;IP:2001:db8::/ffff:ffff::")}, {CA}},
    {"a mail name that nobody compares", 0, SERVER,
        {{NID_subject_alt_name, "email:a@pin.test"}},
        {CA, WITHIN("permitted;email:pin.test")}, {CA}},
    {"another subject", 0, SERVER, {NAME},
        {CA, WITHIN("permitted;dirName:elsewhere")}, {CA}},
    {"an excluded subject", 0, SERVER, {NAME},
        {CA, WITHIN("excluded;dirName:elsewhere")}, {CA}},
    {"two of a kind", 0, SERVER, {NAME}, {CA, CA}, {CA}},
    {"two of a kind, in the leaf", 0, SERVER, {NAME, ADDRESS},
        {CA, WITHIN("permitted;DNS:pin.test")}, {CA}},
};
/* clang-format on */

static EVP_PKEY *key;

static int
make_key(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-256");
	return key == NULL;
}

static int
free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

/* Names where dirName: finds them. */
static X509_EXTENSION *
write_extension(const struct extension *e)
{
	static const char names[] = "[elsewhere]\nCN=elsewhere\n";
	BIO *text = BIO_new_mem_buf(names, -1);
	CONF *conf = NCONF_new(NULL);
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	assert_int_equal(NCONF_load_bio(conf, text, NULL), 1);
	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, e->nid, e->value);
	if (ext == NULL)
		fail_msg("%s", e->value);
	NCONF_free(conf);
	BIO_free(text);
	return ext;
}

/* Its DER, for OPENSSL_free(), and walked. */
static uint8_t *
make(const char *name, const char *issuer, const struct extension *extensions,
    struct pf_cert *out)
{
	X509 *cert = X509_new();
	X509_NAME *dn = X509_NAME_new();
	struct pinfast_bytes bytes;
	uint8_t *der = NULL;

	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_NAME_add_entry_by_txt(dn, "CN", MBSTRING_ASC,
	    (const unsigned char *)issuer, -1, -1, 0);
	X509_set_issuer_name(cert, dn);
	X509_NAME_free(dn);
	X509_set_pubkey(cert, key);
	for (size_t i = 0; i < MAX_EXTENSIONS; i++)
		if (extensions[i].value != NULL) {
			X509_EXTENSION *ext = write_extension(&extensions[i]);

			X509_add_ext(cert, ext, -1);
			X509_EXTENSION_free(ext);
		}
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	bytes.len = (size_t)i2d_X509(cert, &der);
	bytes.data = der;
	assert_int_equal(pf_cert_walk(bytes, out, NULL), 0);
	X509_free(cert);
	return der;
}

static void
only_what_their_extensions_allow_is_a_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pf_cert certs[3];
		const struct pf_cert *path[] = {
		    &certs[0], &certs[1], &certs[2]};
		uint8_t *der[] = {make("leaf", "CA", rows[i].leaf, &certs[0]),
		    make("CA", "root", rows[i].ca, &certs[1]),
		    make("root", "root", rows[i].root, &certs[2])};

		if (pf_issuers_may(path, 3, rows[i].use) != rows[i].may)
			fail_msg("%s", rows[i].name);
		for (size_t n = 0; n < 3; n++)
			OPENSSL_free(der[n]);
	}
}

static void
a_leaf_that_is_an_anchor_needs_no_issuer(void **state)
{
	static const struct extension none[MAX_EXTENSIONS];
	struct pf_cert cert;
	const struct pf_cert *path[] = {&cert};
	uint8_t *der = make("leaf", "leaf", none, &cert);

	(void)state;
	assert_int_equal(pf_issuers_may(path, 1, PF_ISSUERS_SERVER), 1);
	OPENSSL_free(der);
}

static void
who_is_certainly_no_CA_says_so_or_nothing(void **state)
{
	static const struct {
		const char *name;
		int none;
		struct extension extensions[MAX_EXTENSIONS];
	} table[] = {
	    {"nothing is said", 1, {{0, NULL}}},
	    {"no CA", 1, {NO_CA}},
	    {"a name only", 1, {NAME}},
	    {"a CA", 0, {CA}},
	    {"a CA of length 0", 0, {LENGTH_0}},
	    {"both", 0, {NO_CA, CA}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct pf_cert cert;
		uint8_t *der = make("it", "root", table[i].extensions, &cert);

		if (pf_issuers_none(&cert) != table[i].none)
			fail_msg("%s", table[i].name);
		OPENSSL_free(der);
	}
}

/* Bytes changed one after the other: never a path that was none before, and
 * nothing is read that is not there. */
static void
broken_extensions_make_no_path(void **state)
{
	static const struct row row = {"a longer path", 0, SERVER, {NAME},
	    {CA, WITHIN("permitted;DNS:other.test")}, {CA}};
	struct pf_cert certs[3], broken;
	const struct pf_cert *path[] = {&certs[0], &broken, &certs[2]};
	uint8_t *der[] = {make("leaf", "CA", row.leaf, &certs[0]),
	    make("CA", "root", row.ca, &certs[1]),
	    make("root", "root", row.root, &certs[2])};
	size_t len = certs[1].extensions.len;
	uint8_t *copy = malloc(len);

	(void)state;
	assert_non_null(copy);
	for (size_t cut = 1; cut < len; cut++) {
		/* The first extension alone is whole. */
		if (cut == 2U + certs[1].extensions.data[1])
			continue;
		broken = certs[1];
		memcpy(copy, certs[1].extensions.data, len);
		broken.extensions.data = copy;
		broken.extensions.len = cut;
		assert_int_equal(pf_issuers_may(path, 3, SERVER), 0);
	}
	for (size_t at = 0; at < len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, certs[1].extensions.data, len);
			copy[at] ^= (uint8_t)(1U << bit);
			broken.extensions.len = len;
			/* It may become another extension. */
			(void)pf_issuers_may(path, 3, SERVER);
			(void)pf_issuers_none(&broken);
		}
	free(copy);
	for (size_t n = 0; n < 3; n++)
		OPENSSL_free(der[n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_their_extensions_allow_is_a_path),
	    cmocka_unit_test(a_leaf_that_is_an_anchor_needs_no_issuer),
	    cmocka_unit_test(who_is_certainly_no_CA_says_so_or_nothing),
	    cmocka_unit_test(broken_extensions_make_no_path),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_key, free_key);
}
