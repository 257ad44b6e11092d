/*
 * A complete HTTPS GET whose server is pinned by a compiled policy.
 *
 *   cc openssl-client.c $(pkg-config --cflags --libs pinfast-openssl)
 *   ./a.out POLICY.store HOST PORT [CA-FILE [ADDRESS]]
 *
 * Exit status: 0 the page was printed, 1 pinfast refused, 3 anything else.
 */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pinfast-openssl.h>

static int
dial(const char *host, const char *port)
{
	struct addrinfo hints = {0}, *all, *at;
	int fd = -1;

	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(host, port, &hints, &all) != 0)
		return -1;
	for (at = all; at != NULL && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	return fd;
}

static int
fetch(SSL *ssl, const char *host)
{
	char buffer[4096];
	int n = snprintf(buffer, sizeof buffer,
	    "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);

	if (SSL_write(ssl, buffer, n) != n)
		return 3;
	while ((n = SSL_read(ssl, buffer, sizeof buffer)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	return 0;
}

/* Handshake, the judge's last word, and only then the request. */
static int
visit(SSL *ssl, const char *host)
{
	struct pinfast_verdict verdict;
	char why[600];

	SSL_connect(ssl);
	verdict = pinfast_openssl_result(ssl);
	if (verdict.decision == PINFAST_ALLOW)
		return fetch(ssl, host);
	pinfast_openssl_explain(ssl, why, sizeof why);
	fprintf(stderr, "%s\n", why);
	return verdict.reason == PINFAST_REASON_NOT_JUDGED ? 3 : 1;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct pinfast *policy;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	int fd, status = 3;

	signal(SIGPIPE, SIG_IGN); /* a server may hang up */
	if (argc < 4 || ctx == NULL) {
		fprintf(stderr,
		    "usage: %s POLICY.store HOST PORT "
		    "[CA-FILE [ADDRESS]]\n",
		    argv[0]);
		return 2;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (argc > 4 ? !SSL_CTX_load_verify_locations(ctx, argv[4], NULL)
	             : !SSL_CTX_set_default_verify_paths(ctx))
		fprintf(stderr, "no trust anchors\n");

	if (pinfast_new(NULL, &policy) != PINFAST_OK ||
	    pinfast_load_file(policy, argv[1], &diag) != PINFAST_OK ||
	    pinfast_openssl_init(ctx, policy, NULL, &diag) != PINFAST_OK) {
		fprintf(stderr, "%s: %s\n", argv[1], diag.text);
		return 3;
	}
	ssl = SSL_new(ctx);
	fd = dial(argc > 5 ? argv[5] : argv[2], argv[3]);
	if (ssl == NULL || fd < 0 || !SSL_set_fd(ssl, fd))
		fprintf(stderr, "cannot connect to %s\n", argv[2]);
	else if (pinfast_openssl_attach(ssl, argv[2], (uint16_t)atoi(argv[3]),
	             &diag) != PINFAST_OK)
		fprintf(stderr, "%s: %s\n", argv[2], diag.text);
	else
		status = visit(ssl, argv[2]);
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	SSL_CTX_free(ctx);
	pinfast_free(policy);
	return status;
}
