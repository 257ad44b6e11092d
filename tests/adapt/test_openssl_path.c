/* The OpenSSL adapter: anchors of the policy, further paths, limits. */
#include "pair.h"

/* leafX under an intermediate that both roots signed. */
static const struct crossed {
	const char *name;
	const struct id *sent[3];
	enum pinfast_role role;
	const struct id *pinned;
	const struct id *rejected;
	int allow;
	int32_t reason;
} crosseds[] = {
    {"A first, A pinned", {&intXA, &intXB}, PINFAST_ROLE_ANY, &rootA, NULL,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"A first, B pinned", {&intXA, &intXB}, PINFAST_ROLE_ANY, &rootB, NULL,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"B first, A pinned", {&intXB, &intXA}, PINFAST_ROLE_CA, &rootA, NULL,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"B first, B pinned", {&intXB, &intXA}, PINFAST_ROLE_CA, &rootB, NULL,
        ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"only A sent, B pinned", {&intXA}, PINFAST_ROLE_ANY, &rootB, NULL, DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"nobody pinned", {&intXA, &intXB}, PINFAST_ROLE_ANY, &intA, NULL, DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"pinned root appended", {&intXA, &rootB}, PINFAST_ROLE_ANY, &rootB, NULL,
        DENY, PINFAST_REASON_PIN_MISMATCH},
    {"leaf pin misses: no search", {&intXA, &intXB}, PINFAST_ROLE_LEAF, &rootB,
        NULL, DENY, PINFAST_REASON_PIN_MISMATCH},
    {"A rejected, B is there", {&intXA, &intXB}, PINFAST_ROLE_ANY, &intXA,
        &rootA, ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"A rejected, only A is there", {&intXA}, PINFAST_ROLE_ANY, &intXA, &rootA,
        DENY, PINFAST_REASON_REJECTED_KEY},
    {"the intermediate rejected", {&intXA, &intXB}, PINFAST_ROLE_ANY, &rootB,
        &intXA, DENY, PINFAST_REASON_REJECTED_KEY},
    {"the leaf rejected", {&intXA, &intXB}, PINFAST_ROLE_ANY, &rootB, &leafX,
        DENY, PINFAST_REASON_REJECTED_KEY},
};

static struct pinfast *
policy_for(const struct crossed *t)
{
	struct pinfast_builder *b = begin_policy(1);

	if (t->rejected != NULL)
		pinfast_builder_reject(b, t->rejected->pin);
	add_entry(b, "pin.test", t->role, t->pinned);
	return policy_made(b);
}

static void
run_crossed(const struct crossed *t, int tls)
{
	struct pinfast *policy = policy_for(t);
	SSL_CTX *cctx = pinned_ctx(policy, tls);
	SSL_CTX *sctx = server_ctx(&leafX, NULL, tls);
	struct pair p;

	for (int i = 0; i < 3 && t->sent[i] != NULL; i++)
		SSL_CTX_add1_chain_cert(sctx, t->sent[i]->cert);
	p = join(cctx, sctx);
	attach(&p, "pin.test");
	shake(&p);
	chat(&p);
	expect_row(t->name, &p, t->allow, t->reason);
	/* The application sees the path that was judged. */
	if (t->allow && t->pinned == &rootB) {
		STACK_OF(X509) *chain = SSL_get0_verified_chain(p.c);
		int last = sk_X509_num(chain) - 1;

		assert_int_equal(X509_cmp(sk_X509_value(chain, last),
		                     rootB.cert),
		    0);
	}
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
one_valid_path_must_meet_the_whole_entry(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof crosseds / sizeof crosseds[0];
		     i++)
			run_crossed(&crosseds[i], versions[v]);
}

