/*
 * Resumption: a tag says what a full handshake proved, and today's policy
 * judges it.  Anything else about it means a full handshake.
 */
#include "world.h"

#include "base/bytes.h"
#include "core/sum.h"

struct scene {
	struct pinfast_builder *builder;
	struct pinfast *policy;
	uint8_t tag[PINFAST_TAG_MAX];
	size_t len;
};

static const struct pinfast_bytes no_blob = {NULL, 0};

static struct pinfast_builder *
pinned(int cert, int64_t serial)
{
	struct pinfast_builder *b = world_builder();

	pinfast_builder_set(b, PINFAST_POLICY_SERIAL, serial);
	assert_int_equal(pinfast_builder_entry(b, "www.example.test", 0, 0), 0);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[cert].pin);
	return b;
}

/* A full handshake that passed, and its tag. */
static void
scene_init(struct scene *s, struct pinfast_bytes blob)
{
	struct pinfast_conn *conn;

	s->builder = pinned(LEAF, 1);
	s->policy = world_serve(s->builder);
	conn = world_conn(s->policy, "www.example.test", 443);
	/* Not before it has been settled. */
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_tag(conn, blob, s->tag, &s->len),
	    PINFAST_ENOTFOUND);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_tag(conn, blob, s->tag, &s->len), 0);
	assert_true(s->len <= PINFAST_TAG_MAX);
	pinfast_conn_free(conn);
}

static void
scene_fini(struct scene *s)
{
	pinfast_free(s->policy);
	pinfast_builder_free(s->builder);
}

static struct pinfast_verdict
resume(struct scene *s, const char *host, uint16_t port, int64_t now,
    struct pinfast_bytes blob)
{
	struct pinfast_bytes tag = {s->tag, s->len};
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	assert_int_equal(pinfast_conn_new(s->policy, host, port, now, &conn),
	    0);
	v = pinfast_judge_tag(conn, tag, blob);
	pinfast_conn_free(conn);
	return v;
}

static void
serve(struct scene *s, struct pinfast_builder *b)
{
	struct pinfast_bytes image;
	struct pinfast_store *store;

	assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_load(s->policy, store, NULL), 0);
}

