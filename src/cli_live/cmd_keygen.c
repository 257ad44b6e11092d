#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/sha256.h"
#include "cli_live/live_command.h"
#include "cli_live/request.h"
#include "core/spki.h"
#include "os/file.h"

static const char help[] =
    "usage: pinfast keygen FILE [OPTIONS] [--csr REQUEST HOST...]\n\n"
    "Makes a private key and prints its pin: a backup key is made before it\n"
    "is needed and kept where the server's own is not.\n\n"
    "  --type T  p256 (default), p384, rsa2048, rsa3072, rsa4096, ed25519;\n"
    "            ec means p256, rsa means rsa3072\n"
    "  --csr REQUEST\n"
    "            also write the request for a certificate for these hosts\n"
    "  --json    one JSON document\n"
    "  --help\n\n"
    "FILE is PKCS#8 in PEM, not encrypted, and for its owner alone.  Neither\n"
    "file may be there yet.\n";

/* Every TLS library verifies P-256; so that is the default. */
static const struct kind {
	const char *name;
	const char *group; /* NULL: not an elliptic curve of NIST */
	unsigned rsa_bits;
} kinds[] = {{"p256", "P-256", 0}, {"ec", "P-256", 0}, {"p384", "P-384", 0},
    {"rsa", NULL, 3072}, {"rsa2048", NULL, 2048}, {"rsa3072", NULL, 3072},
    {"rsa4096", NULL, 4096}, {"ed25519", NULL, 0}};

struct options {
	const char *path;
	const struct kind *kind;
	const char *csr; /* NULL: none */
	char **hosts;    /* in argv */
	int host_count;
	int json;
};

/* What the words mean together. */
static int
refuse(const struct options *o)
{
	if (o->path == NULL || o->path[0] == '\0')
		return pf_usage("keygen", "name the file of the new key", NULL);
	if (strcmp(o->path, "-") == 0)
		return pf_usage("keygen", "a key goes into a file, not into",
		    o->path);
	if (o->csr == NULL && o->host_count > 0)
		return pf_usage("keygen",
		    "hosts belong to --csr; one key at a time, not also",
		    o->hosts[0]);
	if (o->csr != NULL && o->host_count == 0)
		return pf_usage("keygen", "name the hosts of the request",
		    NULL);
	if (o->csr != NULL && strcmp(o->csr, o->path) == 0)
		return pf_usage("keygen",
		    "key and request cannot share the file", o->path);
	return -1;
}

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* The file, then hosts. */
static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	if (o->path == NULL)
		o->path = word;
	else
		o->hosts[o->host_count++] = word;
	return -1;
}

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct options *o = arg;
	const char *value;

	if (strcmp(argv[*i], "--json") == 0) {
		o->json = 1;
	} else if ((value = pf_option(argc, argv, i, "--type")) != NULL) {
		const struct kind *kind = find_kind(value);

		if (kind == NULL)
			return pf_usage("keygen",
			    "there is no type of key called", value);
		o->kind = kind;
	} else if ((value = pf_option(argc, argv, i, "--csr")) != NULL) {
		o->csr = value;
	} else {
		return pf_unknown("keygen", argv[*i]);
	}
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	static const char *const texts[] = {help, NULL};
	static const struct pf_arguments how = {texts, read_option, read_word};
	int status;

	o->hosts = argv + 1;
	status = pf_read_arguments(argc, argv, &how, o);
	return status >= 0 ? status : refuse(o);
}

static EVP_PKEY *
make_key(const struct kind *kind)
{
	if (kind->group != NULL)
		return EVP_EC_gen(kind->group);
	if (kind->rsa_bits != 0)
		return EVP_RSA_gen(kind->rsa_bits);
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

/* The pin, by the same walk as everywhere; 0: it cannot be had. */
static int
pin_of(const EVP_PKEY *key, char pin[PINFAST_PIN_TEXT_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	struct pinfast_bytes spki = {der, len > 0 ? (size_t)len : 0};
	uint8_t hash[PINFAST_PIN_LEN];
	struct pf_key walked;
	int fine = len > 0 && pf_spki_walk(spki, &walked, NULL) == PINFAST_OK;

	if (fine) {
		pf_sha256(spki.data, spki.len, hash);
		pinfast_pin_write(hash, pin);
	}
	OPENSSL_free(der);
	return fine;
}

static int
write_key(const char *path, const EVP_PKEY *key)
{
	/* Wiped when it is freed. */
	BIO *text = BIO_new(BIO_s_secmem());
	struct pinfast_diag diag;
	char *data;
	long len;
	int status = PF_EXIT_UNDECIDED;

	memset(&diag, 0, sizeof diag);
	if (text == NULL || !PEM_write_bio_PKCS8PrivateKey(text, key, NULL,
	                        NULL, 0, NULL, NULL))
		pf_complain(path, "the key cannot be written as PEM");
	else if ((len = BIO_get_mem_data(text, &data)) > 0 &&
	         pf_file_create(path, data, (size_t)len, 0600, &diag) ==
	             PINFAST_OK)
		status = PF_EXIT_FINE;
	else
		pf_complain_diag(&diag);
	BIO_free(text);
	return status;
}

static void
print_pin(const struct options *o, const char *pin)
{
	struct pf_json j = {stdout, 1};

	if (!o->json) {
		puts(pin);
		return;
	}
	pf_json_begin(&j, NULL, '{');
	pf_json_string(&j, "file", o->path);
	pf_json_string(&j, "type", o->kind->name);
	pf_json_string(&j, "pin", pin);
	pf_json_end(&j, '}');
	putchar('\n');
}

/* The request first: without its key it is of no use to anybody. */
static int
write_both(const struct options *o, EVP_PKEY *key, const char *names)
{
	int status;

	if (o->csr != NULL && !pf_request_write(o->csr, key, names))
		return PF_EXIT_UNDECIDED;
	status = write_key(o->path, key);
	if (status != PF_EXIT_FINE && o->csr != NULL)
		(void)remove(o->csr);
	return status;
}

int
pf_cmd_keygen(int argc, char *argv[])
{
	struct options o = {.kind = &kinds[0]};
	char pin[PINFAST_PIN_TEXT_LEN], *names = NULL;
	int status = read_options(argc, argv, &o);
	EVP_PKEY *key;

	if (status >= 0)
		return status;
	if (o.csr != NULL) {
		names = pf_request_names("keygen", o.hosts, o.host_count);
		if (names == NULL)
			return PF_EXIT_USAGE;
	}
	status = PF_EXIT_UNDECIDED;
	key = make_key(o.kind);
	if (key == NULL || !pin_of(key, pin))
		pf_complain(o.path, "OpenSSL cannot make this key");
	else
		status = write_both(&o, key, names);
	if (status == PF_EXIT_FINE)
		print_pin(&o, pin);
	EVP_PKEY_free(key);
	free(names);
	return status;
}
