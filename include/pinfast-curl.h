/*
 * pinfast for libcurl 7.80 and later, whatever TLS library it was built with.
 *
 *	pinfast_curl_attach(easy, policy, NULL, &diag, &pins);  once per handle
 *	curl_easy_setopt(easy, CURLOPT_URL, "https://api.example.com/");
 *	code = pinfast_curl_perform(pins);
 *	if (pinfast_curl_result(pins).decision != PINFAST_ALLOW)
 *		nothing was sent; pinfast_curl_explain() says why
 *	curl_easy_cleanup(easy);
 *	pinfast_curl_free(pins);
 *
 * The host that is judged is always the URL's, also that of a redirect.  What
 * libcurl is told by CURLOPT_RESOLVE, CURLOPT_CONNECT_TO or Alt-Svc changes
 * where it connects to, not whom it must meet.  A transfer whose host is
 * refused sends no request and no login; an HTTPS proxy that is refused is sent
 * no CONNECT and no credentials.
 *
 * How, depends on the TLS library.  It is found at run time, and its adapter
 * (libpinfast-openssl, libpinfast-gnutls) is loaded then:
 *
 * OpenSSL  the judge sits inside each handshake, those with HTTPS proxies and
 *          DoH servers included, and is asked again before each request
 * GnuTLS   the judge is asked when the handshake is over, before the request.
 *          That is too late for imap, pop3, smtp, ftp and ldap, which log in
 *          before, and for HTTPS proxies, see below
 * others   (NSS; a copy of a TLS library inside libcurl)  nobody can look:
 *          leaf pins are given to libcurl, which compares them when the
 *          handshake is over (CURLOPT_PINNEDPUBLICKEY)
 *
 * Where it is too late, leaf pins are given to libcurl, too; what they cannot
 * say (pins of issuers, reject lists) refuses the transfer with reason
 * backend-cannot-prove.  So is LDAP refused whenever the policy asks anything
 * of its host.  pinfast-curl(3) has a table of protocols and TLS libraries.
 *
 * Owned by pinfast on such a handle, and set anew for each transfer:
 * CURLOPT_PREREQFUNCTION, CURLOPT_SOCKOPTFUNCTION, CURLOPT_SSL_CTX_FUNCTION
 * (say in struct pinfast_curl_next what the application had there),
 * CURLOPT_SSL_VERIFYHOST (on, but for `pkix: none`; names are compared by
 * pinfast, too), for protocols that log in before their request and hosts that
 * the policy knows CURLOPT_USE_SSL, CURLOPT_PORT (0: write the port into the
 * URL) and CURLOPT_CURLU (NULL: give a CURLOPT_URL), since nobody can ask where
 * they lead.  With OpenSSL also CURLOPT_PROXY_PINNEDPUBLICKEY where the URL's
 * host is an address and no HTTPS proxy was named.  Without OpenSSL also
 * CURLOPT_SSL_VERIFYPEER, which is switched on (off for `pkix: none`) since
 * nobody can ask whether it is, CURLOPT_PINNEDPUBLICKEY,
 * _PROXY_PINNEDPUBLICKEY, _PROXY_SSL_VERIFYPEER and _PROXY_SSL_VERIFYHOST, and
 * _DOH_URL.  After a request was refused CURLOPT_FORBID_REUSE, and where its
 * connection had been kept CURLOPT_FRESH_CONNECT for the next transfer: HTTP/2
 * would go on meeting whoever was refused; both are off again afterwards.
 *
 * A copy made by curl_easy_duphandle() is to be attached for itself before it
 * is used.  curl_easy_reset() takes the callbacks away: what is transferred
 * before the handle is prepared again is judged by nobody.  A live connection
 * that somebody else's handle has made, in a shared pool, is refused when
 * nobody judged it, or a handle of another policy did.  Schemes under which
 * there is no TLS (sftp, smb, rtmp) do not reach a host that the policy asks
 * something of.  A proxy that is spoken to in clear is sent its credentials,
 * and nobody judges it.
 *
 * Threads: as libcurl's: a handle belongs to one thread at a time.
 */
#ifndef PINFAST_CURL_H
#define PINFAST_CURL_H

#include <curl/curl.h>

#include "pinfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libcurl as the application calls it.  libpinfast-curl links none: a program
 * has one of several, with the same functions under other versions, and a
 * second one beside it would not know its handles.
 */
struct pinfast_curl_functions {
	size_t size; /* of this struct, as the caller was compiled with it */
	CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
	CURLcode (*easy_perform)(CURL *easy);
	CURLU *(*url_new)(void);
	void (*url_cleanup)(CURLU *url);
	CURLUcode (*url_set)(CURLU *url, CURLUPart what, const char *part,
	    unsigned flags);
	CURLUcode (*url_get)(CURLU *url, CURLUPart what, char **part,
	    unsigned flags);
	void (*free)(void *ptr);
};

/* What the application had set on the handle; libcurl does not tell.  Each may
 * be NULL.  Copied. */
struct pinfast_curl_next {
	curl_prereq_callback prereq; /* CURLOPT_PREREQFUNCTION */
	void *prereq_data;
	curl_sockopt_callback sockopt; /* CURLOPT_SOCKOPTFUNCTION */
	void *sockopt_data;
	/* CURLOPT_SSL_CTX_FUNCTION: it is called before pinfast takes the
	 * certificate verification callback. */
	curl_ssl_ctx_callback ssl_ctx;
	void *ssl_ctx_data;
	/* What CURLOPT_USE_SSL becomes again for a host that the policy leaves
	 * alone; 0: it stays as the transfers before have left it. */
	long use_ssl;
};

