#include "core/judge.h"

/* Lists to look in, as bits. */
#define IN_ANY (1U << PINFAST_ROLE_ANY)
#define IN_LEAF (1U << PINFAST_ROLE_LEAF | 1U << PINFAST_ROLE_CERT)
#define IN_CA (1U << PINFAST_ROLE_CA)
#define IN_ALL (IN_ANY | IN_LEAF | IN_CA)

struct pinfast_verdict
pf_verdict(const struct pf_outcome *outcome)
{
	struct pinfast_verdict verdict;

	verdict.decision = outcome->go == PF_GO ? PINFAST_ALLOW : 0;
	verdict.reason = outcome->reason;
	return verdict;
}

void
pf_judge_stop(struct pf_outcome *out, enum pinfast_reason reason)
{
	out->go = PF_STOP;
	out->reason = (int32_t)reason;
	out->reported = 0;
}

static void
go(struct pf_outcome *out, enum pinfast_reason reason)
{
	out->go = PF_GO;
	out->reason = (int32_t)reason;
}

static void
report(struct pf_outcome *out, enum pinfast_reason reason)
{
	go(out, reason);
	out->reported = 1;
}

static int
in_list(const uint8_t *pins, unsigned count, const uint8_t *hash)
{
	for (; count > 0; count--, pins += PINFAST_PIN_LEN)
		if (pf_same(pins, hash, PINFAST_PIN_LEN))
			return 1;
	return 0;
}

/* Why something could not be asked about. */
static enum pinfast_reason
reason_of(enum pf_asked asked)
{
	if (asked == PF_ASKED_BAD)
		return PINFAST_REASON_CERTIFICATE_MALFORMED;
	if (asked == PF_ASKED_GONE)
		return PINFAST_REASON_TAG_INCOMPLETE;
	return PINFAST_REASON_HASH_FAILED;
}

/* The lists of SPKI pins that speak of position i. */
static unsigned
lists_for(unsigned i)
{
	return i == 0 ? IN_ANY | IN_LEAF : IN_ANY | IN_CA;
}

/* Does position i satisfy one of the lists? */
static enum pf_asked
satisfies(struct pf_view *view, const struct pf_lists *lists, unsigned mask,
    unsigned i, int *yes)
{
	enum pf_asked asked = PF_ASKED_KNOWN;
	unsigned wanted = 0;

	*yes = 0;
	mask &= lists_for(i);
	for (unsigned role = PINFAST_ROLE_ANY; role <= PINFAST_ROLE_CA; role++)
		if (mask >> role & 1)
			wanted += lists->count[role];
	if (wanted > 0) {
		asked = pf_view_hash(view, i);
		if (asked != PF_ASKED_KNOWN)
			return asked;
		for (unsigned role = PINFAST_ROLE_ANY; role <= PINFAST_ROLE_CA;
		     role++)
			if ((mask >> role & 1) &&
			    in_list(lists->pins[role], lists->count[role],
			        view->shown->hash[i]))
				*yes = 1;
	}
	if (*yes || !(mask >> PINFAST_ROLE_CERT & 1) ||
	    lists->count[PINFAST_ROLE_CERT] == 0 ||
	    view->shown->evidence == PINFAST_EVIDENCE_RAW_KEY)
		return asked;
	asked = pf_view_leaf_cert(view);
	if (asked == PF_ASKED_KNOWN)
		*yes = in_list(lists->pins[PINFAST_ROLE_CERT],
		    lists->count[PINFAST_ROLE_CERT], view->shown->leaf_cert);
	return asked;
}

/*
 * Looks for the first position, leaf first, that satisfies one of the lists
 * in the mask.
 */
static enum pinfast_reason
search(struct pf_view *view, const struct pf_lists *lists, unsigned mask,
    int32_t *matched)
{
	enum pf_asked worst = PF_ASKED_KNOWN;

	for (unsigned i = 0; i < view->shown->count; i++) {
		int yes;
		enum pf_asked asked = satisfies(view, lists, mask, i, &yes);

		if (asked == PF_ASKED_FAILED)
			return PINFAST_REASON_HASH_FAILED;
		if (asked > worst)
			worst = asked;
		if (!yes)
			continue;
		if (!(view->shown->agreed >> i & 1))
			return PINFAST_REASON_PARSER_DISAGREEMENT;
		*matched = (int32_t)i;
		return PINFAST_REASON_PIN_MATCHED;
	}
	return worst == PF_ASKED_KNOWN ? PINFAST_REASON_PIN_MISMATCH
	                               : reason_of(worst);
}

