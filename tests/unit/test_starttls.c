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
    {"a DEL in the greeting",
        BYTES("220 a\x7f"
              "b\r\n"),
        BYTES(""), BROKEN, NO_TEXT, 0},
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

#define LHLO "LHLO pinfast.invalid\r\n"
static const struct talk lmtp[] = {
    {"dovecot",
        BYTES("220 mail.example.org Dovecot ready.\r\n250-mail.example.org\r\n"
              "250-8BITMIME\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
              "220 2.0.0 Begin TLS negotiation now.\r\n"),
        BYTES(LHLO "STARTTLS\r\n"), DONE, "", 0},
    {"it does not offer STARTTLS",
        BYTES("220 hi\r\n250-hi\r\n250 PIPELINING\r\n"), BYTES(LHLO), REFUSED,
        "the server does not offer STARTTLS: 250-hi / 250 PIPELINING", 0},
    {"it speaks SMTP", BYTES("220 hi\r\n500 5.5.1 Unknown command\r\n"),
        BYTES(LHLO), REFUSED,
        "the server refused LHLO: 500 5.5.1 Unknown command", 0},
    {"it refuses STARTTLS",
        BYTES("220 hi\r\n250-hi\r\n250 STARTTLS\r\n501 no\r\n"),
        BYTES(LHLO "STARTTLS\r\n"), REFUSED,
        "the server refused STARTTLS: 501 no", 0},
    {"IMAP", BYTES("* OK ready\r\n"), BYTES(""), BROKEN,
        "the server does not speak LMTP: * OK ready", 0},
};

#define ASK "p1 CAPABILITY\r\n"
#define READY "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready.\r\n"
#define CAPABLE                                                                \
	READY "* CAPABILITY IMAP4rev1 LITERAL+ STARTTLS ID\r\np1 OK x\r\n"
#define PREAUTH "* PREAUTH IMAP4rev1 server logged in as Smith\r\n"
static const struct talk imap[] = {
    {"dovecot", BYTES(CAPABLE "p2 OK Begin TLS negotiation now.\r\n"),
        BYTES(ASK "p2 STARTTLS\r\n"), DONE, "", 0},
    {"small letters, other answers in between",
        BYTES("* ok\r\n* capability starttls imap4rev1\r\n* 3 EXISTS\r\n*\r\n"
              "p1 ok done\r\n* OK soon\r\nP2 Ok\r\n"),
        BYTES(ASK "p2 STARTTLS\r\n"), DONE, "", 0},
    {"a capability injected behind the go-ahead (CVE-2021-33515)",
        BYTES(CAPABLE "p2 OK\r\n* CAPABILITY AUTH=PLAIN\r\n"),
        BYTES(ASK "p2 STARTTLS\r\n"), DONE, "", 25},
    {"nothing but answers nobody asked for", BYTES(READY "* 1 EXISTS\r\n"),
        BYTES(ASK), MORE, "", 0},
    {"who is logged in cannot begin TLS (CVE-2020-12398)", BYTES(PREAUTH),
        BYTES(""), REFUSED,
        "the server's greeting leaves no room for STARTTLS: * PREAUTH "
        "IMAP4rev1 "
        "server logged in as Smith",
        0},
    {"bye at once", BYTES("* BYE too many connections\r\n"), BYTES(""), REFUSED,
        "the server's greeting leaves no room for STARTTLS: * BYE too many "
        "connections",
        0},
    {"bye in between", BYTES(READY "* BYE idle\r\n"), BYTES(ASK), REFUSED,
        "the server refused CAPABILITY: * BYE idle", 0},
    {"it does not offer STARTTLS",
        BYTES("* OK hi\r\n* CAPABILITY IMAP4rev1 LOGIN\r\np1 OK done\r\n"),
        BYTES(ASK), REFUSED,
        "the server does not offer STARTTLS: * CAPABILITY IMAP4rev1 LOGIN / "
        "p1 OK done",
        0},
    {"longer words are not STARTTLS",
        BYTES("* OK hi\r\n* CAPABILITY STARTTLSX XSTARTTLS\r\np1 OK done\r\n"),
        BYTES(ASK), REFUSED,
        "the server does not offer STARTTLS: * CAPABILITY STARTTLSX XSTARTTLS "
        "/ p1 OK done",
        0},
    {"only the greeting offers it, and no list does",
        BYTES(READY "* STARTTLS\r\np1 OK done\r\n"), BYTES(ASK), REFUSED,
        "the server does not offer STARTTLS: * STARTTLS / p1 OK done", 0},
    {"it does not know CAPABILITY", BYTES("* OK hi\r\np1 BAD what\r\n"),
        BYTES(ASK), REFUSED, "the server refused CAPABILITY: p1 BAD what", 0},
    {"it refuses STARTTLS", BYTES(CAPABLE "p2 NO not today\r\n"),
        BYTES(ASK "p2 STARTTLS\r\n"), REFUSED,
        "the server refused STARTTLS: p2 NO not today", 0},
    {"another tag", BYTES(READY "p2 OK\r\n"), BYTES(ASK), BROKEN,
        "the server does not speak IMAP: p2 OK", 0},
    {"a tag as greeting", BYTES("p0 OK\r\n"), BYTES(""), BROKEN,
        "the server does not speak IMAP: p0 OK", 0},
    {"a tag alone", BYTES(READY "p1\r\n"), BYTES(ASK), BROKEN,
        "the server does not speak IMAP: p1", 0},
    {"a tag and a space", BYTES(READY "p1 \r\n"), BYTES(ASK), BROKEN,
        "the server does not speak IMAP: p1 ", 0},
    {"a tag and no status", BYTES(READY "p1 FINE\r\n"), BYTES(ASK), BROKEN,
        "the server does not speak IMAP: p1 FINE", 0},
    {"a greeting without status", BYTES("*\r\n"), BYTES(""), BROKEN,
        "the server does not speak IMAP: *", 0},
    {"it wants more", BYTES(READY "+ go on\r\n"), BYTES(ASK), BROKEN,
        "the server does not speak IMAP: + go on", 0},
    {"POP3", BYTES("+OK hi\r\n"), BYTES(""), BROKEN,
        "the server does not speak IMAP: +OK hi", 0},
};

