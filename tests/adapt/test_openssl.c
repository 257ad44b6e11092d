/* The OpenSSL adapter: full handshakes, and ways around the judge. */
#include "pair.h"

struct setting {
	const char *name;
	enum pinfast_role role;
	const struct id *pinned;
	const struct id *shown, *sent;
	const char *host;
	int allow;
	int32_t reason;
};

static const struct setting settings[] = {
    {"leaf", PINFAST_ROLE_LEAF, &leaf, &leaf, &intA, "pin.test", ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"intermediate", PINFAST_ROLE_CA, &intA, &leaf, &intA, "pin.test", ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"root that was not sent", PINFAST_ROLE_ANY, &rootA, &leaf, &intA,
        "PIN.test.", ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"not listed", PINFAST_ROLE_LEAF, &evil, &leaf, &intA, "two.test", ALLOW,
        PINFAST_REASON_UNLISTED},
    {"another trusted root", PINFAST_ROLE_ANY, &rootA, &evil, NULL, "pin.test",
        DENY, PINFAST_REASON_PIN_MISMATCH},
    {"pinned intermediate appended", PINFAST_ROLE_ANY, &intA, &evil, &intA,
        "pin.test", DENY, PINFAST_REASON_PIN_MISMATCH},
    {"pinned leaf appended", PINFAST_ROLE_ANY, &leaf, &evil, &leaf, "pin.test",
        DENY, PINFAST_REASON_PIN_MISMATCH},
    {"pinned root appended", PINFAST_ROLE_ANY, &rootA, &evil, &rootA,
        "pin.test", DENY, PINFAST_REASON_PIN_MISMATCH},
    {"ca pin on the leaf", PINFAST_ROLE_CA, &leaf, &leaf, &intA, "pin.test",
        DENY, PINFAST_REASON_PIN_MISMATCH},
    {"leaf pin on the root", PINFAST_ROLE_LEAF, &rootA, &leaf, &intA,
        "pin.test", DENY, PINFAST_REASON_PIN_MISMATCH},
    {"rejected root", PINFAST_ROLE_REJECT, &rootA, &leaf, &intA, "pin.test",
        DENY, PINFAST_REASON_REJECTED_KEY},
    {"another name of the pinned CA", PINFAST_ROLE_ANY, &intA, &other, &intA,
        "pin.test", DENY, PINFAST_REASON_PKIX_FAILED},
    {"self-signed with the pinned key", PINFAST_ROLE_ANY, &self, &self, NULL,
        "pin.test", DENY, PINFAST_REASON_PKIX_FAILED},
    {"incomplete chain", PINFAST_ROLE_ANY, &leaf, &leaf, NULL, "pin.test", DENY,
        PINFAST_REASON_PKIX_FAILED},
};

static void
run_setting(const struct setting *t, int tls)
{
	struct scene s =
	    set_scene(policy_of(t->role, t->pinned), t->shown, t->sent, tls);
	struct pinfast_verdict verdict;
	char why[600];

	attach(&s.p, t->host);
	expect(pinfast_openssl_result(s.p.c), DENY, PINFAST_REASON_NOT_JUDGED);
	shake(&s.p);
	verdict = pinfast_openssl_result(s.p.c);
	if (t->allow != (verdict.decision == PINFAST_ALLOW) ||
	    verdict.reason != t->reason || s.p.shaken != t->allow)
		fail_msg("%s: %s", t->name,
		    pinfast_reason_name(verdict.reason));
	chat(&s.p);
	assert_int_equal(s.p.app, t->allow ? 16 : 0);
	if (!t->allow) {
		pinfast_openssl_explain(s.p.c, why, sizeof why);
		assert_non_null(strstr(why, "pin.test"));
	}
	end(&s);
}

static void
only_the_verified_path_counts(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof settings / sizeof settings[0];
		     i++)
			run_setting(&settings[i], versions[v]);
}

/* What an application may do to its connection between attaching and result.
 */
struct way {
	const char *name;
	void (*before)(SSL_CTX *ctx, SSL *ssl);
	const struct id *shown;
	int allow;
	int32_t reason;
	size_t app;
};

static int
yes(X509_STORE_CTX *xs, void *arg)
{
	(void)xs, (void)arg;
	return 1;
}

static void
silence(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
}

static int
forgive(int ok, X509_STORE_CTX *xs)
{
	(void)ok, (void)xs;
	return 1;
}

static int
never(int ok, X509_STORE_CTX *xs)
{
	(void)ok;
	X509_STORE_CTX_set_error(xs, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static void
nothing(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx, (void)ssl;
}

static void
overwrite_verify(SSL_CTX *ctx, SSL *ssl)
{
	(void)ssl;
	SSL_CTX_set_cert_verify_callback(ctx, yes, NULL);
}

static void
overwrite_info(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx;
	SSL_set_info_callback(ssl, silence);
}

static void
no_verification(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx;
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
}

static void
forgiving(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, forgive);
}

static void
refusing(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, never);
}

