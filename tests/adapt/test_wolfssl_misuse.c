/* The wolfSSL adapter and applications that do not do as they should; and
 * which anchors count. */
#include "wolf_pair.h"

/* A pinned client and a server that shows what it is told to. */
struct scene {
	struct pinfast *policy;
	WOLFSSL_CTX *client, *server;
	struct duo *d;
};

static struct scene
scene_of(enum who pinned, enum who shown, int tls)
{
	struct scene s;

	s.policy = world_policy(NULL, PINFAST_ROLE_LEAF, pinned);
	s.client = pinned_ctx(s.policy, tls);
	s.server =
	    server_ctx(shown, shown == LEAF ? INT_A : NOBODY, NOBODY, tls);
	s.d = duo_of(s.client, s.server);
	return s;
}

static void
end_scene(struct scene *s)
{
	close_duo(s->d);
	drop_ctx(s->client);
	drop_ctx(s->server);
	pinfast_free(s->policy);
}

/* ------------------------------------------------------------------- misuse */

static void
nothing_is_no_connection(void **state)
{
	char text[200] = "";
	uint8_t bytes[8] = {0};
	struct pinfast_diag diag;

	(void)state;
	pinfast_wolfssl_detach(NULL);
	pinfast_wolfssl_fini(NULL);
	assert_int_not_equal(pinfast_wolfssl_result(NULL).decision,
	    PINFAST_ALLOW);
	assert_int_not_equal(pinfast_wolfssl_recheck(NULL, "pin.test", 0)
	                         .decision,
	    PINFAST_ALLOW);
	assert_null(pinfast_wolfssl_conn(NULL));
	assert_true(pinfast_wolfssl_explain(NULL, text, sizeof text) > 0);
	assert_int_equal(pinfast_wolfssl_attach(NULL, "pin.test", 0, &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_attach_server(NULL, "partner", NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_session_write(NULL, NULL, bytes, 8),
	    0);
	assert_int_equal(pinfast_wolfssl_session_read(NULL, bytes, 8),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_session_use(NULL, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_session_save(NULL, NULL, "/nowhere",
	                     &diag),
	    PINFAST_ENOTFOUND);
}

static void
a_context_is_initialised_once(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
	WOLFSSL_CTX *ctx = client_ctx(TLS13);
	struct pinfast_diag diag;

	(void)state;
	assert_int_equal(pinfast_wolfssl_init(NULL, policy, NULL, &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_init(ctx, NULL, NULL, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, NULL), 0);
	assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, &diag),
	    PINFAST_EUSAGE);
	pinfast_wolfssl_fini(ctx);
	/* What was let go of may be pinned again. */
	assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, NULL), 0);
	drop_ctx(ctx);
	pinfast_free(policy);
}

static void
what_was_not_initialised_is_not_attached(void **state)
{
	WOLFSSL_CTX *client = client_ctx(TLS13);
	WOLFSSL_CTX *server = server_ctx(LEAF, INT_A, NOBODY, TLS13);
	struct duo *d = duo_of(client, server);

	(void)state;
	assert_int_equal(pinfast_wolfssl_attach(d->c.ssl, "pin.test", 0, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_attach_server(d->s.ssl, "partner",
	                     NULL),
	    PINFAST_EUSAGE);
	pump(d);
	assert_int_not_equal(pinfast_wolfssl_result(d->c.ssl).decision,
	    PINFAST_ALLOW);
	assert_null(pinfast_wolfssl_conn(d->c.ssl));
	close_duo(d);
	drop_ctx(client);
	drop_ctx(server);
}

static void
a_host_that_is_none_denies(void **state)
{
	static const char *const hosts[] = {
	    "", "pin..test", "pin.test:443", "*.test", "[::1"};

	(void)state;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct scene s = scene_of(LEAF, LEAF, TLS13);

		assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl, hosts[i],
		                     443, NULL),
		    PINFAST_EHOST);
		pump(s.d);
		talk(s.d);
		assert_int_not_equal(pinfast_wolfssl_result(s.d->c.ssl)
		                         .decision,
		    PINFAST_ALLOW);
		assert_int_equal(s.d->app + s.d->got, 0);
		end_scene(&s);
	}
}

