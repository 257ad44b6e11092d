/*
 * The commands of pinfast-live.  Each gets its own name as argv[0] and
 * returns an exit status (enum pf_exit).
 */
#ifndef PF_LIVE_COMMAND_H
#define PF_LIVE_COMMAND_H

#include "cli/out.h"

int pf_cmd_check(int argc, char *argv[]);
int pf_cmd_keygen(int argc, char *argv[]);
int pf_cmd_verify(int argc, char *argv[]);

#endif
