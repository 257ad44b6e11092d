/* For SHA256_Init() and its kin: no allocation, a third of EVP's price. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "adapt/ossl/ossl.h"

#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

/* Reason codes of the error queue: a reason of the judge, and this. */
#define ERROR_BASE 100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int ssl_index = -1; /* read without the lock */
static _Atomic int ctx_index = -1;
static int error_library;

#define ERROR_STRING(name, value, word, text)                                  \
	{ERR_PACK(0, 0, ERROR_BASE + (value)), text},
static ERR_STRING_DATA error_texts[] = {
    {ERR_PACK(0, 0, 0), "pinfast"}, /* its library is put in at run time */
    PINFAST_REASONS(ERROR_STRING){0, NULL}};

static void
free_ssl(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
    void *argp)
{
	struct pf_ossl *st = ptr;

	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	if (st == NULL)
		return;
	pf_attached_fini(&st->a);
	OPENSSL_free(st);
}

/* SSL_dup() makes another connection: it has not been judged. */
static int
dup_ssl(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **ptr, int index,
    long argl, void *argp)
{
	(void)to, (void)from, (void)index, (void)argl, (void)argp;
	*ptr = NULL;
	return 1;
}

static void
free_ctx(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl,
    void *argp)
{
	struct pf_ossl_ctx *ctx = ptr;

	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	if (ctx == NULL)
		return;
	pf_ossl_seen_fini(&ctx->seen);
	OPENSSL_free(ctx);
}

/* What failed for want of memory is tried again by the next caller. */
static int
is_prepared(void)
{
	int ready;

	pthread_mutex_lock(&lock);
	if (ssl_index < 0)
		ssl_index =
		    SSL_get_ex_new_index(0, NULL, NULL, dup_ssl, free_ssl);
	if (ctx_index < 0)
		ctx_index =
		    SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ctx);
	if (error_library == 0) {
		error_library = ERR_get_next_error_library();
		error_texts[0].error = ERR_PACK(error_library, 0, 0);
		ERR_load_strings(error_library, error_texts);
	}
	ready = ssl_index >= 0 && ctx_index >= 0 && pf_ossl_session_prepare();
	pthread_mutex_unlock(&lock);
	return ready;
}

struct pf_ossl *
pf_ossl_of(const SSL *ssl)
{
	return ssl_index < 0 ? NULL : SSL_get_ex_data(ssl, ssl_index);
}

struct pf_ossl_ctx *
pf_ossl_of_ctx(const SSL_CTX *ctx)
{
	return ctx_index < 0 ? NULL : SSL_CTX_get_ex_data(ctx, ctx_index);
}

struct pf_ossl *
pf_ossl_make(SSL *ssl)
{
	struct pf_ossl *st = pf_ossl_of(ssl);
	struct pf_ossl_ctx *ctx;

	if (st != NULL)
		return st;
	ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(ssl));
	/* Which clients a server expects nobody can guess. */
	if (ctx == NULL || SSL_is_server(ssl))
		return NULL;
	st = OPENSSL_zalloc(sizeof *st);
	if (st == NULL)
		return NULL;
	st->ctx = ctx;
	if (pf_attached_init(&st->a, ctx->policy, NULL, 0, 0) != PINFAST_OK ||
	    pf_ossl_expected(ssl, st) != PINFAST_OK ||
	    !SSL_set_ex_data(ssl, ssl_index, st)) {
		OPENSSL_free(st);
		return NULL;
	}
	return st;
}

