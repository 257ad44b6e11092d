/*
 * Adapters that are found at run time, by the name of their TLS library: what
 * a program needs that does not know which one it will meet (libcurl's).
 * Hides where they lie and what they are called.  Refuses names that are no
 * adapter's, and adapters made for another version of pinfast.  An adapter
 * that was found stays loaded: the TLS library calls into it.
 */
#ifndef PF_REGISTRY_H
#define PF_REGISTRY_H

#include "adapt/adapter.h"

/*
 * The adapter of one TLS library, which libpinfast-NAME.so.0 exports as
 * pinfast_adapter_NAME.  Any thread.
 *
 * name     lower-case letters and digits
 * diag     says what was tried and why it failed
 * returns  PINFAST_EUSAGE (no such name can be), PINFAST_ENOTFOUND (it is not
 *          installed), PINFAST_EVERSION (it is for another pinfast),
 *          PINFAST_EFORMAT (it is not what it says)
 */
PINFAST_CHECK enum pinfast_error pf_registry_find(const char *name,
    struct pinfast_diag *diag, const struct pf_adapter **out);

/* Is this what an adapter of that name may say of itself?  PINFAST_OK,
 * PINFAST_EVERSION or PINFAST_EFORMAT. */
PINFAST_CHECK enum pinfast_error pf_registry_check(const char *name,
    const struct pf_adapter *adapter);

#endif
