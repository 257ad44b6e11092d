/*
 * A small world for tests: three certificates that form a path, policies made
 * by a few words, and connections to judge.
 */
#ifndef WORLD_H
#define WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "core/spki.h"
#include "pinfast.h"

#define NOW 1800000000LL /* 2027-01-15 */

struct world_cert {
	uint8_t der[4096];
	size_t len;
	char pin[PINFAST_PIN_TEXT_LEN];
	char cert_pin[PINFAST_PIN_TEXT_LEN + 5];
	struct pinfast_cert item;
};

/* leaf, intermediate, root, and one that nobody signed. */
enum { LEAF, INTER, ROOT, OTHER, CERTS };
static struct world_cert certs[CERTS];
static struct pinfast_cert path3[3];

static void
world_read(struct world_cert *c, const char *name)
{
	char file[512];
	struct pf_cert walked;
	FILE *f;

	snprintf(file, sizeof file, "%s/certs/%s.der", PF_TEST_DATA, name);
	f = fopen(file, "rb");
	assert_non_null(f);
	c->len = fread(c->der, 1, sizeof c->der, f);
	fclose(f);
	memset(&c->item, 0, sizeof c->item);
	c->item.der.data = c->der;
	c->item.der.len = c->len;
	assert_int_equal(pf_cert_walk(c->item.der, &walked, NULL), 0);
	c->item.key_spki = walked.key.spki;
	{
		uint8_t hash[PINFAST_PIN_LEN];

		pf_sha256(c->der, c->len, hash);
		memcpy(c->cert_pin, "cert-", 5);
		pinfast_pin_write(hash, c->cert_pin + 5);
		assert_int_equal(pinfast_pin_of(c->item.der, hash, NULL), 0);
		pinfast_pin_write(hash, c->pin);
	}
}

static int
world_setup(void **state)
{
	(void)state;
	world_read(&certs[LEAF], "leaf");
	world_read(&certs[INTER], "intermediate");
	world_read(&certs[ROOT], "root");
	world_read(&certs[OTHER], "p256");
	for (int i = 0; i < 3; i++)
		path3[i] = certs[i].item;
	return 0;
}

/* A policy that is being built. */
static inline struct pinfast_builder *
world_builder(void)
{
	struct pinfast_builder *b;

	assert_int_equal(pinfast_builder_new(NULL, &b), PINFAST_OK);
	return b;
}

/* What was built, as bytes that the builder keeps. */
static inline struct pinfast_bytes
world_image(struct pinfast_builder *b)
{
	struct pinfast_bytes image;
	struct pinfast_diag diag = {0};

	if (pinfast_builder_finish(b, &diag, &image) != PINFAST_OK)
		fail_msg("%s", diag.text);
	return image;
}

/* As a store, which borrows those bytes. */
static inline struct pinfast_store *
world_open(struct pinfast_builder *b)
{
	struct pinfast_store *store;

	assert_int_equal(pinfast_store_open_memory(world_image(b), NULL, NULL,
	                     &store),
	    0);
	return store;
}

/* Puts what was built into service; the builder stays the caller's. */
static inline struct pinfast *
world_serve(struct pinfast_builder *b)
{
	struct pinfast_store *store = world_open(b);
	struct pinfast *policy;

	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_load(policy, store, NULL), 0);
	return policy;
}

static inline struct pinfast_conn *
world_conn(struct pinfast *policy, const char *host, uint16_t port)
{
	struct pinfast_conn *conn;

	assert_int_equal(pinfast_conn_new(policy, host, port, NOW, &conn), 0);
	return conn;
}

static inline void
expect(struct pinfast_verdict verdict, int allow, int32_t reason)
{
	assert_string_equal(pinfast_reason_name(verdict.reason),
	    pinfast_reason_name(reason));
	assert_int_equal(verdict.decision == PINFAST_ALLOW, allow);
}

/* Pins one of the certificates in the current entry. */
static inline void
world_pin(struct pinfast_builder *b, enum pinfast_role role, int cert)
{
	assert_int_equal(pinfast_builder_pin(b, role, certs[cert].pin), 0);
}

/* Starts an entry; scope is enum pinfast_scope. */
static inline void
world_entry(struct pinfast_builder *b, const char *name, uint16_t port,
    int scope)
{
	assert_int_equal(pinfast_builder_entry(b, name, port,
	                     (enum pinfast_scope)scope),
	    0);
}

/* A policy with one entry: www.example.test, any port, one pin. */
static inline struct pinfast *
world_one_entry(struct pinfast_builder **b, enum pinfast_role role, int cert)
{
	*b = world_builder();
	assert_int_equal(pinfast_builder_entry(*b, "www.example.test", 0,
	                     PINFAST_SCOPE_EXACT),
	    0);
	world_pin(*b, role, cert);
	return world_serve(*b);
}

static inline void
world_done(struct pinfast_conn *conn, struct pinfast *policy,
    struct pinfast_builder *b)
{
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

#endif
