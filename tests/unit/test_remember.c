/* What was found out before: by the very bytes, and only what was verified. */
#include "people.h"

static const struct pf_facts one = {.has_pin = 1, .pin = {1}};
static const struct pf_facts two = {.has_pin = 1, .pin = {2}};

static struct pinfast_bytes
bytes_of(const char *text)
{
	struct pinfast_bytes bytes = {(const uint8_t *)text, strlen(text)};

	return bytes;
}

static int
get(struct pf_seen *seen, const char *a, const char *b)
{
	struct pf_facts facts;

	return pf_seen_get(seen, bytes_of(a), bytes_of(b), &facts)
	           ? facts.pin[0]
	           : 0;
}

static void
only_the_very_bytes_are_found(void **state)
{
	static struct pf_seen seen = PF_SEEN_EMPTY;

	(void)state;
	assert_int_equal(get(&seen, "abc", ""), 0);
	pf_seen_put(&seen, bytes_of("abc"), bytes_of(""), &one);
	pf_seen_put(&seen, bytes_of("xyc"), bytes_of("d"), &two);
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
a_bare_fact_is_known_or_not(void **state)
{
	struct pf_seen seen;

	(void)state;
	pf_seen_init(&seen);
	pf_seen_put(&seen, bytes_of("abc"), bytes_of("d"), NULL);
	assert_true(pf_seen_get(&seen, bytes_of("abc"), bytes_of("d"), NULL));
	assert_false(pf_seen_get(&seen, bytes_of("abc"), bytes_of(""), NULL));
	assert_false(pf_seen_get(&seen, bytes_of("abc"), bytes_of("e"), NULL));
	pf_seen_fini(&seen);
}

static void
the_oldest_one_is_forgotten(void **state)
{
	static const char names[][3] = {"1.", "2.", "3.", "4.", "5."};
	struct pf_seen seen;

	(void)state;
	pf_seen_init(&seen);
	for (unsigned i = 0; i <= PF_SEEN_WAYS; i++)
		pf_seen_put(&seen, bytes_of(names[i]), bytes_of(""),
		    i < PF_SEEN_WAYS ? &one : &two);
	assert_int_equal(get(&seen, names[0], ""), 0);
	for (unsigned i = 1; i < PF_SEEN_WAYS; i++)
		assert_int_equal(get(&seen, names[i], ""), 1);
	assert_int_equal(get(&seen, names[PF_SEEN_WAYS], ""), 2);
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
		struct pf_facts facts;
		struct pf_seen seen;

		pf_seen_init(&seen);
		pf_seen_put(&seen, a, b, &one);
		claim(rows[i].name,
		    pf_seen_get(&seen, a, b, &facts) == rows[i].kept);
		pf_seen_fini(&seen);
	}
	free(much);
}

/* As in a child of fork(), whose parent's other thread held the lock. */
static void
nobody_waits(void **state)
{
	struct pf_seen seen;

	(void)state;
	pf_seen_init(&seen);
	pf_seen_put(&seen, bytes_of("x"), bytes_of(""), &one);
	assert_int_equal(pthread_mutex_lock(&seen.lock), 0);
	assert_int_equal(get(&seen, "x", ""), 0);
	pf_seen_put(&seen, bytes_of("y"), bytes_of(""), &two);
	assert_int_equal(pthread_mutex_unlock(&seen.lock), 0);
	assert_int_equal(get(&seen, "x", ""), 1);
	assert_int_equal(get(&seen, "y", ""), 0);
	pf_seen_fini(&seen);
}

/* Twice, first with what has no pin: what is known stays, and the pin comes
 * to it. */
static void
a_pin_is_added(void **state)
{
	static const struct pf_facts dates = {.not_after = 7};
	struct pf_seen seen;
	struct pf_facts facts;

	(void)state;
	pf_seen_init(&seen);
	for (int i = 0; i < 2; i++) {
		pf_seen_put(&seen, bytes_of("x"), bytes_of(""), &dates);
		assert_int_equal(pf_seen_get(&seen, bytes_of("x"), bytes_of(""),
		                     &facts),
		    1);
		assert_int_equal(facts.has_pin, i);
		assert_int_equal(facts.pin[0], i);
		assert_int_equal(facts.not_after, 7);
		pf_seen_put(&seen, bytes_of("x"), bytes_of(""), &one);
		assert_int_equal(get(&seen, "x", ""), 1);
	}
	pf_seen_fini(&seen);
}

/* ------------------------------------------------------------ judging paths */

static int
same_slice(struct pinfast_bytes a, struct pinfast_bytes b)
{
	return a.data == b.data && a.len == b.len;
}

static int
same_cert(const struct pf_cert *a, const struct pf_cert *b)
{
	return same_slice(a->key.spki, b->key.spki) &&
	       same_slice(a->key.oid, b->key.oid) &&
	       same_slice(a->key.params, b->key.params) &&
	       same_slice(a->key.bits, b->key.bits) &&
	       same_slice(a->issuer, b->issuer) &&
	       same_slice(a->subject, b->subject) &&
	       same_slice(a->not_before, b->not_before) &&
	       same_slice(a->not_after, b->not_after) &&
	       same_slice(a->extensions, b->extensions);
}

