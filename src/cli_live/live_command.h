/*
 * The commands of pinfast-live.  Each gets its own name as argv[0] and
 * returns an exit status (enum pf_exit).
 */
#ifndef PF_LIVE_COMMAND_H
#define PF_LIVE_COMMAND_H

#include "cli/out.h"

/* What a command does stands in its manual page, pinfast-COMMAND(1). */
int pf_cmd_check(int argc, char *argv[]);
int pf_cmd_init(int argc, char *argv[]);
int pf_cmd_keygen(int argc, char *argv[]);
int pf_cmd_pin_host(int argc, char *argv[]);
int pf_cmd_verify(int argc, char *argv[]);

#endif
