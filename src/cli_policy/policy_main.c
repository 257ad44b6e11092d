/*
 * pinfast-policy: the commands that read policy text.  Started by pinfast;
 * argv[0] is the command.
 */
#include <string.h>

#include "cli/out.h"
#include "cli_policy/policy_command.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} commands[] = {{"lint", pf_cmd_lint}, {"compile", pf_cmd_compile},
    {"explain", pf_cmd_explain}};

int
main(int argc, char *argv[])
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";

	/* Called by its own name: the command is the first argument. */
	if (strcmp(name, "pinfast-policy") == 0 && argc > 1) {
		name = argv[1];
		argc--;
		argv++;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return pf_finish(commands[i].run(argc, argv));
	fputs("pinfast-policy is started by pinfast: try `pinfast --help`.\n",
	    stderr);
	return PF_EXIT_USAGE;
}
