/*
 * PEM blocks (RFC 7468) in a text.  Hides the boundaries and the base64.
 * Text around blocks is passed over; inside a block everything but base64 and
 * line ends is refused, also headers (they belong to encrypted keys).
 */
#ifndef PF_PEM_H
#define PF_PEM_H

#include "pinfast.h"

struct pf_pem {
	const char *label; /* "CERTIFICATE", inside the text */
	size_t label_len;
	size_t at;   /* offset of its first boundary */
	size_t line; /* 1 is the first */
	size_t len;  /* of the decoded bytes */
};

/*
 * The next block from *pos on, which moves behind it.
 *
 * out      the decoded bytes; size is enough when it is 3/4 of the text
 * returns  PINFAST_ENOTFOUND: no further block, PINFAST_EFORMAT: a block that
 *          is damaged (block->line says where), PINFAST_ELIMIT
 */
PINFAST_CHECK enum pinfast_error pf_pem_next(struct pinfast_bytes text,
    size_t *pos, struct pf_pem *block, uint8_t *out, size_t size);

/* Is the block's label this one? */
int pf_pem_is(const struct pf_pem *block, const char *label);

#endif
