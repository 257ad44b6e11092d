/* Sessions of the mbedTLS adapter: a client's, and a server's. */
#define _POSIX_C_SOURCE 200809L
#include "mbed_pair.h"

#include <sys/stat.h>
#include <unistd.h>

/* A client that keeps a session of a server with tickets. */
struct past {
	struct pinfast *policy;
	struct shared *client, *server;
	struct pinfast_mbedtls_session session;
	uint8_t *bytes;
	size_t len;
};

static struct past
past_of(struct pinfast *policy, int tickets)
{
	struct past p = {.policy = policy,
	    .client = client_side(),
	    .server = server_side(&leaf, &intA)};
	struct duo *d;

	if (tickets)
		with_tickets(p.server);
	else
		with_cache(p.server);
	pinfast_mbedtls_session_init(&p.session);
	d = pinned_duo(policy, p.client, p.server, "pin.test");
	pump(d, 0);
	talk(d);
	expect_duo("first", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(pinfast_mbedtls_session_get(d->c.pin, &p.session), 0);
	p.len = pinfast_mbedtls_session_write(d->c.pin, NULL, 0);
	assert_true(p.len > 100);
	p.bytes = malloc(p.len);
	assert_non_null(p.bytes);
	assert_int_equal(pinfast_mbedtls_session_write(d->c.pin, p.bytes,
	                     p.len - 1),
	    p.len);
	assert_int_equal(pinfast_mbedtls_session_write(d->c.pin, p.bytes,
	                     p.len),
	    p.len);
	close_duo(d);
	return p;
}

static void
forget(struct past *p)
{
	pinfast_mbedtls_session_free(&p->session);
	free(p->bytes);
	drop_shared(p->client);
	drop_shared(p->server);
	pinfast_free(p->policy);
}

/* Did the server verify nothing anew?  It showed no certificate. */
static int
was_resumed(const struct duo *d)
{
	const mbedtls_ssl_session *session = d->c.ssl.session;

	return d->c.done &&
	       memcmp(session->master, d->s.ssl.session->master, 48) == 0 &&
	       d->resumed;
}

/* Counts what the server sends: a resumed handshake is short. */
static void
note_resumed(struct duo *d, const struct past *p)
{
	d->resumed = d->c.done && memcmp(d->c.ssl.session->master,
	                              p->session.session.master, 48) == 0;
}

enum how {
	USE,        /* as the header says */
	READ,       /* the same, serialised */
	OWN_BEFORE, /* mbedtls_ssl_set_session() before it attaches */
	OWN_AFTER,  /* and afterwards */
	OWN_OVER,   /* over one that has passed */
	NO_TAG,
	WRONG_TAG, /* the tag of another session */
	LONG_TAG
};

static const struct session_row {
	const char *name;
	enum how how;
	int direct;
	int resumed;
	int allow;
} session_rows[] = {
    {"in memory", USE, 0, 1, 1},
    {"in memory, careless", USE, 1, 1, 1},
    {"serialised", READ, 0, 1, 1},
    {"serialised, careless", READ, 1, 1, 1},
    {"its own, set before", OWN_BEFORE, 0, 0, 1},
    {"its own, set afterwards", OWN_AFTER, 0, 0, 1},
    {"its own, over one that passed", OWN_OVER, 0, 0, 1},
    {"its own, set before, careless", OWN_BEFORE, 1, 0, 1},
    {"its own, set afterwards, careless", OWN_AFTER, 1, 1, 0},
    {"its own, over one that passed, careless", OWN_OVER, 1, 1, 0},
    {"without its tag", NO_TAG, 0, 0, 1},
    {"without its tag, careless", NO_TAG, 1, 0, 1},
    {"with another's tag", WRONG_TAG, 0, 0, 1},
    {"with a tag that is too long", LONG_TAG, 0, 0, 1},
};

static struct duo *
come_back(const struct session_row *r, struct past *p, struct past *foreign)
{
	struct duo *d = duo_of(p->client, p->server);
	struct pinfast_mbedtls_session *s = &p->session;
	size_t len = s->tag_len;

	pin_end(&d->c, p->policy);
	if (r->how == OWN_BEFORE)
		assert_int_equal(mbedtls_ssl_set_session(&d->c.ssl,
		                     &s->session),
		    0);
	assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test", 443,
	                     NULL),
	    0);
	switch (r->how) {
	case USE:
		assert_int_equal(pinfast_mbedtls_session_use(d->c.pin, s), 0);
		break;
	case READ:
		assert_int_equal(pinfast_mbedtls_session_read(d->c.pin,
		                     p->bytes, p->len),
		    0);
		break;
	case OWN_OVER:
		assert_int_equal(pinfast_mbedtls_session_use(d->c.pin,
		                     &foreign->session),
		    0);
		/* fall through */
	case OWN_AFTER:
		assert_int_equal(mbedtls_ssl_set_session(&d->c.ssl,
		                     &s->session),
		    0);
		break;
	case NO_TAG:
	case LONG_TAG:
		s->tag_len = r->how == NO_TAG ? 0 : sizeof s->tag + 1;
		assert_int_equal(pinfast_mbedtls_session_use(d->c.pin, s),
		    PINFAST_EPOLICY);
		s->tag_len = len;
		break;
	case WRONG_TAG:
		s = &foreign->session;
		len = s->tag_len;
		memcpy(s->tag, p->session.tag, sizeof s->tag);
		s->tag_len = p->session.tag_len;
		assert_int_equal(pinfast_mbedtls_session_use(d->c.pin, s),
		    PINFAST_EPOLICY);
		break;
	case OWN_BEFORE:
	default:
		break;
	}
	return d;
}

