/*
 * Any text as a host name and as a time, and any four or sixteen bytes as an
 * address.  What is refused has a sentence; the canonical form of what is
 * taken is taken as itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

static void
check_again(const struct pf_host *host)
{
	struct pf_host again;

	must(host->text_len > 0 && host->text_len < PINFAST_HOST_LEN);
	must(pf_host_parse(host->text, host->text_len, &again) == PINFAST_OK);
	must(again.kind == host->kind && again.key_len == host->key_len &&
	     again.text_len == host->text_len);
	must(pf_same(again.key, host->key, host->key_len));
	must(pf_same(again.text, host->text, host->text_len));
}

static void
check_host(const char *text, size_t len)
{
	const char *complaint = pf_host_complaint(text, len);
	struct pf_host host;

	if (pf_host_parse(text, len, &host) != PINFAST_OK) {
		must(complaint && *complaint);
		return;
	}
	must(!complaint);
	check_again(&host);
}

static void
check_address(const uint8_t *bytes, size_t len)
{
	struct pf_host host;

	if (pf_host_parse_binary(bytes, len, &host) == PINFAST_OK)
		check_again(&host);
	else
		must(len != 4 && len != 16);
}

/* The text with a NUL behind it, as the public function takes it. */
static void
check_public(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	char out[PINFAST_HOST_LEN], again[PINFAST_HOST_LEN];

	must(copy != NULL);
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (pinfast_host_canonical(copy, out) == PINFAST_OK) {
		must(pinfast_host_canonical(out, again) == PINFAST_OK);
		must(strcmp(out, again) == 0);
	}
	free(copy);
}

static void
check_time(const char *text, size_t len)
{
	char out[PF_TIME_TEXT_LEN];
	int64_t at, again;

	if (pf_time_parse(text, len, &at) == PINFAST_OK) {
		pf_time_write(at, out);
		if (pf_time_parse(out, strlen(out), &again) == PINFAST_OK)
			must(again == at || strncmp(out, "0000-", 5) == 0 ||
			     strncmp(out, "9999-", 5) == 0);
	}
	for (int generalized = 0; generalized < 2; generalized++)
		if (pf_time_asn1((const uint8_t *)text, len, generalized,
		        &at) == PINFAST_OK)
			must(len == (generalized ? 15U : 13U));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + (size == 0));

	must(text != NULL);
	memcpy(text, data, size);
	check_host(text, size);
	check_address((const uint8_t *)text, size);
	check_public(text, size);
	check_time(text, size);
	free(text);
	return 0;
}
