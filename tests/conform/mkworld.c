/*
 * Makes the world of the conformance table: keys, certificates, trust bundles
 * and pins, from the tables in world/.  The pins are OpenSSL's opinion.
 *
 *   mkworld TABLES OUT
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "edit.h"

#define MAX 256
#define PIN_LEN 64 /* base64 of SHA-256 and NUL, at least */

struct cert {
	char id[40], key[40];
	X509 *x509;
	char pin[PIN_LEN]; /* of the key as it was edited; "": it was not */
};

struct key {
	char id[40];
	EVP_PKEY *pkey;
};

static struct cert certs[MAX];
static struct key keys[MAX];
static int cert_count, key_count;
static const char *out;

static void
die(const char *what, const char *which)
{
	fprintf(stderr, "mkworld: %s: %s\n", which, what);
	exit(1);
}

static FILE *
create(const char *id, const char *ending)
{
	char path[500];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s%s", out, id, ending);
	f = fopen(path, "w");
	if (f == NULL)
		die("cannot be written", path);
	return f;
}

/* "id" or "id:rsa" or "id:ed25519"; made when it is first named. */
static struct key *
key_of(const char *spec)
{
	char id[40];
	const char *colon = strchr(spec, ':');
	size_t len = colon ? (size_t)(colon - spec) : strlen(spec);
	struct key *key;
	FILE *f;

	snprintf(id, sizeof id, "%.*s", (int)len, spec);
	for (int i = 0; i < key_count; i++)
		if (strcmp(keys[i].id, id) == 0)
			return &keys[i];
	if (key_count == MAX)
		die("too many keys", spec);
	key = &keys[key_count++];
	memcpy(key->id, id, sizeof id);
	if (colon == NULL)
		key->pkey = EVP_EC_gen("P-256");
	else if (strcmp(colon, ":rsa") == 0)
		key->pkey = EVP_RSA_gen(2048);
	else
		key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	f = create(id, ".key");
	if (key->pkey == NULL ||
	    !PEM_write_PrivateKey(f, key->pkey, NULL, NULL, 0, NULL, NULL))
		die("no key", spec);
	fclose(f);
	return key;
}

static struct cert *
cert_of(const char *id)
{
	for (int i = 0; i < cert_count; i++)
		if (strcmp(certs[i].id, id) == 0)
			return &certs[i];
	die("no such certificate (it must stand above)", id);
	return NULL;
}

/* The value of a flag, "" for one without, NULL when it is not there. */
static const char *
flag(const char *flags, const char *name, char value[80])
{
	size_t len = strlen(name);

	for (const char *at = flags; at != NULL;
	     at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (strncmp(at, name, len) != 0 ||
		    (at[len] != '=' && at[len] != ',' && at[len] != '\0'))
			continue;
		value[0] = '\0';
		if (at[len] == '=')
			snprintf(value, 80, "%.*s",
			    (int)strcspn(at + len + 1, ","), at + len + 1);
		return value;
	}
	return NULL;
}

static void
extend(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

	if (ext == NULL || !X509_add_ext(cert, ext, -1))
		die("bad extension", value);
	X509_EXTENSION_free(ext);
}

/* One DNS name that holds a NUL. */
static void
add_nul_name(X509 *cert)
{
	static const unsigned char name[] = "pin.test\0.evil.test";
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	ASN1_STRING_set(text, name, sizeof name - 1);
	GENERAL_NAME_set0_value(one, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, one);
	X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
	GENERAL_NAMES_free(names);
}

static void
set_times(X509 *cert, const char *valid)
{
	long from = -86400, until = 86400L * 3650;

	if (strcmp(valid, "expired") == 0) {
		from = -86400L * 20;
		until = -86400L * 10;
	} else if (strcmp(valid, "future") == 0) {
		from = 86400L * 10;
	}
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), until);
}

