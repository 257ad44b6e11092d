/* mbedTLS as a client, see client.h. */
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include "client.h"
#include "pinfast-mbedtls.h"

static const struct setup *setup;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_bits;
static mbedtls_ssl_config config;
static mbedtls_x509_crt ca;
static mbedtls_ssl_session kept;
static struct pinfast_mbedtls_session kept_safely;

struct conn {
	mbedtls_ssl_context ssl;
	mbedtls_net_context net;
	struct pinfast_mbedtls *pin;
	int resumed;
};

static int full_handshakes;

/* Runs for every certificate of a full handshake. */
static int
count(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)arg, (void)crt, (void)flags;
	full_handshakes += depth == 0;
	return 0;
}

void
lib_begin(const struct setup *s)
{
	setup = s;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random_bits);
	mbedtls_ssl_config_init(&config);
	mbedtls_x509_crt_init(&ca);
	mbedtls_ssl_session_init(&kept);
	if (mbedtls_ctr_drbg_seed(&random_bits, mbedtls_entropy_func, &entropy,
	        NULL, 0) != 0 ||
	    mbedtls_x509_crt_parse_file(&ca, s->ca) != 0 ||
	    mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
	        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		die("setup");
	mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_bits);
	mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
	mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_verify(&config, count, NULL);
}

void *
lib_open(int fd)
{
	struct conn *c = calloc(1, sizeof *c);

	mbedtls_ssl_init(&c->ssl);
	c->net.fd = fd;
	if (mbedtls_ssl_setup(&c->ssl, &config) != 0)
		die("setup");
	mbedtls_ssl_set_bio(&c->ssl, &c->net, mbedtls_net_send,
	    mbedtls_net_recv, NULL);
	return c;
}

static void
shake_pinned(struct conn *c, int resume)
{
	static const struct pinfast_mbedtls_next next = {count, NULL};

	if (pinfast_mbedtls_new(setup->policy, &c->ssl, &next, NULL, &c->pin) !=
	        PINFAST_OK ||
	    pinfast_mbedtls_attach(c->pin, HOST, 443, NULL) != PINFAST_OK)
		die("attach");
	if (resume &&
	    pinfast_mbedtls_session_use(c->pin, &kept_safely) != PINFAST_OK)
		die("session");
	if (pinfast_mbedtls_handshake(c->pin) != 0 ||
	    pinfast_mbedtls_result(c->pin).decision != PINFAST_ALLOW)
		die("denied");
}

void
lib_shake(void *conn, int resume)
{
	struct conn *c = conn;
	int before = full_handshakes;

	if (setup->policy != NULL) {
		shake_pinned(c, resume);
	} else {
		mbedtls_ssl_set_hostname(&c->ssl, HOST);
		if (resume)
			mbedtls_ssl_set_session(&c->ssl, &kept);
		if (mbedtls_ssl_handshake(&c->ssl) != 0)
			die("handshake");
	}
	c->resumed = full_handshakes == before;
}

void
lib_talk(void *conn)
{
	struct conn *c = conn;
	unsigned char data[256];

	if (mbedtls_ssl_write(&c->ssl, (const unsigned char *)"ping", 4) != 4 ||
	    mbedtls_ssl_read(&c->ssl, data, sizeof data) <= 0)
		die("talk");
}

int
lib_resumed(void *conn)
{
	struct conn *c = conn;

	return c->resumed;
}

void
lib_keep(void *conn)
{
	struct conn *c = conn;

	if (setup->policy == NULL) {
		if (mbedtls_ssl_get_session(&c->ssl, &kept) != 0)
			die("session");
		return;
	}
	pinfast_mbedtls_session_init(&kept_safely);
	if (pinfast_mbedtls_session_get(c->pin, &kept_safely) != PINFAST_OK)
		die("session");
}

void
lib_close(void *conn)
{
	struct conn *c = conn;

	mbedtls_ssl_close_notify(&c->ssl);
	pinfast_mbedtls_free(c->pin);
	mbedtls_ssl_free(&c->ssl);
	free(c);
}
