/*
 * Stores from hostile hands: whatever is changed, the answer is an error, the
 * same verdict, and never a crash.
 */
#include "world.h"

#include "base/bytes.h"
#include "base/host.h"
#include "core/layout.h"
#include "core/lookup.h"
#include "core/rule.h"
#include "core/store.h"
#include "core/sum.h"
#include "model/draft.h"

/* A small policy that uses every part of the layout. */
static struct pinfast_bytes
small_store(struct pinfast_builder *b)
{
	assert_int_equal(pinfast_builder_set(b, PINFAST_POLICY_SERIAL, 7), 0);
	assert_int_equal(pinfast_builder_report_to(b, "https://r.test/v1"), 0);
	assert_int_equal(pinfast_builder_reject(b, certs[OTHER].pin), 0);
	world_entry(b, "www.example.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_SHADOW_CA, ROOT);
	world_entry(b, "www.example.test", 8443, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_CA, INTER);
	assert_int_equal(pinfast_builder_anchor(b, certs[ROOT].item.der), 0);
	world_entry(b, "example.test", 0, PINFAST_SCOPE_ANY);
	world_pin(b, PINFAST_ROLE_ANY, ROOT);
	world_pin(b, PINFAST_ROLE_REJECT, OTHER);
	world_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, INTER);
	world_entry(b, "b.test", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, INTER);
	world_entry(b, "192.0.2.7", 0, PINFAST_SCOPE_EXACT);
	assert_int_equal(pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
	                     PINFAST_OFF),
	    0);
	return world_image(b);
}

static const struct {
	const char *host;
	uint16_t port;
} asked[] = {{"www.example.test", 443}, {"www.example.test", 8443},
    {"x.y.example.test", 0}, {"a.test", 443}, {"b.test", 0}, {"192.0.2.7", 443},
    {"unlisted.test", 443}};
#define ASKED (sizeof asked / sizeof *asked)

static void
answers(struct pinfast_store *store, struct pinfast_verdict out[ASKED])
{
	struct pinfast *policy;

	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_load(policy, store, NULL), 0);
	for (size_t i = 0; i < ASKED; i++) {
		struct pinfast_conn *conn =
		    world_conn(policy, asked[i].host, asked[i].port);

		out[i] = pinfast_judge_path(conn, path3, 3);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
}

static void
every_change_of_one_byte_is_an_error(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image = small_store(b);
	uint8_t *copy = malloc(image.len);
	struct pinfast_bytes changed = {copy, image.len};
	struct pinfast_store *store;

	(void)state;
	memcpy(copy, image.data, image.len);
	for (size_t at = 0; at < image.len; at++)
		for (unsigned flip = 1; flip < 256; flip++) {
			copy[at] ^= (uint8_t)flip;
			if (pinfast_store_open_memory(changed, NULL, NULL,
			        &store) == PINFAST_OK)
				fail_msg("byte %zu ^ %u opens", at, flip);
			copy[at] ^= (uint8_t)flip;
		}
	free(copy);
	pinfast_builder_free(b);
}

static void
every_truncation_is_an_error(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image = small_store(b);
	struct pinfast_store *store;

	(void)state;
	for (size_t len = 0; len < image.len; len++) {
		/* A heap copy of that size, so that a read beyond is seen. */
		uint8_t *copy = malloc(len + 1);
		struct pinfast_bytes cut = {copy, len};

		memcpy(copy, image.data, len);
		assert_true(pinfast_store_open_memory(cut, NULL, NULL,
		                &store) != PINFAST_OK);
		free(copy);
	}
	pinfast_builder_free(b);
}

/* Stores that are in use must stay readable: another reading of the format,
 * in Python, made these. */
