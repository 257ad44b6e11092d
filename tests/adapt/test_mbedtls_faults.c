/* The mbedTLS adapter when memory runs out, and under many threads. */
#define _POSIX_C_SOURCE 200809L
#include "mbed_pair.h"

#include <pthread.h>
#include <stdatomic.h>

#ifndef RELOADS
#define RELOADS 300
#endif

/* ----------------------------------------------------- failing allocations */

static _Thread_local long left = -1; /* until one fails; -1: never */
static _Thread_local int from_then_on;

static int
fails(void)
{
	if (left < 0)
		return 0;
	if (left > 0) {
		left--;
		return 0;
	}
	if (!from_then_on)
		left = -1;
	return 1;
}

/* The C library's, for mbedTLS and everybody else, where no sanitizer has put
 * itself there. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ALL_MEMORY 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);

__attribute__((visibility("default"))) void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

/* Big numbers ask all the time, in mbedTLS's own code and nowhere else. */
__attribute__((visibility("default"))) void *
calloc(size_t count, size_t size)
{
	if (size != sizeof(mbedtls_mpi_uint) && fails())
		return NULL;
	return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *
realloc(void *ptr, size_t size)
{
	return fails() ? NULL : __libc_realloc(ptr, size);
}
#else
#define ALL_MEMORY 0
#endif

static void *
may_fail(void *arg, size_t size)
{
	(void)arg;
	/* Where malloc() does not fail by itself. */
	return !ALL_MEMORY && fails() ? NULL : malloc(size);
}

static void
give_back(void *arg, void *ptr)
{
	(void)arg;
	free(ptr);
}

static const struct pinfast_alloc failing = {may_fail, give_back, NULL};

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
		kept = left;
		left = -1;
		(void)push_end(&d->s, 0);
		left = kept;
	}
	kept = left;
	left = -1;
	(void)push_end(&d->s, 0);
	left = kept;
	pinfast_mbedtls_session_init(&session);
	(void)!pinfast_mbedtls_session_get(d->c.pin, &session);
	(void)!pinfast_mbedtls_session_write(d->c.pin, bytes, sizeof bytes);
	pinfast_mbedtls_session_free(&session);
}

/* 0: not that many were made, and all went well. */
static int
try(const struct world *w, long n, int on)
{
	struct duo *d = duo_of(w->client, w->server);
	struct pinfast_verdict verdict;
	int reached;

	from_then_on = on;
	left = n;
	client_does(d, w);
	verdict = pinfast_mbedtls_result(d->c.pin);
	reached = left <= 0;
	left = -1;
	if (d->c.pin == NULL) {
		/* Nothing was promised. */
		assert_true(reached);
		close_duo(d);
		return reached;
	}
	talk(d);
	if (!reached) {
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
	return reached;
}

static long
try_all(const struct world *w)
{
	long n = 0;

	while (try(w, n, 0)) {
		if (n % 4 == 0)
			(void)try(w, n, 1);
		n++;
	}
	return n;
}

static struct pinfast *
failing_policy(enum pinfast_role role, const struct id *id)
{
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;

	assert_int_equal(pinfast_new(&failing, &policy), 0);
	add_entry(b, "pin.test", role, id);
	serve_policy(policy, b);
	return policy;
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
		struct world w = {
		    .policy = failing_policy(rows[i].role, rows[i].pinned),
		    .client = client_side(),
		    .server = server_side(rows[i].shown, rows[i].sent),
		    .allow = rows[i].allow};
		long count;

		if (rows[i].more != NULL)
			parse(&w.server->own, rows[i].more);
		with_tickets(w.server);
		count = try_all(&w);
		/* It went deep into the handshake. */
		assert_true(count > (ALL_MEMORY ? 20 : 2));
		drop_shared(w.client);
		drop_shared(w.server);
		pinfast_free(w.policy);
	}
}

