/*
 * Random policies, hosts and chains, judged by libpinfast.  The same seed
 * gives the same triples on every machine.
 *
 *   triples SEED COUNT          a SHA-256 over all stores and verdicts
 *   triples SEED COUNT --dump   every triple as JSON, for judge.py
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/sha256.h"
#include "pinfast.h"

#define KEYS 6
#define NOW 1800000000LL
#define QUERIES 24 /* for each policy */

static uint64_t state;
static int dump;
static struct pf_sha256 hash;

static unsigned
dice(unsigned sides)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(state >> 33) % sides;
}

struct cert {
	uint8_t der[256];
	size_t len;
	struct pinfast_bytes spki;
	char pin[PINFAST_PIN_TEXT_LEN];
};
static struct cert certs[KEYS];

static size_t
put(uint8_t *at, int tag, const void *content, size_t len)
{
	size_t head = 2;

	at[0] = (uint8_t)tag;
	at[1] = (uint8_t)len;
	if (len >= 0x80) {
		at[1] = 0x81;
		at[2] = (uint8_t)len;
		head = 3;
	}
	memmove(at + head, content, len);
	return head + len;
}

/* A structure-exact certificate around a key that is only a number. */
static void
make_cert(struct cert *c, uint8_t id)
{
	static const uint8_t oid[] = {0x06, 3, 0x2b, 0x65, 0x70};
	uint8_t spki[64], tbs[200], body[220], algorithm[8], dates[40];
	uint8_t bits[33] = {0};
	uint8_t pin[PINFAST_PIN_LEN];
	size_t a, s, t = 0, d, b, at;

	memset(bits + 1, id + 1, 32);
	a = put(algorithm, 0x30, oid, sizeof oid);
	memcpy(body, algorithm, a);
	s = a + put(body + a, 0x03, bits, sizeof bits);
	s = put(spki, 0x30, body, s);
	d = put(body, 0x17, "260101000000Z", 13);
	d += put(body + d, 0x18, "20990101000000Z", 15);
	d = put(dates, 0x30, body, d);
	t += put(body + t, 0x02, &id, 1);
	memcpy(body + t, algorithm, a);
	t += a;
	t += put(body + t, 0x30, "", 0);
	memcpy(body + t, dates, d);
	t += d;
	t += put(body + t, 0x30, "", 0);
	at = t;
	memcpy(body + t, spki, s);
	t += s;
	t = put(tbs, 0x30, body, t);
	b = t;
	memcpy(body, tbs, t);
	memcpy(body + b, algorithm, a);
	b += a;
	b += put(body + b, 0x03, "\0x", 2);
	c->len = put(c->der, 0x30, body, b);
	(void)at;
	if (pinfast_pin_of((struct pinfast_bytes){c->der, c->len}, pin, NULL) !=
	    PINFAST_OK)
		abort();
	pinfast_pin_write(pin, c->pin);
	for (size_t i = 0; i + s <= c->len; i++)
		if (memcmp(c->der + i, spki, s) == 0)
			c->spki = (struct pinfast_bytes){c->der + i, s};
}

static const char *const names[] = {
    "a.test", "b.a.test", "c.b.a.test", "d.c.b.a.test", "test", "192.0.2.7"};
static const char *const hosts[] = {"a.test", "B.a.test.", "c.b.a.test",
    "x.c.b.a.test", "d.c.b.a.test", "e.a.test", "other", "y.test", "192.0.2.7",
    "a..test", "xa.test", "x.y.z.test", "::ffff:192.0.2.7"};
static const uint16_t ports[] = {0, 443, 8443};

#define SAY(...)                                                               \
	do {                                                                   \
		if (dump)                                                      \
			printf(__VA_ARGS__);                                   \
	} while (0)

static void
add_list(struct pinfast_builder *b, int role, const char *name, unsigned odds)
{
	unsigned first = 1;

	SAY(",\"%s\":[", name);
	for (unsigned k = 0; k < KEYS; k++) {
		if (dice(100) >= odds)
			continue;
		pinfast_builder_pin(b, (enum pinfast_role)role, certs[k].pin);
		SAY("%s%u", first ? "" : ",", k);
		first = 0;
	}
	SAY("]");
}

