/*
 * STARTTLS, protocol by protocol: what servers say, and what becomes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "talk.h"
#include "wire/starttls.h"

#define MORE PF_DIALOGUE_MORE
#define DONE PF_DIALOGUE_DONE
#define REFUSED PF_DIALOGUE_REFUSED
#define BROKEN PF_DIALOGUE_BROKEN
#define NO_TEXT                                                                \
	"bytes came that are no text: it may speak TLS from the first byte"

#define EHLO "EHLO pinfast.invalid\r\n"
#define GREETING "220 mx.example.org ESMTP Postfix (Debian/GNU)\r\n"
#define OFFER                                                                  \
	GREETING "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000"   \
	         "\r\n250-STARTTLS\r\n250 CHUNKING\r\n"

static const struct talk smtp[] = {
    {"postfix", BYTES(OFFER "220 2.0.0 Ready to start TLS\r\n"),
        BYTES(EHLO "STARTTLS\r\n"), DONE, "", 0},
    {"a greeting of several lines",
        BYTES("220-mx.example.org\r\n220-We do not relay.\r\n220 ESMTP\r\n"
              "250-mx.example.org\r\n250 STARTTLS\r\n220 go\r\n"),
        BYTES(EHLO "STARTTLS\r\n"), DONE, "", 0},
    {"line feeds alone, small letters, a parameter",
        BYTES("220 hi\n250-hi\n250-starttls yes\n250 HELP\n220\n"),
        BYTES(EHLO "STARTTLS\r\n"), DONE, "", 0},
    {"text behind the go-ahead (CVE-2011-0411)",
        BYTES(OFFER "220 go\r\n250 injected\r\n"), BYTES(EHLO "STARTTLS\r\n"),
        DONE, "", 14},
    {"nothing yet", BYTES(""), BYTES(""), MORE, "", 0},
    {"half a greeting", BYTES("220-mx.example.org\r\n220"), BYTES(""), MORE, "",
        0},
    {"busy", BYTES("421-mx.example.org\r\n421 too many connections\r\n"),
        BYTES(""), REFUSED,
        "the server refuses service: 421-mx.example.org / 421 too many "
        "connections",
        0},
    {"no mail here", BYTES("554 No SMTP service here\r\n"), BYTES(""), REFUSED,
        "the server refuses service: 554 No SMTP service here", 0},
    {"it does not know EHLO",
        BYTES(GREETING "502 5.5.2 Error: command not recognized\r\n"),
        BYTES(EHLO), REFUSED,
        "the server refused EHLO: 502 5.5.2 Error: command not recognized", 0},
    {"it does not offer STARTTLS",
        BYTES(GREETING "250-mx.example.org\r\n250-SIZE 1000\r\n250 HELP\r\n"),
        BYTES(EHLO), REFUSED,
        "the server does not offer STARTTLS: 250-mx.example.org / 250-SIZE "
        "1000 / 250 HELP",
        0},
    {"a server of that name does not offer it",
        BYTES(GREETING "250 STARTTLS\r\n"), BYTES(EHLO), REFUSED,
        "the server does not offer STARTTLS: 250 STARTTLS", 0},
    {"a longer word is not STARTTLS",
        BYTES(GREETING "250-mx.example.org\r\n250-STARTTLSX\r\n250 XSTARTTLS"
                       "\r\n"),
        BYTES(EHLO), REFUSED,
        "the server does not offer STARTTLS: 250-mx.example.org / "
        "250-STARTTLSX / 250 XSTARTTLS",
        0},
    {"it refuses STARTTLS", BYTES(OFFER "454 4.7.0 TLS not available\r\n"),
        BYTES(EHLO "STARTTLS\r\n"), REFUSED,
        "the server refused STARTTLS: 454 4.7.0 TLS not available", 0},
    {"another yes than the one for STARTTLS", BYTES(OFFER "250 ok\r\n"),
        BYTES(EHLO "STARTTLS\r\n"), BROKEN,
        "the server does not speak SMTP: 250 ok", 0},
    {"a web server", BYTES("HTTP/1.1 400 Bad Request\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: HTTP/1.1 400 Bad Request", 0},
    {"SSH", BYTES("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: SSH-2.0-OpenSSH_9.2p1 Debian-2", 0},
    {"a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), BYTES(""), BROKEN,
        NO_TEXT, 0},
    {"a NUL in the greeting", BYTES("220 a\0b\r\n"), BYTES(""), BROKEN, NO_TEXT,
        0},
    {"an empty line", BYTES("\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP", 0},
    {"an emptier line", BYTES("\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP", 0},
    {"two digits", BYTES("22\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: 22", 0},
    {"four digits", BYTES("2200 hi\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: 2200 hi", 0},
    {"a code with a letter", BYTES("2x0 hi\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: 2x0 hi", 0},
    {"a code with a slash", BYTES("22/ hi\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: 22/ hi", 0},
    {"the code changes within an answer", BYTES("220-hi\r\n250 hi\r\n"),
        BYTES(""), BROKEN, "the server does not speak SMTP: 220-hi / 250 hi",
        0},
    {"a code of the hundreds", BYTES("120 soon\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: 120 soon", 0},
    {"a code beyond 599", BYTES("600 what\r\n"), BYTES(""), BROKEN,
        "the server does not speak SMTP: 600 what", 0},
};

static void
hold(enum pf_starttls protocol, const struct talk *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pf_dialogue d;

		pf_starttls_begin(&d, protocol, "im.example.org");
		talk_hold(&d, rows + i, 0);
		talk_truncate(&d, rows + i);
	}
}
#define HOLD(protocol, rows)                                                   \
	hold(PF_STARTTLS_##protocol, rows, sizeof rows / sizeof *rows)

static void
smtp_begins_tls_only_after_220(void **state)
{
	(void)state;
	HOLD(SMTP, smtp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(smtp_begins_tls_only_after_220),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
