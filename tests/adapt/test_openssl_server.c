/* The OpenSSL adapter on a server: which clients may come. */
#define _GNU_SOURCE
#include "door.h"

#include <dlfcn.h>
#include <time.h>

static time_t clock_ahead; /* seconds */

/* In the place of the C library's, also for the libraries. */
__attribute__((visibility("default"))) time_t
time(time_t *out)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += clock_ahead;
	if (out != NULL)
		*out = at.tv_sec;
	return at.tv_sec;
}

static const struct visitor {
	const char *name;
	const struct id *shown;
	const char *label;
	int allow;
	int32_t reason;
} visitors[] = {
    {"the partner", &client, "partner", ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"a stranger of the same CA", &stranger, "partner", DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"somebody's own certificate", &self, "partner", DENY,
        PINFAST_REASON_PIN_MISMATCH},
    {"a client without certificate", NULL, "partner", DENY,
        PINFAST_REASON_NOT_JUDGED},
    {"the partner under another label", &client, "somebody", DENY,
        PINFAST_REASON_CLIENT_UNLISTED},
};

static void
only_pinned_clients_are_served(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof visitors / sizeof visitors[0]; i++) {
		const struct visitor *v = &visitors[i / 2];
		struct door d = open_door(v->shown, versions[i & 1]);
		struct pinfast_verdict verdict = visit(&d, v->label);

		if ((verdict.decision == PINFAST_ALLOW) != v->allow ||
		    verdict.reason != v->reason ||
		    d.app != (v->allow ? 16U : 0U))
			fail_msg("%s: %s, %zu bytes", v->name,
			    pinfast_reason_name(verdict.reason), d.app);
		close_door(&d);
	}
}

/* A server that forgets to attach serves nobody who must show a key. */
static void
a_forgotten_attach_serves_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct door d = open_door(&client, versions[i]);

		SSL_CTX_set_verify(d.sctx, SSL_VERIFY_PEER, NULL);
		expect(visit(&d, NULL), DENY, PINFAST_REASON_NOT_JUDGED);
		assert_int_equal(d.app, 0);
		close_door(&d);
	}
}

/* Between the first visit and the second. */
static const struct again {
	const char *name;
	int stateful; /* sessions in the server's cache, not in tickets */
	int renewed;  /* a new policy, the same pin */
	int withdrawn;
	int rejected; /* and the policy rejects some other key */
	const char *label;
	int resumed;
	int allow;
} agains[] = {
    {"ticket", 0, 0, 0, 0, "partner", 1, ALLOW},
    {"cache", 1, 0, 0, 0, "partner", 1, ALLOW},
    {"ticket, renewed policy", 0, 1, 0, 0, "partner", 1, ALLOW},
    {"cache, renewed policy", 1, 1, 0, 0, "partner", 1, ALLOW},
    {"ticket, new reject list", 0, 1, 0, 1, "partner", 0, ALLOW},
    {"cache, new reject list", 1, 1, 0, 1, "partner", 0, ALLOW},
    {"ticket, withdrawn pin", 0, 0, 1, 0, "partner", 0, DENY},
    {"cache, withdrawn pin", 1, 0, 1, 0, "partner", 0, DENY},
    {"ticket, another label", 0, 0, 0, 0, "somebody", 0, DENY},
    {"cache, another label", 1, 0, 0, 0, "somebody", 0, DENY},
};

static void
run_again(const struct again *t, int tls)
{
	struct door d = open_door(&client, tls);
	struct pinfast_verdict verdict;

	if (t->stateful)
		SSL_CTX_set_options(d.sctx, SSL_OP_NO_TICKET);
	expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(d.app, 16);
	assert_int_equal(d.resumed, 0);
	if (t->renewed)
		replace_partner(d.policy, &client, t->rejected ? &evil : NULL);
	if (t->withdrawn)
		replace_partner(d.policy, &stranger, NULL);
	verdict = visit(&d, t->label);
	if ((verdict.decision == PINFAST_ALLOW) != t->allow ||
	    d.app != (t->allow ? 16U : 0U) || d.resumed != t->resumed)
		fail_msg("%s, %x: %s, resumed %d, %zu bytes", t->name, tls,
		    pinfast_reason_name(verdict.reason), d.resumed, d.app);
	close_door(&d);
}

static void
a_clients_session_is_judged_again(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof agains / sizeof agains[0]; i++)
			run_again(&agains[i], versions[v]);
}

/* The clock was put back: a session of the future has a tag that does not
 * pass.  OpenSSL resumes it out of its cache without asking anybody; it is
 * refused then, and the next handshake is a full one.  In TLS 1.3 a client
 * would not offer it. */
