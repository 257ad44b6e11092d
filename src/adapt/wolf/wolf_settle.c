#include "adapt/wolf/wolf.h"

#include <string.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfio.h>

int
pf_wolf_over(WOLFSSL *ssl, const struct pf_wolf *st)
{
	return wolfSSL_is_init_finished(ssl) || (st != NULL && st->a.complete);
}

/* Each handshake has its own (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2).  0: wolfSSL
 * has forgotten it, as it does when a handshake is complete. */
static int
read_random(const WOLFSSL *ssl, uint8_t random[PF_WOLF_RANDOM])
{
	memset(random, 0, PF_WOLF_RANDOM);
	return wolfSSL_get_client_random(ssl, random, PF_WOLF_RANDOM) ==
	       PF_WOLF_RANDOM;
}

/*
 * wolfSSL says "resumed" also when the server has taken a key that it shares
 * with the application (RFC 8446, 4.2.11) in place of the session that was
 * offered, and does not tell which.  So there is no resuming beside such keys.
 */
static void
note_shared_key(struct pf_wolf *st)
{
#ifndef NO_PSK
	const char *identity = wolfSSL_get_psk_identity(st->ssl);

	/* Of a server's clients it is what they asked for. */
	if (!st->a.server && identity != NULL && identity[0] != '\0')
		st->shared = 1;
#else
	(void)st;
#endif
}

void
pf_wolf_hello(struct pf_wolf *st, int first)
{
	uint8_t random[PF_WOLF_RANDOM];

	if (!first)
		note_shared_key(st);
	(void)read_random(st->ssl, random);
	if (first) {
		st->has_hello = 0;
		memcpy(st->before, random, sizeof random);
	} else if (!st->has_hello &&
	           memcmp(st->before, random, sizeof random) != 0) {
		st->has_hello = 1;
		memcpy(st->hello, random, sizeof random);
	}
}

static void
read_ours(const WOLFSSL *ssl, uint8_t random[PF_WOLF_RANDOM])
{
	memset(random, 0, PF_WOLF_RANDOM);
	(void)wolfSSL_get_server_random(ssl, random, PF_WOLF_RANDOM);
}

/* A client may send what somebody else has sent in the handshake before. */
static int
is_another_client(const struct pf_wolf *st)
{
	uint8_t ours[PF_WOLF_RANDOM];

	if (!st->a.server || !(st->a.complete || st->a.by_peer))
		return 0;
	read_ours(st->ssl, ours);
	return memcmp(st->ours, ours, sizeof ours) != 0;
}

enum pinfast_error
pf_wolf_now(struct pf_wolf *st)
{
	enum pinfast_error error = PINFAST_OK;
	uint8_t random[PF_WOLF_RANDOM];

	if (!read_random(st->ssl, random))
		return st->a.conn == NULL ? pf_wolf_begin(st) : PINFAST_OK;
	if (st->a.conn == NULL || is_another_client(st) ||
	    (st->has_hello && memcmp(st->hello, random, sizeof random) != 0))
		error = pf_wolf_begin(st);
	st->has_hello = 1;
	memcpy(st->hello, random, sizeof random);
	read_ours(st->ssl, st->ours);
	return error;
}

struct pinfast_verdict
pf_wolf_end(struct pf_wolf *st)
{
	int resumed = wolfSSL_session_reused(st->ssl);
	int first;
	struct pinfast_verdict verdict;

	/* Without a connection object the answer is no. */
	if (st->a.conn != NULL)
		(void)!pf_wolf_now(st);
	first = !st->a.complete;
	if (first)
		note_shared_key(st);
	/* Nobody has seen which session was offered. */
	if (first && !st->begun && !st->a.server)
		st->a.by_tag = 0;
	if (st->shared)
		st->a.by_tag = 0;
	/* Nobody asked before, or about another session: the handshake rests
	 * on this tag, whatever will be said of it. */
	else if (first && resumed && (!st->a.by_tag || st->a.server) &&
	         st->a.conn != NULL) {
		(void)pf_wolf_session_judge(st);
		st->a.by_tag = 1;
	}
	verdict = pf_attached_end(&st->a, resumed);
	if (first && !st->shared && verdict.decision == PINFAST_ALLOW)
		pf_wolf_session_tag(st);
	return verdict;
}

static int
send_nothing(WOLFSSL *ssl, char *bytes, int len, void *arg)
{
	(void)ssl, (void)bytes, (void)len, (void)arg;
	return WOLFSSL_CBIO_ERR_CONN_CLOSE;
}

