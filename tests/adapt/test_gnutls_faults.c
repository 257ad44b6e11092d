/* The GnuTLS adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
#include "gtls_pair.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#ifndef RELOADS
#define RELOADS 1000
#endif

/* ---------------------------------------------------- failing allocations */

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

/* A sanitizer has its own malloc(); it sees the policy's allocations fail. */
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
	       strstr(info.dli_fname, "libpinfast-gnutls") != NULL;
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

/*
 * GnuTLS 3.7 itself does not survive every allocation that fails
 * (gnutls_x509_rdn_get2()), so what the adapter calls fails as a whole.
 */
#define FAILS(name, params, args)                                              \
	__attribute__((visibility("default"))) int name params                 \
	{                                                                      \
		static int(*real) params;                                      \
		void *found;                                                   \
                                                                               \
		if (fails())                                                   \
			return GNUTLS_E_MEMORY_ERROR;                          \
		found = dlsym(RTLD_NEXT, #name);                               \
		memcpy(&real, &found, sizeof real);                            \
		return real args;                                              \
	}

/* clang-format off */
FAILS(gnutls_session_ext_register, (gnutls_session_t session, const char *name,
    int id, gnutls_ext_parse_type_t type, gnutls_ext_recv_func take,
    gnutls_ext_send_func give, gnutls_ext_deinit_data_func drop_it,
    gnutls_ext_pack_func pack, gnutls_ext_unpack_func unpack, unsigned flags),
    (session, name, id, type, take, give, drop_it, pack, unpack, flags))
FAILS(gnutls_server_name_set, (gnutls_session_t session,
    gnutls_server_name_type_t type, const void *name, size_t len),
    (session, type, name, len))
FAILS(gnutls_session_set_data, (gnutls_session_t session, const void *data,
    size_t len), (session, data, len))
FAILS(gnutls_x509_crt_init, (gnutls_x509_crt_t *out), (out))
FAILS(gnutls_x509_crt_import, (gnutls_x509_crt_t cert,
    const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format),
    (cert, data, format))
FAILS(gnutls_x509_crt_export2, (gnutls_x509_crt_t cert,
    gnutls_x509_crt_fmt_t format, gnutls_datum_t *out), (cert, format, out))
FAILS(gnutls_x509_trust_list_init, (gnutls_x509_trust_list_t *out,
    unsigned size), (out, size))
FAILS(gnutls_x509_trust_list_add_cas, (gnutls_x509_trust_list_t list,
    const gnutls_x509_crt_t *certs, unsigned count, unsigned flags),
    (list, certs, count, flags))
FAILS(gnutls_x509_trust_list_iter_get_ca, (gnutls_x509_trust_list_t list,
    gnutls_x509_trust_list_iter_t *iter, gnutls_x509_crt_t *out),
    (list, iter, out))
FAILS(gnutls_certificate_verify_peers, (gnutls_session_t session,
    gnutls_typed_vdata_st *data, unsigned count, unsigned *status),
    (session, data, count, status))
FAILS(gnutls_pubkey_init, (gnutls_pubkey_t *out), (out))
FAILS(gnutls_pubkey_import_x509, (gnutls_pubkey_t key, gnutls_x509_crt_t cert,
    unsigned flags), (key, cert, flags))
FAILS(gnutls_pubkey_export_ecc_raw2, (gnutls_pubkey_t key,
    gnutls_ecc_curve_t *curve, gnutls_datum_t *x, gnutls_datum_t *y,
    unsigned flags), (key, curve, x, y, flags))
/* clang-format on */

/* What one connection of the table below is about. */
struct plot {
	struct stage st;
	struct session *session; /* NULL: a full handshake */
	int allow;
	shake_fn shake;
};

static long budget; /* of the client, while the server has its turn */

static int
server_turn(gnutls_session_t server)
{
	int error;

	budget = left;
	left = -1;
	error = gnutls_handshake(server);
	left = budget;
	return error;
}

/* One connection with allocation n failing.  0: not that many were made, and
 * all went as it should. */
static int
try(struct plot *plot, long n, int on)
{
	struct two t = bare_two(&plot->st, 0);
	struct pinfast_verdict verdict;
	enum pinfast_error error;
	int reached;

	from_then_on = on;
	left = n;
	error =
	    pinfast_gnutls_attach(t.c, plot->st.policy, "pin.test", 1, NULL);
	if (plot->session != NULL)
		(void)!pinfast_gnutls_session_read(t.c, plot->session->bytes,
		    plot->session->len);
	shake_with(&t, plot->shake, server_turn);
	verdict = pinfast_gnutls_result(t.c);
	reached = left <= 0;
	left = -1;
	if (error == PINFAST_OK || t.shaken == 0)
		chat_two(&t);
	if (!reached)
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    plot->allow);
	if (!plot->allow)
		assert_true(verdict.decision != PINFAST_ALLOW);
	/* Where not even a note could be made nobody is in the way of who does
	 * not ask (pinfast_gnutls_attach()). */
	if (verdict.decision != PINFAST_ALLOW &&
	    (error == PINFAST_OK || plot->shake == pinned))
		assert_int_equal(t.app + t.got, 0);
	part_two(&t);
	return reached;
}

