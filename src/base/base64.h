/*
 * Base64 (RFC 4648 section 4): standard alphabet, padded, canonical.  Hides
 * the alphabet.  Refuses everything else, so that one value has one text.
 */
#ifndef PF_BASE64_H
#define PF_BASE64_H

#include "pinfast.h"

/*
 * size    room at out
 * returns PINFAST_EFORMAT, PINFAST_ELIMIT when out is too small
 */
PINFAST_CHECK enum pinfast_error pf_base64_decode(const char *in, size_t len,
    uint8_t *out, size_t size, size_t *out_len);

/* The offset of what is wrong in a text that is PINFAST_EFORMAT. */
size_t pf_base64_bad_at(const char *in, size_t len);

/* Writes 4 characters for every 3 bytes begun, no NUL; returns how many. */
size_t pf_base64_encode(const uint8_t *in, size_t len, char *out);

/* The value of a character, -1 when it is none. */
int pf_base64_value(char c);

#endif
