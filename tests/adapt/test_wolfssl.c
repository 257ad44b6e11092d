/* The wolfSSL adapter in one process with a server of OpenSSL. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>

#include "pinfast-wolfssl.h"
#include "wolf_world.h"

#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfio.h>

/* It is under rootB, with nobody between. */
#define RIGHT EVIL

/* One client; whom it talks to may change. */
struct pair {
	WOLFSSL_CTX *ctx;
	WOLFSSL *c;
	struct peer *peer;
	int sends; /* until what the client sends is lost; -1: never */
	int shaken;
};

static struct pinfast *changing; /* after so many questions; 0: never */
static int questions;

/* In the place of the library's, also for the adapter. */
__attribute__((visibility("default"))) unsigned
pinfast_conn_needs(struct pinfast_conn *conn)
{
	static unsigned (*real)(struct pinfast_conn * conn);
	unsigned needs;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pinfast_conn_needs");
	assert_non_null(real);
	needs = real(conn);
	if (questions > 0 && --questions == 0)
		world_forget(changing, 2);
	return needs;
}

static int
on_send(WOLFSSL *ssl, char *bytes, int len, void *arg)
{
	struct pair *p = arg;

	(void)ssl;
	if (p->sends != 0)
		peer_take(p->peer, bytes, (size_t)len);
	if (p->sends > 0)
		p->sends--;
	return len;
}

static int
on_receive(WOLFSSL *ssl, char *bytes, int len, void *arg)
{
	const struct pair *p = arg;
	size_t n = peer_give(p->peer, bytes, (size_t)len);

	(void)ssl;
	return n > 0 ? (int)n : WOLFSSL_CBIO_ERR_WANT_READ;
}

static unsigned
on_psk(WOLFSSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *psk, unsigned max_psk)
{
	(void)ssl, (void)hint;
	if (max_psk < 16 || max_identity < 2)
		return 0;
	memcpy(identity, "x", 2);
	memset(psk, 'Z', 16);
	return 16;
}

static int
say_done(WOLFSSL *ssl, void *arg)
{
	(void)ssl, (void)arg;
	return 0;
}

static WOLFSSL_CTX *
client_ctx(struct pinfast *policy, int tls13)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(tls13 ? wolfTLSv1_3_client_method()
	                                         : wolfTLSv1_2_client_method());
	enum who roots[] = {ROOT_A, ROOT_B};

	assert_non_null(ctx);
	for (size_t i = 0; i < 2; i++) {
		struct pinfast_bytes der = cert_of(roots[i]);

		assert_int_equal(wolfSSL_CTX_load_verify_buffer(ctx, der.data,
		                     (long)der.len, WOLFSSL_FILETYPE_ASN1),
		    WOLFSSL_SUCCESS);
	}
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
	wolfSSL_CTX_SetIOSend(ctx, on_send);
	wolfSSL_CTX_SetIORecv(ctx, on_receive);
	assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, NULL), 0);
	return ctx;
}

static void
begin(struct pair *p, struct pinfast *policy, int tls13)
{
	memset(p, 0, sizeof *p);
	p->ctx = client_ctx(policy, tls13);
	p->c = wolfSSL_new(p->ctx);
	assert_non_null(p->c);
	wolfSSL_SetIOReadCtx(p->c, p);
	wolfSSL_SetIOWriteCtx(p->c, p);
	assert_int_equal(pinfast_wolfssl_attach(p->c, "pin.test", 443, NULL),
	    0);
}

static void
meet(struct pair *p, struct peer *peer)
{
	if (p->peer != NULL)
		peer_free(p->peer);
	p->peer = peer;
	p->sends = -1;
	p->shaken = 0;
}

static void
shake(struct pair *p)
{
	for (int i = 0; i < 20 && !p->shaken; i++)
		p->shaken = wolfSSL_connect(p->c) == WOLFSSL_SUCCESS;
}

static void
end(struct pair *p)
{
	peer_free(p->peer);
	pinfast_wolfssl_detach(p->c);
	wolfSSL_free(p->c);
	pinfast_wolfssl_fini(p->ctx);
	wolfSSL_CTX_free(p->ctx);
}

