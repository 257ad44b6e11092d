/*
 * Corners of the decision tables: dates, hashes that fail, what cannot be
 * asked, and the worst of several answers.
 */
#include "world.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "core/shown.h"

static struct pinfast_builder *
entry(const char *name, enum pinfast_action mode)
{
	struct pinfast_builder *b = world_builder();

	pinfast_builder_entry(b, name, 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, mode);
	return b;
}

static void
end(struct pinfast_builder *b, struct pinfast *policy)
{
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* ------------------------------------------------------------------- dates */

/* The leaf's own dates: it is judged where nobody else reads them. */
static void
a_leaf_that_replaces_the_chain_must_be_in_time(void **state)
{
	static const uint8_t no_time[13] = "2x0101000000Z";
	struct pinfast_builder *b = entry("a.test", PINFAST_ENFORCE);
	struct pinfast *policy;
	struct pf_cert walked;
	struct pinfast_conn *conn;
	struct pinfast_cert leaf = path3[0];
	int64_t from, until;
	uint8_t copy[4096];

	(void)state;
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	policy = world_serve(b);
	assert_int_equal(pf_cert_walk(leaf.der, &walked, NULL), 0);
	assert_int_equal(pf_cert_times(&walked, &from, &until), 0);
	{
		const struct {
			int64_t now;
			int allow;
		} rows[] = {{until, 1}, {until + 1, 0}, {NOW, 1}};

		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(pinfast_conn_new(policy, "a.test", 0,
			                     rows[i].now, &conn),
			    0);
			expect(pinfast_judge_leaf(conn, &leaf,
			           PINFAST_PKIX_NOT_RUN),
			    rows[i].allow,
			    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
			                  : PINFAST_REASON_CERTIFICATE_DATES);
			pinfast_conn_free(conn);
		}
	}
	/* Dates that are none. */
	memcpy(copy, leaf.der.data, leaf.der.len);
	memcpy(copy + (walked.not_before.data - leaf.der.data) + 2, no_time,
	    sizeof no_time);
	leaf.der.data = copy;
	conn = world_conn(policy, "a.test", 0);
	expect(pinfast_judge_leaf(conn, &leaf, PINFAST_PKIX_NOT_RUN), 0,
	    PINFAST_REASON_CERTIFICATE_DATES);
	pinfast_conn_free(conn);
	end(b, policy);
}

static void
a_leaf_from_the_future_is_not_in_time(void **state)
{
	struct pinfast_builder *b = entry("a.test", PINFAST_ENFORCE);
	struct pinfast *policy;
	struct pf_cert walked;
	struct pinfast_conn *conn;
	struct pinfast_cert leaf = path3[0];
	uint8_t copy[4096];

	(void)state;
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	policy = world_serve(b);
	assert_int_equal(pf_cert_walk(leaf.der, &walked, NULL), 0);
	memcpy(copy, leaf.der.data, leaf.der.len);
	/* UTCTime 49: 2049. */
	copy[walked.not_before.data - leaf.der.data + 2] = '4';
	copy[walked.not_before.data - leaf.der.data + 3] = '9';
	leaf.der.data = copy;
	conn = world_conn(policy, "a.test", 0);
	expect(pinfast_judge_leaf(conn, &leaf, PINFAST_PKIX_NOT_RUN), 0,
	    PINFAST_REASON_CERTIFICATE_DATES);
	pinfast_conn_free(conn);
	end(b, policy);
}

/* ------------------------------------------------------------------ hashing */

struct hashing {
	int calls_left; /* then it fails; -1: never */
};

static int
counted_hash(void *arg, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN])
{
	struct hashing *h = arg;

	if (h->calls_left == 0)
		return -1;
	if (h->calls_left > 0)
		h->calls_left--;
	pf_sha256(data, len, out);
	return 0;
}

/* Right in its first eight bytes only. */
static int
half_hash(void *arg, const void *data, size_t len, uint8_t out[PINFAST_PIN_LEN])
{
	(void)arg;
	pf_sha256(data, len, out);
	out[31] ^= 1;
	return 0;
}

