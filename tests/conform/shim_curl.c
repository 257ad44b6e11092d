/*
 * libpinfast-curl for the conformance table: one source, one program for each
 * flavour of libcurl.  An application that knows no TLS library, but for what
 * it does with the SSL_CTX that libcurl under OpenSSL shows it.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sha256.h"
#include "pinfast-curl.h"
#include "shim_run.h"

/* A handle with what belongs to it. */
struct client {
	CURL *easy;
	struct pinfast_curl *pins;
	struct curl_slist *hosts;
	int port;    /* where everything goes */
	int sockets; /* opened for this request */
	int unit;    /* bytes of its last HTTP request */
	void *ctx;   /* the last SSL_CTX */
	const struct shim_request *request;
};

static int hash_broken;

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

/* ------------------------------------------------------- libssl, if it is
 * there
 */

#define NO_TICKET (1U << 14) /* SSL_OP_NO_TICKET */

typedef int (*verify_fn)(int ok, void *store);

static void *
function(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

static int
on_verify(int ok, void *store)
{
	void (*set_error)(void *, int);
	int said = shim_user_verify(ok);

	/* Who forgives says so, or libcurl finds the error by itself. */
	*(void **)&set_error = function("X509_STORE_CTX_set_error");
	if (said && !ok)
		set_error(store, 0);
	return said;
}

static int
yes_to_all(void *store, void *arg)
{
	(void)store, (void)arg;
	return 1;
}

static unsigned
on_psk(void *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *psk, unsigned max_psk)
{
	(void)ssl, (void)hint;
	if (max_psk < 16)
		return 0;
	snprintf(identity, max_identity, "pinfast");
	memset(psk, 0x5a, 16);
	return 16;
}

/* The application's own CURLOPT_SSL_CTX_FUNCTION. */
static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct client *client = arg;
	void (*set_verify)(void *, int, verify_fn);
	int (*get_mode)(const void *);
	uint64_t (*clear_options)(void *, uint64_t);
	void (*set_psk)(void *, unsigned (*)(void *, const char *, char *,
	                            unsigned, unsigned char *, unsigned));

	(void)easy;
	client->ctx = ctx;
	*(void **)&set_verify = function("SSL_CTX_set_verify");
	*(void **)&get_mode = function("SSL_CTX_get_verify_mode");
	*(void **)&set_psk = function("SSL_CTX_set_psk_client_callback");
	/* libcurl lets TLS 1.2 resume by session ids alone. */
	*(void **)&clear_options = function("SSL_CTX_clear_options");
	clear_options(ctx, NO_TICKET);
	if (shim_user_has())
		set_verify(ctx, get_mode(ctx), on_verify);
	if (shim_int(client->request, "psk", 0))
		set_psk(ctx, on_psk);
	return CURLE_OK;
}

/* Sees what libcurl says: how long the request is, and when the handshake goes
 * on, so that another callback takes our place. */
static int
on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	struct client *client = arg;
	void (*set_callback)(void *, int (*)(void *, void *), void *);

	(void)easy;
	if (type == CURLINFO_HEADER_OUT && size > 4 &&
	    memcmp(data, "GET ", 4) == 0)
		client->unit = (int)size;
	if (client->ctx == NULL ||
	    !shim_has(client->request, "hook", "overwrite"))
		return 0;
	*(void **)&set_callback = function("SSL_CTX_set_cert_verify_callback");
	set_callback(client->ctx, yes_to_all, NULL);
	client->ctx = NULL;
	return 0;
}

/* ----------------------------------------------------------------- handles */

/* Whatever the name and the port: the peer is here. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct client *client = arg;
	struct sockaddr_in *v4 = (void *)&to->addr;

	(void)purpose;
	client->sockets++;
	to->family = AF_INET;
	to->addrlen = sizeof *v4;
	memset(v4, 0, sizeof *v4);
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)client->port);
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return socket(AF_INET, to->socktype, to->protocol);
}

static size_t
ignore(char *data, size_t size, size_t count, void *arg)
{
	(void)data, (void)arg;
	return size * count;
}

static void
client_free(void *what)
{
	struct client *client = what;

	curl_easy_cleanup(client->easy);
	pinfast_curl_free(client->pins);
	curl_slist_free_all(client->hosts);
	free(client);
}

static struct client *
client_new(struct pinfast *policy, struct shim_answer *answer)
{
	struct client *client = calloc(1, sizeof *client);
	struct pinfast_curl_next next = {0};
	struct pinfast_diag diag = {0};
	enum pinfast_error error;

	if (client == NULL || (client->easy = curl_easy_init()) == NULL)
		abort();
	next.ssl_ctx = on_ssl_ctx;
	next.ssl_ctx_data = client;
	error = pinfast_curl_attach(client->easy, policy, &next, &diag,
	    &client->pins);
	if (error != PINFAST_OK) {
		answer->attach = shim_error_name(error);
		snprintf(answer->error, sizeof answer->error, "%.280s",
		    diag.text);
		client_free(client);
		return NULL;
	}
	return client;
}

/* A host as it stands in a URL. */
static void
write_url(const struct shim_request *r, char *out, size_t size)
{
	const char *name = shim_get(r, "name", "");
	const char *at = strchr(name, '@');
	int port = shim_int(r, "nameport", 443);

	if (strchr(name, ':') != NULL)
		snprintf(out, size, "https://[%s]:%d/", name, port);
	else if (at != NULL)
		snprintf(out, size, "https://%.*s%%40%s:%d/", (int)(at - name),
		    name, at + 1, port);
	else
		snprintf(out, size, "https://%s:%d/", name, port);
}