/* The same subject over and over: a search must end. */
static void
a_search_has_a_limit(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &rootB);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	SSL_CTX *sctx = server_ctx(&leafX, &intXA, TLS1_3_VERSION);
	struct pinfast_verdict verdict;
	struct id many[40];
	struct pair p;

	(void)state;
	memset(many, 0, sizeof many);
	/* Each says that root B issued it; none was. */
	for (int i = 0; i < 40; i++) {
		struct id liar = {rootB.cert, other.key, ""};

		many[i].key = intXA.key;
		EVP_PKEY_up_ref(intXA.key);
		certify(&many[i], "Int X", &liar, NULL, 30);
		SSL_CTX_add1_chain_cert(sctx, many[i].cert);
	}
	p = join(cctx, sctx);
	attach(&p, "pin.test");
	shake(&p);
	chat(&p);
	verdict = pinfast_openssl_result(p.c);
	expect(verdict, DENY, PINFAST_REASON_PATH_SEARCH_LIMIT);
	assert_int_equal(p.app, 0);
	part(&p);
	for (int i = 0; i < 40; i++) {
		X509_free(many[i].cert);
		EVP_PKEY_free(many[i].key);
	}
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
add_anchor(struct pinfast_builder *b, const struct id *id)
{
	struct pinfast_bytes bytes;
	uint8_t *der = NULL;

	bytes.len = (size_t)i2d_X509(id->cert, &der);
	bytes.data = der;
	assert_int_equal(pinfast_builder_anchor(b, bytes), 0);
	OPENSSL_free(der);
}

/* `trust: {ca-file}` replaces the application's anchors. */
static void
the_entrys_anchors_are_the_only_ones(void **state)
{
	static const struct {
		const char *name;
		const struct id *anchor, *pinned, *shown, *sent;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"its root", &rootA, &leaf, &leaf, &intA, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"an intermediate", &intA, &intA, &leaf, &intA, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"above the anchor", &intA, &rootA, &leaf, &intA, DENY,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"the application's root", &rootA, &evil, &evil, NULL, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"another root", &rootB, &leaf, &leaf, &intA, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"self-signed", &self, &leaf, &leaf, &intA, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_builder *b = begin_policy(1);
		struct scene s;

		add_entry(b, "pin.test", PINFAST_ROLE_ANY, rows[i].pinned);
		add_anchor(b, rows[i].anchor);
		s = set_scene(policy_made(b), rows[i].shown, rows[i].sent,
		    TLS1_3_VERSION);
		attach(&s.p, "pin.test");
		shake(&s.p);
		chat(&s.p);
		expect_row(rows[i].name, &s.p, rows[i].allow, rows[i].reason);
		end(&s);
	}
}

/* Renegotiation may show another certificate (TLS 1.2). */
static void
a_renegotiation_is_judged_again(void **state)
{
	const struct id *const second[] = {&leaf, &evil, &other};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct scene s = ordinary_scene(TLS1_2_VERSION);

		attach(&s.p, "pin.test");
		shake(&s.p);
		chat(&s.p);
		assert_int_equal(s.p.app, 16);
		SSL_use_certificate(s.p.s, second[i]->cert);
		SSL_use_PrivateKey(s.p.s, second[i]->key);
		SSL_set_options(s.p.s,
		    SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
		SSL_renegotiate(s.p.s);
		for (int n = 0; n < 6; n++) {
			char buffer[16];

			(void)SSL_do_handshake(s.p.s);
			(void)SSL_read(s.p.c, buffer, sizeof buffer);
			drain(&s.p);
		}
		ERR_clear_error();
		chat(&s.p);
		expect(pinfast_openssl_result(s.p.c), i == 0,
		    i == 0 ? PINFAST_REASON_PIN_MATCHED
		           : PINFAST_REASON_PIN_MISMATCH);
		assert_int_equal(s.p.app, i == 0 ? 32 : 16);
		end(&s);
	}
}

static int answers;

/* The application's own verification, which takes its time. */
static int
later(X509_STORE_CTX *xs, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(xs,
	    SSL_get_ex_data_X509_STORE_CTX_idx());

	(void)arg;
	if (answers++ == 0)
		return SSL_set_retry_verify(ssl);
	return X509_verify_cert(xs);
}

