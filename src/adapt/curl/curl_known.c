#include "adapt/curl/curl.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pinfast_curl *all;
static uintptr_t last_id;

void
pf_curl_known_add(struct pinfast_curl *c)
{
	pthread_mutex_lock(&lock);
	c->id = ++last_id;
	c->other = all;
	all = c;
	pthread_mutex_unlock(&lock);
}

void
pf_curl_known_remove(struct pinfast_curl *c)
{
	struct pinfast_curl **at = &all;

	pthread_mutex_lock(&lock);
	while (*at != NULL && *at != c)
		at = &(*at)->other;
	if (*at != NULL)
		*at = c->other;
	pthread_mutex_unlock(&lock);
}

void
pf_curl_known_call(uintptr_t id,
    void (*fn)(struct pinfast_curl *c, const struct pinfast_conn *conn),
    const struct pinfast_conn *conn)
{
	struct pinfast_curl *c;

	pthread_mutex_lock(&lock);
	for (c = all; c != NULL && c->id != id; c = c->other)
		;
	if (c != NULL)
		fn(c, conn);
	pthread_mutex_unlock(&lock);
}
