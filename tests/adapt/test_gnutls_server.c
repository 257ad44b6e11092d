/* The GnuTLS adapter on servers: whose client comes, and comes back. */
#include "gtls_pair.h"

static struct pinfast *
clients_policy(const struct id *partner, const struct id *guest)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "partner", PINFAST_ROLE_COUNT, partner);
	add_entry(b, "guest", PINFAST_ROLE_COUNT, guest);
	return policy_made(b);
}

/* How the server's application sets resumption up. */
enum setting { OURS, ITS_OWN };

/* A client with a certificate meets a pinned server. */
static struct two
mutual(struct stage *st, const char *label, enum setting setting,
    struct session *session)
{
	struct two t = two_of(st->client, st->server, st->tls, 0);

	assert_int_equal(pinfast_gnutls_attach_server(t.s, st->policy, label,
	                     NULL),
	    0);
	if (setting == OURS)
		assert_int_equal(pinfast_gnutls_tickets(t.s, &st->key), 0);
	else
		gnutls_session_ticket_enable_server(t.s, &st->key);
	if (session->plain.size > 0)
		assert_int_equal(gnutls_session_set_data(t.c,
		                     session->plain.data, session->plain.size),
		    0);
	shake_with(&t, gnutls_handshake, pinned);
	chat_two(&t);
	if (session->plain.size == 0 && t.app > 0)
		assert_int_equal(gnutls_session_get_data2(t.c, &session->plain),
		    0);
	return t;
}

static struct stage
mutual_stage(const struct id *partner, const struct id *guest, int tls)
{
	struct stage st =
	    stage_of(clients_policy(partner, guest), &leaf, &intA, tls);

	show(st.client, &client, &intA);
	add_anchor_of(st.server, &rootA);
	return st;
}

static void
expect_server(const char *name, struct two *t, int allow, int32_t reason)
{
	struct pinfast_verdict verdict = pinfast_gnutls_result(t->s);

	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || t->app != (allow ? 16U : 0U))
		fail_msg("%s: %s, %zu bytes", name,
		    pinfast_reason_name(verdict.reason), t->app);
}

static void
a_server_knows_its_clients(void **state)
{
	static const struct {
		const char *name, *label;
		const struct id *partner;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"pinned", "partner", &client, 1, PINFAST_REASON_PIN_MATCHED},
	    {"another", "partner", &stranger, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"nobody", "nobody", &client, 0, PINFAST_REASON_CLIENT_UNLISTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct session none = {.len = 0};
			struct stage st =
			    mutual_stage(rows[i].partner, &stranger, tls);
			struct two t = mutual(&st, rows[i].label, OURS, &none);

			expect_server(rows[i].name, &t, rows[i].allow,
			    rows[i].reason);
			gnutls_free(none.plain.data);
			part_two(&t);
			end_stage(&st);
		}
}

/* It may answer before it has seen the client's last message
 * (GNUTLS_ENABLE_EARLY_START), but not before it knows whose that is. */
static void
a_server_that_starts_early_knows_its_clients_first(void **state)
{
	(void)state;
	for (int right = 0; right < 2; right++)
		for (int careless = 0; careless < 2; careless++) {
			struct stage st =
			    mutual_stage(right ? &client : &stranger, &stranger,
			        TLS13);
			struct two t = two_of(st.client, st.server, TLS13,
			    GNUTLS_ENABLE_EARLY_START);
			shake_fn theirs = careless ? gnutls_handshake : pinned;
			int ret = GNUTLS_E_AGAIN;

			assert_int_equal(pinfast_gnutls_attach_server(t.s,
			                     st.policy, "partner", NULL),
			    0);
			for (int i = 0; i < 8 && ret != 0; i++) {
				(void)gnutls_handshake(t.c);
				ret = theirs(t.s);
			}
			(void)gnutls_record_send(t.s, "fine", 4);
			t.got += receive(t.c);
			(void)gnutls_record_send(t.c, "0123456789abcdef", 16);
			t.app += receive(t.s);
			assert_int_equal(t.got, right ? 4 : 0);
			assert_int_equal(t.app, right ? 16 : 0);
			expect(pinfast_gnutls_result(t.s), right ? ALLOW : DENY,
			    right ? PINFAST_REASON_PIN_MATCHED
			          : PINFAST_REASON_PIN_MISMATCH);
			part_two(&t);
			end_stage(&st);
		}
}

