/* What the public header promises beside judging. */
#include "world.h"

#include "core/store.h"

static void
one_canonical_form_of_a_host(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* NULL: none */
	} rows[] = {
	    {"A.Test.", "a.test"},
	    {"192.0.2.7", "192.0.2.7"},
	    {"[2001:DB8::1]", "2001:db8::1"},
	    {"::ffff:192.0.2.7", "192.0.2.7"},
	    {"a..test", NULL},
	    {".a.test", NULL},
	    {"a b", NULL},
	    {"127.1", NULL},
	    {"", NULL},
	    {NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[PINFAST_HOST_LEN] = "untouched";
		enum pinfast_error error =
		    pinfast_host_canonical(rows[i].in, out);

		assert_int_equal(error,
		    rows[i].out ? PINFAST_OK : PINFAST_EHOST);
		assert_string_equal(out,
		    rows[i].out ? rows[i].out : "untouched");
	}
}

static void
every_number_has_a_name_also_those_that_are_none(void **state)
{
	(void)state;
	assert_string_equal(pinfast_error_text(PINFAST_ENOMEM),
	    "out of memory");
	assert_string_equal(pinfast_error_text((enum pinfast_error)(-9999)),
	    pinfast_error_text((enum pinfast_error)77));
	assert_string_equal(pinfast_reason_name(PINFAST_REASON_PIN_MISMATCH),
	    "pin-mismatch");
	assert_string_equal(pinfast_reason_name(9999), pinfast_reason_name(-1));
	assert_non_null(pinfast_reason_text(-1));
	assert_string_equal(pinfast_version(), "0.1.0");
}

static void
urls_are_numbered(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image;
	struct pinfast_store *store;

	(void)state;
	pinfast_builder_report_to(b, "https://one.test/");
	pinfast_builder_report_to(b, "https://number-two.test/");
	assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pf_store_url(store, 0).len, 17);
	assert_memory_equal(pf_store_url(store, 1).data,
	    "https://number-two.test/", 24);
	assert_int_equal(pf_store_url(store, 2).len, 0);
	pinfast_store_free(store);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, NULL),
	    PINFAST_EUSAGE);
	image.data = NULL;
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    PINFAST_EUSAGE);
	pinfast_builder_free(b);
}

static int
stop_at_two(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	int *seen = arg;

	(void)scope;
	assert_int_equal(strlen(name), len);
	assert_true(port == 1 || port == 2 || port == 3);
	return ++*seen == 2 ? 7 : 0;
}

static void
a_walk_ends_where_it_is_told_to(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image;
	struct pinfast_store *store;
	int seen = 0;

	(void)state;
	for (uint16_t port = 1; port <= 3; port++) {
		pinfast_builder_entry(b, "a.test", port, PINFAST_SCOPE_EXACT);
		pinfast_builder_pin(b, PINFAST_ROLE_ANY, certs[LEAF].pin);
	}
	assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_store_each(store, stop_at_two, &seen), 7);
	assert_int_equal(seen, 2);
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_canonical_form_of_a_host),
	    cmocka_unit_test(every_number_has_a_name_also_those_that_are_none),
	    cmocka_unit_test(urls_are_numbered),
	    cmocka_unit_test(a_walk_ends_where_it_is_told_to),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
