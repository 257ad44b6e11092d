/*
 * The fast sum over a store and the hash of a name.  Hides their arithmetic.
 * Neither is a secret or a defence against a forger: the sum finds damage
 * (every change within one aligned word of eight bytes is certain to be found,
 * any other with 2^-64 of a doubt), the name hash spreads names, and the
 * compiler has verified how well.
 */
#ifndef PF_SUM_H
#define PF_SUM_H

#include "base/bytes.h"

#define PF_MIX_A 0x9e3779b97f4a7c15ULL
#define PF_MIX_B 0x9fb21c651e98df25ULL
#define PF_MIX_C 0xd6e8feb86659fd93ULL

struct pf_sum {
	uint64_t lane[4];
	uint64_t len;
};

/* Begins a sum; pf_sum_final() ends it. */
void pf_sum_init(struct pf_sum *sum);

/* Every call but the last must give a multiple of 32 bytes. */
void pf_sum_update(struct pf_sum *sum, const uint8_t *data, size_t len);
uint64_t pf_sum_final(const struct pf_sum *sum);

/* Begins the sum of a store: its header without the sum's own bytes.  Returns
 * how many bytes that were. */
size_t pf_sum_head(struct pf_sum *sum, const uint8_t *store);

/* The sum of a whole store: everything but the sum's own bytes. */
uint64_t pf_sum_store(const uint8_t *store, size_t size);

/* Spreads names over buckets; another seed spreads them differently. */
static inline uint64_t
pf_name_hash(uint64_t seed, const uint8_t *name, size_t len)
{
	uint64_t h = seed ^ PF_MIX_A * (len + 1);

	for (; len >= 8; len -= 8, name += 8) {
		h = (h ^ pf_le64(name)) * PF_MIX_B;
		h ^= h >> 32;
	}
	if (len > 0) {
		uint64_t tail = 0;

		while (len > 0)
			tail = tail << 8 | name[--len];
		h = (h ^ tail) * PF_MIX_B;
		h ^= h >> 32;
	}
	h *= PF_MIX_C;
	return h ^ h >> 29;
}

/* The bucket that a name with this hash belongs to. */
static inline uint32_t
pf_name_bucket(uint64_t hash, uint32_t buckets)
{
	return (uint32_t)((hash >> 32) * buckets >> 32);
}

#endif
