/*
 * Reading DER (X.690) element by element.  Hides tags and lengths.  Refuses
 * indefinite, non-minimal and over-long lengths, tag numbers above 30, and
 * elements that reach beyond what holds them.  It never searches: every byte
 * is read as what must stand there.
 */
#ifndef PF_DER_H
#define PF_DER_H

#include <stddef.h>
#include <stdint.h>

#define PF_DER_BOOLEAN 0x01
#define PF_DER_INTEGER 0x02
#define PF_DER_BIT_STRING 0x03
#define PF_DER_OCTET_STRING 0x04
#define PF_DER_OID 0x06
#define PF_DER_UTC_TIME 0x17
#define PF_DER_GENERALIZED_TIME 0x18
#define PF_DER_SEQUENCE 0x30
#define PF_DER_SET 0x31
#define PF_DER_CONTEXT(n) (0xa0 | (n)) /* constructed */

/* Bytes still to read. */
struct pf_der {
	const uint8_t *at;
	const uint8_t *end;
};

/*
 * Takes the next element, whatever its tag.
 *
 * content  its content octets
 * returns  the tag, or -1; then in->at stands at the byte that is wrong
 */
static inline int
pf_der_any(struct pf_der *in, struct pf_der *content)
{
	size_t left = (size_t)(in->end - in->at);
	const uint8_t *p = in->at;
	size_t len, octets;

	if (left < 2)
		return -1;
	if ((p[0] & 0x1f) == 0x1f)
		return -1;
	len = p[1];
	octets = 2;
	if (len >= 0x80) {
		size_t count = len & 0x7f;

		if (count == 0 || count > 4 || left < 2 + count ||
		    p[2] == 0) {
			in->at++;
			return -1;
		}
		len = 0;
		for (; octets < 2 + count; octets++)
			len = len << 8 | p[octets];
		if (len < 0x80) {
			in->at++;
			return -1;
		}
	}
	if (len > left - octets) {
		in->at++;
		return -1;
	}
	content->at = p + octets;
	content->end = content->at + len;
	in->at = content->end;
	return p[0];
}

/* Takes the next element if it has this tag; 0: it has not, in->at stands at
 * the byte that is wrong. */
static inline int
pf_der_take(struct pf_der *in, int tag, struct pf_der *content)
{
	if (in->at == in->end || in->at[0] != tag)
		return 0;
	return pf_der_any(in, content) == tag;
}

static inline int
pf_der_done(const struct pf_der *in)
{
	return in->at == in->end;
}

#endif
