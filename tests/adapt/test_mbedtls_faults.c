/* The mbedTLS adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
/* Everybody's; but big numbers ask all the time, in mbedTLS's own code and
 * nowhere else. */
#define FAIL_MALLOC(caller, size) ((size) != sizeof(mbedtls_mpi_uint))
#include <mbedtls/bignum.h>

#include "failing.h"
#include "load.h"
#include "mbed_pair.h"

/* ----------------------------------------------------- failing allocations */

/* Without memory mbedTLS itself forgets what it has. */
const char *__lsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
	return "leak:libmbedcrypto\n";
}

struct world {
	struct pinfast *policy;
	struct shared *client, *server;
	struct pinfast_mbedtls_session *kept;
	int allow;
};

/* What a client does, from attaching to keeping its session; the server's
 * memory does not fail. */
static void
client_does(struct duo *d, const struct world *w)
{
	struct pinfast_mbedtls_session session;
	uint8_t bytes[4096];
	long kept;

	if (pinfast_mbedtls_new(w->policy, &d->c.ssl, NULL, &failing,
	        &d->c.pin) != PINFAST_OK)
		return;
	(void)!pinfast_mbedtls_attach(d->c.pin, "pin.test", 443, NULL);
	if (w->kept != NULL)
		(void)!pinfast_mbedtls_session_use(d->c.pin, w->kept);
	for (int i = 0; i < 20 && !push_end(&d->c, 0); i++) {
		kept = fail_pause();
		(void)push_end(&d->s, 0);
		fail_resume(kept);
	}
	kept = fail_pause();
	(void)push_end(&d->s, 0);
	fail_resume(kept);
	pinfast_mbedtls_session_init(&session);
	(void)!pinfast_mbedtls_session_get(d->c.pin, &session);
	(void)!pinfast_mbedtls_session_write(d->c.pin, bytes, sizeof bytes);
	pinfast_mbedtls_session_free(&session);
}

static int
try(void *arg, long n, int on)
{
	const struct world *w = arg;
	struct duo *d = duo_of(w->client, w->server);
	struct pinfast_verdict verdict;
	int failed;

	fail_at(n, on);
	client_does(d, w);
	verdict = pinfast_mbedtls_result(d->c.pin);
	failed = fail_over();
	if (d->c.pin == NULL) {
		/* Nothing was promised. */
		assert_true(failed);
		close_duo(d);
		return failed;
	}
	talk(d);
	if (!failed) {
		assert_int_equal(verdict.decision == PINFAST_ALLOW, w->allow);
		assert_int_equal(d->app, w->allow ? 16 : 0);
	}
	assert_true(w->allow || verdict.decision != PINFAST_ALLOW);
	/* Without memory mbedTLS may also send what the server refuses. */
	if (verdict.decision == PINFAST_ALLOW)
		assert_true(d->app == 16 || d->s.error != 0);
	else
		assert_int_equal(d->app, 0);
	close_duo(d);
	return failed;
}

