/*
 * One connection, moved on as far as it goes without waiting: connected,
 * through the proxy, through STARTTLS, through the handshake.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/dial.h"
#include "probe/flight.h"

enum pf_step
pf_flight_dial(struct flight *f, struct pf_probe_result *result)
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
	result->no_route = errno == ENETUNREACH || errno == EADDRNOTAVAIL ||
	                   errno == EAFNOSUPPORT;
	return pf_fault(result, pf_dial_sentence(errno));
}

/* The next layer: the proxy, STARTTLS or TLS. */
static enum pf_step
descend(struct flight *f, struct pf_probe_result *result)
{
	pf_run_enter(f, PF_STAGE_HANDSHAKE);
	return pf_handshake_begin(f, result);
}

static enum pf_step
connected(struct flight *f, uint32_t events, struct pf_probe_result *result)
{
	int error;

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return PF_STEP_WAIT;
	error = pf_dial_result(f->fd);
	if (error == 0)
		return descend(f, result);
	result->no_route = error == ENETUNREACH;
	return pf_fault(result, pf_dial_sentence(error));
}

enum pf_step
pf_flight_move(struct flight *f, uint32_t events,
    struct pf_probe_result *result)
{
	switch (f->stage) {
	case PF_STAGE_CONNECT:
		return connected(f, events, result);
	case PF_STAGE_HANDSHAKE:
		return pf_handshake_move(f, result);
	case PF_STAGE_PROXY:
	case PF_STAGE_STARTTLS:
	case PF_STAGE_RESOLVE:
	case PF_STAGE_DONE:
	default:
		return PF_STEP_WAIT;
	}
}
