/*
 * pinfast-live: the commands that need a TLS library.  Started by pinfast;
 * argv[0] is the command.
 */
#include "cli/dispatch.h"
#include "cli_live/live_command.h"

static const struct pf_command commands[] = {{"check", pf_cmd_check},
    {"init", pf_cmd_init}, {"keygen", pf_cmd_keygen}, {"pin", pf_cmd_pin_host},
    {"verify", pf_cmd_verify}};

int
main(int argc, char *argv[])
{
	return pf_dispatch("pinfast-live", commands,
	    sizeof commands / sizeof *commands, argc, argv);
}
