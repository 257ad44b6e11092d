/*
 * Further paths.  The library is OpenSSL's signature check and a list of what
 * it was asked: names are made as a row wants them, also those that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapt/paths.h"
#include "claim.h"
#include "identity.h"

#define HOST "pin.test"

/* Everybody there is; a row names them by number. */
enum who {
	END,
	ROOT_A,
	ROOT_B,
	INT_A,
	INT_XA, /* Int X under root A */
	INT_XB, /* the same name and key under root B */
	LEAF,   /* under Int A */
	LEAF_X, /* under Int X */
	A_BY_B, /* root A's key under root B */
	LOOP_1, /* Int L issued by Int M ... */
	LOOP_2, /* ... and the other way round */
	LEAF_L,
	LIAR,   /* says that root B issued it, as Int X */
	SELF,   /* a leaf that signed itself */
	BROKEN, /* no certificate at all */
	PEOPLE
};

static struct id people[PEOPLE];
static struct pf_link links[PEOPLE];

/* A certificate for this key, name and issuer. */
static void
certify(enum who who, const char *name, enum who issuer, enum who key)
{
	struct id *id = &people[who];
	uint8_t *der = NULL, pin[PINFAST_PIN_LEN];
	struct pinfast_bytes bytes;

	id->key = key != END ? people[key].key : EVP_EC_gen("P-256");
	assert_non_null(id->key);
	if (key != END)
		EVP_PKEY_up_ref(id->key);
	identity_certify(id, name, issuer != END ? &people[issuer] : NULL, NULL,
	    30);
	bytes.len = (size_t)i2d_X509(id->cert, &der);
	bytes.data = der;
	assert_int_equal(pf_link_set(&links[who], bytes, id->cert), 0);
	assert_int_equal(pinfast_pin_of(bytes, pin, NULL), 0);
	pinfast_pin_write(pin, id->pin);
}

/* An issuer that exists by name only. */
static void
lie(enum who who, const char *name, enum who issuer, enum who key)
{
	EVP_PKEY *right = people[issuer].key;

	people[issuer].key = people[LEAF].key;
	certify(who, name, issuer, key);
	people[issuer].key = right;
}

static int
make_everybody(void **state)
{
	static const uint8_t nothing[] = {0x30, 0x01, 0x00};
	struct pinfast_bytes broken = {nothing, sizeof nothing};

	(void)state;
	certify(ROOT_A, "Root A", END, END);
	certify(ROOT_B, "Root B", END, END);
	certify(INT_A, "Int A", ROOT_A, END);
	certify(INT_XA, "Int X", ROOT_A, END);
	certify(INT_XB, "Int X", ROOT_B, INT_XA);
	certify(LEAF, "leaf", INT_A, END);
	certify(LEAF_X, "leaf X", INT_XA, END);
	certify(A_BY_B, "Root A", ROOT_B, ROOT_A);
	certify(LOOP_1, "Int L", END, END);
	certify(LOOP_2, "Int M", LOOP_1, END);
	X509_free(people[LOOP_1].cert);
	EVP_PKEY_free(people[LOOP_1].key);
	OPENSSL_free((void *)(uintptr_t)links[LOOP_1].der.data);
	certify(LOOP_1, "Int L", LOOP_2, END);
	certify(LEAF_L, "leaf L", LOOP_1, END);
	lie(LIAR, "Int X", ROOT_B, INT_XA);
	certify(SELF, "self", END, END);
	assert_int_equal(pf_link_set(&links[BROKEN], broken, NULL),
	    PINFAST_EFORMAT);
	return 0;
}

static int
free_everybody(void **state)
{
	(void)state;
	for (int i = 1; i < BROKEN; i++) {
		identity_free(&people[i]);
		OPENSSL_free((void *)(uintptr_t)links[i].der.data);
	}
	return 0;
}

/* -------------------------------------------------------------- the library */

/* What it was asked, and how it behaves. */
static struct {
	int asked;
	int checks;
	int verified;
	int refuses;      /* every path */
	int wrong_at;     /* its view of this position is another key's; -1 */
	int no_view;      /* it says nothing about keys */
	int says_nothing; /* views without content */
} library;

