#include "core/conn.h"

#include "core/live.h"

/* As if nothing had been judged: a deny, and nothing to recheck or tag. */
static void
forget(struct pinfast_conn *conn)
{
	conn->judged = 0;
	memset(&conn->last, 0, sizeof conn->last);
	conn->last.scope = -1;
	conn->last.outcome.matched = -1;
}

static enum pinfast_error
make(struct pinfast *policy, uint16_t port, int64_t now,
    struct pinfast_conn **out)
{
	const struct pinfast_alloc *alloc = pf_live_alloc(policy);
	struct pinfast_conn *conn;

	conn = alloc->alloc(alloc->arg, sizeof *conn);
	if (conn == NULL)
		return PINFAST_ENOMEM;
	memset(conn, 0, sizeof *conn);
	conn->policy = policy;
	conn->port = port;
	conn->now = now;
	forget(conn);
	*out = conn;
	return PINFAST_OK;
}

static int
is_known(const struct pinfast_conn *conn, const struct pf_host *name)
{
	for (unsigned i = 0; i < conn->name_count; i++)
		if (conn->names[i]->key_len == name->key_len &&
		    pf_same(conn->names[i]->key, name->key, name->key_len))
			return 1;
	return 0;
}

/* A name that cannot be kept makes the connection deny. */
static enum pinfast_error
add_name(struct pinfast_conn *conn, const char *name)
{
	const struct pinfast_alloc *alloc = pf_live_alloc(conn->policy);
	struct pf_host host;
	struct pf_host *copy;

	conn->invalid++;
	if (name == NULL ||
	    pf_host_parse(name, strlen(name), &host) != PINFAST_OK)
		return PINFAST_EHOST;
	if (is_known(conn, &host)) {
		conn->invalid--;
		return PINFAST_OK;
	}
	if (conn->name_count == PF_MAX_NAMES)
		return PINFAST_ELIMIT;
	copy = alloc->alloc(alloc->arg, sizeof *copy);
	if (copy == NULL)
		return PINFAST_ENOMEM;
	*copy = host;
	conn->names[conn->name_count++] = copy;
	conn->invalid--;
	return PINFAST_OK;
}

static void
destroy(struct pinfast_conn *conn)
{
	const struct pinfast_alloc *alloc = pf_live_alloc(conn->policy);

	for (unsigned i = 0; i < conn->name_count; i++)
		alloc->free(alloc->arg, conn->names[i]);
	alloc->free(alloc->arg, conn);
}