void
pf_ossl_block(SSL *ssl)
{
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void
pf_ossl_raise(struct pf_ossl *st, int32_t reason)
{
	char text[512];

	if (st->a.conn == NULL ||
	    pinfast_conn_explain(st->a.conn, text, sizeof text) == 0)
		text[0] = '\0';
	ERR_new();
	ERR_set_debug(OPENSSL_FILE, OPENSSL_LINE, OPENSSL_FUNC);
	ERR_set_error(error_library, ERROR_BASE + reason, "%s", text);
}

char *
pf_ossl_address(X509_VERIFY_PARAM *param)
{
	char *address;

	/* It complains about an address that is not there. */
	ERR_set_mark();
	address = X509_VERIFY_PARAM_get1_ip_asc(param);
	ERR_pop_to_mark();
	return address;
}

/* What the SSL was told to verify and to ask for, when nobody told us. */
static void
learn_names(SSL *ssl, struct pf_ossl *st)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct pinfast_conn *conn = st->a.conn;
	const char *sni, *host;
	char *address;

	if (st->a.server || st->a.has_host)
		return;
	sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	address = pf_ossl_address(param);
	/* A name that cannot be added makes the connection deny. */
	for (int i = 0; (host = X509_VERIFY_PARAM_get0_host(param, i)); i++)
		(void)pinfast_conn_add_name(conn, host);
	if (address != NULL)
		(void)pinfast_conn_add_name(conn, address);
	if (sni != NULL)
		(void)pinfast_conn_add_name(conn, sni);
	OPENSSL_free(address);
}

enum pinfast_error
pf_ossl_begin(SSL *ssl, struct pf_ossl *st)
{
	enum pinfast_error error = pf_attached_begin(&st->a);

	st->renegotiates = 0;
	if (error == PINFAST_OK)
		learn_names(ssl, st);
	return error;
}

/* Has the connection an object with all its names? */
static int
has_begun(SSL *ssl, struct pf_ossl *st)
{
	if (st == NULL)
		return 0;
	if (st->a.conn == NULL || st->a.complete || st->a.by_peer)
		return pf_ossl_begin(ssl, st) == PINFAST_OK;
	/* What attaching or a session began goes on. */
	learn_names(ssl, st);
	return 1;
}

/* A handshake begins.  Not when one goes on after early data. */
static void
on_start(SSL *ssl)
{
	struct pf_ossl *st = pf_ossl_make(ssl);

	/* In a renegotiation old evidence stands until there is other. */
	if (SSL_get_state(ssl) != TLS_ST_BEFORE) {
		if (st != NULL)
			st->renegotiates = st->a.complete;
		return;
	}
	if (SSL_is_server(ssl)) {
		/* As below: it would be taken in. */
		SSL_set_psk_find_session_callback(ssl, NULL);
		(void)has_begun(ssl, st);
		return;
	}
	/* Whoever holds an external PSK (RFC 8446, 2.2) shows no certificate,
	 * and early data would go out before that is noticed. */
	SSL_set_psk_use_session_callback(ssl, NULL);
	if (has_begun(ssl, st) && !st->a.doomed)
		pf_ossl_session_check(ssl, st);
	else
		SSL_set_session(ssl, NULL);
}

/* A server takes early data: not by a key that came after we looked, and not
 * by a session whose tag does not pass. */
static void
on_early(SSL *ssl)
{
	struct pf_ossl *st = pf_ossl_of(ssl);

	if (st == NULL || st->a.conn == NULL || st->a.complete ||
	    !pf_ossl_session_resumed(ssl, st))
		pf_ossl_block(ssl);
}

/* A server has come to the next message. */
static void
on_accept(SSL *ssl)
{
	OSSL_HANDSHAKE_STATE at = SSL_get_state(ssl);

	if (at == TLS_ST_SR_CLNT_HELLO &&
	    SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED)
		on_early(ssl);
	/* A cache of the application's gets the session before anybody says
	 * that the handshake is done; without its tag nobody may come back. */
	if (at == TLS_ST_SW_FINISHED && SSL_version(ssl) != TLS1_3_VERSION)
		(void)pf_ossl_session_seal(ssl, pf_ossl_of(ssl));
}

static void
watch(SSL *ssl, int where)
{
	if (where == SSL_CB_ACCEPT_LOOP)
		on_accept(ssl);
	if (where & SSL_CB_HANDSHAKE_START)
		on_start(ssl);
	if (where & SSL_CB_HANDSHAKE_DONE)
		pf_ossl_done(ssl);
}

/* OpenSSL declares the connection const and lets it be changed. */
static SSL *
writable(const SSL *ssl)
{
	SSL *out;

	memcpy(&out, &ssl, sizeof out);
	return out;
}

static void
on_info(const SSL *ssl, int where, int value)
{
	(void)value;
	watch(writable(ssl), where);
}

/* The same where the SSL_CTX has a callback of the application's. */
static void
on_ctx_info(const SSL *ssl, int where, int value)
{
	struct pf_ossl_ctx *ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(ssl));

	watch(writable(ssl), where);
	if (ctx != NULL && ctx->info != NULL)
		ctx->info(ssl, where, value);
}