static void
a_session_is_resumed_only_by_its_tag(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof session_rows / sizeof *session_rows;
	     i++) {
		const struct session_row *r = &session_rows[i];

		for (int tickets = 0; tickets < 2; tickets++) {
			struct past p =
			    past_of(policy_of(PINFAST_ROLE_LEAF, &leaf),
			        tickets);
			struct past foreign =
			    past_of(policy_of(PINFAST_ROLE_LEAF, &leaf),
			        tickets);
			struct duo *d = come_back(r, &p, &foreign);

			pump(d, r->direct);
			note_resumed(d, &p);
			if (was_resumed(d) != r->resumed)
				fail_msg("%s: resumed %d", r->name, d->resumed);
			talk(d);
			expect_duo(r->name, d, r->allow,
			    r->allow ? PINFAST_REASON_PIN_MATCHED
			             : PINFAST_REASON_NO_CERTIFICATE);
			close_duo(d);
			forget(&foreign);
			forget(&p);
		}
	}
}

static void
a_resumed_session_can_be_kept_again(void **state)
{
	struct past p = past_of(policy_of(PINFAST_ROLE_LEAF, &leaf), 1);
	struct pinfast_mbedtls_session again;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct duo *d =
		    pinned_duo(p.policy, p.client, p.server, "pin.test");

		assert_int_equal(pinfast_mbedtls_session_use(d->c.pin,
		                     &p.session),
		    0);
		pump(d, 0);
		note_resumed(d, &p);
		assert_true(d->resumed);
		pinfast_mbedtls_session_init(&again);
		assert_int_equal(pinfast_mbedtls_session_get(d->c.pin, &again),
		    0);
		pinfast_mbedtls_session_free(&p.session);
		p.session = again;
		talk(d);
		expect_duo("again", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
		close_duo(d);
	}
	forget(&p);
}