static void
set_proxy(struct client *client, const struct shim_request *r, long version)
{
	const char *name = shim_get(r, "proxy", NULL);
	char url[400];

	if (name == NULL) {
		curl_easy_setopt(client->easy, CURLOPT_PROXY, "");
		return;
	}
	snprintf(url, sizeof url, "https://%s:3128", name);
	curl_easy_setopt(client->easy, CURLOPT_PROXY, url);
	curl_easy_setopt(client->easy, CURLOPT_PROXY_SSLVERSION, version);
	curl_easy_setopt(client->easy, CURLOPT_PROXY_CAINFO,
	    shim_get(r, "trust", NULL));
	if (pinfast_curl_proxy(client->pins, name, 3128) != PINFAST_OK)
		abort();
}

static void
set_options(struct client *client, const struct shim_request *r)
{
	CURL *easy = client->easy;
	long version =
	    strcmp(shim_get(r, "tls", "1.3"), "1.2") == 0
	        ? CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2
	        : CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3;
	long verified = strcmp(shim_get(r, "verify", "on"), "off") != 0;
	char url[600];

	write_url(r, url, sizeof url);
	client->request = r;
	client->port = shim_int(r, "port", 0);
	client->sockets = 0;
	client->ctx = NULL;
	if (client->hosts == NULL)
		client->hosts =
		    curl_slist_append(curl_slist_append(curl_slist_append(NULL,
		                                            "*:443:127.0.0.1"),
		                          "*:8443:127.0.0.1"),
		        "*:3128:127.0.0.1");
	curl_easy_setopt(easy, CURLOPT_RESOLVE, client->hosts);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, client);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(easy, CURLOPT_CAINFO, shim_get(r, "trust", NULL));
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, 8L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, version);
	curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verified);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
	if (shim_has(r, "ciphers", "any"))
		curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST,
		    "ALL:@SECLEVEL=0");
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, client);
	set_proxy(client, r, version);
}

/* ---------------------------------------------------------------- requests */

/* One transfer; last: its connection is not kept. */
static void
transfer(struct client *client, int last, struct shim_answer *answer)
{
	enum pinfast_error error;
	CURLcode code;

	curl_easy_setopt(client->easy, CURLOPT_FORBID_REUSE, (long)last);
	code = pinfast_curl_perform(client->pins);
	error = pinfast_curl_error(client->pins);
	if (error != PINFAST_OK)
		answer->attach = shim_error_name(error);
	answer->verdict = pinfast_curl_result(client->pins);
	pinfast_curl_explain(client->pins, answer->explain,
	    sizeof answer->explain);
	if (code == CURLE_OK) {
		answer->unit = client->unit;
		answer->sent += client->unit;
		answer->hs = 1;
	}
	snprintf(answer->error, sizeof answer->error, "%d %s", code,
	    curl_easy_strerror(code));
}

/* What libcurl has no words for is not asked of it: such a transfer has no
 * URL. */
static int
is_sayable(const struct shim_request *r)
{
	return (shim_get(r, "how", NULL) == NULL ||
	           shim_has(r, "how", "explicit")) &&
	       shim_get(r, "sni", NULL) == NULL &&
	       shim_get(r, "rehost", NULL) == NULL &&
	       shim_get(r, "late", NULL) == NULL && !shim_int(r, "starttls", 0);
}

static struct client *
client_of(const struct shim_request *r, struct pinfast *policy,
    struct shim_answer *answer, int *is_kept)
{
	const char *name = shim_get(r, "use", NULL);
	struct client *client = name == NULL ? NULL : shim_kept(name);

	*is_kept = client != NULL;
	return client != NULL ? client : client_new(policy, answer);
}

static void
work(struct client *client, const struct shim_request *r,
    struct shim_answer *answer)
{
	const char *store = shim_get(r, "recheck", NULL);

	set_options(client, r);
	if (!is_sayable(r))
		curl_easy_setopt(client->easy, CURLOPT_URL, NULL);
	hash_broken = shim_has(r, "hash", "breaks");
	transfer(client, store == NULL, answer);
	hash_broken = 0;
	if (store == NULL || answer->verdict.decision != PINFAST_ALLOW)
		return;
	answer->rechecked = 1;
	answer->first = answer->verdict;
	if (shim_reload(r, store, answer) == 0)
		transfer(client, 1, answer);
}

static void
do_connect(const struct shim_request *r, struct shim_answer *answer)
{
	struct pinfast *policy = shim_policy(r, answer);
	const char *save = shim_get(r, "save", NULL);
	struct client *client;
	int is_kept, fd;

	if (policy == NULL)
		return;
	shim_clock(shim_int(r, "clock", 0));
	if (shim_get(r, "hash", NULL) != NULL &&
	    pinfast_use_sha256(policy, breaking_sha256, NULL) != PINFAST_OK)
		abort();
	client = client_of(r, policy, answer, &is_kept);
	if (client == NULL)
		return;
	work(client, r, answer);
	/* The peer waits for somebody. */
	if (client->sockets == 0) {
		fd = shim_connect("127.0.0.1", client->port);
		if (fd >= 0)
			close(fd);
	}
	if (save != NULL) {
		shim_keep(save, client, client_free);
	} else if (!is_kept) {
		client_free(client);
	} else {
		/* Its connections end, and its sessions have been used. */
		curl_easy_cleanup(client->easy);
		client->easy = NULL;
	}
}

int
main(void)
{
	curl_global_init(CURL_GLOBAL_ALL);
	return shim_lines(do_connect);
}
