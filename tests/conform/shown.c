#define _POSIX_C_SOURCE 200809L
#include "shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHAIN 128

const char *shown_world;
static __thread gnutls_pcert_st *sent;
static __thread unsigned sent_count;
static __thread gnutls_privkey_t signer;

void
peer_die(const char *what, const char *which)
{
	fprintf(stderr, "peer: %s: %s\n", which, what);
	exit(1);
}

static int
load(const char *id, const char *ending, gnutls_datum_t *out)
{
	char path[500];

	snprintf(path, sizeof path, "%s/%s%s", shown_world, id, ending);
	return gnutls_load_file(path, out);
}

/* GnuTLS asks which certificates to send: these bytes, whatever they are. */
int
shown_choose(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
    gnutls_pcert_st **certs, unsigned *count, gnutls_ocsp_data_st **ocsp,
    unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	(void)session, (void)info;
	*certs = sent;
	*count = sent_count;
	*ocsp = NULL;
	*ocsp_count = 0;
	*key = signer;
	*flags = 0;
	return 0;
}

/* Nothing is left of the first certificate but its key (RFC 7250). */
static void
keep_the_key(void)
{
	gnutls_x509_crt_t cert = NULL;
	gnutls_pubkey_t key = NULL;

	if (sent_count == 0 || gnutls_x509_crt_init(&cert) != 0 ||
	    gnutls_pubkey_init(&key) != 0 ||
	    gnutls_x509_crt_import(cert, &sent[0].cert, GNUTLS_X509_FMT_DER) !=
	        0 ||
	    gnutls_pubkey_import_x509(key, cert, 0) != 0)
		peer_die("no key", "chain");
	gnutls_x509_crt_deinit(cert);
	while (sent_count > 0)
		gnutls_pcert_deinit(&sent[--sent_count]);
	if (gnutls_pcert_import_rawpk(&sent[sent_count++], key, 0) != 0)
		peer_die("not a key", "chain");
}

/* A real certificate is parsed, and then its bytes are replaced. */
void
shown_load(const char *chain, const char *key, int bare)
{
	char list[2000];
	gnutls_datum_t any, der;
	unsigned one;

	sent = calloc(MAX_CHAIN, sizeof *sent);
	sent_count = 0;
	if (sent == NULL || load(key, ".key", &der) != 0 ||
	    gnutls_privkey_init(&signer) != 0 ||
	    gnutls_privkey_import_x509_raw(signer, &der, GNUTLS_X509_FMT_PEM,
	        NULL, 0) != 0)
		peer_die("no such key", key);
	gnutls_free(der.data);
	snprintf(list, sizeof list, "%s", chain);
	for (char *save = NULL, *id = strtok_r(list, ",", &save);
	     id != NULL && strcmp(id, "-") != 0;
	     id = strtok_r(NULL, ",", &save)) {
		one = 1;
		if (sent_count == MAX_CHAIN || load(id, ".pem", &any) != 0 ||
		    load(id, ".der", &der) != 0)
			peer_die("no such certificate", id);
		if (gnutls_pcert_list_import_x509_raw(&sent[sent_count], &one,
		        &any, GNUTLS_X509_FMT_PEM, 0) != 0)
			peer_die("not a certificate", id);
		gnutls_free(any.data);
		gnutls_free(sent[sent_count].cert.data);
		sent[sent_count++].cert = der;
	}
	if (bare)
		keep_the_key();
}

void
shown_forget(void)
{
	gnutls_privkey_deinit(signer);
	for (unsigned i = 0; i < sent_count; i++)
		gnutls_pcert_deinit(&sent[i]);
	free(sent);
	sent = NULL;
}
