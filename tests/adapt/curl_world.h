/*
 * Handles of libcurl, pinned, and servers over loopback in the same process.
 * What a server's application receives behind its handshakes is counted: the
 * peer's word decides.  One source for every flavour of libcurl.
 */
#ifndef CURL_WORLD_H
#define CURL_WORLD_H

#include "pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pinfast-curl.h"

/* --------------------------------------------------------------- the server */

enum speech { HTTP = 0, IMAP = 1 };

struct server {
	_Atomic(SSL_CTX *) ctx; /* for connections to come */
	const char *location;   /* what /away leads to */
	enum speech speech;
	int listener, port;
	pthread_t thread;
	atomic_int there;  /* connections */
	atomic_int quiet;  /* calls of be_quiet() that got through */
	atomic_size_t app; /* bytes that its application received */
	atomic_int made;   /* handshakes */
	atomic_int asked;  /* requests */
};

struct visit {
	struct server *server;
	int fd;
};

/* Lines of one connection; an answer to each that wants one. */
static inline void
answer_lines(struct server *s, SSL *ssl)
{
	char line[2048], all[700];
	size_t len = 0;
	int away = 0;

	while (len < sizeof line - 1 && SSL_read(ssl, line + len, 1) == 1) {
		s->app++;
		if (line[len++] != '\n')
			continue;
		line[len] = '\0';
		if (len > 2 && s->speech == HTTP) {
			away |= strstr(line, " /away ") != NULL;
		} else if (s->speech == IMAP) {
			snprintf(all, sizeof all, "%s%.*s OK fine\r\n",
			    strstr(line, "CAPAB") == NULL
			        ? ""
			        : "* CAPABILITY IMAP4rev1\r\n",
			    (int)strcspn(line, " "), line);
			SSL_write(ssl, all, (int)strlen(all));
		} else {
			s->asked++;
			snprintf(all, sizeof all,
			    "HTTP/1.1 %s\r\nLocation: %s\r\n"
			    "Content-Length: 2\r\n\r\nok",
			    away ? "302 there" : "200 OK",
			    away ? s->location : "/");
			SSL_write(ssl, all, (int)strlen(all));
			away = 0;
		}
		len = 0;
	}
}

static inline void *
serve_visit(void *arg)
{
	struct visit *v = arg;
	struct server *s = v->server;
	SSL *ssl = SSL_new(s->ctx);
	char first = 0;

	SSL_set_fd(ssl, v->fd);
	if (recv(v->fd, &first, 1, MSG_PEEK) == 1 && first == 'Q') {
		s->quiet++;
	} else if (SSL_accept(ssl) == 1) {
		s->made++;
		if (s->speech == IMAP)
			SSL_write(ssl, "* OK IMAP4rev1\r\n", 16);
		answer_lines(s, ssl);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	close(v->fd);
	free(v);
	ERR_clear_error();
	OPENSSL_thread_stop();
	s->there--;
	return NULL;
}

static inline void *
serve_all(void *arg)
{
	struct server *s = arg;
	pthread_attr_t detached;
	pthread_t thread;
	int fd;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		struct visit *v = malloc(sizeof *v);
		struct timeval patience = {20, 0};

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof patience);
		v->server = s;
		v->fd = fd;
		s->there++;
		if (pthread_create(&thread, &detached, serve_visit, v) != 0)
			abort();
	}
	pthread_attr_destroy(&detached);
	return NULL;
}

static inline struct server *
open_server(const struct id *id, const struct id *issuer, enum speech speech)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	struct server *s = calloc(1, sizeof *s);

	assert_non_null(s);
	s->ctx = server_ctx(id, issuer, TLS1_3_VERSION);
	SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION);
	s->speech = speech;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listener, (void *)&at, sizeof at), 0);
	assert_int_equal(listen(s->listener, 64), 0);
	assert_int_equal(getsockname(s->listener, (void *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve_all, s), 0);
	return s;
}

/* Connections to come meet another one. */
static inline void
show(struct server *s, const struct id *id, const struct id *issuer)
{
	SSL_CTX *old = s->ctx, *ctx = server_ctx(id, issuer, TLS1_3_VERSION);

	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	s->ctx = ctx;
	SSL_CTX_free(old);
}

static inline int
visit_server(const struct server *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_port = htons((uint16_t)s->port);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (void *)&at, sizeof at), 0);
	return fd;
}