static void
another_reference(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx;
	SSL_set1_host(ssl, "other.test");
}

static void
two_references(SSL_CTX *ctx, SSL *ssl)
{
	(void)ctx;
	SSL_add1_host(ssl, "other.test");
}

static const struct way ways[] = {
    {"none", nothing, &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED, 16},
    {"verify callback replaced", overwrite_verify, &leaf, DENY,
        PINFAST_REASON_NO_CERTIFICATE, 0},
    {"verify callback replaced, impostor", overwrite_verify, &evil, DENY,
        PINFAST_REASON_NO_CERTIFICATE, 0},
    {"info callback replaced", overwrite_info, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED, 16},
    {"info callback replaced, impostor", overwrite_info, &evil, DENY,
        PINFAST_REASON_PIN_MISMATCH, 0},
    {"verification off", no_verification, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED, 16},
    {"verification off, impostor", no_verification, &evil, DENY,
        PINFAST_REASON_PIN_MISMATCH, 0},
    {"verification off, nobody's", no_verification, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED, 0},
    {"forgiving callback", forgiving, &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED,
        16},
    {"forgiving callback, impostor", forgiving, &evil, DENY,
        PINFAST_REASON_PIN_MISMATCH, 0},
    {"forgiving callback, nobody's", forgiving, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED, 0},
    {"forgiving callback, another name", forgiving, &other, DENY,
        PINFAST_REASON_NOT_VERIFIED, 0},
    {"refusing callback", refusing, &leaf, DENY, PINFAST_REASON_PKIX_FAILED, 0},
    {"another reference", another_reference, &leaf, DENY,
        PINFAST_REASON_PKIX_FAILED, 0},
    {"another reference, its leaf", another_reference, &other, DENY,
        PINFAST_REASON_PKIX_FAILED, 0},
    {"two references, the other's leaf", two_references, &other, DENY,
        PINFAST_REASON_PKIX_FAILED, 0},
};

static void
run_way(const struct way *w, int tls)
{
	/* other's key is pinned, too: names must do the refusing. */
	struct pinfast_builder *b = begin_policy(1);
	struct scene s;
	struct pinfast_verdict verdict;

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, other.pin);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, self.pin);
	s = set_scene(policy_made(b), w->shown, &intA, tls);
	attach(&s.p, "pin.test");
	w->before(s.cctx, s.p.c);
	shake(&s.p);
	chat(&s.p); /* without asking */
	verdict = pinfast_openssl_result(s.p.c);
	if (w->allow != (verdict.decision == PINFAST_ALLOW) ||
	    verdict.reason != w->reason || s.p.app != w->app)
		fail_msg("%s: %s, %zu bytes", w->name,
		    pinfast_reason_name(verdict.reason), s.p.app);
	end(&s);
}

static void
nothing_an_application_does_lets_bytes_out(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
			run_way(&ways[i], versions[v]);
}

static void
a_cipher_without_certificates_is_refused(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_2_VERSION);
	SSL_CTX *sctx = server_ctx(&leaf, &intA, TLS1_2_VERSION);
	struct pair p;

	(void)state;
	SSL_CTX_set_cipher_list(cctx, "aNULL:@SECLEVEL=0");
	SSL_CTX_set_cipher_list(sctx, "aNULL:@SECLEVEL=0");
	SSL_CTX_set_dh_auto(sctx, 1);
	p = join(cctx, sctx);
	attach(&p, "pin.test");
	shake(&p);
	assert_true(p.shaken);
	chat(&p);
	assert_int_equal(p.app, 0);
	expect(pinfast_openssl_result(p.c), DENY,
	    PINFAST_REASON_NO_CERTIFICATE);
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

/* Names that are learned: what the SSL verifies and what it asks for. */
static const struct learned {
	const char *name;
	const char *verify, *address, *sni;
	const struct id *shown;
	int allow;
	int32_t reason;
} learneds[] = {
    {"verify host", "pin.test", NULL, NULL, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"verify host, impostor", "pin.test", NULL, NULL, &evil, DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"SNI alone", NULL, NULL, "pin.test", &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"SNI alone, impostor", NULL, NULL, "pin.test", &evil, DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"SNI alone, another's leaf", NULL, NULL, "pin.test", &other, DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"pinned SNI behind another host", "two.test", NULL, "pin.test", &evil,
        DENY, PINFAST_REASON_PIN_MISMATCH},
    {"pinned host behind another SNI", "pin.test", NULL, "two.test", &evil,
        DENY, PINFAST_REASON_PIN_MISMATCH},
    {"address", NULL, "192.0.2.7", NULL, &leaf, ALLOW, PINFAST_REASON_UNLISTED},
    {"address, no such SAN", NULL, "192.0.2.7", NULL, &evil, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"nothing", NULL, NULL, NULL, &leaf, DENY, PINFAST_REASON_HOST_UNKNOWN},
    {"invalid name", ".pin.test", NULL, NULL, &leaf, DENY,
        PINFAST_REASON_HOST_INVALID},
};

