/* The mbedTLS adapter: what is done or set too early, too late, or after a
 * refusal. */
#include "mbed_pair.h"

static void
set_bio(struct end *e)
{
	mbedtls_ssl_set_bio(&e->ssl, e, wire_send, wire_recv, NULL);
}

static struct duo *
unmoved_duo(struct shared *ours, struct shared *theirs, struct pinfast *policy)
{
	struct duo *d = duo_of(ours, theirs);

	pin_end(&d->c, policy);
	mbedtls_ssl_set_bio(&d->c.ssl, NULL, NULL, NULL, NULL);
	return d;
}

enum { PINNED, EVIL, SHARED_KEY };

static const struct row {
	const char *name;
	int peer;
	int careless;
} rows[] = {
    {"the pinned leaf", PINNED, 0},
    {"the pinned leaf, careless", PINNED, 1},
    {"another leaf", EVIL, 0},
    {"another leaf, careless", EVIL, 1},
    {"a shared key", SHARED_KEY, 0},
    {"a shared key, careless", SHARED_KEY, 1},
};

#define ROWS (sizeof rows / sizeof rows[0])

struct sides {
	struct shared *ours, *theirs;
};

static struct sides
sides_of(int peer)
{
	struct sides s = {client_side(), NULL};

	if (peer == SHARED_KEY) {
		s.theirs = new_shared(MBEDTLS_SSL_IS_SERVER);
		with_psk(s.ours);
		with_psk(s.theirs);
	} else {
		s.theirs = server_side(peer == EVIL ? &evil : &leaf,
		    peer == EVIL ? NULL : &intA);
	}
	return s;
}

static void
end_sides(struct sides *s)
{
	drop_shared(s->ours);
	drop_shared(s->theirs);
}

/* What a peer gets from who is pinned and asks for it in the right order. */
static void
expect_peer(const struct row *row, struct duo *d)
{
	static const int32_t reasons[] = {PINFAST_REASON_PIN_MATCHED,
	    PINFAST_REASON_PIN_MISMATCH, PINFAST_REASON_NO_CERTIFICATE};

	expect_duo(row->name, d, row->peer == PINNED, reasons[row->peer]);
}

/* Who does not heed that attaching failed. */
static void
bytes_that_are_moved_too_late_are_not_moved(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct sides s = sides_of(rows[i].peer);
		struct duo *d = unmoved_duo(s.ours, s.theirs, policy);

		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, NULL),
		    PINFAST_EUSAGE);
		set_bio(&d->c);
		pump(d, rows[i].careless);
		talk(d);
		assert_int_equal(d->c.done, 0);
		expect_duo(rows[i].name, d, DENY, PINFAST_REASON_NOT_JUDGED);
		close_duo(d);
		end_sides(&s);
	}
	pinfast_free(policy);
}

/* Who heeds it sets them and attaches again. */
static void
attaching_again_in_the_right_order_works(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct sides s = sides_of(rows[i].peer);
		struct duo *d = unmoved_duo(s.ours, s.theirs, policy);

		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, NULL),
		    PINFAST_EUSAGE);
		set_bio(&d->c);
		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, NULL),
		    0);
		pump(d, rows[i].careless);
		talk(d);
		expect_peer(&rows[i], d);
		close_duo(d);
		end_sides(&s);
	}
	pinfast_free(policy);
}

/* Set once more behind the adapter's back: the question is answered, and
 * nothing gets through from then on, whatever else is set. */
static void
who_was_refused_gets_nothing_through_by_other_bytes(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct sides s = sides_of(rows[i].peer);
		struct duo *d =
		    pinned_duo(policy, s.ours, s.theirs, "pin.test");
		int allow = rows[i].peer == PINNED;

		set_bio(&d->c);
		pump(d, rows[i].careless);
		assert_int_equal(pinfast_mbedtls_result(d->c.pin).decision ==
		                     PINFAST_ALLOW,
		    allow);
		set_bio(&d->c);
		(void)mbedtls_ssl_handshake(&d->c.ssl);
		talk(d);
		assert_int_equal(d->app, allow ? 16 : 0);
		assert_int_equal(d->got, allow ? 4 : 0);
		close_duo(d);
		end_sides(&s);
	}
	pinfast_free(policy);
}

