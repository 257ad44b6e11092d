#include "adapt/gtls/gtls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <gnutls/dtls.h>
#include <gnutls/socket.h>

#include "adapt/covers.h"
#include "os/file.h"

/* A number that nobody will be assigned (RFC 8447: private use).  Nothing is
 * sent under it; it carries our state with the session. */
#define EXTENSION 65440

/* ------------------------------------------------------------------- state */

static void
free_state(gnutls_ext_priv_data_t data)
{
	struct pf_gtls *st = data;

	pf_attached_fini(&st->a);
	pf_gtls_forget(st);
	free(st);
}

struct pf_gtls *
pf_gtls_of(gnutls_session_t session)
{
	gnutls_ext_priv_data_t data = NULL;

	if (session == NULL ||
	    gnutls_ext_get_data(session, EXTENSION, &data) != 0)
		return NULL;
	return data;
}

static struct pf_gtls *
make(gnutls_session_t session)
{
	struct pf_gtls *st = NULL;
	int error;

	error = gnutls_session_ext_register(session, "pinfast", EXTENSION,
	    GNUTLS_EXT_TLS, NULL, NULL, free_state, NULL, NULL, 0);
	if (error != 0 && error != GNUTLS_E_ALREADY_REGISTERED)
		return NULL;
	/* There is none when memory ran out behind this point before. */
	if (error != 0)
		st = pf_gtls_of(session);
	if (st != NULL)
		return st;
	st = calloc(1, sizeof *st);
	if (st != NULL)
		gnutls_ext_set_data(session, EXTENSION, st);
	/* Somebody else has this number. */
	if (pf_gtls_of(session) == st)
		return st;
	free(st);
	return NULL;
}

/* ---------------------------------------------------------------- transport */

static ssize_t
push_nothing(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	(void)ptr, (void)data, (void)len;
	errno = ECONNABORTED;
	return -1;
}

static ssize_t
pull_nothing(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	(void)ptr, (void)data, (void)len;
	errno = ECONNABORTED;
	return -1;
}

static ssize_t
push_nowhere(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	(void)ptr, (void)data;
	return (ssize_t)len;
}

static ssize_t
pull_end(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	(void)ptr, (void)data, (void)len;
	return 0;
}

static int
wait_for_end(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ptr, (void)ms;
	return 1;
}

static int
wait_for_nothing(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ptr, (void)ms;
	errno = ECONNABORTED;
	return -1;
}

/* What the kernel encrypts (`ktls` in GnuTLS's configuration) passes none of
 * these functions: the sockets have to be gone, for GnuTLS and for who writes
 * to them directly. */
static void
leave_kernel(gnutls_session_t session)
{
#if GNUTLS_VERSION_NUMBER >= 0x030703
	int in, out;

	if (gnutls_transport_is_ktls_enabled(session) == 0)
		return;
	gnutls_transport_get_int2(session, &in, &out);
	gnutls_transport_set_int2(session, -1, -1);
	(void)shutdown(in, SHUT_RDWR);
	(void)shutdown(out, SHUT_RDWR);
#else
	(void)session;
#endif
}

/* GnuTLS writes nothing behind its close_notify, whoever moves the bytes then;
 * so does it read nothing behind the peer's end. */
static void
close_for_good(gnutls_session_t session)
{
	gnutls_transport_set_push_function(session, push_nowhere);
	gnutls_transport_set_pull_function(session, pull_end);
	gnutls_transport_set_pull_timeout_function(session, wait_for_end);
	(void)gnutls_bye(session, GNUTLS_SHUT_RDWR);
}

void
pf_gtls_block(gnutls_session_t session, struct pf_gtls *st)
{
	char buffer[1024];

	if (st->blocked)
		return;
	st->blocked = 1;
	leave_kernel(session);
	/* Before, nothing could be written. */
	if (st->again || pf_gtls_over(session, st))
		close_for_good(session);
	gnutls_transport_set_push_function(session, push_nothing);
	gnutls_transport_set_pull_function(session, pull_nothing);
	gnutls_transport_set_pull_timeout_function(session, wait_for_nothing);
	/* What came before is read by nobody else. */
	while (gnutls_record_recv_early_data(session, buffer, sizeof buffer) >
	       0)
		continue;
	while (gnutls_record_recv(session, buffer, sizeof buffer) > 0)
		continue;
}

