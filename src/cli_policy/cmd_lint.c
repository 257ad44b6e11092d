#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli_policy/policy_command.h"
#include "os/file.h"

#ifndef PF_DATADIR
#define PF_DATADIR "/usr/local/share/pinfast"
#endif

static const char help[] =
    "usage: pinfast lint [OPTIONS] POLICY\n\n"
    "Checks a policy and says what is wrong or unwise in it, as\n"
    "path:line:col: level: text [rule].\n\n"
    "  --strict        warnings fail too\n"
    "  --horizon DAYS  tell expiries nearer than this (default 30)\n"
    "  --time T        judge as if it were this time\n"
    "  --ca-keys FILE  the table of CA keys\n"
    "  --json          one JSON document\n"
    "  --list-rules    print every rule\n"
    "  --help\n\n"
    "Exit status: 0 fine, 1 findings at error level (with --strict also\n"
    "warnings), 2 wrong usage, 3 the policy cannot be read.\n";

struct options {
	int strict, json;
	struct pf_lint_options lint;
	const char *path;
};

static int
list_rules(void)
{
	static const char *const names[] = {"", "error", "warning", "note"};

	for (size_t i = 0; i < pf_lint_rule_count; i++)
		printf("%-22s %-8s %s\n", pf_lint_rules[i].id,
		    names[pf_lint_rules[i].level], pf_lint_rules[i].text);
	return PF_EXIT_FINE;
}

/* The table beside the build tree's sources, else where it is installed. */
static const char *
default_ca_keys(void)
{
	const char *named = getenv("PINFAST_CA_KEYS");

	return named != NULL ? named : PF_DATADIR "/ca-keys.tsv";
}

static int
read_horizon(const char *text, unsigned *days)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value > 36500) {
		(void)pf_usage("lint", "--horizon takes days, 0 to 36500, not",
		    text);
		return 0;
	}
	*days = (unsigned)value;
	return 1;
}

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct options *o = arg;
	const char *value;

	if (strcmp(argv[*i], "--list-rules") == 0)
		return list_rules();
	if (strcmp(argv[*i], "--strict") == 0) {
		o->strict = 1;
	} else if (strcmp(argv[*i], "--json") == 0) {
		o->json = 1;
	} else if ((value = pf_option(argc, argv, i, "--horizon")) != NULL) {
		if (!read_horizon(value, &o->lint.horizon_days))
			return PF_EXIT_USAGE;
	} else if ((value = pf_option(argc, argv, i, "--time")) != NULL) {
		if (!pf_time_option("lint", value, &o->lint.now))
			return PF_EXIT_USAGE;
	} else if ((value = pf_option(argc, argv, i, "--ca-keys")) != NULL) {
		o->lint.ca_keys = value;
	} else {
		return pf_unknown("lint", argv[*i]);
	}
	return -1;
}

static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	if (o->path != NULL)
		return pf_usage("lint", "one policy at a time, not also", word);
	o->path = word;
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	static const char *const texts[] = {help, NULL};
	static const struct pf_arguments how = {texts, read_option, read_word};
	int status = pf_read_arguments(argc, argv, &how, o);

	if (status >= 0 || o->path != NULL)
		return status;
	return pf_usage("lint", "name a policy", NULL);
}

int
pf_cmd_lint(int argc, char *argv[])
{
	struct options o = {
	    0, 0, {pf_clock_now(), 30, default_ca_keys()}, NULL};
	struct pf_json json = {stdout, 1};
	struct pf_listener l;
	struct pf_loaded policy;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	pf_listener_init(&l, o.path);
	if (o.json) {
		l.json = &json;
		pf_json_begin(&json, NULL, '[');
	}
	status = pf_policy_load(o.path, o.lint.now, &l, &policy);
	if (l.errors > 0)
		status = PF_EXIT_NO;
	if (status == PF_EXIT_FINE && policy.builder != NULL)
		pf_lint(policy.builder, &o.lint, &l.sink);
	if (status == PF_EXIT_FINE &&
	    (l.errors > 0 || (o.strict && l.warnings > 0)))
		status = PF_EXIT_NO;
	if (o.json) {
		pf_json_end(&json, ']');
		putchar('\n');
	} else if (status == PF_EXIT_FINE && policy.builder == NULL) {
		puts("a compiled policy in good order; lint its text for "
		     "advice");
	}
	pf_loaded_free(&policy);
	return status;
}
