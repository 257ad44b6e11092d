#include "adapt/ossl/ossl.h"

#include <string.h>

/* Each handshake has its own (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2): of both
 * ends, since a client may send what somebody else has sent. */
static void
read_randoms(const SSL *ssl, uint8_t random[PF_OSSL_RANDOMS])
{
	memset(random, 0, PF_OSSL_RANDOMS);
	SSL_get_client_random(ssl, random, SSL3_RANDOM_SIZE);
	SSL_get_server_random(ssl, random + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
}

/* Is the present handshake one that repeats another (RFC 5746), as we were
 * told?  Then both have been finished before, and SSL_clear() forgets that. */
static int
is_renegotiating(const SSL *ssl, const struct pf_ossl *st)
{
	uint8_t byte;

	return st->renegotiates && SSL_get_state(ssl) != TLS_ST_OK &&
	       SSL_get_finished(ssl, &byte, 1) > 0 &&
	       SSL_get_peer_finished(ssl, &byte, 1) > 0;
}

/* Is the last handshake the one that was settled, or does it only repeat it? */
static int
is_settled(const SSL *ssl, const struct pf_ossl *st)
{
	uint8_t random[PF_OSSL_RANDOMS];

	read_randoms(ssl, random);
	return st->a.complete &&
	       (is_renegotiating(ssl, st) ||
	           memcmp(random, st->random, sizeof random) == 0);
}

/* Was the evidence shown in another handshake, which broke off and of whose end
 * nobody told us? */
static int
is_stale(const SSL *ssl, const struct pf_ossl *st)
{
	uint8_t random[PF_OSSL_RANDOMS];

	read_randoms(ssl, random);
	return st->a.by_peer && !st->a.complete &&
	       memcmp(random, st->judged, sizeof random) != 0;
}

enum pinfast_error
pf_ossl_judging_now(SSL *ssl, struct pf_ossl *st)
{
	enum pinfast_error error = PINFAST_OK;

	if (st->a.conn == NULL || st->a.complete || is_stale(ssl, st))
		error = pf_ossl_begin(ssl, st);
	read_randoms(ssl, st->judged);
	return error;
}

int
pf_ossl_over(const SSL *ssl)
{
	const struct pf_ossl *st = pf_ossl_of(ssl);

	/* TLS 1.3 takes tickets in and changes keys afterwards. */
	return SSL_get_state(ssl) == TLS_ST_OK ||
	       (st != NULL && !SSL_in_before(ssl) && is_settled(ssl, st));
}

struct pinfast_verdict
pf_ossl_end(SSL *ssl, struct pf_ossl *st)
{
	enum pinfast_error error = PINFAST_OK;
	struct pinfast_verdict verdict;
	int first, resumed;

	/* Nobody told us of this one: nothing of it was judged. */
	if ((st->a.complete && !is_settled(ssl, st)) || is_stale(ssl, st))
		error = pf_ossl_begin(ssl, st);
	first = !st->a.complete;
	resumed = SSL_session_reused(ssl) &&
	          (st->a.server || pf_ossl_session_tagged(ssl));
	/* A tag that has passed may be of a ticket in whose place OpenSSL took
	 * another session, or a key of the application's; a client's, of one
	 * in whose place the application has set another. */
	if (first && (st->a.server || st->a.by_tag) && resumed &&
	    error == PINFAST_OK && st->a.conn != NULL)
		(void)pf_ossl_session_resumed(ssl, st);
	verdict = pf_attached_end(&st->a, resumed);
	if (!first)
		return verdict;
	read_randoms(ssl, st->random);
	st->renegotiates = 0;
	if (verdict.decision != PINFAST_ALLOW)
		pf_ossl_block(ssl);
	else
		pf_ossl_session_tag(ssl, st);
	pf_ossl_tell(ssl, st);
	return verdict;
}

void
pf_ossl_done(SSL *ssl)
{
	struct pf_ossl *st = pf_ossl_make(ssl);
	struct pinfast_verdict verdict = pf_not_judged();
	OSSL_HANDSHAKE_STATE at = SSL_get_state(ssl);

	/* It also stops for early data, which a passed tag has let out.  A
	 * server of TLS 1.3 is done before it sends tickets. */
	if (at != TLS_ST_OK && at != TLS_ST_SW_SESSION_TICKET)
		return;
	if (st != NULL) {
		/* It rests on what was judged before. */
		if (st->renegotiates && st->a.complete)
			read_randoms(ssl, st->random);
		verdict = pf_ossl_end(ssl, st);
		read_randoms(ssl, st->random);
		st->renegotiates = 0;
	}
	if (verdict.decision != PINFAST_ALLOW)
		pf_ossl_block(ssl);
}
