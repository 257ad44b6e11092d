/*
 * A server that lets only pinned clients in (mutual TLS), with nothing but the
 * C library, mbedTLS and pinfast.
 *
 *   cc mbedtls-server-mtls.c $(pkg-config --cflags --libs pinfast-mbedtls)
 *   ./a.out POLICY.store LABEL CERT.pem KEY.pem CLIENT-CA.pem [COUNT]
 *
 * LABEL is a name in the policy's `clients`.  Prints its port, serves COUNT
 * connections (1), prints a line for each and answers what it was sent.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include <pinfast-mbedtls.h>

struct server {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context rng;
	mbedtls_x509_crt own, clients;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context tickets;
	mbedtls_ssl_config conf;
	struct pinfast *policy;
};

static int
set_up(struct server *s, char *argv[], struct pinfast_diag *diag)
{
	mbedtls_entropy_init(&s->entropy);
	mbedtls_ctr_drbg_init(&s->rng);
	mbedtls_x509_crt_init(&s->own);
	mbedtls_x509_crt_init(&s->clients);
	mbedtls_pk_init(&s->key);
	mbedtls_ssl_ticket_init(&s->tickets);
	mbedtls_ssl_config_init(&s->conf);
	if (pinfast_new(NULL, &s->policy) != PINFAST_OK ||
	    pinfast_load_file(s->policy, argv[1], diag) != PINFAST_OK ||
	    mbedtls_ctr_drbg_seed(&s->rng, mbedtls_entropy_func, &s->entropy,
	        NULL, 0) != 0 ||
	    mbedtls_x509_crt_parse_file(&s->own, argv[3]) != 0 ||
	    mbedtls_pk_parse_keyfile(&s->key, argv[4], NULL) != 0 ||
	    mbedtls_x509_crt_parse_file(&s->clients, argv[5]) != 0 ||
	    mbedtls_ssl_ticket_setup(&s->tickets, mbedtls_ctr_drbg_random,
	        &s->rng, MBEDTLS_CIPHER_AES_256_GCM, 86400) != 0 ||
	    mbedtls_ssl_config_defaults(&s->conf, MBEDTLS_SSL_IS_SERVER,
	        MBEDTLS_SSL_TRANSPORT_STREAM,
	        MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
	    mbedtls_ssl_conf_own_cert(&s->conf, &s->own, &s->key) != 0)
		return 0;
	mbedtls_ssl_conf_rng(&s->conf, mbedtls_ctr_drbg_random, &s->rng);
	mbedtls_ssl_conf_ca_chain(&s->conf, &s->clients, NULL);
	mbedtls_ssl_conf_session_tickets_cb(&s->conf, mbedtls_ssl_ticket_write,
	    mbedtls_ssl_ticket_parse, &s->tickets);
	return 1;
}

static void
tear_down(struct server *s)
{
	mbedtls_ssl_config_free(&s->conf);
	mbedtls_ssl_ticket_free(&s->tickets);
	mbedtls_pk_free(&s->key);
	mbedtls_x509_crt_free(&s->clients);
	mbedtls_x509_crt_free(&s->own);
	mbedtls_ctr_drbg_free(&s->rng);
	mbedtls_entropy_free(&s->entropy);
	pinfast_free(s->policy);
}

static void
talk(struct pinfast_mbedtls *pin, mbedtls_ssl_context *ssl)
{
	unsigned char buffer[1024];
	char why[600];
	int n, ret = pinfast_mbedtls_handshake(pin);

	if (pinfast_mbedtls_result(pin).decision != PINFAST_ALLOW) {
		pinfast_mbedtls_explain(pin, why, sizeof why);
		printf("refused: %s (-0x%04x)\n", why, (unsigned)-ret);
		return;
	}
	n = mbedtls_ssl_read(ssl, buffer, sizeof buffer);
	if (n > 0)
		n = mbedtls_ssl_write(ssl, buffer, (size_t)n);
	printf("served: %d bytes\n", n > 0 ? n : 0);
	mbedtls_ssl_close_notify(ssl);
}

static void
serve(struct server *s, mbedtls_net_context *net, const char *label)
{
	struct pinfast_mbedtls *pin = NULL;
	struct pinfast_diag diag = {0};
	mbedtls_ssl_context ssl;

	mbedtls_ssl_init(&ssl);
	if (mbedtls_ssl_setup(&ssl, &s->conf) == 0 &&
	    pinfast_mbedtls_new(s->policy, &ssl, NULL, NULL, &pin) ==
	        PINFAST_OK) {
		mbedtls_ssl_set_bio(&ssl, net, mbedtls_net_send,
		    mbedtls_net_recv, NULL);
		if (pinfast_mbedtls_attach_server(pin, label, &diag) ==
		    PINFAST_OK)
			talk(pin, &ssl);
		else
			fprintf(stderr, "%s\n", diag.text);
	}
	fflush(stdout);
	mbedtls_ssl_free(&ssl);
	pinfast_mbedtls_free(pin);
}

static int
listen_on_loopback(mbedtls_net_context *listener)
{
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;

	mbedtls_net_init(listener);
	if (mbedtls_net_bind(listener, "127.0.0.1", "0",
	        MBEDTLS_NET_PROTO_TCP) != 0 ||
	    getsockname(listener->fd, (struct sockaddr *)&at, &len) != 0)
		return 0;
	printf("port %d\n", ntohs(at.sin_port));
	fflush(stdout);
	return 1;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct server s = {0};
	mbedtls_net_context listener, client;
	int count = argc > 6 ? atoi(argv[6]) : 1;

	signal(SIGPIPE, SIG_IGN); /* a client may hang up */
	if (argc < 6) {
		fprintf(stderr,
		    "usage: %s POLICY.store LABEL CERT.pem KEY.pem "
		    "CLIENT-CA.pem [COUNT]\n",
		    argv[0]);
		return 2;
	}
	if (!set_up(&s, argv, &diag) || !listen_on_loopback(&listener)) {
		fprintf(stderr, "cannot serve: %s\n", diag.text);
		return 3;
	}
	for (; count > 0; count--) {
		mbedtls_net_init(&client);
		if (mbedtls_net_accept(&listener, &client, NULL, 0, NULL) == 0)
			serve(&s, &client, argv[2]);
		mbedtls_net_free(&client);
	}
	mbedtls_net_free(&listener);
	tear_down(&s);
	return 0;
}
