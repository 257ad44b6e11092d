/* What is refused before the library verifies, and what is not. */
#include "world.h"

static int
source_cert(void *arg, size_t index, struct pinfast_cert *out)
{
	const struct pinfast_cert *leaf = arg;

	/* Nobody may ask for more than the leaf. */
	assert_int_equal(index, 0);
	*out = *leaf;
	return 0;
}

static int64_t
source_until(void *arg, size_t index)
{
	(void)arg;
	(void)index;
	return 0;
}

static struct pinfast_path
path_of(struct pinfast_cert *leaf)
{
	struct pinfast_path path = {
	    3, leaf, source_cert, source_until, NULL, NULL};

	return path;
}

static void
entry(struct pinfast_builder *b, const char *name, enum pinfast_role role,
    int which)
{
	pinfast_builder_entry(b, name, 0, PINFAST_SCOPE_EXACT);
	world_pin(b, role, which);
}

static struct pinfast *
make_policy(struct pinfast_builder **out)
{
	struct pinfast_builder *b = world_builder();

	entry(b, "leaf.test", PINFAST_ROLE_LEAF, LEAF);
	entry(b, "cert.test", PINFAST_ROLE_LEAF, INTER);
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, certs[LEAF].cert_pin);
	entry(b, "inter.test", PINFAST_ROLE_LEAF, INTER);
	pinfast_builder_entry(b, "ports.test", 443, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry(b, "ports.test", 8443, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, INTER);
	entry(b, "ca.test", PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_CA, ROOT);
	entry(b, "any.test", PINFAST_ROLE_ANY, LEAF);
	entry(b, "report.test", PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_REPORT);
	entry(b, "none.test", PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	entry(b, "reject.test", PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_REJECT, OTHER);
	entry(b, "unpinned.test", PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW - 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_UNPIN);
	entry(b, "expired.test", PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW - 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	entry(b, "trust.test", PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_anchor(b, certs[ROOT].item.der);
	entry(b, "shadow.test", PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_SHADOW_CA, ROOT);
	*out = b;
	return world_serve(b);
}

static const struct row {
	const char *host, *second; /* names it goes by */
	int shown;
	int refused;
	int32_t reason; /* of the refusal */
} rows[] = {
    {"leaf.test", NULL, OTHER, 1, PINFAST_REASON_PIN_MISMATCH},
    {"leaf.test", NULL, LEAF, 0, 0},
    {"ports.test", NULL, OTHER, 1, PINFAST_REASON_PIN_MISMATCH},
    {"cert.test", NULL, OTHER, 1, PINFAST_REASON_PIN_MISMATCH},
    {"cert.test", NULL, LEAF, 0, 0},
    {"cert.test", NULL, INTER, 0, 0},
    {"ca.test", NULL, OTHER, 0, 0},
    {"any.test", NULL, OTHER, 0, 0},
    {"report.test", NULL, OTHER, 0, 0},
    {"none.test", NULL, OTHER, 0, 0},
    {"reject.test", NULL, OTHER, 1, PINFAST_REASON_REJECTED_KEY},
    {"reject.test", NULL, INTER, 1, PINFAST_REASON_PIN_MISMATCH},
    {"unpinned.test", NULL, OTHER, 0, 0},
    {"expired.test", NULL, OTHER, 0, 0},
    /* Nobody has said yet which anchors it is verified under. */
    {"trust.test", NULL, OTHER, 0, 0},
    /* The set that is tried out asks about the whole path. */
    {"shadow.test", NULL, OTHER, 0, 0},
    {"leaf.test", "shadow.test", OTHER, 0, 0},
    {"other.test", NULL, OTHER, 0, 0},
    {"a..test", NULL, OTHER, 0, 0},
    {"leaf.test", "cert.test", OTHER, 1, PINFAST_REASON_PIN_MISMATCH},
    {"leaf.test", "inter.test", LEAF, 1, PINFAST_REASON_PIN_MISMATCH},
    {"leaf.test", "other.test", OTHER, 0, 0},
    {"leaf.test", "ca.test", OTHER, 0, 0},
};

static struct pinfast_conn *
conn_of(struct pinfast *policy, const struct row *row, uint16_t port)
{
	struct pinfast_conn *conn =
	    world_conn(policy, row->second == NULL ? row->host : NULL, port);

	if (row->second != NULL) {
		assert_int_equal(pinfast_conn_add_name(conn, row->host), 0);
		assert_int_equal(pinfast_conn_add_name(conn, row->second), 0);
	}
	return conn;
}

static void
only_a_certain_refusal_is_told_early(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_cert shown[3];
		struct pinfast_path path = path_of(shown);
		struct pinfast_conn *conn = conn_of(policy, &rows[i], 443);

		memcpy(shown, path3, sizeof shown);
		shown[0] = certs[rows[i].shown].item;
		if (pinfast_judge_before(conn, &path) != rows[i].refused)
			fail_msg("row %zu: %s", i, rows[i].host);
		expect(pinfast_conn_verdict(conn), 0,
		    rows[i].refused ? rows[i].reason
		                    : PINFAST_REASON_NOT_JUDGED);
		if (rows[i].refused)
			expect(pinfast_judge_path(conn, shown, 3), 0,
			    rows[i].reason);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* What was asked early changes nothing of what comes after. */
static void
the_right_leaf_is_judged_as_ever(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", 0);
	struct pinfast_path path = path_of(path3);

	(void)state;
	assert_int_equal(pinfast_judge_before(conn, &path), 0);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
	    PINFAST_REASON_NOT_JUDGED);
	expect(pinfast_judge_failed(conn, &path3[0],
	           PINFAST_REASON_PKIX_FAILED),
	    0, PINFAST_REASON_PKIX_FAILED);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_conn_settle(conn), 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_judge_before(conn, &path), 0);
	world_done(conn, policy, b);
}

/* As learned before: the pin of the leaf that is shown. */
static int
known(void *arg, size_t index, uint8_t pin[PINFAST_PIN_LEN])
{
	const struct pinfast_cert *leaf = arg;

	assert_int_equal(index, 0);
	return pinfast_pin_of(leaf->der, pin, NULL) == PINFAST_OK;
}

/* A leaf whose pin is known is refused as early as any; one that is wanted is
 * not asked about, and leaves no verdict of before behind. */
static void
a_known_leaf_is_refused_as_any(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);

	(void)state;
	for (size_t n = 0; n < 2 * sizeof rows / sizeof rows[0]; n++) {
		size_t i = n / 2;
		struct pinfast_cert shown[3];
		struct pinfast_path path = path_of(shown);
		struct pinfast_conn *conn =
		    conn_of(policy, &rows[i], n % 2 == 0 ? 443 : 0);

		memcpy(shown, path3, sizeof shown);
		shown[0] = certs[rows[i].shown].item;
		path.known = known;
		assert_true(pinfast_judge_path(conn, path3, 3).reason != 0);
		if (pinfast_judge_before(conn, &path) != rows[i].refused)
			fail_msg("row %zu: %s", i, rows[i].host);
		if (rows[i].refused || rows[i].shown == LEAF)
			expect(pinfast_conn_verdict(conn), 0,
			    rows[i].refused ? rows[i].reason
			                    : PINFAST_REASON_NOT_JUDGED);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Without a port every one's entry speaks, also of a leaf that is known. */
static void
what_another_port_wants_is_refused_early(void **state)
{
	static const struct row row = {
	    "ports.test", NULL, LEAF, 1, PINFAST_REASON_PIN_MISMATCH};
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pinfast_cert shown[3];
		struct pinfast_path path = path_of(shown);
		struct pinfast_conn *conn = conn_of(policy, &row, 0);

		memcpy(shown, path3, sizeof shown);
		path.known = i == 0 ? NULL : known;
		assert_int_equal(pinfast_judge_before(conn, &path), 1);
		expect(pinfast_conn_verdict(conn), 0, row.reason);
		pinfast_conn_free(conn);
	}
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

/* Nothing was verified, and nobody may be told that it was. */
static void
a_refusal_says_that_nothing_was_verified(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", 0);
	struct pinfast_path path = path_of(&certs[OTHER].item);

	(void)state;
	pinfast_on_event(policy, on_event, NULL);
	assert_int_equal(pinfast_judge_before(conn, &path), 1);
	expect(pinfast_conn_settle(conn), 0, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(seen.evidence, PINFAST_EVIDENCE_LEAF_ONLY);
	assert_int_equal(seen.pkix, PINFAST_PKIX_NOT_RUN);
	assert_int_equal(seen.path_count, 1);
	expect(pinfast_conn_recheck(conn, NULL, 0, NOW, 1), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	world_done(conn, policy, b);
}

static struct pinfast *changing;
static enum pinfast_role changed; /* the role that is pinned besides */

/* While the leaf is fetched, somebody loads a policy that asks about its CA. */
static int
change(void *arg, size_t index, struct pinfast_cert *out)
{
	static uint8_t image[8192];
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes bytes;
	struct pinfast_store *store;

	entry(b, "leaf.test", PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, changed, ROOT);
	assert_int_equal(pinfast_builder_finish(b, NULL, &bytes), 0);
	assert_true(bytes.len <= sizeof image);
	memcpy(image, bytes.data, bytes.len);
	bytes.data = image;
	assert_int_equal(pinfast_store_open_memory(bytes, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_load(changing, store, NULL), 0);
	pinfast_builder_free(b);
	return source_cert(arg, index, out);
}

static void
a_policy_that_asks_about_more_is_not_judged_by_the_leaf(void **state)
{
	static const enum pinfast_role roles[] = {
	    PINFAST_ROLE_CA, PINFAST_ROLE_ANY, PINFAST_ROLE_SHADOW_CA};

	(void)state;
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		struct pinfast_builder *b;
		struct pinfast_conn *conn;
		struct pinfast_cert shown[3];
		struct pinfast_path path = path_of(shown);

		changed = roles[i];
		changing = make_policy(&b);
		conn = world_conn(changing, "leaf.test", 0);
		memcpy(shown, path3, sizeof shown);
		shown[0] = certs[OTHER].item;
		path.cert = change;
		assert_int_equal(pinfast_judge_before(conn, &path), 0);
		expect(pinfast_judge_path(conn, path3, 3), 1,
		    PINFAST_REASON_PIN_MATCHED);
		world_done(conn, changing, b);
	}
}

static void
a_leaf_that_cannot_be_read_is_refused_early(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", 0);
	struct pinfast_cert bad = certs[OTHER].item;
	struct pinfast_path path = path_of(&bad);

	(void)state;
	bad.der.len--;
	assert_int_equal(pinfast_judge_before(conn, &path), 1);
	assert_int_equal(pinfast_conn_verdict(conn).reason,
	    PINFAST_REASON_CERTIFICATE_MALFORMED);
	world_done(conn, policy, b);
}

static void
a_leaf_that_the_library_reads_otherwise_is_refused_early(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", 0);
	struct pinfast_cert odd = path3[0];
	struct pinfast_path path = path_of(&odd);

	(void)state;
	odd.key_spki = certs[OTHER].item.key_spki;
	odd.key_oid = certs[OTHER].item.key_oid;
	odd.key_params = certs[OTHER].item.key_params;
	odd.key_bits = certs[OTHER].item.key_bits;
	assert_int_equal(pinfast_judge_before(conn, &path), 1);
	assert_int_equal(pinfast_conn_verdict(conn).reason,
	    PINFAST_REASON_PARSER_DISAGREEMENT);
	world_done(conn, policy, b);
}

static void
without_a_leaf_nothing_is_refused_early(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", 0);
	struct pinfast_cert bad = certs[OTHER].item;
	struct pinfast_path path = path_of(&bad);

	(void)state;
	assert_int_equal(pinfast_judge_before(conn, NULL), 0);
	path.count = 0;
	assert_int_equal(pinfast_judge_before(conn, &path), 0);
	world_done(conn, policy, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_certain_refusal_is_told_early),
	    cmocka_unit_test(a_known_leaf_is_refused_as_any),
	    cmocka_unit_test(what_another_port_wants_is_refused_early),
	    cmocka_unit_test(the_right_leaf_is_judged_as_ever),
	    cmocka_unit_test(a_refusal_says_that_nothing_was_verified),
	    cmocka_unit_test(
	        a_policy_that_asks_about_more_is_not_judged_by_the_leaf),
	    cmocka_unit_test(a_leaf_that_cannot_be_read_is_refused_early),
	    cmocka_unit_test(
	        a_leaf_that_the_library_reads_otherwise_is_refused_early),
	    cmocka_unit_test(without_a_leaf_nothing_is_refused_early),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
