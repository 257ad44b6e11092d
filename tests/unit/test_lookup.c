/*
 * Which entry covers a host: the exact name, then the nearest parent; one
 * label or any number; and nothing for a name that only looks alike.
 */
#include "world.h"

#include "core/lookup.h"

static void
entry(struct pinfast_builder *b, const char *name, int scope, int cert)
{
	assert_int_equal(pinfast_builder_entry(b, name, 0,
	                     (enum pinfast_scope)scope),
	    0);
	assert_int_equal(pinfast_builder_pin(b, PINFAST_ROLE_ANY,
	                     certs[cert].pin),
	    0);
}

static int32_t
reason_for(struct pinfast *policy, const char *host)
{
	struct pinfast_conn *conn = world_conn(policy, host, 443);
	struct pinfast_verdict v = pinfast_judge_path(conn, path3, 3);

	pinfast_conn_free(conn);
	return v.reason;
}

/* The entries that are right have the leaf's pin, the others OTHER's. */
static const struct {
	const char *name;
	const char *host;
	int32_t reason;
} rows[] = {
    {"exact", "example.test", PINFAST_REASON_PIN_MATCHED},
    {"exact does not cover below", "a.example.test", PINFAST_REASON_UNLISTED},
    {"exact does not cover above", "test", PINFAST_REASON_UNLISTED},
    {"exact is not a beginning", "example.test.more.test",
        PINFAST_REASON_UNLISTED},
    {"exact is not an end", "anexample.test", PINFAST_REASON_UNLISTED},
    {"exact is not shorter", "example.tes", PINFAST_REASON_UNLISTED},
    {"one covers one label", "a.one.test", PINFAST_REASON_PIN_MATCHED},
    {"one does not cover itself", "one.test", PINFAST_REASON_UNLISTED},
    {"one does not cover two labels", "a.b.one.test", PINFAST_REASON_UNLISTED},
    {"any covers one label", "a.any.test", PINFAST_REASON_PIN_MATCHED},
    {"any covers three labels", "a.b.c.any.test", PINFAST_REASON_PIN_MATCHED},
    {"any does not cover itself", "any.test", PINFAST_REASON_UNLISTED},
    {"any is not an end", "xany.test", PINFAST_REASON_UNLISTED},
    {"the nearest parent", "a.near.far.test", PINFAST_REASON_PIN_MATCHED},
    {"beside the nearest parent", "a.far.test", PINFAST_REASON_PIN_MISMATCH},
    {"the nearest parent itself", "near.far.test", PINFAST_REASON_PIN_MISMATCH},
    {"the nearest parent, deeper", "a.b.near.far.test",
        PINFAST_REASON_PIN_MATCHED},
    {"one before a farther any", "a.both.far.test", PINFAST_REASON_PIN_MATCHED},
    {"a farther any where one ends", "a.b.both.far.test",
        PINFAST_REASON_PIN_MISMATCH},
    {"an address has no parents", "192.0.2.7", PINFAST_REASON_UNLISTED},
};

