/*
 * What has a pin: a certificate, a request, a public or private key.  Hides
 * which of them the bytes are.  Refuses what is not structure-exact DER, with
 * the offset, and private keys whose public half would have to be computed.
 */
#ifndef PF_OBJECT_H
#define PF_OBJECT_H

#include "cli/keyfile.h"

#define PF_OBJECT_FILE (4UL * 1024 * 1024) /* bytes of a file */

struct pf_object {
	const char *file;
	struct pinfast_bytes der;
	uint8_t pin[PINFAST_PIN_LEN];
	const char *role;
	const char *caveat; /* NULL: none */
	char subject[512];
	int is_cert;
	uint8_t made[PF_KEYFILE_MAX]; /* a private key's public half */
};

/* What to do about a private key without its public half. */
extern const char pf_object_remedy[];

/* file and der are given; 0: it is none of these, after a complaint. */
int pf_object_identify(struct pf_object *object);

/* The same for a file, PEM (its first object) or DER.  The bytes are gone
 * afterwards: der points nowhere. */
int pf_object_read(const char *path, struct pf_object *out);

#endif
