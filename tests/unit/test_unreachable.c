/*
 * Which entries no host can reach: lint's word against every look-up, over all
 * policies of up to three entries about names that leave little room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/lookup.h"
#include "model/builder.h"
#include "policy/lint.h"

#define PIN "sha256/x4QzPSC810K5/cMjb05Qm4k3Bw5zBn4lTdO/nEW/Td4="
#define EXACT (1U << PINFAST_SCOPE_EXACT)
#define ONE (1U << PINFAST_SCOPE_ONE)
#define ANY (1U << PINFAST_SCOPE_ANY)
#define LONGEST (PINFAST_HOST_LEN - 1)

static const unsigned scopes[] = {EXACT, ONE, ANY, EXACT | ONE, EXACT | ANY};
static const uint16_t ports[] = {0, 443};
/* 0: the port is unknown. */
static const uint16_t asked_ports[] = {0, 443, 8443};

/* What stands before the long name; entries use a and b, hosts c, too. */
static const char *const below[] = {"", "b.", "bb.", "a.b."};

struct spec {
	unsigned name, scopes;
	uint16_t port;
};

#define MAX_SPECS 64
#define MAX_ENTRIES 3
#define MAX_HOSTS 400

struct world {
	char base[LONGEST + 1];
	struct spec specs[MAX_SPECS];
	unsigned spec_count;
	struct pf_host hosts[MAX_HOSTS];
	unsigned host_count;
	unsigned long policies, unreached;
};

/* Every name of a, b, c and dots that fits before base, and base. */
static void
add_hosts(struct world *w, char *prefix, unsigned len, unsigned room)
{
	char name[2 * LONGEST];

	snprintf(name, sizeof name, "%s%s%s", prefix, len > 0 ? "." : "",
	    w->base);
	assert_true(w->host_count < MAX_HOSTS);
	if (pf_host_parse(name, strlen(name), &w->hosts[w->host_count]) ==
	    PINFAST_OK)
		w->host_count++;
	/* The dot before base takes its place, too. */
	if (len + 1 >= room)
		return;
	for (const char *c = "abc."; *c != '\0'; c++) {
		if (*c == '.' && (len == 0 || prefix[len - 1] == '.'))
			continue;
		prefix[len] = *c;
		prefix[len + 1] = '\0';
		add_hosts(w, prefix, len + 1, room);
	}
	prefix[len] = '\0';
}

/* room: octets before base, with the dot.  step: of base's labels. */
static void
make_world(struct world *w, unsigned room, unsigned step)
{
	char prefix[8] = "";
	unsigned len = LONGEST - room;

	memset(w, 0, sizeof *w);
	for (unsigned i = 0; i < len; i++)
		w->base[i] = i % step == step - 1 && i + 1 < len ? '.' : 'n';
	add_hosts(w, prefix, 0, room);
	for (unsigned n = 0; n < sizeof below / sizeof below[0]; n++)
		for (unsigned s = 0; s < 5 && strlen(below[n]) <= room; s++)
			for (unsigned p = 0; p < 2; p++) {
				struct spec spec = {n, scopes[s], ports[p]};

				w->specs[w->spec_count++] = spec;
			}
}

static struct pinfast_builder *
build(const struct world *w, const unsigned *chosen, unsigned count)
{
	struct pinfast_builder *b;

	assert_int_equal(pinfast_builder_new(NULL, &b), 0);
	for (unsigned i = 0; i < count; i++) {
		const struct spec *s = &w->specs[chosen[i]];
		char name[2 * LONGEST];

		snprintf(name, sizeof name, "%s%s", below[s->name], w->base);
		pf_builder_at(b, i + 1, 1);
		pinfast_builder_entry(b, name, s->port,
		    s->scopes & EXACT ? PINFAST_SCOPE_EXACT
		    : s->scopes & ONE ? PINFAST_SCOPE_ONE
		                      : PINFAST_SCOPE_ANY);
		pf_builder_scopes(b, s->scopes);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF, PIN);
	}
	return b;
}