/* Waits until all who came before have gone. */
static inline void
be_quiet(struct server *s)
{
	int before = s->quiet, fd = visit_server(s);

	assert_int_equal(send(fd, "Q", 1, 0), 1);
	while (s->quiet == before || s->there > 0)
		usleep(200);
	close(fd);
}

static inline void
close_server(struct server *s)
{
	be_quiet(s);
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->ctx);
	free(s);
}

/* --------------------------------------------------------------- the client */

static char trust_file[] = "/tmp/pinfast-trust-XXXXXX";

static inline int
make_world(void **state)
{
	FILE *f;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	make_everybody(state);
	fd = mkstemp(trust_file);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	PEM_write_X509(f, rootA.cert);
	PEM_write_X509(f, rootB.cert);
	fclose(f);
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

static inline int
free_world(void **state)
{
	curl_global_cleanup();
	unlink(trust_file);
	return free_everybody(state);
}

struct handle {
	CURL *easy;
	struct pinfast_curl *pins;
	struct curl_slist *hosts;
};

static inline size_t
swallow(char *data, size_t size, size_t count, void *arg)
{
	(void)data, (void)arg;
	return size * count;
}

/* One that is not pinned.  Every name leads to this machine. */
static inline struct handle
bare_handle(const struct server *s)
{
	struct handle h = {curl_easy_init(), NULL, NULL};
	char at[64];

	assert_non_null(h.easy);
	snprintf(at, sizeof at, "*:%d:127.0.0.1", s->port);
	h.hosts = curl_slist_append(NULL, at);
	curl_easy_setopt(h.easy, CURLOPT_RESOLVE, h.hosts);
	curl_easy_setopt(h.easy, CURLOPT_CAINFO, trust_file);
	curl_easy_setopt(h.easy, CURLOPT_PROXY_CAINFO, trust_file);
	/* The system's anchors take their time. */
	curl_easy_setopt(h.easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(h.easy, CURLOPT_PROXY_CAPATH, NULL);
	curl_easy_setopt(h.easy, CURLOPT_PROXY, "");
	curl_easy_setopt(h.easy, CURLOPT_USERPWD, "user:secret");
	curl_easy_setopt(h.easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(h.easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h.easy, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(h.easy, CURLOPT_TIMEOUT, 15L);
	return h;
}

static inline struct handle
pinned_handle(const struct server *s, struct pinfast *policy)
{
	struct handle h = bare_handle(s);
	struct pinfast_diag diag = {0};

	if (pinfast_curl_attach(h.easy, policy, NULL, &diag, &h.pins) !=
	    PINFAST_OK)
		fail_msg("%s", diag.text);
	return h;
}

static inline void
aim(const struct handle *h, const struct server *s, const char *scheme,
    const char *host, const char *path)
{
	char url[200];

	snprintf(url, sizeof url, "%s://%s:%d/%s", scheme, host, s->port, path);
	curl_easy_setopt(h->easy, CURLOPT_URL, url);
}

static inline void
end_handle(struct handle *h)
{
	curl_easy_cleanup(h->easy);
	pinfast_curl_free(h->pins);
	curl_slist_free_all(h->hosts);
	memset(h, 0, sizeof *h);
}

/* What nobody can look into: NSS, and copies of a TLS library. */
static inline int
is_blind(const struct handle *h)
{
	return strcmp(pinfast_curl_backend(h->pins), "leaf-pins") == 0;
}

static inline int
is_inside(const struct handle *h)
{
	return strcmp(pinfast_curl_backend(h->pins), "openssl") == 0;
}

/* One transfer: what was said of it. */
static inline void
expect_transfer(const struct handle *h, int allow, int32_t reason)
{
	CURLcode code = pinfast_curl_perform(h->pins);
	struct pinfast_verdict verdict = pinfast_curl_result(h->pins);
	char why[700];

	(void)pinfast_curl_explain(h->pins, why, sizeof why);
	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || (code == CURLE_OK) != allow)
		fail_msg("%s: %s %s, %s; %s", pinfast_curl_backend(h->pins),
		    verdict.decision == PINFAST_ALLOW ? "allow" : "deny",
		    pinfast_reason_name(verdict.reason),
		    curl_easy_strerror(code), why);
}

#endif