static void
try_all(struct plot *plot, const char *name)
{
	for (int on = 0; on < 2; on++) {
		long n = 0;

		while (try(plot, n, on))
			if (++n == 20000)
				fail_msg("%s: there is no end of it", name);
		/* So many may fail at the least. */
		assert_true(n > 5);
	}
}

static void
whatever_allocation_fails_nobody_gets_through(void **state)
{
	static const struct {
		const char *name;
		const struct id *shown, *sent;
		enum pinfast_role role;
		const struct id *pinned_key;
		int tls, resumed, allow;
		shake_fn shake;
	} rows[] = {
	    {"the pinned leaf", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, TLS13,
	        0, 1, pinned},
	    {"another leaf", &evil, NULL, PINFAST_ROLE_LEAF, &leaf, TLS13, 0, 0,
	        pinned},
	    {"another leaf, careless", &evil, NULL, PINFAST_ROLE_LEAF, &leaf,
	        TLS13, 0, 0, gnutls_handshake},
	    {"the pinned root", &leaf, &intA, PINFAST_ROLE_ANY, &rootA, TLS12,
	        0, 1, pinned},
	    {"another root", &evil, &intA, PINFAST_ROLE_ANY, &rootA, TLS12, 0,
	        0, pinned},
	    {"another root, careless", &evil, &intA, PINFAST_ROLE_ANY, &rootA,
	        TLS12, 0, 0, gnutls_handshake},
	    {"a leaf of the CA with another name", &other, &intA,
	        PINFAST_ROLE_ANY, &rootA, TLS13, 0, 0, pinned},
	    {"resumed", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, TLS13, 1, 1,
	        pinned},
	    {"resumed, 1.2", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, TLS12, 1,
	        1, pinned},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast *policy;
		struct pinfast_builder *b = begin_policy(1);
		struct plot plot = {
		    .allow = rows[i].allow, .shake = rows[i].shake};

		assert_int_equal(pinfast_new(&failing, &policy), 0);
		add_entry(b, "pin.test", rows[i].role, rows[i].pinned_key);
		serve_policy(policy, b);
		plot.st =
		    stage_of(policy, rows[i].shown, rows[i].sent, rows[i].tls);
		if (rows[i].resumed)
			plot.session = first_session(&plot.st, 0);
		try_all(&plot, rows[i].name);
		if (plot.session != NULL)
			drop(plot.session);
		end_stage(&plot.st);
	}
}

/* ------------------------------------------------------------------ threads */

static atomic_int stop;
static atomic_uint allowed, denied;

/* Both policies pin one of the two; the server shows the first. */
static void *
connect_all_the_time(void *arg)
{
	struct stage *st = arg;

	while (!stop) {
		struct two t = attached_two(st);
		struct pinfast_verdict verdict;

		shake_two(&t);
		chat_two(&t);
		verdict = pinfast_gnutls_result(t.c);
		if (verdict.decision == PINFAST_ALLOW)
			allowed++;
		else
			denied++;
		/* A policy that came between two questions may differ. */
		if (t.app > 0)
			assert_int_equal(t.shaken, 0);
		part_two(&t);
	}
	return NULL;
}

static void
threads_share_credentials_while_policies_come_and_go(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	pthread_t threads[2];

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		                     connect_all_the_time, &st),
		    0);
	for (int serial = 2; serial < RELOADS + 2; serial++) {
		struct timespec pause = {0, 1000000};
		struct pinfast_builder *b = begin_policy(serial);
		struct pinfast_bytes image;
		struct pinfast_store *store;
		uint8_t *copy;

		add_entry(b, "pin.test", PINFAST_ROLE_LEAF,
		    serial % 2 ? &leaf : &other);
		assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
		copy = malloc(image.len);
		assert_non_null(copy);
		memcpy(copy, image.data, image.len);
		kept_images[kept_count++ % 4096] = copy;
		image.data = copy;
		assert_int_equal(pinfast_store_open_memory(image, NULL, NULL,
		                     &store),
		    0);
		while (pinfast_load(st.policy, store, NULL) == PINFAST_EBUSY)
			nanosleep(&pause, NULL);
		nanosleep(&pause, NULL);
		pinfast_builder_free(b);
	}
	stop = 1;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(allowed > 0);
	assert_true(denied > 0);
	end_stage(&st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_allocation_fails_nobody_gets_through),
	    cmocka_unit_test(
	        threads_share_credentials_while_policies_come_and_go),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
