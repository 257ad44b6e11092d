/*
 * The OpenSSL adapter for the conformance table: one connection a line.  It
 * is an application as one would write it, and on demand a careless one.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include "pinfast-openssl.h"
#include "shim.h"

static struct shim_answer *now; /* for callbacks */
static const char *user_callback;
static time_t clock_ahead; /* seconds; the whole program's clock is wrong */
static int hash_broken;

/* In the place of the C library's, also for the libraries. */
__attribute__((visibility("default"))) time_t
time(time_t *out)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += clock_ahead;
	if (out != NULL)
		*out = at.tv_sec;
	return at.tv_sec;
}

/* It knows the answers, and later it fails. */
static int
breaking_sha256(void *arg, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN])
{
	(void)arg;
	return hash_broken || SHA256(data, len, out) == NULL;
}

static int
on_verify(int ok, X509_STORE_CTX *xs)
{
	(void)xs;
	now->verify_calls++;
	if (strcmp(user_callback, "override") == 0)
		return 1;
	return strcmp(user_callback, "refuse") == 0 ? 0 : ok;
}

static int
yes_to_all(X509_STORE_CTX *xs, void *arg)
{
	(void)xs, (void)arg;
	return 1;
}

/* The application's own, set before pinfast came: it must still be called. */
static void
on_info(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT)
		now->alert_sent = value & 0xff;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		now->alert_got = value & 0xff;
}

static void
on_nothing(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
}

static unsigned
on_psk(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *psk, unsigned max_psk)
{
	(void)ssl, (void)hint;
	if (max_psk < 16)
		return 0;
	snprintf(identity, max_identity, "pinfast");
	memset(psk, 0x5a, 16);
	return 16;
}

static void
note_errors(struct shim_answer *answer)
{
	const char *data;
	unsigned long code;
	int flags;

	answer->error[0] = '\0';
	while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags))) {
		const char *text = ERR_reason_error_string(code);
		size_t used = strlen(answer->error);

		snprintf(answer->error + used, sizeof answer->error - used,
		    "%s%.80s", used > 0 ? " | " : "", text ? text : "?");
	}
}

static SSL_CTX *
make_ctx(const struct shim_request *r, int server)
{
	SSL_CTX *ctx =
	    SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	int version = strcmp(shim_get(r, "tls", "1.3"), "1.2") == 0
	                  ? TLS1_2_VERSION
	                  : TLS1_3_VERSION;
	const char *trust = shim_get(r, "trust", NULL);
	const char *ciphers = shim_get(r, "ciphers", NULL);

	if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version))
		abort();
	if (trust != NULL && !SSL_CTX_load_verify_locations(ctx, trust, NULL))
		fprintf(stderr, "shim-openssl: cannot read %s\n", trust);
	if (ciphers != NULL)
		SSL_CTX_set_cipher_list(ctx, ciphers);
	if (shim_int(r, "partial", 0))
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
		    X509_V_FLAG_PARTIAL_CHAIN);
	if (shim_has(r, "psk", "1"))
		SSL_CTX_set_psk_client_callback(ctx, on_psk);
	user_callback = shim_get(r, "usercb", "none");
	SSL_CTX_set_verify(ctx,
	    strcmp(shim_get(r, "verify", "on"), "off") == 0 ? SSL_VERIFY_NONE
	                                                    : SSL_VERIFY_PEER,
	    strcmp(user_callback, "none") == 0 ? NULL : on_verify);
	SSL_CTX_set_info_callback(ctx, on_info);
	return ctx;
}

static void
set_sni(SSL *ssl, const char *name)
{
	char copy[300]; /* OpenSSL's macro takes no const */

	snprintf(copy, sizeof copy, "%s", name);
	SSL_set_tlsext_host_name(ssl, copy);
}

/* What the application tells OpenSSL and pinfast about the host. */
static enum pinfast_error
attach(SSL *ssl, const struct shim_request *r, struct pinfast_diag *diag)
{
	const char *name = shim_get(r, "name", NULL);
	const char *sni = shim_get(r, "sni", NULL);
	uint16_t port = (uint16_t)shim_int(r, "nameport", 443);

	if (sni != NULL && strcmp(sni, "same") != 0)
		set_sni(ssl, sni);
	if (name != NULL && shim_has(r, "how", "sni"))
		set_sni(ssl, name);
	if (name != NULL && shim_has(r, "how", "verify-host"))
		SSL_set1_host(ssl, name);
	if (name != NULL && shim_has(r, "how", "verify-ip"))
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	if (shim_has(r, "how", "auto"))
		return PINFAST_OK;
	if (shim_get(r, "how", NULL) == NULL || shim_has(r, "how", "explicit"))
		return pinfast_openssl_attach(ssl, name, port, diag);
	return pinfast_openssl_attach(ssl, NULL, port, diag);
}

