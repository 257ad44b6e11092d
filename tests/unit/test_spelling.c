/* Words that were meant otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/spelling.h"
#include "claim.h"

#define W10 "abcdefghij"
#define W40 W10 W10 W10 W10

static void
mistakes_are_counted(void **state)
{
	static const struct {
		const char *typed, *meant;
		unsigned mistakes;
	} rows[] = {
	    {"lint", "lint", 0},
	    {"", "", 0},
	    {"lin", "lint", 1},
	    {"lintt", "lint", 1},
	    {"lent", "lint", 1},
	    {"lnit", "lint", 1},
	    {"ilnt", "lint", 1},
	    {"lnti", "lint", 2},
	    {"ca", "abc", 3},
	    {"ab", "ba", 1},
	    {"a", "b", 1},
	    {"", "pin", 3},
	    {"pin", "", 3},
	    {"expire", "expires", 1},
	    {"kitten", "sitting", 3},
	    {"LINT", "lint", 4},
	    {W40, W40, 0},
	    {W40, "abcdefghij" W10 W10 "abcdefghjj", 1},
	    {W40, "", 40},
	    {W40 "k", W40, 40},
	    {W40, W40 "k", 40},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		claim(rows[i].typed, pf_spelling_mistakes(rows[i].typed,
		                         rows[i].meant) == rows[i].mistakes);
		claim(rows[i].typed, pf_spelling_mistakes(rows[i].meant,
		                         rows[i].typed) == rows[i].mistakes);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mistakes_are_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
