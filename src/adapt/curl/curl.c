#include "adapt/curl/curl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/registry.h"

/* TLS libraries that pinfast can look into, by libcurl's names for them. */
static const struct {
	curl_sslbackend backend;
	const char *name;
} backends[] = {
    {CURLSSLBACKEND_OPENSSL, "openssl"}, {CURLSSLBACKEND_GNUTLS, "gnutls"}};

/* Which one is in use; libcurl may have been built with several. */
static const char *
backend_name(const struct pinfast_curl *c)
{
	struct curl_tlssessioninfo *info = NULL;

	if (c->f.easy_getinfo(c->easy, CURLINFO_TLS_SSL_PTR, &info) !=
	        CURLE_OK ||
	    info == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
		if (backends[i].backend == info->backend)
			return backends[i].name;
	return NULL;
}

/*
 * The adapter of libcurl's TLS library, if it calls that very library.
 *
 * returns NULL, or why there is none
 */
static const char *
find_adapter(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	const struct pf_adapter *adapter;
	const char *name = backend_name(c);
	void (*caller)(void) = (void (*)(void))c->f.easy_getinfo;

	if (name == NULL)
		return "libcurl's TLS library is none that pinfast can look "
		       "into (OpenSSL, GnuTLS)";
	if (pf_registry_find(name, diag, &adapter) != PINFAST_OK)
		return diag->text;
	if (adapter->symbol == NULL ||
	    !pf_curl_calls(caller, adapter->symbol, adapter->function))
		return "libcurl has a copy of its TLS library for itself";
	if (adapter->expect != NULL && adapter->init != NULL &&
	    adapter->recheck != NULL)
		c->in_handshake = 1;
	else if (adapter->judge == NULL)
		return "its adapter cannot judge what others connect";
	c->adapter = adapter;
	return NULL;
}

static void
look_for_adapter(struct pinfast_curl *c)
{
	struct pinfast_diag diag = {.text = ""};
	const char *why = find_adapter(c, &diag);

	if (why != NULL)
		snprintf(c->no_adapter, sizeof c->no_adapter, "%.199s", why);
}

enum pinfast_error
pinfast_curl_attach_with(const struct pinfast_curl_use *use,
    struct pinfast *policy, struct pinfast_diag *diag,
    struct pinfast_curl **out)
{
	struct pinfast_curl *c;

	if (use == NULL || use->functions == NULL || use->easy == NULL ||
	    use->functions->size < sizeof c->f || policy == NULL || out == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_curl_attach: no handle, no policy, nowhere to put "
		    "the result, or functions of an older header");
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	c->f = *use->functions;
	c->easy = use->easy;
	c->policy = policy;
	c->verdict = pf_not_judged();
	if (use->next != NULL)
		c->next = *use->next;
	look_for_adapter(c);
	if (!pf_curl_hook(c)) {
		free(c);
		return pf_attached_refuse(diag, PINFAST_EUNSUPPORTED,
		    "this libcurl is older than 7.80, or has no TLS");
	}
	pf_curl_known_add(c);
	*out = c;
	return PINFAST_OK;
}

/* What one transfer has left. */
static void
clear(struct pinfast_curl *c)
{
	pinfast_conn_drop(c->asked);
	pinfast_conn_drop(c->proxy_asked);
	c->asked = NULL;
	c->proxy_asked = NULL;
	c->running = 0;
	c->refused = 0;
	c->delegate = 0;
	c->compared = 0;
	c->told = 0;
	c->error = PINFAST_OK;
	c->verdict = pf_not_judged();
	c->text[0] = '\0';
}

void
pinfast_curl_free(struct pinfast_curl *c)
{
	if (c == NULL)
		return;
	pf_curl_known_remove(c);
	clear(c);
	pinfast_conn_free(c->conn);
	free(c->doh);
	free(c);
}

enum pinfast_error
pinfast_curl_proxy(struct pinfast_curl *c, const char *host, uint16_t port)
{
	char name[PINFAST_HOST_LEN];

	if (c == NULL)
		return PINFAST_EUSAGE;
	c->proxy.named = 0;
	if (host == NULL)
		return PINFAST_OK;
	if (pinfast_host_canonical(host, name) != PINFAST_OK)
		return PINFAST_EHOST;
	memcpy(c->proxy.host, name, sizeof name);
	c->proxy.port = port;
	c->proxy.named = 1;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_curl_doh(struct pinfast_curl *c, const char *url)
{
	struct pf_curl_target target;
	char *copy = NULL;

	if (c == NULL)
		return PINFAST_EUSAGE;
	if (url != NULL) {
		enum pinfast_error error = pf_curl_target_of(c, url, &target);

		if (error != PINFAST_OK)
			return error;
		copy = malloc(strlen(url) + 1);
		if (copy == NULL)
			return PINFAST_ENOMEM;
		memcpy(copy, url, strlen(url) + 1);
	}
	/* What was named before is not left behind. */
	if (copy == NULL && c->doh != NULL &&
	    c->f.easy_setopt(c->easy, CURLOPT_DOH_URL, NULL) != CURLE_OK)
		return PINFAST_ENOMEM;
	free(c->doh);
	c->doh = copy;
	return PINFAST_OK;
}

/* After a refusal the next transfer takes no connection that was kept; what it
 * makes is kept again. */
static void
start_anew(struct pinfast_curl *c)
{
	if (c->left)
		c->left = c->f.easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 0L) !=
		          CURLE_OK;
	if (c->left_kept || c->fresh)
		c->fresh = c->f.easy_setopt(c->easy, CURLOPT_FRESH_CONNECT,
		               (long)c->left_kept) == CURLE_OK &&
		           c->left_kept;
	c->left_kept = 0;
}

enum pinfast_error
pinfast_curl_prepare(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	if (c == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_curl_prepare: this handle was not attached");
	clear(c);
	if (!pf_curl_hook(c))
		return c->error = pf_attached_refuse(diag, PINFAST_EUNSUPPORTED,
		           "libcurl would not take the callbacks: attach "
		           "before the handle is cleaned up, and outside of "
		           "its callbacks");
	start_anew(c);
	c->error = pf_curl_target(c, c->easy, &c->prepared);
	if (c->error == PINFAST_EUSAGE)
		return pf_attached_refuse(diag, c->error,
		    "set CURLOPT_URL (not CURLOPT_CURLU) before the "
		    "transfer is prepared");
	if (c->error == PINFAST_EHOST) {
		c->prepared.host[0] = '\0';
		pf_curl_deny(c, &c->prepared, PINFAST_DELEGATED_NOT);
		return pf_attached_refuse(diag, c->error,
		    "the URL has no valid host name or address, or writes it "
		    "in another way than pinfast-policy(5) reads");
	}
	if (c->error != PINFAST_OK)
		return pf_attached_refuse(diag, c->error, "out of memory");
	if (c->prepared.kind != PF_CURL_NONE)
		c->error = pf_curl_plan(c, diag);
	c->running = c->error == PINFAST_OK;
	return c->error;
}

void
pinfast_curl_done(struct pinfast_curl *c, CURLcode code)
{
	if (c == NULL)
		return;
	if (c->running && (c->verdict.decision == PINFAST_ALLOW ||
	                      (c->verdict.reason == PINFAST_REASON_NOT_JUDGED &&
	                          c->text[0] == '\0')))
		pf_curl_conclude(c, code);
	c->running = 0;
	pinfast_conn_drop(c->asked);
	pinfast_conn_drop(c->proxy_asked);
	c->asked = NULL;
	c->proxy_asked = NULL;
}

CURLcode
pinfast_curl_perform(struct pinfast_curl *c)
{
	CURLcode code;

	if (c == NULL)
		return CURLE_BAD_FUNCTION_ARGUMENT;
	if (pinfast_curl_prepare(c, NULL) != PINFAST_OK)
		return CURLE_ABORTED_BY_CALLBACK;
	code = c->f.easy_perform(c->easy);
	pinfast_curl_done(c, code);
	return code;
}

struct pinfast_verdict
pinfast_curl_result(const struct pinfast_curl *c)
{
	return c == NULL || c->running ? pf_not_judged() : c->verdict;
}

enum pinfast_error
pinfast_curl_error(const struct pinfast_curl *c)
{
	return c == NULL ? PINFAST_EUSAGE : c->error;
}

size_t
pinfast_curl_explain(const struct pinfast_curl *c, char *text, size_t size)
{
	static const char nothing[] = "nothing has judged this transfer";
	const char *all = c == NULL || c->text[0] == '\0' ? nothing : c->text;
	size_t len = strlen(all);

	if (size > 0) {
		size_t fits = len < size ? len : size - 1;

		memcpy(text, all, fits);
		text[fits] = '\0';
	}
	return len;
}

const char *
pinfast_curl_backend(const struct pinfast_curl *c)
{
	return c == NULL || c->adapter == NULL ? "leaf-pins" : c->adapter->name;
}
