#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "core/spki.h"
#include "claim.h"
#include "der_text.h"

/* The parts of a small certificate. */
#define OID "06{2a864886f70d01010b}"
#define V3 "a0{02{02}}"
#define SERIAL "02{01}"
#define ALG "30{" OID "0500}"
#define PAIR(text) "30{06{550403}0c{" text "}}"
#define NAME(text) "30{31{" PAIR(text) "}}"
#define ISSUER NAME("61")
#define SUBJECT NAME("62")
#define TIME "17{3236303130313030303030305a}"
#define LATER "18{32303530303130313030303030305a}"
#define TIMES "30{" TIME LATER "}"
#define KEY "30{30{06{2b6570}}03{000102}}"
#define PINNED "30{30{06{2b6570}}03{00ffff}}"
#define EXT "30{06{551d13}0101ff04{3000}}30{06{551d0f}04{0302}}"
#define EXTS "a3{30{" EXT "}}"
#define SIG "03{00aabb}"
#define FRONT V3 SERIAL ALG ISSUER TIMES SUBJECT
#define TBS FRONT KEY EXTS
#define CERT(tbs) "30{30{" tbs "}" ALG SIG "}"
#define REQUEST(info) "30{30{" info "}" ALG SIG "}"
#define ATTRIBUTES "a0{30{06{2a864886f70d01090e}31{3000}}}"

struct row {
	const char *name;
	const char *text;
};

/* Odd values that do not move the structure. */
#define LONG32                                                                 \
	"0000000000000000000000000000000000000000000000000000000000000000"
#define LONG LONG32 LONG32 LONG32 LONG32 "00"

static const struct row accepted[] = {
    {"ordinary", CERT(TBS)},
    {"v1 has no version", CERT(SERIAL ALG ISSUER TIMES SUBJECT KEY)},
    {"explicit v1", CERT("a0{02{00}}" SERIAL ALG ISSUER TIMES SUBJECT KEY)},
    {"extensions in v1", CERT(SERIAL ALG ISSUER TIMES SUBJECT KEY EXTS)},
    {"no extensions at all", CERT(FRONT KEY "a3{30{}}")},
    {"critical written as false",
        CERT(FRONT KEY "a3{30{30{06{551d13}010100 04{3000}}}}")},
    {"empty extension value", CERT(FRONT KEY "a3{30{30{06{551d13}0400}}}")},
    {"unique identifiers", CERT(FRONT KEY "81{0001}82{0002}" EXTS)},
    {"subject's identifier alone", CERT(FRONT KEY "82{0002}" EXTS)},
    {"long parameters",
        CERT(V3 SERIAL "30{" OID "04{" LONG "}}" ISSUER TIMES SUBJECT KEY)},
    {"empty names", CERT(V3 SERIAL ALG "3000" TIMES "30{31{}}" KEY EXTS)},
    {"two attributes in one set",
        CERT(V3 SERIAL ALG "30{31{" PAIR("61")
                PAIR("62") "}}" TIMES SUBJECT KEY EXTS)},
    {"other signature algorithm outside", "30{30{" TBS "}30{06{2a}}03{00}}"},
    {"parameters of any kind", CERT(FRONT "30{30{06{2a}300105}03{00}}" EXTS)},
    {"dates that are none",
        CERT(V3 SERIAL ALG ISSUER "30{1700 18{61}}" SUBJECT KEY EXTS)},
    {"negative serial number of many octets",
        CERT(V3 "02{ffffffffffffffffffffffffffffffffffffffffffffff}" ALG ISSUER
                TIMES SUBJECT KEY EXTS)},
};

