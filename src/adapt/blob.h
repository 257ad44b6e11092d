/*
 * A serialised session: the tag of the connection that made it and the TLS
 * library's own bytes, in one piece.  Hides how the two stand together and how
 * they get into a file.  Refuses what another library wrote, what is cut off,
 * and files that others may read or write: a session holds secrets.  Whether
 * the tag may be believed is the judge's business.
 *
 * The bytes: magic (4), length of the tag (4, little-endian), tag, session.
 */
#ifndef PF_BLOB_H
#define PF_BLOB_H

#include "pinfast.h"

#define PF_BLOB_MAX (256 * 1024)

struct pf_blob {
	struct pinfast_bytes tag;
	struct pinfast_bytes session;
};

/*
 * Writes one, when it fits into size; out may be NULL.
 *
 * magic    4 characters, another one for each TLS library
 * returns  its length; 0: no session, or longer than PF_BLOB_MAX
 */
size_t pf_blob_write(const char *magic, const struct pf_blob *blob,
    uint8_t *out, size_t size);

/* Reads one: slices of data.  PINFAST_EFORMAT: it is none, or no session is
 * in it. */
PINFAST_CHECK enum pinfast_error pf_blob_read(const char *magic,
    const uint8_t *data, size_t len, struct pf_blob *out);

/* An adapter's own pinfast_NAME_session_write(): its length; 0: there is no
 * session that may be resumed. */
typedef size_t (*pf_blob_write_fn)(void *arg, uint8_t *out, size_t size);

/* Its pinfast_NAME_session_read(). */
typedef enum pinfast_error (*pf_blob_read_fn)(void *arg, const uint8_t *data,
    size_t len);

/*
 * Saves what fn writes in a file that nobody else may read, whole or not at
 * all, and wipes its copy.
 *
 * fn       called for the length first, and then for the bytes
 * returns  PINFAST_ENOTFOUND: there is no session; PINFAST_ENOMEM, also when
 *          fn's second answer is not its first; PINFAST_EIO
 */
PINFAST_CHECK enum pinfast_error pf_blob_save(const char *path,
    pf_blob_write_fn fn, void *arg, struct pinfast_diag *diag);

/*
 * Has fn read such a file, and wipes its copy.
 *
 * returns  what fn says, or PINFAST_EUNSAFE: others may read or write the
 *          file; PINFAST_EIO, PINFAST_ELIMIT, PINFAST_ENOMEM: fn was not called
 */
PINFAST_CHECK enum pinfast_error pf_blob_load(const char *path,
    pf_blob_read_fn fn, void *arg, struct pinfast_diag *diag);

#endif
