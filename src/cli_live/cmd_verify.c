#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "adapt/ossl.h"
#include "cli_live/live_command.h"
#include "cli_live/pemfile.h"
#include "cli_live/verdict.h"
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
	STACK_OF(X509) * own; /* the entry's anchors */
	STACK_OF(X509) * leaf;
	struct pf_answer answer;
};

/* -1: read. */
static int
read_option(int argc, char *argv[], int *i, struct options *o)
{
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
	} else if (argv[*i][0] == '-' && argv[*i][1] != '\0') {
		return pf_usage("verify", "no such option", argv[*i]);
	} else if (o->words == 2) {
		return pf_usage("verify", "one policy and one host, not also",
		    argv[*i]);
	} else {
		o->word[o->words++] = argv[*i];
	}
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			return PF_EXIT_FINE;
		}
		if (read_option(argc, argv, &i, o) >= 0)
			return PF_EXIT_USAGE;
	}
	if (o->words < 2)
		return pf_usage("verify", "name a policy and a host", NULL);
	if (o->chain == NULL)
		return pf_usage("verify", "say --chain FILE", NULL);
	if (strcmp(o->word[0], "-") == 0 && strcmp(o->chain, "-") == 0)
		return pf_usage("verify",
		    "policy and chain cannot both be standard input", NULL);
	return -1;
}

static void
on_event(void *arg, const struct pinfast_event *event)
{
	struct pf_answer *answer = arg;

	answer->matched = event->matched;
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

static int
load_anchors(struct verifying *v)
{
	STACK_OF(X509) * certs;
	int fine = 1;

	v->store = X509_STORE_new();
	if (v->store == NULL)
		return out_of_memory();
	if (v->o->anchors == NULL)
		return X509_STORE_set_default_paths(v->store) ? PF_EXIT_FINE
		                                              : out_of_memory();
	certs = pf_pemfile_read(v->o->anchors, PF_FILE_OURS);
	if (certs == NULL)
		return PF_EXIT_UNDECIDED;
	for (int i = 0; i < sk_X509_num(certs); i++)
		fine &= X509_STORE_add_cert(v->store, sk_X509_value(certs, i));
	pf_pemfile_free(certs);
	return fine ? PF_EXIT_FINE : out_of_memory();
}

/* As pinfast_openssl_attach() sets a client up. */
static int
set_parameters(struct verifying *v)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(v->xs);

	if (!X509_STORE_CTX_set_default(v->xs, "ssl_server"))
		return 0;
	X509_VERIFY_PARAM_set_time(param, (time_t)v->o->now);
	if (v->o->partial)
		X509_STORE_CTX_set_flags(v->xs, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (v->host.kind == PF_HOST_NAME)
		return X509_VERIFY_PARAM_set1_host(param, v->host.text, 0);
	return X509_VERIFY_PARAM_set1_ip_asc(param, v->host.text);
}

static void
keep_error(struct verifying *v)
{
	int error = X509_STORE_CTX_get_error(v->xs);

	snprintf(v->answer.pkix_error, sizeof v->answer.pkix_error, "%s",
	    X509_verify_cert_error_string(error != X509_V_OK
	                                      ? error
	                                      : X509_V_ERR_UNSPECIFIED));
}

static void
judge(struct verifying *v)
{
	struct pf_answer *a = &v->answer;
	struct pf_ossl_judging j = {.xs = v->xs, .conn = a->conn};
	X509 *leaf = sk_X509_value(v->chain, 0);
	int bad;

	if (!v->host_valid ||
	    pinfast_conn_needs(a->conn) == PINFAST_NEED_LEAF_ONLY) {
		pf_ossl_judge_leaf(&j, leaf, PINFAST_PKIX_NOT_RUN, 0);
		a->path = v->leaf;
		return;
	}
	v->own = pf_ossl_use_anchors(&j, &bad);
	a->pkix_ran = 1;
	a->pkix_ok = !bad && X509_verify_cert(v->xs) == 1 &&
	             X509_STORE_CTX_get_error(v->xs) == X509_V_OK;
	if (a->pkix_ok) {
		pf_ossl_judge_verified(&j, X509_STORE_CTX_get0_chain(v->xs));
		a->path = X509_STORE_CTX_get0_chain(v->xs);
		return;
	}
	keep_error(v);
	pf_ossl_judge_leaf(&j, leaf, PINFAST_PKIX_FAILED, 1);
}

/* Everything is in memory: decides and prints. */
static int
decide(struct verifying *v, struct pinfast *policy, uint16_t port)
{
	struct pf_answer *a = &v->answer;
	X509 *leaf = sk_X509_value(v->chain, 0);

	pinfast_on_event(policy, on_event, a);
	/* What is no host to us is none to the judge: the empty one. */
	if (pinfast_conn_new(policy, v->host_valid ? v->host.text : "", port,
	        v->o->now, &a->conn) != PINFAST_OK)
		return out_of_memory();
	v->xs = X509_STORE_CTX_new();
	v->leaf = sk_X509_new_null();
	if (v->xs == NULL || v->leaf == NULL || !sk_X509_push(v->leaf, leaf) ||
	    !X509_STORE_CTX_init(v->xs, v->store, leaf, v->chain) ||
	    (v->host_valid && !set_parameters(v)))
		return out_of_memory();
	judge(v);
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
	pf_pemfile_free(v->own);
	sk_X509_free(v->leaf);
	pinfast_conn_free(v->answer.conn);
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
		status = v.chain != NULL ? load_anchors(&v) : PF_EXIT_UNDECIDED;
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