static const struct row refused[] = {
    {"no bytes", "!"},
    {"not a sequence", "!31{30{" TBS "}" ALG SIG "}"},
    {"text", "!2d2d2d2d2d424547494e"},
    {"trailing byte", CERT(TBS) "!00"},
    {"two certificates", CERT(TBS) "!" CERT(TBS)},
    {"indefinite length", "30!80 30{" TBS "}" ALG SIG "0000"},
    {"empty sequence", "30{!}"},
    {"empty signed part", "30{30{!}" ALG SIG "}"},
    {"signed part is a set", "30{!31{" TBS "}" ALG SIG "}"},
    {"no outer algorithm", "30{30{" TBS "}!" SIG "}"},
    {"no signature", "30{30{" TBS "}" ALG "!}"},
    {"empty signature", "30{30{" TBS "}" ALG "03{!}}"},
    {"signature is an octet string", "30{30{" TBS "}" ALG "!04{00}}"},
    {"signature twice", "30{30{" TBS "}" ALG SIG "!" SIG "}"},
    {"version is primitive", CERT("!80{020102}" SERIAL ALG ISSUER TIMES)},
    {"empty version", CERT("a0{!}" SERIAL ALG ISSUER TIMES)},
    {"version without a value", CERT("a0{02{!}}" SERIAL ALG ISSUER TIMES)},
    {"version 4", CERT("a0{02{!03}}" SERIAL ALG ISSUER TIMES SUBJECT KEY)},
    {"version -1", CERT("a0{02{!ff}}" SERIAL ALG ISSUER TIMES SUBJECT KEY)},
    {"version of two octets",
        CERT("a0{02{00!02}}" SERIAL ALG ISSUER TIMES SUBJECT KEY)},
    {"two versions", CERT("a0{020102!020102}" SERIAL ALG ISSUER TIMES)},
    {"version cut short", "30043002a0!03"},
    {"no serial number", CERT(V3 "!" ALG ISSUER TIMES SUBJECT KEY)},
    {"empty serial number", CERT(V3 "02{!}" ALG ISSUER TIMES SUBJECT KEY)},
    {"no inner algorithm", CERT(V3 SERIAL "30{!31{" PAIR("61") "}}")},
    {"algorithm without an OID", CERT(V3 SERIAL "30{!0500}" ISSUER)},
    {"algorithm with an empty OID", CERT(V3 SERIAL "30{06{!}}" ISSUER)},
    {"algorithm without its sequence", CERT(V3 SERIAL "!" OID ISSUER)},
    {"empty algorithm", CERT(V3 SERIAL "30{!}" ISSUER)},
    {"algorithm is a set", CERT(V3 SERIAL "!31{" OID "}" ISSUER)},
    {"parameters with a high tag", CERT(V3 SERIAL "30{" OID "!1f2100}")},
    {"parameters cut short", CERT(V3 SERIAL "30{" OID "05!01}" ISSUER)},
    {"two parameters", CERT(V3 SERIAL "30{" OID "0500!0500}" ISSUER)},
    {"name is a set", CERT(V3 SERIAL ALG "!31{}" TIMES SUBJECT KEY)},
    {"set in name is a sequence", CERT(V3 SERIAL ALG "30{!30{}}" TIMES)},
    {"attribute is a set", CERT(V3 SERIAL ALG "30{31{!31{06{55}0500}}}" TIMES)},
    {"attribute without its sequence",
        CERT(V3 SERIAL ALG "30{31{!06{55}0500}}" TIMES)},
    {"attribute without a type", CERT(V3 SERIAL ALG "30{31{30{!0c00}}}")},
    {"attribute with an empty type",
        CERT(V3 SERIAL ALG "30{31{30{06{!}0500}}}" TIMES)},
    {"attribute without a value", CERT(V3 SERIAL ALG "30{31{30{06{55}!}}}")},
    {"attribute with two values",
        CERT(V3 SERIAL ALG "30{31{30{06{55}0500!0500}}}" TIMES)},
    {"attribute value with a high tag",
        CERT(V3 SERIAL ALG "30{31{30{06{55}!1f2000}}}" TIMES)},
    {"attribute reaches beyond its set",
        CERT(V3 SERIAL ALG "30{3104 30!0506015500 0500}" TIMES)},
    {"set reaches beyond its name",
        CERT(V3 SERIAL ALG "3002 31!03 300100" TIMES)},
    {"validity is a set", CERT(V3 SERIAL ALG ISSUER "!31{" TIME TIME "}")},
    {"times without their sequence",
        CERT(V3 SERIAL ALG ISSUER "!" TIME TIME SUBJECT KEY)},
    {"no time", CERT(V3 SERIAL ALG ISSUER "30{!}" SUBJECT KEY)},
    {"one time", CERT(V3 SERIAL ALG ISSUER "30{" TIME "!}" SUBJECT KEY)},
    {"three times",
        CERT(V3 SERIAL ALG ISSUER "30{" TIME TIME "!" TIME "}" SUBJECT)},
    {"time is a string", CERT(V3 SERIAL ALG ISSUER "30{!0c{61}" TIME "}")},
    {"second time is a string",
        CERT(V3 SERIAL ALG ISSUER "30{" LATER "!0c{61}}" SUBJECT KEY)},
    {"key is a set", CERT(FRONT "!31{30{06{2a}}03{00}}" EXTS)},
    {"no key", CERT(FRONT "!" EXTS)},
    {"key without an algorithm", CERT(FRONT "30{!03{0001}}" EXTS)},
    {"key without bits", CERT(FRONT "30{30{06{2a}}!}" EXTS)},
    {"key with empty bits", CERT(FRONT "30{30{06{2a}}03{!}}" EXTS)},
    {"key with unused bits", CERT(FRONT "30{30{06{2a}}03{!0780}}" EXTS)},
    {"key bits in constructed form",
        CERT(FRONT "30{30{06{2a}}!23{03{0001}}}" EXTS)},
    {"two bit strings in a key",
        CERT(FRONT "30{30{06{2a}}03{0001}!03{0001}}" EXTS)},
    {"second key", CERT(FRONT KEY "!" PINNED EXTS)},
    {"unique identifier twice", CERT(FRONT KEY "81{00}!81{00}" EXTS)},
    {"unique identifiers in the wrong order",
        CERT(FRONT KEY "82{00}!81{00}" EXTS)},
    {"unique identifier without octets", CERT(FRONT KEY "81{!}" EXTS)},
    {"unique identifier in constructed form",
        CERT(FRONT KEY "!a1{03{00}}" EXTS)},
    {"extensions without their wrapper", CERT(FRONT KEY "!30{" EXT "}")},
    {"extensions without their list", CERT(FRONT KEY "a3{30{!" OID "}}")},
    {"empty wrapper of extensions", CERT(FRONT KEY "a3{!}")},
    {"wrapper holds something more", CERT(FRONT KEY "a3{30{" EXT "}!0500}")},
    {"wrapper is too long", CERT(FRONT KEY "a3!7f 0500")},
    {"extensions twice", CERT(FRONT KEY EXTS "!" EXTS)},
    {"extension without its sequence", CERT(FRONT KEY "a3{30{!06{55}0400}}")},
    {"extension is a set", CERT(FRONT KEY "a3{30{!31{06{55}0400}}}")},
    {"extension without a type", CERT(FRONT KEY "a3{30{30{!0400}}}")},
    {"extension with an empty type", CERT(FRONT KEY "a3{30{30{06{!}0400}}}")},
    {"empty critical mark", CERT(FRONT KEY "a3{30{30{06{55}01{!}0400}}}")},
    {"critical mark of two octets",
        CERT(FRONT KEY "a3{30{30{06{55}01{ff!ff}0400}}}")},
    {"extension without a value", CERT(FRONT KEY "a3{30{30{06{55}0101ff!}}}")},
    {"extension value is a sequence",
        CERT(FRONT KEY "a3{30{30{06{55}!3000}}}")},
    {"extension value in constructed form",
        CERT(FRONT KEY "a3{30{30{06{55}!24{0400}}}}")},
    {"extension with two values",
        CERT(FRONT KEY "a3{30{30{06{55}0400!0400}}}")},
    {"junk behind the extensions", CERT(FRONT KEY EXTS "!0500")},
    {"end of contents as an element", CERT(FRONT KEY "!0000")},
};