static const struct {
	const char *name;
	enum pinfast_role role;
	enum pinfast_action mode;
	int calls;
	int32_t reason;
} hashings[] = {
    {"leaf", PINFAST_ROLE_LEAF, PINFAST_ENFORCE, 0, PINFAST_REASON_HASH_FAILED},
    {"leaf, report", PINFAST_ROLE_LEAF, PINFAST_REPORT, 0,
        PINFAST_REASON_HASH_FAILED},
    {"intermediate", PINFAST_ROLE_ANY, PINFAST_ENFORCE, 1,
        PINFAST_REASON_HASH_FAILED},
    {"root", PINFAST_ROLE_CA, PINFAST_ENFORCE, 1, PINFAST_REASON_HASH_FAILED},
    {"whole certificate", PINFAST_ROLE_CERT, PINFAST_ENFORCE, 0,
        PINFAST_REASON_HASH_FAILED},
    {"reject", PINFAST_ROLE_REJECT, PINFAST_ENFORCE, 2,
        PINFAST_REASON_HASH_FAILED},
    {"reject, report", PINFAST_ROLE_REJECT, PINFAST_REPORT, 2,
        PINFAST_REASON_HASH_FAILED},
};

static void
a_hash_that_fails_is_a_deny_in_every_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hashings / sizeof hashings[0]; i++) {
		struct pinfast_builder *b = entry("a.test", hashings[i].mode);
		struct hashing h = {-1};
		struct pinfast *policy;
		struct pinfast_conn *conn;
		char pin[PINFAST_PIN_TEXT_LEN + 5];

		snprintf(pin, sizeof pin, "%s%s",
		    hashings[i].role == PINFAST_ROLE_CERT ? "cert-" : "",
		    certs[OTHER].pin);
		pinfast_builder_pin(b, hashings[i].role, pin);
		policy = world_serve(b);
		assert_int_equal(pinfast_use_sha256(policy, half_hash, NULL),
		    PINFAST_EUNSAFE);
		assert_int_equal(pinfast_use_sha256(policy, counted_hash, &h),
		    0);
		h.calls_left = hashings[i].calls;
		conn = world_conn(policy, "a.test", 0);
		expect(pinfast_judge_path(conn, path3, 3), 0,
		    hashings[i].reason);
		pinfast_conn_free(conn);
		end(b, policy);
	}
}