static void
run_learned(const struct learned *t, int attached)
{
	struct scene s = set_scene(policy_of(PINFAST_ROLE_LEAF, &leaf),
	    t->shown, &intA, TLS1_3_VERSION);

	if (attached)
		attach(&s.p, NULL);
	if (t->verify != NULL)
		SSL_set1_host(s.p.c, t->verify);
	if (t->address != NULL)
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s.p.c),
		    t->address);
	if (t->sni != NULL) {
		char sni[64];

		snprintf(sni, sizeof sni, "%s", t->sni);
		SSL_set_tlsext_host_name(s.p.c, sni);
	}
	shake(&s.p);
	chat(&s.p);
	expect_row(t->name, &s.p, t->allow, t->reason);
	end(&s);
}

static void
every_name_it_goes_by_must_allow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof learneds / sizeof learneds[0]; i++) {
		run_learned(&learneds[i], 0);
		run_learned(&learneds[i], 1);
	}
}

static void
attaching_refuses_what_nobody_would_check(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	SSL_CTX *bare = bare_ctx(TLS1_3_VERSION);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	SSL_CTX *sctx = server_ctx(&leaf, &intA, TLS1_3_VERSION);
	struct pinfast_diag diag = {0};
	struct pair p = join(bare, sctx);

	(void)state;
	assert_int_equal(pinfast_openssl_attach(p.c, "pin.test", 1, &diag),
	    PINFAST_EUSAGE);
	assert_non_null(strstr(diag.text, "pinfast_openssl_init"));
	expect(pinfast_openssl_result(p.c), DENY, PINFAST_REASON_NOT_JUDGED);
	part(&p);
	assert_int_equal(pinfast_openssl_init(cctx, policy, NULL, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_openssl_init(NULL, policy, NULL, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_openssl_init(bare, NULL, NULL, NULL),
	    PINFAST_EUSAGE);
	p = join(cctx, sctx);
	assert_int_equal(pinfast_openssl_attach(p.c, "not a host", 1, NULL),
	    PINFAST_EHOST);
	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 0);
	expect(pinfast_openssl_result(p.c), DENY, PINFAST_REASON_HOST_INVALID);
	assert_int_equal(pinfast_openssl_attach(p.c, "pin.test", 1, NULL),
	    PINFAST_EUSAGE);
	part(&p);
	p = join(cctx, sctx);
	SSL_set_verify(p.c, SSL_VERIFY_NONE, NULL);
	assert_int_equal(pinfast_openssl_attach(p.c, "pin.test", 1, &diag),
	    PINFAST_EUNSAFE);
	assert_non_null(strstr(diag.text, "SSL_VERIFY_PEER"));
	shake(&p);
	chat(&p);
	assert_int_equal(p.app, 0);
	part(&p);
	SSL_CTX_free(bare);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static void
a_pin_can_replace_the_chain(void **state)
{
	const struct id *const shown[] = {&self, &evil, &leaf};

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct pinfast_builder *b = begin_policy(1);
		struct scene s;

		add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &self);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
		s = set_scene(policy_made(b), shown[i / 2], NULL,
		    versions[i & 1]);
		SSL_set_verify(s.p.c, SSL_VERIFY_NONE, NULL);
		attach(&s.p, "pin.test");
		shake(&s.p);
		chat(&s.p);
		expect(pinfast_openssl_result(s.p.c), i < 2,
		    i < 2 ? PINFAST_REASON_PIN_MATCHED
		          : PINFAST_REASON_PIN_MISMATCH);
		assert_int_equal(s.p.app, i < 2 ? 16 : 0);
		end(&s);
	}
}

static int infos;

static void
count_info(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
	infos++;
}

