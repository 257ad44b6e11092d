/* Paths whose certificates are fetched when a list asks about them. */
#include "world.h"

#include "base/bytes.h"
#include "base/sha256.h"

struct source {
	int fails_at; /* index whose fetching fails; -1: none */
	int64_t until[3];
	unsigned fetched; /* bit i: certificate i was fetched */
	unsigned learned;
	unsigned known; /* bit i: pin[i] is told instead */
	uint8_t pin[3][PINFAST_PIN_LEN];
	const struct pinfast_cert *certs;
};

static int
source_cert(void *arg, size_t index, struct pinfast_cert *out)
{
	struct source *s = arg;

	s->fetched |= 1U << index;
	*out = s->certs[index];
	return (int)index == s->fails_at;
}

static int64_t
source_until(void *arg, size_t index)
{
	struct source *s = arg;

	return s->until[index];
}

static int
source_known(void *arg, size_t index, uint8_t pin[PINFAST_PIN_LEN])
{
	struct source *s = arg;

	if (!(s->known >> index & 1))
		return 0;
	memcpy(pin, s->pin[index], PINFAST_PIN_LEN);
	return 1;
}

static void
source_learned(void *arg, size_t index, const uint8_t pin[PINFAST_PIN_LEN])
{
	struct source *s = arg;

	s->learned |= 1U << index;
	memcpy(s->pin[index], pin, PINFAST_PIN_LEN);
}

static struct source
source_of(const struct pinfast_cert *given)
{
	struct source s = {
	    -1, {0, NOW + 2000, NOW + 1000}, 0, 0, 0, {{0}}, given};

	return s;
}

static struct pinfast_path
path_of(struct source *s)
{
	struct pinfast_path path = {
	    3, s, source_cert, source_until, source_known, source_learned};

	return path;
}

static struct pinfast *
policy_with(struct pinfast_builder **b, enum pinfast_role role, int which)
{
	*b = world_builder();
	pinfast_builder_entry(*b, "pin.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(*b, PINFAST_ENTRY_MODE, PINFAST_ENFORCE);
	pinfast_builder_pin(*b, role, certs[which].pin);
	return world_serve(*b);
}

static const struct row {
	const char *name;
	enum pinfast_role role;
	int pinned;
	int allow;
	unsigned fetched;
} rows[] = {
    {"leaf pin", PINFAST_ROLE_LEAF, LEAF, 1, 1},
    {"leaf pin of another key", PINFAST_ROLE_LEAF, OTHER, 0, 1},
    {"leaf pin that is the root's", PINFAST_ROLE_LEAF, ROOT, 0, 1},
    {"any: leaf", PINFAST_ROLE_ANY, LEAF, 1, 1},
    {"any: intermediate", PINFAST_ROLE_ANY, INTER, 1, 3},
    {"any: root", PINFAST_ROLE_ANY, ROOT, 1, 7},
    {"any: another key", PINFAST_ROLE_ANY, OTHER, 0, 7},
    {"ca: intermediate", PINFAST_ROLE_CA, INTER, 1, 3},
    {"ca: root", PINFAST_ROLE_CA, ROOT, 1, 7},
    {"ca: the leaf's key", PINFAST_ROLE_CA, LEAF, 0, 7},
    {"reject: root", PINFAST_ROLE_REJECT, ROOT, 0, 7},
};

static void
fetches_what_is_asked_and_agrees_with_the_eager_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_builder *b;
		struct pinfast *policy =
		    policy_with(&b, rows[i].role, rows[i].pinned);
		struct source s = source_of(path3);
		struct pinfast_path path = path_of(&s);
		struct pinfast_conn *lazy = world_conn(policy, "pin.test", 443);
		struct pinfast_conn *eager =
		    world_conn(policy, "pin.test", 443);
		struct pinfast_verdict verdict =
		    pinfast_judge_path_lazy(lazy, &path);

		if ((verdict.decision == PINFAST_ALLOW) != rows[i].allow ||
		    s.fetched != rows[i].fetched)
			fail_msg("%s: %s, fetched %x", rows[i].name,
			    pinfast_reason_name(verdict.reason), s.fetched);
		expect(pinfast_judge_path(eager, path3, 3), rows[i].allow,
		    verdict.reason);
		pinfast_conn_free(lazy);
		pinfast_conn_free(eager);
		pinfast_free(policy);
		pinfast_builder_free(b);
	}
}

