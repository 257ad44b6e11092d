#include "core/sum.h"

#include "core/layout.h"

/*
 * Processors load ahead by themselves, but stop at the end of a page: asking
 * for the next page's bytes makes the sum as fast as memory.
 */
#define SUM_PAGE 4096U

static uint64_t
turn(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

/* For a fixed word this is a permutation of the lane, and the reverse. */
static uint64_t
step(uint64_t lane, uint64_t word)
{
	return turn(lane ^ word, 29) * PF_MIX_B;
}

void
pf_sum_init(struct pf_sum *sum)
{
	for (unsigned i = 0; i < 4; i++)
		sum->lane[i] = PF_MIX_A * (i + 1);
	sum->len = 0;
}

void
pf_sum_update(struct pf_sum *sum, const uint8_t *data, size_t len)
{
	uint64_t a = sum->lane[0], b = sum->lane[1];
	uint64_t c = sum->lane[2], d = sum->lane[3];
	uint8_t tail[32] = {0};

	sum->len += len;
	for (; len >= 32; len -= 32, data += 32) {
		PF_PREFETCH((uintptr_t)data + SUM_PAGE);
		a = step(a, pf_le64(data));
		b = step(b, pf_le64(data + 8));
		c = step(c, pf_le64(data + 16));
		d = step(d, pf_le64(data + 24));
	}
	if (len > 0) {
		memcpy(tail, data, len);
		a = step(a, pf_le64(tail));
		b = step(b, pf_le64(tail + 8));
		c = step(c, pf_le64(tail + 16));
		d = step(d, pf_le64(tail + 24));
	}
	sum->lane[0] = a;
	sum->lane[1] = b;
	sum->lane[2] = c;
	sum->lane[3] = d;
}

uint64_t
pf_sum_final(const struct pf_sum *sum)
{
	uint64_t h = sum->len * PF_MIX_C;

	for (unsigned i = 0; i < 4; i++) {
		h = step(h, sum->lane[i]);
		h ^= h >> 31;
	}
	return h;
}

size_t
pf_sum_head(struct pf_sum *sum, const uint8_t *store)
{
	uint8_t head[PF_HEADER_LEN];

	memcpy(head, store, PF_HEADER_LEN);
	memset(head + PF_HDR_SUM, 0, 8);
	pf_sum_init(sum);
	pf_sum_update(sum, head, PF_HEADER_LEN);
	return PF_HEADER_LEN;
}

uint64_t
pf_sum_store(const uint8_t *store, size_t size)
{
	struct pf_sum sum;
	size_t head = pf_sum_head(&sum, store);

	pf_sum_update(&sum, store + head, size - head);
	return pf_sum_final(&sum);
}
