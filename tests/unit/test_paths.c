/* Further paths: which one meets the entry, and who says so. */
#include "people.h"

/* -------------------------------------------------------------------- rows */

static const struct row {
	const char *name;
	enum who sent[6]; /* leaf first */
	enum who anchors[4];
	enum who first[5]; /* END: the library names none */
	enum pinfast_role role;
	enum who pin;
	enum who rejected;
	int32_t reason;
	enum who judged[5]; /* the path that was judged last; END: any */
} rows[] = {
    {"the first path does", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_A, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XA, ROOT_A}},
    {"another root is pinned", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XB, ROOT_B}},
    {"another root is pinned, as a CA", {LEAF_X, INT_XB, INT_XA},
        {ROOT_A, ROOT_B}, {LEAF_X, INT_XB, ROOT_B}, PINFAST_ROLE_CA, ROOT_A,
        END, PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XA, ROOT_A}},
    {"the first root is rejected", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, INT_XA, ROOT_A,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XB, ROOT_B}},
    {"through a root that another signed", {LEAF, INT_A, A_BY_B},
        {ROOT_A, ROOT_B}, {LEAF, INT_A, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF, INT_A, A_BY_B, ROOT_B}},
    {"an anchor in the middle", {LEAF, INT_A}, {A_BY_B, ROOT_B},
        {LEAF, INT_A, A_BY_B}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF, INT_A, A_BY_B, ROOT_B}},

    {"nobody sent the other", {LEAF_X, INT_XA}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"the other is no anchor", {LEAF_X, INT_XA, INT_XB, ROOT_B}, {ROOT_A},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"there are no anchors", {LEAF_X, INT_XA, INT_XB}, {END},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"a pinned root appended", {LEAF, INT_A, ROOT_B}, {ROOT_A, ROOT_B},
        {LEAF, INT_A, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF, INT_A, ROOT_A}},
    {"a pinned stranger in between", {LEAF, INT_XA, INT_A}, {ROOT_A},
        {LEAF, INT_A, ROOT_A}, PINFAST_ROLE_ANY, INT_XA, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF, INT_A, ROOT_A}},
    {"who only says so", {LEAF_X, INT_XA, LIAR}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"a leaf pin misses", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_LEAF, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"both ways are rejected", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, INT_XA,
        PINFAST_REASON_REJECTED_KEY, {LEAF_X, INT_XA, ROOT_A}},
    {"the leaf is rejected", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, LEAF_X,
        PINFAST_REASON_REJECTED_KEY, {LEAF_X, INT_XA, ROOT_A}},
    {"what cannot be walked is in the way", {LEAF_X, BROKEN, INT_XA, INT_XB},
        {ROOT_A, ROOT_B}, {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B,
        END, PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XB, ROOT_B}},
    {"a loop behind the leaf", {LEAF_L, LOOP_1, LOOP_2, LOOP_1, LOOP_2},
        {ROOT_A, ROOT_B}, {LEAF_L, LOOP_1}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_L, LOOP_1}},
    {"a first path of a broken leaf", {BROKEN, INT_A}, {ROOT_A},
        {BROKEN, INT_A, ROOT_A}, PINFAST_ROLE_ANY, ROOT_A, END,
        PINFAST_REASON_CERTIFICATE_MALFORMED, {END}},

    {"none named, it does", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, ROOT_A, END, PINFAST_REASON_PIN_MATCHED,
        {LEAF_X, INT_XA, ROOT_A}},
    {"none named, the other does", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, ROOT_B, END, PINFAST_REASON_PIN_MATCHED,
        {LEAF_X, INT_XB, ROOT_B}},
    {"none named, the order does not matter", {LEAF_X, ROOT_A, INT_XB, INT_XA},
        {ROOT_B, ROOT_A}, {END}, PINFAST_ROLE_ANY, ROOT_A, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XA, ROOT_A}},
    {"none named, the first one lies", {LEAF_X, LIAR, INT_XA}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, INT_XA, END, PINFAST_REASON_PIN_MATCHED,
        {LEAF_X, INT_XA, ROOT_A}},
    {"none named, a leaf that is an anchor", {SELF}, {ROOT_A, SELF}, {END},
        PINFAST_ROLE_LEAF, SELF, END, PINFAST_REASON_PIN_MATCHED, {SELF}},
    {"none named, nobody pinned", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, INT_A, END, PINFAST_REASON_PIN_MISMATCH,
        {LEAF_X, INT_XA, ROOT_A}},
    {"none named, no path", {LEAF_X, INT_A}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF_X, END, PINFAST_REASON_PKIX_FAILED, {LEAF_X}},
    {"none named, no anchor", {LEAF_X, INT_XA}, {ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF_X, END, PINFAST_REASON_PKIX_FAILED, {LEAF_X}},
    {"none named, only liars", {LEAF_X, LIAR}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF_X, END, PINFAST_REASON_PKIX_FAILED, {LEAF_X}},
    {"none named, only a loop", {LEAF_L, LOOP_1, LOOP_2}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, LEAF_L, END, PINFAST_REASON_PKIX_FAILED,
        {LEAF_L}},
    {"none named, signed by itself", {SELF}, {ROOT_A}, {END}, PINFAST_ROLE_ANY,
        SELF, END, PINFAST_REASON_PKIX_FAILED, {SELF}},
    {"none named, the root is rejected", {LEAF, INT_A}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF, ROOT_A, PINFAST_REASON_REJECTED_KEY,
        {LEAF, INT_A, ROOT_A}},
    {"none named, the leaf is rejected", {LEAF, INT_A}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF, LEAF, PINFAST_REASON_REJECTED_KEY,
        {LEAF, INT_A, ROOT_A}},
    {"none named, a broken leaf", {BROKEN, INT_A}, {ROOT_A}, {END},
        PINFAST_ROLE_ANY, INT_A, END, PINFAST_REASON_CERTIFICATE_MALFORMED,
        {BROKEN}},
};