/* Gives a new connection its only name; what has no memory for it ends. */
static enum pinfast_error
name_only(struct pinfast_conn *conn, const char *host,
    struct pinfast_conn **out)
{
	conn->explicit_host = 1;
	if (add_name(conn, host) == PINFAST_ENOMEM) {
		destroy(conn);
		return PINFAST_ENOMEM;
	}
	*out = conn;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_conn_new(struct pinfast *policy, const char *host, uint16_t port,
    int64_t now, struct pinfast_conn **out)
{
	struct pinfast_conn *conn;
	enum pinfast_error error;

	if (policy == NULL || out == NULL)
		return PINFAST_EUSAGE;
	error = make(policy, port, now, &conn);
	if (error != PINFAST_OK)
		return error;
	if (host != NULL)
		return name_only(conn, host, out);
	*out = conn;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_conn_new_server(struct pinfast *policy, const char *label, int64_t now,
    struct pinfast_conn **out)
{
	struct pinfast_conn *conn;
	enum pinfast_error error;

	if (policy == NULL || out == NULL)
		return PINFAST_EUSAGE;
	error = make(policy, 0, now, &conn);
	if (error != PINFAST_OK)
		return error;
	conn->server = 1;
	return name_only(conn, label, out);
}

enum pinfast_error
pinfast_conn_add_name(struct pinfast_conn *conn, const char *name)
{
	enum pinfast_error error;
	unsigned count = conn->name_count;

	if (conn->explicit_host)
		return PINFAST_OK;
	if (conn->invalid == 255)
		return PINFAST_ELIMIT;
	error = add_name(conn, name);
	/* What was judged before did not speak of this name. */
	if (error != PINFAST_OK || conn->name_count != count)
		forget(conn);
	return error;
}

void
pinfast_conn_free(struct pinfast_conn *conn)
{
	struct pinfast_verdict ignored;

	if (conn == NULL)
		return;
	ignored = pinfast_conn_settle(conn);
	(void)ignored;
	destroy(conn);
}

void
pinfast_conn_drop(struct pinfast_conn *conn)
{
	if (conn != NULL && !conn->judged &&
	    conn->last.verdict.reason == PINFAST_REASON_NOT_JUDGED)
		conn->settled = 1;
	pinfast_conn_free(conn);
}

void
pinfast_conn_again(struct pinfast_conn *conn)
{
	conn->again = 1;
}

void
pinfast_insecure_conn_one_parser(struct pinfast_conn *conn)
{
	conn->one_parser = 1;
}

struct pf_question
pf_conn_question(const struct pinfast_conn *conn)
{
	struct pf_question q = {conn->names, conn->name_count, conn->port,
	    conn->server, 1, conn->now};

	return q;
}

void
pf_conn_begin(struct pinfast_conn *conn, uint8_t evidence, uint8_t pkix,
    struct pf_view *view)
{
	memset(view, 0, sizeof *view);
	view->shown = &conn->shown;
	view->policy = conn->policy;
	memset(&conn->shown, 0, sizeof conn->shown);
	conn->shown.evidence = evidence;
	conn->shown.pkix = pkix;
	conn->shown.why = PINFAST_REASON_PKIX_FAILED;
	conn->shown.verified_at = conn->now;
	memcpy(conn->shown.trust, conn->trust, sizeof conn->trust);
	conn->resumed = 0;
	conn->judged = 1;
}

struct pinfast_verdict
pf_conn_deny(struct pinfast_conn *conn, enum pinfast_reason reason)
{
	/* There is no evidence that a recheck could judge again. */
	forget(conn);
	pf_judge_stop(&conn->last.outcome, reason);
	conn->last.verdict = pf_verdict(&conn->last.outcome);
	return conn->last.verdict;
}

struct pinfast_verdict
pf_conn_end(struct pinfast_conn *conn, struct pf_view *view)
{
	struct pf_question question = pf_conn_question(conn);

	if (conn->invalid)
		return pf_conn_deny(conn, PINFAST_REASON_HOST_INVALID);
	pf_conn_judge(conn->policy, &question, view, &conn->last);
	return conn->last.verdict;
}

/* What a settled connection answers to further judging. */
static struct pinfast_verdict
too_late(void)
{
	struct pinfast_verdict verdict = {0, PINFAST_REASON_SETTLED};

	return verdict;
}

struct pinfast_verdict
pinfast_judge_path(struct pinfast_conn *conn, const struct pinfast_cert *path,
    size_t count)
{
	struct pf_view view;

	if (conn->settled)
		return too_late();
	pf_conn_begin(conn, PINFAST_EVIDENCE_VERIFIED_PATH, PINFAST_PKIX_OK,
	    &view);
	if (path == NULL || count == 0)
		return pf_conn_deny(conn, PINFAST_REASON_NO_CERTIFICATE);
	if (count > PF_MAX_PATH)
		return pf_conn_deny(conn, PINFAST_REASON_PATH_TOO_LONG);
	pf_view_certs(&view, path, count, conn->one_parser);
	return pf_conn_end(conn, &view);
}

struct pinfast_verdict
pinfast_judge_path_lazy(struct pinfast_conn *conn,
    const struct pinfast_path *path)
{
	struct pf_view view;

	if (conn->settled)
		return too_late();
	pf_conn_begin(conn, PINFAST_EVIDENCE_VERIFIED_PATH, PINFAST_PKIX_OK,
	    &view);
	if (path == NULL || path->count == 0)
		return pf_conn_deny(conn, PINFAST_REASON_NO_CERTIFICATE);
	if (path->count > PF_MAX_PATH)
		return pf_conn_deny(conn, PINFAST_REASON_PATH_TOO_LONG);
	pf_view_path(&view, path, conn->one_parser);
	return pf_conn_end(conn, &view);
}

/* Whatever else is verified, this stays as it is. */
static int
is_about_leaf(int32_t reason)
{
	return reason == PINFAST_REASON_PIN_MISMATCH ||
	       reason == PINFAST_REASON_REJECTED_KEY ||
	       reason == PINFAST_REASON_CERTIFICATE_MALFORMED ||
	       reason == PINFAST_REASON_PARSER_DISAGREEMENT;
}

/* Is the leaf's pin known, and one that is asked for?  By the one entry there
 * is, such a leaf is not refused for itself; the whole question is asked once
 * it is verified. */
static int
is_wanted(struct pinfast_conn *conn, const struct pinfast_path *path)
{
	uint8_t pin[PINFAST_PIN_LEN];

	return conn->name_count == 1 && conn->port != 0 &&
	       path->known != NULL && path->known(path->arg, 0, pin) &&
	       pf_conn_wants(conn, pin) > 0;
}

int
pinfast_judge_before(struct pinfast_conn *conn, const struct pinfast_path *path)
{
	struct pinfast_verdict verdict;
	struct pinfast_path leaf;
	struct pf_view view;

	if (conn->settled || path == NULL || path->count == 0)
		return 0;
	if (is_wanted(conn, path)) {
		forget(conn);
		return 0;
	}
	if (!(pinfast_conn_needs(conn) & PINFAST_NEED_LEAF))
		return 0;
	leaf = *path;
	leaf.count = 1;
	/* As if it were verified: what is refused even so, is refused, unless
	 * a policy that was loaded meanwhile asks about other keys. */
	pf_conn_begin(conn, PINFAST_EVIDENCE_VERIFIED_PATH, PINFAST_PKIX_OK,
	    &view);
	pf_view_path(&view, &leaf, conn->one_parser);
	verdict = pf_conn_end(conn, &view);
	conn->shown.evidence = PINFAST_EVIDENCE_LEAF_ONLY;
	conn->shown.pkix = PINFAST_PKIX_NOT_RUN;
	if (verdict.decision != PINFAST_ALLOW && !conn->last.beyond_leaf &&
	    is_about_leaf(verdict.reason))
		return 1;
	forget(conn);
	return 0;
}

struct pinfast_verdict
pinfast_judge_leaf(struct pinfast_conn *conn, const struct pinfast_cert *leaf,
    enum pinfast_pkix pkix)
{
	struct pf_view view;

	if (conn->settled)
		return too_late();
	if (pkix != PINFAST_PKIX_OVERRIDDEN)
		pkix = PINFAST_PKIX_NOT_RUN;
	pf_conn_begin(conn, PINFAST_EVIDENCE_LEAF_ONLY, (uint8_t)pkix, &view);
	if (leaf == NULL)
		return pf_conn_deny(conn, PINFAST_REASON_NO_CERTIFICATE);
	pf_view_certs(&view, leaf, 1, conn->one_parser);
	return pf_conn_end(conn, &view);
}

struct pinfast_verdict
pinfast_judge_key(struct pinfast_conn *conn, struct pinfast_bytes spki)
{
	struct pf_view view;

	if (conn->settled)
		return too_late();
	pf_conn_begin(conn, PINFAST_EVIDENCE_RAW_KEY, PINFAST_PKIX_NOT_RUN,
	    &view);
	if (spki.data == NULL)
		return pf_conn_deny(conn, PINFAST_REASON_NO_CERTIFICATE);
	pf_view_key(&view, spki);
	return pf_conn_end(conn, &view);
}

struct pinfast_verdict
pinfast_judge_failed(struct pinfast_conn *conn, const struct pinfast_cert *leaf,
    enum pinfast_reason why)
{
	struct pf_view view;

	if (conn->settled)
		return too_late();
	pf_conn_begin(conn, PINFAST_EVIDENCE_FAILED, PINFAST_PKIX_FAILED,
	    &view);
	if (why == PINFAST_REASON_PATH_SEARCH_LIMIT ||
	    why == PINFAST_REASON_NO_CERTIFICATE)
		conn->shown.why = (int32_t)why;
	if (leaf != NULL)
		pf_view_certs(&view, leaf, 1, conn->one_parser);
	return pf_conn_end(conn, &view);
}

struct pinfast_verdict
pinfast_conn_verdict(const struct pinfast_conn *conn)
{
	return conn->last.verdict;
}

/* Is this host (NULL: whatever it has) the connection's own? */
static int
is_own(const struct pinfast_conn *conn, const struct pf_host *host,
    uint16_t port)
{
	return host == NULL || (conn->name_count == 1 && port == conn->port &&
	                           is_known(conn, host));
}

struct pinfast_verdict
pinfast_conn_recheck(struct pinfast_conn *conn, const char *host, uint16_t port,
    int64_t now, int name_verified)
{
	struct pf_question question = pf_conn_question(conn);
	struct pf_host other;
	struct pf_host *names[1] = {&other};
	struct pf_judgement judgement;
	struct pf_view view;

	memset(&judgement, 0, sizeof judgement);
	judgement.verdict.reason = PINFAST_REASON_HOST_INVALID;
	question.now = now;
	if (host != NULL) {
		if (pf_host_parse(host, strlen(host), &other) != PINFAST_OK)
			return judgement.verdict;
		question.names = names;
		question.name_count = 1;
		question.port = port;
		/* Whoever has verified no chain may name whom he likes. */
		question.name_verified =
		    is_own(conn, &other, conn->port) ||
		    (name_verified == 1 && conn->shown.pkix == PINFAST_PKIX_OK);
	}
	if (conn->invalid)
		return judgement.verdict;
	/* A deny is final: nobody may go on where the peer was refused. */
	if (conn->settled && conn->refused)
		return conn->last.verdict;
	judgement.verdict.reason = PINFAST_REASON_NOT_JUDGED;
	if (!conn->judged)
		return judgement.verdict;
	if (host == NULL && pf_conn_stands(conn, now))
		return conn->last.verdict;
	memset(&view, 0, sizeof view);
	view.shown = &conn->shown;
	view.policy = conn->policy;
	pf_conn_judge(conn->policy, &question, &view, &judgement);
	if (is_own(conn, host == NULL ? NULL : &other, port))
		conn->last = judgement;
	return judgement.verdict;
}

/* Takes what fresh knows over; 0: it speaks of other keys. */
static int
merge(struct pf_shown *shown, const struct pf_shown *fresh)
{
	unsigned both = shown->known & fresh->known;

	for (unsigned i = 0; i < shown->count; i++)
		if ((both >> i & 1) &&
		    !pf_same(shown->hash[i], fresh->hash[i], PINFAST_PIN_LEN))
			return 0;
	for (unsigned i = 0; i < shown->count; i++)
		if (fresh->known >> i & 1)
			memcpy(shown->hash[i], fresh->hash[i], PINFAST_PIN_LEN);
	shown->known |= fresh->known;
	shown->agreed |= fresh->agreed;
	shown->bad |= fresh->bad;
	shown->leaf_cert_known = fresh->leaf_cert_known;
	memcpy(shown->leaf_cert, fresh->leaf_cert, PINFAST_PIN_LEN);
	return 1;
}

enum pinfast_error
pinfast_conn_complete(struct pinfast_conn *conn,
    const struct pinfast_path *path)
{
	struct pf_shown fresh;
	struct pf_view view;

	if (!conn->judged || conn->resumed || path == NULL ||
	    conn->shown.evidence != PINFAST_EVIDENCE_VERIFIED_PATH ||
	    path->count != conn->shown.count)
		return PINFAST_EUSAGE;
	memset(&fresh, 0, sizeof fresh);
	memset(&view, 0, sizeof view);
	view.shown = &fresh;
	view.policy = conn->policy;
	pf_view_path(&view, path, conn->one_parser);
	for (unsigned i = 0; i < fresh.count; i++)
		if (pf_view_hash(&view, i) == PF_ASKED_FAILED)
			return PINFAST_EIO;
	if (pf_view_leaf_cert(&view) == PF_ASKED_FAILED)
		return PINFAST_EIO;
	return merge(&conn->shown, &fresh) ? PINFAST_OK : PINFAST_EFORMAT;
}
