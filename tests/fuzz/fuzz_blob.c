/*
 * Any bytes as a serialised session, and any lengths as those of one that is
 * written.  What is read lies inside what was given, leaves none of it out and
 * is written as the same bytes; what is written fits or is not written at all,
 * and is read as the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAGIC "PFX1"
#define OTHER "PFX2"
#define HEAD 8

static void
must(int condition)
{
	if (!condition)
		abort();
}

/* Looks at each of them, so that one too many is seen. */
static void
look_at(struct pinfast_bytes bytes)
{
	static volatile uint8_t seen;

	for (size_t i = 0; i < bytes.len; i++)
		seen = bytes.data[i];
}

static int
equal(struct pinfast_bytes a, struct pinfast_bytes b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Writes it into no room, one byte less than it takes, and enough. */
static void
check_written(const struct pf_blob *blob)
{
	size_t len = pf_blob_write(MAGIC, blob, NULL, 0);
	uint8_t *room = malloc(len), *tight = malloc(len);
	struct pf_blob again;

	must(len == HEAD + blob->tag.len + blob->session.len);
	must(room != NULL && tight != NULL);
	memset(tight, 0xee, len);
	must(pf_blob_write(MAGIC, blob, tight, len - 1) == len);
	for (size_t i = 0; i < len; i++)
		must(tight[i] == 0xee);
	must(pf_blob_write(MAGIC, blob, room, len) == len);
	must(pf_blob_read(MAGIC, room, len, &again) == PINFAST_OK);
	must(equal(again.tag, blob->tag));
	must(equal(again.session, blob->session));
	must(pf_blob_read(OTHER, room, len, &again) == PINFAST_EFORMAT);
	free(tight);
	free(room);
}

static void
check_read(const uint8_t *data, size_t len)
{
	static const struct pf_blob none;
	uint8_t *copy = malloc(len + (len == 0));
	struct pf_blob blob = none;

	must(copy != NULL);
	memcpy(copy, data, len);
	if (pf_blob_read(MAGIC, copy, len, &blob) == PINFAST_OK) {
		look_at(blob.tag);
		look_at(blob.session);
		must(blob.tag.len <= PINFAST_TAG_MAX && blob.session.len > 0);
		must(blob.tag.data == copy + HEAD);
		must(blob.session.data == blob.tag.data + blob.tag.len);
		must(blob.session.data + blob.session.len == copy + len);
		check_written(&blob);
	} else {
		must(memcmp(&blob, &none, sizeof none) == 0);
	}
	free(copy);
}

/* Three octets. */
static size_t
number(const uint8_t *at)
{
	return (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16;
}

/* Lengths of which most are near no limit, and far too much for one input. */
static void
check_lengths(const uint8_t *data)
{
	static uint8_t much[1 << 24];
	struct pf_blob blob = {{much, number(data)}, {much, number(data + 3)}};
	size_t all = HEAD + blob.tag.len + blob.session.len;
	int fits = blob.session.len > 0 && blob.tag.len <= PINFAST_TAG_MAX &&
	           all <= PF_BLOB_MAX;

	must(pf_blob_write(MAGIC, &blob, NULL, 0) == (fits ? all : 0));
	if (fits && all <= 4096)
		check_written(&blob);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_read(data, size);
	if (size >= 6)
		check_lengths(data + size - 6);
	return 0;
}
