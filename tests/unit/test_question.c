/*
 * What time a question is asked at: no clock may say less than what is known
 * to have passed.
 */
#include "world.h"

#include "base/limits.h"

/* The store of the policy in service. */
static uint8_t kept[4096];

static struct pinfast *
serve(int64_t issued, int64_t expires)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_bytes image;
	struct pinfast_diag diag = {0};
	struct pinfast_store *store;

	pinfast_builder_set(b, PINFAST_POLICY_ISSUED, issued);
	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[LEAF].pin);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, expires);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	if (pinfast_builder_finish(b, &diag, &image) != PINFAST_OK)
		fail_msg("%s", diag.text);
	assert_true(image.len <= sizeof kept);
	memcpy(kept, image.data, image.len);
	image.data = kept;
	pinfast_builder_free(b);
	assert_int_equal(pinfast_store_open_memory(image, NULL, &diag, &store),
	    0);
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_load(policy, store, &diag), 0);
	return policy;
}

static int32_t
reason_at(struct pinfast *policy, int64_t now)
{
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	assert_int_equal(pinfast_conn_new(policy, "a.test", 443, now, &conn),
	    0);
	v = pinfast_judge_path(conn, path3, 3);
	pinfast_conn_free(conn);
	return v.reason;
}

static void
times_below_what_has_passed_do_not_count(void **state)
{
	static const struct {
		const char *name;
		int64_t issued, expires, floor, now;
		int32_t reason;
	} rows[] = {
	    {"before it expires", 0, NOW, 0, NOW - 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"at its expiry", 0, NOW, 0, NOW, PINFAST_REASON_EXPIRED},
	    {"issued later than the clock, before expiry", NOW - 1, NOW, 0, 0,
	        PINFAST_REASON_PIN_MATCHED},
	    {"issued after expiry", NOW + 1, NOW, 0, 0, PINFAST_REASON_EXPIRED},
	    {"the floor is before expiry", 0, NOW, NOW - 600, 0,
	        PINFAST_REASON_PIN_MATCHED},
	    {"the floor is after expiry", 0, NOW, NOW + 600, 0,
	        PINFAST_REASON_EXPIRED},
	    {"released after expiry", 0, PF_RELEASE_TIME, 0, 0,
	        PINFAST_REASON_EXPIRED},
	    {"released before expiry", 0, PF_RELEASE_TIME + 1, 0, 0,
	        PINFAST_REASON_PIN_MATCHED},
	    {"a clock below zero", 0, PF_RELEASE_TIME, 0, INT64_MIN,
	        PINFAST_REASON_EXPIRED},
	    {"a clock at the end of time", 0, NOW, 0, INT64_MAX,
	        PINFAST_REASON_EXPIRED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast *policy = serve(rows[i].issued, rows[i].expires);

		pinfast_time_floor(policy, rows[i].floor);
		if (reason_at(policy, rows[i].now) != rows[i].reason)
			fail_msg("%s: %s", rows[i].name,
			    pinfast_reason_name(reason_at(policy,
			        rows[i].now)));
		pinfast_free(policy);
	}
}

static void
the_floor_never_goes_back(void **state)
{
	struct pinfast *policy = serve(0, NOW);

	(void)state;
	pinfast_time_floor(policy, NOW + 600);
	pinfast_time_floor(policy, NOW - 600);
	pinfast_time_floor(policy, -1);
	assert_int_equal(reason_at(policy, 0), PINFAST_REASON_EXPIRED);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times_below_what_has_passed_do_not_count),
	    cmocka_unit_test(the_floor_never_goes_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
