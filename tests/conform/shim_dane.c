/*
 * A second judge that owes pinfast nothing: OpenSSL's own DANE engine
 * (RFC 6698, RFC 7671).  The runner hands it a row's pins as TLSA records
 * with selector 1 (the key) and matching type 1 (SHA-256): usage 1 for a pin
 * of the leaf, 0 for an issuer's, both for a pin that may be anywhere, 3
 * where the pin replaces the chain.  It has no policy, no reasons and no
 * sessions; only decisions are compared.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "shim.h"

#define HASH_LEN 32
#define TEXT_LEN 44 /* a hash in base64 */

/* Only core makes an allowing verdict; this judge has its own word. */
struct said {
	const char *id;
	const char *attach;
	const char *error;
	int allow;
	int hs;
	int sent;
	int got;
};

static SSL_CTX *
make_ctx(const struct shim_request *r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int version = strcmp(shim_get(r, "tls", "1.3"), "1.2") == 0
	                  ? TLS1_2_VERSION
	                  : TLS1_3_VERSION;
	const char *trust = shim_get(r, "trust", NULL);
	const char *ciphers = shim_get(r, "ciphers", NULL);

	if (ctx == NULL || SSL_CTX_dane_enable(ctx) <= 0 ||
	    !SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version))
		abort();
	if (trust != NULL && !SSL_CTX_load_verify_locations(ctx, trust, NULL))
		abort();
	if (ciphers != NULL && !SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"))
		abort();
	if (shim_int(r, "partial", 0))
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
		    X509_V_FLAG_PARTIAL_CHAIN);
	/* Names in the subject count for nobody (RFC 9525), and where the key
	 * replaces the chain no name counts. */
	X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(ctx),
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	SSL_CTX_dane_set_flags(ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return ctx;
}

/* Addresses have no place in DANE's base domain, and a trailing dot none in
 * a certificate: an application takes care of both. */
static int
set_name(SSL *ssl, const char *name)
{
	unsigned char address[16];
	char host[300];
	size_t len = strlen(name);

	if (inet_pton(AF_INET, name, address) == 1 ||
	    inet_pton(AF_INET6, name, address) == 1)
		return SSL_dane_enable(ssl, NULL) > 0 &&
		       X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	if (len > 0 && name[len - 1] == '.')
		len--;
	snprintf(host, sizeof host, "%.*s", (int)len, name);
	return SSL_dane_enable(ssl, host) > 0;
}

/* tlsa=USAGE:sha256/BASE64,...; 1: every record was taken. */
static int
add_records(SSL *ssl, const char *at)
{
	while (*at >= '0' && *at <= '3') {
		unsigned char hash[HASH_LEN + 1];
		unsigned char text[TEXT_LEN];
		uint8_t usage = (uint8_t)(*at++ - '0');

		if (strncmp(at, ":sha256/", 8) != 0 ||
		    strlen(at + 8) < TEXT_LEN)
			return 0;
		memcpy(text, at + 8, TEXT_LEN);
		if (EVP_DecodeBlock(hash, text, TEXT_LEN) != HASH_LEN + 1 ||
		    SSL_dane_tlsa_add(ssl, usage, 1, 1, hash, HASH_LEN) <= 0)
			return 0;
		at += 8 + TEXT_LEN;
		if (*at == '\0')
			return 1;
		at++;
	}
	return 0;
}

static void
talk(SSL *ssl, int send, struct said *answer)
{
	static const char payload[] = "0123456789abcdef";
	char buffer[sizeof payload];
	int n = SSL_write(ssl, payload, send > 16 ? 16 : send);

	if (n > 0)
		answer->sent = n;
	n = SSL_read(ssl, buffer, (int)sizeof buffer);
	if (n > 0)
		answer->got = n;
}

static void
run(SSL *ssl, const struct shim_request *r, struct said *answer)
{
	const char *text;

	if (!set_name(ssl, shim_get(r, "name", "")) ||
	    !add_records(ssl, shim_get(r, "tlsa", ""))) {
		answer->attach = "EUSAGE";
		return;
	}
	answer->hs = SSL_connect(ssl) == 1;
	text = ERR_reason_error_string(ERR_peek_error());
	answer->error = text == NULL ? "" : text;
	/* A connection without a matched record has not been judged, e.g. one
	 * whose cipher needs no certificate. */
	if (!answer->hs || SSL_get_verify_result(ssl) != X509_V_OK ||
	    SSL_get0_dane_authority(ssl, NULL, NULL) < 0)
		return;
	answer->allow = 1;
	talk(ssl, shim_int(r, "send", 16), answer);
}

static void
do_connect(const struct shim_request *r, struct said *answer)
{
	SSL_CTX *ctx = make_ctx(r);
	SSL *ssl = SSL_new(ctx);
	int fd = shim_connect(shim_get(r, "addr", "127.0.0.1"),
	    shim_int(r, "port", 0));

	if (ssl == NULL)
		abort();
	if (fd < 0 || !SSL_set_fd(ssl, fd)) {
		answer->attach = "EIO";
	} else {
		run(ssl, r, answer);
		SSL_shutdown(ssl);
	}
	if (fd >= 0)
		close(fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void
print(const struct said *a)
{
	printf("{\"id\":\"%s\",\"decision\":\"%s\",\"reason\":\"-\""
	       ",\"attach\":\"%s\",\"evidence\":\"none\",\"resumed\":0"
	       ",\"hs\":%d,\"sent\":%d,\"early\":0,\"got\":%d"
	       ",\"alert_sent\":-1,\"error\":\"%s\"}\n",
	    a->id, a->allow ? "allow" : "deny", a->attach, a->hs, a->sent,
	    a->got, a->error);
	fflush(stdout);
}

int
main(void)
{
	static char line[8192];

	signal(SIGPIPE, SIG_IGN); /* peers hang up */
	while (fgets(line, sizeof line, stdin) != NULL) {
		struct shim_request request;
		struct said answer = {.attach = "ok", .error = ""};

		if (!shim_parse(line, &request))
			continue;
		answer.id = shim_get(&request, "id", "");
		ERR_clear_error();
		do_connect(&request, &answer);
		print(&answer);
	}
	return 0;
}
