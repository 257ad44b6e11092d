/*
 * An opened store.  Hides the file's bytes behind typed positions and owns
 * the memory they lie in.  Refuses, at open, every image whose structure is
 * not exactly what the writer makes: afterwards the readers in lookup.c and
 * rule.c follow offsets without checking them again.
 */
#ifndef PF_STORE_H
#define PF_STORE_H

#include "pinfast.h"

typedef void (*pf_store_release_fn)(const uint8_t *data, size_t len);

struct pinfast_store {
	const uint8_t *base;
	size_t size;
	const uint8_t *buckets_at;
	const uint8_t *terms_at;
	uint64_t seed;
	uint64_t depths;
	uint32_t buckets;
	uint32_t run; /* further buckets that a probe looks at */
	uint32_t terms;
	int64_t issued;
	int64_t valid_until;
	const uint8_t *reject; /* pins */
	uint32_t reject_count;
	uint8_t on_lapse;
	uint8_t unlisted;
	uint8_t unknown_host;
	uint8_t https_only;
	struct pinfast_alloc alloc;
	pf_store_release_fn release; /* may be NULL */
	struct pinfast_store *next;  /* for the live policy's list */
};

/*
 * As pinfast_store_open_memory(), for memory that somebody must let go of:
 * pinfast_store_free() calls release once; on failure nobody does.
 */
PINFAST_CHECK enum pinfast_error pf_store_open_owned(struct pinfast_bytes image,
    const struct pinfast_alloc *alloc, struct pinfast_diag *diag,
    pf_store_release_fn release, struct pinfast_store **out);

/* The allocator to use: the caller's, or malloc and free. */
struct pinfast_alloc pf_alloc_or_default(const struct pinfast_alloc *alloc);

/* The n-th URL of report-to, len 0 beyond the last. */
struct pinfast_bytes pf_store_url(const struct pinfast_store *store,
    uint32_t index);

/* SHA-256 of a store's content: everything but the sum and the digest. */
void pf_store_digest(const uint8_t *image, size_t size, uint8_t digest[32]);

/* Puts a sentence into diag, which may be NULL, and returns error. */
enum pinfast_error pf_diag(struct pinfast_diag *diag, enum pinfast_error error,
    const char *text);

#endif
