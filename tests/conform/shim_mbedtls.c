/*
 * The mbedTLS adapter for the conformance table: how mbedTLS does each step of
 * the application in shim_run.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>

#include "pinfast-mbedtls.h"
#include "shim_run.h"

const struct pf_adapter *pinfast_adapter_mbedtls(void);

/* What connections share. */
struct ctx {
	mbedtls_ssl_config conf;
	mbedtls_x509_crt trust, own;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context tickets;
	mbedtls_ssl_cache_context cache;
};

struct conn {
	mbedtls_ssl_context ssl;
	struct pinfast_mbedtls *pin;
	int fd;
	struct conn *outer;
};

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context rng;

static int
on_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg, (void)crt, (void)depth;
	if (!shim_user_verify(*flags == 0))
		return MBEDTLS_ERR_X509_FATAL_ERROR;
	*flags = 0;
	return 0;
}

static int
yes_to_all(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg, (void)crt, (void)depth;
	*flags = 0;
	return 0;
}

static int
on_send(void *arg, const unsigned char *data, size_t len)
{
	struct conn *c = arg;
	ssize_t n;

	/* An alert that is not encrypted yet (RFC 5246, 6.2 and 7.2). */
	if (len == 7 && data[0] == 21)
		shim_now()->alert_sent = data[6];
	if (c->outer != NULL)
		return mbedtls_ssl_write(&c->outer->ssl, data, len);
	n = write(c->fd, data, len);
	return n < 0 ? MBEDTLS_ERR_NET_SEND_FAILED : (int)n;
}

static int
on_recv(void *arg, unsigned char *data, size_t size)
{
	struct conn *c = arg;
	ssize_t n;

	if (c->outer != NULL)
		return mbedtls_ssl_read(&c->outer->ssl, data, size);
	n = read(c->fd, data, size);
	return n < 0 ? MBEDTLS_ERR_NET_RECV_FAILED : (int)n;
}

