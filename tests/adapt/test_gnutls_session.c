/* The GnuTLS adapter: sessions that come back, early data, servers. */
#define _POSIX_C_SOURCE 200809L
#include "gtls_pair.h"

#include <sys/stat.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/* ---------------------------------------------------------------- resuming */

static void
a_session_with_its_tag_is_resumed(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int careless = 0; careless < 2; careless++) {
			struct stage st = ordinary_stage(tls);
			struct session *session = first_session(&st, 0);
			struct two t = attached_two(&st);

			assert_int_equal(pinfast_gnutls_session_read(t.c,
			                     session->bytes, session->len),
			    0);
			shake_with(&t, careless ? gnutls_handshake : pinned,
			    gnutls_handshake);
			chat_two(&t);
			expect_two("resumed", &t, 1,
			    PINFAST_REASON_PIN_MATCHED);
			assert_true(gnutls_session_is_resumed(t.c));
			/* And it may come back once more. */
			assert_true(pinfast_gnutls_session_write(t.c, NULL, 0) >
			            0);
			part_two(&t);
			drop(session);
			end_stage(&st);
		}
}

static void
a_session_that_the_policy_no_longer_wants_is_not_offered(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct stage st = ordinary_stage(tls);
		struct session *session = first_session(&st, 0);
		struct two t;

		change_policy(st.policy, 2, PINFAST_ROLE_LEAF, &other);
		t = attached_two(&st);
		assert_int_equal(pinfast_gnutls_session_read(t.c,
		                     session->bytes, session->len),
		    PINFAST_EPOLICY);
		shake_two(&t);
		chat_two(&t);
		expect_two("other pin", &t, 0, PINFAST_REASON_PIN_MISMATCH);
		assert_false(gnutls_session_is_resumed(t.s));
		part_two(&t);
		drop(session);
		end_stage(&st);
	}
}

/* What the application sets itself has no tag: verified as it stands. */
static void
a_session_without_a_tag_is_judged_anew(void **state)
{
	static const struct {
		const char *name;
		int good, tls;
		shake_fn shake;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"1.2", 1, TLS12, pinned, 1, PINFAST_REASON_PIN_MATCHED},
	    {"1.3", 1, TLS13, pinned, 1, PINFAST_REASON_PIN_MATCHED},
	    {"1.2, careless", 1, TLS12, gnutls_handshake, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"1.3, careless", 1, TLS13, gnutls_handshake, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	    {"1.2, other pin", 0, TLS12, pinned, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"1.3, other pin", 0, TLS13, pinned, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"1.2, other pin, careless", 0, TLS12, gnutls_handshake, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"1.3, other pin, careless", 0, TLS13, gnutls_handshake, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st = ordinary_stage(rows[i].tls);
		struct session *session = first_session(&st, 0);
		struct two t;

		if (!rows[i].good)
			change_policy(st.policy, 2, PINFAST_ROLE_LEAF, &other);
		t = attached_two(&st);
		assert_int_equal(gnutls_session_set_data(t.c,
		                     session->plain.data, session->plain.size),
		    0);
		shake_with(&t, rows[i].shake, gnutls_handshake);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].allow, rows[i].reason);
		part_two(&t);
		drop(session);
		end_stage(&st);
	}
}

/* Offers both: GnuTLS 3.7 loses the first ticket when it gets a second one. */
static void
slip_in(gnutls_session_t into, const struct session *passed,
    const struct session *slipped)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_disable();
#endif
	assert_int_equal(pinfast_gnutls_session_read(into, passed->bytes,
	                     passed->len),
	    0);
	assert_int_equal(gnutls_session_set_data(into, slipped->plain.data,
	                     slipped->plain.size),
	    0);
#ifdef __SANITIZE_ADDRESS__
	__lsan_enable();
#endif
}

/* One session passes by its tag, and another is offered in its place. */
static void
a_tag_speaks_for_its_own_session_only(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct stage good = ordinary_stage(tls);
		struct stage bad = stage_of(policy_of(PINFAST_ROLE_LEAF, &evil),
		    &evil, NULL, tls);
		struct session *passed = first_session(&good, 0);
		struct session *slipped = first_session(&bad, 0);
		struct two t = bare_two(&bad, 0);

		pin(t.c, good.policy);
		slip_in(t.c, passed, slipped);
		shake_two(&t);
		chat_two(&t);
		expect_two("slipped in", &t, 0, PINFAST_REASON_PIN_MISMATCH);
		part_two(&t);
		drop(passed);
		drop(slipped);
		end_stage(&good);
		end_stage(&bad);
	}
}

/* A cache of one. */
static uint8_t cached[4096];
static gnutls_datum_t cached_as = {cached, 0};

static int
put(void *ptr, gnutls_datum_t key, gnutls_datum_t data)
{
	(void)ptr, (void)key;
	assert_true(data.size <= sizeof cached);
	memcpy(cached, data.data, data.size);
	cached_as.size = data.size;
	return 0;
}

static gnutls_datum_t
get(void *ptr, gnutls_datum_t key)
{
	gnutls_datum_t data = {gnutls_malloc(cached_as.size), cached_as.size};

	(void)ptr, (void)key;
	assert_non_null(data.data);
	memcpy(data.data, cached, data.size);
	return data;
}

