/* What a TLS library that shows no certificates can be told, and is told. */
#include "world.h"

#include "claim.h"
#include "model/builder.h"

#define PORT 443

/* Every kind of entry that a list of leaf keys can or cannot stand for. */
static void
add_entries(struct pinfast_builder *b)
{
	static const struct {
		const char *host;
		enum pinfast_role role;
		int mode;
	} simple[] = {{"leaf.test", PINFAST_ROLE_LEAF, PINFAST_ENFORCE},
	    {"any.test", PINFAST_ROLE_ANY, PINFAST_ENFORCE},
	    {"ca.test", PINFAST_ROLE_CA, PINFAST_ENFORCE},
	    {"report.test", PINFAST_ROLE_LEAF, PINFAST_REPORT},
	    {"report-ca.test", PINFAST_ROLE_CA, PINFAST_REPORT},
	    {"reject.test", PINFAST_ROLE_REJECT, PINFAST_ENFORCE}};

	for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
		world_entry(b, simple[i].host, 0, PINFAST_SCOPE_EXACT);
		world_pin(b, simple[i].role, LEAF);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
		    simple[i].mode);
	}
	world_entry(b, "two.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_LEAF, OTHER);
	world_entry(b, "mixed.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_CA, ROOT);
	world_entry(b, "cert.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, certs[LEAF].cert_pin);
	world_entry(b, "off.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
	world_entry(b, "none.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	world_entry(b, "dates.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	world_entry(b, "trust.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_anchor(b, certs[ROOT].item.der);
	world_entry(b, "expired.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW - 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	world_entry(b, "ports.test", PORT, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_entry(b, "ports.test", 8443, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_CA, ROOT);
}

static struct pinfast *
make_policy(struct pinfast_builder **out, int with_reject)
{
	struct pinfast_builder *b = world_builder();

	if (with_reject)
		pinfast_builder_reject(b, certs[INTER].pin);
	add_entries(b);
	*out = b;
	return world_serve(b);
}

struct got {
	int count;
	char first[PINFAST_PIN_TEXT_LEN];
};

static void
get(void *arg, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct got *got = arg;

	if (got->count++ == 0)
		pinfast_pin_write(pin, got->first);
}

#define ALLOW_MATCHED 1, PINFAST_REASON_PIN_MATCHED
#define DENY_OTHER 0, PINFAST_REASON_PIN_MISMATCH
#define CANNOT 0, PINFAST_REASON_BACKEND_CANNOT_PROVE
#define REPORTS 1, PINFAST_REASON_BACKEND_CANNOT_PROVE
#define IN_CLEAR 0, PINFAST_REASON_NOT_VERIFIED

static const struct {
	const char *host;
	uint16_t port;
	int count;
	int yes, yes_reason, other, other_reason, clear, clear_reason;
} rows[] = {
    {"leaf.test", PORT, 1, ALLOW_MATCHED, DENY_OTHER, IN_CLEAR},
    {"two.test", PORT, 2, ALLOW_MATCHED, DENY_OTHER, IN_CLEAR},
    {"ports.test", PORT, 1, ALLOW_MATCHED, DENY_OTHER, IN_CLEAR},
    {"ports.test", 8443, -1, CANNOT, CANNOT, IN_CLEAR},
    {"any.test", PORT, -1, CANNOT, CANNOT, IN_CLEAR},
    {"ca.test", PORT, -1, CANNOT, CANNOT, IN_CLEAR},
    {"mixed.test", PORT, -1, CANNOT, CANNOT, IN_CLEAR},
    {"cert.test", PORT, -1, CANNOT, CANNOT, IN_CLEAR},
    {"trust.test", PORT, -1, CANNOT, CANNOT, IN_CLEAR},
    {"reject.test", PORT, -1, CANNOT, CANNOT, IN_CLEAR},
    {"expired.test", PORT, -1, CANNOT, CANNOT, 0, PINFAST_REASON_EXPIRED},
    {"dates.test", PORT, -1, CANNOT, CANNOT, 0, PINFAST_REASON_NO_CERTIFICATE},
    {"none.test", PORT, 1, ALLOW_MATCHED, DENY_OTHER, 0,
        PINFAST_REASON_NO_CERTIFICATE},
    {"report.test", PORT, 0, REPORTS, REPORTS, 1, PINFAST_REASON_NOT_VERIFIED},
    {"report-ca.test", PORT, 0, REPORTS, REPORTS, 1,
        PINFAST_REASON_NOT_VERIFIED},
    {"off.test", PORT, 0, 1, PINFAST_REASON_EXEMPT, 1, PINFAST_REASON_EXEMPT, 1,
        PINFAST_REASON_EXEMPT_UNVERIFIED},
    {"free.test", PORT, 0, 1, PINFAST_REASON_UNLISTED, 1,
        PINFAST_REASON_UNLISTED, 1, PINFAST_REASON_UNLISTED_UNVERIFIED},
    /* What has no single answer. */
    {"leaf.test", 0, -1, CANNOT, CANNOT, IN_CLEAR},
    {"no..host", PORT, -1, 0, PINFAST_REASON_HOST_INVALID, 0,
        PINFAST_REASON_HOST_INVALID, 0, PINFAST_REASON_HOST_INVALID},
};

static struct pinfast_verdict
ask(struct pinfast *policy, size_t i, enum pinfast_delegated found)
{
	struct pinfast_conn *conn =
	    world_conn(policy, rows[i].host, rows[i].port);
	struct got got = {0, ""};
	struct pinfast_verdict verdict;

	claim(rows[i].host,
	    pinfast_conn_leaf_pins(conn, get, &got) == rows[i].count);
	claim(rows[i].host,
	    got.count == (rows[i].count > 0 ? rows[i].count : 0));
	verdict = pinfast_judge_delegated(conn, found);
	claim(rows[i].host,
	    pinfast_conn_recheck(conn, NULL, 0, NOW, 1).decision !=
	        PINFAST_ALLOW);
	pinfast_conn_free(conn);
	return verdict;
}

static void
claim_verdict(const char *row, struct pinfast_verdict v, int allow, int reason)
{
	if ((v.decision == PINFAST_ALLOW) != allow || v.reason != reason)
		fail_msg("%s: %d %s", row, v.decision == PINFAST_ALLOW,
		    pinfast_reason_name(v.reason));
}

static void
only_what_leaf_keys_say_is_delegated(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int invalid = rows[i].yes_reason == PINFAST_REASON_HOST_INVALID;

		claim_verdict(rows[i].host,
		    ask(policy, i, PINFAST_DELEGATED_YES), rows[i].yes,
		    rows[i].yes_reason);
		claim_verdict(rows[i].host,
		    ask(policy, i, PINFAST_DELEGATED_OTHER), rows[i].other,
		    rows[i].other_reason);
		claim_verdict(rows[i].host,
		    ask(policy, i, PINFAST_DELEGATED_NO_TLS), rows[i].clear,
		    rows[i].clear_reason);
		claim_verdict(rows[i].host,
		    ask(policy, i, PINFAST_DELEGATED_NOT), 0,
		    invalid ? PINFAST_REASON_HOST_INVALID
		            : PINFAST_REASON_BACKEND_CANNOT_PROVE);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
where_some_key_is_rejected_nothing_is_delegated(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 1);
	static const char *const hosts[] = {
	    "leaf.test", "off.test", "report.test", "free.test", "none.test"};

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		struct pinfast_conn *conn = world_conn(policy, hosts[i], PORT);

		claim(hosts[i], pinfast_conn_leaf_pins(conn, NULL, NULL) == -1);
		claim_verdict(hosts[i],
		    pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES),
		    CANNOT);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static struct pinfast_conn *
told(struct pinfast *policy, const char *host)
{
	struct pinfast_conn *conn = world_conn(policy, host, PORT);
	struct got got = {0, ""};

	assert_int_equal(pinfast_conn_leaf_pins(conn, get, &got), 1);
	assert_string_equal(got.first, certs[LEAF].pin);
	return conn;
}

static void
another_policy_makes_the_answer_worthless(void **state)
{
	struct pinfast_builder *b, *later = world_builder();
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn = told(policy, "leaf.test");
	struct pinfast_conn *same = told(policy, "leaf.test");

	(void)state;
	expect(pinfast_judge_delegated(same, PINFAST_DELEGATED_YES),
	    ALLOW_MATCHED);
	pinfast_builder_set(later, PINFAST_POLICY_SERIAL, 2);
	world_entry(later, "leaf.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(later, PINFAST_ROLE_LEAF, LEAF);
	world_pin(later, PINFAST_ROLE_LEAF, OTHER);
	assert_int_equal(pinfast_load(policy, world_open(later), NULL), 0);
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES), CANNOT);
	pinfast_conn_free(conn);
	pinfast_conn_free(same);
	pinfast_free(policy);
	pinfast_builder_free(b);
	pinfast_builder_free(later);
}

static void
nobody_was_told_and_nobody_is_let_in(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", PORT);
	struct pinfast_conn *nameless = world_conn(policy, NULL, PORT);
	struct pinfast_conn *server;

	(void)state;
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES), CANNOT);
	expect(pinfast_judge_delegated(conn, (enum pinfast_delegated)99),
	    CANNOT);
	assert_int_equal(pinfast_conn_leaf_pins(nameless, NULL, NULL), -1);
	assert_int_equal(pinfast_conn_new_server(policy, "partner", NOW,
	                     &server),
	    0);
	assert_int_equal(pinfast_conn_leaf_pins(server, NULL, NULL), -1);
	pinfast_conn_free(conn);
	pinfast_conn_free(nameless);
	pinfast_conn_free(server);
	pinfast_free(policy);
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	conn = world_conn(policy, "leaf.test", PORT);
	assert_int_equal(pinfast_conn_leaf_pins(conn, NULL, NULL), -1);
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_NO_TLS), 0,
	    PINFAST_REASON_NO_POLICY);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static struct pinfast_event seen;

static void
on_event(void *arg, const struct pinfast_event *event)
{
	(void)arg;
	seen = *event;
}

static void
what_settled_is_not_judged_again_and_shows_no_key(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn;
	struct pinfast_bytes none = {NULL, 0};
	uint8_t tag[PINFAST_TAG_MAX];
	size_t len;

	(void)state;
	pinfast_on_event(policy, on_event, NULL);
	conn = told(policy, "leaf.test");
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES),
	    ALLOW_MATCHED);
	expect(pinfast_conn_settle(conn), ALLOW_MATCHED);
	assert_int_equal(seen.path_count, 0);
	assert_int_equal(seen.matched, -1);
	assert_int_equal(seen.pkix, PINFAST_PKIX_OK);
	assert_int_equal(seen.evidence, PINFAST_EVIDENCE_LEAF_ONLY);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES), 0,
	    PINFAST_REASON_SETTLED);
	assert_int_equal(pinfast_conn_leaf_pins(conn, NULL, NULL), -1);
	pinfast_conn_free(conn);
	conn = told(policy, "leaf.test");
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_OTHER),
	    DENY_OTHER);
	expect(pinfast_conn_settle(conn), DENY_OTHER);
	assert_null(seen.path);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static struct pinfast *
