/* What steers an adapter before the handshake and between judgements. */
#include "world.h"

#include "base/sha256.h"

#define N_PKIX PINFAST_NEED_PKIX
#define N_LEAF PINFAST_NEED_LEAF_ONLY
#define N_TRUST PINFAST_NEED_TRUST
#define N_PATH PINFAST_NEED_PATH
#define N_FIRST PINFAST_NEED_LEAF

static void
entry(struct pinfast_builder *b, const char *name, uint16_t port,
    enum pinfast_role role, int which)
{
	pinfast_builder_entry(b, name, port, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, role, certs[which].pin);
}

static struct pinfast *
make_policy(struct pinfast_builder **out, int with_reject)
{
	struct pinfast_builder *b = world_builder();

	if (with_reject)
		pinfast_builder_reject(b, certs[OTHER].pin);
	entry(b, "leaf.test", 0, PINFAST_ROLE_LEAF, LEAF);
	entry(b, "ca.test", 0, PINFAST_ROLE_CA, ROOT);
	entry(b, "any.test", 0, PINFAST_ROLE_ANY, INTER);
	entry(b, "reject.test", 0, PINFAST_ROLE_REJECT, LEAF);
	entry(b, "none.test", 0, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	entry(b, "ports.test", 1, PINFAST_ROLE_LEAF, LEAF);
	entry(b, "ports.test", 2, PINFAST_ROLE_CA, ROOT);
	entry(b, "trust.test", 0, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_anchor(b, certs[ROOT].item.der);
	pinfast_builder_anchor(b, certs[INTER].item.der);
	pinfast_builder_entry(b, "partner", 0, PINFAST_SCOPE_CLIENT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	*out = b;
	return world_serve(b);
}

static struct pinfast_bytes
spki_of(int which)
{
	return certs[which].item.key_spki;
}

static const struct {
	const char *host;
	uint16_t port;
	unsigned needs;        /* without, and */
	unsigned with_reject;  /* with a reject list of the policy */
	int leaf, inter, root; /* is that key wanted? */
} rows[] = {
    {"leaf.test", 0, N_PKIX | N_FIRST, N_PKIX | N_PATH | N_FIRST, 1, 0, 0},
    {"ca.test", 0, N_PKIX | N_PATH, N_PKIX | N_PATH, 0, 0, 1},
    {"any.test", 0, N_PKIX | N_PATH, N_PKIX | N_PATH, 0, 1, 0},
    {"reject.test", 0, N_PKIX | N_PATH, N_PKIX | N_PATH, -1, 0, 0},
    {"none.test", 0, N_LEAF, N_LEAF, 1, 0, 0},
    {"ports.test", 1, N_PKIX | N_FIRST, N_PKIX | N_PATH | N_FIRST, 1, 0, 0},
    {"ports.test", 2, N_PKIX | N_PATH, N_PKIX | N_PATH, 0, 0, 1},
    {"ports.test", 0, N_PKIX | N_PATH, N_PKIX | N_PATH, 1, 0, 1},
    {"ports.test", 3, N_PKIX, N_PKIX | N_PATH, 0, 0, 0},
    {"trust.test", 0, N_PKIX | N_TRUST | N_FIRST,
        N_PKIX | N_TRUST | N_PATH | N_FIRST, 1, 0, 0},
    {"free.test", 0, N_PKIX, N_PKIX | N_PATH, 0, 0, 0},
};

static void
an_adapter_learns_what_an_entry_needs(void **state)
{
	(void)state;
	for (int with = 0; with < 2; with++) {
		struct pinfast_builder *b;
		struct pinfast *policy = make_policy(&b, with);

		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			struct pinfast_conn *conn =
			    world_conn(policy, rows[i].host, rows[i].port);

			assert_int_equal(pinfast_conn_needs(conn),
			    with ? rows[i].with_reject : rows[i].needs);
			assert_int_equal(pinfast_conn_wants(conn,
			                     spki_of(LEAF)),
			    rows[i].leaf);
			assert_int_equal(pinfast_conn_wants(conn,
			                     spki_of(INTER)),
			    rows[i].inter);
			assert_int_equal(pinfast_conn_wants(conn,
			                     spki_of(ROOT)),
			    rows[i].root);
			assert_int_equal(pinfast_conn_wants(conn,
			                     spki_of(OTHER)),
			    -with);
			pinfast_conn_free(conn);
		}
		pinfast_free(policy);
		pinfast_builder_free(b);
	}
}

static void
several_names_need_what_each_of_them_needs(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn = world_conn(policy, NULL, 0);

	(void)state;
	assert_int_equal(pinfast_conn_needs(conn), N_PKIX);
	pinfast_conn_add_name(conn, "none.test");
	assert_int_equal(pinfast_conn_needs(conn), N_LEAF);
	pinfast_conn_add_name(conn, "free.test");
	assert_int_equal(pinfast_conn_needs(conn), N_PKIX);
	pinfast_conn_add_name(conn, "ca.test");
	assert_int_equal(pinfast_conn_needs(conn), N_PKIX | N_PATH);
	/* One rejects what another wants. */
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), 1);
	pinfast_conn_add_name(conn, "reject.test");
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), -1);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
without_a_policy_nothing_is_wanted(void **state)
{
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	conn = world_conn(policy, "leaf.test", 0);
	assert_int_equal(pinfast_conn_needs(conn), N_PKIX);
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), 0);
	assert_int_equal(pinfast_conn_trust(conn, NULL, NULL), 0);
	pinfast_conn_free(conn);
	pinfast_free(policy);
}