static struct pinfast_verdict
run(struct situation *s, const struct row *row)
{
	const struct pf_link *first[5];
	size_t count = 0;

	add(&s->anchors, row->anchors);
	add(&s->sent, row->sent + 1);
	s->p.leaf = &links[row->sent[0]];
	for (; row->first[count] != END; count++)
		first[count] = &links[row->first[count]];
	return pf_paths_verified(&s->p, count > 0 ? first : NULL, count);
}

static void
expect_judged(const struct row *row, const struct pf_paths *p)
{
	size_t count = 0;

	if (row->judged[0] == END)
		return;
	for (; row->judged[count] != END; count++) {
		claim(row->name, count < p->count);
		claim(row->name, p->path[count]->der.data ==
		                     links[row->judged[count]].der.data);
	}
	claim(row->name, count == p->count);
}

static void
one_verified_path_must_meet_the_whole_entry(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct pinfast_verdict verdict;
		struct situation s;

		begin(&s, row->role, row->pin, row->rejected);
		verdict = run(&s, row);
		if (verdict.reason != row->reason)
			fail_msg("%s: %s, not %s", row->name,
			    pinfast_reason_name(verdict.reason),
			    pinfast_reason_name(row->reason));
		claim(row->name,
		    (verdict.decision == PINFAST_ALLOW) ==
		        (row->reason == PINFAST_REASON_PIN_MATCHED));
		claim(row->name,
		    verdict.reason == pinfast_conn_verdict(s.p.conn).reason);
		expect_judged(row, &s.p);
		end(&s);
	}
}

/* Whatever the names promise, the library has the last word. */
static void
what_the_library_refuses_is_never_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct row row = rows[i];
		struct pinfast_verdict verdict;
		struct situation s;

		if (row.reason != PINFAST_REASON_PIN_MATCHED ||
		    (row.first[0] != END && row.pin == ROOT_A &&
		        row.first[2] == ROOT_A))
			continue;
		begin(&s, row.role, row.pin, row.rejected);
		library.refuses = 1;
		verdict = run(&s, &row);
		claim(row.name, verdict.decision != PINFAST_ALLOW);
		claim(row.name, library.asked > 0);
		end(&s);
	}
}

static void
an_application_may_want_one_path_only(void **state)
{
	struct situation s;

	(void)state;
	begin(&s, rows[1].role, rows[1].pin, END);
	s.p.one_path = 1;
	assert_int_equal(run(&s, &rows[1]).reason, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(library.asked, 0);
	end(&s);
}

static void
without_a_way_to_verify_nothing_is_searched(void **state)
{
	struct situation s;

	(void)state;
	for (size_t i = 1; i < sizeof rows / sizeof *rows; i++) {
		begin(&s, rows[i].role, rows[i].pin, rows[i].rejected);
		s.p.verify = NULL;
		claim(rows[i].name,
		    run(&s, &rows[i]).decision != PINFAST_ALLOW);
		claim(rows[i].name, library.asked == 0);
		end(&s);
	}
}

/* ---------------------------------------------------------- the two parsers */

static void
both_parsers_must_agree(void **state)
{
	static const struct row row = {"two parsers", {LEAF_X, INT_XA, INT_XB},
	    {ROOT_A, ROOT_B}, {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY,
	    ROOT_B, END, 0, {END}};
	static const struct {
		const char *name;
		int wrong_at;
		int no_view;
		int says_nothing;
		int32_t reason;
	} views[] = {
	    {"as ours", -1, 0, 0, PINFAST_REASON_PIN_MATCHED},
	    {"an issuer without a pin", 1, 0, 0, PINFAST_REASON_PIN_MATCHED},
	    {"another leaf", 0, 0, 0, PINFAST_REASON_PARSER_DISAGREEMENT},
	    /* Then that path does not do, and the first one is spoken of. */
	    {"another pinned root", 2, 0, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"none", -1, 1, 0, PINFAST_REASON_CERTIFICATE_MALFORMED},
	    {"an empty one", -1, 0, 1, PINFAST_REASON_PARSER_DISAGREEMENT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		struct pinfast_verdict verdict;
		struct situation s;

		begin(&s, row.role, row.pin, END);
		library.wrong_at = views[i].wrong_at;
		library.no_view = views[i].no_view;
		library.says_nothing = views[i].says_nothing;
		verdict = run(&s, &row);
		if (verdict.reason != views[i].reason)
			fail_msg("%s: %s", views[i].name,
			    pinfast_reason_name(verdict.reason));
		claim(views[i].name,
		    (verdict.decision == PINFAST_ALLOW) ==
		        (views[i].reason == PINFAST_REASON_PIN_MATCHED));
		end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_verified_path_must_meet_the_whole_entry),
	    cmocka_unit_test(what_the_library_refuses_is_never_judged),
	    cmocka_unit_test(an_application_may_want_one_path_only),
	    cmocka_unit_test(without_a_way_to_verify_nothing_is_searched),
	    cmocka_unit_test(both_parsers_must_agree),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