static int
blind(X509_STORE_CTX *xs, void *arg)
{
	(void)xs, (void)arg;
	return 1;
}

static void
the_applications_own_verification_goes_first(void **state)
{
	static const struct {
		const char *name;
		int (*verify)(X509_STORE_CTX *xs, void *arg);
		const struct id *shown;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"later", later, &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED},
	    {"later, impostor", later, &evil, DENY,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"blind", blind, &leaf, DENY, PINFAST_REASON_NOT_VERIFIED},
	    {"blind, impostor", blind, &evil, DENY,
	        PINFAST_REASON_NOT_VERIFIED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_openssl_next next = {0};
		struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &leaf);
		SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
		SSL_CTX *sctx =
		    server_ctx(rows[i].shown, &intA, TLS1_3_VERSION);
		struct pair p;

		next.verify = rows[i].verify;
		answers = 0;
		assert_int_equal(pinfast_openssl_init(cctx, policy, &next,
		                     NULL),
		    0);
		p = join(cctx, sctx);
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

/* A copy of a connection, and one SSL for one connection after another. */
static void
copies_and_reused_objects_are_judged_anew(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	SSL_CTX *good = server_ctx(&leaf, &intA, TLS1_3_VERSION);
	SSL_CTX *bad = server_ctx(&evil, NULL, TLS1_3_VERSION);
	struct pair p = join(cctx, bad);
	BIO *one, *two;
	SSL *copy;

	(void)state;
	attach(&p, "pin.test");
	copy = SSL_dup(p.c);
	assert_non_null(copy);
	SSL_free(p.c);
	p.c = copy;
	BIO_new_bio_pair(&one, 65536, &two, 65536);
	SSL_set_bio(p.c, one, one);
	SSL_set_bio(p.s, two, two);
	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 0);
	expect(pinfast_openssl_result(p.c), DENY, PINFAST_REASON_PIN_MISMATCH);
	part(&p);
	/* One SSL, twice: the second time it meets the impostor. */
	p = join(cctx, good);
	attach(&p, "pin.test");
	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 16);
	expect(pinfast_openssl_result(p.c), ALLOW, PINFAST_REASON_PIN_MATCHED);
	SSL_free(p.s);
	SSL_clear(p.c);
	SSL_set_session(p.c, NULL);
	p.s = SSL_new(bad);
	SSL_set_accept_state(p.s);
	SSL_set_connect_state(p.c);
	BIO_new_bio_pair(&one, 65536, &two, 65536);
	SSL_set_bio(p.c, one, one);
	SSL_set_bio(p.s, two, two);
	p.app = 0;
	expect(pinfast_openssl_result(p.c), DENY, PINFAST_REASON_NOT_JUDGED);
	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 0);
	expect(pinfast_openssl_result(p.c), DENY, PINFAST_REASON_PIN_MISMATCH);
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(good);
	SSL_CTX_free(bad);
	pinfast_free(policy);
}

static int
count_and_verify(X509_STORE_CTX *xs, void *arg)
{
	++*(int *)arg;
	return X509_verify_cert(xs);
}