static void
a_server_asks_about_its_clients(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn;

	(void)state;
	assert_int_equal(pinfast_conn_new_server(policy, "partner", NOW, &conn),
	    0);
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), 1);
	assert_int_equal(pinfast_conn_wants(conn, spki_of(ROOT)), 0);
	pinfast_conn_free(conn);
	assert_int_equal(pinfast_conn_new_server(policy, "leaf.test", NOW,
	                     &conn),
	    0);
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), 0);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

struct heap {
	int fails;
};

/* Right for the known answers, and broken when it counts. */
static int
breaking_hash(void *arg, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN])
{
	const struct heap *h = arg;

	if (h->fails)
		return 1;
	pf_sha256(data, len, out);
	return 0;
}

static void
a_key_that_cannot_be_hashed_is_not_wanted(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn = world_conn(policy, "leaf.test", 0);
	struct heap heap = {0};

	(void)state;
	assert_int_equal(pinfast_hashes_itself(policy), 1);
	assert_int_equal(pinfast_use_sha256(policy, breaking_hash, &heap), 0);
	assert_int_equal(pinfast_hashes_itself(policy), 0);
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), 1);
	heap.fails = 1;
	assert_int_equal(pinfast_conn_wants(conn, spki_of(LEAF)), 0);
	pinfast_conn_free(conn);
	assert_int_equal(pinfast_use_sha256(policy, NULL, NULL), 0);
	assert_int_equal(pinfast_hashes_itself(policy), 1);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

struct seen {
	int count;
	int stop;
	size_t bytes;
};

static int
see(void *arg, struct pinfast_bytes der)
{
	struct seen *seen = arg;

	seen->count++;
	seen->bytes += der.len;
	return seen->stop;
}

static void
anchors_are_handed_out_for_one_entry_only(void **state)
{
	struct pinfast_builder *b;
	struct pinfast *policy = make_policy(&b, 0);
	struct pinfast_conn *conn = world_conn(policy, "trust.test", 0);
	struct seen seen = {0, 0, 0};

	(void)state;
	assert_int_equal(pinfast_conn_trust(conn, see, &seen), 2);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.bytes, certs[ROOT].len + certs[INTER].len);
	assert_int_equal(pinfast_conn_trust(conn, NULL, NULL), 2);
	seen.stop = 5;
	seen.count = 0;
	assert_int_equal(pinfast_conn_trust(conn, see, &seen), -5);
	assert_int_equal(seen.count, 1);
	seen.stop = -6;
	assert_int_equal(pinfast_conn_trust(conn, see, &seen), -6);
	pinfast_conn_free(conn);
	conn = world_conn(policy, NULL, 0);
	pinfast_conn_add_name(conn, "trust.test");
	/* Nobody verifies for `pkix: none`: it wants no anchors. */
	pinfast_conn_add_name(conn, "none.test");
	assert_int_equal(pinfast_conn_trust(conn, NULL, NULL), 2);
	pinfast_conn_add_name(conn, "free.test");
	assert_int_equal(pinfast_conn_trust(conn, NULL, NULL), -1);
	pinfast_conn_free(conn);
	conn = world_conn(policy, NULL, 0);
	pinfast_conn_add_name(conn, "free.test");
	pinfast_conn_add_name(conn, "leaf.test");
	assert_int_equal(pinfast_conn_trust(conn, see, &seen), 0);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* What makes the terms of leaf.test other terms. */
