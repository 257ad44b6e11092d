#include "wire/starttls.h"

#include "base/bytes.h"
#include "base/host.h"
#include "wire/protocol.h"

static const struct {
	const struct pf_protocol *protocol;
	const char *name;
	const char *other_name;
	uint16_t port;
} known[PF_STARTTLS_COUNT] = {
    [PF_STARTTLS_NONE] = {&pf_none, "none", "none", 443},
    [PF_STARTTLS_SMTP] = {&pf_smtp, "smtp", "smtp", 25},
    [PF_STARTTLS_LMTP] = {&pf_lmtp, "lmtp", "lmtp", 24},
    [PF_STARTTLS_IMAP] = {&pf_imap, "imap", "imap", 143},
    [PF_STARTTLS_POP3] = {&pf_pop3, "pop3", "pop3", 110},
    [PF_STARTTLS_FTP] = {&pf_ftp, "ftp", "ftp", 21},
    [PF_STARTTLS_NNTP] = {&pf_nntp, "nntp", "nntp", 119},
    [PF_STARTTLS_SIEVE] = {&pf_sieve, "sieve", "sieve", 4190},
    [PF_STARTTLS_LDAP] = {&pf_ldap, "ldap", "ldap", 389},
    [PF_STARTTLS_POSTGRES] = {&pf_postgres, "postgres", "postgresql", 5432},
    [PF_STARTTLS_MYSQL] = {&pf_mysql, "mysql", "mariadb", 3306},
    [PF_STARTTLS_XMPP] = {&pf_xmpp, "xmpp", "xmpp", 5222},
    [PF_STARTTLS_XMPP_SERVER] = {&pf_xmpp_server, "xmpp-server", "xmpp-server",
        5269},
};

/* TLS from the first byte: done before it begins. */
static const struct pf_turn nothing[] = {{"nothing", NULL, NULL, 0, 0, 0}};
const struct pf_protocol pf_none = {.turns = nothing};

int
pf_starttls_find(const char *name, enum pf_starttls *out)
{
	for (unsigned i = 0; i < PF_STARTTLS_COUNT; i++) {
		if (strcmp(name, known[i].name) == 0 ||
		    strcmp(name, known[i].other_name) == 0) {
			*out = (enum pf_starttls)i;
			return 1;
		}
	}
	return 0;
}

const char *
pf_starttls_name(enum pf_starttls protocol)
{
	return known[protocol].name;
}

uint16_t
pf_starttls_port(enum pf_starttls protocol)
{
	return known[protocol].port;
}

/* Submission (RFC 6409) speaks what port 25 speaks. */
enum pf_starttls
pf_starttls_of_port(uint16_t port)
{
	if (port == 587)
		return PF_STARTTLS_SMTP;
	for (unsigned i = 1; i < PF_STARTTLS_COUNT; i++)
		if (known[i].port == port)
			return (enum pf_starttls)i;
	return PF_STARTTLS_NONE;
}

void
pf_starttls_begin(struct pf_dialogue *d, enum pf_starttls protocol,
    const char *host)
{
	pf_wire_begin(d, known[protocol].protocol);
	if (protocol == PF_STARTTLS_NONE)
		d->state = PF_DIALOGUE_DONE;
	else if (protocol == PF_STARTTLS_XMPP)
		pf_xmpp_hello(d, "jabber:client", host);
	else if (protocol == PF_STARTTLS_XMPP_SERVER)
		pf_xmpp_hello(d, "jabber:server", host);
}
