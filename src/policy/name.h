/*
 * Host names as people write them into a policy.  Hides libidn2 (U-labels,
 * UTS 46, non-transitional) and libpsl (public suffixes), which are asked
 * only here, while a policy is compiled: the store holds canonical names.
 */
#ifndef PF_NAME_H
#define PF_NAME_H

#include <stddef.h>

#include "base/host.h"

/* Makes the canonical form; else NULL-terminated *why says what is wrong. */
int pf_name_read(const char *text, size_t len, struct pf_host *out,
    const char **why);

enum pf_suffix {
	PF_SUFFIX_NONE = 0,
	PF_SUFFIX_PUBLIC = 1,       /* others register names below it */
	PF_SUFFIX_SINGLE_LABEL = 2, /* a private top level, such as `corp` */
	PF_SUFFIX_NO_LIST = 3       /* libpsl has no list */
};

/* May a policy speak of everything below this name? */
enum pf_suffix pf_name_suffix(const struct pf_host *name);

#endif
