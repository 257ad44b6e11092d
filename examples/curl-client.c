/*
 * Prints what a URL leads to; its server, and those of its redirects, are
 * pinned by a compiled policy.  Works with whichever libcurl it is linked to.
 *
 *   cc curl-client.c $(pkg-config --cflags --libs pinfast-curl libcurl)
 *   ./a.out POLICY.store URL [CA-FILE [HOST:PORT:ADDRESS]]
 *
 * Exit status: 0 the page was printed, 1 pinfast refused, 3 anything else.
 */
#include <stdio.h>
#include <string.h>

#include <pinfast-curl.h>

static int
fetch(struct pinfast_curl *pins)
{
	CURLcode code = pinfast_curl_perform(pins);
	struct pinfast_verdict verdict = pinfast_curl_result(pins);
	char why[600];

	if (verdict.decision == PINFAST_ALLOW && code == CURLE_OK)
		return 0;
	pinfast_curl_explain(pins, why, sizeof why);
	fprintf(stderr, "%s\n",
	    verdict.decision == PINFAST_ALLOW ? curl_easy_strerror(code) : why);
	return verdict.decision == PINFAST_ALLOW ||
	               verdict.reason == PINFAST_REASON_NOT_JUDGED
	           ? 3
	           : 1;
}

int
main(int argc, char *argv[])
{
	struct pinfast_diag diag = {0};
	struct pinfast *policy;
	struct pinfast_curl *pins = NULL;
	struct curl_slist *address = NULL;
	CURL *easy;
	int status = 3;

	if (argc < 3) {
		fprintf(stderr,
		    "usage: %s POLICY.store URL [CA-FILE "
		    "[HOST:PORT:ADDRESS]]\n",
		    argv[0]);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	easy = curl_easy_init();
	if (easy == NULL || pinfast_new(NULL, &policy) != PINFAST_OK)
		return 3;
	curl_easy_setopt(easy, CURLOPT_URL, argv[2]);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	if (argc > 3)
		curl_easy_setopt(easy, CURLOPT_CAINFO, argv[3]);
	if (argc > 4) {
		address = curl_slist_append(NULL, argv[4]);
		curl_easy_setopt(easy, CURLOPT_RESOLVE, address);
	}
	if (pinfast_load_file(policy, argv[1], &diag) != PINFAST_OK ||
	    pinfast_curl_attach(easy, policy, NULL, &diag, &pins) != PINFAST_OK)
		fprintf(stderr, "%s: %s\n", argv[1], diag.text);
	else
		status = fetch(pins);
	curl_easy_cleanup(easy);
	pinfast_curl_free(pins);
	curl_slist_free_all(address);
	pinfast_free(policy);
	curl_global_cleanup();
	return status;
}
