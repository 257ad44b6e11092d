/*
 * Certificates of a PEM file.  Hides reading and decoding.  Refuses, with the
 * file's name and a remedy, what is no certificate or holds anything else.
 */
#ifndef PF_PEMFILE_H
#define PF_PEMFILE_H

#include <openssl/x509.h>

#include "os/file.h"

/*
 * returns every certificate in the file's order, for pf_pemfile_free(); NULL
 *         after a complaint on standard error
 */
STACK_OF(X509) * pf_pemfile_read(const char *path, enum pf_file_trust trust);
void pf_pemfile_free(STACK_OF(X509) * certs);

#endif
