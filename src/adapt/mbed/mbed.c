#include "adapt/mbed/mbed.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#define SSL(m, member) ((m)->ssl->MBEDTLS_PRIVATE(member))

void *
pf_mbed_alloc(const struct pinfast_mbedtls *m, size_t size)
{
	return m->alloc.alloc(m->alloc.arg, size);
}

void
pf_mbed_drop(const struct pinfast_mbedtls *m, void *ptr)
{
	m->alloc.free(m->alloc.arg, ptr);
}

static void *
heap_alloc(void *arg, size_t size)
{
	(void)arg;
	return malloc(size);
}

static void
heap_free(void *arg, void *ptr)
{
	(void)arg;
	free(ptr);
}

enum pinfast_error
pinfast_mbedtls_new(struct pinfast *policy, mbedtls_ssl_context *ssl,
    const struct pinfast_mbedtls_next *next, const struct pinfast_alloc *alloc,
    struct pinfast_mbedtls **out)
{
	static const struct pinfast_alloc heap = {heap_alloc, heap_free, NULL};
	struct pinfast_mbedtls *m;

	if (alloc == NULL)
		alloc = &heap;
	if (policy == NULL || ssl == NULL || out == NULL)
		return PINFAST_EUSAGE;
	m = alloc->alloc(alloc->arg, sizeof *m);
	if (m == NULL)
		return PINFAST_ENOMEM;
	memset(m, 0, sizeof *m);
	m->alloc = *alloc;
	m->ssl = ssl;
	m->a.policy = policy;
	/* Until it is attached nothing may pass. */
	m->a.doomed = 1;
	if (next != NULL)
		m->given = *next;
	mbedtls_x509_crt_init(&m->anchors);
	*out = m;
	return PINFAST_OK;
}

void
pinfast_mbedtls_free(struct pinfast_mbedtls *m)
{
	struct pinfast_alloc alloc;

	if (m == NULL)
		return;
	pf_attached_fini(&m->a);
	mbedtls_x509_crt_free(&m->anchors);
	alloc = m->alloc;
	mbedtls_platform_zeroize(m, sizeof *m);
	alloc.free(alloc.arg, m);
}

/* --------------------------------------------------------------- attaching */

/* What the application had in our place; NULL: nothing. */
static void
chain_up(struct pinfast_mbedtls *m)
{
	const mbedtls_ssl_config *conf = SSL(m, conf);
	int is_theirs =
	    SSL(m, f_vrfy) != NULL && SSL(m, f_vrfy) != pf_mbed_verify;

	if (SSL(m, p_vrfy) != m)
		m->own_next = 0;
	if (m->given.verify != NULL) {
		m->next = m->given;
	} else if (is_theirs) {
		m->next.verify = SSL(m, f_vrfy);
		m->next.verify_arg = SSL(m, p_vrfy);
		m->own_next = 1;
	} else if (!m->own_next) {
		/* Nothing was there, or another object, which may be gone. */
		m->next.verify = conf->MBEDTLS_PRIVATE(f_vrfy);
		m->next.verify_arg = conf->MBEDTLS_PRIVATE(p_vrfy);
	}
	mbedtls_ssl_set_verify(m->ssl, pf_mbed_verify, m);
	pf_mbed_watch(m);
}

/* Attaching failed: what can be put in place is, and denies. */
static enum pinfast_error
hold(struct pinfast_mbedtls *m, struct pinfast_diag *diag, const char *text)
{
	m->a.doomed = 1;
	m->denied = 1;
	if (SSL(m, conf) != NULL) {
		chain_up(m);
		(void)pf_mbed_follows_another(m);
		(void)pf_mbed_stand_before(m);
	}
	return pf_attached_refuse(diag, PINFAST_EUSAGE, text);
}

/* Does a connection that has begun already belong to the same one? */
static int
is_same(const struct pinfast_mbedtls *m, const char *host, uint16_t port)
{
	char name[PINFAST_HOST_LEN];

	if (m->a.doomed || m->a.port != port || m->a.has_host != (host != NULL))
		return 0;
	if (host == NULL)
		return 1;
	if (m->a.server)
		return strcmp(host, m->a.host) == 0;
	return pinfast_host_canonical(host, name) == PINFAST_OK &&
	       strcmp(name, m->a.host) == 0;
}

