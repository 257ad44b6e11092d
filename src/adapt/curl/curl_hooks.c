/* What libcurl calls in the middle of a transfer. */
#include "adapt/curl/curl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/conn.h"
#include "os/file.h"

static const char unprepared[] =
    "this transfer was not prepared, or its handle is a copy of one that was: "
    "attach the copy, and call pinfast_curl_perform() or, for the multi "
    "interface, pinfast_curl_prepare() before each transfer";
static const char no_host[] =
    "the URL that this transfer has come to has no valid host name or address";

struct pinfast_verdict
pf_curl_say(struct pinfast_curl *c, struct pinfast_verdict verdict,
    const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof c->text)
		len = sizeof c->text - 1;
	c->verdict = verdict;
	memcpy(c->text, text, len);
	c->text[len] = '\0';
	return verdict;
}

void
pf_curl_note(struct pinfast_curl *c, struct pinfast_verdict verdict,
    const struct pinfast_conn *conn)
{
	c->verdict = verdict;
	(void)pinfast_conn_explain(conn, c->text, sizeof c->text);
}

static struct pinfast_conn *
new_conn(struct pinfast_curl *c, const struct pf_curl_target *target)
{
	struct pinfast_conn *conn;

	if (pinfast_conn_new(c->policy, target->host, target->port,
	        pf_clock_now(), &conn) != PINFAST_OK)
		return NULL;
	return conn;
}

/* Judges by what libcurl says or does not say, and makes it known. */
static struct pinfast_verdict
judge_delegated(struct pinfast_curl *c, const struct pf_curl_target *target,
    enum pinfast_delegated found)
{
	struct pinfast_conn *conn = new_conn(c, target);
	struct pinfast_verdict verdict;

	if (conn == NULL)
		return pf_curl_say(c, pf_not_judged(), "out of memory");
	verdict = pinfast_judge_delegated(conn, found);
	pf_curl_note(c, verdict, conn);
	pinfast_conn_free(conn);
	return verdict;
}

void
pf_curl_deny(struct pinfast_curl *c, const struct pf_curl_target *target,
    enum pinfast_delegated why)
{
	(void)judge_delegated(c, target, why);
}

void
pf_curl_deny_peer(struct pinfast_curl *c, const char *host, uint16_t port)
{
	struct pf_curl_target target = {.port = port};

	memcpy(target.host, host, strlen(host) + 1);
	pf_curl_deny(c, &target, PINFAST_DELEGATED_NOT);
}

void
pf_curl_note_clear(struct pinfast_curl *c, const struct pf_curl_target *target)
{
	char text[sizeof c->text];

	/* TLS would not help against the others. */
	if (c->verdict.reason != PINFAST_REASON_NOT_VERIFIED &&
	    c->verdict.reason != PINFAST_REASON_NO_CERTIFICATE)
		return;
	snprintf(text, sizeof text,
	    "denied %s:%u: the policy asks something of this host, and there "
	    "is no TLS in this %s: transfer; use a URL that has it, or give "
	    "the host `mode: off`",
	    target->host, (unsigned)target->port, target->scheme);
	pf_curl_say(c, c->verdict, text);
}

int
pf_curl_may_go_in_clear(struct pinfast_curl *c,
    const struct pf_curl_target *target)
{
	struct pinfast_conn *conn = new_conn(c, target);
	int may =
	    conn != NULL &&
	    pinfast_judge_delegated(conn, PINFAST_DELEGATED_NO_TLS).decision ==
	        PINFAST_ALLOW;

	pinfast_conn_drop(conn);
	return may;
}

/* ---------------------------------------------------------- in a handshake */

static void
take_told(struct pinfast_curl *c, const struct pinfast_conn *conn)
{
	struct pinfast_verdict verdict = pinfast_conn_verdict(conn);

	/* A go-ahead is given with the request, not before. */
	if (verdict.decision != PINFAST_ALLOW)
		pf_curl_note(c, verdict, conn);
}

static void
told(void *arg, const struct pinfast_conn *conn)
{
	pf_curl_known_call((uintptr_t)arg, take_told, conn);
}

