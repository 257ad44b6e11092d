/*
 * The decision tables, row for row.  Every row of the policy's meaning is a
 * row here: what the entry says, what the TLS library said, what comes out.
 */
#include "world.h"

/* What an entry says. */
enum entry {
	UNLISTED, /* no entry; top level: allow */
	UNLISTED_REPORT,
	UNLISTED_DENY,
	OFF,
	PINNED, /* enforce, leaf pin that matches */
	WRONG,  /* enforce, a pin of another key */
	REPORT_WRONG,
	REPORT_RIGHT,
	NONE_RIGHT, /* pkix: none */
	NONE_WRONG,
	NONE_IGNORE,    /* and dates: ignore, right pin */
	REJECT_ONLY,    /* enforce, no pins, rejects another key */
	REJECT_LEAF,    /* pinned and rejected at once */
	REJECT_ROOT,    /* pinned leaf, root rejected */
	REJECT_REPORT,  /* mode report, pinned, rejected */
	REJECT_TOP,     /* pinned; top level rejects the intermediate */
	REJECT_TOP_OFF, /* exempt; top level rejects the root */
	REJECT_TOP_UNLISTED,
	CA_INTER,  /* ca: intermediate */
	CA_LEAF,   /* ca: the leaf's key, which is no issuer */
	LEAF_ROOT, /* leaf: the root's key */
	ANY_ROOT,  /* pins: root */
	ALL_BOTH,  /* all-lists: leaf and ca right */
	ALL_ONE,   /* all-lists: leaf right, ca wrong */
	EXPIRED_ENFORCE,
	EXPIRED_REPORT,
	EXPIRED_DENY,
	EXPIRED_UNPIN,
	EXPIRED_UNPIN_REJECTED,
	REPORT_THEN_ENFORCE, /* mode report, expired into enforce, wrong */
	NOT_YET_EXPIRED,
	LAPSED_REPORT, /* wrong pin, on-lapse: report */
	LAPSED_ENFORCE,
	LAPSED_NONE,   /* pkix: none, wrong pin, on-lapse: report */
	LAPSED_REJECT, /* rejected leaf, on-lapse: report */
	TRUSTED        /* brings its own anchors */
};

enum shown { PATH, NOT_RUN, OVERRIDDEN, FAILED, FAILED_NO_LEAF, RAW, NOTHING };

#define A 1 /* allow */
#define D 0 /* deny */
#define R 2 /* allow, reported */
#define REASON(r) PINFAST_REASON_##r

