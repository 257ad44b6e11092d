/*
 * Servers that behave in every way, each on a port of its own on loopback, in
 * a thread; and what a probe said of them, kept.
 */
#ifndef SERVERS_H
#define SERVERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "identity.h"
#include "probe/probe.h"

#define PATIENCE_MS 1500 /* a loaded machine makes a handshake in that */
#define PATIENCE "1.5 s"

enum manner {
	DEAD,    /* nothing listens */
	SILENT,  /* accepts, says nothing */
	DRIP,    /* a byte now and then, for ever */
	FLOOD,   /* HelloRequests, as many as are taken */
	GARBAGE, /* text */
	ALERT,   /* a fatal alert at once */
	CLOSING, /* accepts and closes */
	TLS
};

struct server {
	enum manner manner;
	int listener;
	uint16_t port;
	SSL_CTX *ctx;
	pthread_t thread;
	int got; /* application bytes that came */
	int accepted;
	/* What those get who ask for RSA alone; NULL: an answer. */
	const char *to_rsa;
	size_t to_rsa_len;
	int then_waits, kept_open[256]; /* and the connection stays open */
};

static struct id root, ecdsa, rsa, self;
static X509_STORE *anchors;

static inline int
make_world(void **state)
{
	const char *names = "DNS:www.test,IP:127.0.0.1,IP:::1";

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	root.key = EVP_EC_gen("P-256");
	ecdsa.key = EVP_EC_gen("P-256");
	self.key = EVP_EC_gen("P-256");
	rsa.key = EVP_RSA_gen(2048);
	identity_certify(&root, "Root", NULL, NULL, 1);
	identity_certify(&ecdsa, "ecdsa", &root, names, 1);
	identity_certify(&rsa, "rsa", &root, names, 1);
	identity_certify(&self, "self", NULL, names, 1);
	anchors = X509_STORE_new();
	return X509_STORE_add_cert(anchors, root.cert) == 1 ? 0 : -1;
}

static inline int
free_world(void **state)
{
	struct id *all[] = {&root, &ecdsa, &rsa, &self};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		identity_free(all[i]);
	X509_STORE_free(anchors);
	return 0;
}

/* ----------------------------------------------------------------- servers */

static inline void
serve_tls(struct server *s, int fd)
{
	SSL *ssl = SSL_new(s->ctx);
	char byte;

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		while (SSL_read(ssl, &byte, 1) > 0)
			s->got++;
	ERR_clear_error();
	SSL_free(ssl);
}

static inline void
serve(struct server *s, int fd)
{
	static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";
	static const char text[] = "220 mail.test ESMTP ready\r\n";
	char drip[] = "\x16\x03\x03\x40\x00";
	static char flood[5 + 16384] = "\x16\x03\x03\x40\x00";

	switch (s->manner) {
	case GARBAGE:
		(void)!write(fd, text, sizeof text - 1);
		break;
	case ALERT:
		(void)!write(fd, alert, sizeof alert - 1);
		usleep(20000);
		break;
	case DRIP:
		for (int i = 0; write(fd, drip + (i < 5 ? i : 4), 1) == 1; i++)
			usleep(30000);
		break;
	case FLOOD:
		while (write(fd, flood, sizeof flood) > 0)
			;
		break;
	case TLS:
		serve_tls(s, fd);
		break;
	case DEAD:
	case SILENT:
	case CLOSING:
	default:
		break;
	}
}

static inline int
asks_for_rsa(int fd)
{
	static const char signatures[] = "\x08\x04\x08\x05\x08\x06\x08\x09"
	                                 "\x08\x0a\x08\x0b\x04\x01\x05\x01"
	                                 "\x06\x01\x02\x01";
	char hello[4096];
	ssize_t len = recv(fd, hello, sizeof hello, MSG_PEEK);

	return len > 0 && memmem(hello, (size_t)len, signatures,
	                      sizeof signatures - 1) != NULL;
}

