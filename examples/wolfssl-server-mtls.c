/*
 * A server that lets only pinned clients in (mutual TLS).
 *
 *   cc wolfssl-server-mtls.c $(pkg-config --cflags --libs pinfast-wolfssl)
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
#include <unistd.h>

#include <pinfast-wolfssl.h>

static void
serve(WOLFSSL *ssl)
{
	char buffer[1024], why[600];
	int n;

	wolfSSL_accept(ssl);
	if (pinfast_wolfssl_result(ssl).decision != PINFAST_ALLOW) {
		pinfast_wolfssl_explain(ssl, why, sizeof why);
		printf("refused: %s\n", why);
		return;
	}
	n = wolfSSL_read(ssl, buffer, sizeof buffer);
	if (n > 0)
		wolfSSL_write(ssl, buffer, n);
	printf("served: %d bytes%s\n", n > 0 ? n : 0,
	    wolfSSL_session_reused(ssl) ? ", resumed" : "");
	wolfSSL_shutdown(ssl);
}

static int
listen_on_loopback(void)
{
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
	    listen(fd, 5) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return -1;
	printf("port %d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static WOLFSSL_CTX *
make_ctx(char *argv[], struct pinfast *policy, struct pinfast_diag *diag)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_server_method());

	if (ctx == NULL ||
	    wolfSSL_CTX_use_certificate_chain_file(ctx, argv[3]) != 1 ||
	    wolfSSL_CTX_use_PrivateKey_file(ctx, argv[4],
	        WOLFSSL_FILETYPE_PEM) != 1 ||
	    pinfast_wolfssl_init(ctx, policy, NULL, diag) != PINFAST_OK ||
	    wolfSSL_CTX_load_verify_locations(ctx, argv[5], NULL) != 1) {
		pinfast_wolfssl_fini(ctx);
		wolfSSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct pinfast *policy = NULL;
	WOLFSSL_CTX *ctx = NULL;
	int fd, count = argc > 6 ? atoi(argv[6]) : 1;

	signal(SIGPIPE, SIG_IGN); /* a client may hang up */
	if (argc < 6) {
		fprintf(stderr,
		    "usage: %s POLICY.store LABEL CERT.pem KEY.pem "
		    "CLIENT-CA.pem [COUNT]\n",
		    argv[0]);
		return 2;
	}
	if (pinfast_new(NULL, &policy) == PINFAST_OK &&
	    pinfast_load_file(policy, argv[1], &diag) == PINFAST_OK)
		ctx = make_ctx(argv, policy, &diag);
	fd = ctx == NULL ? -1 : listen_on_loopback();
	if (fd < 0) {
		fprintf(stderr, "cannot serve: %s\n", diag.text);
		return 3;
	}
	for (; count > 0; count--) {
		int client = accept(fd, NULL, NULL);
		WOLFSSL *ssl = wolfSSL_new(ctx);

		wolfSSL_set_fd(ssl, client);
		if (pinfast_wolfssl_attach_server(ssl, argv[2], &diag) ==
		    PINFAST_OK)
			serve(ssl);
		else
			fprintf(stderr, "%s\n", diag.text);
		fflush(stdout);
		pinfast_wolfssl_detach(ssl);
		wolfSSL_free(ssl);
		close(client);
	}
	pinfast_wolfssl_fini(ctx);
	wolfSSL_CTX_free(ctx);
	close(fd);
	pinfast_free(policy);
	return 0;
}