denies_unlisted(struct pinfast_builder **out)
{
	static const uint8_t zeros[PINFAST_PIN_LEN];
	struct pinfast_builder *b = world_builder();

	pinfast_builder_set(b, PINFAST_POLICY_UNLISTED, PINFAST_DENY);
	world_entry(b, "leaf.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	/* No text says this, but a file may. */
	world_entry(b, "zero.test", 0, PINFAST_SCOPE_EXACT);
	pf_builder_pin(b, PINFAST_ROLE_LEAF, zeros);
	*out = b;
	return world_serve(b);
}

static void
unlisted_hosts_that_are_denied_are_not_delegated(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = denies_unlisted(&b);
	struct pinfast_conn *conn = world_conn(policy, "free.test", PORT);

	(void)state;
	assert_int_equal(pinfast_conn_leaf_pins(conn, NULL, NULL), -1);
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_YES), CANNOT);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A key that nobody knows is supposed to have a hash of zeros, and would match.
 */
static void
a_pin_of_zeros_is_not_delegated(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = denies_unlisted(&b);
	struct pinfast_conn *conn = world_conn(policy, "zero.test", PORT);

	(void)state;
	assert_int_equal(pinfast_conn_leaf_pins(conn, NULL, NULL), -1);
	expect(pinfast_judge_delegated(conn, PINFAST_DELEGATED_OTHER), CANNOT);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static int events;

static void
count_event(void *arg, const struct pinfast_event *event)
{
	(void)arg, (void)event;
	events++;
}

static void
who_only_asked_makes_no_event(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn;

	(void)state;
	pinfast_on_event(policy, count_event, NULL);
	pinfast_conn_drop(told(policy, "leaf.test"));
	pinfast_conn_drop(NULL);
	assert_int_equal(events, 0);
	/* What was judged cannot be hidden. */
	conn = world_conn(policy, "leaf.test", PORT);
	expect(pinfast_judge_path(conn, path3, 3), ALLOW_MATCHED);
	pinfast_conn_drop(conn);
	assert_int_equal(events, 1);
	conn = world_conn(policy, "leaf.test", PORT);
	expect(pinfast_judge_path(conn, NULL, 0), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	pinfast_conn_drop(conn);
	assert_int_equal(events, 2);
	/* Who asks again has had it. */
	conn = world_conn(policy, "leaf.test", PORT);
	pinfast_conn_again(conn);
	expect(pinfast_judge_path(conn, path3, 3), ALLOW_MATCHED);
	expect(pinfast_conn_settle(conn), ALLOW_MATCHED);
	pinfast_conn_free(conn);
	assert_int_equal(events, 2);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_leaf_keys_say_is_delegated),
	    cmocka_unit_test(unlisted_hosts_that_are_denied_are_not_delegated),
	    cmocka_unit_test(a_pin_of_zeros_is_not_delegated),
	    cmocka_unit_test(where_some_key_is_rejected_nothing_is_delegated),
	    cmocka_unit_test(another_policy_makes_the_answer_worthless),
	    cmocka_unit_test(nobody_was_told_and_nobody_is_let_in),
	    cmocka_unit_test(who_only_asked_makes_no_event),
	    cmocka_unit_test(what_settled_is_not_judged_again_and_shows_no_key),
	};

	return cmocka_run_group_tests(tests, world_setup, NULL);
}
