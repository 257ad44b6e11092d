/* Before a transfer: how its host, its proxy and its DoH server will be
 * proved, and what libcurl must be told so that they are. */
#include "adapt/curl/curl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* Refuses the transfer; the deny has been noted. */
static enum pinfast_error
stop(struct pinfast_curl *c, struct pinfast_diag *diag, const char *text)
{
	char all[500];

	c->refused = 1;
	/* Why nobody can look may be something that can be installed. */
	snprintf(all, sizeof all, "%s%s%s%s", text,
	    c->no_adapter[0] == '\0' ? "" : " (", c->no_adapter,
	    c->no_adapter[0] == '\0' ? "" : ")");
	return pf_attached_refuse(diag, PINFAST_EUNSUPPORTED, all);
}

/* The same in the sentence of the deny. */
static void
say_why(struct pinfast_curl *c)
{
	char both[sizeof c->text];

	if (c->no_adapter[0] == '\0')
		return;
	snprintf(both, sizeof both, "%.450s (%s)", c->text, c->no_adapter);
	(void)pf_curl_say(c, c->verdict, both);
}

/* A scheme without TLS, which no adapter would help. */
static enum pinfast_error
refuse_clear(struct pinfast_curl *c, struct pinfast_diag *diag,
    const char *text)
{
	pf_curl_deny(c, &c->prepared, PINFAST_DELEGATED_NO_TLS);
	pf_curl_note_clear(c, &c->prepared);
	return stop(c, diag, text);
}

/* An option that proves something, and that libcurl had no memory for. */
static enum pinfast_error
unset(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	const char *text = c->in_handshake
	                       ? "libcurl would not take CURLOPT_USE_SSL, "
	                         "CURLOPT_SSL_VERIFYHOST, CURLOPT_DOH_URL or a "
	                         "pin of its proxy"
	                       : "libcurl would not take the leaf pins, or the "
	                         "options that verify: it is out of memory, or "
	                         "cannot compare keys with its TLS library";

	/* Who calls pinfast_curl_perform() sees no diag. */
	(void)pf_curl_say(c, pf_not_judged(), text);
	return pf_attached_refuse(diag, PINFAST_ENOMEM, text);
}

/* 1: libcurl has taken it. */
static int
set_long(struct pinfast_curl *c, CURLoption option, long value)
{
	return c->f.easy_setopt(c->easy, option, value) == CURLE_OK;
}

/* A libcurl that does not know the option has nothing to forget, either. */
static int
set_text(struct pinfast_curl *c, CURLoption option, const char *value)
{
	return c->f.easy_setopt(c->easy, option, value) == CURLE_OK ||
	       value == NULL;
}

/* Pins of the proxy.  A libcurl that was built without proxies does not know
 * the option, and meets none. */
static int
set_proxy_pins(struct pinfast_curl *c, const char *pins)
{
	CURLcode code =
	    c->f.easy_setopt(c->easy, CURLOPT_PROXY_PINNEDPUBLICKEY, pins);

	return code == CURLE_OK || code == CURLE_UNKNOWN_OPTION || pins == NULL;
}

static enum pinfast_error
refuse(struct pinfast_curl *c, struct pinfast_diag *diag, const char *text)
{
	pf_curl_deny(c, &c->prepared, PINFAST_DELEGATED_NOT);
	say_why(c);
	return stop(c, diag, text);
}

