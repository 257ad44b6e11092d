/* A transfer that ended before anything was judged, or because of a peer that
 * came later: what libcurl says of it, in the judge's words.  Nothing here lets
 * anybody in. */
#include "adapt/curl/curl.h"

#include "os/file.h"

static int
is_about_a_peer(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_ISSUER_ERROR ||
	       code == CURLE_SSL_INVALIDCERTSTATUS ||
	       code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;
}

/* Has the proxy opened the way to the origin? */
static int
is_beyond_proxy(const struct pinfast_curl *c)
{
	long code = 0;

	return c->f.easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &code) ==
	           CURLE_OK &&
	       code >= 200 && code < 300;
}

/* What libcurl's complaint means for this one. */
static void
judge_complaint(struct pinfast_curl *c, struct pinfast_conn *conn,
    CURLcode code)
{
	struct pinfast_verdict verdict;

	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		verdict =
		    pinfast_judge_delegated(conn, PINFAST_DELEGATED_OTHER);
	else
		verdict = pinfast_judge_failed(conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	(void)verdict;
	pf_curl_note(c, pinfast_conn_settle(conn), conn);
}

/* Another connection of a transfer of which one was judged before: where a
 * redirect leads, or FTP's second one. */
static void
judge_complaint_anew(struct pinfast_curl *c,
    const struct pf_curl_target *target, CURLcode code)
{
	struct pinfast_conn *conn;

	if (pinfast_conn_new(c->policy, target->host, target->port,
	        pf_clock_now(), &conn) != PINFAST_OK) {
		(void)pf_curl_say(c, pf_not_judged(), "out of memory");
		return;
	}
	judge_complaint(c, conn, code);
	pinfast_conn_free(conn);
}

/* The peer that libcurl complains of. */
static void
conclude_peer(struct pinfast_curl *c, CURLcode code)
{
	struct pf_curl_target target;
	int is_pin = code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;

	if (pf_curl_target(c, c->easy, &target) != PINFAST_OK)
		return;
	if (c->proxy_asked != NULL && !is_beyond_proxy(c))
		judge_complaint(c, c->proxy_asked, code);
	else if (is_pin &&
	         (!c->compared || !pf_curl_target_same(&target, &c->prepared)))
		/* A redirect, or a proxy that was not named. */
		pf_curl_deny(c, &target, PINFAST_DELEGATED_NOT);
	else if (c->verdict.decision == PINFAST_ALLOW ||
	         !pf_curl_target_same(&target, &c->prepared))
		judge_complaint_anew(c, &target, code);
	else
		judge_complaint(c, c->asked, code);
}

void
pf_curl_conclude(struct pinfast_curl *c, CURLcode code)
{
	struct pinfast_conn *conn = c->asked;

	if (c->in_handshake || conn == NULL)
		return;
	if (is_about_a_peer(code)) {
		conclude_peer(c, code);
	} else if (code == CURLE_SSL_CONNECT_ERROR &&
	           c->verdict.decision != PINFAST_ALLOW) {
		/* Nobody came as far as certificates; the event says that. */
		c->asked = NULL;
		pf_curl_note(c, pinfast_conn_settle(conn), conn);
		pinfast_conn_free(conn);
	}
}
