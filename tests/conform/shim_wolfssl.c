/*
 * The wolfSSL adapter for the conformance table: how wolfSSL does each step of
 * the application in shim_run.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfio.h>

#include "pinfast-wolfssl.h"
#include "shim_run.h"

const struct pf_adapter *pinfast_adapter_wolfssl(void);

static int
on_verify(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	(void)store;
	return shim_user_verify(ok);
}

static int
yes_to_all(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static int
say_done(WOLFSSL *ssl, void *arg)
{
	(void)ssl, (void)arg;
	return 0;
}

static unsigned
on_psk(WOLFSSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *psk, unsigned max_psk)
{
	(void)ssl, (void)hint;
	if (max_psk < 16)
		return 0;
	snprintf(identity, max_identity, "pinfast");
	memset(psk, 0x5a, 16);
	return 16;
}

static void
note_error(WOLFSSL *ssl, struct shim_answer *answer)
{
	int error = wolfSSL_get_error(ssl, 0);
	char text[120] = "";
	WOLFSSL_ALERT_HISTORY alerts;

	if (error != 0)
		wolfSSL_ERR_error_string_n((unsigned long)error, text,
		    sizeof text);
	snprintf(answer->error, sizeof answer->error, "%s", text);
	if (wolfSSL_get_alert_history(ssl, &alerts) == WOLFSSL_SUCCESS) {
		answer->alert_sent = alerts.last_tx.code;
		answer->alert_got = alerts.last_rx.code;
	}
}

static WOLFSSL_METHOD *
method(int tls13, int server)
{
	if (server)
		return tls13 ? wolfTLSv1_3_server_method()
		             : wolfTLSv1_2_server_method();
	return tls13 ? wolfTLSv1_3_client_method()
	             : wolfTLSv1_2_client_method();
}

static void
use_own(WOLFSSL_CTX *ctx, const struct shim_request *r)
{
	const char *cert = shim_get(r, "cert", "");
	const char *key = shim_get(r, "key", "");

	if (shim_has(r, "tickets", "no")) {
		wolfSSL_CTX_NoTicketTLSv12(ctx);
		wolfSSL_CTX_no_ticket_TLSv13(ctx);
	}
	if (wolfSSL_CTX_use_certificate_chain_file(ctx, cert) !=
	        WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM) !=
	        WOLFSSL_SUCCESS)
		fprintf(stderr, "shim-wolfssl: cannot use %s, %s\n", cert, key);
}

static void *
ctx_new(const struct shim_request *r, int server)
{
	WOLFSSL_CTX *ctx =
	    wolfSSL_CTX_new(method(!shim_has(r, "tls", "1.2"), server));
	const char *trust = shim_get(r, "trust", NULL);

	if (ctx == NULL)
		abort();
	if (trust != NULL && wolfSSL_CTX_load_verify_locations(ctx, trust,
	                         NULL) != WOLFSSL_SUCCESS)
		fprintf(stderr, "shim-wolfssl: cannot read %s\n", trust);
	if (shim_get(r, "ciphers", NULL) != NULL) {
		wolfSSL_CTX_allow_anon_cipher(ctx);
		wolfSSL_CTX_set_cipher_list(ctx, "ALL:aNULL");
	}
	if (shim_has(r, "psk", "1"))
		wolfSSL_CTX_set_psk_client_callback(ctx, on_psk);
	if (!server)
		wolfSSL_CTX_UseSessionTicket(ctx);
	wolfSSL_CTX_set_verify(ctx,
	    shim_has(r, "verify", "off") ? WOLFSSL_VERIFY_NONE
	                                 : WOLFSSL_VERIFY_PEER,
	    shim_user_has() ? on_verify : NULL);
	if (server)
		use_own(ctx, r);
	return ctx;
}

static void
ctx_free(void *ctx)
{
	pinfast_wolfssl_fini(ctx);
	wolfSSL_CTX_free(ctx);
}

/* Records of the origin, inside those of the proxy. */
static int
send_through(WOLFSSL *ssl, char *bytes, int len, void *outer)
{
	int n = wolfSSL_write(outer, bytes, len);

	(void)ssl;
	return n > 0 ? n : WOLFSSL_CBIO_ERR_GENERAL;
}

static int
receive_through(WOLFSSL *ssl, char *bytes, int len, void *outer)
{
	int n = wolfSSL_read(outer, bytes, len);

	(void)ssl;
	return n > 0 ? n : WOLFSSL_CBIO_ERR_CONN_CLOSE;
}

static void *
open_tls(void *ctx, const struct shim_request *r, int fd, void *outer,
    int server)
{
	WOLFSSL *ssl = wolfSSL_new(ctx);

	(void)r, (void)server;
	if (ssl == NULL)
		abort();
	if (outer == NULL) {
		if (wolfSSL_set_fd(ssl, fd) != WOLFSSL_SUCCESS)
			abort();
		return ssl;
	}
	wolfSSL_SSLSetIOSend(ssl, send_through);
	wolfSSL_SSLSetIORecv(ssl, receive_through);
	wolfSSL_SetIOWriteCtx(ssl, outer);
	wolfSSL_SetIOReadCtx(ssl, outer);
	return ssl;
}

