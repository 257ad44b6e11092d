/*
 * The figures, each beside its peer in the same run.  Prints one JSON object a
 * line: what, median, min, max, unit, peer, ratio, limit.
 *
 *   bench HOSTS POLICY.yaml STORE
 */
#define _GNU_SOURCE
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yaml.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/sha256.h"
#include "core/lookup.h"
#include "core/rule.h"
#include "core/sum.h"
#include "os/file.h"
#include "pinfast.h"

#define ROUNDS 7
#define QUERIES (1U << 19)

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a - *(const double *)b;

	return x < 0 ? -1 : x > 0;
}

struct series {
	double v[ROUNDS];
};

static double
median(struct series *s)
{
	qsort(s->v, ROUNDS, sizeof *s->v, by_value);
	return s->v[ROUNDS / 2];
}

static void
row(const char *what, struct series *s, struct series *peer,
    const char *peer_name, double limit)
{
	double m = median(s), p = median(peer);

	printf("{\"what\":\"%s\",\"median_ns\":%.1f,\"min_ns\":%.1f,"
	       "\"max_ns\":%.1f,\"peer\":\"%s\",\"peer_ns\":%.1f,"
	       "\"ratio\":%.3f,\"limit\":%.2f,\"reached\":%s}\n",
	    what, m, s->v[0], s->v[ROUNDS - 1], peer_name, p, m / p, limit,
	    m / p <= limit ? "true" : "false");
	fflush(stdout);
}

static uint64_t seed = 88172645463325252ULL;

static uint32_t
dice(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed % sides);
}

static size_t
name_of(char *out, size_t size, uint32_t i)
{
	return (size_t)snprintf(out, size, "h%u.example%u.com", i, i % 9973);
}

/* The floor: a plain open-addressing table of the same names. */
struct table {
	struct {
		uint32_t tag, at;
	} * slots;
	uint32_t mask;
	uint8_t *names;
};

static void
table_make(struct table *t, uint32_t hosts)
{
	char name[64];
	uint32_t used = 1;

	for (t->mask = 1; t->mask < hosts * 2; t->mask *= 2)
		continue;
	t->slots = calloc(t->mask, sizeof *t->slots);
	t->names = malloc((size_t)hosts * 34 + 1);
	t->mask--;
	for (uint32_t i = 0; i < hosts; i++) {
		size_t len = name_of(name, sizeof name, i);
		uint64_t h = pf_name_hash(0, (uint8_t *)name, len);
		uint32_t j = (uint32_t)h & t->mask;

		while (t->slots[j].at != 0)
			j = (j + 1) & t->mask;
		t->slots[j].tag = (uint32_t)(h >> 32);
		t->slots[j].at = used;
		t->names[used] = (uint8_t)len;
		memcpy(t->names + used + 1, name, len);
		used += (uint32_t)len + 1;
	}
}

static uint32_t
table_find(const struct table *t, const uint8_t *name, size_t len)
{
	uint64_t h = pf_name_hash(0, name, len);

	for (uint32_t j = (uint32_t)h & t->mask; t->slots[j].at != 0;
	     j = (j + 1) & t->mask)
		if (t->slots[j].tag == (uint32_t)(h >> 32) &&
		    t->names[t->slots[j].at] == len &&
		    memcmp(t->names + t->slots[j].at + 1, name, len) == 0)
			return t->slots[j].at;
	return 0;
}

/* One look-up must end before the next begins. */
#define FENCE(v) __asm__ volatile("lfence" : "+r"(v)::"memory")

static void
fill_queries(struct pf_host *hosts, uint32_t count, int miss)
{
	char name[64];

	for (uint32_t i = 0; i < QUERIES; i++) {
		size_t len = name_of(name, sizeof name, dice(count));

		if (miss)
			name[0] = 'x';
		if (pf_host_parse(name, len, &hosts[i]) != PINFAST_OK)
			abort();
	}
}

