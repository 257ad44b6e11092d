#include "cli_check/effect.h"

#include <stdio.h>
#include <string.h>

#include "adapt/ossl/ossl.h"
#include "base/bytes.h"
#include "core/lookup.h"
#include "core/rule.h"

static X509 *
leaf_of(const struct pf_renewal *r)
{
	return sk_X509_value(r->candidate->chain, 0);
}

static int
in_list(const struct pf_lists *lists, unsigned role, const uint8_t *pin)
{
	for (unsigned i = 0; i < lists->count[role]; i++)
		if (pf_same(lists->pins[role] + (size_t)i * PINFAST_PIN_LEN,
		        pin, PINFAST_PIN_LEN))
			return 1;
	return 0;
}

/* Could issuers that are not known make this rule say yes to the key? */
static int
rests_on_issuer(const struct pf_rule *rule, const uint8_t *pin)
{
	unsigned of_leaf = (unsigned)rule->own.count[PINFAST_ROLE_LEAF] +
	                   rule->own.count[PINFAST_ROLE_CERT];

	if (rule->own.count[PINFAST_ROLE_ANY] +
	        rule->own.count[PINFAST_ROLE_CA] ==
	    0)
		return 0;
	return !(rule->flags & PF_TERM_REQUIRE_ALL) || of_leaf == 0 ||
	       in_list(&rule->own, PINFAST_ROLE_LEAF, pin);
}

static int
entry_rests_on_issuer(const struct pf_renewal *r,
    const struct pf_effect_case *q)
{
	const struct pinfast_store *store = r->store;
	uint8_t pin[PINFAST_PIN_LEN];
	struct pf_found found;
	struct pf_rule rule;
	uint16_t port;

	if (pinfast_pin_read(r->candidate->pin, pin) != PINFAST_OK ||
	    !pf_lookup_host(store, q->host, q->port, &found))
		return 0;
	for (uint32_t i = 0;
	     i < (found.all_rows ? pf_rule_rows(store, found.rule) : 1); i++) {
		pf_rule_read(store,
		    found.all_rows ? pf_rule_row(store, found.rule, i, &port)
		                   : found.rule,
		    &rule);
		if (rests_on_issuer(&rule, pin))
			return 1;
	}
	return 0;
}

/* As if some certification authority had signed it: the key alone. */
static void
judge_key(const struct pf_renewal *r, struct pf_effect_case *q)
{
	struct pf_ossl_judging j = {.conn = q->answer.conn, .one_path = 1};
	STACK_OF(X509) *alone = sk_X509_new_null();

	if (pinfast_conn_needs(q->answer.conn) == PINFAST_NEED_LEAF_ONLY) {
		pf_ossl_judge_leaf(&j, leaf_of(r), PINFAST_PKIX_NOT_RUN, 0);
	} else if (alone != NULL && sk_X509_push(alone, leaf_of(r))) {
		(void)pinfast_conn_trust(q->answer.conn, NULL, NULL);
		pf_ossl_judge_verified(&j, alone);
	}
	sk_X509_free(alone);
}

static void
judge_chain(const struct pf_renewal *r, struct pf_effect_case *q)
{
	struct pf_trial t = {.host = q->host, .now = r->now};
	X509_STORE_CTX *xs = X509_STORE_CTX_new();

	if (xs != NULL &&
	    X509_STORE_CTX_init(xs, r->anchors, leaf_of(r),
	        r->candidate->chain) &&
	    pf_trial_set(&t, xs))
		pf_trial_judge(&t, xs, &q->answer);
	X509_STORE_CTX_free(xs);
}

/* Judges one connection; 0: out of memory. */
static int
judge(const struct pf_renewal *r, struct pf_effect_case *q,
    void (*how)(const struct pf_renewal *, struct pf_effect_case *))
{
	pf_answer_fini(&q->answer);
	memset(&q->answer, 0, sizeof q->answer);
	if (pinfast_conn_new(r->policy, q->host->text, q->port, r->now,
	        &q->answer.conn) != PINFAST_OK)
		return 0;
	how(r, q);
	q->answer.verdict = pinfast_conn_settle(q->answer.conn);
	(void)pinfast_conn_explain(q->answer.conn, q->why, sizeof q->why);
	return 1;
}

/* The chain ends before an anchor: it may be that only the file is short. */
static int
issuer_unknown(int code)
{
	return code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
	       code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
	       code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
}

/* The key alone has been judged. */
static enum pf_effect
effect_of_key(const struct pf_renewal *r, struct pf_effect_case *q)
{
	int allowed = q->answer.verdict.decision == PINFAST_ALLOW;

	if (q->answer.verdict.reason == PINFAST_REASON_PIN_MISMATCH &&
	    entry_rests_on_issuer(r, q)) {
		snprintf(q->why, sizeof q->why,
		    "the key is not pinned; its issuers may be");
		return allowed ? PF_REPORTED : PF_UNSURE;
	}
	if (!allowed)
		return PF_BREAKS;
	return q->answer.reported ? PF_REPORTED : PF_FINE;
}

/* 0: out of memory. */
static int
decide_chain(const struct pf_renewal *r, struct pf_effect_case *q)
{
	char error[160];

	q->effect = PF_BREAKS;
	if (q->answer.verdict.decision == PINFAST_ALLOW)
		q->effect = q->answer.reported ? PF_REPORTED : PF_FINE;
	if (q->answer.verdict.reason != PINFAST_REASON_PKIX_FAILED)
		return 1;
	snprintf(error, sizeof error, "%s", q->answer.pkix_error);
	if (!issuer_unknown(q->answer.pkix_code)) {
		snprintf(q->why, sizeof q->why, "the chain does not verify: %s",
		    error);
		return 1;
	}
	if (!judge(r, q, judge_key))
		return 0;
	q->effect = effect_of_key(r, q);
	if (q->effect == PF_BREAKS)
		return 1;
	snprintf(q->why, sizeof q->why,
	    "%sthe chain does not reach an anchor (%s): give all of it, or "
	    "its anchors with --ca-file",
	    q->answer.verdict.reason == PINFAST_REASON_PIN_MATCHED
	        ? "the key is pinned, but "
	        : "",
	    error);
	q->effect = PF_UNSURE;
	return 1;
}

/* A request that names other hosts is not for this one. */
static int
names_others(const struct pf_renewal *r, const struct pf_effect_case *q)
{
	return r->candidate->names != NULL &&
	       !pf_trial_covers(leaf_of(r), q->host->text);
}

const char *
pf_effect_name(enum pf_effect effect)
{
	static const char *const names[] = {
	    "fine", "reported", "unsure", "breaks"};

	return names[effect];
}

int
pf_effect_decide(const struct pf_renewal *r, struct pf_effect_case *q)
{
	int is_request = r->candidate->is_request;

	q->effect = PF_UNSURE;
	if (!judge(r, q, is_request ? judge_key : judge_chain))
		return 0;
	if (!is_request)
		return decide_chain(r, q);
	q->effect = effect_of_key(r, q);
	if (names_others(r, q) &&
	    pinfast_conn_needs(q->answer.conn) != PINFAST_NEED_LEAF_ONLY) {
		q->effect = PF_BREAKS;
		snprintf(q->why, sizeof q->why,
		    "the request does not name this host");
	}
	return 1;
}
