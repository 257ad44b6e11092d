/* The OpenSSL adapter: sessions, early data, kept connections. */
#define _XOPEN_SOURCE 700
#include "shared_key.h"

/* How a session gets from one connection to the next. */
enum flow { MEMORY, USE, WRITTEN, PLAIN };

struct carried {
	SSL_SESSION *session;
	uint8_t bytes[8192];
	size_t len;
};

static void
carry_away(struct pair *p, struct carried *carried)
{
	carried->session = SSL_get1_session(p->c);
	assert_non_null(carried->session);
	carried->len = pinfast_openssl_session_write(p->c, NULL, carried->bytes,
	    sizeof carried->bytes);
}

static void
bring(struct pair *p, struct carried *carried, enum flow flow)
{
	enum pinfast_error error;
	const unsigned char *at;
	unsigned char *der = NULL;
	SSL_SESSION *copy;
	int len;

	switch (flow) {
	case MEMORY:
		SSL_set_session(p->c, carried->session);
		break;
	case USE:
		error = pinfast_openssl_session_use(p->c, carried->session);
		(void)error;
		break;
	case WRITTEN:
		error = pinfast_openssl_session_read(p->c, carried->bytes,
		    carried->len);
		(void)error;
		break;
	case PLAIN:
	default:
		len = i2d_SSL_SESSION(carried->session, &der);
		at = der;
		copy = d2i_SSL_SESSION(NULL, &at, len);
		SSL_set_session(p->c, copy);
		SSL_SESSION_free(copy);
		OPENSSL_free(der);
		break;
	}
}

/* Between the first connection and the second. */
enum change { SAME, RENEWED, LOOSER_PIN, TIGHTER, REJECTED };

static const struct row {
	const char *name;
	enum flow flow;
	enum change change;
	const char *host;
	const struct id *shown; /* the second time */
	int resumed;
	int allow;
} rows[] = {
    {"memory", MEMORY, SAME, "pin.test", &leaf, 1, ALLOW},
    {"use", USE, SAME, "pin.test", &leaf, 1, ALLOW},
    {"written", WRITTEN, SAME, "pin.test", &leaf, 1, ALLOW},
    {"without its tag", PLAIN, SAME, "pin.test", &leaf, 0, ALLOW},
    {"same pins, new policy", MEMORY, RENEWED, "pin.test", &leaf, 1, ALLOW},
    {"same pins, new policy, written", WRITTEN, RENEWED, "pin.test", &leaf, 1,
        ALLOW},
    {"unknown keys wanted", MEMORY, LOOSER_PIN, "pin.test", &leaf, 0, ALLOW},
    {"tightened", MEMORY, TIGHTER, "pin.test", &leaf, 0, DENY},
    {"tightened, use", USE, TIGHTER, "pin.test", &leaf, 0, DENY},
    {"tightened, written", WRITTEN, TIGHTER, "pin.test", &leaf, 0, DENY},
    {"tightened, without its tag", PLAIN, TIGHTER, "pin.test", &leaf, 0, DENY},
    {"rejected since", MEMORY, REJECTED, "pin.test", &leaf, 0, DENY},
    {"rejected since, written", WRITTEN, REJECTED, "pin.test", &leaf, 0, DENY},
    {"for another host", MEMORY, SAME, "two.test", &leaf, 0, ALLOW},
    {"for another host, written", WRITTEN, SAME, "two.test", &leaf, 0, ALLOW},
    {"impostor now", MEMORY, SAME, "pin.test", &evil, 0, DENY},
    {"impostor now, written", WRITTEN, SAME, "pin.test", &evil, 0, DENY},
};

static void
change(struct pinfast *policy, enum change how)
{
	switch (how) {
	case RENEWED:
		change_policy(policy, 2, PINFAST_ROLE_LEAF, &leaf);
		break;
	case LOOSER_PIN:
		change_policy(policy, 2, PINFAST_ROLE_CA, &intA);
		break;
	case TIGHTER:
		change_policy(policy, 2, PINFAST_ROLE_LEAF, &client);
		break;
	case REJECTED:
		change_policy(policy, 2, PINFAST_ROLE_REJECT, &leaf);
		break;
	case SAME:
	default:
		break;
	}
}

