/*
 * Tags by somebody who can make the sum fit, tags of every kind of evidence,
 * and what gets no tag.
 */
#include "world.h"

#include "base/bytes.h"
#include "core/sum.h"

static const struct pinfast_bytes none = {NULL, 0};

static uint8_t tag[PINFAST_TAG_MAX + 64];
static size_t tag_len;

static void
sum_again(void)
{
	struct pf_sum sum;

	pf_sum_init(&sum);
	pf_sum_update(&sum, tag, tag_len - 8);
	pf_put_le64(tag + tag_len - 8, pf_sum_final(&sum));
}

static struct pinfast *
make_policy(struct pinfast_builder **out)
{
	struct pinfast_builder *b = world_builder();
	char pin[PINFAST_PIN_TEXT_LEN + 5];
	uint8_t hash[PINFAST_PIN_LEN] = {7};

	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_CA, certs[ROOT].pin);
	pinfast_builder_entry(b, "reject.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_REJECT, certs[OTHER].pin);
	pinfast_builder_entry(b, "key.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	/* A whole certificate that nobody has, so that it is asked about. */
	memcpy(pin, "cert-", 5);
	pinfast_pin_write(hash, pin + 5);
	pinfast_builder_entry(b, "cert.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, pin);
	pinfast_builder_entry(b, "partner", 0, PINFAST_SCOPE_CLIENT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	*out = b;
	return world_serve(b);
}

/* A settled connection's tag, into `tag`. */
static void
take_tag(struct pinfast_conn *conn)
{
	struct pinfast_verdict v = pinfast_conn_settle(conn);

	assert_true(v.decision == PINFAST_ALLOW);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &tag_len), 0);
	pinfast_conn_free(conn);
}

static struct pinfast_verdict
resume(struct pinfast *policy, const char *host, int server)
{
	const struct pinfast_bytes bytes = {tag, tag_len};
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	if (server)
		assert_int_equal(pinfast_conn_new_server(policy, host, NOW,
		                     &conn),
		    0);
	else
		conn = world_conn(policy, host, 0);
	v = pinfast_judge_tag(conn, bytes, none);
	pinfast_conn_free(conn);
	return v;
}

static void
path_tag(struct pinfast *policy, const char *host)
{
	struct pinfast_conn *conn = world_conn(policy, host, 0);
	struct pinfast_verdict v = pinfast_judge_path(conn, path3, 3);

	(void)v;
	take_tag(conn);
}

static void
every_kind_of_evidence_is_resumed_as_what_it_was(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn;

	(void)state;
	path_tag(policy, "a.test");
	expect(resume(policy, "a.test", 0), 1, PINFAST_REASON_PIN_MATCHED);
	path_tag(policy, "reject.test"); /* every key is known */
	expect(resume(policy, "reject.test", 0), 1, PINFAST_REASON_NO_PINS);
	path_tag(policy, "cert.test"); /* the certificate's hash is, too */
	expect(resume(policy, "cert.test", 0), 1, PINFAST_REASON_PIN_MISMATCH);
	/* A key has no dates, and its tag no end but the policy's. */
	conn = world_conn(policy, "key.test", 0);
	expect(pinfast_judge_key(conn, certs[LEAF].item.key_spki), 1,
	    PINFAST_REASON_PIN_MATCHED);
	take_tag(conn);
	expect(resume(policy, "key.test", 0), 1, PINFAST_REASON_PIN_MATCHED);
	conn = world_conn(policy, "key.test", 0);
	expect(pinfast_judge_failed(conn, path3, PINFAST_REASON_PKIX_FAILED), 1,
	    PINFAST_REASON_PIN_MATCHED);
	take_tag(conn);
	expect(resume(policy, "key.test", 0), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_new_server(policy, "partner", NOW, &conn),
	    0);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	take_tag(conn);
	expect(resume(policy, "partner", 1), 1, PINFAST_REASON_PIN_MATCHED);
	expect(resume(policy, "partner", 0), 0, PINFAST_REASON_TAG_MISMATCH);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Offsets as in core/tag.c. */
static const struct {
	const char *name;
	size_t at;
	uint8_t value;
	int32_t reason;
} forgeries[] = {
    {"nothing", 9, 3, PINFAST_REASON_PIN_MATCHED},
    {"unknown flag", 6, 0x80, PINFAST_REASON_TAG_INVALID},
    {"no certificates", 9, 0, PINFAST_REASON_TAG_INVALID},
    {"seventeen certificates", 9, 17, PINFAST_REASON_TAG_INVALID},
    {"no such evidence", 7, PINFAST_EVIDENCE_TAG, PINFAST_REASON_TAG_INVALID},
    {"a path that was not verified", 8, PINFAST_PKIX_NOT_RUN,
        PINFAST_REASON_TAG_INVALID},
    {"a path that failed", 8, PINFAST_PKIX_FAILED, PINFAST_REASON_TAG_INVALID},
    {"a leaf of three", 7, PINFAST_EVIDENCE_LEAF_ONLY,
        PINFAST_REASON_TAG_INVALID},
    {"a raw key of three", 7, PINFAST_EVIDENCE_RAW_KEY,
        PINFAST_REASON_TAG_INVALID},
    {"a failure of three", 7, PINFAST_EVIDENCE_FAILED,
        PINFAST_REASON_TAG_INVALID},
    {"a key beyond the path", 13, 0x80, PINFAST_REASON_TAG_INVALID},
    {"agreement beyond the path", 15, 0x80, PINFAST_REASON_TAG_INVALID},
    {"a bad one beyond the path", 185, 0x80, PINFAST_REASON_TAG_INVALID},
    {"bad and known", 184, 0x04, PINFAST_REASON_TAG_INVALID},
    {"an address", 186, 4, PINFAST_REASON_TAG_MISMATCH},
    {"for a server", 6, 1 | 16, PINFAST_REASON_TAG_MISMATCH},
    {"another host", 188, 'b', PINFAST_REASON_TAG_MISMATCH},
};

static void
a_tag_that_fits_its_sum_must_fit_together(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);

	(void)state;
	for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
		struct pinfast_verdict v;

		path_tag(policy, "a.test");
		tag[forgeries[i].at] = forgeries[i].value;
		sum_again();
		v = resume(policy, "a.test", 0);
		if (v.reason != forgeries[i].reason ||
		    (v.decision == PINFAST_ALLOW) != (i == 0))
			fail_msg("%s: %s", forgeries[i].name,
			    pinfast_reason_name(v.reason));
	}
	/* One certificate, and still not what such evidence looks like. */
	for (uint8_t evidence = PINFAST_EVIDENCE_LEAF_ONLY;
	     evidence <= PINFAST_EVIDENCE_FAILED; evidence++) {
		struct pinfast_conn *conn = world_conn(policy, "free.test", 0);
		struct pinfast_verdict v =
		    pinfast_judge_leaf(conn, path3, PINFAST_PKIX_OVERRIDDEN);

		(void)v;
		take_tag(conn);
		expect(resume(policy, "free.test", 0), 1,
		    PINFAST_REASON_UNLISTED_UNVERIFIED);
		for (uint8_t pkix = 0; pkix < 5; pkix++) {
			int fits = 0;

			if (evidence == PINFAST_EVIDENCE_LEAF_ONLY)
				fits = pkix == PINFAST_PKIX_NOT_RUN ||
				       pkix == PINFAST_PKIX_OVERRIDDEN;
			if (evidence == PINFAST_EVIDENCE_RAW_KEY)
				fits = pkix == PINFAST_PKIX_NOT_RUN;
			if (evidence == PINFAST_EVIDENCE_FAILED)
				fits = pkix == PINFAST_PKIX_FAILED;
			tag[7] = evidence;
			tag[8] = pkix;
			sum_again();
			v = resume(policy, "free.test", 0);
			if (fits == (v.reason == PINFAST_REASON_TAG_INVALID))
				fail_msg("%u, %u: %s", evidence, pkix,
				    pinfast_reason_name(v.reason));
		}
	}
	/* Longer than any tag. */
	path_tag(policy, "a.test");
	tag_len = PINFAST_TAG_MAX + 1;
	expect(resume(policy, "a.test", 0), 0, PINFAST_REASON_TAG_INVALID);
	tag_len = 0;
	expect(resume(policy, "a.test", 0), 0, PINFAST_REASON_TAG_INVALID);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
what_was_not_seen_for_sure_gets_no_tag(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, "a.test", 0);
	struct pinfast_cert path[3] = {path3[0], path3[1], path3[2]};
	struct pinfast_verdict v;
	size_t len;

	(void)state;
	/* Never judged. */
	v = pinfast_conn_settle(conn);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	pinfast_conn_free(conn);
	/* Judged on nothing. */
	conn = world_conn(policy, "a.test", 0);
	v = pinfast_judge_failed(conn, NULL, PINFAST_REASON_PKIX_FAILED);
	v = pinfast_conn_settle(conn);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	pinfast_conn_free(conn);
	/* A stranger in the path whose dates nobody knows. */
	conn = world_conn(policy, "free.test", 0);
	path[1].der.len--;
	v = pinfast_judge_path(conn, path, 3);
	v = pinfast_conn_settle(conn);
	assert_true(v.decision == PINFAST_ALLOW);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
two_names_or_none_get_no_tag(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, NULL, 0);
	const struct pinfast_bytes bytes = {tag, 300};
	struct pinfast_verdict v;
	size_t len;

	(void)state;
	pinfast_conn_add_name(conn, "free.test");
	pinfast_conn_add_name(conn, "too.test");
	v = pinfast_judge_path(conn, path3, 3);
	v = pinfast_conn_settle(conn);
	assert_true(v.decision == PINFAST_ALLOW);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	pinfast_conn_free(conn);
	/* A name that turned out to be none. */
	conn = world_conn(policy, NULL, 0);
	pinfast_conn_add_name(conn, "free.test");
	v = pinfast_judge_path(conn, path3, 3);
	v = pinfast_conn_settle(conn);
	pinfast_conn_add_name(conn, "no name");
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	pinfast_conn_free(conn);
	conn = world_conn(policy, NULL, 0);
	pinfast_conn_add_name(conn, "no name");
	expect(pinfast_judge_tag(conn, bytes, none), 0,
	    PINFAST_REASON_TAG_INVALID);
	pinfast_conn_free(conn);
	path_tag(policy, "a.test");
	conn = world_conn(policy, NULL, 0);
	pinfast_conn_add_name(conn, "a.test");
	pinfast_conn_add_name(conn, "no name");
	{
		const struct pinfast_bytes whole = {tag, tag_len};

		expect(pinfast_judge_tag(conn, whole, none), 0,
		    PINFAST_REASON_TAG_MISMATCH);
	}
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A kept connection that was resumed has no certificates to ask. */
static int
no_cert(void *arg, size_t index, struct pinfast_cert *out)
{
	(void)arg, (void)index, (void)out;
	return -1;
}

static int64_t
no_time(void *arg, size_t index)
{
	(void)arg, (void)index;
	return 0;
}

static void
a_resumed_connection_is_not_completed(void **state)
{
	const struct pinfast_path path = {
	    3, NULL, no_cert, no_time, NULL, NULL};
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn;

	(void)state;
	path_tag(policy, "a.test");
	conn = world_conn(policy, "a.test", 0);
	{
		const struct pinfast_bytes whole = {tag, tag_len};

		expect(pinfast_judge_tag(conn, whole, none), 1,
		    PINFAST_REASON_PIN_MATCHED);
	}
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_EUSAGE);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_of_evidence_is_resumed_as_what_it_was),
	    cmocka_unit_test(a_tag_that_fits_its_sum_must_fit_together),
	    cmocka_unit_test(what_was_not_seen_for_sure_gets_no_tag),
	    cmocka_unit_test(two_names_or_none_get_no_tag),
	    cmocka_unit_test(a_resumed_connection_is_not_completed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