/* The application's own callbacks go on being called. */
static void
info_callbacks_are_chained(void **state)
{
	(void)state;
	for (int own = 0; own < 3; own++) {
		struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
		SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
		SSL_CTX *sctx = server_ctx(&leaf, &intA, TLS1_3_VERSION);
		struct pair p;

		if (own < 2)
			SSL_CTX_set_info_callback(cctx, count_info);
		assert_int_equal(pinfast_openssl_init(cctx, policy, NULL, NULL),
		    0);
		p = join(cctx, sctx);
		if (own == 2)
			SSL_set_info_callback(p.c, count_info);
		if (own > 0)
			attach(&p, "pin.test");
		else
			SSL_set1_host(p.c, "pin.test");
		infos = 0;
		shake(&p);
		assert_true(infos > 0);
		expect(pinfast_openssl_result(p.c), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

/* Other kinds of keys: RSA has NULL parameters, Ed25519 none. */
static void
every_kind_of_key_is_read_as_openssl_reads_it(void **state)
{
	static const char *const kinds[] = {"RSA", "ED25519", "P-384"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct id id = {0};
		struct pinfast *policy;
		SSL_CTX *cctx, *sctx;
		struct pair p;

		id.key = i == 0   ? EVP_RSA_gen(2048)
		         : i == 1 ? EVP_PKEY_Q_keygen(NULL, NULL, kinds[i])
		                  : EVP_EC_gen(kinds[i]);
		assert_non_null(id.key);
		certify(&id, "another kind", &intA, "DNS:pin.test", 3);
		policy = policy_of(PINFAST_ROLE_LEAF, &id);
		cctx = pinned_ctx(policy, TLS1_3_VERSION);
		sctx = server_ctx(&id, &intA, TLS1_3_VERSION);
		p = join(cctx, sctx);
		attach(&p, "pin.test");
		shake(&p);
		chat(&p);
		expect(pinfast_openssl_result(p.c), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(p.app, 16);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
		X509_free(id.cert);
		EVP_PKEY_free(id.key);
	}
}

/* The refusal stands in OpenSSL's error queue, and in the verify result. */
static void
a_refusal_is_told_the_way_openssl_tells_errors(void **state)
{
	struct scene s = set_scene(policy_of(PINFAST_ROLE_LEAF, &leaf), &evil,
	    NULL, TLS1_3_VERSION);
	const char *data;
	char text[600], short_text[8];
	unsigned long code;
	int flags, done = 0;

	(void)state;
	pinfast_openssl_explain(s.p.c, text, sizeof text);
	assert_string_equal(text, "nothing has judged this connection");
	assert_int_equal(pinfast_openssl_explain(NULL, short_text, 8),
	    strlen(text));
	assert_string_equal(short_text, "nothing");
	assert_int_equal(pinfast_openssl_explain(NULL, NULL, 0), strlen(text));
	assert_null(pinfast_openssl_conn(NULL));
	attach(&s.p, "pin.test");
	assert_non_null(pinfast_openssl_conn(s.p.c));
	ERR_clear_error();
	for (int i = 0; i < 6 && !done; i++) {
		done = SSL_do_handshake(s.p.c) != 1 &&
		       SSL_get_error(s.p.c, -1) == SSL_ERROR_SSL;
		if (!done)
			(void)SSL_do_handshake(s.p.s);
	}
	code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
	assert_string_equal(ERR_lib_error_string(code), "pinfast");
	assert_string_equal(ERR_reason_error_string(code),
	    pinfast_reason_text(PINFAST_REASON_PIN_MISMATCH));
	assert_non_null(strstr(data, evil.pin));
	assert_non_null(strstr(data, leaf.pin));
	assert_int_equal(SSL_get_verify_result(s.p.c),
	    0x50494e00 + PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_openssl_result(NULL), DENY, PINFAST_REASON_NOT_JUDGED);
	expect(pinfast_openssl_recheck(NULL, "a", 1), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	end(&s);
}

static void
an_address_is_a_reference_too(void **state)
{
	const struct id *const shown[] = {&leaf, &evil};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pinfast_builder *b = begin_policy(1);
		struct scene s;

		add_entry(b, "192.0.2.7", PINFAST_ROLE_LEAF, shown[i]);
		s = set_scene(policy_made(b), shown[i], &intA, TLS1_3_VERSION);
		SSL_set1_host(s.p.c, "pin.test"); /* replaced */
		attach(&s.p, "192.0.2.7");
		assert_null(SSL_get_servername(s.p.c,
		    TLSEXT_NAMETYPE_host_name));
		shake(&s.p);
		chat(&s.p);
		expect(pinfast_openssl_result(s.p.c), i == 0,
		    i == 0 ? PINFAST_REASON_PIN_MATCHED
		           : PINFAST_REASON_PKIX_FAILED);
		assert_int_equal(s.p.app, i == 0 ? 16 : 0);
		end(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_verified_path_counts),
	    cmocka_unit_test(nothing_an_application_does_lets_bytes_out),
	    cmocka_unit_test(a_cipher_without_certificates_is_refused),
	    cmocka_unit_test(every_name_it_goes_by_must_allow),
	    cmocka_unit_test(attaching_refuses_what_nobody_would_check),
	    cmocka_unit_test(a_pin_can_replace_the_chain),
	    cmocka_unit_test(info_callbacks_are_chained),
	    cmocka_unit_test(every_kind_of_key_is_read_as_openssl_reads_it),
	    cmocka_unit_test(a_refusal_is_told_the_way_openssl_tells_errors),
	    cmocka_unit_test(an_address_is_a_reference_too),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
