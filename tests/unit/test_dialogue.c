/*
 * What all dialogues share: limits, ends, and what is kept of the peer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "talk.h"
#include "wire/httpconnect.h"
#include "wire/socks5.h"

#define LIMIT_LINE "a line or message is longer than 1024 bytes"
#define LIMIT_ALL "more than 65536 bytes came before TLS"

/* Feeds the same bytes again and again; how many were used. */
static size_t
feed(struct pf_dialogue *d, const char *text, size_t times)
{
	size_t sum = 0;

	for (size_t i = 0; i < times; i++) {
		size_t used;

		(void)pf_dialogue_in(d, (const uint8_t *)text, strlen(text),
		    &used);
		sum += used;
	}
	return sum;
}

static void
a_line_of_1024_bytes_is_the_longest(void **state)
{
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_POP3, NULL);
	assert_int_equal(feed(&d, "+OK ", 1) + feed(&d, "x", 1019), 1023);
	assert_int_equal(feed(&d, "\n", 1), 1);
	assert_int_equal(pf_dialogue_state(&d), MORE);
	assert_string_equal(pf_dialogue_said(&d), "");
	assert_int_equal(feed(&d, "+OK ", 1) + feed(&d, "x", 1020), 1024);
	assert_int_equal(pf_dialogue_state(&d), MORE);
	(void)feed(&d, "\n", 1);
	assert_int_equal(pf_dialogue_state(&d), BROKEN);
	assert_string_equal(pf_dialogue_said(&d), LIMIT_LINE);
	assert_int_equal(feed(&d, "+OK", 1), 0);
}

static void
a_dialogue_of_65536_bytes_is_the_longest(void **state)
{
	static const char line[] = "220-0123456789\n"; /* 15 bytes */
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_SMTP, NULL);
	assert_int_equal(feed(&d, line, 4369) + feed(&d, "2", 1), 65536);
	assert_int_equal(pf_dialogue_state(&d), MORE);
	(void)feed(&d, "2", 1);
	assert_int_equal(pf_dialogue_state(&d), BROKEN);
	assert_memory_equal(pf_dialogue_said(&d), LIMIT_ALL ": 220-0123",
	    sizeof LIMIT_ALL + 9);
	assert_int_equal(strlen(pf_dialogue_said(&d)),
	    strlen(LIMIT_ALL ": ") + 243);
}

/* An XML stream has no lines: what lies between tags counts as a whole. */
static void
text_without_tags_ends_at_the_limit(void **state)
{
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_XMPP, "a.example");
	assert_int_equal(feed(&d, " ", 65537), 65537);
	assert_int_equal(pf_dialogue_state(&d), BROKEN);
	assert_string_equal(pf_dialogue_said(&d), LIMIT_ALL);
	pf_starttls_begin(&d, PF_STARTTLS_XMPP, "a.example");
	(void)feed(&d, "<", 1025);
	assert_int_equal(pf_dialogue_state(&d), BROKEN);
	assert_string_equal(pf_dialogue_said(&d), LIMIT_LINE);
}

/* However the words of the peer come to the place where they are cut. */
static void
what_the_peer_said_is_shortened(void **state)
{
	(void)state;
	for (size_t len = 0; len < 60; len++) {
		struct pf_dialogue d;
		const char *said;

		pf_starttls_begin(&d, PF_STARTTLS_SMTP, NULL);
		(void)feed(&d, "220-x\r\n", 28);
		(void)feed(&d, "220-", 1);
		(void)feed(&d, "x", len);
		(void)feed(&d, "\r\n", 1);
		(void)feed(&d, "554\r\n", 1);
		said = pf_dialogue_said(&d);
		assert_int_equal(pf_dialogue_state(&d), BROKEN);
		assert_true(strlen(said) < sizeof d.said);
		assert_true(strlen(said) <=
		            strlen("the server does not speak SMTP: ") + 243);
	}
}

static void
who_hangs_up_has_not_said_yes(void **state)
{
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_SMTP, NULL);
	(void)feed(&d, "220-wait\r\n", 1);
	assert_int_equal(pf_dialogue_end(&d), BROKEN);
	assert_string_equal(pf_dialogue_said(&d),
	    "the server closed the connection: 220-wait");
	pf_socks5_begin(&d, "a.example", 443, NULL, NULL);
	assert_int_equal(pf_dialogue_end(&d), BROKEN);
	assert_string_equal(pf_dialogue_said(&d),
	    "the proxy closed the connection");
	assert_int_equal(pf_dialogue_out(&d).len, 0);
}

static void
who_hangs_up_afterwards_changes_nothing(void **state)
{
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_NONE, NULL);
	assert_int_equal(pf_dialogue_end(&d), DONE);
	assert_string_equal(pf_dialogue_said(&d), "");
	pf_starttls_begin(&d, PF_STARTTLS_POSTGRES, NULL);
	(void)feed(&d, "N", 1);
	assert_int_equal(pf_dialogue_end(&d), REFUSED);
	assert_string_equal(pf_dialogue_said(&d),
	    "the server does not offer TLS");
}

static void
it_says_what_it_waits_for(void **state)
{
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_IMAP, NULL);
	assert_string_equal(pf_dialogue_awaits(&d), "the server's greeting");
	(void)feed(&d, "* OK hi\r\n", 1);
	assert_string_equal(pf_dialogue_awaits(&d),
	    "the server's answer to CAPABILITY");
	pf_httpconnect_begin(&d, "a.example", 443, NULL, NULL);
	assert_string_equal(pf_dialogue_awaits(&d),
	    "the proxy's answer to CONNECT");
	(void)feed(&d, "HTTP/1.1 200 yes\r\n", 1);
	assert_string_equal(pf_dialogue_awaits(&d),
	    "the end of the proxy's answer");
	for (unsigned i = 0; i < PF_STARTTLS_COUNT; i++) {
		pf_starttls_begin(&d, (enum pf_starttls)i, "a.example");
		assert_non_null(pf_dialogue_awaits(&d));
	}
}

/* Bytes that come later are dropped as those that come with the go-ahead. */
static void
later_bytes_are_dropped_and_counted(void **state)
{
	struct pf_dialogue d;

	(void)state;
	pf_starttls_begin(&d, PF_STARTTLS_POSTGRES, NULL);
	assert_int_equal(feed(&d, "SR", 1), 2);
	assert_int_equal(feed(&d, "evil", 2), 8);
	assert_int_equal(pf_dialogue_state(&d), DONE);
	assert_true(pf_dialogue_dropped(&d) == 9);
}

static void
memory_of_zeros_is_broken(void **state)
{
	struct pf_dialogue d;

	(void)state;
	memset(&d, 0, sizeof d);
	assert_int_equal(pf_dialogue_state(&d), BROKEN);
	assert_int_equal(pf_dialogue_out(&d).len, 0);
	assert_string_equal(pf_dialogue_said(&d), "");
	assert_true(sizeof d <= 3 * 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_of_1024_bytes_is_the_longest),
	    cmocka_unit_test(a_dialogue_of_65536_bytes_is_the_longest),
	    cmocka_unit_test(text_without_tags_ends_at_the_limit),
	    cmocka_unit_test(what_the_peer_said_is_shortened),
	    cmocka_unit_test(who_hangs_up_has_not_said_yes),
	    cmocka_unit_test(who_hangs_up_afterwards_changes_nothing),
	    cmocka_unit_test(it_says_what_it_waits_for),
	    cmocka_unit_test(later_bytes_are_dropped_and_counted),
	    cmocka_unit_test(memory_of_zeros_is_broken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
