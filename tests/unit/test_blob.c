/* Serialised sessions: what comes from outside is hostile. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapt/blob.h"
#include "claim.h"

static const uint8_t tag[] = "the tag";
static const uint8_t session[] = "what the library wrote";

static struct pf_blob
some(size_t tag_len, size_t session_len)
{
	struct pf_blob blob = {{tag, tag_len}, {session, session_len}};

	return blob;
}

static void
what_is_written_is_read(void **state)
{
	struct pf_blob blob = some(7, 22), back;
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(pf_blob_write("PFX1", &blob, NULL, 0), 37);
	assert_int_equal(pf_blob_write("PFX1", &blob, bytes, 37), 37);
	assert_int_equal(pf_blob_read("PFX1", bytes, 37, &back), 0);
	assert_int_equal(back.tag.len, 7);
	assert_memory_equal(back.tag.data, tag, 7);
	assert_int_equal(back.session.len, 22);
	assert_memory_equal(back.session.data, session, 22);
}

static void
a_blob_without_a_tag_is_one_too(void **state)
{
	struct pf_blob blob = {{NULL, 0}, {session, 3}}, back;
	uint8_t bytes[16];

	(void)state;
	assert_int_equal(pf_blob_write("PFX1", &blob, bytes, 16), 11);
	assert_int_equal(pf_blob_read("PFX1", bytes, 11, &back), 0);
	assert_int_equal(back.tag.len, 0);
	assert_int_equal(back.session.len, 3);
}

static void
nothing_is_written_beyond_the_room(void **state)
{
	struct pf_blob blob = some(7, 22);
	uint8_t bytes[64];

	(void)state;
	for (size_t size = 0; size < 37; size++) {
		memset(bytes, 0xee, sizeof bytes);
		assert_int_equal(pf_blob_write("PFX1", &blob, bytes, size), 37);
		for (size_t i = 0; i < sizeof bytes; i++)
			assert_int_equal(bytes[i], 0xee);
	}
}

static void
what_is_too_long_is_not_written(void **state)
{
	static const struct {
		const char *name;
		size_t tag_len, session_len, want;
	} rows[] = {
	    {"no session", 7, 0, 0},
	    {"the longest tag", PINFAST_TAG_MAX, 1, PINFAST_TAG_MAX + 9},
	    {"a tag too long", PINFAST_TAG_MAX + 1, 1, 0},
	    {"the longest session", 7, PF_BLOB_MAX - 15, PF_BLOB_MAX},
	    {"all too long", 7, PF_BLOB_MAX - 14, 0},
	    {"a session too long", 0, PF_BLOB_MAX + 1, 0},
	    {"no number", 0, SIZE_MAX, 0},
	};
	uint8_t *much = calloc(1, PF_BLOB_MAX + 1);

	(void)state;
	assert_non_null(much);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pf_blob blob = {
		    {much, rows[i].tag_len}, {much, rows[i].session_len}};

		claim(rows[i].name,
		    pf_blob_write("PFX1", &blob, NULL, 0) == rows[i].want);
	}
	free(much);
}

/* A copy of exactly that many bytes, so that a byte too far is seen. */
static enum pinfast_error
read_exactly(const char *magic, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct pf_blob back;
	enum pinfast_error error;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	error = pf_blob_read(magic, copy, len, &back);
	if (error == PINFAST_OK) {
		assert_true(back.tag.data >= copy);
		assert_true(back.session.data + back.session.len == copy + len);
		assert_true(back.session.len > 0);
	}
	free(copy);
	return error;
}

static void
every_byte_cut_off_leaves_no_tag_behind_the_end(void **state)
{
	struct pf_blob blob = some(7, 22);
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(pf_blob_write("PFX1", &blob, bytes, 64), 37);
	/* Shorter sessions are the library's to refuse, by the tag's hash. */
	for (size_t len = 0; len <= 37; len++)
		assert_int_equal(read_exactly("PFX1", bytes, len),
		    len > 15 ? PINFAST_OK : PINFAST_EFORMAT);
}

