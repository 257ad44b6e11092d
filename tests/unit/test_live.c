/*
 * The live policy: readers never wait, every verdict belongs to one policy,
 * and serials only go up.
 */
#include "world.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "core/live.h"

#define READERS 8
#ifndef RELOADS
#define RELOADS 10000
#endif

/* Memory that is spoilt before it is freed, so that late readers crash. */
static void *
take(void *arg, size_t size)
{
	size_t *p = malloc(size + 64);

	(void)arg;
	if (p == NULL)
		return NULL;
	*p = size;
	return (char *)p + 64;
}

static void
spoil(void *arg, void *ptr)
{
	char *p = ptr;
	size_t size;

	(void)arg;
	if (p == NULL)
		return;
	memcpy(&size, p - 64, sizeof size);
	memset(p, 0xdd, size);
	free(p - 64);
}

static const struct pinfast_alloc spoiling = {take, spoil, NULL};

static struct pinfast_store *
make_store(struct pinfast_builder *b, int64_t serial, int pinned)
{
	struct pinfast_bytes image;
	struct pinfast_store *store;

	pinfast_builder_set(b, PINFAST_POLICY_SERIAL, serial);
	assert_int_equal(pinfast_builder_entry(b, "www.example.test", 0, 0), 0);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[pinned].pin);
	assert_int_equal(pinfast_builder_finish(b, NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, &spoiling, NULL,
	                     &store),
	    0);
	return store;
}

static void
serials_only_go_up(void **state)
{
	struct pinfast_builder *b[4];
	struct pinfast_store *old, *same, *next;
	struct pinfast *policy;
	struct pinfast_diag diag = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		b[i] = world_builder();
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_generation(policy), 0);
	assert_int_equal(pinfast_load(policy, make_store(b[0], 42, LEAF),
	                     &diag),
	    0);
	old = make_store(b[1], 41, LEAF);
	assert_int_equal(pinfast_load(policy, old, &diag), PINFAST_EOLDER);
	assert_non_null(strstr(diag.text, "write serial 43"));
	same = make_store(b[2], 42, OTHER);
	assert_int_equal(pinfast_load(policy, same, &diag),
	    PINFAST_ESAMESERIAL);
	assert_non_null(strstr(diag.text, "write serial 43"));
	assert_int_equal(pinfast_load(policy, same, NULL), PINFAST_ESAMESERIAL);
	next = make_store(b[3], 43, OTHER);
	assert_int_equal(pinfast_load(policy, next, &diag), 0);
	assert_int_equal(pinfast_load(policy, next, &diag), PINFAST_EUSAGE);
	assert_int_equal(pinfast_generation(policy), 2);
	pinfast_store_free(old);
	pinfast_store_free(same);
	pinfast_free(policy);
	pinfast_free(NULL);
	for (int i = 0; i < 4; i++)
		pinfast_builder_free(b[i]);
}

static void
the_identity_is_the_stores(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_store *store = make_store(b, 9, LEAF);
	struct pinfast *policy;
	uint64_t serial = 0;
	uint8_t digest[32], wanted[32];

	(void)state;
	memcpy(wanted, pinfast_store_digest(store), 32);
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_identity(policy, &serial, digest),
	    PINFAST_ENOTFOUND);
	assert_int_equal(pinfast_load(policy, store, NULL), 0);
	assert_int_equal(pinfast_identity(policy, &serial, digest), 0);
	assert_int_equal(serial, 9);
	assert_memory_equal(digest, wanted, 32);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Odd serials pin the leaf, even ones another key. */
struct shared {
	struct pinfast *policy;
	atomic_int stop, awake;
	atomic_ulong judged, mixed;
};

static void
check_event(void *arg, const struct pinfast_event *event)
{
	struct shared *s = arg;
	int allow = event->decision == PINFAST_ALLOW;

	atomic_fetch_add(&s->judged, 1);
	if (allow != (int)(event->serial & 1))
		atomic_fetch_add(&s->mixed, 1);
}

