/*
 * The peer of the conformance table: a TLS server, or a client, that sends
 * whatever bytes it is told to send as certificates, and says what reached its
 * application.  On GnuTLS, in which they can be replaced by any others.
 *
 *   peer WORLD
 *
 * One request a line: serve tag=T chain=A,B key=K tls=1.2|1.3 [tickets=N]
 * [early=1] [ring=R] [anon=1] [psk=1] [hrr=1] [starttls=1]
 * [bomb=1] [rpk=1] [inner=A,B innerkey=K].  It answers with the port, and
 * when the connection is over with what happened, in JSON.  For a client: dial
 * tag=T port=P chain=A,B key=K tls=1.2|1.3 [ring=R] [save=1] [use=1].
 * Connections run side by side; `ring` names the ticket key that they share, or
 * the session that a client saves and uses.
 */
#define _POSIX_C_SOURCE 200809L
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "request.h"
#include "shown.h"

#define MAX_RINGS 65536

struct result {
	int hs, alert, app, early, resumed;
	char sni[300], random[70], error[120];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char name[100];
	gnutls_datum_t key;
	gnutls_datum_t session; /* a client's, to be resumed */
} rings[MAX_RINGS];
static int ring_count;

/* The number of a ring, made with its ticket key when it is first named. */
static int
ring_of(const char *name)
{
	int i = 0;

	pthread_mutex_lock(&lock);
	while (i < ring_count && strcmp(rings[i].name, name) != 0)
		i++;
	if (i == ring_count) {
		if (ring_count == MAX_RINGS)
			peer_die("too many rings", name);
		snprintf(rings[i].name, sizeof rings[0].name, "%s", name);
		gnutls_session_ticket_key_generate(&rings[i].key);
		ring_count++;
	}
	pthread_mutex_unlock(&lock);
	return i;
}

/* A client's session lies in its ring: one connection after another. */
static void
save_session(gnutls_session_t s, const struct request *r)
{
	gnutls_datum_t *kept = &rings[ring_of(r->ring)].session;

	gnutls_free(kept->data);
	if (gnutls_session_get_data2(s, kept) != 0)
		kept->data = NULL;
}

static void
use_session(gnutls_session_t s, const struct request *r)
{
	gnutls_datum_t *kept = &rings[ring_of(r->ring)].session;

	if (kept->data != NULL)
		gnutls_session_set_data(s, kept->data, kept->size);
}

static int
on_psk(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
	(void)session, (void)name;
	key->data = gnutls_malloc(16);
	key->size = 16;
	memset(key->data, 0x5a, 16);
	return 0;
}

/* Replays are not what is tested here: every ClientHello is new. */
static int
never_seen(void *arg, time_t expires, const gnutls_datum_t *key,
    const gnutls_datum_t *data)
{
	(void)arg, (void)expires, (void)key, (void)data;
	return 0;
}

static gnutls_anti_replay_t replays;

/* Bits of deflate (RFC 1951), first the lowest. */
static void
put_bits(unsigned char *out, size_t *at, unsigned bits, unsigned count)
{
	for (; count > 0; count--, bits >>= 1, ++*at)
		if (bits & 1)
			out[*at / 8] |= (unsigned char)(1U << *at % 8);
}

/*
 * A CompressedCertificate (RFC 8879) in the place of the Certificate and of
 * its length, whoever asked for it: it says that it becomes 16 MB, and zlib
 * goes on for as long as there are bytes.  The type stands before what GnuTLS
 * shows.
 */
static int
bomb(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	static const unsigned char head[] = {0, 1, 0xff, 0xff, 0xff};
	static const unsigned char zlib[] = {0x78, 0x9c};
	unsigned char *data = message->data;
	size_t left = message->size - 8, at = 16;

	(void)session, (void)type, (void)when;
	if (incoming || message->size < 100)
		return 0;
	data[-4] = 25;
	memset(data, 0, message->size);
	memcpy(data, head, sizeof head);
	data[5] = (unsigned char)(left >> 16);
	data[6] = (unsigned char)(left >> 8);
	data[7] = (unsigned char)left;
	data += 8;
	memcpy(data, zlib, sizeof zlib);
	put_bits(data, &at, 2, 3);    /* not the last block; fixed codes */
	put_bits(data, &at, 0x0c, 8); /* a zero */
	while (at + 13 <= left * 8)
		put_bits(data, &at, 0xa3, 13); /* and it again, 258 times */
	return 0;
}

