/*
 * What a verdict stands on: certificates that two parsers read alike, a path
 * of bounded length, a policy, anchors, a hash; and what is said without them.
 */
#include "world.h"

static void
keep_event(void *arg, const struct pinfast_event *event)
{
	*(struct pinfast_event *)arg = *event;
}

static void
a_library_that_read_another_key_is_refused(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = world_one_entry(&b, PINFAST_ROLE_LEAF, LEAF);
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
	world_done(conn, policy, b);
}

static void
an_issuer_that_satisfies_a_pin_must_agree_too(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = world_one_entry(&b, PINFAST_ROLE_CA, INTER);
	struct pinfast_conn *conn = world_conn(policy, "www.example.test", 0);
	struct pinfast_cert bad[3];

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[2].key_spki = path3[0].key_spki; /* satisfies nothing */
	expect(pinfast_judge_path(conn, bad, 3), 1, PINFAST_REASON_PIN_MATCHED);
	bad[1].key_spki = path3[0].key_spki;
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_PARSER_DISAGREEMENT);
	world_done(conn, policy, b);
}

static void
a_malformed_leaf_is_refused_and_a_malformed_stranger_is_not(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = world_one_entry(&b, PINFAST_ROLE_LEAF, LEAF);
	struct pinfast_conn *conn = world_conn(policy, "www.example.test", 0);
	struct pinfast_cert bad[3];

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[1].der.len--;
	expect(pinfast_judge_path(conn, bad, 3), 1, PINFAST_REASON_PIN_MATCHED);
	bad[0].der.len--;
	expect(pinfast_judge_path(conn, bad, 3), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	world_done(conn, policy, b);
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
	world_done(conn, policy, b);
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
	world_done(conn, policy, b);
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
	world_done(conn, policy, NULL);
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

/* What a reporter needs that sends each failure once, with its number. */
static void
count_alike(void *arg, const struct pinfast_event *event)
{
	unsigned *count = arg;

	++*count;
	assert_string_equal(event->host, "www.example.test");
	assert_int_equal(event->reason, PINFAST_REASON_PIN_MISMATCH);
	assert_true(event->decision != PINFAST_ALLOW);
	assert_int_equal(event->entry_at, 0);
	assert_int_equal(event->hashes_known, 1);
}

static long live, most;

static void *
take(void *arg, size_t size)
{
	(void)arg;
	if (++live > most)
		most = live;
	return malloc(size);
}

static void
give(void *arg, void *ptr)
{
	(void)arg;
	live -= ptr != NULL;
	free(ptr);
}

/* Nothing piles up and no failure is lost. */
static void
the_same_failure_is_one_event_each_time(void **state)
{
	const struct pinfast_alloc alloc = {take, give, NULL};
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast *policy;
	unsigned count = 0;
	long before;

	(void)state;
	pinfast_builder_entry(b, "www.example.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, OTHER);
	assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, &alloc, NULL, &store),
	    0);
	assert_int_equal(pinfast_new(&alloc, &policy), 0);
	assert_int_equal(pinfast_load(policy, store, NULL), 0);
	pinfast_on_event(policy, count_alike, &count);
	before = live;
	most = 0;
	for (unsigned i = 1; i <= 10000; i++) {
		struct pinfast_conn *conn =
		    world_conn(policy, "www.example.test", 443);

		expect(pinfast_judge_path(conn, path3, 3), 0,
		    PINFAST_REASON_PIN_MISMATCH);
		expect(pinfast_conn_settle(conn), 0,
		    PINFAST_REASON_PIN_MISMATCH);
		pinfast_conn_free(conn);
		assert_int_equal(count, i);
		assert_int_equal(live, before);
	}
	/* The connection and its name. */
	assert_int_equal(most, before + 2);
	pinfast_free(policy);
	assert_int_equal(live, 0);
	pinfast_builder_free(b);
}

static void
a_mismatch_names_the_keys_shown_and_wanted(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = world_one_entry(&b, PINFAST_ROLE_LEAF, OTHER);
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
	world_done(conn, policy, b);
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
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_builder_anchor(b, certs[ROOT].item.der), 0);
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
	expect(pinfast_conn_recheck(conn, "free.test", 443, NOW, 1), 0,
	    PINFAST_REASON_NOT_VERIFIED);
	world_done(conn, policy, b);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_library_that_read_another_key_is_refused),
	    cmocka_unit_test(an_issuer_that_satisfies_a_pin_must_agree_too),
	    cmocka_unit_test(
	        a_malformed_leaf_is_refused_and_a_malformed_stranger_is_not),
	    cmocka_unit_test(with_reject_lists_every_key_must_be_readable),
	    cmocka_unit_test(seventeen_certificates_are_one_too_many),
	    cmocka_unit_test(a_policy_without_a_store_denies),
	    cmocka_unit_test(
	        a_connection_that_nobody_judged_is_reported_as_a_deny),
	    cmocka_unit_test(the_same_failure_is_one_event_each_time),
	    cmocka_unit_test(a_mismatch_names_the_keys_shown_and_wanted),
	    cmocka_unit_test(own_anchors_count_only_when_they_were_used),
	    cmocka_unit_test(a_hash_that_does_not_know_the_answers_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
