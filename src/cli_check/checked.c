#include "cli_check/checked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
pf_checked_status_name(enum pf_checked_status status)
{
	static const char *const names[] = {
	    "ok", "reported", "undecided", "denied"};

	return names[status];
}

int
pf_checked_add(struct pf_checked *checked, const struct pf_checked_row *row)
{
	struct pf_checked_row *grown =
	    realloc(checked->rows, (checked->count + 1) * sizeof *grown);

	if (grown == NULL) {
		free(row->why);
		return 0;
	}
	checked->rows = grown;
	checked->rows[checked->count++] = *row;
	checked->looked += !row->absent;
	return 1;
}

static int
has_route(const struct pf_checked *checked)
{
	for (size_t i = 0; i < checked->count; i++)
		if (!checked->rows[i].no_route && !checked->rows[i].absent)
			return 1;
	return 0;
}

static void
fold_row(struct pf_checked *c, const struct pf_checked_row *row)
{
	if (row->status > c->status)
		c->status = row->status;
	if (row->stage != NULL)
		c->up = 0;
	if (!row->judged || row->status != PF_CHECKED_OK ||
	    row->reason != PINFAST_REASON_PIN_MATCHED)
		c->pin_match = 0;
	if (row->not_after != 0 &&
	    (c->not_after == 0 || row->not_after < c->not_after))
		c->not_after = row->not_after;
	if (row->shadow != 0 &&
	    (c->shadow == 0 || c->shadow == PINFAST_REASON_PIN_MATCHED))
		c->shadow = row->shadow;
}

static int
compare_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* Connections end in any order, and are told in one. */
static int
compare_rows(const void *a, const void *b)
{
	const struct pf_checked_row *one = a, *two = b;
	int order = strcmp(one->address, two->address);

	if (order == 0)
		order = compare_text(one->key, two->key);
	if (order == 0)
		order = strcmp(one->pin, two->pin);
	return order != 0 ? order : compare_text(one->why, two->why);
}

void
pf_checked_fold(struct pf_checked *c)
{
	/* An IPv6 address where there is no IPv6 says nothing, unless it is
	 * all there is. */
	int skip = has_route(c);

	c->status = c->looked > 0 ? PF_CHECKED_OK : PF_CHECKED_UNDECIDED;
	c->up = c->pin_match = c->looked > 0;
	c->not_after = 0;
	c->shadow = 0;
	if (c->count > 1)
		qsort(c->rows, c->count, sizeof *c->rows, compare_rows);
	for (size_t i = 0; i < c->count; i++)
		if (!c->rows[i].absent && (!skip || !c->rows[i].no_route))
			fold_row(c, &c->rows[i]);
}

void
pf_checked_fini(struct pf_checked *checked)
{
	for (size_t i = 0; i < checked->count; i++)
		free(checked->rows[i].why);
	free(checked->rows);
	checked->rows = NULL;
	checked->count = checked->looked = 0;
}

long
pf_days_between(int64_t now, int64_t then)
{
	int64_t left = then - now;

	return (long)(left >= 0 ? left / 86400 : -((86399 - left) / 86400));
}

void
pf_checked_name(const struct pf_checked *c, char out[PF_CHECKED_NAME])
{
	snprintf(out, PF_CHECKED_NAME,
	    strchr(c->host, ':') != NULL ? "[%s]:%u" : "%s:%u", c->host,
	    c->port);
}