static void *
read_on(void *arg)
{
	struct shared *s = arg;

	for (unsigned n = 0; !atomic_load(&s->stop); n++) {
		struct pinfast_conn *conn;
		struct pinfast_verdict v;

		if (pinfast_conn_new(s->policy, "www.example.test", 443, NOW,
		        &conn) != PINFAST_OK)
			abort();
		v = pinfast_judge_path(conn, path3, 3);
		(void)v;
		pinfast_conn_free(conn);
		atomic_fetch_add(&s->awake, n == 0);
		if (n % 16 == 0) /* two cores have nine threads to feed */
			sched_yield();
	}
	return NULL;
}

static void
every_verdict_belongs_to_one_policy(void **state)
{
	struct shared s;
	pthread_t threads[READERS];
	unsigned long busy = 0;

	(void)state;
	memset(&s, 0, sizeof s);
	assert_int_equal(pinfast_new(NULL, &s.policy), 0);
	pinfast_on_event(s.policy, check_event, &s);
	{
		struct pinfast_builder *b = world_builder();

		/* The image must outlive its store: one builder is kept. */
		assert_int_equal(pinfast_load(s.policy, make_store(b, 1, LEAF),
		                     NULL),
		    0);
		for (int i = 0; i < READERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
			                     read_on, &s),
			    0);
		struct pinfast_builder *builders[64] = {b};

		/* However busy the machine is, loads meet every reader. */
		while (atomic_load(&s.awake) < READERS)
			sched_yield();
		for (int64_t serial = 2; serial < RELOADS; serial++) {
			struct pinfast_builder *next = world_builder();
			struct pinfast_store *store =
			    make_store(next, serial, serial & 1 ? LEAF : OTHER);

			while (pinfast_load(s.policy, store, NULL) ==
			       PINFAST_EBUSY) {
				busy++;
				sched_yield();
			}
			pinfast_builder_free(builders[serial % 64]);
			builders[serial % 64] = next;
		}
		atomic_store(&s.stop, 1);
		for (int i = 0; i < READERS; i++)
			pthread_join(threads[i], NULL);
		pinfast_free(s.policy);
		for (int i = 0; i < 64; i++)
			pinfast_builder_free(builders[i]);
	}
	assert_true(atomic_load(&s.judged) >= READERS);
	assert_int_equal(atomic_load(&s.mixed), 0);
	print_message("# %lu judged, loader found it busy %lu times\n",
	    atomic_load(&s.judged), busy);
}

static void
loading_nothing_is_misuse(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_store *store = make_store(b, 0, LEAF);
	struct pinfast *policy;

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_load(NULL, store, NULL), PINFAST_EUSAGE);
	assert_int_equal(pinfast_load(policy, NULL, NULL), PINFAST_EUSAGE);
	assert_int_equal(pinfast_load(policy, store, NULL), 0);
	/* In service already: loading it again would free it twice. */
	assert_int_equal(pinfast_load(policy, store, NULL), PINFAST_EUSAGE);
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* Without a serial, or with the same content, nothing stands in the way. */
static void
the_same_policy_may_be_loaded_again(void **state)
{
	(void)state;
	for (int64_t serial = 0; serial < 2; serial++) {
		struct pinfast_builder *one = world_builder();
		struct pinfast_builder *two = world_builder();
		struct pinfast_builder *other = world_builder();
		struct pinfast *policy;

		assert_int_equal(pinfast_new(NULL, &policy), 0);
		assert_int_equal(pinfast_load(policy,
		                     make_store(one, serial, LEAF), NULL),
		    0);
		assert_int_equal(pinfast_load(policy,
		                     make_store(two, serial, LEAF), NULL),
		    0);
		if (serial == 0)
			assert_int_equal(pinfast_load(policy,
			                     make_store(other, 0, OTHER), NULL),
			    0);
		pinfast_free(policy);
		pinfast_builder_free(one);
		pinfast_builder_free(two);
		pinfast_builder_free(other);
	}
}