static const struct talk pop3[] = {
    {"dovecot",
        BYTES("+OK Dovecot (Debian) ready.\r\n+OK Begin TLS negotiation now."
              "\r\n"),
        BYTES("STLS\r\n"), DONE, "", 0},
    {"a status alone, and more", BYTES("+OK\r\n+ok\r\n+OK\r\n"),
        BYTES("STLS\r\n"), DONE, "", 5},
    {"it does not know STLS", BYTES("+OK hi\r\n-ERR Unknown command.\r\n"),
        BYTES("STLS\r\n"), REFUSED,
        "the server refused STLS: -ERR Unknown command.", 0},
    {"locked", BYTES("-ERR [SYS/TEMP] try later\r\n"), BYTES(""), REFUSED,
        "the server refuses service: -ERR [SYS/TEMP] try later", 0},
    {"a longer word", BYTES("+OKAY\r\n"), BYTES(""), BROKEN,
        "the server does not speak POP3: +OKAY", 0},
    {"a shorter word", BYTES("+O\r\n"), BYTES(""), BROKEN,
        "the server does not speak POP3: +O", 0},
    {"SMTP", BYTES("220 hi\r\n"), BYTES(""), BROKEN,
        "the server does not speak POP3: 220 hi", 0},
};

static const struct talk ftp[] = {
    {"vsftpd", BYTES("220 (vsFTPd 3.0.3)\r\n234 Proceed with negotiation.\r\n"),
        BYTES("AUTH TLS\r\n"), DONE, "", 0},
    {"lines of any kind within an answer",
        BYTES("120 in two minutes\r\n220-Welcome\r\n\r\n 220 is no end\r\n221 "
              "nor is this\r\n220-nor this\r\n220 now\r\n234-go\r\n234 on\r\n"),
        BYTES("AUTH TLS\r\n"), DONE, "", 0},
    {"an answer behind the go-ahead",
        BYTES("220 hi\r\n234 go\r\n230 logged in\r\n"), BYTES("AUTH TLS\r\n"),
        DONE, "", 15},
    {"no end of the greeting", BYTES("220-hi\r\n220-\r\n530 x\r\n"), BYTES(""),
        MORE, "", 0},
    {"it wants a login first",
        BYTES("220 hi\r\n530 Please login with USER and PASS.\r\n"),
        BYTES("AUTH TLS\r\n"), REFUSED,
        "the server refused AUTH TLS: 530 Please login with USER and PASS.", 0},
    {"it does not know AUTH", BYTES("220 hi\r\n500 what\r\n"),
        BYTES("AUTH TLS\r\n"), REFUSED, "the server refused AUTH TLS: 500 what",
        0},
    {"it wants data for another mechanism", BYTES("220 hi\r\n334 x\r\n"),
        BYTES("AUTH TLS\r\n"), BROKEN, "the server does not speak FTP: 334 x",
        0},
    {"full", BYTES("421 There are too many connected users.\r\n"), BYTES(""),
        REFUSED,
        "the server refuses service: 421 There are too many connected users.",
        0},
    {"no code", BYTES("welcome\r\n"), BYTES(""), BROKEN,
        "the server does not speak FTP: welcome", 0},
    {"the code of nothing", BYTES("000 welcome\r\n"), BYTES(""), BROKEN,
        "the server does not speak FTP: 000 welcome", 0},
    {"a TLS alert", BYTES("\x15\x03\x03\x00\x02\x02\x0a"), BYTES(""), BROKEN,
        NO_TEXT, 0},
};

