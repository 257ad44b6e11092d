/*
 * What a peer showed on one connection: the evidence.  Hides which keys have
 * been hashed so far; hashing is done when a list asks and at most once a
 * key.  Refuses to guess: a certificate that is not structure-exact has no
 * key, a key that the TLS library read differently is not agreed on, and what
 * was not kept cannot be asked about later.
 */
#ifndef PF_SHOWN_H
#define PF_SHOWN_H

#include "core/spki.h"

/* Kept with the connection and in tags. */
struct pf_shown {
	uint8_t evidence; /* enum pinfast_evidence */
	uint8_t pkix;     /* enum pinfast_pkix */
	uint8_t count;    /* certificates or keys, leaf first */
	uint8_t leaf_cert_known;
	uint16_t known;     /* bit i: hash[i] is set */
	uint16_t agreed;    /* bit i: both parsers read the same key */
	uint16_t bad;       /* bit i: not structure-exact */
	int32_t why;        /* enum pinfast_reason, when pkix is FAILED */
	int64_t not_before; /* of the leaf, when dates_known */
	int64_t not_after;  /* of the leaf, when dates_known */
	int64_t path_until; /* smallest notAfter of the path; 0: not known */
	int64_t verified_at;
	uint8_t dates_known;
	uint8_t trust[32]; /* anchors it was verified under; 0: the app's */
	uint8_t leaf_cert[PINFAST_PIN_LEN];
	uint8_t hash[PINFAST_PATH_MAX][PINFAST_PIN_LEN];
};

/* The same while the bytes are at hand. */
struct pf_view {
	struct pf_shown *shown;
	struct pinfast *policy;          /* hashes */
	struct pinfast_bytes leaf;       /* data NULL: no bytes any more */
	const struct pinfast_path *path; /* NULL: nothing left to fetch */
	int one_parser;                  /* for what is left to fetch */
	struct pinfast_bytes spki[PINFAST_PATH_MAX];
};

enum pf_asked {
	PF_ASKED_KNOWN = 0,
	PF_ASKED_BAD = 1,   /* not structure-exact */
	PF_ASKED_GONE = 2,  /* not kept */
	PF_ASKED_FAILED = 3 /* the hash failed */
};

/* Walks the certificates; count at most PINFAST_PATH_MAX. */
void pf_view_certs(struct pf_view *view, const struct pinfast_cert *certs,
    size_t count, int one_parser);

/* The leaf now, the others when they are asked about. */
void pf_view_path(struct pf_view *view, const struct pinfast_path *path,
    int one_parser);

/* A raw public key. */
void pf_view_key(struct pf_view *view, struct pinfast_bytes spki);

/* Makes shown->hash[i] known. */
enum pf_asked pf_view_hash(struct pf_view *view, unsigned i);

/* Makes shown->leaf_cert known. */
enum pf_asked pf_view_leaf_cert(struct pf_view *view);

#endif
