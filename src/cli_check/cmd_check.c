#define _DEFAULT_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli_check/renewal.h"
#include "cli_check/survey.h"
#include "cli_live/live_command.h"
#include "cli_policy/load.h"
#include "model/builder.h"
#include "os/file.h"

static const char help[] =
    "usage: pinfast check POLICY [HOST[:PORT]...] [OPTIONS]\n"
    "       pinfast check POLICY --new-cert FILE | --csr FILE "
    "[HOST[:PORT]...]\n"
    "\nDo the servers still show what the policy wants?  Connects to those "
    "that\n"
    "are named, or to every entry's: all addresses, ECDSA and RSA.\n\n"
    "  --quiet          print only what needs a look\n"
    "  --json           one JSON document\n"
    "  --junit FILE     also as JUnit XML\n"
    "  --prometheus FILE\n"
    "                   also as metrics, for a textfile collector\n"
    "  --time T         judge as if it were this time\n";

static const char more_help[] =
    "  --help\n\n"
    "Would this certificate break the policy, and which entries?  Asked "
    "before\n"
    "a renewal goes live; connects to nothing.\n\n"
    "  --new-cert FILE  a certificate, PEM, with its intermediates behind it\n"
    "  --csr FILE       the request for one, PEM or DER\n\n"
    "Exit status: 0 fine, 1 the policy says no, 2 wrong usage, 3 could not\n"
    "decide, 130 or 143 interrupted.\n";

struct options {
	const char *policy;
	char **hosts; /* in argv */
	int host_count;
	const char *new_cert, *csr;
	const char *junit, *prometheus;
	int json, quiet;
	int64_t now;
	struct pf_reach reach;
};

/* The option at *i, if it takes a file; 0: it does not. */
static int
take_file(int argc, char *argv[], int *i, struct options *o)
{
	const struct {
		const char *name;
		const char **file;
	} files[] = {{"--new-cert", &o->new_cert}, {"--csr", &o->csr},
	    {"--junit", &o->junit}, {"--prometheus", &o->prometheus}};

	for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
		const char *value = pf_option(argc, argv, i, files[k].name);

		if (value != NULL) {
			*files[k].file = value;
			return 1;
		}
	}
	return 0;
}

/* The policy, then hosts. */
static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	/* It may hold a password: it is not repeated. */
	if (strstr(word, "://") != NULL ||
	    (o->policy != NULL && strchr(word, '@') != NULL))
		return pf_usage("check",
		    "an argument is a URL; name a policy and HOST[:PORT], and "
		    "write --proxy in front of a proxy's",
		    NULL);
	/* Options may stand between hosts: those move together. */
	if (o->policy == NULL)
		o->policy = word;
	else
		o->hosts[o->host_count++] = word;
	return -1;
}

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct options *o = arg;
	const char *value;

	if (take_file(argc, argv, i, o))
		return -1;
	if (strcmp(argv[*i], "--json") == 0) {
		o->json = 1;
	} else if (strcmp(argv[*i], "--quiet") == 0) {
		o->quiet = 1;
	} else if ((value = pf_option(argc, argv, i, "--time")) != NULL) {
		if (!pf_time_option("check", value, &o->now))
			return PF_EXIT_USAGE;
	} else {
		return pf_reach_option("check", argc, argv, i, &o->reach);
	}
	return -1;
}