/* Groups that cost little: clients like to begin with the largest, and that
 * was half the time of the table. */
static const char *
groups(const struct request *r)
{
	if (r->hrr)
		return ":-GROUP-ALL:+GROUP-SECP521R1";
	return r->anon ? "" : ":-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519";
}

static gnutls_session_t
make_session(const struct request *r, int fd)
{
	gnutls_certificate_credentials_t certs;
	gnutls_anon_server_credentials_t anon;
	gnutls_psk_server_credentials_t psk;
	gnutls_session_t s;
	char priority[300];

	gnutls_init(&s,
	    (r->port > 0 ? GNUTLS_CLIENT : GNUTLS_SERVER) |
	        (r->port == 0 && r->early ? GNUTLS_ENABLE_EARLY_DATA : 0) |
	        (r->rpk ? GNUTLS_ENABLE_RAWPK : 0));
	snprintf(priority, sizeof priority,
	    "NORMAL:-VERS-ALL:+VERS-TLS%s%s%s%s%s", r->tls13 ? "1.3" : "1.2",
	    r->anon ? ":-KX-ALL:+ANON-ECDH:+ANON-DH" : "",
	    r->psk ? ":-KX-ALL:+PSK:+ECDHE-PSK" : "", groups(r),
	    r->rpk ? ":-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK" : "");
	if (gnutls_priority_set_direct(s, priority, NULL) != 0)
		peer_die("bad priorities", priority);
	if (r->anon) {
		gnutls_anon_allocate_server_credentials(&anon);
		gnutls_anon_set_server_known_dh_params(anon,
		    GNUTLS_SEC_PARAM_MEDIUM);
		gnutls_credentials_set(s, GNUTLS_CRD_ANON, anon);
	} else if (r->psk) {
		gnutls_psk_allocate_server_credentials(&psk);
		gnutls_psk_set_server_credentials_function(psk, on_psk);
		gnutls_credentials_set(s, GNUTLS_CRD_PSK, psk);
	}
	gnutls_certificate_allocate_credentials(&certs);
	gnutls_certificate_set_retrieve_function3(certs, shown_choose);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, certs);
	if (r->tickets > 0)
		gnutls_session_ticket_enable_server(s,
		    &rings[ring_of(r->ring)].key);
	if (r->bomb)
		gnutls_handshake_set_hook_function(s,
		    GNUTLS_HANDSHAKE_CERTIFICATE_PKT, GNUTLS_HOOK_PRE, bomb);
	if (r->early) {
		gnutls_record_set_max_early_data_size(s, 1024);
		gnutls_anti_replay_enable(s, replays);
	}
	if (fd >= 0)
		gnutls_transport_set_int(s, fd);
	return s;
}

/* Gives back what the other side's application has sent; to what asks for a
 * page (RFC 9112), once it has asked, an empty one. */
static void
reply(gnutls_session_t s, const char *data, size_t len, int *is_http)
{
	static const char page[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

	if (len >= 4 && memcmp(data, "GET ", 4) == 0)
		*is_http = 1;
	if (!*is_http)
		gnutls_record_send(s, data, len);
	else if (len >= 4 && memcmp(data + len - 4, "\r\n\r\n", 4) == 0)
		gnutls_record_send(s, page, sizeof page - 1);
}

/* Reads what the other side's application sends.  A client is told to try
 * again after each ticket. */
static void
echo(gnutls_session_t s, struct result *out)
{
	char buffer[1024];
	int is_http = 0;
	ssize_t n;
	int again = 4;

	while ((n = gnutls_record_recv(s, buffer, sizeof buffer)) > 0 ||
	       n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_REHANDSHAKE ||
	       (n == GNUTLS_E_AGAIN && again-- > 0)) {
		if (n <= 0)
			continue;
		out->app += (int)n;
		reply(s, buffer, (size_t)n, &is_http);
	}
}

static void
note(gnutls_session_t s, int code, struct result *out)
{
	gnutls_datum_t client = {NULL, 0}, server = {NULL, 0};
	size_t len = sizeof out->sni;
	unsigned type;

	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED ||
	    code == GNUTLS_E_WARNING_ALERT_RECEIVED)
		out->alert = (int)gnutls_alert_get(s);
	if (code < 0)
		snprintf(out->error, sizeof out->error, "%s",
		    gnutls_strerror(code));
	if (gnutls_server_name_get(s, out->sni, &len, &type, 0) != 0)
		out->sni[0] = '\0';
	gnutls_session_get_random(s, &client, &server);
	for (unsigned i = 0; i < client.size && i < 32; i++)
		snprintf(out->random + 2 * i, 3, "%02x", client.data[i]);
}

