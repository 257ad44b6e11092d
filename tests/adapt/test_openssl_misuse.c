#define _GNU_SOURCE
/* The OpenSSL adapter where the application changes its mind after attaching:
 * contexts, names and verifications that come, go, and disagree. */
#include "door.h"

#include <sys/socket.h>

/* --------------------------------------------------------------- the client */

/* An SSL keeps its first SSL_CTX, not those that came between. */
static void
a_context_that_is_gone_is_not_asked(void **state)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	SSL_CTX *second = bare_ctx(TLS1_3_VERSION);
	SSL_CTX *bare = bare_ctx(TLS1_3_VERSION);

	(void)state;
	assert_int_equal(pinfast_openssl_init(second, s.policy, NULL, NULL), 0);
	SSL_set_SSL_CTX(s.p.c, second);
	attach(&s.p, "pin.test");
	SSL_set_SSL_CTX(s.p.c, bare);
	SSL_CTX_free(second);
	shake(&s.p);
	chat(&s.p);
	expect_row("gone", &s.p, DENY, PINFAST_REASON_NO_CERTIFICATE);
	SSL_CTX_free(bare);
	end(&s);
}

/* RFC 5746, of whose end an information callback has not told us; after
 * SSL_clear() the second server shows no certificate. */
static void
a_renegotiation_without_an_end_helps_no_other(void **state)
{
	struct scene s = ordinary_scene(TLS1_2_VERSION);
	SSL_CTX *nobody = server_ctx(&evil, NULL, TLS1_2_VERSION);
	char byte;

	(void)state;
	SSL_CTX_set_cipher_list(nobody, "ADH-AES256-GCM-SHA384:@SECLEVEL=0");
	SSL_CTX_set_dh_auto(nobody, 1);
	part(&s.p);
	SSL_CTX_set_cipher_list(s.cctx, "ALL:aNULL:@SECLEVEL=0");
	s.p = attached(s.cctx, s.sctx, "pin.test");
	shake(&s.p);
	chat(&s.p);
	assert_int_equal(SSL_renegotiate_abbreviated(s.p.s), 1);
	(void)SSL_do_handshake(s.p.s);
	(void)SSL_read(s.p.c, &byte, 1);
	assert_true(SSL_renegotiate_pending(s.p.c));
	expect(pinfast_openssl_result(s.p.c), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	SSL_set_info_callback(s.p.c, say_nothing);
	for (int i = 0; i < 4; i++) {
		(void)SSL_do_handshake(s.p.s);
		(void)SSL_read(s.p.c, &byte, 1);
		(void)SSL_read(s.p.s, &byte, 1);
	}
	assert_false(SSL_renegotiate_pending(s.p.c));
	join_again(&s.p, nobody);
	shake(&s.p);
	assert_true(s.p.shaken);
	expect(pinfast_openssl_result(s.p.c), DENY,
	    PINFAST_REASON_NO_CERTIFICATE);
	chat(&s.p);
	expect_row("after a renegotiation", &s.p, DENY,
	    PINFAST_REASON_NO_CERTIFICATE);
	SSL_CTX_free(nobody);
	end(&s);
}

static int seen_paths;

/* The application takes no path that ends in root B. */
static int
verify_without_b(X509_STORE_CTX *xs, void *arg)
{
	STACK_OF(X509) * chain;
	X509 *last;

	(void)arg;
	if (X509_verify_cert(xs) != 1)
		return 0;
	seen_paths++;
	chain = X509_STORE_CTX_get0_chain(xs);
	last = sk_X509_value(chain, sk_X509_num(chain) - 1);
	if (X509_cmp(last, rootB.cert) != 0)
		return 1;
	X509_STORE_CTX_set_error(xs, X509_V_ERR_CERT_UNTRUSTED);
	return 0;
}

/* It verifies, and says nothing more. */
static int
verify_all(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	seen_paths++;
	return X509_verify_cert(xs);
}

static void
further_paths_are_verified_by_the_application_too(void **state)
{
	static const struct {
		const char *name;
		int (*verify)(X509_STORE_CTX *xs, void *arg);
		int allow;
		int32_t reason;
	} rows[] = {
	    {"any root", verify_all, ALLOW, PINFAST_REASON_PIN_MATCHED},
	    {"not root B", verify_without_b, DENY, PINFAST_REASON_PIN_MISMATCH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_openssl_next next = {.verify = rows[i].verify};
		struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &rootB);
		SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
		SSL_CTX *sctx = server_ctx(&leafX, &intXA, TLS1_3_VERSION);
		struct pair p;

		SSL_CTX_add1_chain_cert(sctx, intXB.cert);
		assert_int_equal(pinfast_openssl_init(cctx, policy, &next,
		                     NULL),
		    0);
		seen_paths = 0;
		p = attached(cctx, sctx, "pin.test");
		shake(&p);
		chat(&p);
		expect_row(rows[i].name, &p, rows[i].allow, rows[i].reason);
		assert_int_equal(seen_paths, 2);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

/* ------------------------------------------------------------------- names */

static struct id commoner; /* CN=pin.test, and another name */
static struct id numbered; /* an address as if it were a name */

static struct pinfast *
policy_for_names(void)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "pin.test", PINFAST_ROLE_ANY, &intA);
	add_entry(b, "192.0.2.7", PINFAST_ROLE_ANY, &intA);
	return policy_made(b);
}

static void
set_no_flags(SSL *ssl)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT);
}

