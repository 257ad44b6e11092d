/*
 * A complete HTTPS GET whose server is pinned by a compiled policy, with
 * nothing but the C library, mbedTLS and pinfast.
 *
 *   cc mbedtls-client.c $(pkg-config --cflags --libs pinfast-mbedtls)
 *   ./a.out POLICY.store HOST PORT CA-FILE [ADDRESS]
 *
 * Exit status: 0 the page was printed, 1 pinfast refused, 3 anything else.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include <pinfast-mbedtls.h>

/* What all connections share. */
struct client {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context rng;
	mbedtls_x509_crt trust;
	mbedtls_ssl_config conf;
	struct pinfast *policy;
};

static int
set_up(struct client *c, const char *store, const char *trust)
{
	struct pinfast_diag diag = {0};

	mbedtls_entropy_init(&c->entropy);
	mbedtls_ctr_drbg_init(&c->rng);
	mbedtls_x509_crt_init(&c->trust);
	mbedtls_ssl_config_init(&c->conf);
	if (pinfast_new(NULL, &c->policy) != PINFAST_OK ||
	    pinfast_load_file(c->policy, store, &diag) != PINFAST_OK) {
		fprintf(stderr, "%s: %s\n", store, diag.text);
		return 0;
	}
	if (mbedtls_ctr_drbg_seed(&c->rng, mbedtls_entropy_func, &c->entropy,
	        NULL, 0) != 0 ||
	    mbedtls_x509_crt_parse_file(&c->trust, trust) != 0 ||
	    mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT,
	        MBEDTLS_SSL_TRANSPORT_STREAM,
	        MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
		fprintf(stderr, "mbedTLS: no trust anchors, or no memory\n");
		return 0;
	}
	mbedtls_ssl_conf_rng(&c->conf, mbedtls_ctr_drbg_random, &c->rng);
	mbedtls_ssl_conf_ca_chain(&c->conf, &c->trust, NULL);
	mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	return 1;
}

static void
tear_down(struct client *c)
{
	mbedtls_ssl_config_free(&c->conf);
	mbedtls_x509_crt_free(&c->trust);
	mbedtls_ctr_drbg_free(&c->rng);
	mbedtls_entropy_free(&c->entropy);
	pinfast_free(c->policy);
}

static int
fetch(mbedtls_ssl_context *ssl, const char *host)
{
	unsigned char buffer[4096];
	int n = snprintf((char *)buffer, sizeof buffer,
	    "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);

	if (mbedtls_ssl_write(ssl, buffer, (size_t)n) != n)
		return 3;
	while ((n = mbedtls_ssl_read(ssl, buffer, sizeof buffer)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	return 0;
}

/* Handshake, the judge's last word, and only then the request. */
static int
visit(struct pinfast_mbedtls *pin, mbedtls_ssl_context *ssl, const char *host)
{
	struct pinfast_verdict verdict;
	char why[600];
	int ret = pinfast_mbedtls_handshake(pin);

	verdict = pinfast_mbedtls_result(pin);
	if (verdict.decision == PINFAST_ALLOW)
		return fetch(ssl, host);
	pinfast_mbedtls_explain(pin, why, sizeof why);
	fprintf(stderr, "%s (-0x%04x)\n", why, (unsigned)-ret);
	return verdict.reason == PINFAST_REASON_NOT_JUDGED ? 3 : 1;
}

static int
run(struct client *c, mbedtls_ssl_context *ssl, mbedtls_net_context *net,
    char *argv[])
{
	struct pinfast_mbedtls *pin = NULL;
	struct pinfast_diag diag = {0};
	int status = 3;

	if (mbedtls_ssl_setup(ssl, &c->conf) != 0)
		return 3;
	mbedtls_ssl_set_bio(ssl, net, mbedtls_net_send, mbedtls_net_recv, NULL);
	if (pinfast_mbedtls_new(c->policy, ssl, NULL, NULL, &pin) != PINFAST_OK)
		return 3;
	if (pinfast_mbedtls_attach(pin, argv[2], (uint16_t)atoi(argv[3]),
	        &diag) == PINFAST_OK)
		status = visit(pin, ssl, argv[2]);
	else
		fprintf(stderr, "%s: %s\n", argv[2], diag.text);
	mbedtls_ssl_close_notify(ssl);
	/* The connection first: it still knows of the other. */
	mbedtls_ssl_free(ssl);
	pinfast_mbedtls_free(pin);
	return status;
}

int
main(int argc, char *argv[])
{
	struct client c = {0};
	mbedtls_ssl_context ssl;
	mbedtls_net_context net;
	int status = 3;

	signal(SIGPIPE, SIG_IGN); /* a server may hang up */
	if (argc < 5) {
		fprintf(stderr,
		    "usage: %s POLICY.store HOST PORT CA-FILE [ADDRESS]\n",
		    argv[0]);
		return 2;
	}
	mbedtls_ssl_init(&ssl);
	mbedtls_net_init(&net);
	if (set_up(&c, argv[1], argv[4])) {
		if (mbedtls_net_connect(&net, argc > 5 ? argv[5] : argv[2],
		        argv[3], MBEDTLS_NET_PROTO_TCP) == 0)
			status = run(&c, &ssl, &net, argv);
		else
			fprintf(stderr, "cannot connect to %s\n", argv[2]);
	}
	mbedtls_net_free(&net);
	tear_down(&c);
	return status;
}
