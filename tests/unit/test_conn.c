/* The connection object: names, misuse, the end of judging, rechecks. */
#include "world.h"

#include "core/conn.h"

/* One to a.test whose path was judged and let through. */
static struct pinfast_conn *
allowed_conn(struct pinfast *policy)
{
	struct pinfast_conn *conn = world_conn(policy, "a.test", 443);

	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	return conn;
}

static struct pinfast *
policy_pinning(struct pinfast_builder **b, const char *host, int which)
{
	*b = world_builder();
	pinfast_builder_entry(*b, host, 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(*b, PINFAST_ROLE_LEAF, certs[which].pin);
	return world_serve(*b);
}

static void
nothing_is_made_of_nothing(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", LEAF);
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_conn_new(NULL, "a.test", 1, NOW, &conn),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_conn_new(policy, "a.test", 1, NOW, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_conn_new_server(NULL, "a", NOW, &conn),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_conn_new_server(policy, "a", NOW, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_new(NULL, NULL), PINFAST_EUSAGE);
	pinfast_conn_free(NULL);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
a_name_is_learned_once_and_never_beside_a_given_one(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", OTHER);
	struct pinfast_conn *conn = world_conn(policy, NULL, 0);

	(void)state;
	assert_int_equal(pinfast_conn_add_name(conn, "b.test"), 0);
	assert_int_equal(pinfast_conn_add_name(conn, "B.test."), 0);
	assert_int_equal(pinfast_conn_add_name(conn, "bb.test"), 0);
	assert_int_equal(pinfast_conn_add_name(conn, "c.test"), 0);
	assert_int_equal(conn->name_count, 3);
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	assert_int_equal(pinfast_conn_add_name(conn, "a.test"), 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "b.test", 0);
	assert_int_equal(pinfast_conn_add_name(conn, "a.test"), 0);
	assert_int_equal(pinfast_conn_add_name(conn, "no name"), 0);
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* An allow never speaks of a name that was learned after it. */
static void
a_name_learned_after_judging_makes_it_void(void **state)
{
	static const struct {
		const char *name;
		int again, reason;
	} rows[] = {
	    {"a.test", PINFAST_OK, PINFAST_REASON_PIN_MISMATCH},
	    {"no name", PINFAST_EHOST, PINFAST_REASON_HOST_INVALID},
	};
	const struct pinfast_bytes no_blob = {NULL, 0};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", OTHER);
	uint8_t tag[PINFAST_TAG_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pinfast_conn *conn = world_conn(policy, NULL, 0);

		assert_int_equal(pinfast_conn_add_name(conn, "b.test"), 0);
		expect(pinfast_judge_path(conn, path3, 3), 1,
		    PINFAST_REASON_UNLISTED);
		assert_int_equal(pinfast_conn_add_name(conn, "B.test"), 0);
		expect(pinfast_conn_verdict(conn), 1, PINFAST_REASON_UNLISTED);
		assert_int_equal(pinfast_conn_add_name(conn, rows[i].name),
		    rows[i].again);
		expect(pinfast_conn_verdict(conn), 0,
		    PINFAST_REASON_NOT_JUDGED);
		expect(pinfast_judge_path(conn, path3, 3), 0, rows[i].reason);
		expect(pinfast_conn_settle(conn), 0, rows[i].reason);
		pinfast_conn_free(conn);
	}
	{
		struct pinfast_conn *conn = world_conn(policy, NULL, 0);

		assert_int_equal(pinfast_conn_add_name(conn, "b.test"), 0);
		expect(pinfast_judge_path(conn, path3, 3), 1,
		    PINFAST_REASON_UNLISTED);
		expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_UNLISTED);
		assert_int_equal(pinfast_conn_add_name(conn, "a.test"), 0);
		expect(pinfast_conn_settle(conn), 0, PINFAST_REASON_NOT_JUDGED);
		assert_int_equal(pinfast_conn_tag(conn, no_blob, tag, &len),
		    PINFAST_ENOTFOUND);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
the_seventeenth_name_makes_it_deny(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", LEAF);
	struct pinfast_conn *conn = world_conn(policy, NULL, 0);
	char name[32];

	(void)state;
	for (int i = 0; i < PF_MAX_NAMES; i++) {
		snprintf(name, sizeof name, "n%d.test", i);
		assert_int_equal(pinfast_conn_add_name(conn, name), 0);
	}
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	assert_int_equal(pinfast_conn_add_name(conn, "one.more.test"),
	    PINFAST_ELIMIT);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_HOST_INVALID);
	pinfast_conn_free(conn);
	/* So many that even their number is refused. */
	conn = world_conn(policy, NULL, 0);
	for (int i = 0; i < 255; i++)
		assert_int_equal(pinfast_conn_add_name(conn, "no name"),
		    PINFAST_EHOST);
	assert_int_equal(pinfast_conn_add_name(conn, "fine.test"),
	    PINFAST_ELIMIT);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_HOST_INVALID);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
without_a_certificate_there_is_no_allow(void **state)
{
	const struct pinfast_bytes none = {NULL, 0};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", LEAF);
	struct pinfast_conn *conn = world_conn(policy, "free.test", 0);

	(void)state;
	expect(pinfast_judge_path(conn, NULL, 3), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	expect(pinfast_judge_path(conn, path3, 0), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	expect(pinfast_judge_leaf(conn, NULL, PINFAST_PKIX_NOT_RUN), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	expect(pinfast_judge_key(conn, none), 0, PINFAST_REASON_NO_CERTIFICATE);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
	    PINFAST_REASON_NOT_JUDGED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
a_failure_says_why(void **state)
{
	static const struct {
		enum pinfast_reason why;
		int32_t reason;
	} rows[] = {
	    {PINFAST_REASON_PKIX_FAILED, PINFAST_REASON_PKIX_FAILED},
	    {PINFAST_REASON_PATH_SEARCH_LIMIT,
	        PINFAST_REASON_PATH_SEARCH_LIMIT},
	    {PINFAST_REASON_NO_CERTIFICATE, PINFAST_REASON_NO_CERTIFICATE},
	    {PINFAST_REASON_PIN_MATCHED, PINFAST_REASON_PKIX_FAILED},
	    {PINFAST_REASON_EXEMPT, PINFAST_REASON_PKIX_FAILED},
	};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", LEAF);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_conn *conn = world_conn(policy, "a.test", 0);

		expect(pinfast_judge_failed(conn, &path3[0], rows[i].why), 0,
		    rows[i].reason);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
after_settling_every_judgement_is_a_deny(void **state)
{
	const struct pinfast_bytes none = {NULL, 0};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "a.test", LEAF);
	struct pinfast_conn *conn = world_conn(policy, "a.test", 0);

	(void)state;
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_judge_path(conn, path3, 3), 0, PINFAST_REASON_SETTLED);
	expect(pinfast_judge_leaf(conn, path3, PINFAST_PKIX_NOT_RUN), 0,
	    PINFAST_REASON_SETTLED);
	expect(pinfast_judge_key(conn, none), 0, PINFAST_REASON_SETTLED);
	expect(pinfast_judge_failed(conn, path3, PINFAST_REASON_PKIX_FAILED), 0,
	    PINFAST_REASON_SETTLED);
	expect(pinfast_judge_tag(conn, none, none), 0, PINFAST_REASON_SETTLED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_verdict(conn), 1, PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Another host, another port, another time, on the same connection. */
static const struct {
	const char *name;
	const char *host;
	uint16_t port;
	int64_t now;
	int verified;
	int allow;
	int32_t reason;
	int replaces; /* what the connection itself answers */
} rechecks[] = {
    {"itself", NULL, 0, NOW, 0, 1, PINFAST_REASON_PIN_MATCHED, 1},
    {"its own name", "A.test", 443, NOW, 0, 1, PINFAST_REASON_PIN_MATCHED, 1},
    {"its own name, another port", "a.test", 444, NOW, 0, 1,
        PINFAST_REASON_PIN_MATCHED, 0},
    {"after the entry's end", NULL, 0, NOW + 1000, 0, 0, PINFAST_REASON_EXPIRED,
        1},
    {"another host, verified", "b.test", 443, NOW, 1, 1,
        PINFAST_REASON_UNLISTED, 0},
    {"another host, not verified", "b.test", 443, NOW, 0, 0,
        PINFAST_REASON_NOT_VERIFIED, 0},
    {"another host, verified is not 1", "b.test", 443, NOW, 2, 0,
        PINFAST_REASON_NOT_VERIFIED, 0},
    {"another pinned host", "c.test", 443, NOW, 1, 0,
        PINFAST_REASON_PIN_MISMATCH, 0},
    {"an invalid host", "no name", 443, NOW, 1, 0, PINFAST_REASON_HOST_INVALID,
        0},
};

static void
a_recheck_speaks_of_the_host_it_is_asked_about(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;

	(void)state;
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW + 1000);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	pinfast_builder_entry(b, "c.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[OTHER].pin);
	policy = world_serve(b);
	for (size_t i = 0; i < sizeof rechecks / sizeof rechecks[0]; i++) {
		struct pinfast_conn *conn = world_conn(policy, "a.test", 443);
		struct pinfast_verdict v;

		expect(pinfast_judge_path(conn, path3, 3), 1,
		    PINFAST_REASON_PIN_MATCHED);
		v = pinfast_conn_recheck(conn, rechecks[i].host,
		    rechecks[i].port, rechecks[i].now, rechecks[i].verified);
		if ((v.decision == PINFAST_ALLOW) != rechecks[i].allow ||
		    v.reason != rechecks[i].reason)
			fail_msg("%s: %s", rechecks[i].name,
			    pinfast_reason_name(v.reason));
		expect(pinfast_conn_verdict(conn),
		    rechecks[i].replaces ? rechecks[i].allow : 1,
		    rechecks[i].replaces ? rechecks[i].reason
		                         : PINFAST_REASON_PIN_MATCHED);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
with_two_names_no_host_is_its_own(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_pinning(&b, "c.test", OTHER);
	struct pinfast_conn *conn = world_conn(policy, NULL, 0);

	(void)state;
	pinfast_conn_add_name(conn, "a.test");
	pinfast_conn_add_name(conn, "b.test");
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	expect(pinfast_conn_recheck(conn, "a.test", 0, NOW, 0), 0,
	    PINFAST_REASON_NOT_VERIFIED);
	/* No list has asked about a key yet. */
	expect(pinfast_conn_recheck(conn, "c.test", 0, NOW, 1), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	pinfast_conn_free(conn);
	conn = world_conn(policy, NULL, 0);
	pinfast_conn_add_name(conn, "no name");
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
	    PINFAST_REASON_HOST_INVALID);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A self-made certificate names whom it likes, and a forgiven chain, too. */
static void
nobody_unverified_speaks_for_another_host(void **state)
{
	static const enum pinfast_pkix kinds[] = {
	    PINFAST_PKIX_NOT_RUN, PINFAST_PKIX_OVERRIDDEN, PINFAST_PKIX_FAILED};
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;

	(void)state;
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_entry(b, "c.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_entry(b, "off.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
	policy = world_serve(b);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct pinfast_conn *conn = world_conn(policy, "a.test", 443);

		expect(kinds[i] == PINFAST_PKIX_FAILED
		           ? pinfast_judge_failed(conn, path3,
		                 PINFAST_REASON_PKIX_FAILED)
		           : pinfast_judge_leaf(conn, path3, kinds[i]),
		    1, PINFAST_REASON_PIN_MATCHED);
		expect(pinfast_conn_recheck(conn, "b.test", 443, NOW, 1), 0,
		    PINFAST_REASON_NOT_VERIFIED);
		expect(pinfast_conn_recheck(conn, "off.test", 443, NOW, 1), 0,
		    PINFAST_REASON_NOT_VERIFIED);
		expect(pinfast_conn_recheck(conn, "c.test", 443, NOW, 1), 1,
		    PINFAST_REASON_PIN_MATCHED);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A policy that arrives later allows what was refused: too late for this
 * connection. */
static void
a_settled_deny_stays_one(void **state)
{
	struct pinfast_builder *b, *later = world_builder();
	struct pinfast *policy = policy_pinning(&b, "a.test", OTHER);
	struct pinfast_conn *refused = world_conn(policy, "a.test", 1);
	struct pinfast_conn *open = world_conn(policy, "a.test", 1);
	struct pinfast_bytes image;
	struct pinfast_store *store;

	(void)state;
	expect(pinfast_judge_path(refused, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_judge_path(open, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_conn_settle(refused), 0, PINFAST_REASON_PIN_MISMATCH);
	pinfast_builder_entry(later, "a.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(later, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_builder_finish(later, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_load(policy, store, NULL), 0);
	expect(pinfast_conn_recheck(refused, NULL, 0, NOW, 1), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_conn_recheck(refused, "b.test", 1, NOW, 1), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_conn_recheck(open, NULL, 0, NOW, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(refused);
	world_done(open, policy, b);
	pinfast_builder_free(later);
}

/* What was allowed is not judged anew while nothing can have changed: until a
 * time that counts, not before that of the judgement, and by this policy. */
static void
what_was_allowed_is_asked_again_when_it_may_change(void **state)
{
	struct pinfast_builder *b = world_builder(), *later[2];
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL, NOW + 2000);
	pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, PINFAST_REPORT);
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW + 1000);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_UNPIN);
	policy = world_serve(b);
	conn = allowed_conn(policy);
	for (int i = 0; i < 2; i++) {
		expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 999, 1), 1,
		    PINFAST_REASON_PIN_MATCHED);
		expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 1000, 1), 1,
		    PINFAST_REASON_EXPIRED_UNPINNED);
		expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 2000, 1), 1,
		    PINFAST_REASON_EXPIRED_UNPINNED);
	}
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	/* No clock may say less than what is known to have passed. */
	pinfast_time_floor(policy, NOW + 1000);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 1,
	    PINFAST_REASON_EXPIRED_UNPINNED);
	for (int i = 0; i < 2; i++) {
		later[i] = world_builder();
		pinfast_builder_entry(later[i], "a.test", 0,
		    PINFAST_SCOPE_EXACT);
		world_pin(later[i], PINFAST_ROLE_LEAF, i == 0 ? LEAF : OTHER);
		assert_int_equal(pinfast_load(policy, world_open(later[i]),
		                     NULL),
		    0);
		for (int n = 0; n < 2; n++)
			expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 1000,
			           1),
			    i == 0,
			    i == 0 ? PINFAST_REASON_PIN_MATCHED
			           : PINFAST_REASON_PIN_MISMATCH);
	}
	world_done(conn, policy, b);
	for (int i = 0; i < 2; i++)
		pinfast_builder_free(later[i]);
}

/* Nobody else looks at the dates of a leaf that nobody verified. */
static void
a_leaf_alone_is_asked_again_for_its_dates(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	expect(pinfast_judge_leaf(conn, path3, PINFAST_PKIX_NOT_RUN), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 1, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW * 200, 1), 0,
	    PINFAST_REASON_CERTIFICATE_DATES);
	world_done(conn, policy, b);
}

/* Nor where it was verified, and the policy has come to ask for its dates. */
static void
a_verified_leaf_is_asked_for_its_dates_as_well(void **state)
{
	struct pinfast_builder *b = world_builder(), *later = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	policy = world_serve(b);
	conn = allowed_conn(policy);
	pinfast_builder_entry(later, "a.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(later, PINFAST_ENTRY_PKIX_NONE, 1);
	world_pin(later, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_load(policy, world_open(later), NULL), 0);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 1, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW * 200, 1), 0,
	    PINFAST_REASON_CERTIFICATE_DATES);
	world_done(conn, policy, b);
	pinfast_builder_free(later);
}

/* By the rule, not by how the evidence came about. */
static void
an_allow_stands_where_no_dates_count(void **state)
{
	static const struct {
		const char *name;
		int none, ignore, stands;
	} rows[] = {
	    {"verified", 0, 0, 1},
	    {"not verified", 1, 0, 0},
	    {"not verified, of any date", 1, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast *policy;
		struct pinfast_conn *conn;

		pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE,
		    rows[i].none);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES,
		    rows[i].ignore);
		world_pin(b, PINFAST_ROLE_LEAF, LEAF);
		policy = world_serve(b);
		conn = allowed_conn(policy);
		if (pf_conn_stands(conn, NOW + 1) != rows[i].stands)
			fail_msg("%s", rows[i].name);
		world_done(conn, policy, b);
	}
}

static void
keep_warning(void *arg, const struct pinfast_event *event)
{
	*(int *)arg = event->warn;
}

/* What is judged again before the end is what the event speaks of. */
static void
an_event_warns_as_of_the_last_question(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	int warning = -1;

	(void)state;
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW + 2000);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_WARN_AFTER, NOW + 1000);
	policy = world_serve(b);
	pinfast_on_event(policy, keep_warning, &warning);
	conn = world_conn(policy, "a.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW + 1000, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(warning, 1);
	world_done(conn, policy, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_made_of_nothing),
	    cmocka_unit_test(a_settled_deny_stays_one),
	    cmocka_unit_test(
	        a_name_is_learned_once_and_never_beside_a_given_one),
	    cmocka_unit_test(a_name_learned_after_judging_makes_it_void),
	    cmocka_unit_test(the_seventeenth_name_makes_it_deny),
	    cmocka_unit_test(without_a_certificate_there_is_no_allow),
	    cmocka_unit_test(a_failure_says_why),
	    cmocka_unit_test(after_settling_every_judgement_is_a_deny),
	    cmocka_unit_test(a_recheck_speaks_of_the_host_it_is_asked_about),
	    cmocka_unit_test(with_two_names_no_host_is_its_own),
	    cmocka_unit_test(nobody_unverified_speaks_for_another_host),
	    cmocka_unit_test(
	        what_was_allowed_is_asked_again_when_it_may_change),
	    cmocka_unit_test(a_leaf_alone_is_asked_again_for_its_dates),
	    cmocka_unit_test(a_verified_leaf_is_asked_for_its_dates_as_well),
	    cmocka_unit_test(an_allow_stands_where_no_dates_count),
	    cmocka_unit_test(an_event_warns_as_of_the_last_question),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
