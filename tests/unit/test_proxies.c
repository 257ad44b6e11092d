/*
 * Proxies: HTTP CONNECT and SOCKS5, what they are told and what they answer.
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

#define CONNECT                                                                \
	"CONNECT www.example.org:443 HTTP/1.1\r\nHost: "                       \
	"www.example.org:443\r\n\r\n"
#define ASK BYTES(CONNECT)
#define YES "HTTP/1.1 200 Connection established\r\n"
#define NO_HTTP "the proxy does not speak HTTP"

static const struct talk http[] = {
    {"squid", BYTES(YES "\r\n"), ASK, DONE, "", 0},
    {"tinyproxy",
        BYTES("HTTP/1.0 200 Connection established\r\nProxy-agent: "
              "tinyproxy/1.11.1\r\n\r\n"),
        ASK, DONE, "", 0},
    {"line feeds alone, no reason, a length that does not count",
        BYTES("HTTP/1.1 204\nContent-Length: 3\n\n"), ASK, DONE, "", 0},
    {"answers before the answer",
        BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: "
              "b\r\n\r\n" YES "\r\n"),
        ASK, DONE, "", 0},
    {"the server's first bytes behind the answer",
        BYTES(YES "\r\n\x16\x03\x01"), ASK, DONE, "", 3},
    {"no end of the fields", BYTES(YES "Via: x\r\n"), ASK, MORE, "", 0},
    {"it wants credentials",
        BYTES("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-"
              "Authenticate: Basic\r\n\r\n"),
        ASK, REFUSED,
        "the proxy wants a user name and password that it knows: HTTP/1.1 407 "
        "Proxy Authentication Required",
        0},
    {"not that port", BYTES("HTTP/1.1 403 Forbidden\r\n"), ASK, REFUSED,
        "the proxy refused CONNECT: HTTP/1.1 403 Forbidden", 0},
    {"no such host", BYTES("HTTP/1.1 503 Service Unavailable\r\n"), ASK,
        REFUSED, "the proxy refused CONNECT: HTTP/1.1 503 Service Unavailable",
        0},
    {"elsewhere", BYTES("HTTP/1.1 302 Found\r\nLocation: /login\r\n"), ASK,
        REFUSED, "the proxy refused CONNECT: HTTP/1.1 302 Found", 0},
    {"a no after an interim answer",
        BYTES("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 502 y\r\n"), ASK, REFUSED,
        "the proxy refused CONNECT: HTTP/1.1 502 y", 0},
    {"a status below 100", BYTES("HTTP/1.1 099 x\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1 099 x", 0},
    {"a status beyond 599", BYTES("HTTP/1.1 600 x\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1 600 x", 0},
    {"a status of four digits", BYTES("HTTP/1.1 2000\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1 2000", 0},
    {"a status of two digits", BYTES("HTTP/1.1 20\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1 20", 0},
    {"a status with a letter", BYTES("HTTP/1.1 2x0\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1 2x0", 0},
    {"a status with a slash", BYTES("HTTP/1.1 20/\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1 20/", 0},
    {"HTTP/1.2", BYTES("HTTP/1.2 200 x\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.2 200 x", 0},
    {"HTTP/2", BYTES("HTTP/2.0 200 x\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/2.0 200 x", 0},
    {"no space", BYTES("HTTP/1.1_200 x\r\n"), ASK, BROKEN,
        NO_HTTP ": HTTP/1.1_200 x", 0},
    {"an empty line", BYTES("\r\n"), ASK, BROKEN, NO_HTTP, 0},
    {"SMTP", BYTES("220 mail.example.org ESMTP\r\n"), ASK, BROKEN,
        NO_HTTP ": 220 mail.example.org ESMTP", 0},
    {"a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), ASK, BROKEN, NO_TEXT,
        0},
    {"a NUL among the fields", BYTES(YES "A: \0\r\n"), ASK, BROKEN, NO_TEXT, 0},
};

#define TO_NAME "\x05\x01\x00\x03\x0fwww.example.org\x01\xbb"
#define HELLO "\x05\x01\x00"
#define ASKS BYTES(HELLO TO_NAME)
#define NO_SOCKS "the proxy does not speak SOCKS5"

static const struct talk socks[] = {
    {"dante",
        BYTES("\5\0"
              "\5\0\0\1\xc0\0\2\7\xc3\x50"),
        ASKS, DONE, "", 0},
    {"bound to an IPv6 address",
        BYTES("\5\0"
              "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0"),
        ASKS, DONE, "", 0},
    {"bound to a name",
        BYTES("\5\0"
              "\5\0\0\3\3abc\0\0"),
        ASKS, DONE, "", 0},
    {"bound to no name",
        BYTES("\5\0"
              "\5\0\0\3\0\0\0"),
        ASKS, DONE, "", 0},
    {"the server's first bytes behind the reply",
        BYTES("\5\0"
              "\5\0\0\1\0\0\0\0\0\0"
              "\x16\3\1"),
        ASKS, DONE, "", 3},
    {"half a choice", BYTES("\5"), BYTES(HELLO), MORE, "", 0},
    {"half a reply",
        BYTES("\5\0"
              "\5\0\0\1\0"),
        ASKS, MORE, "", 0},
    {"nothing acceptable", BYTES("\5\xff"), BYTES(HELLO), REFUSED,
        "the proxy accepts no kind of authentication that was offered", 0},
    {"a failure",
        BYTES("\5\0"
              "\5\1\0\1"),
        ASKS, REFUSED, "the proxy reports a general failure", 0},
    {"its rules",
        BYTES("\5\0"
              "\5\2"),
        ASKS, REFUSED, "the proxy's rules do not allow this connection", 0},
    {"the network",
        BYTES("\5\0"
              "\5\3"),
        ASKS, REFUSED, "the proxy says that the network is unreachable", 0},
    {"the host",
        BYTES("\5\0"
              "\5\4"),
        ASKS, REFUSED, "the proxy says that the host is unreachable", 0},
    {"the port",
        BYTES("\5\0"
              "\5\5"),
        ASKS, REFUSED, "the proxy says that the connection was refused", 0},
    {"its patience",
        BYTES("\5\0"
              "\5\6"),
        ASKS, REFUSED, "the proxy says that the time to live expired", 0},
    {"the command",
        BYTES("\5\0"
              "\5\7"),
        ASKS, REFUSED, "the proxy does not support CONNECT", 0},
    {"the address",
        BYTES("\5\0"
              "\5\x08"),
        ASKS, REFUSED, "the proxy does not support this kind of address", 0},
    {"nobody knows",
        BYTES("\5\0"
              "\5\x09"),
        ASKS, REFUSED, "the proxy refused CONNECT without a known reason", 0},
    {"a password that was not offered", BYTES("\5\2"), BYTES(HELLO), BROKEN,
        "the proxy chose a kind of authentication that was not offered", 0},
    {"GSSAPI", BYTES("\5\1"), BYTES(HELLO), BROKEN,
        "the proxy chose a kind of authentication that was not offered", 0},
    {"an address of a kind between",
        BYTES("\5\0"
              "\5\0\0\2\0\0\0\0\0\0"),
        ASKS, BROKEN, "the proxy's reply has an unknown kind of address", 0},
    {"an address of a kind above",
        BYTES("\5\0"
              "\5\0\0\5\0"),
        ASKS, BROKEN, "the proxy's reply has an unknown kind of address", 0},
    {"SOCKS4", BYTES("\0\x5a\0\0\0\0\0\0"), BYTES(HELLO), BROKEN, NO_SOCKS, 0},
    {"another version in the reply",
        BYTES("\5\0"
              "\4\0"),
        ASKS, BROKEN, NO_SOCKS, 0},
    {"HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n"), BYTES(HELLO), BROKEN,
        NO_SOCKS, 0},
    {"a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), BYTES(HELLO), BROKEN,
        NO_SOCKS, 0},
};

#define HELLO_USER "\x05\x02\x00\x02"
#define SECRET                                                                 \
	"\x01\x04"                                                             \
	"anna\x06"                                                             \
	"se:cre"
static const struct talk socks_user[] = {
    {"dante wants the password",
        BYTES("\5\2"
              "\1\0"
              "\5\0\0\1\0\0\0\0\0\0"),
        BYTES(HELLO_USER SECRET TO_NAME), DONE, "", 0},
    {"it does not want the password",
        BYTES("\5\0"
              "\5\0\0\1\0\0\0\0\0\0"),
        BYTES(HELLO_USER TO_NAME), DONE, "", 0},
    {"a wrong password",
        BYTES("\5\2"
              "\1\1"),
        BYTES(HELLO_USER SECRET), REFUSED,
        "the proxy refused the user name and password", 0},
    {"refused afterwards",
        BYTES("\5\2"
              "\1\0"
              "\5\2"),
        BYTES(HELLO_USER SECRET TO_NAME), REFUSED,
        "the proxy's rules do not allow this connection", 0},
    {"another version of RFC 1929",
        BYTES("\5\2"
              "\5\0"),
        BYTES(HELLO_USER SECRET), BROKEN, NO_SOCKS, 0},
    {"nothing acceptable", BYTES("\5\xff"), BYTES(HELLO_USER), REFUSED,
        "the proxy accepts no kind of authentication that was offered", 0},
};

static void
http_goes_on_only_after_2xx(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof http / sizeof *http; i++) {
		struct pf_dialogue d;

		pf_httpconnect_begin(&d, "www.example.org", 443, NULL, NULL);
		talk_hold(&d, http + i, 1);
		talk_truncate(&d, http + i);
	}
}

static void
socks_goes_on_only_after_success(void **state)
{
	struct pf_dialogue d;

	(void)state;
	for (size_t i = 0; i < sizeof socks / sizeof *socks; i++) {
		pf_socks5_begin(&d, "www.example.org", 443, NULL, NULL);
		talk_hold(&d, socks + i, 1);
		talk_truncate(&d, socks + i);
	}
	for (size_t i = 0; i < sizeof socks_user / sizeof *socks_user; i++) {
		pf_socks5_begin(&d, "www.example.org", 443, "anna", "se:cre");
		talk_hold(&d, socks_user + i, 1);
		talk_truncate(&d, socks_user + i);
	}
}

/* What is asked for, in the bytes that go out. */
struct request {
	const char *name;
	const char *host;
	uint16_t port;
	const char *user;
	const char *password;
	const char *ours;
	size_t ours_len;
};

