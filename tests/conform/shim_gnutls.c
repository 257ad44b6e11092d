/*
 * The GnuTLS adapter for the conformance table: how GnuTLS does each step of
 * the application in shim_run.c.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinfast-gnutls.h"
#include "shim_run.h"

const struct pf_adapter *pinfast_adapter_gnutls(void);

/* A server's cache of TLS 1.2 sessions. */
struct kept {
	uint8_t key[32];
	gnutls_datum_t data;
	struct kept *next;
};

struct ctx {
	gnutls_certificate_credentials_t cred;
	gnutls_anon_client_credentials_t anon;
	gnutls_psk_client_credentials_t psk;
	char priority[200];
	gnutls_datum_t ticket_key;
	int no_tickets;
	struct kept *cache;
};

struct conn {
	gnutls_session_t session;
	struct ctx *ctx;
	int careless; /* knows nothing of pinfast_gnutls_handshake() */
	int offered;
};

static void
must(int error, const char *what)
{
	if (error >= 0)
		return;
	fprintf(stderr, "shim-gnutls: %s: %s\n", what, gnutls_strerror(error));
	abort();
}

/* ------------------------------------------------------------- credentials */

static void
use_own(struct ctx *ctx, const struct shim_request *r)
{
	must(gnutls_certificate_set_x509_key_file(ctx->cred,
	         shim_get(r, "cert", ""), shim_get(r, "key", ""),
	         GNUTLS_X509_FMT_PEM),
	    "certificate");
	must(gnutls_session_ticket_key_generate(&ctx->ticket_key), "key");
	ctx->no_tickets = shim_has(r, "tickets", "no");
}

static void
set_priority(struct ctx *ctx, const struct shim_request *r)
{
	snprintf(ctx->priority, sizeof ctx->priority,
	    "NORMAL:-VERS-ALL:+VERS-TLS%s%s%s%s", shim_get(r, "tls", "1.3"),
	    shim_get(r, "ciphers", NULL) != NULL ? ":+ANON-ECDH:+ANON-DH" : "",
	    shim_has(r, "psk", "1") ? ":+ECDHE-PSK:+DHE-PSK:+PSK" : "",
	    shim_int(r, "rpk", 0) ? ":+CTYPE-SRV-RAWPK" : "");
}

static void *
ctx_new(const struct shim_request *r, int server)
{
	static unsigned char bytes[] = "ZZZZZZZZZZZZZZZZ";
	static const gnutls_datum_t key = {bytes, 16};
	struct ctx *ctx = calloc(1, sizeof *ctx);
	const char *trust = shim_get(r, "trust", NULL);

	if (ctx == NULL)
		abort();
	must(gnutls_certificate_allocate_credentials(&ctx->cred), "memory");
	must(gnutls_anon_allocate_client_credentials(&ctx->anon), "memory");
	must(gnutls_psk_allocate_client_credentials(&ctx->psk), "memory");
	must(gnutls_psk_set_client_credentials(ctx->psk, "pinfast", &key,
	         GNUTLS_PSK_KEY_RAW),
	    "psk");
	/* Servers may send a hundred certificates. */
	gnutls_certificate_set_verify_limits(ctx->cred, 16384, 200);
	if (trust != NULL && !shim_has(r, "verify", "off"))
		must(gnutls_certificate_set_x509_trust_file(ctx->cred, trust,
		         GNUTLS_X509_FMT_PEM),
		    "trust");
	set_priority(ctx, r);
	if (server)
		use_own(ctx, r);
	return ctx;
}

static void
ctx_free(void *what)
{
	struct ctx *ctx = what;

	while (ctx->cache != NULL) {
		struct kept *next = ctx->cache->next;

		free(ctx->cache->data.data);
		free(ctx->cache);
		ctx->cache = next;
	}
	gnutls_free(ctx->ticket_key.data);
	gnutls_certificate_free_credentials(ctx->cred);
	gnutls_anon_free_client_credentials(ctx->anon);
	gnutls_psk_free_client_credentials(ctx->psk);
	free(ctx);
}

/* -------------------------------------------------------------- connections */

static ssize_t
push_outer(gnutls_transport_ptr_t outer, const void *data, size_t len)
{
	return gnutls_record_send(outer, data, len);
}

static ssize_t
pull_outer(gnutls_transport_ptr_t outer, void *data, size_t size)
{
	return gnutls_record_recv(outer, data, size);
}

