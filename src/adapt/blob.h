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

#include "os/file.h"
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

/* Saves it in a file that nobody else may read, whole or not at all. */
PINFAST_CHECK enum pinfast_error pf_blob_save(const char *path,
    const uint8_t *data, size_t len, struct pinfast_diag *diag);

/* Loads such a file, for pf_blob_forget().  PINFAST_EUNSAFE: others may read
 * or write it. */
PINFAST_CHECK enum pinfast_error pf_blob_load(const char *path,
    struct pinfast_diag *diag, struct pf_content *out);

/* Wipes and frees what was loaded. */
void pf_blob_forget(struct pf_content *file);

#endif
