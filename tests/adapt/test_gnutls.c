/* The GnuTLS adapter: hooks, careless applications, misuse, what is blocked. */
#include "gtls_pair.h"

#include <gnutls/dtls.h>

#include "adapt/adapter.h"

/* ---------------------------------------------------- ordinary connections */

static void
the_right_key_is_let_in_and_another_is_not(void **state)
{
	static const struct {
		const char *name;
		const struct id *shown, *sent;
		shake_fn shake;
		int allow;
	} rows[] = {
	    {"the pinned leaf", &leaf, &intA, pinned, 1},
	    {"the pinned leaf, careless", &leaf, &intA, gnutls_handshake, 1},
	    {"another leaf", &evil, NULL, pinned, 0},
	    {"another leaf, careless", &evil, NULL, gnutls_handshake, 0},
	    {"another leaf of the CA", &other, &intA, gnutls_handshake, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct stage st =
			    stage_of(policy_of(PINFAST_ROLE_LEAF, &leaf),
			        rows[i].shown, rows[i].sent, tls);
			struct two t = attached_two(&st);

			shake_with(&t, rows[i].shake, gnutls_handshake);
			chat_two(&t);
			expect_two(rows[i].name, &t, rows[i].allow,
			    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
			                  : PINFAST_REASON_PIN_MISMATCH);
			part_two(&t);
			end_stage(&st);
		}
}

static void
the_peer_hears_certificate_unknown(void **state)
{
	struct stage st =
	    stage_of(policy_of(PINFAST_ROLE_LEAF, &leaf), &evil, NULL, TLS13);
	struct two t = attached_two(&st);

	(void)state;
	assert_int_equal(pinned(t.c), GNUTLS_E_AGAIN);
	assert_int_equal(gnutls_handshake(t.s), GNUTLS_E_AGAIN);
	assert_int_equal(pinned(t.c), GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
	assert_int_equal(gnutls_handshake(t.s), GNUTLS_E_FATAL_ALERT_RECEIVED);
	assert_int_equal(gnutls_alert_get(t.s), GNUTLS_A_CERTIFICATE_UNKNOWN);
	assert_int_equal(pinned(t.c), GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
	part_two(&t);
	end_stage(&st);
}

/* ------------------------------------------------------------------- hooks */

enum { VERIFY = 1, HOOK = 2 };

static void
overwrite(gnutls_session_t session, int what)
{
	if (what & VERIFY)
		gnutls_session_set_verify_function(session, yes_to_all);
	if (what & HOOK)
		gnutls_handshake_set_hook_function(session,
		    GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, no_hook);
}

static void
who_takes_our_verify_function_away_gets_nothing_through(void **state)
{
	static const struct {
		const char *name;
		int what;
		shake_fn shake;
	} rows[] = {
	    {"verify", VERIFY, pinned},
	    {"verify, careless", VERIFY, gnutls_handshake},
	    {"both", VERIFY | HOOK, pinned},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct stage st = ordinary_stage(tls);
			struct two t = attached_two(&st);

			overwrite(t.c, rows[i].what);
			shake_with(&t, rows[i].shake, gnutls_handshake);
			chat_two(&t);
			expect_two(rows[i].name, &t, 0,
			    PINFAST_REASON_NO_CERTIFICATE);
			part_two(&t);
			end_stage(&st);
		}
}

static void
the_hook_alone_is_not_missed(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct stage st = ordinary_stage(tls);
		struct two t = attached_two(&st);

		overwrite(t.c, HOOK);
		shake_two(&t);
		chat_two(&t);
		expect_two("hook", &t, 1, PINFAST_REASON_PIN_MATCHED);
		part_two(&t);
		end_stage(&st);
	}
}

/* Nothing of ours is called: the application has to ask, and is told. */
static void
with_all_hooks_gone_the_question_is_still_answered(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct stage st = ordinary_stage(tls);
		struct two t = attached_two(&st);

		overwrite(t.c, VERIFY | HOOK);
		shake_with(&t, gnutls_handshake, gnutls_handshake);
		assert_int_equal(t.shaken, 0);
		expect(pinfast_gnutls_result(t.c), DENY,
		    PINFAST_REASON_NO_CERTIFICATE);
		chat_two(&t);
		assert_int_equal(t.app + t.got, 0);
		part_two(&t);
		end_stage(&st);
	}
}

static unsigned hooks, outputs, verifies;
static gnutls_handshake_description_t hooked;

static int
count_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	(void)session, (void)incoming, (void)message;
	hooks++;
	assert_int_equal(type, hooked);
	assert_int_equal(when, GNUTLS_HOOK_POST);
	return 0;
}

