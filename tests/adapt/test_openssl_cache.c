/* The OpenSSL adapter on a server whose sessions lie with somebody else, or
 * whose clients show themselves late. */
#include "door.h"

/* What a cache of many processes keeps: bytes. */
static struct {
	unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];
	unsigned id_len;
	unsigned char *der;
	int len;
	int found;
} kept;

static int
keep(SSL *ssl, SSL_SESSION *session)
{
	const unsigned char *id = SSL_SESSION_get_id(session, &kept.id_len);

	(void)ssl;
	memcpy(kept.id, id, kept.id_len);
	OPENSSL_free(kept.der);
	kept.der = NULL;
	kept.len = i2d_SSL_SESSION(session, &kept.der);
	return 0;
}

static SSL_SESSION *
find(SSL *ssl, const unsigned char *id, int len, int *copy)
{
	const unsigned char *at = kept.der;

	(void)ssl;
	*copy = 0;
	if (kept.der == NULL || len != (int)kept.id_len ||
	    memcmp(id, kept.id, kept.id_len) != 0)
		return NULL;
	kept.found++;
	return d2i_SSL_SESSION(NULL, &at, kept.len);
}

/* i2d_SSL_SESSION() loses everything that OpenSSL does not know of. */
static void
sessions_that_others_keep_are_judged_like_our_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct door d = open_door(&client, versions[i]);

		SSL_CTX_set_options(d.sctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_session_cache_mode(d.sctx,
		    SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(d.sctx, keep);
		SSL_CTX_sess_set_get_cb(d.sctx, find);
		kept.found = 0;
		for (int n = 0; n < 3; n++) {
			expect(visit(&d, "partner"), ALLOW,
			    PINFAST_REASON_PIN_MATCHED);
			assert_int_equal(d.app, 16);
			assert_int_equal(d.resumed, n > 0);
			assert_int_equal(kept.found, n);
		}
		replace_partner(d.policy, &stranger, NULL);
		expect(visit(&d, "partner"), DENY, PINFAST_REASON_PIN_MISMATCH);
		assert_int_equal(d.app, 0);
		assert_int_equal(d.resumed, 0);
		close_door(&d);
	}
	OPENSSL_free(kept.der);
}

/* RFC 8446, 4.6.2: a client that was served is asked once more. */
static void
who_is_asked_again_is_judged_again(void **state)
{
	(void)state;
	for (int stranger_comes = 0; stranger_comes < 2; stranger_comes++) {
		struct door d = open_door(&client, TLS1_3_VERSION);
		struct pair p = join(d.cctx, d.sctx);

		SSL_set_post_handshake_auth(p.c, 1);
		assert_int_equal(pinfast_openssl_attach_server(p.s, "partner",
		                     NULL),
		    0);
		shake(&p);
		expect(pinfast_openssl_result(p.s), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
		if (stranger_comes) {
			SSL_use_certificate(p.c, stranger.cert);
			SSL_use_PrivateKey(p.c, stranger.key);
		}
		SSL_set_verify(p.s,
		    SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE |
		        SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		    NULL);
		assert_int_equal(SSL_verify_client_post_handshake(p.s), 1);
		(void)SSL_do_handshake(p.s);
		(void)SSL_peek(p.c, &(char){0}, 1);
		chat(&p);
		assert_int_equal(p.app, stranger_comes ? 0 : 16);
		expect(pinfast_openssl_result(p.s), !stranger_comes,
		    stranger_comes ? PINFAST_REASON_PIN_MISMATCH
		                   : PINFAST_REASON_PIN_MATCHED);
		part(&p);
		close_door(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_that_others_keep_are_judged_like_our_own),
	    cmocka_unit_test(who_is_asked_again_is_judged_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
