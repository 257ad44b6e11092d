/*
 * Putting sentences together without stdio.  Hides truncation: what does not
 * fit is counted but not written, and the text always ends in NUL.
 */
#ifndef PF_SENTENCE_H
#define PF_SENTENCE_H

#include "pinfast.h"

struct pf_sentence {
	char *out; /* may be NULL when size is 0 */
	size_t size;
	size_t len; /* of the whole sentence */
};

/* Puts text, a number in decimal or a pin as sha256/BASE64 behind what is
 * there. */
void pf_say(struct pf_sentence *s, const char *text);
void pf_say_number(struct pf_sentence *s, uint64_t number);
void pf_say_pin(struct pf_sentence *s, const uint8_t pin[PINFAST_PIN_LEN]);

#endif