/* Can this connection be attached? */
static enum pinfast_error
check(struct pinfast_mbedtls *m, const char *host, uint16_t port, int server,
    struct pinfast_diag *diag)
{
	static const char late[] = "attach before the handshake";
	const mbedtls_ssl_config *conf = SSL(m, conf);

	if (conf == NULL)
		return hold(m, diag, "mbedtls_ssl_setup() comes first");
	if ((conf->MBEDTLS_PRIVATE(endpoint) == MBEDTLS_SSL_IS_SERVER) !=
	    server)
		return hold(m, diag, "attach a client, attach_server a server");
	if (!pf_mbed_before(m) && is_same(m, host, port))
		return pf_attached_refuse(diag, PINFAST_EUSAGE, late);
	if (!pf_mbed_before(m))
		return hold(m, diag, late);
	if (pf_mbed_follows_another(m))
		return hold(m, diag, "call mbedtls_ssl_set_bio() again");
	return PINFAST_OK;
}

/* From here on nothing gets through unjudged, whatever fails. */
static enum pinfast_error
attach(struct pinfast_mbedtls *m, const char *host, uint16_t port, int server,
    struct pinfast_diag *diag)
{
	struct pinfast *policy;
	enum pinfast_error error;

	if (m == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE, "no object");
	/* An earlier try may have stopped it. */
	pf_mbed_go(m);
	error = check(m, host, port, server, diag);
	if (error != PINFAST_OK)
		return error;
	policy = m->a.policy;
	pf_attached_fini(&m->a);
	m->denied = 0;
	m->early = 0;
	m->verifying = 0;
	m->count = 0;
	m->had_anchors = 0;
	chain_up(m);
	m->a.doomed = 1;
	if (!pf_mbed_stand_before(m)) {
		m->a.by_tag = 0;
		pf_mbed_session_check(m);
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "mbedtls_ssl_set_bio() comes first");
	}
	if (((const mbedtls_ssl_config *)SSL(m, conf))
	        ->MBEDTLS_PRIVATE(transport) != MBEDTLS_SSL_TRANSPORT_STREAM)
		return pf_attached_refuse(diag, PINFAST_EUNSUPPORTED,
		    "DTLS is not supported");
	error = pf_attached_init(&m->a, policy, host, port, server);
	m->a.doomed = error != PINFAST_OK && error != PINFAST_EHOST;
	if (pf_mbed_begin(m) != PINFAST_OK)
		return pf_attached_doom(&m->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	return pf_attached_misnamed(diag, error, server);
}

/* What mbedTLS compares, and asks for: never an address (RFC 6066, 3). */
static int
set_reference(struct pinfast_mbedtls *m)
{
	const char *name = SSL(m, hostname);

	if (m->a.is_address)
		return (name != NULL && !pf_is_address(name)) ||
		       mbedtls_ssl_set_hostname(m->ssl, NULL) == 0;
	return name != NULL || mbedtls_ssl_set_hostname(m->ssl, m->a.host) == 0;
}

static enum pinfast_error
attach_client(struct pinfast_mbedtls *m, const char *host, uint16_t port,
    struct pinfast_diag *diag)
{
	enum pinfast_error error = attach(m, host, port, 0, diag);
	const mbedtls_ssl_config *conf;

	if (error != PINFAST_OK)
		return error;
	conf = SSL(m, conf);
	if (host != NULL && !set_reference(m))
		return pf_attached_doom(&m->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	/* A session that is there already has passed nothing. */
	pf_mbed_session_check(m);
	pf_mbed_arm(m);
	if (conf->MBEDTLS_PRIVATE(authmode) == MBEDTLS_SSL_VERIFY_REQUIRED)
		return PINFAST_OK;
	return pf_attached_unverified(&m->a, diag,
	    "certificate verification is off: set MBEDTLS_SSL_VERIFY_REQUIRED");
}

/* Whoever does not heed that it failed gets nothing through, whatever he sets
 * afterwards. */
static enum pinfast_error
attached(struct pinfast_mbedtls *m, enum pinfast_error error)
{
	if (error != PINFAST_OK && m != NULL && m->a.doomed)
		pf_mbed_stop(m);
	return error;
}

enum pinfast_error
pinfast_mbedtls_attach(struct pinfast_mbedtls *m, const char *host,
    uint16_t port, struct pinfast_diag *diag)
{
	return attached(m, attach_client(m, host, port, diag));
}

static enum pinfast_error
attach_server(struct pinfast_mbedtls *m, const char *label,
    struct pinfast_diag *diag)
{
	enum pinfast_error error;