static const struct request http_requests[] = {
    {"IPv4", "192.0.2.7", 8443, NULL, NULL,
        BYTES("CONNECT 192.0.2.7:8443 HTTP/1.1\r\nHost: "
              "192.0.2.7:8443\r\n\r\n")},
    {"IPv6", "2001:db8:0::1", 65535, NULL, NULL,
        BYTES("CONNECT [2001:db8::1]:65535 HTTP/1.1\r\nHost: "
              "[2001:db8::1]:65535\r\n\r\n")},
    {"canonical", "WWW.Example.Org.", 0, NULL, "unused",
        BYTES("CONNECT www.example.org:0 HTTP/1.1\r\nHost: www.example.org:0"
              "\r\n\r\n")},
    {"credentials (RFC 7617)", "a.example", 443, "Aladdin", "open sesame",
        BYTES("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
              "Proxy-Authorization: Basic "
              "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n")},
    {"no password", "a.example", 443, "a", NULL,
        BYTES("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
              "Proxy-Authorization: Basic YTo=\r\n\r\n")},
};

static const struct request socks_requests[] = {
    {"IPv4", "192.0.2.7", 8443, NULL, NULL,
        BYTES(HELLO "\5\1\0\1\xc0\0\2\7\x20\xfb")},
    {"IPv6", "[2001:db8::1]", 443, NULL, NULL,
        BYTES(HELLO "\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb")},
    {"an IPv4 address in IPv6", "::ffff:192.0.2.7", 443, NULL, NULL,
        BYTES(HELLO "\5\1\0\1\xc0\0\2\7\1\xbb")},
    {"a name", "A.example.", 443, NULL, "unused",
        BYTES(HELLO "\5\1\0\3\x09"
                    "a.example\1\xbb")},
    {"no password", "a.example", 443, "", NULL,
        BYTES(HELLO_USER "\5\1\0\3\x09"
                         "a.example\1\xbb")},
};

