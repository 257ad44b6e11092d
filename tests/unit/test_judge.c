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
    {"unlisted: deny ok", UNLISTED_DENY, PATH, D, REASON(UNLISTED)},
    {"unlisted: deny not run", UNLISTED_DENY, NOT_RUN, D,
        REASON(UNLISTED_UNVERIFIED)},
    {"off ok", OFF, PATH, A, REASON(EXEMPT)},
    {"off failed", OFF, FAILED, D, REASON(PKIX_FAILED)},
    {"off not run", OFF, NOT_RUN, A, REASON(EXEMPT_UNVERIFIED)},
    {"off overridden", OFF, OVERRIDDEN, A, REASON(EXEMPT_UNVERIFIED)},
    {"pinned ok", PINNED, PATH, A, REASON(PIN_MATCHED)},
    {"pinned failed", PINNED, FAILED, D, REASON(PKIX_FAILED)},
    {"pinned not run", PINNED, NOT_RUN, D, REASON(NOT_VERIFIED)},
    {"pinned overridden", PINNED, OVERRIDDEN, D, REASON(NOT_VERIFIED)},
    {"pinned raw key", PINNED, RAW, D, REASON(NOT_VERIFIED)},
    {"pinned nothing shown", PINNED, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"wrong pin ok", WRONG, PATH, D, REASON(PIN_MISMATCH)},
    {"wrong pin failed", WRONG, FAILED, D, REASON(PKIX_FAILED)},
    {"report wrong ok", REPORT_WRONG, PATH, R, REASON(PIN_MISMATCH)},
    {"report never rescues pkix", REPORT_WRONG, FAILED, D, REASON(PKIX_FAILED)},
    {"report not run", REPORT_WRONG, NOT_RUN, R, REASON(NOT_VERIFIED)},
    {"report overridden", REPORT_RIGHT, OVERRIDDEN, R, REASON(NOT_VERIFIED)},
    {"report right is no report", REPORT_RIGHT, PATH, A, REASON(PIN_MATCHED)},
    {"report nothing shown", REPORT_RIGHT, NOTHING, D, REASON(NO_CERTIFICATE)},
    {"none ok", NONE_RIGHT, PATH, A, REASON(PIN_MATCHED)},
    {"none failed", NONE_RIGHT, FAILED, A, REASON(PIN_MATCHED)},
    {"none failed, no leaf", NONE_RIGHT, FAILED_NO_LEAF, D,
        REASON(NO_CERTIFICATE)},
    {"none not run", NONE_RIGHT, NOT_RUN, A, REASON(PIN_MATCHED)},
    {"none overridden", NONE_RIGHT, OVERRIDDEN, A, REASON(PIN_MATCHED)},
    {"none raw key has no dates", NONE_RIGHT, RAW, D, REASON(NOT_VERIFIED)},
    {"none wrong", NONE_WRONG, PATH, D, REASON(PIN_MISMATCH)},
    {"none wrong failed", NONE_WRONG, FAILED, D, REASON(PIN_MISMATCH)},
    {"none dates ignored raw key", NONE_IGNORE, RAW, A, REASON(PIN_MATCHED)},
    {"reject only, not shown", REJECT_ONLY, PATH, A, REASON(NO_PINS)},
    {"reject only, not run", REJECT_ONLY, NOT_RUN, D, REASON(NOT_VERIFIED)},
    {"reject beats the pin", REJECT_LEAF, PATH, D, REASON(REJECTED_KEY)},
    {"reject on the path", REJECT_ROOT, PATH, D, REASON(REJECTED_KEY)},
    {"reject, own report", REJECT_REPORT, PATH, R, REASON(REJECTED_KEY)},
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
    {"expired enforce", EXPIRED_ENFORCE, PATH, D, REASON(PIN_MISMATCH)},
    {"expired report", EXPIRED_REPORT, PATH, R, REASON(PIN_MISMATCH)},
    {"expired report failed", EXPIRED_REPORT, FAILED, D, REASON(PKIX_FAILED)},
    {"expired deny refuses the right pin", EXPIRED_DENY, PATH, D,
        REASON(EXPIRED)},
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
    {"lapse does not lift a reject", LAPSED_REJECT, PATH, D,
        REASON(REJECTED_KEY)},
    {"anchors that were not used", TRUSTED, PATH, D, REASON(NOT_VERIFIED)},
};