static void
a_withdrawn_key_is_not_resumed(void **state)
{
	struct past p = past_of(policy_of(PINFAST_ROLE_LEAF, &leaf), 1);
	struct duo *d;

	(void)state;
	change_policy(p.policy, 2, PINFAST_ROLE_LEAF, &evil);
	d = pinned_duo(p.policy, p.client, p.server, "pin.test");
	assert_int_equal(pinfast_mbedtls_session_use(d->c.pin, &p.session),
	    PINFAST_EPOLICY);
	pump(d, 0);
	talk(d);
	expect_duo("withdrawn", d, DENY, PINFAST_REASON_PIN_MISMATCH);
	close_duo(d);
	/* It goes between the offer and the handshake. */
	change_policy(p.policy, 3, PINFAST_ROLE_LEAF, &leaf);
	d = pinned_duo(p.policy, p.client, p.server, "pin.test");
	assert_int_equal(pinfast_mbedtls_session_use(d->c.pin, &p.session), 0);
	change_policy(p.policy, 4, PINFAST_ROLE_LEAF, &evil);
	pump(d, 0);
	expect(pinfast_mbedtls_result(d->c.pin), DENY,
	    PINFAST_REASON_PIN_MISMATCH);
	talk(d);
	expect_duo("meanwhile", d, DENY, PINFAST_REASON_PIN_MISMATCH);
	close_duo(d);
	forget(&p);
}

static void
bytes_that_are_no_session_make_a_full_handshake(void **state)
{
	struct past p = past_of(policy_of(PINFAST_ROLE_LEAF, &leaf), 1);

	(void)state;
	for (size_t i = 0; i < 2 * p.len; i++) {
		struct duo *d =
		    pinned_duo(p.policy, p.client, p.server, "pin.test");
		size_t at = i % p.len;
		enum pinfast_error error;

		if (i >= p.len)
			p.bytes[at] ^= 0x10;
		error = pinfast_mbedtls_session_read(d->c.pin, p.bytes,
		    i < p.len ? at : p.len);
		if (i >= p.len)
			p.bytes[at] ^= 0x10;
		assert_true(error == PINFAST_EPOLICY ||
		            error == PINFAST_EFORMAT);
		if (i % 97 == 0) {
			pump(d, 0);
			note_resumed(d, &p);
			assert_false(d->resumed);
			talk(d);
			expect_duo("damaged", d, ALLOW,
			    PINFAST_REASON_PIN_MATCHED);
		}
		close_duo(d);
	}
	forget(&p);
}

static void
a_file_of_secrets_is_only_ours(void **state)
{
	struct past p = past_of(policy_of(PINFAST_ROLE_LEAF, &leaf), 1);
	struct pinfast_diag diag;
	char path[] = "/tmp/pinfast-mbed-XXXXXX";
	int fd = mkstemp(path);
	struct stat status;
	struct duo *d;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	d = pinned_duo(p.policy, p.client, p.server, "pin.test");
	assert_int_equal(pinfast_mbedtls_session_save(d->c.pin, path, &diag),
	    PINFAST_ENOTFOUND);
	pump(d, 0);
	assert_int_equal(pinfast_mbedtls_session_save(d->c.pin, path, &diag),
	    0);
	close_duo(d);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	d = pinned_duo(p.policy, p.client, p.server, "pin.test");
	assert_int_equal(pinfast_mbedtls_session_load(d->c.pin, path, &diag),
	    0);
	pump(d, 0);
	talk(d);
	expect_duo("loaded", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	close_duo(d);
	assert_int_equal(chmod(path, 0644), 0);
	d = pinned_duo(p.policy, p.client, p.server, "pin.test");
	assert_int_equal(pinfast_mbedtls_session_load(d->c.pin, path, &diag),
	    PINFAST_EUNSAFE);
	unlink(path);
	assert_int_equal(pinfast_mbedtls_session_load(d->c.pin, path, &diag),
	    PINFAST_EIO);
	pump(d, 0);
	talk(d);
	expect_duo("not loaded", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
	close_duo(d);
	forget(&p);
}

/* The server has forgotten the session and takes a pre-shared key instead. */
static void
a_tag_does_not_vouch_for_another_handshake(void **state)
{
	static const int psk_only[] = {
	    MBEDTLS_TLS_PSK_WITH_AES_128_CBC_SHA256, 0};
	struct past p = past_of(policy_of(PINFAST_ROLE_LEAF, &leaf), 1);
	struct shared *second = server_side(&leaf, &intA);

	(void)state;
	with_psk(p.client);
	with_psk(second);
	mbedtls_ssl_conf_ciphersuites(&second->conf, psk_only);
	for (int direct = 0; direct < 2; direct++) {
		struct duo *d =
		    pinned_duo(p.policy, p.client, second, "pin.test");

		assert_int_equal(pinfast_mbedtls_session_use(d->c.pin,
		                     &p.session),
		    0);
		pump(d, direct);
		talk(d);
		assert_true(d->s.done);
		expect_duo("psk", d, DENY, PINFAST_REASON_NO_CERTIFICATE);
		close_duo(d);
	}
	drop_shared(second);
	forget(&p);
}

/* ------------------------------------------------------------------ servers */

static struct pinfast *
clients_policy(const struct id *partner, const struct id *guest)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "partner", PINFAST_ROLE_COUNT, partner);
	add_entry(b, "guest", PINFAST_ROLE_COUNT, guest);
	return policy_made(b);
}

