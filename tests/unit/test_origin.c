/*
 * Who the peer is said to be, and when: hosts, ports and labels that choose
 * the entry, and the time that is never earlier than what is known.
 */
#include "world.h"

#include "claim.h"

static void
keep_event(void *arg, const struct pinfast_event *event)
{
	*(struct pinfast_event *)arg = *event;
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
		const char *name;
		int setting, allow, reported;
	} rows[] = {
	    {"unknown-host: deny", PINFAST_DENY, 0, 0},
	    {"unknown-host: report", PINFAST_REPORT, 1, 1},
	    {"unknown-host: allow", PINFAST_PASS, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast_event event = {0};
		struct pinfast *policy;
		struct pinfast_conn *conn;

		assert_int_equal(pinfast_builder_set(b,
		                     PINFAST_POLICY_UNKNOWN_HOST,
		                     rows[i].setting),
		    0);
		policy = world_serve(b);
		pinfast_on_event(policy, keep_event, &event);
		conn = world_conn(policy, NULL, 443);
		expect(pinfast_judge_path(conn, path3, 3), rows[i].allow,
		    PINFAST_REASON_HOST_UNKNOWN);
		expect(pinfast_conn_settle(conn), rows[i].allow,
		    PINFAST_REASON_HOST_UNKNOWN);
		claim(rows[i].name, event.reported == rows[i].reported);
		world_done(conn, policy, b);
	}
}

static void
every_learned_name_must_allow(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = world_one_entry(&b, PINFAST_ROLE_LEAF, OTHER);
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
	world_done(conn, policy, b);
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
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_builder_entry(b, "h.test", 8443,
	                     PINFAST_SCOPE_EXACT),
	    0);
	world_pin(b, PINFAST_ROLE_LEAF, OTHER);
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
	world_done(conn, policy, b);
}

static void
another_host_needs_its_name_verified(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = world_one_entry(&b, PINFAST_ROLE_LEAF, LEAF);
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
	world_done(conn, policy, b);
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
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
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
	world_done(conn, policy, b);
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
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES,
	                     NOW + 1000),
	    0);
	assert_int_equal(pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
	                     PINFAST_DENY),
	    0);
	policy = world_serve(b);
	conn = world_conn(policy, "h.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_time_floor(policy, NOW + 1004);
	expect(pinfast_judge_path(conn, path3, 3), 0, PINFAST_REASON_EXPIRED);
	pinfast_time_floor(policy, 5);
	expect(pinfast_judge_path(conn, path3, 3), 0, PINFAST_REASON_EXPIRED);
	world_done(conn, policy, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(invalid_hosts_are_denied_never_unlisted),
	    cmocka_unit_test(an_unknown_host_follows_its_own_setting),
	    cmocka_unit_test(every_learned_name_must_allow),
	    cmocka_unit_test(
	        an_unknown_port_is_judged_by_every_entry_of_the_name),
	    cmocka_unit_test(another_host_needs_its_name_verified),
	    cmocka_unit_test(clients_are_judged_by_label),
	    cmocka_unit_test(a_clock_that_says_less_than_is_known_is_wrong),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
