/* The wolfSSL adapter and what was found out before: of links between
 * certificates, of clients that come back, of connections before this one. */
#define _GNU_SOURCE
#include "wolf_pair.h"

#include <dlfcn.h>
#include <time.h>

#include <wolfssl/error-ssl.h>

/* -------------------------------------------------------------------- dates */

static time_t ahead; /* by so much is the adapter's clock, but not wolfSSL's */

__attribute__((visibility("default"))) time_t
time(time_t *out)
{
	const void *caller = __builtin_return_address(0);
	struct timespec now;
	Dl_info info;

	clock_gettime(CLOCK_REALTIME, &now);
	if (dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
	    strstr(info.dli_fname, "libpinfast-wolfssl") != NULL)
		now.tv_sec += ahead;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* A connection of client's, when the adapter's clock is so many days ahead. */
static void
connect_on_day(WOLFSSL_CTX *client, WOLFSSL_CTX *server, int day, int allow)
{
	struct duo *d;

	ahead = (time_t)day * 86400;
	d = pinned_duo(client, server);
	pump(d);
	talk(d);
	ahead = 0;
	expect_end(day == 0 ? "today" : "later", d, &d->c, allow,
	    allow ? PINFAST_REASON_PIN_MATCHED : PINFAST_REASON_PKIX_FAILED);
	close_duo(d);
}

/* SHORT lasts a week less than those above it. */
static void
a_link_that_is_known_is_asked_for_its_dates(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);
		WOLFSSL_CTX *server = server_ctx(SHORT, INT_A, NOBODY, tls);

		connect_on_day(client, server, 0, 1);
		connect_on_day(client, server, 22, 1);
		connect_on_day(client, server, 24, 0);
		/* Not yet. */
		connect_on_day(client, server, -1, 0);
		connect_on_day(client, server, 0, 1);
		drop_ctx(client);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

/* ------------------------------------------------------------------ tickets */

/* A pinned server, and a client with a certificate. */
struct mutual {
	struct pinfast *policy;
	WOLFSSL_CTX *client, *server;
	WOLFSSL_SESSION *session; /* NULL: none yet */
};

static struct mutual
mutual_of(int tls)
{
	static const enum who sent[] = {INT_A, NOBODY};
	struct mutual m = {.policy = world_clients(CLIENT, NOBODY),
	    .client = client_ctx(tls),
	    .server = server_ctx(LEAF, INT_A, NOBODY, tls)};

	show(m.client, CLIENT, sent);
	trust(m.server, ROOT_A);
	assert_int_equal(pinfast_wolfssl_init(m.server, m.policy, NULL, NULL),
	    0);
	return m;
}

static void
end_mutual(struct mutual *m)
{
	wolfSSL_SESSION_free(m->session);
	drop_ctx(m->client);
	drop_ctx(m->server);
	pinfast_free(m->policy);
}

/* One connection, which offers the session of the last one; was it resumed? */
static int
come(struct mutual *m, const char *label)
{
	struct duo *d = duo_of(m->client, m->server);
	int resumed;

	assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl, label, NULL),
	    0);
	if (m->session != NULL)
		assert_int_equal(wolfSSL_set_session(d->c.ssl, m->session),
		    WOLFSSL_SUCCESS);
	pump(d);
	talk(d);
	if (d->s.done && d->app != 16)
		fail_msg("%s: %zu bytes", label, d->app);
	resumed = wolfSSL_session_reused(d->s.ssl);
	wolfSSL_SESSION_free(m->session);
	m->session = d->c.done ? wolfSSL_get1_session(d->c.ssl) : NULL;
	close_duo(d);
	return resumed;
}

/* The same client is welcome there as well. */
static void
a_ticket_for_one_label_is_none_for_another(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct mutual m = mutual_of(tls);

		assert_false(come(&m, "partner"));
		assert_true(come(&m, "partner"));
		assert_false(come(&m, "guest"));
		end_mutual(&m);
	}
}

/* A server that learns which name it is asked for takes another WOLFSSL_CTX:
 * then the anchors of that one count. */
static void
a_server_may_move_to_another_context(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int right = 0; right < 2; right++) {
			struct mutual m = mutual_of(tls);
			WOLFSSL_CTX *other =
			    server_ctx(LEAF, INT_A, NOBODY, tls);
			struct duo *d = duo_of(m.client, m.server);

			trust(other, right ? ROOT_A : ROOT_B);
			assert_int_equal(pinfast_wolfssl_init(other, m.policy,
			                     NULL, NULL),
			    0);
			assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl,
			                     "partner", NULL),
			    0);
			assert_non_null(wolfSSL_set_SSL_CTX(d->s.ssl, other));
			pump(d);
			talk(d);
			assert_int_equal(d->app, right ? 16 : 0);
			assert_int_equal(pinfast_wolfssl_result(d->s.ssl)
			                         .decision == PINFAST_ALLOW,
			    right);
			close_duo(d);
			drop_ctx(other);
			end_mutual(&m);
		}
}