static void
add_entry(struct pinfast_builder *b)
{
	static const int modes[] = {PINFAST_ENFORCE, PINFAST_ENFORCE,
	    PINFAST_ENFORCE, PINFAST_REPORT, PINFAST_OFF};
	static const int then[] = {
	    PINFAST_ENFORCE, PINFAST_REPORT, PINFAST_DENY, PINFAST_UNPIN};
	const char *name = names[dice(6)];
	uint16_t port = dice(3) ? 0 : ports[dice(3)];
	unsigned scope = dice(3), mode = (unsigned)modes[dice(5)];
	int none = dice(6) == 0, all = dice(5) == 0, join = dice(4) == 0;
	int ignore = none && dice(2), off = mode == PINFAST_OFF;
	int64_t expires = dice(4) ? 0 : NOW + (dice(2) ? 10 : 0);
	int on_expiry = expires ? then[dice(4)] : 0;

	SAY("{\"name\":\"%s\",\"port\":%u,\"scope\":%u,\"mode\":%u,"
	    "\"none\":%d,\"ignore\":%d,\"all\":%d,\"union\":%d,"
	    "\"expires\":%lld,\"then\":%d",
	    name, port, scope, mode, none, ignore, all, join,
	    (long long)expires, on_expiry);
	pinfast_builder_entry(b, name, port, (enum pinfast_scope)scope);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, mode);
	if (none)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	if (ignore)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	if (all)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_REQUIRE_ALL, 1);
	if (join)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
	if (expires) {
		pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, expires);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
		    on_expiry);
	}
	add_list(b, PINFAST_ROLE_ANY, "any", off || none ? 0 : 12);
	add_list(b, PINFAST_ROLE_LEAF, "leaf", off ? 0 : 20);
	add_list(b, PINFAST_ROLE_CA, "ca", off || none ? 0 : 20);
	add_list(b, PINFAST_ROLE_REJECT, "reject", dice(4) ? 0 : 15);
	SAY("}");
}

/* A policy that is valid, in text of its own for the dump. */
static struct pinfast *
make_policy(struct pinfast_builder *b)
{
	static const int actions[] = {
	    PINFAST_PASS, PINFAST_REPORT, PINFAST_DENY};
	int unlisted = actions[dice(3)];
	int lapse = dice(4) ? 0 : dice(2) ? PINFAST_ENFORCE : PINFAST_REPORT;
	unsigned entries = 1 + dice(4), first = 1;
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast *policy;

	pinfast_builder_set(b, PINFAST_POLICY_UNLISTED, unlisted);
	if (lapse) {
		pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL, NOW);
		pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, lapse);
	}
	SAY("{\"unlisted\":%d,\"lapse\":%d,\"reject\":[", unlisted, lapse);
	for (unsigned k = 0; k < KEYS; k++)
		if (dice(20) == 0) {
			pinfast_builder_reject(b, certs[k].pin);
			SAY("%s%u", first ? "" : ",", k);
			first = 0;
		}
	SAY("],\"entries\":[");
	for (unsigned i = 0; i < entries; i++) {
		SAY("%s", i > 0 ? "," : "");
		add_entry(b);
	}
	SAY("]}");
	if (pinfast_builder_finish(b, NULL, &image) != PINFAST_OK)
		return NULL;
	pf_sha256_update(&hash, image.data, image.len);
	if (pinfast_store_open_memory(image, NULL, NULL, &store) != 0 ||
	    pinfast_new(NULL, &policy) != 0 ||
	    pinfast_load(policy, store, NULL) != 0)
		abort();
	return policy;
}

static int reported;

static void
on_event(void *arg, const struct pinfast_event *event)
{
	(void)arg;
	reported = event->reported;
}

struct shown {
	struct pinfast_cert path[3];
};

static int
source_cert(void *arg, size_t index, struct pinfast_cert *out)
{
	const struct shown *shown = arg;

	*out = shown->path[index];
	return 0;
}

static int64_t
source_until(void *arg, size_t index)
{
	(void)arg;
	(void)index;
	return NOW + 1;
}

/* What is refused before verification would be refused after it, and for the
 * same reason unless another one of the path is rejected. */