static const struct row {
	const char *name;
	enum entry entry;
	enum shown shown;
	int out;
	int32_t reason;
} rows[] = {
    {"unlisted ok", UNLISTED, PATH, A, REASON(UNLISTED)},
    {"unlisted failed", UNLISTED, FAILED, D, REASON(PKIX_FAILED)},
    {"unlisted failed, no leaf", UNLISTED, FAILED_NO_LEAF, D,
        REASON(PKIX_FAILED)},
    {"unlisted not run", UNLISTED, NOT_RUN, A, REASON(UNLISTED_UNVERIFIED)},
    {"unlisted overridden", UNLISTED, OVERRIDDEN, A,
        REASON(UNLISTED_UNVERIFIED)},
    {"unlisted raw key", UNLISTED, RAW, A, REASON(UNLISTED_UNVERIFIED)},
    {"unlisted nothing shown", UNLISTED, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"unlisted: report ok", UNLISTED_REPORT, PATH, R, REASON(UNLISTED)},
    {"unlisted: report failed", UNLISTED_REPORT, FAILED, D,
        REASON(PKIX_FAILED)},
    {"unlisted: report not run", UNLISTED_REPORT, NOT_RUN, R,
        REASON(UNLISTED_UNVERIFIED)},
    {"unlisted: report overridden", UNLISTED_REPORT, OVERRIDDEN, R,
        REASON(UNLISTED_UNVERIFIED)},
    {"unlisted: report raw key", UNLISTED_REPORT, RAW, R,
        REASON(UNLISTED_UNVERIFIED)},
    {"unlisted: report nothing shown", UNLISTED_REPORT, NOTHING, D,
        REASON(NO_CERTIFICATE)},
    {"unlisted: deny ok", UNLISTED_DENY, PATH, D, REASON(UNLISTED)},
    {"unlisted: deny failed", UNLISTED_DENY, FAILED, D, REASON(PKIX_FAILED)},
    {"unlisted: deny not run", UNLISTED_DENY, NOT_RUN, D,
        REASON(UNLISTED_UNVERIFIED)},
    {"unlisted: deny overridden", UNLISTED_DENY, OVERRIDDEN, D,
        REASON(UNLISTED_UNVERIFIED)},
    {"unlisted: deny raw key", UNLISTED_DENY, RAW, D,
        REASON(UNLISTED_UNVERIFIED)},
    {"off ok", OFF, PATH, A, REASON(EXEMPT)},
    {"off failed", OFF, FAILED, D, REASON(PKIX_FAILED)},
    {"off failed, no leaf", OFF, FAILED_NO_LEAF, D, REASON(PKIX_FAILED)},
    {"off not run", OFF, NOT_RUN, A, REASON(EXEMPT_UNVERIFIED)},
    {"off overridden", OFF, OVERRIDDEN, A, REASON(EXEMPT_UNVERIFIED)},
    {"off raw key", OFF, RAW, A, REASON(EXEMPT_UNVERIFIED)},
    {"off nothing shown", OFF, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"pinned ok", PINNED, PATH, A, REASON(PIN_MATCHED)},
    {"pinned failed", PINNED, FAILED, D, REASON(PKIX_FAILED)},
    {"pinned failed, no leaf", PINNED, FAILED_NO_LEAF, D, REASON(PKIX_FAILED)},
    {"pinned not run", PINNED, NOT_RUN, D, REASON(NOT_VERIFIED)},
    {"pinned overridden", PINNED, OVERRIDDEN, D, REASON(NOT_VERIFIED)},
    {"pinned raw key", PINNED, RAW, D, REASON(NOT_VERIFIED)},
    {"pinned nothing shown", PINNED, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"wrong pin ok", WRONG, PATH, D, REASON(PIN_MISMATCH)},
    {"wrong pin failed", WRONG, FAILED, D, REASON(PKIX_FAILED)},
    {"wrong pin not run", WRONG, NOT_RUN, D, REASON(NOT_VERIFIED)},
    {"wrong pin overridden", WRONG, OVERRIDDEN, D, REASON(NOT_VERIFIED)},
    {"report wrong ok", REPORT_WRONG, PATH, R, REASON(PIN_MISMATCH)},
    {"report never rescues pkix", REPORT_WRONG, FAILED, D, REASON(PKIX_FAILED)},
    {"report not run", REPORT_WRONG, NOT_RUN, R, REASON(NOT_VERIFIED)},
    {"report overridden", REPORT_RIGHT, OVERRIDDEN, R, REASON(NOT_VERIFIED)},
    {"report wrong, overridden", REPORT_WRONG, OVERRIDDEN, R,
        REASON(NOT_VERIFIED)},
    {"report right, not run", REPORT_RIGHT, NOT_RUN, R, REASON(NOT_VERIFIED)},
    {"report raw key", REPORT_RIGHT, RAW, R, REASON(NOT_VERIFIED)},
    {"report right never rescues pkix", REPORT_RIGHT, FAILED, D,
        REASON(PKIX_FAILED)},
    {"report right is no report", REPORT_RIGHT, PATH, A, REASON(PIN_MATCHED)},
    {"report nothing shown", REPORT_RIGHT, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"none ok", NONE_RIGHT, PATH, A, REASON(PIN_MATCHED)},
    {"none failed", NONE_RIGHT, FAILED, A, REASON(PIN_MATCHED)},
    {"none failed, no leaf", NONE_RIGHT, FAILED_NO_LEAF, D,
        REASON(NO_CERTIFICATE)},
    {"none not run", NONE_RIGHT, NOT_RUN, A, REASON(PIN_MATCHED)},
    {"none overridden", NONE_RIGHT, OVERRIDDEN, A, REASON(PIN_MATCHED)},
    {"none raw key has no dates", NONE_RIGHT, RAW, D, REASON(NOT_VERIFIED)},
    {"none nothing shown", NONE_RIGHT, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"none wrong", NONE_WRONG, PATH, D, REASON(PIN_MISMATCH)},
    {"none wrong failed", NONE_WRONG, FAILED, D, REASON(PIN_MISMATCH)},
    {"none wrong not run", NONE_WRONG, NOT_RUN, D, REASON(PIN_MISMATCH)},
    {"none wrong overridden", NONE_WRONG, OVERRIDDEN, D, REASON(PIN_MISMATCH)},
    {"none wrong raw key", NONE_WRONG, RAW, D, REASON(NOT_VERIFIED)},
    {"none dates ignored raw key", NONE_IGNORE, RAW, A, REASON(PIN_MATCHED)},
    {"reject only, not shown", REJECT_ONLY, PATH, A, REASON(NO_PINS)},
    {"reject only, not run", REJECT_ONLY, NOT_RUN, D, REASON(NOT_VERIFIED)},
    {"reject only, failed", REJECT_ONLY, FAILED, D, REASON(PKIX_FAILED)},
    {"reject beats the pin", REJECT_LEAF, PATH, D, REASON(REJECTED_KEY)},
    {"reject on the path", REJECT_ROOT, PATH, D, REASON(REJECTED_KEY)},
    {"reject, own report", REJECT_REPORT, PATH, R, REASON(REJECTED_KEY)},
    {"reject, own report, failed", REJECT_REPORT, FAILED, D,
        REASON(PKIX_FAILED)},
    {"reject, leaf alone", REJECT_LEAF, NOT_RUN, D, REASON(REJECTED_KEY)},
    {"reject at the top", REJECT_TOP, PATH, D, REASON(REJECTED_KEY)},
    {"reject at the top, exempt", REJECT_TOP_OFF, PATH, D,
        REASON(REJECTED_KEY)},
    {"reject at the top, unlisted", REJECT_TOP_UNLISTED, PATH, D,
        REASON(REJECTED_KEY)},
    {"ca pin", CA_INTER, PATH, A, REASON(PIN_MATCHED)},
    {"ca pin does not match the leaf", CA_LEAF, PATH, D, REASON(PIN_MISMATCH)},
    {"leaf pin does not match the root", LEAF_ROOT, PATH, D,
        REASON(PIN_MISMATCH)},
    {"any pin at the root", ANY_ROOT, PATH, A, REASON(PIN_MATCHED)},
    {"all lists", ALL_BOTH, PATH, A, REASON(PIN_MATCHED)},
    {"all lists, one wrong", ALL_ONE, PATH, D, REASON(PIN_MISMATCH)},
    {"all lists, leaf alone", ALL_BOTH, NOT_RUN, D, REASON(NOT_VERIFIED)},
    {"expired enforce", EXPIRED_ENFORCE, PATH, D, REASON(PIN_MISMATCH)},
    {"expired report", EXPIRED_REPORT, PATH, R, REASON(PIN_MISMATCH)},
    {"expired report failed", EXPIRED_REPORT, FAILED, D, REASON(PKIX_FAILED)},
    {"expired deny refuses the right pin", EXPIRED_DENY, PATH, D,
        REASON(EXPIRED)},
    {"expired deny failed", EXPIRED_DENY, FAILED, D, REASON(PKIX_FAILED)},
    {"expired deny not run", EXPIRED_DENY, NOT_RUN, D, REASON(EXPIRED)},
    {"expired report not run", EXPIRED_REPORT, NOT_RUN, R,
        REASON(NOT_VERIFIED)},
    {"expired unpin", EXPIRED_UNPIN, PATH, A, REASON(EXPIRED_UNPINNED)},
    {"expired unpin failed", EXPIRED_UNPIN, FAILED, D, REASON(PKIX_FAILED)},
    {"expired unpin not run", EXPIRED_UNPIN, NOT_RUN, A,
        REASON(EXEMPT_UNVERIFIED)},
    {"expiry does not lift a reject", EXPIRED_UNPIN_REJECTED, PATH, D,
        REASON(REJECTED_KEY)},
    {"report expires into enforce", REPORT_THEN_ENFORCE, PATH, D,
        REASON(PIN_MISMATCH)},
    {"not yet expired", NOT_YET_EXPIRED, PATH, D, REASON(PIN_MISMATCH)},
    {"lapse reports", LAPSED_REPORT, PATH, R, REASON(PIN_MISMATCH)},
    {"lapse reports, failed", LAPSED_REPORT, FAILED, D, REASON(PKIX_FAILED)},
    {"lapse enforces", LAPSED_ENFORCE, PATH, D, REASON(PIN_MISMATCH)},
    {"lapse leaves pkix none", LAPSED_NONE, PATH, D, REASON(PIN_MISMATCH)},
    {"lapse leaves pkix none, failed", LAPSED_NONE, FAILED, D,
        REASON(PIN_MISMATCH)},
    {"lapse reports, not run", LAPSED_REPORT, NOT_RUN, R, REASON(NOT_VERIFIED)},
    {"lapse does not lift a reject", LAPSED_REJECT, PATH, D,
        REASON(REJECTED_KEY)},
    {"anchors that were not used", TRUSTED, PATH, D, REASON(NOT_VERIFIED)},
};

