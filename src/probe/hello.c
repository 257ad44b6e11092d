/*
 * A ClientHello that asks for one kind of key, without an SSL behind it: most
 * servers have none of the other kind and say so at once, and for a no the
 * greeting is enough.  OpenSSL makes it, once; what stands in it for one
 * server is the name, and what is random.
 *
 * Only a plain no is believed.  Whatever else comes, the server is asked again
 * with a whole handshake, so that nothing is seen through this file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "base/host.h"
#include "probe/flight.h"

#define RECORD 5
#define MESSAGE 4 /* in front of a handshake message */
#define RANDOM_AT (RECORD + MESSAGE + 2)
#define RANDOM 32
#define SESSION_AT (RANDOM_AT + RANDOM)
#define SNI 9      /* bytes in front of a name */
#define PADDED 512 /* see pad() */
#define ROOM (PF_HELLO_MAX + SNI + PINFAST_HOST_LEN + PADDED)

static void
put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t
get16(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* Finds the extensions of what OpenSSL has written; 0: it is longer. */
static int
keep(struct pf_hello *hello, const char *data, long len)
{
	size_t at = SESSION_AT;

	if (len <= SESSION_AT || len > (long)sizeof hello->data)
		return 0;
	memcpy(hello->data, data, (size_t)len);
	at += 1U + hello->data[at]; /* the session */
	at += 2 + get16(hello->data + at);
	at += 1U + hello->data[at % sizeof hello->data]; /* compression */
	if (at + 2 > (size_t)len ||
	    at + 2 + get16(hello->data + at) != (size_t)len)
		return 0;
	hello->extensions = at + 2;
	hello->len = (size_t)len;
	return 1;
}

static int
make(struct pf_hello *hello, SSL_CTX *ctx)
{
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	char *data;
	long len;
	int fine = 0;

	if (ssl == NULL || in == NULL || out == NULL) {
		BIO_free(in);
		BIO_free(out);
	} else {
		SSL_set_bio(ssl, in, out);
		SSL_clear_options(ssl, SSL_OP_TLSEXT_PADDING);
		SSL_set_connect_state(ssl);
		(void)SSL_do_handshake(ssl);
		len = BIO_get_mem_data(out, &data);
		fine = keep(hello, data, len);
	}
	SSL_free(ssl);
	ERR_clear_error();
	return fine;
}

/* RFC 6066 section 3; addresses have none. */
static size_t
put_name(uint8_t *at, const char *host)
{
	struct pf_host parsed;
	size_t len;

	if (pf_host_parse(host, strlen(host), &parsed) != PINFAST_OK ||
	    parsed.kind != PF_HOST_NAME)
		return 0;
	len = parsed.text_len;
	memset(at, 0, SNI);
	put16(at + 2, len + 5);
	put16(at + 4, len + 3);
	put16(at + 7, len);
	memcpy(at + SNI, parsed.text, len);
	return SNI + len;
}

/* There are servers that hang at greetings of 256 to 511 bytes (RFC 7685). */
static size_t
pad(uint8_t *at, size_t message)
{
	size_t more;

	if (message < PADDED / 2 || message >= PADDED)
		return 0;
	more = message + 4 < PADDED ? PADDED - message : 5;
	memset(at, 0, more);
	at[1] = 21;
	put16(at + 2, more - 4);
	return more;
}

/* returns the length; 0: there is nothing random. */
static size_t
write_hello(const struct pf_hello *hello, const char *host, uint8_t *out)
{
	size_t head = hello->extensions, at = head;

	memcpy(out, hello->data, head);
	if (RAND_bytes(out + RANDOM_AT, RANDOM) != 1 ||
	    RAND_bytes(out + SESSION_AT + 1, out[SESSION_AT]) != 1)
		return 0;
	at += put_name(out + at, host);
	memcpy(out + at, hello->data + head, hello->len - head);
	at += hello->len - head;
	at += pad(out + at, at - RECORD);
	put16(out + RECORD - 2, at - RECORD);
	put16(out + RECORD + 2, at - RECORD - MESSAGE);
	put16(out + head - 2, at - head);
	return at;
}

/* Asks with a whole handshake, after all. */
static enum pf_step
give_up(struct pf_flight *f)
{
	f->again = 1;
	return PF_STEP_DONE;
}

enum pf_step
pf_hello_begin(struct pf_flight *f, struct pf_probe_result *result)
{
	struct pf_hello *hello = &f->run->hello[f->asked];
	uint8_t out[ROOM];
	size_t len;

	if (hello->len == 0 && !make(hello, pf_handshake_ctx(f->run, f->asked)))
		return give_up(f);
	len = write_hello(hello, f->batch->probe->host, out);
	if (len == 0 || send(f->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
		return give_up(f);
	return pf_hello_move(f, result);
}

/* Has the server said no, and nothing else? */
static int
is_no(const struct pf_flight *f)
{
	static const uint8_t fatal[] = {0, 2, 2};

	return f->answer[0] == SSL3_RT_ALERT && f->answer[1] == 3 &&
	       memcmp(f->answer + 3, fatal, sizeof fatal) == 0 &&
	       pf_fault_is_no(f->answer[6]);
}

enum pf_step
pf_hello_move(struct pf_flight *f, struct pf_probe_result *result)
{
	while (f->read < sizeof f->answer) {
		ssize_t got = recv(f->fd, f->answer + f->read,
		    sizeof f->answer - f->read, 0);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return PF_STEP_WAIT;
		if (got <= 0)
			return f->read == 0 && (got == 0 || errno == ECONNRESET)
			           ? pf_fault_closed(f, result)
			           : give_up(f);
		f->read += (size_t)got;
	}
	return is_no(f) ? pf_fault_alert(f, f->answer[6], result) : give_up(f);
}