/*
 * Values that grow to hold what belongs behind them, so that a walker which
 * only skips them by length comes to the pinned key.
 */
static const struct row swallowing[] = {
    {"version", CERT("a0{020102!" SERIAL ALG ISSUER TIMES SUBJECT KEY
                     "}" SERIAL ALG ISSUER TIMES SUBJECT PINNED)},
    {"signature algorithm",
        CERT(V3 SERIAL "30{" OID "0500!" ISSUER TIMES SUBJECT KEY
                       "}" ISSUER TIMES SUBJECT PINNED)},
    {"signature algorithm's parameters",
        CERT(V3 SERIAL "30{" OID "30{" ISSUER TIMES SUBJECT KEY "}!" ISSUER
                       "}" ISSUER TIMES SUBJECT PINNED)},
    {"issuer",
        CERT(V3 SERIAL ALG "30{31{" PAIR("61") "}!" TIMES SUBJECT KEY
                                               "}" TIMES SUBJECT PINNED)},
    {"issuer's last set",
        CERT(V3 SERIAL ALG "30{31{" PAIR("61") "30{!" TIME
                                               "}}}" TIMES SUBJECT PINNED)},
    {"validity", CERT(V3 SERIAL ALG ISSUER "30{" TIME TIME "!" SUBJECT KEY
                                           "}" SUBJECT PINNED)},
    {"validity, in front of the times",
        CERT(V3 SERIAL ALG ISSUER "30{!" SUBJECT KEY TIME TIME
                                  "}" SUBJECT PINNED)},
    {"validity, instead of a time",
        CERT(V3 SERIAL ALG ISSUER "30{" TIME "!" SUBJECT KEY
                                  "}" SUBJECT PINNED)},
    {"subject", CERT(V3 SERIAL ALG ISSUER TIMES
                    "30{31{" PAIR("62") "}!" KEY "}" PINNED)},
    {"subject, in front of its sets",
        CERT(V3 SERIAL ALG ISSUER TIMES "30{!" KEY
                                        "31{" PAIR("62") "}}" PINNED)},
    {"key's algorithm", CERT(FRONT "30{30{06{2b6570}0500!03{000102}}"
                                   "03{00ffff}}")},
    {"key's algorithm without parameters",
        CERT(FRONT "30{30{06{2b6570}"
                   "03{000102}!0500}03{00ffff}}")},
    {"key", CERT(FRONT "30{30{06{2b6570}}03{000102}!" PINNED "}")},
};

