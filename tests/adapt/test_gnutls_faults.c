/* The GnuTLS adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
#define FAIL_MALLOC(caller, size) fail_in(caller, "libpinfast-gnutls")
#include "failing.h"
#include "gtls_pair.h"
#include "load.h"

/* ---------------------------------------------------- failing allocations */

/*
 * GnuTLS 3.7 itself does not survive every allocation that fails
 * (gnutls_x509_rdn_get2()), so what the adapter calls fails as a whole.
 */
#define GNUTLS_FAILS(name, params, args)                                       \
	FAILS(int, GNUTLS_E_MEMORY_ERROR, name, params, args)

/* clang-format off */
GNUTLS_FAILS(gnutls_session_ext_register, (gnutls_session_t session, const char *name,
    int id, gnutls_ext_parse_type_t type, gnutls_ext_recv_func take,
    gnutls_ext_send_func give, gnutls_ext_deinit_data_func drop_it,
    gnutls_ext_pack_func pack, gnutls_ext_unpack_func unpack, unsigned flags),
    (session, name, id, type, take, give, drop_it, pack, unpack, flags))
GNUTLS_FAILS(gnutls_server_name_set, (gnutls_session_t session,
    gnutls_server_name_type_t type, const void *name, size_t len),
    (session, type, name, len))
GNUTLS_FAILS(gnutls_session_set_data, (gnutls_session_t session, const void *data,
    size_t len), (session, data, len))
GNUTLS_FAILS(gnutls_x509_crt_init, (gnutls_x509_crt_t *out), (out))
GNUTLS_FAILS(gnutls_x509_crt_import, (gnutls_x509_crt_t cert,
    const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format),
    (cert, data, format))
GNUTLS_FAILS(gnutls_x509_crt_export2, (gnutls_x509_crt_t cert,
    gnutls_x509_crt_fmt_t format, gnutls_datum_t *out), (cert, format, out))
GNUTLS_FAILS(gnutls_x509_trust_list_init, (gnutls_x509_trust_list_t *out,
    unsigned size), (out, size))
GNUTLS_FAILS(gnutls_x509_trust_list_add_cas, (gnutls_x509_trust_list_t list,
    const gnutls_x509_crt_t *certs, unsigned count, unsigned flags),
    (list, certs, count, flags))
GNUTLS_FAILS(gnutls_x509_trust_list_iter_get_ca, (gnutls_x509_trust_list_t list,
    gnutls_x509_trust_list_iter_t *iter, gnutls_x509_crt_t *out),
    (list, iter, out))
GNUTLS_FAILS(gnutls_certificate_verify_peers, (gnutls_session_t session,
    gnutls_typed_vdata_st *data, unsigned count, unsigned *status),
    (session, data, count, status))
GNUTLS_FAILS(gnutls_pubkey_init, (gnutls_pubkey_t *out), (out))
GNUTLS_FAILS(gnutls_pubkey_import_x509, (gnutls_pubkey_t key, gnutls_x509_crt_t cert,
    unsigned flags), (key, cert, flags))
GNUTLS_FAILS(gnutls_pubkey_export_ecc_raw2, (gnutls_pubkey_t key,
    gnutls_ecc_curve_t *curve, gnutls_datum_t *x, gnutls_datum_t *y,
    unsigned flags), (key, curve, x, y, flags))
/* clang-format on */

/* GnuTLS itself forgets what it has when the last step fails; who called it is
 * known only to the slower way of looking at the stack. */
const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void);

__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
	return "leak:gnutls_certificate_set_x509_trust\n";
}

__attribute__((visibility("default"))) const char *
__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

/* What one connection of the table below is about. */
struct plot {
	struct stage st;
	struct session *session; /* NULL: a full handshake */
	int allow;
	shake_fn shake;
};

static int
server_turn(gnutls_session_t server)
{
	long kept = fail_pause();
	int error = gnutls_handshake(server);

	fail_resume(kept);
	return error;
}

