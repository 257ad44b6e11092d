/*
 * The TLS of a probe.  As permissive as a client can be, because it is to see
 * what there is; the verification of certificates keeps its strictness.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/host.h"
#include "probe/flight.h"

/* A chain signed with MD5 or SHA-1 is none, as for every OpenSSL client. */
#define AUTH_LEVEL 1

void
pf_probe_verify(X509_STORE_CTX *xs, struct pf_probe_pkix *pkix)
{
	int error;

	pkix->ran = 1;
	pkix->ok = X509_verify_cert(xs) == 1 &&
	           X509_STORE_CTX_get_error(xs) == X509_V_OK;
	if (pkix->ok)
		return;
	error = X509_STORE_CTX_get_error(xs);
	snprintf(pkix->error, sizeof pkix->error, "%s",
	    X509_verify_cert_error_string(error != X509_V_OK
	                                      ? error
	                                      : X509_V_ERR_UNSPECIFIED));
}

static struct pf_flight *
flight_of(X509_STORE_CTX *xs)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(xs,
	    SSL_get_ex_data_X509_STORE_CTX_idx());

	return ssl != NULL ? SSL_get_app_data(ssl) : NULL;
}

/* Whatever is found, the handshake goes on: the key is not proved yet. */
static int
on_certificates(X509_STORE_CTX *xs, void *arg)
{
	struct pf_flight *f = flight_of(xs);
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(xs);

	(void)arg;
	if (f == NULL)
		return 0;
	f->shown = pf_tell_kind(X509_STORE_CTX_get0_cert(xs));
	f->too_many = sk_X509_num(X509_STORE_CTX_get0_untrusted(xs)) >
	              PF_PROBE_MAX_PRESENTED;
	if (f->too_many)
		return 0;
	pf_run_other(f, f->shown);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	if (f->run->o->now != 0)
		X509_VERIFY_PARAM_set_time(param, (time_t)f->run->o->now);
	if (f->run->o->verify != NULL)
		f->run->o->verify(f->run->o->arg, f->batch->probe, xs, &f->pkix,
		    &f->judged);
	else
		pf_probe_verify(xs, &f->pkix);
	ERR_clear_error();
	return 1;
}

/*
 * The server asks for a client certificate; there is none.  It does so when
 * it has signed the handshake, except in TLS 1.2 without a key exchange of
 * its own.
 */
static int
on_client_certificate(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	struct pf_flight *f = SSL_get_app_data(ssl);
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);

	(void)cert, (void)key;
	f->wants_client = 1;
	f->possession =
	    SSL_version(ssl) == TLS1_3_VERSION ||
	    (cipher != NULL && SSL_CIPHER_get_kx_nid(cipher) != NID_kx_rsa);
	return 0;
}

/*
 * Only certificates with this kind of key.  PKCS#1 among the signatures for
 * ECDSA is for chains: in TLS 1.3 it signs nothing else (RFC 8446 4.2.3), and
 * in 1.2 the cipher suites say what the leaf must be.
 */
static char for_ecdsa[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"
                          "ed448:RSA+SHA256:RSA+SHA384:RSA+SHA512:ECDSA+SHA1";
static char for_rsa[] = "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
                        "rsa_pss_pss_sha256:rsa_pss_pss_sha384:"
                        "rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512:"
                        "RSA+SHA1";
static const struct {
	const char *ciphers;
	char *signatures;
} asks[] = {[PF_PROBE_ANY] = {"ALL:!aNULL:!eNULL:!PSK:!SRP", NULL},
    [PF_PROBE_ECDSA] = {"aECDSA:!eNULL", for_ecdsa},
    [PF_PROBE_RSA] = {"aRSA:!eNULL:!PSK:!SRP", for_rsa}};

/* Most servers have no certificate of the other kind, and the key that was
 * made for them was made in vain: one of P-256 takes the least time. */
static char groups[] = "P-256:X25519:P-384:P-521:X448:ffdhe2048:ffdhe3072:"
                       "ffdhe4096:ffdhe6144:ffdhe8192";

void
pf_probe_prepare(void)
{
	/* At the end the system takes everything back in less time. */
	(void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	                           OPENSSL_INIT_NO_ATEXIT,
	    NULL);
}

SSL_CTX *
pf_handshake_new(const struct pf_probe_options *o, enum pf_probe_key key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT |
	                             SSL_OP_TLSEXT_PADDING | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, PF_PROBE_MAX_LIST);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_client_cert_cb(ctx, on_client_certificate);
	SSL_CTX_set_cert_verify_callback(ctx, on_certificates, NULL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (o->anchors != NULL)
		SSL_CTX_set1_cert_store(ctx, o->anchors);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) &&
	    SSL_CTX_set_max_proto_version(ctx, 0) &&
	    SSL_CTX_set_cipher_list(ctx, asks[key].ciphers) &&
	    (key == PF_PROBE_ANY ||
	        (SSL_CTX_set1_sigalgs_list(ctx, asks[key].signatures) &&
	            SSL_CTX_set1_groups_list(ctx, groups))))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* SNI is for names only (RFC 6066 section 3). */