struct inn {
	struct pinfast *policy;
	struct shared *server, *guest;
	mbedtls_ssl_session kept;
};

static struct inn
inn_of(struct pinfast *policy, int tickets)
{
	struct inn inn = {.policy = policy,
	    .server = server_side(&leaf, &intA),
	    .guest = client_side()};

	parse(&inn.server->trust, &rootA);
	mbedtls_ssl_conf_ca_chain(&inn.server->conf, &inn.server->trust, NULL);
	if (tickets)
		with_tickets(inn.server);
	else
		with_cache(inn.server);
	show(inn.guest, &client, &intA);
	mbedtls_ssl_session_init(&inn.kept);
	return inn;
}

static void
close_inn(struct inn *inn)
{
	mbedtls_ssl_session_free(&inn->kept);
	drop_shared(inn->server);
	drop_shared(inn->guest);
	pinfast_free(inn->policy);
}

/* A client comes, with the session that it has, if it has one. */
static struct duo *
visit(struct inn *inn, const char *label, int direct)
{
	struct duo *d = duo_of(inn->guest, inn->server);

	assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl, "pin.test"), 0);
	if (inn->kept.ciphersuite != 0)
		assert_int_equal(mbedtls_ssl_set_session(&d->c.ssl, &inn->kept),
		    0);
	pin_end(&d->s, inn->policy);
	assert_int_equal(pinfast_mbedtls_attach_server(d->s.pin, label, NULL),
	    0);
	pump(d, direct);
	d->resumed =
	    inn->kept.ciphersuite != 0 && d->s.done &&
	    memcmp(d->s.ssl.session->master, inn->kept.master, 48) == 0;
	talk(d);
	return d;
}

/* What the server said, and what its application got. */
static void
expect_guest(const char *name, struct duo *d, int allow, int32_t reason,
    int resumed)
{
	struct pinfast_verdict verdict = pinfast_mbedtls_result(d->s.pin);

	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || d->app != (allow ? 16U : 0U) ||
	    (allow && d->resumed != resumed))
		fail_msg("%s: %s, %zu bytes, resumed %d (-0x%x -0x%x)", name,
		    pinfast_reason_name(verdict.reason), d->app, d->resumed,
		    (unsigned)-d->c.error, (unsigned)-d->s.error);
}

static void
keep(struct inn *inn, struct duo *d)
{
	mbedtls_ssl_session_free(&inn->kept);
	assert_int_equal(mbedtls_ssl_get_session(&d->c.ssl, &inn->kept), 0);
	close_duo(d);
}

static void
a_server_resumes_whom_it_still_lets_in(void **state)
{
	(void)state;
	for (int bits = 0; bits < 4; bits++) {
		struct inn inn =
		    inn_of(clients_policy(&client, &stranger), bits & 1);
		struct pinfast_builder *b;
		struct duo *d = visit(&inn, "partner", bits & 2);

		expect_guest("first", d, ALLOW, PINFAST_REASON_PIN_MATCHED, 0);
		keep(&inn, d);
		for (int i = 0; i < 3; i++) {
			d = visit(&inn, "partner", bits & 2);
			expect_guest("again", d, ALLOW,
			    PINFAST_REASON_PIN_MATCHED, 1);
			close_duo(d);
		}
		/* Of another label, or under another policy. */
		d = visit(&inn, "guest", bits & 2);
		expect_guest("another label", d, DENY,
		    PINFAST_REASON_PIN_MISMATCH, 0);
		close_duo(d);
		b = begin_policy(2);
		add_entry(b, "partner", PINFAST_ROLE_COUNT, &stranger);
		serve_policy(inn.policy, b);
		d = visit(&inn, "partner", bits & 2);
		expect_guest("withdrawn", d, DENY, PINFAST_REASON_PIN_MISMATCH,
		    0);
		close_duo(d);
		b = begin_policy(3);
		add_entry(b, "partner", PINFAST_ROLE_COUNT, &client);
		serve_policy(inn.policy, b);
		d = visit(&inn, "partner", bits & 2);
		expect_guest("pinned again", d, ALLOW,
		    PINFAST_REASON_PIN_MATCHED, 1);
		close_duo(d);
		close_inn(&inn);
	}
}

