/* The wolfSSL adapter is closed by a process that goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "pinfast.h"

/* What struct pinfast_wolfssl_next is does not matter: it is NULL. */
typedef enum pinfast_error init_function(WOLFSSL_CTX *, struct pinfast *,
    const void *, struct pinfast_diag *);
typedef void fini_function(WOLFSSL_CTX *);

static void
use_and_close(WOLFSSL_CTX *ctx, struct pinfast *policy)
{
	void *adapter = dlopen("libpinfast-wolfssl.so.0", RTLD_NOW);
	init_function *init;
	fini_function *fini;
	void *found;

	if (adapter == NULL)
		fail_msg("%s", dlerror());
	found = dlsym(adapter, "pinfast_wolfssl_init");
	assert_non_null(found);
	memcpy(&init, &found, sizeof init);
	found = dlsym(adapter, "pinfast_wolfssl_fini");
	assert_non_null(found);
	memcpy(&fini, &found, sizeof fini);
	assert_int_equal(init(ctx, policy, NULL, NULL), PINFAST_OK);
	fini(ctx);
	wolfSSL_CTX_free(ctx);
	assert_int_equal(dlclose(adapter), 0);
}

/* It asks whatever device there is. */
static void
wolfssl_goes_on_without_the_adapter(void **state)
{
	uint8_t hash[WC_SHA256_DIGEST_SIZE];
	struct pinfast *policy;

	(void)state;
	assert_int_equal(wolfSSL_Init(), WOLFSSL_SUCCESS);
	assert_int_equal(pinfast_new(NULL, &policy), PINFAST_OK);
	for (int again = 0; again < 2; again++) {
		use_and_close(wolfSSL_CTX_new(wolfTLS_client_method()), policy);
		assert_int_equal(wc_Sha256Hash((const uint8_t *)"abc", 3, hash),
		    0);
		assert_int_equal(hash[0], 0xba);
	}
	pinfast_free(policy);
	wolfSSL_Cleanup();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wolfssl_goes_on_without_the_adapter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