static void
bench_lookup(const struct pinfast_store *store, uint32_t count)
{
	struct table table;
	/* Compact queries, so that the table and the store are measured. */
	struct pf_host *hosts = malloc(sizeof *hosts * QUERIES);
	struct series ours[2], peer[2];

	table_make(&table, count);
	for (int miss = 0; miss < 2; miss++) {
		fill_queries(hosts, count, miss);
		for (int r = 0; r < ROUNDS; r++) {
			uint64_t sum = 0;
			double start = now_ns();

			for (uint32_t i = 0; i < QUERIES; i++) {
				sum += table_find(&table, hosts[i].key,
				    hosts[i].key_len);
				FENCE(sum);
			}
			peer[miss].v[r] = (now_ns() - start) / QUERIES;
			start = now_ns();
			for (uint32_t i = 0; i < QUERIES; i++) {
				struct pf_found f;
				struct pf_rule rule;

				if (pf_lookup_host(store, &hosts[i], 443, &f)) {
					pf_rule_read(store, f.rule, &rule);
					sum += rule.own.pins[1][0] +
					       rule.own.pins[1][63];
				}
				FENCE(sum);
			}
			ours[miss].v[r] = (now_ns() - start) / QUERIES;
		}
	}
	row("look-up hit incl. its pins", &ours[0], &peer[0],
	    "plain open-addressing table, hit", 1.2);
	row("look-up miss", &ours[1], &peer[1],
	    "plain open-addressing table, miss", 1.1);
	free(hosts);
}

static void
bench_open(const char *path)
{
	struct series ours, peer;
	struct pinfast_diag diag;
	uint8_t *data, digest[32];
	size_t len;

	if (pf_file_read(path, 1UL << 32, PF_FILE_ANY, &diag, &data, &len) !=
	    PINFAST_OK)
		exit(1);
	for (int r = 0; r < ROUNDS; r++) {
		struct pinfast_store *store;
		double start = now_ns();

		SHA256(data, len, digest);
		peer.v[r] = now_ns() - start;
		start = now_ns();
		if (pinfast_store_open_file(path, NULL, &diag, &store) != 0)
			exit(1);
		ours.v[r] = now_ns() - start;
		pinfast_store_free(store);
	}
	free(data);
	row("opening the store", &ours, &peer,
	    "hashing the file once with OpenSSL", 0.2);
}

static void
bench_sha(void)
{
	struct series ours, peer;
	uint8_t in[91] = {1}, out[32];

	for (int r = 0; r < ROUNDS; r++) {
		double start = now_ns();

		for (int i = 0; i < 200000; i++) {
			SHA256_CTX c;

			SHA256_Init(&c);
			SHA256_Update(&c, in, sizeof in);
			SHA256_Final(out, &c);
			in[0] ^= out[0];
		}
		peer.v[r] = (now_ns() - start) / 200000;
		start = now_ns();
		for (int i = 0; i < 200000; i++) {
			pf_sha256(in, sizeof in, out);
			in[0] ^= out[0];
		}
		ours.v[r] = (now_ns() - start) / 200000;
	}
	row("own SHA-256 at 91 bytes", &ours, &peer, "OpenSSL low-level", 1.55);
}

static double
yaml_alone(const uint8_t *data, size_t len)
{
	double start = now_ns();
	yaml_parser_t p;
	yaml_event_t e;
	int done = 0;

	yaml_parser_initialize(&p);
	yaml_parser_set_input_string(&p, data, len);
	while (!done && yaml_parser_parse(&p, &e)) {
		done = e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	return now_ns() - start;
}

int
main(int argc, char *argv[])
{
	struct pinfast_store *store;
	struct pinfast_diag diag;
	uint8_t *text;
	size_t len;
	uint32_t hosts;

	if (argc != 4)
		return 2;
	hosts = (uint32_t)strtoul(argv[1], NULL, 10);
	if (pinfast_store_open_file(argv[3], NULL, &diag, &store) != 0) {
		fprintf(stderr, "%s\n", diag.text);
		return 1;
	}
	bench_lookup(store, hosts);
	printf("{\"what\":\"bytes a host, 2 own pins\",\"value\":%.1f,"
	       "\"limit\":110,\"reached\":%s}\n",
	    (double)store->size / hosts,
	    (double)store->size / hosts <= 110 ? "true" : "false");
	pinfast_store_free(store);
	bench_open(argv[3]);
	bench_sha();
	if (pf_file_read(argv[2], 1UL << 30, PF_FILE_ANY, &diag, &text, &len) !=
	    0)
		return 1;
	printf("{\"what\":\"libyaml alone, the same text\",\"value_s\":%.3f}\n",
	    yaml_alone(text, len) / 1e9);
	free(text);
	return 0;
}
