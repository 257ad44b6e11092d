#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/der.h"
#include "claim.h"
#include "der_text.h"

/* Text, where `!` marks the wrong byte; without one it must be read. */
struct row {
	const char *name;
	const char *text;
	size_t at, len; /* of the content, when it is read */
};

static const struct row rows[] = {
    {"empty value", "0400", 2, 0},
    {"one byte", "0401ff", 2, 1},
    {"something behind it", "0401ff00", 2, 1},
    {"no bytes", "!", 0, 0},
    {"tag alone", "04!", 0, 0},
    {"other tag", "!0501ff", 0, 0},
    {"tag in constructed form", "!2401ff", 0, 0},
    {"length beyond the end by one", "04!01", 0, 0},
    {"length beyond the end", "04!7f00", 0, 0},
    {"indefinite length", "04!80ff0000", 0, 0},
    {"reserved length", "04!ff00", 0, 0},
    {"five length octets", "04!850000000001ff", 0, 0},
    {"length octet missing", "0481!", 0, 0},
    {"second length octet missing", "048201!", 0, 0},
    {"all four length octets missing", "0484!", 0, 0},
    {"long form for 0", "0481!00", 0, 0},
    {"long form for 127", "0481!7f", 0, 0},
    {"leading zero", "0482!0080", 0, 0},
    {"leading zero of four", "0484!00010000", 0, 0},
    {"long length beyond the end", "04!8180", 0, 0},
    {"longest length beyond the end", "04!84ffffffff00", 0, 0},
};

/* Every row, through a copy of just that size, so that reading beyond it is
 * seen by sanitizers and valgrind. */
static void
a_value_is_read_only_in_its_one_encoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct der_text t;
		struct pf_der d, value, behind;
		uint8_t *copy;

		der_text(r->text, &t);
		copy = malloc(t.len + 1);
		assert_non_null(copy);
		memcpy(copy + 1, t.data, t.len);
		d.at = copy + 1;
		d.end = d.at + t.len;
		value = pf_der_open(d, PF_DER_OCTET_STRING);
		behind = pf_der_behind(d, value);
		if (t.mark == DER_TEXT_NO_MARK) {
			claim(r->name, value.end != NULL);
			claim(r->name, value.at == d.at + r->at);
			claim(r->name, value.end == value.at + r->len);
			claim(r->name, behind.at == value.end);
			claim(r->name, behind.end == d.end);
			claim(r->name, pf_der_skip_any(d).at == value.end);
		} else {
			claim(r->name, value.end == NULL);
			claim(r->name, value.at == d.at + t.mark);
			claim(r->name, behind.end == NULL);
			claim(r->name, behind.at == value.at);
		}
		free(copy);
	}
}

/* A value of len zero bytes behind these length octets. */
static struct pf_der
long_value(uint8_t *buffer, const char *head, size_t len)
{
	struct der_text t;
	struct pf_der d;

	der_text(head, &t);
	memcpy(buffer, t.data, t.len);
	memset(buffer + t.len, 0, len);
	d.at = buffer;
	d.end = buffer + t.len + len;
	return d;
}

static void
lengths_are_read_to_the_byte(void **state)
{
	static const struct {
		const char *head;
		size_t len;
	} lengths[] = {{"047f", 127}, {"048180", 128}, {"0481ff", 255},
	    {"04820100", 256}, {"0482ffff", 65535}, {"0483010000", 65536}};
	uint8_t *buffer = malloc(70000);

	(void)state;
	assert_non_null(buffer);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct pf_der d =
		    long_value(buffer, lengths[i].head, lengths[i].len);
		struct pf_der value = pf_der_open(d, PF_DER_OCTET_STRING);

		assert_ptr_equal(value.end, d.end);
		assert_int_equal(value.end - value.at, lengths[i].len);
		assert_ptr_equal(pf_der_skip_any(d).at, d.end);
		d.end--;
		value = pf_der_open(d, PF_DER_OCTET_STRING);
		assert_null(value.end);
		assert_ptr_equal(value.at, d.at + 1);
		assert_null(pf_der_skip_any(d).end);
	}
	free(buffer);
}

