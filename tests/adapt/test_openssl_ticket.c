/* The OpenSSL adapter on a server: what a ticket and a key that are shared with
 * somebody else bring. */
#define SHARED_KEY_SUITE 0x01 /* TLS_AES_128_GCM_SHA256 */
#include "door.h"
#include "shared_key.h"

/* What a listener has of a session: its ticket, but not its secret. */
static SSL_SESSION *
overheard(SSL_SESSION *session)
{
	static const unsigned char nothing[48];
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	assert_non_null(copy);
	assert_int_equal(SSL_SESSION_set1_master_key(copy, nothing,
	                     sizeof nothing),
	    1);
	SSL_SESSION_free(session);
	return copy;
}

/* Nobody of the policy's: it knows a key of the application's. */
static SSL_CTX *
knows_key(void)
{
	SSL_CTX *ctx = client_ctx(NULL, TLS1_3_VERSION);

	SSL_CTX_set_psk_use_session_callback(ctx, use_shared);
	assert_int_equal(SSL_CTX_set_ciphersuites(ctx,
	                     "TLS_AES_128_GCM_SHA256"),
	    1);
	return ctx;
}

/* OpenSSL asks about the ticket first, finds that its hash does not fit, and
 * takes the key. */
static void
a_key_beside_anothers_ticket_is_no_session(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct door d = open_door(&client, TLS1_3_VERSION);
		int taken = i & 1, beside = i & 2;
		struct pair p;

		expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
		SSL_CTX_set_psk_find_session_callback(d.sctx, find_shared);
		SSL_CTX_free(d.cctx);
		d.cctx = knows_key();
		p = join(d.cctx, d.sctx);
		assert_int_equal(pinfast_openssl_attach_server(p.s, "partner",
		                     NULL),
		    0);
		if (taken)
			SSL_set_info_callback(p.s, say_nothing);
		d.session = overheard(d.session);
		if (beside)
			SSL_set_session(p.c, d.session);
		shake(&p);
		/* Where our place was taken, the key is; it is asked first. */
		assert_int_equal(SSL_session_reused(p.s), taken);
		if (taken)
			(void)!pinfast_openssl_result(p.s).decision;
		chat(&p);
		assert_int_equal(p.app, 0);
		assert_int_not_equal(pinfast_openssl_result(p.s).decision,
		    PINFAST_ALLOW);
		part(&p);
		close_door(&d);
	}
}

static void
next_partner(struct pinfast *policy, int64_t serial, const struct id *partner)
{
	struct pinfast_builder *b = begin_policy(serial);

	add_entry(b, "partner", PINFAST_ROLE_COUNT, partner);
	serve_policy(policy, b);
}

/* The same server SSL meets another client. */
static void
meet(struct pair *p, SSL_CTX *cctx)
{
	struct pair again = join(cctx, SSL_get_SSL_CTX(p->s));

	SSL_set_bio(p->s, SSL_get_rbio(again.s), SSL_get_wbio(again.s));
	BIO_up_ref(SSL_get_rbio(again.s));
	SSL_free(again.s);
	SSL_free(p->c);
	p->c = again.c;
	p->app = 0;
	assert_int_equal(SSL_clear(p->s), 1);
	SSL_set_accept_state(p->s);
}

/* Its tag passed, and then nobody proved to know its secret; whoever comes next
 * rests on a session of his own. */
static void
a_ticket_of_a_handshake_that_broke_off_is_no_session(void **state)
{
	struct door d = open_door(&stranger, TLS1_2_VERSION);
	SSL_SESSION *old;
	struct pair p;

	(void)state;
	next_partner(d.policy, 2, &stranger);
	SSL_CTX_set_options(d.cctx, SSL_OP_NO_TICKET);
	expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
	old = d.session;
	d.session = NULL;
	p = join(d.cctx, d.sctx);
	assert_int_equal(pinfast_openssl_attach_server(p.s, "partner", NULL),
	    0);
	next_partner(d.policy, 3, &client);
	SSL_CTX_free(d.cctx);
	d.cctx = client_ctx(&client, TLS1_2_VERSION);
	expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
	meet(&p, d.cctx);
	d.session = overheard(d.session);
	SSL_set_session(p.c, d.session);
	(void)SSL_do_handshake(p.c);
	(void)SSL_do_handshake(p.s);
	SSL_CTX_free(d.cctx);
	d.cctx = client_ctx(&stranger, TLS1_2_VERSION);
	SSL_CTX_set_options(d.cctx, SSL_OP_NO_TICKET);
	meet(&p, d.cctx);
	SSL_set_session(p.c, old);
	shake(&p);
	chat(&p);
	assert_int_equal(SSL_session_reused(p.s), 1);
	assert_int_equal(p.app, 0);
	expect(pinfast_openssl_result(p.s), DENY, PINFAST_REASON_PIN_MISMATCH);
	SSL_SESSION_free(old);
	part(&p);
	close_door(&d);
}

