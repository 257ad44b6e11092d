/* The wolfSSL adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
#define FAIL_MALLOC(caller, size) fail_in(caller, "libpinfast-wolfssl")
#include "failing.h"
#include "load.h"
#include "wolf_pair.h"

#include <wolfssl/wolfcrypt/ecc.h>

/* ----------------------------------------------------- failing allocations */

/* What the adapter calls fails as a whole: wolfSSL's own allocations are
 * wolfSSL's. */
/* clang-format off */
FAILS(WOLFSSL_CERT_MANAGER *, NULL, wolfSSL_CertManagerNew, (void), ())
FAILS(WOLFSSL_STACK *, NULL, wolfSSL_CertManagerGetCerts,
    (WOLFSSL_CERT_MANAGER *manager), (manager))
FAILS(WOLFSSL_X509_STORE *, NULL, wolfSSL_X509_STORE_new, (void), ())
FAILS(int, MEMORY_E, wolfSSL_CertManagerLoadCABuffer,
    (WOLFSSL_CERT_MANAGER *manager, const unsigned char *der, long len,
    int format), (manager, der, len, format))
FAILS(int, MEMORY_E, wolfSSL_CertManagerVerifyBuffer,
    (WOLFSSL_CERT_MANAGER *manager, const unsigned char *der, long len,
    int format), (manager, der, len, format))
FAILS(WOLFSSL_SESSION *, NULL, wolfSSL_get1_session, (WOLFSSL *ssl), (ssl))
FAILS(int, 0, wolfSSL_set_ex_data, (WOLFSSL *ssl, int index, void *data),
    (ssl, index, data))
FAILS(int, 0, wolfSSL_CTX_set_ex_data, (WOLFSSL_CTX *ctx, int index,
    void *data), (ctx, index, data))
FAILS(int, 0, wolfSSL_SESSION_set_ex_data, (WOLFSSL_SESSION *session,
    int index, void *data), (session, index, data))
FAILS(int, 0, wolfSSL_check_domain_name, (WOLFSSL *ssl, const char *name),
    (ssl, name))
FAILS(int, 0, wolfSSL_set_session_id_context, (WOLFSSL *ssl,
    const unsigned char *id, unsigned len), (ssl, id, len))
FAILS(int, 0, wolfSSL_RAND_bytes, (unsigned char *out, int len), (out, len))
FAILS(int, 0, wolfSSL_i2d_SSL_SESSION, (WOLFSSL_SESSION *session,
    unsigned char **out), (session, out))
FAILS(WOLFSSL_SESSION *, NULL, wolfSSL_d2i_SSL_SESSION,
    (WOLFSSL_SESSION **out, const unsigned char **in, long len),
    (out, in, len))
FAILS(int, 0, wolfSSL_set_session, (WOLFSSL *ssl, WOLFSSL_SESSION *session),
    (ssl, session))
/* clang-format on */

/* What the connections of a row are about. */
struct plot {
	struct pinfast *policy;
	WOLFSSL_CTX *client, *server;
	const uint8_t *session; /* serialised; NULL: a full handshake */
	size_t session_len;
	int allow;
	int careless;
	int unlisted; /* some anchor hides all from a list */
};

/* One end with failing memory, the other without. */
static void
pump_failing(struct end *mine, struct end *theirs, int server)
{
	for (int i = 0; i < 30; i++) {
		int done = push_end(mine, server);
		long kept = fail_pause();

		done &= push_end(theirs, !server);
		fail_resume(kept);
		if (done)
			break;
	}
}

static int
try(void *arg, long n, int on)
{
	const struct plot *plot = arg;
	struct duo *d = duo_of(plot->client, plot->server);
	struct pinfast_verdict verdict = {0, PINFAST_REASON_NOT_JUDGED};
	uint8_t bytes[4096];
	int failed = 0;

	fail_at(n, on);
	(void)!pinfast_wolfssl_attach(d->c.ssl, "pin.test", 443, NULL);
	if (plot->session != NULL)
		(void)!pinfast_wolfssl_session_read(d->c.ssl, plot->session,
		    plot->session_len);
	pump_failing(&d->c, &d->s, 0);
	if (!plot->careless)
		verdict = pinfast_wolfssl_result(d->c.ssl);
	(void)!pinfast_wolfssl_session_write(d->c.ssl, NULL, bytes,
	    sizeof bytes);
	if (!plot->careless)
		failed = fail_over();
	talk(d);
	if (plot->careless) {
		failed = fail_over();
		verdict = pinfast_wolfssl_result(d->c.ssl);
	}
	if (!failed) {
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    plot->allow);
		assert_int_equal(d->app, plot->allow ? 16 : 0);
	}
	assert_true(plot->allow || d->app + d->got == 0);
	assert_true(plot->allow || verdict.decision != PINFAST_ALLOW);
	if (verdict.decision != PINFAST_ALLOW)
		assert_int_equal(d->app + d->got, 0);
	close_duo(d);
	return failed;
}

