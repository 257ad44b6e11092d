/*
 * A certification request for hosts (RFC 2986), made with a new key.  Hides
 * names in subjectAltName.  Refuses, as wrong usage, what is no host; and
 * never replaces a file.
 */
#ifndef PF_REQUEST_H
#define PF_REQUEST_H

#include <openssl/evp.h>

/*
 * hosts    names, addresses, or *.NAME
 * returns  "DNS:a.example.com,IP:192.0.2.7" for free(); NULL after a complaint
 */
char *pf_request_names(const char *command, char *const hosts[], int count);

/* Writes one, in PEM; 0 after a complaint. */
int pf_request_write(const char *path, EVP_PKEY *key, const char *names);

#endif
