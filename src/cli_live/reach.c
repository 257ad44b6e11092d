#define _DEFAULT_SOURCE
#include "cli_live/reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli_live/trial.h"
#include "cli_policy/load.h"
#include "policy/name.h"

#define LONGEST_S 3600

const char pf_reach_help[] =
    "  --starttls P     ask for TLS first: smtp, lmtp, imap, pop3, ftp, nntp,\n"
    "                   sieve, ldap, postgres, mysql, xmpp, xmpp-server\n"
    "  --proxy URL      http://[USER:PASSWORD@]HOST:PORT or socks5://...\n"
    "  --timeout S      seconds for each step (default 10)\n"
    "  --connect-to HOST:PORT:ADDRESS:PORT\n"
    "                   the address in place of the name's; an empty HOST or\n"
    "                   PORT means any; may be given several times\n"
    "  --ca-file FILE   trust anchors, PEM (default: the system's)\n";

/* HOST:PORT:ADDRESS:PORT.  host kind 0xff: any; port 0: any, or the same. */
struct pf_connect_to {
	struct pf_host host;
	uint16_t port;
	struct pf_address address;
	const char *text;
	int is_used;
};
#define ANY_HOST 0xff

/* ------------------------------------------------------------ --connect-to */

/* The next field of a list with colons, brackets around IPv6. */
static int
next_field(const char **text, const char **field, size_t *len)
{
	const char *end = *text;

	*field = *text;
	if (*end == '[') {
		end = strchr(end, ']');
		if (end == NULL)
			return 0;
		end++;
	} else {
		end += strcspn(end, ":");
	}
	*len = (size_t)(end - *field);
	*text = *end == ':' ? end + 1 : end;
	return *end == ':' || *end == '\0';
}

static int
read_port(const char *text, size_t len, uint16_t *out)
{
	unsigned long value = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		value = value * 10 + (unsigned long)(text[i] - '0');
		if (value > 65535)
			return 0;
	}
	*out = (uint16_t)value;
	return len == 0 || value > 0;
}

static int
read_connect_to(const char *text, struct pf_connect_to *out)
{
	const char *field[4], *why;
	size_t len[4];
	uint16_t port;

	/* Each field ends at a colon, the last one at the end. */
	for (int i = 0; i < 4; i++) {
		if (!next_field(&text, &field[i], &len[i]) ||
		    (field[i][len[i]] == ':') != (i < 3))
			return 0;
	}
	memset(out, 0, sizeof *out);
	out->host.kind = ANY_HOST;
	if (len[0] > 0 && !pf_name_read(field[0], len[0], &out->host, &why))
		return 0;
	return read_port(field[1], len[1], &out->port) &&
	       read_port(field[3], len[3], &port) &&
	       pf_address_parse(field[2], len[2], port, &out->address);
}

/* ----------------------------------------------------------------- options */

static int
out_of_memory(const char *command)
{
	pf_complain(command, "out of memory");
	return PF_EXIT_UNDECIDED;
}

static int
add_connect_to(const char *command, const char *text, struct pf_reach *reach)
{
	struct pf_connect_to one, *grown;

	if (!read_connect_to(text, &one))
		return pf_usage(command,
		    "--connect-to takes HOST:PORT:ADDRESS:PORT with a numeric "
		    "address, IPv6 in brackets, not",
		    text);
	one.text = text;
	grown = realloc(reach->to, (reach->to_count + 1) * sizeof one);
	if (grown == NULL)
		return out_of_memory(command);
	reach->to = grown;
	reach->to[reach->to_count++] = one;
	return -1;
}

/* ----------------------------------------------------------------- --proxy */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 section 2.1, in place. */
static int
unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++, to++) {
		*to = *text;
		if (*text != '%')
			continue;
		if (hex(text[1]) < 0 || hex(text[2]) < 0 ||
		    (hex(text[1]) == 0 && hex(text[2]) == 0))
			return 0;
		*to = (char)(hex(text[1]) << 4 | hex(text[2]));
		text += 2;
	}
	*to = '\0';
	return 1;
}