static void
a_tag_resumes_what_it_belongs_to(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, no_blob);
	expect(resume(&s, "www.example.test", 443, NOW, no_blob), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(resume(&s, "WWW.EXAMPLE.TEST.", 443, NOW + 5, no_blob), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(resume(&s, "other.test", 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	expect(resume(&s, "wwx.example.test", 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	expect(resume(&s, "www.example.tes", 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	expect(resume(&s, "www.example.test", 444, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	expect(resume(&s, NULL, 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	expect(resume(&s, "www.example.test", 443, NOW - 1, no_blob), 0,
	    PINFAST_REASON_TAG_EXPIRED);
	expect(resume(&s, "www.example.test", 443, 5000000000LL, no_blob), 0,
	    PINFAST_REASON_TAG_EXPIRED);
	scene_fini(&s);
}

static void
a_tightened_policy_refuses_the_tag(void **state)
{
	struct scene s;
	struct pinfast_builder *b;

	(void)state;
	scene_init(&s, no_blob);
	b = pinned(OTHER, 2);
	serve(&s, b);
	expect(resume(&s, "www.example.test", 443, NOW, no_blob), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	scene_fini(&s);
	pinfast_builder_free(b);
}

static void
keys_that_were_not_kept_mean_a_full_handshake(void **state)
{
	struct scene s;
	struct pinfast_builder *b = pinned(LEAF, 2);

	(void)state;
	scene_init(&s, no_blob);
	/* The leaf satisfied its pin, so the issuers were never hashed. */
	pinfast_builder_reject(b, certs[OTHER].pin);
	serve(&s, b);
	expect(resume(&s, "www.example.test", 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	scene_fini(&s);
	pinfast_builder_free(b);
}

static void
a_tag_is_bound_to_the_sessions_bytes(void **state)
{
	const struct pinfast_bytes blob = {(const uint8_t *)"session", 7};
	const struct pinfast_bytes other = {(const uint8_t *)"Session", 7};
	struct scene s;

	(void)state;
	scene_init(&s, blob);
	expect(resume(&s, "www.example.test", 443, NOW, blob), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(resume(&s, "www.example.test", 443, NOW, other), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	expect(resume(&s, "www.example.test", 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_MISMATCH);
	scene_fini(&s);
}

static void
every_damage_to_a_tag_is_a_full_handshake(void **state)
{
	struct scene s;
	size_t len;

	(void)state;
	scene_init(&s, no_blob);
	for (size_t at = 0; at < s.len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			s.tag[at] ^= (uint8_t)(1U << bit);
			if (resume(&s, "www.example.test", 443, NOW, no_blob)
			        .decision == PINFAST_ALLOW)
				fail_msg("byte %zu", at);
			s.tag[at] ^= (uint8_t)(1U << bit);
		}
	len = s.len;
	for (s.len = 0; s.len < len; s.len++)
		expect(resume(&s, "www.example.test", 443, NOW, no_blob), 0,
		    PINFAST_REASON_TAG_INVALID);
	scene_fini(&s);
}

/* Somebody who can forge the sum still cannot raise the evidence. */
static void
evidence_never_rises(void **state)
{
	struct scene s;
	struct pinfast_conn *conn;

	(void)state;
	s.builder = pinned(LEAF, 1);
	s.policy = world_serve(s.builder);
	conn = world_conn(s.policy, "free.test", 443);
	expect(pinfast_judge_leaf(conn, &path3[0], PINFAST_PKIX_NOT_RUN), 1,
	    PINFAST_REASON_UNLISTED_UNVERIFIED);
	expect(pinfast_conn_settle(conn), 1,
	    PINFAST_REASON_UNLISTED_UNVERIFIED);
	assert_int_equal(pinfast_conn_tag(conn, no_blob, s.tag, &s.len), 0);
	pinfast_conn_free(conn);
	expect(resume(&s, "free.test", 443, NOW, no_blob), 1,
	    PINFAST_REASON_UNLISTED_UNVERIFIED);
	s.tag[8] = PINFAST_PKIX_OK; /* but still leaf-only evidence */
	{
		struct pf_sum sum;

		pf_sum_init(&sum);
		pf_sum_update(&sum, s.tag, s.len - 8);
		pf_put_le64(s.tag + s.len - 8, pf_sum_final(&sum));
	}
	expect(resume(&s, "free.test", 443, NOW, no_blob), 0,
	    PINFAST_REASON_TAG_INVALID);
	scene_fini(&s);
}

static void
what_was_denied_gets_no_tag(void **state)
{
	struct scene s;
	struct pinfast_conn *conn;

	(void)state;
	s.builder = pinned(OTHER, 1);
	s.policy = world_serve(s.builder);
	conn = world_conn(s.policy, "www.example.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_conn_settle(conn), 0, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(pinfast_conn_tag(conn, no_blob, s.tag, &s.len),
	    PINFAST_ENOTFOUND);
	pinfast_conn_free(conn);
	scene_fini(&s);
}

static void
a_recheck_judges_by_todays_policy(void **state)
{
	struct scene s;
	struct pinfast_builder *b = pinned(OTHER, 2);
	struct pinfast_conn *conn;

	(void)state;
	s.builder = pinned(LEAF, 1);
	s.policy = world_serve(s.builder);
	conn = world_conn(s.policy, "www.example.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 0), 1,
	    PINFAST_REASON_PIN_MATCHED);
	serve(&s, b);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 0), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_conn_verdict(conn), 0, PINFAST_REASON_PIN_MISMATCH);
	pinfast_conn_free(conn);
	scene_fini(&s);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_tag_resumes_what_it_belongs_to),
	    cmocka_unit_test(a_tightened_policy_refuses_the_tag),
	    cmocka_unit_test(keys_that_were_not_kept_mean_a_full_handshake),
	    cmocka_unit_test(a_tag_is_bound_to_the_sessions_bytes),
	    cmocka_unit_test(every_damage_to_a_tag_is_a_full_handshake),
	    cmocka_unit_test(evidence_never_rises),
	    cmocka_unit_test(what_was_denied_gets_no_tag),
	    cmocka_unit_test(a_recheck_judges_by_todays_policy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