/* The same where the SSL has one. */
static void
on_ssl_info(const SSL *ssl, int where, int value)
{
	struct pf_ossl *st = pf_ossl_of(ssl);

	watch(writable(ssl), where);
	if (st != NULL && st->info != NULL)
		st->info(ssl, where, value);
}

/* An SSL's own callback hides the SSL_CTX's. */
static void
watch_ssl(SSL *ssl, struct pf_ossl *st)
{
	void (*info)(const SSL *, int, int) = SSL_get_info_callback(ssl);

	if (info == on_ssl_info || info == on_info)
		return;
	st->info = info != NULL ? info : st->ctx->info;
	SSL_set_info_callback(ssl, st->info != NULL ? on_ssl_info : on_info);
}

static int
sha256(void *arg, const void *data, size_t len, uint8_t out[PINFAST_PIN_LEN])
{
	SHA256_CTX state;

	(void)arg;
	return !SHA256_Init(&state) || !SHA256_Update(&state, data, len) ||
	       !SHA256_Final(out, &state);
}

enum pinfast_error
pinfast_openssl_init(SSL_CTX *ctx, struct pinfast *policy,
    const struct pinfast_openssl_next *next, struct pinfast_diag *diag)
{
	struct pf_ossl_ctx *own;

	if (ctx == NULL || policy == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_openssl_init: no SSL_CTX or no policy");
	if (!is_prepared())
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	if (pf_ossl_of_ctx(ctx) != NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "this SSL_CTX has a policy already");
	own = OPENSSL_zalloc(sizeof *own);
	if (own == NULL || pf_ossl_seen_init(&own->seen) != PINFAST_OK) {
		OPENSSL_free(own);
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	}
	own->policy = policy;
	if (next != NULL)
		own->next = *next;
	own->info = SSL_CTX_get_info_callback(ctx);
	if (!SSL_CTX_set_ex_data(ctx, ctx_index, own)) {
		pf_ossl_seen_fini(&own->seen);
		OPENSSL_free(own);
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	}
	/* From here on nothing gets through unjudged, whatever fails. */
	SSL_CTX_set_cert_verify_callback(ctx, pf_ossl_verify, NULL);
	SSL_CTX_set_info_callback(ctx,
	    own->info != NULL ? on_ctx_info : on_info);
	if (pinfast_hashes_itself(policy) &&
	    pinfast_use_sha256(policy, sha256, NULL) != PINFAST_OK)
		return pf_attached_refuse(diag, PINFAST_EUNSAFE,
		    "OpenSSL's SHA-256 does not give the known answers");
	if (pf_ossl_session_serve_ctx(ctx) != PINFAST_OK)
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	return PINFAST_OK;
}

/* What an SSL is attached to. */
struct target {
	const char *host; /* NULL: unknown; a label when server is 1 */
	uint16_t port;
	int server;
};

/* Makes or resets the state of an SSL that is attached. */
static enum pinfast_error
attach(SSL *ssl, const struct target *to, struct pinfast_diag *diag,
    struct pf_ossl **out)
{
	struct pf_ossl_ctx *ctx;
	struct pf_ossl *st;
	enum pinfast_error error;

	if (ssl == NULL || (ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(ssl))) == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_openssl_init() was not called for this SSL_CTX");
	if (!SSL_in_before(ssl))
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "attach before the handshake");
	st = pf_ossl_of(ssl);
	if (st == NULL) {
		st = OPENSSL_zalloc(sizeof *st);
		if (st == NULL || !SSL_set_ex_data(ssl, ssl_index, st)) {
			OPENSSL_free(st);
			return pf_attached_refuse(diag, PINFAST_ENOMEM,
			    "out of memory");
		}
	}
	/* SSL_set_SSL_CTX() may have put another in its place. */
	st->ctx = ctx;
	st->renegotiates = 0;
	pf_attached_fini(&st->a);
	error = pf_attached_init(&st->a, ctx->policy, to->host, to->port,
	    to->server);
	watch_ssl(ssl, st);
	*out = st;
	return pf_attached_misnamed(diag, error, to->server);
}

