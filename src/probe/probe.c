#define _GNU_SOURCE
#include "probe/probe.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "probe/flight.h"

#define SPARE 64      /* descriptors that others need */
#define GLANCE_MS 100 /* how often the stop flag is looked at */

/* Asks for as many descriptors as connections need, and takes fewer. */
static unsigned
descriptors(unsigned at_once)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)at_once + SPARE;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return at_once;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur =
		    limit.rlim_max < wanted ? limit.rlim_max : wanted;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= wanted)
		return at_once;
	return limit.rlim_cur > 2 * SPARE ? (unsigned)limit.rlim_cur - SPARE
	                                  : SPARE / 2;
}

/* Waits: nothing can be done before the proxy's addresses are known. */
static void
await_proxy(struct pf_run *run)
{
	struct pollfd fd = {pf_resolver_fd(run->resolver), POLLIN, 0};

	run->proxy_why = "the name server gave no answer for the proxy's name";
	for (int waited = 0; waited < run->timeout_ms; waited += GLANCE_MS) {
		if (run->o->stop != NULL && *run->o->stop != 0)
			break;
		if (poll(&fd, 1, GLANCE_MS) <= 0)
			continue;
		run->proxy_query = pf_resolver_take(run->resolver);
		run->proxy_address = run->proxy_query->address;
		run->proxy_count = run->proxy_query->count;
		run->proxy_why = run->proxy_count > 0
		                     ? NULL
		                     : "the proxy's name has no address (DNS)";
		return;
	}
	pf_resolver_forget(run->resolver, run->proxy_query);
	run->proxy_query = NULL;
}

static void
find_proxy(struct pf_run *run)
{
	const struct pf_proxy *proxy = run->o->proxy;
	struct epoll_event event = {.events = EPOLLIN};

	if (pf_address_parse(proxy->host, strlen(proxy->host), proxy->port,
	        &run->proxy_literal)) {
		run->proxy_address = &run->proxy_literal;
		run->proxy_count = 1;
	} else if (pf_resolver_new(&run->resolver) != PINFAST_OK ||
	           epoll_ctl(run->epoll, EPOLL_CTL_ADD,
	               pf_resolver_fd(run->resolver), &event) != 0 ||
	           pf_resolver_ask(run->resolver, proxy->host, proxy->port,
	               NULL, &run->proxy_query) != PINFAST_OK) {
		run->proxy_why = "the proxy's name cannot be resolved: out of "
		                 "memory";
	} else {
		await_proxy(run);
	}
}

static enum pf_probe_end
start(struct pf_run *run)
{
	struct sigaction ignore, before;
	enum pf_probe_end end;

	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll < 0)
		return PF_PROBE_FAILED;
	run->ctx[PF_PROBE_ANY] = pf_handshake_new(run->o, PF_PROBE_ANY);
	if (run->ctx[PF_PROBE_ANY] == NULL) {
		(void)close(run->epoll);
		return PF_PROBE_FAILED;
	}
	memset(&ignore, 0, sizeof ignore);
	ignore.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &ignore, &before);
	if (run->o->proxy != NULL)
		find_proxy(run);
	end = pf_run_loop(run);
	(void)sigaction(SIGPIPE, &before, NULL);
	pf_query_free(run->proxy_query);
	pf_resolver_free(run->resolver);
	for (int i = 0; i < 3; i++)
		SSL_CTX_free(run->ctx[i]);
	(void)close(run->epoll);
	return end;
}

enum pf_probe_end
pf_probe_run(pf_probe_next_fn next, void *next_arg,
    const struct pf_probe_options *options)
{
	struct pf_run run;

	memset(&run, 0, sizeof run);
	run.o = options;
	run.next = next;
	run.next_arg = next_arg;
	run.timeout_ms =
	    options->timeout_ms > 0 ? options->timeout_ms : PF_PROBE_TIMEOUT_MS;
	run.at_once = descriptors(options->at_once > 0 ? options->at_once
	                                               : PF_PROBE_AT_ONCE);
	return start(&run);
}

struct array {
	const struct pf_probe *probes;
	size_t count, next;
};

static const struct pf_probe *
next_of(void *arg)
{
	struct array *a = arg;

	return a->next < a->count ? &a->probes[a->next++] : NULL;
}

enum pf_probe_end
pf_probe_all(const struct pf_probe *probes, size_t count,
    const struct pf_probe_options *options)
{
	struct array array = {probes, count, 0};

	return pf_probe_run(next_of, &array, options);
}
