/*
 * The block functions of SHA-256 against each other and against answers that
 * another implementation gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/sha256.h"
#include "base/sha256_blocks.h"

#define LONGEST 300

typedef void (*blocks_fn)(uint32_t *state, const uint8_t *data, size_t count);

/* The padding of FIPS 180-4 5.1.1, apart from the one in sha256.c. */
static void
hash_by(blocks_fn blocks, const uint8_t *in, size_t len, uint8_t out[32])
{
	uint8_t padded[LONGEST + 128] = {0};
	struct pf_sha256 start;
	size_t size = (len + 8) / 64 * 64 + 64;

	memcpy(padded, in, len);
	padded[len] = 0x80;
	pf_put_be32(padded + size - 4, (uint32_t)len * 8);
	pf_sha256_init(&start);
	blocks(start.state, padded, size / 64);
	for (unsigned i = 0; i < 8; i++)
		pf_put_be32(out + 4 * i, start.state[i]);
}

static void
fill(uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		in[i] = (uint8_t)(i * 7 + len);
}

/* The hash over the hashes of every length, from Python's hashlib. */
static void
every_length_has_its_known_answer(void **state)
{
	uint8_t in[LONGEST], out[32];
	struct pf_sha256 all;
	char hex[65];

	(void)state;
	pf_sha256_init(&all);
	for (size_t len = 0; len <= LONGEST; len++) {
		fill(in, len);
		pf_sha256(in, len, out);
		pf_sha256_update(&all, out, sizeof out);
	}
	pf_sha256_final(&all, out);
	pf_hex_write(out, 32, hex);
	assert_string_equal(hex, "60d63ff40b5558727a9b786ac0be9300"
	                         "f7ca58fd9ddd3b2f3681b369018a87dc");
}

static void
portable_blocks_make_the_same_hashes(void **state)
{
	uint8_t in[LONGEST], want[32], got[32];

	(void)state;
	for (size_t len = 0; len <= LONGEST; len++) {
		fill(in, len);
		pf_sha256(in, len, want);
		hash_by(pf_sha256_portable, in, len, got);
		assert_memory_equal(got, want, 32);
	}
}

#ifdef PF_SHA256_X86
static void
the_processors_blocks_make_the_same_hashes(void **state)
{
	uint8_t in[LONGEST + 1], want[32], got[32];

	(void)state;
	for (size_t len = 0; pf_sha256_x86_works() && len <= LONGEST; len++) {
		/* At an odd address, so that none may be taken for even. */
		fill(in + 1, len);
		hash_by(pf_sha256_portable, in + 1, len, want);
		hash_by(pf_sha256_x86, in + 1, len, got);
		assert_memory_equal(got, want, 32);
	}
}
#endif

static void
no_block_leaves_the_state_as_it_was(void **state)
{
	struct pf_sha256 before, after;

	(void)state;
	pf_sha256_init(&before);
	pf_sha256_init(&after);
	pf_sha256_portable(after.state, NULL, 0);
	assert_memory_equal(after.state, before.state, 32);
#ifdef PF_SHA256_X86
	if (pf_sha256_x86_works())
		pf_sha256_x86(after.state, NULL, 0);
	assert_memory_equal(after.state, before.state, 32);
#endif
}

/* FIPS 180-4's long example: the length field and many blocks at once. */
static void
a_million_times_a(void **state)
{
	static uint8_t in[1000000];
	uint8_t out[32];
	char hex[65];

	(void)state;
	memset(in, 'a', sizeof in);
	pf_sha256(in, sizeof in, out);
	pf_hex_write(out, 32, hex);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67"
	                         "f1809a48a497200e046d39ccc7112cd0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_length_has_its_known_answer),
	    cmocka_unit_test(portable_blocks_make_the_same_hashes),
#ifdef PF_SHA256_X86
	    cmocka_unit_test(the_processors_blocks_make_the_same_hashes),
#endif
	    cmocka_unit_test(no_block_leaves_the_state_as_it_was),
	    cmocka_unit_test(a_million_times_a),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