/* A reader that never leaves: two replaced stores wait, no third. */
static void
a_third_replaced_store_must_wait(void **state)
{
	struct pinfast_builder *b[4];
	struct pinfast_store *store;
	struct pinfast_diag diag = {0};
	struct pinfast *policy;
	unsigned side;
	int busy = 0;

	(void)state;
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	b[0] = world_builder();
	assert_int_equal(pinfast_load(policy, make_store(b[0], 1, LEAF), NULL),
	    0);
	assert_non_null(pf_live_enter(policy, &side));
	for (int i = 1; i < 4; i++) {
		enum pinfast_error error;

		b[i] = world_builder();
		store = make_store(b[i], i + 1, LEAF);
		error = pinfast_load(policy, store, &diag);
		if (error != PINFAST_OK) {
			assert_int_equal(error, PINFAST_EBUSY);
			assert_non_null(strstr(diag.text, "still in use"));
			pinfast_store_free(store);
			busy++;
		}
	}
	assert_int_equal(busy, 1);
	assert_int_equal(pinfast_generation(policy), 3);
	pf_live_leave(policy, side);
	pinfast_free(policy);
	for (int i = 0; i < 4; i++)
		pinfast_builder_free(b[i]);
}

/* The old store's memory is given back while the new one is being loaded. */
static struct {
	struct pinfast *policy;
	struct pinfast_store *next;
	enum pinfast_error error;
	struct pinfast_diag diag;
} meddler;

static void
meddle(void *arg, void *ptr)
{
	(void)arg;
	if (ptr != NULL && meddler.next != NULL) {
		struct pinfast_store *next = meddler.next;

		meddler.next = NULL;
		meddler.error =
		    pinfast_load(meddler.policy, next, &meddler.diag);
	}
	free(ptr);
}

static void *
plain_alloc(void *arg, size_t size)
{
	(void)arg;
	return malloc(size);
}

static void
two_loads_at_once_are_one_too_many(void **state)
{
	static const struct pinfast_alloc meddling = {
	    plain_alloc, meddle, NULL};
	struct pinfast_builder *b[3] = {
	    world_builder(), world_builder(), world_builder()};
	struct pinfast_store *first;
	struct pinfast_store *third = make_store(b[2], 3, LEAF);
	struct pinfast_bytes image;

	(void)state;
	pinfast_builder_set(b[0], PINFAST_POLICY_SERIAL, 1);
	assert_int_equal(pinfast_builder_finish(b[0], NULL, &image), 0);
	assert_int_equal(pinfast_store_open_memory(image, &meddling, NULL,
	                     &first),
	    0);
	assert_int_equal(pinfast_new(NULL, &meddler.policy), 0);
	assert_int_equal(pinfast_load(meddler.policy, first, NULL), 0);
	meddler.next = third;
	assert_int_equal(pinfast_load(meddler.policy, make_store(b[1], 2, LEAF),
	                     NULL),
	    0);
	assert_int_equal(meddler.error, PINFAST_EBUSY);
	assert_non_null(strstr(meddler.diag.text, "another thread"));
	pinfast_store_free(third);
	pinfast_free(meddler.policy);
	for (int i = 0; i < 3; i++)
		pinfast_builder_free(b[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loading_nothing_is_misuse),
	    cmocka_unit_test(the_same_policy_may_be_loaded_again),
	    cmocka_unit_test(a_third_replaced_store_must_wait),
	    cmocka_unit_test(two_loads_at_once_are_one_too_many),
	    cmocka_unit_test(serials_only_go_up),
	    cmocka_unit_test(the_identity_is_the_stores),
	    cmocka_unit_test(every_verdict_belongs_to_one_policy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
