/*
 * Judging paths for TLS libraries that hand out certificates as DER.  Hides
 * the search for further paths: the first path is judged, and when its keys
 * do not do and others could, the certificates that the peer sent are tried in
 * every order that leads to a trust anchor, within a budget.  It builds paths
 * by names only (raw DER, issuer and subject) and believes in none of them:
 * only what the library itself says it has verified is judged as a path.
 * What is no structure-exact certificate is never built upon.
 *
 * An adapter sets a struct pf_paths up for one verification, calls
 * pf_paths_before(), lets the library verify, and then calls exactly one of
 * pf_paths_verified(), _leaf() and _failed(); pf_paths_verified() once more,
 * when it fills the pools only after the first path, alone (one_path), did not
 * do.  The library knows the path that it verified (GnuTLS, mbedTLS): it is the
 * first one.  It does not (wolfSSL): the first path that verifies is looked for
 * as well.
 */
#ifndef PF_PATHS_H
#define PF_PATHS_H

#include "adapt/remember.h"
#include "core/spki.h"
#include "pinfast.h"

/* Are they the same bytes? */
int pf_bytes_same(struct pinfast_bytes a, struct pinfast_bytes b);

/* One certificate.  object is the library's own form of it, or NULL. */
struct pf_link {
	struct pinfast_bytes der;
	struct pf_cert walked; /* slices of der, when is_walked */
	void *object;
	size_t next; /* in its pool: the next of the same bucket, + 1 */
	uint8_t is_walked;
	uint8_t is_copy; /* der is the pool's */
	uint8_t is_new;  /* pf_link_recall() has found nothing */
	uint8_t is_seen; /* it has: not_after (0: cannot be read), and a pin */
	uint8_t has_pin;
	uint8_t pin[PINFAST_PIN_LEN];
	int64_t not_after;
};

/*
 * A certificate that stays where it is: the leaf, or one of the first path.
 * der and object are borrowed.  PINFAST_EFORMAT: it cannot be walked; the link
 * may be judged (and is then refused when its key is asked for) all the same;
 * is_walked says which, so that the result need not be looked at.
 */
enum pinfast_error pf_link_set(struct pf_link *link, struct pinfast_bytes der,
    void *object);

/* The same, without walking what was walked before.  What is new is remembered
 * once a path with it was verified; seen may be NULL. */
void pf_link_recall(struct pf_link *link, struct pinfast_bytes der,
    struct pf_seen *seen);

/* -------------------------------------------------------------------- pools */

#define PF_POOL_BUCKETS 64

/*
 * Certificates that are found by their subject without walking them again:
 * all the anchors of a shared object, or what one peer sent.  Once filled it
 * may be read by any number of threads.  Adding moves the links.
 */
struct pf_pool {
	struct pf_link *links;
	size_t count;
	size_t room;                   /* 0: the buckets say nothing yet */
	size_t first[PF_POOL_BUCKETS]; /* index + 1; 0: none */
	size_t last[PF_POOL_BUCKETS];
};

/* An empty one. */
void pf_pool_init(struct pf_pool *pool);

/* release, called for each object, may be NULL. */
void pf_pool_fini(struct pf_pool *pool, void (*release)(void *object));

/*
 * Adds a certificate behind the others; der is borrowed, object is the pool's
 * when this succeeds.  The copy's bytes are the pool's.
 *
 * returns PINFAST_EFORMAT (no structure-exact certificate: it is left out),
 *         PINFAST_ENOMEM
 */
PINFAST_CHECK enum pinfast_error pf_pool_add(struct pf_pool *pool,
    struct pinfast_bytes der, void *object);
PINFAST_CHECK enum pinfast_error pf_pool_add_copy(struct pf_pool *pool,
    struct pinfast_bytes der, void *object);

/* The certificate of exactly these bytes; NULL: it is not there. */
const struct pf_link *pf_pool_find(const struct pf_pool *pool,
    const struct pf_link *like);

/* ------------------------------------------------------------------ judging */

/*
 * One verification.  Zeroed first; path and what follows is not the adapter's.
 *
 * leaf     what the peer showed
 * sent     what it sent behind the leaf; NULL: nothing
 * anchors  those that count for this connection: the entry's own, else the
 *          application's; NULL: none are known, so there are no further paths
 * one_path 1: no further paths (the application has picked this one)
 * verify   has the LIBRARY verified exactly this path, leaf first and anchor
 *          last, dates and name and all, under the application's parameters?
 *          1: yes.  With anchors of the entry the last certificate may be one
 *          that somebody issued.  A path of one: the leaf itself is an anchor
 * view     the library's view of a certificate's key: sets out->key_spki, or
 *          key_oid, key_params and key_bits (out->der is set already).  What
 *          it points at lives until the next call for the same index, or until
 *          the call that judges returns.  0: done
 * seen     pins that were found out before: view is asked only about what is
 *          new.  NULL: remember nothing, also where the library does not look
 *          at dates (a leaf that is known counts as valid today)
 * checks   set by verify when it has had more signatures checked than the path
 *          has certificates: so many count
 * path     after judging: the path that was judged last, count certificates
 */
struct pf_paths {
	struct pinfast_conn *conn;
	const struct pf_link *leaf;
	const struct pf_pool *sent;
	const struct pf_pool *anchors;
	int one_path;
	void *arg;
	int (*verify)(void *arg, const struct pf_link *const *path,
	    size_t count);
	int (*view)(void *arg, size_t index, const struct pf_link *link,
	    struct pinfast_cert *out);
	struct pf_seen *seen;
	unsigned checks;
	const struct pf_link *path[PINFAST_PATH_MAX];
	size_t count;
	int has_leaf_pin; /* found out before the leaf was verified */
	uint8_t leaf_pin[PINFAST_PIN_LEN];
};

/* Before the library verifies: is it certain that the leaf's key will be
 * refused?  1: pinfast_conn_verdict() has the deny, and nobody needs to
 * verify. */
PINFAST_CHECK int pf_paths_before(struct pf_paths *p);

/*
 * The library verified chain and name.
 *
 * first  the path that it verified, leaf first, anchor last; NULL: it does not
 *        say, and one that verify() confirms is looked for; without one the
 *        verdict is pkix-failed, or path-search-limit
 * returns the verdict: of the first path, or of a further one that meets the
 *        entry, or path-search-limit
 */
PINFAST_CHECK struct pinfast_verdict pf_paths_verified(struct pf_paths *p,
    const struct pf_link *const *first, size_t count);

/* The leaf alone is known: pkix is PINFAST_PKIX_NOT_RUN or _OVERRIDDEN. */
PINFAST_CHECK struct pinfast_verdict pf_paths_leaf(struct pf_paths *p,
    enum pinfast_pkix pkix);

/* Chain or name did not verify; p->leaf may be NULL. */
PINFAST_CHECK struct pinfast_verdict pf_paths_failed(struct pf_paths *p,
    enum pinfast_reason why);

/* The path that was judged last, for pinfast_conn_complete(); while its
 * certificates are there. */
struct pinfast_path pf_paths_last(struct pf_paths *p);

#endif
