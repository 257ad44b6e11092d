/*
 * What covers a name in a store that was made of a policy: parents, nearest
 * first, and never a name whose hash is the same.
 */
#include "world.h"

#include "base/host.h"
#include "core/layout.h"
#include "core/lookup.h"
#include "core/rule.h"
#include "core/sum.h"

static const struct {
	const char *host;
	int out; /* certs index that matches, -1: unlisted */
	const char *name;
	int scope;
} parents[] = {
    {"example.test", -1, "the parent itself is left out", 0},
    {"x.example.test", INTER, "one label below: one beats any",
        PINFAST_SCOPE_ONE},
    {"x.y.example.test", LEAF, "two labels below: any", PINFAST_SCOPE_ANY},
    {"deep.example.test", ROOT, "exact beats all", PINFAST_SCOPE_EXACT},
    {"x.deep.example.test", LEAF, "below an exact name", PINFAST_SCOPE_ANY},
    {"notexample.test", -1, "a suffix without a dot", 0},
    {"example.test.evil.test", -1, "the name in front", 0},
    {"xexample.test", -1, "no dot", 0},
};

static void
the_longest_covering_parent_wins(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_store *store;

	(void)state;
	world_entry(b, "example.test", 0, PINFAST_SCOPE_ANY);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
	world_entry(b, "example.test", 0, PINFAST_SCOPE_ONE);
	world_pin(b, PINFAST_ROLE_LEAF, INTER);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
	world_entry(b, "deep.example.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, ROOT);
	store = world_open(b);
	for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
		struct pf_host host;
		struct pf_found found;
		struct pf_rule rule;
		uint8_t wanted[32];
		int hit, seen = 0;

		assert_int_equal(pf_host_parse(parents[i].host,
		                     strlen(parents[i].host), &host),
		    0);
		hit = pf_lookup_host(store, &host, 443, &found);
		if (hit != (parents[i].out >= 0))
			fail_msg("%s", parents[i].name);
		if (!hit)
			continue;
		if (found.scope != parents[i].scope)
			fail_msg("%s", parents[i].name);
		pf_rule_read(store, found.rule, &rule);
		assert_int_equal(pinfast_pin_read(certs[parents[i].out].pin,
		                     wanted),
		    0);
		for (unsigned p = 0; p < rule.own.count[1]; p++)
			seen |=
			    memcmp(rule.own.pins[1] + 32 * p, wanted, 32) == 0;
		if (!seen)
			fail_msg("%s", parents[i].name);
	}
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

/* A parent's reject list counts, also for a port that only it names. */
static void
rejects_of_every_covering_parent_add_up(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	struct pinfast_conn *conn;

	(void)state;
	world_entry(b, "www.example.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_entry(b, "example.test", 8443, PINFAST_SCOPE_ANY);
	world_pin(b, PINFAST_ROLE_REJECT, ROOT);
	policy = world_serve(b);
	conn = world_conn(policy, "www.example.test", 443);
	expect(pinfast_judge_path(conn, path3, 3), 1,
	    PINFAST_REASON_PIN_MATCHED);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "www.example.test", 8443);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_REJECTED_KEY);
	pinfast_conn_free(conn);
	conn = world_conn(policy, "www.example.test", 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_REJECTED_KEY);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
a_thousand_names_are_all_found(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_store *store;
	char name[64];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "h%d.example%d.test", i, i % 31);
		world_entry(b, name, 0, i % 10 == 3 ? PINFAST_SCOPE_ANY : 0);
		world_pin(b, PINFAST_ROLE_LEAF, i % 3);
	}
	store = world_open(b);
	for (int i = 0; i < 1000; i++) {
		struct pf_host host;
		struct pf_found found;

		snprintf(name, sizeof name, "%sh%d.example%d.test",
		    i % 10 == 3 ? "x.y." : "", i, i % 31);
		assert_int_equal(pf_host_parse(name, strlen(name), &host), 0);
		assert_int_equal(pf_lookup_host(store, &host, 0, &found), 1);
		snprintf(name, sizeof name, "z%d.example%d.test", i, i % 31);
		assert_int_equal(pf_host_parse(name, strlen(name), &host), 0);
		assert_int_equal(pf_lookup_host(store, &host, 0, &found), 0);
	}
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

/* Names whose hashes agree in all that a bucket keeps of them. */
static void
names_are_compared_in_full(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_store *store;
	struct pf_host host;
	struct pf_found found;
	uint64_t own;
	int collisions = 0;
	char name[32];

	(void)state;
	world_entry(b, "host000000.test", 0, 0);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	store = world_open(b);
	own = pf_name_hash(store->seed, (const uint8_t *)"host000000.test", 15);
	for (int i = 1; i < 400000; i++) {
		uint64_t hash;

		snprintf(name, sizeof name, "host%06d.test", i);
		assert_int_equal(pf_host_parse(name, 15, &host), 0);
		hash = pf_name_hash(store->seed, host.key, host.key_len);
		collisions += ((hash ^ own) & PF_TAG_HASH) == 0 &&
		              pf_name_bucket(hash, store->buckets) ==
		                  pf_name_bucket(own, store->buckets);
		assert_int_equal(pf_lookup_host(store, &host, 0, &found), 0);
	}
	assert_true(collisions > 0);
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_longest_covering_parent_wins),
	    cmocka_unit_test(rejects_of_every_covering_parent_add_up),
	    cmocka_unit_test(a_thousand_names_are_all_found),
	    cmocka_unit_test(names_are_compared_in_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