struct blob {
	size_t len;
	uint8_t bytes[];
};

static void
drop_session(void *what)
{
	SSL_SESSION_free(what);
}

static void
save_session(SSL *ssl, const struct shim_request *r)
{
	const char *name = shim_get(r, "save", NULL);
	struct blob *blob;
	size_t len;

	if (name == NULL)
		return;
	if (!shim_int(r, "ser", 0)) {
		SSL_SESSION *session = SSL_get1_session(ssl);

		if (session != NULL)
			shim_keep(name, session, drop_session);
		return;
	}
	len = pinfast_openssl_session_write(ssl, NULL, NULL, 0);
	blob = malloc(sizeof *blob + len);
	if (blob == NULL)
		abort();
	blob->len = pinfast_openssl_session_write(ssl, NULL, blob->bytes, len);
	if (len > 0 && blob->len == len)
		shim_keep(name, blob, free);
	else
		free(blob);
}

/* Asks whether it may be offered, or lets the handshake find out. */
static enum pinfast_error
offer(SSL *ssl, const struct shim_request *r, SSL_SESSION *session)
{
	if (shim_int(r, "asksession", shim_int(r, "early", 0)) &&
	    !shim_int(r, "rash", 0))
		return pinfast_openssl_session_use(ssl, session);
	SSL_set_session(ssl, session);
	return PINFAST_OK;
}

static void
use_session(SSL *ssl, const struct shim_request *r, struct shim_answer *answer)
{
	const char *name = shim_get(r, "use", NULL);
	void *kept = name == NULL ? NULL : shim_kept(name);
	enum pinfast_error error = PINFAST_OK;

	if (kept == NULL)
		return;
	if (shim_int(r, "ser", 0)) {
		struct blob *blob = kept;

		error =
		    pinfast_openssl_session_read(ssl, blob->bytes, blob->len);
	} else if (shim_int(r, "plain", 0)) {
		/* An application that knows nothing of tags, and stores. */
		unsigned char *der = NULL;
		int len = i2d_SSL_SESSION(kept, &der);
		const unsigned char *at = der;
		SSL_SESSION *copy = d2i_SSL_SESSION(NULL, &at, len);

		error = offer(ssl, r, copy);
		SSL_SESSION_free(copy);
		OPENSSL_free(der);
	} else {
		error = offer(ssl, r, kept);
	}
	if (pinfast_openssl_conn(ssl) != NULL)
		answer->session =
		    pinfast_conn_verdict(pinfast_openssl_conn(ssl)).reason;
	if (error != PINFAST_OK)
		snprintf(answer->error, sizeof answer->error, "session: %s",
		    shim_error_name(error));
}

static const char payload[] = "0123456789abcdef0123456789abcdef";

static void
talk(SSL *ssl, int send, struct shim_answer *answer)
{
	char buffer[64];
	int n;

	if (send > 32)
		send = 32;
	n = SSL_write(ssl, payload, send);
	if (n > 0)
		answer->sent += n;
	for (int left = n; left > 0; left -= n) {
		n = SSL_read(ssl, buffer, left);
		if (n <= 0)
			return;
		answer->got += n;
	}
}

static void
send_early(SSL *ssl, int send, struct shim_answer *answer)
{
	SSL_SESSION *session = SSL_get0_session(ssl);
	size_t written = 0;

	if (session == NULL || SSL_SESSION_get_max_early_data(session) == 0)
		return;
	if (SSL_write_early_data(ssl, payload, (size_t)send, &written) == 1)
		answer->early += (int)written;
}

/* The pool asks again: another policy, another host, or both. */
static void
recheck(SSL *ssl, const struct shim_request *r, struct shim_answer *answer)
{
	const char *store = shim_get(r, "recheck", NULL);
	const char *host = shim_get(r, "rehost", NULL);

	if (store == NULL && host == NULL)
		return;
	answer->rechecked = 1;
	answer->first = answer->verdict;
	if (store != NULL && shim_reload(r, store, answer) != 0)
		return;
	if (host != NULL)
		answer->verdict = pinfast_openssl_recheck(ssl, host,
		    (uint16_t)shim_int(r, "rehostport",
		        shim_int(r, "nameport", 443)));
	else
		answer->verdict = pinfast_openssl_result(ssl);
	if (answer->verdict.decision == PINFAST_ALLOW)
		talk(ssl, shim_int(r, "send", 16), answer);
}