static void
ask_for_it(SSL *ssl)
{
	char sni[] = "pin.test";

	SSL_set_tlsext_host_name(ssl, sni);
}

static void
forget_address(SSL *ssl)
{
	X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), NULL, 0);
}

static void
leave_it(SSL *ssl)
{
	(void)ssl;
}

/* RFC 9525, 6.3 and 6.4: whatever the application says afterwards. */
static void
what_is_no_name_is_not_compared(void **state)
{
	static const struct {
		const char *name, *host;
		void (*change)(SSL *ssl);
		const struct id *shown;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"its common name", "pin.test", set_no_flags, &commoner, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"its common name, by SNI", NULL, ask_for_it, &commoner, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"its name, by SNI", NULL, ask_for_it, &leaf, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"other flags", "pin.test", set_no_flags, &leaf, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"a name like an address", "192.0.2.7", forget_address, &numbered,
	        DENY, PINFAST_REASON_PKIX_FAILED},
	    {"an address", "192.0.2.7", leave_it, &leaf, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"an address that was forgotten", "192.0.2.7", forget_address,
	        &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct scene s = set_scene(policy_for_names(), rows[i].shown,
		    &intA, TLS1_3_VERSION);

		if (rows[i].host != NULL)
			attach(&s.p, rows[i].host);
		rows[i].change(s.p.c);
		shake(&s.p);
		chat(&s.p);
		expect_row(rows[i].name, &s.p, rows[i].allow, rows[i].reason);
		end(&s);
	}
}

static void
a_kept_connection_is_not_for_what_is_no_name(void **state)
{
	struct scene s =
	    set_scene(policy_for_names(), &numbered, &intA, TLS1_3_VERSION);

	(void)state;
	attach(&s.p, "pin.test");
	shake(&s.p);
	expect(pinfast_openssl_result(s.p.c), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_openssl_recheck(s.p.c, "192.0.2.7", 443), DENY,
	    PINFAST_REASON_PKIX_FAILED);
	end(&s);
}

/* ---------------------------------------------------------------- sessions */

/* The session that a connection to this server leaves. */
static SSL_SESSION *
session_of(SSL_CTX *cctx, SSL_CTX *sctx, const char *host)
{
	struct pair p = attached(cctx, sctx, host);
	SSL_SESSION *session;

	shake(&p);
	chat(&p);
	expect_row(host, &p, ALLOW, PINFAST_REASON_PIN_MATCHED);
	session = SSL_get1_session(p.c);
	part(&p);
	return session;
}

/* One session was judged, another is offered, and an information callback has
 * taken our place: a pinned server passes itself off as another. */
static void
the_session_that_counts_is_the_one_in_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pinfast_builder *b = begin_policy(1);
		SSL_CTX *good = server_ctx(&leaf, &intA, versions[i]);
		SSL_CTX *bad = server_ctx(&other, &intA, versions[i]);
		SSL_SESSION *ours, *theirs;
		struct pinfast *policy;
		SSL_CTX *cctx;
		struct pair p;

		add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
		add_entry(b, "other.test", PINFAST_ROLE_LEAF, &other);
		policy = policy_made(b);
		cctx = pinned_ctx(policy, versions[i]);
		ours = session_of(cctx, good, "pin.test");
		theirs = session_of(cctx, bad, "other.test");
		p = attached(cctx, bad, "pin.test");
		assert_int_equal(pinfast_openssl_session_use(p.c, ours), 0);
		SSL_set_info_callback(p.c, say_nothing);
		assert_int_equal(SSL_set_session(p.c, theirs), 1);
		shake(&p);
		assert_int_equal(SSL_session_reused(p.c), 1);
		expect(pinfast_openssl_result(p.c), DENY,
		    PINFAST_REASON_TAG_MISMATCH);
		chat(&p);
		expect_row("another's session", &p, DENY,
		    PINFAST_REASON_TAG_MISMATCH);
		part(&p);
		p = attached(cctx, good, "pin.test");
		assert_int_equal(pinfast_openssl_session_use(p.c, ours), 0);
		SSL_set_info_callback(p.c, say_nothing);
		shake(&p);
		assert_int_equal(SSL_session_reused(p.c), 1);
		expect(pinfast_openssl_result(p.c), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
		part(&p);
		SSL_SESSION_free(ours);
		SSL_SESSION_free(theirs);
		SSL_CTX_free(cctx);
		SSL_CTX_free(good);
		SSL_CTX_free(bad);
		pinfast_free(policy);
	}
}

/* --------------------------------------------------------------------- keys */

