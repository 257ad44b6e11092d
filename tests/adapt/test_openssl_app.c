/* The OpenSSL adapter in applications that have their own ideas. */
#include "pair.h"

/* ------------------------------------------------- their own verification */

static int
forgive(int ok, X509_STORE_CTX *xs)
{
	(void)ok;
	(void)xs;
	return 1;
}

static int
forgive_and_hide(int ok, X509_STORE_CTX *xs)
{
	(void)ok;
	X509_STORE_CTX_set_error(xs, X509_V_OK);
	return 1;
}

static int
pass_on(int ok, X509_STORE_CTX *xs)
{
	(void)xs;
	return ok;
}

static int
just_verify(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	return X509_verify_cert(xs);
}

static int
verify_forgiving(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(xs, forgive);
	return X509_verify_cert(xs);
}

static int
verify_hiding(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(xs, forgive_and_hide);
	return X509_verify_cert(xs);
}

static int
verify_watching(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(xs, pass_on);
	return X509_verify_cert(xs);
}

static int
verify_in_vain(X509_STORE_CTX *xs, void *arg)
{
	const int *hides = arg;

	(void)X509_verify_cert(xs);
	if (*hides)
		X509_STORE_CTX_set_error(xs, X509_V_OK);
	return 1;
}

/* It fails without asking any callback. */
static int
verify_out_of_memory(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	(void)X509_verify_cert(xs);
	X509_STORE_CTX_set_error(xs, X509_V_ERR_OUT_OF_MEM);
	return 1;
}

static int no = 0, yes = 1;

struct own_row {
	const char *name;
	int (*verify)(X509_STORE_CTX *xs, void *arg);
	void *arg;
	int (*callback)(int ok, X509_STORE_CTX *xs);
	const struct id *shown; /* and pinned */
	int allow;
	int32_t reason;
};

static const struct own_row own_rows[] = {
    {"honest", just_verify, NULL, NULL, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"nobody's", just_verify, NULL, NULL, &self, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"ignored", verify_in_vain, &no, NULL, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"ignored, hidden", verify_in_vain, &yes, NULL, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"behind another callback", verify_forgiving, NULL, NULL, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"hidden behind another callback", verify_hiding, NULL, NULL, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    /* Nobody can tell it from the last. */
    {"watched by another callback", verify_watching, NULL, NULL, &leaf, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"failed without a callback", verify_out_of_memory, NULL, NULL, &leaf, DENY,
        PINFAST_REASON_NOT_VERIFIED},
};

/* self is nobody's, but its name is right. */
static int
rename_self(void **state)
{
	if (make_everybody(state) != 0)
		return 1;
	identity_free(&self);
	self.key = NULL;
	certify(&self, "self", NULL, "DNS:pin.test", 30);
	return 0;
}

static void
try_own(const struct own_row *r)
{
	struct pinfast_openssl_next next = {
	    .verify = r->verify, .verify_arg = r->arg};
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, r->shown);
	SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
	SSL_CTX *sctx = server_ctx(r->shown, &intA, TLS1_3_VERSION);
	struct pair p;

	SSL_CTX_set_verify(cctx, SSL_VERIFY_PEER, r->callback);
	assert_int_equal(pinfast_openssl_init(cctx, policy, &next, NULL), 0);
	p = attached(cctx, sctx, "pin.test");
	shake(&p);
	chat(&p);
	expect_row(r->name, &p, r->allow, r->reason);
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
what_an_own_verification_forgave_is_not_verified(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof own_rows / sizeof *own_rows; i++)
		try_own(&own_rows[i]);
}

/* It takes our callback over, and says nothing of the SSL. */
static int
verify_aside(X509_STORE_CTX *xs, void *arg)
{
	X509_STORE_CTX *aside = X509_STORE_CTX_new();
	int verified;

	(void)arg;
	X509_STORE_CTX_init(aside, X509_STORE_CTX_get0_store(xs),
	    X509_STORE_CTX_get0_cert(xs), X509_STORE_CTX_get0_untrusted(xs));
	X509_STORE_CTX_set_verify_cb(aside, X509_STORE_CTX_get_verify_cb(xs));
	verified = X509_verify_cert(aside);
	X509_STORE_CTX_set0_verified_chain(xs,
	    X509_STORE_CTX_get1_chain(aside));
	X509_STORE_CTX_free(aside);
	return verified;
}