static void
the_right_server_is_let_through(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct pair p;

	(void)state;
	for (int tls13 = 0; tls13 < 2; tls13++) {
		begin(&p, policy, tls13);
		meet(&p, peer_new(RIGHT, 0, tls13));
		shake(&p);
		assert_true(p.shaken);
		assert_int_equal(pinfast_wolfssl_result(p.c).decision,
		    PINFAST_ALLOW);
		assert_int_equal(wolfSSL_write(p.c, "0123456789abcdef", 16),
		    16);
		assert_int_equal(peer_app(p.peer), 16);
		end(&p);
	}
	pinfast_free(policy);
}

/* The right server's certificate was judged, and then the line was cut. */
static void
what_broke_off_is_no_evidence(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct pair p;

	(void)state;
	begin(&p, policy, 0);
	wolfSSL_set_psk_client_callback(p.c, on_psk);
	meet(&p, peer_new(RIGHT, 0, 0));
	p.sends = 1;
	shake(&p);
	assert_false(p.shaken);
	assert_int_equal(wolfSSL_clear(p.c), WOLFSSL_SUCCESS);
	meet(&p, peer_new(RIGHT, 1, 0));
	shake(&p);
	assert_int_not_equal(pinfast_wolfssl_result(p.c).decision,
	    PINFAST_ALLOW);
	(void)wolfSSL_write(p.c, "0123456789abcdef", 16);
	assert_int_equal(peer_app(p.peer), 0);
	end(&p);
	pinfast_free(policy);
}

/* Where nobody shows a certificate only the end of the handshake is left. */
static void
writing_without_connecting_is_judged_at_its_end(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct pair p;

	(void)state;
	begin(&p, policy, 0);
	wolfSSL_set_psk_client_callback(p.c, on_psk);
	wolfSSL_SetHsDoneCb(p.c, say_done, NULL);
	meet(&p, peer_new(RIGHT, 1, 0));
	for (int i = 0; i < 20; i++)
		(void)wolfSSL_write(p.c, "0123456789abcdef", 16);
	assert_int_equal(peer_app(p.peer), 0);
	assert_int_not_equal(pinfast_wolfssl_result(p.c).decision,
	    PINFAST_ALLOW);
	end(&p);
	pinfast_free(policy);
}

/* `pkix: none` was the answer; the policy that judges has no such entry. */
static void
a_policy_that_wants_verification_gets_none_from_before(void **state)
{
	struct pair p;

	(void)state;
	for (int at = 1; at < 8; at++) {
		struct pinfast *policy = world_unverified(RIGHT);

		begin(&p, policy, 0);
		/* Nobody trusted has issued it. */
		wolfSSL_CTX_UnloadCAs(p.ctx);
		meet(&p, peer_new(RIGHT, 0, 0));
		changing = policy;
		questions = at;
		shake(&p);
		if (questions == 0)
			assert_false(p.shaken);
		questions = 0;
		end(&p);
		pinfast_free(policy);
	}
}

/* A pool that gives its connections their input and output once more. */
static void
a_refused_connection_stays_so(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct pair p;

	(void)state;
	begin(&p, policy, 0);
	meet(&p, peer_new(RIGHT, 0, 0));
	shake(&p);
	assert_true(p.shaken);
	assert_int_equal(pinfast_wolfssl_result(p.c).decision, PINFAST_ALLOW);
	world_change(policy, 2, PINFAST_ROLE_LEAF, LEAF);
	assert_int_not_equal(pinfast_wolfssl_result(p.c).decision,
	    PINFAST_ALLOW);
	wolfSSL_SSLSetIOSend(p.c, on_send);
	wolfSSL_SSLSetIORecv(p.c, on_receive);
	(void)wolfSSL_write(p.c, "0123456789abcdef", 16);
	assert_int_equal(peer_app(p.peer), 0);
	end(&p);
	pinfast_free(policy);
}

/* A session of a client that looks at nothing. */
static WOLFSSL_SESSION *
unjudged(const struct peer *server)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
	WOLFSSL_SESSION *session;
	struct pair p;

	memset(&p, 0, sizeof p);
	assert_non_null(ctx);
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
	wolfSSL_CTX_SetIOSend(ctx, on_send);
	wolfSSL_CTX_SetIORecv(ctx, on_receive);
	p.c = wolfSSL_new(ctx);
	wolfSSL_SetIOReadCtx(p.c, &p);
	wolfSSL_SetIOWriteCtx(p.c, &p);
	meet(&p, peer_again(server));
	shake(&p);
	assert_true(p.shaken);
	session = wolfSSL_get1_session(p.c);
	assert_non_null(session);
	peer_free(p.peer);
	wolfSSL_free(p.c);
	wolfSSL_CTX_free(ctx);
	return session;
}

