/*
 * A complete HTTPS GET whose server is pinned by a compiled policy.
 *
 *   cc wolfssl-client.c $(pkg-config --cflags --libs pinfast-wolfssl)
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

#include <pinfast-wolfssl.h>

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
fetch(WOLFSSL *ssl, const char *host)
{
	char buffer[4096];
	int n = snprintf(buffer, sizeof buffer,
	    "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);

	if (wolfSSL_write(ssl, buffer, n) != n)
		return 3;
	while ((n = wolfSSL_read(ssl, buffer, sizeof buffer)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	return 0;
}

/* Handshake, the judge's last word, and only then the request. */
static int
visit(WOLFSSL *ssl, const char *host)
{
	struct pinfast_verdict verdict;
	char why[600];

	wolfSSL_connect(ssl);
	verdict = pinfast_wolfssl_result(ssl);
	if (verdict.decision == PINFAST_ALLOW)
		return fetch(ssl, host);
	pinfast_wolfssl_explain(ssl, why, sizeof why);
	fprintf(stderr, "%s\n", why);
	return verdict.reason == PINFAST_REASON_NOT_JUDGED ? 3 : 1;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct pinfast *policy;
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_client_method());
	WOLFSSL *ssl;
	int fd, status = 3;

	signal(SIGPIPE, SIG_IGN); /* a server may hang up */
	if (argc < 4 || ctx == NULL) {
		fprintf(stderr,
		    "usage: %s POLICY.store HOST PORT "
		    "[CA-FILE [ADDRESS]]\n",
		    argv[0]);
		return 2;
	}
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
	if (pinfast_new(NULL, &policy) != PINFAST_OK ||
	    pinfast_load_file(policy, argv[1], &diag) != PINFAST_OK ||
	    pinfast_wolfssl_init(ctx, policy, NULL, &diag) != PINFAST_OK) {
		fprintf(stderr, "%s: %s\n", argv[1], diag.text);
		return 3;
	}
	if ((argc > 4
	            ? wolfSSL_CTX_load_verify_locations(ctx, argv[4], NULL)
	            : wolfSSL_CTX_load_system_CA_certs(ctx)) != WOLFSSL_SUCCESS)
		fprintf(stderr, "no trust anchors\n");
	ssl = wolfSSL_new(ctx);
	fd = dial(argc > 5 ? argv[5] : argv[2], argv[3]);
	if (ssl == NULL || fd < 0 ||
	    wolfSSL_set_fd(ssl, fd) != WOLFSSL_SUCCESS ||
	    wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, argv[2],
	        (unsigned short)strlen(argv[2])) != WOLFSSL_SUCCESS)
		fprintf(stderr, "cannot connect to %s\n", argv[2]);
	else if (pinfast_wolfssl_attach(ssl, argv[2], (uint16_t)atoi(argv[3]),
	             &diag) != PINFAST_OK)
		fprintf(stderr, "%s: %s\n", argv[2], diag.text);
	else
		status = visit(ssl, argv[2]);
	pinfast_wolfssl_detach(ssl);
	wolfSSL_free(ssl);
	if (fd >= 0)
		close(fd);
	pinfast_wolfssl_fini(ctx);
	wolfSSL_CTX_free(ctx);
	pinfast_free(policy);
	return status;
}
