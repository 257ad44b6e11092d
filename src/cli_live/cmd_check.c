#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_live/live_command.h"
#include "cli_live/renewal.h"
#include "cli_policy/load.h"
#include "os/file.h"

static const char help[] =
    "usage: pinfast check POLICY --new-cert FILE | --csr FILE "
    "[HOST[:PORT]...]\n"
    "\nWould this certificate break this policy, and which entries?  Asked\n"
    "before a renewal goes live; connects to nothing.\n\n"
    "  --new-cert FILE  a certificate, PEM, with its intermediates behind it\n"
    "  --csr FILE       the request for one, PEM or DER\n"
    "  --ca-file FILE   trust anchors, PEM (default: the system's)\n"
    "  --time T         judge as if it were this time\n"
    "  --json           one JSON document\n"
    "  --help\n\n"
    "Exit status: 0 fine, 1 an entry breaks, 2 wrong usage, 3 could not\n"
    "decide.\n";

struct options {
	const char *policy;
	char **hosts; /* in argv */
	int host_count;
	const char *new_cert, *csr, *anchors;
	int json;
	int64_t now;
};

/* -1: read. */
static int
read_option(int argc, char *argv[], int *i, struct options *o)
{
	const char *value;

	if (strcmp(argv[*i], "--json") == 0) {
		o->json = 1;
	} else if ((value = pf_option(argc, argv, i, "--new-cert")) != NULL) {
		o->new_cert = value;
	} else if ((value = pf_option(argc, argv, i, "--csr")) != NULL) {
		o->csr = value;
	} else if ((value = pf_option(argc, argv, i, "--ca-file")) != NULL) {
		o->anchors = value;
	} else if ((value = pf_option(argc, argv, i, "--time")) != NULL) {
		if (!pf_time_option("check", value, &o->now))
			return PF_EXIT_USAGE;
	} else if (argv[*i][0] == '-' && argv[*i][1] != '\0') {
		return pf_usage("check", "no such option", argv[*i]);
	} else if (o->policy == NULL) {
		o->policy = argv[*i];
	} else {
		/* Options may stand between hosts: those move together. */
		o->hosts[o->host_count++] = argv[*i];
	}
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	o->hosts = argv + 1;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			return PF_EXIT_FINE;
		}
		if (read_option(argc, argv, &i, o) >= 0)
			return PF_EXIT_USAGE;
	}
	if (o->policy == NULL)
		return pf_usage("check", "name a policy", NULL);
	if (o->new_cert == NULL && o->csr == NULL)
		return pf_usage("check", "say --new-cert FILE or --csr FILE",
		    NULL);
	if (o->new_cert != NULL && o->csr != NULL)
		return pf_usage("check", "choose one of --new-cert and --csr",
		    NULL);
	return -1;
}

static int
check_candidate(const struct options *o, struct pf_renewal *r)
{
	struct pf_candidate candidate;
	const char *file = o->csr != NULL ? o->csr : o->new_cert;
	int status = PF_EXIT_UNDECIDED;

	if (!pf_candidate_read(file, o->csr != NULL, o->now, &candidate)) {
		pf_candidate_fini(&candidate);
		return PF_EXIT_UNDECIDED;
	}
	r->candidate = &candidate;
	r->now = o->now;
	r->anchors = pf_anchors_load(o->anchors);
	if (r->anchors != NULL)
		status = pf_renewal_check(r, o->hosts, o->host_count, o->json);
	X509_STORE_free(r->anchors);
	pf_candidate_fini(&candidate);
	return status;
}

static int
check(const struct options *o, struct pf_loaded *loaded)
{
	struct pf_renewal r = {.store = loaded->store};
	struct pinfast_diag diag;
	int status = PF_EXIT_UNDECIDED;

	memset(&diag, 0, sizeof diag);
	if (pinfast_new(NULL, &r.policy) != PINFAST_OK) {
		pf_complain("check", "out of memory");
		return PF_EXIT_UNDECIDED;
	}
	if (pinfast_load(r.policy, loaded->store, &diag) != PINFAST_OK) {
		pf_complain(o->policy, diag.text);
	} else {
		loaded->store = NULL;
		status = check_candidate(o, &r);
	}
	pinfast_free(r.policy);
	return status;
}

int
pf_cmd_check(int argc, char *argv[])
{
	struct options o = {.now = pf_clock_now()};
	struct pf_listener l;
	struct pf_loaded policy;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	pf_listener_init(&l, o.policy);
	l.quiet_below = PF_LEVEL_ERROR;
	l.out = stderr;
	status = pf_policy_load(o.policy, o.now, &l, &policy);
	if (status == PF_EXIT_FINE)
		status = check(&o, &policy);
	pf_loaded_free(&policy);
	return status;
}
