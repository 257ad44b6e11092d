/*
 * Is this the image of a store?  Hides the walk over its structure.  Refuses
 * every image whose sum does not fit its bytes, and then every one that is not
 * exactly what the writer makes.
 */
#ifndef PF_IMAGE_H
#define PF_IMAGE_H

#include "core/store.h"

/* Checks every byte once, in any order: the image may be hostile. */
PINFAST_CHECK enum pinfast_error pf_image_check(struct pinfast_bytes image,
    struct pinfast_diag *diag);

#endif
