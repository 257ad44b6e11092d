#include "adapt/gtls/gtls.h"

#include <string.h>

/* Tells the peer and takes the transport away; the error for GnuTLS. */
static int
refuse(gnutls_session_t session, struct pf_gtls *st, int32_t reason)
{
	gnutls_alert_description_t alert = reason == PINFAST_REASON_PKIX_FAILED
	                                       ? GNUTLS_A_BAD_CERTIFICATE
	                                       : GNUTLS_A_CERTIFICATE_UNKNOWN;

	/* The peer may be gone, and nobody waits for it. */
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
	pf_gtls_block(session, st);
	return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

struct pf_gtls_judging
pf_gtls_judging_of(gnutls_session_t session, struct pf_gtls *st)
{
	struct pf_gtls_judging j = {.session = session, .conn = st->a.conn};

	j.host = st->a.has_host && !st->a.server ? st->a.host : NULL;
	/* Who brings a SHA-256 wants it asked. */
	j.remembers = pinfast_hashes_itself(st->a.policy);
	j.server = st->a.server;
	return j;
}

static void
judge(gnutls_session_t session, struct pf_gtls *st)
{
	struct pf_gtls_judging j = pf_gtls_judging_of(session, st);

	j.next = &st->next;
	pf_gtls_judge(&j);
	st->a.by_peer = 1;
}

static unsigned
version(gnutls_session_t session)
{
	return gnutls_protocol_get_version(session) < GNUTLS_TLS1_3
	           ? PF_GTLS_TLS12
	           : PF_GTLS_TLS13;
}

/* A handshake begins; the first one began when it was attached. */
static enum pinfast_error
begin(struct pf_gtls *st)
{
	if (st->a.conn != NULL && !st->a.complete)
		return PINFAST_OK;
	st->again |= st->a.complete;
	st->hello = 0;
	st->over = 0;
	return pf_attached_ready(&st->a);
}

/* Each handshake has its own (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2), of both
 * ends. */
static void
read_randoms(gnutls_session_t session, uint8_t out[PF_GTLS_RANDOMS])
{
	gnutls_datum_t client = {NULL, 0}, server = {NULL, 0};

	memset(out, 0, PF_GTLS_RANDOMS);
	gnutls_session_get_random(session, &client, &server);
	if (client.size == PF_GTLS_RANDOMS / 2)
		memcpy(out, client.data, PF_GTLS_RANDOMS / 2);
	if (server.size == PF_GTLS_RANDOMS / 2)
		memcpy(out + PF_GTLS_RANDOMS / 2, server.data,
		    PF_GTLS_RANDOMS / 2);
}

/* Is the last handshake the one that was settled? */
static int
is_settled(gnutls_session_t session, const struct pf_gtls *st)
{
	uint8_t random[PF_GTLS_RANDOMS];

	read_randoms(session, random);
	return memcmp(random, st->settled, sizeof random) == 0;
}

struct pinfast_verdict
pf_gtls_end(gnutls_session_t session, struct pf_gtls *st)
{
	int resumed = gnutls_session_is_resumed(session) != 0;

	if (st->a.complete && is_settled(session, st))
		return pf_attached_end(&st->a, resumed);
	/* Nobody told us of this one, whoever has our functions. */
	if (st->a.complete && begin(st) != PINFAST_OK)
		return pf_not_judged();
	read_randoms(session, st->settled);
	/* Which session was offered only our hook has seen. */
	if (!st->hello || (st->offers & version(session)) == 0)
		st->a.by_tag = 0;
	/* One whose tag nobody has judged is verified as it stands. */
	if (resumed && !st->a.by_tag && !st->a.by_peer && st->a.conn != NULL)
		judge(session, st);
	pf_gtls_forget(st);
	return pf_attached_end(&st->a, resumed);
}

/* A hello comes first: what was shown before it belongs to a handshake that
 * broke off, and was never proved. */
static enum pinfast_error
greet(gnutls_session_t session, struct pf_gtls *st)
{
	if (begin(st) != PINFAST_OK)
		return PINFAST_ENOMEM;
	if (pf_gtls_is_datagram(session)) {
		st->a.doomed = 1;
		return PINFAST_EUNSUPPORTED;
	}
	return st->a.by_peer ? pf_attached_begin(&st->a) : PINFAST_OK;
}

int
pf_gtls_verify(gnutls_session_t session)
{
	struct pf_gtls *st = pf_gtls_of(session);
	struct pinfast_verdict verdict;

	/* Somebody took our function over into a session of his own. */
	if (st == NULL)
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	if (st->a.doomed || begin(st) != PINFAST_OK)
		return refuse(session, st, PINFAST_REASON_NOT_JUDGED);
	judge(session, st);
	verdict = pinfast_conn_verdict(st->a.conn);
	if (verdict.decision == PINFAST_ALLOW)
		return 0;
	verdict = pinfast_conn_settle(st->a.conn);
	return refuse(session, st, verdict.reason);
}

/* ------------------------------------------------------------------- hook */

/* May this ClientHello go out?  The session that it offers must be the one
 * whose tag has passed, or no early data may follow. */
static int
may_go(gnutls_session_t session, struct pf_gtls *st,
    const gnutls_datum_t *message)
{
	struct pf_gtls_hello hello;
	struct pinfast_bytes none = {NULL, 0};
	struct pinfast_verdict verdict;

	if (st->a.doomed || greet(session, st) != PINFAST_OK ||
	    message == NULL ||
	    !pf_gtls_hello_read(message->data, message->size, &hello))
		return 0;
	st->hello = 1;
	st->offers = pf_gtls_offers(st, &hello);
	if (st->offers == 0)
		st->a.by_tag = 0;
	if (!hello.early || (st->a.by_tag && (st->offers & PF_GTLS_TLS13)))
		return 1;
	/* There is no tag for it. */
	st->a.by_tag = pf_attached_resume(&st->a, none, none) != 0;
	verdict = pinfast_conn_settle(st->a.conn);
	return verdict.decision == PINFAST_ALLOW;
}

/* A ClientHello goes out.  GnuTLS 3.7 sends the early data also when it was
 * told not to send the ClientHello: the transport has to be gone. */
static int
on_hello(gnutls_session_t session, struct pf_gtls *st,
    const gnutls_datum_t *message)
{
	if (may_go(session, st, message))
		return 0;
	pf_gtls_block(session, st);
	return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/*
 * The peer's last message.  Nobody may look after the end, also when
 * pinfast_gnutls_handshake() was called so far: what can be said now is said.
 * Only the certificates of a session of TLS 1.3 GnuTLS does not show a client
 * yet.
 */
static int
may_wait(gnutls_session_t session, const struct pf_gtls *st)
{
	return st->wrapped && !st->a.server && !st->a.by_peer &&
	       version(session) == PF_GTLS_TLS13;
}

static int
on_finished(gnutls_session_t session, struct pf_gtls *st)
{
	struct pinfast_verdict verdict;

	if (st->a.doomed)
		return refuse(session, st, PINFAST_REASON_NOT_JUDGED);
	verdict = pf_gtls_end(session, st);
	if (verdict.decision == PINFAST_ALLOW)
		return 0;
	return refuse(session, st, verdict.reason);
}

/* A ClientHello, before or after it goes out or was read. */
static int
on_client_hello(gnutls_session_t session, struct pf_gtls *st, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	if (!incoming && when == GNUTLS_HOOK_PRE)
		return on_hello(session, st, message);
	if (incoming && when == GNUTLS_HOOK_PRE &&
	    (st->a.doomed || greet(session, st) != PINFAST_OK))
		return refuse(session, st, PINFAST_REASON_NOT_JUDGED);
	st->hello = 1;
	/* Early data are there before anything can be judged, and GnuTLS takes
	 * none without this: only a ticket that is bound speaks for them. */
	if (incoming && !st->bound)
		gnutls_anti_replay_enable(session, NULL);
	return 0;
}

/* GnuTLS would have called the application's hook for this message. */
static int
is_wanted(const struct pinfast_gnutls_next *next, unsigned type, unsigned when)
{
	return next->hook != NULL &&
	       (next->hook_type == GNUTLS_HANDSHAKE_ANY ||
	           next->hook_type == type) &&
	       (next->hook_when == GNUTLS_HOOK_BOTH ||
	           next->hook_when == (int)when);
}

/* The peer's last message, read. */
static int
is_last(unsigned type, unsigned when, unsigned incoming)
{
	return type == GNUTLS_HANDSHAKE_FINISHED && incoming &&
	       when == GNUTLS_HOOK_POST;
}

int
pf_gtls_hook_alone(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	int is_hello = type == GNUTLS_HANDSHAKE_CLIENT_HELLO &&
	               (incoming || when == GNUTLS_HOOK_PRE);

	if (!is_hello && !is_last(type, when, incoming))
		return 0;
	return pf_gtls_hook(session, type, when, incoming, message);
}

void
pf_gtls_set_hook(gnutls_session_t session, const struct pf_gtls *st)
{
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY,
	    GNUTLS_HOOK_BOTH,
	    st->next.hook != NULL ? pf_gtls_hook : pf_gtls_hook_alone);
}

int
pf_gtls_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	struct pf_gtls *st = pf_gtls_of(session);
	int error = 0;

	if (st == NULL)
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO)
		error = on_client_hello(session, st, when, incoming, message);
	else if (is_last(type, when, incoming) && !may_wait(session, st))
		error = on_finished(session, st);
	if (error != 0 || !is_wanted(&st->next, type, when))
		return error;
	return st->next.hook(session, type, when, incoming, message);
}

/* ---------------------------------------------------------------- handshake */

int
pinfast_gnutls_handshake(gnutls_session_t session)
{
	struct pf_gtls *st = pf_gtls_of(session);
	struct pinfast_verdict verdict;
	int error;

	if (st == NULL || st->blocked)
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	if (st->a.doomed) {
		pf_gtls_block(session, st);
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	}
	st->wrapped = 1;
	error = gnutls_handshake(session);
	st->wrapped = 0;
	if (error != 0)
		return st->blocked ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR
		                   : error;
	st->over = 1;
	verdict = pf_gtls_end(session, st);
	if (verdict.decision == PINFAST_ALLOW)
		return 0;
	return refuse(session, st, verdict.reason);
}