static void
put(struct pinfast_builder *b, enum pinfast_entry_key key, int64_t value)
{
	assert_int_equal(pinfast_builder_entry_set(b, key, value), 0);
}

static void
expire(struct pinfast_builder *b, int64_t at, int then)
{
	put(b, PINFAST_ENTRY_EXPIRES, at);
	put(b, PINFAST_ENTRY_ON_EXPIRY, then);
}

static void
lapse(struct pinfast_builder *b, int then)
{
	assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL,
	                     NOW),
	    0);
	assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, then),
	    0);
}

static int
top_level(struct pinfast_builder *b, enum entry entry)
{
	switch ((int)entry) {
	case UNLISTED_REPORT:
		assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_UNLISTED,
		                     PINFAST_REPORT),
		    0);
		return 1;
	case UNLISTED_DENY:
		assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_UNLISTED,
		                     PINFAST_DENY),
		    0);
		return 1;
	case REJECT_TOP:
		assert_int_equal(pinfast_builder_reject(b, certs[INTER].pin),
		    0);
		return 0;
	case REJECT_TOP_OFF:
		assert_int_equal(pinfast_builder_reject(b, certs[ROOT].pin), 0);
		return 0;
	case REJECT_TOP_UNLISTED:
		assert_int_equal(pinfast_builder_reject(b, certs[LEAF].pin), 0);
		return 1;
	case UNLISTED:
		return 1;
	default:
		return 0;
	}
}

