/*
 * Memory for programs that build large policies.  Hides pages: arrays of many
 * MiB that are read in any order get huge ones where the system has them,
 * which saves a page fault and a walk through the page table each 4 KiB.
 */
#ifndef PF_ALLOC_H
#define PF_ALLOC_H

#include "pinfast.h"

/* Everything is forgotten between calls: the allocator can be copied. */
struct pinfast_alloc pf_alloc_large(void);

#endif
