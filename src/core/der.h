/*
 * A cursor over DER (X.690).  Hides tag and length octets.  Refuses what is
 * not the one encoding: indefinite, padded or over-long lengths, tag numbers
 * above 30, values that reach beyond what holds them, tags other than the
 * expected one.  It never searches: a value is where it must be or the bytes
 * are refused.
 *
 * A cursor is passed and returned by value.  When a step fails, the result's
 * end is NULL and its at is the first byte that is wrong (the end of the
 * holding value, when something is missing there).
 */
#ifndef PF_DER_H
#define PF_DER_H

#include <stddef.h>
#include <stdint.h>

#include "pinfast.h"

#define PF_DER_BOOLEAN 0x01
#define PF_DER_INTEGER 0x02
#define PF_DER_BIT_STRING 0x03
#define PF_DER_OCTET_STRING 0x04
#define PF_DER_OID 0x06
#define PF_DER_UTC_TIME 0x17
#define PF_DER_GENERALIZED_TIME 0x18
#define PF_DER_SEQUENCE 0x30
#define PF_DER_SET 0x31
/* Context-specific [n]: primitive and constructed. */
#define PF_DER_CONTEXT(n) (0x80 | (n))
#define PF_DER_EXPLICIT(n) (0xa0 | (n))

struct pf_der {
	const uint8_t *at;
	const uint8_t *end;
};

/* A step that failed at this byte. */
static inline struct pf_der
pf_der_fail(const uint8_t *at)
{
	struct pf_der failed = {at, NULL};

	return failed;
}

/* Does a value of this tag come next? */
static inline int
pf_der_next_is(struct pf_der d, unsigned tag)
{
	return d.at != d.end && *d.at == tag;
}

/* The content of the value that comes next, whatever its tag. */
struct pf_der pf_der_open_any(struct pf_der d);

/* The same, when the tag must be this one. */
struct pf_der pf_der_open_slowly(struct pf_der d, unsigned tag);

/*
 * The content of the value that comes next, which must have this tag; its
 * end is where the cursor goes on.  What is short and right stays here.
 */
static inline struct pf_der
pf_der_open(struct pf_der d, unsigned tag)
{
	size_t left = (size_t)(d.end - d.at);

	if (left < 2 || d.at[0] != tag || d.at[1] >= 0x80 || d.at[1] > left - 2)
		return pf_der_open_slowly(d, tag);
	d.at += 2;
	d.end = d.at + d.at[-1];
	return d;
}

/* The same, for a value that may not be empty. */
static inline struct pf_der
pf_der_open_filled(struct pf_der d, unsigned tag)
{
	struct pf_der value = pf_der_open(d, tag);

	if (value.end && value.at == value.end)
		return pf_der_fail(value.at);
	return value;
}

/* The cursor behind the value that comes next, whatever it is. */
static inline struct pf_der
pf_der_skip_any(struct pf_der d)
{
	size_t left = (size_t)(d.end - d.at);
	struct pf_der value;

	if (left >= 2 && (d.at[0] & 0x1f) != 0x1f && d.at[1] < 0x80 &&
	    d.at[1] <= left - 2) {
		d.at += 2 + d.at[1];
		return d;
	}
	value = pf_der_open_any(d);
	if (!value.end)
		return value;
	d.at = value.end;
	return d;
}

/* The cursor behind a value that was opened and must be used up. */
static inline struct pf_der
pf_der_close(struct pf_der d, struct pf_der value)
{
	if (value.at != value.end)
		return pf_der_fail(value.at);
	d.at = value.end;
	return d;
}

/* The cursor behind an opened value whose content is not looked into; a
 * failed value stays failed. */
static inline struct pf_der
pf_der_behind(struct pf_der d, struct pf_der value)
{
	if (!value.end)
		return value;
	d.at = value.end;
	return d;
}

/* What lies between two places of the same buffer. */
static inline struct pinfast_bytes
pf_der_between(const uint8_t *from, const uint8_t *to)
{
	struct pinfast_bytes bytes = {from, (size_t)(to - from)};

	return bytes;
}

#endif