/* A client that shows nothing, and writes early data. */
static void
expect_nothing(struct door *d, int attached, SSL_SESSION *session)
{
	struct pair p = join(d->cctx, d->sctx);
	size_t n;

	if (attached)
		assert_int_equal(pinfast_openssl_attach_server(p.s, "partner",
		                     NULL),
		    0);
	if (session != NULL)
		SSL_set_session(p.c, session);
	(void)SSL_write_early_data(p.c, "early", 5, &n);
	take_early(&p);
	shake(&p);
	chat(&p);
	assert_int_equal(p.early, 0);
	assert_int_equal(p.app, 0);
	part(&p);
}

/* Before OpenSSL looks at keys, and after it was told that it begins. */
static int
set_key_late(SSL *ssl, int *alert, void *arg)
{
	(void)alert, (void)arg;
	SSL_set_psk_find_session_callback(ssl, find_shared);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static void
a_key_brings_no_early_data(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct door d = open_door(NULL, TLS1_3_VERSION);
		int attached = i & 1, late = i & 2;

		if (late)
			SSL_CTX_set_client_hello_cb(d.sctx, set_key_late, NULL);
		else
			SSL_CTX_set_psk_find_session_callback(d.sctx,
			    find_shared);
		SSL_CTX_free(d.cctx);
		d.cctx = knows_key();
		expect_nothing(&d, attached, NULL);
		close_door(&d);
	}
}

/* With a ticket, or out of the server's memory: OpenSSL takes those by which
 * nobody can repeat early data (RFC 8446, 8.1). */
static void
early_data_are_taken_from_whose_tag_passes(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct door d = open_door(&client, TLS1_3_VERSION);
		int tickets = i & 1, changed = i & 2, hidden = i & 4;
		struct pair p;
		size_t n;

		if (tickets)
			SSL_CTX_set_options(d.sctx, SSL_OP_NO_ANTI_REPLAY);
		expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
		if (changed)
			next_partner(d.policy, 2, &stranger);
		p = join(d.cctx, d.sctx);
		assert_int_equal(pinfast_openssl_attach_server(p.s, "partner",
		                     NULL),
		    0);
		/* Its session is of what was asked when it was attached. */
		if (hidden)
			next_partner(d.policy, 3, &stranger);
		SSL_set_session(p.c, d.session);
		assert_int_equal(SSL_write_early_data(p.c, "early", 5, &n), 1);
		take_early(&p);
		shake(&p);
		chat(&p);
		assert_int_equal(p.early, changed || hidden ? 0 : 5);
		if (changed || hidden)
			assert_int_equal(p.app, 0);
		else
			expect(pinfast_openssl_result(p.s), ALLOW,
			    PINFAST_REASON_PIN_MATCHED);
		part(&p);
		close_door(&d);
	}
}

/* Nor does it ask for certificates, nor whether the client may come. */
static void
a_forgotten_attach_lets_nothing_pass_by_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct door d = open_door(NULL, versions[i]);
		struct pinfast_verdict verdict = visit(&d, NULL);

		assert_int_equal(d.app, 0);
		expect(verdict, DENY, PINFAST_REASON_NOT_JUDGED);
		expect_nothing(&d, 0, d.session);
		close_door(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_beside_anothers_ticket_is_no_session),
	    cmocka_unit_test(
	        a_ticket_of_a_handshake_that_broke_off_is_no_session),
	    cmocka_unit_test(a_key_brings_no_early_data),
	    cmocka_unit_test(early_data_are_taken_from_whose_tag_passes),
	    cmocka_unit_test(a_forgotten_attach_lets_nothing_pass_by_itself),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
