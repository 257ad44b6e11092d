/*
 * Hexadecimal text.  Hides nothing and refuses nothing.
 */
#ifndef PF_HEX_H
#define PF_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Writes 2 * len digits in small letters and a NUL. */
void pf_hex_write(const uint8_t *bytes, size_t len, char *out);

#endif
