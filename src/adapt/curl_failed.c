/* A transfer that ended before anything was judged: what libcurl says of the
 * peer, in the judge's words.  Nothing here lets anybody in. */
#include "adapt/curl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/pem.h"
#include "core/spki.h"
#include "os/file.h"

/* The first certificate that the peer sent, as libcurl shows it, in text. */
static const char *
leaf_text(const struct pinfast_curl *c)
{
	struct curl_certinfo *info = NULL;

	if (c->f.easy_getinfo(c->easy, CURLINFO_CERTINFO, &info) != CURLE_OK ||
	    info == NULL || info->num_of_certs < 1)
		return NULL;
	for (const struct curl_slist *l = info->certinfo[0]; l != NULL;
	     l = l->next)
		if (strncasecmp(l->data, "Cert:", 5) == 0)
			return l->data + 5;
	return NULL;
}

/* It was refused anyway, and a refusal may take the first reading. */
static int
get_leaf(void *arg, size_t index, struct pinfast_cert *out)
{
	const struct pinfast_bytes *der = arg;
	struct pf_cert walked;

	(void)index;
	memset(out, 0, sizeof *out);
	out->der = *der;
	if (pf_cert_walk(*der, &walked, NULL) == PINFAST_OK)
		out->key_spki = walked.key.spki;
	return 0;
}

/* Keys that are sure to be refused are refused for that reason. */
static struct pinfast_verdict
judge_failed(struct pinfast_conn *conn, struct pinfast_bytes der)
{
	struct pinfast_path path = {1, &der, get_leaf, NULL, NULL, NULL};
	struct pinfast_cert leaf;

	if (der.len > 0 && pinfast_judge_before(conn, &path))
		return pinfast_conn_verdict(conn);
	(void)get_leaf(&der, 0, &leaf);
	/* Where the key replaces PKIX it was compared, and was not refused. */
	if (der.len > 0 && pinfast_conn_needs(conn) != PINFAST_NEED_LEAF_ONLY)
		return pinfast_judge_failed(conn, &leaf,
		    PINFAST_REASON_PKIX_FAILED);
	return pinfast_judge_failed(conn, NULL, PINFAST_REASON_PKIX_FAILED);
}

static struct pinfast_verdict
judge_shown(struct pinfast_curl *c, struct pinfast_conn *conn)
{
	const char *text = leaf_text(c);
	struct pinfast_bytes pem, der = {NULL, 0};
	struct pf_pem block;
	struct pinfast_verdict verdict;
	uint8_t *bytes = NULL;
	size_t at = 0;

	pem.data = (const uint8_t *)text;
	pem.len = text == NULL ? 0 : strlen(text);
	if (pem.len > 0)
		bytes = malloc(pem.len);
	if (bytes != NULL &&
	    pf_pem_next(pem, &at, &block, bytes, pem.len) == PINFAST_OK) {
		der.data = bytes;
		der.len = block.len;
	}
	verdict = judge_failed(conn, der);
	free(bytes);
	return verdict;
}

static int
is_about_a_peer(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_CONNECT_ERROR ||
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

	if (c->in_handshake || !is_about_a_peer(code) || conn == NULL ||
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
		verdict = judge_shown(c, conn);
	verdict = pinfast_conn_settle(conn);
	pf_curl_note(c, verdict, conn);
}