static void
close_tls(void *tls)
{
	wolfSSL_shutdown(tls);
	pinfast_wolfssl_detach(tls);
	wolfSSL_free(tls);
}

static void
tell_name(void *tls, const char *how, const char *name)
{
	if (strcmp(how, "sni") == 0)
		wolfSSL_UseSNI(tls, WOLFSSL_SNI_HOST_NAME, name,
		    (word16)strlen(name));
	else if (strcmp(how, "verify-host") == 0)
		wolfSSL_set1_host(tls, name);
	else
		wolfSSL_X509_VERIFY_PARAM_set1_ip_asc(wolfSSL_get0_param(tls),
		    name);
}

static enum pinfast_error
attach_server(void *tls, struct pinfast *policy, const char *label,
    struct pinfast_diag *diag)
{
	(void)policy; /* the context has it */
	return pinfast_wolfssl_attach_server(tls, label, diag);
}

static void
overwrite(void *ctx, void *tls, const char *what)
{
	(void)ctx;
	if (strcmp(what, "overwrite") == 0)
		wolfSSL_set_verify(tls, WOLFSSL_VERIFY_PEER, yes_to_all);
	else
		wolfSSL_SetHsDoneCb(tls, say_done, NULL);
}

static int
handshake(void *tls, int server, struct shim_answer *answer)
{
	int done = (server ? wolfSSL_accept(tls) : wolfSSL_connect(tls)) ==
	           WOLFSSL_SUCCESS;

	note_error(tls, answer);
	return done;
}

static int
resumed(void *tls)
{
	return wolfSSL_session_reused(tls);
}

static int
write_tls(void *tls, const void *data, int len)
{
	return wolfSSL_write(tls, data, len);
}

static int
read_tls(void *tls, void *data, int size)
{
	return wolfSSL_read(tls, data, size);
}

/* ----------------------------------------------------------------- sessions */

struct session {
	WOLFSSL_SESSION *memory; /* or, when this is NULL, serialised */
	size_t len;
	uint8_t bytes[];
};

static void
session_drop(void *what)
{
	struct session *session = what;

	wolfSSL_SESSION_free(session->memory);
	free(session);
}

static void *
session_keep(void *tls, int mode)
{
	size_t len = 0;
	struct session *session;

	if (mode & SHIM_SER)
		len = pinfast_wolfssl_session_write(tls, NULL, NULL, 0);
	session = calloc(1, sizeof *session + len);
	if (session == NULL)
		abort();
	if (mode & SHIM_SER)
		session->len = pinfast_wolfssl_session_write(tls, NULL,
		    session->bytes, len);
	else
		session->memory = wolfSSL_get1_session(tls);
	if (session->memory != NULL || session->len > 0)
		return session;
	free(session);
	return NULL;
}

static enum pinfast_error
offer(WOLFSSL *ssl, WOLFSSL_SESSION *session, int mode)
{
	if (mode & SHIM_ASK)
		return pinfast_wolfssl_session_use(ssl, session);
	wolfSSL_set_session(ssl, session);
	return PINFAST_OK;
}

static enum pinfast_error
session_offer(void *tls, void *kept, int mode)
{
	struct session *session = kept;
	enum pinfast_error error;
	const unsigned char *at;
	WOLFSSL_SESSION *copy;
	unsigned char *der, *end;
	int len;

	if (mode & SHIM_SER)
		return pinfast_wolfssl_session_read(tls, session->bytes,
		    session->len);
	if (!(mode & SHIM_PLAIN))
		return offer(tls, session->memory, mode);
	len = wolfSSL_i2d_SSL_SESSION(session->memory, NULL);
	end = der = calloc(1, len > 0 ? (size_t)len : 1);
	if (der == NULL)
		abort();
	wolfSSL_i2d_SSL_SESSION(session->memory, &end);
	at = der;
	copy = wolfSSL_d2i_SSL_SESSION(NULL, &at, len);
	error = offer(tls, copy, mode);
	wolfSSL_SESSION_free(copy);
	free(der);
	return error;
}

static size_t
leaf(void *tls, uint8_t *der, size_t size)
{
	WOLFSSL_X509_CHAIN *chain = wolfSSL_get_peer_chain(tls);
	size_t len;

	if (chain == NULL || wolfSSL_get_chain_count(chain) < 1)
		return 0;
	len = (size_t)wolfSSL_get_chain_length(chain, 0);
	if (len > size)
		return 0;
	memcpy(der, wolfSSL_get_chain_cert(chain, 0), len);
	return len;
}

int
main(void)
{
	static const struct shim_library wolfssl = {
	    .adapter = pinfast_adapter_wolfssl,
	    .ctx_new = ctx_new,
	    .ctx_free = ctx_free,
	    .open = open_tls,
	    .close = close_tls,
	    .tell_name = tell_name,
	    .attach_server = attach_server,
	    .overwrite = overwrite,
	    .handshake = handshake,
	    .resumed = resumed,
	    .write = write_tls,
	    .read = read_tls,
	    .session_keep = session_keep,
	    .session_drop = session_drop,
	    .session_offer = session_offer,
	    .leaf = leaf,
	};

	if (wolfSSL_Init() != WOLFSSL_SUCCESS)
		abort();
	return shim_main(&wolfssl);
}