static struct pinfast_bytes
bytes_of(const struct der_text *t)
{
	struct pinfast_bytes bytes = {t->data, t->len};

	return bytes;
}

static int
bytes_are(struct pinfast_bytes bytes, const char *text)
{
	struct der_text want;

	der_text(text, &want);
	return bytes.len == want.len &&
	       pf_same(bytes.data, want.data, want.len);
}

static void
a_certificate_is_shown_as_it_stands(void **state)
{
	struct der_text t;
	struct pf_cert cert;
	struct pinfast_bytes content;

	(void)state;
	der_text(CERT(TBS), &t);
	assert_int_equal(pf_cert_walk(bytes_of(&t), &cert, NULL), PINFAST_OK);
	assert_true(bytes_are(cert.key.spki, KEY));
	assert_true(bytes_are(cert.key.oid, "2b6570"));
	assert_int_equal(cert.key.params.len, 0);
	assert_true(bytes_are(cert.key.bits, "0102"));
	assert_true(bytes_are(cert.issuer, ISSUER));
	assert_true(bytes_are(cert.subject, SUBJECT));
	assert_true(bytes_are(cert.not_before, TIME));
	assert_true(bytes_are(cert.not_after, LATER));
	assert_true(bytes_are(cert.extensions, EXT));
	content = cert.key.spki;
	assert_true(content.data > t.data);
	der_text(CERT(FRONT "30{30{06{2a}300105}03{00}}"), &t);
	assert_int_equal(pf_cert_walk(bytes_of(&t), &cert, NULL), PINFAST_OK);
	assert_true(bytes_are(cert.key.params, "300105"));
	assert_int_equal(cert.key.bits.len, 0);
	assert_int_equal(cert.extensions.len, 0);
}

