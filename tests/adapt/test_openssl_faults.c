/* The OpenSSL adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
#include "failing.h"
#include "load.h"
#include "pair.h"

/* ---------------------------------------------------- failing allocations */

WAY_TO_FAIL(openssl)

static void *
may_fail_alloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return fails(&way_openssl) ? NULL : malloc(size);
}

static void *
may_fail_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return fails(&way_openssl) ? NULL : realloc(ptr, size);
}

static void
plain_free(void *ptr, const char *file, int line)
{
	(void)file, (void)line;
	free(ptr);
}

/* Since OpenSSL 3.2 whoever reads or writes after a handshake that ran out of
 * memory may crash: there is no record layer, and nobody looks. */
static int
usable(SSL *ssl)
{
	return OPENSSL_VERSION_NUMBER < 0x30200000L ||
	       SSL_is_init_finished(ssl);
}

/* What is attached, and what it meets. */
struct plot {
	struct pinfast *policy;
	SSL_CTX *cctx, *good, *bad;
	int allow;
};

/* The handshake, and only the client's memory fails. */
static void
shake_failing(const struct pair *p)
{
	for (int i = 0; i < 6; i++) {
		long kept;

		(void)SSL_do_handshake(p->c);
		kept = fail_pause();
		(void)SSL_do_handshake(p->s);
		fail_resume(kept);
	}
}

/* A client made, attached and shaken; says what came of it. */
static enum pinfast_error
client_does(struct pair *p, SSL_CTX *cctx, const struct plot *plot)
{
	enum pinfast_error error =
	    pinfast_openssl_init(cctx, plot->policy, NULL, NULL);
	BIO *one, *two;
	long kept;

	if (error == PINFAST_OK)
		p->c = SSL_new(cctx);
	if (p->c == NULL)
		return error;
	kept = fail_pause(); /* the wire is not what is tested */
	BIO_new_bio_pair(&one, 65536, &two, 65536);
	SSL_set_bio(p->c, one, one);
	SSL_set_bio(p->s, two, two);
	SSL_set_connect_state(p->c);
	fail_resume(kept);
	error = pinfast_openssl_attach(p->c, "pin.test", 1, NULL);
	shake_failing(p);
	return error;
}

/* One connection from SSL_CTX to result. */
static int
connect_once(void *arg, long n, int on)
{
	const struct plot *plot = arg;
	SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
	struct pinfast_verdict verdict = {0, 0};
	struct pair p = join(cctx, plot->good);
	enum pinfast_error error;
	int failed;

	SSL_free(p.c); /* another, made after pinfast came */
	p.c = NULL;
	fail_at(n, on);
	error = client_does(&p, cctx, plot);
	if (p.c != NULL)
		verdict = pinfast_openssl_result(p.c);
	failed = fail_over();
	if (!failed)
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    plot->allow);
	if (p.c != NULL) {
		if (usable(p.c))
			chat(&p);
		if (!plot->allow || error != PINFAST_OK ||
		    verdict.decision != PINFAST_ALLOW)
			assert_int_equal(p.app, 0);
		else if (OPENSSL_VERSION_NUMBER < 0x30200000L || !failed)
			assert_int_equal(p.app, 16);
		part(&p);
	} else {
		SSL_free(p.s);
	}
	ERR_clear_error();
	SSL_CTX_free(cctx);
	return failed;
}

static void
no_failing_allocation_lets_a_byte_out(void **state)
{
	const struct id *const shown[] = {&leaf, &evil};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plot plot = {
		    .policy = policy_from(&failing, PINFAST_ROLE_CA, &intA),
		    .good = server_ctx(shown[i], &intA, TLS1_3_VERSION),
		    .allow = shown[i] == &leaf};

		/* It goes deep into the handshake. */
		try_each(connect_once, &plot, 4, 501);
		SSL_CTX_free(plot.good);
		pinfast_free(plot.policy);
	}
}

/* Good first, then what is like it. */
static int
see_twice(void *arg, long n, int on)
{
	const struct plot *plot = arg;
	SSL_CTX *cctx = pinned_ctx(plot->policy, TLS1_3_VERSION);
	struct pair p = attached(cctx, plot->good, "pin.test");
	int failed;

	shake(&p);
	part(&p);
	p = attached(cctx, plot->bad, "pin.test");
	/* From where the server's certificate comes in. */
	(void)SSL_do_handshake(p.c);
	(void)SSL_do_handshake(p.s);
	fail_at(n, on);
	(void)SSL_do_handshake(p.c);
	failed = fail_over();
	if (usable(p.c))
		chat(&p);
	assert_int_equal(p.app, 0);
	part(&p);
	SSL_CTX_free(cctx);
	return failed;
}

/* Without memory OpenSSL makes no fingerprint of a certificate, and of those
 * that were made in memory, as rootA, it compares nothing else. */