/* Tells the adapter for whom the connections of ctx are. */
static enum pinfast_error
expect_hosts(struct pinfast_curl *c, const CURL *easy, void *ctx,
    const struct pf_curl_target *target, struct pinfast_diag *diag)
{
	struct pf_expected hosts[2];
	struct pf_expecting what = {hosts, 1, told, NULL};
	enum pinfast_error error = c->adapter->init(ctx, c->policy, diag);

	if (error != PINFAST_OK)
		return error;
	what.arg = (void *)c->id;
	hosts[0].host = target->host;
	hosts[0].port = target->port;
	if (c->proxy.named && easy == c->easy) {
		hosts[1].host = c->proxy.host;
		hosts[1].port = c->proxy.port;
		what.count = 2;
	}
	return c->adapter->expect(ctx, &what, diag);
}

/* A connection that nobody judges, and an event that says so. */
static void
refuse_connection(struct pinfast_curl *c, const struct pf_curl_target *target,
    const char *why)
{
	if (target->host[0] != '\0')
		pinfast_conn_free(new_conn(c, target));
	pf_curl_say(c, pf_not_judged(), why);
}

/* A new connection of easy, which is the handle or one that asks a DoH server
 * for it. */
static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct pinfast_curl *c = arg;
	struct pf_curl_target target = {.kind = PF_CURL_NONE};
	struct pinfast_diag diag = {.text = "out of memory"};
	CURLcode code = CURLE_OK;

	if (c->next.ssl_ctx != NULL)
		code = c->next.ssl_ctx(easy, ctx, c->next.ssl_ctx_data);
	if (code != CURLE_OK)
		return code;
	c->error =
	    c->running ? pf_curl_target(c, easy, &target) : PINFAST_EUSAGE;
	if (c->error == PINFAST_OK)
		c->error = expect_hosts(c, easy, ctx, &target, &diag);
	if (c->error == PINFAST_OK)
		return CURLE_OK;
	if (!c->running)
		pf_curl_say(c, pf_not_judged(), unprepared);
	else if (c->error == PINFAST_EHOST)
		pf_curl_say(c, pf_not_judged(), no_host);
	else
		refuse_connection(c, &target, diag.text);
	return CURLE_ABORTED_BY_CALLBACK;
}

/* -------------------------------------------------------- before a request */

/* The TLS of the connection that is in use; NULL: none, or somebody else's. */
static void *
tls_of(const struct pinfast_curl *c)
{
	struct curl_tlssessioninfo *info = NULL;

	if (c->f.easy_getinfo(c->easy, CURLINFO_TLS_SSL_PTR, &info) !=
	        CURLE_OK ||
	    info == NULL)
		return NULL;
	return info->internals;
}

static long
number(const struct pinfast_curl *c, CURLINFO which)
{
	long value = -1;

	if (c->f.easy_getinfo(c->easy, which, &value) != CURLE_OK)
		return -1;
	return value;
}

static struct pinfast_verdict
ask_adapter(struct pinfast_curl *c, void *tls,
    const struct pf_curl_target *target)
{
	const struct pinfast_conn *conn = c->adapter->conn(tls);
	struct pinfast_verdict verdict;

	/* A handle with another policy may have made it, in a shared pool. */
	if (conn != NULL && conn->policy != c->policy)
		return pf_curl_say(c, pf_not_judged(),
		    "this connection was judged by another policy: let handles "
		    "of one policy alone share connections");
	verdict = target == NULL
	              ? c->adapter->result(tls)
	              : c->adapter->recheck(tls, target->host, target->port);
	c->verdict = verdict;
	(void)c->adapter->explain(tls, c->text, sizeof c->text);
	return verdict;
}