static void
add_extensions(X509 *cert, X509 *issuer, const char *names, const char *flags)
{
	X509V3_CTX ctx;
	char value[80], text[200];

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	if (flag(flags, "ca", value)) {
		if (flag(flags, "pathlen", value))
			snprintf(text, sizeof text,
			    "critical,CA:TRUE,pathlen:%.8s", value);
		else
			snprintf(text, sizeof text, "critical,CA:TRUE");
		extend(cert, &ctx, NID_basic_constraints, text);
		/* A CA must say so (RFC 5280, 4.2.1.3). */
		extend(cert, &ctx, NID_key_usage, "critical,keyCertSign");
	}
	if (flag(flags, "nc", value)) {
		snprintf(text, sizeof text, "critical,permitted;%s", value);
		extend(cert, &ctx, NID_name_constraints, text);
	}
	if (flag(flags, "ski-of", value)) {
		ASN1_OCTET_STRING *ski = X509_get_ext_d2i(cert_of(value)->x509,
		    NID_subject_key_identifier, NULL, NULL);

		X509_add1_ext_i2d(cert, NID_subject_key_identifier, ski, 0, 0);
		ASN1_OCTET_STRING_free(ski);
	} else {
		extend(cert, &ctx, NID_subject_key_identifier, "hash");
	}
	if (strstr(names, "\\0") != NULL)
		add_nul_name(cert);
	else if (strcmp(names, "-") != 0)
		extend(cert, &ctx, NID_subject_alt_name, names);
}

static void
pin_text(const unsigned char *spki, size_t len, char text[PIN_LEN])
{
	unsigned char hash[32];
	unsigned hash_len;

	EVP_Digest(spki, len, hash, &hash_len, EVP_sha256(), NULL);
	EVP_EncodeBlock((unsigned char *)text, hash, 32);
}

/* Bytes in the place of the certificate's, or behind it; or signed anew. */
static size_t
edit(struct cert *c, const char *how, EVP_PKEY *signer, unsigned char **der)
{
	int len = i2d_X509(c->x509, der);
	const char *colon = strchr(how, ':');
	struct key *other = NULL;
	struct edit_keys three;
	unsigned char *edited = NULL, spki[2000];
	size_t size;

	if (len <= 0)
		die("cannot be encoded", c->id);
	if (strcmp(how, "garbage") == 0)
		memset(*der, 0xaa, (size_t)len);
	if (strcmp(how, "garbage") == 0 || strcmp(how, "-") == 0 ||
	    strcmp(how, "trailing") == 0 || strncmp(how, "concat:", 7) == 0)
		return (size_t)len;
	if (colon != NULL && strncmp(how, "form:", 5) != 0)
		other = key_of(colon + 1);
	three.own = key_of(c->key)->pkey;
	three.other = other ? other->pkey : NULL;
	three.signer = signer;
	size = edit_certificate(c->x509, how, &three, &edited);
	if (size == 0)
		die("no such edit", how);
	OPENSSL_free(*der);
	*der = edited;
	if (strncmp(how, "form:", 5) == 0 || strcmp(how, "params") == 0)
		pin_text(spki, edit_spki(edited, size, spki, sizeof spki),
		    c->pin);
	return size;
}

static void
write_cert(struct cert *c, const char *how, EVP_PKEY *signer)
{
	unsigned char *der = NULL, *more = NULL;
	int more_len = 0;
	size_t len = edit(c, how, signer, &der);
	FILE *f = create(c->id, ".pem");

	PEM_write_X509(f, c->x509);
	fclose(f);
	if (strncmp(how, "concat:", 7) == 0)
		more_len = i2d_X509(cert_of(how + 7)->x509, &more);
	f = create(c->id, ".der");
	fwrite(der, 1, len, f);
	if (strcmp(how, "trailing") == 0)
		fwrite("xyz", 1, 3, f);
	if (more_len > 0)
		fwrite(more, 1, (size_t)more_len, f);
	fclose(f);
	OPENSSL_free(der);
	OPENSSL_free(more);
}

