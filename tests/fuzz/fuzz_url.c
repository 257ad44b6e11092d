/*
 * Any text as the URL of a transfer.  Where libcurl and the adapter read the
 * same host, it is one that has a canonical form and is in that form; asked
 * again, and asked about a URL that is made of the answer, the answer is the
 * same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/curl/curl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

static const struct pinfast_curl c = {.f = {.size = sizeof c.f,
                                          .url_new = curl_url,
                                          .url_cleanup = curl_url_cleanup,
                                          .url_set = curl_url_set,
                                          .url_get = curl_url_get,
                                          .free = curl_free}};

static void
check(const char *url, const struct pf_curl_target *target)
{
	int is_ipv6 = strchr(target->host, ':') != NULL;
	char name[PINFAST_HOST_LEN], made[PINFAST_HOST_LEN + 64];
	struct pf_curl_target again;

	must(memchr(target->scheme, '\0', sizeof target->scheme) != NULL);
	must(pf_curl_target_of(&c, url, &again) == PINFAST_OK);
	must(pf_curl_target_same(target, &again));
	must(target->is_address == pf_is_address(target->host));
	if (target->kind == PF_CURL_NONE)
		return;
	must(pinfast_host_canonical(target->host, name) == PINFAST_OK);
	must(strcmp(name, target->host) == 0);
	/* Longer schemes have no room, and no TLS; 0 is no port. */
	if (target->scheme[0] == '\0' || target->port == 0)
		return;
	snprintf(made, sizeof made, "%s://%s%s%s:%d/", target->scheme,
	    is_ipv6 ? "[" : "", target->host, is_ipv6 ? "]" : "", target->port);
	must(pf_curl_target_of(&c, made, &again) == PINFAST_OK);
	must(pf_curl_target_same(target, &again) && !again.is_respelled);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = malloc(size + 1);
	struct pf_curl_target target;

	must(url != NULL);
	if (size > 0)
		memcpy(url, data, size);
	url[size] = '\0';
	if (pf_curl_target_of(&c, url, &target) == PINFAST_OK)
		check(url, &target);
	free(url);
	return 0;
}
