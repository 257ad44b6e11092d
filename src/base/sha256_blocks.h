/*
 * The block functions of SHA-256: the portable one, and one that uses the
 * processor's own instructions where the compiler and the processor have
 * them.  Hides which processors those are; sha256.c chooses.  Both give the
 * same state for the same bytes.  PINFAST_PORTABLE leaves the second one out.
 */
#ifndef PF_SHA256_BLOCKS_H
#define PF_SHA256_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* The constants of FIPS 180-4, 4.2.2. */
extern const uint32_t pf_sha256_k[64];

/* Puts count blocks of 64 bytes into the state. */
void pf_sha256_portable(uint32_t state[8], const uint8_t *data, size_t count);

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__)) &&         \
    __STDC_HOSTED__ && !defined(PINFAST_PORTABLE)
#define PF_SHA256_X86 1

/* Has the processor the instructions?  Asks it once; any thread may ask. */
int pf_sha256_x86_works(void);

/* As pf_sha256_portable(), where pf_sha256_x86_works(). */
void pf_sha256_x86(uint32_t state[8], const uint8_t *data, size_t count);
#endif

#endif