static void
values_that_move_nothing_are_not_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
		struct der_text t;
		struct pf_cert cert;
		struct pf_key key;

		der_text(accepted[i].text, &t);
		claim(accepted[i].name,
		    pf_cert_walk(bytes_of(&t), &cert, NULL) == PINFAST_OK);
		claim(accepted[i].name,
		    pf_spki_walk(cert.key.spki, &key, NULL) == PINFAST_OK);
		claim(accepted[i].name, pf_csr_walk(bytes_of(&t), &key, NULL,
		                            NULL) == PINFAST_EFORMAT);
	}
}

/* Each row is walked in a block of just its size. */
static void
refuse(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct der_text t;
		struct pf_cert cert = {.not_before = {NULL, 7}};
		struct pinfast_bytes der;
		uint8_t *copy;
		size_t bad_at = 9999;

		der_text(rows[i].text, &t);
		claim(rows[i].name, t.mark != DER_TEXT_NO_MARK);
		copy = malloc(t.len + 1);
		assert_non_null(copy);
		memcpy(copy + 1, t.data, t.len);
		der.data = copy + 1;
		der.len = t.len;
		claim(rows[i].name,
		    pf_cert_walk(der, &cert, &bad_at) == PINFAST_EFORMAT);
		if (bad_at != t.mark)
			fail_msg("%s: wrong byte at %zu, said %zu",
			    rows[i].name, t.mark, bad_at);
		claim(rows[i].name,
		    pf_cert_walk(der, &cert, NULL) == PINFAST_EFORMAT);
		claim(rows[i].name, cert.not_before.len == 7);
		free(copy);
	}
}

static void
what_is_not_structure_exact_is_refused_at_its_first_byte(void **state)
{
	(void)state;
	refuse(refused, sizeof refused / sizeof *refused);
}

static void
no_value_can_swallow_the_key(void **state)
{
	(void)state;
	refuse(swallowing, sizeof swallowing / sizeof *swallowing);
}

static void
nothing_at_all_is_refused(void **state)
{
	struct pinfast_bytes none = {NULL, 0};
	struct pf_cert cert;
	struct pf_key key;
	size_t bad_at = 5;

	(void)state;
	assert_int_equal(pf_cert_walk(none, &cert, &bad_at), PINFAST_EFORMAT);
	assert_int_equal(bad_at, 0);
	assert_int_equal(pf_spki_walk(none, &key, NULL), PINFAST_EFORMAT);
	assert_int_equal(pf_csr_walk(none, &key, NULL, NULL), PINFAST_EFORMAT);
}

#define INFO "02{00}" SUBJECT KEY ATTRIBUTES

