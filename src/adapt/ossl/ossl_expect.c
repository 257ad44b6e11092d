#include "adapt/ossl/ossl.h"

#include <string.h>

#include "os/file.h"

/* Nobody has attached the connections of such an SSL_CTX, since whoever makes
 * them shows only the SSL_CTX (libcurl's CURLOPT_SSL_CTX_FUNCTION). */

int
pf_ossl_reference(SSL *ssl, struct pf_attached *a)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_VERIFY_PARAM_get_hostflags(param) | PF_OSSL_NAMES);
	if (a->is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(param, a->host) &&
		       X509_VERIFY_PARAM_set1_host(param, NULL, 0);
	if (!X509_VERIFY_PARAM_set1_ip(param, NULL, 0) ||
	    !X509_VERIFY_PARAM_set1_host(param, a->host, 0))
		return 0;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ||
	       SSL_set_tlsext_host_name(ssl, a->host);
}

/* Does every entry of this host do without verification? */
static enum pinfast_error
needs_no_pkix(struct pinfast *policy, const struct pf_ossl_expected *e,
    uint8_t *out)
{
	struct pinfast_conn *conn;
	enum pinfast_error error =
	    pinfast_conn_new(policy, e->host, e->port, pf_clock_now(), &conn);

	if (error != PINFAST_OK)
		return error;
	*out = pinfast_conn_needs(conn) == PINFAST_NEED_LEAF_ONLY;
	pinfast_conn_drop(conn);
	return PINFAST_OK;
}

enum pinfast_error
pf_ossl_expect(SSL_CTX *ctx, const struct pf_expecting *what,
    struct pinfast_diag *diag)
{
	struct pf_ossl_ctx *own = pf_ossl_of_ctx(ctx);
	int unverified = SSL_CTX_get_verify_mode(ctx) == SSL_VERIFY_NONE;

	if (own == NULL || what->count > PF_OSSL_EXPECTED)
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "pinfast_openssl_init() was not called for this SSL_CTX, "
		    "or there are too many hosts");
	own->told = what->told;
	own->told_arg = what->arg;
	for (size_t i = 0; i < what->count; i++) {
		struct pf_ossl_expected *e = &own->expected[i];

		if (pinfast_host_canonical(what->hosts[i].host, e->host) !=
		    PINFAST_OK)
			return pf_attached_misnamed(diag, PINFAST_EHOST, 0);
		e->port = what->hosts[i].port;
		e->is_address = (uint8_t)pf_is_address(e->host);
		if (needs_no_pkix(own->policy, e, &e->may_be_unverified) !=
		    PINFAST_OK)
			return pf_attached_refuse(diag, PINFAST_ENOMEM,
			    "out of memory");
		own->expected_count = i + 1;
		unverified = unverified && !e->may_be_unverified;
	}
	if (unverified)
		return pf_attached_refuse(diag, PINFAST_EUNSAFE,
		    "certificate verification is off: switch it on, or write "
		    "`pkix: none` into the host's entry");
	return PINFAST_OK;
}

/* Is the connection for this host?  It asks for it, or for none. */
static int
fits(const struct pf_ossl_expected *e, const char *sni)
{
	char name[PINFAST_HOST_LEN];

	if (sni == NULL)
		return e->is_address;
	return pinfast_host_canonical(sni, name) == PINFAST_OK &&
	       strcmp(name, e->host) == 0;
}

enum pinfast_error
pf_ossl_expected(SSL *ssl, struct pf_ossl *st)
{
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct pf_ossl_expected *found = NULL;
	enum pinfast_error error;
	uint16_t port = 0;

	for (size_t i = 0; i < st->ctx->expected_count; i++) {
		const struct pf_ossl_expected *e = &st->ctx->expected[i];

		if (!fits(e, sni) ||
		    (found != NULL && strcmp(found->host, e->host) != 0))
			continue;
		/* Proxy or origin?  Then every port's entry must allow. */
		port = found == NULL || port == e->port ? e->port : 0;
		found = e;
	}
	if (found == NULL)
		return PINFAST_OK;
	error = pf_attached_init(&st->a, st->ctx->policy, found->host, port, 0);
	if (error != PINFAST_OK || !pf_ossl_reference(ssl, &st->a))
		return PINFAST_ENOMEM;
	if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE &&
	    !found->may_be_unverified)
		st->a.doomed = 1;
	return PINFAST_OK;
}

void
pf_ossl_tell(const SSL *ssl, const struct pf_ossl *st)
{
	/* st->ctx may be gone: an SSL keeps the first, and the one it has. */
	const struct pf_ossl_ctx *ctx = pf_ossl_of_ctx(SSL_get_SSL_CTX(ssl));

	if (ctx != NULL && ctx->told != NULL && st->a.conn != NULL)
		ctx->told(ctx->told_arg, st->a.conn);
}