static void
pin(struct pinfast_builder *b, enum pinfast_role role, int cert)
{
	assert_int_equal(pinfast_builder_pin(b, role, certs[cert].pin), 0);
}

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
	pin(b, PINFAST_ROLE_LEAF,
	    entry == NONE_RIGHT || entry == NONE_IGNORE ? LEAF : OTHER);
	if (entry == NONE_IGNORE)
		put(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	if (entry == LAPSED_NONE)
		lapse(b, PINFAST_REPORT);
}

static void
fill_expiry(struct pinfast_builder *b, enum entry entry)
{
	pin(b, PINFAST_ROLE_LEAF, entry == EXPIRED_DENY ? LEAF : OTHER);
	if (entry == REPORT_THEN_ENFORCE)
		put(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	if (entry == EXPIRED_UNPIN_REJECTED)
		pin(b, PINFAST_ROLE_REJECT, LEAF);
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
		pin(b, PINFAST_ROLE_REJECT, OTHER);
		return;
	}
	pin(b, PINFAST_ROLE_LEAF, LEAF);
	if (entry == REJECT_REPORT)
		put(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	if (entry == LAPSED_REJECT)
		lapse(b, PINFAST_REPORT);
	if (entry != REJECT_TOP)
		pin(b, PINFAST_ROLE_REJECT, entry == REJECT_ROOT ? ROOT : LEAF);
}

static void
fill_entry(struct pinfast_builder *b, enum entry entry)
{
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
	case CA_INTER:
		pin(b, PINFAST_ROLE_CA, INTER);
		break;
	case CA_LEAF:
		pin(b, PINFAST_ROLE_CA, LEAF);
		break;
	case LEAF_ROOT:
		pin(b, PINFAST_ROLE_LEAF, ROOT);
		break;
	case ANY_ROOT:
		pin(b, PINFAST_ROLE_ANY, ROOT);
		break;
	case ALL_BOTH:
	case ALL_ONE:
		put(b, PINFAST_ENTRY_REQUIRE_ALL, 1);
		pin(b, PINFAST_ROLE_LEAF, LEAF);
		pin(b, PINFAST_ROLE_CA, entry == ALL_BOTH ? ROOT : OTHER);
		break;
	case TRUSTED:
		pin(b, PINFAST_ROLE_LEAF, LEAF);
		assert_int_equal(pinfast_builder_anchor(b,
		                     certs[ROOT].item.der),
		    0);
		break;
	case LAPSED_REPORT:
		lapse(b, PINFAST_REPORT);
		pin(b, PINFAST_ROLE_LEAF, OTHER);
		break;
	case LAPSED_ENFORCE:
		lapse(b, PINFAST_ENFORCE);
		pin(b, PINFAST_ROLE_LEAF, OTHER);
		break;
	case REPORT_WRONG:
	case REPORT_RIGHT:
		put(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
		/* fall through */
	default:
		pin(b, PINFAST_ROLE_LEAF,
		    entry == WRONG || entry == REPORT_WRONG ? OTHER : LEAF);
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

static struct pinfast *
one_entry(struct pinfast_builder **b, int role, int cert)
{
	*b = world_builder();
	assert_int_equal(pinfast_builder_entry(*b, "www.example.test", 0,
	                     PINFAST_SCOPE_EXACT),
	    0);
	pin(*b, (enum pinfast_role)role, cert);
	return world_serve(*b);
}

static void
done(struct pinfast_conn *conn, struct pinfast *policy,
    struct pinfast_builder *b)
{
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
a_library_that_read_another_key_is_refused(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = one_entry(&b, PINFAST_ROLE_LEAF, LEAF);
	struct pinfast_conn *conn = world_conn(policy, "www.example.test", 0);
	struct pinfast_cert bad[3];

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[0].key_spki = path3[1].key_spki;
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_PARSER_DISAGREEMENT);
	/* No view at all is no agreement either. */
	memset(&bad[0].key_spki, 0, sizeof bad[0].key_spki);
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_PARSER_DISAGREEMENT);
	pinfast_insecure_conn_one_parser(conn);
	expect(pinfast_judge_path(conn, bad, 3), 1, PINFAST_REASON_PIN_MATCHED);
	done(conn, policy, b);
}

static void
an_issuer_that_satisfies_a_pin_must_agree_too(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = one_entry(&b, PINFAST_ROLE_CA, INTER);
	struct pinfast_conn *conn = world_conn(policy, "www.example.test", 0);
	struct pinfast_cert bad[3];

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[2].key_spki = path3[0].key_spki; /* satisfies nothing */
	expect(pinfast_judge_path(conn, bad, 3), 1, PINFAST_REASON_PIN_MATCHED);
	bad[1].key_spki = path3[0].key_spki;
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_PARSER_DISAGREEMENT);
	done(conn, policy, b);
}

static void
a_malformed_leaf_is_refused_and_a_malformed_stranger_is_not(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = one_entry(&b, PINFAST_ROLE_LEAF, LEAF);
	struct pinfast_conn *conn = world_conn(policy, "www.example.test", 0);
	struct pinfast_cert bad[3];

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[1].der.len--;
	expect(pinfast_judge_path(conn, bad, 3), 1, PINFAST_REASON_PIN_MATCHED);
	bad[0].der.len--;
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	done(conn, policy, b);
}

static void
with_reject_lists_every_key_must_be_readable(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_cert bad[3];
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_builder_reject(b, certs[OTHER].pin), 0);
	policy = world_serve(b);
	conn = world_conn(policy, "anything.test", 0);
	memcpy(bad, path3, sizeof bad);
	expect(pinfast_judge_path(conn, bad, 3), 1, PINFAST_REASON_UNLISTED);
	bad[2].der.len--;
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	done(conn, policy, b);
}

