/* The OpenSSL adapter: certificates that were seen before. */
#include "pair.h"

/* Gives id another serial number; issuer signs again. */
static void
number(struct id *id, const struct id *issuer, long serial)
{
	ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial);
	assert_true(X509_sign(id->cert, issuer->key, EVP_sha256()) > 0);
}

/* One connection of a client that knows what it has seen. */
static void
visit(SSL_CTX *cctx, const struct id *shown, const struct id *issuer, int allow,
    int32_t reason)
{
	SSL_CTX *sctx =
	    server_ctx(shown, issuer, (int)SSL_CTX_get_max_proto_version(cctx));
	struct pair p = attached(cctx, sctx, "pin.test");

	shake(&p);
	chat(&p);
	expect(pinfast_openssl_result(p.c), allow, reason);
	assert_int_equal(p.app, allow ? 16 : 0);
	part(&p);
	SSL_CTX_free(sctx);
}

/* The same name, the same CA, the same serial number: another key. */
static void
a_likeness_of_what_was_seen_is_another(void **state)
{
	const enum pinfast_role roles[] = {
	    PINFAST_ROLE_LEAF, PINFAST_ROLE_ANY, PINFAST_ROLE_CA};

	(void)state;
	for (int i = 0; i < 6; i++) {
		enum pinfast_role role = roles[i / 2];
		int tls = versions[i & 1];
		struct id genuine = {0}, likeness = {0};
		struct pinfast *policy;
		SSL_CTX *cctx;

		certify(&genuine, "leaf", &intA, "DNS:pin.test", 30);
		certify(&likeness, "leaf", &intA, "DNS:pin.test", 30);
		number(&genuine, &intA, 7);
		number(&likeness, &intA, 7);
		policy =
		    policy_of(role, role == PINFAST_ROLE_CA ? &intA : &genuine);
		cctx = pinned_ctx(policy, tls);
		for (int n = 0; n < 3; n++) {
			visit(cctx, &genuine, &intA, 1,
			    PINFAST_REASON_PIN_MATCHED);
			visit(cctx, &likeness, &intA, role == PINFAST_ROLE_CA,
			    role == PINFAST_ROLE_CA
			        ? PINFAST_REASON_PIN_MATCHED
			        : PINFAST_REASON_PIN_MISMATCH);
		}
		SSL_CTX_free(cctx);
		pinfast_free(policy);
		identity_free(&genuine);
		identity_free(&likeness);
	}
}

/* What was seen is still verified, each time. */
static void
a_seen_certificate_is_verified_again(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	X509_STORE *none = X509_STORE_new();

	(void)state;
	visit(cctx, &leaf, &intA, 1, PINFAST_REASON_PIN_MATCHED);
	visit(cctx, &leaf, NULL, 0, PINFAST_REASON_PKIX_FAILED);
	SSL_CTX_set_cert_store(cctx, none);
	visit(cctx, &leaf, &intA, 0, PINFAST_REASON_PKIX_FAILED);
	SSL_CTX_free(cctx);
	pinfast_free(policy);
}

/* More servers than are remembered, and back to the first. */
static void
what_was_forgotten_is_hashed_again(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &intA);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);

	(void)state;
	for (long n = 0; n < 200; n++) {
		struct id id = {0};

		/* The same key under many certificates. */
		id.key = leaf.key;
		EVP_PKEY_up_ref(id.key);
		certify(&id, "leaf", &intA, "DNS:pin.test", 30);
		number(&id, &intA, n);
		visit(cctx, &id, &intA, 1, PINFAST_REASON_PIN_MATCHED);
		identity_free(&id);
	}
	visit(cctx, &leaf, &intA, 1, PINFAST_REASON_PIN_MATCHED);
	visit(cctx, &evil, NULL, 0, PINFAST_REASON_PIN_MISMATCH);
	SSL_CTX_free(cctx);
	pinfast_free(policy);
}

static int asked;

static int
count_verifications(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	asked++;
	return X509_verify_cert(xs);
}

