/*
 * Memory that runs out where a test says so, one allocation after the other.
 * Hides who counts (each thread for itself) and the ways in which something
 * fails: the allocator of a policy, malloc() and its like as one library calls
 * them, also below a sanitizer, and a function of the TLS library as a whole.
 * Refuses to prove anything by nothing: a round in which nothing failed is the
 * last, try_each() wants as many failures as a test promises, and
 * every_way_to_fail_was_taken() wants one in each way there is.
 */
#ifndef FAILING_H
#define FAILING_H

#ifndef _GNU_SOURCE
#error "failing.h wants _GNU_SOURCE before the first header"
#endif
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pinfast.h"

/* TSan, under which a handshake takes a hundred times as long, is shown only
 * some of the allocations. */
#ifdef __SANITIZE_THREAD__
#define FAIL_STEP 16
#else
#define FAIL_STEP 1
#endif

/* ------------------------------------------------------------------- ways */

struct way {
	const char *name;
	unsigned long failed; /* so often since the program began */
	struct way *next;
};

static struct way *every_way;

/* Borrowed programs run their tests from a constructor, too (borrow.c). */
#define WAY_TO_FAIL(name)                                                      \
	static struct way way_##name = {#name, 0, NULL};                       \
	__attribute__((constructor(101))) static void know_##name(void)        \
	{                                                                      \
		way_##name.next = every_way;                                   \
		every_way = &way_##name;                                       \
	}

static _Thread_local long fail_left = -1; /* until one fails; -1: never */
static _Thread_local int fail_goes_on;
static _Thread_local unsigned long fail_count; /* since fail_at() */

/* Has the calling thread's turn come to fail in this way? */
static inline int
fails(struct way *way)
{
	if (fail_left < 0)
		return 0;
	if (fail_left > 0) {
		fail_left--;
		return 0;
	}
	if (!fail_goes_on)
		fail_left = -1;
	fail_count++;
	way->failed++;
	return 1;
}

/* From here on allocation n of this thread fails, from 0; and, with on, all
 * behind it. */
static inline void
fail_at(long n, int on)
{
	fail_count = 0;
	fail_goes_on = on;
	fail_left = n;
}

/* Nothing fails any longer.  Did anything? */
static inline int
fail_over(void)
{
	fail_left = -1;
	return fail_count > 0;
}

/* What comes between these two is not what is tested. */
static inline long
fail_pause(void)
{
	long kept = fail_left;

	fail_left = -1;
	return kept;
}

static inline void
fail_resume(long kept)
{
	fail_left = kept;
}

/* ------------------------------------------------------- a policy's memory */

WAY_TO_FAIL(policy)

static inline void *
fail_policy_alloc(void *arg, size_t size)
{
	(void)arg;
	return fails(&way_policy) ? NULL : malloc(size);
}

static inline void
fail_policy_free(void *arg, void *ptr)
{
	(void)arg;
	free(ptr);
}

static const struct pinfast_alloc failing = {
    fail_policy_alloc, fail_policy_free, NULL};

/* ------------------------------------------------ the C library's memory */

/* Is the caller in the shared library whose file's name has this in it? */
static inline int
fail_in(const void *caller, const char *library)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
	       strstr(info.dli_fname, library) != NULL;
}

/*
 * A test that defines FAIL_MALLOC(caller, size) says by it whose allocations
 * fail.  What stands here comes before the C library's, and before those of a
 * sanitizer, which calls it before it can check anything itself.
 */
#ifdef FAIL_MALLOC
#define INSTEAD                                                                \
	__attribute__((visibility("default"),                                  \
	    no_sanitize("address", "thread", "undefined")))
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t count, size_t size);
extern void *REAL(realloc)(void *ptr, size_t size);

WAY_TO_FAIL(malloc)

#define FAIL_NOW(size)                                                         \
	(fail_left >= 0 && FAIL_MALLOC(__builtin_return_address(0), size) &&   \
	    fails(&way_malloc))

INSTEAD void *
malloc(size_t size)
{
	return FAIL_NOW(size) ? NULL : REAL(malloc)(size);
}

INSTEAD void *
calloc(size_t count, size_t size)
{
	return FAIL_NOW(size) ? NULL : REAL(calloc)(count, size);
}

INSTEAD void *
realloc(void *ptr, size_t size)
{
	return FAIL_NOW(size) ? NULL : REAL(realloc)(ptr, size);
}
#endif

/* ---------------------------------------- functions of the TLS library */

/* A function that stands before the library's own, and may fail. */
#define FAILS(type, failed, name, params, args)                                \
	WAY_TO_FAIL(name)                                                      \
	__attribute__((visibility("default"))) type name params                \
	{                                                                      \
		static type(*real) params;                                     \
		void *found;                                                   \
                                                                               \
		if (fails(&way_##name))                                        \
			return failed;                                         \
		found = dlsym(RTLD_NEXT, #name);                               \
		memcpy(&real, &found, sizeof real);                            \
		return real args;                                              \
	}

/* ----------------------------------------------------------------- rounds */

/* With allocation n failing, and, with on, all behind it.  Says what
 * fail_over() said. */
typedef int (*fail_round_fn)(void *arg, long n, int on);

/*
 * A round for allocation 0, 1, 2 and so on, until nothing failed.
 *
 * on_every  for each so many, one more round where all behind it fail, too; 0:
 *           none
 * least     so many allocations must have failed
 */
static inline void
try_each(fail_round_fn once, void *arg, int on_every, long least)
{
	long n = 0;

	for (; once(arg, n, 0); n += FAIL_STEP) {
		if (on_every > 0 && n % on_every == 0)
			(void)once(arg, n, 1);
		if (n >= 100000)
			fail_msg("there is no end of it");
	}
	if (n == 0 || n < least)
		fail_msg("of %ld allocations only %ld failed", least, n);
}

/* The last test of a program. */
static inline void
every_way_to_fail_was_taken(void **state)
{
	unsigned long all = 0;

	(void)state;
	for (const struct way *way = every_way; way; way = way->next) {
		all += way->failed;
		if (FAIL_STEP == 1 && way->failed == 0)
			fail_msg("%s() never failed", way->name);
	}
	assert_true(all > 0);
}

#endif
