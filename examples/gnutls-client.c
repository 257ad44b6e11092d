/*
 * A complete HTTPS GET whose server is pinned by a compiled policy.
 *
 *   cc gnutls-client.c $(pkg-config --cflags --libs pinfast-gnutls)
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

#include <pinfast-gnutls.h>

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
fetch(gnutls_session_t session, const char *host)
{
	char buffer[4096];
	ssize_t n = snprintf(buffer, sizeof buffer,
	    "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);

	if (gnutls_record_send(session, buffer, (size_t)n) != n)
		return 3;
	do {
		n = gnutls_record_recv(session, buffer, sizeof buffer);
		if (n > 0)
			fwrite(buffer, 1, (size_t)n, stdout);
	} while (n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	return 0;
}

/* Handshake and the judge's word in one, and only then the request. */
static int
visit(gnutls_session_t session, const char *host)
{
	char why[600];
	int error;

	do
		error = pinfast_gnutls_handshake(session);
	while (error < 0 && !gnutls_error_is_fatal(error));
	if (error == 0)
		return fetch(session, host);
	pinfast_gnutls_explain(session, why, sizeof why);
	fprintf(stderr, "%s: %s\n", gnutls_strerror(error), why);
	return error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ? 1 : 3;
}

static int
connect_to(char *argv[], const char *address, struct pinfast *policy,
    gnutls_certificate_credentials_t cred)
{
	struct pinfast_diag diag = {0};
	gnutls_session_t session;
	int fd = dial(address, argv[3]), status = 3;

	if (fd < 0 || gnutls_init(&session, GNUTLS_CLIENT) != 0) {
		fprintf(stderr, "cannot connect to %s\n", argv[2]);
		return 3;
	}
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(session, fd);
	if (pinfast_gnutls_attach(session, policy, argv[2],
	        (uint16_t)atoi(argv[3]), &diag) != PINFAST_OK)
		fprintf(stderr, "%s: %s\n", argv[2], diag.text);
	else
		status = visit(session, argv[2]);
	gnutls_deinit(session);
	close(fd);
	return status;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct pinfast *policy;
	gnutls_certificate_credentials_t cred;
	int status;

	signal(SIGPIPE, SIG_IGN); /* a server may hang up */
	if (argc < 4) {
		fprintf(stderr,
		    "usage: %s POLICY.store HOST PORT "
		    "[CA-FILE [ADDRESS]]\n",
		    argv[0]);
		return 2;
	}
	if (pinfast_new(NULL, &policy) != PINFAST_OK ||
	    pinfast_load_file(policy, argv[1], &diag) != PINFAST_OK ||
	    gnutls_certificate_allocate_credentials(&cred) != 0) {
		fprintf(stderr, "%s: %s\n", argv[1], diag.text);
		return 3;
	}
	if (argc > 4 ? gnutls_certificate_set_x509_trust_file(cred, argv[4],
	                   GNUTLS_X509_FMT_PEM) <= 0
	             : gnutls_certificate_set_x509_system_trust(cred) <= 0)
		fprintf(stderr, "no trust anchors\n");
	status = connect_to(argv, argc > 5 ? argv[5] : argv[2], policy, cred);
	gnutls_certificate_free_credentials(cred);
	pinfast_free(policy);
	return status;
}