static const struct own_row aside_rows[] = {
    {"honest", verify_aside, NULL, NULL, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"nobody's", verify_aside, NULL, NULL, &self, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"honest, with a callback", verify_aside, NULL, pass_on, &leaf, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"nobody's, with a callback", verify_aside, NULL, forgive, &self, DENY,
        PINFAST_REASON_PKIX_FAILED},
};

static void
an_own_verification_may_go_aside(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof aside_rows / sizeof *aside_rows; i++)
		try_own(&aside_rows[i]);
}

/* ---------------------------------------------------- their own callbacks */

static int infos;

static void
count_info(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
	infos++;
}

/* A client that takes also who shows no certificate (nobody), and whose
 * information callback has taken our place. */
static struct scene
unnoticed_scene(SSL_CTX **nobody)
{
	struct scene s = ordinary_scene(TLS1_2_VERSION);

	*nobody = server_ctx(&evil, NULL, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(*nobody, "ADH-AES256-GCM-SHA384:@SECLEVEL=0");
	SSL_CTX_set_dh_auto(*nobody, 1);
	part(&s.p);
	SSL_CTX_set_cipher_list(s.cctx, "ALL:aNULL:@SECLEVEL=0");
	s.p = attached(s.cctx, s.sctx, "pin.test");
	SSL_set_info_callback(s.p.c, count_info);
	return s;
}

/* And then again the right server. */
static void
meet_nobody(const char *name, struct scene *s, SSL_CTX *nobody)
{
	join_again(&s->p, nobody);
	shake(&s->p);
	assert_true(s->p.shaken);
	expect(pinfast_openssl_result(s->p.c), DENY,
	    PINFAST_REASON_NO_CERTIFICATE);
	chat(&s->p);
	expect_row(name, &s->p, DENY, PINFAST_REASON_NO_CERTIFICATE);
	join_again(&s->p, s->sctx);
	shake(&s->p);
	chat(&s->p);
	expect_row("noticed again", &s->p, ALLOW, PINFAST_REASON_PIN_MATCHED);
	SSL_CTX_free(nobody);
	end(s);
}

/* The second server shows no certificate (RFC 5246, appendix A.5), and an
 * information callback has taken our place. */
static void
an_unnoticed_handshake_has_no_verdict(void **state)
{
	SSL_CTX *nobody;
	struct scene s = unnoticed_scene(&nobody);

	(void)state;
	shake(&s.p);
	chat(&s.p);
	expect_row("noticed by its certificate", &s.p, ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	meet_nobody("unnoticed", &s, nobody);
}

/* The same after a handshake that broke off when its certificate was judged:
 * whoever shows the genuine one needs no key to get that far. */
static void
a_handshake_that_broke_off_helps_no_other(void **state)
{
	SSL_CTX *nobody;
	struct scene s = unnoticed_scene(&nobody);

	(void)state;
	SSL_do_handshake(s.p.c);
	SSL_do_handshake(s.p.s);
	SSL_do_handshake(s.p.c);
	assert_int_equal(pinfast_conn_verdict(pinfast_openssl_conn(s.p.c))
	                     .reason,
	    PINFAST_REASON_PIN_MATCHED);
	meet_nobody("after one that broke off", &s, nobody);
}

static void
the_context_that_was_put_in_place_is_told(void **state)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	SSL_CTX *second = bare_ctx(TLS1_3_VERSION);
	SSL_CTX *third = bare_ctx(TLS1_3_VERSION);

	(void)state;
	SSL_CTX_set_info_callback(third, count_info);
	assert_int_equal(pinfast_openssl_init(second, s.policy, NULL, NULL), 0);
	assert_int_equal(pinfast_openssl_init(third, s.policy, NULL, NULL), 0);
	attach(&s.p, "pin.test");
	SSL_set_SSL_CTX(s.p.c, second);
	shake(&s.p);
	chat(&s.p);
	expect_row("second", &s.p, ALLOW, PINFAST_REASON_PIN_MATCHED);
	SSL_set_SSL_CTX(s.p.c, third);
	SSL_CTX_free(second);
	join_again(&s.p, s.sctx);
	SSL_set_info_callback(s.p.c, NULL);
	attach(&s.p, "pin.test");
	infos = 0;
	shake(&s.p);
	chat(&s.p);
	expect_row("third", &s.p, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_true(infos > 0);
	SSL_CTX_free(third);
	end(&s);
}

/* ----------------------------------------------- a connection that is kept */

/* The server's bytes, one after the other, and the client asks each time. */
static void
ask_at_every_byte(struct pair *p, BIO *from, BIO *to)
{
	char byte;

	while (BIO_read(from, &byte, 1) == 1) {
		(void)BIO_write(to, &byte, 1);
		(void)SSL_read(p->c, &byte, 1);
		expect(pinfast_openssl_result(p->c), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
	}
}

static BIO *
bytes_kept(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(bio);
	BIO_set_mem_eof_return(bio, -1);
	return bio;
}

static void
carry(BIO *from, BIO *to)
{
	char buffer[8192];
	int n;

	while ((n = BIO_read(from, buffer, sizeof buffer)) > 0)
		assert_int_equal(BIO_write(to, buffer, n), n);
}

static int
write_large_ticket(SSL *ssl, void *arg)
{
	static const char data[2000];

	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data,
	    sizeof data);
}

/* It comes in several records (RFC 8446, 5.1). */
static void
a_ticket_in_pieces_changes_nothing(void **state)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	BIO *up = bytes_kept(), *down = bytes_kept(), *held = bytes_kept();

	(void)state;
	SSL_CTX_set_session_ticket_cb(s.sctx, write_large_ticket, NULL, NULL);
	SSL_CTX_set_max_send_fragment(s.sctx, 512);
	part(&s.p);
	s.p = attached(s.cctx, s.sctx, "pin.test");
	BIO_up_ref(up);
	SSL_set_bio(s.p.c, down, up);
	SSL_set_bio(s.p.s, up, held);
	(void)SSL_do_handshake(s.p.c);
	(void)SSL_do_handshake(s.p.s);
	carry(held, down);
	assert_int_equal(SSL_do_handshake(s.p.c), 1);
	assert_int_equal(SSL_do_handshake(s.p.s), 1);
	assert_true(BIO_ctrl_pending(held) > 4000);
	ask_at_every_byte(&s.p, held, down);
	chat(&s.p);
	assert_int_equal(s.p.app, 16);
	end(&s);
}

/* RFC 5746: the server asks, and the client may go on writing meanwhile. */
static void
a_renegotiation_half_way_changes_nothing(void **state)
{
	struct scene s = ordinary_scene(TLS1_2_VERSION);
	char byte;

	(void)state;
	attach(&s.p, "pin.test");
	shake(&s.p);
	chat(&s.p);
	for (int full = 0; full < 2; full++) {
		assert_int_equal(full ? SSL_renegotiate(s.p.s)
		                      : SSL_renegotiate_abbreviated(s.p.s),
		    1);
		(void)SSL_do_handshake(s.p.s);
		(void)SSL_read(s.p.c, &byte, 1);
		assert_true(SSL_renegotiate_pending(s.p.c));
		expect(pinfast_openssl_result(s.p.c), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
		for (int i = 0; i < 4; i++) {
			(void)SSL_do_handshake(s.p.s);
			(void)SSL_read(s.p.c, &byte, 1);
			(void)SSL_read(s.p.s, &byte, 1);
		}
		assert_false(SSL_renegotiate_pending(s.p.c));
		s.p.app = 0;
		chat(&s.p);
		expect_row("renegotiated", &s.p, ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
	}
	end(&s);
}

/* Attaching leaves the errors that wait for somebody else. */
static void
attaching_leaves_the_error_queue_alone(void **state)
{
	const char *const hosts[] = {"pin.test", "192.0.2.7", NULL};
	struct scene s = ordinary_scene(TLS1_3_VERSION);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		ERR_clear_error();
		ERR_raise(ERR_LIB_USER, 7);
		attach(&s.p, hosts[i]);
		assert_int_equal(ERR_GET_REASON(ERR_get_error()), 7);
		assert_int_equal(ERR_get_error(), 0);
	}
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_an_own_verification_forgave_is_not_verified),
	    cmocka_unit_test(an_own_verification_may_go_aside),
	    cmocka_unit_test(attaching_leaves_the_error_queue_alone),
	    cmocka_unit_test(an_unnoticed_handshake_has_no_verdict),
	    cmocka_unit_test(a_handshake_that_broke_off_helps_no_other),
	    cmocka_unit_test(the_context_that_was_put_in_place_is_told),
	    cmocka_unit_test(a_ticket_in_pieces_changes_nothing),
	    cmocka_unit_test(a_renegotiation_half_way_changes_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rename_self, free_everybody);
}
