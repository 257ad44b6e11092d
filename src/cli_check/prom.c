#define _DEFAULT_SOURCE
#include "cli_check/prom.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "os/file.h"

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
	memset(prom, 0, sizeof *prom);
	for (int i = 0; i < PF_PROM_METRICS; i++) {
		prom->out[i] = open_memstream(&prom->text[i], &prom->len[i]);
		if (prom->out[i] == NULL)
			return 0;
	}
	return 1;
}

void
pf_prom_fini(struct pf_prom *prom)
{
	for (int i = 0; i < PF_PROM_METRICS; i++) {
		if (prom->out[i] != NULL)
			fclose(prom->out[i]);
		free(prom->text[i]);
	}
	memset(prom, 0, sizeof *prom);
}

/* A canonical host needs no escapes in a label. */
static void
sample(struct pf_prom *prom, enum metric metric, const struct pf_checked *c,
    int64_t value)
{
	fprintf(prom->out[metric], "%s{host=\"%s\",port=\"%u\"} %" PRId64 "\n",
	    metrics[metric].name, c->host, c->port, value);
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
		if (prom->len[i] == 0)
			continue;
		head(out, metrics[i].name, metrics[i].help);
		fwrite(prom->text[i], 1, prom->len[i], out);
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
	struct pinfast_diag diag;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int fine = out != NULL;

	memset(&diag, 0, sizeof diag);
	for (int i = 0; i < PF_PROM_METRICS; i++)
		fine &= fflush(prom->out[i]) == 0;
	if (fine)
		put_all(prom, sum, out);
	if (out != NULL && fclose(out) != 0)
		fine = 0;
	if (!fine)
		pf_complain(path, "out of memory");
	else if (pf_file_write(path, text, len, 0644, &diag) != PINFAST_OK) {
		pf_complain_diag(&diag);
		fine = 0;
	}
	free(text);
	return fine;
}
