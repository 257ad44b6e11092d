#include "core/store.h"

#ifndef PINFAST_NO_MALLOC
#include <stdlib.h>
#endif

#include "base/host.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "core/image.h"
#include "core/layout.h"
#include "core/rule.h"
#include "core/sum.h"

enum pinfast_error
pf_diag(struct pinfast_diag *diag, enum pinfast_error error, const char *text)
{
	size_t len = strlen(text);

	if (diag == NULL)
		return error;
	if (len >= sizeof diag->text)
		len = sizeof diag->text - 1;
	memcpy(diag->text, text, len);
	diag->text[len] = '\0';
	return error;
}

#ifndef PINFAST_NO_MALLOC
static void *
default_alloc(void *arg, size_t size)
{
	(void)arg;
	return malloc(size);
}

static void
default_free(void *arg, void *ptr)
{
	(void)arg;
	free(ptr);
}
#else
static void *
default_alloc(void *arg, size_t size)
{
	(void)arg;
	(void)size;
	return NULL;
}

static void
default_free(void *arg, void *ptr)
{
	(void)arg;
	(void)ptr;
}
#endif

struct pinfast_alloc
pf_alloc_or_default(const struct pinfast_alloc *alloc)
{
	static const struct pinfast_alloc standard = {
	    default_alloc, default_free, NULL};

	return alloc != NULL ? *alloc : standard;
}

static void
read_header(struct pinfast_store *s)
{
	const uint8_t *h = s->base;

	s->buckets_at = h + PF_HEADER_LEN;
	s->terms_at = h + pf_le32(h + PF_HDR_TERMS_AT);
	s->seed = pf_le64(h + PF_HDR_SEED);
	s->depths = pf_le64(h + PF_HDR_DEPTHS);
	s->buckets = pf_le32(h + PF_HDR_BUCKETS);
	s->run = pf_le32(h + PF_HDR_RUN);
	s->terms = pf_le32(h + PF_HDR_TERMS);
	s->issued = (int64_t)pf_le64(h + PF_HDR_ISSUED);
	s->valid_until = (int64_t)pf_le64(h + PF_HDR_VALID);
	s->reject = h + pf_le32(h + PF_HDR_REJECT_AT);
	s->reject_count = pf_le32(h + PF_HDR_REJECT_COUNT);
	s->on_lapse = h[PF_HDR_ON_LAPSE];
	s->unlisted = h[PF_HDR_UNLISTED];
	s->unknown_host = h[PF_HDR_UNKNOWN_HOST];
	s->https_only = h[PF_HDR_HTTPS_ONLY];
}

enum pinfast_error
pf_store_open_owned(struct pinfast_bytes image,
    const struct pinfast_alloc *alloc, struct pinfast_diag *diag,
    pf_store_release_fn release, struct pinfast_store **out)
{
	struct pinfast_alloc use = pf_alloc_or_default(alloc);
	struct pinfast_store *store;
	enum pinfast_error error;

	if (image.data == NULL || out == NULL)
		return PINFAST_EUSAGE;
	error = pf_image_check(image, diag);
	if (error != PINFAST_OK)
		return error;
	store = use.alloc(use.arg, sizeof *store);
	if (store == NULL)
		return pf_diag(diag, PINFAST_ENOMEM, "out of memory");
	memset(store, 0, sizeof *store);
	store->base = image.data;
	store->size = image.len;
	store->alloc = use;
	store->release = release;
	read_header(store);
	*out = store;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_store_open_memory(struct pinfast_bytes image,
    const struct pinfast_alloc *alloc, struct pinfast_diag *diag,
    struct pinfast_store **out)
{
	return pf_store_open_owned(image, alloc, diag, NULL, out);
}

void
pinfast_store_free(struct pinfast_store *store)
{
	struct pinfast_alloc alloc;

	if (store == NULL)
		return;
	alloc = store->alloc;
	if (store->release != NULL)
		store->release(store->base, store->size);
	alloc.free(alloc.arg, store);
}

uint64_t
pinfast_store_serial(const struct pinfast_store *store)
{
	return pf_le64(store->base + PF_HDR_SERIAL);
}

const uint8_t *
pinfast_store_digest(const struct pinfast_store *store)
{
	return store->base + PF_HDR_DIGEST;
}

enum pinfast_error
pinfast_store_verify(const struct pinfast_store *store)
{
	uint8_t digest[32];

	pf_store_digest(store->base, store->size, digest);
	return pf_same(digest, pinfast_store_digest(store), sizeof digest)
	           ? PINFAST_OK
	           : PINFAST_EFORMAT;
}

void
pf_store_digest(const uint8_t *image, size_t size, uint8_t digest[32])
{
	struct pf_sha256 hash;

	pf_sha256_init(&hash);
	pf_sha256_update(&hash, image, PF_HDR_SUM);
	pf_sha256_update(&hash, image + PF_HEADER_LEN, size - PF_HEADER_LEN);
	pf_sha256_final(&hash, digest);
}

struct pinfast_bytes
pf_store_url(const struct pinfast_store *store, uint32_t index)
{
	const uint8_t *h = store->base;
	const uint8_t *url = h + pf_le32(h + PF_HDR_URLS_AT);
	struct pinfast_bytes text = {url, 0};

	if (index >= pf_le32(h + PF_HDR_URLS_COUNT))
		return text;
	for (; index > 0; index--)
		url += 2 + pf_le16(url);
	text.data = url + 2;
	text.len = pf_le16(url);
	return text;
}

/*
 * A record's key as the host that it stands for; addresses are kept as bytes.
 * 0: there is no such host, so that no look-up finds the record.
 */
static int
read_key(const uint8_t *key, size_t len, struct pf_host *host)
{
	enum pinfast_error error;

	if (*key == PF_HOST_IPV4 || *key == PF_HOST_IPV6)
		error = pf_host_parse_binary(key + 1, len - 1, host);
	else
		error = pf_host_parse((const char *)key, len, host);
	return error == PINFAST_OK && host->key_len == len &&
	       pf_same(host->key, key, len);
}

/* Hands out every port of one slot. */
static int
each_port(const struct pinfast_store *store, const uint8_t *record,
    unsigned scope, pinfast_store_each_fn fn, void *arg)
{
	uint32_t rule = pf_le32(record + PF_NAME_RULE);
	uint32_t rows = pf_rule_rows(store, rule);
	struct pf_host host;
	int result = 0;

	if (!read_key(record + PF_NAME_TEXT, record[PF_NAME_LEN], &host))
		return 0;
	for (uint32_t i = 0; i < rows && result == 0; i++) {
		uint16_t port;

		(void)pf_rule_row(store, rule, i, &port);
		result = fn(arg, host.text, host.text_len,
		    (enum pinfast_scope)scope, port);
	}
	return result;
}

int
pinfast_store_each(const struct pinfast_store *store, pinfast_store_each_fn fn,
    void *arg)
{
	const uint8_t *bucket = store->buckets_at;
	uint32_t total = store->buckets + store->run;
	int result = 0;

	for (uint32_t b = 0; b < total; b++, bucket += PF_BUCKET_LEN)
		for (unsigned i = 0; i < bucket[0] && result == 0; i++) {
			const uint8_t *tag = bucket + PF_BUCKET_TAG + 2 * i;
			const uint8_t *at = bucket + PF_BUCKET_AT + 4 * i;

			result = each_port(store, store->base + pf_le32(at),
			    pf_le16(tag) & PF_TAG_SCOPE, fn, arg);
		}
	return result;
}
