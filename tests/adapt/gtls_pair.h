/*
 * A client and a server of GnuTLS in one process, joined by memory.  What the
 * server's application receives is counted: the peer's word decides.
 */
#ifndef GTLS_PAIR_H
#define GTLS_PAIR_H

#include "pair.h"

#include <errno.h>

#include <gnutls/abstract.h>

#include "pinfast-gnutls.h"

enum { TLS12 = 0, TLS13 = 1 };

/* -------------------------------------------------------------- credentials */

static inline gnutls_datum_t
der_of(const struct id *id)
{
	unsigned char *der = NULL;
	int len = i2d_X509(id->cert, &der);
	gnutls_datum_t out = {der, (unsigned)len};

	return out;
}

static inline void
add_anchor_of(gnutls_certificate_credentials_t cred, const struct id *id)
{
	gnutls_datum_t der = der_of(id);

	assert_int_equal(gnutls_certificate_set_x509_trust_mem(cred, &der,
	                     GNUTLS_X509_FMT_DER),
	    1);
	OPENSSL_free(der.data);
}

static inline gnutls_certificate_credentials_t
new_cred(void)
{
	gnutls_certificate_credentials_t cred;

	assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
	return cred;
}

/* Trusts rootA and rootB. */
static inline gnutls_certificate_credentials_t
trusting(void)
{
	gnutls_certificate_credentials_t cred = new_cred();

	add_anchor_of(cred, &rootA);
	add_anchor_of(cred, &rootB);
	return cred;
}

/* Shows id, and sends others behind it; NULL ends them. */
static inline void
show(gnutls_certificate_credentials_t cred, const struct id *id,
    const struct id *sent)
{
	BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	gnutls_datum_t cert_text, key_text;
	char *at;

	PEM_write_bio_X509(chain, id->cert);
	if (sent != NULL)
		PEM_write_bio_X509(chain, sent->cert);
	PEM_write_bio_PrivateKey(key, id->key, NULL, NULL, 0, NULL, NULL);
	cert_text.size = (unsigned)BIO_get_mem_data(chain, &at);
	cert_text.data = (unsigned char *)at;
	key_text.size = (unsigned)BIO_get_mem_data(key, &at);
	key_text.data = (unsigned char *)at;
	assert_int_equal(gnutls_certificate_set_x509_key_mem(cred, &cert_text,
	                     &key_text, GNUTLS_X509_FMT_PEM),
	    0);
	BIO_free(chain);
	BIO_free(key);
}

static inline gnutls_certificate_credentials_t
showing(const struct id *id, const struct id *sent)
{
	gnutls_certificate_credentials_t cred = new_cred();

	show(cred, id, sent);
	return cred;
}

/* -------------------------------------------------------------- connections */

struct wire {
	uint8_t bytes[1 << 18];
	size_t at, len;
};

struct two {
	gnutls_session_t c, s;
	struct wire *up, *down; /* to the server, to the client */
	int shaken;             /* what the client's handshake said */
	size_t app;             /* bytes that the server's application got */
	size_t got;             /* and the client's */
};

struct end {
	gnutls_session_t session;
	struct wire *in, *out;
};

static inline ssize_t
push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct end *end = ptr;
	struct wire *w = end->out;

	assert_true(w->len + len <= sizeof w->bytes);
	memcpy(w->bytes + w->len, data, len);
	w->len += len;
	return (ssize_t)len;
}

/* The line is busy. */
static inline ssize_t
push_later(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct end *end = ptr;

	(void)data, (void)len;
	gnutls_transport_set_errno(end->session, EAGAIN);
	return -1;
}

static inline ssize_t
pull(gnutls_transport_ptr_t ptr, void *data, size_t size)
{
	struct end *end = ptr;
	struct wire *w = end->in;
	size_t n = w->len - w->at < size ? w->len - w->at : size;

	if (n == 0) {
		gnutls_transport_set_errno(end->session, EAGAIN);
		return -1;
	}
	memcpy(data, w->bytes + w->at, n);
	w->at += n;
	return (ssize_t)n;
}