/* Only a refusal that is certain spares the verification. */
static void
an_unpinned_leaf_is_refused_before_anybody_verifies(void **state)
{
	const struct {
		enum pinfast_role role;
		const struct id *pinned, *shown;
		int asked;
		int32_t reason;
	} rows[] = {
	    {PINFAST_ROLE_LEAF, &leaf, &leaf, 1, PINFAST_REASON_PIN_MATCHED},
	    {PINFAST_ROLE_LEAF, &client, &leaf, 0, PINFAST_REASON_PIN_MISMATCH},
	    {PINFAST_ROLE_LEAF, &leaf, &self, 0, PINFAST_REASON_PIN_MISMATCH},
	    {PINFAST_ROLE_LEAF, &self, &self, 1, PINFAST_REASON_PKIX_FAILED},
	    /* A wanted key at the wrong end: another path is looked for, and
	     * found to be the same. */
	    {PINFAST_ROLE_CA, &leaf, &leaf, 2, PINFAST_REASON_PIN_MISMATCH},
	    {PINFAST_ROLE_ANY, &client, &leaf, 1, PINFAST_REASON_PIN_MISMATCH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_openssl_next next = {
		    .verify = count_verifications};
		struct pinfast *policy =
		    policy_of(rows[i].role, rows[i].pinned);
		SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);

		assert_int_equal(pinfast_openssl_init(cctx, policy, &next,
		                     NULL),
		    0);
		for (int n = 0; n < 2; n++) {
			asked = 0;
			visit(cctx, rows[i].shown, &intA, i == 0,
			    rows[i].reason);
			assert_int_equal(asked, rows[i].asked);
		}
		SSL_CTX_free(cctx);
		pinfast_free(policy);
	}
}

static int living; /* X509 objects */

static void
count_birth(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
    void *argp)
{
	(void)parent, (void)ptr, (void)data, (void)index, (void)argl;
	++*(int *)argp;
}

static void
count_death(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
    void *argp)
{
	(void)parent, (void)ptr, (void)data, (void)index, (void)argl;
	--*(int *)argp;
}

/* Nobody vouches for it, so anybody can make it, as large as he likes. */
static void
what_nobody_verified_is_not_kept(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	int index =
	    X509_get_ex_new_index(0, &living, count_birth, NULL, count_death);
	int before = living;

	(void)state;
	visit(cctx, &evil, NULL, 0, PINFAST_REASON_PIN_MISMATCH);
	visit(cctx, &self, NULL, 0, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(living, before);
	visit(cctx, &leaf, &intA, 1, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(living, before + 1);
	SSL_CTX_free(cctx);
	pinfast_free(policy);
	assert_int_equal(living, before);
	CRYPTO_free_ex_index(CRYPTO_EX_INDEX_X509, index);
}

/* The clock is not what verifies: the policy's `pkix: none` has its own. */
static void
what_was_seen_has_dates(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct id young = {0};
	struct pinfast *policy;
	SSL_CTX *cctx, *sctx;

	(void)state;
	certify(&young, "young", &intA, "DNS:pin.test,DNS:two.test", 30);
	X509_gmtime_adj(X509_getm_notBefore(young.cert), 86400);
	assert_true(X509_sign(young.cert, intA.key, EVP_sha256()) > 0);
	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &young);
	add_entry(b, "two.test", PINFAST_ROLE_LEAF, &young);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	policy = policy_made(b);
	cctx = pinned_ctx(policy, TLS1_3_VERSION);
	sctx = server_ctx(&young, &intA, TLS1_3_VERSION);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(cctx),
	    X509_V_FLAG_NO_CHECK_TIME);
	for (int i = 0; i < 3; i++) {
		struct pair p = join(cctx, sctx);

		SSL_set1_host(p.c, "pin.test");
		SSL_add1_host(p.c, "two.test");
		shake(&p);
		chat(&p);
		expect_row("young", &p, DENY, PINFAST_REASON_CERTIFICATE_DATES);
		part(&p);
	}
	identity_free(&young);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_likeness_of_what_was_seen_is_another),
	    cmocka_unit_test(a_seen_certificate_is_verified_again),
	    cmocka_unit_test(what_was_forgotten_is_hashed_again),
	    cmocka_unit_test(what_nobody_verified_is_not_kept),
	    cmocka_unit_test(what_was_seen_has_dates),
	    cmocka_unit_test(
	        an_unpinned_leaf_is_refused_before_anybody_verifies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
