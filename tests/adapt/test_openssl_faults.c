/* The OpenSSL adapter when memory runs out, and under many threads. */
#include "pair.h"

#include <pthread.h>
#include <stdatomic.h>

#ifndef RELOADS
#define RELOADS 1000
#endif

/* Allocations fail in one thread: TSan, under which a handshake takes a hundred
 * times as long, is shown only some of them. */
#ifdef __SANITIZE_THREAD__
#define STEP 16
#else
#define STEP 1
#endif

/* ---------------------------------------------------- failing allocations */

static long left = -1; /* allocations until one fails; -1: never */
static int from_then_on;

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
may_fail_alloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : malloc(size);
}

static void *
may_fail_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : realloc(ptr, size);
}

static void
plain_free(void *ptr, const char *file, int line)
{
	(void)file, (void)line;
	free(ptr);
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

/* Since OpenSSL 3.2 whoever reads or writes after a handshake that ran out of
 * memory may crash: there is no record layer, and nobody looks. */
static int
usable(SSL *ssl)
{
	return OPENSSL_VERSION_NUMBER < 0x30200000L ||
	       SSL_is_init_finished(ssl);
}

/* One connection from SSL_CTX to result with allocation n failing.  0: not
 * that many were made, and all went well. */
static int
try(struct pinfast *policy, SSL_CTX *sctx, const struct id *shown, long n,
    int on)
{
	SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
	struct pinfast_verdict verdict = {0, 0};
	enum pinfast_error error;
	struct pair p;
	int reached;

	left = -1;
	p = join(cctx, sctx);
	SSL_free(p.c); /* another, made after pinfast came */
	p.c = NULL;
	from_then_on = on;
	left = n;
	error = pinfast_openssl_init(cctx, policy, NULL, NULL);
	if (error == PINFAST_OK)
		p.c = SSL_new(cctx);
	if (p.c != NULL) {
		long kept = left;
		BIO *one, *two;

		left = -1; /* the wire is not what is tested */
		BIO_new_bio_pair(&one, 65536, &two, 65536);
		SSL_set_bio(p.c, one, one);
		SSL_set_bio(p.s, two, two);
		SSL_set_connect_state(p.c);
		left = kept;
		error = pinfast_openssl_attach(p.c, "pin.test", 1, NULL);
		for (int i = 0; i < 6; i++) {
			(void)SSL_do_handshake(p.c);
			kept = left;
			left = -1;
			(void)SSL_do_handshake(p.s);
			left = kept;
		}
		verdict = pinfast_openssl_result(p.c);
	}
	reached = left <= 0;
	left = -1;
	if (!reached)
		assert_int_equal(verdict.decision == PINFAST_ALLOW,
		    shown == &leaf);
	if (p.c != NULL) {
		if (usable(p.c))
			chat(&p);
		if (shown != &leaf || error != PINFAST_OK ||
		    verdict.decision != PINFAST_ALLOW)
			assert_int_equal(p.app, 0);
		else if (OPENSSL_VERSION_NUMBER < 0x30200000L || !reached)
			assert_int_equal(p.app, 16);
		part(&p);
	} else {
		SSL_free(p.s);
	}
	ERR_clear_error();
	SSL_CTX_free(cctx);
	return reached;
}

static void
no_failing_allocation_lets_a_byte_out(void **state)
{
	const struct id *const shown[] = {&leaf, &evil};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pinfast_builder *b = begin_policy(1);
		SSL_CTX *sctx = server_ctx(shown[i], &intA, TLS1_3_VERSION);
		struct pinfast *policy;
		long n = 0;

		assert_int_equal(pinfast_new(&failing, &policy), 0);
		add_entry(b, "pin.test", PINFAST_ROLE_CA, &intA);
		serve_policy(policy, b);
		while (try(policy, sctx, shown[i], n += STEP, 0)) {
			if (n % 4 == 0)
				(void)try(policy, sctx, shown[i], n, 1);
		}
		/* It went deep into the handshake. */
		assert_true(n > 500);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

/* Without memory OpenSSL makes no fingerprint of a certificate, and of those
 * that were made in memory, as rootA, it compares nothing else. */
static void
what_was_seen_is_known_by_more_than_nothing(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &rootA);
	SSL_CTX *good = server_ctx(&leaf, &intA, TLS1_3_VERSION);
	struct id likeness = {0};
	SSL_CTX *bad;
	int reached = 1;

	(void)state;
	certify(&likeness, "likeness", &rootB, "DNS:pin.test", 30);
	X509_set_serialNumber(likeness.cert, X509_get_serialNumber(rootA.cert));
	assert_true(X509_sign(likeness.cert, rootB.key, EVP_sha256()) > 0);
	bad = server_ctx(&likeness, NULL, TLS1_3_VERSION);
	for (long n = 0; reached; n++) {
		SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
		struct pair p = attached(cctx, good, "pin.test");

		shake(&p);
		part(&p);
		p = attached(cctx, bad, "pin.test");
		from_then_on = 0;
		/* From where the server's certificate comes in. */
		(void)SSL_do_handshake(p.c);
		(void)SSL_do_handshake(p.s);
		left = n;
		(void)SSL_do_handshake(p.c);
		reached = left < 0;
		left = -1;
		if (usable(p.c))
			chat(&p);
		assert_int_equal(p.app, 0);
		part(&p);
		SSL_CTX_free(cctx);
	}
	identity_free(&likeness);
	SSL_CTX_free(good);
	SSL_CTX_free(bad);
	pinfast_free(policy);
}

/* The second server needs no certificate (RFC 5246, appendix A.5). */
static void
without_memory_no_earlier_verdict_counts(void **state)
{
	const char *const anonymous = "ADH-AES256-GCM-SHA384:@SECLEVEL=0";
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;
	SSL_CTX *good = server_ctx(&leaf, &intA, TLS1_2_VERSION);
	SSL_CTX *nobody = server_ctx(&evil, NULL, TLS1_2_VERSION);
	SSL_CTX *cctx;
	int reached = 1;

	(void)state;
	assert_int_equal(pinfast_new(&failing, &policy), 0);
	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	serve_policy(policy, b);
	cctx = pinned_ctx(policy, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(cctx, "ALL:aNULL:@SECLEVEL=0");
	SSL_CTX_set_cipher_list(nobody, anonymous);
	SSL_CTX_set_dh_auto(nobody, 1);
	for (long n = 0; n < 30 && reached; n++) {
		struct pair p = attached(cctx, good, "pin.test");

		shake(&p);
		chat(&p);
		assert_int_equal(p.app, 16);
		join_again(&p, nobody);
		left = n;
		from_then_on = 0;
		(void)SSL_do_handshake(p.c);
		reached = left < 0;
		left = -1;
		if (!reached || OPENSSL_VERSION_NUMBER < 0x30200000L) {
			shake(&p);
			chat(&p);
		}
		assert_int_equal(p.app, 0);
		assert_int_not_equal(pinfast_openssl_result(p.c).decision,
		    PINFAST_ALLOW);
		part(&p);
	}
	SSL_CTX_free(cctx);
	SSL_CTX_free(good);
	SSL_CTX_free(nobody);
	pinfast_free(policy);
}

/* ---------------------------------------------------------------- threads */

struct work {
	SSL_CTX *cctx, *good, *bad;
	atomic_int stop;
	atomic_int allowed, denied, wrong;
};

static void *
connect_often(void *arg)
{
	struct work *w = arg;

	for (int i = 0; !atomic_load(&w->stop); i ^= 1) {
		struct pair p = join(w->cctx, i ? w->bad : w->good);
		struct pinfast_verdict verdict;

		if (pinfast_openssl_attach(p.c, "pin.test", 1, NULL) != 0)
			atomic_fetch_add(&w->wrong, 1);
		shake(&p);
		verdict = pinfast_openssl_result(p.c);
		chat(&p);
		if ((verdict.decision == PINFAST_ALLOW) == i ||
		    p.app != (i ? 0U : 16U))
			atomic_fetch_add(&w->wrong, 1);
		atomic_fetch_add(i ? &w->denied : &w->allowed, 1);
		part(&p);
	}
	return NULL;
}

static void
threads_share_a_context_while_the_policy_changes(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct work w = {.cctx = pinned_ctx(policy, TLS1_3_VERSION),
	    .good = server_ctx(&leaf, &intA, TLS1_3_VERSION),
	    .bad = server_ctx(&evil, NULL, TLS1_3_VERSION)};
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		                     connect_often, &w),
		    0);
	/* Now the leaf is pinned, now its CA: the impostor is never. */
	for (int64_t serial = 2; serial < RELOADS + 2; serial++) {
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
		while (pinfast_load(policy, store, NULL) == PINFAST_EBUSY)
			;
		pinfast_builder_free(b);
	}
	while (atomic_load(&w.allowed) < 10 || atomic_load(&w.denied) < 10)
		;
	atomic_store(&w.stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&w.wrong), 0);
	SSL_CTX_free(w.cctx);
	SSL_CTX_free(w.good);
	SSL_CTX_free(w.bad);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_failing_allocation_lets_a_byte_out),
	    cmocka_unit_test(what_was_seen_is_known_by_more_than_nothing),
	    cmocka_unit_test(without_memory_no_earlier_verdict_counts),
	    cmocka_unit_test(threads_share_a_context_while_the_policy_changes),
	};

	/* Before OpenSSL allocates anything. */
	if (!CRYPTO_set_mem_functions(may_fail_alloc, may_fail_realloc,
	        plain_free))
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
