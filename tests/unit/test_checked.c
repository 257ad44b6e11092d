/*
 * What becomes of the results of live checks: one verdict of several
 * connections, and files that no server's words can break.
 */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "claim.h"
#include "cli_check/junit.h"
#include "cli_check/prom.h"
#include "cli_check/turns.h"

#define OK PF_CHECKED_OK
#define REPORTED PF_CHECKED_REPORTED
#define UNDECIDED PF_CHECKED_UNDECIDED
#define DENIED PF_CHECKED_DENIED
#define MATCHED PINFAST_REASON_PIN_MATCHED
#define MISMATCH PINFAST_REASON_PIN_MISMATCH

/* A connection in few words. */
struct shape {
	enum pf_checked_status status;
	int reason, shadow;
	int no_route, failed;
	int64_t not_after;
	int absent;
};

static struct pf_checked_row
row_of(const struct shape *shape)
{
	struct pf_checked_row row;

	memset(&row, 0, sizeof row);
	strcpy(row.address, "192.0.2.1");
	row.status = shape->status;
	row.judged = shape->reason != 0;
	row.reason = shape->reason;
	row.shadow = shape->shadow;
	row.no_route = shape->no_route;
	row.absent = shape->absent;
	row.stage = shape->failed ? "connect" : NULL;
	row.not_after = shape->not_after;
	return row;
}

struct folding {
	const char *name;
	struct shape shapes[3];
	size_t count;
	enum pf_checked_status status;
	int up, pin_match, shadow;
	int64_t not_after;
};

static const struct folding foldings[] = {
    {"none at all", {{OK, 0, 0, 0, 0, 0, 0}}, 0, UNDECIDED, 0, 0, 0, 0},
    {"one that is fine", {{OK, MATCHED, 0, 0, 0, 9, 0}}, 1, OK, 1, 1, 0, 9},
    {"the worst of three counts",
        {{OK, MATCHED, 0, 0, 0, 9, 0}, {DENIED, MISMATCH, 0, 0, 0, 7, 0},
            {UNDECIDED, 0, 0, 0, 1, 0, 0}},
        3, DENIED, 0, 0, 0, 7},
    {"no answer is worse than a report",
        {{REPORTED, MISMATCH, 0, 0, 0, 7, 0}, {UNDECIDED, 0, 0, 0, 1, 0, 0}}, 2,
        UNDECIDED, 0, 0, 0, 7},
    {"a report is no match", {{REPORTED, MISMATCH, 0, 0, 0, 7, 0}}, 1, REPORTED,
        1, 0, 0, 7},
    {"an exempt entry matches nothing",
        {{OK, PINFAST_REASON_EXEMPT, 0, 0, 0, 7, 0}}, 1, OK, 1, 0, 0, 7},
    {"IPv6 without a route says nothing",
        {{UNDECIDED, 0, 0, 1, 1, 0, 0}, {OK, MATCHED, 0, 0, 0, 9, 0}}, 2, OK, 1,
        1, 0, 9},
    {"but it does when it is all there is", {{UNDECIDED, 0, 0, 1, 1, 0, 0}}, 1,
        UNDECIDED, 0, 0, 0, 0},
    {"a shadow set that fails once has failed",
        {{OK, MATCHED, MATCHED, 0, 0, 9, 0},
            {OK, MATCHED, MISMATCH, 0, 0, 9, 0},
            {OK, MATCHED, MATCHED, 0, 0, 9, 0}},
        3, OK, 1, 1, MISMATCH, 9},
    {"a key that is not there changes nothing",
        {{OK, MATCHED, 0, 0, 0, 9, 0}, {OK, 0, 0, 0, 0, 0, 1}}, 2, OK, 1, 1, 0,
        9},
    {"and is no answer by itself", {{OK, 0, 0, 0, 0, 0, 1}}, 1, UNDECIDED, 0, 0,
        0, 0},
    {"nor a route", {{UNDECIDED, 0, 0, 1, 1, 0, 0}, {OK, 0, 0, 0, 0, 0, 1}}, 2,
        UNDECIDED, 0, 0, 0, 0},
};

static void
a_server_is_as_bad_as_its_worst_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof foldings / sizeof *foldings; i++) {
		const struct folding *f = &foldings[i];
		struct pf_checked c;

		memset(&c, 0, sizeof c);
		for (size_t k = 0; k < f->count; k++) {
			struct pf_checked_row row = row_of(&f->shapes[k]);

			claim(f->name, pf_checked_add(&c, &row));
		}
		pf_checked_fold(&c);
		claim(f->name, c.status == f->status);
		claim(f->name, c.up == f->up);
		claim(f->name, c.pin_match == f->pin_match);
		claim(f->name, c.shadow == f->shadow);
		claim(f->name, c.not_after == f->not_after);
		pf_checked_fini(&c);
	}
}