static int
set_name(SSL *ssl, const char *host)
{
	struct pf_host parsed;

	if (pf_host_parse(host, strlen(host), &parsed) != PINFAST_OK)
		return 0;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (parsed.kind != PF_HOST_NAME)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl),
		    parsed.text);
	return (int)SSL_set_tlsext_host_name(ssl, parsed.text) &&
	       SSL_set1_host(ssl, parsed.text);
}

/*
 * OpenSSL passes over HelloRequests for as long as they come, and would come
 * back to nobody else.
 */
static int
read_bounded(BIO *bio, char *out, int size)
{
	struct pf_flight *f = BIO_get_app_data(bio);
	int got;

	if (f->read > PF_PROBE_MAX_BYTES) {
		BIO_clear_retry_flags(bio);
		return -1;
	}
	got = BIO_meth_get_read(BIO_s_socket())(bio, out, size);
	f->read += got > 0 ? (size_t)got : 0;
	return got;
}

/* A socket's, but for reading; made once.  NULL: no memory. */
static const BIO_METHOD *
bounded_socket(void)
{
	static BIO_METHOD *method;
	const BIO_METHOD *socket = BIO_s_socket();

	if (method != NULL)
		return method;
	method = BIO_meth_new(BIO_TYPE_SOCKET, "a socket with an end");
	if (method == NULL)
		return NULL;
	BIO_meth_set_write(method, BIO_meth_get_write(socket));
	BIO_meth_set_read(method, read_bounded);
	BIO_meth_set_puts(method, BIO_meth_get_puts(socket));
	BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(socket));
	BIO_meth_set_create(method, BIO_meth_get_create(socket));
	BIO_meth_set_destroy(method, BIO_meth_get_destroy(socket));
	return method;
}

static int
set_socket(struct pf_flight *f)
{
	const BIO_METHOD *method = bounded_socket();
	BIO *bio = method != NULL ? BIO_new(method) : NULL;

	if (bio == NULL)
		return 0;
	BIO_set_fd(bio, f->fd, BIO_NOCLOSE);
	BIO_set_app_data(bio, f);
	SSL_set_bio(f->ssl, bio, bio);
	return 1;
}

SSL_CTX *
pf_handshake_ctx(struct pf_run *run, enum pf_probe_key key)
{
	if (run->ctx[key] == NULL)
		run->ctx[key] = pf_handshake_new(run->o, key);
	return run->ctx[key];
}

/* A context of its own for a kind costs as much as telling a few. */
static SSL *
ssl_for(struct pf_run *run, enum pf_probe_key key)
{
	SSL_CTX *ctx = run->asked[key] > PF_PROBE_FEW
	                   ? pf_handshake_ctx(run, key)
	                   : run->ctx[key];
	SSL *ssl;

	if (ctx != NULL)
		return SSL_new(ctx);
	ssl = SSL_new(run->ctx[PF_PROBE_ANY]);
	if (ssl != NULL && SSL_set_cipher_list(ssl, asks[key].ciphers) &&
	    SSL_set1_sigalgs_list(ssl, asks[key].signatures) &&
	    SSL_set1_groups_list(ssl, groups))
		return ssl;
	SSL_free(ssl);
	return NULL;
}

enum pf_step
pf_handshake_begin(struct pf_flight *f, struct pf_probe_result *result)
{
	f->ssl = ssl_for(f->run, f->asked);
	if (f->ssl == NULL || !SSL_set_app_data(f->ssl, f) || !set_socket(f) ||
	    !set_name(f->ssl, f->batch->probe->host)) {
		ERR_clear_error();
		return pf_fault(result, "out of memory");
	}
	SSL_set_connect_state(f->ssl);
	return pf_handshake_move(f, result);
}

enum pf_step
pf_handshake_move(struct pf_flight *f, struct pf_probe_result *result)
{
	int got, error;

	ERR_clear_error();
	errno = 0;
	got = SSL_do_handshake(f->ssl);
	if (got == 1) {
		f->possession = 1;
		return PF_STEP_DONE;
	}
	error = SSL_get_error(f->ssl, got);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return PF_STEP_WAIT;
	(void)pf_fault_tls(f, error, errno, result);
	/* A client without a certificate is not let in, but has seen all that
	 * a probe wants to see. */
	return f->possession ? PF_STEP_DONE : PF_STEP_FAILED;
}

void
pf_handshake_tell(struct pf_flight *f, struct pf_probe_result *result)
{
	if (f->ssl == NULL)
		return;
	result->presented = SSL_get_peer_cert_chain(f->ssl);
	if (result->presented != NULL)
		result->version = SSL_get_version(f->ssl);
	if (f->pkix.ok)
		result->path = SSL_get0_verified_chain(f->ssl);
}