static struct two
caching_two(struct stage *server, struct pinfast *policy)
{
	struct two t = two_of(server->client, server->server, TLS12, 0);

	gnutls_db_set_store_function(t.s, put);
	gnutls_db_set_retrieve_function(t.s, get);
	pin(t.c, policy);
	return t;
}

/* What passed is a ticket; the server takes the identifier beside it. */
static void
a_ticket_does_not_speak_for_an_identifier(void **state)
{
	struct stage good = ordinary_stage(TLS12);
	struct stage bad =
	    stage_of(policy_of(PINFAST_ROLE_LEAF, &evil), &evil, NULL, TLS12);
	struct session *passed = first_session(&good, 0);
	struct two t = caching_two(&bad, bad.policy);
	struct session *slipped;

	(void)state;
	shake_two(&t);
	chat_two(&t);
	slipped = session_of(t.c);
	part_two(&t);
	t = caching_two(&bad, good.policy);
	slip_in(t.c, passed, slipped);
	shake_two(&t);
	chat_two(&t);
	expect_two("identifier", &t, 0, PINFAST_REASON_PIN_MISMATCH);
	part_two(&t);
	drop(passed);
	drop(slipped);
	end_stage(&good);
	end_stage(&bad);
}

static void
damaged_sessions_are_not_offered(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct session *session = first_session(&st, 0);

	(void)state;
	for (size_t i = 0; i < session->len; i += 7) {
		struct two t = attached_two(&st);

		session->bytes[i] ^= 1;
		assert_true(pinfast_gnutls_session_read(t.c, session->bytes,
		                session->len) != PINFAST_OK);
		session->bytes[i] ^= 1;
		assert_true(pinfast_gnutls_session_read(t.c, session->bytes,
		                i) != PINFAST_OK);
		part_two(&t);
	}
	drop(session);
	end_stage(&st);
}

static void
a_session_file_is_for_its_owner_alone(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct two t = attached_two(&st);
	struct pinfast_diag diag = {0};
	char path[] = "/tmp/test-gnutls-session-XXXXXX";
	struct stat status;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	shake_two(&t);
	chat_two(&t);
	assert_int_equal(pinfast_gnutls_session_save(t.c, path, &diag), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	part_two(&t);
	t = attached_two(&st);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(pinfast_gnutls_session_load(t.c, path, &diag),
	    PINFAST_EUNSAFE);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(pinfast_gnutls_session_load(t.c, path, &diag), 0);
	shake_two(&t);
	assert_true(gnutls_session_is_resumed(t.c));
	unlink(path);
	part_two(&t);
	end_stage(&st);
}

/* --------------------------------------------------------------- early data */

static size_t
early_at(gnutls_session_t server)
{
	char buffer[64];
	ssize_t n =
	    gnutls_record_recv_early_data(server, buffer, sizeof buffer);

	return n > 0 ? (size_t)n : 0;
}

static void
early_data_need_a_tag_that_passed(void **state)
{
	enum { TAGGED, PLAIN, NEITHER };

	(void)state;
	for (int kind = TAGGED; kind <= NEITHER; kind++) {
		struct stage st = ordinary_stage(TLS13);
		struct session *session =
		    first_session(&st, GNUTLS_ENABLE_EARLY_DATA);
		struct two t = bare_two(&st, GNUTLS_ENABLE_EARLY_DATA);

		pin(t.c, st.policy);
		if (kind == TAGGED)
			assert_int_equal(pinfast_gnutls_session_read(t.c,
			                     session->bytes, session->len),
			    0);
		else if (kind == PLAIN)
			assert_int_equal(gnutls_session_set_data(t.c,
			                     session->plain.data,
			                     session->plain.size),
			    0);
		(void)gnutls_record_send_early_data(t.c, "0123456789", 10);
		shake_two(&t);
		assert_int_equal(early_at(t.s), kind == TAGGED ? 10 : 0);
		if (kind == PLAIN) {
			assert_int_equal(t.shaken,
			    GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
			chat_two(&t);
			expect_two("plain", &t, 0, PINFAST_REASON_TAG_INVALID);
		} else {
			chat_two(&t);
			expect_two("early", &t, 1, PINFAST_REASON_PIN_MATCHED);
		}
		part_two(&t);
		drop(session);
		end_stage(&st);
	}
}

/* ----------------------------------------------------------------- servers */

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_with_its_tag_is_resumed),
	    cmocka_unit_test(
	        a_session_that_the_policy_no_longer_wants_is_not_offered),
	    cmocka_unit_test(a_session_without_a_tag_is_judged_anew),
	    cmocka_unit_test(a_tag_speaks_for_its_own_session_only),
	    cmocka_unit_test(a_ticket_does_not_speak_for_an_identifier),
	    cmocka_unit_test(damaged_sessions_are_not_offered),
	    cmocka_unit_test(a_session_file_is_for_its_owner_alone),
	    cmocka_unit_test(early_data_need_a_tag_that_passed),
	    cmocka_unit_test(a_server_knows_its_clients),
	    cmocka_unit_test(
	        a_server_that_starts_early_knows_its_clients_first),
	    cmocka_unit_test(a_ticket_for_one_label_is_none_for_another),
	    cmocka_unit_test(a_withdrawn_client_does_not_come_back),
	    cmocka_unit_test(
	        a_server_takes_early_data_with_bound_tickets_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
