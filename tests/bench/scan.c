/*
 * What asking many servers costs: the engine of the live commands beside a
 * single-threaded epoll client of OpenSSL that verifies and no more, and a
 * server for both.
 *
 *   scan serve CHAIN KEY             prints its port, on all of 127.0.0.0/8
 *   scan plain  PORT COUNT ROOT      "NAME PER-SECOND CPU-MS PEAK-KIB"
 *   scan engine PORT COUNT ROOT      each certificate once
 *   scan both   PORT COUNT ROOT      and ask for one of the other kind
 *   scan one    PORT ROOT            one connection, its pin: the floor of
 *                                    `pinfast pin HOST`
 *   scan whole FILE COMMAND...       runs it; "CPU-MS PEAK-KIB" into FILE
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "probe/probe.h"

#define NAME "www.example.test"
#define AT_ONCE 64

struct peer {
	int fd;
	SSL *ssl; /* NULL: still connecting */
};

static int failed, done;

static void
die(const char *what)
{
	ERR_print_errors_fp(stderr);
	perror(what);
	exit(1);
}

static double
clock_of(clockid_t id)
{
	struct timespec at;

	clock_gettime(id, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void
watch(int poller, int fd, uint32_t events, void *arg)
{
	struct epoll_event event = {.events = events, .data.ptr = arg};

	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll");
}

/* ------------------------------------------------------------------ server */

static void
take(int listener, int poller, SSL_CTX *ctx)
{
	struct peer *peer;
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		peer = calloc(1, sizeof *peer);
		peer->fd = fd;
		peer->ssl = SSL_new(ctx);
		SSL_set_fd(peer->ssl, fd);
		SSL_set_accept_state(peer->ssl);
		watch(poller, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, peer);
	}
}

/* Answers until the client closes. */
static void
answer(struct peer *peer)
{
	char data[512];
	int got = SSL_read(peer->ssl, data, sizeof data);

	if (got <= 0 && SSL_get_error(peer->ssl, got) == SSL_ERROR_WANT_READ)
		return;
	ERR_clear_error();
	SSL_free(peer->ssl);
	close(peer->fd);
	free(peer);
}

static void
serve(const char *chain, const char *key)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int poller = epoll_create1(0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate_chain_file(ctx, chain) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die(chain);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (bind(listener, (void *)&at, sizeof at) != 0 ||
	    listen(listener, 4096) != 0 ||
	    getsockname(listener, (void *)&at, &len) != 0)
		die("listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	watch(poller, listener, EPOLLIN, NULL);
	for (;;) {
		struct epoll_event events[256];
		int count = epoll_wait(poller, events, 256, -1);

		for (int i = 0; i < count; i++)
			if (events[i].data.ptr == NULL)
				take(listener, poller, ctx);
			else
				answer(events[i].data.ptr);
	}
}

/* ----------------------------------------------------------- a plain client */

static void
dial(struct peer *peer, int poller, int port, int index)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int one = 1;

	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(0x7f000001U + (unsigned)index % 250U);
	peer->ssl = NULL;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)!connect(peer->fd, (void *)&to, sizeof to);
	watch(poller, peer->fd, EPOLLIN | EPOLLOUT | EPOLLET, peer);
}

/* 1: over. */
static int
step(struct peer *peer, SSL_CTX *ctx)
{
	unsigned char *der = NULL;
	int got;

	if (peer->ssl == NULL) {
		peer->ssl = SSL_new(ctx);
		SSL_set_fd(peer->ssl, peer->fd);
		SSL_set_tlsext_host_name(peer->ssl, NAME);
		SSL_set1_host(peer->ssl, NAME);
		SSL_set_connect_state(peer->ssl);
	}
	got = SSL_do_handshake(peer->ssl);
	if (got != 1 &&
	    (SSL_get_error(peer->ssl, got) == SSL_ERROR_WANT_READ ||
	        SSL_get_error(peer->ssl, got) == SSL_ERROR_WANT_WRITE))
		return 0;
	if (got == 1) {
		failed +=
		    i2d_X509(SSL_get0_peer_certificate(peer->ssl), &der) <= 0;
		OPENSSL_free(der);
		SSL_shutdown(peer->ssl);
	} else {
		failed++;
	}
	done++;
	ERR_clear_error();
	SSL_free(peer->ssl);
	close(peer->fd);
	return 1;
}

static void
plain(int port, int count, const char *root)
{
	static struct peer peers[AT_ONCE];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int poller = epoll_create1(0), begun = 0;

	if (SSL_CTX_load_verify_locations(ctx, root, NULL) != 1)
		die(root);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	for (; begun < AT_ONCE && begun < count; begun++)
		dial(&peers[begun], poller, port, begun);
	while (done < count) {
		struct epoll_event events[AT_ONCE];
		int ready = epoll_wait(poller, events, AT_ONCE, -1);

		for (int i = 0; i < ready; i++)
			if (step(events[i].data.ptr, ctx) && begun < count)
				dial(events[i].data.ptr, poller, port, begun++);
	}
}

