/*
 * One connection, moved on as far as it goes without waiting: connected,
 * through the proxy, through STARTTLS, through the handshake.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/dial.h"
#include "probe/flight.h"

enum pf_step
pf_flight_dial(struct pf_flight *f, struct pf_probe_result *result)
{
	const struct pf_address *to = &f->address;
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = f};

	if (f->run->o->proxy != NULL)
		to = &f->run->proxy_address[f->proxy_index];
	f->fd = pf_dial(to);
	if (f->fd >= 0 &&
	    epoll_ctl(f->run->epoll, EPOLL_CTL_ADD, f->fd, &event) == 0)
		return PF_STEP_WAIT;
	result->no_route = f->asked == PF_PROBE_ANY &&
	                   (errno == ENETUNREACH || errno == EADDRNOTAVAIL ||
	                       errno == EAFNOSUPPORT);
	return pf_fault(result, pf_dial_sentence(errno));
}

/* The next layer: the proxy, STARTTLS or TLS. */
static enum pf_step
descend(struct pf_flight *f, struct pf_probe_result *result)
{
	if (f->run->o->proxy != NULL && !f->through_proxy) {
		pf_run_enter(f, PF_STAGE_PROXY);
	} else if (f->batch->probe->starttls != 0 && !f->in_clear) {
		pf_run_enter(f, PF_STAGE_STARTTLS);
	} else {
		free(f->dialogue);
		f->dialogue = NULL;
		pf_run_enter(f, PF_STAGE_HANDSHAKE);
		return f->brief ? pf_hello_begin(f, result)
		                : pf_handshake_begin(f, result);
	}
	if (f->dialogue == NULL)
		f->dialogue = malloc(sizeof *f->dialogue);
	if (f->dialogue == NULL)
		return pf_fault(result, "out of memory");
	pf_talk_begin(f);
	return PF_STEP_DONE;
}

/* Goes through layers until one must wait. */
static enum pf_step
go_on(struct pf_flight *f, struct pf_probe_result *result)
{
	enum pf_step step = PF_STEP_DONE;

	while (step == PF_STEP_DONE && f->stage != PF_STAGE_HANDSHAKE) {
		f->through_proxy |= f->stage == PF_STAGE_PROXY;
		f->in_clear |= f->stage == PF_STAGE_STARTTLS;
		step = descend(f, result);
		if (step == PF_STEP_DONE && f->stage != PF_STAGE_HANDSHAKE)
			step = pf_talk_move(f, result);
	}
	return step;
}

static enum pf_step
connected(struct pf_flight *f, uint32_t events, struct pf_probe_result *result)
{
	int error;

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return PF_STEP_WAIT;
	error = pf_dial_result(f->fd);
	if (error == 0)
		return go_on(f, result);
	/* There is a route from here, or dialling would have failed. */
	return pf_fault(result,
	    error == ENETUNREACH
	        ? "a router on the way says that there is no route to this "
	          "address"
	        : pf_dial_sentence(error));
}

enum pf_step
pf_flight_move(struct pf_flight *f, uint32_t events,
    struct pf_probe_result *result)
{
	enum pf_step step;

	switch (f->stage) {
	case PF_STAGE_CONNECT:
		return connected(f, events, result);
	case PF_STAGE_HANDSHAKE:
		return f->brief ? pf_hello_move(f, result)
		                : pf_handshake_move(f, result);
	case PF_STAGE_PROXY:
	case PF_STAGE_STARTTLS:
		step = pf_talk_move(f, result);
		return step == PF_STEP_DONE ? go_on(f, result) : step;
	case PF_STAGE_RESOLVE:
	case PF_STAGE_DONE:
	default:
		return PF_STEP_WAIT;
	}
}