static void
run_row(const struct row *r, int tls)
{
	struct scene s = ordinary_scene(tls);
	SSL_CTX *second =
	    r->shown == &leaf ? s.sctx : server_ctx(r->shown, &intA, tls);
	struct carried carried;
	struct pinfast_verdict verdict;

	attach(&s.p, "pin.test");
	shake(&s.p);
	chat(&s.p);
	expect(pinfast_openssl_result(s.p.c), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.p.app, 16);
	carry_away(&s.p, &carried);
	part(&s.p);
	change(s.policy, r->change);
	s.p = attached(s.cctx, second, r->host);
	bring(&s.p, &carried, r->flow);
	shake(&s.p);
	chat(&s.p); /* without asking */
	verdict = pinfast_openssl_result(s.p.c);
	if ((verdict.decision == PINFAST_ALLOW) != r->allow ||
	    SSL_session_reused(s.p.c) != r->resumed ||
	    s.p.app != (r->allow ? 16U : 0U))
		fail_msg("%s, %x: %s, resumed %d, %zu bytes", r->name, tls,
		    pinfast_reason_name(verdict.reason),
		    SSL_session_reused(s.p.c), s.p.app);
	SSL_SESSION_free(carried.session);
	if (second != s.sctx)
		SSL_CTX_free(second);
	end(&s);
}

static void
a_session_is_judged_before_it_is_offered(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
			run_row(&rows[i], versions[v]);
}

static void
a_session_of_an_unpinned_connection_is_not_offered(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &client);
		SSL_CTX *bare = bare_ctx(versions[v]);
		SSL_CTX *cctx = pinned_ctx(policy, versions[v]);
		SSL_CTX *sctx = server_ctx(&leaf, &intA, versions[v]);
		struct pair p = join(bare, sctx);
		SSL_SESSION *session;

		shake(&p);
		chat(&p);
		assert_int_equal(p.app, 16);
		session = SSL_get1_session(p.c);
		part(&p);
		p = attached(cctx, sctx, "pin.test");
		assert_int_equal(pinfast_openssl_session_use(p.c, session),
		    PINFAST_EPOLICY);
		SSL_set_session(p.c, session);
		shake(&p);
		chat(&p);
		assert_int_equal(p.app, 0);
		expect(pinfast_openssl_result(p.c), DENY,
		    PINFAST_REASON_PIN_MISMATCH);
		part(&p);
		SSL_SESSION_free(session);
		SSL_CTX_free(bare);
		SSL_CTX_free(cctx);
		SSL_CTX_free(sctx);
		pinfast_free(policy);
	}
}

/* Early data: who offers the session how, and whether the policy changed. */
static void
run_early(int rash, int tightened)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	SSL_SESSION *session;
	enum pinfast_error error;
	size_t written = 0;
	int wrote;

	attach(&s.p, "pin.test");
	shake(&s.p);
	chat(&s.p);
	session = SSL_get1_session(s.p.c);
	assert_true(SSL_SESSION_get_max_early_data(session) > 0);
	part(&s.p);
	if (tightened)
		change_policy(s.policy, 2, PINFAST_ROLE_LEAF, &client);
	s.p = attached(s.cctx, s.sctx, "pin.test");
	error = rash ? (SSL_set_session(s.p.c, session) ? PINFAST_OK
	                                                : PINFAST_ENOMEM)
	             : pinfast_openssl_session_use(s.p.c, session);
	assert_int_equal(error, tightened && !rash ? PINFAST_EPOLICY : 0);
	wrote = SSL_write_early_data(s.p.c, "SECRET", 6, &written);
	assert_int_equal(wrote, !tightened);
	take_early(&s.p);
	assert_int_equal(s.p.early, tightened ? 0 : 6);
	ERR_clear_error();
	shake(&s.p);
	chat(&s.p);
	expect(pinfast_openssl_result(s.p.c), !tightened,
	    tightened ? PINFAST_REASON_PIN_MISMATCH
	              : PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s.p.app, tightened ? 0 : 16);
	SSL_SESSION_free(session);
	end(&s);
}