static void *
open_tls(void *what, const struct shim_request *r, int fd, void *outer,
    int server)
{
	struct conn *conn = calloc(1, sizeof *conn);
	struct ctx *ctx = what;
	unsigned flags = server ? GNUTLS_SERVER : GNUTLS_CLIENT;

	if (conn == NULL)
		abort();
	conn->ctx = ctx;
	conn->careless = shim_has(r, "ask", "no");
	if (shim_int(r, "early", 0))
		flags |= GNUTLS_ENABLE_EARLY_DATA;
	if (shim_int(r, "rpk", 0))
		flags |= GNUTLS_ENABLE_RAWPK;
	must(gnutls_init(&conn->session, flags), "session");
	must(gnutls_priority_set_direct(conn->session, ctx->priority, NULL),
	    "priority");
	must(gnutls_credentials_set(conn->session, GNUTLS_CRD_CERTIFICATE,
	         ctx->cred),
	    "credentials");
	if (strstr(ctx->priority, "ANON") != NULL)
		gnutls_credentials_set(conn->session, GNUTLS_CRD_ANON,
		    ctx->anon);
	if (strstr(ctx->priority, "PSK") != NULL)
		gnutls_credentials_set(conn->session, GNUTLS_CRD_PSK, ctx->psk);
	if (outer == NULL) {
		gnutls_transport_set_int(conn->session, fd);
		return conn;
	}
	gnutls_transport_set_ptr(conn->session,
	    ((struct conn *)outer)->session);
	gnutls_transport_set_push_function(conn->session, push_outer);
	gnutls_transport_set_pull_function(conn->session, pull_outer);
	return conn;
}

static void
close_tls(void *tls)
{
	struct conn *conn = tls;

	gnutls_bye(conn->session, GNUTLS_SHUT_WR);
	gnutls_deinit(conn->session);
	free(conn);
}

static void
tell_name(void *tls, const char *how, const char *name)
{
	struct conn *conn = tls;

	/* Which name will be verified nobody can tell GnuTLS beforehand. */
	if (strcmp(how, "sni") == 0)
		gnutls_server_name_set(conn->session, GNUTLS_NAME_DNS, name,
		    strlen(name));
}

