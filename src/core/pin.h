/*
 * Pins as text.  Hides the spellings that are in use: sha256/ (RFC 7469's
 * value, OkHttp's and pinfast's prefix), curl's sha256//, HPKP's
 * pin-sha256="", bare base64, and cert-sha256/ for a whole certificate.
 * Refuses, with a sentence and the place, everything that people have been
 * seen to paste by mistake, and values that are in the documentation of
 * other software and so are nobody's key.
 */
#ifndef PF_PIN_H
#define PF_PIN_H

#include "pinfast.h"

enum pf_pin_kind { PF_PIN_SPKI = 1, PF_PIN_CERT = 2 };

struct pf_pin {
	enum pf_pin_kind kind;
	uint8_t hash[PINFAST_PIN_LEN];
};

/* On failure *bad_at is the offset of what is wrong and *why a sentence. */
PINFAST_CHECK enum pinfast_error pf_pin_text(const char *in, size_t len,
    struct pf_pin *out, size_t *bad_at, const char **why);

#endif