static int
count_output(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
    gnutls_x509_crl_t crl, unsigned status)
{
	(void)cert, (void)issuer, (void)crl, (void)status;
	outputs++;
	return 0;
}

static int
count_verify(gnutls_session_t session)
{
	(void)session;
	verifies++;
	return 0;
}

static int
fail_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	(void)session, (void)type, (void)when, (void)incoming, (void)message;
	return GNUTLS_E_UNSUPPORTED_CERTIFICATE_TYPE;
}

/* Also of messages that we do not listen to. */
static void
the_applications_own_functions_are_called(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct stage st = ordinary_stage(i & 1 ? TLS12 : TLS13);
		struct two t = attached_two(&st);
		struct pinfast_gnutls_next next = {count_verify, count_hook, 0,
		    GNUTLS_HOOK_POST, count_output};

		hooked = i & 2 ? GNUTLS_HANDSHAKE_FINISHED
		               : GNUTLS_HANDSHAKE_SERVER_HELLO;
		next.hook_type = hooked;
		hooks = outputs = verifies = 0;
		assert_int_equal(pinfast_gnutls_set_next(t.c, &next), 0);
		shake_two(&t);
		chat_two(&t);
		expect_two("next", &t, 1, PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(verifies, 1);
		assert_true(hooks >= 1);
		assert_true(outputs >= 1);
		part_two(&t);
		end_stage(&st);
	}
}

static void
the_applications_hook_may_end_the_handshake(void **state)
{
	struct pinfast_gnutls_next next = {.hook = fail_hook,
	    .hook_type = GNUTLS_HANDSHAKE_ANY,
	    .hook_when = GNUTLS_HOOK_BOTH};
	struct stage st = ordinary_stage(TLS13);
	struct two t = attached_two(&st);

	(void)state;
	assert_int_equal(pinfast_gnutls_set_next(t.c, &next), 0);
	shake_two(&t);
	assert_int_equal(t.shaken, GNUTLS_E_UNSUPPORTED_CERTIFICATE_TYPE);
	part_two(&t);
	end_stage(&st);
}

/* ----------------------------------------------------------------- blocking */

/* An application that sets its functions again. */
static void
move_bytes_again(struct two *t)
{
	gnutls_transport_set_push_function(t->c, push);
	gnutls_transport_set_pull_function(t->c, pull);
	gnutls_transport_set_pull_timeout_function(t->c, wait_for_it);
	gnutls_session_force_valid(t->c);
}

static void
a_refused_session_stays_silent_whatever_is_tried(void **state)
{
	char buffer[64];

	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct stage st = ordinary_stage(tls);
		struct two t = attached_two(&st);

		shake_two(&t);
		assert_int_equal(t.shaken, 0);
		/* It is on its way, and must not arrive any more. */
		assert_int_equal(gnutls_record_send(t.s, "secret", 6), 6);
		change_policy(st.policy, 2, PINFAST_ROLE_LEAF, &other);
		expect(pinfast_gnutls_result(t.c), DENY,
		    PINFAST_REASON_PIN_MISMATCH);
		gnutls_session_force_valid(t.c);
		assert_true(gnutls_record_recv(t.c, buffer, sizeof buffer) < 0);
		assert_true(gnutls_record_send(t.c, "0123456789", 10) < 0);
		assert_true(gnutls_bye(t.c, GNUTLS_SHUT_RDWR) < 0);
		assert_int_equal(receive(t.s), 0);
		move_bytes_again(&t);
		chat_two(&t);
		expect_two("again", &t, 0, PINFAST_REASON_PIN_MISMATCH);
		part_two(&t);
		end_stage(&st);
	}
}