/* An application that verifies by itself. */
static int
on_verify(gnutls_session_t session)
{
	unsigned status = 0;
	int ok =
	    gnutls_certificate_verify_peers3(session, NULL, &status) == 0 &&
	    status == 0;

	return shim_user_verify(ok) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static enum pinfast_error
attach(void *tls, struct pinfast *policy, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	static const struct pinfast_gnutls_next next = {.verify = on_verify};
	struct conn *conn = tls;
	enum pinfast_error error =
	    pinfast_gnutls_attach(conn->session, policy, host, port, diag);

	if (error == PINFAST_OK && shim_user_has())
		error = pinfast_gnutls_set_next(conn->session, &next);
	return error;
}

static int
store(void *ptr, gnutls_datum_t key, gnutls_datum_t data)
{
	struct kept *kept = calloc(1, sizeof *kept);
	struct ctx *ctx = ptr;

	if (kept == NULL || key.size != sizeof kept->key)
		abort();
	memcpy(kept->key, key.data, key.size);
	kept->data.data = malloc(data.size);
	if (kept->data.data == NULL)
		abort();
	memcpy(kept->data.data, data.data, data.size);
	kept->data.size = data.size;
	kept->next = ctx->cache;
	ctx->cache = kept;
	return 0;
}

static gnutls_datum_t
retrieve(void *ptr, gnutls_datum_t key)
{
	struct ctx *ctx = ptr;
	gnutls_datum_t out = {NULL, 0};

	for (struct kept *kept = ctx->cache; kept != NULL; kept = kept->next)
		if (memcmp(kept->key, key.data, sizeof kept->key) == 0) {
			out.data = gnutls_malloc(kept->data.size);
			if (out.data == NULL)
				abort();
			memcpy(out.data, kept->data.data, kept->data.size);
			out.size = kept->data.size;
			break;
		}
	return out;
}

static int
forget(void *ptr, gnutls_datum_t key)
{
	struct ctx *ctx = ptr;

	for (struct kept *kept = ctx->cache; kept != NULL; kept = kept->next)
		if (memcmp(kept->key, key.data, sizeof kept->key) == 0)
			memset(kept->key, 0, sizeof kept->key);
	return 0;
}

static enum pinfast_error
attach_server(void *tls, struct pinfast *policy, const char *label,
    struct pinfast_diag *diag)
{
	struct conn *conn = tls;
	struct pinfast_gnutls_cache cache = {
	    conn->ctx, store, retrieve, forget};
	enum pinfast_error error =
	    pinfast_gnutls_attach_server(conn->session, policy, label, diag);

	if (error != PINFAST_OK)
		return error;
	return conn->ctx->no_tickets
	           ? pinfast_gnutls_cache(conn->session, &cache)
	           : pinfast_gnutls_tickets(conn->session,
	                 &conn->ctx->ticket_key);
}

static int
yes_to_all(gnutls_session_t session)
{
	(void)session;
	return 0;
}

static int
on_nothing(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *message)
{
	(void)session, (void)type, (void)when, (void)incoming, (void)message;
	return 0;
}

static void
overwrite(void *ctx, void *tls, const char *what)
{
	struct conn *conn = tls;

	(void)ctx;
	if (strcmp(what, "overwrite") == 0)
		gnutls_session_set_verify_function(conn->session, yes_to_all);
	else
		gnutls_handshake_set_hook_function(conn->session,
		    GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, on_nothing);
}

static int
handshake(void *tls, int server, struct shim_answer *answer)
{
	struct conn *conn = tls;
	int error, tries = 0;

	(void)server;
	do {
		error = conn->careless
		            ? gnutls_handshake(conn->session)
		            : pinfast_gnutls_handshake(conn->session);
	} while (error < 0 && !gnutls_error_is_fatal(error) && tries++ < 20);
	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		answer->alert_got = (int)gnutls_alert_get(conn->session);
	if (error != 0)
		snprintf(answer->error, sizeof answer->error, "%s",
		    gnutls_strerror(error));
	return error == 0;
}

static int
resumed(void *tls)
{
	return gnutls_session_is_resumed(((struct conn *)tls)->session);
}

static int
write_tls(void *tls, const void *data, int len)
{
	struct conn *conn = tls;

	return (int)gnutls_record_send(conn->session, data, (size_t)len);
}

static int
read_tls(void *tls, void *data, int size)
{
	struct conn *conn = tls;
	ssize_t n;
	int tries = 0;

	/* It stops for every ticket that comes between. */
	do {
		n = gnutls_record_recv(conn->session, data, (size_t)size);
	} while ((n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN) &&
	         tries++ < 8);
	return (int)n;
}

static void *
object(void *tls)
{
	return ((struct conn *)tls)->session;
}

/* ----------------------------------------------------------------- sessions */

/* With its tag in memory or in a file, and as GnuTLS alone would keep it. */
struct session {
	gnutls_datum_t plain;
	char path[60]; /* "": it stayed in memory */
	size_t len;
	uint8_t bytes[];
};

static void
session_drop(void *what)
{
	struct session *session = what;

	if (session->path[0] != '\0')
		unlink(session->path);
	gnutls_free(session->plain.data);
	free(session);
}

static int
save(gnutls_session_t tls, struct session *session)
{
	static unsigned count;

	snprintf(session->path, sizeof session->path, "/tmp/shim-gnutls.%ld.%u",
	    (long)getpid(), count++);
	return pinfast_gnutls_session_save(tls, session->path, NULL) ==
	       PINFAST_OK;
}

static void *
session_keep(void *tls, int mode)
{
	gnutls_session_t of = ((struct conn *)tls)->session;
	size_t len = pinfast_gnutls_session_write(of, NULL, 0);
	struct session *session = calloc(1, sizeof *session + len);

	if (session == NULL)
		abort();
	gnutls_session_get_data2(of, &session->plain);
	session->len = pinfast_gnutls_session_write(of, session->bytes, len);
	if (session->len > 0 && session->len <= len &&
	    (!(mode & SHIM_SER) || save(of, session)))
		return session;
	session_drop(session);
	return NULL;
}

static enum pinfast_error
session_offer(void *tls, void *kept, int mode)
{
	struct conn *conn = tls;
	struct session *session = kept;
	enum pinfast_error error = PINFAST_OK;

	if ((mode & SHIM_PLAIN) && (mode & SHIM_ASK))
		error = pinfast_gnutls_session_read(conn->session,
		    session->plain.data, session->plain.size);
	else if (mode & SHIM_PLAIN)
		gnutls_session_set_data(conn->session, session->plain.data,
		    session->plain.size);
	else if (mode & SHIM_SER)
		error = pinfast_gnutls_session_load(conn->session,
		    session->path, NULL);
	else
		error = pinfast_gnutls_session_read(conn->session,
		    session->bytes, session->len);
	conn->offered = error == PINFAST_OK;
	return error;
}

static int
early(void *tls, const void *data, int len)
{
	struct conn *conn = tls;

	if (!conn->offered ||
	    gnutls_record_send_early_data(conn->session, data, (size_t)len) < 0)
		return 0;
	return len;
}

static int
early_declined(void *tls)
{
	struct conn *conn = tls;

	return !(gnutls_session_get_flags(conn->session) &
	         GNUTLS_SFLAGS_EARLY_DATA);
}

static size_t
leaf(void *tls, uint8_t *der, size_t size)
{
	unsigned count = 0;
	const gnutls_datum_t *peers =
	    gnutls_certificate_get_peers(((struct conn *)tls)->session, &count);

	if (count == 0 || peers[0].size > size)
		return 0;
	memcpy(der, peers[0].data, peers[0].size);
	return peers[0].size;
}

int
main(void)
{
	static const struct shim_library library = {
	    .adapter = pinfast_adapter_gnutls,
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

	return shim_main(&library);
}