/* `require: all-lists`: every list that has pins must be satisfied. */
static enum pinfast_reason
search_all(struct pf_view *view, const struct pf_lists *lists, int32_t *matched)
{
	static const unsigned masks[] = {IN_ANY, IN_LEAF, IN_CA};
	const unsigned counts[] = {lists->count[PINFAST_ROLE_ANY],
	    (unsigned)lists->count[PINFAST_ROLE_LEAF] +
	        lists->count[PINFAST_ROLE_CERT],
	    lists->count[PINFAST_ROLE_CA]};
	int32_t first = -1;

	for (unsigned m = 0; m < 3; m++) {
		enum pinfast_reason reason;
		int32_t at = -1;

		if (counts[m] == 0)
			continue;
		reason = search(view, lists, masks[m], &at);
		if (reason != PINFAST_REASON_PIN_MATCHED)
			return reason;
		if (first < 0)
			first = at;
	}
	*matched = first;
	return PINFAST_REASON_PIN_MATCHED;
}

static enum pinfast_reason
search_lists(struct pf_view *view, const struct pf_rule *rule,
    const struct pf_lists *lists, int32_t *matched)
{
	if (rule->flags & PF_TERM_REQUIRE_ALL)
		return search_all(view, lists, matched);
	return search(view, lists, IN_ALL, matched);
}

/* Is any key of the path rejected?  PIN_MISMATCH: none is. */
static enum pinfast_reason
search_rejected(const struct pf_ask *ask, const uint8_t *pins, unsigned count)
{
	const struct pinfast_store *store = ask->store;
	struct pf_shown *shown = ask->view->shown;
	enum pf_asked worst = PF_ASKED_KNOWN;

	if (count + store->reject_count == 0)
		return PINFAST_REASON_PIN_MISMATCH;
	for (unsigned i = 0; i < shown->count; i++) {
		enum pf_asked asked = pf_view_hash(ask->view, i);

		if (asked > worst)
			worst = asked;
		if (asked == PF_ASKED_KNOWN &&
		    (in_list(pins, count, shown->hash[i]) ||
		        in_list(store->reject, store->reject_count,
		            shown->hash[i])))
			return PINFAST_REASON_REJECTED_KEY;
	}
	return worst == PF_ASKED_KNOWN ? PINFAST_REASON_PIN_MISMATCH
	                               : reason_of(worst);
}

/* Reasons that mean "could not be judged": never loosened. */
static int
is_final(enum pinfast_reason reason)
{
	return reason == PINFAST_REASON_HASH_FAILED ||
	       reason == PINFAST_REASON_TAG_INCOMPLETE;
}

/* The leaf must have one key, read the same by both parsers. */
static enum pinfast_reason
check_leaf(const struct pf_shown *shown)
{
	if (shown->count == 0)
		return PINFAST_REASON_NO_CERTIFICATE;
	if (shown->bad & 1)
		return PINFAST_REASON_CERTIFICATE_MALFORMED;
	if (!(shown->agreed & 1))
		return PINFAST_REASON_PARSER_DISAGREEMENT;
	return PINFAST_REASON_PIN_MATCHED;
}

/* With `pkix: none` nobody else reads the leaf's dates. */
static enum pinfast_reason
check_dates(const struct pf_ask *ask, const struct pf_rule *rule)
{
	const struct pf_shown *s = ask->view->shown;

	if (rule->flags & PF_TERM_IGNORE_DATES)
		return PINFAST_REASON_PIN_MATCHED;
	if (s->evidence == PINFAST_EVIDENCE_RAW_KEY)
		return PINFAST_REASON_NOT_VERIFIED;
	if (!s->dates_known || ask->now < s->not_before ||
	    ask->now > s->not_after)
		return PINFAST_REASON_CERTIFICATE_DATES;
	return PINFAST_REASON_PIN_MATCHED;
}

static void
judge_shadow(const struct pf_ask *ask, const struct pf_rule *rule,
    struct pf_outcome *out)
{
	int32_t ignored;

	if (rule->shadow_count > 0 && ask->view->shown->count > 0)
		out->shadow = (int32_t)search_lists(ask->view, rule,
		    &rule->shadow, &ignored);
}

/* The leaf pin alone decides. */
static void
judge_pkix_none(const struct pf_ask *ask, const struct pf_rule *rule,
    struct pf_outcome *out)
{
	enum pinfast_reason reason = check_leaf(ask->view->shown);

	if (reason == PINFAST_REASON_PIN_MATCHED)
		reason = check_dates(ask, rule);
	if (reason == PINFAST_REASON_PIN_MATCHED)
		reason = search(ask->view, &rule->own, IN_LEAF, &out->matched);
	if (reason == PINFAST_REASON_PIN_MATCHED)
		go(out, reason);
	else
		pf_judge_stop(out, reason);
	judge_shadow(ask, rule, out);
}

/* The library verified the path: do the pins say yes too? */
static enum pinfast_reason
judge_pins(const struct pf_ask *ask, const struct pf_rule *rule,
    int32_t *matched)
{
	enum pinfast_reason reason;

	if (rule->pin_count == 0)
		return PINFAST_REASON_NO_PINS;
	reason = check_leaf(ask->view->shown);
	if (reason != PINFAST_REASON_PIN_MATCHED)
		return reason;
	return search_lists(ask->view, rule, &rule->own, matched);
}

