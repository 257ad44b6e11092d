#include "base/sha256.h"

#include "base/bytes.h"
#include "base/sha256_blocks.h"

/* clang-format off */
const uint32_t pf_sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define SUM0(x) (ROR(x, 2) ^ ROR(x, 13) ^ ROR(x, 22))
#define SUM1(x) (ROR(x, 6) ^ ROR(x, 11) ^ ROR(x, 25))
#define MIX0(x) (ROR(x, 7) ^ ROR(x, 18) ^ (x) >> 3)
#define MIX1(x) (ROR(x, 17) ^ ROR(x, 19) ^ (x) >> 10)
#define CH(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

/* One round; the names turn instead of the values. */
#define ROUND(a, b, c, d, e, f, g, h, i, w) do { \
	uint32_t t = (h) + SUM1(e) + CH(e, f, g) + pf_sha256_k[i] + (w); \
	(d) += t; \
	(h) = t + SUM0(a) + MAJ(a, b, c); \
} while (0)

#define LOAD(j) (w[j] = pf_be32(p + 4 * (j)))
#define NEXT(j) (w[j] += MIX1(w[((j) + 14) & 15]) + \
	w[((j) + 9) & 15] + MIX0(w[((j) + 1) & 15]))

#define EIGHT(i, W) \
	ROUND(a, b, c, d, e, f, g, h, (i) + 0, W(((i) + 0) & 15)); \
	ROUND(h, a, b, c, d, e, f, g, (i) + 1, W(((i) + 1) & 15)); \
	ROUND(g, h, a, b, c, d, e, f, (i) + 2, W(((i) + 2) & 15)); \
	ROUND(f, g, h, a, b, c, d, e, (i) + 3, W(((i) + 3) & 15)); \
	ROUND(e, f, g, h, a, b, c, d, (i) + 4, W(((i) + 4) & 15)); \
	ROUND(d, e, f, g, h, a, b, c, (i) + 5, W(((i) + 5) & 15)); \
	ROUND(c, d, e, f, g, h, a, b, (i) + 6, W(((i) + 6) & 15)); \
	ROUND(b, c, d, e, f, g, h, a, (i) + 7, W(((i) + 7) & 15))
/* clang-format on */

void
pf_sha256_portable(uint32_t state[8], const uint8_t *p, size_t count)
{
	uint32_t w[16];

	for (; count > 0; count--, p += 64) {
		uint32_t a = state[0], b = state[1], c = state[2];
		uint32_t d = state[3], e = state[4], f = state[5];
		uint32_t g = state[6], h = state[7];

		EIGHT(0, LOAD);
		EIGHT(8, LOAD);
		EIGHT(16, NEXT);
		EIGHT(24, NEXT);
		EIGHT(32, NEXT);
		EIGHT(40, NEXT);
		EIGHT(48, NEXT);
		EIGHT(56, NEXT);
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		state[5] += f;
		state[6] += g;
		state[7] += h;
	}
}

static void
blocks(uint32_t state[8], const uint8_t *p, size_t count)
{
#ifdef PF_SHA256_X86
	/* LCOV_EXCL_BR_START: one processor goes one way */
	if (pf_sha256_x86_works()) {
		pf_sha256_x86(state, p, count);
		return;
	}
	/* LCOV_EXCL_BR_STOP */
#endif
	pf_sha256_portable(state, p, count); /* LCOV_EXCL_LINE: tested alone */
}

static const uint32_t start_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
    0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void
pf_sha256_init(struct pf_sha256 *hash)
{
	memcpy(hash->state, start_state, sizeof start_state);
	hash->count = 0;
}

void
pf_sha256_update(struct pf_sha256 *hash, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t held = (size_t)(hash->count & 63);

	hash->count += len;
	if (held > 0) {
		size_t want = 64 - held;

		if (len < want) {
			memcpy(hash->block + held, p, len);
			return;
		}
		memcpy(hash->block + held, p, want);
		blocks(hash->state, hash->block, 1);
		p += want;
		len -= want;
	}
	if (len >= 64)
		blocks(hash->state, p, len / 64);
	if (len % 64 > 0)
		memcpy(hash->block, p + len / 64 * 64, len % 64);
}

/* Pads the last bytes of a message of count bytes. */
static void
pad_last(uint32_t state[8], const uint8_t *rest, uint64_t count,
    uint8_t out[32])
{
	uint8_t last[128];
	size_t held = (size_t)(count & 63);
	size_t size = held < 56 ? 64 : 128;

	memset(last, 0, sizeof last);
	if (held > 0)
		memcpy(last, rest, held);
	last[held] = 0x80;
	pf_put_be32(last + size - 8, (uint32_t)(count >> 29));
	pf_put_be32(last + size - 4, (uint32_t)(count << 3));
	blocks(state, last, size / 64);
	for (unsigned i = 0; i < 8; i++)
		pf_put_be32(out + 4 * i, state[i]);
}

void
pf_sha256_final(struct pf_sha256 *hash, uint8_t out[32])
{
	pad_last(hash->state, hash->block, hash->count, out);
}

void
pf_sha256(const void *data, size_t len, uint8_t out[32])
{
	const uint8_t *p = data;
	uint32_t state[8];

	memcpy(state, start_state, sizeof state);
	if (len >= 64)
		blocks(state, p, len / 64);
	pad_last(state, len % 64 > 0 ? p + len / 64 * 64 : NULL, len, out);
}
