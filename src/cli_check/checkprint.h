/*
 * Live checks for people and as JSON, server by server as they come.
 */
#ifndef PF_CHECKPRINT_H
#define PF_CHECKPRINT_H

#include "cli/out.h"
#include "cli_check/checked.h"

/* A server, and what follows the last one. */
void pf_checked_print(const struct pf_checked *checked, int64_t now);
void pf_checked_print_sum(const struct pf_checked_sum *sum);

/* A member of the array that the caller has begun. */
void pf_checked_json(struct pf_json *j, const struct pf_checked *checked);
/* The members behind that array. */
void pf_checked_json_sum(struct pf_json *j, const struct pf_checked_sum *sum);

#endif
