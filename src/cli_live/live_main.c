/*
 * pinfast-live: the commands that need a TLS library.  Started by pinfast;
 * argv[0] is the command.
 */
#include <string.h>

#include "cli_live/live_command.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} commands[] = {{"verify", pf_cmd_verify}};

int
main(int argc, char *argv[])
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";

	/* Called by its own name: the command is the first argument. */
	if (strcmp(name, "pinfast-live") == 0 && argc > 1) {
		name = argv[1];
		argc--;
		argv++;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return pf_finish(commands[i].run(argc, argv));
	fputs("pinfast-live is started by pinfast: try `pinfast --help`.\n",
	    stderr);
	return PF_EXIT_USAGE;
}