/* Both take early data; the server's application looks for them at once, and
 * what it finds in the middle of the handshake is counted as got. */
static struct two
eager(struct stage *st, enum setting setting, struct session *session)
{
	struct two t =
	    two_of(st->client, st->server, TLS13, GNUTLS_ENABLE_EARLY_DATA);
	size_t early = 0;

	assert_int_equal(pinfast_gnutls_attach_server(t.s, st->policy,
	                     "partner", NULL),
	    0);
	if (setting == OURS)
		assert_int_equal(pinfast_gnutls_tickets(t.s, &st->key), 0);
	else
		gnutls_session_ticket_enable_server(t.s, &st->key);
	take_early_data(t.s);
	if (session->plain.size > 0) {
		assert_int_equal(gnutls_session_set_data(t.c,
		                     session->plain.data, session->plain.size),
		    0);
		(void)gnutls_record_send_early_data(t.c, "0123456789", 10);
	}
	assert_int_equal(gnutls_handshake(t.c), GNUTLS_E_AGAIN);
	assert_int_equal(pinned(t.s), GNUTLS_E_AGAIN);
	early = early_at(t.s);
	shake_with(&t, gnutls_handshake, pinned);
	chat_two(&t);
	t.got = early;
	if (session->plain.size == 0)
		assert_int_equal(gnutls_session_get_data2(t.c, &session->plain),
		    0);
	return t;
}

/* The client comes back for another label, whose client it is not. */
static void
a_ticket_for_one_label_is_none_for_another(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int setting = OURS; setting <= ITS_OWN; setting++) {
			struct session session = {.len = 0};
			struct stage st = mutual_stage(&client, &stranger, tls);
			struct two t = mutual(&st, "partner",
			    (enum setting)setting, &session);

			expect_server("first", &t, 1,
			    PINFAST_REASON_PIN_MATCHED);
			part_two(&t);
			t = mutual(&st, "partner", (enum setting)setting,
			    &session);
			expect_server("again", &t, 1,
			    PINFAST_REASON_PIN_MATCHED);
			assert_true(gnutls_session_is_resumed(t.s));
			part_two(&t);
			t = mutual(&st, "guest", (enum setting)setting,
			    &session);
			expect_server("guest", &t, 0,
			    PINFAST_REASON_PIN_MISMATCH);
			if (setting == OURS)
				assert_false(gnutls_session_is_resumed(t.s));
			part_two(&t);
			gnutls_free(session.plain.data);
			end_stage(&st);
		}
}

static void
a_withdrawn_client_does_not_come_back(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int setting = OURS; setting <= ITS_OWN; setting++) {
			struct session session = {.len = 0};
			struct stage st = mutual_stage(&client, &stranger, tls);
			struct two t = mutual(&st, "partner",
			    (enum setting)setting, &session);
			struct pinfast_builder *b = begin_policy(2);

			part_two(&t);
			add_entry(b, "partner", PINFAST_ROLE_COUNT, &stranger);
			serve_policy(st.policy, b);
			t = mutual(&st, "partner", (enum setting)setting,
			    &session);
			expect_server("withdrawn", &t, 0,
			    PINFAST_REASON_PIN_MISMATCH);
			part_two(&t);
			gnutls_free(session.plain.data);
			end_stage(&st);
		}
}