static void
a_tag_and_a_late_question_need_the_hash_too(void **state)
{
	const struct pinfast_bytes blob = {(const uint8_t *)"session", 7};
	struct pinfast_builder *b = entry("a.test", PINFAST_ENFORCE);
	struct hashing h = {-1};
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_bytes tag;
	uint8_t bytes[PINFAST_TAG_MAX];

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	policy = world_serve(b);
	assert_int_equal(pinfast_use_sha256(policy, counted_hash, &h), 0);
	conn = world_conn(policy, "a.test", 0);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	h.calls_left = 0;
	assert_int_equal(pinfast_conn_tag(conn, blob, bytes, &tag.len),
	    PINFAST_EIO);
	h.calls_left = -1;
	assert_int_equal(pinfast_conn_tag(conn, blob, bytes, &tag.len), 0);
	pinfast_conn_free(conn);
	tag.data = bytes;
	conn = world_conn(policy, "a.test", 0);
	h.calls_left = 0;
	expect(pinfast_judge_tag(conn, tag, blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	h.calls_left = -1;
	expect(pinfast_judge_tag(conn, tag, blob), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	end(b, policy);
}

/* --------------------------------------------------------------- raw keys */

static void
a_raw_key_is_one_key_and_nothing_else(void **state)
{
	static uint8_t large[PF_MAX_CERT + 1];
	struct pinfast_builder *b = entry("a.test", PINFAST_ENFORCE);
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_bytes spki = certs[LEAF].item.key_spki;
	struct pinfast_bytes too_large = {large, sizeof large};
	char pin[PINFAST_PIN_TEXT_LEN + 5];

	(void)state;
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	/* A key has no certificate that could match. */
	snprintf(pin, sizeof pin, "cert-%s", certs[OTHER].pin);
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, pin);
	pinfast_builder_pin(b, PINFAST_ROLE_SHADOW_LEAF, certs[OTHER].pin);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 0);
	expect(pinfast_judge_key(conn, spki), 1, PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_judge_key(conn, certs[INTER].item.key_spki), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	spki.len--;
	expect(pinfast_judge_key(conn, spki), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	expect(pinfast_judge_key(conn, too_large), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	/* Nothing shown: the shadow has nothing to say either. */
	expect(pinfast_judge_failed(conn, NULL, PINFAST_REASON_PKIX_FAILED), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	pinfast_conn_free(conn);
	end(b, policy);
}

static void
whole_certificates_are_asked_about_once(void **state)
{
	static uint8_t large[PF_MAX_CERT + 1];
	struct pinfast_builder *b = world_builder();
	struct pinfast_cert path[2] = {path3[0], path3[1]};
	struct pinfast *policy;
	struct pinfast_conn *conn;
	char pin[PINFAST_PIN_TEXT_LEN + 5];
	uint8_t hash[PINFAST_PIN_LEN];

	(void)state;
	pf_sha256(path3[0].der.data, path3[0].der.len, hash);
	memcpy(pin, "cert-", 5);
	pinfast_pin_write(hash, pin + 5);
	/* Two entries, and a shadow set, want the same certificate. */
	for (uint16_t port = 1; port <= 2; port++) {
		pinfast_builder_entry(b, "a.test", port, PINFAST_SCOPE_EXACT);
		pinfast_builder_pin(b, PINFAST_ROLE_CERT, pin);
		pinfast_builder_pin(b, PINFAST_ROLE_SHADOW_CERT, pin);
	}
	pinfast_builder_entry(b, "b.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	pinfast_builder_pin(b, PINFAST_ROLE_SHADOW_CERT, pin);
	pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[OTHER].pin);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 0);
	expect(pinfast_judge_path(conn, path, 2), 1,
	    PINFAST_REASON_PIN_MATCHED);
	/* Later there are no bytes to hash. */
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "free.test", 1);
	expect(pinfast_judge_path(conn, path, 2), 1, PINFAST_REASON_UNLISTED);
	expect(pinfast_conn_recheck(conn, "a.test", 1, NOW, 1), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	/* Report mode does not turn "cannot be told" into an allow. */
	expect(pinfast_conn_recheck(conn, "b.test", 1, NOW, 1), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	pinfast_conn_free(conn);
	/* A leaf that cannot be read has no hash; nor has none at all. */
	conn = world_conn(policy, "b.test", 1);
	path[0].der.len--;
	expect(pinfast_judge_path(conn, path, 2), 1,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	path[0].der.data = NULL;
	expect(pinfast_judge_path(conn, path, 2), 1,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	path[0].der.data = large;
	path[0].der.len = sizeof large;
	expect(pinfast_judge_path(conn, path, 2), 1,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	pinfast_conn_free(conn);
	end(b, policy);
}

/* ------------------------------------------------------- time and the worst */

static void
only_what_enforces_is_loosened(void **state)
{
	static const struct {
		const char *name;
		enum pinfast_action mode, then, lapse;
		int64_t valid_until;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"report, expired into report", PINFAST_REPORT, PINFAST_REPORT,
	        PINFAST_ENFORCE, 0, 1, PINFAST_REASON_PIN_MISMATCH},
	    {"enforce, expired into enforce", PINFAST_ENFORCE, PINFAST_ENFORCE,
	        PINFAST_ENFORCE, 0, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"enforce, lapsed into enforce", PINFAST_ENFORCE, PINFAST_ENFORCE,
	        PINFAST_ENFORCE, NOW - 1, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"enforce, lapsed into report", PINFAST_ENFORCE, PINFAST_ENFORCE,
	        PINFAST_REPORT, NOW, 1, PINFAST_REASON_PIN_MISMATCH},
	    {"enforce, not lapsed yet", PINFAST_ENFORCE, PINFAST_ENFORCE,
	        PINFAST_REPORT, NOW + 1, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"report, expired into enforce", PINFAST_REPORT, PINFAST_ENFORCE,
	        PINFAST_ENFORCE, 0, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"report, expired into deny", PINFAST_REPORT, PINFAST_DENY,
	        PINFAST_ENFORCE, 0, 0, PINFAST_REASON_EXPIRED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_builder *b = entry("a.test", rows[i].mode);
		struct pinfast *policy;
		struct pinfast_conn *conn;
		struct pinfast_verdict v;

		pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[OTHER].pin);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
		    rows[i].then);
		if (rows[i].valid_until != 0) {
			pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL,
			    rows[i].valid_until);
			pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE,
			    rows[i].lapse);
		}
		policy = world_serve(b);
		conn = world_conn(policy, "a.test", 0);
		v = pinfast_judge_path(conn, path3, 3);
		if ((v.decision == PINFAST_ALLOW) != rows[i].allow ||
		    v.reason != rows[i].reason)
			fail_msg("%s: %s", rows[i].name,
			    pinfast_reason_name(v.reason));
		pinfast_conn_free(conn);
		end(b, policy);
	}
}

/* Only the entry's own report mode takes the edge off a rejected key. */
static void
an_expiry_that_enforces_rejects_again(void **state)
{
	struct pinfast_builder *b = entry("a.test", PINFAST_REPORT);
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_REJECT, certs[LEAF].pin);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_ENFORCE);
	pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL, NOW + 1);
	pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, PINFAST_REPORT);
	policy = world_serve(b);
	/* The third comes after the lapse, which rejects survive. */
	for (int late = 0; late < 3; late++) {
		assert_int_equal(pinfast_conn_new(policy, "a.test", 0,
		                     NOW - 1 + late, &conn),
		    0);
		expect(pinfast_judge_path(conn, path3, 3), !late,
		    PINFAST_REASON_REJECTED_KEY);
		pinfast_conn_free(conn);
	}
	end(b, policy);
}

