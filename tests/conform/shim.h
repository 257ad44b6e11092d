/*
 * What all shims of the conformance table share: requests of the form
 * `verb key=value ...`, one a line, and answers in JSON, one a line.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stddef.h>
#include <stdint.h>

#include "pinfast.h"

#define SHIM_KEYS 40

struct shim_request {
	const char *verb;
	const char *key[SHIM_KEYS];
	const char *value[SHIM_KEYS];
	int count;
};

/* Takes line apart in place; 0: an empty line. */
int shim_parse(char *line, struct shim_request *request);

/* The value of a key, or otherwise; "-" counts as not given. */
const char *shim_get(const struct shim_request *request, const char *key,
    const char *otherwise);
int shim_int(const struct shim_request *request, const char *key,
    int otherwise);
/* Is word one of the value's comma-separated words? */
int shim_has(const struct shim_request *request, const char *key,
    const char *word);

/* What one connection came to. */
struct shim_answer {
	const char *id;
	const char *attach; /* "ok" or the error's name */
	struct pinfast_verdict verdict;
	struct pinfast_verdict first; /* before a recheck */
	int32_t session; /* what was said of the session; -1: not asked */
	int rechecked;
	int resumed;
	int hs;
	int sent;
	int unit; /* bytes of one request; 0: SEND of the runner */
	int early;
	int got;
	int alert_sent; /* -1: none */
	int alert_got;
	int verify_calls; /* of the application's own callback */
	char explain[600];
	char error[300];
};

void shim_answer_init(struct shim_answer *answer,
    const struct shim_request *request);
void shim_print(const struct shim_answer *answer);

/* The policy handle of a request (`handle`, by default `policy`), with the
 * store that `policy` names in service; NULL: none, said in answer. */
struct pinfast *shim_policy(const struct shim_request *request,
    struct shim_answer *answer);

/* Puts another store into the same handle's service; 0: done. */
int shim_reload(const struct shim_request *request, const char *path,
    struct shim_answer *answer);

const char *shim_error_name(enum pinfast_error error);

/* Something kept under a name between requests. */
void *shim_kept(const char *name);
void shim_keep(const char *name, void *what, void (*drop)(void *));

/* What a mail server says before and after STARTTLS (RFC 3207); 0: it did. */
int shim_starttls(int fd);

/* 127.0.0.1 or ::1; -1: could not. */
int shim_connect(const char *addr, int port);
/* A listening socket and its port. */
int shim_listen(const char *addr, int *port);

#endif