static inline int
wait_for_it(gnutls_transport_ptr_t ptr, unsigned ms)
{
	struct end *end = ptr;

	(void)ms;
	return end->in->len > end->in->at;
}

static inline gnutls_session_t
open_end(unsigned flags, gnutls_certificate_credentials_t cred, int tls,
    struct wire *in, struct wire *out)
{
	static const char *const priorities[] = {
	    "NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"};
	struct end *end = calloc(1, sizeof *end);

	assert_non_null(end);
	assert_int_equal(gnutls_init(&end->session, flags), 0);
	assert_int_equal(gnutls_priority_set_direct(end->session,
	                     priorities[tls], NULL),
	    0);
	assert_int_equal(gnutls_credentials_set(end->session,
	                     GNUTLS_CRD_CERTIFICATE, cred),
	    0);
	end->in = in;
	end->out = out;
	gnutls_transport_set_ptr(end->session, end);
	gnutls_transport_set_push_function(end->session, push);
	gnutls_transport_set_pull_function(end->session, pull);
	gnutls_transport_set_pull_timeout_function(end->session, wait_for_it);
	return end->session;
}

static inline struct two
two_of(gnutls_certificate_credentials_t ours,
    gnutls_certificate_credentials_t theirs, int tls, unsigned flags)
{
	struct two t = {.up = calloc(1, sizeof *t.up),
	    .down = calloc(1, sizeof *t.down),
	    .shaken = GNUTLS_E_AGAIN};

	assert_non_null(t.up);
	assert_non_null(t.down);
	t.c = open_end(GNUTLS_CLIENT | flags, ours, tls, t.down, t.up);
	t.s = open_end(GNUTLS_SERVER | flags, theirs, tls, t.up, t.down);
	return t;
}

static inline void
close_end(gnutls_session_t session)
{
	void *end = gnutls_transport_get_ptr(session);

	gnutls_deinit(session);
	free(end);
}

static inline void
part_two(struct two *t)
{
	close_end(t->c);
	close_end(t->s);
	free(t->up);
	free(t->down);
}

typedef int (*shake_fn)(gnutls_session_t session);

/* Pumps both sides until both are done, or the client fails. */
static inline void
shake_with(struct two *t, shake_fn ours, shake_fn theirs)
{
	int s = GNUTLS_E_AGAIN;

	t->shaken = GNUTLS_E_AGAIN;
	for (int i = 0; i < 20; i++) {
		if (t->shaken == GNUTLS_E_AGAIN)
			t->shaken = ours(t->c);
		if (s == GNUTLS_E_AGAIN)
			s = theirs(t->s);
		if (t->shaken != GNUTLS_E_AGAIN && s != GNUTLS_E_AGAIN)
			break;
	}
}

static inline int
pinned(gnutls_session_t session)
{
	return pinfast_gnutls_handshake(session);
}

static inline void
shake_two(struct two *t)
{
	shake_with(t, pinned, gnutls_handshake);
}

static inline size_t
receive(gnutls_session_t session)
{
	char buffer[256];
	size_t all = 0;
	ssize_t n;

	for (int i = 0; i < 8; i++) {
		n = gnutls_record_recv(session, buffer, sizeof buffer);
		if (n > 0)
			all += (size_t)n;
		else if (n != GNUTLS_E_AGAIN)
			break;
	}
	return all;
}

/* Both applications write, whatever they were told, and read. */
static inline void
chat_two(struct two *t)
{
	(void)gnutls_record_send(t->c, "0123456789abcdef", 16);
	t->app += receive(t->s);
	(void)gnutls_record_send(t->s, "fine", 4);
	t->got += receive(t->c);
}

static inline void
pin(gnutls_session_t session, struct pinfast *policy)
{
	assert_int_equal(pinfast_gnutls_attach(session, policy, "pin.test", 443,
	                     NULL),
	    0);
}

/* A client with a policy, a server with a certificate. */
struct stage {
	struct pinfast *policy;
	gnutls_certificate_credentials_t client, server;
	gnutls_datum_t key; /* of the server's tickets */
	int tls;
};

