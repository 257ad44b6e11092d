#include "adapt/curl/curl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *scheme;
	enum pf_curl_kind kind;
} kinds[] = {{"https", PF_CURL_LATE}, {"wss", PF_CURL_LATE},
    {"gophers", PF_CURL_LATE}, {"http", PF_CURL_CLEAR}, {"ws", PF_CURL_CLEAR},
    {"gopher", PF_CURL_CLEAR}, {"imap", PF_CURL_EARLY},
    {"imaps", PF_CURL_EARLY}, {"pop3", PF_CURL_EARLY}, {"pop3s", PF_CURL_EARLY},
    {"smtp", PF_CURL_EARLY}, {"smtps", PF_CURL_EARLY}, {"ftp", PF_CURL_EARLY},
    {"ftps", PF_CURL_EARLY}, {"ldap", PF_CURL_EARLY}, {"ldaps", PF_CURL_EARLY},
    {"smbs", PF_CURL_EARLY}, {"mqtts", PF_CURL_LATE}, {"file", PF_CURL_NONE}};

static void
set_kind(struct pf_curl_target *out)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcasecmp(out->scheme, kinds[i].scheme) != 0)
			continue;
		out->kind = kinds[i].kind;
		return;
	}
	/* Whatever it may be (sftp, smb), it is no TLS that could be judged,
	 * and it may log in while it connects. */
	out->kind = PF_CURL_EARLY;
	out->has_no_tls = 1;
}

/*
 * The host as the application has written it.  libcurl makes 127.0.0.1 of
 * 127.1 and a letter of %61; the policy is asked about what it can have, so a
 * host that is written otherwise is no host.
 */
static enum pinfast_error
written_host(const char *url, char out[PINFAST_HOST_LEN])
{
	char copy[PINFAST_HOST_LEN + 8];
	const char *at = strstr(url, "://");
	const char *host, *end, *user;
	size_t len;

	/* A query may hold another URL. */
	at = at == NULL || at + 1 != url + strcspn(url, "/?#") ? url : at + 3;
	end = at + strcspn(at, "/?#");
	host = at;
	for (user = at; user < end; user++)
		if (*user == '@')
			host = user + 1;
	if (host < end && *host == '[') {
		const char *close = memchr(host, ']', (size_t)(end - host));

		end = close == NULL ? end : close + 1;
	} else {
		const char *colon = memchr(host, ':', (size_t)(end - host));

		end = colon == NULL ? end : colon;
	}
	len = (size_t)(end - host);
	if (len == 0 || len >= sizeof copy)
		return PINFAST_EHOST;
	memcpy(copy, host, len);
	copy[len] = '\0';
	return pinfast_host_canonical(copy, out);
}

/* One part of a URL; NULL: it has none.  For f.free(). */
static char *
part(const struct pinfast_curl *c, CURLU *url, CURLUPart which, unsigned flags)
{
	char *text = NULL;

	return c->f.url_get(url, which, &text, flags) == CURLUE_OK ? text
	                                                           : NULL;
}

static enum pinfast_error
read_parts(const struct pinfast_curl *c, CURLU *url, const char *text,
    struct pf_curl_target *out)
{
	char *scheme = part(c, url, CURLUPART_SCHEME, 0);
	char *host = part(c, url, CURLUPART_HOST, 0);
	char *port = part(c, url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	char name[PINFAST_HOST_LEN];
	enum pinfast_error error = PINFAST_OK;

	memset(out, 0, sizeof *out);
	if (scheme != NULL && strlen(scheme) < sizeof out->scheme)
		memcpy(out->scheme, scheme, strlen(scheme) + 1);
	set_kind(out);
	out->is_ldap = strncasecmp(out->scheme, "ldap", 4) == 0;
	out->port = port == NULL ? 0 : (uint16_t)atoi(port);
	/* Both readings must be the same host. */
	if (out->kind != PF_CURL_NONE &&
	    (host == NULL || written_host(text, out->host) != PINFAST_OK ||
	        pinfast_host_canonical(host, name) != PINFAST_OK ||
	        strcmp(name, out->host) != 0))
		error = PINFAST_EHOST;
	out->is_address = (uint8_t)pf_is_address(out->host);
	out->is_respelled =
	    host != NULL && host[0] != '\0' &&
	    (host[strlen(host) - 1] == '.' ||
	        (host[0] == '[' && strchr(out->host, ':') == NULL));
	c->f.free(scheme);
	c->f.free(host);
	c->f.free(port);
	return error;
}

enum pinfast_error
pf_curl_target_of(const struct pinfast_curl *c, const char *text,
    struct pf_curl_target *out)
{
	CURLU *url = c->f.url_new();
	enum pinfast_error error = PINFAST_EHOST;

	if (url == NULL)
		return PINFAST_ENOMEM;
	if (c->f.url_set(url, CURLUPART_URL, text,
	        CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		error = read_parts(c, url, text, out);
	c->f.url_cleanup(url);
	return error;
}

enum pinfast_error
pf_curl_target(const struct pinfast_curl *c, CURL *easy,
    struct pf_curl_target *out)
{
	char *url = NULL;

	if (c->f.easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url) != CURLE_OK ||
	    url == NULL || *url == '\0')
		return PINFAST_EUSAGE;
	return pf_curl_target_of(c, url, out);
}

int
pf_curl_target_same(const struct pf_curl_target *a,
    const struct pf_curl_target *b)
{
	return a->kind == b->kind && a->port == b->port &&
	       strcasecmp(a->scheme, b->scheme) == 0 &&
	       strcmp(a->host, b->host) == 0;
}
