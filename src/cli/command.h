/*
 * The commands of `pinfast`.  Each gets its own name as argv[0] and returns
 * an exit status (enum pf_exit).
 */
#ifndef PF_COMMAND_H
#define PF_COMMAND_H

/* Prints pins: pinfast-pin(1). */
int pf_cmd_pin(int argc, char *argv[]);

/* Runs a program that lies beside this one in its place; argv[0] is the
 * command.  Returns only when it cannot, after a complaint. */
int pf_run_program(const char *program, char *argv[]);

#endif