static void
a_request_is_read(void **state)
{
	static const struct row good[] = {
	    {"with attributes", REQUEST(INFO)},
	    {"with no attributes", REQUEST("02{00}" SUBJECT KEY "a000")},
	    {"without the attributes", REQUEST("02{00}" SUBJECT KEY)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct der_text t;
		struct pf_key key;
		struct pf_cert cert;
		struct pinfast_bytes subject;

		der_text(good[i].text, &t);
		claim(good[i].name, pf_csr_walk(bytes_of(&t), &key, &subject,
		                        NULL) == PINFAST_OK);
		claim(good[i].name, bytes_are(key.spki, KEY));
		claim(good[i].name, bytes_are(subject, SUBJECT));
		claim(good[i].name,
		    pf_csr_walk(bytes_of(&t), &key, NULL, NULL) == PINFAST_OK);
		claim(good[i].name,
		    pf_cert_walk(bytes_of(&t), &cert, NULL) == PINFAST_EFORMAT);
	}
}

static void
what_is_not_a_request_is_refused_at_its_first_byte(void **state)
{
	static const struct row bad[] = {
	    {"no version", REQUEST("!" SUBJECT KEY)},
	    {"version of two octets", REQUEST("02{00!00}" SUBJECT KEY)},
	    {"name is a set", REQUEST("02{00}!31{}" KEY)},
	    {"no key", REQUEST("02{00}" SUBJECT "!a000")},
	    {"key with unused bits",
	        REQUEST("02{00}" SUBJECT "30{30{06{2a}}03{!01}}")},
	    {"attributes are a set", REQUEST("02{00}" SUBJECT KEY "!31{}")},
	    {"attributes too long", REQUEST("02{00}" SUBJECT KEY "a0!01")},
	    {"attribute without a type",
	        REQUEST("02{00}" SUBJECT KEY "a0{30{!3100}}")},
	    {"second key", REQUEST("02{00}" SUBJECT KEY "!" KEY)},
	    {"no signature", "30{30{" INFO "}" ALG "!}"},
	    {"trailing byte", REQUEST(INFO) "!00"},
	    {"certificate", CERT("!" TBS)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct der_text t;
		struct pf_key key = {.oid = {NULL, 7}};
		size_t bad_at = 9999;

		der_text(bad[i].text, &t);
		claim(bad[i].name, pf_csr_walk(bytes_of(&t), &key, NULL,
		                       &bad_at) == PINFAST_EFORMAT);
		if (bad_at != t.mark)
			fail_msg("%s: wrong byte at %zu, said %zu", bad[i].name,
			    t.mark, bad_at);
		claim(bad[i].name, key.oid.len == 7);
	}
}

static void
a_bare_key_has_nothing_around_it(void **state)
{
	static const struct row bad[] = {
	    {"trailing byte", KEY "!00"},
	    {"two keys", KEY "!" PINNED},
	    {"wrapped", "30{30{!30{06{2b6570}}03{000102}}}"},
	    {"bits alone", "!03{000102}"},
	    {"certificate", CERT("!" TBS)},
	};
	struct der_text t;
	struct pf_key key;

	(void)state;
	der_text(KEY, &t);
	assert_int_equal(pf_spki_walk(bytes_of(&t), &key, NULL), PINFAST_OK);
	assert_ptr_equal(key.spki.data, t.data);
	assert_int_equal(key.spki.len, t.len);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t bad_at = 9999;

		der_text(bad[i].text, &t);
		claim(bad[i].name, pf_spki_walk(bytes_of(&t), &key, &bad_at) ==
		                       PINFAST_EFORMAT);
		claim(bad[i].name, bad_at == t.mark);
	}
}

static int64_t
days(int64_t n)
{
	return n * 86400;
}

static void
times_are_read_by_rfc_5280(void **state)
{
	static const struct row bad[] = {
	    {"UTCTime without seconds",
	        "30{17{323630313031303030305a}" TIME "}"},
	    {"second time is empty", "30{" TIME "1700}"},
	    {"GeneralizedTime's digits as UTCTime",
	        "30{" TIME "17{32303530303130313030303030305a}}"},
	    {"a day that is none",
	        "30{17{3236303233303030303030305a}" TIME "}"},
	    {"very long",
	        "30{" TIME
	        "17{30303030303030303030303030303030303030303030303030303030"
	        "30303030303030303030303030303030303030303030303030303030303030"
	        "30303030303030303030303030303030303030303030303030303030303030"
	        "30303030303030303030303030303030303030303030303030303030303030"
	        "30303030303030303030303030303030303030}}"},
	};
	struct der_text t;
	struct pf_cert cert;
	int64_t from = 1, until = 2;

	(void)state;
	der_text(CERT(TBS), &t);
	assert_int_equal(pf_cert_walk(bytes_of(&t), &cert, NULL), PINFAST_OK);
	assert_int_equal(pf_cert_times(&cert, &from, &until), PINFAST_OK);
	assert_true(from == days(20454));
	assert_true(until == days(29220));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[2048];

		(void)snprintf(text, sizeof text,
		    "30{30{" V3 SERIAL ALG ISSUER "%s" SUBJECT KEY "}" ALG SIG
		    "}",
		    bad[i].text);
		der_text(text, &t);
		claim(bad[i].name,
		    pf_cert_walk(bytes_of(&t), &cert, NULL) == PINFAST_OK);
		claim(bad[i].name,
		    pf_cert_times(&cert, &from, &until) == PINFAST_EFORMAT);
	}
	assert_true(from == days(20454));
}

