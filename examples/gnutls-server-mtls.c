/*
 * A server that lets only pinned clients in (mutual TLS).
 *
 *   cc gnutls-server-mtls.c $(pkg-config --cflags --libs pinfast-gnutls)
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

#include <pinfast-gnutls.h>

/* What all connections share. */
struct server {
	struct pinfast *policy;
	const char *label;
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t tickets; /* the key that they are encrypted with */
};

static void
serve(gnutls_session_t session)
{
	char buffer[1024], why[600];
	ssize_t n;
	int error;

	do
		error = pinfast_gnutls_handshake(session);
	while (error < 0 && !gnutls_error_is_fatal(error));
	if (error != 0) {
		pinfast_gnutls_explain(session, why, sizeof why);
		printf("refused: %s\n", why);
		return;
	}
	do
		n = gnutls_record_recv(session, buffer, sizeof buffer);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	if (n > 0)
		gnutls_record_send(session, buffer, (size_t)n);
	printf("served: %zd bytes%s\n", n > 0 ? n : 0,
	    gnutls_session_is_resumed(session) ? ", resumed" : "");
	gnutls_bye(session, GNUTLS_SHUT_WR);
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

static int
is_ready(struct server *s, char *argv[], struct pinfast_diag *diag)
{
	return pinfast_new(NULL, &s->policy) == PINFAST_OK &&
	       pinfast_load_file(s->policy, argv[1], diag) == PINFAST_OK &&
	       gnutls_certificate_allocate_credentials(&s->cred) == 0 &&
	       gnutls_certificate_set_x509_key_file(s->cred, argv[3], argv[4],
	           GNUTLS_X509_FMT_PEM) == 0 &&
	       gnutls_certificate_set_x509_trust_file(s->cred, argv[5],
	           GNUTLS_X509_FMT_PEM) > 0 &&
	       gnutls_session_ticket_key_generate(&s->tickets) == 0;
}

static void
greet(const struct server *s, int client)
{
	struct pinfast_diag diag = {0};
	gnutls_session_t session;

	if (gnutls_init(&session, GNUTLS_SERVER) != 0)
		return;
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s->cred);
	gnutls_transport_set_int(session, client);
	if (pinfast_gnutls_attach_server(session, s->policy, s->label, &diag) ==
	        PINFAST_OK &&
	    pinfast_gnutls_tickets(session, &s->tickets) == PINFAST_OK)
		serve(session);
	else
		fprintf(stderr, "%s\n", diag.text);
	gnutls_deinit(session);
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct server server = {0};
	int fd, count = argc > 6 ? atoi(argv[6]) : 1;

	signal(SIGPIPE, SIG_IGN); /* a client may hang up */
	if (argc < 6) {
		fprintf(stderr,
		    "usage: %s POLICY.store LABEL CERT.pem KEY.pem "
		    "CLIENT-CA.pem [COUNT]\n",
		    argv[0]);
		return 2;
	}
	server.label = argv[2];
	fd = is_ready(&server, argv, &diag) ? listen_on_loopback() : -1;
	if (fd < 0) {
		fprintf(stderr, "cannot serve: %s\n", diag.text);
		return 3;
	}
	for (; count > 0; count--) {
		int client = accept(fd, NULL, NULL);

		greet(&server, client);
		fflush(stdout);
		close(client);
	}
	close(fd);
	gnutls_free(server.tickets.data);
	gnutls_certificate_free_credentials(server.cred);
	pinfast_free(server.policy);
	return 0;
}
