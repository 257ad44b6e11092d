/*
 * One transfer of a pinned libcurl handle, for tests that look at what a
 * server received: curl_probe POLICY.store CA-FILE URL [WORD...] prints
 * libcurl's code, the decision, its reason, and what preparing said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinfast-curl.h"

struct probe {
	CURL *easy;
	struct pinfast_curl *pins;
	struct curl_slist *hosts;
};

static size_t
ignore(char *data, size_t size, size_t count, void *arg)
{
	(void)data, (void)arg;
	return size * count;
}

static size_t
give(char *data, size_t size, size_t count, void *arg)
{
	static size_t given;
	static const char all[] = "a file";
	size_t len = sizeof all - 1 - given;

	(void)arg;
	if (len > size * count)
		len = size * count;
	memcpy(data, all + given, len);
	given += len;
	return len;
}

/* What libcurl remembers of servers. */
static void
set_memory(struct probe *p, const char *word, const char *value)
{
	if (strcmp(word, "hsts") == 0) {
		curl_easy_setopt(p->easy, CURLOPT_HSTS_CTRL,
		    (long)CURLHSTS_ENABLE);
		curl_easy_setopt(p->easy, CURLOPT_HSTS, value);
	} else if (strcmp(word, "altsvc") == 0) {
		curl_easy_setopt(p->easy, CURLOPT_ALTSVC_CTRL,
		    (long)CURLALTSVC_H1);
		curl_easy_setopt(p->easy, CURLOPT_ALTSVC, value);
	}
}

/* proxy=URL, named=HOST:PORT, at=HOST:PORT:ADDRESS, and options that an
 * application may have switched off. */
static void
set_word(struct probe *p, char *word)
{
	char *value = strchr(word, '=');
	char *colon;

	if (value != NULL)
		*value++ = '\0';
	set_memory(p, word, value);
	if (strcmp(word, "proxy") == 0)
		curl_easy_setopt(p->easy, CURLOPT_PROXY, value);
	else if (strcmp(word, "at") == 0)
		p->hosts = curl_slist_append(p->hosts, value);
	else if (strcmp(word, "unverified") == 0)
		curl_easy_setopt(p->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	else if (strcmp(word, "unnamed") == 0)
		curl_easy_setopt(p->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	else if (strcmp(word, "doh") == 0)
		curl_easy_setopt(p->easy, CURLOPT_DOH_URL, value);
	else if (strcmp(word, "to") == 0)
		curl_easy_setopt(p->easy, CURLOPT_CONNECT_TO,
		    curl_slist_append(NULL, value));
	else if (strcmp(word, "upload") == 0)
		curl_easy_setopt(p->easy, CURLOPT_UPLOAD, 1L);
	else if (strcmp(word, "asked") == 0 &&
	         pinfast_curl_doh(p->pins, value) != PINFAST_OK)
		abort();
	if (strcmp(word, "named") != 0 || (colon = strchr(value, ':')) == NULL)
		return;
	*colon++ = '\0';
	if (pinfast_curl_proxy(p->pins, value, (uint16_t)atoi(colon)) !=
	    PINFAST_OK)
		abort();
}

static CURLcode
by_multi(struct probe *p)
{
	CURLM *multi = curl_multi_init();
	CURLMsg *message;
	CURLcode code = CURLE_ABORTED_BY_CALLBACK;
	int running = 1, left;

	if (pinfast_curl_prepare(p->pins, NULL) == PINFAST_OK) {
		curl_multi_add_handle(multi, p->easy);
		while (running > 0) {
			curl_multi_perform(multi, &running);
			curl_multi_poll(multi, NULL, 0, 100, NULL);
		}
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
			code = message->data.result;
		pinfast_curl_done(p->pins, code);
		curl_multi_remove_handle(multi, p->easy);
	}
	curl_multi_cleanup(multi);
	return code;
}

static CURLcode
go(struct probe *p, const char *how)
{
	CURL *copy;
	CURLcode code;

	if (strcmp(how, "multi") == 0)
		return by_multi(p);
	if (strcmp(how, "unprepared") == 0)
		return curl_easy_perform(p->easy);
	if (strcmp(how, "copy") != 0)
		return pinfast_curl_perform(p->pins);
	copy = curl_easy_duphandle(p->easy);
	code = curl_easy_perform(copy);
	curl_easy_cleanup(copy);
	return code;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct pinfast_verdict verdict;
	struct pinfast *policy;
	struct probe p = {0};
	const char *how = "easy";
	char why[600];
	CURLcode code;

	if (argc < 4 || pinfast_new(NULL, &policy) != PINFAST_OK ||
	    pinfast_load_file(policy, argv[1], &diag) != PINFAST_OK)
		return 2;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	p.easy = curl_easy_init();
	if (pinfast_curl_attach(p.easy, policy, NULL, &diag, &p.pins) !=
	    PINFAST_OK)
		return 2;
	curl_easy_setopt(p.easy, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(p.easy, CURLOPT_PROXY_CAINFO, argv[2]);
	curl_easy_setopt(p.easy, CURLOPT_URL, argv[3]);
	curl_easy_setopt(p.easy, CURLOPT_PROXY, "");
	curl_easy_setopt(p.easy, CURLOPT_USERPWD, "user:secret");
	curl_easy_setopt(p.easy, CURLOPT_PROXYUSERPWD, "proxy:secret");
	curl_easy_setopt(p.easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(p.easy, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(p.easy, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(p.easy, CURLOPT_TIMEOUT, 8L);
	for (int i = 4; i < argc; i++) {
		set_word(&p, argv[i]);
		if (strcmp(argv[i], "multi") == 0 ||
		    strcmp(argv[i], "copy") == 0 ||
		    strcmp(argv[i], "unprepared") == 0)
			how = argv[i];
	}
	curl_easy_setopt(p.easy, CURLOPT_RESOLVE, p.hosts);
	code = go(&p, how);
	verdict = pinfast_curl_result(p.pins);
	pinfast_curl_explain(p.pins, why, sizeof why);
	printf("%d %s %s %s %d\n%s\n", code, pinfast_curl_backend(p.pins),
	    verdict.decision == PINFAST_ALLOW ? "allow" : "deny",
	    pinfast_reason_name(verdict.reason), pinfast_curl_error(p.pins),
	    why);
	curl_easy_cleanup(p.easy);
	pinfast_curl_free(p.pins);
	curl_slist_free_all(p.hosts);
	pinfast_free(policy);
	return 0;
}
