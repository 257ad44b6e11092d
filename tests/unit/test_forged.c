/*
 * Stores by a forger who can make the sum fit: each rule of the structure has
 * a store that breaks it alone.
 */
#include "world.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/layout.h"
#include "core/store.h"
#include "core/sum.h"

static uint8_t image[16384];
static size_t image_len;

/* A policy with an entry of every kind; the terms stand in this order. */
static void
make_image(void)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes made;
	struct pinfast_diag diag = {0};

	pinfast_builder_entry(b, "anchored.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_anchor(b, certs[ROOT].item.der);
	pinfast_builder_entry(b, "none.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_entry(b, "off.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
	if (pinfast_builder_finish(b, &diag, &made) != PINFAST_OK)
		fail_msg("%s", diag.text);
	assert_true(made.len <= sizeof image);
	memcpy(image, made.data, made.len);
	image_len = made.len;
	pinfast_builder_free(b);
}

/* The terms that have this flag or mode. */
static uint8_t *
terms_with(int flag, int mode)
{
	uint8_t *t = image + pf_le32(image + PF_HDR_TERMS_AT);

	for (uint32_t i = 0; i < pf_le32(image + PF_HDR_TERMS); i++) {
		if (flag ? (t[PF_TERMS_FLAGS] & flag) != 0
		         : t[PF_TERMS_MODE] == mode &&
		               (mode != PINFAST_ENFORCE ||
		                   pf_le32(t + PF_TERMS_ANCHORS) != 0))
			return t;
		t += PF_TERMS_LEN;
	}
	fail_msg("no such terms");
	return NULL;
}

static uint8_t *
anchors(void)
{
	return image +
	       pf_le32(terms_with(0, PINFAST_ENFORCE) + PF_TERMS_ANCHORS);
}

/* The record of the name that has `pkix: none`, and its rule. */
static uint8_t *
none_record(void)
{
	for (size_t i = 0; i + 9 < image_len; i++)
		if (memcmp(image + i, "none.test", 9) == 0)
			return image + i - PF_NAME_TEXT;
	fail_msg("no such name");
	return NULL;
}

static uint8_t *
none_rule(void)
{
	return image + pf_le32(none_record() + PF_NAME_RULE);
}

static void
nothing_changed(void)
{
}

static void
negative_valid_until(void)
{
	pf_put_le64(image + PF_HDR_VALID, 1ULL << 63);
	image[PF_HDR_ON_LAPSE] = PINFAST_ENFORCE;
}

static void
negative_issued(void)
{
	pf_put_le64(image + PF_HDR_ISSUED, 1ULL << 63);
}

static void
blobs_behind_the_end(void)
{
	/* Everything fits but the end. */
	uint32_t more = (uint32_t)image_len / PF_TERMS_LEN + 2;

	pf_put_le32(image + PF_HDR_TERMS, more);
	pf_put_le32(image + PF_HDR_BLOBS_AT,
	    pf_le32(image + PF_HDR_TERMS_AT) + more * PF_TERMS_LEN);
}

static void
anchors_behind_the_end(void)
{
	pf_put_le32(terms_with(0, PINFAST_ENFORCE) + PF_TERMS_ANCHORS,
	    (uint32_t)image_len + 1);
}

static void
anchors_before_the_blobs(void)
{
	pf_put_le32(terms_with(0, PINFAST_ENFORCE) + PF_TERMS_ANCHORS, 256);
}

static void
anchors_without_room_for_their_number(void)
{
	pf_put_le32(terms_with(0, PINFAST_ENFORCE) + PF_TERMS_ANCHORS,
	    (uint32_t)image_len - 3);
}

static void
anchors_without_room_for_a_length(void)
{
	uint8_t *at = image + image_len - 5;

	pf_put_le32(at, 1);
	pf_put_le32(terms_with(0, PINFAST_ENFORCE) + PF_TERMS_ANCHORS,
	    (uint32_t)(at - image));
}

static void
no_anchors(void)
{
	pf_put_le32(anchors(), 0);
}

static void
too_many_anchors(void)
{
	pf_put_le32(anchors(), 65);
}

static void
an_empty_anchor(void)
{
	pf_put_le32(anchors() + 4, 0);
}

static void
an_anchor_that_is_too_large(void)
{
	pf_put_le32(anchors() + 4, 65537);
}

static void
an_anchor_that_is_too_long(void)
{
	pf_put_le32(anchors() + 4, pf_le32(anchors() + 4) + 4000);
}

static void
no_such_expiry(void)
{
	terms_with(PF_TERM_PKIX_NONE, 0)[PF_TERMS_ON_EXPIRY] = 9;
}

static void
off_expires_into_enforce(void)
{
	uint8_t *t = terms_with(0, PINFAST_OFF);

	pf_put_le64(t + PF_TERMS_EXPIRES, NOW);
	t[PF_TERMS_ON_EXPIRY] = PINFAST_ENFORCE;
}

static void
off_expires_into_deny(void)
{
	uint8_t *t = terms_with(0, PINFAST_OFF);

	pf_put_le64(t + PF_TERMS_EXPIRES, NOW);
	t[PF_TERMS_ON_EXPIRY] = PINFAST_DENY;
}

static void
none_reports(void)
{
	terms_with(PF_TERM_PKIX_NONE, 0)[PF_TERMS_MODE] = PINFAST_REPORT;
}

static void
none_expires_into_report(void)
{
	terms_with(PF_TERM_PKIX_NONE, 0)[PF_TERMS_ON_EXPIRY] = PINFAST_REPORT;
}

static void
none_expires_into_unpin(void)
{
	terms_with(PF_TERM_PKIX_NONE, 0)[PF_TERMS_ON_EXPIRY] = PINFAST_UNPIN;
}

static void
none_requires_all(void)
{
	terms_with(PF_TERM_PKIX_NONE, 0)[PF_TERMS_FLAGS] |= PF_TERM_REQUIRE_ALL;
}

static void
none_pins_anything(void)
{
	uint8_t *n = none_rule() + PF_RULE_COUNTS;

	n[0] = n[1];
	n[1] = 0;
}

static void
none_pins_a_ca(void)
{
	uint8_t *n = none_rule() + PF_RULE_COUNTS;

	n[2] = n[1];
	n[1] = 0;
}

static void
none_only_rejects(void)
{
	uint8_t *n = none_rule() + PF_RULE_COUNTS;

	n[4] = n[1];
	n[1] = 0;
}

#define ROW(fn, opens)                                                         \
	{                                                                      \
#fn, fn, opens                                                 \
	}
static const struct {
	const char *name;
	void (*spoil)(void);
	int opens;
} rows[] = {
    ROW(nothing_changed, 1),
    ROW(negative_valid_until, 0),
    ROW(negative_issued, 0),
    ROW(blobs_behind_the_end, 0),
    ROW(anchors_behind_the_end, 0),
    ROW(anchors_before_the_blobs, 0),
    ROW(anchors_without_room_for_their_number, 0),
    ROW(anchors_without_room_for_a_length, 0),
    ROW(no_anchors, 0),
    ROW(too_many_anchors, 0),
    ROW(an_empty_anchor, 0),
    ROW(an_anchor_that_is_too_large, 0),
    ROW(an_anchor_that_is_too_long, 0),
    ROW(no_such_expiry, 0),
    ROW(off_expires_into_enforce, 0),
    ROW(off_expires_into_deny, 1),
    ROW(none_reports, 0),
    ROW(none_expires_into_report, 0),
    ROW(none_expires_into_unpin, 0),
    ROW(none_requires_all, 0),
    ROW(none_pins_anything, 0),
    ROW(none_pins_a_ca, 0),
    ROW(none_only_rejects, 0),
};

static void
a_store_that_breaks_one_rule_does_not_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_bytes bytes = {image, 0};
		struct pinfast_diag diag = {0};
		struct pinfast_store *store = NULL;
		enum pinfast_error error;

		make_image();
		rows[i].spoil();
		pf_put_le64(image + PF_HDR_SUM, pf_sum_store(image, image_len));
		bytes.len = image_len;
		error = pinfast_store_open_memory(bytes, NULL, &diag, &store);
		if ((error == PINFAST_OK) != rows[i].opens)
			fail_msg("%s: %s", rows[i].name, diag.text);
		if (error != PINFAST_OK)
			assert_true(diag.text[0] != '\0');
		pinfast_store_free(store);
	}
}

