/*
 * How far any adapter looks for further paths; beyond, the verdict is
 * path-search-limit.  One place, so that all of them give up alike.
 */
#ifndef PF_BUDGET_H
#define PF_BUDGET_H

#define PF_BUDGET_BUILDS 16  /* paths that the library is asked about */
#define PF_BUDGET_CHECKS 64  /* signatures in them */
#define PF_BUDGET_STEPS 1024 /* certificates looked at */

#endif