static int
verify(void *arg, const struct pf_link *const *path, size_t count)
{
	(void)arg;
	library.asked++;
	library.checks += (int)count;
	if (library.refuses)
		return 0;
	for (size_t i = 0; i + 1 < count; i++)
		if (X509_verify(path[i]->object,
		        X509_get0_pubkey(path[i + 1]->object)) != 1)
			return 0;
	library.verified++;
	return 1;
}

static int
view(void *arg, size_t index, const struct pf_link *link,
    struct pinfast_cert *out)
{
	(void)arg;
	assert_true(out->der.data == link->der.data);
	if (library.no_view)
		return 1;
	if (library.says_nothing)
		return 0;
	out->key_spki = link->walked.key.spki;
	if (library.wrong_at == (int)index)
		out->key_spki = links[ROOT_A].walked.key.spki;
	return 0;
}

/* ----------------------------------------------------------------- policies */

struct situation {
	struct pinfast_builder *b;
	struct pinfast *policy;
	struct pf_pool sent;
	struct pf_pool anchors;
	struct pf_paths p;
};

static void
add(struct pf_pool *pool, const enum who *who)
{
	for (; *who != END; who++)
		assert_int_equal(pf_pool_add(pool, links[*who].der,
		                     links[*who].object),
		    links[*who].is_walked ? PINFAST_OK : PINFAST_EFORMAT);
}

static void
serve(struct situation *s)
{
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast_diag diag = {0};

	if (pinfast_builder_finish(s->b, &diag, &image) != PINFAST_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_new(NULL, &s->policy), 0);
	assert_int_equal(pinfast_load(s->policy, store, NULL), 0);
	assert_int_equal(pinfast_conn_new(s->policy, HOST, 443, 1800000000,
	                     &s->p.conn),
	    0);
}