static int
starts(char **text, const char *with)
{
	size_t len = strlen(with);

	if (strncmp(*text, with, len) != 0)
		return 0;
	*text += len;
	return 1;
}

/* Takes a URL to pieces, in place; host is kept in a buffer of its own. */
static int
read_proxy(char *text, struct pf_proxy *out, char host[PINFAST_HOST_LEN])
{
	struct pf_host parsed;
	const char *why;
	char *at, *colon;
	uint16_t port;
	size_t len;

	memset(out, 0, sizeof *out);
	if (starts(&text, "socks5://") || starts(&text, "socks5h://")) {
		out->socks5 = 1;
		out->port = 1080;
	} else if (!starts(&text, "http://")) {
		return 0;
	}
	at = strrchr(text, '@');
	if (at != NULL) {
		*at = '\0';
		out->user = text;
		colon = strchr(text, ':');
		if (colon != NULL) {
			*colon = '\0';
			out->password = colon + 1;
			if (!unescape(colon + 1))
				return 0;
		}
		if (!unescape(text))
			return 0;
		text = at + 1;
	}
	len = strlen(text);
	if (len > 0 && text[len - 1] == '/')
		text[--len] = '\0';
	if (!pf_target_split(text, &len, &port) ||
	    !pf_name_read(text, len, &parsed, &why))
		return 0;
	out->port = port != 0 ? port : out->port;
	memcpy(host, parsed.text, sizeof parsed.text);
	out->host = host;
	return out->port != 0;
}

static int
set_proxy(const char *command, const char *url, struct pf_reach *reach)
{
	size_t len = strlen(url);

	free(reach->proxy_text);
	reach->proxy_text = malloc(len + 1 + PINFAST_HOST_LEN);
	if (reach->proxy_text == NULL)
		return out_of_memory(command);
	memcpy(reach->proxy_text, url, len + 1);
	if (read_proxy(reach->proxy_text, &reach->proxy,
	        reach->proxy_text + len + 1))
		return -1;
	/* It may hold a password: what was written is not repeated. */
	return pf_usage(command,
	    "--proxy takes http://HOST:PORT or socks5://HOST[:PORT], with "
	    "USER:PASSWORD@ in front of HOST when it wants them",
	    NULL);
}

static int
set_timeout(const char *command, const char *text, struct pf_reach *reach)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end != text && *end == '\0' && seconds >= 0.001 &&
	    seconds <= LONGEST_S) {
		reach->timeout_ms = (int)(seconds * 1000);
		return -1;
	}
	return pf_usage(command, "--timeout takes 0.001 to 3600 seconds, not",
	    text);
}

int
pf_reach_option(const char *command, int argc, char *const argv[], int *i,
    struct pf_reach *reach)
{
	const char *value;

	if ((value = pf_option(argc, argv, i, "--starttls")) != NULL) {
		if (pf_starttls_find(value, &reach->starttls))
			return -1;
		return pf_usage(command,
		    "--starttls takes smtp, lmtp, imap, pop3, ftp, nntp, "
		    "sieve, ldap, postgres, mysql, xmpp or xmpp-server, not",
		    value);
	}
	if ((value = pf_option(argc, argv, i, "--proxy")) != NULL)
		return set_proxy(command, value, reach);
	if ((value = pf_option(argc, argv, i, "--timeout")) != NULL)
		return set_timeout(command, value, reach);
	if ((value = pf_option(argc, argv, i, "--connect-to")) != NULL)
		return add_connect_to(command, value, reach);
	if ((value = pf_option(argc, argv, i, "--ca-file")) != NULL) {
		reach->ca_file = value;
		return -1;
	}
	return pf_unknown(command, argv[*i]);
}

void
pf_reach_fini(struct pf_reach *reach)
{
	free(reach->proxy_text);
	free(reach->to);
}

struct pf_probe_options
pf_reach_options(const struct pf_reach *reach)
{
	struct pf_probe_options o;

	memset(&o, 0, sizeof o);
	o.timeout_ms = reach->timeout_ms;
	o.proxy = reach->proxy.host != NULL ? &reach->proxy : NULL;
	return o;
}

