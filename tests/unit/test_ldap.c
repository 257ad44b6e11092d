/*
 * LDAP's StartTLS: answers in BER, short and long, whole and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "talk.h"

#define ASK                                                                    \
	BYTES("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                           \
	      "1.3.6.1.4.1.1466.20037")
#define NO_LDAP "the server does not speak LDAP"
#define NO_ANSWER "the server's answer to StartTLS is no LDAP"
#define TOO_LONG                                                               \
	"the server does not speak LDAP, or its message is longer than 1024 "  \
	"bytes"

/* message 1 { result, matched name, text } */
#define ANSWER "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01"
#define NOTHING "\x04\x00\x04\x00"
#define OK ANSWER "\x00" NOTHING

static const struct talk rows[] = {
    {"openldap", BYTES(OK), ASK, DONE, "", 0},
    {"with the name of the operation",
        BYTES("\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a"
              "\x16"
              "1.3.6.1.4.1.1466.20037"),
        ASK, DONE, "", 0},
    {"lengths of four octets, as Active Directory has them",
        BYTES("\x30\x84\x00\x00\x00\x18\x02\x01\x01\x78\x84\x00\x00\x00\x0f"
              "\x0a\x01\x00\x04\x00\x04\x84\x00\x00\x00\x02ok\x8a\x00"),
        ASK, DONE, "", 0},
    {"a length of one octet in two",
        BYTES("\x30\x81\x0c"
              "\x02\x01\x01\x78\x07"
              "\x0a\x01\x00" NOTHING),
        ASK, DONE, "", 0},
    {"numbers of four octets",
        BYTES("\x30\x12\x02\x04\x00\x00\x00\x01\x78\x0a\x0a\x04\x00\x00\x00"
              "\x00" NOTHING),
        ASK, DONE, "", 0},
    {"a search result behind the go-ahead", BYTES(OK "\x30\x03\x02\x01\x02"),
        ASK, DONE, "", 5},
    {"half an answer", BYTES("\x30\x0c\x02\x01\x01\x78\x07\x0a"), ASK, MORE, "",
        0},
    {"half a length", BYTES("\x30\x84\x00\x00"), ASK, MORE, "", 0},
    {"it does not know StartTLS",
        BYTES("\x30\x21\x02\x01\x01\x78\x1c\x0a\x01\x02\x04\x00\x04\x15"
              "unsupported operation"),
        ASK, REFUSED,
        "the server refused StartTLS (protocolError): unsupported operation",
        0},
    {"operations error", BYTES(ANSWER "\x01" NOTHING), ASK, REFUSED,
        "the server refused StartTLS (operationsError)", 0},
    {"stronger authentication", BYTES(ANSWER "\x08" NOTHING), ASK, REFUSED,
        "the server refused StartTLS (strongerAuthRequired)", 0},
    {"a referral", BYTES(ANSWER "\x0a" NOTHING), ASK, REFUSED,
        "the server refers StartTLS to another one (referral)", 0},
    {"busy", BYTES(ANSWER "\x33" NOTHING), ASK, REFUSED,
        "the server refused StartTLS (busy)", 0},
    {"unavailable", BYTES(ANSWER "\x34" NOTHING), ASK, REFUSED,
        "the server refused StartTLS (unavailable)", 0},
    {"unwilling", BYTES(ANSWER "\x35" NOTHING), ASK, REFUSED,
        "the server refused StartTLS (unwillingToPerform)", 0},
    {"a result of no name", BYTES(ANSWER "\x50" NOTHING), ASK, REFUSED,
        "the server refused StartTLS", 0},
    {"notice of disconnection",
        BYTES("\x30\x29\x02\x01\x00\x78\x24\x0a\x01\x34\x04\x00\x04\x05later"
              "\x8a\x16"
              "1.3.6.1.4.1.1466.20036"),
        ASK, REFUSED, "the server disconnects: later", 0},
    {"a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), ASK, BROKEN, NO_LDAP,
        0},
    {"text", BYTES("220 hi\r\n"), ASK, BROKEN, NO_LDAP, 0},
    {"an indefinite length", BYTES("\x30\x80\x02\x01\x01"), ASK, BROKEN,
        TOO_LONG, 0},
    {"a length of five octets", BYTES("\x30\x85\x00\x00\x00\x00\x0c"), ASK,
        BROKEN, TOO_LONG, 0},
    {"a length of 1,021 in two octets: 1,025 bytes",
        BYTES("\x30\x82\x03\xfd\x02"), ASK, BROKEN, TOO_LONG, 0},
    {"a length of 2^32 - 1", BYTES("\x30\x84\xff\xff\xff\xff"), ASK, BROKEN,
        TOO_LONG, 0},
    {"nothing in it", BYTES("\x30\x00"), ASK, BROKEN, NO_ANSWER, 0},
    {"another message",
        BYTES("\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00" NOTHING), ASK, BROKEN,
        NO_ANSWER, 0},
    {"a message below none",
        BYTES("\x30\x0c\x02\x01\xff\x78\x07\x0a\x01\x00" NOTHING), ASK, BROKEN,
        NO_ANSWER, 0},
    {"a message of no number",
        BYTES("\x30\x0b\x02\x00\x78\x07\x0a\x01\x00" NOTHING), ASK, BROKEN,
        NO_ANSWER, 0},
    {"a message of five octets",
        BYTES("\x30\x10\x02\x05\x00\x00\x00\x00\x01\x78\x07\x0a\x01"
              "\x00" NOTHING),
        ASK, BROKEN, NO_ANSWER, 0},
    {"a search result",
        BYTES("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00" NOTHING), ASK, BROKEN,
        NO_ANSWER, 0},
    {"no result", BYTES("\x30\x09\x02\x01\x01\x78\x04" NOTHING), ASK, BROKEN,
        NO_ANSWER, 0},
    {"no matched name", BYTES("\x30\x08\x02\x01\x01\x78\x03\x0a\x01\x00"), ASK,
        BROKEN, NO_ANSWER, 0},
    {"no text", BYTES("\x30\x0a\x02\x01\x01\x78\x05\x0a\x01\x00\x04\x00"), ASK,
        BROKEN, NO_ANSWER, 0},
    {"a text that is cut to its tag",
        BYTES("\x30\x0b\x02\x01\x01\x78\x06\x0a\x01\x00\x04\x00\x04"), ASK,
        BROKEN, NO_ANSWER, 0},
    {"a text longer than its message",
        BYTES("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x01"), ASK,
        BROKEN, NO_ANSWER, 0},
    {"a text with a length that is cut",
        BYTES("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x81"), ASK,
        BROKEN, NO_ANSWER, 0},
    {"an answer longer than its message",
        BYTES("\x30\x0c\x02\x01\x01\x78\x08\x0a\x01\x00" NOTHING), ASK, BROKEN,
        NO_ANSWER, 0},
};

