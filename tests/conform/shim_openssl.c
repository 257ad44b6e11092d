/*
 * The OpenSSL adapter for the conformance table: how OpenSSL does each step of
 * the application in shim_run.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "pinfast-openssl.h"
#include "shim_run.h"

const struct pf_adapter *pinfast_adapter_openssl(void);

static int
on_verify(int ok, X509_STORE_CTX *xs)
{
	(void)xs;
	return shim_user_verify(ok);
}

static int
yes_to_all(X509_STORE_CTX *xs, void *arg)
{
	(void)xs, (void)arg;
	return 1;
}

/* The application's own, set before pinfast came: it must still be called. */
static void
on_info(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT)
		shim_now()->alert_sent = value & 0xff;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		shim_now()->alert_got = value & 0xff;
}

static void
on_nothing(const SSL *ssl, int where, int value)
{
	(void)ssl, (void)where, (void)value;
}

static unsigned
on_psk(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
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
note_errors(struct shim_answer *answer)
{
	const char *data;
	unsigned long code;
	int flags;

	answer->error[0] = '\0';
	while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags))) {
		const char *text = ERR_reason_error_string(code);
		size_t used = strlen(answer->error);

		snprintf(answer->error + used, sizeof answer->error - used,
		    "%s%.80s", used > 0 ? " | " : "", text ? text : "?");
	}
}

static void
use_own(SSL_CTX *ctx, const struct shim_request *r)
{
	const char *cert = shim_get(r, "cert", "");
	const char *key = shim_get(r, "key", "");

	if (shim_has(r, "tickets", "no"))
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		fprintf(stderr, "shim-openssl: cannot use %s, %s\n", cert, key);
}

static void *
ctx_new(const struct shim_request *r, int server)
{
	SSL_CTX *ctx =
	    SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	int version =
	    shim_has(r, "tls", "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION;
	const char *trust = shim_get(r, "trust", NULL);
	const char *ciphers = shim_get(r, "ciphers", NULL);

	ERR_clear_error();
	if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version))
		abort();
	if (trust != NULL && !SSL_CTX_load_verify_locations(ctx, trust, NULL))
		fprintf(stderr, "shim-openssl: cannot read %s\n", trust);
	if (ciphers != NULL)
		SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	if (shim_int(r, "partial", 0))
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
		    X509_V_FLAG_PARTIAL_CHAIN);
	if (shim_has(r, "psk", "1"))
		SSL_CTX_set_psk_client_callback(ctx, on_psk);
	SSL_CTX_set_verify(ctx,
	    shim_has(r, "verify", "off") ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
	    shim_user_has() ? on_verify : NULL);
	SSL_CTX_set_info_callback(ctx, on_info);
	if (server)
		use_own(ctx, r);
	return ctx;
}

static void
ctx_free(void *ctx)
{
	SSL_CTX_free(ctx);
}

static void *
open_tls(void *ctx, const struct shim_request *r, int fd, void *outer,
    int server)
{
	SSL *ssl = SSL_new(ctx);
	BIO *bio;

	(void)r;
	if (ssl == NULL)
		abort();
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	if (outer == NULL) {
		if (!SSL_set_fd(ssl, fd))
			abort();
		return ssl;
	}
	bio = BIO_new(BIO_f_ssl());
	if (bio == NULL)
		abort();
	BIO_set_ssl(bio, outer, BIO_NOCLOSE);
	SSL_set_bio(ssl, bio, bio);
	return ssl;
}

static void
close_tls(void *tls)
{
	SSL_shutdown(tls);
	SSL_free(tls);
}

static void
tell_name(void *tls, const char *how, const char *name)
{
	SSL *ssl = tls;
	char copy[300]; /* OpenSSL's macro takes no const */

	snprintf(copy, sizeof copy, "%s", name);
	if (strcmp(how, "sni") == 0)
		SSL_set_tlsext_host_name(ssl, copy);
	else if (strcmp(how, "verify-host") == 0)
		SSL_set1_host(ssl, name);
	else
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
}