/* The first certificate that ends decides how long a tag lasts. */
static void
issuers_may_end_before_or_after_the_leaf(void **state)
{
	const struct pinfast_bytes none = {NULL, 0};
	struct pinfast_builder *b = entry("a.test", PINFAST_ENFORCE);
	struct pinfast *policy;
	int64_t ends[2];

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[LEAF].pin);
	policy = world_serve(b);
	for (int last = 0; last < 2; last++) {
		struct pinfast_cert path[2] = {path3[0], path3[0]};
		struct pf_cert walked;
		uint8_t copy[4096];
		struct pinfast_bytes tag;
		uint8_t bytes[PINFAST_TAG_MAX];
		struct pinfast_conn *conn = world_conn(policy, "a.test", 0);

		/* Its GeneralizedTime says 2126: before that, or after. */
		assert_int_equal(pf_cert_walk(path[0].der, &walked, NULL), 0);
		memcpy(copy, path[0].der.data, path[0].der.len);
		memcpy(copy + (walked.not_after.data - path[0].der.data) + 2,
		    last ? "2900" : "2100", 4);
		path[1].der.data = copy;
		expect(pinfast_judge_path(conn, path, 2), 1,
		    PINFAST_REASON_PIN_MATCHED);
		expect(pinfast_conn_settle(conn), 1,
		    PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(pinfast_conn_tag(conn, none, bytes, &tag.len),
		    0);
		ends[last] = (int64_t)pf_le64(bytes + 80);
		pinfast_conn_free(conn);
	}
	assert_true(ends[0] < ends[1]);
	end(b, policy);
}