static void
every_host_gets_the_entry_that_covers_it(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	int failed = 0;

	(void)state;
	pinfast_builder_set(b, PINFAST_POLICY_UNLISTED, PINFAST_DENY);
	entry(b, "example.test", PINFAST_SCOPE_EXACT, LEAF);
	entry(b, "one.test", PINFAST_SCOPE_ONE, LEAF);
	entry(b, "any.test", PINFAST_SCOPE_ANY, LEAF);
	entry(b, "far.test", PINFAST_SCOPE_ANY, OTHER);
	entry(b, "near.far.test", PINFAST_SCOPE_ANY, LEAF);
	entry(b, "both.far.test", PINFAST_SCOPE_ONE, LEAF);
	policy = world_serve(b);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (reason_for(policy, rows[i].host) != rows[i].reason) {
			print_error("%s\n", rows[i].name);
			failed++;
		}
	assert_int_equal(failed, 0);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Short hashes of names meet often enough that names must be compared. */
static void
names_that_only_share_a_hash_are_unlisted(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	char name[64];

	(void)state;
	pinfast_builder_set(b, PINFAST_POLICY_UNLISTED, PINFAST_DENY);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof name, "host%d.test", i);
		entry(b, name, PINFAST_SCOPE_EXACT, LEAF);
	}
	policy = world_serve(b);
	for (int i = 0; i < 30000; i++) {
		snprintf(name, sizeof name, "host%d.test", i);
		assert_int_equal(reason_for(policy, name),
		    i < 3000 ? PINFAST_REASON_PIN_MATCHED
		             : PINFAST_REASON_UNLISTED);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static int
take_names(void *arg, const struct pf_found *row)
{
	char *list = arg;
	size_t used = strlen(list);

	snprintf(list + used, 200 - used, "%d@%u:%u ", (int)row->scope,
	    (unsigned)row->name_at, (unsigned)row->port);
	return strlen(list) > 60 ? 9 : 0;
}

static void
a_walk_meets_every_entry_nearest_first(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pf_host host;
	char list[200] = "";

	(void)state;
	for (uint16_t port = 0; port < 3; port++) {
		pinfast_builder_entry(b, "a.b.test", port, PINFAST_SCOPE_EXACT);
		pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[LEAF].pin);
	}
	pinfast_builder_entry(b, "b.test", 0, PINFAST_SCOPE_ONE);
	pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[LEAF].pin);
	pinfast_builder_entry(b, "test", 0, PINFAST_SCOPE_ANY);
	pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[LEAF].pin);
	assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pf_host_parse("a.b.test", 8, &host), 0);
	assert_int_equal(pf_lookup_walk(store, &host, take_names, list), 0);
	assert_string_equal(list, "0@0:0 0@0:1 0@0:2 1@2:0 2@4:0 ");
	list[0] = '\0';
	assert_int_equal(pf_host_parse("x.a.b.test", 10, &host), 0);
	assert_int_equal(pf_lookup_walk(store, &host, take_names, list), 0);
	assert_string_equal(list, "2@6:0 ");
	list[0] = '\0';
	assert_int_equal(pf_host_parse("192.0.2.7", 9, &host), 0);
	assert_int_equal(pf_lookup_walk(store, &host, take_names, list), 0);
	assert_string_equal(list, "");
	/* The callback ends the walk among the rows of one name. */
	memset(list, 'x', 50);
	list[50] = '\0';
	assert_int_equal(pf_host_parse("a.b.test", 8, &host), 0);
	assert_int_equal(pf_lookup_walk(store, &host, take_names, list), 9);
	assert_string_equal(list + 50, "0@0:0 0@0:1 ");
	/* And between the scopes. */
	memset(list, 'x', 40);
	list[40] = '\0';
	assert_int_equal(pf_lookup_walk(store, &host, take_names, list), 9);
	assert_string_equal(list + 40, "0@0:0 0@0:1 0@0:2 1@2:0 ");
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

/* Deeper than a word has bits. */
static void
a_hundred_labels_are_covered_like_two(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	char parent[256] = "", host[256];
	struct pinfast_conn *conn;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(parent, i < 99 ? "a." : "b");
	snprintf(host, sizeof host, "c.d.%.250s", parent);
	pinfast_builder_entry(b, parent, 0, PINFAST_SCOPE_ANY);
	pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[OTHER].pin);
	policy = world_serve(b);
	conn = world_conn(policy, host, 0);
	expect(pinfast_judge_path(conn, path3, 3), 0,
	    PINFAST_REASON_PIN_MISMATCH);
	pinfast_conn_free(conn);
	conn = world_conn(policy, parent, 0);
	expect(pinfast_judge_path(conn, path3, 3), 1, PINFAST_REASON_UNLISTED);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_host_gets_the_entry_that_covers_it),
	    cmocka_unit_test(names_that_only_share_a_hash_are_unlisted),
	    cmocka_unit_test(a_walk_meets_every_entry_nearest_first),
	    cmocka_unit_test(a_hundred_labels_are_covered_like_two),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
