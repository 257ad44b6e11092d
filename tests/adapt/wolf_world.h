/*
 * The people of pair.h, and servers of OpenSSL, for programs that include
 * wolfSSL's headers, which do not go together with OpenSSL's: certificates and
 * keys are DER here.
 */
#ifndef WOLF_WORLD_H
#define WOLF_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pinfast.h"

enum who {
	ROOT_A,
	ROOT_B,
	INT_A,
	INT_XA,
	INT_XB,
	LEAF,
	LEAF_X,
	EVIL,
	OTHER,
	CLIENT,
	STRANGER,
	TWIN_B,   /* an anchor that is called as rootB is */
	OLD_ROOT, /* its dates are over */
	OLD_LEAF, /* below it, and good */
	SHORT,    /* for pin.test, a week shorter than all others */
	ED_ROOT,  /* of Ed25519, as its leaf is, for pin.test */
	ED_LEAF,
	INT_XS, /* the key and the name of intXA, signed by itself */
	NOBODY
};

/* The certificate and the key of somebody, borrowed. */
struct pinfast_bytes cert_of(enum who who);
struct pinfast_bytes key_of(enum who who);

int make_world(void **state);
int free_world(void **state);

/* One entry for pin.test, or, for PINFAST_ROLE_COUNT, the client "partner". */
struct pinfast *world_policy(const struct pinfast_alloc *alloc,
    enum pinfast_role role, enum who pinned);

/* The same with an anchor of its own. */
struct pinfast *world_anchored(const struct pinfast_alloc *alloc,
    enum who pinned, enum who anchor);

/* With two. */
struct pinfast *world_two_anchors(enum who pinned, enum who one, enum who two);

/* In place of what is in service. */
void world_change(struct pinfast *policy, int64_t serial,
    enum pinfast_role role, enum who pinned);

/* A leaf pin that counts without verification (`pkix: none`). */
struct pinfast *world_unverified(enum who pinned);

/* In place of what is in service: nothing about pin.test. */
void world_forget(struct pinfast *policy, int64_t serial);

/* The clients "partner" and "guest", both known by the same keys; the second
 * may be NOBODY's. */
struct pinfast *world_clients(enum who one, enum who too);
void world_change_clients(struct pinfast *policy, int64_t serial, enum who one,
    enum who too);

/* ------------------------------------------------------- OpenSSL's servers */

struct peer;

/* psk: knows no certificates, shares the key of 16 octets 'Z'. */
struct peer *peer_new(enum who who, int psk, int tls13);
void peer_free(struct peer *peer);

/* The same server for another connection, sessions and all. */
struct peer *peer_again(const struct peer *peer);

/* What the client sent; what it is to receive. */
void peer_take(struct peer *peer, const void *bytes, size_t len);
size_t peer_give(struct peer *peer, void *bytes, size_t size);

/* What the server's application has received. */
size_t peer_app(struct peer *peer);

#endif