static void
drop_session(gnutls_session_t s)
{
	void *certs = NULL, *anon = NULL, *psk = NULL;

	gnutls_credentials_get(s, GNUTLS_CRD_CERTIFICATE, &certs);
	gnutls_credentials_get(s, GNUTLS_CRD_ANON, &anon);
	gnutls_credentials_get(s, GNUTLS_CRD_PSK, &psk);
	gnutls_deinit(s);
	gnutls_certificate_free_credentials(certs);
	if (anon != NULL)
		gnutls_anon_free_server_credentials(anon);
	if (psk != NULL)
		gnutls_psk_free_server_credentials(psk);
}

static int
shake(gnutls_session_t s, struct result *out)
{
	int code;

	do
		code = gnutls_handshake(s);
	while (code < 0 && !gnutls_error_is_fatal(code));
	note(s, code, out);
	out->hs = code == 0;
	return out->hs;
}

/* What the application behind the handshake gets. */
static void
exchange(gnutls_session_t s, const struct request *r, struct result *out)
{
	char buffer[256];
	ssize_t n;

	out->resumed = gnutls_session_is_resumed(s);
	while (r->early && (n = gnutls_record_recv_early_data(s, buffer,
	                        sizeof buffer)) > 0) {
		out->early += (int)n;
		gnutls_record_send(s, buffer, (size_t)n);
	}
	echo(s, out);
	if (r->save)
		save_session(s, r);
	/* An alert after the handshake, as TLS 1.3 sends it. */
	if (out->app == 0 && out->alert < 0 &&
	    gnutls_alert_get(s) != GNUTLS_A_CLOSE_NOTIFY)
		out->alert = (int)gnutls_alert_get(s);
}

static ssize_t
push(gnutls_transport_ptr_t outer, const void *data, size_t len)
{
	return gnutls_record_send(outer, data, len);
}

static ssize_t
pull(gnutls_transport_ptr_t outer, void *data, size_t len)
{
	ssize_t n;

	do
		n = gnutls_record_recv(outer, data, len);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	return n;
}

static int
pull_timeout(gnutls_transport_ptr_t outer, unsigned ms)
{
	(void)outer, (void)ms;
	return 1;
}

/* A proxy: what the client asks of it, and then the server behind it. */
static void
tunnel(gnutls_session_t outer, const struct request *r, struct result *out)
{
	static const char yes[] = "HTTP/1.1 200 OK\r\n\r\n";
	gnutls_session_t s;
	char asked[300];
	size_t len = 0;
	ssize_t n;

	while (len < 4 || memcmp(asked + len - 4, "\r\n\r\n", 4) != 0) {
		n = pull(outer, asked + len, sizeof asked - len);
		if (n <= 0)
			return;
		len += (size_t)n;
	}
	gnutls_record_send(outer, yes, sizeof yes - 1);
	shown_forget();
	shown_load(r->inner, r->innerkey, 0);
	s = make_session(r, -1);
	gnutls_transport_set_ptr(s, outer);
	gnutls_transport_set_push_function(s, push);
	gnutls_transport_set_pull_function(s, pull);
	gnutls_transport_set_pull_timeout_function(s, pull_timeout);
	if (shake(s, out))
		exchange(s, r, out);
	drop_session(s);
}

