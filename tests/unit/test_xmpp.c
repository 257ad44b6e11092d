/*
 * XMPP: streams of clients and of servers, as servers send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "talk.h"

#define STREAM                                                                 \
	"<?xml version='1.0'?><stream:stream xmlns:stream='"                   \
	"http://etherx.jabber.org/streams' xmlns='jabber:client' "             \
	"from='im.example.org' id='d9b1' version='1.0' xml:lang='en'>"
#define TLS "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
#define FEATURES                                                               \
	STREAM "<stream:features><starttls " TLS "><required/></starttls>"     \
	       "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"         \
	       "<mechanism>PLAIN</mechanism></mechanisms></stream:features>"
#define HELLO(stanzas)                                                         \
	"<?xml version='1.0'?><stream:stream to='im.example.org' xmlns='"      \
	"jabber:" stanzas                                                      \
	"' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
#define ASK "<starttls " TLS "/>"
#define FOREIGN "the server does not speak XMPP"
#define FORBIDDEN "the server sent XML that XMPP forbids"
#define MISPLACED "the server sent an element that does not belong here"
#define OURS BYTES(HELLO("client"))
#define OURS_ALL BYTES(HELLO("client") ASK)

static const struct talk client[] = {
    {"prosody", BYTES(FEATURES "<proceed " TLS "/>"), OURS_ALL, DONE, "", 0},
    {"lines, other quotes, other prefixes, an end tag",
        BYTES("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\r\n<s:stream "
              "to='a>b'\nversion=\"1.0\"\n>\n\t<s:features >\n<starttls\n" TLS
              " />text</s:features>\n<tls:proceed " TLS ">\n</tls:proceed>"),
        OURS_ALL, DONE, "", 0},
    {"no declaration",
        BYTES("<stream:stream version='1.0'><features><starttls " TLS
              "/></features><proceed/>"),
        OURS_ALL, DONE, "", 0},
    {"an element behind the go-ahead", BYTES(FEATURES "<proceed/><iq/>"),
        OURS_ALL, DONE, "", 5},
    {"a line end behind the go-ahead", BYTES(FEATURES "<proceed/>\n"), OURS_ALL,
        DONE, "", 1},
    {"space", BYTES(" \t\r\n"), OURS, MORE, "", 0},
    {"no features yet", BYTES(STREAM "<stream:features><a/>"), OURS, MORE, "",
        0},
    {"it does not offer STARTTLS",
        BYTES(STREAM "<stream:features><mechanisms/><ver x='y'/>"
                     "</stream:features>"),
        OURS, REFUSED, "the server does not offer STARTTLS: mechanisms / ver",
        0},
    {"it offers nothing", BYTES(STREAM "<stream:features/>"), OURS, REFUSED,
        "the server does not offer STARTTLS", 0},
    {"starttls of another kind",
        BYTES(STREAM "<stream:features><starttls xmlns='urn:x'/>"
                     "</stream:features>"),
        OURS, REFUSED, "the server does not offer STARTTLS: starttls", 0},
    {"another element of that kind",
        BYTES(STREAM "<stream:features><starttl " TLS "/></stream:features>"),
        OURS, REFUSED, "the server does not offer STARTTLS: starttl", 0},
    {"starttls within something else",
        BYTES(STREAM "<stream:features><x><starttls " TLS
                     "/></x></stream:features>"),
        OURS, REFUSED, "the server does not offer STARTTLS: x", 0},
    {"before version 1.0", BYTES("<stream:stream id='1'>"), OURS, REFUSED,
        "the server speaks XMPP before version 1.0, which has no STARTTLS", 0},
    {"it does not know the host",
        BYTES(STREAM "<stream:error><host-unknown xmlns='x'/></stream:error>"
                     "</stream:stream>"),
        OURS, REFUSED, "the server ends the stream: host-unknown", 0},
    {"an error without a reason", BYTES(STREAM "<stream:error/>"), OURS,
        REFUSED, "the server ends the stream", 0},
    {"the stream ends at once", BYTES(STREAM "</stream:stream>"), OURS, REFUSED,
        "the server ends the stream", 0},
    {"it refuses STARTTLS",
        BYTES(FEATURES "<failure " TLS "/></stream:stream>"), OURS_ALL, REFUSED,
        "the server refused STARTTLS", 0},
    {"it refuses STARTTLS before it is asked", BYTES(STREAM "<failure/>"), OURS,
        BROKEN, MISPLACED, 0},
    {"it proceeds before it is asked", BYTES(STREAM "<proceed " TLS "/>"), OURS,
        BROKEN, MISPLACED, 0},
    {"features once more", BYTES(FEATURES "<stream:features/>"), OURS_ALL,
        BROKEN, MISPLACED, 0},
    {"features once more, with STARTTLS",
        BYTES(FEATURES "<features><starttls " TLS "/></features>"), OURS_ALL,
        BROKEN, MISPLACED ": starttls", 0},
    {"a message", BYTES(STREAM "<message><body/></message>"), OURS, BROKEN,
        MISPLACED ": body", 0},
    {"an empty stream", BYTES("<stream:stream version='1.0'/>"), OURS, BROKEN,
        FOREIGN, 0},
    {"the end of nothing", BYTES("</stream:stream>"), OURS, BROKEN, FOREIGN, 0},
    {"a web page", BYTES("<html><body></body></html>"), OURS, BROKEN, FOREIGN,
        0},
    {"a web server", BYTES("HTTP/1.1 400 Bad Request\r\n"), OURS, BROKEN,
        FOREIGN, 0},
    {"a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), OURS, BROKEN,
        FOREIGN, 0},
    {"a NUL in the stream", BYTES(STREAM "\0"), OURS, BROKEN, FOREIGN, 0},
    {"a NUL in a tag", BYTES("<\0>"), OURS, BROKEN, FOREIGN, 0},
    {"a tag of nothing", BYTES("<>"), OURS, BROKEN, FOREIGN, 0},
    {"a tag of a slash", BYTES("</>"), OURS, BROKEN, FOREIGN, 0},
    {"a comment", BYTES("<!-- -->"), OURS, BROKEN, FORBIDDEN, 0},
    {"a DTD", BYTES("<!DOCTYPE x>"), OURS, BROKEN, FORBIDDEN, 0},
    {"an instruction", BYTES("<?php phpinfo() ?>"), OURS, BROKEN, FORBIDDEN, 0},
    {"an instruction of nothing", BYTES("<?>"), OURS, BROKEN, FORBIDDEN, 0},
    {"a declaration in the stream", BYTES(STREAM "<?xml version='1.0'?>"), OURS,
        BROKEN, FORBIDDEN, 0},
};

static const struct talk server[] = {
    {"prosody", BYTES(FEATURES "<proceed " TLS "/>"),
        BYTES(HELLO("server") ASK), DONE, "", 0},
    {"it does not offer STARTTLS", BYTES(STREAM "<stream:features/>"),
        BYTES(HELLO("server")), REFUSED, "the server does not offer STARTTLS",
        0},
    {"it offers dialback alone",
        BYTES(STREAM "<stream:features><dialback/></stream:features>"),
        BYTES(HELLO("server")), REFUSED,
        "the server does not offer STARTTLS: dialback", 0},
};

static void
clients_begin_tls_only_after_proceed(void **state)
{
	(void)state;
	TALKS(XMPP, client);
}

static void
servers_begin_tls_only_after_proceed(void **state)
{
	(void)state;
	TALKS(XMPP_SERVER, server);
}

static void
the_host_is_written_in_its_canonical_form(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
	    {"IM.Example.ORG.", " to='im.example.org' "},
	    {"192.0.2.7", " to='192.0.2.7' "},
	    {"[2001:DB8::1]", " to='2001:db8::1' "},
	};
	struct pf_dialogue d;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		struct pinfast_bytes out;

		pf_starttls_begin(&d, PF_STARTTLS_XMPP, rows[i].in);
		out = pf_dialogue_out(&d);
		memcpy(text, out.data, out.len);
		text[out.len] = '\0';
		claim(rows[i].in, strstr(text, rows[i].out) != NULL);
	}
}

static void
a_host_that_is_none_is_not_asked_for(void **state)
{
	static const char *const hosts[] = {
	    NULL, "", "a'/><x y='", "a b", "a..b", "-\r\n", "2001:db8::1%eth0"};
	struct pf_dialogue d;

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		const char *name = hosts[i] ? hosts[i] : "NULL";
		size_t used = 1;

		pf_starttls_begin(&d, PF_STARTTLS_XMPP_SERVER, hosts[i]);
		claim(name, pf_dialogue_state(&d) == BROKEN);
		claim(name, pf_dialogue_out(&d).len == 0);
		claim(name, pf_dialogue_in(&d, (const uint8_t *)"<x>", 3,
		                &used) == BROKEN);
		claim(name, used == 0);
		assert_string_equal(pf_dialogue_said(&d),
		    "this is no host that a stream can be for");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clients_begin_tls_only_after_proceed),
	    cmocka_unit_test(servers_begin_tls_only_after_proceed),
	    cmocka_unit_test(the_host_is_written_in_its_canonical_form),
	    cmocka_unit_test(a_host_that_is_none_is_not_asked_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
