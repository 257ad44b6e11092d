/*
 * Collects a policy call by call: the public builder (pinfast.h) and what the
 * text reader needs beside it.  Hides how the model's arrays grow and that
 * equal pin sets are kept once.  Refuses what can be refused at once (a name
 * that is no name, a role that is none, limits); what needs the whole policy
 * is refused by meaning.c when it is finished.
 */
#ifndef PF_BUILDER_H
#define PF_BUILDER_H

#include "model/entry.h"
#include "model/sink.h"
#include "base/host.h"

/*
 * Lets every complaint be heard, not only the first.  The sink is borrowed
 * until the builder is freed; NULL: none.
 */
void pf_builder_sink(struct pinfast_builder *builder,
    const struct pf_sink *sink);

/* Tells where the text of the following calls stands. */
void pf_builder_at(struct pinfast_builder *builder, uint32_t line,
    uint32_t column);

/* Starts an entry for a name that is canonical already. */
enum pinfast_error pf_builder_entry(struct pinfast_builder *builder,
    const struct pf_host *name, uint16_t port, unsigned scopes);

/* Changes the scopes of the current entry: 1 << enum pinfast_scope each. */
enum pinfast_error pf_builder_scopes(struct pinfast_builder *builder,
    unsigned scopes);

/* Adds a pin to the current entry.  Twice the same one is kept once. */
enum pinfast_error pf_builder_pin(struct pinfast_builder *builder,
    enum pinfast_role role, const uint8_t hash[PINFAST_PIN_LEN]);

/*
 * Adds a server that live checks connect to for the current entry.
 *
 * host      NULL: the entry's name
 * port      0: not said
 * starttls  a protocol's name that outlives the builder; NULL: not said
 */
enum pinfast_error pf_builder_probe(struct pinfast_builder *builder,
    const struct pf_host *host, uint16_t port, const char *starttls);

/* Adds a pin to the policy's own reject list. */
enum pinfast_error pf_builder_reject(struct pinfast_builder *builder,
    const uint8_t hash[PINFAST_PIN_LEN]);

/*
 * Says that something is wrong that only the caller can see (a file that is
 * missing, a date that is none): finishing then fails.
 */
void pf_builder_fail(struct pinfast_builder *builder, enum pinfast_error error,
    const char *rule, const char *text);

/* What has been collected.  Entries are complete after pf_builder_check(). */
const struct pf_model *pf_builder_model(const struct pinfast_builder *builder);

/* Frees all of that, and leaves the image that finish() made: for who only
 * needs a store over it. */
void pf_builder_forget(struct pinfast_builder *builder);

/* Applies every rule of meaning and tells the sink all that is wrong.
 * pinfast_builder_finish() does it too. */
PINFAST_CHECK enum pinfast_error
pf_builder_check(struct pinfast_builder *builder);

#endif
