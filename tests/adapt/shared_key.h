/*
 * A key that an application shares with somebody, for TLS 1.3 (RFC 8446, 2.2),
 * as OpenSSL asks for it.  Whoever has it shows no certificate.
 */
#ifndef SHARED_KEY_H
#define SHARED_KEY_H

#include "pair.h"

/* Its second octet (RFC 8446, B.4); the key is taken only where the suite that
 * is chosen has the same hash. */
#ifndef SHARED_KEY_SUITE
#define SHARED_KEY_SUITE 0x02 /* TLS_AES_256_GCM_SHA384 */
#endif

static inline SSL_SESSION *
shared_session(const SSL *ssl)
{
	static const unsigned char key[32] = {1, 2, 3};
	static const unsigned char id[] = {0x13, SHARED_KEY_SUITE};
	SSL_SESSION *session = SSL_SESSION_new();

	assert_non_null(session);
	assert_int_equal(SSL_SESSION_set1_master_key(session, key, sizeof key),
	    1);
	assert_int_equal(SSL_SESSION_set_cipher(session,
	                     SSL_CIPHER_find((SSL *)(uintptr_t)ssl, id)),
	    1);
	assert_int_equal(SSL_SESSION_set_protocol_version(session,
	                     TLS1_3_VERSION),
	    1);
	assert_int_equal(SSL_SESSION_set_max_early_data(session, 1024), 1);
	return session;
}

static inline int
use_shared(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len,
    SSL_SESSION **session)
{
	(void)md;
	*id = (const unsigned char *)"psk";
	*len = 3;
	*session = shared_session(ssl);
	return 1;
}

static inline int
find_shared(SSL *ssl, const unsigned char *id, size_t len,
    SSL_SESSION **session)
{
	*session =
	    len == 3 && memcmp(id, "psk", 3) == 0 ? shared_session(ssl) : NULL;
	return 1;
}

#endif
