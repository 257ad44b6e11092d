#include "cli_check/junit.h"

int
pf_junit_init(struct pf_junit *junit)
{
	return pf_stream_init(&junit->cases);
}

void
pf_junit_fini(struct pf_junit *junit)
{
	pf_stream_fini(&junit->cases);
}

/* XML 1.0 knows few control characters, not even escaped; and what a server
 * says need not be UTF-8. */
static void
put_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c < 0x20 || c > 0x7e)
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
}

/* What went wrong, a line for each connection. */
static void
put_rows(FILE *out, const struct pf_checked *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct pf_checked_row *row = &c->rows[i];

		if (row->why == NULL)
			continue;
		put_text(out, row->address);
		if (row->key != NULL)
			fprintf(out, " %s", row->key);
		if (row->stage != NULL)
			fprintf(out, " %s", row->stage);
		fputs(": ", out);
		put_text(out, row->why);
		putc('\n', out);
	}
}

static double
seconds(const struct pf_checked *c)
{
	int64_t longest = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].elapsed_ms > longest)
			longest = c->rows[i].elapsed_ms;
	return (double)longest / 1000;
}

/* denied is a failure of what is tested, undecided one of the test. */
void
pf_junit_add(struct pf_junit *junit, const struct pf_checked *c)
{
	static const char *const elements[] = {
	    NULL, "system-out", "error", "failure"};
	const char *element = elements[c->status];
	char name[PF_CHECKED_NAME];

	pf_checked_name(c, name);
	fprintf(junit->cases.out,
	    "  <testcase classname=\"pinfast.check\" name=\"%s\" "
	    "time=\"%.3f\"",
	    name, seconds(c));
	if (element == NULL) {
		fputs("/>\n", junit->cases.out);
		return;
	}
	fprintf(junit->cases.out, ">\n    <%s", element);
	if (c->status >= PF_CHECKED_UNDECIDED)
		fprintf(junit->cases.out, " message=\"%s\"",
		    pf_checked_status_name(c->status));
	putc('>', junit->cases.out);
	put_rows(junit->cases.out, c);
	fprintf(junit->cases.out, "</%s>\n  </testcase>\n", element);
}

int
pf_junit_write(struct pf_junit *junit, const struct pf_checked_sum *sum,
    const char *path)
{
	const unsigned long *n = sum->count;
	struct pf_stream all;
	int fine;

	if (!pf_stream_init(&all))
		return 0;
	fprintf(all.out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuite name=\"pinfast check\" tests=\"%lu\" "
	    "failures=\"%lu\" errors=\"%lu\" skipped=\"0\">\n",
	    n[PF_CHECKED_OK] + n[PF_CHECKED_REPORTED] +
	        n[PF_CHECKED_UNDECIDED] + n[PF_CHECKED_DENIED],
	    n[PF_CHECKED_DENIED], n[PF_CHECKED_UNDECIDED]);
	pf_stream_append(all.out, &junit->cases);
	fputs("</testsuite>\n", all.out);
	fine = pf_stream_save(&all, path);
	pf_stream_fini(&all);
	return fine;
}
