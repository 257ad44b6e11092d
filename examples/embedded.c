/*
 * A policy that is an array of the program: no file system is needed.
 *
 *   pinfast compile policy.yaml --format c -o policy.h
 *   cc embedded.c $(pkg-config --cflags --libs pinfast-openssl)
 *   ./a.out HOST PORT CA-FILE
 *
 * Makes one pinned handshake with 127.0.0.1:PORT as HOST and says how it went.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pinfast-openssl.h>

#include "policy.h"

static int
dial(uint16_t port)
{
	struct sockaddr_in to = {0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_family = AF_INET;
	to.sin_port = htons(port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
main(int argc, char *argv[])
{
	const struct pinfast_bytes image = {
	    pinfast_policy, sizeof pinfast_policy};
	struct pinfast_diag diag = {0};
	struct pinfast_store *store;
	struct pinfast *policy;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	char why[600];
	int fd, allowed;

	if (argc < 4 || ctx == NULL)
		return 2;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (!SSL_CTX_load_verify_locations(ctx, argv[3], NULL))
		return 3;
	if (pinfast_new(NULL, &policy) != PINFAST_OK ||
	    pinfast_store_open_memory(image, NULL, &diag, &store) !=
	        PINFAST_OK ||
	    pinfast_load(policy, store, &diag) != PINFAST_OK ||
	    pinfast_openssl_init(ctx, policy, NULL, &diag) != PINFAST_OK) {
		fprintf(stderr, "%s\n", diag.text);
		return 3;
	}
	ssl = SSL_new(ctx);
	fd = dial((uint16_t)atoi(argv[2]));
	if (fd < 0 || ssl == NULL || !SSL_set_fd(ssl, fd))
		return 3;
	if (pinfast_openssl_attach(ssl, argv[1], 443, &diag) != PINFAST_OK)
		return 3;
	SSL_connect(ssl);
	allowed = pinfast_openssl_result(ssl).decision == PINFAST_ALLOW;
	pinfast_openssl_explain(ssl, why, sizeof why);
	puts(why);
	SSL_free(ssl);
	close(fd);
	SSL_CTX_free(ctx);
	pinfast_free(policy);
	return allowed ? 0 : 1;
}
