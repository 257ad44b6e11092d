#define _POSIX_C_SOURCE 200809L
#include "shim_run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/sha256.h"

static const struct shim_library *lib;
static const struct pf_adapter *adapter;
static struct shim_answer *now;
static char user_callback[16]; /* as the request in hand says */
static int clock_ahead;
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

void
shim_clock(int ahead)
{
	clock_ahead = ahead;
}

struct shim_answer *
shim_now(void)
{
	return now;
}

int
shim_user_has(void)
{
	return strcmp(user_callback, "none") != 0;
}

int
shim_user_verify(int ok)
{
	now->verify_calls++;
	if (strcmp(user_callback, "override") == 0)
		return 1;
	return strcmp(user_callback, "refuse") == 0 ? 0 : ok;
}

/* It knows the answers, and later it fails. */
static int
breaking_sha256(void *arg, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN])
{
	(void)arg;
	if (hash_broken)
		return 1;
	pf_sha256(data, len, out);
	return 0;
}

/* --------------------------------------------------------- the application */

/* What the adapter calls this connection. */
static void *
object(void *tls)
{
	return lib->object != NULL ? lib->object(tls) : tls;
}

static enum pinfast_error
attach_to(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	if (lib->attach != NULL)
		return lib->attach(tls, policy, host, port, diag);
	return adapter->attach(object(tls), policy, host, port, diag);
}

/* What the application tells the library and pinfast about the host. */
static enum pinfast_error
attach(void *tls, struct pinfast *policy, const struct shim_request *r,
    struct pinfast_diag *diag)
{
	static const char *const hows[] = {"sni", "verify-host", "verify-ip"};
	const char *name = shim_get(r, "name", NULL);
	const char *sni = shim_get(r, "sni", NULL);
	uint16_t port = (uint16_t)shim_int(r, "nameport", 443);

	if (sni != NULL && lib->tell_name != NULL)
		lib->tell_name(tls, "sni", sni);
	for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
		if (name != NULL && lib->tell_name != NULL &&
		    shim_has(r, "how", hows[i]))
			lib->tell_name(tls, hows[i], name);
	if (shim_has(r, "how", "auto"))
		return PINFAST_OK;
	if (shim_get(r, "how", NULL) != NULL && !shim_has(r, "how", "explicit"))
		name = NULL;
	return attach_to(tls, policy, name, port, diag);
}

static void
save_session(void *tls, const struct shim_request *r)
{
	const char *name = shim_get(r, "save", NULL);
	void *session;

	if (name == NULL || lib->session_keep == NULL)
		return;
	session = lib->session_keep(tls, shim_int(r, "ser", 0) ? SHIM_SER : 0);
	if (session != NULL)
		shim_keep(name, session, lib->session_drop);
}

/* Asks whether it may be offered, or lets the handshake find out. */
static void
use_session(void *tls, const struct shim_request *r, struct shim_answer *answer)
{
	const char *name = shim_get(r, "use", NULL);
	void *kept = name == NULL ? NULL : shim_kept(name);
	enum pinfast_error error;
	int mode = 0;

	if (kept == NULL)
		return;
	if (shim_int(r, "ser", 0))
		mode = SHIM_SER;
	else if (shim_int(r, "plain", 0))
		mode = SHIM_PLAIN;
	if (shim_int(r, "asksession", shim_int(r, "early", 0)) &&
	    !shim_int(r, "rash", 0))
		mode |= SHIM_ASK;
	error = lib->session_offer(tls, kept, mode);
	if (adapter->conn(object(tls)) != NULL)
		answer->session =
		    pinfast_conn_verdict(adapter->conn(object(tls))).reason;
	if (error != PINFAST_OK)
		snprintf(answer->error, sizeof answer->error, "session: %s",
		    shim_error_name(error));
}

static const char payload[] = "0123456789abcdef0123456789abcdef";

/* Sends, and reads as much as it has sent: the peer is an echo. */
static void
talk(void *tls, int send, struct shim_answer *answer)
{
	char buffer[64];
	int n;

	n = lib->write(tls, payload, send > 32 ? 32 : send);
	if (n > 0)
		answer->sent += n;
	for (int left = n; left > 0; left -= n) {
		n = lib->read(tls, buffer, left);
		if (n <= 0)
			return;
		answer->got += n;
	}
}