/* One entry with one pin, and a key that is rejected everywhere. */
static void
begin(struct situation *s, enum pinfast_role role, enum who pin,
    enum who rejected)
{
	memset(s, 0, sizeof *s);
	memset(&library, 0, sizeof library);
	library.wrong_at = -1;
	pf_pool_init(&s->sent);
	pf_pool_init(&s->anchors);
	assert_int_equal(pinfast_builder_new(NULL, &s->b), 0);
	pinfast_builder_entry(s->b, HOST, 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(s->b, PINFAST_ENTRY_MODE, PINFAST_ENFORCE);
	pinfast_builder_pin(s->b, role, people[pin].pin);
	if (rejected != END)
		pinfast_builder_reject(s->b, people[rejected].pin);
	serve(s);
	s->p.sent = &s->sent;
	s->p.anchors = &s->anchors;
	s->p.verify = verify;
	s->p.view = view;
}

static void
end(struct situation *s)
{
	pinfast_conn_free(s->p.conn);
	pinfast_free(s->policy);
	pinfast_builder_free(s->b);
	pf_pool_fini(&s->sent, NULL);
	pf_pool_fini(&s->anchors, NULL);
}

/* -------------------------------------------------------------------- rows */

static const struct row {
	const char *name;
	enum who sent[6]; /* leaf first */
	enum who anchors[4];
	enum who first[5]; /* END: the library names none */
	enum pinfast_role role;
	enum who pin;
	enum who rejected;
	int32_t reason;
	enum who judged[5]; /* the path that was judged last; END: any */
} rows[] = {
    {"the first path does", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_A, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XA, ROOT_A}},
    {"another root is pinned", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XB, ROOT_B}},
    {"another root is pinned, as a CA", {LEAF_X, INT_XB, INT_XA},
        {ROOT_A, ROOT_B}, {LEAF_X, INT_XB, ROOT_B}, PINFAST_ROLE_CA, ROOT_A,
        END, PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XA, ROOT_A}},
    {"the first root is rejected", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, INT_XA, ROOT_A,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XB, ROOT_B}},
    {"through a root that another signed", {LEAF, INT_A, A_BY_B},
        {ROOT_A, ROOT_B}, {LEAF, INT_A, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF, INT_A, A_BY_B, ROOT_B}},
    {"an anchor in the middle", {LEAF, INT_A}, {A_BY_B, ROOT_B},
        {LEAF, INT_A, A_BY_B}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF, INT_A, A_BY_B, ROOT_B}},

    {"nobody sent the other", {LEAF_X, INT_XA}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"the other is no anchor", {LEAF_X, INT_XA, INT_XB, ROOT_B}, {ROOT_A},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"there are no anchors", {LEAF_X, INT_XA, INT_XB}, {END},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"a pinned root appended", {LEAF, INT_A, ROOT_B}, {ROOT_A, ROOT_B},
        {LEAF, INT_A, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF, INT_A, ROOT_A}},
    {"a pinned stranger in between", {LEAF, INT_XA, INT_A}, {ROOT_A},
        {LEAF, INT_A, ROOT_A}, PINFAST_ROLE_ANY, INT_XA, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF, INT_A, ROOT_A}},
    {"who only says so", {LEAF_X, INT_XA, LIAR}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"a leaf pin misses", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_LEAF, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_X, INT_XA, ROOT_A}},
    {"both ways are rejected", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, INT_XA,
        PINFAST_REASON_REJECTED_KEY, {LEAF_X, INT_XA, ROOT_A}},
    {"the leaf is rejected", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B, LEAF_X,
        PINFAST_REASON_REJECTED_KEY, {LEAF_X, INT_XA, ROOT_A}},
    {"what cannot be walked is in the way", {LEAF_X, BROKEN, INT_XA, INT_XB},
        {ROOT_A, ROOT_B}, {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY, ROOT_B,
        END, PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XB, ROOT_B}},
    {"a loop behind the leaf", {LEAF_L, LOOP_1, LOOP_2, LOOP_1, LOOP_2},
        {ROOT_A, ROOT_B}, {LEAF_L, LOOP_1}, PINFAST_ROLE_ANY, ROOT_B, END,
        PINFAST_REASON_PIN_MISMATCH, {LEAF_L, LOOP_1}},
    {"a first path of a broken leaf", {BROKEN, INT_A}, {ROOT_A},
        {BROKEN, INT_A, ROOT_A}, PINFAST_ROLE_ANY, ROOT_A, END,
        PINFAST_REASON_CERTIFICATE_MALFORMED, {END}},

    {"none named, it does", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, ROOT_A, END, PINFAST_REASON_PIN_MATCHED,
        {LEAF_X, INT_XA, ROOT_A}},
    {"none named, the other does", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, ROOT_B, END, PINFAST_REASON_PIN_MATCHED,
        {LEAF_X, INT_XB, ROOT_B}},
    {"none named, the order does not matter", {LEAF_X, ROOT_A, INT_XB, INT_XA},
        {ROOT_B, ROOT_A}, {END}, PINFAST_ROLE_ANY, ROOT_A, END,
        PINFAST_REASON_PIN_MATCHED, {LEAF_X, INT_XA, ROOT_A}},
    {"none named, the first one lies", {LEAF_X, LIAR, INT_XA}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, INT_XA, END, PINFAST_REASON_PIN_MATCHED,
        {LEAF_X, INT_XA, ROOT_A}},
    {"none named, a leaf that is an anchor", {SELF}, {ROOT_A, SELF}, {END},
        PINFAST_ROLE_LEAF, SELF, END, PINFAST_REASON_PIN_MATCHED, {SELF}},
    {"none named, nobody pinned", {LEAF_X, INT_XA, INT_XB}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, INT_A, END, PINFAST_REASON_PIN_MISMATCH,
        {LEAF_X, INT_XA, ROOT_A}},
    {"none named, no path", {LEAF_X, INT_A}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF_X, END, PINFAST_REASON_PKIX_FAILED, {LEAF_X}},
    {"none named, no anchor", {LEAF_X, INT_XA}, {ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF_X, END, PINFAST_REASON_PKIX_FAILED, {LEAF_X}},
    {"none named, only liars", {LEAF_X, LIAR}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF_X, END, PINFAST_REASON_PKIX_FAILED, {LEAF_X}},
    {"none named, only a loop", {LEAF_L, LOOP_1, LOOP_2}, {ROOT_A, ROOT_B},
        {END}, PINFAST_ROLE_ANY, LEAF_L, END, PINFAST_REASON_PKIX_FAILED,
        {LEAF_L}},
    {"none named, signed by itself", {SELF}, {ROOT_A}, {END}, PINFAST_ROLE_ANY,
        SELF, END, PINFAST_REASON_PKIX_FAILED, {SELF}},
    {"none named, the root is rejected", {LEAF, INT_A}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF, ROOT_A, PINFAST_REASON_REJECTED_KEY,
        {LEAF, INT_A, ROOT_A}},
    {"none named, the leaf is rejected", {LEAF, INT_A}, {ROOT_A, ROOT_B}, {END},
        PINFAST_ROLE_ANY, LEAF, LEAF, PINFAST_REASON_REJECTED_KEY,
        {LEAF, INT_A, ROOT_A}},
    {"none named, a broken leaf", {BROKEN, INT_A}, {ROOT_A}, {END},
        PINFAST_ROLE_ANY, INT_A, END, PINFAST_REASON_CERTIFICATE_MALFORMED,
        {BROKEN}},
};

