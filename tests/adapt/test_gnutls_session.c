/* The GnuTLS adapter: sessions that come back, and early data. */
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

/* A client that comes again with a session of the application's own; not good:
 * by now another key is pinned. */
static struct two
returning_two(struct stage *st, const struct session *session, int good)
{
	struct two t;

	if (!good)
		change_policy(st->policy, 2, PINFAST_ROLE_LEAF, &other);
	t = attached_two(st);
	assert_int_equal(gnutls_session_set_data(t.c, session->plain.data,
	                     session->plain.size),
	    0);
	return t;
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
		struct two t = returning_two(&st, session, rows[i].good);

		shake_with(&t, rows[i].shake, gnutls_handshake);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].allow, rows[i].reason);
		part_two(&t);
		drop(session);
		end_stage(&st);
	}
}

/* The server's last message has been read, and ours must wait for the line:
 * whichever function goes on then. */
static void
whoever_ends_a_handshake_it_is_judged(void **state)
{
	static const struct {
		const char *name;
		int good;
		shake_fn first, then;
	} rows[] = {
	    {"with us", 1, pinned, pinned},
	    {"with us, then without", 1, pinned, gnutls_handshake},
	    {"without us, then with", 1, gnutls_handshake, pinned},
	    {"other pin, with us", 0, pinned, pinned},
	    {"other pin, with us, then without", 0, pinned, gnutls_handshake},
	    {"other pin, without us, then with", 0, gnutls_handshake, pinned},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st = ordinary_stage(TLS12);
		struct session *session = first_session(&st, 0);
		struct two t = returning_two(&st, session, rows[i].good);

		assert_int_equal(rows[i].first(t.c), GNUTLS_E_AGAIN);
		assert_int_equal(gnutls_handshake(t.s), GNUTLS_E_AGAIN);
		gnutls_transport_set_push_function(t.c, push_later);
		assert_true(rows[i].first(t.c) < 0);
		gnutls_transport_set_push_function(t.c, push);
		shake_with(&t, rows[i].then, gnutls_handshake);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].good,
		    rows[i].good ? PINFAST_REASON_PIN_MATCHED
		                 : PINFAST_REASON_PIN_MISMATCH);
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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_with_its_tag_is_resumed),
	    cmocka_unit_test(
	        a_session_that_the_policy_no_longer_wants_is_not_offered),
	    cmocka_unit_test(a_session_without_a_tag_is_judged_anew),
	    cmocka_unit_test(whoever_ends_a_handshake_it_is_judged),
	    cmocka_unit_test(a_tag_speaks_for_its_own_session_only),
	    cmocka_unit_test(a_ticket_does_not_speak_for_an_identifier),
	    cmocka_unit_test(damaged_sessions_are_not_offered),
	    cmocka_unit_test(a_session_file_is_for_its_owner_alone),
	    cmocka_unit_test(early_data_need_a_tag_that_passed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