/* The application sent early data, which the server may decline at will. */
static void
after_early(void *tls, int send, struct shim_answer *answer)
{
	char buffer[64];

	if (lib->early_declined(tls)) {
		talk(tls, send, answer);
		return;
	}
	answer->got = lib->read(tls, buffer, answer->early);
}

/* The pool asks again: another policy, another host, or both. */
static void
recheck(void *tls, const struct shim_request *r, struct shim_answer *answer)
{
	const char *store = shim_get(r, "recheck", NULL);
	const char *host = shim_get(r, "rehost", NULL);
	int port = shim_int(r, "rehostport", shim_int(r, "nameport", 443));

	if (store == NULL && host == NULL)
		return;
	answer->rechecked = 1;
	answer->first = answer->verdict;
	if (store != NULL && shim_reload(r, store, answer) != 0)
		return;
	answer->verdict =
	    host == NULL ? adapter->result(object(tls))
	                 : adapter->recheck(object(tls), host, (uint16_t)port);
	if (answer->verdict.decision == PINFAST_ALLOW)
		talk(tls, shim_int(r, "send", 16), answer);
}

/* An application that hands the judge a certificate when all is over: the one
 * that the peer has shown, as if it had been verified. */
static void
judge_late(void *tls, const struct shim_request *r, struct shim_answer *answer)
{
	static uint8_t der[16384];
	struct pinfast_cert cert = {0};

	if (!shim_has(r, "late", "judge"))
		return;
	cert.der.data = der;
	cert.der.len = lib->leaf(tls, der, sizeof der);
	answer->verdict =
	    pinfast_judge_path(adapter->conn(object(tls)), &cert, 1);
}

static void
shake(void *tls, const struct shim_request *r, int server,
    struct shim_answer *answer)
{
	int careless = shim_has(r, "ask", "no");
	int send = shim_int(r, "send", 16);

	if (shim_int(r, "early", 0) && lib->early != NULL)
		answer->early = lib->early(tls, payload, send);
	hash_broken = shim_has(r, "hash", "breaks");
	answer->hs = lib->handshake(tls, server, answer);
	answer->resumed = lib->resumed != NULL && lib->resumed(tls);
	if (careless)
		talk(tls, send, answer);
	answer->verdict = adapter->result(object(tls));
	hash_broken = 0;
	adapter->explain(object(tls), answer->explain, sizeof answer->explain);
	if (answer->verdict.decision == PINFAST_ALLOW) {
		if (answer->early > 0)
			after_early(tls, send, answer);
		else if (!careless)
			talk(tls, send, answer);
		answer->error[0] = '\0';
		save_session(tls, r);
		recheck(tls, r, answer);
	}
	judge_late(tls, r, answer);
}

