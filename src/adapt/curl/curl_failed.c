/* A transfer that ended before anything was judged: what libcurl says of the
 * peer, in the judge's words.  Nothing here lets anybody in. */
#include "adapt/curl/curl.h"

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

void
pf_curl_conclude(struct pinfast_curl *c, CURLcode code)
{
	struct pf_curl_target target;
	struct pinfast_verdict verdict;
	struct pinfast_conn *conn = c->asked;

	if (c->in_handshake || conn == NULL)
		return;
	/* Nobody came as far as certificates; the event says that. */
	if (code == CURLE_SSL_CONNECT_ERROR) {
		c->asked = NULL;
		pf_curl_note(c, pinfast_conn_settle(conn), conn);
		pinfast_conn_free(conn);
		return;
	}
	if (!is_about_a_peer(code) ||
	    pf_curl_target(c, c->easy, &target) != PINFAST_OK)
		return;
	if (c->proxy_asked != NULL && !is_beyond_proxy(c)) {
		conn = c->proxy_asked;
	} else if (!pf_curl_target_same(&target, &c->prepared) ||
	           (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH && !c->compared)) {
		/* A redirect, or a proxy that was not named. */
		pf_curl_deny(c, &target, PINFAST_DELEGATED_NOT);
		return;
	}
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		verdict =
		    pinfast_judge_delegated(conn, PINFAST_DELEGATED_OTHER);
	else
		verdict = pinfast_judge_failed(conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	(void)verdict;
	pf_curl_note(c, pinfast_conn_settle(conn), conn);
}