static void
the_request_is_what_the_standard_says(void **state)
{
	struct pf_dialogue d;
	struct talk row = {"", BYTES(YES "\r\n"), NULL, 0, DONE, "", 0};

	(void)state;
	for (size_t i = 0; i < sizeof http_requests / sizeof *http_requests;
	     i++) {
		const struct request *r = http_requests + i;

		row.name = r->name;
		row.ours = r->ours;
		row.ours_len = r->ours_len;
		pf_httpconnect_begin(&d, r->host, r->port, r->user,
		    r->password);
		talk_hold(&d, &row, 1);
	}
	row.peer = "\5\0"
	           "\5\0\0\1\0\0\0\0\0\0";
	row.peer_len = 12;
	for (size_t i = 0; i < sizeof socks_requests / sizeof *socks_requests;
	     i++) {
		const struct request *r = socks_requests + i;

		row.name = r->name;
		row.ours = r->ours;
		row.ours_len = r->ours_len;
		pf_socks5_begin(&d, r->host, r->port, r->user, r->password);
		talk_hold(&d, &row, 1);
	}
}

/* A text of len letters; two of them live at a time. */
static const char *
letters(int which, size_t len)
{
	static char text[2][300];

	memset(text[which], 'a', len);
	text[which][len] = '\0';
	return text[which];
}