/* Under GnuTLS nobody keeps what was judged of a connection but we. */
static struct pinfast_verdict
judge_late(struct pinfast_curl *c, void *tls,
    const struct pf_curl_target *target)
{
	long port = number(c, CURLINFO_LOCAL_PORT);
	struct pinfast_verdict verdict;
	/* Sockets that are files have no port: nothing tells them apart. */
	int again = c->conn != NULL && c->tls == tls && port > 0 &&
	            c->local_port == port &&
	            number(c, CURLINFO_NUM_CONNECTS) == 0 &&
	            pf_curl_target_same(&c->judged, target);

	if (again) {
		verdict =
		    pinfast_conn_recheck(c->conn, NULL, 0, pf_clock_now(), 1);
		if (verdict.reason != PINFAST_REASON_TAG_INCOMPLETE) {
			pf_curl_note(c, verdict, c->conn);
			return verdict;
		}
	}
	pinfast_conn_free(c->conn);
	c->conn = new_conn(c, target);
	if (c->conn == NULL)
		return pf_curl_say(c, pf_not_judged(), "out of memory");
	if (again)
		pinfast_conn_again(c->conn);
	c->tls = tls;
	c->local_port = port;
	c->judged = *target;
	verdict = c->adapter->judge(tls, c->conn, target->host);
	if (verdict.decision != PINFAST_ALLOW &&
	    verdict.reason == PINFAST_REASON_NOT_JUDGED)
		verdict = pinfast_judge_failed(c->conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	(void)verdict;
	verdict = pinfast_conn_settle(c->conn);
	pf_curl_note(c, verdict, c->conn);
	return verdict;
}

static void
ignore_pin(void *arg, const uint8_t pin[PINFAST_PIN_LEN])
{
	(void)arg, (void)pin;
}

/* A redirect has led elsewhere: that was verified as what was prepared for,
 * but the keys were another's.  Enough where no key is asked for. */
static struct pinfast_verdict
judge_elsewhere(struct pinfast_curl *c, const struct pf_curl_target *target)
{
	struct pinfast_conn *conn = new_conn(c, target);
	enum pinfast_delegated found = PINFAST_DELEGATED_NOT;
	struct pinfast_verdict verdict;

	if (conn == NULL)
		return pf_curl_say(c, pf_not_judged(), "out of memory");
	if (c->verifies && target->kind == PF_CURL_LATE &&
	    pinfast_conn_leaf_pins(conn, ignore_pin, NULL) == 0)
		found = PINFAST_DELEGATED_YES;
	verdict = pinfast_judge_delegated(conn, found);
	pf_curl_note(c, verdict, conn);
	pinfast_conn_free(conn);
	return verdict;
}

/* libcurl has verified the peer, and compared its key when it was told to. */
static struct pinfast_verdict
judge_told(struct pinfast_curl *c, const struct pf_curl_target *target)
{
	struct pinfast_conn *conn = c->asked;
	struct pinfast_verdict verdict;

	if (!pf_curl_target_same(target, &c->prepared) || conn == NULL)
		return judge_elsewhere(c, target);
	verdict = pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES);
	(void)verdict;
	verdict = pinfast_conn_settle(conn);
	pf_curl_note(c, verdict, conn);
	return verdict;
}

/* Another request of the same transfer: nothing was compared anew. */
static struct pinfast_verdict
judge_told_again(struct pinfast_curl *c, const struct pf_curl_target *target)
{
	uint8_t then[32], now[32];
	struct pinfast_conn *conn;

	if (!c->told || c->verdict.decision != PINFAST_ALLOW ||
	    !pf_curl_target_same(target, &c->prepared))
		return judge_told(c, target);
	conn = new_conn(c, target);
	if (conn == NULL)
		return pf_curl_say(c, pf_not_judged(), "out of memory");
	memcpy(then, c->terms, sizeof then);
	(void)pinfast_conn_terms(conn, now);
	pinfast_conn_drop(conn);
	if (memcmp(then, now, sizeof now) == 0)
		return c->verdict;
	return judge_delegated(c, target, PINFAST_DELEGATED_NOT);
}