static unsigned
give_key(SSL *ssl, const char *hint, char *name, unsigned name_size,
    unsigned char *key, unsigned key_size)
{
	(void)ssl, (void)hint;
	assert_true(name_size > 4 && key_size >= 32);
	memcpy(name, "key", 4);
	memset(key, 7, 32);
	return 32;
}

static unsigned
find_key(SSL *ssl, const char *name, unsigned char *key, unsigned key_size)
{
	(void)ssl, (void)name;
	assert_true(key_size >= 32);
	memset(key, 7, 32);
	return 32;
}

/* The older callbacks, which work in TLS 1.3 as well. */
static void
a_key_shows_no_certificate(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scene s = ordinary_scene(versions[i]);
		struct door d = open_door(NULL, versions[i]);
		struct pair p = join(d.cctx, d.sctx);

		attach(&s.p, "pin.test");
		SSL_set_cipher_list(s.p.c, "kPSK");
		SSL_set_ciphersuites(s.p.c, "TLS_AES_128_GCM_SHA256");
		SSL_set_psk_client_callback(s.p.c, give_key);
		SSL_set_psk_server_callback(s.p.s, find_key);
		shake(&s.p);
		chat(&s.p);
		assert_int_equal(SSL_get_state(s.p.c), TLS_ST_OK);
		expect_row("client", &s.p, DENY, PINFAST_REASON_NO_CERTIFICATE);
		assert_int_equal(pinfast_openssl_attach_server(p.s, "partner",
		                     NULL),
		    0);
		SSL_set_cipher_list(p.c, "kPSK");
		SSL_set_ciphersuites(p.c, "TLS_AES_128_GCM_SHA256");
		SSL_set_psk_client_callback(p.c, give_key);
		SSL_set_psk_server_callback(p.s, find_key);
		shake(&p);
		chat(&p);
		assert_int_equal(p.app, 0);
		assert_true(pinfast_openssl_result(p.s).decision !=
		            PINFAST_ALLOW);
		part(&p);
		close_door(&d);
		end(&s);
	}
}

/* ---------------------------------------------------------------- datagrams */

static void
datagrams_are_judged_like_streams(void **state)
{
	static const struct {
		const char *name;
		const struct id *shown;
		int allow;
		int32_t reason;
	} rows[] = {{"pinned", &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED},
	    {"an impostor", &evil, DENY, PINFAST_REASON_PIN_MISMATCH}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
		SSL_CTX *cctx = SSL_CTX_new(DTLS_client_method());
		SSL_CTX *sctx = SSL_CTX_new(DTLS_server_method());
		X509_STORE *store = SSL_CTX_get_cert_store(cctx);
		struct pair p = {0};
		BIO *one, *two;
		int ends[2];

		X509_STORE_add_cert(store, rootA.cert);
		X509_STORE_add_cert(store, rootB.cert);
		SSL_CTX_set_verify(cctx, SSL_VERIFY_PEER, NULL);
		assert_int_equal(pinfast_openssl_init(cctx, policy, NULL, NULL),
		    0);
		SSL_CTX_use_certificate(sctx, rows[i].shown->cert);
		SSL_CTX_use_PrivateKey(sctx, rows[i].shown->key);
		SSL_CTX_add1_chain_cert(sctx, intA.cert);
		p.c = SSL_new(cctx);
		p.s = SSL_new(sctx);
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK,
		                     0, ends),
		    0);
		one = BIO_new_socket(ends[0], BIO_CLOSE);
		two = BIO_new_socket(ends[1], BIO_CLOSE);
		SSL_set_bio(p.c, one, one);
		SSL_set_bio(p.s, two, two);
		SSL_set_options(p.c, SSL_OP_NO_QUERY_MTU);
		SSL_set_options(p.s, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(p.c, 1400);
		SSL_set_mtu(p.s, 1400);
		SSL_set_connect_state(p.c);
		SSL_set_accept_state(p.s);
		attach(&p, "pin.test");
		shake(&p);
		chat(&p);
		expect_row(rows[i].name, &p, rows[i].allow, rows[i].reason);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

static int
make_names(void **state)
{
	if (make_everybody(state) != 0)
		return 1;
	certify(&commoner, "pin.test", &intA, "email:somebody@pin.test", 30);
	certify(&numbered, "numbered", &intA, "DNS:pin.test,DNS:192.0.2.7", 30);
	return 0;
}

static int
free_names(void **state)
{
	identity_free(&commoner);
	identity_free(&numbered);
	return free_everybody(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_context_that_is_gone_is_not_asked),
	    cmocka_unit_test(a_renegotiation_without_an_end_helps_no_other),
	    cmocka_unit_test(further_paths_are_verified_by_the_application_too),
	    cmocka_unit_test(what_is_no_name_is_not_compared),
	    cmocka_unit_test(a_kept_connection_is_not_for_what_is_no_name),
	    cmocka_unit_test(the_session_that_counts_is_the_one_in_use),
	    cmocka_unit_test(a_key_shows_no_certificate),
	    cmocka_unit_test(datagrams_are_judged_like_streams),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_names, free_names);
}