static void
no_failing_allocation_lets_a_byte_out(void **state)
{
	static const struct {
		const char *name;
		const struct id *shown, *sent, *more;
		enum pinfast_role role;
		const struct id *pinned;
		int allow;
	} rows[] = {
	    {"the leaf", &leaf, &intA, NULL, PINFAST_ROLE_LEAF, &leaf, 1},
	    {"the impostor", &evil, &intA, NULL, PINFAST_ROLE_CA, &intA, 0},
	    {"a further path", &leafX, &intXA, &intXB, PINFAST_ROLE_CA, &rootB,
	        1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w = {.policy = policy_from(&failing, rows[i].role,
		                      rows[i].pinned),
		    .client = client_side(),
		    .server = server_side(rows[i].shown, rows[i].sent),
		    .allow = rows[i].allow};

		if (rows[i].more != NULL)
			parse(&w.server->own, rows[i].more);
		with_tickets(w.server);
		/* It goes deep into the handshake. */
		try_each(try, &w, 4, 21);
		drop_shared(w.client);
		drop_shared(w.server);
		pinfast_free(w.policy);
	}
}

static void
no_failing_allocation_resumes_what_was_not_judged(void **state)
{
	struct world w = {
	    .policy = policy_from(&failing, PINFAST_ROLE_LEAF, &leaf),
	    .client = client_side(),
	    .server = server_side(&leaf, &intA),
	    .allow = 1};
	struct pinfast_mbedtls_session session;
	struct duo *d;

	(void)state;
	with_tickets(w.server);
	pinfast_mbedtls_session_init(&session);
	d = pinned_duo(w.policy, w.client, w.server, "pin.test");
	pump(d, 0);
	assert_int_equal(pinfast_mbedtls_session_get(d->c.pin, &session), 0);
	close_duo(d);
	w.kept = &session;
	try_each(try, &w, 4, 21);
	/* Now the key is withdrawn, and the session may not be used. */
	change_policy(w.policy, 2, PINFAST_ROLE_LEAF, &evil);
	w.allow = 0;
	try_each(try, &w, 4, 21);
	pinfast_mbedtls_session_free(&session);
	drop_shared(w.client);
	drop_shared(w.server);
	pinfast_free(w.policy);
}

/* The server's turns, until it is through. */
static void
server_does(struct duo *d, struct pinfast *policy)
{
	if (pinfast_mbedtls_new(policy, &d->s.ssl, NULL, &failing, &d->s.pin) !=
	    PINFAST_OK)
		return;
	(void)!pinfast_mbedtls_attach_server(d->s.pin, "partner", NULL);
	for (int i = 0; i < 20 && !push_end(&d->s, 0); i++) {
		long kept = fail_pause();

		(void)push_end(&d->c, 0);
		fail_resume(kept);
	}
}

static int
try_server(void *arg, long n, int on)
{
	const struct world *w = arg;
	struct duo *d = duo_of(w->client, w->server);
	int failed;

	fail_at(n, on);
	server_does(d, w->policy);
	failed = fail_over();
	if (d->s.pin != NULL) {
		talk(d);
		assert_int_not_equal(pinfast_mbedtls_result(d->s.pin).decision,
		    PINFAST_ALLOW);
	}
	assert_int_equal(d->app, 0);
	close_duo(d);
	return failed;
}

static void
a_server_without_memory_lets_nobody_in(void **state)
{
	struct world w = {
	    .policy = policy_from(&failing, PINFAST_ROLE_COUNT, &stranger),
	    .client = client_side(),
	    .server = server_side(&leaf, &intA)};

	(void)state;
	show(w.client, &client, &intA);
	parse(&w.server->trust, &rootA);
	mbedtls_ssl_conf_ca_chain(&w.server->conf, &w.server->trust, NULL);
	with_tickets(w.server);
	try_each(try_server, &w, 0, 21);
	drop_shared(w.client);
	drop_shared(w.server);
	pinfast_free(w.policy);
}

/* ------------------------------------------------------------------ threads */

struct work {
	struct pinfast *policy;
	struct shared *client, *good, *bad;
};

static enum outcome
connect_to(void *arg, int bad)
{
	const struct work *w = arg;
	struct duo *d = duo_of(w->client, bad ? w->bad : w->good);
	int attached, allowed;
	size_t app;

	attached = pinfast_mbedtls_new(w->policy, &d->c.ssl, NULL, NULL,
	               &d->c.pin) == PINFAST_OK &&
	           pinfast_mbedtls_attach(d->c.pin, "pin.test", 443, NULL) ==
	               PINFAST_OK;
	pump(d, 0);
	allowed = pinfast_mbedtls_result(d->c.pin).decision == PINFAST_ALLOW;
	talk(d);
	app = d->app;
	close_duo(d);
	if (!attached || allowed == bad || app != (bad ? 0U : 16U))
		return LOAD_WRONG;
	return bad ? LOAD_DENIED : LOAD_ALLOWED;
}

/* Now the leaf is pinned, now its CA: the impostor is never. */
static void
pin_another(void *arg, int64_t serial)
{
	const struct work *w = arg;

	if (serial & 1)
		change_policy(w->policy, serial, PINFAST_ROLE_LEAF, &leaf);
	else
		change_policy(w->policy, serial, PINFAST_ROLE_CA, &intA);
}

static void
threads_share_a_configuration_while_the_policy_changes(void **state)
{
	struct work w = {.policy = policy_of(PINFAST_ROLE_LEAF, &leaf),
	    .client = client_side(),
	    .good = server_side(&leaf, &intA),
	    .bad = server_side(&evil, NULL)};
	struct load load = {
	    .connect = connect_to, .change = pin_another, .arg = &w};

	(void)state;
	reload_under_load(&load);
	drop_shared(w.client);
	drop_shared(w.good);
	drop_shared(w.bad);
	pinfast_free(w.policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_failing_allocation_lets_a_byte_out),
	    cmocka_unit_test(no_failing_allocation_resumes_what_was_not_judged),
	    cmocka_unit_test(a_server_without_memory_lets_nobody_in),
	    cmocka_unit_test(
	        threads_share_a_configuration_while_the_policy_changes),
	    cmocka_unit_test(every_way_to_fail_was_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
