/* What one mbedTLS connection was shown or refused is nothing for the next
 * that is made with the same object; and a policy that changes meanwhile. */
#define _GNU_SOURCE
#include "mbed_pair.h"

#include <dlfcn.h>

static const int psk_only[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CBC_SHA256, 0};

/* Shows another's certificate without its key. */
static void
borrow(struct shared *s, const struct id *id)
{
	unsigned char *der = NULL;
	int len = i2d_PrivateKey(stranger.key, &der);

	parse(&s->own, id);
	parse(&s->own, &intA);
	assert_int_equal(mbedtls_pk_parse_key(&s->key, der, (size_t)len, NULL,
	                     0),
	    0);
	OPENSSL_free(der);
	assert_int_equal(mbedtls_ssl_conf_own_cert(&s->conf, &s->own, &s->key),
	    0);
}

static struct shared *
relay(void)
{
	struct shared *s = new_shared(MBEDTLS_SSL_IS_SERVER);

	borrow(s, &leaf);
	return s;
}

/* The same object meets another peer; nobody attaches it again. */
static void
meet_another(struct duo *d, struct end *kept, struct shared *met)
{
	struct end *gone = kept == &d->c ? &d->s : &d->c;

	assert_int_equal(mbedtls_ssl_session_reset(&kept->ssl), 0);
	mbedtls_ssl_free(&gone->ssl);
	memset(&d->to_c, 0, sizeof d->to_c);
	memset(&d->to_s, 0, sizeof d->to_s);
	d->c.done = d->s.done = 0;
	d->c.error = d->s.error = 0;
	d->c.alert = d->s.alert = 0;
	d->app = d->got = 0;
	open_end(gone, met, kept->out, kept->in);
}

static struct pinfast *
policy_without_pkix(const struct id *pinned)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, pinned);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	return policy_made(b);
}

static void
a_broken_handshake_proves_nothing_for_a_key_in_common(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (int direct = 0; direct < 2; direct++) {
		struct shared *c = client_side(), *r = relay();
		struct shared *p = server_side(&evil, NULL);
		struct duo *d;

		with_psk(c);
		with_psk(p);
		mbedtls_ssl_conf_ciphersuites(&p->conf, psk_only);
		d = pinned_duo(policy, c, r, "pin.test");
		pump(d, direct);
		expect_duo("relay", d, DENY, PINFAST_REASON_NOT_JUDGED);
		meet_another(d, &d->c, p);
		pump(d, direct);
		talk(d);
		expect_duo("a key in common", d, DENY,
		    PINFAST_REASON_NO_CERTIFICATE);
		close_duo(d);
		drop_shared(c);
		drop_shared(r);
		drop_shared(p);
	}
	pinfast_free(policy);
}

static void
a_broken_handshake_proves_nothing_for_a_session_of_ones_own(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *c = client_side(), *r = relay();
	struct shared *e = server_side(&evil, NULL);
	mbedtls_ssl_session session;
	struct duo *d;

	(void)state;
	with_tickets(e);
	d = duo_of(c, e);
	assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl, "pin.test"), 0);
	pump(d, 1);
	mbedtls_ssl_session_init(&session);
	assert_int_equal(mbedtls_ssl_get_session(&d->c.ssl, &session), 0);
	close_duo(d);
	d = pinned_duo(policy, c, r, "pin.test");
	pump(d, 0);
	meet_another(d, &d->c, e);
	assert_int_equal(mbedtls_ssl_set_session(&d->c.ssl, &session), 0);
	pump(d, 1);
	talk(d);
	expect_duo("session", d, DENY, PINFAST_REASON_NO_CERTIFICATE);
	mbedtls_ssl_session_free(&session);
	close_duo(d);
	drop_shared(c);
	drop_shared(r);
	drop_shared(e);
	pinfast_free(policy);
}

static void
a_broken_handshake_proves_nothing_where_no_chain_is_needed(void **state)
{
	struct pinfast *policy = policy_without_pkix(&leaf);
	struct shared *c = client_side(), *r = relay();
	struct shared *e = server_side(&stranger, NULL);
	struct pinfast_verdict verdict;
	struct duo *d;

	(void)state;
	mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_NONE);
	d = pinned_duo(policy, c, r, "pin.test");
	pump(d, 0);
	meet_another(d, &d->c, e);
	pump(d, 1);
	talk(d);
	verdict = pinfast_mbedtls_result(d->c.pin);
	assert_int_not_equal(verdict.decision, PINFAST_ALLOW);
	assert_int_equal(d->app + d->got, 0);
	close_duo(d);
	drop_shared(c);
	drop_shared(r);
	drop_shared(e);
	pinfast_free(policy);
}

