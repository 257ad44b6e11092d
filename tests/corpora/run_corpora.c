/*
 * Walks every record of a corpus and compares with its table.  Prints what
 * was found; fails unless every tier is as it must be:
 *
 *   A  structure-exact: exactly the table's pin
 *   B  some library takes it, but it is not structure-exact: refused
 *   C  anything but a crash or another pin
 */
#include "records.h"

#include <string.h>

#include "base/sha256.h"
#include "core/spki.h"

struct tally {
	size_t a, a_exact;
	size_t b, b_refused;
	size_t c, c_pinned, c_requests, c_wrong;
};

/* Is this pin the row's, in each way that the row says it? */
static int
is_the_rows_pin(const struct records *r, const uint8_t pin[PINFAST_PIN_LEN])
{
	char hex[2 * PINFAST_PIN_LEN + 1], text[PINFAST_PIN_TEXT_LEN];

	records_hex(pin, hex);
	pinfast_pin_write(pin, text);
	return strcmp(hex, r->hex) == 0 &&
	       strcmp(text + strlen("sha256/"), r->base64) == 0;
}

/* The certificate's own key, walked and hashed by hand, is what
 * pinfast_pin_of() gives, and the row's. */
static int
is_exact(const struct records *r, const struct pf_cert *cert,
    const uint8_t pin[PINFAST_PIN_LEN])
{
	uint8_t hash[PINFAST_PIN_LEN];
	struct pf_key key;

	pf_sha256(cert->key.spki.data, cert->key.spki.len, hash);
	return cert->key.spki.len == r->spki_len &&
	       memcmp(hash, pin, sizeof hash) == 0 &&
	       pf_spki_walk(cert->key.spki, &key, NULL) == PINFAST_OK &&
	       is_the_rows_pin(r, pin);
}

static void
show(const struct records *r, const char *what, size_t bad_at)
{
	(void)printf("record %zu (tier %c): %s, byte %zu of %zu\n", r->number,
	    r->tier, what, bad_at, r->der.len);
}

static void
judge(const struct records *r, struct tally *t)
{
	uint8_t pin[PINFAST_PIN_LEN];
	struct pf_cert cert;
	struct pf_key key;
	size_t bad_at = 0;
	int is_cert = pf_cert_walk(r->der, &cert, &bad_at) == PINFAST_OK;
	int is_any = pinfast_pin_of(r->der, pin, &bad_at) == PINFAST_OK;

	switch (r->tier) {
	case 'A':
		t->a++;
		if (is_cert && is_any && is_exact(r, &cert, pin))
			t->a_exact++;
		else
			show(r, "not the table's pin", bad_at);
		break;
	case 'B':
		t->b++;
		if (!is_cert && !is_any && bad_at <= r->der.len)
			t->b_refused++;
		else
			show(r, "not refused", bad_at);
		break;
	default:
		t->c++;
		if (is_cert && is_any && is_exact(r, &cert, pin)) {
			t->c_pinned++;
		} else if (!is_cert && is_any &&
		           pf_csr_walk(r->der, &key, NULL, NULL) ==
		               PINFAST_OK) {
			t->c_requests++;
		} else if (is_cert || is_any || bad_at > r->der.len) {
			t->c_wrong++;
			show(r, "another pin than the table's", bad_at);
		}
		break;
	}
}

int
main(int argc, char **argv)
{
	static struct records r;
	struct tally t = {0};

	if (argc != 3) {
		(void)fprintf(stderr, "usage: run_corpora CORPUS TABLE\n");
		return 2;
	}
	records_open(&r, argv[1], argv[2]);
	while (records_next(&r))
		judge(&r, &t);
	(void)printf("tier A: %zu of %zu exact\n", t.a_exact, t.a);
	(void)printf("tier B: %zu of %zu refused\n", t.b_refused, t.b);
	(void)printf("tier C: no crash in %zu; %zu gave the table's pin, %zu "
	             "are certification requests, %zu gave another pin\n",
	    t.c, t.c_pinned, t.c_requests, t.c_wrong);
	return t.a == 0 || t.a_exact != t.a || t.b_refused != t.b ||
	       t.c_wrong != 0;
}