/* Entries of three ports, and a connection that does not know its own. */
static void
the_worst_answer_wins_in_any_order(void **state)
{
	enum { OK, REPORTED, DENIED };
	static const int orders[][3] = {
	    {OK, REPORTED, DENIED},
	    {OK, DENIED, REPORTED},
	    {REPORTED, OK, DENIED},
	    {REPORTED, DENIED, OK},
	    {DENIED, OK, REPORTED},
	    {DENIED, REPORTED, OK},
	    {OK, OK, REPORTED},
	    {REPORTED, OK, REPORTED},
	    {OK, OK, OK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast *policy;
		struct pinfast_conn *conn;
		int worst = OK;

		for (uint16_t port = 0; port < 3; port++) {
			int kind = orders[i][port];

			worst = kind > worst ? kind : worst;
			pinfast_builder_entry(b, "a.test", (uint16_t)(port + 1),
			    PINFAST_SCOPE_EXACT);
			pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
			    kind == REPORTED ? PINFAST_REPORT
			                     : PINFAST_ENFORCE);
			pinfast_builder_pin(b, PINFAST_ROLE_LEAF,
			    certs[kind == OK ? LEAF : OTHER].pin);
		}
		policy = world_serve(b);
		conn = world_conn(policy, "a.test", 0);
		expect(pinfast_judge_path(conn, path3, 3), worst != DENIED,
		    worst == OK ? PINFAST_REASON_PIN_MATCHED
		                : PINFAST_REASON_PIN_MISMATCH);
		pinfast_conn_free(conn);
		end(b, policy);
	}
}

/* The boundary of a tag: the first time at which the policy may say no. */
static void
a_tag_ends_where_the_policy_may_change_its_mind(void **state)
{
	static const struct {
		int64_t first, second, lapse; /* after NOW; 0: never */
	} rows[] = {
	    {100, 200, 300},
	    {200, 100, 300},
	    {300, 200, 100},
	    {100, 0, 0},
	    {0, 100, 0},
	    {0, 0, 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const int64_t ends[] = {rows[i].first, rows[i].second};
		const struct pinfast_bytes none = {NULL, 0};
		struct pinfast_builder *b = world_builder();
		struct pinfast *policy;
		struct pinfast_conn *conn;
		struct pinfast_bytes tag;
		uint8_t bytes[PINFAST_TAG_MAX];

		if (rows[i].lapse != 0) {
			pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL,
			    NOW + rows[i].lapse);
			pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE,
			    PINFAST_ENFORCE);
		}
		for (uint16_t port = 1; port <= 2; port++) {
			pinfast_builder_entry(b, "a.test", port,
			    PINFAST_SCOPE_EXACT);
			pinfast_builder_pin(b, PINFAST_ROLE_LEAF,
			    certs[LEAF].pin);
			if (ends[port - 1] == 0)
				continue;
			pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES,
			    NOW + ends[port - 1]);
			pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
			    PINFAST_DENY);
		}
		policy = world_serve(b);
		conn = world_conn(policy, "a.test", 0);
		expect(pinfast_judge_path(conn, path3, 3), 1,
		    PINFAST_REASON_PIN_MATCHED);
		expect(pinfast_conn_settle(conn), 1,
		    PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(pinfast_conn_tag(conn, none, bytes, &tag.len),
		    0);
		/* Offset 96 of a tag (core/tag.c): valid-until. */
		assert_int_equal((int64_t)pf_le64(bytes + 96), NOW + 100);
		pinfast_conn_free(conn);
		end(b, policy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leaf_that_replaces_the_chain_must_be_in_time),
	    cmocka_unit_test(a_leaf_from_the_future_is_not_in_time),
	    cmocka_unit_test(a_hash_that_fails_is_a_deny_in_every_mode),
	    cmocka_unit_test(a_tag_and_a_late_question_need_the_hash_too),
	    cmocka_unit_test(a_raw_key_is_one_key_and_nothing_else),
	    cmocka_unit_test(whole_certificates_are_asked_about_once),
	    cmocka_unit_test(only_what_enforces_is_loosened),
	    cmocka_unit_test(an_expiry_that_enforces_rejects_again),
	    cmocka_unit_test(issuers_may_end_before_or_after_the_leaf),
	    cmocka_unit_test(the_worst_answer_wins_in_any_order),
	    cmocka_unit_test(a_tag_ends_where_the_policy_may_change_its_mind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