static void
hostile_lengths_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint8_t len[4];
	} rows[] = {
	    {"all of it", {29, 0, 0, 0}},
	    {"one more", {30, 0, 0, 0}},
	    {"beyond the longest", {1, 4, 0, 0}},
	    {"wraps by the head", {0xf8, 0xff, 0xff, 0xff}},
	    {"the largest", {0xff, 0xff, 0xff, 0xff}},
	    {"a sign", {0, 0, 0, 0x80}},
	};
	struct pf_blob blob = some(7, 22);
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(pf_blob_write("PFX1", &blob, bytes, 64), 37);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		memcpy(bytes + 4, rows[i].len, 4);
		claim(rows[i].name,
		    read_exactly("PFX1", bytes, 37) == PINFAST_EFORMAT);
	}
	bytes[4] = 28;
	memset(bytes + 5, 0, 3);
	assert_int_equal(read_exactly("PFX1", bytes, 37), PINFAST_OK);
}

static void
what_another_library_wrote_is_refused(void **state)
{
	static const char *const magics[] = {"PFY1", "PFX2", "pfx1", "XFP1"};
	struct pf_blob blob = some(7, 22);
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(pf_blob_write("PFX1", &blob, bytes, 64), 37);
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
		claim(magics[i],
		    read_exactly(magics[i], bytes, 37) == PINFAST_EFORMAT);
}

static void
more_than_the_limit_is_refused(void **state)
{
	uint8_t *much = calloc(1, PF_BLOB_MAX + 1);

	(void)state;
	assert_non_null(much);
	memcpy(much, "PFX1", 4);
	assert_int_equal(read_exactly("PFX1", much, PF_BLOB_MAX), 0);
	assert_int_equal(read_exactly("PFX1", much, PF_BLOB_MAX + 1),
	    PINFAST_EFORMAT);
	free(much);
}

/* -------------------------------------------------------------------- files */

static char folder[64];

