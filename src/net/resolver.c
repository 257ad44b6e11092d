#define _GNU_SOURCE
#include "net/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Shared by its owner and the threads: the last one that leaves frees it. */
struct pf_resolver {
	pthread_mutex_t lock;
	unsigned users;   /* the owner and every thread */
	unsigned hanging; /* threads whose name was forgotten */
	int closed;       /* the owner has left */
	int fd;
	struct asked *answered;
};

struct asked {
	struct pf_query query; /* first, so that a query is what it is in */
	struct pf_resolver *resolver;
	struct asked *next;
	int forgotten;
	char name[PINFAST_HOST_LEN];
};

enum pinfast_error
pf_resolver_new(struct pf_resolver **out)
{
	struct pf_resolver *r = calloc(1, sizeof *r);

	if (r == NULL)
		return PINFAST_ENOMEM;
	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->fd < 0 || pthread_mutex_init(&r->lock, NULL) != 0) {
		if (r->fd >= 0)
			(void)close(r->fd);
		free(r);
		return PINFAST_EIO;
	}
	r->users = 1;
	*out = r;
	return PINFAST_OK;
}

/* Gives the lock back, and everything when nobody uses it any more. */
static void
leave(struct pf_resolver *r)
{
	int last = --r->users == 0;

	(void)pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

void
pf_resolver_free(struct pf_resolver *r)
{
	struct asked *next;

	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->lock);
	for (struct asked *a = r->answered; a != NULL; a = next) {
		next = a->next;
		free(a);
	}
	r->closed = 1;
	(void)close(r->fd);
	leave(r);
}

int
pf_resolver_fd(const struct pf_resolver *r)
{
	return r->fd;
}

static const char *
sentence(int error)
{
	switch (error) {
	case EAI_NONAME:
	case EAI_NODATA:
		return "the name has no address (DNS); is it spelled right? "
		       "--connect-to gives it one";
	case EAI_AGAIN:
		return "no name server answered; is the network up?";
	case EAI_MEMORY:
		return "out of memory while the name was resolved";
	default:
		return "the name could not be resolved: the name server "
		       "failed";
	}
}

static int
is_new(const struct pf_query *q, const struct pf_address *address)
{
	for (size_t i = 0; i < q->count; i++)
		if (pf_address_same(&q->address[i], address))
			return 0;
	return 1;
}

static int
look_up(const char *name, int family, struct addrinfo **list)
{
	struct addrinfo hints;

	memset(&hints, 0, sizeof hints);
	hints.ai_family = family;
	hints.ai_socktype = SOCK_STREAM;
	*list = NULL;
	return getaddrinfo(name, NULL, &hints, list);
}

static void
take_list(struct pf_query *q, struct addrinfo *list, uint16_t port)
{
	struct pf_address address;

	q->count = 0;
	for (struct addrinfo *i = list; i != NULL; i = i->ai_next) {
		if (!pf_address_from_system(i->ai_addr, port, &address) ||
		    !is_new(q, &address))
			continue;
		if (q->count == PF_RESOLVE_MAX) {
			q->count = 0;
			q->why = "the name has more than 64 addresses; "
			         "--connect-to chooses some";
			break;
		}
		q->address[q->count++] = address;
	}
	freeaddrinfo(list);
}

static int
has_family(const struct pf_query *q, int family)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->address[i].family == family)
			return 1;
	return 0;
}

/*
 * Asked for both families, getaddrinfo() passes over one whose look-up fails.
 * So what is missing is asked for by itself, and only for what it says about
 * failures: a name in /etc/hosts may have other addresses in the DNS.
 */
static void
look_for_missing(struct asked *a, uint16_t port)
{
	struct pf_query *q = &a->query;
	int family = has_family(q, 6) ? 4 : 6;
	struct addrinfo *list;
	int error;

	if (q->count == 0 || has_family(q, family))
		return;
	error = look_up(a->name, family == 6 ? AF_INET6 : AF_INET, &list);
	if (error == 0) {
		/* There are some: the first answer was short of them. */
		freeaddrinfo(list);
		if (look_up(a->name, AF_UNSPEC, &list) == 0)
			take_list(q, list, port);
	} else if (error != EAI_NONAME && error != EAI_NODATA &&
	           error != EAI_ADDRFAMILY) {
		q->missing = family;
	}
}

static void
resolve(struct asked *a, uint16_t port)
{
	struct addrinfo *list;
	int error = look_up(a->name, AF_UNSPEC, &list);

	a->query.why = sentence(error);
	if (error != 0)
		return;
	take_list(&a->query, list, port);
	look_for_missing(a, port);
}

static void *
run(void *arg)
{
	struct asked *a = arg;
	struct pf_resolver *r = a->resolver;
	uint64_t one = 1;

	resolve(a, a->query.address[0].port);
	(void)pthread_mutex_lock(&r->lock);
	r->hanging -= (unsigned)a->forgotten;
	if (a->forgotten || r->closed) {
		free(a);
	} else {
		a->next = r->answered;
		r->answered = a;
		/* The counter cannot overflow: a wake-up is never lost. */
		if (write(r->fd, &one, sizeof one) < 0)
			one = 0;
	}
	leave(r);
	return NULL;
}

static int
start(struct asked *a)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int fine;

	if (pthread_attr_init(&attributes) != 0)
		return 0;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Modules of the name service need some, but not the usual 8 MiB. */
	(void)pthread_attr_setstacksize(&attributes, 1024UL * 1024);
	fine = pthread_create(&thread, &attributes, run, a) == 0;
	(void)pthread_attr_destroy(&attributes);
	return fine;
}

enum pinfast_error
pf_resolver_ask(struct pf_resolver *r, const char *name, uint16_t port,
    void *tag, struct pf_query **out)
{
	size_t len = strlen(name);
	struct asked *a;
	int full, fine;

	if (len >= sizeof a->name)
		return PINFAST_EHOST;
	a = calloc(1, sizeof *a);
	if (a == NULL)
		return PINFAST_ENOMEM;
	memcpy(a->name, name, len + 1);
	a->query.tag = tag;
	a->query.address[0].port = port;
	a->resolver = r;
	(void)pthread_mutex_lock(&r->lock);
	full = r->hanging >= PF_RESOLVE_HANGING;
	fine = !full && start(a);
	r->users += (unsigned)fine;
	(void)pthread_mutex_unlock(&r->lock);
	if (!fine) {
		free(a);
		return full ? PINFAST_ELIMIT : PINFAST_ENOMEM;
	}
	*out = &a->query;
	return PINFAST_OK;
}

struct pf_query *
pf_resolver_take(struct pf_resolver *r)
{
	struct asked *a;
	uint64_t count;

	(void)pthread_mutex_lock(&r->lock);
	a = r->answered;
	if (a != NULL)
		r->answered = a->next;
	else if (read(r->fd, &count, sizeof count) < 0)
		count = 0;
	(void)pthread_mutex_unlock(&r->lock);
	return a != NULL ? &a->query : NULL;
}

void
pf_query_free(struct pf_query *query)
{
	free(query);
}

void
pf_resolver_forget(struct pf_resolver *r, struct pf_query *query)
{
	struct asked *a = (struct asked *)(void *)query;
	struct asked **at;

	(void)pthread_mutex_lock(&r->lock);
	for (at = &r->answered; *at != NULL && *at != a; at = &(*at)->next)
		;
	if (*at != NULL) {
		*at = a->next;
		free(a);
	} else {
		a->forgotten = 1;
		r->hanging++;
	}
	(void)pthread_mutex_unlock(&r->lock);
}