static void
a_store_larger_than_the_offsets_reach_is_refused(void **state)
{
	struct pinfast_bytes bytes = {image, 0};
	struct pinfast_store *store;

	(void)state;
	/* Only its header is there: nothing behind it may be read. */
	make_image();
	if (sizeof(size_t) < 8)
		return;
	bytes.len = (size_t)PF_MAX_STORE + 1;
	pf_put_le64(image + PF_HDR_SIZE, bytes.len);
	assert_int_equal(pinfast_store_open_memory(bytes, NULL, NULL, &store),
	    PINFAST_ELIMIT);
}

static int
is_known(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	(void)scope;
	(void)port;
	assert_int_equal(strlen(name), len);
	assert_true(strcmp(name, "anchored.test") == 0 ||
	            strcmp(name, "off.test") == 0 ||
	            strcmp(name, "none.test") == 0);
	++*(int *)arg;
	return 0;
}

/* Opening does not look at names: no look-up finds such a one, and neither
 * does whoever walks over the store. */
static void
a_walk_passes_over_names_that_nobody_can_ask_for(void **state)
{
	static const struct {
		const char name[10];
		int seen;
	} names[] = {
	    {"none.test", 3},
	    {"none\0test", 2},
	    {"None.test", 2},
	    {"none.tes.", 2},
	    {"none..est", 2},
	    {"\4one.test", 2},
	    {"\6one.test", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct pinfast_bytes bytes = {image, 0};
		struct pinfast_store *store;
		int seen = 0;

		make_image();
		bytes.len = image_len;
		memcpy(none_record() + PF_NAME_TEXT, names[i].name, 9);
		pf_put_le64(image + PF_HDR_SUM, pf_sum_store(image, image_len));
		assert_int_equal(pinfast_store_open_memory(bytes, NULL, NULL,
		                     &store),
		    0);
		assert_int_equal(pinfast_store_each(store, is_known, &seen), 0);
		assert_int_equal(seen, names[i].seen);
		pinfast_store_free(store);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_store_that_breaks_one_rule_does_not_open),
	    cmocka_unit_test(a_store_larger_than_the_offsets_reach_is_refused),
	    cmocka_unit_test(a_walk_passes_over_names_that_nobody_can_ask_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
