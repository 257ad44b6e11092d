#include "cli_check/checkprint.h"

#include <string.h>

#include "base/time.h"

static void
print_days(const char *what, int64_t now, int64_t then)
{
	long days = pf_days_between(now, then);

	if (days < 0)
		printf(", %s over", what);
	else
		printf(", %s %ld day%s", what, days, days == 1 ? "" : "s");
}

/* How many different addresses there were. */
static unsigned
addresses(const struct pf_checked *c)
{
	unsigned count = 0;

	for (size_t i = 0; i < c->count; i++) {
		size_t k = 0;

		if (c->rows[i].address[0] == '\0')
			continue;
		while (strcmp(c->rows[k].address, c->rows[i].address) != 0)
			k++;
		count += k == i;
	}
	return count;
}

static int
has_key(const struct pf_checked *c, const char *key)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].pin[0] != '\0' && c->rows[i].key != NULL &&
		    strcmp(c->rows[i].key, key) == 0)
			return 1;
	return 0;
}

static void
print_summary(const struct pf_checked *c, int64_t now)
{
	unsigned count = addresses(c);

	if (c->by_proxy)
		fputs("by proxy", stdout);
	else if (count == 0)
		fputs("no address", stdout);
	else
		printf("%u address%s", count, count == 1 ? "" : "es");
	if (has_key(c, "ecdsa"))
		fputs(", ecdsa", stdout);
	if (has_key(c, "rsa"))
		fputs(", rsa", stdout);
	if (c->not_after != 0)
		print_days("leaf", now, c->not_after);
	if (c->expires != 0)
		print_days("entry", now, c->expires);
	if (c->entry_scope < 0)
		fputs(", no entry", stdout);
	else if (c->backups >= 0)
		printf(", %d backup pin%s", c->backups,
		    c->backups == 1 ? "" : "s");
	if (c->warn)
		fputs(", warn-after has passed", stdout);
	if (c->shadow != 0)
		printf(", shadow: %s", pinfast_reason_name(c->shadow));
	putchar('\n');
}

static void
print_row(const struct pf_checked_row *row)
{
	if (row->why == NULL && row->dropped == 0)
		return;
	fputs("           ", stdout);
	if (row->address[0] != '\0')
		printf("%s: ", row->address);
	if (row->key != NULL)
		printf("%s: ", row->key);
	if (row->stage != NULL)
		printf("%s: ", row->stage);
	if (row->why != NULL)
		pf_print_safe(stdout, row->why, strlen(row->why));
	if (row->dropped > 0)
		printf("%s%zu bytes in front of the handshake were dropped: "
		       "somebody may have put them there",
		    row->why != NULL ? "; " : "", row->dropped);
	putchar('\n');
}

void
pf_checked_print(const struct pf_checked *c, int64_t now)
{
	char name[PF_CHECKED_NAME];

	pf_checked_name(c, name);
	printf("%-9s  %s  ", pf_checked_status_name(c->status), name);
	print_summary(c, now);
	for (size_t i = 0; i < c->count; i++)
		print_row(&c->rows[i]);
}

void
pf_checked_print_sum(const struct pf_checked_sum *sum)
{
	const unsigned long *n = sum->count;

	printf("%lu ok, %lu reported, %lu undecided, %lu denied; %lu %s "
	       "not checked",
	    n[PF_CHECKED_OK], n[PF_CHECKED_REPORTED], n[PF_CHECKED_UNDECIDED],
	    n[PF_CHECKED_DENIED], sum->not_checked,
	    sum->not_checked == 1 ? "entry" : "entries");
	if (sum->not_checked > 0 && sum->without_probes)
		fputs(" (a store holds no `probe`: check the policy's text)",
		    stdout);
	if (sum->valid_until != 0)
		print_days("policy", sum->now, sum->valid_until);
	if (sum->interrupted)
		fputs(", interrupted", stdout);
	putchar('\n');
}

/* ------------------------------------------------------------------ JSON */

static void
json_time(struct pf_json *j, const char *key, int64_t at)
{
	char text[24];

	if (at == 0)
		return;
	pf_time_write(at, text);
	pf_json_string(j, key, text);
}

static void
json_row(struct pf_json *j, const struct pf_checked_row *row)
{
	pf_json_begin(j, NULL, '{');
	pf_json_string(j, "address", row->address);
	if (row->key != NULL)
		pf_json_string(j, "key", row->key);
	if (row->version != NULL)
		pf_json_string(j, "tls", row->version);
	pf_json_string(j, "status", pf_checked_status_name(row->status));
	if (row->stage != NULL)
		pf_json_string(j, "failed-at", row->stage);
	if (row->no_route)
		pf_json_bool(j, "no-route", 1);
	if (row->absent)
		pf_json_bool(j, "absent", 1);
	if (row->judged) {
		pf_json_string(j, "decision",
		    row->status == PF_CHECKED_DENIED ? "deny" : "allow");
		pf_json_string(j, "reason", pinfast_reason_name(row->reason));
		pf_json_begin(j, "pkix", '{');
		pf_json_bool(j, "ok", row->pkix_ok);
		if (!row->pkix_ok)
			pf_json_string(j, "error",
			    row->pkix_ran ? row->pkix_error : "not run");
		pf_json_end(j, '}');
	}
	if (row->shadow != 0)
		pf_json_string(j, "shadow", pinfast_reason_name(row->shadow));
	if (row->pin[0] != '\0')
		pf_json_string(j, "pin", row->pin);
	json_time(j, "not-after", row->not_after);
	if (row->dropped > 0)
		pf_json_number(j, "dropped", (int64_t)row->dropped);
	if (row->why != NULL)
		pf_json_string(j, "why", row->why);
	pf_json_number(j, "elapsed-ms", row->elapsed_ms);
	pf_json_end(j, '}');
}

void
pf_checked_json(struct pf_json *j, const struct pf_checked *c)
{
	pf_json_begin(j, NULL, '{');
	pf_json_string(j, "host", c->host);
	pf_json_number(j, "port", c->port);
	if (c->starttls != NULL)
		pf_json_string(j, "starttls", c->starttls);
	pf_json_string(j, "status", pf_checked_status_name(c->status));
	if (c->entry_scope >= 0) {
		pf_json_string(j, "entry", c->entry);
		pf_json_number(j, "entry-port", c->entry_port);
	}
	if (c->pins >= 0)
		pf_json_number(j, "pins", c->pins);
	if (c->backups >= 0)
		pf_json_number(j, "backup-pins", c->backups);
	json_time(j, "not-after", c->not_after);
	json_time(j, "expires", c->expires);
	if (c->warn)
		pf_json_bool(j, "warn-after-passed", 1);
	if (c->shadow != 0)
		pf_json_string(j, "shadow", pinfast_reason_name(c->shadow));
	pf_json_begin(j, "connections", '[');
	for (size_t i = 0; i < c->count; i++)
		json_row(j, &c->rows[i]);
	pf_json_end(j, ']');
	pf_json_end(j, '}');
}

void
pf_checked_json_sum(struct pf_json *j, const struct pf_checked_sum *sum)
{
	for (int i = PF_CHECKED_OK; i <= PF_CHECKED_DENIED; i++)
		pf_json_number(j,
		    pf_checked_status_name((enum pf_checked_status)i),
		    (int64_t)sum->count[i]);
	pf_json_number(j, "not-checked", (int64_t)sum->not_checked);
	json_time(j, "valid-until", sum->valid_until);
	if (sum->interrupted)
		pf_json_bool(j, "interrupted", 1);
}