enum change {
	SAME,
	ANOTHER_HOST,
	OTHER_PIN,
	ONE_MORE_PIN,
	OTHER_LIST,
	OWN_REJECT,
	POLICY_REJECT,
	REPORT,
	EXPIRES,
	TRUST,
	GONE,
	CHANGES
};

static void
terms_after(enum change change, uint8_t out[32])
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	if (change == ANOTHER_HOST)
		entry(b, "a.test", 0, PINFAST_ROLE_ANY, ROOT);
	if (change == POLICY_REJECT)
		pinfast_builder_reject(b, certs[OTHER].pin);
	entry(b, change == GONE ? "gone.test" : "leaf.test", 0,
	    change == OTHER_LIST ? PINFAST_ROLE_ANY : PINFAST_ROLE_LEAF,
	    change == OTHER_PIN ? INTER : LEAF);
	if (change == ONE_MORE_PIN)
		world_pin(b, PINFAST_ROLE_LEAF, OTHER);
	if (change == OWN_REJECT)
		world_pin(b, PINFAST_ROLE_REJECT, OTHER);
	if (change == REPORT)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
		    PINFAST_REPORT);
	if (change == EXPIRES) {
		pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW + 9);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
		    PINFAST_UNPIN);
	}
	if (change == TRUST)
		pinfast_builder_anchor(b, certs[ROOT].item.der);
	policy = world_serve(b);
	conn = world_conn(policy, "leaf.test", 443);
	assert_int_equal(pinfast_conn_terms(conn, out), 1);
	world_done(conn, policy, b);
}

static void
terms_change_with_what_is_asked_of_a_host_alone(void **state)
{
	uint8_t terms[CHANGES][32];

	(void)state;
	for (int i = 0; i < CHANGES; i++)
		terms_after((enum change)i, terms[i]);
	assert_memory_equal(terms[SAME], terms[ANOTHER_HOST], 32);
	for (int i = OTHER_PIN; i < CHANGES; i++)
		for (int k = 0; k < i; k++)
			if (k != ANOTHER_HOST &&
			    memcmp(terms[i], terms[k], 32) == 0)
				fail_msg("change %d looks like %d", i, k);
}

static void
terms_at(struct pinfast *policy, int64_t now, uint8_t out[32])
{
	struct pinfast_conn *conn;

	assert_int_equal(pinfast_conn_new(policy, "leaf.test", 443, now, &conn),
	    0);
	assert_int_equal(pinfast_conn_terms(conn, out), 1);
	pinfast_conn_free(conn);
}

static void
terms_change_when_an_expiry_or_a_lapse_is_passed(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	uint8_t before[32], still[32], expired[32], lapsed[32];

	(void)state;
	pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL, NOW + 20);
	pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, PINFAST_REPORT);
	entry(b, "leaf.test", 0, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW + 9);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	policy = world_serve(b);
	terms_at(policy, NOW, before);
	terms_at(policy, NOW + 8, still);
	terms_at(policy, NOW + 9, expired);
	terms_at(policy, NOW + 20, lapsed);
	assert_memory_equal(before, still, 32);
	assert_memory_not_equal(before, expired, 32);
	assert_memory_not_equal(expired, lapsed, 32);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
without_a_policy_there_are_no_terms(void **state)
{
	struct pinfast *policy;
	struct pinfast_conn *conn;
	uint8_t terms[32];

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	conn = world_conn(policy, "leaf.test", 443);
	assert_int_equal(pinfast_conn_terms(conn, terms), 0);
	pinfast_conn_free(conn);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_adapter_learns_what_an_entry_needs),
	    cmocka_unit_test(several_names_need_what_each_of_them_needs),
	    cmocka_unit_test(without_a_policy_nothing_is_wanted),
	    cmocka_unit_test(a_server_asks_about_its_clients),
	    cmocka_unit_test(a_key_that_cannot_be_hashed_is_not_wanted),
	    cmocka_unit_test(anchors_are_handed_out_for_one_entry_only),
	    cmocka_unit_test(terms_change_with_what_is_asked_of_a_host_alone),
	    cmocka_unit_test(terms_change_when_an_expiry_or_a_lapse_is_passed),
	    cmocka_unit_test(without_a_policy_there_are_no_terms),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