static void
days_are_whole_and_rounded_down(void **state)
{
	(void)state;
	assert_int_equal(pf_days_between(1000, 1000), 0);
	assert_int_equal(pf_days_between(1000, 1000 + 86399), 0);
	assert_int_equal(pf_days_between(1000, 1000 + 86400), 1);
	assert_int_equal(pf_days_between(1000, 999), -1);
	assert_int_equal(pf_days_between(100000, 100000 - 86400), -1);
	assert_int_equal(pf_days_between(100000, 100000 - 86401), -2);
}

/* A server with one connection; why is copied. */
static void
make_checked(struct pf_checked *c, const char *host,
    enum pf_checked_status status, const char *why)
{
	struct shape shape = {status, MATCHED, 0, 0, 0, 1800000000, 0};
	struct pf_checked_row row = row_of(&shape);

	memset(c, 0, sizeof *c);
	strcpy(c->host, host);
	c->port = 443;
	c->pins = 2;
	c->backups = 1;
	row.why = why != NULL ? strdup(why) : NULL;
	assert_true(pf_checked_add(c, &row));
	pf_checked_fold(c);
}

static void
connections_are_told_in_one_order(void **state)
{
	static const char *const wanted[] = {
	    "192.0.2.1 -", "192.0.2.1 ecdsa", "192.0.2.1 rsa", "192.0.2.2 rsa"};
	struct pf_checked c;

	(void)state;
	memset(&c, 0, sizeof c);
	for (size_t i = 0; i < 4; i++) {
		struct pf_checked_row row;
		const char *text = wanted[i ^ 3];

		memset(&row, 0, sizeof row);
		memcpy(row.address, text, 9);
		row.key = text[10] != '-' ? text + 10 : NULL;
		assert_true(pf_checked_add(&c, &row));
	}
	pf_checked_fold(&c);
	for (size_t i = 0; i < 4; i++) {
		assert_memory_equal(c.rows[i].address, wanted[i], 9);
		assert_ptr_equal(c.rows[i].key, i > 0 ? wanted[i] + 10 : NULL);
	}
	pf_checked_fini(&c);
}

static char told[64];

static void
tell(void *arg, const struct pf_checked *c)
{
	assert_ptr_equal(arg, told);
	strcat(told, c->host);
}

/* Each letter is a turn, and is over when it comes; `most` may wait. */
static const char *
over_in_order(const char *order, size_t most, const char *not_worth_it)
{
	struct pf_turns turns = {.most = most, .tell = tell, .arg = told};
	struct pf_in_turn *turn[26];
	size_t count = strlen(order);

	told[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		turn[i] = pf_turns_take(&turns);
		assert_non_null(turn[i]);
		turn[i]->checked.host[0] = (char)('a' + i);
	}
	for (size_t i = 0; i < count; i++)
		pf_turns_over(&turns, turn[order[i] - 'a'],
		    strchr(not_worth_it, order[i]) == NULL);
	assert_null(turns.first);
	assert_null(turns.last);
	assert_int_equal(turns.waiting, 0);
	return told;
}

static void
servers_are_told_in_the_order_they_were_asked(void **state)
{
	(void)state;
	assert_string_equal(over_in_order("abcdef", 10, ""), "abcdef");
	assert_string_equal(over_in_order("fedcba", 10, ""), "abcdef");
	assert_string_equal(over_in_order("cafebd", 10, ""), "abcdef");
	assert_string_equal(over_in_order("cafebd", 10, "cd"), "abef");
	assert_string_equal(over_in_order("", 10, ""), "");
}

static void
one_server_holds_back_only_so_many(void **state)
{
	(void)state;
	assert_string_equal(over_in_order("bcdefa", 5, ""), "abcdef");
	assert_string_equal(over_in_order("bcdefa", 4, ""), "fabcde");
	assert_string_equal(over_in_order("bcdefa", 2, ""), "defabc");
	assert_string_equal(over_in_order("bcdefa", 2, "e"), "dfabc");
	assert_string_equal(over_in_order("bcdefa", 0, ""), "bcdefa");
}

/* Reads a file and removes it. */
static void
read_back(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(out, 1, size - 1, f);
	out[len] = '\0';
	fclose(f);
	unlink(path);
}

static void
an_address_of_ipv6_stands_in_brackets(void **state)
{
	struct pf_checked c;
	char name[PF_CHECKED_NAME];

	(void)state;
	make_checked(&c, "2001:db8::1", OK, NULL);
	pf_checked_name(&c, name);
	assert_string_equal(name, "[2001:db8::1]:443");
	pf_checked_fini(&c);
}