int
pf_gtls_over(gnutls_session_t session, struct pf_gtls *st)
{
	char *text;

	if (st != NULL && st->over)
		return 1;
	/* It speaks of the one before. */
	if (st != NULL && st->again)
		return st->a.complete;
	/* It has nothing to say before. */
	text = gnutls_session_get_desc(session);
	if (text == NULL)
		return 0;
	gnutls_free(text);
	if (st != NULL)
		st->over = 1;
	return 1;
}

/* ------------------------------------------------------------------- attach */

struct who {
	struct pinfast *policy;
	const char *host;
	uint16_t port;
	int server;
};

int
pf_gtls_is_datagram(gnutls_session_t session)
{
	int version = (int)gnutls_protocol_get_version(session);

	/* Before its priorities are set it has no version. */
	return gnutls_dtls_get_mtu(session) != 0 ||
	       (version >= GNUTLS_DTLS_VERSION_MIN &&
	           version <= GNUTLS_DTLS_VERSION_MAX);
}

static enum pinfast_error
attach(gnutls_session_t session, const struct who *who,
    struct pinfast_diag *diag, struct pf_gtls **out)
{
	enum pinfast_error error;
	struct pf_gtls *st;

	if (session == NULL || who->policy == NULL)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "no session or no policy");
	if (pf_gtls_over(session, NULL))
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "attach before the handshake");
	st = make(session);
	if (st == NULL)
		return pf_attached_refuse(diag, PINFAST_ENOMEM,
		    "out of memory");
	st->bound = 0;
	pf_attached_fini(&st->a);
	pf_gtls_forget(st);
	error = pf_attached_init(&st->a, who->policy, who->host, who->port,
	    who->server);
	gnutls_session_set_verify_function(session, pf_gtls_verify);
	pf_gtls_set_hook(session, st);
	*out = st;
	if (pf_gtls_is_datagram(session))
		return pf_attached_doom(&st->a, diag, PINFAST_EUNSUPPORTED,
		    "DTLS is not supported");
	if (error == PINFAST_EUSAGE) {
		st->a.doomed = 1;
		return pf_attached_misnamed(diag, error, who->server);
	}
	if (!who->server && pf_attached_begin(&st->a) != PINFAST_OK)
		return pf_attached_doom(&st->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	/* Such a connection denies, and says why. */
	return pf_attached_misnamed(diag, error, who->server);
}

/* Is this list marked as one that has anchors, or, when mark is 1, mark it?
 * GnuTLS copies a certificate for whoever asks what is in a list. */
static int
is_filled(gnutls_x509_trust_list_t list, int mark)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int filled;
	void *ptr;

	pthread_mutex_lock(&lock);
	ptr = gnutls_x509_trust_list_get_ptr(list);
	/* An application that has a pointer of its own keeps it. */
	if (mark && ptr == NULL)
		gnutls_x509_trust_list_set_ptr(list, &filled);
	pthread_mutex_unlock(&lock);
	return ptr == &filled;
}

/* Can anything be verified with these credentials? */
static int
has_anchors(gnutls_session_t session)
{
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t cert;
	void *cred = NULL;
	int found;

	if (gnutls_credentials_get(session, GNUTLS_CRD_CERTIFICATE, &cred) != 0)
		return 0;
	gnutls_certificate_get_trust_list(cred, &list);
	if (is_filled(list, 0))
		return 1;
	found = gnutls_x509_trust_list_iter_get_ca(list, &iter, &cert) == 0;
	/* At the end of the list it is gone by itself. */
	if (iter != NULL)
		gnutls_x509_trust_list_iter_deinit(iter);
	if (!found)
		return 0;
	gnutls_x509_crt_deinit(cert);
	(void)is_filled(list, 1);
	return 1;
}

