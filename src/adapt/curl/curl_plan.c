/* Before a transfer: how its host, its proxy and its DoH server will be
 * proved, and what libcurl must be told so that they are. */
#include "adapt/curl/curl.h"

#include <string.h>

#include "base/base64.h"
#include "os/file.h"

/* A key that nobody has: an HTTPS proxy that was not named is refused when
 * its handshake is over, and is sent nothing. */
#define NO_KEY "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Pins as CURLOPT_PINNEDPUBLICKEY takes them. */
struct list {
	int count; /* as pinfast_conn_leaf_pins() says */
	size_t len;
	char text[PF_CURL_PINS];
};

static void
add_pin(void *arg, const uint8_t pin[PINFAST_PIN_LEN])
{
	static const char head[] = ";sha256//";
	struct list *list = arg;
	const char *start = list->len == 0 ? head + 1 : head;

	if (list->len + sizeof head + 44 > sizeof list->text)
		return;
	memcpy(list->text + list->len, start, strlen(start));
	list->len += strlen(start);
	list->len +=
	    pf_base64_encode(pin, PINFAST_PIN_LEN, list->text + list->len);
	list->text[list->len] = '\0';
}

static enum pinfast_error
ask(struct pinfast_curl *c, const char *host, uint16_t port,
    struct pinfast_conn **out)
{
	return pinfast_conn_new(c->policy, host, port, pf_clock_now(), out);
}

static enum pinfast_error
refuse_as(struct pinfast_curl *c, struct pinfast_diag *diag,
    enum pinfast_delegated why, const char *text)
{
	pf_curl_deny(c, &c->prepared, why);
	c->refused = 1;
	return pf_attached_refuse(diag, PINFAST_EUNSUPPORTED, text);
}

static enum pinfast_error
refuse(struct pinfast_curl *c, struct pinfast_diag *diag, const char *text)
{
	return refuse_as(c, diag, PINFAST_DELEGATED_NOT, text);
}

/* Will an adapter see the certificates, and compare their names? */
static int
is_looked_at(const struct pinfast_curl *c)
{
	return c->in_handshake ||
	       (c->adapter != NULL && c->prepared.kind == PF_CURL_LATE);
}

/* libcurl compares names by itself, too; not where none counts, nor those
 * that it does not know to be the same as a certificate's. */
static void
set_verify_host(struct pinfast_curl *c, int none)
{
	int off = none || (c->prepared.is_respelled && is_looked_at(c));

	c->f.easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, off ? 0L : 2L);
}

/* A login may leave in clear only for hosts that are nobody's business, and
 * for those only when the application says so: what it wanted before we asked
 * for more nobody else knows. */
static int
use_tls(struct pinfast_curl *c, int count)
{
	long level = count == 0 ? c->next.use_ssl : (long)CURLUSESSL_ALL;

	if (c->prepared.kind != PF_CURL_EARLY ||
	    (count == 0 && (!c->forced_tls || level == CURLUSESSL_NONE)))
		return 1;
	/* Nor does what comes after it, to hosts that are ours. */
	if (count != 0)
		c->f.easy_setopt(c->easy, CURLOPT_FTP_SSL_CCC,
		    (long)CURLFTPSSL_CCC_NONE);
	c->forced_tls = count != 0;
	return c->f.easy_setopt(c->easy, CURLOPT_USE_SSL, level) == CURLE_OK;
}

/* An address is not asked for by name: whoever answers might be the origin, or
 * an HTTPS proxy of which nobody told us. */
static int
bar_proxies(struct pinfast_curl *c)
{
	const char *host = c->prepared.host;
	int is_address = strchr(host, ':') != NULL ||
	                 host[strspn(host, "0123456789.")] == '\0';
	int bar = is_address && !c->proxy.named;

	if (!bar && !c->barred_proxies)
		return 1;
	c->barred_proxies = bar;
	return c->f.easy_setopt(c->easy, CURLOPT_PROXY_PINNEDPUBLICKEY,
	           bar ? NO_KEY : NULL) == CURLE_OK;
}