/* An application that hands the judge a certificate when all is over: the one
 * that the peer has shown, as if it had been verified. */
static void
judge_late(SSL *ssl, const struct shim_request *r, struct shim_answer *answer)
{
	struct pinfast_cert cert = {0};
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	unsigned char *der = NULL;
	int len = leaf == NULL ? 0 : i2d_X509(leaf, &der);

	if (strcmp(shim_get(r, "late", "no"), "judge") != 0)
		return;
	cert.der.data = der;
	cert.der.len = len > 0 ? (size_t)len : 0;
	answer->verdict =
	    pinfast_judge_path(pinfast_openssl_conn(ssl), &cert, 1);
	OPENSSL_free(der);
}

static void
shake(SSL *ssl, const struct shim_request *r, int server,
    struct shim_answer *answer)
{
	int careless = strcmp(shim_get(r, "ask", "yes"), "no") == 0;
	int send = shim_int(r, "send", 16);

	if (shim_int(r, "early", 0))
		send_early(ssl, send, answer);
	hash_broken = shim_has(r, "hash", "breaks");
	answer->hs = (server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1;
	note_errors(answer);
	answer->resumed = SSL_session_reused(ssl);
	if (careless)
		talk(ssl, send, answer);
	answer->verdict = pinfast_openssl_result(ssl);
	hash_broken = 0;
	pinfast_openssl_explain(ssl, answer->explain, sizeof answer->explain);
	if (answer->verdict.decision != PINFAST_ALLOW) {
		judge_late(ssl, r, answer);
		return;
	}
	if (!careless && answer->early == 0)
		talk(ssl, send, answer);
	else if (answer->early > 0 &&
	         SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_REJECTED)
		talk(ssl, send, answer); /* a server may decline it at will */
	else if (answer->early > 0)
		answer->got = SSL_read(ssl, answer->error, answer->early);
	answer->error[0] = '\0';
	save_session(ssl, r);
	recheck(ssl, r, answer);
	judge_late(ssl, r, answer);
}

/* Asks the proxy for the origin and reads its answer, no byte more. */
static int
ask_proxy(SSL *outer, const char *name)
{
	char text[400], c;
	int newlines = 0;

	snprintf(text, sizeof text, "CONNECT %s:443 HTTP/1.1\r\n\r\n", name);
	if (SSL_write(outer, text, (int)strlen(text)) <= 0)
		return -1;
	while (newlines < 2) {
		if (SSL_read(outer, &c, 1) != 1)
			return -1;
		if (c == '\n')
			newlines++;
		else if (c != '\r')
			newlines = 0;
	}
	return 0;
}

/* An HTTPS proxy is pinned for itself; 0: it leads to the origin. */
static int
go_through(SSL *outer, SSL *ssl, const struct shim_request *r, int fd,
    struct shim_answer *answer)
{
	BIO *bio = BIO_new(BIO_f_ssl());

	if (bio == NULL || !SSL_set_fd(outer, fd))
		abort();
	BIO_set_ssl(bio, outer, BIO_NOCLOSE);
	SSL_set_bio(ssl, bio, bio);
	if (pinfast_openssl_attach(outer, shim_get(r, "proxy", NULL), 3128,
	        NULL) != PINFAST_OK)
		return -1;
	(void)SSL_connect(outer);
	note_errors(answer);
	answer->verdict = pinfast_openssl_result(outer);
	if (answer->verdict.decision != PINFAST_ALLOW)
		return -1;
	return ask_proxy(outer, shim_get(r, "name", ""));
}

static int
run(SSL_CTX *ctx, int is_new, const struct shim_request *r, int fd,
    struct shim_answer *answer)
{
	struct pinfast *policy = shim_policy(r, answer);
	struct pinfast_diag diag = {0};
	enum pinfast_error error;
	SSL *ssl, *outer = NULL;
	int server = strcmp(r->verb, "accept") == 0;