static int
try(void *arg, long n, int on)
{
	struct plot *plot = arg;
	struct two t = bare_two(&plot->st, 0);
	struct pinfast_verdict verdict;
	enum pinfast_error error, read = PINFAST_OK;
	int failed;

	fail_at(n, on);
	error =
	    pinfast_gnutls_attach(t.c, plot->st.policy, "pin.test", 443, NULL);
	if (plot->session != NULL)
		read = pinfast_gnutls_session_read(t.c, plot->session->bytes,
		    plot->session->len);
	shake_with(&t, plot->shake, server_turn);
	verdict = pinfast_gnutls_result(t.c);
	failed = fail_over();
	if (error == PINFAST_OK || t.shaken == 0)
		chat_two(&t);
	if (!failed) {
		assert_int_equal(read, PINFAST_OK);
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    plot->allow);
	}
	if (!plot->allow)
		assert_true(verdict.decision != PINFAST_ALLOW);
	/* Where not even a note could be made nobody is in the way of who does
	 * not ask (pinfast_gnutls_attach()). */
	if (verdict.decision != PINFAST_ALLOW &&
	    (error == PINFAST_OK || plot->shake == pinned))
		assert_int_equal(t.app + t.got, 0);
	part_two(&t);
	return failed;
}

static struct pinfast *
failing_policy(enum pinfast_role role, const struct id *id,
    const struct id *anchor)
{
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;

	assert_int_equal(pinfast_new(&failing, &policy), 0);
	add_entry(b, "pin.test", role, id);
	if (anchor != NULL) {
		gnutls_datum_t der = der_of(anchor);

		pinfast_builder_anchor(b,
		    (struct pinfast_bytes){der.data, der.size});
		OPENSSL_free(der.data);
	}
	serve_policy(policy, b);
	return policy;
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
		const struct id *anchor; /* of the entry */
	} rows[] = {
	    {"the pinned leaf", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, TLS13,
	        0, 1, pinned, NULL},
	    {"another leaf", &evil, NULL, PINFAST_ROLE_LEAF, &leaf, TLS13, 0, 0,
	        pinned, NULL},
	    {"another leaf, careless", &evil, NULL, PINFAST_ROLE_LEAF, &leaf,
	        TLS13, 0, 0, gnutls_handshake, NULL},
	    {"the pinned root", &leaf, &intA, PINFAST_ROLE_ANY, &rootA, TLS12,
	        0, 1, pinned, NULL},
	    {"another root", &evil, &intA, PINFAST_ROLE_ANY, &rootA, TLS12, 0,
	        0, pinned, NULL},
	    {"another root, careless", &evil, &intA, PINFAST_ROLE_ANY, &rootA,
	        TLS12, 0, 0, gnutls_handshake, NULL},
	    {"a leaf of the CA with another name", &other, &intA,
	        PINFAST_ROLE_ANY, &rootA, TLS13, 0, 0, pinned, NULL},
	    {"resumed", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, TLS13, 1, 1,
	        pinned, NULL},
	    {"resumed, 1.2", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, TLS12, 1,
	        1, pinned, NULL},
	    {"an anchor of the entry", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
	        TLS13, 0, 1, pinned, &rootA},
	    {"another anchor of the entry", &leaf, &intA, PINFAST_ROLE_LEAF,
	        &leaf, TLS13, 0, 0, pinned, &rootB},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct plot plot = {
		    .allow = rows[i].allow, .shake = rows[i].shake};

		plot.st = stage_of(failing_policy(rows[i].role,
		                       rows[i].pinned_key, rows[i].anchor),
		    rows[i].shown, rows[i].sent, rows[i].tls);
		if (rows[i].resumed)
			plot.session = first_session(&plot.st, 0);
		print_message("# %s\n", rows[i].name);
		try_each(try, &plot, 1, 6);
		if (plot.session != NULL)
			drop(plot.session);
		end_stage(&plot.st);
	}
}

/* ------------------------------------------------------------------ threads */

/* Both policies pin one of the two; the server shows the first. */
static enum outcome
connect_to(void *arg, int bad)
{
	struct stage *st = arg;
	struct two t = attached_two(st);
	int allowed;

	(void)bad;
	shake_two(&t);
	chat_two(&t);
	allowed = pinfast_gnutls_result(t.c).decision == PINFAST_ALLOW;
	part_two(&t);
	/* A policy that came between two questions may differ. */
	if (t.app > 0 && t.shaken != 0)
		return LOAD_WRONG;
	return allowed ? LOAD_ALLOWED : LOAD_DENIED;
}

static void
pin_another(void *arg, int64_t serial)
{
	struct stage *st = arg;

	change_policy(st->policy, serial, PINFAST_ROLE_LEAF,
	    serial % 2 ? &leaf : &other);
}

static void
threads_share_credentials_while_policies_come_and_go(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct load load = {
	    .connect = connect_to, .change = pin_another, .arg = &st};

	(void)state;
	reload_under_load(&load);
	end_stage(&st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_allocation_fails_nobody_gets_through),
	    cmocka_unit_test(
	        threads_share_credentials_while_policies_come_and_go),
	    cmocka_unit_test(every_way_to_fail_was_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
