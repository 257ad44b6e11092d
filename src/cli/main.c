/*
 * pinfast: finds the command and runs it, here or in a program of its own
 * beside this one, so that a command loads only the libraries it needs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/spelling.h"
#include "cli/command.h"
#include "cli/out.h"

#ifndef PF_LIBEXECDIR
#define PF_LIBEXECDIR "/usr/local/libexec/pinfast"
#endif

struct command {
	const char *name;
	const char *what;
	int (*run)(int argc, char *argv[]); /* NULL: another program */
	const char *program;
};

static const struct command commands[] = {
    {"pin", "print the pins of servers, certificates, requests and keys",
        pf_cmd_pin, NULL},
    {"init", "write a first policy from what servers show", NULL,
        "pinfast-live"},
    {"keygen", "make a key for a backup pin", NULL, "pinfast-live"},
    {"lint", "check a policy and say what is unwise in it", NULL,
        "pinfast-policy"},
    {"compile", "turn a policy into a store", NULL, "pinfast-policy"},
    {"explain", "say which entry of a policy speaks for a host", NULL,
        "pinfast-policy"},
    {"check", "check servers, or a new certificate, by a policy", NULL,
        "pinfast-live"},
    {"verify", "judge a saved chain by a policy, offline", NULL,
        "pinfast-live"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void
print_help(FILE *out)
{
	fputs("usage: pinfast COMMAND [ARGUMENTS]\n\n"
	      "TLS certificate pinning: one policy says which keys each "
	      "server may show.\n\n",
	    out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s  %s\n", commands[i].name,
		    commands[i].what);
	fputs("\n  help COMMAND, --help, --version\n\n"
	      "Exit status: 0 fine, 1 the policy says no, 2 wrong usage, "
	      "3 could not decide.\n",
	    out);
}

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* A word that is only cut short is no mistake. */
static unsigned
mistyped(const char *typed, const char *meant)
{
	size_t len = strlen(typed);

	if (len >= 2 && strncmp(typed, meant, len) == 0)
		return 0;
	return pf_spelling_mistakes(typed, meant);
}

static int
unknown(const char *name)
{
	const char *meant = NULL;
	unsigned nearest = 2 * 3;

	for (size_t i = 0; i < COMMANDS; i++) {
		unsigned wrong = mistyped(name, commands[i].name);
		/* Among equals the one that begins as what was typed. */
		unsigned far = 2 * wrong + (name[0] != commands[i].name[0]);

		if (far < nearest && wrong < strlen(name)) {
			nearest = far;
			meant = commands[i].name;
		}
	}
	fputs("pinfast: there is no command `", stderr);
	pf_print_safe(stderr, name, strlen(name));
	fputs("`", stderr);
	if (meant != NULL)
		fprintf(stderr, "; did you mean `%s`?", meant);
	fputs("\nTry `pinfast --help`.\n", stderr);
	return PF_EXIT_USAGE;
}

/* Runs a program that lies in a folder; returns only when it cannot. */
static void
try_folder(const char *folder, int folder_len, const char *program,
    char *argv[])
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%.*s/%s", folder_len, folder,
	        program) < (int)sizeof path)
		execv(path, argv);
}

int
pf_run_program(const char *program, char *argv[])
{
	const char *override = getenv("PINFAST_EXEC_PATH");
	char self[PATH_MAX];
	ssize_t len;
	char *slash;

	if (override != NULL && getauxval(AT_SECURE) == 0)
		try_folder(override, (int)strlen(override), program, argv);
	len = readlink("/proc/self/exe", self, sizeof self - 1);
	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		try_folder(self, (int)(slash - self), program, argv);
	}
	try_folder(PF_LIBEXECDIR, (int)strlen(PF_LIBEXECDIR), program, argv);
	fprintf(stderr,
	    "pinfast: cannot run %s: %s\nIt belongs beside pinfast or into "
	    "%s.\n",
	    program, strerror(errno), PF_LIBEXECDIR);
	return PF_EXIT_UNDECIDED;
}

static int
run(int argc, char *argv[])
{
	const struct command *c = find(argv[0]);

	if (c == NULL)
		return unknown(argv[0]);
	return c->run != NULL ? pf_finish(c->run(argc, argv))
	                      : pf_run_program(c->program, argv);
}

int
main(int argc, char *argv[])
{
	char help[] = "--help";
	char *asked[3] = {NULL, help, NULL};

	pf_streams_guard();
	if (argc < 2) {
		print_help(stderr);
		return PF_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("pinfast %s\n", pinfast_version());
		return pf_finish(PF_EXIT_FINE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    (strcmp(argv[1], "help") == 0 && argc == 2)) {
		print_help(stdout);
		return pf_finish(PF_EXIT_FINE);
	}
	if (strcmp(argv[1], "help") == 0) {
		asked[0] = argv[2];
		return run(2, asked);
	}
	return run(argc - 1, argv + 1);
}
