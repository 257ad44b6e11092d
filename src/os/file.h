/*
 * Files whole: read, mapped, written.  Hides system calls and their errors.
 * Refuses what is no regular file, what others may write (a policy that
 * somebody else can change is no policy) and what is too large; and never
 * leaves half a file behind.
 */
#ifndef PF_FILE_H
#define PF_FILE_H

#include "pinfast.h"

/* Who may have written what is read. */
enum pf_file_trust {
	PF_FILE_ANY = 0,
	PF_FILE_OURS = 1,  /* refuse what others may write */
	PF_FILE_SECRET = 2 /* refuse what others may read or write */
};

/* A file's bytes and a NUL behind them, for free(). */
struct pf_content {
	uint8_t *data;
	size_t len;
};

/*
 * Reads a regular file, or standard input for "-".
 *
 * max      bytes
 * returns  PINFAST_EIO, PINFAST_EUNSAFE, PINFAST_ELIMIT, PINFAST_ENOMEM
 */
PINFAST_CHECK enum pinfast_error pf_file_read(const char *path, size_t max,
    enum pf_file_trust trust, struct pinfast_diag *diag,
    struct pf_content *out);

/*
 * Replaces a file: temporary file in the same folder, fsync, rename, fsync of
 * the folder.  On failure the old file is as it was and nothing is left.
 */
PINFAST_CHECK enum pinfast_error pf_file_write(const char *path,
    const void *data, size_t len, unsigned mode, struct pinfast_diag *diag);

/*
 * Makes a file that is not there yet, whole or not at all: a file, a link or
 * anything else of that name stays as it is.  mode: 0600 from its first
 * moment, changed to this one before it gets its name.
 */
PINFAST_CHECK enum pinfast_error pf_file_create(const char *path,
    const void *data, size_t len, unsigned mode, struct pinfast_diag *diag);

/* A sentence for what is no regular file, by its st_mode. */
const char *pf_file_kind(unsigned mode);

struct pf_map {
	const uint8_t *data;
	size_t len;
};

/*
 * A file's bytes, which cannot change any more: mapped when only root or we
 * could truncate it, else copied into sealed memory.
 */
PINFAST_CHECK enum pinfast_error pf_map_open(const char *path, size_t max,
    struct pinfast_diag *diag, struct pf_map *out);
void pf_map_close(const struct pf_map *map);

/* Seconds since 1970 by the system's clock. */
int64_t pf_clock_now(void);

#endif