static void
whatever_fails_nobody_gets_through(void **state)
{
	static const struct {
		const char *name;
		enum who shown, sent, further;
		enum pinfast_role role;
		enum who pinned;
		int allow, careless;
	} rows[] = {
	    {"the pinned leaf", LEAF, INT_A, NOBODY, PINFAST_ROLE_LEAF, LEAF, 1,
	        0},
	    {"another leaf", EVIL, NOBODY, NOBODY, PINFAST_ROLE_LEAF, LEAF, 0,
	        0},
	    {"another leaf, careless", EVIL, INT_A, NOBODY, PINFAST_ROLE_LEAF,
	        LEAF, 0, 1},
	    {"the pinned root", LEAF, INT_A, NOBODY, PINFAST_ROLE_ANY, ROOT_A,
	        1, 0},
	    {"another root", EVIL, INT_A, NOBODY, PINFAST_ROLE_ANY, ROOT_A, 0,
	        0},
	    {"another root, careless", EVIL, INT_A, NOBODY, PINFAST_ROLE_ANY,
	        ROOT_A, 0, 1},
	    {"another name", OTHER, INT_A, NOBODY, PINFAST_ROLE_ANY, ROOT_A, 0,
	        0},
	    {"a further path", LEAF_X, INT_XA, INT_XB, PINFAST_ROLE_CA, ROOT_B,
	        1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct plot plot = {.policy = world_policy(&failing,
			                        rows[i].role, rows[i].pinned),
			    .server = server_ctx(rows[i].shown, rows[i].sent,
			        rows[i].further, tls),
			    .allow = rows[i].allow,
			    .careless = rows[i].careless};

			plot.client = pinned_ctx(plot.policy, tls);
			print_message("# %s\n", rows[i].name);
			try_each(try, &plot, 1, 1);
			drop_ctx(plot.client);
			drop_ctx(plot.server);
			pinfast_free(plot.policy);
		}
}

static void
whatever_fails_only_the_anchors_of_the_entry_count(void **state)
{
	(void)state;
	for (int allow = 0; allow < 2; allow++) {
		struct plot plot = {.policy = world_anchored(&failing, LEAF,
		                        allow ? ROOT_A : ROOT_B),
		    .server = server_ctx(LEAF, INT_A, NOBODY, TLS13),
		    .allow = allow};

		plot.client = pinned_ctx(plot.policy, TLS13);
		try_each(try, &plot, 1, 1);
		drop_ctx(plot.client);
		drop_ctx(plot.server);
		pinfast_free(plot.policy);
	}
}

/* wolfSSL's table has to be read, and what failed is over the next time. */
static int
try_anew(void *arg, long n, int on)
{
	struct plot plot = *(const struct plot *)arg;
	int failed;

	plot.client = pinned_ctx(plot.policy, TLS13);
	trust(plot.client, plot.unlisted ? ED_ROOT : TWIN_B);
	failed = try(&plot, n, on);
	assert_false(try(&plot, -1, 0));
	drop_ctx(plot.client);
	return failed;
}

/* Also when the table cannot be listed, and whether the peer sends the anchor
 * or not. */
static void
anchors_that_could_not_be_read_are_read_later(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct plot plot = {
		    .policy = world_policy(&failing, PINFAST_ROLE_ANY, ROOT_A),
		    .server = server_ctx(LEAF, INT_A, way < 2 ? ROOT_A : NOBODY,
		        TLS13),
		    .unlisted = way > 0,
		    .allow = 1};

		try_each(try_anew, &plot, 0, 1);
		drop_ctx(plot.server);
		pinfast_free(plot.policy);
	}
}

static void
whatever_fails_no_unjudged_session_is_resumed(void **state)
{
	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		uint8_t bytes[4096];
		struct plot plot = {
		    .policy = world_policy(&failing, PINFAST_ROLE_LEAF, LEAF),
		    .server = server_ctx(LEAF, INT_A, NOBODY, tls),
		    .session = bytes,
		    .allow = 1};
		struct duo *d;

		plot.client = pinned_ctx(plot.policy, tls);
		d = pinned_duo(plot.client, plot.server);
		pump(d);
		talk(d);
		plot.session_len = pinfast_wolfssl_session_write(d->c.ssl, NULL,
		    bytes, sizeof bytes);
		assert_in_range(plot.session_len, 1, sizeof bytes);
		close_duo(d);
		try_each(try, &plot, 1, 1);
		/* Now the key is withdrawn. */
		world_change(plot.policy, 2, PINFAST_ROLE_LEAF, EVIL);
		plot.allow = 0;
		try_each(try, &plot, 1, 1);
		drop_ctx(plot.client);
		drop_ctx(plot.server);
		pinfast_free(plot.policy);
	}
}