static const struct talk nntp[] = {
    {"inn, posting allowed",
        BYTES("200 news.example.org InterNetNews ready\r\n382 Begin TLS\r\n"),
        BYTES("STARTTLS\r\n"), DONE, "", 0},
    {"inn, posting forbidden", BYTES("201 ready\r\n382 Begin TLS\r\n200 x\r\n"),
        BYTES("STARTTLS\r\n"), DONE, "", 7},
    {"it does not know STARTTLS", BYTES("200 hi\r\n500 What?\r\n"),
        BYTES("STARTTLS\r\n"), REFUSED,
        "the server refused STARTTLS: 500 What?", 0},
    {"it cannot", BYTES("200 hi\r\n580 Can not initiate TLS\r\n"),
        BYTES("STARTTLS\r\n"), REFUSED,
        "the server refused STARTTLS: 580 Can not initiate TLS", 0},
    {"not for us", BYTES("502 Permission denied\r\n"), BYTES(""), REFUSED,
        "the server refuses service: 502 Permission denied", 0},
    {"another yes", BYTES("200 hi\r\n200 ok\r\n"), BYTES("STARTTLS\r\n"),
        BROKEN, "the server does not speak NNTP: 200 ok", 0},
};

#define SIEVE                                                                  \
	"\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SIEVE\" \"fileinto\""  \
	"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\nOK \"ready.\"\r\n"
static const struct talk sieve[] = {
    {"pigeonhole", BYTES(SIEVE "OK \"Begin TLS negotiation now.\"\r\n"),
        BYTES("STARTTLS\r\n"), DONE, "", 0},
    {"capabilities before TLS has begun",
        BYTES(SIEVE "OK\r\n\"SASL\" \"\"\r\n"), BYTES("STARTTLS\r\n"), DONE, "",
        11},
    {"it does not offer STARTTLS", BYTES("\"SIEVE\" \"STARTTLS\"\r\nOK\r\n"),
        BYTES(""), REFUSED,
        "the server does not offer STARTTLS: \"SIEVE\" \"STARTTLS\" / OK", 0},
    {"it refuses STARTTLS", BYTES(SIEVE "NO \"TLS is off\"\r\n"),
        BYTES("STARTTLS\r\n"), REFUSED,
        "the server refused STARTTLS: NO \"TLS is off\"", 0},
    {"it sends us elsewhere",
        BYTES("BYE (REFERRAL \"sieve://other.example.org\") \"go\"\r\n"),
        BYTES(""), REFUSED,
        "the server refuses service: BYE (REFERRAL "
        "\"sieve://other.example.org\") \"go\"",
        0},
    {"a list where an answer belongs", BYTES(SIEVE "\"SIEVE\" \"\"\r\n"),
        BYTES("STARTTLS\r\n"), BROKEN,
        "the server does not speak ManageSieve: \"SIEVE\" \"\"", 0},
    {"a literal", BYTES("{14}\r\nIMPLEMENTATION\r\n"), BYTES(""), BROKEN,
        "the server does not speak ManageSieve: {14}", 0},
    {"an empty line", BYTES("\r\n"), BYTES(""), BROKEN,
        "the server does not speak ManageSieve", 0},
};

