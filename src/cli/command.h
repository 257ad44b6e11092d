/*
 * The commands of `pinfast`.  Each gets its own name as argv[0] and returns
 * an exit status (enum pf_exit).
 */
#ifndef PF_COMMAND_H
#define PF_COMMAND_H

/* Prints pins: pinfast-pin(1). */
int pf_cmd_pin(int argc, char *argv[]);

#endif
