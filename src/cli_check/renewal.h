/*
 * Would this certificate break this policy, and which entries?  Hides which
 * entries its names concern.
 */
#ifndef PF_RENEWAL_H
#define PF_RENEWAL_H

#include "cli_check/effect.h"

/*
 * Judges the candidate for every entry that its names concern, or for these
 * hosts, and prints what comes of it.
 *
 * hosts    HOST[:PORT] each; count 0: the candidate's own names
 * returns  enum pf_exit: NO when an entry breaks, else UNDECIDED when one
 *          cannot be decided
 */
int pf_renewal_check(const struct pf_renewal *renewal, char *const hosts[],
    int count, int json);

#endif
