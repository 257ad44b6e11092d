/* OpenSSL as a client, see client.h. */
#include <openssl/ssl.h>

#include "client.h"
#include "pinfast-openssl.h"

static const struct setup *setup;
static SSL_CTX *ctx;
static SSL_SESSION *kept;

void
lib_begin(const struct setup *s)
{
	setup = s;
	ctx = SSL_CTX_new(TLS_client_method());
	if (SSL_CTX_load_verify_file(ctx, s->ca) != 1)
		die("CA file");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (s->tls12)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (s->policy != NULL &&
	    pinfast_openssl_init(ctx, s->policy, NULL, NULL) != PINFAST_OK)
		die("init");
}

void *
lib_open(int fd)
{
	SSL *ssl = SSL_new(ctx);

	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	return ssl;
}

void
lib_shake(void *conn, int resume)
{
	SSL *ssl = conn;

	if (setup->policy == NULL) {
		SSL_set1_host(ssl, HOST);
		SSL_set_tlsext_host_name(ssl, HOST);
	} else if (pinfast_openssl_attach(ssl, HOST, 443, NULL) != PINFAST_OK) {
		die("attach");
	}
	if (resume)
		SSL_set_session(ssl, kept);
	if (SSL_do_handshake(ssl) != 1)
		die("handshake");
	if (setup->policy != NULL &&
	    pinfast_openssl_result(ssl).decision != PINFAST_ALLOW)
		die("denied");
}

void
lib_talk(void *conn)
{
	char data[256];

	if (SSL_write(conn, "ping", 4) != 4 ||
	    SSL_read(conn, data, sizeof data) <= 0)
		die("talk");
}

int
lib_resumed(void *conn)
{
	return SSL_session_reused(conn);
}

void
lib_keep(void *conn)
{
	kept = SSL_get1_session(conn);
}

void
lib_close(void *conn)
{
	SSL_shutdown(conn);
	SSL_free(conn);
}
