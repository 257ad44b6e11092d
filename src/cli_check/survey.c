#define _DEFAULT_SOURCE
#include "cli_check/survey.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli_check/checkprint.h"
#include "cli_check/in_service.h"
#include "cli_check/turns.h"
#include "cli_live/trial.h"

#define PROGRESS_MS 200

/* One server that is being asked. */
struct job {
	struct pf_server server;
	struct pf_probe probe;
	struct pf_in_service in_service;
	struct pf_in_turn *turn;
	size_t interrupted; /* so many of its connections were */
};

struct running {
	const struct pf_survey *s;
	struct pf_json *j;       /* NULL: text */
	struct pf_answer *hears; /* the events of the connection that settles */
	struct pf_junit junit;
	struct pf_prom prom;
	struct pf_checked_sum sum;
	struct pf_turns turns;
	size_t done, all;
	int progress; /* a line of it is on the terminal */
	int shows_progress;
	int64_t shown_at;
	int status; /* wrong usage, or out of memory */
};

/* ------------------------------------------------------------ progress */

static int64_t
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
clear_progress(struct running *r)
{
	if (r->progress)
		fputs("\r\033[K", stderr);
	r->progress = 0;
}

static void
show_progress(struct running *r)
{
	int64_t now;

	if (!r->shows_progress)
		return;
	now = clock_ms();
	if (r->progress && now - r->shown_at < PROGRESS_MS)
		return;
	fprintf(stderr, "\r\033[K%zu of %zu servers, %lu denied, %lu undecided",
	    r->done, r->all, r->sum.count[PF_CHECKED_DENIED],
	    r->sum.count[PF_CHECKED_UNDECIDED]);
	fflush(stderr);
	r->progress = 1;
	r->shown_at = now;
}

/* ------------------------------------------------------------ handshakes */

static void
on_event(void *arg, const struct pinfast_event *event)
{
	struct running *r = arg;

	if (r->hears != NULL)
		pf_answer_hear(r->hears, event);
}

/* In the middle of a handshake: what would the adapter do? */
static void
on_verify(void *arg, const struct pf_probe *probe, X509_STORE_CTX *xs,
    struct pf_probe_pkix *pkix, void **judged)
{
	struct running *r = arg;
	struct job *job = probe->arg;
	struct pf_trial t = {.host = &job->server.host, .now = r->s->now};
	struct pf_answer *a = calloc(1, sizeof *a);

	if (a == NULL || pinfast_conn_new(r->s->policy, probe->host,
	                     probe->port, r->s->now, &a->conn) != PINFAST_OK) {
		free(a);
		return;
	}
	a->matched = -1;
	pf_trial_judge(&t, xs, a);
	pkix->ran = a->pkix_ran;
	pkix->ok = a->pkix_ok;
	snprintf(pkix->error, sizeof pkix->error, "%s", a->pkix_error);
	*judged = a;
}

/* The handshake is over: the verdict is final. */
static void
settle(struct running *r, struct job *job, struct pf_answer *a,
    struct pf_checked_row *row)
{
	char text[4096];

	r->hears = a;
	a->verdict = pinfast_conn_settle(a->conn);
	r->hears = NULL;
	row->judged = 1;
	row->reason = a->verdict.reason;
	row->shadow = a->shadow;
	row->pkix_ran = a->pkix_ran;
	row->pkix_ok = a->pkix_ok;
	memcpy(row->pkix_error, a->pkix_error, sizeof row->pkix_error);
	if (a->verdict.decision != PINFAST_ALLOW)
		row->status = PF_CHECKED_DENIED;
	else if (a->reported)
		row->status = PF_CHECKED_REPORTED;
	if (row->status != PF_CHECKED_OK) {
		(void)pinfast_conn_explain(a->conn, text, sizeof text);
		if (a->pkix_error[0] != '\0') {
			size_t len = strlen(text);

			snprintf(text + len, sizeof text - len, " (%s)",
			    a->pkix_error);
		}
		row->why = strdup(text);
	}
	job->turn->checked.warn |= a->warn;
	pf_in_service_path(&job->in_service, a->path);
}

/* What the engine says, where the judge says nothing. */
static void
take_row(struct running *r, struct job *job,
    const struct pf_probe_result *result)
{
	struct pf_checked_row row;
	struct pf_answer *a = result->judged;

	memset(&row, 0, sizeof row);
	snprintf(row.address, sizeof row.address, "%s", result->address);
	row.version = result->version;
	row.no_route = result->no_route;
	row.elapsed_ms = result->elapsed_ms;
	row.dropped = result->dropped;
	if (result->asked != PF_PROBE_ANY)
		row.key = result->asked == PF_PROBE_RSA ? "rsa" : "ecdsa";
	pf_in_service_leaf(result->presented, &row);
	if (a != NULL)
		settle(r, job, a, &row);
	/* A deny is final at once; an allow needs the proof of possession. */
	if (result->stage != PF_STAGE_DONE)
		row.stage = pf_probe_stage_name(result->stage);
	if (row.status != PF_CHECKED_DENIED &&
	    (result->stage != PF_STAGE_DONE || a == NULL)) {
		free(row.why);
		row.judged = 0;
		row.status = PF_CHECKED_UNDECIDED;
		row.why = strdup(result->why[0] != '\0'
		                     ? result->why
		                     : "the server showed no certificate");
	}
	if (!pf_checked_add(&job->turn->checked, &row))
		r->status = PF_EXIT_UNDECIDED;
}

