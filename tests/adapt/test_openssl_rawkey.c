/* Raw public keys (RFC 7250) in the OpenSSL adapter, which has them since
 * OpenSSL 3.2: tools/check-openssl35 builds and runs this. */
#include "pair.h"

#include "adapt/adapter.h"

#define NO_ENTRY (-1)
#define PIN 1     /* a pin that needs a verified path */
#define INSTEAD 2 /* `pkix: none`, `dates: ignore` */
#define DATED 3   /* `pkix: none` that reads the leaf's dates */
#define REPORT 4  /* a pin in report mode */

static const unsigned char types[] = {
    TLSEXT_cert_type_rpk, TLSEXT_cert_type_x509};

/* One entry of the kind for name, which is a host or a label. */
static void
add_kind(struct pinfast_builder *b, int kind, const char *name,
    enum pinfast_scope scope, const char *pin)
{
	if (kind == NO_ENTRY)
		return;
	pinfast_builder_entry(b, name, 0, scope);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
	    kind == REPORT ? PINFAST_REPORT : PINFAST_ENFORCE);
	if (kind == INSTEAD || kind == DATED)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	if (kind == INSTEAD)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, pin);
}

static struct pinfast *
policy_for(int kind, enum pinfast_scope scope, const struct id *pinned,
    const struct id *rejected)
{
	struct pinfast_builder *b = begin_policy(1);

	if (rejected != NULL)
		pinfast_builder_reject(b, rejected->pin);
	add_kind(b, kind, "pin.test", scope, pinned->pin);
	return policy_made(b);
}

/* A server that shows its bare key when the client wants one. */
static SSL_CTX *
bare_key_server(const struct id *id, int tls)
{
	SSL_CTX *ctx = server_ctx(id, NULL, tls);

	assert_int_equal(SSL_CTX_set1_server_cert_type(ctx, types, 2), 1);
	return ctx;
}

/* Wants a bare key of the server; expected: what OpenSSL is told, or NULL. */
static void
want_bare_key(SSL *ssl, const struct id *expected)
{
	assert_int_equal(SSL_set1_server_cert_type(ssl, types, 1), 1);
	if (expected == NULL)
		return;
	assert_true(SSL_CTX_dane_enable(SSL_get_SSL_CTX(ssl)) > 0);
	assert_true(SSL_dane_enable(ssl, NULL) > 0);
	assert_int_equal(SSL_add_expected_rpk(ssl, expected->key), 1);
}

static const struct row {
	const char *name;
	int kind;
	const struct id *shown, *pinned, *expected, *rejected;
	int allow;
	int32_t reason;
} rows[] = {
    {"the pinned key", INSTEAD, &self, &self, NULL, NULL, 1,
        PINFAST_REASON_PIN_MATCHED},
    {"another key", INSTEAD, &evil, &self, NULL, NULL, 0,
        PINFAST_REASON_PIN_MISMATCH},
    {"another key, which OpenSSL expects", INSTEAD, &evil, &self, &evil, NULL,
        0, PINFAST_REASON_PIN_MISMATCH},
    {"the pinned key, OpenSSL expects another", INSTEAD, &self, &self, &evil,
        NULL, 1, PINFAST_REASON_PIN_MATCHED},
    {"a key that is pinned and rejected", INSTEAD, &self, &self, NULL, &self, 0,
        PINFAST_REASON_REJECTED_KEY},
    {"a bare key has no dates", DATED, &self, &self, NULL, NULL, 0,
        PINFAST_REASON_NOT_VERIFIED},
    {"the entry wants a path", PIN, &self, &self, NULL, NULL, 0,
        PINFAST_REASON_PKIX_FAILED},
    {"the entry wants a path, OpenSSL the key", PIN, &self, &self, &self, NULL,
        0, PINFAST_REASON_NOT_VERIFIED},
    {"reported", REPORT, &self, &self, &self, NULL, 1,
        PINFAST_REASON_NOT_VERIFIED},
    {"reporting rescues nobody", REPORT, &self, &self, NULL, NULL, 0,
        PINFAST_REASON_PKIX_FAILED},
    {"unlisted, OpenSSL expects it", NO_ENTRY, &self, &self, &self, NULL, 1,
        PINFAST_REASON_UNLISTED_UNVERIFIED},
    {"unlisted, nobody expects it", NO_ENTRY, &self, &self, NULL, NULL, 0,
        PINFAST_REASON_PKIX_FAILED},
    {"unlisted, OpenSSL expects another", NO_ENTRY, &self, &self, &evil, NULL,
        0, PINFAST_REASON_PKIX_FAILED},
};

