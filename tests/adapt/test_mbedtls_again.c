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
	own_session(c, e, &session);
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

/* ----------------------------------------- a policy that changes meanwhile */

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

/* ------------------------------------------------- honest peers afterwards */

static void
after_a_refusal_the_honest_server_is_let_in(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (int direct = 0; direct < 2; direct++) {
		struct shared *c = client_side(), *e = server_side(&evil, NULL);
		struct shared *s = server_side(&leaf, &intA);
		struct duo *d = pinned_duo(policy, c, e, "pin.test");

		pump(d, direct);
		talk(d);
		expect_duo("impostor", d, DENY, PINFAST_REASON_PIN_MISMATCH);
		meet_another(d, &d->c, s);
		pump(d, direct);
		talk(d);
		expect_duo("honest", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
		meet_another(d, &d->c, e);
		pump(d, direct);
		talk(d);
		expect_duo("again", d, DENY, PINFAST_REASON_PIN_MISMATCH);
		close_duo(d);
		drop_shared(c);
		drop_shared(e);
		drop_shared(s);
	}
	pinfast_free(policy);
}

static struct pinfast *
policy_with_anchor(const struct id *anchor)
{
	struct pinfast_builder *b = begin_policy(1);
	unsigned char *bytes = NULL;
	int len = i2d_X509(anchor->cert, &bytes);
	struct pinfast_bytes der = {bytes, (size_t)len};

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	assert_int_equal(pinfast_builder_anchor(b, der), 0);
	OPENSSL_free(bytes);
	return policy_made(b);
}

static void
a_renegotiation_has_the_anchors_of_the_entry(void **state)
{
	struct pinfast *policy = policy_with_anchor(&rootA);
	struct shared *c = new_shared(MBEDTLS_SSL_IS_CLIENT);
	struct shared *s = server_side(&leaf, &intA);
	unsigned char buffer[64];
	struct duo *d;

	(void)state;
	parse(&c->trust, &rootB);
	mbedtls_ssl_conf_ca_chain(&c->conf, &c->trust, NULL);
	mbedtls_ssl_conf_renegotiation(&c->conf, 1);
	mbedtls_ssl_conf_renegotiation(&s->conf, 1);
	d = pinned_duo(policy, c, s, "pin.test");
	pump(d, 0);
	for (int i = 0; i < 20; i++) {
		int ret = mbedtls_ssl_renegotiate(&d->c.ssl);

		(void)mbedtls_ssl_read(&d->s.ssl, buffer, sizeof buffer);
		if (ret != MBEDTLS_ERR_SSL_WANT_READ)
			break;
	}
	talk(d);
	expect_duo("renegotiated", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	close_duo(d);
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

static void
a_leaf_that_is_its_own_anchor_is_asked_again(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;
	struct shared *c = client_side(), *s;
	struct id device = {0};
	struct duo *d;

	(void)state;
	certify(&device, "device", NULL, "DNS:pin.test", 30);
	add_entry(b, "elsewhere.test", PINFAST_ROLE_LEAF, &leaf);
	policy = policy_made(b);
	parse(&c->trust, &device);
	s = server_side(&device, NULL);
	d = pinned_duo(policy, c, s, "pin.test");
	pump(d, 0);
	talk(d);
	expect_duo("unlisted", d, ALLOW, PINFAST_REASON_UNLISTED);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &device);
	expect(pinfast_mbedtls_result(d->c.pin), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	change_policy(policy, 3, PINFAST_ROLE_LEAF, &leaf);
	expect(pinfast_mbedtls_result(d->c.pin), DENY,
	    PINFAST_REASON_PIN_MISMATCH);
	close_duo(d);
	identity_free(&device);
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

/* --------------------------------------------------- what there is no more */

static void
an_object_that_is_gone_is_not_called(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *c = client_side(), *s = server_side(&leaf, &intA);
	struct duo *d = pinned_duo(policy, c, s, "pin.test");
	struct pinfast_diag diag;

	(void)state;
	pump(d, 0);
	pinfast_mbedtls_free(d->c.pin);
	d->c.pin = NULL;
	meet_another(d, &d->c, s);
	pin_end(&d->c, policy);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, &diag),
		    PINFAST_EUSAGE);
		assert_non_null(strstr(diag.text, "mbedtls_ssl_set_bio"));
	}
	pump(d, 0);
	talk(d);
	expect_duo("gone", d, DENY, PINFAST_REASON_NOT_JUDGED);
	meet_another(d, &d->c, s);
	mbedtls_ssl_set_bio(&d->c.ssl, &d->c, wire_send, wire_recv, NULL);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test", 443,
	                     NULL),
	    0);
	pump(d, 0);
	talk(d);
	expect_duo("another", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_mbedtls_session_get(d->c.pin, NULL),
	    PINFAST_EUSAGE);
	close_duo(d);
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

static void
what_was_not_completed_is_not_called_allowed(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *c = client_side(), *r = relay();
	struct duo *d = pinned_duo(policy, c, r, "pin.test");
	char why[200], begin[20];
	size_t len;

	(void)state;
	pump(d, 0);
	talk(d);
	expect_duo("relay", d, DENY, PINFAST_REASON_NOT_JUDGED);
	len = pinfast_mbedtls_explain(d->c.pin, why, sizeof why);
	assert_int_equal(len, strlen(why));
	assert_non_null(strstr(why, "the handshake was not completed"));
	assert_int_equal(pinfast_mbedtls_explain(d->c.pin, begin, sizeof begin),
	    len);
	assert_int_equal(strlen(begin), sizeof begin - 1);
	close_duo(d);
	drop_shared(c);
	drop_shared(r);
	pinfast_free(policy);
}

/* Only pinfast_mbedtls_result() is asked; the bytes do not pass through us. */
/* With a timer of the application's we hear of no other functions. */
static void
other_functions_do_not_make_old_evidence_new(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *c = client_side(), *r = relay();
	struct shared *p = server_side(&evil, NULL);

	(void)state;
	with_psk(c);
	with_psk(p);
	mbedtls_ssl_conf_ciphersuites(&p->conf, psk_only);
	for (int timed = 0; timed < 2; timed++) {
		struct duo *d = pinned_duo(policy, c, r, "pin.test");

		pump(d, 0);
		meet_another(d, &d->c, p);
		if (timed)
			set_own_timer(&d->c);
		mbedtls_ssl_set_bio(&d->c.ssl, &d->c, wire_send, wire_recv,
		    NULL);
		pump(d, 1);
		assert_int_equal(d->c.done, 1);
		expect_duo("a key in common", d, DENY,
		    PINFAST_REASON_NO_CERTIFICATE);
		talk(d);
		assert_int_equal(d->app + d->got, 0);
		close_duo(d);
	}
	drop_shared(c);
	drop_shared(r);
	drop_shared(p);
	pinfast_free(policy);
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
	    cmocka_unit_test(after_a_refusal_the_honest_server_is_let_in),
	    cmocka_unit_test(a_renegotiation_has_the_anchors_of_the_entry),
	    cmocka_unit_test(a_leaf_that_is_its_own_anchor_is_asked_again),
	    cmocka_unit_test(an_object_that_is_gone_is_not_called),
	    cmocka_unit_test(what_was_not_completed_is_not_called_allowed),
	    cmocka_unit_test(other_functions_do_not_make_old_evidence_new),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