static void
no_server_can_break_the_xml(void **state)
{
	static const char hostile[] =
	    "</error><failure message=\"x\">&amp;\033[2J\001\377\xc3\xa9\n]]>";
	struct pf_checked_sum sum = {.count = {1, 0, 1, 0}};
	struct pf_checked c;
	struct pf_junit junit;
	char text[4096];

	(void)state;
	assert_true(pf_junit_init(&junit));
	make_checked(&c, "a.test", UNDECIDED, hostile);
	pf_junit_add(&junit, &c);
	pf_checked_fini(&c);
	make_checked(&c, "b.test", OK, NULL);
	pf_junit_add(&junit, &c);
	pf_checked_fini(&c);
	assert_true(pf_junit_write(&junit, &sum, "checked.xml"));
	pf_junit_fini(&junit);
	read_back("checked.xml", text, sizeof text);
	assert_string_equal(text,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuite name=\"pinfast check\" tests=\"2\" failures=\"0\" "
	    "errors=\"1\" skipped=\"0\">\n"
	    "  <testcase classname=\"pinfast.check\" name=\"a.test:443\" "
	    "time=\"0.000\">\n"
	    "    <error message=\"undecided\">192.0.2.1: &lt;/error&gt;"
	    "&lt;failure message=&quot;x&quot;&gt;&amp;amp;\\x1b[2J\\x01\\xff"
	    "\\xc3\\xa9\\x0a]]&gt;\n"
	    "</error>\n  </testcase>\n"
	    "  <testcase classname=\"pinfast.check\" name=\"b.test:443\" "
	    "time=\"0.000\"/>\n"
	    "</testsuite>\n");
}

static void
metrics_stand_together_by_name(void **state)
{
	struct pf_checked_sum sum = {.now = 1700000000, .not_checked = 3};
	struct pf_checked c;
	struct pf_prom prom;
	char text[4096];

	(void)state;
	assert_true(pf_prom_init(&prom));
	make_checked(&c, "a.test", OK, NULL);
	pf_prom_add(&prom, &c);
	pf_checked_fini(&c);
	make_checked(&c, "2001:db8::1", DENIED, "no");
	c.backups = -1;
	pf_prom_add(&prom, &c);
	pf_checked_fini(&c);
	assert_true(pf_prom_write(&prom, &sum, "checked.prom"));
	pf_prom_fini(&prom);
	read_back("checked.prom", text, sizeof text);
	assert_non_null(strstr(text,
	    "# TYPE pinfast_endpoint_up gauge\n"
	    "pinfast_endpoint_up{host=\"a.test\",port=\"443\"} 1\n"
	    "pinfast_endpoint_up{host=\"2001:db8::1\",port=\"443\"} 1\n# "));
	assert_non_null(strstr(text,
	    "# TYPE pinfast_endpoint_pin_match gauge\n"
	    "pinfast_endpoint_pin_match{host=\"a.test\",port=\"443\"} 1\n"
	    "pinfast_endpoint_pin_match{host=\"2001:db8::1\",port=\"443\"} 0"
	    "\n# "));
	/* What is not known is not written. */
	assert_non_null(strstr(text,
	    "# TYPE pinfast_endpoint_backup_pins gauge\n"
	    "pinfast_endpoint_backup_pins{host=\"a.test\",port=\"443\"} 1\n"
	    "# "));
	assert_null(strstr(text, "pinfast_policy_expiry"));
	assert_non_null(strstr(text,
	    "\npinfast_policy_entries_not_checked 3\n"));
}

static void
what_cannot_be_written_is_told(void **state)
{
	struct pf_checked_sum sum = {.now = 0};
	struct pf_junit junit;
	struct pf_prom prom;

	(void)state;
	assert_true(pf_junit_init(&junit));
	assert_true(pf_prom_init(&prom));
	assert_false(pf_junit_write(&junit, &sum, "no/where.xml"));
	assert_false(pf_prom_write(&prom, &sum, "/"));
	pf_junit_fini(&junit);
	pf_prom_fini(&prom);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_server_is_as_bad_as_its_worst_connection),
	    cmocka_unit_test(days_are_whole_and_rounded_down),
	    cmocka_unit_test(connections_are_told_in_one_order),
	    cmocka_unit_test(servers_are_told_in_the_order_they_were_asked),
	    cmocka_unit_test(one_server_holds_back_only_so_many),
	    cmocka_unit_test(an_address_of_ipv6_stands_in_brackets),
	    cmocka_unit_test(no_server_can_break_the_xml),
	    cmocka_unit_test(metrics_stand_together_by_name),
	    cmocka_unit_test(what_cannot_be_written_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
