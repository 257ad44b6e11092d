/* The mbedTLS adapter: what the conformance table cannot show. */
#include "mbed_pair.h"

#include "adapt/mbed/mbed.h"

/* A client, attached to pin.test with leaf pinned, meets a server. */
struct stage {
	struct pinfast *policy;
	struct shared *client, *server;
	struct duo *d;
};

static struct stage
stage_of(struct pinfast *policy, const struct id *shown, const struct id *sent)
{
	struct stage g;

	g.policy = policy;
	g.client = client_side();
	g.server = server_side(shown, sent);
	g.d = NULL;
	return g;
}

static struct stage
ordinary_stage(const struct id *shown, const struct id *sent)
{
	return stage_of(policy_of(PINFAST_ROLE_LEAF, &leaf), shown, sent);
}

static void
meet(struct stage *g, const char *host)
{
	g->d = pinned_duo(g->policy, g->client, g->server, host);
}

static void
leave(struct stage *g)
{
	if (g->d != NULL)
		close_duo(g->d);
	drop_shared(g->client);
	drop_shared(g->server);
	pinfast_free(g->policy);
}

/* --------------------------------------------------------------- the alerts */

static void
the_impostor_is_told_certificate_unknown(void **state)
{
	struct stage g = ordinary_stage(&evil, NULL);

	(void)state;
	meet(&g, "pin.test");
	pump(g.d, 0);
	talk(g.d);
	expect_duo("impostor", g.d, DENY, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(g.d->s.alert, MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN);
	assert_int_equal(g.d->c.error, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
	assert_int_equal(mbedtls_ssl_get_verify_result(&g.d->c.ssl),
	    0x40000000);
	leave(&g);
}

static void
the_reason_is_a_sentence_with_both_keys(void **state)
{
	struct stage g = ordinary_stage(&evil, NULL);
	char why[600];

	(void)state;
	meet(&g, "pin.test");
	pump(g.d, 0);
	assert_true(pinfast_mbedtls_explain(g.d->c.pin, why, sizeof why) > 0);
	assert_non_null(strstr(why, evil.pin));
	assert_non_null(strstr(why, leaf.pin));
	leave(&g);
}

/* ------------------------------------------------------- careless programs */

static int
yes_to_all(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg, (void)crt, (void)depth;
	*flags = 0;
	return 0;
}

enum careless {
	CALLBACK = 1, /* puts another callback in our place */
	PSK = 2,      /* has a pre-shared key, and so has the server */
	BIO_AGAIN = 4 /* sets its functions once more */
};

static const struct bad_row {
	const char *name;
	const struct id *shown;
	int how;
	int direct; /* calls mbedtls_ssl_handshake() */
	int allow;
	int32_t reason;
} careless_rows[] = {
    {"nothing wrong", &leaf, 0, 1, ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"nothing wrong, by the book", &leaf, 0, 0, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"the impostor", &evil, 0, 1, DENY, PINFAST_REASON_PIN_MISMATCH},
    {"another callback", &leaf, CALLBACK, 1, DENY,
        PINFAST_REASON_NO_CERTIFICATE},
    {"another callback, by the book", &leaf, CALLBACK, 0, DENY,
        PINFAST_REASON_NO_CERTIFICATE},
    {"another callback and the impostor", &evil, CALLBACK, 1, DENY,
        PINFAST_REASON_NO_CERTIFICATE},
    {"a pre-shared key", &leaf, PSK, 1, DENY, PINFAST_REASON_NO_CERTIFICATE},
    {"a pre-shared key, by the book", &leaf, PSK, 0, DENY,
        PINFAST_REASON_NO_CERTIFICATE},
    {"its functions again, and the impostor", &evil, BIO_AGAIN, 1, DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"its functions again, and a pre-shared key, by the book", &leaf,
        BIO_AGAIN | PSK, 0, DENY, PINFAST_REASON_NO_CERTIFICATE},
};

static void
nothing_passes_a_careless_application(void **state)
{
	static const int psk_only[] = {
	    MBEDTLS_TLS_PSK_WITH_AES_128_CBC_SHA256, 0};

	(void)state;
	for (size_t i = 0; i < sizeof careless_rows / sizeof *careless_rows;
	     i++) {
		const struct bad_row *r = &careless_rows[i];
		struct stage g = ordinary_stage(r->shown, &intA);

		if (r->how & PSK) {
			with_psk(g.client);
			with_psk(g.server);
			mbedtls_ssl_conf_ciphersuites(&g.server->conf,
			    psk_only);
		}
		meet(&g, "pin.test");
		if (r->how & CALLBACK)
			mbedtls_ssl_set_verify(&g.d->c.ssl, yes_to_all, NULL);
		if (r->how & BIO_AGAIN)
			mbedtls_ssl_set_bio(&g.d->c.ssl, &g.d->c, wire_send,
			    wire_recv, NULL);
		pump(g.d, r->direct);
		talk(g.d);
		expect_duo(r->name, g.d, r->allow, r->reason);
		leave(&g);
	}
}

static void
an_earlier_verdict_does_not_help_the_next_handshake(void **state)
{
	static const int psk_only[] = {
	    MBEDTLS_TLS_PSK_WITH_AES_128_CBC_SHA256, 0};
	struct stage g = ordinary_stage(&leaf, &intA);
	struct shared *second = server_side(&leaf, &intA);

	(void)state;
	with_psk(g.client);
	with_psk(second);
	mbedtls_ssl_conf_ciphersuites(&second->conf, psk_only);
	for (int direct = 0; direct < 2; direct++) {
		meet(&g, "pin.test");
		pump(g.d, direct);
		talk(g.d);
		expect_duo("first", g.d, ALLOW, PINFAST_REASON_PIN_MATCHED);
		/* The same object, which nobody attaches again. */
		assert_int_equal(mbedtls_ssl_session_reset(&g.d->c.ssl), 0);
		mbedtls_ssl_free(&g.d->s.ssl);
		memset(&g.d->to_c, 0, sizeof g.d->to_c);
		memset(&g.d->to_s, 0, sizeof g.d->to_s);
		g.d->c.done = g.d->s.done = 0;
		g.d->app = g.d->got = 0;
		open_end(&g.d->s, second, &g.d->to_s, &g.d->to_c);
		pump(g.d, direct);
		talk(g.d);
		expect_duo("second", g.d, DENY, PINFAST_REASON_NO_CERTIFICATE);
		close_duo(g.d);
		g.d = NULL;
	}
	drop_shared(second);
	leave(&g);
}

static void
an_object_may_be_attached_again(void **state)
{
	struct stage g = ordinary_stage(&evil, NULL);
	struct shared *good = server_side(&leaf, &intA);

	(void)state;
	meet(&g, "pin.test");
	pump(g.d, 0);
	talk(g.d);
	expect_duo("first", g.d, DENY, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(mbedtls_ssl_session_reset(&g.d->c.ssl), 0);
	mbedtls_ssl_free(&g.d->s.ssl);
	memset(&g.d->to_c, 0, sizeof g.d->to_c);
	memset(&g.d->to_s, 0, sizeof g.d->to_s);
	g.d->c.error = g.d->s.error = 0;
	open_end(&g.d->s, good, &g.d->to_s, &g.d->to_c);
	assert_int_equal(pinfast_mbedtls_attach(g.d->c.pin, "pin.test", 443,
	                     NULL),
	    0);
	pump(g.d, 0);
	talk(g.d);
	expect_duo("second", g.d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	drop_shared(good);
	leave(&g);
}

static void
what_is_kept_is_asked_again(void **state)
{
	struct stage g = ordinary_stage(&leaf, &intA);

	(void)state;
	meet(&g, "pin.test");
	pump(g.d, 0);
	talk(g.d);
	expect_duo("first", g.d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	/* Of keys that nobody asked about before. */
	change_policy(g.policy, 2, PINFAST_ROLE_ANY, &rootA);
	expect(pinfast_mbedtls_result(g.d->c.pin), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	change_policy(g.policy, 3, PINFAST_ROLE_LEAF, &leaf);
	expect(pinfast_mbedtls_recheck(g.d->c.pin, "two.test", 443), ALLOW,
	    PINFAST_REASON_UNLISTED);
	expect(pinfast_mbedtls_recheck(g.d->c.pin, "other.test", 443), DENY,
	    PINFAST_REASON_PKIX_FAILED);
	expect(pinfast_mbedtls_recheck(g.d->c.pin, "two..test", 443), DENY,
	    PINFAST_REASON_HOST_INVALID);
	change_policy(g.policy, 4, PINFAST_ROLE_ANY, &rootB);
	g.d->app = g.d->got = 0;
	expect(pinfast_mbedtls_result(g.d->c.pin), DENY,
	    PINFAST_REASON_PIN_MISMATCH);
	talk(g.d);
	expect_duo("withdrawn", g.d, DENY, PINFAST_REASON_PIN_MISMATCH);
	leave(&g);
}

static void
a_renegotiation_is_judged_by_the_policy_of_its_time(void **state)
{
	(void)state;
	for (int good = 0; good < 2; good++) {
		struct stage g = ordinary_stage(&leaf, &intA);

		mbedtls_ssl_conf_renegotiation(&g.client->conf,
		    MBEDTLS_SSL_RENEGOTIATION_ENABLED);
		mbedtls_ssl_conf_renegotiation(&g.server->conf,
		    MBEDTLS_SSL_RENEGOTIATION_ENABLED);
		meet(&g, "pin.test");
		pump(g.d, 0);
		talk(g.d);
		expect_duo("before", g.d, ALLOW, PINFAST_REASON_PIN_MATCHED);
		if (!good)
			change_policy(g.policy, 2, PINFAST_ROLE_LEAF, &evil);
		g.d->app = g.d->got = 0;
		for (int i = 0; i < 10; i++) {
			unsigned char buffer[64];
			int n;

			(void)mbedtls_ssl_renegotiate(&g.d->c.ssl);
			n = mbedtls_ssl_read(&g.d->s.ssl, buffer,
			    sizeof buffer);
			assert_true(n <= 0);
			if (i > 0 &&
			    g.d->c.ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER)
				break;
		}
		talk(g.d);
		expect_duo("after", g.d, good,
		    good ? PINFAST_REASON_PIN_MATCHED
		         : PINFAST_REASON_PIN_MISMATCH);
		leave(&g);
	}
}

/* --------------------------------------------------------------- attaching */

static void
misuse_is_refused(void **state)
{
	struct stage g = ordinary_stage(&leaf, &intA);
	struct duo *d = duo_of(g.client, g.server);
	struct pinfast_diag diag;
	struct pinfast_mbedtls *m;
	mbedtls_ssl_context bare;

	(void)state;
	assert_int_equal(pinfast_mbedtls_new(NULL, &d->c.ssl, NULL, NULL, &m),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_new(g.policy, NULL, NULL, NULL, &m),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_attach(NULL, "pin.test", 443, &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_attach_server(NULL, "a", &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_handshake(NULL),
	    MBEDTLS_ERR_SSL_BAD_INPUT_DATA);
	expect(pinfast_mbedtls_result(NULL), DENY, PINFAST_REASON_NOT_JUDGED);
	expect(pinfast_mbedtls_recheck(NULL, "pin.test", 1), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	assert_true(pinfast_mbedtls_explain(NULL, NULL, 0) > 0);
	assert_null(pinfast_mbedtls_conn(NULL));
	pinfast_mbedtls_free(NULL);
	pinfast_mbedtls_session_free(NULL);

	mbedtls_ssl_init(&bare);
	assert_int_equal(pinfast_mbedtls_new(g.policy, &bare, NULL, NULL, &m),
	    0);
	assert_int_equal(pinfast_mbedtls_attach(m, "pin.test", 443, &diag),
	    PINFAST_EUSAGE);
	assert_non_null(strstr(diag.text, "mbedtls_ssl_setup"));
	assert_int_equal(mbedtls_ssl_setup(&bare, &g.client->conf), 0);
	assert_int_equal(pinfast_mbedtls_attach(m, "pin.test", 443, &diag),
	    PINFAST_EUSAGE);
	assert_non_null(strstr(diag.text, "mbedtls_ssl_set_bio"));
	/* It is in any case not let through. */
	mbedtls_ssl_set_bio(&bare, &d->c, wire_send, wire_recv, NULL);
	expect(pinfast_mbedtls_result(m), DENY, PINFAST_REASON_NOT_JUDGED);
	mbedtls_ssl_free(&bare);
	pinfast_mbedtls_free(m);

	pin_end(&d->c, g.policy);
	pin_end(&d->s, g.policy);
	assert_int_equal(pinfast_mbedtls_attach_server(d->c.pin, "a", &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_attach_server(d->s.pin, NULL, &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_attach(d->s.pin, "a.test", 1, &diag),
	    PINFAST_EUSAGE);
	/* Never attached: whoever calls our handshake is not let in. */
	pump(d, 0);
	talk(d);
	expect_duo("never attached", d, DENY, PINFAST_REASON_NOT_JUDGED);
	close_duo(d);
	leave(&g);
}

static void
too_late_is_said(void **state)
{
	struct stage g = ordinary_stage(&leaf, &intA);
	struct pinfast_mbedtls_session session;
	struct pinfast_diag diag;
	uint8_t bytes[8] = "PFM1";

	(void)state;
	meet(&g, "pin.test");
	pump(g.d, 0);
	assert_int_equal(pinfast_mbedtls_attach(g.d->c.pin, "pin.test", 443,
	                     &diag),
	    PINFAST_EUSAGE);
	assert_non_null(strstr(diag.text, "before the handshake"));
	pinfast_mbedtls_session_init(&session);
	assert_int_equal(pinfast_mbedtls_session_use(g.d->c.pin, &session),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_mbedtls_session_read(g.d->c.pin, bytes, 8),
	    PINFAST_EUSAGE);
	talk(g.d);
	expect_duo("as before", g.d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	leave(&g);
}

static const struct mode_row {
	const char *name;
	int authmode;
	int pkix_none;
	enum pinfast_error attach;
	const struct id *shown;
	int allow;
	int32_t reason;
} mode_rows[] = {
    {"required", MBEDTLS_SSL_VERIFY_REQUIRED, 0, PINFAST_OK, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"optional", MBEDTLS_SSL_VERIFY_OPTIONAL, 0, PINFAST_EUNSAFE, &leaf, DENY,
        PINFAST_REASON_NOT_JUDGED},
    {"none", MBEDTLS_SSL_VERIFY_NONE, 0, PINFAST_EUNSAFE, &leaf, DENY,
        PINFAST_REASON_NOT_JUDGED},
    {"required, no PKIX", MBEDTLS_SSL_VERIFY_REQUIRED, 1, PINFAST_OK, &self,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"optional, no PKIX", MBEDTLS_SSL_VERIFY_OPTIONAL, 1, PINFAST_OK, &self,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"none, no PKIX", MBEDTLS_SSL_VERIFY_NONE, 1, PINFAST_OK, &self, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"optional, no PKIX, another", MBEDTLS_SSL_VERIFY_OPTIONAL, 1, PINFAST_OK,
        &leaf, DENY, PINFAST_REASON_PIN_MISMATCH},
    {"none, no PKIX, another", MBEDTLS_SSL_VERIFY_NONE, 1, PINFAST_OK, &leaf,
        DENY, PINFAST_REASON_PIN_MISMATCH},
};

static void
the_authmode_is_the_policys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mode_rows / sizeof *mode_rows; i++) {
		const struct mode_row *r = &mode_rows[i];

		for (int bits = 0; bits < 4; bits++) {
			struct pinfast_builder *b = begin_policy(1);
			struct stage g;

			add_entry(b, "pin.test", PINFAST_ROLE_LEAF,
			    r->pkix_none ? &self : &leaf);
			if (r->pkix_none)
				pinfast_builder_entry_set(b,
				    PINFAST_ENTRY_PKIX_NONE, 1);
			g = stage_of(policy_made(b), r->shown, &intA);
			mbedtls_ssl_conf_authmode(&g.client->conf, r->authmode);
			/* Who needs no chain needs no anchors. */
			if (r->pkix_none && (bits & 2))
				mbedtls_ssl_conf_ca_chain(&g.client->conf, NULL,
				    NULL);
			g.d = duo_of(g.client, g.server);
			pin_end(&g.d->c, g.policy);
			assert_int_equal(pinfast_mbedtls_attach(g.d->c.pin,
			                     "pin.test", 443, NULL),
			    r->attach);
			pump(g.d, bits & 1);
			talk(g.d);
			expect_duo(r->name, g.d, r->allow, r->reason);
			if (r->attach == PINFAST_OK && !r->allow)
				assert_int_equal(g.d->s.alert,
				    MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN);
			leave(&g);
		}
	}
}

static void
datagrams_are_refused(void **state)
{
	struct stage g = ordinary_stage(&leaf, &intA);
	struct pinfast_diag diag;

	(void)state;
	mbedtls_ssl_conf_transport(&g.client->conf,
	    MBEDTLS_SSL_TRANSPORT_DATAGRAM);
	g.d = duo_of(g.client, g.server);
	pin_end(&g.d->c, g.policy);
	assert_int_equal(pinfast_mbedtls_attach(g.d->c.pin, "pin.test", 443,
	                     &diag),
	    PINFAST_EUNSUPPORTED);
	expect(pinfast_mbedtls_result(g.d->c.pin), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	leave(&g);
}

/* ----------------------------------------------------- seen from elsewhere */

static void
whoever_finds_it_at_run_time_gets_the_same_answers(void **state)
{
	const struct pf_adapter *a = pinfast_adapter_mbedtls();
	struct stage g = ordinary_stage(&leaf, &intA);
	char why[100];

	(void)state;
	assert_string_equal(a->name, "mbedtls");
	assert_int_equal(a->abi, PF_ADAPTER_ABI);
	assert_int_equal(a->caps & (PF_CAN_TLS13 | PF_CAN_EARLY), 0);
	g.d = duo_of(g.client, g.server);
	pin_end(&g.d->c, g.policy);
	assert_int_equal(a->attach(g.d->c.pin, g.policy, "pin.test", 443, NULL),
	    0);
	assert_ptr_equal(a->conn(g.d->c.pin), pinfast_mbedtls_conn(g.d->c.pin));
	pump(g.d, 0);
	expect(a->result(g.d->c.pin), ALLOW, PINFAST_REASON_PIN_MATCHED);
	expect(a->recheck(g.d->c.pin, "two.test", 443), ALLOW,
	    PINFAST_REASON_UNLISTED);
	assert_true(a->explain(g.d->c.pin, why, sizeof why) > 0);
	leave(&g);
}

static int
recv_in_time(void *arg, unsigned char *data, size_t size, uint32_t ms)
{
	(void)ms;
	return wire_recv(arg, data, size);
}

static void
who_reads_with_a_timeout_is_held_back_as_well(void **state)
{
	(void)state;
	for (int good = 0; good < 2; good++) {
		struct stage g = ordinary_stage(&leaf, &intA);

		g.d = duo_of(g.client, g.server);
		mbedtls_ssl_set_bio(&g.d->c.ssl, &g.d->c, wire_send, NULL,
		    recv_in_time);
		pin_end(&g.d->c, g.policy);
		assert_int_equal(pinfast_mbedtls_attach(g.d->c.pin, "pin.test",
		                     443, NULL),
		    0);
		if (!good)
			mbedtls_ssl_set_verify(&g.d->c.ssl, yes_to_all, NULL);
		pump(g.d, 1);
		talk(g.d);
		expect_duo("timeout", g.d, good,
		    good ? PINFAST_REASON_PIN_MATCHED
		         : PINFAST_REASON_NO_CERTIFICATE);
		leave(&g);
	}
}

/* As those of TLS 1.3, which mbedTLS 2.28 does not make: nothing would tell
 * one from another, so that a tag of one would be a tag of all. */
static void
a_session_without_a_secret_is_not_offered(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *ours = client_side();
	struct shared *theirs = server_side(&leaf, &intA);
	struct pinfast_mbedtls_session session;
	struct pinfast_bytes secret = {
	    session.session.master, sizeof session.session.master};
	struct duo *d = pinned_duo(policy, ours, theirs, "pin.test");

	(void)state;
	pump(d, 0);
	talk(d);
	expect_duo("first", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	pinfast_mbedtls_session_init(&session);
	assert_int_equal(pinfast_mbedtls_session_get(d->c.pin, &session), 0);
	for (int known = 1; known >= 0; known--) {
		struct duo *next = pinned_duo(policy, ours, theirs, "pin.test");

		memset(session.session.master, known, secret.len);
		assert_int_equal(
		    pinfast_conn_tag(pinfast_mbedtls_conn(d->c.pin), secret,
		        session.tag, &session.tag_len),
		    0);
		assert_int_equal(pinfast_mbedtls_session_use(next->c.pin,
		                     &session),
		    known ? PINFAST_OK : PINFAST_EPOLICY);
		close_duo(next);
	}
	pinfast_mbedtls_session_free(&session);
	close_duo(d);
	drop_shared(ours);
	drop_shared(theirs);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_impostor_is_told_certificate_unknown),
	    cmocka_unit_test(the_reason_is_a_sentence_with_both_keys),
	    cmocka_unit_test(nothing_passes_a_careless_application),
	    cmocka_unit_test(
	        an_earlier_verdict_does_not_help_the_next_handshake),
	    cmocka_unit_test(an_object_may_be_attached_again),
	    cmocka_unit_test(what_is_kept_is_asked_again),
	    cmocka_unit_test(
	        a_renegotiation_is_judged_by_the_policy_of_its_time),
	    cmocka_unit_test(misuse_is_refused),
	    cmocka_unit_test(too_late_is_said),
	    cmocka_unit_test(the_authmode_is_the_policys),
	    cmocka_unit_test(datagrams_are_refused),
	    cmocka_unit_test(
	        whoever_finds_it_at_run_time_gets_the_same_answers),
	    cmocka_unit_test(who_reads_with_a_timeout_is_held_back_as_well),
	    cmocka_unit_test(a_session_without_a_secret_is_not_offered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