/* A handle that is pinned. */
struct pinfast_curl;

/* What pinfast_curl_attach() passes on. */
struct pinfast_curl_use {
	const struct pinfast_curl_functions *functions;
	CURL *easy;
	const struct pinfast_curl_next *next;
};

/* As pinfast_curl_attach(), for who finds libcurl's functions by himself. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_curl_attach_with(const struct pinfast_curl_use *use,
    struct pinfast *policy, struct pinfast_diag *diag,
    struct pinfast_curl **out);

/*
 * Pins every transfer of a handle.
 *
 * policy  must live longer than every connection that the handle makes
 * next    may be NULL
 * diag    may be NULL
 * out     for pinfast_curl_free()
 * returns PINFAST_EUSAGE, PINFAST_ENOMEM, PINFAST_EUNSUPPORTED (libcurl older
 *         than 7.80, or without TLS)
 */
static inline PINFAST_CHECK enum pinfast_error
pinfast_curl_attach(CURL *easy, struct pinfast *policy,
    const struct pinfast_curl_next *next, struct pinfast_diag *diag,
    struct pinfast_curl **out)
{
	static const struct pinfast_curl_functions functions = {
	    sizeof(struct pinfast_curl_functions), curl_easy_setopt,
	    curl_easy_getinfo, curl_easy_perform, curl_url, curl_url_cleanup,
	    curl_url_set, curl_url_get, curl_free};
	struct pinfast_curl_use use;

	use.functions = &functions;
	use.easy = easy;
	use.next = next;
	return pinfast_curl_attach_with(&use, policy, diag, out);
}

/* After curl_easy_cleanup().  NULL is fine. */
PINFAST_API void pinfast_curl_free(struct pinfast_curl *pins);

/*
 * Names an HTTPS proxy that the application has set, and that is to be judged
 * by its own entry.  Under OpenSSL only needed when it is an address, or when
 * entries differ by port.  Otherwise an HTTPS proxy that is not named here is
 * refused before it is sent anything, and one whose entry more than leaf pins
 * are needed for is refused, too.
 *
 * host    NULL: none
 * returns PINFAST_EHOST, PINFAST_EUSAGE (pins is NULL)
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_curl_proxy(struct pinfast_curl *pins, const char *host, uint16_t port);

/*
 * Names a DoH server (CURLOPT_DOH_URL, which it sets for each transfer).
 * Under OpenSSL setting the option does as well, and the server is judged when
 * it is connected to: libcurl tells nobody of questions on a connection that it
 * has kept, so that they are not judged anew when another policy was loaded.
 * Without OpenSSL the policy may ask nothing of the server.
 *
 * url     NULL: none
 * returns PINFAST_EHOST, PINFAST_ENOMEM, PINFAST_EUSAGE (pins is NULL)
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_curl_doh(struct pinfast_curl *pins, const char *url);

/*
 * Before each transfer, when the URL has been set and all other options that
 * the application sets: looks at the URL and at today's policy.  For the multi
 * interface; pinfast_curl_perform() does it, too.
 *
 * returns PINFAST_OK, PINFAST_EHOST (the URL has no valid host),
 *         PINFAST_EUNSUPPORTED (backend-cannot-prove: this transfer is
 *         refused), PINFAST_EUSAGE (no URL, or pins is NULL), PINFAST_ENOMEM.
 *         After a failure the transfer would be refused
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_curl_prepare(struct pinfast_curl *pins, struct pinfast_diag *diag);

/* When the multi interface has said that the transfer is done
 * (CURLMSG_DONE): its code. */
PINFAST_API void pinfast_curl_done(struct pinfast_curl *pins, CURLcode code);

/* pinfast_curl_prepare(), curl_easy_perform() and pinfast_curl_done().  A
 * transfer that is refused beforehand gives CURLE_ABORTED_BY_CALLBACK, NULL
 * CURLE_BAD_FUNCTION_ARGUMENT. */
PINFAST_API PINFAST_CHECK CURLcode
pinfast_curl_perform(struct pinfast_curl *pins);

/* What was decided about the last transfer: PINFAST_ALLOW only when each of
 * its requests went to a host that was judged and allowed. */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_curl_result(const struct pinfast_curl *pins);

/* What preparing the last transfer, or telling the TLS library of it, said:
 * PINFAST_EUNSAFE when CURLOPT_SSL_VERIFYPEER was off under OpenSSL, or its
 * SHA-256 does not give the known answers. */
PINFAST_API enum pinfast_error
pinfast_curl_error(const struct pinfast_curl *pins);

/* One sentence: what was decided and why, with the keys shown and wanted.  Cut
 * off at size; returns the length that all of it has. */
PINFAST_API size_t pinfast_curl_explain(const struct pinfast_curl *pins,
    char *text, size_t size);

/* How libcurl's TLS library is asked: "openssl", "gnutls", or "leaf-pins" when
 * nobody can look into it. */
PINFAST_API const char *pinfast_curl_backend(const struct pinfast_curl *pins);

#ifdef __cplusplus
}
#endif

#endif