enum pinfast_error
pinfast_gnutls_attach(gnutls_session_t session, struct pinfast *policy,
    const char *host, uint16_t port, struct pinfast_diag *diag)
{
	struct who who = {policy, host, port, 0};
	struct pf_gtls *st = NULL;
	enum pinfast_error error = attach(session, &who, diag, &st);

	if (error != PINFAST_OK)
		return error;
	if (st->a.has_host && !st->a.is_address &&
	    gnutls_server_name_set(session, GNUTLS_NAME_DNS, st->a.host,
	        strlen(st->a.host)) != 0)
		return pf_attached_doom(&st->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	if (has_anchors(session) ||
	    (pinfast_conn_needs(st->a.conn) & PINFAST_NEED_TRUST))
		return PINFAST_OK;
	return pf_attached_unverified(&st->a, diag,
	    "nothing can be verified: the session has no credentials with "
	    "trust anchors; set them before attaching");
}

enum pinfast_error
pinfast_gnutls_attach_server(gnutls_session_t session, struct pinfast *policy,
    const char *label, struct pinfast_diag *diag)
{
	struct who who = {policy, label, 0, 1};
	struct pf_gtls *st = NULL;
	enum pinfast_error error = attach(session, &who, diag, &st);

	if (error != PINFAST_OK)
		return error;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	if (pf_attached_session_id(&st->a, st->id) != PINFAST_OK)
		return pf_attached_doom(&st->a, diag, PINFAST_ENOMEM,
		    "out of memory");
	return PINFAST_OK;
}

enum pinfast_error
pinfast_gnutls_set_next(gnutls_session_t session,
    const struct pinfast_gnutls_next *next)
{
	struct pf_gtls *st = pf_gtls_of(session);

	if (st == NULL || next == NULL)
		return PINFAST_EUSAGE;
	st->next = *next;
	if (next->hook != NULL)
		pf_gtls_set_hook(session, st);
	if (next->output != NULL)
		gnutls_session_set_verify_output_function(session,
		    next->output);
	return PINFAST_OK;
}

/* ------------------------------------------------------------------ answers */

/* Is host one of the names of the certificate that the peer has shown? */
static int
covers(void *arg, const char *host)
{
	unsigned count = 0;
	const gnutls_datum_t *peers = gnutls_certificate_get_peers(arg, &count);
	struct pinfast_bytes der;
	struct pf_link leaf;

	if (peers == NULL || count == 0)
		return 0;
	der.data = peers[0].data;
	der.len = peers[0].size;
	return pf_link_set(&leaf, der, NULL) == PINFAST_OK &&
	       pf_cert_covers(&leaf.walked, host);
}

static enum pinfast_error
complete(void *arg)
{
	struct pf_gtls *st = pf_gtls_of(arg);
	struct pf_gtls_judging j;

	if (!st->a.by_peer)
		return PINFAST_EUSAGE;
	j = pf_gtls_judging_of(arg, st);
	return pf_gtls_complete(&j);
}

/* The last word, asked again for this host; whatever is no go-ahead carries
 * no bytes from here on. */
static struct pinfast_verdict
ask(gnutls_session_t session, const char *host, uint16_t port)
{
	struct pf_gtls *st = pf_gtls_of(session);
	struct pf_kept kept = {covers, complete, session};
	struct pinfast_verdict verdict = pf_not_judged();

	if (st == NULL)
		return verdict;
	if (st->a.doomed || !pf_gtls_over(session, st)) {
		verdict = pf_attached_so_far(&st->a);
	} else {
		verdict = pf_gtls_end(session, st);
		if (verdict.decision == PINFAST_ALLOW)
			verdict = pf_attached_recheck(&st->a, NULL, 0, &kept);
	}
	if (verdict.decision == PINFAST_ALLOW)
		return host == NULL
		           ? verdict
		           : pf_attached_recheck(&st->a, host, port, &kept);
	if (st->a.doomed || pf_gtls_over(session, st))
		pf_gtls_block(session, st);
	return verdict;
}

struct pinfast_verdict
pinfast_gnutls_result(gnutls_session_t session)
{
	return ask(session, NULL, 0);
}

struct pinfast_verdict
pinfast_gnutls_recheck(gnutls_session_t session, const char *host,
    uint16_t port)
{
	return ask(session, host, port);
}

size_t
pinfast_gnutls_explain(gnutls_session_t session, char *text, size_t size)
{
	struct pf_gtls *st = pf_gtls_of(session);

	return pf_attached_explain(st != NULL ? &st->a : NULL, text, size);
}

struct pinfast_conn *
pinfast_gnutls_conn(gnutls_session_t session)
{
	struct pf_gtls *st = pf_gtls_of(session);

	return st != NULL ? st->a.conn : NULL;
}