/* The proxy was compared, too, when it was named. */
static struct pinfast_verdict
judge_proxy(struct pinfast_curl *c, struct pinfast_verdict verdict)
{
	struct pinfast_conn *conn = c->proxy_asked;

	if (conn == NULL || verdict.decision != PINFAST_ALLOW)
		return verdict;
	c->proxy_asked = NULL;
	if (number(c, CURLINFO_NUM_CONNECTS) == 0)
		pinfast_conn_again(conn);
	if (pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES).decision !=
	    PINFAST_ALLOW) {
		verdict = pinfast_conn_verdict(conn);
		pf_curl_note(c, verdict, conn);
	}
	pinfast_conn_free(conn);
	return verdict;
}

static struct pinfast_verdict
judge_tls(struct pinfast_curl *c, void *tls,
    const struct pf_curl_target *target)
{
	struct pinfast_verdict verdict;

	if (c->in_handshake)
		return ask_adapter(c, tls, target);
	if (c->adapter != NULL && target->kind == PF_CURL_LATE)
		verdict = judge_late(c, tls, target);
	else
		verdict = judge_told_again(c, target);
	c->told = 1;
	return judge_proxy(c, verdict);
}

/* Without TLS to the origin; there may be some to its proxy. */
static struct pinfast_verdict
judge_clear(struct pinfast_curl *c, void *tls,
    const struct pf_curl_target *target)
{
	struct pinfast_verdict verdict;

	verdict = judge_delegated(c, target, PINFAST_DELEGATED_NO_TLS);
	if (verdict.decision != PINFAST_ALLOW) {
		pf_curl_note_clear(c, target);
		return verdict;
	}
	if (c->in_handshake && tls != NULL)
		return ask_adapter(c, tls, NULL);
	return judge_proxy(c, verdict);
}

/* FTP by way of an HTTP proxy is HTTP: login and all are for the proxy to read,
 * and from there on in clear, whatever TLS leads to it. */
static int
is_in_clear(const struct pinfast_curl *c, const struct pf_curl_target *target)
{
	char *scheme = NULL;

	if (target->kind == PF_CURL_CLEAR)
		return 1;
	return c->f.easy_getinfo(c->easy, CURLINFO_SCHEME, &scheme) ==
	           CURLE_OK &&
	       scheme != NULL && strcasecmp(scheme, "http") == 0;
}

static struct pinfast_verdict
judge_request(struct pinfast_curl *c, int peer_port, int local_port)
{
	struct pf_curl_target target;
	void *tls;

	if (!c->running || c->refused ||
	    number(c, CURLINFO_PRIMARY_PORT) != peer_port ||
	    number(c, CURLINFO_LOCAL_PORT) != local_port)
		return pf_curl_say(c, pf_not_judged(), unprepared);
	if (pf_curl_target(c, c->easy, &target) != PINFAST_OK)
		return pf_curl_say(c, pf_not_judged(), no_host);
	if (target.kind == PF_CURL_NONE)
		return pf_curl_say(c, pf_not_judged(),
		    "a file: URL meets nobody who could be judged: use a "
		    "handle that is not pinned for it");
	tls = tls_of(c);
	if (is_in_clear(c, &target) ||
	    (tls == NULL && target.kind == PF_CURL_EARLY))
		return judge_clear(c, tls, &target);
	if (tls == NULL && (c->in_handshake || c->adapter != NULL))
		return pf_curl_say(c, pf_not_judged(),
		    "libcurl does not show the TLS of this connection, so that "
		    "nobody can judge it");
	return judge_tls(c, tls, &target);
}

/*
 * libcurl keeps a connection of HTTP/2 that a request was refused on, and the
 * next one would meet the same keys, whoever would answer today.  It is closed
 * when nobody else uses it, and the next transfer of this handle looks for no
 * other one that was kept.
 */
static void
leave(struct pinfast_curl *c)
{
	if (!c->running || c->refused)
		return;
	if (c->f.easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK)
		c->left = 1;
	if (number(c, CURLINFO_NUM_CONNECTS) == 0)
		c->left_kept = 1;
}

static int
on_request(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct pinfast_curl *c = arg;
	struct pinfast_verdict verdict =
	    judge_request(c, peer_port, local_port);

	/* Whatever came before: what is refused stays refused. */
	if (verdict.decision != PINFAST_ALLOW) {
		leave(c);
		return CURL_PREREQFUNC_ABORT;
	}
	if (c->next.prereq == NULL)
		return CURL_PREREQFUNC_OK;
	return c->next.prereq(c->next.prereq_data, peer, local, peer_port,
	    local_port);
}

