/*
 * For TLS libraries that show nobody a certificate: what a list of leaf keys
 * that they compare by themselves can say, and what their answer is worth.
 */
#include "core/conn.h"
#include "core/live.h"

/* As if the peer had shown the key of this hash, NULL: one that nobody knows,
 * in a path that was verified under the application's anchors. */
static void
suppose(const struct pinfast_conn *conn, const uint8_t *pin,
    struct pf_judgement *out)
{
	struct pf_question question = pf_conn_question(conn);
	struct pf_shown shown;
	struct pf_view view;

	memset(&shown, 0, sizeof shown);
	memset(&view, 0, sizeof view);
	shown.evidence = PINFAST_EVIDENCE_VERIFIED_PATH;
	shown.pkix = PINFAST_PKIX_OK;
	shown.count = 1;
	shown.known = 1;
	shown.agreed = 1;
	shown.leaf_cert_known = 1;
	if (pin != NULL)
		memcpy(shown.hash[0], pin, PINFAST_PIN_LEN);
	view.shown = &shown;
	view.policy = conn->policy;
	pf_conn_judge(conn->policy, &question, &view, out);
}

/* The entry of the connection's only name. */
struct listed {
	int has_rule;
	int rejects; /* some key of a path may be rejected */
	struct pf_rule rule;
};

static void
look_at_entry(const struct pinfast_conn *conn,
    const struct pinfast_store *store, struct listed *out)
{
	struct pf_found found;

	memset(out, 0, sizeof *out);
	out->has_rule =
	    pf_lookup_host(store, conn->names[0], conn->port, &found);
	if (out->has_rule)
		pf_rule_read(store, found.rule, &out->rule);
	out->rejects = store->reject_count + out->rule.reject_count > 0;
}

/* Are the leaf's keys all that this rule asks about?  No entry that can deny
 * is without any. */
static int
is_sayable(const struct pf_rule *rule)
{
	return rule->own.count[PINFAST_ROLE_ANY] == 0 &&
	       rule->own.count[PINFAST_ROLE_CA] == 0 &&
	       rule->own.count[PINFAST_ROLE_CERT] == 0 &&
	       rule->own.count[PINFAST_ROLE_LEAF] > 0; /* LCOV_EXCL_BR_LINE */
}

/* The number of keys, and the first of them. */
static int
count_said(struct pinfast_conn *conn, const struct listed *entry)
{
	struct pf_judgement judgement;

	if (entry->rejects)
		return -1;
	suppose(conn, NULL, &judgement);
	if (judgement.verdict.decision == PINFAST_ALLOW)
		return judgement.verdict.reason == PINFAST_REASON_PIN_MATCHED
		           ? -1
		           : 0;
	if (!entry->has_rule || !is_sayable(&entry->rule))
		return -1;
	memcpy(conn->first_pin, entry->rule.own.pins[PINFAST_ROLE_LEAF],
	    PINFAST_PIN_LEN);
	suppose(conn, conn->first_pin, &judgement);
	if (judgement.verdict.decision != PINFAST_ALLOW)
		return -1;
	return entry->rule.own.count[PINFAST_ROLE_LEAF];
}

int
pinfast_conn_leaf_pins(struct pinfast_conn *conn, pinfast_pin_fn fn, void *arg)
{
	const struct pinfast_store *store;
	struct listed entry;
	unsigned side;
	int count = -1;

	conn->delegated = 0;
	memset(conn->first_pin, 0, sizeof conn->first_pin);
	if (conn->settled || conn->server || conn->invalid ||
	    conn->name_count != 1 || conn->port == 0)
		return -1;
	/* Before the keys: whatever is loaded meanwhile asks for others. */
	(void)pinfast_conn_terms(conn, conn->terms);
	store = pf_live_enter(conn->policy, &side);
	if (store != NULL) {
		look_at_entry(conn, store, &entry);
		count = count_said(conn, &entry);
		for (int i = 0; i < count; i++)
			fn(arg, entry.rule.own.pins[PINFAST_ROLE_LEAF] +
			            (size_t)i * PINFAST_PIN_LEN);
	}
	pf_live_leave(conn->policy, side);
	conn->delegated = count >= 0;
	return count;
}

/* Was the library told what today's policy asks for? */
static int
was_told(struct pinfast_conn *conn)
{
	uint8_t terms[32];

	if (!conn->delegated)
		return 0;
	(void)pinfast_conn_terms(conn, terms);
	return pf_same(terms, conn->terms, sizeof terms);
}

/* Which key it was nobody knows: nothing is left to ask about again. */
static struct pinfast_verdict
forget_evidence(struct pinfast_conn *conn)
{
	conn->judged = 0;
	conn->shown.count = 0;
	conn->shown.known = 0;
	conn->shown.agreed = 0;
	conn->shown.leaf_cert_known = 0;
	conn->last.outcome.matched = -1;
	return conn->last.verdict;
}

static struct pinfast_verdict
judge_answer(struct pinfast_conn *conn, int yes)
{
	struct pf_view view;

	pf_conn_begin(conn, PINFAST_EVIDENCE_LEAF_ONLY, PINFAST_PKIX_OK, &view);
	conn->shown.count = 1;
	conn->shown.known = 1;
	conn->shown.agreed = 1;
	conn->shown.leaf_cert_known = 1;
	if (yes)
		memcpy(conn->shown.hash[0], conn->first_pin, PINFAST_PIN_LEN);
	(void)pf_conn_end(conn, &view);
	/* It may go on whatever its key is: that was not compared. */
	if (conn->last.outcome.reported) {
		conn->last.outcome.reason = PINFAST_REASON_BACKEND_CANNOT_PROVE;
		conn->last.verdict = pf_verdict(&conn->last.outcome);
	}
	return forget_evidence(conn);
}

struct pinfast_verdict
pinfast_judge_delegated(struct pinfast_conn *conn, enum pinfast_delegated found)
{
	struct pinfast_verdict verdict = {0, PINFAST_REASON_SETTLED};
	struct pf_view view;

	if (conn->settled)
		return verdict;
	pf_conn_begin(conn, PINFAST_EVIDENCE_NONE, PINFAST_PKIX_NOT_RUN, &view);
	if (conn->invalid)
		return pf_conn_deny(conn, PINFAST_REASON_HOST_INVALID);
	if (found == PINFAST_DELEGATED_NO_TLS) {
		(void)pf_conn_end(conn, &view);
		return forget_evidence(conn);
	}
	if ((found != PINFAST_DELEGATED_YES &&
	        found != PINFAST_DELEGATED_OTHER) ||
	    !was_told(conn))
		return pf_conn_deny(conn, PINFAST_REASON_BACKEND_CANNOT_PROVE);
	return judge_answer(conn, found == PINFAST_DELEGATED_YES);
}