static void
serve(struct ctx *c, const struct shim_request *r)
{
	if (mbedtls_x509_crt_parse_file(&c->own, shim_get(r, "cert", "")) !=
	        0 ||
	    mbedtls_pk_parse_keyfile(&c->key, shim_get(r, "key", ""), NULL) !=
	        0 ||
	    mbedtls_ssl_conf_own_cert(&c->conf, &c->own, &c->key) != 0)
		fprintf(stderr, "shim-mbedtls: cannot use its certificate\n");
	mbedtls_ssl_conf_session_cache(&c->conf, &c->cache,
	    mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
	if (shim_has(r, "tickets", "no"))
		return;
	if (mbedtls_ssl_ticket_setup(&c->tickets, mbedtls_ctr_drbg_random, &rng,
	        MBEDTLS_CIPHER_AES_256_GCM, 86400) != 0)
		abort();
	mbedtls_ssl_conf_session_tickets_cb(&c->conf, mbedtls_ssl_ticket_write,
	    mbedtls_ssl_ticket_parse, &c->tickets);
}

static void *
ctx_new(const struct shim_request *r, int server)
{
	static const unsigned char psk[16] = "ZZZZZZZZZZZZZZZ";
	unsigned char secret[16];
	struct ctx *c = calloc(1, sizeof *c);
	const char *trust = shim_get(r, "trust", NULL);

	if (c == NULL)
		abort();
	mbedtls_ssl_config_init(&c->conf);
	mbedtls_x509_crt_init(&c->trust);
	mbedtls_x509_crt_init(&c->own);
	mbedtls_pk_init(&c->key);
	mbedtls_ssl_ticket_init(&c->tickets);
	mbedtls_ssl_cache_init(&c->cache);
	if (mbedtls_ssl_config_defaults(&c->conf,
	        server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
	        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		abort();
	mbedtls_ssl_conf_rng(&c->conf, mbedtls_ctr_drbg_random, &rng);
	mbedtls_ssl_conf_min_version(&c->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
	    MBEDTLS_SSL_MINOR_VERSION_3);
	if (trust != NULL && mbedtls_x509_crt_parse_file(&c->trust, trust) != 0)
		fprintf(stderr, "shim-mbedtls: cannot read %s\n", trust);
	mbedtls_ssl_conf_ca_chain(&c->conf, &c->trust, NULL);
	mbedtls_ssl_conf_authmode(&c->conf, shim_has(r, "verify", "off")
	                                        ? MBEDTLS_SSL_VERIFY_NONE
	                                        : MBEDTLS_SSL_VERIFY_REQUIRED);
	memset(secret, psk[0], sizeof secret);
	if (shim_has(r, "psk", "1") &&
	    mbedtls_ssl_conf_psk(&c->conf, secret, sizeof secret,
	        (const unsigned char *)"pinfast", 7) != 0)
		abort();
	if (shim_user_has())
		mbedtls_ssl_conf_verify(&c->conf, on_verify, NULL);
	if (server)
		serve(c, r);
	return c;
}

static void
ctx_free(void *ctx)
{
	struct ctx *c = ctx;

	mbedtls_ssl_config_free(&c->conf);
	mbedtls_x509_crt_free(&c->trust);
	mbedtls_x509_crt_free(&c->own);
	mbedtls_pk_free(&c->key);
	mbedtls_ssl_ticket_free(&c->tickets);
	mbedtls_ssl_cache_free(&c->cache);
	free(c);
}

static void *
open_tls(void *ctx, const struct shim_request *r, int fd, void *outer,
    int server)
{
	struct ctx *shared = ctx;
	struct conn *c = calloc(1, sizeof *c);

	(void)r, (void)server;
	if (c == NULL)
		abort();
	c->fd = fd;
	c->outer = outer;
	mbedtls_ssl_init(&c->ssl);
	if (mbedtls_ssl_setup(&c->ssl, &shared->conf) != 0)
		abort();
	mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_recv, NULL);
	return c;
}

static void
close_tls(void *tls)
{
	struct conn *c = tls;

	mbedtls_ssl_close_notify(&c->ssl);
	mbedtls_ssl_free(&c->ssl);
	pinfast_mbedtls_free(c->pin);
	free(c);
}

/* Its name is what it verifies and what it asks for. */
static void
tell_name(void *tls, const char *how, const char *name)
{
	struct conn *c = tls;

	(void)how;
	if (mbedtls_ssl_set_hostname(&c->ssl, name) != 0)
		abort();
}

static void
make_pin(struct conn *c, struct pinfast *policy)
{
	if (pinfast_mbedtls_new(policy, &c->ssl, NULL, NULL, &c->pin) !=
	    PINFAST_OK)
		abort();
}

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	struct conn *c = tls;

	make_pin(c, policy);
	return pinfast_mbedtls_attach(c->pin, host, port, diag);
}

static enum pinfast_error
attach_server(void *tls, struct pinfast *policy, const char *label,
    struct pinfast_diag *diag)
{
	struct conn *c = tls;

	make_pin(c, policy);
	return pinfast_mbedtls_attach_server(c->pin, label, diag);
}

static void
overwrite(void *ctx, void *tls, const char *what)
{
	struct conn *c = tls;

	(void)ctx, (void)what;
	mbedtls_ssl_set_verify(&c->ssl, yes_to_all, NULL);
}

/* A careless application does not know of our handshake either. */
static int
handshake(void *tls, int server, struct shim_answer *answer)
{
	struct conn *c = tls;
	int ret;

	(void)server;
	if (c->pin == NULL)
		ret = mbedtls_ssl_handshake(&c->ssl);
	else
		ret = pinfast_mbedtls_handshake(c->pin);
	if (ret != 0)
		snprintf(answer->error, sizeof answer->error, "-0x%04x %#x",
		    (unsigned)-ret, mbedtls_ssl_get_verify_result(&c->ssl));
	return ret == 0;
}

static int
write_tls(void *tls, const void *data, int len)
{
	struct conn *c = tls;

	return mbedtls_ssl_write(&c->ssl, data, (size_t)len);
}

static int
read_tls(void *tls, void *data, int size)
{
	struct conn *c = tls;

	return mbedtls_ssl_read(&c->ssl, data, (size_t)size);
}

static void *
object(void *tls)
{
	return ((struct conn *)tls)->pin;
}

/* ----------------------------------------------------------------- sessions */

struct session {
	struct pinfast_mbedtls_session memory;
	size_t len; /* serialised, when it is not 0 */
	uint8_t bytes[];
};

static void
session_drop(void *what)
{
	struct session *session = what;

	pinfast_mbedtls_session_free(&session->memory);
	free(session);
}

static void *
session_keep(void *tls, int mode)
{
	struct conn *c = tls;
	size_t len = 0;
	struct session *session;
	int kept;

	if (mode & SHIM_SER)
		len = pinfast_mbedtls_session_write(c->pin, NULL, 0);
	session = calloc(1, sizeof *session + len);
	if (session == NULL)
		abort();
	pinfast_mbedtls_session_init(&session->memory);
	if (mode & SHIM_SER) {
		session->len =
		    pinfast_mbedtls_session_write(c->pin, session->bytes, len);
		kept = session->len > 0;
	} else {
		kept = pinfast_mbedtls_session_get(c->pin, &session->memory) ==
		       PINFAST_OK;
	}
	if (kept)
		return session;
	session_drop(session);
	return NULL;
}

static enum pinfast_error
session_offer(void *tls, void *kept, int mode)
{
	struct conn *c = tls;
	struct session *session = kept;

	if (mode & SHIM_SER)
		return pinfast_mbedtls_session_read(c->pin, session->bytes,
		    session->len);
	if (mode & SHIM_PLAIN)
		session->memory.tag_len = 0;
	if (mode == SHIM_PLAIN)
		return mbedtls_ssl_set_session(&c->ssl,
		           &session->memory.session) == 0
		           ? PINFAST_OK
		           : PINFAST_ENOMEM;
	return pinfast_mbedtls_session_use(c->pin, &session->memory);
}

static size_t
leaf(void *tls, uint8_t *der, size_t size)
{
	struct conn *c = tls;
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&c->ssl);

	if (crt == NULL || crt->raw.len > size)
		return 0;
	memcpy(der, crt->raw.p, crt->raw.len);
	return crt->raw.len;
}

int
main(void)
{
	static const struct shim_library library = {
	    .adapter = pinfast_adapter_mbedtls,
	    .object = object,
	    .ctx_new = ctx_new,
	    .ctx_free = ctx_free,
	    .open = open_tls,
	    .close = close_tls,
	    .tell_name = tell_name,
	    .attach = attach,
	    .attach_server = attach_server,
	    .overwrite = overwrite,
	    .handshake = handshake,
	    .write = write_tls,
	    .read = read_tls,
	    .session_keep = session_keep,
	    .session_drop = session_drop,
	    .session_offer = session_offer,
	    .leaf = leaf,
	};

	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&rng);
	if (mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL,
	        0) != 0)
		abort();
	return shim_main(&library);
}
