/* The OpenSSL adapter when a policy is loaded between two of its questions. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pair.h"

#include <dlfcn.h>

static struct pinfast *policy;
static int64_t serial = 1;
static int questions; /* until a policy is loaded; 0: none will be */
static const struct id *its_anchor;

/* pin.test under this anchor; NULL: under those of the application. */
static void
load(const struct id *anchor)
{
	struct pinfast_builder *b = begin_policy(serial++);
	struct pinfast_bytes der = {NULL, 0};
	unsigned char *bytes = NULL;

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, evil.pin);
	if (anchor != NULL) {
		der.len = (size_t)i2d_X509(anchor->cert, &bytes);
		der.data = bytes;
		assert_int_equal(pinfast_builder_anchor(b, der), 0);
	}
	serve_policy(policy, b);
	OPENSSL_free(bytes);
}

/* In the place of the library's, also for the adapter. */
__attribute__((visibility("default"))) unsigned
pinfast_conn_needs(struct pinfast_conn *conn)
{
	static unsigned (*real)(struct pinfast_conn * conn);
	unsigned needs;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pinfast_conn_needs");
	assert_non_null(real);
	needs = real(conn);
	if (questions > 0 && --questions == 0)
		load(its_anchor);
	return needs;
}

/* First under rootA; then the policy has no anchors, until it has. */
static const struct row {
	const char *name;
	const struct id *shown, *sent;
	const struct id *before, *after;
	int questions;
	int allow;
	int32_t reason;
} rows[] = {
    {"anchors come, evil is under another", &evil, NULL, NULL, &rootA, 2, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"anchors come before", &evil, NULL, NULL, &rootA, 1, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"anchors come, and are the right ones", &leaf, &intA, NULL, &rootA, 2,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"anchors go", &leaf, &intA, &rootA, NULL, 2, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"other anchors come", &leaf, &intA, &rootA, &rootB, 2, DENY,
        PINFAST_REASON_PKIX_FAILED},
};

static void
what_is_verified_rests_on_the_anchors_that_count(void **state)
{
	SSL_CTX *cctx, *good = server_ctx(&leaf, &intA, TLS1_2_VERSION);

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	load(&rootA);
	cctx = pinned_ctx(policy, TLS1_2_VERSION);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		SSL_CTX *sctx = server_ctx(r->shown, r->sent, TLS1_2_VERSION);
		struct pair p = attached(cctx, good, "pin.test"), q;

		load(&rootA);
		shake(&p);
		assert_true(p.shaken);
		/* The same SSL meets another server. */
		SSL_shutdown(p.c);
		assert_int_equal(SSL_clear(p.c), 1);
		SSL_set_session(p.c, NULL);
		q = join(cctx, sctx);
		BIO_up_ref(SSL_get_rbio(q.c));
		SSL_set_bio(p.c, SSL_get_rbio(q.c), SSL_get_rbio(q.c));
		SSL_free(p.s);
		p.s = q.s;
		SSL_free(q.c);
		SSL_set_connect_state(p.c);
		load(r->before);
		attach(&p, "pin.test");
		its_anchor = r->after;
		questions = r->questions;
		shake(&p);
		chat(&p);
		expect_row(r->name, &p, r->allow, r->reason);
		part(&p);
		SSL_CTX_free(sctx);
	}
	SSL_CTX_free(cctx);
	SSL_CTX_free(good);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_verified_rests_on_the_anchors_that_count),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