static void
ask_before(struct pinfast *policy, const char *host, uint16_t port,
    const struct pinfast_cert path[3])
{
	struct shown shown;
	struct pinfast_path lazy = {
	    3, &shown, source_cert, source_until, NULL, NULL};
	struct pinfast_conn *conn;
	struct pinfast_verdict before, v;
	int refused;

	memcpy(shown.path, path, sizeof shown.path);
	if (pinfast_conn_new(policy, host, port, NOW, &conn) != PINFAST_OK)
		abort();
	refused = pinfast_judge_before(conn, &lazy);
	before = pinfast_conn_verdict(conn);
	v = pinfast_judge_path_lazy(conn, &lazy);
	if (before.decision == PINFAST_ALLOW ||
	    (refused && v.decision == PINFAST_ALLOW) ||
	    (refused && v.reason != before.reason &&
	        v.reason != PINFAST_REASON_REJECTED_KEY))
		abort();
	pinfast_conn_free(conn);
}

static void
ask(struct pinfast *policy)
{
	const char *host = hosts[dice(13)];
	uint16_t port = dice(4) ? ports[dice(3)] : 1;
	unsigned kind = dice(8), chain[3];
	struct pinfast_cert path[3];
	struct pinfast_conn *conn;
	struct pinfast_verdict v;
	uint8_t out[9];

	memset(path, 0, sizeof path);
	for (int i = 0; i < 3; i++) {
		chain[i] = dice(KEYS);
		path[i].der.data = certs[chain[i]].der;
		path[i].der.len = certs[chain[i]].len;
		path[i].key_spki = certs[chain[i]].spki;
	}
	if (pinfast_conn_new(policy, host, port, NOW, &conn) != PINFAST_OK)
		abort();
	ask_before(policy, host, port, path);
	switch (kind) {
	case 0:
		v = pinfast_judge_leaf(conn, path, PINFAST_PKIX_NOT_RUN);
		break;
	case 1:
		v = pinfast_judge_leaf(conn, path, PINFAST_PKIX_OVERRIDDEN);
		break;
	case 2:
		v = pinfast_judge_key(conn, path[0].key_spki);
		break;
	case 3:
		v = pinfast_judge_failed(conn, path,
		    PINFAST_REASON_PKIX_FAILED);
		break;
	default:
		v = pinfast_judge_path(conn, path, 3);
		break;
	}
	v = pinfast_conn_settle(conn);
	pinfast_conn_free(conn);
	for (int i = 0; i < 4; i++) {
		out[i] = (uint8_t)(v.decision >> 8 * i);
		out[4 + i] = (uint8_t)((uint32_t)v.reason >> 8 * i);
	}
	out[8] = (uint8_t)reported;
	pf_sha256_update(&hash, out, sizeof out);
	SAY("{\"host\":\"%s\",\"port\":%u,\"kind\":%u,\"chain\":[%u,%u,%u],"
	    "\"allow\":%d,\"reported\":%d,\"reason\":\"%s\"}\n",
	    host, port, kind, chain[0], chain[1], chain[2],
	    v.decision == PINFAST_ALLOW, reported,
	    pinfast_reason_name(v.reason));
}

int
main(int argc, char *argv[])
{
	unsigned long left;
	uint8_t digest[32];
	char hex[65];

	if (argc < 3)
		return 2;
	state = strtoul(argv[1], NULL, 10);
	left = strtoul(argv[2], NULL, 10);
	dump = argc > 3;
	pf_sha256_init(&hash);
	for (uint8_t i = 0; i < KEYS; i++)
		make_cert(&certs[i], i);
	while (left > 0) {
		struct pinfast_builder *b;
		struct pinfast *policy;

		if (pinfast_builder_new(NULL, &b) != PINFAST_OK)
			abort();
		policy = make_policy(b);
		SAY("%s\n", policy != NULL ? "" : " refused");
		if (policy != NULL) {
			pinfast_on_event(policy, on_event, NULL);
			for (int i = 0; i < QUERIES && left > 0; i++, left--)
				ask(policy);
		}
		pinfast_free(policy);
		pinfast_builder_free(b);
	}
	pf_sha256_final(&hash, digest);
	pf_hex_write(digest, 32, hex);
	if (!dump)
		puts(hex);
	return 0;
}
