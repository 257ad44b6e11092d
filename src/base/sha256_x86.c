#include "base/sha256_blocks.h"

#ifdef PF_SHA256_X86

#include <cpuid.h>
#include <immintrin.h>

#define CPUID_SHA (1U << 29) /* leaf 7, ebx */
#define WITH_SHA __attribute__((target("sha,sse4.1")))

static int
ask_processor(void)
{
	const unsigned wanted = bit_SSSE3 | bit_SSE4_1;
	unsigned a, b, c, d;

	/* LCOV_EXCL_BR_START: one processor gives one answer */
	return __get_cpuid(1, &a, &b, &c, &d) && (c & wanted) == wanted &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & CPUID_SHA) != 0;
	/* LCOV_EXCL_BR_STOP */
}

/*
 * Asking takes long, in a virtual machine very long, so the answer is kept.
 * Threads that ask at the same time all write the same one.
 */
int
pf_sha256_x86_works(void)
{
	enum { UNKNOWN, NO, YES };
	static int kept = UNKNOWN;
	int answer = __atomic_load_n(&kept, __ATOMIC_RELAXED);

	if (answer == UNKNOWN) {
		answer = NO + ask_processor();
		__atomic_store_n(&kept, answer, __ATOMIC_RELAXED);
	}
	return answer == YES;
}

/* Four rounds.  The instruction wants a, b, e, f in one register and c, d,
 * g, h in the other, and gives the other's new value. */
static inline WITH_SHA void
four_rounds(__m128i *abef, __m128i *cdgh, __m128i words, unsigned round)
{
	const void *k = &pf_sha256_k[round];

	words = _mm_add_epi32(words, _mm_loadu_si128(k));
	*cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, words);
	words = _mm_shuffle_epi32(words, 0x0e);
	*abef = _mm_sha256rnds2_epu32(*abef, *cdgh, words);
}

/* The four words that follow on sixteen, oldest first. */
static inline WITH_SHA __m128i
next_words(__m128i a, __m128i b, __m128i c, __m128i d)
{
	a = _mm_sha256msg1_epu32(a, b);
	a = _mm_add_epi32(a, _mm_alignr_epi8(d, c, 4));
	return _mm_sha256msg2_epu32(a, d);
}

static inline WITH_SHA __m128i
load_words(const uint8_t *p)
{
	const __m128i swap =
	    _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	const void *from = p;

	return _mm_shuffle_epi8(_mm_loadu_si128(from), swap);
}

WITH_SHA void
pf_sha256_x86(uint32_t state[8], const uint8_t *data, size_t count)
{
	void *low = state, *high = state + 4;
	__m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(low), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(high), 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; count > 0; count--, data += 64) {
		__m128i abef0 = abef, cdgh0 = cdgh;
		__m128i a = load_words(data), b = load_words(data + 16);
		__m128i c = load_words(data + 32), d = load_words(data + 48);

		four_rounds(&abef, &cdgh, a, 0);
		four_rounds(&abef, &cdgh, b, 4);
		four_rounds(&abef, &cdgh, c, 8);
		four_rounds(&abef, &cdgh, d, 12);
		for (unsigned round = 16; round < 64; round += 16) {
			a = next_words(a, b, c, d);
			four_rounds(&abef, &cdgh, a, round);
			b = next_words(b, c, d, a);
			four_rounds(&abef, &cdgh, b, round + 4);
			c = next_words(c, d, a, b);
			four_rounds(&abef, &cdgh, c, round + 8);
			d = next_words(d, a, b, c);
			four_rounds(&abef, &cdgh, d, round + 12);
		}
		abef = _mm_add_epi32(abef, abef0);
		cdgh = _mm_add_epi32(cdgh, cdgh0);
	}
	/* Back into the order of the letters. */
	abef = _mm_shuffle_epi32(abef, 0x1b);
	cdgh = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128(low, _mm_blend_epi16(abef, cdgh, 0xf0));
	_mm_storeu_si128(high, _mm_alignr_epi8(cdgh, abef, 8));
}

#else
/* ISO C wants something in every file. */
typedef int pf_sha256_no_x86;
#endif
