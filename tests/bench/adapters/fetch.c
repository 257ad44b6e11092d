/*
 * One small thing fetched by libcurl: a whole process, for callgrind.
 *
 *   fetch plain|own|pinfast PORT CA PIN STORE
 *
 * own: libcurl's CURLOPT_PINNEDPUBLICKEY; PIN as sha256/BASE64.  pinfast: with
 * the compiled policy STORE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BARE
#include <curl/curl.h>
#else
#include "pinfast-curl.h"
#endif

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static size_t
take(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	*(size_t *)arg += size * count;
	return size * count;
}

static void
pin_own(CURL *easy, const char *pin)
{
	char text[128];

	snprintf(text, sizeof text, "sha256//%s", strchr(pin, '/') + 1);
	if (curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, text) != CURLE_OK)
		die("CURLOPT_PINNEDPUBLICKEY");
}

#ifdef BARE
static CURLcode
fetch_pinned(CURL *easy, const char *store)
{
	(void)easy, (void)store;
	die("built without pinfast");
	return CURLE_NOT_BUILT_IN;
}
#else
static CURLcode
fetch_pinned(CURL *easy, const char *store)
{
	struct pinfast_diag diag = {0};
	struct pinfast_curl *pins;
	struct pinfast *policy;
	CURLcode code;

	if (pinfast_new(NULL, &policy) != PINFAST_OK ||
	    pinfast_load_file(policy, store, &diag) != PINFAST_OK ||
	    pinfast_curl_attach(easy, policy, NULL, &diag, &pins) != PINFAST_OK)
		die(diag.text);
	code = pinfast_curl_perform(pins);
	if (pinfast_curl_result(pins).decision != PINFAST_ALLOW)
		die("denied");
	curl_easy_cleanup(easy);
	pinfast_curl_free(pins);
	pinfast_free(policy);
	return code;
}
#endif

int
main(int argc, char *argv[])
{
	char url[64], resolve[64];
	struct curl_slist *list;
	size_t got = 0;
	CURL *easy;
	CURLcode code;

	if (argc != 6)
		die("usage: see the source");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	easy = curl_easy_init();
	snprintf(url, sizeof url, "https://pin.test:%s/", argv[2]);
	snprintf(resolve, sizeof resolve, "pin.test:%s:127.0.0.1", argv[2]);
	list = curl_slist_append(NULL, resolve);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_RESOLVE, list);
	curl_easy_setopt(easy, CURLOPT_CAINFO, argv[3]);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got);
	if (strcmp(argv[1], "pinfast") == 0) {
		code = fetch_pinned(easy, argv[5]);
	} else {
		if (strcmp(argv[1], "own") == 0)
			pin_own(easy, argv[4]);
		code = curl_easy_perform(easy);
		curl_easy_cleanup(easy);
	}
	curl_slist_free_all(list);
	curl_global_cleanup();
	if (code != CURLE_OK || got != 4)
		die(curl_easy_strerror(code));
	return 0;
}