/* What a TLS library says about the key. */
static struct pinfast_cert
view(const char *spki, const char *oid, const char *params, const char *bits)
{
	static struct der_text parts[4];
	const char *texts[4] = {spki, oid, params, bits};
	struct pinfast_cert cert = {.der = {NULL, 0}};
	struct pinfast_bytes *fields[4] = {
	    &cert.key_spki, &cert.key_oid, &cert.key_params, &cert.key_bits};

	for (size_t i = 0; i < 4; i++) {
		if (!texts[i])
			continue;
		der_text(texts[i], &parts[i]);
		*fields[i] = bytes_of(&parts[i]);
	}
	return cert;
}

static void
two_parsers_must_read_the_same_key(void **state)
{
	static const struct {
		const char *name, *spki, *oid, *params, *bits;
		int same;
	} rows[] = {
	    {"whole key", KEY, NULL, NULL, NULL, 1},
	    {"whole key decides alone", KEY, "00", "00", "00", 1},
	    {"in parts", NULL, "2b6570", "", "0102", 1},
	    {"parameters not said", NULL, "2b6570", NULL, "0102", 1},
	    {"nothing said", NULL, NULL, NULL, NULL, 0},
	    {"another whole key", PINNED, NULL, NULL, NULL, 0},
	    {"another whole key, right parts", PINNED, "2b6570", "", "0102", 0},
	    {"whole key is empty", "", "2b6570", "", "0102", 0},
	    {"whole key and a byte", KEY "00", NULL, NULL, NULL, 0},
	    {"algorithm not said", NULL, NULL, "", "0102", 0},
	    {"bits not said", NULL, "2b6570", "", NULL, 0},
	    {"another algorithm", NULL, "2b6571", "", "0102", 0},
	    {"other bits", NULL, "2b6570", "", "0103", 0},
	    {"fewer bits", NULL, "2b6570", "", "01", 0},
	    {"no bits", NULL, "2b6570", "", "", 0},
	    {"parameters that are not there", NULL, "2b6570", "0500", "0102",
	        0},
	    {"parameters alone", NULL, NULL, "", NULL, 0},
	};
	struct der_text t;
	struct pf_cert ours;

	(void)state;
	der_text(CERT(TBS), &t);
	assert_int_equal(pf_cert_walk(bytes_of(&t), &ours, NULL), PINFAST_OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast_cert theirs = view(rows[i].spki, rows[i].oid,
		    rows[i].params, rows[i].bits);

		claim(rows[i].name,
		    pf_key_same(&ours.key, &theirs) == rows[i].same);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_certificate_is_shown_as_it_stands),
	    cmocka_unit_test(values_that_move_nothing_are_not_judged),
	    cmocka_unit_test(
	        what_is_not_structure_exact_is_refused_at_its_first_byte),
	    cmocka_unit_test(no_value_can_swallow_the_key),
	    cmocka_unit_test(nothing_at_all_is_refused),
	    cmocka_unit_test(a_request_is_read),
	    cmocka_unit_test(
	        what_is_not_a_request_is_refused_at_its_first_byte),
	    cmocka_unit_test(a_bare_key_has_nothing_around_it),
	    cmocka_unit_test(times_are_read_by_rfc_5280),
	    cmocka_unit_test(two_parsers_must_read_the_same_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
