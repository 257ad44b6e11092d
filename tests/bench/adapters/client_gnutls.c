/* GnuTLS as a client, see client.h. */
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "client.h"
#include "pinfast-gnutls.h"

static const struct setup *setup;
static gnutls_certificate_credentials_t credentials;
static gnutls_datum_t kept;
static uint8_t *kept_safely;
static size_t kept_len;

void
lib_begin(const struct setup *s)
{
	setup = s;
	if (gnutls_certificate_allocate_credentials(&credentials) < 0 ||
	    gnutls_certificate_set_x509_trust_file(credentials, s->ca,
	        GNUTLS_X509_FMT_PEM) != 1)
		die("CA file");
}

void *
lib_open(int fd)
{
	gnutls_session_t session;

	gnutls_init(&session, GNUTLS_CLIENT);
	gnutls_priority_set_direct(session,
	    setup->tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL", NULL);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, fd);
	return session;
}

static void
shake_pinned(gnutls_session_t session, int resume)
{
	int done;

	if (pinfast_gnutls_attach(session, setup->policy, HOST, 443, NULL) !=
	    PINFAST_OK)
		die("attach");
	if (resume && pinfast_gnutls_session_read(session, kept_safely,
	                  kept_len) != PINFAST_OK)
		die("session");
	do
		done = pinfast_gnutls_handshake(session);
	while (done < 0 && !gnutls_error_is_fatal(done));
	if (done < 0 ||
	    pinfast_gnutls_result(session).decision != PINFAST_ALLOW)
		die("denied");
}

/* The name is sent, and chain, name and purpose are verified: the adapter has
 * GnuTLS do so as well. */
static void
verify_as_we_do(gnutls_session_t session)
{
	static char purpose[] = GNUTLS_KP_TLS_WWW_SERVER, host[] = HOST;
	static gnutls_typed_vdata_st data[2];

	data[0].type = GNUTLS_DT_KEY_PURPOSE_OID;
	data[0].data = (unsigned char *)purpose;
	data[1].type = GNUTLS_DT_DNS_HOSTNAME;
	data[1].data = (unsigned char *)host;
	gnutls_server_name_set(session, GNUTLS_NAME_DNS, HOST, strlen(HOST));
	gnutls_session_set_verify_cert2(session, data, 2, 0);
}

/* GnuTLS's own: trust on first use, by a file of known keys. */
static void
look_up(gnutls_session_t session)
{
	unsigned count;
	const gnutls_datum_t *peers =
	    gnutls_certificate_get_peers(session, &count);

	if (peers == NULL ||
	    gnutls_verify_stored_pubkey(setup->known, NULL, HOST, "443",
	        GNUTLS_CRT_X509, &peers[0], 0) != 0)
		die("not known");
}

void
lib_shake(void *conn, int resume)
{
	gnutls_session_t session = conn;
	int done;

	if (setup->policy != NULL) {
		shake_pinned(session, resume);
		return;
	}
	verify_as_we_do(session);
	if (resume)
		gnutls_session_set_data(session, kept.data, kept.size);
	do
		done = gnutls_handshake(session);
	while (done < 0 && !gnutls_error_is_fatal(done));
	if (done < 0)
		die(gnutls_strerror(done));
	if (setup->known != NULL)
		look_up(session);
}

void
lib_talk(void *conn)
{
	char data[256];
	ssize_t got;

	gnutls_record_send(conn, "ping", 4);
	do
		got = gnutls_record_recv(conn, data, sizeof data);
	while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
	if (got <= 0)
		die("talk");
}

int
lib_resumed(void *conn)
{
	return gnutls_session_is_resumed(conn) != 0;
}

void
lib_keep(void *conn)
{
	if (setup->policy == NULL) {
		gnutls_session_get_data2(conn, &kept);
		return;
	}
	kept_len = pinfast_gnutls_session_write(conn, NULL, 0);
	kept_safely = malloc(kept_len);
	if (kept_len == 0 || pinfast_gnutls_session_write(conn, kept_safely,
	                         kept_len) != kept_len)
		die("session");
}

void
lib_close(void *conn)
{
	gnutls_bye(conn, GNUTLS_SHUT_WR);
	gnutls_deinit(conn);
}