/* One connection; prints what is not as the row says. */
static void
run_row(const struct row *row, int tls)
{
	struct pinfast *policy = policy_for(row->kind, PINFAST_SCOPE_EXACT,
	    row->pinned, row->rejected);
	SSL_CTX *cctx = pinned_ctx(policy, tls);
	SSL_CTX *sctx = bare_key_server(row->shown, tls);
	struct pair p = join(cctx, sctx);
	struct pinfast_verdict v;

	want_bare_key(p.c, row->expected);
	attach(&p, "pin.test");
	shake(&p);
	assert_int_equal(p.shaken, row->allow);
	v = pinfast_openssl_result(p.c);
	chat(&p);
	if ((v.decision == PINFAST_ALLOW) != row->allow ||
	    v.reason != row->reason || p.app != (row->allow ? 16U : 0U))
		fail_msg("%s: %s, %zu bytes", row->name,
		    pinfast_reason_name(v.reason), p.app);
	if (row->allow) {
		assert_non_null(SSL_get0_peer_rpk(p.c));
		assert_null(SSL_get0_peer_certificate(p.c));
	}
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
only_a_pin_that_replaces_pkix_allows_a_bare_key(void **state)
{
	(void)state;
	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
			run_row(&rows[i], versions[t]);
}

/* The pin is that of the same key in a certificate, whatever its kind. */
static void
a_bare_key_has_the_pin_of_its_certificate(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct id id = {0};
		struct row row = {"", INSTEAD, &id, &id, NULL, NULL, 1,
		    PINFAST_REASON_PIN_MATCHED};

		id.key = i == 0   ? EVP_RSA_gen(2048)
		         : i == 1 ? EVP_EC_gen("P-384")
		                  : EVP_EC_gen("P-521");
		assert_non_null(id.key);
		certify(&id, "kind", NULL, "DNS:pin.test", 30);
		run_row(&row, TLS1_2_VERSION);
		run_row(&row, TLS1_3_VERSION);
		X509_free(id.cert);
		EVP_PKEY_free(id.key);
	}
}

/* Who switches verification off gets no more than who does not. */
static void
without_verification_the_pin_still_decides(void **state)
{
	struct pinfast *policy =
	    policy_for(INSTEAD, PINFAST_SCOPE_EXACT, &self, NULL);

	(void)state;
	for (int good = 0; good < 2; good++) {
		SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
		SSL_CTX *sctx =
		    bare_key_server(good ? &self : &evil, TLS1_3_VERSION);
		struct pair p;

		SSL_CTX_set_verify(cctx, SSL_VERIFY_NONE, NULL);
		p = join(cctx, sctx);
		want_bare_key(p.c, NULL);
		attach(&p, "pin.test");
		shake(&p);
		expect(pinfast_openssl_result(p.c), good,
		    good ? PINFAST_REASON_PIN_MATCHED
		         : PINFAST_REASON_PIN_MISMATCH);
		chat(&p);
		assert_int_equal(p.app, good ? 16 : 0);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
	}
	pinfast_free(policy);
}