/* Nor who never asked, and whose first bytes were stopped. */
static void
who_was_stopped_gets_nothing_through_by_other_bytes(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct sides s = sides_of(SHARED_KEY);
	struct duo *d = pinned_duo(policy, s.ours, s.theirs, "pin.test");

	(void)state;
	pump(d, 1);
	assert_int_equal(d->c.done, 1);
	talk(d);
	set_bio(&d->c);
	talk(d);
	expect_duo("stopped", d, DENY, PINFAST_REASON_NO_CERTIFICATE);
	close_duo(d);
	end_sides(&s);
	pinfast_free(policy);
}

static void
a_kept_connection_that_is_refused_stays_so(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct sides s = sides_of(PINNED);
	struct duo *d = pinned_duo(policy, s.ours, s.theirs, "pin.test");

	(void)state;
	pump(d, 0);
	talk(d);
	expect_duo("kept", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &evil);
	expect(pinfast_mbedtls_result(d->c.pin), DENY,
	    PINFAST_REASON_PIN_MISMATCH);
	set_bio(&d->c);
	talk(d);
	assert_int_equal(d->app, 16);
	assert_int_equal(d->got, 4);
	/* It says the same when it is asked again. */
	expect(pinfast_mbedtls_result(d->c.pin), DENY,
	    PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(pinfast_mbedtls_handshake(d->c.pin),
	    MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
	close_duo(d);
	end_sides(&s);
	pinfast_free(policy);
}

/* ------------------------------------------------------------ wrong order */

static void
attaching_another_host_too_late_denies(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *c = client_side(), *s = server_side(&leaf, &intA);
	struct duo *d = pinned_duo(policy, c, s, "pin.test");
	char why[200];

	(void)state;
	pump(d, 0);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "PIN.test.", 443,
	                     NULL),
	    PINFAST_EUSAGE);
	expect(pinfast_mbedtls_result(d->c.pin), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "two.test", 443,
	                     NULL),
	    PINFAST_EUSAGE);
	talk(d);
	expect_duo("late", d, DENY, PINFAST_REASON_NOT_JUDGED);
	(void)pinfast_mbedtls_explain(d->c.pin, why, sizeof why);
	assert_null(strstr(why, "allowed"));
	close_duo(d);
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

static void
attaching_after_the_first_step_denies(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (int direct = 0; direct < 2; direct++) {
		struct shared *c = client_side(),
		              *s = server_side(&leaf, &intA);
		struct duo *d = duo_of(c, s);

		assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl,
		                     "pin.test"),
		    0);
		(void)mbedtls_ssl_handshake_step(&d->c.ssl);
		pin_end(&d->c, policy);
		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, NULL),
		    PINFAST_EUSAGE);
		pump(d, direct);
		talk(d);
		expect_duo("stepped", d, DENY, PINFAST_REASON_NOT_JUDGED);
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
	}
	pinfast_free(policy);
}

static void
attaching_before_there_is_a_wire_denies(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct shared *c = client_side(), *e = server_side(&evil, NULL);
	mbedtls_ssl_session session;
	struct duo *d;

	(void)state;
	with_tickets(e);
	own_session(c, e, &session);
	d = duo_of(c, e);
	mbedtls_ssl_set_bio(&d->c.ssl, NULL, NULL, NULL, NULL);
	assert_int_equal(mbedtls_ssl_set_session(&d->c.ssl, &session), 0);
	pin_end(&d->c, policy);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test", 443,
	                     NULL),
	    PINFAST_EUSAGE);
	mbedtls_ssl_set_bio(&d->c.ssl, &d->c, wire_send, wire_recv, NULL);
	pump(d, 1);
	talk(d);
	expect_duo("no wire", d, DENY, PINFAST_REASON_NOT_JUDGED);
	mbedtls_ssl_session_free(&session);
	close_duo(d);
	drop_shared(c);
	drop_shared(e);
	pinfast_free(policy);
}

