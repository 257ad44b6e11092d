/*
 * As much of cmocka as the unit tests use, for machines that have none: the
 * 32-bit and big-endian builds of tools/cross.  Prints TAP.
 */
#ifndef CMOCKA_STAND_IN_H
#define CMOCKA_STAND_IN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);
struct CMUnitTest {
	const char *name;
	CMUnitTestFunction test_func;
	CMFixtureFunction setup_func;
	CMFixtureFunction teardown_func;
};
enum cm_message_output { CM_OUTPUT_STDOUT, CM_OUTPUT_SUBUNIT, CM_OUTPUT_TAP };

static jmp_buf stand_in_failed;

#define cmocka_unit_test(f)                                                    \
	{                                                                      \
#f, f, NULL, NULL                                              \
	}
#define cmocka_unit_test_setup_teardown(f, s, t)                               \
	{                                                                      \
#f, f, s, t                                                    \
	}
#define cmocka_set_message_output(output) ((void)(output))
#define print_message(...) ((void)printf(__VA_ARGS__))
#define print_error(...) ((void)printf("# " __VA_ARGS__))
#define fail_msg(...)                                                          \
	(print_error(__VA_ARGS__), printf("\n"),                               \
	    stand_in_fail(__FILE__, __LINE__))
#define stand_in_want(c) ((c) ? (void)0 : stand_in_fail(__FILE__, __LINE__))
#define stand_in_int(v) ((unsigned long long)(v))
#define assert_true(c) stand_in_want(c)
#define assert_false(c) stand_in_want(!(c))
#define assert_non_null(p) stand_in_want((p) != NULL)
#define assert_null(p) stand_in_want((p) == NULL)
#define assert_ptr_equal(a, b)                                                 \
	stand_in_want((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) stand_in_want(stand_in_int(a) == stand_in_int(b))
#define assert_int_not_equal(a, b)                                             \
	stand_in_want(stand_in_int(a) != stand_in_int(b))
#define assert_string_equal(a, b) stand_in_want(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) stand_in_want(memcmp(a, b, n) == 0)
#define assert_memory_not_equal(a, b, n) stand_in_want(memcmp(a, b, n) != 0)
#define cmocka_run_group_tests(tests, setup, teardown)                         \
	stand_in_run(tests, sizeof(tests) / sizeof *(tests), setup, teardown)

static inline void
stand_in_fail(const char *file, int line)
{
	printf("# %s:%d\n", file, line);
	longjmp(stand_in_failed, 1);
}

static inline int
stand_in_one(const struct CMUnitTest *test, void **state)
{
	if (setjmp(stand_in_failed) != 0)
		return 1;
	if (test->setup_func != NULL && test->setup_func(state) != 0)
		return 1;
	test->test_func(state);
	return test->teardown_func != NULL && test->teardown_func(state) != 0;
}

static inline int
stand_in_run(const struct CMUnitTest *tests, size_t count,
    CMFixtureFunction setup, CMFixtureFunction teardown)
{
	static void *group;
	static size_t i;
	static int failed;

	printf("1..%u\n", (unsigned)count);
	if (setjmp(stand_in_failed) != 0 ||
	    (setup != NULL && setup(&group) != 0)) {
		printf("not ok 1 - the group's setup\n");
		return 1;
	}
	for (i = 0; i < count; i++) {
		void *state = group;
		int bad = stand_in_one(&tests[i], &state);

		failed += bad;
		printf("%sok %u - %s\n", bad ? "not " : "", (unsigned)i + 1,
		    tests[i].name);
	}
	if (teardown != NULL)
		(void)teardown(&group);
	return failed;
}

#endif
