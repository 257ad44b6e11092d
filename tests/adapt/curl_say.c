/*
 * Drives a pinned handle of libcurl by words, in their order:
 *
 *   policy=FILE  another policy object, loaded from it
 *   handle       a new handle, attached to the last policy
 *   load=FILE    the last policy object loads another one
 *   go           pinfast_curl_perform(), and a line about it
 *   run=COMMAND  of the shell, which must succeed
 *   curlu=URL    CURLOPT_CURLU
 *   share        the pool of connections that all such handles use
 *   NAME=VALUE   CURLOPT_NAME
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pinfast-curl.h>

static struct pinfast *policy;
static CURL *easy;
static struct pinfast_curl *pins;
static CURLSH *pool;

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(2);
}

static size_t
swallow(char *data, size_t size, size_t count, void *arg)
{
	(void)data, (void)arg;
	return size * count;
}

static void
make_handle(void)
{
	easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(easy, CURLOPT_CAINFO, "trust.pem");
	curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, "trust.pem");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, 10L);
	if (pinfast_curl_attach(easy, policy, NULL, NULL, &pins) != PINFAST_OK)
		die("attach");
}

static void
go(void)
{
	CURLcode code = pinfast_curl_perform(pins);
	struct pinfast_verdict verdict = pinfast_curl_result(pins);

	printf("%d %s %s\n", (int)code,
	    verdict.decision == PINFAST_ALLOW ? "allow" : "deny",
	    pinfast_reason_name(verdict.reason));
}

static void
set_url(const char *text)
{
	CURLU *url = curl_url();

	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) !=
	    CURLUE_OK)
		die(text);
	curl_easy_setopt(easy, CURLOPT_CURLU, url);
}

static void
use_pool(void)
{
	if (pool == NULL)
		pool = curl_share_init();
	curl_share_setopt(pool, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
	curl_easy_setopt(easy, CURLOPT_SHARE, pool);
}

static void
set(const char *name, const char *value)
{
	const struct curl_easyoption *option = curl_easy_option_by_name(name);

	if (option == NULL)
		die(name);
	if (option->type == CURLOT_LONG || option->type == CURLOT_VALUES)
		curl_easy_setopt(easy, option->id, atol(value));
	else if (option->type == CURLOT_SLIST)
		curl_easy_setopt(easy, option->id,
		    curl_slist_append(NULL, value));
	else
		curl_easy_setopt(easy, option->id, value);
}

static void
load(const char *file)
{
	if (pinfast_load_file(policy, file, NULL) != PINFAST_OK)
		die(file);
}

static void
run(const char *command)
{
	fflush(stdout);
	if (system(command) != 0)
		die(command);
}

static void
obey(char *word)
{
	char *value = strchr(word, '=');

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(word, "handle") == 0)
		make_handle();
	else if (strcmp(word, "go") == 0)
		go();
	else if (strcmp(word, "share") == 0)
		use_pool();
	else if (value == NULL)
		die(word);
	else if (strcmp(word, "run") == 0)
		run(value);
	else if (strcmp(word, "load") == 0)
		load(value);
	else if (strcmp(word, "curlu") == 0)
		set_url(value);
	else if (strcmp(word, "policy") != 0)
		set(word, value);
	else if (pinfast_new(NULL, &policy) != PINFAST_OK)
		die(value);
	else
		load(value);
}

int
main(int argc, char *argv[])
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (int i = 1; i < argc; i++)
		obey(argv[i]);
	return 0;
}
