/*
 * Live checks as JUnit XML, which CI systems show: a test case for each
 * server.  Hides XML.  A file is written whole or not at all.
 */
#ifndef PF_JUNIT_H
#define PF_JUNIT_H

#include "cli_check/checked.h"
#include "cli_check/stream.h"

struct pf_junit {
	struct pf_stream cases;
};

int pf_junit_init(struct pf_junit *junit); /* 0: out of memory */
void pf_junit_add(struct pf_junit *junit, const struct pf_checked *checked);

/* Writes the file; 0 after a complaint. */
int pf_junit_write(struct pf_junit *junit, const struct pf_checked_sum *sum,
    const char *path);
void pf_junit_fini(struct pf_junit *junit);

#endif
