/*
 * SHA-256 (FIPS 180-4).  Hides the block function.  Inputs are public
 * (certificates, keys, policies), so nothing here is about secrets; refuses
 * nothing.
 */
#ifndef PF_SHA256_H
#define PF_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct pf_sha256 {
	uint32_t state[8];
	uint64_t count; /* bytes so far */
	uint8_t block[64];
};

/* Begins, takes bytes any number of times, and ends with the hash.  Afterwards
 * the state is good for nothing but pf_sha256_init(). */
void pf_sha256_init(struct pf_sha256 *hash);
void pf_sha256_update(struct pf_sha256 *hash, const void *data, size_t len);
void pf_sha256_final(struct pf_sha256 *hash, uint8_t out[32]);

/* All three in one. */
void pf_sha256(const void *data, size_t len, uint8_t out[32]);

#endif