static void
early_data_only_through_a_passed_tag(void **state)
{
	(void)state;
	run_early(0, 0);
	run_early(1, 0);
	run_early(0, 1);
	run_early(1, 1);
}

/* Every byte of a written session is changed, and every end cut off. */
static void
a_damaged_session_means_a_full_handshake(void **state)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	struct carried carried;
	enum pinfast_error error;

	(void)state;
	attach(&s.p, "pin.test");
	shake(&s.p);
	chat(&s.p);
	carry_away(&s.p, &carried);
	part(&s.p);
	assert_true(carried.len > 500);
	s.p = attached(s.cctx, s.sctx, "pin.test");
	for (size_t i = 0; i < carried.len; i++) {
		carried.bytes[i] ^= 1;
		error = pinfast_openssl_session_read(s.p.c, carried.bytes,
		    carried.len);
		assert_true(error == PINFAST_EPOLICY ||
		            error == PINFAST_EFORMAT);
		assert_null(SSL_get_session(s.p.c));
		carried.bytes[i] ^= 1;
		error = pinfast_openssl_session_read(s.p.c, carried.bytes, i);
		assert_true(error == PINFAST_EPOLICY ||
		            error == PINFAST_EFORMAT);
	}
	assert_int_equal(pinfast_openssl_session_read(s.p.c, NULL, 8),
	    PINFAST_EUSAGE);
	shake(&s.p);
	chat(&s.p);
	assert_int_equal(SSL_session_reused(s.p.c), 0);
	expect(pinfast_openssl_result(s.p.c), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_openssl_session_read(s.p.c, carried.bytes,
	                     carried.len),
	    PINFAST_EUSAGE);
	SSL_SESSION_free(carried.session);
	end(&s);
}

static void
a_refused_connection_leaves_no_session(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct scene s =
		    set_scene(policy_of(PINFAST_ROLE_LEAF, &client), &leaf,
		        &intA, versions[v]);
		uint8_t bytes[8192];
		SSL_SESSION *session;

		attach(&s.p, "pin.test");
		shake(&s.p);
		chat(&s.p);
		assert_int_equal(pinfast_openssl_session_write(s.p.c, NULL,
		                     bytes, sizeof bytes),
		    0);
		session = SSL_get1_session(s.p.c);
		part(&s.p);
		s.p = attached(s.cctx, s.sctx, "pin.test");
		if (session != NULL)
			SSL_set_session(s.p.c, session);
		shake(&s.p);
		chat(&s.p);
		assert_int_equal(s.p.app, 0);
		expect(pinfast_openssl_result(s.p.c), DENY,
		    PINFAST_REASON_PIN_MISMATCH);
		SSL_SESSION_free(session);
		end(&s);
	}
}

static void
files_of_sessions_are_private(void **state)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	char path[] = "/tmp/pinfast-session-XXXXXX";
	struct pinfast_diag diag;
	char command[100];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	attach(&s.p, "pin.test");
	shake(&s.p);
	chat(&s.p);
	assert_int_equal(pinfast_openssl_session_save(s.p.c, NULL, path, &diag),
	    0);
	part(&s.p);
	s.p = attached(s.cctx, s.sctx, "pin.test");
	snprintf(command, sizeof command, "chmod 640 %s", path);
	assert_int_equal(system(command), 0);
	assert_int_equal(pinfast_openssl_session_load(s.p.c, path, &diag),
	    PINFAST_EUNSAFE);
	assert_non_null(strstr(diag.text, "chmod"));
	snprintf(command, sizeof command, "chmod 600 %s", path);
	assert_int_equal(system(command), 0);
	assert_int_equal(pinfast_openssl_session_load(s.p.c, path, &diag), 0);
	shake(&s.p);
	chat(&s.p);
	assert_int_equal(SSL_session_reused(s.p.c), 1);
	expect(pinfast_openssl_result(s.p.c), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	part(&s.p);
	remove(path);
	s.p = attached(s.cctx, s.sctx, "pin.test");
	assert_int_equal(pinfast_openssl_session_load(s.p.c, path, &diag),
	    PINFAST_EIO);
	assert_int_equal(pinfast_openssl_session_save(s.p.c, NULL, path, &diag),
	    PINFAST_ENOTFOUND);
	end(&s);
}