static struct pinfast_verdict
run(struct situation *s, const struct row *row)
{
	const struct pf_link *first[5];
	size_t count = 0;

	add(&s->anchors, row->anchors);
	add(&s->sent, row->sent + 1);
	s->p.leaf = &links[row->sent[0]];
	for (; row->first[count] != END; count++)
		first[count] = &links[row->first[count]];
	return pf_paths_verified(&s->p, count > 0 ? first : NULL, count);
}

static void
expect_judged(const struct row *row, const struct pf_paths *p)
{
	size_t count = 0;

	if (row->judged[0] == END)
		return;
	for (; row->judged[count] != END; count++) {
		claim(row->name, count < p->count);
		claim(row->name, p->path[count]->der.data ==
		                     links[row->judged[count]].der.data);
	}
	claim(row->name, count == p->count);
}

static void
one_verified_path_must_meet_the_whole_entry(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct pinfast_verdict verdict;
		struct situation s;

		begin(&s, row->role, row->pin, row->rejected);
		verdict = run(&s, row);
		if (verdict.reason != row->reason)
			fail_msg("%s: %s, not %s", row->name,
			    pinfast_reason_name(verdict.reason),
			    pinfast_reason_name(row->reason));
		claim(row->name,
		    (verdict.decision == PINFAST_ALLOW) ==
		        (row->reason == PINFAST_REASON_PIN_MATCHED));
		claim(row->name,
		    verdict.reason == pinfast_conn_verdict(s.p.conn).reason);
		expect_judged(row, &s.p);
		end(&s);
	}
}

/* Whatever the names promise, the library has the last word. */
static void
what_the_library_refuses_is_never_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct row row = rows[i];
		struct pinfast_verdict verdict;
		struct situation s;

		if (row.reason != PINFAST_REASON_PIN_MATCHED ||
		    (row.first[0] != END && row.pin == ROOT_A &&
		        row.first[2] == ROOT_A))
			continue;
		begin(&s, row.role, row.pin, row.rejected);
		library.refuses = 1;
		verdict = run(&s, &row);
		claim(row.name, verdict.decision != PINFAST_ALLOW);
		claim(row.name, library.asked > 0);
		end(&s);
	}
}