/* One question, and the host rule that answers. */
struct query {
	const struct pf_host *host;
	uint16_t port;
	struct pf_found found;
};

/* Has this entry the host rule that was found? */
static int
is_of_rule(const struct world *w, const struct spec *s, const struct query *q)
{
	const char *front = below[s->name];

	return (s->scopes >> q->found.scope & 1) != 0 &&
	       strlen(front) + strlen(w->base) ==
	           (size_t)(q->host->key_len - q->found.name_at) &&
	       memcmp(q->host->key + q->found.name_at, front, strlen(front)) ==
	           0;
}

/* Which of the entries this host and port reach, as bits. */
static unsigned
reached_by(const struct world *w, const unsigned *chosen, unsigned count,
    const struct query *q)
{
	unsigned own = 0, every = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct spec *s = &w->specs[chosen[i]];

		if (!is_of_rule(w, s, q))
			continue;
		if (s->port == q->port || q->port == 0)
			own |= 1U << i;
		if (s->port == 0)
			every |= 1U << i;
	}
	return own != 0 ? own : every;
}

static unsigned
reached_by_look_up(const struct world *w, const struct pinfast_store *store,
    const unsigned *chosen, unsigned count)
{
	unsigned reached = 0;

	for (unsigned h = 0; h < w->host_count; h++)
		for (unsigned p = 0; p < 3; p++) {
			struct query q = {
			    &w->hosts[h], asked_ports[p], {0, 0, 0, 0, 0}};

			if (pf_lookup_host(store, q.host, q.port, &q.found))
				reached |= reached_by(w, chosen, count, &q);
		}
	return reached;
}

static void
hear(void *arg, const struct pf_finding *finding)
{
	if (strcmp(finding->rule, "unreachable-entry") == 0)
		*(unsigned *)arg |= 1U << (finding->line - 1);
}

static void
check(struct world *w, const unsigned *chosen, unsigned count)
{
	const struct pf_lint_options options = {0, 0, NULL};
	struct pinfast_builder *b = build(w, chosen, count);
	struct pinfast_store *store;
	struct pinfast_bytes image;
	unsigned told = 0, reached;
	const struct pf_sink sink = {hear, &told};

	/* Two entries for one name and port are none. */
	if (pinfast_builder_finish(b, NULL, &image) != PINFAST_OK) {
		pinfast_builder_free(b);
		return;
	}
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	reached = reached_by_look_up(w, store, chosen, count);
	pf_lint(b, &options, &sink);
	w->policies++;
	w->unreached += told != 0;
	if ((told ^ reached) != (1U << count) - 1) {
		for (unsigned i = 0; i < count; i++)
			print_error("%sN scopes %u port %u: %s, lint %s\n",
			    below[w->specs[chosen[i]].name],
			    w->specs[chosen[i]].scopes,
			    w->specs[chosen[i]].port,
			    reached >> i & 1 ? "reached" : "not reached",
			    told >> i & 1 ? "complains" : "is content");
		fail();
	}
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

static void
check_world(unsigned room, unsigned step)
{
	static struct world w;
	unsigned n;

	make_world(&w, room, step);
	n = w.spec_count;
	for (unsigned i = 0; i < n; i++) {
		unsigned chosen[MAX_ENTRIES] = {i, 0, 0};

		check(&w, chosen, 1);
		for (unsigned j = i + 1; j < n; j++) {
			chosen[1] = j;
			check(&w, chosen, 2);
			for (unsigned k = j + 1; k < n; k++) {
				chosen[2] = k;
				check(&w, chosen, 3);
			}
		}
	}
	print_message("# room %u: %lu policies, %lu with an entry that no host "
	              "reaches\n",
	    room, w.policies, w.unreached);
	assert_true(w.policies > 30);
	assert_true(w.unreached > 0);
}

static void
lint_names_exactly_the_entries_that_no_host_reaches(void **state)
{
	(void)state;
	for (unsigned room = 0; room < 4; room++)
		check_world(room, 63);
	/* As many labels as there can be. */
	check_world(4, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        lint_names_exactly_the_entries_that_no_host_reaches),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
