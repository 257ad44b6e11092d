#include "cli_check/prom.h"

#include <inttypes.h>

enum metric { UP = 0, PIN_MATCH = 1, BACKUP_PINS = 2, NOT_AFTER = 3 };

static const struct {
	const char *name, *help;
} metrics[PF_PROM_METRICS] = {
    {"pinfast_endpoint_up", "Whether every connection to it was made."},
    {"pinfast_endpoint_pin_match",
        "Whether every connection to it showed a pinned key."},
    {"pinfast_endpoint_backup_pins",
        "Pins of its entry that nobody shows now."},
    {"pinfast_endpoint_cert_not_after_timestamp_seconds",
        "When the first of its certificates ends."}};

int
pf_prom_init(struct pf_prom *prom)
{
	int fine = 1;

	for (int i = 0; i < PF_PROM_METRICS; i++)
		fine &= pf_stream_init(&prom->samples[i]);
	return fine;
}

void
pf_prom_fini(struct pf_prom *prom)
{
	for (int i = 0; i < PF_PROM_METRICS; i++)
		pf_stream_fini(&prom->samples[i]);
}

/* A canonical host needs no escapes in a label. */
static void
sample(struct pf_prom *prom, enum metric metric, const struct pf_checked *c,
    int64_t value)
{
	fprintf(prom->samples[metric].out,
	    "%s{host=\"%s\",port=\"%u\"} %" PRId64 "\n", metrics[metric].name,
	    c->host, c->port, value);
}

void
pf_prom_add(struct pf_prom *prom, const struct pf_checked *c)
{
	sample(prom, UP, c, c->up);
	sample(prom, PIN_MATCH, c, c->pin_match);
	if (c->backups >= 0)
		sample(prom, BACKUP_PINS, c, c->backups);
	if (c->not_after != 0)
		sample(prom, NOT_AFTER, c, c->not_after);
}

static void
head(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void
one(FILE *out, const char *name, const char *help, int64_t value)
{
	head(out, name, help);
	fprintf(out, "%s %" PRId64 "\n", name, value);
}

static void
put_all(struct pf_prom *prom, const struct pf_checked_sum *sum, FILE *out)
{
	for (int i = 0; i < PF_PROM_METRICS; i++) {
		head(out, metrics[i].name, metrics[i].help);
		pf_stream_append(out, &prom->samples[i]);
	}
	if (sum->valid_until != 0)
		one(out, "pinfast_policy_expiry_timestamp_seconds",
		    "When the policy lapses.", sum->valid_until);
	one(out, "pinfast_policy_entries_not_checked",
	    "Entries that name no server to connect to.",
	    (int64_t)sum->not_checked);
	one(out, "pinfast_check_timestamp_seconds",
	    "The time that the check was made for.", sum->now);
	head(out, "pinfast_build_info", "The version of pinfast.");
	fprintf(out, "pinfast_build_info{version=\"%s\"} 1\n",
	    pinfast_version());
}

int
pf_prom_write(struct pf_prom *prom, const struct pf_checked_sum *sum,
    const char *path)
{
	struct pf_stream all;
	int fine;

	if (!pf_stream_init(&all))
		return 0;
	put_all(prom, sum, all.out);
	fine = pf_stream_save(&all, path);
	pf_stream_fini(&all);
	return fine;
}