static void
seventeen_certificates_are_one_too_many(void **state)
{
	struct pinfast_cert path[17];
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy = world_serve(b);
	struct pinfast_conn *conn = world_conn(policy, "x.test", 0);

	(void)state;
	for (int i = 0; i < 17; i++)
		path[i] = path3[i % 3];
	expect(pinfast_judge_path(conn, path, 16), 1, PINFAST_REASON_UNLISTED);
	expect(pinfast_judge_path(conn, path, 17), 0,
	    PINFAST_REASON_PATH_TOO_LONG);
	/* A deny without evidence cannot be rechecked into an allow. */
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
	    PINFAST_REASON_NOT_JUDGED);
	done(conn, policy, b);
}

static void
a_policy_without_a_store_denies(void **state)
{
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	conn = world_conn(policy, "www.example.test", 443);
	expect(pinfast_conn_verdict(conn), 0, PINFAST_REASON_NOT_JUDGED);
	expect(pinfast_judge_path(conn, path3, 3), 0, PINFAST_REASON_NO_POLICY);
	expect(pinfast_conn_settle(conn), 0, PINFAST_REASON_NO_POLICY);
	done(conn, policy, NULL);
}

static void
a_connection_that_nobody_judged_is_reported_as_a_deny(void **state)
{
	struct pinfast_event event = {0};
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy = world_serve(b);

	(void)state;
	event.decision = PINFAST_ALLOW;
	pinfast_on_event(policy, keep_event, &event);
	pinfast_conn_free(world_conn(policy, "x.test", 0));
	assert_true(event.decision != PINFAST_ALLOW);
	assert_int_equal(event.reason, PINFAST_REASON_NOT_JUDGED);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
invalid_hosts_are_denied_never_unlisted(void **state)
{
	static const char *const hosts[] = {"", ".", "a..b", ".a", "a b",
	    "a%41", "u@h", "127.1", "0x7f.0.0.1", "fe80::1%eth0", "*.a",
	    "xn--99999999.test", "a.b..", "1.2.3.4.", "b\xc3\xbc.test"};
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy = world_serve(b);

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct pinfast_conn *conn = world_conn(policy, hosts[i], 0);

		expect(pinfast_judge_path(conn, path3, 3), 0,
		    PINFAST_REASON_HOST_INVALID);
		expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
		    PINFAST_REASON_HOST_INVALID);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
an_unknown_host_follows_its_own_setting(void **state)
{
	static const struct {
		int setting, out;
	} settings[] = {
	    {PINFAST_DENY, D}, {PINFAST_REPORT, R}, {PINFAST_PASS, A}};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast *policy;
		struct pinfast_conn *conn;

		assert_int_equal(pinfast_builder_set(b,
		                     PINFAST_POLICY_UNKNOWN_HOST,
		                     settings[i].setting),
		    0);
		policy = world_serve(b);
		conn = world_conn(policy, NULL, 443);
		expect(pinfast_judge_path(conn, path3, 3), settings[i].out != D,
		    PINFAST_REASON_HOST_UNKNOWN);
		done(conn, policy, b);
	}
}