static void
what_was_seen_is_known_by_more_than_nothing(void **state)
{
	struct plot plot = {.policy = policy_of(PINFAST_ROLE_ANY, &rootA),
	    .good = server_ctx(&leaf, &intA, TLS1_3_VERSION)};
	struct id likeness = {0};

	(void)state;
	certify(&likeness, "likeness", &rootB, "DNS:pin.test", 30);
	X509_set_serialNumber(likeness.cert, X509_get_serialNumber(rootA.cert));
	assert_true(X509_sign(likeness.cert, rootB.key, EVP_sha256()) > 0);
	plot.bad = server_ctx(&likeness, NULL, TLS1_3_VERSION);
	try_each(see_twice, &plot, 0, 100);
	identity_free(&likeness);
	SSL_CTX_free(plot.good);
	SSL_CTX_free(plot.bad);
	pinfast_free(plot.policy);
}

/* A connection that was allowed, then another with what is left of it. */
static int
go_on_elsewhere(void *arg, long n, int on)
{
	const struct plot *plot = arg;
	struct pair p = attached(plot->cctx, plot->good, "pin.test");
	int failed;

	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 16);
	join_again(&p, plot->bad);
	fail_at(n, on);
	(void)SSL_do_handshake(p.c);
	failed = fail_over();
	if (!failed || OPENSSL_VERSION_NUMBER < 0x30200000L) {
		shake(&p);
		chat(&p);
	}
	assert_int_equal(p.app, 0);
	assert_int_not_equal(pinfast_openssl_result(p.c).decision,
	    PINFAST_ALLOW);
	part(&p);
	/* What comes later is OpenSSL's own. */
	return failed && n < 30;
}

/* The second server needs no certificate (RFC 5246, appendix A.5). */
static void
without_memory_no_earlier_verdict_counts(void **state)
{
	const char *const anonymous = "ADH-AES256-GCM-SHA384:@SECLEVEL=0";
	struct plot plot = {
	    .policy = policy_from(&failing, PINFAST_ROLE_LEAF, &leaf),
	    .good = server_ctx(&leaf, &intA, TLS1_2_VERSION),
	    .bad = server_ctx(&evil, NULL, TLS1_2_VERSION)};

	(void)state;
	plot.cctx = pinned_ctx(plot.policy, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(plot.cctx, "ALL:aNULL:@SECLEVEL=0");
	SSL_CTX_set_cipher_list(plot.bad, anonymous);
	SSL_CTX_set_dh_auto(plot.bad, 1);
	try_each(go_on_elsewhere, &plot, 0, 10);
	SSL_CTX_free(plot.cctx);
	SSL_CTX_free(plot.good);
	SSL_CTX_free(plot.bad);
	pinfast_free(plot.policy);
}

/* ---------------------------------------------------------------- threads */

static enum outcome
connect_to(void *arg, int bad)
{
	const struct plot *plot = arg;
	struct pair p = join(plot->cctx, bad ? plot->bad : plot->good);
	enum pinfast_error error =
	    pinfast_openssl_attach(p.c, "pin.test", 1, NULL);
	int allowed;

	shake(&p);
	allowed = pinfast_openssl_result(p.c).decision == PINFAST_ALLOW;
	chat(&p);
	part(&p);
	if (error != PINFAST_OK || allowed == bad || p.app != (bad ? 0U : 16U))
		return LOAD_WRONG;
	return bad ? LOAD_DENIED : LOAD_ALLOWED;
}

/* Now the leaf is pinned, now its CA: the impostor is never. */
static void
pin_another(void *arg, int64_t serial)
{
	const struct plot *plot = arg;

	if (serial & 1)
		change_policy(plot->policy, serial, PINFAST_ROLE_LEAF, &leaf);
	else
		change_policy(plot->policy, serial, PINFAST_ROLE_CA, &intA);
}

static void
threads_share_a_context_while_the_policy_changes(void **state)
{
	struct plot plot = {.policy = policy_of(PINFAST_ROLE_LEAF, &leaf),
	    .good = server_ctx(&leaf, &intA, TLS1_3_VERSION),
	    .bad = server_ctx(&evil, NULL, TLS1_3_VERSION)};
	struct load load = {
	    .connect = connect_to, .change = pin_another, .arg = &plot};

	(void)state;
	plot.cctx = pinned_ctx(plot.policy, TLS1_3_VERSION);
	reload_under_load(&load);
	SSL_CTX_free(plot.cctx);
	SSL_CTX_free(plot.good);
	SSL_CTX_free(plot.bad);
	pinfast_free(plot.policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_failing_allocation_lets_a_byte_out),
	    cmocka_unit_test(what_was_seen_is_known_by_more_than_nothing),
	    cmocka_unit_test(without_memory_no_earlier_verdict_counts),
	    cmocka_unit_test(threads_share_a_context_while_the_policy_changes),
	    cmocka_unit_test(every_way_to_fail_was_taken),
	};

	/* Before OpenSSL allocates anything. */
	if (!CRYPTO_set_mem_functions(may_fail_alloc, may_fail_realloc,
	        plain_free))
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
