/* wolfSSL as a client, see client.h. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "client.h"
#include "pinfast-wolfssl.h"

#include <stdlib.h>
#include <string.h>

static const struct setup *setup;
static WOLFSSL_CTX *ctx;
static WOLFSSL_SESSION *kept;

void
lib_begin(const struct setup *s)
{
	setup = s;
	wolfSSL_Init();
	ctx = wolfSSL_CTX_new(s->tls12 ? wolfTLSv1_2_client_method()
	                               : wolfTLSv1_3_client_method());
	if (ctx == NULL)
		die("context");
	/* Before the CAs are loaded: it must see them. */
	if (s->policy != NULL &&
	    pinfast_wolfssl_init(ctx, s->policy, NULL, NULL) != PINFAST_OK)
		die("init");
	if (wolfSSL_CTX_load_verify_locations(ctx, s->ca, NULL) !=
	    WOLFSSL_SUCCESS)
		die("CA file");
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
	wolfSSL_CTX_UseSessionTicket(ctx);
}

void *
lib_open(int fd)
{
	WOLFSSL *ssl = wolfSSL_new(ctx);

	wolfSSL_set_fd(ssl, fd);
	wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, HOST,
	    (unsigned short)strlen(HOST));
	return ssl;
}

void
lib_shake(void *conn, int resume)
{
	WOLFSSL *ssl = conn;

	if (setup->policy == NULL) {
		wolfSSL_check_domain_name(ssl, HOST);
		if (resume)
			wolfSSL_set_session(ssl, kept);
	} else {
		if (pinfast_wolfssl_attach(ssl, HOST, 443, NULL) != PINFAST_OK)
			die("attach");
		if (resume &&
		    pinfast_wolfssl_session_use(ssl, kept) != PINFAST_OK)
			die("session");
	}
	if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS)
		die(wolfSSL_ERR_reason_error_string(
		    (unsigned long)-wolfSSL_get_error(ssl, 0)));
	if (setup->policy != NULL &&
	    pinfast_wolfssl_result(ssl).decision != PINFAST_ALLOW)
		die("denied");
}

void
lib_talk(void *conn)
{
	char data[256];

	if (wolfSSL_write(conn, "ping", 4) != 4 ||
	    wolfSSL_read(conn, data, sizeof data) <= 0)
		die("talk");
}

int
lib_resumed(void *conn)
{
	return wolfSSL_session_reused(conn);
}

void
lib_keep(void *conn)
{
	kept = wolfSSL_get1_session(conn);
}

void
lib_close(void *conn)
{
	if (setup->policy != NULL)
		pinfast_wolfssl_detach(conn);
	wolfSSL_shutdown(conn);
	wolfSSL_free(conn);
}