static void
a_server_takes_nobody_for_the_client_that_broke_off(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct shared *c = new_shared(MBEDTLS_SSL_IS_CLIENT);
	struct shared *n = client_side(), *s = server_side(&leaf, &intA);
	struct pinfast *policy;
	struct duo *d;

	(void)state;
	add_entry(b, "partner", PINFAST_ROLE_COUNT, &client);
	policy = policy_made(b);
	parse(&s->trust, &rootA);
	mbedtls_ssl_conf_ca_chain(&s->conf, &s->trust, NULL);
	parse(&c->trust, &rootA);
	mbedtls_ssl_conf_ca_chain(&c->conf, &c->trust, NULL);
	borrow(c, &client);
	with_psk(n);
	with_psk(s);
	mbedtls_ssl_conf_ciphersuites(&n->conf, psk_only);
	d = duo_of(c, s);
	assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl, "pin.test"), 0);
	pin_end(&d->s, policy);
	assert_int_equal(pinfast_mbedtls_attach_server(d->s.pin, "partner",
	                     NULL),
	    0);
	pump(d, 0);
	expect(pinfast_mbedtls_result(d->s.pin), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	meet_another(d, &d->s, n);
	pump(d, 0);
	talk(d);
	expect(pinfast_mbedtls_result(d->s.pin), DENY,
	    PINFAST_REASON_NO_CERTIFICATE);
	assert_int_equal(d->app + d->got, 0);
	close_duo(d);
	drop_shared(c);
	drop_shared(n);
	drop_shared(s);
	pinfast_free(policy);
}

/* ------------------------------------------- a policy that changes meanwhile
 */

static struct pinfast *replaced;
static int replace_at, asked;
static int covered; /* the new policy has an entry with a chain */

/* Stands before the real one, to load another policy between two questions. */
unsigned
pinfast_conn_needs(struct pinfast_conn *conn)
{
	static unsigned (*real)(struct pinfast_conn *);

	if (real == NULL) {
		void *found = dlsym(RTLD_NEXT, "pinfast_conn_needs");

		assert_non_null(found);
		memcpy(&real, &found, sizeof real);
	}
	if (replaced != NULL && ++asked == replace_at) {
		struct pinfast_builder *b = begin_policy(2);

		add_entry(b, covered ? "pin.test" : "elsewhere.test",
		    PINFAST_ROLE_LEAF, &self);
		serve_policy(replaced, b);
	}
	return real(conn);
}

static int
never(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg, (void)crt, (void)depth, (void)flags;
	return MBEDTLS_ERR_X509_FATAL_ERROR;
}

/* Who is let in by a policy that came in the middle of a verification? */
static void
expect_no_impostor(const struct id *shown, const struct id *sent,
    int has_callback)
{
	for (replace_at = 1; replace_at <= 12; replace_at++) {
		struct pinfast *policy = policy_without_pkix(&other);
		struct shared *c = client_side();
		struct shared *s = server_side(shown, sent);
		struct duo *d;

		if (has_callback)
			mbedtls_ssl_conf_verify(&c->conf, never, NULL);
		d = pinned_duo(policy, c, s, "pin.test");
		asked = 0;
		replaced = policy;
		pump(d, 0);
		replaced = NULL;
		talk(d);
		assert_int_not_equal(pinfast_mbedtls_result(d->c.pin).decision,
		    PINFAST_ALLOW);
		if (d->app + d->got != 0)
			fail_msg("passed when loaded at %d", replace_at);
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
		pinfast_free(policy);
	}
}

static void
a_chain_that_nobody_looked_at_is_not_verified(void **state)
{
	(void)state;
	for (covered = 0; covered < 2; covered++)
		expect_no_impostor(&self, NULL, 0);
	covered = 0;
}

static void
what_the_application_was_not_asked_about_is_not_verified(void **state)
{
	(void)state;
	expect_no_impostor(&leaf, &intA, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        a_broken_handshake_proves_nothing_for_a_key_in_common),
	    cmocka_unit_test(
	        a_broken_handshake_proves_nothing_for_a_session_of_ones_own),
	    cmocka_unit_test(
	        a_broken_handshake_proves_nothing_where_no_chain_is_needed),
	    cmocka_unit_test(
	        a_server_takes_nobody_for_the_client_that_broke_off),
	    cmocka_unit_test(a_chain_that_nobody_looked_at_is_not_verified),
	    cmocka_unit_test(
	        what_the_application_was_not_asked_about_is_not_verified),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