/* Asks the proxy for the origin and reads its answer, no byte more. */
static int
ask_proxy(void *outer, const char *name)
{
	char text[400], c;
	int newlines = 0;

	snprintf(text, sizeof text, "CONNECT %s:443 HTTP/1.1\r\n\r\n", name);
	if (lib->write(outer, text, (int)strlen(text)) <= 0)
		return -1;
	while (newlines < 2) {
		if (lib->read(outer, &c, 1) != 1)
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
go_through(void *outer, struct pinfast *policy, const struct shim_request *r,
    struct shim_answer *answer)
{
	struct pinfast_diag diag = {0};
	enum pinfast_error error;

	error =
	    attach_to(outer, policy, shim_get(r, "proxy", NULL), 3128, &diag);
	if (error != PINFAST_OK) {
		answer->attach = shim_error_name(error);
		return -1;
	}
	(void)lib->handshake(outer, 0, answer);
	answer->verdict = adapter->result(object(outer));
	if (answer->verdict.decision != PINFAST_ALLOW)
		return -1;
	return ask_proxy(outer, shim_get(r, "name", ""));
}

/* One connection, as the application makes it. */
static void
one(void *ctx, void *tls, struct pinfast *policy, const struct shim_request *r,
    struct shim_answer *answer)
{
	int server = strcmp(r->verb, "accept") == 0;
	struct pinfast_diag diag = {0};
	enum pinfast_error error;

	error = server ? lib->attach_server(tls, policy,
	                     shim_get(r, "label", ""), &diag)
	               : attach(tls, policy, r, &diag);
	answer->attach = error == PINFAST_OK ? "ok" : shim_error_name(error);
	if (shim_get(r, "hook", NULL) != NULL && lib->overwrite != NULL)
		lib->overwrite(ctx, tls, shim_get(r, "hook", NULL));
	if (error == PINFAST_OK || shim_int(r, "anyway", 0)) {
		if (!server)
			use_session(tls, r, answer);
		shake(tls, r, server, answer);
		return;
	}
	answer->verdict = adapter->result(object(tls));
	adapter->explain(object(tls), answer->explain, sizeof answer->explain);
	snprintf(answer->error, sizeof answer->error, "%.280s", diag.text);
}

static void
run(void *ctx, int is_new, const struct shim_request *r, int fd,
    struct shim_answer *answer)
{
	struct pinfast *policy = shim_policy(r, answer);
	struct pinfast_diag diag = {0};
	enum pinfast_error error = PINFAST_OK;
	int server = strcmp(r->verb, "accept") == 0;
	void *tls, *outer = NULL;

	if (policy == NULL)
		return;
	clock_ahead = shim_int(r, "clock", 0);
	if (shim_get(r, "hash", NULL) != NULL &&
	    pinfast_use_sha256(policy, breaking_sha256, NULL) != PINFAST_OK)
		abort();
	if (is_new && adapter->init != NULL)
		error = adapter->init(ctx, policy, &diag);
	if (error != PINFAST_OK) {
		answer->attach = shim_error_name(error);
		return;
	}
	if (shim_get(r, "proxy", NULL) != NULL)
		outer = lib->open(ctx, r, fd, NULL, 0);
	if (outer == NULL || go_through(outer, policy, r, answer) == 0) {
		tls = lib->open(ctx, r, fd, outer, server);
		one(ctx, tls, policy, r, answer);
		lib->close(tls);
	}
	if (outer != NULL)
		lib->close(outer);
}

/* ----------------------------------------------------------- both its ends */

static void
do_connect(const struct shim_request *r, struct shim_answer *answer)
{
	void *ctx = lib->ctx_new(r, 0);
	int fd = shim_connect(shim_get(r, "addr", "127.0.0.1"),
	    shim_int(r, "port", 0));

	if (fd < 0 || (shim_int(r, "starttls", 0) && shim_starttls(fd) != 0))
		snprintf(answer->error, sizeof answer->error, "cannot connect");
	else
		run(ctx, 1, r, fd, answer);
	if (fd >= 0)
		close(fd);
	lib->ctx_free(ctx);
}

/* A server's shared object lives as long as its policy, and so does what it
 * needs to resume sessions: its ticket keys and its cache. */
static void *
server_ctx(const struct shim_request *r, int *is_new)
{
	char name[120];
	void *ctx;

	snprintf(name, sizeof name, "ctx:%.99s", shim_get(r, "handle", ""));
	ctx = shim_kept(name);
	*is_new = ctx == NULL;
	if (ctx != NULL)
		return ctx;
	ctx = lib->ctx_new(r, 1);
	shim_keep(name, ctx, lib->ctx_free);
	return ctx;
}

static void
do_accept(const struct shim_request *r, struct shim_answer *answer)
{
	int is_new, port = 0;
	void *ctx = server_ctx(r, &is_new);
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

/* --------------------------------------------------------------- all lines */

int
shim_lines(void (*each_line)(const struct shim_request *, struct shim_answer *))
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
		snprintf(user_callback, sizeof user_callback, "%s",
		    shim_get(&request, "usercb", "none"));
		each_line(&request, &answer);
		shim_print(&answer);
	}
	return 0;
}

static void
each_request(const struct shim_request *r, struct shim_answer *answer)
{
	if (strcmp(r->verb, "accept") == 0)
		do_accept(r, answer);
	else
		do_connect(r, answer);
}

int
shim_main(const struct shim_library *library)
{
	lib = library;
	adapter = library->adapter();
	return shim_lines(each_request);
}
