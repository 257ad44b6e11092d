#include "wire/socks5.h"

#include "base/bytes.h"
#include "base/host.h"
#include "wire/protocol.h"

#define VERSION 5
#define AUTH_VERSION 1
#define NO_AUTH 0
#define USER_PASSWORD 2
#define CONNECT 1
#define TO_IPV4 1
#define TO_NAME 3
#define TO_IPV6 4

enum { METHOD, AUTH, REPLY };

static const struct pf_turn turns[] = {
    {"the proxy's choice of authentication", NULL, NULL, 0, 0, 0},
    {"the proxy's answer to user name and password", NULL, NULL, 0, 0, 0},
    {"the proxy's reply to CONNECT", NULL, NULL, 0, 0, 0},
};

/* How long a reply is, as far as it is known by now. */
static size_t
reply_len(const struct pf_dialogue *d)
{
	if (d->in_len < 5)
		return 5;
	switch (d->in[3]) {
	case TO_IPV4:
		return 4 + 4 + 2;
	case TO_NAME:
		return 4 + 1 + (size_t)d->in[4] + 2;
	case TO_IPV6:
		return 4 + 16 + 2;
	default:
		return 5;
	}
}

/* A reply that says no may end behind its second byte. */
static int
whole(struct pf_dialogue *d, uint8_t byte)
{
	uint8_t version = d->step == AUTH ? AUTH_VERSION : VERSION;

	if (d->in[0] != version) {
		pf_wire_break(d, "the proxy does not speak SOCKS5");
		return 0;
	}
	if (d->step != REPLY || (d->in_len == 2 && byte != 0))
		return d->in_len == 2;
	return d->in_len == reply_len(d);
}

/*
 * The messages were prepared at the beginning and lie in out, one behind the
 * other: the credentials (aside bytes, perhaps none), then the request (number
 * bytes).  These two move the end of what may be sent.
 */
static void
send_credentials(struct pf_dialogue *d)
{
	d->out_to = (uint16_t)(d->out_to + d->aside);
	d->aside = 0;
	d->step = AUTH;
}

static void
send_request(struct pf_dialogue *d)
{
	uint8_t *to = d->out + d->out_to;

	memmove(to, to + d->aside, d->number);
	memset(to + d->number, 0, d->aside);
	d->out_to = (uint16_t)(d->out_to + d->number);
	d->aside = 0;
	d->step = REPLY;
}

static void
take_method(struct pf_dialogue *d)
{
	if (d->in[1] == NO_AUTH)
		send_request(d);
	else if (d->in[1] == USER_PASSWORD && d->aside > 0)
		send_credentials(d);
	else if (d->in[1] == 0xff)
		pf_wire_refuse(d, "the proxy accepts no kind of authentication "
		                  "that was offered");
	else
		pf_wire_break(d, "the proxy chose a kind of authentication "
		                 "that was not offered");
}

/* RFC 1928 section 6. */
static const char *
refusal(uint8_t reply)
{
	static const char *const rows[] = {
	    "the proxy reports a general failure",
	    "the proxy's rules do not allow this connection",
	    "the proxy says that the network is unreachable",
	    "the proxy says that the host is unreachable",
	    "the proxy says that the connection was refused",
	    "the proxy says that the time to live expired",
	    "the proxy does not support CONNECT",
	    "the proxy does not support this kind of address",
	};

	if (reply > sizeof rows / sizeof *rows)
		return "the proxy refused CONNECT without a known reason";
	return rows[reply - 1];
}

static void
take(struct pf_dialogue *d)
{
	if (d->step == METHOD)
		take_method(d);
	else if (d->in[1] != 0)
		pf_wire_refuse(d, d->step == REPLY
		                      ? refusal(d->in[1])
		                      : "the proxy refused the user "
		                        "name and password");
	else if (d->step == AUTH)
		send_request(d);
	else if (d->in_len == 5)
		pf_wire_break(d, "the proxy's reply has an unknown kind of "
		                 "address");
	else
		d->state = PF_DIALOGUE_DONE;
}

static const struct pf_protocol socks = {
    .whole = whole, .take = take, .turns = turns, .is_proxy = 1};

/* A string with its length before it, as all of SOCKS5 has them. */
static void
put_string(struct pf_dialogue *d, const char *text, size_t len)
{
	uint8_t octet = (uint8_t)len;

	pf_wire_put(d, &octet, 1);
	pf_wire_put(d, text, len);
}

static void
put_request(struct pf_dialogue *d, const struct pf_host *host, uint16_t port)
{
	uint8_t head[4] = {VERSION, CONNECT, 0, TO_NAME};
	uint8_t tail[2] = {(uint8_t)(port >> 8), (uint8_t)port};

	if (host->kind != PF_HOST_NAME)
		head[3] = host->kind == PF_HOST_IPV4 ? TO_IPV4 : TO_IPV6;
	pf_wire_put(d, head, sizeof head);
	if (host->kind == PF_HOST_NAME)
		put_string(d, host->text, host->text_len);
	else /* the key is the kind and the address */
		pf_wire_put(d, host->key + 1, (size_t)host->key_len - 1);
	pf_wire_put(d, tail, sizeof tail);
}

/* Everything that will ever be said; only the first message may go. */
static void
prepare(struct pf_dialogue *d, const struct pf_host *host, uint16_t port,
    const char *user, const char *password)
{
	static const uint8_t hello[] = {VERSION, 1, NO_AUTH};
	static const uint8_t hello_user[] = {
	    VERSION, 2, NO_AUTH, USER_PASSWORD};
	static const uint8_t auth[] = {AUTH_VERSION};
	uint16_t first, second;

	if (user)
		pf_wire_put(d, hello_user, sizeof hello_user);
	else
		pf_wire_put(d, hello, sizeof hello);
	first = d->out_to;
	if (user) {
		pf_wire_put(d, auth, sizeof auth);
		put_string(d, user, strlen(user));
		put_string(d, password, strlen(password));
	}
	second = d->out_to;
	put_request(d, host, port);
	d->aside = (uint16_t)(second - first);
	d->number = (uint16_t)(d->out_to - second);
	d->out_to = first;
}

void
pf_socks5_begin(struct pf_dialogue *d, const char *host, uint16_t port,
    const char *user, const char *password)
{
	struct pf_host to;

	pf_wire_begin(d, &socks);
	if (!password)
		password = "";
	if (pf_host_parse(host, strlen(host), &to) != PINFAST_OK)
		pf_wire_break(d,
		    "this is no host that a proxy can be asked for");
	else if ((user && strlen(user) > 255) || strlen(password) > 255)
		pf_wire_break(d, "the proxy's user name or password is longer "
		                 "than 255 bytes");
	else
		prepare(d, &to, port, user, password);
}
