/* The wolfSSL adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
#include "wolf_pair.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <wolfssl/wolfcrypt/ecc.h>

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

static void *
policy_alloc(void *arg, size_t size)
{
	(void)arg;
	return fails() ? NULL : malloc(size);
}

static void
policy_free(void *arg, void *ptr)
{
	(void)arg;
	free(ptr);
}

static const struct pinfast_alloc failing = {policy_alloc, policy_free, NULL};

/* A sanitizer has its own malloc(); it sees the policy's allocations fail, and
 * the calls below. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

static int
is_ours(const void *caller)
{
	Dl_info info;

	return left >= 0 && dladdr(caller, &info) != 0 &&
	       info.dli_fname != NULL &&
	       strstr(info.dli_fname, "libpinfast-wolfssl") != NULL;
}

__attribute__((visibility("default"))) void *
malloc(size_t size)
{
	if (is_ours(__builtin_return_address(0)) && fails())
		return NULL;
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *
calloc(size_t count, size_t size)
{
	if (is_ours(__builtin_return_address(0)) && fails())
		return NULL;
	return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *
realloc(void *ptr, size_t size)
{
	if (is_ours(__builtin_return_address(0)) && fails())
		return NULL;
	return __libc_realloc(ptr, size);
}
#endif

/* What the adapter calls fails as a whole: wolfSSL's own allocations are
 * wolfSSL's. */
#define FAILS(type, failed, name, params, args)                                \
	__attribute__((visibility("default"))) type name params                \
	{                                                                      \
		static type(*real) params;                                     \
		void *found;                                                   \
                                                                               \
		if (fails())                                                   \
			return failed;                                         \
		found = dlsym(RTLD_NEXT, #name);                               \
		memcpy(&real, &found, sizeof real);                            \
		return real args;                                              \
	}

/* clang-format off */
FAILS(WOLFSSL_CERT_MANAGER *, NULL, wolfSSL_CertManagerNew, (void), ())
FAILS(WOLFSSL_STACK *, NULL, wolfSSL_CertManagerGetCerts,
    (WOLFSSL_CERT_MANAGER *manager), (manager))
FAILS(WOLFSSL_X509_STORE *, NULL, wolfSSL_X509_STORE_new, (void), ())
FAILS(int, 0, wolfSSL_X509_STORE_add_cert, (WOLFSSL_X509_STORE *store,
    WOLFSSL_X509 *cert), (store, cert))
FAILS(WOLFSSL_X509 *, NULL, wolfSSL_X509_load_certificate_buffer,
    (const unsigned char *der, int len, int format), (der, len, format))
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
};

/* One end with failing memory, the other without. */
static void
pump_failing(struct end *mine, struct end *theirs, int server)
{
	for (int i = 0; i < 30; i++) {
		int done = push_end(mine, server);
		long kept = left;

		left = -1;
		done &= push_end(theirs, !server);
		left = kept;
		if (done)
			break;
	}
}

/* One connection with allocation n failing.  0: not that many were made, and
 * all went as it should. */
static int
try(const struct plot *plot, long n, int on)
{
	struct duo *d = duo_of(plot->client, plot->server);
	struct pinfast_verdict verdict = {0, PINFAST_REASON_NOT_JUDGED};
	uint8_t bytes[4096];
	int reached;

	from_then_on = on;
	left = n;
	(void)!pinfast_wolfssl_attach(d->c.ssl, "pin.test", 443, NULL);
	if (plot->session != NULL)
		(void)!pinfast_wolfssl_session_read(d->c.ssl, plot->session,
		    plot->session_len);
	pump_failing(&d->c, &d->s, 0);
	if (!plot->careless)
		verdict = pinfast_wolfssl_result(d->c.ssl);
	(void)!pinfast_wolfssl_session_write(d->c.ssl, NULL, bytes,
	    sizeof bytes);
	reached = left <= 0;
	if (!plot->careless) {
		left = -1;
		talk(d);
	} else {
		talk(d);
		reached = left <= 0;
		left = -1;
		verdict = pinfast_wolfssl_result(d->c.ssl);
	}
	if (!reached) {
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    plot->allow);
		assert_int_equal(d->app, plot->allow ? 16 : 0);
	}
	assert_true(plot->allow || d->app + d->got == 0);
	assert_true(plot->allow || verdict.decision != PINFAST_ALLOW);
	if (verdict.decision != PINFAST_ALLOW)
		assert_int_equal(d->app + d->got, 0);
	close_duo(d);
	return reached;
}

static void
try_all(const struct plot *plot, const char *name)
{
	for (int on = 0; on < 2; on++) {
		long n = 0;

		while (try(plot, n, on))
			if (++n == 2000)
				fail_msg("%s: there is no end of it", name);
		/* A sanitizer lets few fail. */
		assert_true(n > 0);
	}
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
			try_all(&plot, rows[i].name);
			drop_ctx(plot.client);
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
		try_all(&plot, "resumed");
		/* Now the key is withdrawn. */
		world_change(plot.policy, 2, PINFAST_ROLE_LEAF, EVIL);
		plot.allow = 0;
		try_all(&plot, "withdrawn");
		drop_ctx(plot.client);
		drop_ctx(plot.server);
		pinfast_free(plot.policy);
	}
}