static void
any_tag_is_skipped_but_none_above_thirty(void **state)
{
	(void)state;
	for (unsigned tag = 0; tag < 256; tag++) {
		uint8_t data[] = {(uint8_t)tag, 1, 0};
		struct pf_der d = {data, data + sizeof data};
		struct pf_der behind = pf_der_skip_any(d);
		struct pf_der value = pf_der_open_any(d);

		if ((tag & 0x1f) == 0x1f) {
			assert_null(behind.end);
			assert_ptr_equal(behind.at, data);
			assert_null(value.end);
		} else {
			assert_ptr_equal(behind.at, d.end);
			assert_ptr_equal(value.at, data + 2);
		}
	}
}

static void
skipping_fails_where_opening_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct der_text t;
		struct pf_der d, value, behind;

		der_text(rows[i].text, &t);
		d.at = t.data;
		d.end = d.at + t.len;
		value = pf_der_open_any(d);
		behind = pf_der_skip_any(d);
		claim(rows[i].name, !value.end == !behind.end);
		if (!value.end)
			claim(rows[i].name, value.at == behind.at);
	}
}

static void
a_filled_value_is_not_empty(void **state)
{
	static const uint8_t empty[] = {4, 0}, full[] = {4, 1, 0};
	struct pf_der d = {empty, empty + 2}, value;

	(void)state;
	value = pf_der_open_filled(d, PF_DER_OCTET_STRING);
	assert_null(value.end);
	assert_ptr_equal(value.at, empty + 2);
	value = pf_der_open_filled(d, PF_DER_OID);
	assert_null(value.end);
	assert_ptr_equal(value.at, empty);
	d.at = full;
	d.end = full + 3;
	assert_ptr_equal(pf_der_open_filled(d, PF_DER_OCTET_STRING).at,
	    full + 2);
}

static void
a_value_is_closed_only_when_used_up(void **state)
{
	static const uint8_t data[] = {0x30, 2, 5, 0, 5, 0};
	struct pf_der d = {data, data + sizeof data}, in, closed;

	(void)state;
	in = pf_der_open(d, PF_DER_SEQUENCE);
	closed = pf_der_close(d, in);
	assert_null(closed.end);
	assert_ptr_equal(closed.at, data + 2);
	in = pf_der_skip_any(in);
	closed = pf_der_close(d, in);
	assert_ptr_equal(closed.at, data + 4);
	assert_ptr_equal(closed.end, data + 6);
	assert_true(pf_der_next_is(closed, 5));
	assert_false(pf_der_next_is(closed, 4));
	closed = pf_der_skip_any(closed);
	assert_false(pf_der_next_is(closed, 5));
	assert_int_equal(pf_der_between(data, data + 4).len, 4);
}

static void
long_values_are_skipped_whole(void **state)
{
	uint8_t bytes[260] = {0x04, 0x81, 200};
	struct pf_der d = {bytes, bytes + 203};

	(void)state;
	assert_ptr_equal(pf_der_skip_any(d).at, d.end);
	d.end++;
	assert_ptr_equal(pf_der_skip_any(d).at, d.end - 1);
	d.end -= 2;
	assert_null(pf_der_skip_any(d).end);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(long_values_are_skipped_whole),
	    cmocka_unit_test(a_value_is_read_only_in_its_one_encoding),
	    cmocka_unit_test(lengths_are_read_to_the_byte),
	    cmocka_unit_test(any_tag_is_skipped_but_none_above_thirty),
	    cmocka_unit_test(skipping_fails_where_opening_fails),
	    cmocka_unit_test(a_filled_value_is_not_empty),
	    cmocka_unit_test(a_value_is_closed_only_when_used_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
