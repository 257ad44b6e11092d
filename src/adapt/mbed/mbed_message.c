#include "adapt/mbed/mbed.h"

#include "core/der.h"

/*
 * The Certificate message (RFC 5246, 7.4.2) while it is still in mbedTLS's
 * hands: a header of 4 octets, the length of the list in 3, and each
 * certificate behind its length in 3.  mbedTLS 2.28 looks only at the first
 * element of what stands there, and shows nobody a certificate that it cannot
 * use.
 */
#define HEADER 4

static size_t
length_at(const uint8_t *at)
{
	return (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
}

static struct pinfast_bytes
message_of(const mbedtls_ssl_context *ssl)
{
	struct pinfast_bytes list = {NULL, 0};

#if MBEDTLS_VERSION_MAJOR < 3
	if ((ssl->state == MBEDTLS_SSL_SERVER_CERTIFICATE ||
	        ssl->state == MBEDTLS_SSL_CLIENT_CERTIFICATE) &&
	    ssl->in_msg != NULL && ssl->in_hslen >= HEADER + 3 &&
	    ssl->in_msglen >= ssl->in_hslen &&
	    ssl->in_msg[0] == MBEDTLS_SSL_HS_CERTIFICATE) {
		list.data = ssl->in_msg + HEADER + 3;
		list.len = ssl->in_hslen - HEADER - 3;
	}
#else
	(void)ssl; /* Not built here. */
#endif
	return list;
}

/* Takes the first certificate off the list; len 0: there is none. */
static struct pinfast_bytes
next(struct pinfast_bytes *list)
{
	struct pinfast_bytes cert = {NULL, 0};

	if (list->len < 3 || length_at(list->data) > list->len - 3)
		return cert;
	cert.data = list->data + 3;
	cert.len = length_at(list->data);
	list->data += 3 + cert.len;
	list->len -= 3 + cert.len;
	return cert;
}

struct pinfast_bytes
pf_mbed_sent_leaf(const struct pinfast_mbedtls *m)
{
	struct pinfast_bytes list = message_of(m->ssl);

	return next(&list);
}

int
pf_mbed_sent_exactly(const struct pinfast_mbedtls *m)
{
	struct pinfast_bytes list = message_of(m->ssl);

	while (list.len > 0) {
		struct pinfast_bytes cert = next(&list);
		struct pf_der outer, inner;

		if (cert.len == 0)
			return 0;
		outer.at = cert.data;
		outer.end = cert.data + cert.len;
		inner = pf_der_open(outer, PF_DER_SEQUENCE);
		/* BER is refused when it is walked. */
		if (inner.end != NULL && inner.end != outer.end)
			return 0;
	}
	return 1;
}