static inline void *
serving(void *arg)
{
	struct server *s = arg;
	char hello[4096];
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		s->accepted++;
		if (s->to_rsa == NULL || !asks_for_rsa(fd)) {
			serve(s, fd);
			close(fd);
			continue;
		}
		(void)!read(fd, hello, sizeof hello);
		(void)!write(fd, s->to_rsa, s->to_rsa_len);
		if (s->then_waits)
			s->kept_open[s->accepted] = fd;
		else
			close(fd);
	}
	for (size_t i = 0; i < 256; i++)
		if (s->kept_open[i] > 0)
			close(s->kept_open[i]);
	return NULL;
}

static inline void
begin(struct server *s, enum manner manner)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;

	memset(s, 0, sizeof *s);
	s->manner = manner;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listener, (void *)&at, sizeof at), 0);
	assert_int_equal(getsockname(s->listener, (void *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	if (manner == DEAD)
		return;
	assert_int_equal(listen(s->listener, 64), 0);
	if (manner == TLS) {
		s->ctx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_security_level(s->ctx, 0);
		assert_int_equal(SSL_CTX_set_min_proto_version(s->ctx, 0), 1);
	}
}

static inline void
show(struct server *s, const struct id *id)
{
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, id->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, id->key), 1);
}

static inline void
go(struct server *s)
{
	if (s->manner != DEAD && s->manner != SILENT)
		assert_int_equal(pthread_create(&s->thread, NULL, serving, s),
		    0);
}

static inline void
end(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	close(s->listener);
	if (s->manner != DEAD && s->manner != SILENT)
		pthread_join(s->thread, NULL);
	SSL_CTX_free(s->ctx);
}

/* ----------------------------------------------------------------- probing */

/* A result, kept. */
struct kept {
	enum pf_probe_stage stage;
	enum pf_probe_key asked;
	int absent, silent, ok, timed_out, interrupted, wants_client, presented,
	    path, no_route;
	char why[PF_PROBE_WHY], address[PF_ADDRESS_TEXT], version[16],
	    error[160];
	const struct pf_probe *probe;
};
static struct kept kept[128];
static size_t kept_count, last_count;

static inline void
keep(void *arg, const struct pf_probe *probe, const struct pf_probe_result *r)
{
	struct kept *k = &kept[kept_count++];

	(void)arg;
	assert_true(kept_count < 128);
	memset(k, 0, sizeof *k);
	k->probe = probe;
	k->stage = r->stage;
	k->asked = r->asked;
	k->absent = r->absent;
	k->silent = r->silent;
	k->no_route = r->no_route;
	k->ok = r->pkix.ok;
	k->timed_out = r->timed_out;
	k->interrupted = r->interrupted;
	k->wants_client = r->wants_client;
	k->presented = r->presented ? sk_X509_num(r->presented) : 0;
	k->path = r->path ? sk_X509_num(r->path) : 0;
	snprintf(k->why, sizeof k->why, "%s", r->why);
	snprintf(k->address, sizeof k->address, "%s", r->address);
	snprintf(k->version, sizeof k->version, "%s",
	    r->version ? r->version : "");
	snprintf(k->error, sizeof k->error, "%s", r->pkix.error);
	last_count += (size_t)r->last;
}

static inline struct pf_probe_options
options(void)
{
	struct pf_probe_options o = {
	    .timeout_ms = PATIENCE_MS, .anchors = anchors, .done = keep};

	return o;
}

static inline void
probe(const struct pf_probe *probes, size_t count,
    const struct pf_probe_options *o)
{
	kept_count = last_count = 0;
	assert_int_equal(pf_probe_all(probes, count, o), PF_PROBE_FINISHED);
	assert_int_equal(last_count, count);
}

/* Asks one server once. */
static inline const struct kept *
ask(const char *host, uint16_t port)
{
	struct pf_address here = {4, {127, 0, 0, 1}, port, 0};
	struct pf_probe p = {
	    .host = host, .port = port, .addresses = &here, .address_count = 1};
	struct pf_probe_options o = options();

	probe(&p, 1, &o);
	assert_int_equal(kept_count, 1);
	return &kept[0];
}

#endif