static void
no_failing_allocation_resumes_what_was_not_judged(void **state)
{
	struct world w = {.policy = failing_policy(PINFAST_ROLE_LEAF, &leaf),
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
	(void)try_all(&w);
	/* Now the key is withdrawn, and the session may not be used. */
	change_policy(w.policy, 2, PINFAST_ROLE_LEAF, &evil);
	w.allow = 0;
	(void)try_all(&w);
	pinfast_mbedtls_session_free(&session);
	drop_shared(w.client);
	drop_shared(w.server);
	pinfast_free(w.policy);
}

static void
a_server_without_memory_lets_nobody_in(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct shared *c = client_side(), *s = server_side(&leaf, &intA);
	struct pinfast *policy;
	int reached = 1;

	(void)state;
	assert_int_equal(pinfast_new(&failing, &policy), 0);
	add_entry(b, "partner", PINFAST_ROLE_COUNT, &stranger);
	serve_policy(policy, b);
	show(c, &client, &intA);
	parse(&s->trust, &rootA);
	mbedtls_ssl_conf_ca_chain(&s->conf, &s->trust, NULL);
	with_tickets(s);
	for (long n = 0; reached; n++) {
		struct duo *d = duo_of(c, s);

		left = n;
		from_then_on = 0;
		if (pinfast_mbedtls_new(policy, &d->s.ssl, NULL, &failing,
		        &d->s.pin) == PINFAST_OK) {
			(void)!pinfast_mbedtls_attach_server(d->s.pin,
			    "partner", NULL);
			for (int i = 0; i < 20 && !push_end(&d->s, 0); i++) {
				long kept = left;

				left = -1;
				(void)push_end(&d->c, 0);
				left = kept;
			}
			reached = left <= 0;
			left = -1;
			talk(d);
			assert_int_not_equal(pinfast_mbedtls_result(d->s.pin)
			                         .decision,
			    PINFAST_ALLOW);
		}
		left = -1;
		assert_int_equal(d->app, 0);
		close_duo(d);
	}
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

/* ------------------------------------------------------------------ threads */

struct work {
	struct pinfast *policy;
	struct shared *client, *good, *bad;
	atomic_int stop, allowed, denied, wrong;
};

static void *
connect_often(void *arg)
{
	struct work *w = arg;

	for (int i = 0; !atomic_load(&w->stop); i ^= 1) {
		struct duo *d = duo_of(w->client, i ? w->bad : w->good);
		struct pinfast_verdict verdict;

		if (pinfast_mbedtls_new(w->policy, &d->c.ssl, NULL, NULL,
		        &d->c.pin) != PINFAST_OK ||
		    pinfast_mbedtls_attach(d->c.pin, "pin.test", 443, NULL) !=
		        PINFAST_OK)
			atomic_fetch_add(&w->wrong, 1);
		pump(d, 0);
		verdict = pinfast_mbedtls_result(d->c.pin);
		talk(d);
		if ((verdict.decision == PINFAST_ALLOW) == i ||
		    d->app != (i ? 0U : 16U))
			atomic_fetch_add(&w->wrong, 1);
		atomic_fetch_add(i ? &w->denied : &w->allowed, 1);
		close_duo(d);
	}
	return NULL;
}

static void
threads_share_a_configuration_while_the_policy_changes(void **state)
{
	struct work w = {.policy = policy_of(PINFAST_ROLE_LEAF, &leaf),
	    .client = client_side(),
	    .good = server_side(&leaf, &intA),
	    .bad = server_side(&evil, NULL)};
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		                     connect_often, &w),
		    0);
	/* Now the leaf is pinned, now its CA: the impostor is never. */
	for (int64_t serial = 2; serial < RELOADS + 2; serial++) {
		struct timespec pause = {0, 2000000};
		struct pinfast_builder *b = begin_policy(serial);
		struct pinfast_bytes image;
		struct pinfast_store *store;
		uint8_t *copy;

		add_entry(b, "pin.test",
		    serial & 1 ? PINFAST_ROLE_LEAF : PINFAST_ROLE_CA,
		    serial & 1 ? &leaf : &intA);
		assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
		copy = malloc(image.len);
		assert_non_null(copy);
		memcpy(copy, image.data, image.len);
		kept_images[kept_count++ % 4096] = copy;
		image.data = copy;
		assert_int_equal(pinfast_store_open_memory(image, NULL, NULL,
		                     &store),
		    0);
		while (pinfast_load(w.policy, store, NULL) == PINFAST_EBUSY)
			;
		pinfast_builder_free(b);
		nanosleep(&pause, NULL);
	}
	while (atomic_load(&w.allowed) < 4 || atomic_load(&w.denied) < 4)
		;
	atomic_store(&w.stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(w.wrong, 0);
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
