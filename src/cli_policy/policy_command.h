/*
 * The commands of pinfast-policy.  Each gets its own name as argv[0] and
 * returns an exit status (enum pf_exit).
 */
#ifndef PF_POLICY_COMMAND_H
#define PF_POLICY_COMMAND_H

#include "cli_policy/load.h"
#include "policy/lint.h"

/* What a command does stands in its manual page, pinfast-COMMAND(1). */
int pf_cmd_lint(int argc, char *argv[]);
int pf_cmd_compile(int argc, char *argv[]);
int pf_cmd_explain(int argc, char *argv[]);

#endif