/* It would still be welcome, but the policy does not ask what it did. */
static void
a_ticket_for_other_terms_is_none(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct mutual m = mutual_of(tls);

		assert_false(come(&m, "partner"));
		assert_true(come(&m, "partner"));
		world_change_clients(m.policy, 2, CLIENT, STRANGER);
		assert_false(come(&m, "partner"));
		end_mutual(&m);
	}
}

/* wolfSSL tells of it, but not of the proof that comes behind it. */
static void
a_certificate_after_the_handshake_is_refused(void **state)
{
#if defined(WOLFSSL_POST_HANDSHAKE_AUTH)
	struct mutual m = mutual_of(TLS13);
	struct duo *d = duo_of(m.client, m.server);
	char text[16];

	(void)state;
	assert_int_equal(wolfSSL_allow_post_handshake_auth(d->c.ssl), 0);
	assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl, "partner",
	                     NULL),
	    0);
	pump(d);
	talk(d);
	expect_end("before", d, &d->s, 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(wolfSSL_request_certificate(d->s.ssl),
	    WOLFSSL_SUCCESS);
	/* The request goes out with it. */
	(void)wolfSSL_write(d->s.ssl, "?", 1);
	while (wolfSSL_read(d->c.ssl, text, sizeof text) > 0)
		;
	assert_true(d->to_s.to > 0);
	assert_true(wolfSSL_read(d->s.ssl, text, sizeof text) <= 0);
	assert_int_equal(wolfSSL_get_error(d->s.ssl, 0), VERIFY_CERT_ERROR);
	(void)wolfSSL_write(d->c.ssl, "more", 4);
	assert_true(wolfSSL_read(d->s.ssl, text, sizeof text) <= 0);
	close_duo(d);
	end_mutual(&m);
#else
	(void)state;
	skip();
#endif
}

static int replayed; /* clients send one random again and again */

__attribute__((visibility("default"))) size_t
wolfSSL_get_client_random(const WOLFSSL *ssl, unsigned char *out, size_t size)
{
	static size_t (*real)(const WOLFSSL *, unsigned char *, size_t);
	void *found = dlsym(RTLD_NEXT, "wolfSSL_get_client_random");
	size_t len;

	memcpy(&real, &found, sizeof real);
	len = real(ssl, out, size);
	if (replayed && len > 0)
		memset(out, 'r', len);
	return len;
}

/* A client that has no tickets: what resumes is the server's cache. */
static WOLFSSL_CTX *
bare_client(enum who who)
{
	static const enum who sent[] = {INT_A, NOBODY};
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());

	assert_non_null(ctx);
	trust(ctx, ROOT_A);
	show(ctx, who, sent);
	return ctx;
}

/* The server uses its WOLFSSL again. */
static void
clear_server(struct duo *d, WOLFSSL_CTX *client)
{
	wolfSSL_free(d->c.ssl);
	memset(&d->to_c, 0, sizeof d->to_c);
	memset(&d->to_s, 0, sizeof d->to_s);
	d->app = d->got = 0;
	d->c.done = d->s.done = d->c.error = d->s.error = 0;
	open_end(&d->c, client, &d->to_c, &d->to_s);
	assert_int_equal(wolfSSL_clear(d->s.ssl), WOLFSSL_SUCCESS);
}

/* Only the first record of what is on its way arrives. */
static void
cut(struct wire *wire)
{
	const uint8_t *at = (const uint8_t *)wire->bytes + wire->from;

	assert_true(wire->to - wire->from > 5);
	wire->to = wire->from + 5 + ((size_t)at[3] << 8 | at[4]);
}

static unsigned
offer_key(WOLFSSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *key, unsigned max_key)
{
	(void)ssl, (void)hint, (void)max_identity, (void)max_key;
	memcpy(identity, "x", 2);
	memset(key, 'Z', 16);
	return 16;
}

static unsigned
share_key(WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned max)
{
	(void)ssl, (void)identity, (void)max;
	memset(key, 'Z', 16);
	return 16;
}

