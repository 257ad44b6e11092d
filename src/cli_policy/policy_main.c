/*
 * pinfast-policy: the commands that read policy text.  Started by pinfast;
 * argv[0] is the command.
 */
#include "cli/dispatch.h"
#include "cli_policy/policy_command.h"

static const struct pf_command commands[] = {{"lint", pf_cmd_lint},
    {"compile", pf_cmd_compile}, {"explain", pf_cmd_explain}};

int
main(int argc, char *argv[])
{
	return pf_dispatch("pinfast-policy", commands,
	    sizeof commands / sizeof *commands, argc, argv);
}