static int
receive_nothing(WOLFSSL *ssl, char *bytes, int len, void *arg)
{
	(void)ssl, (void)bytes, (void)len, (void)arg;
	return WOLFSSL_CBIO_ERR_CONN_CLOSE;
}

/* What has come in already is thrown away. */
static void
drain(WOLFSSL *ssl)
{
	uint8_t waste[512];

	while (wolfSSL_read(ssl, waste, (int)sizeof waste) > 0)
		;
}

void
pf_wolf_block(WOLFSSL *ssl, struct pf_wolf *st)
{
	int blocked = st != NULL && st->blocked;

	if (st != NULL)
		st->blocked = 1;
	if (!blocked && wolfSSL_is_init_finished(ssl) &&
	    !(wolfSSL_get_shutdown(ssl) & WOLFSSL_SENT_SHUTDOWN))
		wolfSSL_shutdown(ssl);
	/* Also when the application has given it others since. */
	wolfSSL_SSLSetIOSend(ssl, send_nothing);
	wolfSSL_SSLSetIORecv(ssl, receive_nothing);
	if (!blocked && st != NULL && wolfSSL_is_init_finished(ssl))
		drain(ssl);
}

int
pf_wolf_done(WOLFSSL *ssl, void *arg)
{
	struct pf_wolf *st = pf_wolf_make(ssl);
	struct pinfast_verdict verdict = pf_not_judged();

	(void)arg;
	pf_wolf_known_end(ssl);
	if (st != NULL && !st->a.doomed)
		verdict = pf_wolf_end(st);
	if (st == NULL || verdict.decision != PINFAST_ALLOW) {
		pf_wolf_block(ssl, st);
		return VERIFY_CERT_ERROR;
	}
	if (st->ctx->next.done != NULL)
		return st->ctx->next.done(ssl, st->ctx->next.done_arg);
	return 0;
}

/* Does the certificate that the peer showed in this connection, or when its
 * session began, cover name? */
static int
covers(void *arg, const char *name)
{
	const struct pf_wolf *st = arg;
	WOLFSSL_X509_CHAIN *chain = wolfSSL_get_peer_chain(st->ssl);
	struct pinfast_bytes der;
	struct pf_cert leaf;

	if (chain == NULL || wolfSSL_get_chain_count(chain) < 1)
		return 0;
	der.data = wolfSSL_get_chain_cert(chain, 0);
	der.len = (size_t)wolfSSL_get_chain_length(chain, 0);
	return pf_cert_walk(der, &leaf, NULL) == PINFAST_OK &&
	       pf_cert_covers(&leaf, name);
}

static enum pinfast_error
complete(void *arg)
{
	return pf_wolf_complete(arg);
}

static struct pinfast_verdict
ask_again(struct pf_wolf *st, const char *host, uint16_t port)
{
	struct pf_kept kept = {covers, complete, st};

	return pf_attached_recheck(&st->a, host, port, &kept);
}

struct pinfast_verdict
pinfast_wolfssl_result(WOLFSSL *ssl)
{
	struct pf_wolf *st = ssl == NULL ? NULL : pf_wolf_of(ssl);
	struct pinfast_verdict verdict = pf_not_judged();

	if (ssl == NULL)
		return verdict;
	if (!pf_wolf_over(ssl, st)) {
		if (st == NULL)
			return verdict;
		pf_wolf_unread(st);
		return pf_attached_so_far(&st->a);
	}
	if (st != NULL && !st->a.doomed)
		verdict = pf_wolf_end(st);
	if (verdict.decision == PINFAST_ALLOW)
		verdict = ask_again(st, NULL, 0);
	if (verdict.decision != PINFAST_ALLOW)
		pf_wolf_block(ssl, st);
	return verdict;
}

struct pinfast_verdict
pinfast_wolfssl_recheck(WOLFSSL *ssl, const char *host, uint16_t port)
{
	struct pinfast_verdict verdict = pinfast_wolfssl_result(ssl);

	if (verdict.decision != PINFAST_ALLOW || host == NULL)
		return verdict;
	return ask_again(pf_wolf_of(ssl), host, port);
}

size_t
pinfast_wolfssl_explain(WOLFSSL *ssl, char *text, size_t size)
{
	const struct pf_wolf *st = ssl == NULL ? NULL : pf_wolf_of(ssl);

	return pf_attached_explain(st != NULL ? &st->a : NULL, text, size);
}

struct pinfast_conn *
pinfast_wolfssl_conn(WOLFSSL *ssl)
{
	const struct pf_wolf *st = ssl == NULL ? NULL : pf_wolf_of(ssl);

	return st != NULL ? st->a.conn : NULL;
}