/* It needs no key to show a certificate, and none to go away then. */
static void
a_client_that_broke_off_helps_no_other(void **state)
{
	struct mutual m = mutual_of(TLS12);
	WOLFSSL_CTX *known = bare_client(CLIENT);
	WOLFSSL_CTX *nobody = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
	struct duo *d = duo_of(known, m.server);

	(void)state;
	trust(nobody, ROOT_A);
	assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl, "partner",
	                     NULL),
	    0);
	/* The application does without FAIL_IF_NO_PEER_CERT. */
	wolfSSL_set_verify(d->s.ssl, WOLFSSL_VERIFY_PEER,
	    wolfSSL_get_verify_callback(d->s.ssl));
	wolfSSL_set_psk_server_callback(d->s.ssl, share_key);
	wolfSSL_CTX_set_psk_client_callback(nobody, offer_key);
	assert_int_equal(wolfSSL_CTX_set_cipher_list(nobody,
	                     "DHE-PSK-AES128-GCM-SHA256:PSK-AES128-GCM-SHA256"),
	    WOLFSSL_SUCCESS);
	replayed = 1;
	for (int i = 0; i < 2; i++) {
		(void)push_end(&d->c, 0);
		if (i > 0)
			cut(&d->to_s);
		(void)push_end(&d->s, 1);
	}
	assert_int_equal(d->s.done + d->s.error, 0);
	assert_int_equal(pinfast_conn_verdict(pinfast_wolfssl_conn(d->s.ssl))
	                     .reason,
	    PINFAST_REASON_PIN_MATCHED);
	clear_server(d, nobody);
	pump(d);
	talk(d);
	expect_end("nobody", d, &d->s, 0, PINFAST_REASON_NO_CERTIFICATE);
	replayed = 0;
	close_duo(d);
	drop_ctx(known);
	drop_ctx(nobody);
	end_mutual(&m);
}

/* Out of the cache wolfSSL resumes without asking; the verdict is not that
 * of the client that was there before. */
static void
a_client_does_not_pass_for_the_one_before(void **state)
{
	struct mutual m = mutual_of(TLS12);
	WOLFSSL_CTX *known = bare_client(CLIENT);
	WOLFSSL_CTX *stranger = bare_client(STRANGER);
	WOLFSSL_SESSION *old;
	struct duo *d;

	(void)state;
	world_change_clients(m.policy, 2, STRANGER, NOBODY);
	d = duo_of(stranger, m.server);
	assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl, "partner",
	                     NULL),
	    0);
	pump(d);
	talk(d);
	expect_end("once", d, &d->s, 1, PINFAST_REASON_PIN_MATCHED);
	old = wolfSSL_get1_session(d->c.ssl);
	close_duo(d);
	world_change_clients(m.policy, 3, CLIENT, NOBODY);
	d = duo_of(known, m.server);
	assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl, "partner",
	                     NULL),
	    0);
	replayed = 1;
	pump(d);
	talk(d);
	expect_end("known", d, &d->s, 1, PINFAST_REASON_PIN_MATCHED);
	clear_server(d, stranger);
	assert_int_equal(wolfSSL_set_session(d->c.ssl, old), WOLFSSL_SUCCESS);
	pump(d);
	talk(d);
	replayed = 0;
	assert_true(wolfSSL_session_reused(d->s.ssl));
	expect_end("again", d, &d->s, 0, PINFAST_REASON_PIN_MISMATCH);
	wolfSSL_SESSION_free(old);
	close_duo(d);
	drop_ctx(known);
	drop_ctx(stranger);
	end_mutual(&m);
}

/* -------------------------------------------------------------------- hooks */

static unsigned told;

static int
say_done(WOLFSSL *ssl, void *arg)
{
	(void)ssl, (void)arg;
	told++;
	return 0;
}

