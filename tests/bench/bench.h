/*
 * What the measuring programs share: the clock, names, and how a sample is
 * printed.  A sample is a line `series value`; tests/bench/figures.py joins
 * them into rows.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 7

static inline double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline void
sample(const char *series, double value)
{
	printf("%s %.3f\n", series, value);
}

static inline void
must(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* The i-th host's name. */
static inline size_t
name_of(char *out, size_t size, uint32_t i)
{
	return (size_t)snprintf(out, size, "h%u.example%u.com", i, i % 9973);
}

void bench_lookup(const char *store, uint32_t hosts);
void bench_suffix(uint32_t hosts);
void bench_find(uint32_t hosts);
void bench_sharing(uint32_t hosts);

#endif
