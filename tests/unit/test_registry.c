/* Adapters that are found at run time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "adapt/registry.h"
#include "claim.h"

static void
an_adapter_is_found_by_its_name(void **state)
{
	const struct pf_adapter *adapter = NULL, *again = NULL;

	(void)state;
	assert_int_equal(pf_registry_find("fakegood", NULL, &adapter), 0);
	assert_string_equal(adapter->name, "fakegood");
	assert_int_equal(adapter->attach(NULL, NULL, NULL, 0, NULL),
	    PINFAST_EUNSUPPORTED);
	assert_int_equal(pf_registry_find("fakegood", NULL, &again), 0);
	assert_ptr_equal(adapter, again);
}

static void
what_is_no_adapter_is_refused(void **state)
{
	static const struct {
		const char *name;
		enum pinfast_error error;
		const char *says;
	} rows[] = {
	    {"", PINFAST_EUSAGE, "not the name"},
	    {"../openssl", PINFAST_EUSAGE, "not the name"},
	    {"openssl.so", PINFAST_EUSAGE, "not the name"},
	    {"OpenSSL", PINFAST_EUSAGE, "not the name"},
	    {"a/b", PINFAST_EUSAGE, "not the name"},
	    {"abcdefghijklmnopq", PINFAST_EUSAGE, "not the name"},
	    {"abcdefghijklmnop", PINFAST_ENOTFOUND, "abcdefghijklmnop"},
	    {"fakenone", PINFAST_ENOTFOUND, "libpinfast-fakenone.so.0"},
	    {"fakeold", PINFAST_EVERSION, "another version"},
	    {"fakesmall", PINFAST_EVERSION, "another version"},
	    {"fakeliar", PINFAST_EFORMAT, "not what its name says"},
	    {"fakemute", PINFAST_EFORMAT, "not what its name says"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct pf_adapter *adapter = NULL;
		struct pinfast_diag diag = {0};

		claim(rows[i].name, pf_registry_find(rows[i].name, &diag,
		                        &adapter) == rows[i].error);
		claim(rows[i].name, adapter == NULL);
		claim(rows[i].name, strstr(diag.text, rows[i].says) != NULL);
	}
	assert_int_equal(pf_registry_find(NULL, NULL, NULL), PINFAST_EUSAGE);
}

/* A good one, with one thing less each time. */
static void
an_adapter_without_what_is_needed_is_refused(void **state)
{
	const struct pf_adapter *good = NULL;
	struct pf_adapter a;

	(void)state;
	assert_int_equal(pf_registry_find("fakegood", NULL, &good), 0);
	assert_int_equal(pf_registry_check("fakegood", NULL), PINFAST_EFORMAT);
	assert_int_equal(pf_registry_check("fakegood", good), PINFAST_OK);
	a = *good;
	a.size += 8;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_OK);
	a = *good;
	a.abi++;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EVERSION);
	a = *good;
	a.size--;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EVERSION);
	a = *good;
	a.name = NULL;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EFORMAT);
	a = *good;
	a.library = NULL;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EFORMAT);
	a = *good;
	a.attach = NULL;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EFORMAT);
	a = *good;
	a.result = NULL;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EFORMAT);
	a = *good;
	a.explain = NULL;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EFORMAT);
	a = *good;
	a.conn = NULL;
	assert_int_equal(pf_registry_check("fakegood", &a), PINFAST_EFORMAT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_adapter_is_found_by_its_name),
	    cmocka_unit_test(what_is_no_adapter_is_refused),
	    cmocka_unit_test(an_adapter_without_what_is_needed_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
