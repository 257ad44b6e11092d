/*
 * Servers of OpenSSL for clients of wolfSSL, whose headers do not bear each
 * other: everything that OpenSSL does is behind these.
 */
#ifndef WOLF_PEER_H
#define WOLF_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "pinfast.h"

/* RIGHT is under ROOT_B: wolfSSL wants more of intermediates than we make. */
enum who { ROOT_A, ROOT_B, RIGHT };

struct peer;

int peer_make_everybody(void **state);
int peer_free_everybody(void **state);

/* A certificate, for free(). */
size_t peer_cert(enum who who, uint8_t **der);

/* A policy in service with one leaf pin for pin.test, and another in its
 * place.  leaf_only: `pkix: none`. */
struct pinfast *peer_policy(enum who who, int leaf_only);
void peer_policy_off(struct pinfast *policy, int64_t serial);
void peer_policy_reject(struct pinfast *policy, int64_t serial);

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
