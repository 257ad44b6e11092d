/*
 * The policy that is in service.  Hides how a new store replaces the old one
 * while threads judge: readers count themselves in on one of two sides and
 * never wait; a replaced store is freed when both sides have been seen empty
 * since it was replaced.  Refuses older stores, and a third replaced store
 * while two are still being read.
 */
#ifndef PF_LIVE_H
#define PF_LIVE_H

#include "core/store.h"

/* Counts the caller in.  NULL: no policy.  Every enter has its leave. */
const struct pinfast_store *pf_live_enter(struct pinfast *policy,
    unsigned *side);
void pf_live_leave(struct pinfast *policy, unsigned side);

/* The latest time that is known to have passed, whatever a clock says. */
int64_t pf_live_floor(struct pinfast *policy);

/* SHA-256 by whatever the application chose; 0: done. */
int pf_live_hash(struct pinfast *policy, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN]);

/* Tells the application what was decided, when it asked to be told. */
void pf_live_event(struct pinfast *policy, const struct pinfast_event *event);

/* The allocator that connections use; lives as long as the policy. */
const struct pinfast_alloc *pf_live_alloc(const struct pinfast *policy);

#endif
