/* The OpenSSL adapter in applications that have their own ideas. */
#include "pair.h"

/* ------------------------------------------------- their own verification */

static int
forgive(int ok, X509_STORE_CTX *xs)
{
	(void)ok;
	(void)xs;
	return 1;
}

static int
forgive_and_hide(int ok, X509_STORE_CTX *xs)
{
	(void)ok;
	X509_STORE_CTX_set_error(xs, X509_V_OK);
	return 1;
}

static int
pass_on(int ok, X509_STORE_CTX *xs)
{
	(void)xs;
	return ok;
}

static int
just_verify(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	return X509_verify_cert(xs);
}

static int
verify_forgiving(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(xs, forgive);
	return X509_verify_cert(xs);
}

static int
verify_hiding(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(xs, forgive_and_hide);
	return X509_verify_cert(xs);
}

static int
verify_watching(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(xs, pass_on);
	return X509_verify_cert(xs);
}

static int
verify_in_vain(X509_STORE_CTX *xs, void *arg)
{
	const int *hides = arg;

	(void)X509_verify_cert(xs);
	if (*hides)
		X509_STORE_CTX_set_error(xs, X509_V_OK);
	return 1;
}

/* It fails without asking any callback. */
static int
verify_out_of_memory(X509_STORE_CTX *xs, void *arg)
{
	(void)arg;
	(void)X509_verify_cert(xs);
	X509_STORE_CTX_set_error(xs, X509_V_ERR_OUT_OF_MEM);
	return 1;
}

static int no = 0, yes = 1;

static const struct own_row {
	const char *name;
	int (*verify)(X509_STORE_CTX *xs, void *arg);
	void *arg;
	const struct id *shown; /* and pinned */
	int allow;
	int32_t reason;
} own_rows[] = {
    {"honest", just_verify, NULL, &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"nobody's", just_verify, NULL, &self, DENY, PINFAST_REASON_PKIX_FAILED},
    {"ignored", verify_in_vain, &no, &self, DENY, PINFAST_REASON_NOT_VERIFIED},
    {"ignored, hidden", verify_in_vain, &yes, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"behind another callback", verify_forgiving, NULL, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"hidden behind another callback", verify_hiding, NULL, &self, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    /* Nobody can tell it from the last. */
    {"watched by another callback", verify_watching, NULL, &leaf, DENY,
        PINFAST_REASON_NOT_VERIFIED},
    {"failed without a callback", verify_out_of_memory, NULL, &leaf, DENY,
        PINFAST_REASON_NOT_VERIFIED},
};

/* self is nobody's, but its name is right. */
static int
rename_self(void **state)
{
	if (make_everybody(state) != 0)
		return 1;
	identity_free(&self);
	self.key = NULL;
	certify(&self, "self", NULL, "DNS:pin.test", 30);
	return 0;
}

static void
what_an_own_verification_forgave_is_not_verified(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof own_rows / sizeof own_rows[0]; i++) {
		const struct own_row *r = &own_rows[i];
		struct pinfast_openssl_next next = {
		    .verify = r->verify, .verify_arg = r->arg};
		struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, r->shown);
		SSL_CTX *cctx = bare_ctx(TLS1_3_VERSION);
		SSL_CTX *sctx = server_ctx(r->shown, &intA, TLS1_3_VERSION);
		struct pair p;

		assert_int_equal(pinfast_openssl_init(cctx, policy, &next,
		                     NULL),
		    0);
		p = attached(cctx, sctx, "pin.test");
		shake(&p);
		chat(&p);
		expect_row(r->name, &p, r->allow, r->reason);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_an_own_verification_forgave_is_not_verified),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, rename_self, free_everybody);
}