static int
try_server(void *arg, long n, int on)
{
	const struct plot *plot = arg;
	struct duo *d = duo_of(plot->client, plot->server);
	struct pinfast_verdict verdict;
	int failed;

	fail_at(n, on);
	(void)!pinfast_wolfssl_attach_server(d->s.ssl, "partner", NULL);
	pump_failing(&d->s, &d->c, 1);
	verdict = pinfast_wolfssl_result(d->s.ssl);
	failed = fail_over();
	talk(d);
	if (!failed)
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    plot->allow);
	assert_true(plot->allow || verdict.decision != PINFAST_ALLOW);
	if (verdict.decision != PINFAST_ALLOW)
		assert_int_equal(d->app, 0);
	close_duo(d);
	return failed;
}

static void
a_server_without_memory_lets_nobody_in(void **state)
{
	const enum who sent[] = {INT_A, NOBODY};

	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int allow = 0; allow < 2; allow++) {
			struct plot plot = {.policy = world_policy(&failing,
			                        PINFAST_ROLE_COUNT, CLIENT),
			    .client = client_ctx(tls),
			    .server = server_ctx(LEAF, INT_A, NOBODY, tls),
			    .allow = allow};

			show(plot.client, allow ? CLIENT : STRANGER, sent);
			trust(plot.server, ROOT_A);
			assert_int_equal(pinfast_wolfssl_init(plot.server,
			                     plot.policy, NULL, NULL),
			    0);
			try_each(try_server, &plot, 0, 1);
			drop_ctx(plot.client);
			drop_ctx(plot.server);
			pinfast_free(plot.policy);
		}
}

/* Anchors that could not be read then are read when they are needed. */
static int
try_init(void *arg, long n, int on)
{
	struct plot plot = *(const struct plot *)arg;
	enum pinfast_error error;
	int failed;

	plot.client = client_ctx(TLS13);
	fail_at(n, on);
	error = pinfast_wolfssl_init(plot.client, plot.policy, NULL, NULL);
	failed = fail_over();
	assert_true(failed || error == PINFAST_OK);
	if (error == PINFAST_OK)
		assert_false(try(&plot, -1, 0));
	else
		assert_int_equal(error, PINFAST_ENOMEM);
	drop_ctx(plot.client);
	return failed;
}

static void
an_init_that_failed_may_be_repeated(void **state)
{
	struct plot plot = {
	    .policy = world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A),
	    .server = server_ctx(LEAF, INT_A, NOBODY, TLS13),
	    .allow = 1};

	(void)state;
	try_each(try_init, &plot, 0, 1);
	drop_ctx(plot.server);
	pinfast_free(plot.policy);
}

/* ------------------------------------------------------------------ threads */

struct work {
	struct pinfast *policy;
	WOLFSSL_CTX *client, *good, *bad;
};

static enum outcome
connect_to(void *arg, int bad)
{
	const struct work *w = arg;
	struct duo *d = duo_of(w->client, bad ? w->bad : w->good);
	enum pinfast_error error =
	    pinfast_wolfssl_attach(d->c.ssl, "pin.test", 443, NULL);
	int allowed;
	size_t app;

	pump(d);
	allowed = pinfast_wolfssl_result(d->c.ssl).decision == PINFAST_ALLOW;
	talk(d);
	app = d->app;
	close_duo(d);
	if (error != PINFAST_OK || allowed == bad || app != (bad ? 0U : 16U))
		return LOAD_WRONG;
	return bad ? LOAD_DENIED : LOAD_ALLOWED;
}

/* Now the leaf is pinned, now its CA: the impostor is never. */
static void
pin_another(void *arg, int64_t serial)
{
	const struct work *w = arg;

	world_change(w->policy, serial,
	    serial & 1 ? PINFAST_ROLE_LEAF : PINFAST_ROLE_CA,
	    serial & 1 ? LEAF : INT_A);
}

static void
threads_share_a_context_while_the_policy_changes(void **state)
{
	struct work w = {.policy = world_policy(NULL, PINFAST_ROLE_LEAF, LEAF),
	    .good = server_ctx(LEAF, INT_A, NOBODY, TLS13),
	    .bad = server_ctx(EVIL, NOBODY, NOBODY, TLS13)};
	struct load load = {.connect = connect_to,
	    .change = pin_another,
	    .leave = wc_ecc_fp_free, /* what wolfSSL keeps for a thread */
	    .arg = &w};

	(void)state;
	w.client = pinned_ctx(w.policy, TLS13);
	reload_under_load(&load);
	drop_ctx(w.client);
	drop_ctx(w.good);
	drop_ctx(w.bad);
	pinfast_free(w.policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_fails_nobody_gets_through),
	    cmocka_unit_test(
	        whatever_fails_only_the_anchors_of_the_entry_count),
	    cmocka_unit_test(anchors_that_could_not_be_read_are_read_later),
	    cmocka_unit_test(whatever_fails_no_unjudged_session_is_resumed),
	    cmocka_unit_test(a_server_without_memory_lets_nobody_in),
	    cmocka_unit_test(an_init_that_failed_may_be_repeated),
	    cmocka_unit_test(threads_share_a_context_while_the_policy_changes),
	    cmocka_unit_test(every_way_to_fail_was_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_wolf, free_wolf);
}
