/*
 * How a server is asked to begin TLS on a connection that begins without.
 * Hides the protocols.  Refuses to go on without: a server that does not
 * offer it, or says no, is refused, whatever else it would do.
 *
 *	smtp, lmtp    RFC 3207, RFC 2033      ldap          RFC 4511 4.14
 *	imap, pop3    RFC 9051, RFC 2595      postgres      SSLRequest
 *	ftp           RFC 4217                mysql         SSL request packet
 *	nntp          RFC 4642                xmpp,
 *	sieve         RFC 5804                xmpp-server   RFC 6120
 */
#ifndef PF_STARTTLS_H
#define PF_STARTTLS_H

#include "wire/dialogue.h"

enum pf_starttls {
	PF_STARTTLS_NONE = 0, /* TLS from the first byte */
	PF_STARTTLS_SMTP,
	PF_STARTTLS_LMTP,
	PF_STARTTLS_IMAP,
	PF_STARTTLS_POP3,
	PF_STARTTLS_FTP,
	PF_STARTTLS_NNTP,
	PF_STARTTLS_SIEVE,
	PF_STARTTLS_LDAP,
	PF_STARTTLS_POSTGRES,
	PF_STARTTLS_MYSQL,
	PF_STARTTLS_XMPP,
	PF_STARTTLS_XMPP_SERVER
};
#define PF_STARTTLS_COUNT 13

/* 0 when no protocol has this name; "postgresql" and "mariadb" are names,
 * too, and "none" is one. */
int pf_starttls_find(const char *name, enum pf_starttls *out);

/* Its name, that pf_starttls_find() finds. */
const char *pf_starttls_name(enum pf_starttls protocol);

/* The port where such servers listen; 443 for none. */
uint16_t pf_starttls_port(enum pf_starttls protocol);

/* What is spoken on this port; none where TLS begins at once. */
enum pf_starttls pf_starttls_of_port(uint16_t port);

/*
 * host     a name or address, borrowed for the call; only XMPP tells it to
 *          the server (others may have NULL)
 */
void pf_starttls_begin(struct pf_dialogue *d, enum pf_starttls protocol,
    const char *host);

#endif