static void
ldap_begins_tls_only_after_success(void **state)
{
	(void)state;
	TALKS(LDAP, rows);
}

/* The longest message is taken, and its text is shortened. */
static void
a_long_refusal_is_shortened(void **state)
{
	static const char head[] = "\x30\x82\x03\xfc\x02\x01\x01\x78\x82\x03"
	                           "\xf5\x0a\x01\x02\x04\x00\x04\x82\x03\xec";
	uint8_t answer[PF_MAX_DIALOGUE_LINE];
	struct pf_dialogue d;
	size_t used;

	(void)state;
	memset(answer, 'x', sizeof answer);
	memcpy(answer, head, sizeof head - 1);
	pf_starttls_begin(&d, PF_STARTTLS_LDAP, NULL);
	assert_int_equal(pf_dialogue_in(&d, answer, sizeof answer - 1, &used),
	    MORE);
	assert_int_equal(pf_dialogue_in(&d, answer, 1, &used), REFUSED);
	assert_int_equal(strlen(pf_dialogue_said(&d)),
	    strlen("the server refused StartTLS (protocolError): ") + 243);
	assert_string_equal(pf_dialogue_said(&d) +
	                        strlen(pf_dialogue_said(&d)) - 5,
	    "xx...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ldap_begins_tls_only_after_success),
	    cmocka_unit_test(a_long_refusal_is_shortened),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