/* SSL_set_SSL_CTX() after attaching: the first SSL_CTX may be gone. */
static void
a_changed_ssl_ctx_is_the_one_that_counts(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &rootA);
	SSL_CTX *made = bare_ctx(TLS1_3_VERSION);
	SSL_CTX *first = pinned_ctx(policy, TLS1_3_VERSION);
	SSL_CTX *second = bare_ctx(TLS1_3_VERSION);
	SSL_CTX *sctx = server_ctx(&leaf, &intA, TLS1_3_VERSION);
	struct pinfast_openssl_next next = {0};
	struct pair p = join(made, sctx);
	int count = 0;

	(void)state;
	next.verify = count_and_verify;
	next.verify_arg = &count;
	assert_int_equal(pinfast_openssl_init(second, policy, &next, NULL), 0);
	SSL_set_SSL_CTX(p.c, first);
	attach(&p, "pin.test");
	SSL_set_SSL_CTX(p.c, second);
	SSL_CTX_free(first);
	shake(&p);
	expect(pinfast_openssl_result(p.c), ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(count, 1);
	part(&p);
	SSL_CTX_free(made);
	SSL_CTX_free(second);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

/* A record that names a certificate; preset: SSL_set_verify_result(). */
static struct pinfast_verdict
shake_with_dane(struct pinfast *policy, SSL_CTX *sctx, uint8_t usage,
    X509 *cert, long preset)
{
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	struct pinfast_verdict verdict;
	struct pair p;

	assert_true(len > 0);
	assert_true(SSL_CTX_dane_enable(cctx) > 0);
	p = join(cctx, sctx);
	assert_true(SSL_dane_enable(p.c, "pin.test") > 0);
	SSL_dane_set_flags(p.c, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	assert_int_equal(SSL_dane_tlsa_add(p.c, usage, 0, 0, der, (size_t)len),
	    1);
	attach(&p, "pin.test");
	SSL_set_verify_result(p.c, preset);
	shake(&p);
	verdict = pinfast_openssl_result(p.c);
	part(&p);
	OPENSSL_free(der);
	SSL_CTX_free(cctx);
	return verdict;
}

/* What an SSL said before, of its last connection or told by hand: OpenSSL
 * hides from whoever asks that DANE has matched, unless it was X509_V_OK. */
static const long presets[] = {
    X509_V_OK, X509_V_ERR_UNSPECIFIED, X509_V_ERR_CERT_HAS_EXPIRED, -1};

/* DANE says that root A must be in the path: no way around it is found. */
static void
a_further_path_does_not_get_around_dane(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_ANY, &rootB);
	SSL_CTX *sctx = server_ctx(&leafX, &intXA, TLS1_3_VERSION);

	(void)state;
	SSL_CTX_add1_chain_cert(sctx, intXB.cert);
	for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
		expect(shake_with_dane(policy, sctx, 0, rootA.cert, presets[i]),
		    DENY, PINFAST_REASON_PIN_MISMATCH);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

/* A record stands in for the chain of an impostor who has the pinned key's
 * certificate signed by nobody: pins ask for a verified path. */
static void
what_dane_vouches_for_is_not_verified(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &self);
	SSL_CTX *sctx = server_ctx(&self, NULL, TLS1_3_VERSION);
	struct pinfast *rooted = policy_of(PINFAST_ROLE_ANY, &leaf);
	SSL_CTX *chain = server_ctx(&leaf, &intA, TLS1_3_VERSION);

	(void)state;
	for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
		expect(shake_with_dane(policy, sctx, 3, self.cert, presets[i]),
		    DENY, PINFAST_REASON_NOT_VERIFIED);
		expect(shake_with_dane(rooted, chain, 2, intA.cert, presets[i]),
		    DENY, PINFAST_REASON_NOT_VERIFIED);
		expect(shake_with_dane(rooted, chain, 1, leaf.cert, presets[i]),
		    ALLOW, PINFAST_REASON_PIN_MATCHED);
	}
	SSL_CTX_free(sctx);
	SSL_CTX_free(chain);
	pinfast_free(policy);
	pinfast_free(rooted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_valid_path_must_meet_the_whole_entry),
	    cmocka_unit_test(a_search_has_a_limit),
	    cmocka_unit_test(the_entrys_anchors_are_the_only_ones),
	    cmocka_unit_test(a_renegotiation_is_judged_again),
	    cmocka_unit_test(the_applications_own_verification_goes_first),
	    cmocka_unit_test(copies_and_reused_objects_are_judged_anew),
	    cmocka_unit_test(a_changed_ssl_ctx_is_the_one_that_counts),
	    cmocka_unit_test(a_further_path_does_not_get_around_dane),
	    cmocka_unit_test(what_dane_vouches_for_is_not_verified),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