/* A kept connection is asked before each request. */
static void
a_kept_connection_follows_the_policy(void **state)
{
	static const struct {
		const char *name;
		enum pinfast_role role;
		const struct id *id;
		int allow;
		int32_t reason;
	} next[] = {
	    {"same", PINFAST_ROLE_LEAF, &leaf, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"its CA", PINFAST_ROLE_CA, &intA, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"its root", PINFAST_ROLE_ANY, &rootA, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"another CA", PINFAST_ROLE_CA, &rootB, DENY,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"another leaf", PINFAST_ROLE_LEAF, &client, DENY,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"rejected", PINFAST_ROLE_REJECT, &intA, DENY,
	        PINFAST_REASON_REJECTED_KEY},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof next / sizeof next[0]; i++) {
		struct scene s = ordinary_scene(versions[i & 1]);

		attach(&s.p, "pin.test");
		shake(&s.p);
		expect(pinfast_openssl_result(s.p.c), ALLOW,
		    PINFAST_REASON_PIN_MATCHED);
		chat(&s.p);
		change_policy(s.policy, 2, next[i / 2].role, next[i / 2].id);
		expect(pinfast_openssl_result(s.p.c), next[i / 2].allow,
		    next[i / 2].reason);
		chat(&s.p);
		assert_int_equal(s.p.app, next[i / 2].allow ? 32 : 16);
		end(&s);
	}
}

