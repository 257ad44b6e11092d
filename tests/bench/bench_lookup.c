/*
 * Look-ups: in a store and in the floor, a plain open-addressing table of the
 * same names; among few and many hosts; and what a host costs in bytes.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/host.h"
#include "bench.h"
#include "core/lookup.h"
#include "core/rule.h"
#include "core/sum.h"
#include "pinfast.h"

#define QUERIES (1U << 19)

/* One look-up must end before the next begins. */
#if defined(__x86_64__)
#define FENCE(v) __asm__ volatile("lfence" : "+r"(v)::"memory")
#else
#define FENCE(v) __asm__ volatile("" : "+r"(v)::"memory")
#endif

static uint64_t seed = 88172645463325252ULL;

static uint32_t
dice(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed % sides);
}

struct slot {
	uint32_t tag, at;
};

struct table {
	struct slot *slots;
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
	must(t->slots != NULL && t->names != NULL, "memory");
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

static double
time_table(const struct table *t, const struct pf_host *asked)
{
	uint64_t sum = 0;
	double start = now_ns();

	for (uint32_t i = 0; i < QUERIES; i++) {
		sum += table_find(t, asked[i].key, asked[i].key_len);
		FENCE(sum);
	}
	return (now_ns() - start) / QUERIES;
}

static double
time_store(const struct pinfast_store *store, const struct pf_host *asked,
    uint32_t *found)
{
	uint64_t sum = 0;
	uint32_t hits = 0;
	double start = now_ns();

	for (uint32_t i = 0; i < QUERIES; i++) {
		struct pf_found f;
		struct pf_rule rule;

		if (pf_lookup_host(store, &asked[i], 443, &f)) {
			pf_rule_read(store, f.rule, &rule);
			sum += rule.own.pins[1][0] + rule.own.pins[1][31];
			sum += rule.own.pins[1][rule.own.count[1] * 32U - 1];
			hits++;
		}
		FENCE(sum);
	}
	*found = hits;
	return (now_ns() - start) / QUERIES;
}

enum asking { HIT, MISS, BELOW_A_MISS };

static void
fill(struct pf_host *asked, uint32_t hosts, enum asking how)
{
	char name[80] = "api.";

	for (uint32_t i = 0; i < QUERIES; i++) {
		char *host = how == BELOW_A_MISS ? name + 4 : name;

		name_of(host, sizeof name - 4, dice(hosts));
		if (how != HIT)
			host[0] = 'x';
		must(pf_host_parse(name, strlen(name), &asked[i]) == 0, name);
	}
}

void
bench_lookup(const char *path, uint32_t hosts)
{
	static const char *const series[2][2] = {
	    {"hit", "floor-hit"}, {"miss", "floor-miss"}};
	struct pf_host *asked = malloc(sizeof *asked * QUERIES);
	struct pinfast_store *store;
	struct table table;
	uint32_t found;

	must(asked != NULL, "memory");
	must(pinfast_store_open_file(path, NULL, NULL, &store) == 0, path);
	sample("bytes-a-host", (double)store->size / hosts);
	table_make(&table, hosts);
	for (int miss = 0; miss < 2; miss++) {
		fill(asked, hosts, miss ? MISS : HIT);
		for (int r = 0; r < ROUNDS; r++) {
			sample(series[miss][1], time_table(&table, asked));
			sample(series[miss][0],
			    time_store(store, asked, &found));
			must(found == (miss ? 0 : QUERIES), "found");
		}
	}
	pinfast_store_free(store);
	free(asked);
}

static void
add(struct pinfast_builder *b, const char *name, enum pinfast_scope scope,
    uint32_t first, unsigned pins)
{
	must(pinfast_builder_entry(b, name, 0, scope) == 0, name);
	for (uint32_t i = first; i < first + pins; i++) {
		uint8_t hash[PINFAST_PIN_LEN] = {1};
		char text[PINFAST_PIN_TEXT_LEN];

		pf_put_le32(hash + 1, i);
		pinfast_pin_write(hash, text);
		must(pinfast_builder_pin(b, PINFAST_ROLE_LEAF, text) == 0,
		    text);
	}
}

static struct pinfast_store *
finish(struct pinfast_builder *b)
{
	struct pinfast_bytes image;
	struct pinfast_store *store;

	must(pinfast_builder_finish(b, NULL, &image) == 0, "finish");
	must(pinfast_store_open_memory(image, NULL, NULL, &store) == 0, "open");
	return store;
}

/*
 * Every tenth host covers its subdomains, and every hundredth is a parent with
 * two labels: a name with four labels that is absent needs three probes.
 */
void
bench_suffix(uint32_t hosts)
{
	struct pf_host *asked = malloc(sizeof *asked * QUERIES);
	struct pinfast_builder *b;
	struct pinfast_store *store;
	struct table table;
	uint32_t found;
	char name[64];

	must(asked != NULL && pinfast_builder_new(NULL, &b) == 0, "memory");
	for (uint32_t i = 0; i < hosts; i++) {
		name_of(name, sizeof name, i);
		if (i % 100 == 0)
			snprintf(name, sizeof name, "example%u.net", i / 100);
		add(b, name,
		    i % 10 == 0 ? PINFAST_SCOPE_ANY : PINFAST_SCOPE_EXACT, i,
		    1);
	}
	store = finish(b);
	table_make(&table, hosts);
	for (int four = 0; four < 2; four++)
		for (int r = 0; r < ROUNDS; r++) {
			if (r == 0)
				fill(asked, hosts, four ? BELOW_A_MISS : MISS);
			sample(four ? "floor-absent-4" : "floor-absent-3",
			    time_table(&table, asked));
			sample(four ? "absent-4" : "absent-3",
			    time_store(store, asked, &found));
			must(found == 0, "absent");
		}
	pinfast_store_free(store);
	pinfast_builder_free(b);
	free(asked);
}

/* What OkHttp's findMatchingPins() does: from a host's text to its pins.  As
 * there, one call may begin while the one before it ends. */
void
bench_find(uint32_t hosts)
{
	static const char www[] = "www.example.com";
	const uint32_t times = 1000000;
	struct pinfast_builder *b;
	struct pinfast_store *store;
	char name[64], series[64];

	must(pinfast_builder_new(NULL, &b) == 0, "memory");
	for (uint32_t i = 0; i < hosts; i++) {
		name_of(name, sizeof name, i);
		add(b, i == hosts / 2 ? www : name, PINFAST_SCOPE_EXACT, 2 * i,
		    2);
	}
	store = finish(b);
	snprintf(series, sizeof series, "find-%u", hosts);
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t sum = 0;
		double start = now_ns();

		for (uint32_t i = 0; i < times; i++) {
			struct pf_host host;
			struct pf_found f;
			struct pf_rule rule;

			must(pf_host_parse(www, sizeof www - 1, &host) == 0 &&
			         pf_lookup_host(store, &host, 443, &f),
			    www);
			pf_rule_read(store, f.rule, &rule);
			sum += rule.own.pins[1][0] + rule.own.pins[1][32];
			__asm__ volatile("" : "+r"(sum)::"memory");
		}
		sample(series, (now_ns() - start) / times);
	}
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

/* Ten sets of two pins, shared by all hosts. */
void
bench_sharing(uint32_t hosts)
{
	struct pinfast_builder *b;
	struct pinfast_store *store;
	uint64_t names = 0;
	char name[64];

	must(pinfast_builder_new(NULL, &b) == 0, "memory");
	for (uint32_t i = 0; i < hosts; i++) {
		names += name_of(name, sizeof name, i);
		add(b, name, PINFAST_SCOPE_EXACT, i % 10 * 2, 2);
	}
	store = finish(b);
	sample("bytes-beside-the-name", (double)(store->size - names) / hosts);
	pinfast_store_free(store);
	pinfast_builder_free(b);
}
