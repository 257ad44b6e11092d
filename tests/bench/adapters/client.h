/*
 * One TLS library as a client of tools/bench-adapters, bare or with its
 * adapter.  client.c drives it and defines what counts; one file for each
 * library defines the functions below.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "pinfast.h"

#define HOST "pin.test"

/* What all connections share. */
struct setup {
	struct pinfast *policy; /* NULL: bare */
	const char *ca;         /* a file with the root */
	int tls12;              /* no newer */
	const char *known;      /* a file of known keys (GnuTLS's own check) */
};

/* Ends the program. */
void die(const char *what);

/* Once.  The library verifies chain and name in any case. */
void lib_begin(const struct setup *setup);

/* A connection on a socket that is connected, not attached yet. */
void *lib_open(int fd);

/* Attaches, offers the session that was kept when resume is 1, and shakes
 * hands; then asks for the verdict. */
void lib_shake(void *conn, int resume);

/* Sends a request, and takes the response and what else comes. */
void lib_talk(void *conn);

/* Was a session resumed? */
int lib_resumed(void *conn);

/* Keeps the session in memory for lib_shake(). */
void lib_keep(void *conn);

void lib_close(void *conn);

#endif
