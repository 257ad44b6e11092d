/*
 * Times: seconds since 1970-01-01T00:00:00Z, proleptic Gregorian calendar, no
 * leap seconds.  Hides the calendar and three spellings.  Refuses dates that
 * do not exist and spellings that leave something open, such as a time
 * without a zone.
 */
#ifndef PF_TIME_H
#define PF_TIME_H

#include "pinfast.h"

#define PF_TIME_TEXT_LEN 24

/* YYYY-MM-DD (midnight UTC), or RFC 3339 with Z or an offset. */
PINFAST_CHECK enum pinfast_error pf_time_parse(const char *in, size_t len,
    int64_t *out);

/* 2026-11-20T00:00:00Z; years 0 to 9999, others are shown as the nearest. */
void pf_time_write(int64_t at, char out[PF_TIME_TEXT_LEN]);

/* RFC 5280 section 4.1.2.5: content octets of a UTCTime (YYMMDDHHMMSSZ) or a
 * GeneralizedTime (YYYYMMDDHHMMSSZ). */
PINFAST_CHECK enum pinfast_error pf_time_asn1(const uint8_t *in, size_t len,
    int generalized, int64_t *out);

#endif