static void
what_cannot_be_fetched_is_a_deny(void **state)
{
	static const struct {
		int at;
		int32_t reason;
	} fails[] = {{0, PINFAST_REASON_CERTIFICATE_MALFORMED},
	    {1, PINFAST_REASON_HASH_FAILED}, {2, PINFAST_REASON_HASH_FAILED}};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_ANY, ROOT);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct source s = source_of(path3);
		struct pinfast_path path = path_of(&s);
		struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);

		s.fails_at = fails[i].at;
		expect(pinfast_judge_path_lazy(conn, &path), 0,
		    fails[i].reason);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
broken_and_disagreeing_certificates_do_not_count(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_ANY, ROOT);
	struct pinfast_cert bad[3];
	struct source s;
	struct pinfast_path path;
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[2].key_spki = path3[1].key_spki;
	s = source_of(bad);
	path = path_of(&s);
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_PARSER_DISAGREEMENT);
	assert_int_equal(s.learned, 3); /* never a key they disagree about */
	bad[2].der.len--;
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	bad[2].der.data = NULL;
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	expect(pinfast_judge_path_lazy(conn, NULL), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	path.count = 0;
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_NO_CERTIFICATE);
	path.count = PINFAST_PATH_MAX + 1;
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_PATH_TOO_LONG);
	assert_true(pinfast_conn_settle(conn).decision != PINFAST_ALLOW);
	path.count = 3;
	expect(pinfast_judge_path_lazy(conn, &path), 0, PINFAST_REASON_SETTLED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A connection without the two-parser rule speaks for no other one. */
static void
nothing_is_learned_from_one_parser(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_ANY, ROOT);
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);
	struct pinfast_cert bad[3];
	struct source s;
	struct pinfast_path path;

	(void)state;
	memcpy(bad, path3, sizeof bad);
	bad[2].key_spki = path3[1].key_spki;
	s = source_of(bad);
	path = path_of(&s);
	pinfast_insecure_conn_one_parser(conn);
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.learned, 0);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
a_remembered_key_is_not_fetched(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_CA, ROOT);
	struct source s = source_of(path3);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);

	(void)state;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.learned, 6);
	s.known = 4;
	s.fetched = 0;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.fetched, 3);
	s.pin[2][0] ^= 1;
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	path.known = NULL;
	path.learned = NULL;
	s.fetched = 0;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.fetched, 7);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A leaf that was seen before: its key is known, all else is asked for. */
static void
a_remembered_leaf_is_not_fetched(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_LEAF, LEAF);
	struct source s = source_of(path3);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);
	struct pinfast_bytes none = {NULL, 0};
	uint8_t tag[PINFAST_TAG_MAX];
	size_t len;

	(void)state;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.learned, 1);
	s.known = 1;
	s.fetched = 0;
	s.until[0] = NOW + 500;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.fetched, 0);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len), 0);
	assert_int_equal(pf_le64(tag + 80), NOW + 500);
	pinfast_conn_free(conn);
	/* Without an end there is no tag. */
	s.until[0] = 0;
	conn = world_conn(policy, "pin.test", 0);
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_tag(conn, none, tag, &len),
	    PINFAST_ENOTFOUND);
	world_done(conn, policy, b);
}