/* Set once more by who never asks: mbedTLS's first read brings us back. */
static void
other_bytes_of_who_never_asks_are_judged_all_the_same(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct sides s = sides_of(rows[i].peer);
		struct duo *d =
		    pinned_duo(policy, s.ours, s.theirs, "pin.test");

		set_bio(&d->c);
		pump(d, 1);
		talk(d);
		expect_peer(&rows[i], d);
		close_duo(d);
		end_sides(&s);
	}
	pinfast_free(policy);
}

/* A session that nobody judged, set behind the adapter's back as well. */
static void
a_session_of_ones_own_over_other_bytes_brings_nothing(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct sides s = sides_of(EVIL);
	mbedtls_ssl_session session;
	struct duo *d;

	(void)state;
	with_tickets(s.theirs);
	own_session(s.ours, s.theirs, &session);
	d = pinned_duo(policy, s.ours, s.theirs, "pin.test");
	set_bio(&d->c);
	assert_int_equal(mbedtls_ssl_set_session(&d->c.ssl, &session), 0);
	pump(d, 1);
	talk(d);
	expect_duo("session", d, DENY, PINFAST_REASON_NO_CERTIFICATE);
	mbedtls_ssl_session_free(&session);
	close_duo(d);
	end_sides(&s);
	pinfast_free(policy);
}

static void
a_timer_of_the_applications_stays(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct sides s = sides_of(PINNED);
	struct duo *d = duo_of(s.ours, s.theirs);

	(void)state;
	times_asked = 0;
	set_own_timer(&d->c);
	pin_end(&d->c, policy);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test", 443,
	                     NULL),
	    0);
	pump(d, 1);
	talk(d);
	expect_duo("timer", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_true(times_asked > 0);
	close_duo(d);
	end_sides(&s);
	pinfast_free(policy);
}

/* --------------------------------------- a callback, and new objects */

static int refusals;

static int
refuse(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg, (void)crt, (void)depth;
	refusals++;
	*flags |= MBEDTLS_X509_BADCERT_OTHER;
	return 0;
}

/* The configuration's callback has its say also when another object, or the
 * same one, is attached to a connection that is used again. */
static void
a_new_object_asks_the_applications_callback_too(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (int anew = 0; anew < 2; anew++) {
		struct sides s = sides_of(PINNED);
		struct duo *d =
		    pinned_duo(policy, s.ours, s.theirs, "pin.test");

		mbedtls_ssl_conf_verify(&s.ours->conf, refuse, NULL);
		if (anew) {
			pinfast_mbedtls_free(d->c.pin);
			pin_end(&d->c, policy);
		}
		assert_int_equal(mbedtls_ssl_session_reset(&d->c.ssl), 0);
		set_bio(&d->c);
		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, NULL),
		    0);
		refusals = 0;
		pump(d, 0);
		talk(d);
		assert_true(refusals > 0);
		expect_duo("callback", d, DENY, PINFAST_REASON_PKIX_FAILED);
		close_duo(d);
		end_sides(&s);
	}
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_that_are_moved_too_late_are_not_moved),
	    cmocka_unit_test(attaching_again_in_the_right_order_works),
	    cmocka_unit_test(
	        who_was_refused_gets_nothing_through_by_other_bytes),
	    cmocka_unit_test(
	        who_was_stopped_gets_nothing_through_by_other_bytes),
	    cmocka_unit_test(a_kept_connection_that_is_refused_stays_so),
	    cmocka_unit_test(
	        other_bytes_of_who_never_asks_are_judged_all_the_same),
	    cmocka_unit_test(
	        a_session_of_ones_own_over_other_bytes_brings_nothing),
	    cmocka_unit_test(a_timer_of_the_applications_stays),
	    cmocka_unit_test(a_new_object_asks_the_applications_callback_too),
	    cmocka_unit_test(attaching_another_host_too_late_denies),
	    cmocka_unit_test(attaching_after_the_first_step_denies),
	    cmocka_unit_test(attaching_before_there_is_a_wire_denies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
