/*
 * The server that all clients of tools/bench-adapters meet: OpenSSL, TLS 1.2
 * and 1.3, with tickets, any number of connections.  Whatever it is asked, it
 * answers with one small HTTP response, and goes on.
 *
 *   server CHAIN KEY      prints its port, on 127.0.0.1
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
                               "pong";

static void
die(const char *what)
{
	ERR_print_errors_fp(stderr);
	perror(what);
	exit(1);
}

static void
take(int listener, int poller, SSL_CTX *ctx)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
	struct epoll_event event = {.events = EPOLLIN};
	SSL *ssl;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	SSL_set_accept_state(ssl);
	event.data.ptr = ssl;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll");
}

static void
answer(SSL *ssl)
{
	char data[1024];
	int got = SSL_read(ssl, data, sizeof data);

	if (got > 0) {
		(void)SSL_write(ssl, response, (int)sizeof response - 1);
	} else if (SSL_get_error(ssl, got) != SSL_ERROR_WANT_READ) {
		int fd = SSL_get_fd(ssl);

		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
	ERR_clear_error();
}

static int
listening(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (void *)&at, sizeof at) != 0 ||
	    listen(listener, 1024) != 0 ||
	    getsockname(listener, (void *)&at, &len) != 0)
		die("listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return listener;
}

int
main(int argc, char *argv[])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int poller = epoll_create1(0), listener;
	struct epoll_event event = {.events = EPOLLIN};

	if (argc != 3 ||
	    SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1)
		die("usage: server CHAIN KEY");
	signal(SIGPIPE, SIG_IGN);
	SSL_CTX_set_num_tickets(ctx, 1);
	listener = listening();
	if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0)
		die("epoll");
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(poller, events, 64, -1);

		for (int i = 0; i < count; i++)
			if (events[i].data.ptr == NULL)
				take(listener, poller, ctx);
			else
				answer(events[i].data.ptr);
	}
}
