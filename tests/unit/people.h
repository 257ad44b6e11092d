/*
 * Certificates for tests of paths, and a library to verify them: OpenSSL's
 * signature check and a list of what it was asked.  Names are made as a row
 * wants them, also those that lie.
 */
#ifndef PEOPLE_H
#define PEOPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapt/paths.h"
#include "claim.h"
#include "identity.h"

#define HOST "pin.test"

/* Everybody there is; a row names them by number. */
enum who {
	END,
	ROOT_A,
	ROOT_B,
	INT_A,
	INT_XA, /* Int X under root A */
	INT_XB, /* the same name and key under root B */
	LEAF,   /* under Int A */
	LEAF_X, /* under Int X */
	A_BY_B, /* root A's key under root B */
	LOOP_1, /* Int L issued by Int M ... */
	LOOP_2, /* ... and the other way round */
	LEAF_L,
	LIAR,   /* says that root B issued it, as Int X */
	SELF,   /* a leaf that signed itself */
	BROKEN, /* no certificate at all */
	PEOPLE
};

static struct id people[PEOPLE];
static struct pf_link links[PEOPLE];

/* A certificate for this key, name and issuer. */
static inline void
certify(enum who who, const char *name, enum who issuer, enum who key)
{
	struct id *id = &people[who];
	uint8_t *der = NULL, pin[PINFAST_PIN_LEN];
	struct pinfast_bytes bytes;

	id->key = key != END ? people[key].key : EVP_EC_gen("P-256");
	assert_non_null(id->key);
	if (key != END)
		EVP_PKEY_up_ref(id->key);
	identity_certify(id, name, issuer != END ? &people[issuer] : NULL, NULL,
	    30);
	bytes.len = (size_t)i2d_X509(id->cert, &der);
	bytes.data = der;
	assert_int_equal(pf_link_set(&links[who], bytes, id->cert), 0);
	assert_int_equal(pinfast_pin_of(bytes, pin, NULL), 0);
	pinfast_pin_write(pin, id->pin);
}

/* An issuer that exists by name only. */
static inline void
lie(enum who who, const char *name, enum who issuer, enum who key)
{
	EVP_PKEY *right = people[issuer].key;

	people[issuer].key = people[LEAF].key;
	certify(who, name, issuer, key);
	people[issuer].key = right;
}

static inline int
make_everybody(void **state)
{
	static const uint8_t nothing[] = {0x30, 0x01, 0x00};
	struct pinfast_bytes broken = {nothing, sizeof nothing};

	(void)state;
	certify(ROOT_A, "Root A", END, END);
	certify(ROOT_B, "Root B", END, END);
	certify(INT_A, "Int A", ROOT_A, END);
	certify(INT_XA, "Int X", ROOT_A, END);
	certify(INT_XB, "Int X", ROOT_B, INT_XA);
	certify(LEAF, "leaf", INT_A, END);
	certify(LEAF_X, "leaf X", INT_XA, END);
	certify(A_BY_B, "Root A", ROOT_B, ROOT_A);
	certify(LOOP_1, "Int L", END, END);
	certify(LOOP_2, "Int M", LOOP_1, END);
	X509_free(people[LOOP_1].cert);
	EVP_PKEY_free(people[LOOP_1].key);
	OPENSSL_free((void *)(uintptr_t)links[LOOP_1].der.data);
	certify(LOOP_1, "Int L", LOOP_2, END);
	certify(LEAF_L, "leaf L", LOOP_1, END);
	lie(LIAR, "Int X", ROOT_B, INT_XA);
	certify(SELF, "self", END, END);
	assert_int_equal(pf_link_set(&links[BROKEN], broken, NULL),
	    PINFAST_EFORMAT);
	return 0;
}

static inline int
free_everybody(void **state)
{
	(void)state;
	for (int i = 1; i < BROKEN; i++) {
		identity_free(&people[i]);
		OPENSSL_free((void *)(uintptr_t)links[i].der.data);
	}
	return 0;
}

/* -------------------------------------------------------------- the library */

/* What it was asked, and how it behaves. */
static struct {
	int asked;
	int views;
	int checks;
	int verified;
	int refuses;      /* every path */
	int wrong_at;     /* its view of this position is another key's; -1 */
	int no_view;      /* it says nothing about keys */
	int says_nothing; /* views without content */
} library;

static inline int
verify(void *arg, const struct pf_link *const *path, size_t count)
{
	(void)arg;
	library.asked++;
	library.checks += (int)count;
	if (library.refuses)
		return 0;
	for (size_t i = 0; i + 1 < count; i++)
		if (X509_verify(path[i]->object,
		        X509_get0_pubkey(path[i + 1]->object)) != 1)
			return 0;
	library.verified++;
	return 1;
}

static inline int
view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	(void)arg;
	library.views++;
	assert_true(out->der.data == link->der.data);
	if (library.no_view)
		return 1;
	if (library.says_nothing)
		return 0;
	out->key_spki = link->walked.key.spki;
	if (library.wrong_at == (int)index)
		out->key_spki = links[ROOT_A].walked.key.spki;
	return 0;
}

/* ----------------------------------------------------------------- policies */

struct situation {
	struct pinfast_builder *b;
	struct pinfast *policy;
	struct pf_pool sent;
	struct pf_pool anchors;
	struct pf_paths p;
};

static inline void
add(struct pf_pool *pool, const enum who *who)
{
	for (; *who != END; who++)
		assert_int_equal(pf_pool_add(pool, links[*who].der,
		                     links[*who].object),
		    links[*who].is_walked ? PINFAST_OK : PINFAST_EFORMAT);
}

static inline void
serve(struct situation *s)
{
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast_diag diag = {0};

	if (pinfast_builder_finish(s->b, &diag, &image) != PINFAST_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_new(NULL, &s->policy), 0);
	assert_int_equal(pinfast_load(s->policy, store, NULL), 0);
	assert_int_equal(pinfast_conn_new(s->policy, HOST, 443, 1800000000,
	                     &s->p.conn),
	    0);
}

/* One entry with one pin, and a key that is rejected everywhere. */
static inline void
begin(struct situation *s, enum pinfast_role role, enum who pin,
    enum who rejected)
{
	memset(s, 0, sizeof *s);
	memset(&library, 0, sizeof library);
	library.wrong_at = -1;
	pf_pool_init(&s->sent);
	pf_pool_init(&s->anchors);
	assert_int_equal(pinfast_builder_new(NULL, &s->b), 0);
	pinfast_builder_entry(s->b, HOST, 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(s->b, PINFAST_ENTRY_MODE, PINFAST_ENFORCE);
	pinfast_builder_pin(s->b, role, people[pin].pin);
	if (rejected != END)
		pinfast_builder_reject(s->b, people[rejected].pin);
	serve(s);
	s->p.sent = &s->sent;
	s->p.anchors = &s->anchors;
	s->p.verify = verify;
	s->p.view = view;
}

static inline void
end(struct situation *s)
{
	pinfast_conn_free(s->p.conn);
	pinfast_free(s->policy);
	pinfast_builder_free(s->b);
	pf_pool_fini(&s->sent, NULL);
	pf_pool_fini(&s->anchors, NULL);
}

#endif
