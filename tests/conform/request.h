/*
 * What the peer is asked for, one line a request.  Hides how a line is taken
 * apart; refuses keys that it does not know.
 */
#ifndef CONFORM_REQUEST_H
#define CONFORM_REQUEST_H

struct request {
	char tag[100], chain[2000], key[60], ring[100];
	char inner[2000], innerkey[60]; /* of the server behind a proxy */
	int tls13, tickets, early, anon, psk, hrr;
	int save, use; /* a client's session */
	int starttls, bomb;
	int rpk; /* a bare key in the certificate's place (RFC 7250) */
	int listener;
	int port; /* where a client dials */
};

/* Reads a line, which is cut up; r was empty.  NULL, or the words that are
 * wrong. */
const char *request_read(char *line, struct request *r);

#endif