static void
own_info(const WOLFSSL *ssl, int type, int value)
{
	(void)ssl, (void)type, (void)value;
}

/* A session is offered, the line is cut, and another session takes its place
 * where we are not told: the first one's tag does not speak for it. */
static void
the_tag_of_what_broke_off_is_no_evidence(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	WOLFSSL_SESSION *good, *bad;
	struct peer *server = peer_new(RIGHT, 0, 0);
	struct pair p;

	(void)state;
	begin(&p, policy, 0);
	meet(&p, server);
	shake(&p);
	assert_int_equal(pinfast_wolfssl_result(p.c).decision, PINFAST_ALLOW);
	good = wolfSSL_get1_session(p.c);
	bad = unjudged(server);
	pinfast_wolfssl_detach(p.c);
	wolfSSL_free(p.c);
	wolfSSL_CTX_set_info_callback(p.ctx, own_info);
	p.c = wolfSSL_new(p.ctx);
	wolfSSL_SetIOReadCtx(p.c, &p);
	wolfSSL_SetIOWriteCtx(p.c, &p);
	assert_int_equal(pinfast_wolfssl_attach(p.c, "pin.test", 443, NULL), 0);
	assert_int_equal(pinfast_wolfssl_session_use(p.c, good), 0);
	p.peer = peer_again(server);
	p.shaken = 0;
	p.sends = 0;
	shake(&p);
	assert_false(p.shaken);
	assert_int_equal(wolfSSL_clear(p.c), WOLFSSL_SUCCESS);
	assert_int_equal(wolfSSL_set_session(p.c, bad), WOLFSSL_SUCCESS);
	meet(&p, peer_again(server));
	shake(&p);
	/* It was resumed: nobody has shown a certificate. */
	assert_true(wolfSSL_session_reused(p.c));
	assert_int_not_equal(pinfast_wolfssl_result(p.c).decision,
	    PINFAST_ALLOW);
	(void)wolfSSL_write(p.c, "0123456789abcdef", 16);
	assert_int_equal(peer_app(p.peer), 0);
	wolfSSL_SESSION_free(good);
	wolfSSL_SESSION_free(bad);
	end(&p);
	peer_free(server);
	pinfast_free(policy);
}

/* Another connection of the same client. */
static void
renew(struct pair *p)
{
	pinfast_wolfssl_detach(p->c);
	wolfSSL_free(p->c);
	p->c = wolfSSL_new(p->ctx);
	assert_non_null(p->c);
	wolfSSL_SetIOReadCtx(p->c, p);
	wolfSSL_SetIOWriteCtx(p->c, p);
	assert_int_equal(pinfast_wolfssl_attach(p->c, "pin.test", 443, NULL),
	    0);
}

/* The client offers a session; whoever shares a key with its application
 * takes that in its place, and has never shown a certificate. */
static void
a_shared_key_is_no_session(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	WOLFSSL_SESSION *good;
	struct pair p;
	char text[8];

	(void)state;
	for (int tls13 = 0; tls13 < 2; tls13++) {
		begin(&p, policy, tls13);
		meet(&p, peer_new(RIGHT, 0, tls13));
		shake(&p);
		assert_true(p.shaken);
		(void)wolfSSL_read(p.c, text, sizeof text);
		good = wolfSSL_get1_session(p.c);
		renew(&p);
		wolfSSL_set_psk_client_callback(p.c, on_psk);
		assert_int_equal(wolfSSL_set_session(p.c, good),
		    WOLFSSL_SUCCESS);
		meet(&p, peer_new(RIGHT, 1, tls13));
		shake(&p);
		if (pinfast_wolfssl_result(p.c).decision == PINFAST_ALLOW)
			fail_msg("1.%d: allowed, %d", 2 + tls13,
			    wolfSSL_session_reused(p.c));
		(void)wolfSSL_write(p.c, "0123456789abcdef", 16);
		assert_int_equal(peer_app(p.peer), 0);
		wolfSSL_SESSION_free(good);
		end(&p);
	}
	pinfast_free(policy);
}