/* A pin of the whole certificate cannot be answered from memory. */
static void
a_certificate_pin_fetches_the_remembered_leaf(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct source s = source_of(path3);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn;

	(void)state;
	pinfast_builder_entry(b, "pin.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, certs[LEAF].cert_pin);
	policy = world_serve(b);
	conn = world_conn(policy, "pin.test", 0);
	s.known = 1;
	s.until[0] = NOW + 500;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.fetched, 1);
	s.fails_at = 0;
	expect(pinfast_judge_path_lazy(conn, &path), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	world_done(conn, policy, b);
}

static void
the_tag_ends_with_the_first_certificate(void **state)
{
	static const struct {
		const char *name;
		int64_t until;
		enum pinfast_error error;
		int64_t ends;
	} ends[] = {{"the root first", NOW + 1000, PINFAST_OK, NOW + 1000},
	    {"the intermediate first", NOW + 3000, PINFAST_OK, NOW + 2000},
	    {"not known", 0, PINFAST_ENOTFOUND, 0}};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_LEAF, LEAF);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pinfast_bytes none = {NULL, 0}, tag;
		uint8_t bytes[PINFAST_TAG_MAX];
		struct source s = source_of(path3);
		struct pinfast_path path = path_of(&s);
		struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);

		s.until[2] = ends[i].until;
		expect(pinfast_judge_path_lazy(conn, &path), 1,
		    PINFAST_REASON_PIN_MATCHED);
		expect(pinfast_conn_settle(conn), 1,
		    PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(pinfast_conn_tag(conn, none, bytes, &tag.len),
		    ends[i].error);
		pinfast_conn_free(conn);
		if (ends[i].error != PINFAST_OK)
			continue;
		tag.data = bytes;
		for (int late = 0; late < 2; late++) {
			assert_int_equal(pinfast_conn_new(policy, "pin.test", 0,
			                     ends[i].ends - 1 + late, &conn),
			    0);
			expect(pinfast_judge_tag(conn, tag, none), !late,
			    late ? PINFAST_REASON_TAG_EXPIRED
			         : PINFAST_REASON_PIN_MATCHED);
			pinfast_conn_free(conn);
		}
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

struct hash {
	int left; /* then it fails; -1: never */
};

static int
some_hashes(void *arg, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN])
{
	struct hash *h = arg;

	if (h->left == 0)
		return -1;
	if (h->left > 0)
		h->left--;
	pf_sha256(data, len, out);
	return 0;
}

/* A stranger that cannot be read is noted, not hashed. */
static void
a_kept_connection_may_hold_a_stranger(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_LEAF, LEAF);
	struct pinfast_cert odd[3] = {path3[0], path3[1], path3[2]};
	struct source s = source_of(odd);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);

	(void)state;
	odd[1].der.len--;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_OK);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* It stays noted in the tag: nobody may ask about that key later. */