static void
every_learned_name_must_allow(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = one_entry(&b, PINFAST_ROLE_LEAF, OTHER);
	struct pinfast_conn *conn = world_conn(policy, NULL, 443);

	(void)state;
	assert_int_equal(pinfast_conn_add_name(conn, "free.test"), 0);
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	assert_int_equal(pinfast_conn_add_name(conn, "www.example.test"), 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(pinfast_conn_add_name(conn, "a..b"), PINFAST_EHOST);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_HOST_INVALID);
	done(conn, policy, b);
}

static void
an_unknown_port_is_judged_by_every_entry_of_the_name(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_builder_entry(b, "h.test", 443,
	                     PINFAST_SCOPE_EXACT),
	    0);
	pin(b, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_builder_entry(b, "h.test", 8443,
	                     PINFAST_SCOPE_EXACT),
	    0);
	pin(b, PINFAST_ROLE_LEAF, OTHER);
	policy = world_serve(b);
	conn = world_conn(policy, "h.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "h.test", 8443);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "h.test", 1);
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "h.test", 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	done(conn, policy, b);
}

static void
a_mismatch_names_the_keys_shown_and_wanted(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = one_entry(&b, PINFAST_ROLE_LEAF, OTHER);
	struct pinfast_conn *conn = world_conn(policy, "www.example.test", 443);
	char text[1024], small[8];
	size_t len;

	(void)state;
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	len = pinfast_conn_explain(conn, text, sizeof text);
	assert_int_equal(len, strlen(text));
	assert_non_null(strstr(text, certs[LEAF].pin));
	assert_non_null(strstr(text, certs[OTHER].pin));
	assert_non_null(strstr(text, "www.example.test:443"));
	assert_int_equal(pinfast_conn_explain(conn, small, sizeof small), len);
	assert_int_equal(strlen(small), 7);
	assert_int_equal(pinfast_conn_explain(conn, NULL, 0), len);
	done(conn, policy, b);
}

static int
count_anchor(void *arg, struct pinfast_bytes der)
{
	(void)der;
	++*(int *)arg;
	return 0;
}

static void
own_anchors_count_only_when_they_were_used(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	int anchors = 0;

	(void)state;
	assert_int_equal(pinfast_builder_entry(b, "h.test", 0,
	                     PINFAST_SCOPE_EXACT),
	    0);
	fill_entry(b, TRUSTED);
	policy = world_serve(b);
	conn = world_conn(policy, "h.test", 443);
	assert_true((pinfast_conn_needs(conn) & PINFAST_NEED_TRUST) != 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_NOT_VERIFIED);
	assert_int_equal(pinfast_conn_trust(conn, count_anchor, &anchors), 1);
	assert_int_equal(anchors, 1);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	/* What was verified under them says nothing for another host. */
	expect(pinfast_conn_recheck(conn, "free.test", 443, NOW, 1), 1,
	    PINFAST_REASON_UNLISTED_UNVERIFIED);
	done(conn, policy, b);
}

static void
another_host_needs_its_name_verified(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = one_entry(&b, PINFAST_ROLE_LEAF, LEAF);
	struct pinfast_conn *conn = world_conn(policy, "free.test", 443);

	(void)state;
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_UNLISTED);
	expect(pinfast_conn_recheck(conn, "www.example.test", 443, NOW, 0), 0,
	    PINFAST_REASON_NOT_VERIFIED);
	/* Its leaf was never hashed: it was not asked about then. */
	expect(pinfast_conn_recheck(conn, "www.example.test", 443, NOW, 1), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	expect(pinfast_conn_verdict(conn), 1, PINFAST_REASON_UNLISTED);
	done(conn, policy, b);
}