/* Those that judge. */
static int
take_hooks(struct pinfast_curl *c)
{
	CURL *easy = c->easy;

	if (c->f.easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request) !=
	        CURLE_OK ||
	    c->f.easy_setopt(easy, CURLOPT_PREREQDATA, c) != CURLE_OK)
		return 0;
	if (!c->in_handshake)
		return 1;
	return c->f.easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx) ==
	           CURLE_OK &&
	       c->f.easy_setopt(easy, CURLOPT_SSL_CTX_DATA, c) == CURLE_OK;
}

/* Does today's policy ask the same of this host as when libcurl was told?  Not
 * when there is no memory to ask it. */
static int
asks_the_same(struct pinfast_curl *c, const char *host, uint16_t port,
    const uint8_t terms[32])
{
	struct pinfast_conn *conn;
	uint8_t now[32];

	if (pinfast_conn_new(c->policy, host, port, pf_clock_now(), &conn) !=
	    PINFAST_OK)
		return 0;
	(void)pinfast_conn_terms(conn, now);
	pinfast_conn_drop(conn);
	return memcmp(now, terms, sizeof now) == 0;
}

/*
 * A protocol that logs in early must be the one that was prepared for: who
 * was sent elsewhere by a redirect has been told other keys, or none.  So has
 * who waited until another policy was loaded; but where the judge sits in the
 * handshake, it is enough that there will be one.
 */
static int
is_as_prepared(struct pinfast_curl *c, const struct pf_curl_target *target)
{
	if (target->kind != PF_CURL_EARLY)
		return 1;
	return pf_curl_target_same(target, &c->prepared) &&
	       ((c->in_handshake && c->asks_something && !target->has_no_tls) ||
	           asks_the_same(c, target->host, target->port, c->terms));
}

/* The same of a proxy, which is sent credentials before the request. */
static int
is_proxy_as_prepared(struct pinfast_curl *c)
{
	return c->in_handshake || !c->proxy.named ||
	       asks_the_same(c, c->proxy.host, c->proxy.port, c->proxy_terms);
}

static int
on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	struct pinfast_curl *c = arg;
	struct pf_curl_target target;

	if (!c->running || c->refused)
		return CURL_SOCKOPT_ERROR;
	if (pf_curl_target(c, c->easy, &target) != PINFAST_OK) {
		pf_curl_say(c, pf_not_judged(), no_host);
		return CURL_SOCKOPT_ERROR;
	}
	if (!is_as_prepared(c, &target)) {
		pf_curl_deny(c, &target, PINFAST_DELEGATED_NOT);
		return CURL_SOCKOPT_ERROR;
	}
	if (!is_proxy_as_prepared(c)) {
		pf_curl_deny_peer(c, c->proxy.host, c->proxy.port);
		return CURL_SOCKOPT_ERROR;
	}
	/* Whoever took their place since the transfer was prepared. */
	if (!take_hooks(c)) {
		pf_curl_say(c, pf_not_judged(),
		    "libcurl would not take the callbacks");
		return CURL_SOCKOPT_ERROR;
	}
	if (c->next.sockopt == NULL)
		return CURL_SOCKOPT_OK;
	return c->next.sockopt(c->next.sockopt_data, fd, purpose);
}

int
pf_curl_hook(struct pinfast_curl *c)
{
	CURL *easy = c->easy;

	if (!take_hooks(c) ||
	    c->f.easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) !=
	        CURLE_OK ||
	    c->f.easy_setopt(easy, CURLOPT_SOCKOPTDATA, c) != CURLE_OK)
		return 0;
	/* They lead elsewhere than the URL that libcurl shows us. */
	return c->f.easy_setopt(easy, CURLOPT_CURLU, NULL) == CURLE_OK &&
	       c->f.easy_setopt(easy, CURLOPT_PORT, 0L) == CURLE_OK;
}