/* But it costs no connection. */
static void
a_client_with_a_shared_key_resumes_nothing(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct peer *server = peer_new(RIGHT, 0, 1);
	WOLFSSL_SESSION *session;
	struct pair p;
	char text[8];

	(void)state;
	begin(&p, policy, 1);
	for (int i = 0; i < 2; i++) {
		wolfSSL_set_psk_client_callback(p.c, on_psk);
		if (i > 0)
			assert_int_equal(wolfSSL_set_session(p.c, session),
			    WOLFSSL_SUCCESS);
		meet(&p, peer_again(server));
		shake(&p);
		assert_int_equal(pinfast_wolfssl_result(p.c).decision,
		    PINFAST_ALLOW);
		assert_false(wolfSSL_session_reused(p.c));
		(void)wolfSSL_read(p.c, text, sizeof text);
		assert_int_equal(pinfast_wolfssl_session_write(p.c, NULL, NULL,
		                     0),
		    0);
		if (i > 0)
			break;
		session = wolfSSL_get1_session(p.c);
		renew(&p);
	}
	wolfSSL_SESSION_free(session);
	end(&p);
	peer_free(server);
	pinfast_free(policy);
}

/* Nobody of ours is told of the second handshake, in which nobody shows a
 * certificate. */
static void
a_verdict_is_of_its_own_handshake(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct pair p;
	char text[8];

	(void)state;
	for (int how = 0; how < 4; how++) {
		begin(&p, policy, how & 1);
		if (how & 2) {
			wolfSSL_CTX_set_info_callback(p.ctx, own_info);
			renew(&p);
			wolfSSL_SetHsDoneCb(p.c, say_done, NULL);
		}
		meet(&p, peer_new(RIGHT, 0, how & 1));
		shake(&p);
		assert_int_equal(pinfast_wolfssl_result(p.c).decision,
		    PINFAST_ALLOW);
		(void)wolfSSL_read(p.c, text, sizeof text);
		assert_int_equal(wolfSSL_clear(p.c), WOLFSSL_SUCCESS);
		wolfSSL_set_psk_client_callback(p.c, on_psk);
		meet(&p, peer_new(RIGHT, 1, how & 1));
		shake(&p);
		assert_int_not_equal(pinfast_wolfssl_result(p.c).decision,
		    PINFAST_ALLOW);
		(void)wolfSSL_write(p.c, "0123456789abcdef", 16);
		assert_int_equal(peer_app(p.peer), 0);
		end(&p);
	}
	pinfast_free(policy);
}

static int hash_fails;

static int
own_hash(void *arg, const void *data, size_t len, uint8_t *out)
{
	(void)arg;
	return hash_fails ? -1 : wc_Sha256Hash(data, (word32)len, out);
}

/* Also of a key whose pin is known from connections before. */
static void
a_sha256_of_the_applications_own_is_asked(void **state)
{
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_LEAF, RIGHT);
	struct pair p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		hash_fails = 0;
		if (i > 0)
			assert_int_equal(pinfast_use_sha256(policy, own_hash,
			                     NULL),
			    0);
		hash_fails = i > 1;
		begin(&p, policy, 1);
		meet(&p, peer_new(RIGHT, 0, 1));
		shake(&p);
		assert_int_equal(pinfast_wolfssl_result(p.c).reason,
		    i < 2 ? PINFAST_REASON_PIN_MATCHED
		          : PINFAST_REASON_HASH_FAILED);
		end(&p);
	}
	pinfast_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_right_server_is_let_through),
	    cmocka_unit_test(what_broke_off_is_no_evidence),
	    cmocka_unit_test(writing_without_connecting_is_judged_at_its_end),
	    cmocka_unit_test(
	        a_policy_that_wants_verification_gets_none_from_before),
	    cmocka_unit_test(a_refused_connection_stays_so),
	    cmocka_unit_test(the_tag_of_what_broke_off_is_no_evidence),
	    cmocka_unit_test(a_shared_key_is_no_session),
	    cmocka_unit_test(a_client_with_a_shared_key_resumes_nothing),
	    cmocka_unit_test(a_sha256_of_the_applications_own_is_asked),
	    cmocka_unit_test(a_verdict_is_of_its_own_handshake),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