X509_STORE *
pf_reach_anchors(const struct pf_reach *reach)
{
	X509_STORE *store;

	/* The first that is wanted of OpenSSL. */
	pf_probe_prepare();
	if (reach->ca_file != NULL)
		return pf_anchors_load(reach->ca_file);
	store = pf_probe_system_anchors();
	if (store == NULL)
		pf_complain(NULL, "out of memory");
	return store;
}

/* ----------------------------------------------------------------- servers */

static int
is_for(const struct pf_connect_to *to, const struct pf_server *server)
{
	return (to->port == 0 || to->port == server->port) &&
	       (to->host.kind == ANY_HOST ||
	           (to->host.key_len == server->host.key_len &&
	               memcmp(to->host.key, server->host.key,
	                   to->host.key_len) == 0));
}

static int
give_addresses(const struct pf_reach *reach, struct pf_server *server)
{
	for (size_t i = 0; i < reach->to_count; i++) {
		struct pf_connect_to *to = &reach->to[i];
		struct pf_address *grown;

		if (!is_for(to, server))
			continue;
		to->is_used = 1;
		grown = realloc(server->address,
		    (server->address_count + 1) * sizeof *grown);
		if (grown == NULL)
			return 0;
		server->address = grown;
		grown += server->address_count++;
		*grown = to->address;
		if (grown->port == 0)
			grown->port = server->port;
	}
	return 1;
}

int
pf_server_read(const char *command, const struct pf_reach *reach,
    const char *text, struct pf_server *out)
{
	const char *why = NULL;
	char message[256];
	size_t len;

	memset(out, 0, sizeof *out);
	out->text = text;
	if (strstr(text, "://") != NULL || strchr(text, '@') != NULL) {
		/* It may hold a password: it is not repeated. */
		(void)pf_usage(command,
		    "write HOST[:PORT] and no URL, and --proxy in front of a "
		    "proxy's",
		    NULL);
		return 0;
	}
	if (!pf_target_split(text, &len, &out->port)) {
		(void)pf_usage(command,
		    "a port is 1 to 65535; write HOST:PORT, not", text);
		return 0;
	}
	if (len >= 1024 || !pf_name_read(text, len, &out->host, &why)) {
		snprintf(message, sizeof message, "%s; write HOST[:PORT], not",
		    why != NULL ? why : "the name is too long");
		(void)pf_usage(command, message, text);
		return 0;
	}
	if (out->port == 0)
		out->port = pf_starttls_port(reach->starttls);
	if (give_addresses(reach, out))
		return 1;
	(void)pf_usage(command, "out of memory", NULL);
	return 0;
}

size_t
pf_reach_complain_unused(const struct pf_reach *reach)
{
	size_t unused = 0;

	for (size_t i = 0; i < reach->to_count; i++) {
		if (reach->to[i].is_used)
			continue;
		unused++;
		pf_complain(reach->to[i].text,
		    "this --connect-to is for no server that is asked; is it "
		    "spelled as there?");
	}
	return unused;
}

void
pf_server_fini(struct pf_server *server)
{
	free(server->address);
}

struct pf_probe
pf_server_probe(const struct pf_server *server, const struct pf_reach *reach)
{
	struct pf_probe probe;

	memset(&probe, 0, sizeof probe);
	probe.host = server->host.text;
	probe.port = server->port;
	probe.starttls = (int)reach->starttls;
	probe.addresses = server->address;
	probe.address_count = server->address_count;
	return probe;
}

int
pf_reach_is_blind(const struct pf_reach *reach, const struct pf_server *server)
{
	return reach->proxy.host != NULL && server->address_count == 0 &&
	       server->host.kind == PF_HOST_NAME;
}

/* --------------------------------------------------------------- interrupt */

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
	interrupted = number;
}

const volatile sig_atomic_t *
pf_reach_interrupt(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = on_interrupt;
	/* Once more ends the program at once. */
	action.sa_flags = (int)SA_RESETHAND;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	return &interrupted;
}

int
pf_reach_interrupted(void)
{
	return 128 + interrupted;
}