	if (label == NULL)
		return m != NULL ? hold(m, diag, "no label")
		                 : pf_attached_refuse(diag, PINFAST_EUSAGE,
		                       "no object");
	error = attach(m, label, 0, 1, diag);
	if (error != PINFAST_OK)
		return error;
	pf_mbed_serve(m);
	pf_mbed_arm(m);
	return PINFAST_OK;
}

enum pinfast_error
pinfast_mbedtls_attach_server(struct pinfast_mbedtls *m, const char *label,
    struct pinfast_diag *diag)
{
	return attached(m, attach_server(m, label, diag));
}

/* --------------------------------------------------------------- handshake */

/* The first step, as far as it is ours. */
static void
before(struct pinfast_mbedtls *m)
{
	(void)pf_mbed_stand_before(m);
	if (m->a.doomed || !pf_mbed_before(m))
		return;
	if (pf_mbed_ready(m) != PINFAST_OK) {
		m->a.doomed = 1;
		return;
	}
	pf_mbed_learn(m);
	pf_mbed_session_check(m);
	pf_mbed_arm(m);
}

int
pinfast_mbedtls_handshake(struct pinfast_mbedtls *m)
{
	int ret;

	if (m == NULL)
		return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
	before(m);
	if (pf_mbed_stopped(m))
		return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	ret = mbedtls_ssl_handshake(m->ssl);
	if (ret != 0) {
		pf_mbed_judge_error(m, ret);
		return ret;
	}
	if (pf_mbed_end(m).decision == PINFAST_ALLOW)
		return 0;
	(void)mbedtls_ssl_send_alert_message(m->ssl,
	    MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN);
	return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
}

/* ----------------------------------------------------------------- answers */

static struct pf_kept
kept(struct pinfast_mbedtls *m)
{
	struct pf_kept kept = {pf_mbed_covers_now, pf_mbed_complete, m};

	return kept;
}

struct pinfast_verdict
pinfast_mbedtls_result(struct pinfast_mbedtls *m)
{
	struct pf_kept still = kept(m);
	struct pinfast_verdict verdict;

	if (m == NULL || m->a.conn == NULL)
		return pf_not_judged();
	(void)pf_mbed_stand_before(m);
	if (!pf_mbed_over(m))
		return pf_attached_so_far(&m->a);
	verdict = pf_mbed_end(m);
	if (verdict.decision == PINFAST_ALLOW)
		verdict = pf_attached_recheck(&m->a, NULL, 0, &still);
	if (verdict.decision != PINFAST_ALLOW) {
		m->denied = 1;
		pf_mbed_stop(m);
	}
	return verdict;
}

struct pinfast_verdict
pinfast_mbedtls_recheck(struct pinfast_mbedtls *m, const char *host,
    uint16_t port)
{
	struct pinfast_verdict verdict = pinfast_mbedtls_result(m);
	struct pf_kept still = kept(m);

	if (verdict.decision != PINFAST_ALLOW || host == NULL)
		return verdict;
	return pf_attached_recheck(&m->a, host, port, &still);
}

size_t
pinfast_mbedtls_explain(struct pinfast_mbedtls *m, char *text, size_t size)
{
	if (m == NULL)
		return pf_attached_explain(NULL, text, size);
	if (m->a.conn != NULL && pf_mbed_over(m))
		(void)pf_mbed_end(m);
	return pf_attached_explain(&m->a, text, size);
}

struct pinfast_conn *
pinfast_mbedtls_conn(struct pinfast_mbedtls *m)
{
	return m != NULL ? m->a.conn : NULL;
}