/* --------------------------------------------------------------- the engine */

struct many {
	int port, count, begun, both;
	struct pf_probe probe[2048];
	struct pf_address address[2048];
	int next[2048], free;
};
static struct many many;

static const struct pf_probe *
next(void *arg)
{
	int slot = many.free;
	struct pf_probe *p = &many.probe[slot];
	struct pf_address *a = &many.address[slot];

	(void)arg;
	if (many.begun == many.count)
		return NULL;
	many.free = many.next[slot];
	memset(a, 0, sizeof *a);
	a->family = 4;
	a->port = (uint16_t)many.port;
	a->bytes[0] = 127;
	a->bytes[3] = (uint8_t)(1 + many.begun++ % 250);
	memset(p, 0, sizeof *p);
	p->host = NAME;
	p->port = a->port;
	p->addresses = a;
	p->address_count = 1;
	p->both = many.both;
	return p;
}

static void
on_result(void *arg, const struct pf_probe *probe,
    const struct pf_probe_result *result)
{
	int slot = (int)(probe - many.probe);

	(void)arg;
	if (!result->absent) {
		failed += result->stage != PF_STAGE_DONE || !result->pkix.ok;
		done++;
	}
	if (result->last) {
		many.next[slot] = many.free;
		many.free = slot;
	}
}

static void
engine(int port, int count, const char *root, int both)
{
	struct pf_probe_options o = {.done = on_result};

	for (int i = 0; i < 2048; i++)
		many.next[i] = i + 1;
	many.port = port;
	many.count = count;
	many.both = both;
	o.anchors = X509_STORE_new();
	if (X509_STORE_load_file(o.anchors, root) != 1 ||
	    pf_probe_run(next, NULL, &o) != PF_PROBE_FINISHED)
		die(root);
}

/* ------------------------------------------------------------------ and one */

static void
one(const char *port, const char *root)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned char *der = NULL;
	uint8_t hash[PINFAST_PIN_LEN];
	char text[PINFAST_PIN_TEXT_LEN], where[32];
	struct pinfast_bytes bytes;
	BIO *bio;
	SSL *ssl;

	snprintf(where, sizeof where, "127.0.0.1:%s", port);
	SSL_CTX_load_verify_locations(ctx, root, NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	bio = BIO_new_connect(where);
	if (BIO_do_connect(bio) != 1)
		die(where);
	ssl = SSL_new(ctx);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_tlsext_host_name(ssl, NAME);
	SSL_set1_host(ssl, NAME);
	if (SSL_connect(ssl) != 1)
		die(where);
	bytes.len = (size_t)i2d_X509(SSL_get0_peer_certificate(ssl), &der);
	bytes.data = der;
	if (pinfast_pin_of(bytes, hash, NULL) != PINFAST_OK)
		die("pin");
	pinfast_pin_write(hash, text);
	puts(text);
	SSL_shutdown(ssl);
}

/* Run from a small process: what the parent had counts for the child. */
static void
whole(const char *file, char *command[])
{
	struct rusage used;
	int status;
	pid_t pid = fork();
	FILE *out;

	if (pid == 0) {
		execv(command[0], command);
		die(command[0]);
	}
	if (wait4(pid, &status, 0, &used) != pid || status != 0)
		die(command[0]);
	out = fopen(file, "w");
	fprintf(out, "%.3f %ld\n",
	    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
	        (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3,
	    used.ru_maxrss);
	fclose(out);
}

/* In KiB; getrusage() would count what the parent had before exec. */
static long
peak(void)
{
	char line[200];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = atol(line + 6);
	return kib;
}

int
main(int argc, char *argv[])
{
	double began = clock_of(CLOCK_MONOTONIC), wall, cpu;
	int count = argc > 3 ? atoi(argv[3]) : 0;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "one") == 0) {
		one(argv[2], argv[3]);
		return 0;
	}
	if (argc > 3 && strcmp(argv[1], "whole") == 0) {
		whole(argv[2], argv + 3);
		return 0;
	}
	if (argc != 5)
		return 2;
	if (strcmp(argv[1], "plain") == 0)
		plain(atoi(argv[2]), count, argv[4]);
	else
		engine(atoi(argv[2]), count, argv[4],
		    strcmp(argv[1], "both") == 0);
	wall = clock_of(CLOCK_MONOTONIC) - began;
	cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
	printf("%s %.1f %.4f %ld\n", argv[1], count / wall, cpu * 1000 / count,
	    peak());
	return failed > 0 || done != count;
}
