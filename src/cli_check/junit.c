#define _DEFAULT_SOURCE
#include "cli_check/junit.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "os/file.h"

int
pf_junit_init(struct pf_junit *junit)
{
	memset(junit, 0, sizeof *junit);
	junit->out = open_memstream(&junit->text, &junit->len);
	return junit->out != NULL;
}

void
pf_junit_fini(struct pf_junit *junit)
{
	if (junit->out != NULL)
		fclose(junit->out);
	free(junit->text);
	memset(junit, 0, sizeof *junit);
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
	fprintf(junit->out,
	    "  <testcase classname=\"pinfast.check\" name=\"%s\" "
	    "time=\"%.3f\"",
	    name, seconds(c));
	if (element == NULL) {
		fputs("/>\n", junit->out);
		return;
	}
	fprintf(junit->out, ">\n    <%s", element);
	if (c->status >= PF_CHECKED_UNDECIDED)
		fprintf(junit->out, " message=\"%s\"",
		    pf_checked_status_name(c->status));
	putc('>', junit->out);
	put_rows(junit->out, c);
	fprintf(junit->out, "</%s>\n  </testcase>\n", element);
}

int
pf_junit_write(struct pf_junit *junit, const struct pf_checked_sum *sum,
    const char *path)
{
	const unsigned long *n = sum->count;
	struct pinfast_diag diag;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int fine = out != NULL && fflush(junit->out) == 0;

	memset(&diag, 0, sizeof diag);
	if (fine) {
		fprintf(out,
		    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		    "<testsuite name=\"pinfast check\" tests=\"%lu\" "
		    "failures=\"%lu\" errors=\"%lu\" skipped=\"0\">\n",
		    n[PF_CHECKED_OK] + n[PF_CHECKED_REPORTED] +
		        n[PF_CHECKED_UNDECIDED] + n[PF_CHECKED_DENIED],
		    n[PF_CHECKED_DENIED], n[PF_CHECKED_UNDECIDED]);
		fwrite(junit->text, 1, junit->len, out);
		fputs("</testsuite>\n", out);
	}
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