static void
what_cannot_be_sent_is_not_begun(void **state)
{
	static const char none[] =
	    "this is no host that a proxy can be asked for";
	static const char http_user[] =
	    "the proxy's user name is longer than 255 bytes or has a colon";
	static const char http_word[] =
	    "the proxy's password is longer than 255 bytes";
	static const char both[] =
	    "the proxy's user name or password is longer than 255 bytes";
	const struct {
		const char *host;
		const char *user;
		const char *password;
		const char *http;
		const char *socks;
	} rows[] = {
	    {"", NULL, NULL, none, none},
	    {"a b", NULL, NULL, none, none},
	    {"a\r\nHost: b", NULL, NULL, none, none},
	    {"192.0.2.07", NULL, NULL, none, none},
	    {"fe80::1%eth0", NULL, NULL, none, none},
	    {"a.example", letters(0, 256), "", http_user, both},
	    {"a.example", "a", letters(1, 256), http_word, both},
	};
	struct pf_dialogue d;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		pf_httpconnect_begin(&d, rows[i].host, 443, rows[i].user,
		    rows[i].password);
		claim(rows[i].host, pf_dialogue_state(&d) == BROKEN);
		claim(rows[i].host, pf_dialogue_out(&d).len == 0);
		assert_string_equal(pf_dialogue_said(&d), rows[i].http);
		pf_socks5_begin(&d, rows[i].host, 443, rows[i].user,
		    rows[i].password);
		claim(rows[i].host, pf_dialogue_state(&d) == BROKEN);
		claim(rows[i].host, pf_dialogue_out(&d).len == 0);
		assert_string_equal(pf_dialogue_said(&d), rows[i].socks);
	}
	pf_httpconnect_begin(&d, "a.example", 443, "a:b", "");
	assert_int_equal(pf_dialogue_state(&d), BROKEN);
	assert_string_equal(pf_dialogue_said(&d), http_user);
}

/* The longest of everything fits. */
static void
the_longest_request_fits(void **state)
{
	char host[254];
	struct pf_dialogue d;
	struct pinfast_bytes out;

	(void)state;
	memset(host, 'h', sizeof host);
	host[63] = host[127] = host[191] = '.';
	host[253] = '\0';
	pf_httpconnect_begin(&d, host, 65535, letters(0, 255), letters(1, 255));
	out = pf_dialogue_out(&d);
	assert_int_equal(out.len, 8 + 259 + 17 + 259 + 2 + 27 + 684 + 2 + 2);
	assert_true(out.len <= sizeof d.out);
	assert_memory_equal(out.data + out.len - 6, "==\r\n\r\n", 6);
	pf_socks5_begin(&d, host, 65535, letters(0, 255), letters(1, 255));
	assert_int_equal(pf_dialogue_out(&d).len, 4);
	assert_int_equal(d.out_to + d.aside + d.number, 4 + 513 + 260);
}

/* A password does not stay where it was once it is sent, or of no use. */
static void
passwords_are_wiped(void **state)
{
	static const uint8_t zeros[sizeof((struct pf_dialogue *)NULL)->out];
	static const char *const answers[] = {"\5\0", "\5\xff", "\5\2"};
	struct pf_dialogue d;
	size_t used;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		pf_socks5_begin(&d, "a.example", 443, "anna", "secret");
		pf_dialogue_sent(&d, pf_dialogue_out(&d).len);
		(void)pf_dialogue_in(&d, (const uint8_t *)answers[i], 2, &used);
		pf_dialogue_sent(&d, pf_dialogue_out(&d).len);
		for (size_t at = 0; at + 6 <= sizeof d.out; at++)
			assert_memory_not_equal(d.out + at, "secret", 6);
	}
	pf_httpconnect_begin(&d, "a.example", 443, "anna", "secret");
	pf_dialogue_sent(&d, SIZE_MAX);
	assert_memory_equal(d.out, zeros, sizeof d.out);
	assert_int_equal(pf_dialogue_out(&d).len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(http_goes_on_only_after_2xx),
	    cmocka_unit_test(socks_goes_on_only_after_success),
	    cmocka_unit_test(the_request_is_what_the_standard_says),
	    cmocka_unit_test(what_cannot_be_sent_is_not_begun),
	    cmocka_unit_test(the_longest_request_fits),
	    cmocka_unit_test(passwords_are_wiped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