static int
same_inode(const char *a, const char *b)
{
	struct stat one, two;

	return stat(a, &one) == 0 && stat(b, &two) == 0 &&
	       one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* The name that a path ends with; folder is what leads there. */
static const char *
split_path(const char *path, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	(void)snprintf(folder, PATH_MAX, "%.*s.", (int)(name - path), path);
	return name;
}

/* Is what would be written over something that is read or written?  What is
 * not there yet is known by its folder. */
static int
same_file(const char *a, const char *b)
{
	char one[PATH_MAX], two[PATH_MAX];

	if (a == NULL || b == NULL)
		return 0;
	return strcmp(a, b) == 0 || same_inode(a, b) ||
	       (strcmp(split_path(a, one), split_path(b, two)) == 0 &&
	           same_inode(one, two));
}

static int
overwrites(const struct options *o, const char *output)
{
	return same_file(output, o->policy) ||
	       same_file(output, o->reach.ca_file);
}

/* A file takes the place of what had its name: a link would be lost, or who
 * made it could choose what is overwritten. */
static int
is_link(const char *path)
{
	struct stat st;

	return path != NULL && lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Standard output has the table, or JSON. */
static int
is_dash(const char *path)
{
	return path != NULL && strcmp(path, "-") == 0;
}

/* Nothing that would be ignored is taken. */
static int
refuse_mixture(const struct options *o)
{
	int offline = o->new_cert != NULL || o->csr != NULL;

	if (o->new_cert != NULL && o->csr != NULL)
		return pf_usage("check", "choose one of --new-cert and --csr",
		    NULL);
	if (offline && (o->junit != NULL || o->prometheus != NULL || o->quiet ||
	                   o->reach.proxy.host != NULL ||
	                   o->reach.to_count > 0 || o->reach.timeout_ms != 0 ||
	                   o->reach.starttls != PF_STARTTLS_NOT_SAID))
		return pf_usage("check",
		    "--new-cert and --csr connect to nothing and take only "
		    "--ca-file, --time and --json",
		    NULL);
	if (is_dash(o->junit) || is_dash(o->prometheus))
		return pf_usage("check",
		    "--junit and --prometheus take the name of a file, not",
		    "-");
	if (same_file(o->junit, o->prometheus))
		return pf_usage("check", "two outputs cannot share the file",
		    o->junit);
	if (overwrites(o, o->junit) || overwrites(o, o->prometheus))
		return pf_usage("check",
		    "an output would overwrite the policy or the anchors",
		    NULL);
	if (is_link(o->junit) || is_link(o->prometheus))
		return pf_usage("check",
		    "an output is a symbolic link; name the file it leads to",
		    NULL);
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	const char *const texts[] = {help, pf_reach_help, more_help, NULL};
	const struct pf_arguments how = {texts, read_option, read_word};
	int status;

	o->hosts = argv + 1;
	status = pf_read_arguments(argc, argv, &how, o);
	if (status >= 0)
		return status;
	if (o->policy == NULL)
		return pf_usage("check", "name a policy", NULL);
	return refuse_mixture(o);
}

static int
check_candidate(const struct options *o, const struct pf_renewal *known)
{
	struct pf_renewal r = *known;
	struct pf_candidate candidate;
	const char *file = o->csr != NULL ? o->csr : o->new_cert;
	int status = PF_EXIT_UNDECIDED;

	if (!pf_candidate_read(file, o->csr != NULL, o->now, &candidate)) {
		pf_candidate_fini(&candidate);
		return PF_EXIT_UNDECIDED;
	}
	r.candidate = &candidate;
	r.now = o->now;
	r.anchors = pf_anchors_load(o->reach.ca_file);
	if (r.anchors != NULL)
		status = pf_renewal_check(&r, o->hosts, o->host_count, o->json);
	X509_STORE_free(r.anchors);
	pf_candidate_fini(&candidate);
	return status;
}

static int
check_servers(const struct options *o, struct pf_loaded *loaded,
    const struct pf_renewal *r)
{
	struct pf_targets targets = {
	    .store = r->store, .starttls = o->reach.starttls};
	struct pf_survey survey = {.policy = r->policy,
	    .store = r->store,
	    .reach = &o->reach,
	    .targets = &targets,
	    .now = o->now,
	    .json = o->json,
	    .quiet = o->quiet,
	    .junit = o->junit,
	    .prometheus = o->prometheus};
	int status = PF_EXIT_UNDECIDED;

	targets.is_store = loaded->builder == NULL;
	if (loaded->builder != NULL)
		targets.model = pf_builder_model(loaded->builder);
	if (o->host_count == 0)
		pf_targets_find(&targets);
	for (int i = 0; i < o->host_count; i++)
		if (!pf_targets_name(&targets, o->hosts[i])) {
			pf_targets_fini(&targets);
			return PF_EXIT_USAGE;
		}
	/* It takes more than the connections do. */
	if (loaded->builder != NULL)
		pf_builder_forget(loaded->builder);
	targets.model = NULL;
	if (targets.failed)
		pf_complain("check", "out of memory");
	else
		status = pf_survey_run(&survey);
	pf_targets_fini(&targets);
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
		status = o->new_cert != NULL || o->csr != NULL
		             ? check_candidate(o, &r)
		             : check_servers(o, loaded, &r);
	}
	pinfast_free(r.policy);
	return status;
}

int
pf_cmd_check(int argc, char *argv[])
{
	struct options o = {
	    .now = pf_clock_now(), .reach = {.starttls = PF_STARTTLS_NOT_SAID}};
	struct pf_listener l;
	struct pf_loaded policy;
	int status = read_options(argc, argv, &o);

	if (status < 0) {
		pf_listener_init(&l, o.policy);
		l.quiet_below = PF_LEVEL_ERROR;
		l.out = stderr;
		status = pf_policy_load(o.policy, o.now, &l, &policy);
		if (status == PF_EXIT_FINE)
			status = check(&o, &policy);
		pf_loaded_free(&policy);
	}
	pf_reach_fini(&o.reach);
	return status;
}
