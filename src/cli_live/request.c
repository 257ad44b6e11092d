#include "cli_live/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "cli/out.h"
#include "os/file.h"
#include "policy/name.h"

/* One name, canonical, so that it cannot end early or hold another. */
static int
append(char *text, size_t size, const char *host, const char **why)
{
	int wildcard = strncmp(host, "*.", 2) == 0;
	const char *name = host + (wildcard ? 2 : 0);
	size_t len = strlen(text);
	struct pf_host parsed;

	*why = "the name is too long";
	if (strlen(name) >= 1024 ||
	    !pf_name_read(name, strlen(name), &parsed, why))
		return 0;
	*why = "an address has no names below it";
	if (wildcard && parsed.kind != PF_HOST_NAME)
		return 0;
	snprintf(text + len, size - len, "%s%s%s%s", len > 0 ? "," : "",
	    parsed.kind == PF_HOST_NAME ? "DNS:" : "IP:", wildcard ? "*." : "",
	    parsed.text);
	return 1;
}

char *
pf_request_names(const char *command, char *const hosts[], int count)
{
	size_t size = (size_t)count * (PINFAST_HOST_LEN + 8) + 1;
	char *text = malloc(size), message[300];
	const char *why;

	if (text == NULL) {
		pf_complain(command, "out of memory");
		return NULL;
	}
	text[0] = '\0';
	for (int i = 0; i < count; i++) {
		if (append(text, size, hosts[i], &why))
			continue;
		snprintf(message, sizeof message,
		    "%s; a request is for host names and addresses, not", why);
		(void)pf_usage(command, message, hosts[i]);
		free(text);
		return NULL;
	}
	return text;
}

static int
add_names(X509_REQ *req, const char *names)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *one =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	int fine = list != NULL && one != NULL &&
	           sk_X509_EXTENSION_push(list, one) > 0;

	if (!fine)
		X509_EXTENSION_free(one);
	fine = fine && X509_REQ_add_extensions(req, list);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return fine;
}

/* Edwards keys hash by themselves. */
static const EVP_MD *
digest_for(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

int
pf_request_write(const char *path, EVP_PKEY *key, const char *names)
{
	X509_REQ *req = X509_REQ_new();
	BIO *text = BIO_new(BIO_s_mem());
	struct pinfast_diag diag;
	char *data;
	long len;
	int fine;

	memset(&diag, 0, sizeof diag);
	strcpy(diag.text, "OpenSSL cannot make this request");
	fine =
	    req != NULL && text != NULL && X509_REQ_set_version(req, 0) &&
	    X509_REQ_set_pubkey(req, key) && add_names(req, names) &&
	    X509_REQ_sign(req, key, digest_for(key)) &&
	    PEM_write_bio_X509_REQ(text, req) &&
	    (len = BIO_get_mem_data(text, &data)) > 0 &&
	    pf_file_create(path, data, (size_t)len, 0644, &diag) == PINFAST_OK;
	if (!fine)
		pf_complain(path, diag.text);
	BIO_free(text);
	X509_REQ_free(req);
	return fine;
}