	if (policy == NULL)
		return -1;
	clock_ahead = shim_int(r, "clock", 0);
	if (shim_get(r, "hash", NULL) != NULL &&
	    pinfast_use_sha256(policy, breaking_sha256, NULL) != PINFAST_OK)
		abort();
	error = is_new ? pinfast_openssl_init(ctx, policy, NULL, &diag)
	               : PINFAST_OK;
	if (error != PINFAST_OK) {
		answer->attach = shim_error_name(error);
		return -1;
	}
	ssl = SSL_new(ctx);
	if (ssl == NULL || !SSL_set_fd(ssl, fd))
		abort();
	if (shim_get(r, "proxy", NULL) != NULL) {
		outer = SSL_new(ctx);
		if (outer == NULL)
			abort();
		if (go_through(outer, ssl, r, fd, answer) != 0) {
			SSL_free(ssl);
			SSL_free(outer);
			return 0;
		}
	}
	error = server ? pinfast_openssl_attach_server(ssl,
	                     shim_get(r, "label", ""), &diag)
	               : attach(ssl, r, &diag);
	answer->attach = error == PINFAST_OK ? "ok" : shim_error_name(error);
	if (shim_has(r, "hook", "overwrite"))
		SSL_CTX_set_cert_verify_callback(ctx, yes_to_all, NULL);
	if (shim_has(r, "hook", "info"))
		SSL_set_info_callback(ssl, on_nothing);
	if (error == PINFAST_OK || shim_int(r, "anyway", 0)) {
		if (!server)
			use_session(ssl, r, answer);
		shake(ssl, r, server, answer);
		SSL_shutdown(ssl);
	} else {
		answer->verdict = pinfast_openssl_result(ssl);
		pinfast_openssl_explain(ssl, answer->explain,
		    sizeof answer->explain);
		snprintf(answer->error, sizeof answer->error, "%.280s",
		    diag.text);
	}
	SSL_free(ssl);
	SSL_free(outer);
	return 0;
}

static void
do_connect(const struct shim_request *r, struct shim_answer *answer)
{
	SSL_CTX *ctx = make_ctx(r, 0);
	int fd = shim_connect(shim_get(r, "addr", "127.0.0.1"),
	    shim_int(r, "port", 0));

	if (fd < 0 || (shim_int(r, "starttls", 0) && shim_starttls(fd) != 0))
		snprintf(answer->error, sizeof answer->error, "cannot connect");
	else
		run(ctx, 1, r, fd, answer);
	if (fd >= 0)
		close(fd);
	SSL_CTX_free(ctx);
}

static void
drop_ctx(void *ctx)
{
	SSL_CTX_free(ctx);
}

/* A server's SSL_CTX lives as long as its policy, and so does what it needs to
 * resume sessions: its ticket keys and its cache. */
static SSL_CTX *
server_ctx(const struct shim_request *r, int *is_new)
{
	char name[120];
	SSL_CTX *ctx;
	const char *cert = shim_get(r, "cert", "");
	const char *key = shim_get(r, "key", "");

	snprintf(name, sizeof name, "ctx:%.99s", shim_get(r, "handle", ""));
	ctx = shim_kept(name);
	*is_new = ctx == NULL;
	if (ctx != NULL)
		return ctx;
	ctx = make_ctx(r, 1);
	shim_keep(name, ctx, drop_ctx);
	if (shim_has(r, "tickets", "no"))
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		fprintf(stderr, "shim-openssl: cannot use %s, %s\n", cert, key);
	return ctx;
}

static void
do_accept(const struct shim_request *r, struct shim_answer *answer)
{
	int is_new, port = 0;
	SSL_CTX *ctx = server_ctx(r, &is_new);
	int listener = shim_listen(shim_get(r, "addr", "127.0.0.1"), &port);
	int fd;

	if (listener < 0)
		abort();
	printf("{\"id\":\"%s\",\"port\":%d}\n", answer->id, port);
	fflush(stdout);
	fd = accept(listener, NULL, NULL);
	close(listener);
	if (fd < 0)
		snprintf(answer->error, sizeof answer->error, "nobody came");
	else
		run(ctx, is_new, r, fd, answer);
	if (fd >= 0)
		close(fd);
}

int
main(void)
{
	static char line[8192];

	signal(SIGPIPE, SIG_IGN); /* peers hang up */
	while (fgets(line, sizeof line, stdin) != NULL) {
		struct shim_request request;
		struct shim_answer answer;

		if (!shim_parse(line, &request))
			continue;
		shim_answer_init(&answer, &request);
		now = &answer;
		ERR_clear_error();
		if (strcmp(request.verb, "accept") == 0)
			do_accept(&request, &answer);
		else
			do_connect(&request, &answer);
		shim_print(&answer);
	}
	return 0;
}