static int
enter(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/pinfast-test-XXXXXX");
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
leave(void **state)
{
	(void)state;
	(void)unlink("session");
	return chdir("/") != 0 || rmdir(folder) != 0 ? -1 : 0;
}

/* What an adapter would write and read. */
struct adapter {
	size_t first, second; /* what its writer says */
	enum pinfast_error error;
	size_t read;
	uint8_t bytes[64];
};

static size_t
write_to(void *arg, uint8_t *out, size_t size)
{
	const struct adapter *a = arg;

	if (out == NULL)
		return a->first;
	assert_int_equal(size, a->first);
	memcpy(out, session, a->second);
	return a->second;
}

static enum pinfast_error
read_from(void *arg, const uint8_t *data, size_t len)
{
	struct adapter *a = arg;

	assert_true(len <= sizeof a->bytes);
	memcpy(a->bytes, data, len);
	a->read = len;
	return a->error;
}

static struct adapter
writes(size_t first, size_t second)
{
	struct adapter a = {first, second, PINFAST_OK, 0, {0}};

	return a;
}

static void
a_saved_session_is_ours_alone(void **state)
{
	struct adapter a = writes(22, 22);
	struct stat st;

	(void)state;
	assert_int_equal(pf_blob_save("session", write_to, &a, NULL), 0);
	assert_int_equal(stat("session", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pf_blob_load("session", read_from, &a, NULL), 0);
	assert_int_equal(a.read, 22);
	assert_memory_equal(a.bytes, session, 22);
}

static void
without_a_session_no_file_is_written(void **state)
{
	struct adapter a = writes(0, 0);
	struct pinfast_diag diag;

	(void)state;
	assert_int_equal(pf_blob_save("session", write_to, &a, NULL),
	    PINFAST_ENOTFOUND);
	assert_int_equal(pf_blob_save("session", write_to, &a, &diag),
	    PINFAST_ENOTFOUND);
	assert_non_null(strstr(diag.text, "cannot be resumed safely"));
	assert_int_not_equal(access("session", F_OK), 0);
}

static void
half_a_session_is_not_saved(void **state)
{
	static const size_t seconds[] = {0, 1, 21};
	struct pinfast_diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
		struct adapter a = writes(22, seconds[i]);

		assert_int_equal(pf_blob_save("session", write_to, &a, &diag),
		    PINFAST_ENOMEM);
		assert_string_equal(diag.text, "out of memory");
		assert_int_not_equal(access("session", F_OK), 0);
	}
}

static void
more_than_there_is_memory_for_is_not_saved(void **state)
{
	struct adapter a = writes(SIZE_MAX / 2 + 1, 0);
	struct pinfast_diag diag;

	(void)state;
	assert_int_equal(pf_blob_save("session", write_to, &a, &diag),
	    PINFAST_ENOMEM);
	assert_string_equal(diag.text, "out of memory");
}

static void
what_the_adapter_says_of_a_session_is_the_answer(void **state)
{
	struct adapter a = writes(22, 22);

	(void)state;
	assert_int_equal(pf_blob_save("session", write_to, &a, NULL), 0);
	a.error = PINFAST_EPOLICY;
	assert_int_equal(pf_blob_load("session", read_from, &a, NULL),
	    PINFAST_EPOLICY);
	assert_int_equal(a.read, 22);
}

static void
a_session_that_others_may_read_or_write_is_refused(void **state)
{
	static const mode_t modes[] = {
	    0640, 0604, 0620, 0602, 0610, 0601, 0666};
	struct adapter a = writes(22, 22);
	struct pinfast_diag diag;

	(void)state;
	assert_int_equal(pf_blob_save("session", write_to, &a, NULL), 0);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(chmod("session", modes[i]), 0);
		assert_int_equal(pf_blob_load("session", read_from, &a, &diag),
		    PINFAST_EUNSAFE);
		assert_non_null(strstr(diag.text, "chmod 600"));
		assert_int_equal(a.read, 0);
	}
	assert_int_equal(chmod("session", 0400), 0);
	assert_int_equal(pf_blob_load("session", read_from, &a, NULL), 0);
}

static void
what_is_missing_or_too_large_is_not_loaded(void **state)
{
	struct adapter a = writes(22, 22);

	(void)state;
	assert_int_equal(pf_blob_load("session", read_from, &a, NULL),
	    PINFAST_EIO);
	assert_int_equal(pf_blob_save("session", write_to, &a, NULL), 0);
	assert_int_equal(truncate("session", PF_BLOB_MAX + 1), 0);
	assert_int_equal(pf_blob_load("session", read_from, &a, NULL),
	    PINFAST_ELIMIT);
	assert_int_equal(pf_blob_load("/", read_from, &a, NULL), PINFAST_EIO);
	assert_int_equal(a.read, 0);
	assert_int_equal(pf_blob_save("none/session", write_to, &a, NULL),
	    PINFAST_EIO);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(a_blob_without_a_tag_is_one_too),
	    cmocka_unit_test(nothing_is_written_beyond_the_room),
	    cmocka_unit_test(what_is_too_long_is_not_written),
	    cmocka_unit_test(every_byte_cut_off_leaves_no_tag_behind_the_end),
	    cmocka_unit_test(hostile_lengths_are_refused),
	    cmocka_unit_test(what_another_library_wrote_is_refused),
	    cmocka_unit_test(more_than_the_limit_is_refused),
	    in_folder(a_saved_session_is_ours_alone),
	    in_folder(without_a_session_no_file_is_written),
	    in_folder(half_a_session_is_not_saved),
	    in_folder(more_than_there_is_memory_for_is_not_saved),
	    in_folder(what_the_adapter_says_of_a_session_is_the_answer),
	    in_folder(a_session_that_others_may_read_or_write_is_refused),
	    in_folder(what_is_missing_or_too_large_is_not_loaded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