static void
a_cached_session_is_refused_once_at_most(void **state)
{
	struct door d = open_door(&client, TLS1_2_VERSION);
	SSL_SESSION *same;

	(void)state;
	SSL_CTX_set_options(d.sctx, SSL_OP_NO_TICKET);
	expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
	same = d.session;
	assert_int_equal(SSL_SESSION_up_ref(same), 1);
	clock_ahead = -3600;
	expect(visit(&d, "partner"), DENY, PINFAST_REASON_TAG_EXPIRED);
	assert_int_equal(d.app, 0);
	SSL_SESSION_free(d.session);
	d.session = same;
	expect(visit(&d, "partner"), ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(d.app, 16);
	assert_int_equal(d.resumed, 0);
	clock_ahead = 0;
	close_door(&d);
}

static void
a_server_needs_a_label(void **state)
{
	struct pinfast *policy = policy_with(&client);
	SSL_CTX *sctx = pinned_server(policy, TLS1_3_VERSION);
	SSL_CTX *cctx = client_ctx(&client, TLS1_3_VERSION);
	struct pinfast_diag diag = {0};
	struct pair p = join(cctx, sctx);
	char longer[PINFAST_HOST_LEN + 1];

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(pinfast_openssl_attach_server(p.s, NULL, &diag),
	    PINFAST_EUSAGE);
	assert_string_equal(diag.text, "no label");
	assert_int_equal(pinfast_openssl_attach_server(p.s, longer, &diag),
	    PINFAST_EHOST);
	assert_string_equal(diag.text,
	    "the label is longer than 253 characters");
	assert_int_equal(pinfast_openssl_attach_server(NULL, "a", &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_openssl_attach_server(p.c, "a", &diag),
	    PINFAST_EUSAGE);
	part(&p);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

static int
ask_again(int ok, X509_STORE_CTX *xs)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(xs,
	    SSL_get_ex_data_X509_STORE_CTX_idx());

	assert_int_equal(SSL_set_retry_verify(ssl), 1);
	return ok;
}

/* OpenSSL asks a client's callback again, never a server's. */
static void
a_server_does_not_wait_for_another_try(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct id *shown = i & 2 ? &stranger : &client;
		struct pinfast *policy = policy_with(&client);
		SSL_CTX *sctx = pinned_server(policy, versions[i & 1]);
		SSL_CTX *cctx = client_ctx(shown, versions[i & 1]);
		struct pair p;

		SSL_CTX_set_verify(sctx, SSL_VERIFY_PEER, ask_again);
		p = join(cctx, sctx);
		assert_int_equal(pinfast_openssl_attach_server(p.s, "partner",
		                     NULL),
		    0);
		shake(&p);
		chat(&p);
		assert_int_equal(p.app, i & 2 ? 0 : 16);
		expect(pinfast_openssl_result(p.s), i & 2 ? DENY : ALLOW,
		    i & 2 ? PINFAST_REASON_PIN_MISMATCH
		          : PINFAST_REASON_PIN_MATCHED);
		part(&p);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

/* ------------------------------------------------ an SSL that is used again */

static int replayed; /* clients send one random again and again */

__attribute__((visibility("default"))) size_t
SSL_get_client_random(const SSL *ssl, unsigned char *out, size_t size)
{
	static size_t (*real)(const SSL *, unsigned char *, size_t);
	void *found = dlsym(RTLD_NEXT, "SSL_get_client_random");
	size_t len;

	memcpy(&real, &found, sizeof real);
	len = real(ssl, out, size);
	if (replayed)
		memset(out, 'r', len);
	return len;
}

static unsigned
share_key(SSL *ssl, const char *identity, unsigned char *key, unsigned max)
{
	(void)ssl, (void)identity, (void)max;
	memset(key, 'Z', 16);
	return 16;
}

static unsigned
offer_key(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *key, unsigned max_key)
{
	(void)ssl, (void)hint, (void)max_identity, (void)max_key;
	memcpy(identity, "x", 2);
	memset(key, 'Z', 16);
	return 16;
}

/* The second client knows a key of the application's, and shows nothing; an
 * information callback has taken our place. */
static void
a_client_does_not_pass_for_the_one_before(void **state)
{
	struct pinfast *policy = policy_with(&client);
	SSL_CTX *sctx = pinned_server(policy, TLS1_2_VERSION);
	SSL_CTX *known = client_ctx(&client, TLS1_2_VERSION);
	SSL_CTX *nobody = client_ctx(NULL, TLS1_2_VERSION);
	struct pair p, again;

	(void)state;
	SSL_CTX_set_psk_server_callback(sctx, share_key);
	SSL_CTX_set_cipher_list(sctx, "DEFAULT:PSK");
	SSL_CTX_set_psk_client_callback(nobody, offer_key);
	SSL_CTX_set_cipher_list(nobody, "PSK");
	replayed = 1;
	p = join(known, sctx);
	assert_int_equal(pinfast_openssl_attach_server(p.s, "partner", NULL),
	    0);
	SSL_set_info_callback(p.s, say_nothing);
	shake(&p);
	expect(pinfast_openssl_result(p.s), ALLOW, PINFAST_REASON_PIN_MATCHED);
	again = join(nobody, sctx);
	SSL_set_bio(p.s, SSL_get_rbio(again.s), SSL_get_wbio(again.s));
	BIO_up_ref(SSL_get_rbio(again.s));
	SSL_free(p.c);
	p.c = again.c;
	assert_int_equal(SSL_clear(p.s), 1);
	SSL_set_accept_state(p.s);
	p.app = 0;
	shake(&p);
	expect(pinfast_openssl_result(p.s), DENY,
	    PINFAST_REASON_NO_CERTIFICATE);
	chat(&p);
	assert_int_equal(p.app, 0);
	replayed = 0;
	SSL_free(again.s);
	part(&p);
	SSL_CTX_free(known);
	SSL_CTX_free(nobody);
	SSL_CTX_free(sctx);
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_pinned_clients_are_served),
	    cmocka_unit_test(a_forgotten_attach_serves_nobody),
	    cmocka_unit_test(a_clients_session_is_judged_again),
	    cmocka_unit_test(a_cached_session_is_refused_once_at_most),
	    cmocka_unit_test(a_server_needs_a_label),
	    cmocka_unit_test(a_server_does_not_wait_for_another_try),
	    cmocka_unit_test(a_client_does_not_pass_for_the_one_before),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