/* A server that is attached; 0: no more failed, and the client came in. */
static int
try_server(WOLFSSL_CTX *client, WOLFSSL_CTX *server, long n, int allow)
{
	struct duo *d = duo_of(client, server);
	struct pinfast_verdict verdict;
	int reached;

	from_then_on = 0;
	left = n;
	(void)!pinfast_wolfssl_attach_server(d->s.ssl, "partner", NULL);
	pump_failing(&d->s, &d->c, 1);
	verdict = pinfast_wolfssl_result(d->s.ssl);
	reached = left <= 0;
	left = -1;
	talk(d);
	if (!reached)
		assert_int_equal(verdict.decision == PINFAST_ALLOW, allow);
	assert_true(allow || verdict.decision != PINFAST_ALLOW);
	if (verdict.decision != PINFAST_ALLOW)
		assert_int_equal(d->app, 0);
	close_duo(d);
	return reached;
}

static void
a_server_without_memory_lets_nobody_in(void **state)
{
	const enum who sent[] = {INT_A, NOBODY};

	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++)
		for (int allow = 0; allow < 2; allow++) {
			struct pinfast *policy =
			    world_policy(&failing, PINFAST_ROLE_COUNT, CLIENT);
			WOLFSSL_CTX *client = client_ctx(tls);
			WOLFSSL_CTX *server =
			    server_ctx(LEAF, INT_A, NOBODY, tls);
			long n = 0;

			show(client, allow ? CLIENT : STRANGER, sent);
			trust(server, ROOT_A);
			assert_int_equal(pinfast_wolfssl_init(server, policy,
			                     NULL, NULL),
			    0);
			while (try_server(client, server, n, allow))
				n++;
			assert_true(n > 0);
			drop_ctx(client);
			drop_ctx(server);
			pinfast_free(policy);
		}
}

static void
an_init_that_failed_may_be_repeated(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, LEAF);
	int error = PINFAST_ENOMEM;
	long n = 0;

	(void)state;
	for (; error != PINFAST_OK; n++) {
		WOLFSSL_CTX *ctx = client_ctx(TLS13);

		from_then_on = 0;
		left = n;
		error = pinfast_wolfssl_init(ctx, policy, NULL, NULL);
		left = -1;
		if (error != PINFAST_OK)
			assert_int_equal(error, PINFAST_ENOMEM);
		drop_ctx(ctx);
	}
	pinfast_free(policy);
}

/* ------------------------------------------------------------------ threads */

struct work {
	struct pinfast *policy;
	WOLFSSL_CTX *client, *good, *bad;
	atomic_int stop, allowed, denied, wrong;
};

static void *
connect_often(void *arg)
{
	struct work *w = arg;

	for (int i = 0; !atomic_load(&w->stop); i ^= 1) {
		struct duo *d = duo_of(w->client, i ? w->bad : w->good);
		struct pinfast_verdict verdict;

		if (pinfast_wolfssl_attach(d->c.ssl, "pin.test", 443, NULL) !=
		    PINFAST_OK)
			atomic_fetch_add(&w->wrong, 1);
		pump(d);
		verdict = pinfast_wolfssl_result(d->c.ssl);
		talk(d);
		if ((verdict.decision == PINFAST_ALLOW) == i ||
		    d->app != (i ? 0U : 16U))
			atomic_fetch_add(&w->wrong, 1);
		atomic_fetch_add(i ? &w->denied : &w->allowed, 1);
		close_duo(d);
	}
	/* What wolfSSL keeps for a thread. */
	wc_ecc_fp_free();
	return NULL;
}

static void
threads_share_a_context_while_the_policy_changes(void **state)
{
	struct work w = {.policy = world_policy(NULL, PINFAST_ROLE_LEAF, LEAF),
	    .good = server_ctx(LEAF, INT_A, NOBODY, TLS13),
	    .bad = server_ctx(EVIL, NOBODY, NOBODY, TLS13)};
	pthread_t threads[2];

	(void)state;
	w.client = pinned_ctx(w.policy, TLS13);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		                     connect_often, &w),
		    0);
	/* Now the leaf is pinned, now its CA: the impostor is never. */
	for (int64_t serial = 2; serial < RELOADS + 2; serial++) {
		struct timespec pause = {0, 2000000};

		world_change(w.policy, serial,
		    serial & 1 ? PINFAST_ROLE_LEAF : PINFAST_ROLE_CA,
		    serial & 1 ? LEAF : INT_A);
		nanosleep(&pause, NULL);
	}
	while (atomic_load(&w.allowed) < 4 || atomic_load(&w.denied) < 4)
		;
	atomic_store(&w.stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(w.wrong, 0);
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
	    cmocka_unit_test(whatever_fails_no_unjudged_session_is_resumed),
	    cmocka_unit_test(a_server_without_memory_lets_nobody_in),
	    cmocka_unit_test(an_init_that_failed_may_be_repeated),
	    cmocka_unit_test(threads_share_a_context_while_the_policy_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_wolf, free_wolf);
}