/* mode is PINFAST_ENFORCE or PINFAST_REPORT. */
static void
judge_required(const struct pf_ask *ask, const struct pf_rule *rule,
    uint8_t mode, struct pf_outcome *out)
{
	enum pinfast_reason reason = PINFAST_REASON_NOT_VERIFIED;

	if (ask->pkix == PINFAST_PKIX_OK) {
		reason = judge_pins(ask, rule, &out->matched);
		judge_shadow(ask, rule, out);
	}
	if (reason == PINFAST_REASON_PIN_MATCHED ||
	    reason == PINFAST_REASON_NO_PINS)
		go(out, reason);
	else if (mode == PINFAST_REPORT && !is_final(reason))
		report(out, reason);
	else
		pf_judge_stop(out, reason);
}

static void
judge_exempt(const struct pf_ask *ask, int by_expiry, struct pf_outcome *out)
{
	if (ask->pkix != PINFAST_PKIX_OK)
		go(out, PINFAST_REASON_EXEMPT_UNVERIFIED);
	else
		go(out, by_expiry ? PINFAST_REASON_EXPIRED_UNPINNED
		                  : PINFAST_REASON_EXEMPT);
}

/*
 * The mode that is in force now: the entry's own, then its expiry replaces
 * it, then a lapse turns enforce into report.
 */
static uint8_t
mode_now(const struct pf_ask *ask, const struct pf_rule *rule,
    struct pf_outcome *out)
{
	const struct pinfast_store *store = ask->store;
	uint8_t mode = rule->mode;

	if (rule->expires != 0 && ask->now >= rule->expires) {
		mode = rule->on_expiry;
		if (mode == PINFAST_UNPIN ? rule->mode != PINFAST_OFF
		                          : mode == PINFAST_REPORT &&
		                                rule->mode == PINFAST_ENFORCE)
			out->loosened = PINFAST_LOOSENED_EXPIRY;
	}
	if (mode == PINFAST_ENFORCE && !(rule->flags & PF_TERM_PKIX_NONE) &&
	    store->valid_until != 0 && ask->now >= store->valid_until &&
	    store->on_lapse == PINFAST_REPORT) {
		mode = PINFAST_REPORT;
		out->loosened = PINFAST_LOOSENED_LAPSE;
	}
	return mode;
}

void
pf_judge_rule(const struct pf_ask *ask, const struct pf_rule *rule,
    struct pf_outcome *out)
{
	int none = (rule->flags & PF_TERM_PKIX_NONE) != 0;
	enum pinfast_reason rejected;
	uint8_t mode;

	memset(out, 0, sizeof *out);
	out->matched = -1;
	out->warn = rule->warn_after != 0 && ask->now >= rule->warn_after;
	mode = mode_now(ask, rule, out);
	if (ask->pkix == PINFAST_PKIX_FAILED && !none) {
		pf_judge_stop(out, (enum pinfast_reason)ask->why);
		return;
	}
	if (mode == PINFAST_DENY) {
		pf_judge_stop(out, PINFAST_REASON_EXPIRED);
		return;
	}
	rejected = search_rejected(ask, rule->reject, rule->reject_count);
	if (rejected != PINFAST_REASON_PIN_MISMATCH) {
		/* Only the entry's own report mode takes the edge off; what a
		 * lapse made of an expiry that enforces is not its own. */
		if (rule->mode == PINFAST_REPORT && mode == PINFAST_REPORT &&
		    out->loosened != PINFAST_LOOSENED_LAPSE &&
		    !is_final(rejected))
			report(out, rejected);
		else
			pf_judge_stop(out, rejected);
		return;
	}
	if (none)
		judge_pkix_none(ask, rule, out);
	else if (mode == PINFAST_OFF || mode == PINFAST_UNPIN)
		judge_exempt(ask, mode == PINFAST_UNPIN, out);
	else
		judge_required(ask, rule, mode, out);
}

void
pf_judge_default(const struct pf_ask *ask, uint8_t action,
    enum pinfast_reason verified, enum pinfast_reason unverified,
    struct pf_outcome *out)
{
	enum pinfast_reason reason =
	    ask->pkix == PINFAST_PKIX_OK ? verified : unverified;
	enum pinfast_reason rejected;

	memset(out, 0, sizeof *out);
	out->matched = -1;
	if (ask->pkix == PINFAST_PKIX_FAILED) {
		pf_judge_stop(out, (enum pinfast_reason)ask->why);
		return;
	}
	rejected = search_rejected(ask, NULL, 0);
	if (rejected != PINFAST_REASON_PIN_MISMATCH)
		pf_judge_stop(out, rejected);
	else if (action == PINFAST_PASS)
		go(out, reason);
	else if (action == PINFAST_REPORT)
		report(out, reason);
	else
		pf_judge_stop(out, reason);
}