static enum pinfast_error
attach_server(void *tls, struct pinfast *policy, const char *label,
    struct pinfast_diag *diag)
{
	(void)policy; /* the context has it */
	return pinfast_openssl_attach_server(tls, label, diag);
}

static void
overwrite(void *ctx, void *tls, const char *what)
{
	if (strcmp(what, "overwrite") == 0)
		SSL_CTX_set_cert_verify_callback(ctx, yes_to_all, NULL);
	else
		SSL_set_info_callback(tls, on_nothing);
}

static int
handshake(void *tls, int server, struct shim_answer *answer)
{
	int done;

	(void)server;
	done = SSL_do_handshake(tls) == 1;
	note_errors(answer);
	return done;
}

static int
resumed(void *tls)
{
	return SSL_session_reused(tls);
}

static int
write_tls(void *tls, const void *data, int len)
{
	return SSL_write(tls, data, len);
}

static int
read_tls(void *tls, void *data, int size)
{
	return SSL_read(tls, data, size);
}

/* ----------------------------------------------------------------- sessions */

struct session {
	SSL_SESSION *memory; /* or, when this is NULL, serialised */
	size_t len;
	uint8_t bytes[];
};

static void
session_drop(void *what)
{
	struct session *session = what;

	SSL_SESSION_free(session->memory);
	free(session);
}

static void *
session_keep(void *tls, int mode)
{
	size_t len = 0;
	struct session *session;

	if (mode & SHIM_SER)
		len = pinfast_openssl_session_write(tls, NULL, NULL, 0);
	session = calloc(1, sizeof *session + len);
	if (session == NULL)
		abort();
	if (mode & SHIM_SER)
		session->len = pinfast_openssl_session_write(tls, NULL,
		    session->bytes, len);
	else
		session->memory = SSL_get1_session(tls);
	if (session->memory != NULL || session->len > 0)
		return session;
	free(session);
	return NULL;
}

static enum pinfast_error
offer(SSL *ssl, SSL_SESSION *session, int mode)
{
	if (mode & SHIM_ASK)
		return pinfast_openssl_session_use(ssl, session);
	SSL_set_session(ssl, session);
	return PINFAST_OK;
}

static enum pinfast_error
session_offer(void *tls, void *kept, int mode)
{
	struct session *session = kept;
	enum pinfast_error error;
	unsigned char *der = NULL;
	const unsigned char *at;
	SSL_SESSION *copy;
	int len;

	if (mode & SHIM_SER)
		return pinfast_openssl_session_read(tls, session->bytes,
		    session->len);
	if (!(mode & SHIM_PLAIN))
		return offer(tls, session->memory, mode);
	len = i2d_SSL_SESSION(session->memory, &der);
	at = der;
	copy = d2i_SSL_SESSION(NULL, &at, len);
	error = offer(tls, copy, mode);
	SSL_SESSION_free(copy);
	OPENSSL_free(der);
	return error;
}

static int
early(void *tls, const void *data, int len)
{
	SSL_SESSION *session = SSL_get0_session(tls);
	size_t written = 0;

	if (session == NULL || SSL_SESSION_get_max_early_data(session) == 0)
		return 0;
	if (SSL_write_early_data(tls, data, (size_t)len, &written) != 1)
		return 0;
	return (int)written;
}

static int
early_declined(void *tls)
{
	return SSL_get_early_data_status(tls) == SSL_EARLY_DATA_REJECTED;
}

static size_t
leaf(void *tls, uint8_t *der, size_t size)
{
	X509 *cert = SSL_get0_peer_certificate(tls);
	int len = cert == NULL ? 0 : i2d_X509(cert, NULL);

	if (len <= 0 || (size_t)len > size)
		return 0;
	i2d_X509(cert, &der);
	return (size_t)len;
}

int
main(void)
{
	static const struct shim_library openssl = {
	    .adapter = pinfast_adapter_openssl,
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
	    .early = early,
	    .early_declined = early_declined,
	    .leaf = leaf,
	};

	return shim_main(&openssl);
}
