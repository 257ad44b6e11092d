#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "cli_live/live_command.h"
#include "cli_live/pemfile.h"
#include "cli_live/trial.h"
#include "cli_policy/load.h"
#include "os/file.h"
#include "policy/name.h"

static const char help[] =
    "usage: pinfast verify POLICY HOST[:PORT] --chain FILE [OPTIONS]\n\n"
    "Judges a saved chain by a policy (text or compiled), offline, as the\n"
    "OpenSSL adapter judges a server's.\n\n"
    "  --chain FILE     what the server presented, PEM, leaf first\n"
    "  --ca-file FILE   trust anchors, PEM (default: the system's)\n"
    "  --partial-chain  an anchor need not be self-signed\n"
    "  --time T         judge as if it were this time\n"
    "  --json           one JSON document\n"
    "  --help\n\n"
    "Exit status: 0 allow, 1 deny, 2 wrong usage, 3 could not decide.\n";

struct options {
	const char *word[2]; /* policy, host */
	int words;
	const char *chain, *anchors;
	int partial, json;
	int64_t now;
};

/* What is judged, and on what grounds. */
struct verifying {
	const struct options *o;
	struct pf_host host;
	int host_valid;
	STACK_OF(X509) * chain;
	X509_STORE *store;
	X509_STORE_CTX *xs;
	struct pf_answer answer;
};

static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	if (o->words == 2)
		return pf_usage("verify", "one policy and one host, not also",
		    word);
	o->word[o->words++] = word;
	return -1;
}

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct options *o = arg;
	const char *value;

	if (strcmp(argv[*i], "--partial-chain") == 0) {
		o->partial = 1;
	} else if (strcmp(argv[*i], "--json") == 0) {
		o->json = 1;
	} else if ((value = pf_option(argc, argv, i, "--chain")) != NULL) {
		o->chain = value;
	} else if ((value = pf_option(argc, argv, i, "--ca-file")) != NULL) {
		o->anchors = value;
	} else if ((value = pf_option(argc, argv, i, "--time")) != NULL) {
		if (!pf_time_option("verify", value, &o->now))
			return PF_EXIT_USAGE;
	} else {
		return pf_unknown("verify", argv[*i]);
	}
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	static const char *const texts[] = {help, NULL};
	static const struct pf_arguments how = {texts, read_option, read_word};
	int status = pf_read_arguments(argc, argv, &how, o);

	if (status >= 0)
		return status;
	if (o->words < 2)
		return pf_usage("verify", "name a policy and a host", NULL);
	if (o->chain == NULL)
		return pf_usage("verify", "say --chain FILE", NULL);
	if (strcmp(o->word[0], "-") == 0 && strcmp(o->chain, "-") == 0)
		return pf_usage("verify",
		    "policy and chain cannot both be standard input", NULL);
	return -1;
}

static int
out_of_memory(void)
{
	pf_complain("verify", "out of memory");
	return PF_EXIT_UNDECIDED;
}

/* A file with the certificates of several servers is a slip. */
static void
warn_of_leaves(const struct verifying *v)
{
	char text[128];

	for (int i = 1; i < sk_X509_num(v->chain); i++) {
		if (X509_check_ca(sk_X509_value(v->chain, i)) != 0)
			continue;
		snprintf(text, sizeof text,
		    "certificate %d is no CA's; only the first is judged as "
		    "the server's",
		    i + 1);
		pf_complain(v->o->chain, text);
	}
}

/* Everything is in memory: decides and prints. */
static int
decide(struct verifying *v, struct pinfast *policy, uint16_t port)
{
	struct pf_answer *a = &v->answer;
	struct pf_trial t = {.host = v->host_valid ? &v->host : NULL,
	    .now = v->o->now,
	    .partial = v->o->partial};

	pinfast_on_event(policy, pf_answer_hear, a);
	/* What is no host to us is none to the judge: the empty one. */
	if (pinfast_conn_new(policy, v->host_valid ? v->host.text : "", port,
	        v->o->now, &a->conn) != PINFAST_OK)
		return out_of_memory();
	v->xs = X509_STORE_CTX_new();
	if (v->xs == NULL ||
	    !X509_STORE_CTX_init(v->xs, v->store, sk_X509_value(v->chain, 0),
	        v->chain) ||
	    !pf_trial_set(&t, v->xs))
		return out_of_memory();
	pf_trial_judge(&t, v->xs, a);
	a->verdict = pinfast_conn_settle(a->conn);
	if (v->o->json)
		pf_answer_print_json(a);
	else
		pf_answer_print(a);
	return a->verdict.decision == PINFAST_ALLOW ? PF_EXIT_FINE : PF_EXIT_NO;
}

static int
read_host(struct verifying *v, uint16_t *port)
{
	const char *why = NULL, *text = v->o->word[1];
	size_t len;

	if (!pf_target_split(text, &len, port))
		return pf_usage("verify",
		    "a port is 1 to 65535; write HOST:PORT, not", text);
	v->host_valid = len < 1024 && pf_name_read(text, len, &v->host, &why);
	if (!v->host_valid)
		pf_complain(text, why != NULL ? why : "the name is too long");
	return PF_EXIT_FINE;
}

static int
verify(struct verifying *v, struct pf_loaded *loaded, uint16_t port)
{
	struct pinfast *policy = NULL;
	struct pinfast_diag diag;
	int status = PF_EXIT_UNDECIDED;

	memset(&diag, 0, sizeof diag);
	if (pinfast_new(NULL, &policy) != PINFAST_OK)
		return out_of_memory();
	if (pinfast_load(policy, loaded->store, &diag) != PINFAST_OK) {
		pf_complain(v->o->word[0], diag.text);
	} else {
		loaded->store = NULL;
		status = decide(v, policy, port);
	}
	X509_STORE_CTX_free(v->xs);
	pf_answer_fini(&v->answer);
	pinfast_free(policy);
	return status;
}

int
pf_cmd_verify(int argc, char *argv[])
{
	struct options o = {.now = pf_clock_now()};
	struct verifying v = {.o = &o, .answer = {.matched = -1}};
	struct pf_listener l;
	struct pf_loaded policy;
	uint16_t port;
	int status = read_options(argc, argv, &o);

	if (status < 0)
		status = read_host(&v, &port);
	else
		return status;
	if (status != PF_EXIT_FINE)
		return status;
	pf_listener_init(&l, o.word[0]);
	l.quiet_below = PF_LEVEL_ERROR;
	l.out = stderr;
	status = pf_policy_load(o.word[0], o.now, &l, &policy);
	if (status == PF_EXIT_FINE) {
		v.chain = pf_pemfile_read(o.chain, PF_FILE_ANY);
		v.store = v.chain != NULL ? pf_anchors_load(o.anchors) : NULL;
		status = v.store != NULL ? PF_EXIT_FINE : PF_EXIT_UNDECIDED;
	}
	if (status == PF_EXIT_FINE) {
		warn_of_leaves(&v);
		status = verify(&v, &policy, port);
	}
	X509_STORE_free(v.store);
	pf_pemfile_free(v.chain);
	pf_loaded_free(&policy);
	return status;
}