static void
a_stranger_on_the_way_to_the_pin_is_tagged_as_one(void **state)
{
	const struct pinfast_bytes none = {NULL, 0};
	struct pinfast_builder *b;
	struct pinfast *policy = policy_with(&b, PINFAST_ROLE_CA, ROOT);
	struct pinfast_cert odd[3] = {path3[0], path3[1], path3[2]};
	struct source s = source_of(odd);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);
	struct pinfast_bytes tag;
	uint8_t bytes[PINFAST_TAG_MAX];

	(void)state;
	odd[1].der.len--;
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_tag(conn, none, bytes, &tag.len), 0);
	pinfast_conn_free(conn);
	tag.data = bytes;
	conn = world_conn(policy, "pin.test", 0);
	expect(pinfast_judge_tag(conn, tag, none), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static struct pinfast *
policy_of_two(struct pinfast_builder **b)
{
	*b = world_builder();
	pinfast_builder_entry(*b, "pin.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(*b, PINFAST_ENTRY_MODE, PINFAST_ENFORCE);
	pinfast_builder_pin(*b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_entry(*b, "two.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(*b, PINFAST_ENTRY_MODE, PINFAST_ENFORCE);
	pinfast_builder_pin(*b, PINFAST_ROLE_CA, certs[ROOT].pin);
	return world_serve(*b);
}

/* One of pin.test, which asks for the leaf alone. */
static struct pinfast_conn *
settled_conn(struct pinfast *policy, const struct pinfast_path *path)
{
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);

	expect(pinfast_judge_path_lazy(conn, path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	return conn;
}

static void
a_kept_connection_answers_what_nobody_asked_before(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_of_two(&b);
	struct source s = source_of(path3);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn = settled_conn(policy, &path);

	(void)state;
	expect(pinfast_conn_recheck(conn, "two.test", 0, NOW, 1), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_OK);
	expect(pinfast_conn_recheck(conn, "two.test", 0, NOW, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_recheck(conn, "two.test", 0, NOW, 0), 0,
	    PINFAST_REASON_NOT_VERIFIED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Also its own question, when a new policy asks for what nobody looked at. */
static void
a_deny_for_want_of_a_key_ends_when_the_key_is_there(void **state)
{
	struct pinfast_builder *b, *later = world_builder();
	struct pinfast *policy = policy_of_two(&b);
	struct source s = source_of(path3);
	struct pinfast_path path = path_of(&s);
	struct pinfast_conn *conn = settled_conn(policy, &path);

	(void)state;
	pinfast_builder_entry(later, "pin.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(later, PINFAST_ROLE_CA, ROOT);
	assert_int_equal(pinfast_load(policy, world_open(later), NULL), 0);
	for (int i = 0; i < 2; i++)
		expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
		    PINFAST_REASON_TAG_INCOMPLETE);
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_OK);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	world_done(conn, policy, b);
	pinfast_builder_free(later);
}

static void
a_kept_connection_takes_no_other_path(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = policy_of_two(&b);
	struct pinfast_cert other[3] = {certs[OTHER].item, path3[1], path3[2]};
	struct source s = source_of(path3), foreign = source_of(other);
	struct pinfast_path path = path_of(&s), wrong = path_of(&foreign);
	struct pinfast_conn *conn = world_conn(policy, "pin.test", 0);
	struct hash hash = {-1};

	(void)state;
	assert_int_equal(pinfast_use_sha256(policy, some_hashes, &hash), 0);
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_EUSAGE);
	expect(pinfast_judge_path_lazy(conn, &path), 1,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_conn_complete(conn, NULL), PINFAST_EUSAGE);
	assert_int_equal(pinfast_conn_complete(conn, &wrong), PINFAST_EFORMAT);
	s.fails_at = 2;
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_EIO);
	/* Three keys, and then the whole leaf. */
	for (hash.left = 0; hash.left < 4; hash.left++) {
		int left = hash.left;

		s.fails_at = -1;
		assert_int_equal(pinfast_conn_complete(conn, &path),
		    PINFAST_EIO);
		hash.left = left;
	}
	hash.left = -1;
	s.fails_at = -1;
	path.count = 2;
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_EUSAGE);
	path.count = 3;
	expect(pinfast_conn_recheck(conn, "two.test", 0, NOW, 1), 0,
	    PINFAST_REASON_TAG_INCOMPLETE);
	/* An unverified leaf does not grow into a path. */
	expect(pinfast_judge_leaf(conn, &path3[0], PINFAST_PKIX_NOT_RUN), 0,
	    PINFAST_REASON_NOT_VERIFIED);
	assert_int_equal(pinfast_conn_complete(conn, &path), PINFAST_EUSAGE);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        fetches_what_is_asked_and_agrees_with_the_eager_path),
	    cmocka_unit_test(what_cannot_be_fetched_is_a_deny),
	    cmocka_unit_test(broken_and_disagreeing_certificates_do_not_count),
	    cmocka_unit_test(nothing_is_learned_from_one_parser),
	    cmocka_unit_test(a_remembered_key_is_not_fetched),
	    cmocka_unit_test(a_remembered_leaf_is_not_fetched),
	    cmocka_unit_test(a_certificate_pin_fetches_the_remembered_leaf),
	    cmocka_unit_test(the_tag_ends_with_the_first_certificate),
	    cmocka_unit_test(
	        a_kept_connection_answers_what_nobody_asked_before),
	    cmocka_unit_test(
	        a_deny_for_want_of_a_key_ends_when_the_key_is_there),
	    cmocka_unit_test(a_kept_connection_takes_no_other_path),
	    cmocka_unit_test(a_kept_connection_may_hold_a_stranger),
	    cmocka_unit_test(a_stranger_on_the_way_to_the_pin_is_tagged_as_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