/* Before the client is judged the application could read them already. */
static void
a_server_takes_early_data_with_bound_tickets_alone(void **state)
{
	(void)state;
	for (int setting = OURS; setting <= ITS_OWN; setting++) {
		struct session session = {.len = 0};
		struct stage st = mutual_stage(&client, &stranger, TLS13);
		struct two t = eager(&st, (enum setting)setting, &session);

		expect_server("first", &t, 1, PINFAST_REASON_PIN_MATCHED);
		part_two(&t);
		t = eager(&st, (enum setting)setting, &session);
		assert_true(gnutls_session_is_resumed(t.s));
		assert_int_equal(t.got, setting == OURS ? 10 : 0);
		expect_server("again", &t, 1, PINFAST_REASON_PIN_MATCHED);
		part_two(&t);
		gnutls_free(session.plain.data);
		end_stage(&st);
	}
}

/* The client's last message is read while the line is busy. */
static void
end_slowly(struct two *t, shake_fn first, shake_fn then)
{
	gnutls_transport_set_push_function(t->s, push_later);
	(void)first(t->s);
	gnutls_transport_set_push_function(t->s, push);
	shake_with(t, gnutls_handshake, then);
	chat_two(t);
}

/* A client that comes back, to a server whose tickets are its own. */
static void
whoever_ends_a_handshake_its_client_is_judged(void **state)
{
	(void)state;
	for (int right = 0; right < 2; right++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct session session = {.len = 0};
			struct stage st = mutual_stage(&client, &stranger, tls);
			struct two t =
			    mutual(&st, "partner", ITS_OWN, &session);

			part_two(&t);
			t = two_of(st.client, st.server, tls, 0);
			assert_int_equal(pinfast_gnutls_attach_server(t.s,
			                     st.policy,
			                     right ? "partner" : "guest", NULL),
			    0);
			gnutls_session_ticket_enable_server(t.s, &st.key);
			assert_int_equal(gnutls_session_set_data(t.c,
			                     session.plain.data,
			                     session.plain.size),
			    0);
			(void)gnutls_handshake(t.c);
			(void)pinned(t.s);
			(void)gnutls_handshake(t.c);
			end_slowly(&t, pinned, gnutls_handshake);
			expect_server("ended without us", &t, right,
			    right ? PINFAST_REASON_PIN_MATCHED
			          : PINFAST_REASON_PIN_MISMATCH);
			assert_true(gnutls_session_is_resumed(t.s));
			gnutls_free(session.plain.data);
			part_two(&t);
			end_stage(&st);
		}
}

/* Another handshake on the same connection. */
static void
whoever_ends_a_second_handshake_nobody_is_locked_out(void **state)
{
	(void)state;
	for (int with_us = 0; with_us < 2; with_us++) {
		struct session none = {.len = 0};
		struct stage st = mutual_stage(&client, &stranger, TLS12);
		struct two t = mutual(&st, "partner", OURS, &none);
		char byte;

		expect_server("first", &t, 1, PINFAST_REASON_PIN_MATCHED);
		t.app = 0;
		(void)gnutls_handshake(t.c);
		assert_int_equal(gnutls_record_recv(t.s, &byte, 1),
		    GNUTLS_E_REHANDSHAKE);
		(void)gnutls_handshake(t.s);
		(void)gnutls_handshake(t.c);
		end_slowly(&t, with_us ? pinned : gnutls_handshake, pinned);
		expect_server("second", &t, 1, PINFAST_REASON_PIN_MATCHED);
		gnutls_free(none.plain.data);
		part_two(&t);
		end_stage(&st);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_server_knows_its_clients),
	    cmocka_unit_test(
	        a_server_that_starts_early_knows_its_clients_first),
	    cmocka_unit_test(a_ticket_for_one_label_is_none_for_another),
	    cmocka_unit_test(a_withdrawn_client_does_not_come_back),
	    cmocka_unit_test(
	        a_server_takes_early_data_with_bound_tickets_alone),
	    cmocka_unit_test(whoever_ends_a_handshake_its_client_is_judged),
	    cmocka_unit_test(
	        whoever_ends_a_second_handshake_nobody_is_locked_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