static inline struct stage
stage_of(struct pinfast *policy, const struct id *shown, const struct id *sent,
    int tls)
{
	struct stage st = {.policy = policy, .tls = tls};

	st.client = trusting();
	st.server = showing(shown, sent);
	assert_int_equal(gnutls_session_ticket_key_generate(&st.key), 0);
	return st;
}

/* The pinned leaf is shown. */
static inline struct stage
ordinary_stage(int tls)
{
	return stage_of(policy_of(PINFAST_ROLE_LEAF, &leaf), &leaf, &intA, tls);
}

static inline void
end_stage(struct stage *st)
{
	gnutls_certificate_free_credentials(st->client);
	gnutls_certificate_free_credentials(st->server);
	gnutls_free(st->key.data);
	pinfast_free(st->policy);
}

/* Early data that came before: none. */
static inline int
never_seen(void *ptr, time_t until, const gnutls_datum_t *key,
    const gnutls_datum_t *data)
{
	(void)ptr, (void)until, (void)key, (void)data;
	return 0;
}

static inline void
take_early_data(gnutls_session_t server)
{
	static gnutls_anti_replay_t replays;

	if (replays == NULL) {
		assert_int_equal(gnutls_anti_replay_init(&replays), 0);
		gnutls_anti_replay_set_add_function(replays, never_seen);
	}
	gnutls_record_set_max_early_data_size(server, 1024);
	gnutls_anti_replay_enable(server, replays);
}

/* Not attached yet; the server hands out tickets. */
static inline struct two
bare_two(struct stage *st, unsigned flags)
{
	struct two t = two_of(st->client, st->server, st->tls, flags);

	gnutls_session_ticket_enable_server(t.s, &st->key);
	if (flags & GNUTLS_ENABLE_EARLY_DATA)
		take_early_data(t.s);
	return t;
}

static inline struct two
attached_two(struct stage *st)
{
	struct two t = bare_two(st, 0);

	pin(t.c, st->policy);
	return t;
}

static inline void
expect_two(const char *what, struct two *t, int allow, int32_t reason)
{
	struct pinfast_verdict verdict = pinfast_gnutls_result(t->c);

	if ((verdict.decision == PINFAST_ALLOW) != allow ||
	    verdict.reason != reason || t->app != (allow ? 16U : 0U) ||
	    t->got != (allow ? 4U : 0U))
		fail_msg("%s: %s, %zu and %zu bytes", what,
		    pinfast_reason_name(verdict.reason), t->app, t->got);
}

/* A session with its tag, and as GnuTLS alone would keep it. */
struct session {
	uint8_t bytes[16384];
	size_t len;
	gnutls_datum_t plain;
};

static inline struct session *
session_of(gnutls_session_t from)
{
	struct session *session = calloc(1, sizeof *session);

	assert_non_null(session);
	session->len = pinfast_gnutls_session_write(from, session->bytes,
	    sizeof session->bytes);
	assert_int_equal(gnutls_session_get_data2(from, &session->plain), 0);
	return session;
}

static inline void
drop(struct session *session)
{
	gnutls_free(session->plain.data);
	free(session);
}

/* A first connection, and its session. */
static inline struct session *
first_session(struct stage *st, unsigned flags)
{
	struct two t = bare_two(st, flags);
	struct session *session;

	pin(t.c, st->policy);
	shake_two(&t);
	chat_two(&t);
	assert_int_equal(t.shaken, 0);
	session = session_of(t.c);
	assert_true(session->len > 0 && session->len <= sizeof session->bytes);
	part_two(&t);
	return session;
}

/* What an application may put in our place. */
static inline int
yes_to_all(gnutls_session_t session)
{
	(void)session;
	return 0;
}

static inline int
no_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	(void)session, (void)type, (void)when, (void)incoming, (void)message;
	return 0;
}

/* How many bytes of early data the server's application gets. */
static inline size_t
early_at(gnutls_session_t server)
{
	char buffer[64];
	ssize_t n =
	    gnutls_record_recv_early_data(server, buffer, sizeof buffer);

	return n > 0 ? (size_t)n : 0;
}

#endif
