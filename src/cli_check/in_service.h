/*
 * Which pins of an entry servers show now: what is left are backup pins.
 * Hides where pins of a rule lie.
 */
#ifndef PF_IN_SERVICE_H
#define PF_IN_SERVICE_H

#include <openssl/x509.h>

#include "cli_check/checked.h"
#include "core/lookup.h"
#include "core/rule.h"

struct pf_in_service {
	int has_rule;
	int has_path; /* some path was looked at */
	struct pf_rule rule;
	uint8_t pins[32]; /* bit i: pin i of all lists was shown */
};

/* Looks the entry up that speaks for the host, and writes what checked says
 * of it. */
void pf_in_service_init(struct pf_in_service *in,
    const struct pinfast_store *store, const struct pf_host *host,
    uint16_t port, struct pf_checked *checked);

/* path: leaf first; NULL: none. */
void pf_in_service_path(struct pf_in_service *in, STACK_OF(X509) * path);

/* Writes pins and backups. */
void pf_in_service_count(const struct pf_in_service *in,
    struct pf_checked *checked);

/* Writes what a row says of the leaf: key, pin, not_after. */
void pf_in_service_leaf(STACK_OF(X509) * presented, struct pf_checked_row *row);

#endif