/* A ticket that was made without pinfast, for anybody. */
static void
a_ticket_without_a_tag_is_not_resumed(void **state)
{
	(void)state;
	for (int tickets = 0; tickets < 2; tickets++) {
		struct inn inn =
		    inn_of(clients_policy(&stranger, &client), tickets);
		struct duo *d = duo_of(inn.guest, inn.server);

		assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl,
		                     "pin.test"),
		    0);
		pump(d, 1);
		assert_true(d->c.done && d->s.done);
		keep(&inn, d);
		d = visit(&inn, "partner", 0);
		expect_guest("no tag", d, DENY, PINFAST_REASON_PIN_MISMATCH, 0);
		close_duo(d);
		d = visit(&inn, "guest", 0);
		expect_guest("no tag, but pinned", d, ALLOW,
		    PINFAST_REASON_PIN_MATCHED, 0);
		close_duo(d);
		close_inn(&inn);
	}
}

static void
a_stranger_gets_no_session(void **state)
{
	(void)state;
	for (int tickets = 0; tickets < 2; tickets++) {
		struct inn inn =
		    inn_of(clients_policy(&stranger, &stranger), tickets);
		struct duo *d = visit(&inn, "partner", 0);

		expect_guest("stranger", d, DENY, PINFAST_REASON_PIN_MISMATCH,
		    0);
		assert_null(inn.server->cache.chain);
		assert_int_equal(d->c.alert,
		    MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN);
		close_duo(d);
		close_inn(&inn);
	}
}

static int
no_room(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
    const unsigned char *end, size_t *len, uint32_t *lifetime)
{
	mbedtls_ssl_session copy = *session;

	/* It stores a session without what only clients need. */
	copy.ticket = NULL;
	copy.ticket_len = 0;
	return mbedtls_ssl_ticket_write(arg, &copy, start, end, len, lifetime);
}

static void
callbacks_that_lose_the_tag_cost_a_handshake(void **state)
{
	struct inn inn = inn_of(clients_policy(&client, &stranger), 1);
	struct duo *d;

	(void)state;
	mbedtls_ssl_conf_session_tickets_cb(&inn.server->conf, no_room,
	    mbedtls_ssl_ticket_parse, &inn.server->tickets);
	keep(&inn, visit(&inn, "partner", 0));
	d = visit(&inn, "partner", 0);
	expect_guest("no room", d, ALLOW, PINFAST_REASON_PIN_MATCHED, 0);
	close_duo(d);
	close_inn(&inn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_is_resumed_only_by_its_tag),
	    cmocka_unit_test(a_resumed_session_can_be_kept_again),
	    cmocka_unit_test(a_withdrawn_key_is_not_resumed),
	    cmocka_unit_test(bytes_that_are_no_session_make_a_full_handshake),
	    cmocka_unit_test(a_file_of_secrets_is_only_ours),
	    cmocka_unit_test(a_tag_does_not_vouch_for_another_handshake),
	    cmocka_unit_test(a_server_resumes_whom_it_still_lets_in),
	    cmocka_unit_test(a_ticket_without_a_tag_is_not_resumed),
	    cmocka_unit_test(a_stranger_gets_no_session),
	    cmocka_unit_test(callbacks_that_lose_the_tag_cost_a_handshake),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
