#define _DEFAULT_SOURCE /* explicit_bzero() */
#include "adapt/wolf/wolf.h"

#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int ssl_index = -1; /* read without the lock */
static _Atomic int ctx_index = -1;

/* 0 is what wolfSSL_set_app_data() uses. */
static int
take_index(int (*take)(void))
{
	int index = take();

	return index == 0 ? take() : index;
}

static int
take_ssl(void)
{
	return wolfSSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
take_ctx(void)
{
	return wolfSSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
is_prepared(void)
{
	int ready;

	pthread_mutex_lock(&lock);
	pf_wolf_known_prepare();
	if (ssl_index < 0)
		ssl_index = take_index(take_ssl);
	if (ctx_index < 0)
		ctx_index = take_index(take_ctx);
	ready = ssl_index >= 0 && ctx_index >= 0 && pf_wolf_session_prepare();
	pthread_mutex_unlock(&lock);
	return ready;
}

struct pf_wolf *
pf_wolf_of(WOLFSSL *ssl)
{
	return ssl_index < 0 ? NULL : wolfSSL_get_ex_data(ssl, ssl_index);
}

/* The state of a WOLFSSL_CTX; NULL: none. */
static struct pf_wolf_ctx *
state_of(WOLFSSL_CTX *ctx)
{
	return ctx_index < 0 ? NULL : wolfSSL_CTX_get_ex_data(ctx, ctx_index);
}

struct pf_wolf_ctx *
pf_wolf_ctx_of(const struct pf_wolf *st)
{
	struct pf_wolf_ctx *ctx = state_of(wolfSSL_get_SSL_CTX(st->ssl));

	return ctx != NULL ? ctx : st->ctx;
}

/* ------------------------------------------------------------------- states */

/* wolfSSL does not say when it frees a connection: they are kept in lists, and
 * an address that comes back belongs to one that is gone. */
static unsigned
list_of(const void *ssl)
{
	uintptr_t at = (uintptr_t)ssl;

	return (unsigned)((at >> 4 ^ at >> 12) % PF_WOLF_LISTS);
}

static void
unlink_locked(struct pf_wolf *st)
{
	struct pf_wolf **at = &st->ctx->lists[list_of(st->ssl)];

	while (*at != NULL && *at != st)
		at = &(*at)->next;
	if (*at != NULL)
		*at = st->next;
}

static void
free_state(struct pf_wolf *st)
{
	if (st == NULL)
		return;
	pf_attached_fini(&st->a);
	pf_pool_fini(&st->own, NULL);
	pf_wolf_session_forget(st);
	pf_wolf_unshow(st);
	free(st);
}

/* What a connection of the same address has left behind. */
static struct pf_wolf *
take_stale(struct pf_wolf_ctx *ctx, const WOLFSSL *ssl)
{
	struct pf_wolf *st = ctx->lists[list_of(ssl)];

	while (st != NULL && st->ssl != ssl)
		st = st->next;
	if (st != NULL)
		unlink_locked(st);
	return st;
}

/* A new state, in place and in its list; NULL: out of memory. */
static struct pf_wolf *
new_state(WOLFSSL *ssl, struct pf_wolf_ctx *ctx)
{
	struct pf_wolf *st = calloc(1, sizeof *st);
	struct pf_wolf *stale;

	if (st == NULL)
		return NULL;
	if (wolfSSL_set_ex_data(ssl, ssl_index, st) != WOLFSSL_SUCCESS) {
		free(st);
		return NULL;
	}
	st->ssl = ssl;
	st->ctx = ctx;
	pf_pool_init(&st->own);
	pthread_mutex_lock(&lock);
	stale = take_stale(ctx, ssl);
	st->next = ctx->lists[list_of(ssl)];
	ctx->lists[list_of(ssl)] = st;
	pthread_mutex_unlock(&lock);
	free_state(stale);
	wolfSSL_SetHsDoneCb(ssl, pf_wolf_done, NULL);
	return st;
}

struct pf_wolf *
pf_wolf_make(WOLFSSL *ssl)
{
	struct pf_wolf *st = pf_wolf_of(ssl);
	struct pf_wolf_ctx *ctx;

	if (st != NULL)
		return st;
	ctx = state_of(wolfSSL_get_SSL_CTX(ssl));
	/* Which clients a server expects nobody can guess. */
	if (ctx == NULL || wolfSSL_is_server(ssl) == 1)
		return NULL;
	st = new_state(ssl, ctx);
	if (st == NULL)
		return NULL;
	st->verify = ctx->verify;
	/* Without a host nothing can fail. */
	(void)!pf_attached_init(&st->a, ctx->policy, NULL, 0, 0);
	return st;
}

void
pinfast_wolfssl_detach(WOLFSSL *ssl)
{
	struct pf_wolf *st = ssl == NULL ? NULL : pf_wolf_of(ssl);

	if (st == NULL)
		return;
	wolfSSL_set_ex_data(ssl, ssl_index, NULL);
	pthread_mutex_lock(&lock);
	unlink_locked(st);
	pthread_mutex_unlock(&lock);
	free_state(st);
}

/* -------------------------------------------------------------------- names */

/* What the WOLFSSL was told to verify, when nobody told us.  Its SNI it keeps
 * to itself. */
static void
learn_names(struct pf_wolf *st)
{
	const WOLFSSL_X509_VERIFY_PARAM *param = wolfSSL_get0_param(st->ssl);

	if (st->a.server || st->a.has_host || param == NULL)
		return;
	/* A name that cannot be added makes the connection deny. */
	if (param->hostName[0] != '\0')
		(void)pinfast_conn_add_name(st->a.conn, param->hostName);
	if (param->ipasc[0] != '\0')
		(void)pinfast_conn_add_name(st->a.conn, param->ipasc);
}

enum pinfast_error
pf_wolf_begin(struct pf_wolf *st)
{
	enum pinfast_error error = pf_attached_begin(&st->a);

	if (error != PINFAST_OK)
		return error;
	st->saw_error = 0;
	st->bypassed = 0;
	st->shared = 0;
	st->has_hello = 0;
	learn_names(st);
	pf_wolf_unshow(st);
	pf_wolf_anchors_follow(pf_wolf_ctx_of(st));
	pf_wolf_anchors_own(st);
	return PINFAST_OK;
}

/* Has the connection an object with all its names, and anchors of today? */
static int
has_begun(struct pf_wolf *st)
{
	if (st->a.conn == NULL || st->a.complete || st->a.by_peer)
		return pf_wolf_begin(st) == PINFAST_OK;
	/* What attaching or a session began goes on. */
	learn_names(st);
	pf_wolf_anchors_own(st);
	return 1;
}

/* A handshake begins, or goes on. */
static void
on_connect(WOLFSSL *ssl)
{
	struct pf_wolf *st;
	int first;

	if (wolfSSL_is_init_finished(ssl) || wolfSSL_is_server(ssl) == 1)
		return;
	st = pf_wolf_make(ssl);
	first = st == NULL || pf_wolf_is_before(ssl, st);
	pf_wolf_known_begin(ssl, first);
	/* The application's would let everything through. */
	wolfSSL_SetHsDoneCb(ssl, pf_wolf_done, NULL);
	pf_wolf_anchors_for(NULL);
	if (!first) {
		pf_wolf_hello(st, 0);
		return;
	}
	if (st != NULL)
		pf_wolf_hello(st, 1);
	if (st != NULL && has_begun(st) && !st->a.doomed)
		pf_wolf_session_check(st);
	else
		pf_wolf_session_drop(ssl);
	if (st != NULL)
		st->begun = 1;
}

/* The application sends or wants to read: may it? */
static void
on_data(WOLFSSL *ssl)
{
	struct pf_wolf *st = pf_wolf_of(ssl);

	if (!pf_wolf_over(ssl, st))
		return;
	if (st != NULL && st->blocked) {
		pf_wolf_block(ssl, st);
		return;
	}
	if (st == NULL)
		st = pf_wolf_make(ssl);
	if (st == NULL || pf_wolf_end(st).decision != PINFAST_ALLOW)
		pf_wolf_block(ssl, st);
}

/* wolfSSL declares the connection const and lets it be changed. */
static void
on_info(const WOLFSSL *ssl, int type, int value)
{
	WOLFSSL *writable;
	struct pf_wolf_ctx *ctx;

	memcpy(&writable, &ssl, sizeof writable);
	if (type == SSL_ST_CONNECT)
		on_connect(writable);
	else if (type == SSL_CB_READ || type == SSL_CB_WRITE)
		on_data(writable);
	ctx = state_of(wolfSSL_get_SSL_CTX(writable));
	if (ctx != NULL && ctx->next.info != NULL)
		ctx->next.info(ssl, type, value);
}

/* ------------------------------------------------------------ shared object */

enum pinfast_error
pinfast_wolfssl_init(WOLFSSL_CTX *ctx, struct pinfast *policy,
    const struct pinfast_wolfssl_next *next, struct pinfast_diag *diag)
{
	struct pf_wolf_ctx *own;

	if (ctx == NULL || policy == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_wolfssl_init: no WOLFSSL_CTX or no policy");
	if (!is_prepared())
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "wolfSSL has no room for what pinfast keeps with it");
	if (state_of(ctx) != NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "this WOLFSSL_CTX has a policy already");
	own = calloc(1, sizeof *own);
	if (own == NULL)
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	pthread_mutex_init(&own->keys_lock, NULL);
	own->policy = policy;
	own->ctx = ctx;
	if (next != NULL)
		own->next = *next;
	own->verify = wolfSSL_CTX_get_verify_callback(ctx);
	if (wolfSSL_CTX_set_ex_data(ctx, ctx_index, own) != WOLFSSL_SUCCESS) {
		pthread_mutex_destroy(&own->keys_lock);
		free(own);
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	}
	pf_wolf_anchors_watch(own);
	wolfSSL_CTX_set_verify(ctx, wolfSSL_CTX_get_verify_mode(ctx),
	    pf_wolf_verify);
	wolfSSL_CTX_set_info_callback(ctx, on_info);
	if (pf_wolf_serve_ctx(own) != PINFAST_OK)
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	return PINFAST_OK;
}

void
pinfast_wolfssl_fini(WOLFSSL_CTX *ctx)
{
	struct pf_wolf_ctx *own = ctx == NULL ? NULL : state_of(ctx);

	if (own == NULL)
		return;
	wolfSSL_CTX_set_ex_data(ctx, ctx_index, NULL);
	for (unsigned i = 0; i < PF_WOLF_LISTS; i++) {
		while (own->lists[i] != NULL) {
			struct pf_wolf *st = own->lists[i];

			own->lists[i] = st->next;
			free_state(st);
		}
	}
	pf_wolf_anchors_forget(own);
	pthread_mutex_destroy(&own->keys_lock);
	explicit_bzero(own->keys, sizeof own->keys);
	free(own);
}

/* ------------------------------------------------------------------- attach */

/* What broke off is forgotten after wolfSSL_clear(), of which only wolfSSL's
 * own state tells. */
int
pf_wolf_is_before(WOLFSSL *ssl, const struct pf_wolf *st)
{
	return !wolfSSL_is_init_finished(ssl) &&
	       (st == NULL || !st->begun || st->a.complete ||
	           !wolfSSL_SSL_in_connect_init(ssl));
}

/* What a WOLFSSL is attached to. */
struct target {
	const char *host; /* NULL: unknown; a label when server is 1 */
	uint16_t port;
	int server;
};

/* Makes or resets the state of a connection that is attached. */
static enum pinfast_error
attach(WOLFSSL *ssl, const struct target *to, struct pinfast_diag *diag,
    struct pf_wolf **out)
{
	struct pf_wolf_ctx *ctx;
	struct pf_wolf *st;
	VerifyCallback verify;
	enum pinfast_error error;

	if (ssl == NULL || (ctx = state_of(wolfSSL_get_SSL_CTX(ssl))) == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_wolfssl_init() was not called for this "
		    "WOLFSSL_CTX");
	st = pf_wolf_of(ssl);
	if (!pf_wolf_is_before(ssl, st) || (st != NULL && st->blocked))
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "attach before the handshake, and not again after a deny");
	if (st == NULL)
		st = new_state(ssl, ctx);
	if (st == NULL)
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	verify = wolfSSL_get_verify_callback(ssl);
	if (verify != pf_wolf_verify)
		st->verify = verify;
	else if (st->verify == NULL)
		st->verify = ctx->verify;
	wolfSSL_set_verify(ssl, wolfSSL_get_verify_mode(ssl), pf_wolf_verify);
	wolfSSL_SetHsDoneCb(ssl, pf_wolf_done, NULL);
	pf_attached_fini(&st->a);
	st->begun = 0;
	st->has_hello = 0;
	error = pf_attached_init(&st->a, ctx->policy, to->host, to->port,
	    to->server);
	*out = st;
	if (wolfSSL_dtls(ssl))
		return pf_attached_doom(&st->a, diag, PINFAST_EUNSUPPORTED,
		    "DTLS is not supported");
	return pf_attached_misnamed(diag, error, to->server);
}

/* wolfSSL compares names itself, too; not addresses, of which it takes the
 * text for a name. */
static int
set_reference(WOLFSSL *ssl, const struct pf_attached *a)
{
	return a->is_address ||
	       wolfSSL_check_domain_name(ssl, a->host) == WOLFSSL_SUCCESS;
}

enum pinfast_error
pinfast_wolfssl_attach(WOLFSSL *ssl, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	const struct target to = {host, port, 0};
	struct pf_wolf *st = NULL;
	enum pinfast_error error = attach(ssl, &to, diag, &st);

	if (error != PINFAST_OK)
		return error;
	/* Names that must be learned may be set until the handshake. */
	if (host != NULL &&
	    (!set_reference(ssl, &st->a) || pf_wolf_begin(st) != PINFAST_OK))
		return pf_attached_doom(&st->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	if (wolfSSL_get_verify_mode(ssl) != WOLFSSL_VERIFY_NONE)
		return PINFAST_OK;
	error = pf_attached_unverified(&st->a, diag,
	    "certificate verification is off (WOLFSSL_VERIFY_NONE): set "
	    "WOLFSSL_VERIFY_PEER");
	if (error != PINFAST_OK)
		wolfSSL_set_verify(ssl, WOLFSSL_VERIFY_PEER, pf_wolf_verify);
	return error;
}

enum pinfast_error
pinfast_wolfssl_attach_server(WOLFSSL *ssl, const char *label,
    struct pinfast_diag *diag)
{
	const struct target to = {label, 0, 1};
	struct pf_wolf *st = NULL;
	enum pinfast_error error = attach(ssl, &to, diag, &st);

	if (error != PINFAST_OK)
		return error;
	wolfSSL_set_verify(ssl,
	    WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	    pf_wolf_verify);
	error = pf_wolf_serve(st);
	if (error != PINFAST_OK)
		return pf_attached_doom(&st->a, diag, error,
		    "the session id context could not be set");
	st->saw_error = 0;
	pf_wolf_anchors_follow(pf_wolf_ctx_of(st));
	pf_wolf_anchors_own(st);
	return PINFAST_OK;
}
