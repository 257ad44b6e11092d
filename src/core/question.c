#include "core/conn.h"

#include "core/live.h"

/* Keeps the worse of two outcomes: a deny, then a report, then the first. */
static int
is_worse(const struct pf_outcome *is, const struct pf_outcome *than)
{
	if (than->go != PF_GO)
		return 0;
	if (is->go != PF_GO)
		return 1;
	return is->reported && !than->reported;
}

struct asking {
	struct pf_ask ask;
	const struct pf_question *question;
	struct pf_judgement *out;
	int any; /* something has been judged */
};

/* a: 0 when there is none yet. */
static int64_t
earlier(int64_t a, int64_t b)
{
	return a == 0 || b < a ? b : a;
}

static void
note_wanted(struct pf_judgement *j, const struct pf_rule *rule)
{
	j->wanted_count = 0;
	j->wanted_certs = 0;
	for (unsigned l = 0; l < PF_LISTS; l++)
		for (unsigned i = 0; i < rule->own.count[l]; i++) {
			unsigned n = j->wanted_count++;

			if (n >= PF_WANTED)
				continue;
			memcpy(j->wanted[n],
			    rule->own.pins[l] + (size_t)i * PINFAST_PIN_LEN,
			    PINFAST_PIN_LEN);
			if (l == PINFAST_ROLE_CERT)
				j->wanted_certs |= (uint8_t)(1U << n);
		}
}

/* Takes an outcome in, if it is the worst so far. */
static void
take(struct asking *a, const struct pf_outcome *outcome,
    const struct pf_found *found, const struct pf_rule *rule, uint16_t name)
{
	struct pf_judgement *j = a->out;

	if (a->any && !is_worse(outcome, &j->outcome))
		return;
	a->any = 1;
	j->outcome = *outcome;
	j->name = name;
	j->scope = -1;
	j->entry_at = 0;
	j->entry_port = 0;
	j->wanted_count = 0;
	if (found == NULL)
		return;
	j->scope = found->scope;
	j->entry_at = found->name_at;
	j->entry_port = found->port;
	note_wanted(j, rule);
}

/* What counts for this entry: evidence speaks only for the host and for the
 * anchors that it was gathered for. */
static void
put_pkix(struct asking *a, const uint8_t trust[32])
{
	const struct pf_shown *s = a->ask.view->shown;

	a->ask.pkix = s->pkix;
	a->ask.why = s->why;
	if (a->question->name_verified &&
	    (s->pkix != PINFAST_PKIX_OK || pf_same(s->trust, trust, 32)))
		return;
	a->ask.pkix = PINFAST_PKIX_FAILED;
	a->ask.why = PINFAST_REASON_NOT_VERIFIED;
}

static void
judge_row(struct asking *a, const struct pf_found *row, uint16_t name)
{
	struct pf_outcome outcome;
	struct pf_rule rule;

	pf_rule_read(a->ask.store, row->rule, &rule);
	if (rule.pin_count == 0 || rule.shadow_count > 0 ||
	    rule.own.count[PINFAST_ROLE_ANY] > 0 ||
	    rule.own.count[PINFAST_ROLE_CA] > 0)
		a->out->beyond_leaf = 1;
	if ((rule.flags & PF_TERM_PKIX_NONE) &&
	    !(rule.flags & PF_TERM_IGNORE_DATES))
		a->out->dated = 1;
	put_pkix(a, rule.trust);
	pf_judge_rule(&a->ask, &rule, &outcome);
	if (rule.expires > a->ask.now)
		a->out->boundary = earlier(a->out->boundary, rule.expires);
	take(a, &outcome, row, &rule, name);
}

static void
judge_found(struct asking *a, const struct pf_found *found, uint16_t name)
{
	const struct pinfast_store *store = a->ask.store;
	uint32_t rows = found->all_rows ? pf_rule_rows(store, found->rule) : 1;

	for (uint32_t i = 0; i < rows; i++) {
		struct pf_found row = *found;

		if (found->all_rows)
			row.rule =
			    pf_rule_row(store, found->rule, i, &row.port);
		judge_row(a, &row, name);
	}
}

