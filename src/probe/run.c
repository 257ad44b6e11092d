/*
 * The loop: starts connections while there is room, waits for all of them
 * together, and ends those whose time is over.
 *
 * A connection counts as busy while it is new in its stage: a few busy ones
 * keep the processor at work, and those that wait for a slow network or a dead
 * server cost a descriptor and no turn.  In the handshake, where it holds
 * OpenSSL's 40 kB, it counts for longer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "probe/flight.h"

#define BUSY 64
#define BUSY_MS 100
#define BUSY_TLS_MS 1000
#define LATER_MS 200  /* until a second try */
#define CALM 8        /* fewer busy ones: there is time for a second one each */
#define RESOLVING 32  /* names at a time */
#define GLANCE_MS 200 /* how often the stop flag is looked at */

static int64_t
now_ms(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void
detach(struct pf_queued *link)
{
	if (link->next == NULL)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->prev = link->next = NULL;
}

static void
append(struct pf_queued *head, struct pf_queued *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static int
stopped(const struct pf_run *run)
{
	return run->o->stop != NULL && *run->o->stop != 0;
}

static void
chill(struct pf_flight *f)
{
	f->run->busy -= (unsigned)f->busy;
	f->busy = 0;
	detach(&f->age);
}

void
pf_run_enter(struct pf_flight *f, enum pf_probe_stage stage)
{
	int tls = stage == PF_STAGE_HANDSHAKE;
	int64_t now = now_ms();

	f->stage = stage;
	f->deadline = now + f->run->timeout_ms;
	/* All steps take equally long: the last one ends last. */
	detach(&f->due);
	append(&f->run->due, &f->due);
	chill(f);
	if (stage == PF_STAGE_RESOLVE)
		return;
	f->busy = 1;
	f->run->busy++;
	f->cools = now + (tls ? BUSY_TLS_MS : BUSY_MS);
	append(&f->run->age[tls], &f->age);
}

static struct pf_flight *
flight_new(struct pf_run *run, struct pf_batch *batch)
{
	struct pf_flight *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->run = run;
	f->batch = batch;
	f->due.of = f->age.of = f;
	f->fd = -1;
	f->began = now_ms();
	return f;
}

static void
flight_free(struct pf_flight *f)
{
	detach(&f->due);
	chill(f);
	if (f->fd >= 0)
		f->run->open--;
	SSL_free(f->ssl);
	free(f->dialogue);
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f);
}

static void
batch_free(struct pf_batch *batch)
{
	pf_query_free(batch->query);
	free(batch);
}

/* One result less is to come. */
static void
deliver(struct pf_run *run, struct pf_batch *batch,
    struct pf_probe_result *result)
{
	result->last = --batch->left == 0;
	run->o->done(run->o->arg, batch->probe, result);
	if (result->last)
		batch_free(batch);
}

enum question { FIRST, AT_LENGTH, LATER };

static void launch(struct pf_run *run, struct pf_batch *batch,
    const struct pf_address *address, enum pf_probe_key asked,
    enum question question);

/*
 * In short where TLS begins at once, as long as every second one says no:
 * those that have not answered count as if they would not.
 */
static int
is_brief(struct pf_run *run, const struct pf_batch *batch,
    enum pf_probe_key asked)
{
	if (asked == PF_PROBE_ANY || run->asked[asked]++ < PF_PROBE_FEW ||
	    run->brief > 2 * run->plain_no + PF_PROBE_FEW ||
	    batch->probe->starttls != 0)
		return 0;
	run->brief++;
	return 1;
}

/* The first question to this address is still under way. */
static int
has_first(const struct pf_run *run, const struct pf_flight *f)
{
	for (struct pf_queued *l = run->due.next; l != &run->due; l = l->next)
		if (l->of->batch == f->batch && l->of->asked == PF_PROBE_ANY &&
		    pf_address_same(&l->of->address, &f->address))
			return 1;
	return 0;
}

/*
 * A short question was not enough; or the server hung up without a word, and
 * may be one that takes few connections at a time.
 */
static void
ask_again(struct pf_flight *f, enum question question)
{
	struct pf_run *run = f->run;
	struct pf_batch *batch = f->batch;
	struct pf_address address = f->address;
	enum pf_probe_key asked = f->asked;

	flight_free(f);
	launch(run, batch, &address, asked, question);
}

/* A connection is over: its result, and what waited for it. */
static void
finish(struct pf_flight *f, enum pf_step step, struct pf_probe_result *result)
{
	struct pf_run *run = f->run;
	struct pf_batch *batch = f->batch;
	struct pf_address address = f->address;
	enum pf_probe_key other = f->other;

	result->elapsed_ms = now_ms() - f->began;
	pf_tell(f, step, result);
	if (f->again || (result->silent && !f->is_late)) {
		ask_again(f, f->again ? AT_LENGTH : LATER);
		return;
	}
	run->plain_no += f->brief && f->stage == PF_STAGE_HANDSHAKE;
	batch->left += other != PF_PROBE_ANY;
	deliver(run, batch, result);
	/* Nothing but a good-bye is ever sent. */
	if (step == PF_STEP_DONE && SSL_is_init_finished(f->ssl))
		(void)SSL_shutdown(f->ssl);
	flight_free(f);
	if (other != PF_PROBE_ANY)
		launch(run, batch, &address, other, FIRST);
}

/* Dials, at another address of the proxy when one of them fails. */
static enum pf_step
dial(struct pf_flight *f, struct pf_probe_result *result)
{
	enum pf_step step;

	pf_run_enter(f, PF_STAGE_CONNECT);
	step = pf_flight_dial(f, result);
	f->run->open += f->fd >= 0;
	return step;
}

static void
settle(struct pf_flight *f, enum pf_step step, struct pf_probe_result *result)
{
	while (step == PF_STEP_FAILED && f->stage == PF_STAGE_CONNECT &&
	       f->run->o->proxy != NULL &&
	       f->proxy_index + 1 < f->run->proxy_count) {
		f->proxy_index++;
		if (f->fd >= 0) {
			(void)close(f->fd);
			f->run->open--;
		}
		step = dial(f, result);
	}
	if (step != PF_STEP_WAIT)
		finish(f, step, result);
}

static void
begin(struct pf_flight *f)
{
	struct pf_probe_result result = {.stage = PF_STAGE_CONNECT};
	struct pollfd fd = {-1, POLLOUT, 0};
	enum pf_step step = dial(f, &result);

	fd.fd = f->fd;
	/* The server is idle while the other handshake is verified. */
	if (f->asked != PF_PROBE_ANY && step == PF_STEP_WAIT &&
	    poll(&fd, 1, 0) > 0)
		step = pf_flight_move(f, (uint32_t)fd.revents, &result);
	settle(f, step, &result);
}

static void
launch(struct pf_run *run, struct pf_batch *batch,
    const struct pf_address *address, enum pf_probe_key asked,
    enum question question)
{
	struct pf_probe_result result = {.stage = PF_STAGE_CONNECT};
	struct pf_flight *f = flight_new(run, batch);

	if (f == NULL) {
		(void)pf_fault(&result, "out of memory");
		pf_address_text(address, result.address);
		result.asked = asked;
		deliver(run, batch, &result);
		return;
	}
	f->address = *address;
	f->asked = asked;
	f->stage = PF_STAGE_CONNECT;
	f->brief = question == FIRST && is_brief(run, batch, asked);
	f->is_late = question == LATER;
	f->cools = f->began + LATER_MS;
	if (f->is_late)
		append(&run->age[2], &f->age);
	else
		begin(f);
}

/* Second tries whose time has come. */
static void
begin_late(struct pf_run *run)
{
	while (run->age[2].next != &run->age[2] &&
	       run->age[2].next->of->cools <= run->clock) {
		struct pf_flight *f = run->age[2].next->of;

		detach(&f->age);
		f->began = run->clock;
		f->cools = run->clock + LATER_MS;
		if (has_first(run, f) || run->open >= run->at_once)
			append(&run->age[2], &f->age);
		else
			begin(f);
	}
}

void
pf_run_other(struct pf_flight *f, enum pf_probe_key kind)
{
	enum pf_probe_key other =
	    kind == PF_PROBE_RSA ? PF_PROBE_ECDSA : PF_PROBE_RSA;

	if (f->asked != PF_PROBE_ANY || !f->batch->probe->both ||
	    kind == PF_PROBE_ANY)
		return;
	if (f->run->busy >= CALM || stopped(f->run)) {
		f->other = other;
		return;
	}
	f->batch->left++;
	launch(f->run, f->batch, &f->address, other, FIRST);
}

/* ------------------------------------------------------------------ probes */

static void
make_ready(struct pf_run *run, struct pf_batch *batch)
{
	batch->left = batch->count;
	if (run->ready == NULL)
		run->ready = batch;
	else
		run->ready_last->next = batch;
	run->ready_last = batch;
}

static void
launch_ready(struct pf_run *run)
{
	struct pf_batch *batch = run->ready;
	const struct pf_address *address = &batch->address[batch->started++];

	if (batch->started == batch->count)
		run->ready = batch->next;
	launch(run, batch, address, PF_PROBE_ANY, FIRST);
}

static void
refuse(struct pf_run *run, struct pf_batch *batch, enum pf_probe_stage stage,
    const char *why)
{
	struct pf_probe_result result = {.stage = stage};

	(void)pf_fault(&result, why);
	deliver(run, batch, &result);
}

static const char *
ask(struct pf_run *run, struct pf_batch *batch)
{
	struct pf_flight *f = flight_new(run, batch);
	enum pinfast_error error = PINFAST_OK;

	if (f != NULL && run->resolver == NULL) {
		struct epoll_event event = {.events = EPOLLIN};

		error = pf_resolver_new(&run->resolver);
		if (error == PINFAST_OK &&
		    epoll_ctl(run->epoll, EPOLL_CTL_ADD,
		        pf_resolver_fd(run->resolver), &event) != 0)
			error = PINFAST_EIO;
	}
	if (f != NULL && error == PINFAST_OK)
		error = pf_resolver_ask(run->resolver, batch->probe->host,
		    batch->probe->port, f, &batch->query);
	if (f != NULL && error == PINFAST_OK) {
		run->resolving++;
		pf_run_enter(f, PF_STAGE_RESOLVE);
		return NULL;
	}
	free(f);
	return error == PINFAST_ELIMIT
	           ? "more than 64 names got no answer from the name server"
	           : "out of memory";
}

/* Takes the next probe; 0: there is none, or not yet. */
static int
take(struct pf_run *run)
{
	static const struct pf_address known_to_proxy;
	const struct pf_probe *probe;
	struct pf_batch *batch;
	const char *why;

	if (run->exhausted || run->resolving >= RESOLVING)
		return 0;
	probe = run->next(run->next_arg);
	batch = probe != NULL ? calloc(1, sizeof *batch) : NULL;
	if (batch == NULL) {
		run->exhausted = 1;
		run->end = probe != NULL ? PF_PROBE_FAILED : run->end;
		return 0;
	}
	batch->probe = probe;
	batch->count = batch->left = 1;
	if (run->proxy_why != NULL) {
		refuse(run, batch, PF_STAGE_PROXY, run->proxy_why);
	} else if (probe->address_count > 0) {
		batch->address = probe->addresses;
		batch->count = probe->address_count;
		make_ready(run, batch);
	} else if (run->o->proxy != NULL) {
		batch->address = &known_to_proxy;
		make_ready(run, batch);
	} else if (pf_address_parse(probe->host, strlen(probe->host),
	               probe->port, &batch->literal)) {
		batch->address = &batch->literal;
		make_ready(run, batch);
	} else if ((why = ask(run, batch)) != NULL) {
		refuse(run, batch, PF_STAGE_RESOLVE, why);
	}
	return 1;
}

static void
fill(struct pf_run *run)
{
	while (run->open < run->at_once && run->busy < BUSY && !stopped(run)) {
		if (run->ready != NULL)
			launch_ready(run);
		else if (!take(run))
			break;
	}
}

/* Names have been resolved. */
static void
take_answers(struct pf_run *run)
{
	struct pf_query *query;

	while ((query = pf_resolver_take(run->resolver)) != NULL) {
		struct pf_flight *f = query->tag;
		struct pf_batch *batch = f->batch;

		run->resolving--;
		flight_free(f);
		batch->address = query->address;
		batch->count = query->count;
		if (query->missing != 0)
			pf_tell_missing(run, batch);
		if (query->count > 0)
			make_ready(run, batch);
		else
			refuse(run, batch, PF_STAGE_RESOLVE, query->why);
	}
}

/* ---------------------------------------------------------------- the loop */

static void
expire(struct pf_run *run)
{
	while (run->due.next != &run->due &&
	       run->due.next->of->deadline <= run->clock) {
		struct pf_flight *f = run->due.next->of;
		struct pf_probe_result result = {0};
		struct pollfd late = {f->fd, POLLIN | POLLOUT, 0};
		enum pf_step step = PF_STEP_WAIT;

		if (f->stage == PF_STAGE_RESOLVE) {
			pf_resolver_forget(run->resolver, f->batch->query);
			f->batch->query = NULL;
			run->resolving--;
		} else if (poll(&late, 1, 0) > 0) {
			/* It may have come while others had their turn. */
			step =
			    pf_flight_move(f, (uint32_t)late.revents, &result);
			if (step == PF_STEP_WAIT && f->deadline > run->clock)
				continue;
		}
		if (step == PF_STEP_WAIT) {
			pf_fault_timeout(f, &result);
			step = PF_STEP_FAILED;
		}
		settle(f, step, &result);
	}
}

/* How long until something must be done without an event. */
static int
patience(const struct pf_run *run)
{
	int64_t wait = INT32_MAX, until;

	if (run->due.next != &run->due)
		wait = run->due.next->of->deadline - run->clock;
	for (int i = 0; i < 3; i++) {
		if (run->age[i].next == &run->age[i] ||
		    (i < 2 && run->busy < BUSY))
			continue;
		until = run->age[i].next->of->cools - run->clock;
		wait = until < wait ? until : wait;
	}
	if (run->o->stop != NULL && wait > GLANCE_MS)
		wait = GLANCE_MS;
	return wait < 0 ? 0 : (int)wait;
}

static void
serve(struct pf_run *run, const struct epoll_event *event)
{
	struct pf_probe_result result = {0};
	struct pf_flight *f = event->data.ptr;

	if (f == NULL)
		take_answers(run);
	else
		settle(f, pf_flight_move(f, event->events, &result), &result);
}

static void
cool(struct pf_run *run)
{
	for (int i = 0; i < 2; i++)
		while (run->age[i].next != &run->age[i] &&
		       run->age[i].next->of->cools <= run->clock)
			chill(run->age[i].next->of);
}

/* Until all is done, or the stop flag is set. */
static enum pf_probe_end
turn(struct pf_run *run)
{
	struct epoll_event events[BUSY];

	for (;;) {
		int count;

		run->clock = now_ms();
		expire(run);
		cool(run);
		begin_late(run);
		fill(run);
		if (stopped(run))
			return PF_PROBE_STOPPED;
		if (run->exhausted && run->ready == NULL &&
		    run->due.next == &run->due &&
		    run->age[2].next == &run->age[2])
			return run->end;
		count = epoll_wait(run->epoll, events, BUSY, patience(run));
		for (int i = 0; i < count && !stopped(run); i++)
			serve(run, &events[i]);
	}
}

/* What is under way when the run is stopped. */
static void
interrupt(struct pf_run *run, struct pf_flight *f)
{
	struct pf_probe_result result = {.interrupted = 1};

	if (f->stage == PF_STAGE_RESOLVE) {
		pf_resolver_forget(run->resolver, f->batch->query);
		f->batch->query = NULL;
	}
	(void)pf_fault(&result, "interrupted");
	f->other = PF_PROBE_ANY;
	finish(f, PF_STEP_FAILED, &result);
}

static void
abandon(struct pf_run *run)
{
	struct pf_batch *next;

	while (run->due.next != &run->due)
		interrupt(run, run->due.next->of);
	while (run->age[2].next != &run->age[2])
		interrupt(run, run->age[2].next->of);
	for (struct pf_batch *batch = run->ready; batch != NULL; batch = next) {
		struct pf_probe_result result = {.interrupted = 1};

		next = batch->next;
		/* Who waits for the last result would wait for ever. */
		for (size_t left = batch->left; left > 0; left--)
			deliver(run, batch, &result);
	}
}

enum pf_probe_end
pf_run_loop(struct pf_run *run)
{
	enum pf_probe_end end;

	run->due.prev = run->due.next = &run->due;
	for (int i = 0; i < 3; i++)
		run->age[i].prev = run->age[i].next = &run->age[i];
	end = turn(run);
	if (end == PF_PROBE_STOPPED)
		abandon(run);
	return end;
}