static void
smtp_begins_tls_only_after_220(void **state)
{
	(void)state;
	TALKS(SMTP, smtp);
}

static void
lmtp_begins_tls_only_after_220(void **state)
{
	(void)state;
	TALKS(LMTP, lmtp);
}

static void
imap_begins_tls_only_after_its_own_tag(void **state)
{
	(void)state;
	TALKS(IMAP, imap);
}

static void
pop3_begins_tls_only_after_ok(void **state)
{
	(void)state;
	TALKS(POP3, pop3);
}

static void
ftp_begins_tls_only_after_234(void **state)
{
	(void)state;
	TALKS(FTP, ftp);
}

static void
nntp_begins_tls_only_after_382(void **state)
{
	(void)state;
	TALKS(NNTP, nntp);
}

static void
sieve_begins_tls_only_when_it_was_offered(void **state)
{
	(void)state;
	TALKS(SIEVE, sieve);
}

static void
every_protocol_has_a_name_and_a_port(void **state)
{
	enum pf_starttls found;

	(void)state;
	for (unsigned i = 0; i < PF_STARTTLS_COUNT; i++) {
		enum pf_starttls protocol = (enum pf_starttls)i;
		const char *name = pf_starttls_name(protocol);

		claim(name, pf_starttls_find(name, &found));
		claim(name, found == protocol);
		claim(name, pf_starttls_port(protocol) != 0);
	}
	assert_true(pf_starttls_find("postgresql", &found));
	assert_int_equal(found, PF_STARTTLS_POSTGRES);
	assert_true(pf_starttls_find("mariadb", &found));
	assert_int_equal(found, PF_STARTTLS_MYSQL);
	assert_int_equal(pf_starttls_port(found), 3306);
	assert_int_equal(pf_starttls_port(PF_STARTTLS_XMPP_SERVER), 5269);
	assert_int_equal(pf_starttls_port(PF_STARTTLS_NONE), 443);
	assert_int_equal(pf_starttls_of_port(3306), PF_STARTTLS_MYSQL);
	assert_int_equal(pf_starttls_of_port(587), PF_STARTTLS_SMTP);
	assert_int_equal(pf_starttls_of_port(443), PF_STARTTLS_NONE);
	assert_int_equal(pf_starttls_of_port(0), PF_STARTTLS_NONE);
}

static void
other_names_are_no_protocols(void **state)
{
	static const char *const names[] = {"", "SMTP", "smtps", "smt", "https",
	    "xmpp-", "xmpp_server", "tls", " smtp"};
	enum pf_starttls found = PF_STARTTLS_FTP;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		claim(names[i], !pf_starttls_find(names[i], &found));
	assert_int_equal(found, PF_STARTTLS_FTP);
}

static void
without_starttls_nothing_is_said(void **state)
{
	static const struct talk rows[] = {
	    {"none", BYTES(""), BYTES(""), DONE, "", 0},
	    {"a server that speaks first", BYTES("220 hi\r\n"), BYTES(""), DONE,
	        "", 8},
	};

	(void)state;
	TALKS(NONE, rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(smtp_begins_tls_only_after_220),
	    cmocka_unit_test(lmtp_begins_tls_only_after_220),
	    cmocka_unit_test(imap_begins_tls_only_after_its_own_tag),
	    cmocka_unit_test(pop3_begins_tls_only_after_ok),
	    cmocka_unit_test(ftp_begins_tls_only_after_234),
	    cmocka_unit_test(nntp_begins_tls_only_after_382),
	    cmocka_unit_test(sieve_begins_tls_only_when_it_was_offered),
	    cmocka_unit_test(every_protocol_has_a_name_and_a_port),
	    cmocka_unit_test(other_names_are_no_protocols),
	    cmocka_unit_test(without_starttls_nothing_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
