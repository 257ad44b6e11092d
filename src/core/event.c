#include "core/conn.h"
#include "core/live.h"

static void
fill_event(const struct pinfast_conn *conn, struct pinfast_event *e)
{
	const struct pf_judgement *j = &conn->last;
	const struct pf_shown *s = &conn->shown;
	int tell = j->verdict.decision != PINFAST_ALLOW || j->outcome.reported;

	e->size = sizeof *e;
	e->serial = j->serial;
	e->policy = j->has_policy ? j->policy : NULL;
	e->host = conn->name_count > 0 ? conn->names[j->name]->text : "";
	e->port = conn->port;
	e->entry_port = j->entry_port;
	e->entry_at = j->entry_at;
	e->entry_scope = j->scope;
	e->decision = j->verdict.decision;
	e->reason = j->verdict.reason;
	e->reported = j->outcome.reported;
	e->shadow = j->outcome.shadow;
	e->evidence = conn->resumed ? PINFAST_EVIDENCE_TAG : s->evidence;
	e->pkix = s->pkix;
	e->loosened = j->outcome.loosened;
	e->warn = j->outcome.warn;
	e->resumed = conn->resumed;
	e->server = conn->server;
	e->path_count = s->count;
	e->hashes_known = s->known;
	e->path = tell && s->known != 0
	              ? (const uint8_t(*)[PINFAST_PIN_LEN])s->hash
	              : NULL;
	e->matched = j->outcome.matched;
}

struct pinfast_verdict
pinfast_conn_settle(struct pinfast_conn *conn)
{
	struct pinfast_event event;

	if (conn->settled)
		return conn->last.verdict;
	conn->settled = 1;
	conn->refused = conn->last.verdict.decision != PINFAST_ALLOW;
	if (conn->again)
		return conn->last.verdict;
	memset(&event, 0, sizeof event);
	fill_event(conn, &event);
	pf_live_event(conn->policy, &event);
	return conn->last.verdict;
}