static void
the_sum_stays_what_it_is(void **state)
{
	static const struct {
		size_t len;
		uint64_t sum;
	} rows[] = {
	    {0, 0xbf7cbbda39bbbc3cULL},
	    {1, 0x62aeee5fbea3be23ULL},
	    {31, 0xe8a3fc8212ff8229ULL},
	    {32, 0x81c1f06963b1f67cULL},
	    {33, 0x3a124c26344dcd19ULL},
	    {1000, 0xeed0d392ef11d93fULL},
	};
	uint8_t data[1000];

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + 3);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pf_sum sum;

		pf_sum_init(&sum);
		pf_sum_update(&sum, data, rows[i].len);
		assert_true(pf_sum_final(&sum) == rows[i].sum);
		/* In two pieces, cut where a piece may be cut. */
		pf_sum_init(&sum);
		pf_sum_update(&sum, data, rows[i].len / 64 * 32);
		pf_sum_update(&sum, data + rows[i].len / 64 * 32,
		    rows[i].len - rows[i].len / 64 * 32);
		assert_true(pf_sum_final(&sum) == rows[i].sum);
	}
}

/* Larger than what the sum reads ahead of the walk over the names. */
static void
damage_anywhere_in_a_large_store_is_found(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image, changed;
	struct pinfast_store *store;
	struct pinfast_diag diag = {0};
	char name[32];
	uint8_t *copy;

	(void)state;
	for (unsigned i = 0; i < 8000; i++) {
		snprintf(name, sizeof name, "h%u.test", i);
		world_entry(b, name, 0, PINFAST_SCOPE_EXACT);
		world_pin(b, PINFAST_ROLE_LEAF, LEAF);
		if (i % 3 == 0)
			world_pin(b, PINFAST_ROLE_SHADOW_LEAF, OTHER);
		if (i % 5 == 0)
			world_pin(b, PINFAST_ROLE_CA, INTER);
		b->model.pins[b->model.pin_count - 1].hash[0] = (uint8_t)i;
		b->model.pins[b->model.pin_count - 1].hash[1] =
		    (uint8_t)(i >> 8);
	}
	assert_int_equal(pinfast_builder_finish(b, &diag, &image), 0);
	assert_true(image.len > 400000);
	copy = malloc(image.len);
	memcpy(copy, image.data, image.len);
	changed.data = copy;
	changed.len = image.len;
	assert_int_equal(pinfast_store_open_memory(changed, NULL, &diag,
	                     &store),
	    0);
	pinfast_store_free(store);
	for (size_t at = image.len - 1; at > 4096; at -= 4096) {
		copy[at] ^= 0x10;
		assert_int_equal(pinfast_store_open_memory(changed, NULL, &diag,
		                     &store),
		    PINFAST_EFORMAT);
		assert_non_null(strstr(diag.text, "sum"));
		copy[at] ^= 0x10;
	}
	free(copy);
	pinfast_builder_free(b);
}

/* A forger can make the sum fit: then the structure must hold. */
static void
a_forged_sum_never_crashes(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image = small_store(b);
	unsigned opened = 0;

	(void)state;
	for (size_t at = 8; at < image.len; at++)
		for (unsigned k = 0; k < 8; k++) {
			static const uint8_t with[8] = {
			    0x00, 0xff, 0x01, 0x80, 0x7f, 0x40, 0x02, 0xfe};
			uint8_t *copy = malloc(image.len);
			struct pinfast_bytes forged = {copy, image.len};
			struct pinfast_store *store;
			struct pinfast_verdict v[ASKED];

			memcpy(copy, image.data, image.len);
			copy[at] = with[k];
			pf_put_le64(copy + PF_HDR_SUM,
			    pf_sum_store(copy, image.len));
			if (pinfast_store_open_memory(forged, NULL, NULL,
			        &store) == PINFAST_OK) {
				opened++;
				answers(store, v);
			}
			free(copy);
		}
	assert_true(opened > 0);
	pinfast_builder_free(b);
}