static enum pinfast_error
plan_proxy(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	struct list list = {0, 0, ""};
	struct pinfast_conn *conn;
	enum pinfast_error error;
	int count, none;

	if (!c->proxy.named) {
		c->f.easy_setopt(c->easy, CURLOPT_PROXY_PINNEDPUBLICKEY,
		    NO_KEY);
		return PINFAST_OK;
	}
	error = ask(c, c->proxy.host, c->proxy.port, &conn);
	if (error != PINFAST_OK)
		return error;
	count = pinfast_conn_leaf_pins(conn, add_pin, &list);
	none = pinfast_conn_needs(conn) == PINFAST_NEED_LEAF_ONLY;
	pinfast_conn_drop(c->proxy_asked);
	c->proxy_asked = conn;
	if (count < 0)
		return refuse(c, diag,
		    "the policy asks of the proxy what only its TLS library "
		    "could show: pin leaf keys alone for it");
	c->f.easy_setopt(c->easy, CURLOPT_PROXY_SSL_VERIFYPEER, none ? 0L : 1L);
	c->f.easy_setopt(c->easy, CURLOPT_PROXY_SSL_VERIFYHOST, none ? 0L : 2L);
	c->f.easy_setopt(c->easy, CURLOPT_PROXY_PINNEDPUBLICKEY,
	    count > 0 ? list.text : NULL);
	return PINFAST_OK;
}

/* A DoH server must be one of which the policy asks nothing. */
static enum pinfast_error
plan_doh(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	struct pf_curl_target target;
	struct pinfast_conn *conn;
	enum pinfast_error error;
	int count;

	c->f.easy_setopt(c->easy, CURLOPT_DOH_URL, c->doh);
	if (c->doh == NULL)
		return PINFAST_OK;
	error = pf_curl_target_of(c, c->doh, &target);
	if (error == PINFAST_OK)
		error = ask(c, target.host, target.port, &conn);
	if (error != PINFAST_OK)
		return error;
	count = pinfast_conn_leaf_pins(conn, add_pin, &(struct list){0, 0, ""});
	pinfast_conn_drop(conn);
	if (count == 0)
		return PINFAST_OK;
	return refuse(c, diag,
	    "the policy asks of the DoH server what this TLS library cannot "
	    "show");
}

/* Nobody sits in the handshake. */
static enum pinfast_error
plan_outside(struct pinfast_curl *c, int none, const struct list *list,
    struct pinfast_diag *diag)
{
	int looks = is_looked_at(c);

	c->f.easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, none ? 0L : 1L);
	c->delegate = !looks && c->prepared.kind != PF_CURL_CLEAR &&
	              !c->prepared.has_no_tls;
	if (c->delegate && list->count < 0)
		return refuse(c, diag,
		    "the policy asks what only the TLS library could show, and "
		    "it is not asked before the login: pin leaf keys alone");
	/* Where nothing else is verified, the key is compared twice. */
	c->compared = (c->delegate || (looks && none)) && list->count > 0;
	c->f.easy_setopt(c->easy, CURLOPT_PINNEDPUBLICKEY,
	    c->compared ? list->text : NULL);
	return PINFAST_OK;
}

enum pinfast_error
pf_curl_plan(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	struct list list = {0, 0, ""};
	enum pinfast_error error;
	int none;

	error = ask(c, c->prepared.host, c->prepared.port, &c->asked);
	if (error != PINFAST_OK)
		return pf_attached_refuse(diag, error, "out of memory");
	/* Before the keys: what is loaded meanwhile asks for others. */
	(void)pinfast_conn_terms(c->asked, c->terms);
	list.count = pinfast_conn_leaf_pins(c->asked, add_pin, &list);
	none = pinfast_conn_needs(c->asked) == PINFAST_NEED_LEAF_ONLY;
	set_verify_host(c, none);
	if (c->prepared.is_ldap && list.count != 0)
		return refuse(c, diag, "LDAP logs in where nobody can look");
	if (c->prepared.has_no_tls && !pf_curl_may_go_in_clear(c, &c->prepared))
		return refuse_as(c, diag, PINFAST_DELEGATED_NO_TLS,
		    "the policy asks something of this host, and there is no "
		    "TLS under such a URL");
	if (!use_tls(c, list.count))
		return refuse(c, diag, "this libcurl has no TLS");
	if (c->in_handshake) {
		if (!bar_proxies(c))
			return refuse(c, diag, "libcurl pins no proxies");
		if (c->doh != NULL)
			c->f.easy_setopt(c->easy, CURLOPT_DOH_URL, c->doh);
		return PINFAST_OK;
	}
	error = plan_outside(c, none, &list, diag);
	if (error == PINFAST_OK)
		error = plan_proxy(c, diag);
	return error == PINFAST_OK ? plan_doh(c, diag) : error;
}