/* Whoever is half looked at is not ok. */
static void
take_interrupted(struct running *r, struct job *job,
    const struct pf_probe_result *result)
{
	struct pf_checked_row row;

	memset(&row, 0, sizeof row);
	snprintf(row.address, sizeof row.address, "%s", result->address);
	if (result->stage != PF_STAGE_DONE)
		row.stage = pf_probe_stage_name(result->stage);
	row.status = PF_CHECKED_UNDECIDED;
	row.elapsed_ms = result->elapsed_ms;
	if (result->asked != PF_PROBE_ANY)
		row.key = result->asked == PF_PROBE_RSA ? "rsa" : "ecdsa";
	row.why = strdup("interrupted");
	job->interrupted++;
	if (!pf_checked_add(&job->turn->checked, &row))
		r->status = PF_EXIT_UNDECIDED;
}

/* Nobody said that there is no such key: people are told how it is known. */
static void
take_silence(struct running *r, struct job *job,
    const struct pf_probe_result *result)
{
	struct pf_checked_row row;

	memset(&row, 0, sizeof row);
	snprintf(row.address, sizeof row.address, "%s", result->address);
	row.absent = 1;
	row.elapsed_ms = result->elapsed_ms;
	row.key = result->asked == PF_PROBE_RSA ? "rsa" : "ecdsa";
	row.why = strdup("it hung up when it was asked for such a key: taken "
	                 "as having none");
	if (!pf_checked_add(&job->turn->checked, &row))
		r->status = PF_EXIT_UNDECIDED;
}

static int
is_over(int64_t until, int64_t now)
{
	return until != 0 && until <= now;
}

/* Is nothing to be said about it, but that it is ok? */
static int
is_plain(const struct pf_checked *c, int64_t now)
{
	if (c->status != PF_CHECKED_OK || c->warn || is_over(c->expires, now))
		return 0;
	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].dropped > 0)
			return 0;
	return 1;
}

static void
tell(void *arg, const struct pf_checked *c)
{
	struct running *r = arg;

	clear_progress(r);
	if (r->j != NULL)
		pf_checked_json(r->j, c);
	else if (!r->s->quiet || !is_plain(c, r->s->now))
		pf_checked_print(c, r->s->now);
	if (r->s->junit != NULL)
		pf_junit_add(&r->junit, c);
	if (r->s->prometheus != NULL)
		pf_prom_add(&r->prom, c);
}

static void
free_job(struct job *job)
{
	pf_server_fini(&job->server);
	free(job);
}

/* There will be no more connections to it. */
static void
finish(struct running *r, struct job *job)
{
	struct pf_checked *c = &job->turn->checked;
	/* What was not looked at is not told about. */
	int worth_it = job->interrupted == 0 || c->looked > job->interrupted;

	r->done++;
	pf_checked_fold(c);
	pf_in_service_count(&job->in_service, c);
	r->sum.count[c->status] += (unsigned long)worth_it;
	pf_turns_over(&r->turns, job->turn, worth_it);
	free_job(job);
	show_progress(r);
}

static void
on_result(void *arg, const struct pf_probe *probe,
    const struct pf_probe_result *result)
{
	struct running *r = arg;
	struct job *job = probe->arg;
	int last = result->last;

	if (result->interrupted)
		take_interrupted(r, job, result);
	else if (!result->absent)
		take_row(r, job, result);
	else if (result->silent)
		take_silence(r, job, result);
	if (result->judged != NULL) {
		pf_answer_fini(result->judged);
		free(result->judged);
	}
	if (last)
		finish(r, job);
}

/* ------------------------------------------------------------ servers */

static struct job *
new_job(struct running *r)
{
	struct job *job = calloc(1, sizeof *job);

	if (job != NULL)
		job->turn = pf_turns_take(&r->turns);
	if (job != NULL && job->turn != NULL)
		return job;
	free(job);
	return NULL;
}

