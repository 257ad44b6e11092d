/*
 * Pins that are nobody's: values that stand in documentation and have been
 * found in service as "backup pins".  Hides the table with its sources.
 * Knows only values that somebody can look up where it says.
 */
#ifndef PF_KNOWN_H
#define PF_KNOWN_H

#define PF_PIN_VALUE_LEN 44 /* base64 of 32 bytes */

/* value: 44 characters.  A sentence that says where the value comes from;
 * NULL: it is not known. */
const char *pf_known_pin(const char *value);

#endif