/* cert key issuer names valid flags der-edit */
static void
make_cert(char *const field[7])
{
	struct cert *c = &certs[cert_count];
	struct key *key = key_of(field[1]);
	int is_self = strcmp(field[2], "self") == 0;
	struct cert *issuer = is_self ? c : cert_of(field[2]);
	EVP_PKEY *signer = is_self ? key->pkey : key_of(issuer->key)->pkey;
	const EVP_MD *md =
	    EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256();
	char value[80];
	const char *subject = flag(field[5], "subject", value);

	if (cert_count == MAX)
		die("too many certificates", field[0]);
	snprintf(c->id, sizeof c->id, "%s", field[0]);
	snprintf(c->key, sizeof c->key, "%s", key->id);
	c->x509 = X509_new();
	X509_set_version(c->x509, 2);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c->x509), "CN",
	    MBSTRING_ASC, (const unsigned char *)(subject ? subject : field[0]),
	    -1, -1, 0);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), cert_count + 1000);
	if (flag(field[5], "serial-of", value))
		X509_set_serialNumber(c->x509,
		    X509_get_serialNumber(cert_of(value)->x509));
	X509_set_issuer_name(c->x509, X509_get_subject_name(issuer->x509));
	X509_set_pubkey(c->x509, key->pkey);
	set_times(c->x509, field[4]);
	cert_count++;
	add_extensions(c->x509, issuer->x509, field[3], field[5]);
	/* By somebody who is not the issuer. */
	if (flag(field[5], "signed-by", value))
		signer = key_of(value)->pkey;
	if (X509_sign(c->x509, signer, md) <= 0)
		die("cannot be signed", field[0]);
	write_cert(c, field[6], signer);
}

static void
make_trust(char *const field[2])
{
	char name[60];
	FILE *f;

	snprintf(name, sizeof name, "trust-%s", field[0]);
	f = create(name, ".pem");
	for (char *save = NULL, *id = strtok_r(field[1], ",", &save);
	     id != NULL; id = strtok_r(NULL, ",", &save))
		PEM_write_X509(f, cert_of(id)->x509);
	fclose(f);
}

static void
read_table(const char *tables, const char *name, int fields,
    void (*row)(char *const *field))
{
	char path[500], line[4000];
	FILE *f;

	snprintf(path, sizeof path, "%s/world/%s.tsv", tables, name);
	f = fopen(path, "r");
	if (f == NULL)
		die("cannot be read", path);
	while (fgets(line, sizeof line, f) != NULL) {
		char *field[8];
		int n = 0;

		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';
		for (char *save = NULL, *at = strtok_r(line, "\t", &save);
		     at != NULL && n < 8; at = strtok_r(NULL, "\t", &save))
			field[n++] = at;
		if (n != fields)
			die("a line with another number of columns", path);
		row(field);
	}
	fclose(f);
}

/* The pin, as OpenSSL encodes the key it parsed. */
static void
write_pin(FILE *f, const char *id, EVP_PKEY *pkey)
{
	unsigned char *der = NULL;
	char text[PIN_LEN];
	int len = i2d_PUBKEY(pkey, &der);

	pin_text(der, (size_t)len, text);
	fprintf(f, "%s\tsha256/%s\n", id, text);
	OPENSSL_free(der);
}

int
main(int argc, char *argv[])
{
	FILE *f;

	if (argc != 3) {
		fprintf(stderr, "usage: mkworld TABLES OUT\n");
		return 2;
	}
	out = argv[2];
	read_table(argv[1], "pki", 7, make_cert);
	read_table(argv[1], "trust", 2, make_trust);
	f = create("spki", ".tsv");
	for (int i = 0; i < key_count; i++)
		write_pin(f, keys[i].id, keys[i].pkey);
	for (int i = 0; i < cert_count; i++)
		if (certs[i].pin[0] != '\0')
			fprintf(f, "%s\tsha256/%s\n", certs[i].id,
			    certs[i].pin);
		else
			write_pin(f, certs[i].id, key_of(certs[i].key)->pkey);
	fclose(f);
	return 0;
}