static void
a_pool_asks_for_every_host(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct scene s;

	(void)state;
	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	add_entry(b, "two.test", PINFAST_ROLE_CA, &rootB);
	s = set_scene(policy_made(b), &leaf, &intA, TLS1_3_VERSION);
	attach(&s.p, "pin.test");
	expect(pinfast_openssl_recheck(s.p.c, "pin.test", 443), DENY,
	    PINFAST_REASON_NOT_JUDGED);
	shake(&s.p);
	expect(pinfast_openssl_recheck(s.p.c, "Pin.Test.", 443), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	expect(pinfast_openssl_recheck(s.p.c, "192.0.2.7", 443), ALLOW,
	    PINFAST_REASON_UNLISTED);
	expect(pinfast_openssl_recheck(s.p.c, "two.test", 443), DENY,
	    PINFAST_REASON_PIN_MISMATCH);
	expect(pinfast_openssl_recheck(s.p.c, "three.test", 443), DENY,
	    PINFAST_REASON_PKIX_FAILED);
	expect(pinfast_openssl_recheck(s.p.c, "no name", 443), DENY,
	    PINFAST_REASON_HOST_INVALID);
	/* Another host's deny is not this connection's. */
	expect(pinfast_openssl_recheck(s.p.c, NULL, 443), ALLOW,
	    PINFAST_REASON_PIN_MATCHED);
	end(&s);
}

/* An external PSK: whoever holds it shows no certificate; it is not offered. */
static void
an_external_psk_is_no_session_of_ours(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	SSL_CTX *cctx = pinned_ctx(policy, TLS1_3_VERSION);
	SSL_CTX *sctx = server_ctx(&leaf, &intA, TLS1_3_VERSION);
	SSL_CTX *strange = server_ctx(&evil, &intA, TLS1_3_VERSION);
	struct pair p = attached(cctx, sctx, "pin.test");
	SSL_SESSION *session;

	(void)state;
	shake(&p);
	chat(&p);
	session = SSL_get1_session(p.c);
	part(&p);
	SSL_CTX_set_psk_find_session_callback(sctx, find_shared);
	SSL_CTX_set_psk_find_session_callback(strange, find_shared);
	for (int i = 0; i < 4; i++) {
		p = attached(cctx, i & 2 ? sctx : strange, "pin.test");
		SSL_set_psk_use_session_callback(p.c, use_shared);
		if (i & 1)
			SSL_set_session(p.c, session); /* its tag passes */
		shake(&p);
		chat(&p);
		expect_row("a psk", &p, i & 2 ? ALLOW : DENY,
		    i & 2 ? PINFAST_REASON_PIN_MATCHED
		          : PINFAST_REASON_PIN_MISMATCH);
		part(&p);
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(cctx);
	SSL_CTX_free(sctx);
	SSL_CTX_free(strange);
	pinfast_free(policy);
}

/* Set on the SSL_CTX and on the SSL. */
static void
an_external_psk_lets_no_early_data_out(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct scene s = set_scene(policy_of(PINFAST_ROLE_LEAF, &leaf),
		    &evil, NULL, TLS1_3_VERSION);
		size_t n;

		SSL_CTX_set_psk_find_session_callback(s.sctx, find_shared);
		if (i == 0)
			SSL_CTX_set_psk_use_session_callback(s.cctx,
			    use_shared);
		part(&s.p);
		s.p = attached(s.cctx, s.sctx, "pin.test");
		if (i == 1)
			SSL_set_psk_use_session_callback(s.p.c, use_shared);
		(void)SSL_write_early_data(s.p.c, "early", 5, &n);
		take_early(&s.p);
		shake(&s.p);
		chat(&s.p);
		assert_int_equal(s.p.early, 0);
		assert_int_equal(s.p.app, 0);
		end(&s);
	}
}

/* OpenSSL's macro drops the const. */
static void
ask_for(SSL *ssl, const char *name)
{
	char sni[64];

	snprintf(sni, sizeof sni, "%s", name);
	SSL_set_tlsext_host_name(ssl, sni);
}

/* The names of the handshake count, not those when a session was tried. */
static void
names_set_behind_a_session_are_judged(void **state)
{
	struct scene s = ordinary_scene(TLS1_3_VERSION);
	SSL_CTX *bad = server_ctx(&evil, NULL, TLS1_3_VERSION);
	SSL_SESSION *session;

	(void)state;
	attach(&s.p, "pin.test");
	shake(&s.p);
	chat(&s.p);
	session = SSL_get1_session(s.p.c);
	for (int i = 0; i < 3; i++) {
		part(&s.p);
		s.p = join(s.cctx, bad);
		if (i == 1)
			attach(&s.p, NULL);
		if (i == 2)
			ask_for(s.p.c, "unlisted.test");
		assert_int_equal(pinfast_openssl_session_use(s.p.c, session),
		    PINFAST_EPOLICY);
		ask_for(s.p.c, "pin.test");
		SSL_set1_host(s.p.c, "pin.test");
		shake(&s.p);
		chat(&s.p);
		expect_row("late names", &s.p, DENY,
		    PINFAST_REASON_PIN_MISMATCH);
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(bad);
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_is_judged_before_it_is_offered),
	    cmocka_unit_test(
	        a_session_of_an_unpinned_connection_is_not_offered),
	    cmocka_unit_test(early_data_only_through_a_passed_tag),
	    cmocka_unit_test(a_damaged_session_means_a_full_handshake),
	    cmocka_unit_test(a_refused_connection_leaves_no_session),
	    cmocka_unit_test(files_of_sessions_are_private),
	    cmocka_unit_test(a_kept_connection_follows_the_policy),
	    cmocka_unit_test(a_pool_asks_for_every_host),
	    cmocka_unit_test(an_external_psk_is_no_session_of_ours),
	    cmocka_unit_test(an_external_psk_lets_no_early_data_out),
	    cmocka_unit_test(names_set_behind_a_session_are_judged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
