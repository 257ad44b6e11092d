/*
 * What the programs print.  Hides escaping: nothing that came from a file can
 * reach a terminal as a control character or break the JSON around it.
 */
#ifndef PF_OUT_H
#define PF_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pinfast.h"

enum pf_exit {
	PF_EXIT_FINE = 0,
	PF_EXIT_NO = 1, /* the policy says no; lint: errors found */
	PF_EXIT_USAGE = 2,
	PF_EXIT_UNDECIDED = 3
};

/*
 * JSON, written as it comes: objects, arrays, members.  Text may hold any
 * bytes: those that are not UTF-8 become U+FFFD.
 */
struct pf_json {
	FILE *out;
	int first; /* no comma before the next value */
};

/* One value each; key: NULL in an array.  A bracket is one of `{[` or `}]`. */
void pf_json_begin(struct pf_json *j, const char *key, char bracket);
void pf_json_end(struct pf_json *j, char bracket);
void pf_json_text(struct pf_json *j, const char *key, const char *text,
    size_t len);
void pf_json_string(struct pf_json *j, const char *key, const char *text);
void pf_json_number(struct pf_json *j, const char *key, int64_t number);
void pf_json_bool(struct pf_json *j, const char *key, int value);
void pf_json_pin(struct pf_json *j, const char *key,
    const uint8_t pin[PINFAST_PIN_LEN]);

/*
 * Text for people.  What would steer a terminal, turn the direction of
 * writing or stay unseen, and what is not UTF-8, comes as \xNN.
 */
void pf_print_safe(FILE *out, const char *text, size_t len);

/* "pinfast: FILE: TEXT" on standard error. */
void pf_complain(const char *file, const char *text);
void pf_complain_diag(const struct pinfast_diag *diag);

/* A wrong command line: says what and where help is; PF_EXIT_USAGE. */
int pf_usage(const char *command, const char *text, const char *word);

/* To be called first: whatever standard stream is closed stays of no use, but
 * its number goes to no file or server that is opened later. */
void pf_streams_guard(void);

/* Flushes standard output; PF_EXIT_UNDECIDED when that fails (a full disk,
 * a closed pipe), else status. */
int pf_finish(int status);

/* The value of an option: "--name=V" or the next argument.  *i moves. */
const char *pf_option(int argc, char *const argv[], int *i, const char *name);

/*
 * How a command reads what stands behind its name.  Each function returns -1
 * to go on, else the exit status.
 *
 * help    the texts that --help prints; NULL behind the last
 * option  takes argv[*i], which begins with `-`, and moves *i to the last
 *         argument that it took
 * word    takes any other, `-` alone, and whatever stands behind `--`
 */
struct pf_arguments {
	const char *const *help;
	int (*option)(int argc, char *argv[], int *i, void *arg);
	int (*word)(char *word, void *arg);
};
int pf_read_arguments(int argc, char *argv[], const struct pf_arguments *how,
    void *arg);

/* pf_usage() of an option that was not taken: nobody knows it, or pf_option()
 * found no value behind it. */
int pf_unknown(const char *command, const char *word);

#endif