static int
yes_to_all(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

/* In the middle of the handshake, after pinfast's turn. */
static void
take_everything(const WOLFSSL *ssl, int type, int value)
{
	WOLFSSL *writable;

	(void)value;
	memcpy(&writable, &ssl, sizeof writable);
	if (type != SSL_ST_CONNECT)
		return;
	wolfSSL_set_verify(writable, WOLFSSL_VERIFY_PEER, yes_to_all);
	wolfSSL_SetHsDoneCb(writable, say_done, NULL);
}

static void
the_first_byte_is_judged_when_the_end_was_not(void **state)
{
	struct pinfast_wolfssl_next next = {.info = take_everything};

	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
		WOLFSSL_CTX *client = client_ctx(tls);
		WOLFSSL_CTX *server = server_ctx(EVIL, NOBODY, NOBODY, tls);
		struct duo *d;

		assert_int_equal(pinfast_wolfssl_init(client, policy, &next,
		                     NULL),
		    0);
		d = pinned_duo(client, server);
		told = 0;
		pump(d);
		/* All is lost: nobody has judged anything. */
		assert_int_equal(told, 1);
		assert_int_equal(d->c.done, 1);
		talk(d);
		expect_end("taken", d, &d->c, 0, PINFAST_REASON_NO_CERTIFICATE);
		close_duo(d);
		drop_ctx(client);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

/* ------------------------------------------------------- what broke off */

/* The client's handshake breaks off, after so many turns, and is cleared; it
 * meets another connection of server. */
static void
break_off(struct duo *d, WOLFSSL_CTX *server, int turns)
{
	for (int i = 0; i < turns; i++) {
		(void)push_end(&d->c, 0);
		if (i + 1 < turns)
			(void)push_end(&d->s, 1);
	}
	assert_int_equal(d->c.done, 0);
	wolfSSL_free(d->s.ssl);
	memset(&d->to_c, 0, sizeof d->to_c);
	memset(&d->to_s, 0, sizeof d->to_s);
	open_end(&d->s, server, &d->to_s, &d->to_c);
	assert_int_equal(wolfSSL_clear(d->c.ssl), WOLFSSL_SUCCESS);
	d->c.error = 0;
}

/* In TLS 1.3 the client's second turn is its last. */
static void
a_connection_that_broke_off_may_be_attached_again(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		int tls = how < 2 ? TLS12 : TLS13;
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);
		WOLFSSL_CTX *server = server_ctx(LEAF, INT_A, NOBODY, tls);
		struct duo *d = pinned_duo(client, server);

		break_off(d, server, how == 1 ? 2 : 1);
		assert_int_equal(pinfast_wolfssl_attach(d->c.ssl, "pin.test",
		                     443, NULL),
		    0);
		run_client("again", d, 1, PINFAST_REASON_PIN_MATCHED);
		drop_ctx(client);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

/* In the middle it is as late as before. */
static void
a_connection_in_its_handshake_is_not_attached_again(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);
		WOLFSSL_CTX *server = server_ctx(EVIL, NOBODY, NOBODY, tls);
		struct duo *d = pinned_duo(client, server);

		(void)push_end(&d->c, 0);
		assert_int_equal(pinfast_wolfssl_attach(d->c.ssl, "two.test",
		                     443, NULL),
		    PINFAST_EUSAGE);
		run_client("late", d, 0, PINFAST_REASON_PIN_MISMATCH);
		drop_ctx(client);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

/* A session that nobody judged, set after the first handshake broke off. */
static void
what_broke_off_does_not_hide_a_session_of_ones_own(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);
		WOLFSSL_CTX *bare = client_ctx(tls);
		WOLFSSL_CTX *server = server_ctx(LEAF, INT_A, NOBODY, tls);
		struct duo *d = duo_of(bare, server);
		WOLFSSL_SESSION *session;

		pump(d);
		talk(d);
		session = wolfSSL_get1_session(d->c.ssl);
		assert_non_null(session);
		close_duo(d);
		d = pinned_duo(client, server);
		break_off(d, server, 1);
		assert_int_equal(wolfSSL_set_session(d->c.ssl, session),
		    WOLFSSL_SUCCESS);
		pump(d);
		talk(d);
		assert_int_equal(wolfSSL_session_reused(d->c.ssl), 0);
		expect_end("own", d, &d->c, 1, PINFAST_REASON_PIN_MATCHED);
		wolfSSL_SESSION_free(session);
		close_duo(d);
		drop_ctx(client);
		drop_ctx(bare);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_link_that_is_known_is_asked_for_its_dates),
	    cmocka_unit_test(a_ticket_for_one_label_is_none_for_another),
	    cmocka_unit_test(a_ticket_for_other_terms_is_none),
	    cmocka_unit_test(a_server_may_move_to_another_context),
	    cmocka_unit_test(a_certificate_after_the_handshake_is_refused),
	    cmocka_unit_test(a_client_does_not_pass_for_the_one_before),
	    cmocka_unit_test(a_client_that_broke_off_helps_no_other),
	    cmocka_unit_test(the_first_byte_is_judged_when_the_end_was_not),
	    cmocka_unit_test(a_connection_that_broke_off_may_be_attached_again),
	    cmocka_unit_test(
	        a_connection_in_its_handshake_is_not_attached_again),
	    cmocka_unit_test(
	        what_broke_off_does_not_hide_a_session_of_ones_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_wolf, free_wolf);
}
