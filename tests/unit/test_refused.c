/* Policies that no store is made of, and what is said about them. */
#include "world.h"

static const struct {
	const char *name;
	const char *says;
	int mode, none, cert_role, anchors, expires, on_expiry, require, dates;
} contradictions[] = {
    {"no pins", "needs pins", PINFAST_ENFORCE, 0, -1, 0, 0, 0, 0, 0},
    {"off with pins", "exempts", PINFAST_OFF, 0, PINFAST_ROLE_LEAF, 0, 0, 0, 0,
        0},
    {"none in report mode", "always enforced", PINFAST_REPORT, 1,
        PINFAST_ROLE_LEAF, 0, 0, 0, 0, 0},
    {"none with ca", "only `leaf`", PINFAST_ENFORCE, 1, PINFAST_ROLE_CA, 0, 0,
        0, 0, 0},
    {"none with pins", "only `leaf`", PINFAST_ENFORCE, 1, PINFAST_ROLE_ANY, 0,
        0, 0, 0, 0},
    {"none with trust", "`trust`", PINFAST_ENFORCE, 1, PINFAST_ROLE_LEAF, 1, 0,
        0, 0, 0},
    {"none with require", "`require`", PINFAST_ENFORCE, 1, PINFAST_ROLE_LEAF, 0,
        0, 0, 1, 0},
    {"none loosened by expiry", "enforce or deny", PINFAST_ENFORCE, 1,
        PINFAST_ROLE_LEAF, 0, 5, PINFAST_UNPIN, 0, 0},
    {"none without pins", "needs", PINFAST_ENFORCE, 1, -1, 0, 0, 0, 0, 0},
    {"expires alone", "on-expiry", PINFAST_ENFORCE, 0, PINFAST_ROLE_LEAF, 0, 5,
        0, 0, 0},
    {"on-expiry alone", "without `expires`", PINFAST_ENFORCE, 0,
        PINFAST_ROLE_LEAF, 0, 0, PINFAST_DENY, 0, 0},
    {"off expiring into enforce", "no pins", PINFAST_OFF, 0, -1, 0, 5,
        PINFAST_ENFORCE, 0, 0},
    {"dates without none", "dates", PINFAST_ENFORCE, 0, PINFAST_ROLE_LEAF, 0, 0,
        0, 0, 1},
};

static void
contradictions_are_refused_with_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions;
	     i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast_bytes image;
		struct pinfast_diag diag = {0};

		world_entry(b, "h.test", 0, 0);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
		    contradictions[i].mode);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE,
		    contradictions[i].none);
		if (contradictions[i].cert_role >= 0)
			world_pin(b,
			    (enum pinfast_role)contradictions[i].cert_role,
			    LEAF);
		if (contradictions[i].anchors)
			pinfast_builder_anchor(b, certs[ROOT].item.der);
		if (contradictions[i].expires)
			pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES,
			    contradictions[i].expires);
		if (contradictions[i].on_expiry)
			pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
			    contradictions[i].on_expiry);
		if (contradictions[i].require)
			pinfast_builder_entry_set(b, PINFAST_ENTRY_REQUIRE_ALL,
			    1);
		if (contradictions[i].dates)
			pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES,
			    1);
		if (pinfast_builder_finish(b, &diag, &image) != PINFAST_EPOLICY)
			fail_msg("%s is accepted", contradictions[i].name);
		if (strstr(diag.text, contradictions[i].says) == NULL)
			fail_msg("%s: %s", contradictions[i].name, diag.text);
		pinfast_builder_free(b);
	}
}

static void
entries_that_collide_are_refused(void **state)
{
	static const struct {
		const char *a, *b;
		uint16_t port_a, port_b;
		int scope_a, scope_b;
		int fine;
	} rows[] = {
	    {"h.test", "H.test.", 0, 0, 0, 0, 0},
	    {"h.test", "h.test", 443, 443, 0, 0, 0},
	    {"h.test", "h.test", 443, 0, 0, 0, 1},
	    {"h.test", "h.test", 443, 444, 0, 0, 1},
	    {"h.test", "h.test", 0, 0, 0, 2, 1},
	    {"h.test", "h.test", 0, 0, 1, 2, 0},
	    {"h.test", "h.test", 0, 0, 2, 2, 0},
	    {"192.0.2.1", "::ffff:192.0.2.1", 0, 0, 0, 0, 0},
	    {"h", "h", 0, 0, 3, 0, 1},
	    {"h", "h", 0, 0, 3, 3, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast_bytes image;

		world_entry(b, rows[i].a, rows[i].port_a, rows[i].scope_a);
		world_pin(b, PINFAST_ROLE_LEAF, LEAF);
		world_entry(b, rows[i].b, rows[i].port_b, rows[i].scope_b);
		world_pin(b, PINFAST_ROLE_LEAF, LEAF);
		if ((pinfast_builder_finish(b, NULL, &image) == PINFAST_OK) !=
		    rows[i].fine)
			fail_msg("row %zu", i);
		pinfast_builder_free(b);
	}
}

static void
misuse_of_the_builder_is_an_error(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image, empty = {NULL, 0};

	(void)state;
	assert_int_equal(pinfast_builder_new(NULL, NULL), PINFAST_EUSAGE);
	assert_int_equal(pinfast_builder_pin(b, PINFAST_ROLE_LEAF,
	                     certs[LEAF].pin),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_builder_entry(b, "a..b", 0, 0), PINFAST_EHOST);
	assert_int_equal(pinfast_builder_entry(b, NULL, 0, 0), PINFAST_EHOST);
	assert_int_equal(pinfast_builder_entry(b, "192.0.2.1", 0,
	                     PINFAST_SCOPE_ANY),
	    PINFAST_EPOLICY);
	assert_true(pinfast_builder_pin(b, PINFAST_ROLE_LEAF, NULL) != 0);
	assert_true(pinfast_builder_pin(b, PINFAST_ROLE_LEAF, "sha256/AAAA") !=
	            0);
	assert_int_equal(pinfast_builder_anchor(b, empty), PINFAST_EUSAGE);
	assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_UNLISTED, 0),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_SERIAL, -1),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_builder_report_to(b, "http://x/"),
	    PINFAST_EUSAGE);
	assert_true(pinfast_builder_finish(b, NULL, &image) != PINFAST_OK);
	assert_int_equal(pinfast_builder_finish(b, NULL, NULL), PINFAST_EUSAGE);
	pinfast_builder_free(b);
	pinfast_builder_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(contradictions_are_refused_with_a_sentence),
	    cmocka_unit_test(entries_that_collide_are_refused),
	    cmocka_unit_test(misuse_of_the_builder_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