static void
datagrams_are_refused(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);

	(void)state;
	for (int server = 0; server < 2; server++) {
		WOLFSSL_CTX *ctx =
		    wolfSSL_CTX_new(server ? wolfDTLSv1_2_server_method()
		                           : wolfDTLSv1_2_client_method());
		struct pinfast_diag diag = {0};
		WOLFSSL *ssl;

		assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, &diag),
		    0);
		ssl = wolfSSL_new(ctx);
		assert_non_null(ssl);
		assert_int_equal(server ? pinfast_wolfssl_attach_server(ssl,
		                              "partner", &diag)
		                        : pinfast_wolfssl_attach(ssl,
		                              "pin.test", 443, &diag),
		    PINFAST_EUNSUPPORTED);
		assert_string_equal(diag.text, "DTLS is not supported");
		assert_int_not_equal(pinfast_wolfssl_result(ssl).decision,
		    PINFAST_ALLOW);
		pinfast_wolfssl_detach(ssl);
		wolfSSL_free(ssl);
		drop_ctx(ctx);
	}
	pinfast_free(policy);
}

static void
the_host_that_was_attached_last_counts(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int first = 0; first < 2; first++) {
			struct scene s = scene_of(EVIL, LEAF, tls);

			/* two.test is in the certificate and has no pins. */
			assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl,
			                     first ? "pin.test" : "two.test",
			                     443, NULL),
			    0);
			assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl,
			                     first ? "two.test" : "pin.test",
			                     443, NULL),
			    0);
			pump(s.d);
			talk(s.d);
			expect_end(first ? "two.test" : "pin.test", s.d,
			    &s.d->c, first,
			    first ? PINFAST_REASON_UNLISTED
			          : PINFAST_REASON_PIN_MISMATCH);
			end_scene(&s);
		}
}

static void
it_is_too_late_when_the_handshake_is_over(void **state)
{
	struct scene s = scene_of(LEAF, LEAF, TLS13);
	uint8_t bytes[8] = {0};

	(void)state;
	assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl, "pin.test", 443,
	                     NULL),
	    0);
	pump(s.d);
	assert_int_equal(s.d->c.done, 1);
	assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl, "two.test", 443,
	                     NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_wolfssl_session_read(s.d->c.ssl, bytes, 8),
	    PINFAST_EUSAGE);
	talk(s.d);
	expect_end("still", s.d, &s.d->c, 1, PINFAST_REASON_PIN_MATCHED);
	end_scene(&s);
}

static void
a_refused_connection_is_not_used_again(void **state)
{
	struct scene s = scene_of(LEAF, EVIL, TLS13);

	(void)state;
	assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl, "pin.test", 443,
	                     NULL),
	    0);
	pump(s.d);
	talk(s.d);
	expect_end("evil", s.d, &s.d->c, 0, PINFAST_REASON_PIN_MISMATCH);
	assert_int_not_equal(pinfast_wolfssl_attach(s.d->c.ssl, "two.test", 443,
	                         NULL),
	    PINFAST_OK);
	pump(s.d);
	talk(s.d);
	assert_int_equal(s.d->app + s.d->got, 0);
	end_scene(&s);
}

static void
verification_that_is_off_is_refused(void **state)
{
	struct scene s = scene_of(LEAF, LEAF, TLS13);

	(void)state;
	wolfSSL_set_verify(s.d->c.ssl, WOLFSSL_VERIFY_NONE, NULL);
	assert_int_equal(pinfast_wolfssl_attach(s.d->c.ssl, "pin.test", 443,
	                     NULL),
	    PINFAST_EUNSAFE);
	pump(s.d);
	talk(s.d);
	assert_int_not_equal(pinfast_wolfssl_result(s.d->c.ssl).decision,
	    PINFAST_ALLOW);
	assert_int_equal(s.d->app + s.d->got, 0);
	end_scene(&s);
}

/* -------------------------------------------------------------------- hooks */