/* Nobody may be led to bytes that are another's, or gone. */
static void
every_slice_is_one_of_the_bytes_asked_about(void **state)
{
	static const char mine[] = "0123456789", theirs[] = "0123456789";
	struct pinfast_bytes put = bytes_of(mine), asked = bytes_of(theirs);
	struct pf_facts facts = {0};
	struct pf_cert *walked = &facts.walked;
	struct pinfast_bytes *slices[] = {&walked->key.spki, &walked->key.oid,
	    &walked->key.params, &walked->key.bits, &walked->issuer,
	    &walked->subject, &walked->not_before, &walked->not_after,
	    &walked->extensions};
	struct pf_seen seen;

	(void)state;
	pf_seen_init(&seen);
	for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
		slices[i]->data = put.data + i;
		slices[i]->len = 1;
	}
	pf_seen_put(&seen, put, bytes_of(""), &facts);
	memset(&facts, 0, sizeof facts);
	assert_int_equal(pf_seen_get(&seen, asked, bytes_of(""), &facts), 1);
	for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
		assert_ptr_equal(slices[i]->data, asked.data + i);
		assert_int_equal(slices[i]->len, 1);
	}
	pf_seen_fini(&seen);
}

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

/* Judges a path that is recalled; what was new in it. */
static unsigned
judge_recalled(enum pinfast_role role, enum who pin)
{
	static const enum who who[] = {LEAF, INT_A, ROOT_A};
	static const enum who anchors[] = {ROOT_A, END};
	const struct pf_link *path[3];
	struct pf_link recalled[3];
	struct pinfast_path last;
	struct situation s;
	unsigned new = 0;

	begin(&s, role, pin, END);
	add(&s.anchors, anchors);
	for (unsigned i = 0; i < 3; i++) {
		pf_link_recall(&recalled[i], links[who[i]].der, &remembered);
		assert_true(recalled[i].is_walked &&
		            same_cert(&recalled[i].walked,
		                &links[who[i]].walked));
		new |= (unsigned)recalled[i].is_new << i;
		path[i] = &recalled[i];
	}
	s.p.leaf = path[0];
	s.p.seen = &remembered;
	assert_int_equal(pf_paths_before(&s.p), 0);
	assert_int_equal(pf_paths_verified(&s.p, path, 3).reason,
	    PINFAST_REASON_PIN_MATCHED);
	last = pf_paths_last(&s.p);
	for (unsigned i = 0; i < 3; i++) {
		int64_t from, until;

		assert_int_equal(pf_cert_times(&links[who[i]].walked, &from,
		                     &until),
		    0);
		assert_int_equal(last.not_after(last.arg, i), until);
	}
	end(&s);
	return new;
}

static void
a_path_is_walked_once(void **state)
{
	(void)state;
	pf_seen_init(&remembered);
	assert_int_equal(judge_recalled(PINFAST_ROLE_LEAF, LEAF), 7);
	assert_int_equal(library.views, 1);
	assert_int_equal(judge_recalled(PINFAST_ROLE_LEAF, LEAF), 0);
	assert_int_equal(library.views, 0);
	/* Its pin was asked by nobody. */
	assert_int_equal(judge_recalled(PINFAST_ROLE_CA, ROOT_A), 0);
	assert_true(library.views > 0);
	assert_int_equal(judge_recalled(PINFAST_ROLE_CA, ROOT_A), 0);
	assert_int_equal(library.views, 0);
	pf_seen_fini(&remembered);
}

/* What cannot be walked stays so, and what has no dates has none. */
static void
what_is_broken_is_not_recalled(void **state)
{
	struct pf_link link;

	(void)state;
	pf_seen_init(&remembered);
	for (int i = 0; i < 2; i++) {
		const struct pf_link *const path[] = {&link};
		struct situation s;

		begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
		pf_link_recall(&link, links[BROKEN].der, &remembered);
		assert_true(link.is_new && !link.is_walked);
		s.p.leaf = &link;
		s.p.seen = &remembered;
		assert_int_equal(pf_paths_verified(&s.p, path, 1).reason,
		    PINFAST_REASON_CERTIFICATE_MALFORMED);
		end(&s);
	}
	pf_link_recall(&link, links[LEAF].der, NULL);
	assert_true(link.is_walked && !link.is_new && !link.is_seen);
	pf_seen_fini(&remembered);
}

/* Before it is verified the leaf is anybody's. */
static void
what_nobody_verified_is_not_remembered(void **state)
{
	struct pf_facts facts;
	struct pinfast_bytes none = {NULL, 0};
	struct pf_link leaf;
	struct situation s;

	(void)state;
	pf_seen_init(&remembered);
	begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
	pf_link_recall(&leaf, links[LEAF].der, &remembered);
	s.p.leaf = &leaf;
	s.p.seen = &remembered;
	assert_int_equal(pf_paths_before(&s.p), 0);
	assert_int_equal(pf_paths_failed(&s.p, PINFAST_REASON_PKIX_FAILED)
	                     .reason,
	    PINFAST_REASON_PKIX_FAILED);
	assert_int_equal(pf_seen_get(&remembered, links[LEAF].der, none,
	                     &facts),
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
	    cmocka_unit_test(a_bare_fact_is_known_or_not),
	    cmocka_unit_test(the_oldest_one_is_forgotten),
	    cmocka_unit_test(what_is_large_is_not_kept),
	    cmocka_unit_test(nobody_waits),
	    cmocka_unit_test(a_pin_is_added),
	    cmocka_unit_test(every_slice_is_one_of_the_bytes_asked_about),
	    cmocka_unit_test(a_certificate_is_looked_into_once),
	    cmocka_unit_test(a_path_is_walked_once),
	    cmocka_unit_test(what_is_broken_is_not_recalled),
	    cmocka_unit_test(what_nobody_verified_is_not_remembered),
	    cmocka_unit_test(
	        a_leaf_about_which_parsers_disagree_is_not_remembered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
