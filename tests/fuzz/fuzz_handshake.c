/*
 * Messages of a handshake that adapters read themselves.  The first byte says
 * which: a Certificate message while it is in mbedTLS's hands, or a ClientHello
 * that GnuTLS sends.  Neither library takes part; of GnuTLS's sessions nobody
 * asks here.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/gtls/gtls.h"
#include "adapt/mbed/mbed.h"
#include "core/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

static int
inside(struct pinfast_bytes part, struct pinfast_bytes whole)
{
	return part.len == 0 ||
	       (part.data >= whole.data && part.len <= whole.len &&
	           (size_t)(part.data - whole.data) <= whole.len - part.len);
}

/* Bytes in memory of exactly their length. */
static struct pinfast_bytes
alone(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0));
	struct pinfast_bytes bytes = {copy, len};

	must(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	return bytes;
}

static void
forget(struct pinfast_bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

/* ------------------------------------------------------------- certificates */

/* Are there certificates, each behind its length, and nothing else? */
static int
is_list(struct pinfast_bytes list)
{
	while (list.len >= 3) {
		size_t len = (size_t)list.data[0] << 16 |
		             (size_t)list.data[1] << 8 | list.data[2];

		if (len == 0 || len > list.len - 3)
			return 0;
		list.data += 3 + len;
		list.len -= 3 + len;
	}
	return list.len == 0;
}

/* The first byte may say that mbedTLS has more than the message. */
static void
check_certificates(const uint8_t *data, size_t size)
{
	static mbedtls_ssl_context ssl;
	static struct pinfast_mbedtls m;
	struct pinfast_bytes message = alone(data, size), list, leaf;
	int exactly;

	ssl.state = data[0] & 1 ? MBEDTLS_SSL_SERVER_CERTIFICATE
	                        : MBEDTLS_SSL_CLIENT_CERTIFICATE;
	ssl.in_msg = (uint8_t *)(uintptr_t)message.data;
	ssl.in_msg[0] =
	    data[0] & 2 ? MBEDTLS_SSL_HS_FINISHED : MBEDTLS_SSL_HS_CERTIFICATE;
	ssl.in_msglen = size;
	ssl.in_hslen = data[0] & 4 ? size / 2 : size;
	m.ssl = &ssl;
	leaf = pf_mbed_sent_leaf(&m);
	exactly = pf_mbed_sent_exactly(&m);
	must(inside(leaf, message));
	if (ssl.in_msg[0] != MBEDTLS_SSL_HS_CERTIFICATE || ssl.in_hslen < 7) {
		must(leaf.len == 0 && exactly);
	} else {
		list.data = message.data + 7;
		list.len = ssl.in_hslen - 7;
		must(inside(leaf, list));
		must(!exactly || is_list(list));
		must(!exactly || list.len == 0 || leaf.len > 0);
	}
	forget(message);
}

/* ------------------------------------------------------------ client hellos */

/* Nothing here has a session. */
struct pf_gtls *
pf_gtls_of(gnutls_session_t session)
{
	(void)session;
	return NULL;
}

int
pf_gtls_over(gnutls_session_t session, struct pf_gtls *st)
{
	(void)session;
	(void)st;
	abort();
}

struct pinfast_verdict
pf_gtls_end(gnutls_session_t session, struct pf_gtls *st)
{
	(void)session;
	(void)st;
	abort();
}

static unsigned
offers(const struct pf_gtls_hello *hello, struct pinfast_bytes what)
{
	static struct pf_gtls st;

	st.offered = (uint8_t *)(uintptr_t)what.data;
	st.offered_len = what.len;
	return pf_gtls_offers(&st, hello);
}

/* The first byte: how many of the last ones are the session that passed. */
static void
check_hello(const uint8_t *data, size_t size)
{
	size_t offered_len = data[0] < size - 1 ? data[0] : size - 1;
	struct pinfast_bytes none = {NULL, 0};
	struct pinfast_bytes bytes = alone(data + 1, size - 1 - offered_len);
	struct pinfast_bytes offered =
	    alone(data + size - offered_len, offered_len);
	struct pf_gtls_hello hello;
	unsigned all;

	if (pf_gtls_hello_read(bytes.data, bytes.len, &hello)) {
		must(bytes.len >= 34 && inside(hello.id, bytes));
		must(inside(hello.ticket, bytes) && inside(hello.psk, bytes));
		/* All of it holds whatever a part of it holds. */
		all = offers(&hello, bytes);
		must(!(all & PF_GTLS_TLS12) == (hello.id.len == 0));
		must(!(all & PF_GTLS_TLS13) == (hello.psk.len == 0));
		must((offers(&hello, offered) & ~all) == 0);
		must(offers(&hello, none) == 0);
	}
	forget(bytes);
	forget(offered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		check_hello(data + 1, size - 1);
	else
		check_certificates(data + 1, size - 1);
	return 0;
}