/* A mail server before TLS (RFC 3207); 0: the client wants it. */
static int
starttls(int fd)
{
	static const char hello[] = "220 peer\r\n", go[] = "220 go\r\n";
	char c = 0;

	if (send(fd, hello, sizeof hello - 1, 0) < 0)
		return -1;
	while (c != '\n')
		if (recv(fd, &c, 1, 0) != 1)
			return -1;
	return send(fd, go, sizeof go - 1, 0) < 0 ? -1 : 0;
}

static void
talk(const struct request *r, int fd, struct result *out)
{
	gnutls_session_t s;

	if (r->starttls && starttls(fd) != 0) {
		snprintf(out->error, sizeof out->error, "no STARTTLS");
		return;
	}
	shown_load(r->chain, r->key, r->rpk);
	s = make_session(r, fd);
	if (r->use)
		use_session(s, r);
	if (shake(s, out)) {
		if (r->inner[0] != '\0')
			tunnel(s, r, out);
		else
			exchange(s, r, out);
	}
	drop_session(s);
	shown_forget();
}

static void
print(const struct request *r, const struct result *o)
{
	pthread_mutex_lock(&lock);
	printf("{\"tag\":\"%s\",\"hs\":%d,\"alert\":%d,\"app\":%d,\"early\":%d,"
	       "\"resumed\":%d,\"sni\":\"%s\",\"client_random\":\"%s\","
	       "\"error\":\"%s\"}\n",
	    r->tag, o->hs, o->alert, o->app, o->early, o->resumed, o->sni,
	    o->random, o->error);
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

static int
dial(int port)
{
	struct sockaddr_in to;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(&to, 0, sizeof to);
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)port);
	if (fd < 0 || connect(fd, (void *)&to, sizeof to) != 0)
		peer_die("nobody listens", "loopback");
	return fd;
}

static void *
serve(void *arg)
{
	struct request *r = arg;
	struct result out;
	struct timeval limit = {10, 0};
	int on = 1;
	int fd = r->port > 0 ? dial(r->port) : accept(r->listener, NULL, NULL);

	memset(&out, 0, sizeof out);
	out.alert = -1;
	if (r->port == 0)
		close(r->listener);
	if (fd < 0) {
		snprintf(out.error, sizeof out.error, "nobody came");
	} else {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		talk(r, fd, &out);
		close(fd);
	}
	print(r, &out);
	free(r);
	return NULL;
}

static int
listen_somewhere(int *listener)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	struct timeval limit = {10, 0};

	memset(&at, 0, sizeof at);
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(*listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (*listener < 0 || bind(*listener, (void *)&at, len) != 0 ||
	    listen(*listener, 1) != 0 ||
	    getsockname(*listener, (void *)&at, &len) != 0)
		peer_die("no socket", "loopback");
	return ntohs(at.sin_port);
}

/* Says where a server listens, before anybody comes. */
static void
open_door(struct request *r)
{
	int port = listen_somewhere(&r->listener);

	pthread_mutex_lock(&lock);
	printf("{\"tag\":\"%s\",\"port\":%d}\n", r->tag, port);
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

int
main(int argc, char *argv[])
{
	char line[4096];

	if (argc != 2) {
		fprintf(stderr, "usage: peer WORLD\n");
		return 2;
	}
	shown_world = argv[1];
	signal(SIGPIPE, SIG_IGN); /* clients hang up */
	if (gnutls_anti_replay_init(&replays) != 0)
		peer_die("out of memory", "anti-replay");
	gnutls_anti_replay_set_add_function(replays, never_seen);
	while (fgets(line, sizeof line, stdin) != NULL) {
		struct request *r = calloc(1, sizeof *r);
		const char *wrong = r != NULL ? request_read(line, r) : line;
		pthread_t thread;

		if (wrong != NULL)
			peer_die("not a request", wrong);
		if (r->port == 0)
			open_door(r);
		if (pthread_create(&thread, NULL, serve, r) != 0)
			peer_die("no thread", "serve");
		pthread_detach(thread);
	}
	return 0;
}
