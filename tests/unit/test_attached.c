/* A connection as all adapters know it, without any TLS library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        a_host_is_a_name_or_an_address_however_it_is_written),
	    cmocka_unit_test(a_label_is_no_address),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
