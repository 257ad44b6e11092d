/*
 * Arrays that grow.  Hides doubling through the caller's allocator, which
 * has no realloc.  Refuses sizes that do not fit a size_t.
 */
#ifndef PF_GROW_H
#define PF_GROW_H

#include "pinfast.h"

/*
 * Makes room for `count` elements of `size` bytes; those that are there stay.
 * *array and *room change only on success.
 */
PINFAST_CHECK enum pinfast_error pf_grow(const struct pinfast_alloc *alloc,
    void **array, size_t *room, size_t count, size_t size);

#endif
