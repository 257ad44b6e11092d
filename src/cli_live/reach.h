/*
 * How servers are reached: HOST[:PORT] and the options that all live commands
 * share.  Hides proxies' URLs and which address a name gets.  Refuses, as
 * wrong usage, what could be read in two ways.
 */
#ifndef PF_REACH_H
#define PF_REACH_H

#include "base/host.h"
#include "probe/probe.h"
#include "wire/starttls.h"

struct pf_connect_to;

struct pf_reach {
	enum pf_starttls starttls;
	int timeout_ms;
	const char *ca_file;   /* NULL: the system's anchors */
	struct pf_proxy proxy; /* host NULL: none */
	char *proxy_text;      /* what proxy points into */
	struct pf_connect_to *to;
	size_t to_count;
};

/* For --help: a line for each option. */
extern const char pf_reach_help[];

/* Takes the option at *i, which is one of these or none at all, as the
 * function of a struct pf_arguments does. */
int pf_reach_option(const char *command, int argc, char *const argv[], int *i,
    struct pf_reach *reach);

/* Takes --connect-to, --proxy and --starttls apart; memory is freed here. */
void pf_reach_fini(struct pf_reach *reach);

/* A server that somebody named. */
struct pf_server {
	const char *text; /* as it was written; borrowed */
	struct pf_host host;
	uint16_t port;
	struct pf_address *address; /* given by --connect-to */
	size_t address_count;       /* 0: ask for its name */
};

/* text: HOST[:PORT]; 0: it is none, after a complaint (wrong usage). */
int pf_server_read(const char *command, const struct pf_reach *reach,
    const char *text, struct pf_server *out);
void pf_server_fini(struct pf_server *server);

/* What to ask of it; borrows both. */
struct pf_probe pf_server_probe(const struct pf_server *server,
    const struct pf_reach *reach);

/* When all servers have been read: complains of each --connect-to that is for
 * none of them, since somebody meant another address than is asked; how
 * many. */
size_t pf_reach_complain_unused(const struct pf_reach *reach);

/* Does a proxy choose which address of the name is asked? */
int pf_reach_is_blind(const struct pf_reach *reach,
    const struct pf_server *server);

/* What all probes of a command have in common; anchors, functions and the
 * stop flag are the caller's to set. */
struct pf_probe_options pf_reach_options(const struct pf_reach *reach);

/* The trust anchors; NULL after a complaint. */
X509_STORE *pf_reach_anchors(const struct pf_reach *reach);

/* Sets a flag when somebody presses Ctrl-C, or a supervisor sends SIGTERM, for
 * pf_probe_options.stop. */
const volatile sig_atomic_t *pf_reach_interrupt(void);

/* The exit status that shells expect then: 130, or 143. */
int pf_reach_interrupted(void);

#endif
