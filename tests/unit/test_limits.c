/* Limits that are too large to reach: the library built with small ones. */
#include "world.h"

#include "base/limits.h"

static void
one_host_too_many_is_refused_with_the_limit(void **state)
{
	(void)state;
	assert_int_equal(PF_MAX_HOSTS, 3); /* by tests/unit/meson.build */
	for (int count = 3; count <= 4; count++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast_diag diag = {0};
		struct pinfast_bytes image = {NULL, 0};
		char name[32];

		for (int i = 0; i < count; i++) {
			snprintf(name, sizeof name, "h%d.test", i);
			pinfast_builder_entry(b, name, 0, PINFAST_SCOPE_EXACT);
			pinfast_builder_pin(b, PINFAST_ROLE_LEAF,
			    certs[LEAF].pin);
		}
		assert_int_equal(pinfast_builder_finish(b, &diag, &image),
		    count == 3 ? PINFAST_OK : PINFAST_ELIMIT);
		if (count == 4) {
			assert_string_equal(diag.text,
			    "the policy has more than 4,000,000 hosts");
			assert_null(image.data);
		}
		pinfast_builder_free(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_host_too_many_is_refused_with_the_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