enum pinfast_error
pinfast_openssl_attach(SSL *ssl, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	const struct target to = {host, port, 0};
	struct pf_ossl *st = NULL;
	enum pinfast_error error = attach(ssl, &to, diag, &st);

	if (error != PINFAST_OK)
		return error;
	/* Names that must be learned may be set until the handshake. */
	if (host != NULL && (!pf_ossl_reference(ssl, &st->a) ||
	                        pf_ossl_begin(ssl, st) != PINFAST_OK))
		return pf_attached_doom(&st->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
		return PINFAST_OK;
	error = pf_attached_unverified(&st->a, diag,
	    "certificate verification is off (SSL_VERIFY_NONE): set "
	    "SSL_VERIFY_PEER");
	if (error != PINFAST_OK)
		SSL_set_verify(ssl, SSL_VERIFY_PEER,
		    SSL_get_verify_callback(ssl));
	return error;
}

enum pinfast_error
pinfast_openssl_attach_server(SSL *ssl, const char *label,
    struct pinfast_diag *diag)
{
	const struct target to = {label, 0, 1};
	struct pf_ossl *st = NULL;
	enum pinfast_error error = attach(ssl, &to, diag, &st);

	if (error != PINFAST_OK)
		return error;
	SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	    SSL_get_verify_callback(ssl));
	error = pf_ossl_session_serve(ssl, st);
	if (error != PINFAST_OK)
		return pf_attached_doom(&st->a, diag, error,
		    "the session id context could not be set");
	return PINFAST_OK;
}

static int
covers(void *arg, const char *host)
{
	X509 *leaf = SSL_get0_peer_certificate(arg);

	return leaf != NULL && pf_ossl_covers(leaf, host, 0);
}

static enum pinfast_error
complete(void *arg)
{
	struct pf_ossl *st = pf_ossl_of(arg);
	struct pf_ossl_certs certs;
	struct pinfast_path path;
	enum pinfast_error error;

	if (SSL_get0_verified_chain(arg) == NULL)
		return PINFAST_ENOTFOUND;
	pf_ossl_certs_init(&certs, SSL_get0_verified_chain(arg), NULL);
	path = pf_ossl_certs_path(&certs);
	error = pinfast_conn_complete(st->a.conn, &path);
	pf_ossl_certs_fini(&certs);
	return error;
}

static struct pinfast_verdict
recheck(SSL *ssl, struct pf_ossl *st, const char *host, uint16_t port)
{
	struct pf_kept kept = {covers, complete, ssl};

	return pf_attached_recheck(&st->a, host, port, &kept);
}

struct pinfast_verdict
pinfast_openssl_result(SSL *ssl)
{
	struct pf_ossl *st = ssl == NULL ? NULL : pf_ossl_of(ssl);
	struct pinfast_verdict verdict = pf_not_judged();

	if (ssl == NULL)
		return verdict;
	if (!pf_ossl_over(ssl))
		return st != NULL ? pf_attached_so_far(&st->a) : verdict;
	if (st != NULL)
		verdict = pf_ossl_end(ssl, st);
	if (verdict.decision == PINFAST_ALLOW)
		verdict = recheck(ssl, st, NULL, 0);
	if (verdict.decision != PINFAST_ALLOW)
		pf_ossl_block(ssl);
	return verdict;
}

struct pinfast_verdict
pinfast_openssl_recheck(SSL *ssl, const char *host, uint16_t port)
{
	struct pinfast_verdict verdict = pinfast_openssl_result(ssl);
	struct pf_ossl *st = ssl == NULL ? NULL : pf_ossl_of(ssl);

	if (verdict.decision != PINFAST_ALLOW || host == NULL)
		return verdict;
	return recheck(ssl, st, host, port);
}

size_t
pinfast_openssl_explain(SSL *ssl, char *text, size_t size)
{
	struct pf_ossl *st = ssl == NULL ? NULL : pf_ossl_of(ssl);

	return pf_attached_explain(st != NULL ? &st->a : NULL, text, size);
}

struct pinfast_conn *
pinfast_openssl_conn(SSL *ssl)
{
	struct pf_ossl *st = ssl == NULL ? NULL : pf_ossl_of(ssl);

	return st != NULL ? st->a.conn : NULL;
}