static const struct pf_probe *
next_probe(void *arg)
{
	struct running *r = arg;
	struct pf_target target;
	struct pf_checked *c;
	struct job *job;
	char text[PF_CHECKED_NAME];

	if (r->status != PF_EXIT_FINE ||
	    !pf_targets_next(r->s->targets, &target))
		return NULL;
	job = new_job(r);
	if (job == NULL) {
		r->status = PF_EXIT_UNDECIDED;
		return NULL;
	}
	c = &job->turn->checked;
	snprintf(c->host, sizeof c->host, "%s", target.host.text);
	c->port = target.port;
	if (target.starttls != PF_STARTTLS_NONE)
		c->starttls = pf_starttls_name(target.starttls);
	pf_checked_name(c, text);
	if (!pf_server_read("check", r->s->reach, text, &job->server)) {
		r->status = PF_EXIT_UNDECIDED;
		pf_turns_over(&r->turns, job->turn, 0);
		free_job(job);
		return NULL;
	}
	c->by_proxy = pf_reach_is_blind(r->s->reach, &job->server);
	pf_in_service_init(&job->in_service, r->s->store, &target.host,
	    target.port, c);
	job->probe = pf_server_probe(&job->server, r->s->reach);
	job->probe.starttls = (int)target.starttls;
	job->probe.both = 1;
	job->probe.arg = job;
	return &job->probe;
}

/* ------------------------------------------------------------ the end */

static int
has_trouble(const struct pf_checked_sum *sum)
{
	return sum->interrupted || is_over(sum->valid_until, sum->now) ||
	       sum->count[PF_CHECKED_REPORTED] > 0 ||
	       sum->count[PF_CHECKED_UNDECIDED] > 0 ||
	       sum->count[PF_CHECKED_DENIED] > 0;
}

static int
exit_status(const struct running *r)
{
	if (r->sum.interrupted)
		return pf_reach_interrupted();
	if (r->sum.count[PF_CHECKED_DENIED] > 0)
		return PF_EXIT_NO;
	if (r->sum.count[PF_CHECKED_UNDECIDED] > 0 || r->all == 0)
		return PF_EXIT_UNDECIDED;
	return r->status;
}

/* Half a run would make servers vanish from the metrics: then the last whole
 * one stays. */
static int
write_files(struct running *r)
{
	int fine = 1;

	if (r->s->junit != NULL)
		fine &= pf_junit_write(&r->junit, &r->sum, r->s->junit);
	if (r->s->prometheus != NULL && !r->sum.interrupted)
		fine &= pf_prom_write(&r->prom, &r->sum, r->s->prometheus);
	return fine;
}

static int
run(struct running *r)
{
	struct pf_probe_options options = pf_reach_options(r->s->reach);
	enum pf_probe_end end;

	options.anchors = pf_reach_anchors(r->s->reach);
	if (options.anchors == NULL)
		return PF_EXIT_UNDECIDED;
	options.now = r->s->now;
	options.stop = pf_reach_interrupt();
	options.verify = on_verify;
	options.done = on_result;
	options.arg = r;
	pinfast_on_event(r->s->policy, on_event, r);
	if (r->j != NULL) {
		pf_json_begin(r->j, NULL, '{');
		pf_json_begin(r->j, "servers", '[');
	}
	show_progress(r);
	end = pf_probe_run(next_probe, r, &options);
	clear_progress(r);
	X509_STORE_free(options.anchors);
	r->sum.interrupted = end == PF_PROBE_STOPPED;
	if (end == PF_PROBE_FAILED || r->status != PF_EXIT_FINE) {
		pf_complain("check", "out of memory or file descriptors");
		r->status = PF_EXIT_UNDECIDED;
	}
	/* What somebody wanted to be looked at was not. */
	if (!r->sum.interrupted && pf_reach_complain_unused(r->s->reach) > 0)
		r->status = PF_EXIT_UNDECIDED;
	if (r->j != NULL) {
		pf_json_end(r->j, ']');
		pf_checked_json_sum(r->j, &r->sum);
		pf_json_end(r->j, '}');
		putchar('\n');
	} else if (!r->s->quiet || has_trouble(&r->sum)) {
		pf_checked_print_sum(&r->sum);
	}
	if (!write_files(r))
		r->status = PF_EXIT_UNDECIDED;
	return exit_status(r);
}

int
pf_survey_run(const struct pf_survey *s)
{
	struct pf_json j = {stdout, 1};
	struct running r = {.s = s, .j = s->json ? &j : NULL};
	int status;

	r.turns.most = PF_TURNS_MOST;
	r.turns.tell = tell;
	r.turns.arg = &r;
	r.sum.now = s->now;
	r.sum.valid_until = s->store->valid_until;
	r.sum.not_checked = s->targets->not_checked;
	r.sum.without_probes = s->targets->is_store;
	r.all = s->targets->count;
	r.shows_progress = isatty(STDERR_FILENO);
	/* The outputs say so, too: what they said before is over. */
	if (r.all == 0)
		pf_complain("check",
		    r.sum.without_probes
		        ? "no entry of the store names a server; name HOST, "
		          "or check the policy's text: a store holds no "
		          "`probe`"
		        : "no entry of the policy names a server; name HOST, "
		          "or write `probe`");
	if ((s->junit != NULL && !pf_junit_init(&r.junit)) ||
	    (s->prometheus != NULL && !pf_prom_init(&r.prom))) {
		pf_complain("check", "out of memory");
		status = PF_EXIT_UNDECIDED;
	} else {
		status = run(&r);
	}
	pf_junit_fini(&r.junit);
	pf_prom_fini(&r.prom);
	return status;
}