static void
judge_uncovered(struct asking *a, uint8_t action, enum pinfast_reason verified,
    enum pinfast_reason unverified, uint16_t name)
{
	static const uint8_t applications[32] = {0};
	struct pf_outcome outcome;

	a->out->beyond_leaf = 1;
	put_pkix(a, applications);
	pf_judge_default(&a->ask, action, verified, unverified, &outcome);
	take(a, &outcome, NULL, NULL, name);
}

static void
judge_name(struct asking *a, uint16_t name)
{
	const struct pinfast_store *store = a->ask.store;
	const struct pf_question *q = a->question;
	struct pf_found found;

	if (q->server) {
		if (pf_lookup_client(store, q->names[name], &found))
			judge_found(a, &found, name);
		else
			judge_uncovered(a, PINFAST_DENY,
			    PINFAST_REASON_CLIENT_UNLISTED,
			    PINFAST_REASON_CLIENT_UNLISTED, name);
		return;
	}
	if (pf_lookup_host(store, q->names[name], q->port, &found))
		judge_found(a, &found, name);
	else
		judge_uncovered(a, store->unlisted, PINFAST_REASON_UNLISTED,
		    PINFAST_REASON_UNLISTED_UNVERIFIED, name);
}

static void
judge_names(struct asking *a)
{
	const struct pinfast_store *store = a->ask.store;

	if (store->valid_until > a->ask.now)
		a->out->boundary = store->valid_until;
	if (a->question->name_count == 0)
		judge_uncovered(a, store->unknown_host,
		    PINFAST_REASON_HOST_UNKNOWN, PINFAST_REASON_HOST_UNKNOWN,
		    0);
	for (uint16_t i = 0; i < a->question->name_count; i++)
		judge_name(a, i);
}

/* No clock may say less than what is known to have passed. */
static int64_t
clamp(struct pinfast *policy, const struct pinfast_store *store, int64_t now)
{
	int64_t floor = pf_live_floor(policy);

	now = now > floor ? now : floor;
	now = now > store->issued ? now : store->issued;
	return now > PF_RELEASE_TIME ? now : PF_RELEASE_TIME;
}

void
pf_conn_judge(struct pinfast *policy, const struct pf_question *question,
    struct pf_view *view, struct pf_judgement *out)
{
	struct asking a;
	unsigned side;

	memset(&a, 0, sizeof a);
	memset(out, 0, sizeof *out);
	out->scope = -1;
	a.ask.view = view;
	a.question = question;
	a.out = out;
	a.ask.store = pf_live_enter(policy, &side);
	if (a.ask.store != NULL) {
		out->has_policy = 1;
		out->serial = pinfast_store_serial(a.ask.store);
		memcpy(out->policy, pinfast_store_digest(a.ask.store), 32);
		a.ask.now = clamp(policy, a.ask.store, question->now);
		out->at = a.ask.now;
		judge_names(&a);
	} else {
		out->outcome.matched = -1;
		pf_judge_stop(&out->outcome, PINFAST_REASON_NO_POLICY);
	}
	pf_live_leave(policy, side);
	out->verdict = pf_verdict(&out->outcome);
}

/* A deny may have been for want of evidence that has come since.  Dates of
 * certificates are no boundary of the policy's.  Before the end an event is to
 * come, which says more than the verdict. */
int
pf_conn_stands(const struct pinfast_conn *conn, int64_t now)
{
	const struct pf_judgement *j = &conn->last;
	const struct pinfast_store *store;
	unsigned side;
	int stands;

	if (!conn->settled || j->verdict.decision != PINFAST_ALLOW || j->dated)
		return 0;
	/* A policy has allowed, and none is ever taken away but by another. */
	store = pf_live_enter(conn->policy, &side);
	now = clamp(conn->policy, store, now);
	stands = pf_same(pinfast_store_digest(store), j->policy, 32) &&
	         now >= j->at && (j->boundary == 0 || now < j->boundary);
	pf_live_leave(conn->policy, side);
	return stands;
}