static void
fill_pkix_none(struct pinfast_builder *b, enum entry entry)
{
	put(b, PINFAST_ENTRY_PKIX_NONE, 1);
	world_pin(b, PINFAST_ROLE_LEAF,
	    entry == NONE_RIGHT || entry == NONE_IGNORE ? LEAF : OTHER);
	if (entry == NONE_IGNORE)
		put(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	if (entry == LAPSED_NONE)
		lapse(b, PINFAST_REPORT);
}

static void
fill_expiry(struct pinfast_builder *b, enum entry entry)
{
	world_pin(b, PINFAST_ROLE_LEAF, entry == EXPIRED_DENY ? LEAF : OTHER);
	if (entry == REPORT_THEN_ENFORCE)
		put(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	if (entry == EXPIRED_UNPIN_REJECTED)
		world_pin(b, PINFAST_ROLE_REJECT, LEAF);
	expire(b, entry == NOT_YET_EXPIRED ? NOW + 1 : NOW,
	    entry == EXPIRED_REPORT || entry == NOT_YET_EXPIRED ? PINFAST_REPORT
	    : entry == EXPIRED_DENY                             ? PINFAST_DENY
	    : entry == EXPIRED_UNPIN || entry == EXPIRED_UNPIN_REJECTED
	        ? PINFAST_UNPIN
	        : PINFAST_ENFORCE);
}

static void
fill_reject(struct pinfast_builder *b, enum entry entry)
{
	if (entry == REJECT_TOP_OFF) {
		put(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
		return;
	}
	if (entry == REJECT_ONLY) {
		world_pin(b, PINFAST_ROLE_REJECT, OTHER);
		return;
	}
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	if (entry == REJECT_REPORT)
		put(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	if (entry == LAPSED_REJECT)
		lapse(b, PINFAST_REPORT);
	if (entry != REJECT_TOP)
		world_pin(b, PINFAST_ROLE_REJECT,
		    entry == REJECT_ROOT ? ROOT : LEAF);
}

/* Entries that are one pin in one list. */
static const struct {
	enum entry entry;
	enum pinfast_role role;
	int cert;
} lists[] = {{CA_INTER, PINFAST_ROLE_CA, INTER},
    {CA_LEAF, PINFAST_ROLE_CA, LEAF}, {LEAF_ROOT, PINFAST_ROLE_LEAF, ROOT},
    {ANY_ROOT, PINFAST_ROLE_ANY, ROOT}, {WRONG, PINFAST_ROLE_LEAF, OTHER}};

/* 0: it is none of them. */
static int
fill_list(struct pinfast_builder *b, enum entry entry)
{
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (lists[i].entry == entry) {
			world_pin(b, lists[i].role, lists[i].cert);
			return 1;
		}
	return 0;
}

static void
fill_entry(struct pinfast_builder *b, enum entry entry)
{
	if (fill_list(b, entry))
		return;
	switch ((int)entry) {
	case OFF:
		put(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
		break;
	case NONE_RIGHT:
	case NONE_WRONG:
	case NONE_IGNORE:
	case LAPSED_NONE:
		fill_pkix_none(b, entry);
		break;
	case EXPIRED_ENFORCE:
	case EXPIRED_REPORT:
	case EXPIRED_DENY:
	case EXPIRED_UNPIN:
	case EXPIRED_UNPIN_REJECTED:
	case REPORT_THEN_ENFORCE:
	case NOT_YET_EXPIRED:
		fill_expiry(b, entry);
		break;
	case REJECT_ONLY:
	case REJECT_LEAF:
	case REJECT_ROOT:
	case REJECT_REPORT:
	case REJECT_TOP:
	case REJECT_TOP_OFF:
	case LAPSED_REJECT:
		fill_reject(b, entry);
		break;
	case ALL_BOTH:
	case ALL_ONE:
		put(b, PINFAST_ENTRY_REQUIRE_ALL, 1);
		world_pin(b, PINFAST_ROLE_LEAF, LEAF);
		world_pin(b, PINFAST_ROLE_CA, entry == ALL_BOTH ? ROOT : OTHER);
		break;
	case TRUSTED:
		world_pin(b, PINFAST_ROLE_LEAF, LEAF);
		assert_int_equal(pinfast_builder_anchor(b,
		                     certs[ROOT].item.der),
		    0);
		break;
	case LAPSED_REPORT:
	case LAPSED_ENFORCE:
		lapse(b,
		    entry == LAPSED_REPORT ? PINFAST_REPORT : PINFAST_ENFORCE);
		world_pin(b, PINFAST_ROLE_LEAF, OTHER);
		break;
	case REPORT_WRONG:
	case REPORT_RIGHT:
		put(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
		/* fall through */
	default:
		world_pin(b, PINFAST_ROLE_LEAF,
		    entry == REPORT_WRONG ? OTHER : LEAF);
		break;
	}
}

static struct pinfast_verdict
show(struct pinfast_conn *conn, enum shown shown)
{
	const struct pinfast_cert *leaf = &path3[0];

	switch (shown) {
	case NOT_RUN:
		return pinfast_judge_leaf(conn, leaf, PINFAST_PKIX_NOT_RUN);
	case OVERRIDDEN:
		return pinfast_judge_leaf(conn, leaf, PINFAST_PKIX_OVERRIDDEN);
	case FAILED:
		return pinfast_judge_failed(conn, leaf,
		    PINFAST_REASON_PKIX_FAILED);
	case FAILED_NO_LEAF:
		return pinfast_judge_failed(conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	case RAW:
		return pinfast_judge_key(conn, leaf->key_spki);
	case NOTHING:
		return pinfast_judge_path(conn, path3, 0);
	case PATH:
	default:
		return pinfast_judge_path(conn, path3, 3);
	}
}

static void
keep_event(void *arg, const struct pinfast_event *event)
{
	*(struct pinfast_event *)arg = *event;
}

static void
every_row_of_the_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct pinfast_builder *b = world_builder();
		struct pinfast_event event = {0};
		struct pinfast *policy;
		struct pinfast_conn *conn;
		struct pinfast_verdict v;

		if (!top_level(b, row->entry)) {
			assert_int_equal(pinfast_builder_entry(b,
			                     "www.example.test", 0,
			                     PINFAST_SCOPE_EXACT),
			    0);
			fill_entry(b, row->entry);
		}
		policy = world_serve(b);
		pinfast_on_event(policy, keep_event, &event);
		conn = world_conn(policy, "WWW.example.test.", 443);
		v = show(conn, row->shown);
		if ((v.decision == PINFAST_ALLOW) != (row->out != D) ||
		    v.reason != row->reason)
			print_error("row: %s: %s\n", row->name,
			    pinfast_reason_name(v.reason));
		expect(v, row->out != D, row->reason);
		expect(pinfast_conn_settle(conn), row->out != D, row->reason);
		assert_int_equal(event.reported, row->out == R);
		assert_int_equal(event.reason, row->reason);
		/* Presented hashes only for deny and report. */
		if (row->out == A)
			assert_null(event.path);
		expect(show(conn, PATH), 0, PINFAST_REASON_SETTLED);
		pinfast_conn_free(conn);
		pinfast_free(policy);
		pinfast_builder_free(b);
	}
}

static void
zeroed_and_garbage_verdicts_are_denies(void **state)
{
	struct pinfast_verdict v = {0, 0};

	(void)state;
	assert_true(v.decision != PINFAST_ALLOW);
	memset(&v, 0xff, sizeof v);
	assert_true(v.decision != PINFAST_ALLOW);
	assert_true(PINFAST_ALLOW != 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_of_the_tables),
	    cmocka_unit_test(zeroed_and_garbage_verdicts_are_denies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