static void
a_changed_digest_is_found_by_verify(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image = small_store(b);
	uint8_t *copy = malloc(image.len);
	struct pinfast_bytes forged = {copy, image.len};
	struct pinfast_store *store;

	(void)state;
	memcpy(copy, image.data, image.len);
	assert_int_equal(pinfast_store_open_memory(forged, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_store_verify(store), PINFAST_OK);
	assert_int_equal(pinfast_store_serial(store), 7);
	assert_int_equal(pf_store_url(store, 0).len, 17);
	assert_int_equal(pf_store_url(store, 1).len, 0);
	pinfast_store_free(store);
	copy[PF_HDR_DIGEST] ^= 1;
	pf_put_le64(copy + PF_HDR_SUM, pf_sum_store(copy, image.len));
	assert_int_equal(pinfast_store_open_memory(forged, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_store_verify(store), PINFAST_EFORMAT);
	pinfast_store_free(store);
	free(copy);
	pinfast_builder_free(b);
}

static int
count(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	(void)name;
	(void)scope;
	(void)port;
	assert_true(len > 0);
	++*(int *)arg;
	return 0;
}

static int
stop(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	(void)name;
	(void)len;
	(void)scope;
	(void)port;
	++*(int *)arg;
	return 42;
}

static void
each_names_every_key_once(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes image = small_store(b);
	struct pinfast_store *store;
	int n = 0;

	(void)state;
	assert_int_equal(pinfast_store_open_memory(image, NULL, NULL, &store),
	    0);
	assert_int_equal(pinfast_store_each(store, count, &n), 0);
	assert_int_equal(n, 6);
	n = 0;
	assert_int_equal(pinfast_store_each(store, stop, &n), 42);
	assert_int_equal(n, 1);
	pinfast_store_free(store);
	pinfast_store_free(NULL);
	pinfast_builder_free(b);
}

static int
tick(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	static const char *const wanted[] = {
	    "10.0.0.1", "2001:db8::1", "a.test", "192.0.2.1"};
	unsigned *seen = arg;

	(void)scope;
	(void)port;
	assert_int_equal(strlen(name), len);
	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
		*seen += strcmp(name, wanted[i]) == 0 ? 1U << 4 * i : 0;
	return 0;
}

/* A store keeps addresses as bytes, some of them zero. */
static void
a_walk_writes_addresses_as_people_do(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_store *store;
	unsigned seen = 0;

	(void)state;
	world_entry(b, "10.0.0.1", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_entry(b, "2001:DB8:0::1", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_entry(b, "A.test.", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_entry(b, "::ffff:192.0.2.1", 0, PINFAST_SCOPE_EXACT);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	store = world_open(b);
	assert_int_equal(pinfast_store_each(store, tick, &seen), 0);
	assert_int_equal(seen, 0x1111);
	pinfast_store_free(store);
	pinfast_builder_free(b);
}

static void
equal_content_gives_equal_bytes_in_any_order(void **state)
{
	struct pinfast_builder *a = world_builder(), *b = world_builder();
	struct pinfast_bytes x, y;

	(void)state;
	world_entry(a, "a.test", 0, 0);
	world_pin(a, PINFAST_ROLE_LEAF, LEAF);
	world_pin(a, PINFAST_ROLE_LEAF, INTER);
	world_entry(a, "b.test", 0, 0);
	world_pin(a, PINFAST_ROLE_CA, ROOT);
	world_entry(b, "B.test.", 0, 0);
	world_pin(b, PINFAST_ROLE_CA, ROOT);
	world_entry(b, "a.test", 0, 0);
	world_pin(b, PINFAST_ROLE_LEAF, INTER);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	world_pin(b, PINFAST_ROLE_LEAF, LEAF);
	assert_int_equal(pinfast_builder_finish(a, NULL, &x), 0);
	assert_int_equal(pinfast_builder_finish(b, NULL, &y), 0);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	pinfast_builder_free(a);
	pinfast_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_change_of_one_byte_is_an_error),
	    cmocka_unit_test(every_truncation_is_an_error),
	    cmocka_unit_test(the_sum_stays_what_it_is),
	    cmocka_unit_test(damage_anywhere_in_a_large_store_is_found),
	    cmocka_unit_test(a_forged_sum_never_crashes),
	    cmocka_unit_test(a_changed_digest_is_found_by_verify),
	    cmocka_unit_test(each_names_every_key_once),
	    cmocka_unit_test(a_walk_writes_addresses_as_people_do),
	    cmocka_unit_test(equal_content_gives_equal_bytes_in_any_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
