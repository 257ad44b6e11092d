/*
 * Live checks as metrics for Prometheus, in the text format that the textfile
 * collector of node_exporter reads.  A file is written whole or not at all.
 */
#ifndef PF_PROM_H
#define PF_PROM_H

#include "cli_check/checked.h"
#include "cli_check/stream.h"

#define PF_PROM_METRICS 4

struct pf_prom {
	struct pf_stream samples[PF_PROM_METRICS];
};

int pf_prom_init(struct pf_prom *prom); /* 0: out of memory */
void pf_prom_add(struct pf_prom *prom, const struct pf_checked *checked);

/* Writes the file; 0 after a complaint. */
int pf_prom_write(struct pf_prom *prom, const struct pf_checked_sum *sum,
    const char *path);
void pf_prom_fini(struct pf_prom *prom);

#endif