/* ------------------------------------------------------------------- misuse */

static void
misuse_is_told(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct two t = bare_two(&st, 0);
	uint8_t no[] = "no";
	gnutls_datum_t small = {no, 1};
	struct pinfast_gnutls_cache cache = {0};
	struct pinfast_diag diag = {0};
	char text[64];

	(void)state;
	assert_int_equal(pinned(t.c), GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
	assert_int_equal(pinfast_gnutls_attach(NULL, st.policy, "pin.test", 1,
	                     &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_attach(t.c, NULL, "pin.test", 1, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_attach_server(t.s, st.policy, NULL,
	                     &diag),
	    PINFAST_EUSAGE);
	expect(pinfast_gnutls_result(NULL), DENY, PINFAST_REASON_NOT_JUDGED);
	expect(pinfast_gnutls_result(t.c), DENY, PINFAST_REASON_NOT_JUDGED);
	expect(pinfast_gnutls_recheck(t.c, "two.test", 1), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	assert_true(pinfast_gnutls_explain(NULL, text, sizeof text) > 0);
	assert_null(pinfast_gnutls_conn(t.c));
	assert_int_equal(pinfast_gnutls_set_next(t.c, NULL), PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_session_read(t.c, (uint8_t *)text, 1),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_session_write(t.c, NULL, 0), 0);
	pin(t.c, st.policy);
	assert_non_null(pinfast_gnutls_conn(t.c));
	assert_int_equal(pinfast_gnutls_set_next(t.c, NULL), PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_session_read(t.c, NULL, 1),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_session_read(t.c, no, 2),
	    PINFAST_EFORMAT);
	assert_int_equal(pinfast_gnutls_session_write(t.c, NULL, 0), 0);
	assert_int_equal(pinfast_gnutls_session_save(t.c, "/nowhere", &diag),
	    PINFAST_ENOTFOUND);
	assert_int_equal(pinfast_gnutls_session_load(t.c, "/nowhere", &diag),
	    PINFAST_EIO);
	assert_int_equal(pinfast_gnutls_tickets(t.c, &small), PINFAST_EUSAGE);
	assert_int_equal(pinfast_gnutls_cache(t.c, &cache), PINFAST_EUSAGE);
	shake_two(&t);
	/* The server's attaching has failed, and what was left of it denies. */
	assert_true(t.shaken != 0);
	part_two(&t);
	end_stage(&st);
}

static void
attaching_comes_before_the_handshake_and_may_come_twice(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct two t = attached_two(&st);

	(void)state;
	assert_int_equal(pinfast_gnutls_attach(t.c, st.policy, "other.test",
	                     443, NULL),
	    0);
	pin(t.c, st.policy);
	shake_two(&t);
	chat_two(&t);
	assert_int_equal(pinfast_gnutls_attach(t.c, st.policy, "pin.test", 443,
	                     NULL),
	    PINFAST_EUSAGE);
	expect_two("twice", &t, 1, PINFAST_REASON_PIN_MATCHED);
	part_two(&t);
	end_stage(&st);
}

static ssize_t
push_never(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	(void)ptr, (void)data, (void)len;
	fail_msg("%zu bytes were sent", len);
	return -1;
}

/* Before its priorities are set a session has no version; without an MTU only
 * the ClientHello tells. */
static void
datagrams_are_refused(void **state)
{
	static const struct {
		const char *name;
		unsigned flags;
		int priority, mtu, refused;
	} rows[] = {
	    {"TLS", 0, 1, 0, 0},
	    {"DTLS", GNUTLS_DATAGRAM, 1, 1200, 1},
	    {"DTLS, no priorities yet", GNUTLS_DATAGRAM, 0, 1200, 1},
	    {"DTLS, no MTU", GNUTLS_DATAGRAM, 1, 0, 0},
	};
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	gnutls_certificate_credentials_t cred = trusting();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int server = 0; server < 2; server++) {
			struct pinfast_diag diag;
			enum pinfast_error error;
			gnutls_session_t s;

			assert_int_equal(gnutls_init(&s,
			                     rows[i].flags |
			                         (server ? GNUTLS_SERVER
			                                 : GNUTLS_CLIENT)),
			    0);
			if (rows[i].priority)
				gnutls_set_default_priority(s);
			if (rows[i].flags)
				gnutls_dtls_set_mtu(s, (unsigned)rows[i].mtu);
			gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred);
			error = server ? pinfast_gnutls_attach_server(s, policy,
			                     "partner", &diag)
			               : pinfast_gnutls_attach(s, policy,
			                     "pin.test", 443, &diag);
			if ((error == PINFAST_EUNSUPPORTED) != rows[i].refused)
				fail_msg("%s: %d", rows[i].name, error);
			if (rows[i].refused)
				assert_string_equal(diag.text,
				    "DTLS is not supported");
			gnutls_transport_set_push_function(s, push_never);
			if (rows[i].flags && !server)
				assert_int_equal(pinned(s),
				    GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
			gnutls_deinit(s);
		}
	gnutls_certificate_free_credentials(cred);
	pinfast_free(policy);
}

static void
without_anchors_attaching_is_refused(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	gnutls_certificate_credentials_t none = new_cred();
	struct two t = two_of(none, st.server, TLS13, 0);
	struct pinfast_diag diag = {0};

	(void)state;
	assert_int_equal(pinfast_gnutls_attach(t.c, st.policy, "pin.test", 443,
	                     &diag),
	    PINFAST_EUNSAFE);
	assert_non_null(strstr(diag.text, "trust anchors"));
	shake_two(&t);
	chat_two(&t);
	expect_two("none", &t, 0, PINFAST_REASON_NOT_JUDGED);
	part_two(&t);
	gnutls_certificate_free_credentials(none);
	end_stage(&st);
}

static void
a_name_is_needed_where_the_policy_wants_one(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct two t = bare_two(&st, 0);

	(void)state;
	assert_int_equal(pinfast_gnutls_attach(t.c, st.policy, NULL, 443, NULL),
	    0);
	shake_two(&t);
	chat_two(&t);
	expect_two("no name", &t, 0, PINFAST_REASON_HOST_UNKNOWN);
	part_two(&t);
	end_stage(&st);
}

/* ------------------------------------------------ found at run time, later */

const struct pf_adapter *pinfast_adapter_gnutls(void);

static void
judge_afterwards(struct stage *st, int32_t reason)
{
	const struct pf_adapter *adapter = pinfast_adapter_gnutls();
	struct two t = bare_two(st, 0);
	struct pinfast_conn *conn;

	shake_with(&t, gnutls_handshake, gnutls_handshake);
	assert_int_equal(t.shaken, 0);
	assert_int_equal(pinfast_conn_new(st->policy, "pin.test", 443,
	                     time(NULL), &conn),
	    0);
	expect(adapter->judge(t.c, conn, "pin.test"),
	    reason == PINFAST_REASON_PIN_MATCHED, reason);
	pinfast_conn_free(conn);
	/* Nothing was left behind. */
	assert_null(pinfast_gnutls_conn(t.c));
	chat_two(&t);
	assert_int_equal(t.app, 16);
	part_two(&t);
}

static void
what_others_have_made_is_judged_afterwards(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct stage st = ordinary_stage(tls);

		judge_afterwards(&st, PINFAST_REASON_PIN_MATCHED);
		end_stage(&st);
		st = stage_of(policy_of(PINFAST_ROLE_ANY, &rootA), &leaf, &intA,
		    tls);
		judge_afterwards(&st, PINFAST_REASON_PIN_MATCHED);
		end_stage(&st);
		st = stage_of(policy_of(PINFAST_ROLE_ANY, &rootA), &evil, &leaf,
		    tls);
		judge_afterwards(&st, PINFAST_REASON_PIN_MISMATCH);
		end_stage(&st);
		st = stage_of(policy_of(PINFAST_ROLE_ANY, &rootA), &other,
		    &intA, tls);
		judge_afterwards(&st, PINFAST_REASON_PKIX_FAILED);
		end_stage(&st);
	}
}

static void
the_adapter_says_what_it_is(void **state)
{
	const struct pf_adapter *adapter = pinfast_adapter_gnutls();
	struct pinfast_verdict verdict;
	struct stage st = ordinary_stage(TLS13);
	struct two t = bare_two(&st, 0);
	char text[200];

	(void)state;
	assert_int_equal(adapter->size, sizeof *adapter);
	assert_string_equal(adapter->name, "gnutls");
	assert_string_equal(adapter->symbol, "gnutls_handshake");
	assert_int_equal(adapter->attach(t.c, st.policy, "pin.test", 443, NULL),
	    0);
	shake_two(&t);
	verdict = adapter->result(t.c);
	assert_int_equal(verdict.decision, PINFAST_ALLOW);
	verdict = adapter->recheck(t.c, "two.test", 443);
	assert_int_equal(verdict.reason, PINFAST_REASON_UNLISTED);
	verdict = adapter->recheck(t.c, "three.test", 443);
	assert_int_equal(verdict.reason, PINFAST_REASON_PKIX_FAILED);
	verdict = adapter->recheck(t.c, "th@ree.test", 443);
	assert_int_equal(verdict.reason, PINFAST_REASON_HOST_INVALID);
	assert_true(adapter->explain(t.c, text, sizeof text) > 0);
	assert_ptr_equal(adapter->conn(t.c), pinfast_gnutls_conn(t.c));
	expect(adapter->judge(t.c, adapter->conn(t.c), "not@host"), DENY,
	    PINFAST_REASON_HOST_INVALID);
	part_two(&t);
	end_stage(&st);
}

static int hash_fails;

static int
own_hash(void *arg, const void *data, size_t len, uint8_t *out)
{
	(void)arg;
	if (hash_fails)
		return -1;
	return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1;
}

/* Also of a key whose pin is known from another policy's connections. */
static void
a_sha256_of_the_applications_own_is_asked(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct stage st = ordinary_stage(TLS13);
		struct two t;

		hash_fails = 0;
		if (i > 0)
			assert_int_equal(pinfast_use_sha256(st.policy, own_hash,
			                     NULL),
			    0);
		hash_fails = i > 1;
		t = attached_two(&st);
		shake_two(&t);
		chat_two(&t);
		expect_two("own hash", &t, i < 2,
		    i < 2 ? PINFAST_REASON_PIN_MATCHED
		          : PINFAST_REASON_HASH_FAILED);
		part_two(&t);
		end_stage(&st);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_right_key_is_let_in_and_another_is_not),
	    cmocka_unit_test(the_peer_hears_certificate_unknown),
	    cmocka_unit_test(
	        who_takes_our_verify_function_away_gets_nothing_through),
	    cmocka_unit_test(the_hook_alone_is_not_missed),
	    cmocka_unit_test(
	        with_all_hooks_gone_the_question_is_still_answered),
	    cmocka_unit_test(the_applications_own_functions_are_called),
	    cmocka_unit_test(the_applications_hook_may_end_the_handshake),
	    cmocka_unit_test(a_refused_session_stays_silent_whatever_is_tried),
	    cmocka_unit_test(misuse_is_told),
	    cmocka_unit_test(
	        attaching_comes_before_the_handshake_and_may_come_twice),
	    cmocka_unit_test(datagrams_are_refused),
	    cmocka_unit_test(without_anchors_attaching_is_refused),
	    cmocka_unit_test(a_name_is_needed_where_the_policy_wants_one),
	    cmocka_unit_test(what_others_have_made_is_judged_afterwards),
	    cmocka_unit_test(a_sha256_of_the_applications_own_is_asked),
	    cmocka_unit_test(the_adapter_says_what_it_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
