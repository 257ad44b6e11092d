#include "cli_live/trial.h"

#include <stdio.h>
#include <string.h>

#include "adapt/ossl/ossl.h"
#include "cli/out.h"
#include "cli_live/pemfile.h"

X509_STORE *
pf_anchors_load(const char *file)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *certs = NULL;
	int fine = store != NULL;

	if (fine && file == NULL) {
		fine = X509_STORE_set_default_paths(store);
	} else if (fine) {
		certs = pf_pemfile_read(file, PF_FILE_OURS);
		if (certs == NULL) {
			X509_STORE_free(store);
			return NULL;
		}
		for (int i = 0; i < sk_X509_num(certs); i++)
			fine &=
			    X509_STORE_add_cert(store, sk_X509_value(certs, i));
		pf_pemfile_free(certs);
	}
	if (fine)
		return store;
	pf_complain(NULL, "out of memory");
	X509_STORE_free(store);
	return NULL;
}

#define NAME_FLAGS                                                             \
	(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |                                \
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

int
pf_trial_covers(X509 *cert, const char *host)
{
	return X509_check_ip_asc(cert, host, 0) == 1 ||
	       X509_check_host(cert, host, 0, NAME_FLAGS, NULL) == 1;
}

/* As pinfast_openssl_attach() sets a client up. */
int
pf_trial_set(const struct pf_trial *trial, X509_STORE_CTX *xs)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(xs);

	if (trial->host == NULL)
		return 1;
	if (!X509_STORE_CTX_set_default(xs, "ssl_server"))
		return 0;
	X509_VERIFY_PARAM_set_time(param, (time_t)trial->now);
	if (trial->partial)
		X509_STORE_CTX_set_flags(xs, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_hostflags(param, NAME_FLAGS);
	if (trial->host->kind == PF_HOST_NAME)
		return X509_VERIFY_PARAM_set1_host(param, trial->host->text, 0);
	return X509_VERIFY_PARAM_set1_ip_asc(param, trial->host->text);
}

static void
keep_error(X509_STORE_CTX *xs, struct pf_answer *a)
{
	int error = X509_STORE_CTX_get_error(xs);

	if (error == X509_V_OK)
		error = X509_V_ERR_UNSPECIFIED;
	a->pkix_code = error;
	snprintf(a->pkix_error, sizeof a->pkix_error, "%s",
	    X509_verify_cert_error_string(error));
}

static STACK_OF(X509) * alone(X509 *leaf)
{
	STACK_OF(X509) *path = sk_X509_new_null();

	if (path != NULL && X509_up_ref(leaf) && !sk_X509_push(path, leaf))
		X509_free(leaf);
	return path;
}

void
pf_trial_judge(const struct pf_trial *trial, X509_STORE_CTX *xs,
    struct pf_answer *a)
{
	struct pf_ossl_judging j = {.xs = xs, .conn = a->conn};
	X509 *leaf = X509_STORE_CTX_get0_cert(xs);
	STACK_OF(X509) * own;
	int refused, bad;

	if (trial->host == NULL ||
	    pinfast_conn_needs(a->conn) == PINFAST_NEED_LEAF_ONLY) {
		pf_ossl_judge_leaf(&j, leaf, PINFAST_PKIX_NOT_RUN, 0);
		a->path = alone(leaf);
		return;
	}
	own = pf_ossl_use_anchors(&j, &bad);
	/* A handshake would end here; people also want to know about PKIX. */
	refused = pf_ossl_judge_before(&j, leaf);
	a->pkix_ran = 1;
	a->pkix_ok = !bad && X509_verify_cert(xs) == 1 &&
	             X509_STORE_CTX_get_error(xs) == X509_V_OK;
	if (!a->pkix_ok)
		keep_error(xs, a);
	if (!refused && a->pkix_ok)
		pf_ossl_judge_verified(&j, X509_STORE_CTX_get0_chain(xs));
	else if (!refused)
		pf_ossl_judge_leaf(&j, leaf, PINFAST_PKIX_FAILED, 1);
	if (a->pkix_ok)
		a->path = X509_STORE_CTX_get1_chain(xs);
	if (own != NULL)
		X509_STORE_CTX_set0_trusted_stack(xs, NULL);
	pf_pemfile_free(own);
}
