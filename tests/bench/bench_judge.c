/*
 * Judges one path under callgrind, which counts instructions, and does beside
 * it the bare work that the verdict needs: walking the certificates and
 * hashing the keys that the lists ask about.  Each count is dumped under its
 * name; outside of callgrind nothing is counted.
 *
 *   bench_judge HOSTS leaf.der intermediate.der root.der other.der
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "base/sha256.h"
#include "core/spki.h"
#include "pinfast.h"

#define NOW 1800000000LL
#define CERTS 3
#define PORT 443

static uint8_t der[CERTS + 1][8192];
static struct pinfast_cert path[CERTS + 1];
static char pins[CERTS + 1][PINFAST_PIN_TEXT_LEN];

static void
must(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "bench_judge: %s\n", what);
	exit(1);
}

static void
read_cert(const char *file, int i)
{
	FILE *f = fopen(file, "rb");
	struct pf_cert walked;
	uint8_t hash[PINFAST_PIN_LEN];

	must(f != NULL, file);
	path[i].der.data = der[i];
	path[i].der.len = fread(der[i], 1, sizeof der[i], f);
	fclose(f);
	must(pf_cert_walk(path[i].der, &walked, NULL) == PINFAST_OK, file);
	/* As OpenSSL shows it: algorithm, parameters and bits. */
	path[i].key_oid = walked.key.oid;
	path[i].key_params = walked.key.params;
	path[i].key_bits = walked.key.bits;
	must(pinfast_pin_of(path[i].der, hash, NULL) == PINFAST_OK, file);
	pinfast_pin_write(hash, pins[i]);
}

static void
add(struct pinfast_builder *b, const char *name, enum pinfast_role role,
    const char *pin)
{
	must(pinfast_builder_entry(b, name, 0, PINFAST_SCOPE_EXACT) == 0 &&
	         pinfast_builder_pin(b, role, pin) == 0,
	    name);
}

/* Three hosts to judge among many others. */
static struct pinfast *
make_policy(unsigned hosts)
{
	struct pinfast_builder *b;
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast *policy;
	char name[64];

	must(pinfast_builder_new(NULL, &b) == 0, "memory");
	for (unsigned i = 3; i < hosts; i++) {
		snprintf(name, sizeof name, "h%u.example%u.com", i, i % 9973);
		add(b, name, PINFAST_ROLE_LEAF, pins[i % CERTS]);
	}
	add(b, "leaf.example.test", PINFAST_ROLE_LEAF, pins[0]);
	add(b, "root.example.test", PINFAST_ROLE_CA, pins[2]);
	add(b, "none.example.test", PINFAST_ROLE_ANY, pins[CERTS]);
	must(pinfast_builder_finish(b, NULL, &image) == 0, "finish");
	must(pinfast_store_open_memory(image, NULL, NULL, &store) == 0, "open");
	must(pinfast_new(NULL, &policy) == 0, "memory");
	must(pinfast_load(policy, store, NULL) == 0, "load");
	return policy;
}

static void
judge(struct pinfast *policy, const char *host, int allow)
{
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	must(pinfast_conn_new(policy, host, PORT, NOW, &conn) == 0, host);
	CALLGRIND_ZERO_STATS;
	v = pinfast_judge_path(conn, path, CERTS);
	CALLGRIND_DUMP_STATS_AT(host);
	must((v.decision == PINFAST_ALLOW) == allow, host);
	pinfast_conn_free(conn);
}

static void
bare(const char *what, int first, int last)
{
	struct pf_cert walked[CERTS];
	uint8_t hash[PINFAST_PIN_LEN];
	int bad = 0;

	CALLGRIND_ZERO_STATS;
	for (int i = 0; i < CERTS; i++)
		bad |= pf_cert_walk(path[i].der, &walked[i], NULL);
	for (int i = first; i <= last; i++)
		pf_sha256(walked[i].key.spki.data, walked[i].key.spki.len,
		    hash);
	CALLGRIND_DUMP_STATS_AT(what);
	must(bad == 0, what);
}

int
main(int argc, char *argv[])
{
	struct pinfast *policy;

	must(argc == 6, "HOSTS leaf intermediate root other");
	for (int i = 0; i <= CERTS; i++)
		read_cert(argv[2 + i], i);
	policy = make_policy((unsigned)strtoul(argv[1], NULL, 10));
	/* Once for what is done only once. */
	judge(policy, "leaf.example.test", 1);
	judge(policy, "leaf.example.test", 1);
	judge(policy, "root.example.test", 1);
	judge(policy, "none.example.test", 0);
	bare("bare leaf", 0, 0);
	bare("bare root", 1, 2);
	bare("bare none", 0, 2);
	pinfast_free(policy);
	return 0;
}