static int
failing_hash(void *arg, const void *data, size_t len, uint8_t *out)
{
	(void)arg;
	(void)data;
	(void)len;
	(void)out;
	return -1;
}

static int
zero_hash(void *arg, const void *data, size_t len, uint8_t *out)
{
	(void)arg;
	(void)data;
	(void)len;
	memset(out, 0, 32);
	return 0;
}

static void
a_hash_that_does_not_know_the_answers_is_refused(void **state)
{
	struct pinfast *policy;

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_use_sha256(policy, failing_hash, NULL),
	    PINFAST_EUNSAFE);
	assert_int_equal(pinfast_use_sha256(policy, zero_hash, NULL),
	    PINFAST_EUNSAFE);
	assert_int_equal(pinfast_use_sha256(policy, NULL, NULL), PINFAST_OK);
	pinfast_free(policy);
}

static void
clients_are_judged_by_label(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_builder_entry(b, "partner-api", 0,
	                     PINFAST_SCOPE_CLIENT),
	    0);
	pin(b, PINFAST_ROLE_LEAF, LEAF);
	policy = world_serve(b);
	assert_int_equal(pinfast_conn_new_server(policy, "partner-api", NOW,
	                     &conn),
	    0);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	assert_int_equal(pinfast_conn_new_server(policy, "nobody", NOW, &conn),
	    0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_CLIENT_UNLISTED);
	pinfast_conn_free(conn);
	assert_int_equal(pinfast_conn_new_server(policy, NULL, NOW, &conn), 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_HOST_INVALID);
	pinfast_conn_free(conn);
	/* A label is no host. */
	conn = world_conn(policy, "partner-api", 0);
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	done(conn, policy, b);
}

static void
a_clock_that_says_less_than_is_known_is_wrong(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_builder_entry(b, "h.test", 0,
	                     PINFAST_SCOPE_EXACT),
	    0);
	pin(b, PINFAST_ROLE_LEAF, LEAF);
	expire(b, NOW + 1000, PINFAST_DENY);
	policy = world_serve(b);
	conn = world_conn(policy, "h.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_time_floor(policy, NOW + 1004);
	expect(pinfast_judge_path(conn, path3, 3), 0, PINFAST_REASON_EXPIRED);
	pinfast_time_floor(policy, 5);
	expect(pinfast_judge_path(conn, path3, 3), 0, PINFAST_REASON_EXPIRED);
	done(conn, policy, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_of_the_tables),
	    cmocka_unit_test(zeroed_and_garbage_verdicts_are_denies),
	    cmocka_unit_test(a_library_that_read_another_key_is_refused),
	    cmocka_unit_test(an_issuer_that_satisfies_a_pin_must_agree_too),
	    cmocka_unit_test(
	        a_malformed_leaf_is_refused_and_a_malformed_stranger_is_not),
	    cmocka_unit_test(with_reject_lists_every_key_must_be_readable),
	    cmocka_unit_test(seventeen_certificates_are_one_too_many),
	    cmocka_unit_test(a_policy_without_a_store_denies),
	    cmocka_unit_test(
	        a_connection_that_nobody_judged_is_reported_as_a_deny),
	    cmocka_unit_test(invalid_hosts_are_denied_never_unlisted),
	    cmocka_unit_test(an_unknown_host_follows_its_own_setting),
	    cmocka_unit_test(every_learned_name_must_allow),
	    cmocka_unit_test(
	        an_unknown_port_is_judged_by_every_entry_of_the_name),
	    cmocka_unit_test(a_mismatch_names_the_keys_shown_and_wanted),
	    cmocka_unit_test(own_anchors_count_only_when_they_were_used),
	    cmocka_unit_test(another_host_needs_its_name_verified),
	    cmocka_unit_test(a_hash_that_does_not_know_the_answers_is_refused),
	    cmocka_unit_test(clients_are_judged_by_label),
	    cmocka_unit_test(a_clock_that_says_less_than_is_known_is_wrong),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