/* A kept connection has no other host: a bare key has no name. */
static void
a_bare_key_is_good_for_one_host(void **state)
{
	struct pinfast *policy =
	    policy_for(INSTEAD, PINFAST_SCOPE_EXACT, &self, NULL);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	SSL_CTX *sctx = bare_key_server(&self, TLS1_3_VERSION);
	struct pair p = join(cctx, sctx);

	(void)state;
	want_bare_key(p.c, NULL);
	attach(&p, "pin.test");
	shake(&p);
	expect(pinfast_openssl_recheck(p.c, "pin.test", 1), 1,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_openssl_recheck(p.c, "two.test", 1), 0,
	    PINFAST_REASON_PKIX_FAILED);
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

/* Puts a second policy into service that pins another key. */
static void
pin_another(struct pinfast *policy)
{
	struct pinfast_builder *b = begin_policy(2);

	add_kind(b, INSTEAD, "pin.test", PINFAST_SCOPE_EXACT, evil.pin);
	serve_policy(policy, b);
}

/* changed: the policy is another one when the session is offered. */
static void
resume(int tls, int serialised, int changed)
{
	struct pinfast *policy =
	    policy_for(INSTEAD, PINFAST_SCOPE_EXACT, &self, NULL);
	SSL_CTX *cctx = pinned_ctx(policy, tls);
	SSL_CTX *sctx = bare_key_server(&self, tls);
	struct pair p = join(cctx, sctx);
	SSL_SESSION *session;
	uint8_t bytes[8192];
	size_t len = 0;

	want_bare_key(p.c, NULL);
	attach(&p, "pin.test");
	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 16);
	session = SSL_get1_session(p.c);
	if (serialised)
		len = pinfast_openssl_session_write(p.c, session, bytes,
		    sizeof bytes);
	part(&p);
	if (changed)
		pin_another(policy);
	p = join(cctx, sctx);
	want_bare_key(p.c, NULL);
	attach(&p, "pin.test");
	if (serialised)
		assert_int_equal(pinfast_openssl_session_read(p.c, bytes, len),
		    changed ? PINFAST_EPOLICY : PINFAST_OK);
	else
		assert_int_equal(pinfast_openssl_session_use(p.c, session),
		    changed ? PINFAST_EPOLICY : PINFAST_OK);
	shake(&p);
	assert_int_equal(SSL_session_reused(p.c), !changed);
	expect(pinfast_openssl_result(p.c), !changed,
	    changed ? PINFAST_REASON_PIN_MISMATCH : PINFAST_REASON_PIN_MATCHED);
	chat(&p);
	assert_int_equal(p.app, changed ? 0 : 16);
	part(&p);
	SSL_SESSION_free(session);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
a_resumed_bare_key_is_judged_by_its_tag(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		resume(versions[i & 1], i >> 1 & 1, i >> 2);
}

/* A server that wants a bare key of its clients. */
static void
serve_client(int tls, int kind, const struct id *shown, int allow,
    int32_t reason)
{
	struct pinfast *policy =
	    policy_for(kind, PINFAST_SCOPE_CLIENT, &client, NULL);
	SSL_CTX *sctx = server_ctx(&leaf, &intA, tls);
	SSL_CTX *cctx = bare_ctx(tls);
	struct pair p;

	SSL_CTX_use_certificate(cctx, shown->cert);
	SSL_CTX_use_PrivateKey(cctx, shown->key);
	assert_int_equal(pinfast_openssl_init(sctx, policy, NULL, NULL), 0);
	p = join(cctx, sctx);
	assert_int_equal(SSL_set1_client_cert_type(p.c, types, 1), 1);
	assert_int_equal(SSL_set1_client_cert_type(p.s, types, 1), 1);
	assert_int_equal(pinfast_openssl_attach_server(p.s, "pin.test", NULL),
	    0);
	shake(&p);
	expect(pinfast_openssl_result(p.s), allow, reason);
	chat(&p);
	assert_int_equal(p.app, allow ? 16 : 0);
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
servers_judge_the_bare_keys_of_clients(void **state)
{
	(void)state;
	for (int t = 0; t < 2; t++) {
		serve_client(versions[t], INSTEAD, &client, 1,
		    PINFAST_REASON_PIN_MATCHED);
		serve_client(versions[t], INSTEAD, &stranger, 0,
		    PINFAST_REASON_PIN_MISMATCH);
		serve_client(versions[t], PIN, &client, 0,
		    PINFAST_REASON_PKIX_FAILED);
		serve_client(versions[t], NO_ENTRY, &client, 0,
		    PINFAST_REASON_PKIX_FAILED);
	}
}

static void
the_adapter_says_that_it_can(void **state)
{
	const struct pf_adapter *pinfast_adapter_openssl(void);

	(void)state;
	assert_true(pinfast_adapter_openssl()->caps & PF_CAN_RAW_KEY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_pin_that_replaces_pkix_allows_a_bare_key),
	    cmocka_unit_test(a_bare_key_has_the_pin_of_its_certificate),
	    cmocka_unit_test(without_verification_the_pin_still_decides),
	    cmocka_unit_test(a_bare_key_is_good_for_one_host),
	    cmocka_unit_test(a_resumed_bare_key_is_judged_by_its_tag),
	    cmocka_unit_test(servers_judge_the_bare_keys_of_clients),
	    cmocka_unit_test(the_adapter_says_that_it_can),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
