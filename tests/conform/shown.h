/*
 * What the peer shows of itself: any bytes as certificates, or a bare key.
 * Each thread has its own.  Ends the program when the world has not what it
 * is asked for.
 */
#ifndef CONFORM_SHOWN_H
#define CONFORM_SHOWN_H

#include <gnutls/abstract.h>

/* The folder that mkworld wrote. */
extern const char *shown_world;

/* Says what is wrong, and ends the program. */
void peer_die(const char *what, const char *which);

/* Takes the certificates of a chain, "A,B" or "-", and the key that signs;
 * bare: nothing is left of the first certificate but its key (RFC 7250). */
void shown_load(const char *chain, const char *key, int bare);
void shown_forget(void);

/* For gnutls_certificate_set_retrieve_function3(). */
int shown_choose(gnutls_session_t session,
    const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
    unsigned *count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count,
    gnutls_privkey_t *key, unsigned *flags);

#endif