static void
an_application_may_want_one_path_only(void **state)
{
	struct situation s;

	(void)state;
	begin(&s, rows[1].role, rows[1].pin, END);
	s.p.one_path = 1;
	assert_int_equal(run(&s, &rows[1]).reason, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(library.asked, 0);
	end(&s);
}

static void
without_a_way_to_verify_nothing_is_searched(void **state)
{
	struct situation s;

	(void)state;
	for (size_t i = 1; i < sizeof rows / sizeof *rows; i++) {
		begin(&s, rows[i].role, rows[i].pin, rows[i].rejected);
		s.p.verify = NULL;
		claim(rows[i].name,
		    run(&s, &rows[i]).decision != PINFAST_ALLOW);
		claim(rows[i].name, library.asked == 0);
		end(&s);
	}
}

/* ------------------------------------------------------------------- limits */

static void
liars_use_up_the_builds(void **state)
{
	static const struct row row = {"liars", {LEAF_X, INT_XA},
	    {ROOT_A, ROOT_B}, {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY,
	    ROOT_B, END, 0, {END}};

	(void)state;
	/* One more than can be tried: the good one comes too late. */
	for (int liars = 15; liars <= 17; liars++) {
		struct pinfast_verdict verdict;
		struct situation s;

		begin(&s, row.role, row.pin, END);
		for (int i = 0; i < liars; i++)
			assert_int_equal(pf_pool_add_copy(&s.sent,
			                     links[LIAR].der,
			                     links[LIAR].object),
			    0);
		assert_int_equal(pf_pool_add(&s.sent, links[INT_XB].der,
		                     links[INT_XB].object),
		    0);
		verdict = run(&s, &row);
		assert_int_equal(verdict.reason,
		    liars < 16 ? PINFAST_REASON_PIN_MATCHED
		               : PINFAST_REASON_PATH_SEARCH_LIMIT);
		assert_int_equal(library.asked, 16);
		end(&s);
	}
}

/* Int 0 is issued by Int 1, and so on; the last by an anchor of the name. */
static void
make_ladder(struct id *rungs, int count, int key_of)
{
	struct id root = people[ROOT_B];

	for (int i = count - 1; i >= 0; i--) {
		char name[16];

		snprintf(name, sizeof name, "Rung %d", i);
		rungs[i].key = people[key_of].key;
		EVP_PKEY_up_ref(rungs[i].key);
		identity_certify(&rungs[i], name,
		    i == count - 1 ? &root : &rungs[i + 1], NULL, 30);
	}
}

static struct pinfast_bytes
der_of(const struct id *id)
{
	struct pinfast_bytes bytes;
	uint8_t *der = NULL;

	bytes.len = (size_t)i2d_X509(id->cert, &der);
	bytes.data = der;
	return bytes;
}

/* Paths of 16 certificates: four of them are 64 signatures. */
static void
long_paths_use_up_the_checks(void **state)
{
	(void)state;
	for (int rungs = 13; rungs <= 15; rungs++) {
		struct id ladder[16];
		struct pf_link leaf;
		struct situation s;

		memset(ladder, 0, sizeof ladder);
		make_ladder(ladder, rungs + 1, LEAF_X);
		begin(&s, PINFAST_ROLE_ANY, ROOT_B, END);
		library.refuses = 1;
		/* The last rung five times, as five certificates. */
		for (int i = 1; i <= rungs; i++) {
			struct pinfast_bytes der = der_of(&ladder[i]);

			assert_int_equal(pf_pool_add_copy(&s.sent, der, NULL),
			    0);
			OPENSSL_free((void *)(uintptr_t)der.data);
		}
		for (int i = 0; i < 5; i++)
			assert_int_equal(pf_pool_add(&s.anchors,
			                     links[ROOT_B].der, NULL),
			    0);
		assert_int_equal(pf_link_set(&leaf, der_of(&ladder[0]), NULL),
		    0);
		s.p.leaf = &leaf;
		assert_int_equal(pf_paths_verified(&s.p, NULL, 0).reason,
		    rungs == 15 ? PINFAST_REASON_PKIX_FAILED
		                : PINFAST_REASON_PATH_SEARCH_LIMIT);
		/* Leaf, rungs and anchor; 17 certificates are no path. */
		assert_int_equal(library.asked, rungs == 15 ? 0 : 4);
		assert_true(library.checks <= 64);
		end(&s);
		OPENSSL_free((void *)(uintptr_t)leaf.der.data);
		for (int i = 0; i <= rungs; i++)
			identity_free(&ladder[i]);
	}
}

/* Everybody may have issued everybody, and nobody leads to an anchor. */
static void
steps_come_to_an_end(void **state)
{
	struct id many[12];
	struct situation s;

	(void)state;
	memset(many, 0, sizeof many);
	begin(&s, PINFAST_ROLE_ANY, ROOT_B, END);
	for (int i = 0; i < 12; i++) {
		struct pinfast_bytes der;

		many[i].key = people[LOOP_1].key;
		EVP_PKEY_up_ref(many[i].key);
		identity_certify(&many[i], i % 2 ? "Int L" : "Int M",
		    i % 2 ? &people[LOOP_2] : &people[LOOP_1], NULL, 30);
		der = der_of(&many[i]);
		assert_int_equal(pf_pool_add_copy(&s.sent, der, NULL), 0);
		OPENSSL_free((void *)(uintptr_t)der.data);
		identity_free(&many[i]);
	}
	s.p.leaf = &links[LEAF_L];
	assert_int_equal(pf_paths_verified(&s.p, NULL, 0).reason,
	    PINFAST_REASON_PATH_SEARCH_LIMIT);
	assert_int_equal(library.asked, 0);
	end(&s);
}

/* ---------------------------------------------------------- the two parsers */

static void
both_parsers_must_agree(void **state)
{
	static const struct row row = {"two parsers", {LEAF_X, INT_XA, INT_XB},
	    {ROOT_A, ROOT_B}, {LEAF_X, INT_XA, ROOT_A}, PINFAST_ROLE_ANY,
	    ROOT_B, END, 0, {END}};
	static const struct {
		const char *name;
		int wrong_at;
		int no_view;
		int says_nothing;
		int32_t reason;
	} views[] = {
	    {"as ours", -1, 0, 0, PINFAST_REASON_PIN_MATCHED},
	    {"an issuer without a pin", 1, 0, 0, PINFAST_REASON_PIN_MATCHED},
	    {"another leaf", 0, 0, 0, PINFAST_REASON_PARSER_DISAGREEMENT},
	    /* Then that path does not do, and the first one is spoken of. */
	    {"another pinned root", 2, 0, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"none", -1, 1, 0, PINFAST_REASON_HASH_FAILED},
	    {"an empty one", -1, 0, 1, PINFAST_REASON_PARSER_DISAGREEMENT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		struct pinfast_verdict verdict;
		struct situation s;

		begin(&s, row.role, row.pin, END);
		library.wrong_at = views[i].wrong_at;
		library.no_view = views[i].no_view;
		library.says_nothing = views[i].says_nothing;
		verdict = run(&s, &row);
		if (verdict.reason != views[i].reason)
			fail_msg("%s: %s", views[i].name,
			    pinfast_reason_name(verdict.reason));
		claim(views[i].name,
		    (verdict.decision == PINFAST_ALLOW) ==
		        (views[i].reason == PINFAST_REASON_PIN_MATCHED));
		end(&s);
	}
}

/* ------------------------------------------------------ the leaf on its own */

static void
a_leaf_alone_proves_no_path(void **state)
{
	struct situation s;

	(void)state;
	begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
	s.p.leaf = &links[LEAF];
	assert_int_equal(pf_paths_leaf(&s.p, PINFAST_PKIX_NOT_RUN).reason,
	    PINFAST_REASON_NOT_VERIFIED);
	assert_int_equal(pf_paths_leaf(&s.p, PINFAST_PKIX_OVERRIDDEN).reason,
	    PINFAST_REASON_NOT_VERIFIED);
	assert_int_equal(pf_paths_failed(&s.p, PINFAST_REASON_PKIX_FAILED)
	                     .reason,
	    PINFAST_REASON_PKIX_FAILED);
	s.p.leaf = NULL;
	assert_int_equal(pf_paths_failed(&s.p, PINFAST_REASON_NO_CERTIFICATE)
	                     .reason,
	    PINFAST_REASON_NO_CERTIFICATE);
	assert_true(pf_paths_leaf(&s.p, PINFAST_PKIX_NOT_RUN).decision !=
	            PINFAST_ALLOW);
	assert_true(pf_paths_verified(&s.p, NULL, 0).decision != PINFAST_ALLOW);
	end(&s);
}

static void
a_leaf_that_will_be_refused_is_refused_at_once(void **state)
{
	struct situation s;

	(void)state;
	begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
	s.p.leaf = &links[LEAF_X];
	assert_int_equal(pf_paths_before(&s.p), 1);
	assert_int_equal(pinfast_conn_verdict(s.p.conn).reason,
	    PINFAST_REASON_PIN_MISMATCH);
	end(&s);
	begin(&s, PINFAST_ROLE_LEAF, LEAF, END);
	s.p.leaf = &links[LEAF];
	assert_int_equal(pf_paths_before(&s.p), 0);
	s.p.leaf = NULL;
	assert_int_equal(pf_paths_before(&s.p), 0);
	end(&s);
	begin(&s, PINFAST_ROLE_ANY, LEAF, END);
	s.p.leaf = &links[LEAF_X];
	assert_int_equal(pf_paths_before(&s.p), 0);
	end(&s);
}

static void
the_judged_path_can_be_completed(void **state)
{
	struct pinfast_path last;
	struct situation s;

	(void)state;
	begin(&s, rows[0].role, rows[0].pin, END);
	assert_int_equal(run(&s, &rows[0]).decision, PINFAST_ALLOW);
	last = pf_paths_last(&s.p);
	assert_int_equal(last.count, 3);
	assert_true(last.not_after(last.arg, 2) > 1700000000);
	assert_int_equal(pinfast_conn_complete(s.p.conn, &last), 0);
	s.p.path[1] = &links[BROKEN];
	assert_int_equal(last.not_after(last.arg, 1), 0);
	end(&s);
}

static void
more_than_sixteen_certificates_are_no_path(void **state)
{
	const struct pf_link *first[17];
	struct situation s;

	(void)state;
	for (int i = 0; i < 17; i++)
		first[i] = &links[ROOT_A];
	begin(&s, PINFAST_ROLE_ANY, ROOT_A, END);
	s.p.leaf = first[0];
	assert_int_equal(pf_paths_verified(&s.p, first, 17).reason,
	    PINFAST_REASON_PATH_TOO_LONG);
	assert_int_equal(s.p.count, 16);
	assert_int_equal(pf_paths_verified(&s.p, first, 16).reason,
	    PINFAST_REASON_PIN_MATCHED);
	end(&s);
}

/* -------------------------------------------------------------------- pools */

static int released;

static void
release(void *object)
{
	if (object != NULL)
		released++;
}

static void
a_pool_finds_exactly_the_bytes(void **state)
{
	struct pf_pool pool;

	(void)state;
	pf_pool_init(&pool);
	assert_null(pf_pool_find(&pool, &links[ROOT_A]));
	/* Enough that it grows, and that one name is there many times. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pf_pool_add(&pool, links[INT_XA].der,
		                     &released),
		    0);
		assert_int_equal(pf_pool_add_copy(&pool, links[ROOT_B].der,
		                     NULL),
		    0);
	}
	assert_int_equal(pf_pool_add_copy(&pool, links[BROKEN].der, NULL),
	    PINFAST_EFORMAT);
	assert_int_equal(pool.count, 40);
	assert_null(pf_pool_find(&pool, &links[INT_XB]));
	assert_null(pf_pool_find(&pool, &links[A_BY_B]));
	assert_null(pf_pool_find(&pool, &links[BROKEN]));
	assert_ptr_equal(pf_pool_find(&pool, &links[INT_XA]), &pool.links[0]);
	assert_ptr_equal(pf_pool_find(&pool, &links[ROOT_B]), &pool.links[1]);
	assert_true(pool.links[1].der.data != links[ROOT_B].der.data);
	released = 0;
	pf_pool_fini(&pool, release);
	assert_int_equal(released, 20);
	assert_int_equal(pool.count, 0);
	pf_pool_fini(&pool, NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_verified_path_must_meet_the_whole_entry),
	    cmocka_unit_test(what_the_library_refuses_is_never_judged),
	    cmocka_unit_test(an_application_may_want_one_path_only),
	    cmocka_unit_test(without_a_way_to_verify_nothing_is_searched),
	    cmocka_unit_test(liars_use_up_the_builds),
	    cmocka_unit_test(long_paths_use_up_the_checks),
	    cmocka_unit_test(steps_come_to_an_end),
	    cmocka_unit_test(both_parsers_must_agree),
	    cmocka_unit_test(a_leaf_alone_proves_no_path),
	    cmocka_unit_test(a_leaf_that_will_be_refused_is_refused_at_once),
	    cmocka_unit_test(the_judged_path_can_be_completed),
	    cmocka_unit_test(more_than_sixteen_certificates_are_no_path),
	    cmocka_unit_test(a_pool_finds_exactly_the_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
