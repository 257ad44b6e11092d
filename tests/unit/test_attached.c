/* A connection as all adapters know it, without any TLS library. */
#include "world.h"

#include "adapt/adapter.h"
#include "claim.h"

static void
a_host_is_a_name_or_an_address_however_it_is_written(void **state)
{
	static const struct {
		const char *host;
		const char *canonical; /* NULL: none */
		int is_address;
	} rows[] = {
	    {"192.0.2.7", "192.0.2.7", 1},
	    {"2001:DB8::7", "2001:db8::7", 1},
	    {"[2001:db8::7]", "2001:db8::7", 1},
	    {"::ffff:192.0.2.7", "192.0.2.7", 1},
	    {"[::ffff:192.0.2.7]", "192.0.2.7", 1},
	    {"A.test", "a.test", 0},
	    {"a.test.", "a.test", 0},
	    {"1.2.3.4.test", "1.2.3.4.test", 0},
	    {"", NULL, 0},
	    {".", NULL, 0},
	    {"1.2.3", NULL, 0},
	    {"127.1", NULL, 0},
	    {"192.0.2.07", NULL, 0},
	    {"a:b", NULL, 0},
	    {"fe80::1%eth0", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum pinfast_error want =
		    rows[i].canonical != NULL ? PINFAST_OK : PINFAST_EHOST;
		struct pf_attached a;

		claim(rows[i].host,
		    pf_attached_init(&a, NULL, rows[i].host, 443, 0) == want);
		claim(rows[i].host, a.has_host == 1);
		claim(rows[i].host, a.is_address == rows[i].is_address);
		claim(rows[i].host,
		    pf_is_address(rows[i].host) == rows[i].is_address);
		if (want == PINFAST_OK)
			claim(rows[i].host,
			    strcmp(a.host, rows[i].canonical) == 0);
		else
			claim(rows[i].host, a.host[0] == '\0');
	}
}

static void
a_label_is_no_address(void **state)
{
	struct pf_attached a;

	(void)state;
	assert_int_equal(pf_attached_init(&a, NULL, "192.0.2.7", 0, 1), 0);
	assert_int_equal(a.is_address, 0);
}

static void
what_is_wrong_with_a_host_or_label_is_said(void **state)
{
	static const struct {
		const char *name;
		int server;
		size_t len; /* of a host; SIZE_MAX: there is none */
		const char *text;
	} rows[] = {
	    {"a label of the longest length", 1, 253, NULL},
	    {"a label longer than that", 1, 254,
	        "the label is longer than 253 characters"},
	    {"no label", 1, SIZE_MAX, "no label"},
	    {"a host to be learned", 0, SIZE_MAX, NULL},
	    {"an empty host", 0, 0, "not a valid host name or address"},
	    {"a host too long", 0, 254, "not a valid host name or address"},
	};
	char host[255];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *given = rows[i].len == SIZE_MAX ? NULL : host;
		struct pinfast_diag diag = {.text = "untouched"};
		const char *want =
		    rows[i].text != NULL ? rows[i].text : diag.text;
		struct pf_attached a;
		enum pinfast_error error;

		memset(host, 'a', sizeof host);
		host[given != NULL ? rows[i].len : 0] = '\0';
		error = pf_attached_init(&a, NULL, given, 0, rows[i].server);
		claim(rows[i].name, pf_attached_misnamed(&diag, error,
		                        rows[i].server) == error);
		claim(rows[i].name, (error == PINFAST_OK) == !rows[i].text);
		claim(rows[i].name, strcmp(diag.text, want) == 0);
	}
}

static void
only_entries_without_pkix_go_unverified(void **state)
{
	static const struct {
		const char *host; /* NULL: to be learned */
		int fine;
	} rows[] = {
	    {"none.test", 1}, {"pinned.test", 0}, {"other.test", 0}, {NULL, 0}};
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;

	(void)state;
	world_entry(b, "none.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	world_entry(b, "pinned.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	policy = world_serve(b);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_diag diag = {.text = ""};
		struct pf_attached a;
		enum pinfast_error error;

		assert_int_equal(pf_attached_init(&a, policy, rows[i].host, 443,
		                     0),
		    0);
		assert_int_equal(pf_attached_begin(&a), 0);
		error = pf_attached_unverified(&a, &diag, "it is off: on");
		claim(rows[i].host,
		    error == (rows[i].fine ? PINFAST_OK : PINFAST_EUNSAFE));
		claim(rows[i].host, a.doomed == !rows[i].fine);
		claim(rows[i].host,
		    rows[i].fine || strcmp(diag.text,
		                        "it is off: on, or write `pkix: none` "
		                        "into the host's entry") == 0);
		pf_attached_fini(&a);
	}
	world_done(NULL, policy, b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        a_host_is_a_name_or_an_address_however_it_is_written),
	    cmocka_unit_test(a_label_is_no_address),
	    cmocka_unit_test(what_is_wrong_with_a_host_or_label_is_said),
	    cmocka_unit_test(only_entries_without_pkix_go_unverified),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