static int
yes_to_all(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static int
say_done(WOLFSSL *ssl, void *arg)
{
	(void)ssl, (void)arg;
	return 0;
}

/* Overwritten after attaching. */
struct taken {
	const char *name;
	int mode; /* of verification; -1: as it was */
	int done;
	enum who shown;
	int allow;
	int32_t reason;
};

static void
take_hooks(const struct taken *row, int tls, int careless)
{
	struct scene s = scene_of(LEAF, row->shown, tls);
	WOLFSSL *ssl = s.d->c.ssl;

	assert_int_equal(pinfast_wolfssl_attach(ssl, "pin.test", 443, NULL), 0);
	if (row->mode >= 0)
		wolfSSL_set_verify(ssl, row->mode, yes_to_all);
	if (row->done)
		wolfSSL_SetHsDoneCb(ssl, say_done, NULL);
	pump(s.d);
	/* Whose end is ours fails there already. */
	if (!row->done && !row->allow)
		assert_int_equal(s.d->c.done, 0);
	if (!careless)
		(void)!pinfast_wolfssl_result(ssl).decision;
	talk(s.d);
	expect_end(row->name, s.d, &s.d->c, row->allow, row->reason);
	end_scene(&s);
}

static void
hooks_that_are_overwritten_let_nothing_through(void **state)
{
	static const struct taken rows[] = {
	    {"verification", WOLFSSL_VERIFY_PEER, 0, LEAF, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	    {"the impostor's", WOLFSSL_VERIFY_PEER, 0, EVIL, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	    {"verification, off", WOLFSSL_VERIFY_NONE, 0, LEAF, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	    {"the end", -1, 1, LEAF, 1, PINFAST_REASON_PIN_MATCHED},
	    {"the end, an impostor's", -1, 1, EVIL, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"both", WOLFSSL_VERIFY_PEER, 1, LEAF, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	    {"both, an impostor's", WOLFSSL_VERIFY_NONE, 1, EVIL, 0,
	        PINFAST_REASON_NO_CERTIFICATE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			take_hooks(&rows[i], tls, 0);
			take_hooks(&rows[i], tls, 1);
		}
}

static unsigned told;

static void
count_info(const WOLFSSL *ssl, int type, int value)
{
	(void)ssl, (void)type, (void)value;
	told++;
}

static int
refuse_done(WOLFSSL *ssl, void *arg)
{
	(void)ssl;
	*(unsigned *)arg += 1;
	return -1;
}

static void
callbacks_of_the_application_are_called(void **state)
{
	unsigned refused = 0;
	struct pinfast_wolfssl_next next = {
	    .info = count_info, .done = refuse_done, .done_arg = &refused};
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
	WOLFSSL_CTX *client = client_ctx(TLS13);
	WOLFSSL_CTX *server = server_ctx(LEAF, INT_A, NOBODY, TLS13);
	struct duo *d;

	(void)state;
	told = 0;
	assert_int_equal(pinfast_wolfssl_init(client, policy, &next, NULL), 0);
	d = pinned_duo(client, server);
	pump(d);
	assert_true(told > 0);
	assert_int_equal(refused, 1);
	assert_int_equal(d->c.done, 0);
	close_duo(d);
	drop_ctx(client);
	drop_ctx(server);
	pinfast_free(policy);
}

/* ------------------------------------------------------------------ anchors */

static void
the_anchors_of_an_entry_replace_the_applications(void **state)
{
	static const struct {
		const char *name;
		enum who anchor, pinned, shown, sent;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"its own", ROOT_B, ROOT_B, EVIL, NOBODY, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"another's", ROOT_B, LEAF, LEAF, INT_A, 0,
	        PINFAST_REASON_PKIX_FAILED},
	    {"its own, another pin", ROOT_B, ROOT_A, EVIL, NOBODY, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"another name", ROOT_A, ROOT_A, OTHER, INT_A, 0,
	        PINFAST_REASON_PKIX_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct pinfast *policy = world_anchored(NULL,
			    rows[i].pinned, rows[i].anchor);
			WOLFSSL_CTX *client = pinned_ctx(policy, tls);
			WOLFSSL_CTX *server = server_ctx(rows[i].shown,
			    rows[i].sent, NOBODY, tls);
			struct duo *d = pinned_duo(client, server);

			run_client(rows[i].name, d, rows[i].allow,
			    rows[i].reason);
			drop_ctx(client);
			drop_ctx(server);
			pinfast_free(policy);
		}
}

static void
an_anchor_whose_dates_are_over_is_none(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_ANY, OLD_ROOT);
		WOLFSSL_CTX *client = client_ctx(tls);
		WOLFSSL_CTX *server = server_ctx(OLD_LEAF, NOBODY, NOBODY, tls);
		struct duo *d;

		/* As an anchor that ended after it was loaded. */
		wolfSSL_CTX_set_verify(client, WOLFSSL_VERIFY_NONE, NULL);
		trust(client, OLD_ROOT);
		wolfSSL_CTX_set_verify(client, WOLFSSL_VERIFY_PEER, NULL);
		assert_int_equal(pinfast_wolfssl_init(client, policy, NULL,
		                     NULL),
		    0);
		d = pinned_duo(client, server);
		run_client("old", d, 0, PINFAST_REASON_PKIX_FAILED);
		drop_ctx(client);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

/* One connection of a shared object. */
struct once {
	const char *name;
	enum who shown, sent;
	int allow;
	int32_t reason;
};

static void
connect_once(WOLFSSL_CTX *client, int tls, const struct once *once)
{
	WOLFSSL_CTX *server = server_ctx(once->shown, once->sent, NOBODY, tls);
	struct duo *d = pinned_duo(client, server);

	run_client(once->name, d, once->allow, once->reason);
	drop_ctx(server);
}

static void
an_anchor_of_the_same_name_is_another(void **state)
{
	static const struct once rows[] = {
	    {"the issuer", EVIL, NOBODY, 1, PINFAST_REASON_PIN_MATCHED},
	    {"its twin", EVIL, NOBODY, 0, PINFAST_REASON_PIN_MISMATCH},
	};

	(void)state;
	for (int way = 0; way < 4; way++) {
		int tls = way & 1 ? TLS13 : TLS12;
		struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_ANY,
		    way & 2 ? TWIN_B : ROOT_B);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);

		trust(client, TWIN_B);
		connect_once(client, tls, &rows[way >> 1]);
		drop_ctx(client);
		pinfast_free(policy);
	}
}

static void
what_a_peer_has_sent_is_no_anchor_for_the_next(void **state)
{
	static const struct once rows[] = {
	    {"the whole list", LEAF, INT_A, 1, PINFAST_REASON_PIN_MATCHED},
	    /* wolfSSL itself still knows the issuer. */
	    {"the leaf alone", LEAF, NOBODY, 0, PINFAST_REASON_PKIX_FAILED},
	    {"the list again", LEAF, INT_A, 1, PINFAST_REASON_PIN_MATCHED},
	};

	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_ANY, INT_A);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);

		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			connect_once(client, tls, &rows[i]);
			/* What is loaded has wolfSSL's table read anew. */
			trust(client, TWIN_B);
		}
		drop_ctx(client);
		pinfast_free(policy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_no_connection),
	    cmocka_unit_test(a_context_is_initialised_once),
	    cmocka_unit_test(what_was_not_initialised_is_not_attached),
	    cmocka_unit_test(a_host_that_is_none_denies),
	    cmocka_unit_test(datagrams_are_refused),
	    cmocka_unit_test(the_host_that_was_attached_last_counts),
	    cmocka_unit_test(it_is_too_late_when_the_handshake_is_over),
	    cmocka_unit_test(a_refused_connection_is_not_used_again),
	    cmocka_unit_test(verification_that_is_off_is_refused),
	    cmocka_unit_test(hooks_that_are_overwritten_let_nothing_through),
	    cmocka_unit_test(callbacks_of_the_application_are_called),
	    cmocka_unit_test(the_anchors_of_an_entry_replace_the_applications),
	    cmocka_unit_test(an_anchor_whose_dates_are_over_is_none),
	    cmocka_unit_test(an_anchor_of_the_same_name_is_another),
	    cmocka_unit_test(what_a_peer_has_sent_is_no_anchor_for_the_next),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_wolf, free_wolf);
}
