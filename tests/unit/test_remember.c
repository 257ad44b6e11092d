/* What was found out before: by the very bytes, and only what was verified. */
#include "people.h"

static const uint8_t one[32] = {1}, two[32] = {2};

static struct pinfast_bytes
bytes_of(const char *text)
{
	struct pinfast_bytes bytes = {(const uint8_t *)text, strlen(text)};

	return bytes;
}

static int
get(struct pf_seen *seen, const char *a, const char *b)
{
	uint8_t value[PINFAST_PIN_LEN] = {0};

	return pf_seen_get(seen, bytes_of(a), bytes_of(b), value) ? value[0]
	                                                          : 0;
}

static void
only_the_very_bytes_are_found(void **state)
{
	static struct pf_seen seen = PF_SEEN_EMPTY;

	(void)state;
	assert_int_equal(get(&seen, "abc", ""), 0);
	pf_seen_put(&seen, bytes_of("abc"), bytes_of(""), one);
	pf_seen_put(&seen, bytes_of("xyc"), bytes_of("d"), two);
	assert_int_equal(get(&seen, "abc", ""), 1);
	assert_int_equal(get(&seen, "xyc", "d"), 2);
	assert_int_equal(get(&seen, "abd", ""), 0);
	assert_int_equal(get(&seen, "bbc", ""), 0);
	assert_int_equal(get(&seen, "abcd", ""), 0);
	assert_int_equal(get(&seen, "bc", ""), 0);
	assert_int_equal(get(&seen, "abc", "d"), 0);
	assert_int_equal(get(&seen, "xyc", ""), 0);
	assert_int_equal(get(&seen, "xyc", "e"), 0);
	assert_int_equal(get(&seen, "xy", "cd"), 0);
	assert_int_equal(get(&seen, "xycd", ""), 0);
	assert_int_equal(get(&seen, "", ""), 0);
	pf_seen_fini(&seen);
}

static void
the_older_one_is_forgotten(void **state)
{
	struct pf_seen seen;

	(void)state;
	pf_seen_init(&seen);
	pf_seen_put(&seen, bytes_of("1."), bytes_of(""), one);
	pf_seen_put(&seen, bytes_of("2."), bytes_of(""), one);
	pf_seen_put(&seen, bytes_of("3."), bytes_of(""), two);
	assert_int_equal(get(&seen, "1.", ""), 0);
	assert_int_equal(get(&seen, "2.", ""), 1);
	assert_int_equal(get(&seen, "3.", ""), 2);
	pf_seen_fini(&seen);
}

static void
what_is_large_is_not_kept(void **state)
{
	static const struct {
		const char *name;
		size_t len, other;
		int kept;
	} rows[] = {
	    {"the largest", PF_SEEN_MAX, 0, 1},
	    {"the largest two", PF_SEEN_MAX - 1, 1, 1},
	    {"one more", PF_SEEN_MAX + 1, 0, 0},
	    {"one more together", PF_SEEN_MAX, 1, 0},
	    {"another that is endless", 1, SIZE_MAX, 0},
	    {"nothing", 0, 0, 0},
	};
	uint8_t *much = calloc(1, PF_SEEN_MAX + 1);

	(void)state;
	assert_non_null(much);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_bytes a = {much, rows[i].len};
		struct pinfast_bytes b = {much, rows[i].other};
		uint8_t value[PINFAST_PIN_LEN];
		struct pf_seen seen;

		pf_seen_init(&seen);
		pf_seen_put(&seen, a, b, one);
		claim(rows[i].name,
		    pf_seen_get(&seen, a, b, value) == rows[i].kept);
		pf_seen_fini(&seen);
	}
	free(much);
}

/* ------------------------------------------------------------ judging paths */

static struct pf_seen remembered;

static struct pinfast_verdict
judge(enum pinfast_role role, enum who pin, int before)
{
	static const enum who anchors[] = {ROOT_A, END};
	const struct pf_link *const path[] = {
	    &links[LEAF], &links[INT_A], &links[ROOT_A]};
	struct pinfast_verdict verdict;
	struct situation s;

	begin(&s, role, pin, END);
	add(&s.anchors, anchors);
	s.p.leaf = &links[LEAF];
	s.p.seen = &remembered;
	if (before)
		assert_int_equal(pf_paths_before(&s.p), 0);
	verdict = pf_paths_verified(&s.p, path, 3);
	end(&s);
	return verdict;
}

static void
a_certificate_is_looked_into_once(void **state)
{
	(void)state;
	pf_seen_init(&remembered);
	assert_int_equal(judge(PINFAST_ROLE_LEAF, LEAF, 1).reason,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(library.views, 1);
	assert_int_equal(judge(PINFAST_ROLE_LEAF, LEAF, 1).reason,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(library.views, 0);
	assert_int_equal(judge(PINFAST_ROLE_CA, ROOT_A, 0).reason,
	    PINFAST_REASON_PIN_MATCHED);
	assert_true(library.views > 0);
	assert_int_equal(judge(PINFAST_ROLE_CA, ROOT_A, 0).reason,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(library.views, 0);
	assert_int_equal(judge(PINFAST_ROLE_LEAF, LEAF_X, 0).reason,
	    PINFAST_REASON_PIN_MISMATCH);
	pf_seen_fini(&remembered);
}

/* Before it is verified the leaf is anybody's. */
static void
what_nobody_verified_is_not_remembered(void **state)
{
	uint8_t pin[PINFAST_PIN_LEN];
	struct pinfast_bytes none = {NULL, 0};
	struct situation s;

	(void)state;
	pf_seen_init(&remembered);
	begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
	s.p.leaf = &links[LEAF];
	s.p.seen = &remembered;
	assert_int_equal(pf_paths_before(&s.p), 0);
	assert_int_equal(pf_paths_failed(&s.p, PINFAST_REASON_PKIX_FAILED)
	                     .reason,
	    PINFAST_REASON_PKIX_FAILED);
	assert_int_equal(pf_seen_get(&remembered, links[LEAF].der, none, pin),
	    0);
	end(&s);
	pf_seen_fini(&remembered);
}

static void
a_leaf_about_which_parsers_disagree_is_not_remembered(void **state)
{
	(void)state;
	pf_seen_init(&remembered);
	for (int i = 0; i < 2; i++) {
		static const enum who anchors[] = {ROOT_A, END};
		const struct pf_link *const path[] = {
		    &links[LEAF], &links[INT_A], &links[ROOT_A]};
		struct situation s;

		begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
		add(&s.anchors, anchors);
		s.p.leaf = &links[LEAF];
		s.p.seen = &remembered;
		library.wrong_at = 0;
		assert_int_equal(pf_paths_verified(&s.p, path, 3).reason,
		    PINFAST_REASON_PARSER_DISAGREEMENT);
		assert_true(library.views > 0);
		end(&s);
	}
	pf_seen_fini(&remembered);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_very_bytes_are_found),
	    cmocka_unit_test(the_older_one_is_forgotten),
	    cmocka_unit_test(what_is_large_is_not_kept),
	    cmocka_unit_test(a_certificate_is_looked_into_once),
	    cmocka_unit_test(what_nobody_verified_is_not_remembered),
	    cmocka_unit_test(
	        a_leaf_about_which_parsers_disagree_is_not_remembered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
