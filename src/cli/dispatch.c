#include "cli/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "cli/out.h"

int
pf_dispatch(const char *program, const struct pf_command *commands,
    size_t count, int argc, char *argv[])
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";

	pf_streams_guard();
	/* Called by its own name: the command is the first argument. */
	if (strcmp(name, program) == 0 && argc > 1) {
		name = argv[1];
		argc--;
		argv++;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return pf_finish(commands[i].run(argc, argv));
	fprintf(stderr, "%s is started by pinfast: try `pinfast --help`.\n",
	    program);
	return PF_EXIT_USAGE;
}