/* The same on account of somebody whom the URL does not name. */
static enum pinfast_error
refuse_peer(struct pinfast_curl *c, struct pinfast_diag *diag,
    const struct pf_expected *peer, const char *text)
{
	pf_curl_deny_peer(c, peer->host, peer->port);
	say_why(c);
	return stop(c, diag, text);
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
static int
set_verify_host(struct pinfast_curl *c, int none)
{
	int off = none || (c->prepared.is_respelled && is_looked_at(c));

	c->verifies = !off;
	return set_long(c, CURLOPT_SSL_VERIFYHOST, off ? 0L : 2L);
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
	/* Nor does what comes after it, to hosts that are ours.  libcurl may
	 * have been built without FTP. */
	if (count != 0 && strncasecmp(c->prepared.scheme, "ftp", 3) == 0 &&
	    !set_long(c, CURLOPT_FTP_SSL_CCC, (long)CURLFTPSSL_CCC_NONE))
		return 0;
	c->forced_tls = count != 0;
	return set_long(c, CURLOPT_USE_SSL, level);
}

/* An address is not asked for by name: whoever answers might be the origin, or
 * an HTTPS proxy of which nobody told us. */
static int
bar_proxies(struct pinfast_curl *c)
{
	int bar = c->prepared.is_address && !c->proxy.named;

	if (!bar && !c->barred_proxies)
		return 1;
	c->barred_proxies = bar;
	return set_proxy_pins(c, bar ? NO_KEY : NULL);
}

static enum pinfast_error
plan_proxy(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	struct list list = {0, 0, ""};
	struct pinfast_conn *conn;
	enum pinfast_error error;
	int count, none;

	if (!c->proxy.named)
		return set_proxy_pins(c, NO_KEY) ? PINFAST_OK : unset(c, diag);
	error = ask(c, c->proxy.host, c->proxy.port, &conn);
	if (error != PINFAST_OK)
		return pf_attached_refuse(diag, error, "out of memory");
	(void)pinfast_conn_terms(conn, c->proxy_terms);
	count = pinfast_conn_leaf_pins(conn, add_pin, &list);
	none = pinfast_conn_needs(conn) == PINFAST_NEED_LEAF_ONLY;
	pinfast_conn_drop(c->proxy_asked);
	c->proxy_asked = conn;
	if (count < 0)
		return refuse_peer(c, diag,
		    &(struct pf_expected){c->proxy.host, c->proxy.port},
		    "the policy asks more of the proxy than its leaf's key, "
		    "and "
		    "nobody can look at its certificates here: pin leaf keys "
		    "alone for it, or use libcurl with OpenSSL");
	return set_long(c, CURLOPT_PROXY_SSL_VERIFYPEER, none ? 0L : 1L) &&
	               set_long(c, CURLOPT_PROXY_SSL_VERIFYHOST,
	                   none ? 0L : 2L) &&
	               set_text(c, CURLOPT_PROXY_PINNEDPUBLICKEY,
	                   count > 0 ? list.text : NULL)
	           ? PINFAST_OK
	           : unset(c, diag);
}

/* A DoH server must be one of which the policy asks nothing. */
static enum pinfast_error
plan_doh(struct pinfast_curl *c, struct pinfast_diag *diag)
{
	struct pf_curl_target target;
	struct pinfast_conn *conn;
	enum pinfast_error error;
	int count;

	/* Before it is known that it may: names are looked up without us. */
	if (!set_text(c, CURLOPT_DOH_URL, NULL))
		return unset(c, diag);
	if (c->doh == NULL)
		return PINFAST_OK;
	error = pf_curl_target_of(c, c->doh, &target);
	if (error == PINFAST_OK)
		error = ask(c, target.host, target.port, &conn);
	if (error != PINFAST_OK)
		return pf_attached_refuse(diag, error, "out of memory");
	count = pinfast_conn_leaf_pins(conn, add_pin, &(struct list){0, 0, ""});
	pinfast_conn_drop(conn);
	if (count == 0)
		return set_text(c, CURLOPT_DOH_URL, c->doh) ? PINFAST_OK
		                                            : unset(c, diag);
	return refuse_peer(c, diag,
	    &(struct pf_expected){target.host, target.port},
	    "the policy asks something of the DoH server, and nobody can judge "
	    "that connection here: use a DoH server without an entry, or "
	    "libcurl with OpenSSL");
}

/* Nobody sits in the handshake. */
static enum pinfast_error
plan_outside(struct pinfast_curl *c, int none, const struct list *list,
    struct pinfast_diag *diag)
{
	int looks = is_looked_at(c);

	if (!set_long(c, CURLOPT_SSL_VERIFYPEER, none ? 0L : 1L))
		return unset(c, diag);
	c->delegate = !looks && c->prepared.kind != PF_CURL_CLEAR &&
	              !c->prepared.has_no_tls;
	if (c->delegate && list->count < 0)
		return refuse(c, diag,
		    "the policy asks more of this host than the leaf's key, "
		    "and "
		    "nobody can look at certificates before this protocol "
		    "says too much: pin leaf keys alone, or use libcurl with "
		    "OpenSSL");
	/* Where nothing else is verified, the key is compared twice. */
	c->compared = (c->delegate || (looks && none)) && list->count > 0;
	return set_text(c, CURLOPT_PINNEDPUBLICKEY,
	           c->compared ? list->text : NULL)
	           ? PINFAST_OK
	           : unset(c, diag);
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
	c->asks_something = list.count != 0;
	none = pinfast_conn_needs(c->asked) == PINFAST_NEED_LEAF_ONLY;
	if (!set_verify_host(c, none))
		return unset(c, diag);
	if (c->prepared.is_ldap && list.count != 0)
		return refuse(c, diag,
		    "the policy asks something of this host, and LDAP logs in "
		    "where nobody can look: use a library of its own for it");
	if (c->prepared.has_no_tls && !pf_curl_may_go_in_clear(c, &c->prepared))
		return refuse_clear(c, diag,
		    "the policy asks something of this host, and URLs of this "
		    "scheme are transferred without TLS: use another scheme, "
		    "or give the host `mode: off`");
	if (!use_tls(c, list.count))
		return unset(c, diag);
	if (c->in_handshake)
		return bar_proxies(c) &&
		               (c->doh == NULL ||
		                   set_text(c, CURLOPT_DOH_URL, c->doh))
		           ? PINFAST_OK
		           : unset(c, diag);
	error = plan_outside(c, none, &list, diag);
	if (error == PINFAST_OK)
		error = plan_proxy(c, diag);
	return error == PINFAST_OK ? plan_doh(c, diag) : error;
}
