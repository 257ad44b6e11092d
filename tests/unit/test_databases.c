/*
 * PostgreSQL and MySQL: one answer before TLS, of bytes and not of lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "talk.h"

/* Eight bytes: their number, and 1234.5679. */
#define ASK BYTES("\0\0\0\x08\x04\xd2\x16\x2f")
#define PG_LONG                                                                \
	"the server does not speak PostgreSQL, or its message is longer than " \
	"1024 bytes"
#define PG_REFUSED "the server refused SSLRequest"
#define PG_FOREIGN "the server does not speak PostgreSQL"

static const struct talk postgres[] = {
    {"yes", BYTES("S"), ASK, DONE, "", 0},
    {"bytes behind the go-ahead (CVE-2021-23222)", BYTES("SR\0\0\0\x08"), ASK,
        DONE, "", 5},
    {"nothing yet", BYTES(""), ASK, MORE, "", 0},
    {"half an error", BYTES("E\0\0\0\x10SFATAL\0"), ASK, MORE, "", 0},
    {"no", BYTES("N"), ASK, REFUSED, "the server does not offer TLS", 0},
    {"no, and more", BYTES("NS"), ASK, REFUSED, "the server does not offer TLS",
        0},
    {"too many clients",
        BYTES("E\0\0\0\x3eSFATAL\0VFATAL\0C53300\0Msorry, too many clients "
              "already\0Fproc.c\0\0"),
        ASK, REFUSED, PG_REFUSED ": sorry, too many clients already", 0},
    {"an error without a text", BYTES("E\0\0\0\x0dSFATAL\0\0\0"), ASK, REFUSED,
        PG_REFUSED, 0},
    {"an error of nothing", BYTES("E\0\0\0\x04"), ASK, REFUSED, PG_REFUSED, 0},
    {"an error that ends in its text", BYTES("E\0\0\0\x0aMsorry"), ASK, REFUSED,
        PG_REFUSED, 0},
    {"an error that ends behind its text", BYTES("E\0\0\0\x08Msr\0"), ASK,
        REFUSED, PG_REFUSED ": sr", 0},
    {"an error shorter than its length", BYTES("E\0\0\0\x03"), ASK, BROKEN,
        PG_LONG, 0},
    {"an error of 1,025 bytes", BYTES("E\0\0\x04\x00"), ASK, BROKEN, PG_LONG,
        0},
    {"an error of old servers, which is text", BYTES("EFATAL:  no\n\0"), ASK,
        BROKEN, PG_LONG, 0},
    {"a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), ASK, BROKEN,
        PG_FOREIGN, 0},
    {"text", BYTES("HTTP/1.1 400 Bad Request\r\n"), ASK, BROKEN, PG_FOREIGN, 0},
    {"a small s", BYTES("s"), ASK, BROKEN, PG_FOREIGN, 0},
};

#define MY_ASK                                                                 \
	BYTES("\x20\0\0\x01\x01\x8a\x08\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0" \
	      "\0\0\0\0\0\0\0\0\0\0\0\0")
#define MY_FOREIGN "the server does not speak MySQL"
#define MY_LONG MY_FOREIGN ", or its packet is longer than 1024 bytes"
#define MARIADB "5.5.5-10.11.6-MariaDB-0+deb12u1"
#define THREAD "\x1f\0\0\0"
#define CHALLENGE "abcdefgh\0"

static const struct talk mysql[] = {
    {"mariadb",
        BYTES("\x63\0\0\0\x0a" MARIADB "\0" THREAD CHALLENGE
              "\xfe\xff\x2d\x02\x00\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0"
              "ijklmnopqrst\0mysql_native_password\0"),
        MY_ASK, DONE, "", 0},
    {"a greeting as short as can be",
        BYTES("\x12\0\0\0\x0a"
              "5\0" THREAD CHALLENGE "\0\x08"),
        MY_ASK, DONE, "", 0},
    {"a packet behind the greeting",
        BYTES("\x12\0\0\0\x0a"
              "5\0" THREAD CHALLENGE "\0\x08\x01\0\0\x02\0"),
        MY_ASK, DONE, "", 5},
    {"half a greeting",
        BYTES("\x12\0\0\0\x0a"
              "5\0" THREAD),
        BYTES(""), MORE, "", 0},
    {"it does not offer TLS",
        BYTES("\x18\0\0\0\x0a"
              "8.0.36\0" THREAD CHALLENGE "\xff\xf7\0"),
        BYTES(""), REFUSED, "the server does not offer TLS: 8.0.36", 0},
    {"not from here",
        BYTES("\x45\0\0\0\xff\x6a\x04Host '192.0.2.7' is not allowed to "
              "connect to this MariaDB server."),
        BYTES(""), REFUSED,
        "the server refuses service: Host '192.0.2.7' is not allowed to "
        "connect to this MariaDB server.",
        0},
    {"too many connections, with a state",
        BYTES("\x1d\0\0\0\xff\x10\x04#08004Too many connections"), BYTES(""),
        REFUSED, "the server refuses service: Too many connections", 0},
    {"a NUL in the text", BYTES("\x09\0\0\0\xff\x10\x04no\0way"), BYTES(""),
        REFUSED, "the server refuses service: no way", 0},
    {"an error with no text", BYTES("\x03\0\0\0\xff\x10\x04"), BYTES(""),
        REFUSED, "the server refuses service", 0},
    {"an error that ends in its state", BYTES("\x05\0\0\0\xff\x10\x04#0"),
        BYTES(""), REFUSED, "the server refuses service", 0},
    {"an error that has no number", BYTES("\x01\0\0\0\xff"), BYTES(""), REFUSED,
        "the server refuses service", 0},
    {"protocol 9",
        BYTES("\x12\0\0\0\x09"
              "5\0" THREAD CHALLENGE "\0\x08"),
        BYTES(""), BROKEN, MY_FOREIGN, 0},
    {"another packet than the first",
        BYTES("\x12\0\0\x01\x0a"
              "5\0" THREAD CHALLENGE "\0\x08"),
        BYTES(""), BROKEN, MY_FOREIGN, 0},
    {"a version without an end",
        BYTES("\x05\0\0\0\x0a"
              "8.0."),
        BYTES(""), BROKEN, MY_FOREIGN, 0},
    {"a greeting one byte shorter than can be",
        BYTES("\x11\0\0\0\x0a"
              "5\0" THREAD CHALLENGE "\0"),
        BYTES(""), BROKEN, MY_FOREIGN, 0},
    {"a packet of nothing", BYTES("\0\0\0\0"), BYTES(""), BROKEN, MY_LONG, 0},
    {"a packet of 1,025 bytes", BYTES("\xfd\x03\0\0"), BYTES(""), BROKEN,
        MY_LONG, 0},
    {"a packet of 16 MiB", BYTES("\xff\xff\xff\0"), BYTES(""), BROKEN, MY_LONG,
        0},
    {"a TLS alert", BYTES("\x15\x03\x03\x00\x02\x02\x46"), BYTES(""), BROKEN,
        MY_LONG, 0},
    {"text", BYTES("220 hi\r\n"), BYTES(""), BROKEN, MY_LONG, 0},
};

static void
postgres_begins_tls_only_after_s(void **state)
{
	(void)state;
	TALKS(POSTGRES, postgres);
}

static void
mysql_begins_tls_only_when_it_was_offered(void **state)
{
	(void)state;
	TALKS(MYSQL, mysql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(postgres_begins_tls_only_after_s),
	    cmocka_unit_test(mysql_begins_tls_only_when_it_was_offered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
