/*
 * RFC 3492 decoding, only to say whether a label decodes.  Hides the
 * arithmetic; the code points go nowhere.  Refuses overflow, code points
 * beyond Unicode, surrogates, characters that are no digits, and what decodes
 * to nothing but ASCII (such a label has a simpler spelling, so two tools
 * could differ about it).
 */
#ifndef PF_PUNYCODE_H
#define PF_PUNYCODE_H

#include <stddef.h>

/* The part of a label behind "xn--". */
int pf_punycode_valid(const char *in, size_t len);

#endif
