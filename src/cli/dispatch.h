/*
 * The front of a program that pinfast starts.  Hides how it was called: by a
 * command's name, as pinfast does, or by its own with the command behind it.
 */
#ifndef PF_DISPATCH_H
#define PF_DISPATCH_H

#include <stddef.h>

struct pf_command {
	const char *name;
	int (*run)(int argc, char *argv[]); /* returns enum pf_exit */
};

/*
 * Finds the command and runs it.
 *
 * program  the program's own name
 * returns  the exit status for main(); PF_EXIT_USAGE, after a line on
 *          standard error, when there is no such command
 */
int pf_dispatch(const char *program, const struct pf_command *commands,
    size_t count, int argc, char *argv[]);

#endif
