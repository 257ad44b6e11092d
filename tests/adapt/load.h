/*
 * Threads that connect all the time while the policy changes below them.
 * Hides the threads and their counting; refuses to end before both a
 * connection that is allowed and one that is not were seen several times.
 */
#ifndef LOAD_H
#define LOAD_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>

#include <cmocka.h>

#ifndef RELOADS
#define RELOADS 500
#endif

enum outcome { LOAD_WRONG, LOAD_ALLOWED, LOAD_DENIED };

struct load {
	/* One connection, to an impostor when bad is set. */
	enum outcome (*connect)(void *arg, int bad);
	/* The next policy comes into service. */
	void (*change)(void *arg, int64_t serial);
	/* What a thread does at its end; or NULL. */
	void (*leave)(void);
	void *arg;
	atomic_int stop, seen[LOAD_DENIED + 1];
};

static inline void *
load_connects(void *arg)
{
	struct load *l = arg;

	for (int bad = 0; !atomic_load(&l->stop); bad ^= 1)
		atomic_fetch_add(&l->seen[l->connect(l->arg, bad)], 1);
	if (l->leave != NULL)
		l->leave();
	return NULL;
}

static inline void
reload_under_load(struct load *l)
{
	const struct timespec pause = {0, 1000000};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		                     load_connects, l),
		    0);
	for (int64_t serial = 2;
	     serial < RELOADS + 2 || atomic_load(&l->seen[LOAD_ALLOWED]) < 4 ||
	     atomic_load(&l->seen[LOAD_DENIED]) < 4;
	     serial++) {
		l->change(l->arg, serial);
		thrd_sleep(&pause, NULL);
	}
	atomic_store(&l->stop, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&l->seen[LOAD_WRONG]), 0);
}

#endif
