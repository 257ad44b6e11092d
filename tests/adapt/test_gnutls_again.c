/* The GnuTLS adapter: a session in which a handshake follows another one. */
#include "gtls_pair.h"

/* Leaves the first records of what is on its way, and drops the others. */
static void
keep_records(struct wire *w, int count)
{
	size_t end = w->at;

	while (count-- > 0 && w->len - end >= 5)
		end += 5 + ((size_t)w->bytes[end + 3] << 8) + w->bytes[end + 4];
	assert_true(end <= w->len);
	w->len = end;
}

/* GnuTLS itself would insist on the certificate it has seen first. */
static struct two
changeable_two(struct stage *st)
{
	struct two t = bare_two(st, GNUTLS_ALLOW_ID_CHANGE);

	pin(t.c, st->policy);
	return t;
}

static struct pinfast *
two_test_policy(void)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "two.test", PINFAST_ROLE_LEAF, &leaf);
	return policy_made(b);
}

/* Who renegotiates shows a certificate, and does not prove that it is his. */
static void
a_certificate_that_is_not_proved_yet_says_nothing(void **state)
{
	struct stage st = stage_of(two_test_policy(), &evil, NULL, TLS12);
	gnutls_certificate_credentials_t stolen = showing(&leaf, &intA);
	struct two t = changeable_two(&st);
	char buffer[16];

	(void)state;
	shake_two(&t);
	chat_two(&t);
	expect_two("first", &t, 1, PINFAST_REASON_UNLISTED);
	assert_int_equal(gnutls_rehandshake(t.s), 0);
	assert_int_equal(gnutls_record_recv(t.c, buffer, sizeof buffer),
	    GNUTLS_E_REHANDSHAKE);
	assert_int_equal(pinned(t.c), GNUTLS_E_AGAIN);
	assert_int_equal(gnutls_credentials_set(t.s, GNUTLS_CRD_CERTIFICATE,
	                     stolen),
	    0);
	assert_int_equal(gnutls_handshake(t.s), GNUTLS_E_AGAIN);
	keep_records(t.down, 2);
	assert_int_equal(pinned(t.c), GNUTLS_E_AGAIN);
	expect(pinfast_gnutls_recheck(t.c, "two.test", 443), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	part_two(&t);
	gnutls_certificate_free_credentials(stolen);
	end_stage(&st);
}

/* Asking in the middle does no harm. */
static void
a_second_handshake_is_judged_like_the_first(void **state)
{
	static const struct {
		const char *name;
		const struct id *shown;
		shake_fn shake;
		int allow;
	} rows[] = {
	    {"the pinned leaf", &leaf, pinned, 1},
	    {"the pinned leaf, careless", &leaf, gnutls_handshake, 1},
	    {"another leaf", &evil, pinned, 0},
	    {"another leaf, careless", &evil, gnutls_handshake, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st = ordinary_stage(TLS12);
		gnutls_certificate_credentials_t next =
		    showing(rows[i].shown, NULL);
		struct two t = changeable_two(&st);

		add_anchor_of(st.client, &intA);
		shake_two(&t);
		assert_int_equal(t.shaken, 0);
		assert_int_equal(gnutls_credentials_set(t.s,
		                     GNUTLS_CRD_CERTIFICATE, next),
		    0);
		assert_int_equal(rows[i].shake(t.c), GNUTLS_E_AGAIN);
		expect(pinfast_gnutls_result(t.c), DENY,
		    PINFAST_REASON_NOT_JUDGED);
		shake_with(&t, rows[i].shake, gnutls_handshake);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].allow,
		    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
		                  : PINFAST_REASON_PIN_MISMATCH);
		part_two(&t);
		gnutls_certificate_free_credentials(next);
		end_stage(&st);
	}
}

/* Until the client may write. */
static void
start_early(struct two *t, int careless)
{
	for (int i = 0; i < 8 && t->shaken != 0; i++) {
		t->shaken = careless ? gnutls_handshake(t->c) : pinned(t->c);
		if (t->shaken != 0)
			(void)gnutls_handshake(t->s);
	}
}

/* GNUTLS_ENABLE_FALSE_START: the client may write before the server's last
 * message, but not before the server has proved that the key is its own. */
static void
a_client_that_starts_early_knows_its_server_first(void **state)
{
	(void)state;
	for (int right = 0; right < 2; right++)
		for (int careless = 0; careless < 2; careless++) {
			struct stage st =
			    stage_of(policy_of(PINFAST_ROLE_LEAF, &leaf),
			        right ? &leaf : &other, &intA, TLS12);
			struct two t = bare_two(&st, GNUTLS_ENABLE_FALSE_START);

			pin(t.c, st.policy);
			start_early(&t, careless);
			chat_two(&t);
			(void)gnutls_handshake(t.s);
			t.app += receive(t.s);
			(void)gnutls_record_send(t.s, "fine", 4);
			t.got += receive(t.c);
			assert_int_equal(t.app, right ? 16 : 0);
			assert_int_equal(t.got, right ? 4 : 0);
			expect(pinfast_gnutls_result(t.c), right ? ALLOW : DENY,
			    right ? PINFAST_REASON_PIN_MATCHED
			          : PINFAST_REASON_PIN_MISMATCH);
			part_two(&t);
			end_stage(&st);
		}
}

/* The verdict about the first handshake is none about a second one. */
static void
who_takes_our_functions_away_later_gets_nothing_through(void **state)
{
	struct stage st = ordinary_stage(TLS12);
	gnutls_certificate_credentials_t next = showing(&evil, NULL);
	struct two t = changeable_two(&st);

	(void)state;
	shake_two(&t);
	assert_int_equal(t.shaken, 0);
	gnutls_session_set_verify_function(t.c, yes_to_all);
	gnutls_handshake_set_hook_function(t.c, GNUTLS_HANDSHAKE_ANY,
	    GNUTLS_HOOK_BOTH, no_hook);
	assert_int_equal(gnutls_credentials_set(t.s, GNUTLS_CRD_CERTIFICATE,
	                     next),
	    0);
	shake_two(&t);
	chat_two(&t);
	expect_two("later", &t, 0, PINFAST_REASON_NO_CERTIFICATE);
	part_two(&t);
	gnutls_certificate_free_credentials(next);
	end_stage(&st);
}

/* A policy that is loaded after a careless second handshake. */
static void
who_is_refused_later_is_silent_after_a_careless_handshake_too(void **state)
{
	struct stage st = ordinary_stage(TLS12);
	struct two t = changeable_two(&st);

	(void)state;
	shake_two(&t);
	assert_int_equal(t.shaken, 0);
	assert_int_equal(gnutls_handshake(t.c), GNUTLS_E_AGAIN);
	shake_with(&t, gnutls_handshake, gnutls_handshake);
	assert_int_equal(t.shaken, 0);
	change_policy(st.policy, 2, PINFAST_ROLE_LEAF, &evil);
	expect(pinfast_gnutls_result(t.c), DENY, PINFAST_REASON_PIN_MISMATCH);
	chat_two(&t);
	assert_int_equal(t.app + t.got, 0);
	part_two(&t);
	end_stage(&st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_certificate_that_is_not_proved_yet_says_nothing),
	    cmocka_unit_test(a_second_handshake_is_judged_like_the_first),
	    cmocka_unit_test(a_client_that_starts_early_knows_its_server_first),
	    cmocka_unit_test(
	        who_takes_our_functions_away_later_gets_nothing_through),
	    cmocka_unit_test(
	        who_is_refused_later_is_silent_after_a_careless_handshake_too),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
