/*
 * Memory: every allocation fails in turn, once and from then on; and judging
 * allocates nothing at all.
 */
#include "world.h"

struct heap {
	long count;   /* allocations so far */
	long fail_at; /* this one fails; 0: none */
	int sticky;   /* and all after it */
	long live;
	int forbidden;
};

static void *
take(void *arg, size_t size)
{
	struct heap *h = arg;

	if (h->forbidden)
		abort();
	h->count++;
	if (h->fail_at != 0 &&
	    (h->count == h->fail_at || (h->sticky && h->count > h->fail_at)))
		return NULL;
	h->live++;
	return malloc(size);
}

static void
give(void *arg, void *p)
{
	struct heap *h = arg;

	if (p != NULL)
		h->live--;
	free(p);
}

/* Builds, opens, loads, judges, tags.  Returns whether it was allowed. */
static int
whole_life(struct heap *h, int *complete)
{
	struct pinfast_alloc alloc = {take, give, h};
	struct pinfast_builder *b = NULL;
	struct pinfast_store *store = NULL;
	struct pinfast *policy = NULL;
	struct pinfast_conn *conn = NULL, *client = NULL;
	struct pinfast_bytes image;
	struct pinfast_verdict v = {0, 0};
	char name[32];

	*complete = 0;
	if (pinfast_builder_new(&alloc, &b) != PINFAST_OK)
		goto out;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "h%d.example.test", i);
		pinfast_builder_entry(b, name, 0, 0);
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF,
		    certs[i % 2 ? LEAF : OTHER].pin);
		if (i == 3)
			pinfast_builder_anchor(b, certs[ROOT].item.der);
	}
	pinfast_builder_reject(b, certs[OTHER].pin);
	pinfast_builder_report_to(b, "https://r.test/");
	if (pinfast_builder_finish(b, NULL, &image) != PINFAST_OK)
		goto out;
	if (pinfast_store_open_memory(image, &alloc, NULL, &store) !=
	    PINFAST_OK)
		goto out;
	if (pinfast_new(&alloc, &policy) != PINFAST_OK)
		goto out;
	if (pinfast_load(policy, store, NULL) != PINFAST_OK)
		goto out;
	store = NULL;
	/* h2 pins another key: nothing may ever allow it. */
	if (pinfast_conn_new(policy, "h2.example.test", 443, NOW, &conn) !=
	    PINFAST_OK)
		goto out;
	if (pinfast_conn_new_server(policy, "partner", NOW, &client) !=
	    PINFAST_OK)
		goto out;
	h->forbidden = 1;
	v = pinfast_judge_path(conn, path3, 3);
	v = pinfast_conn_settle(conn);
	h->forbidden = 0;
	*complete = 1;
out:
	pinfast_conn_free(client);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_store_free(store);
	pinfast_builder_free(b);
	return v.decision == PINFAST_ALLOW;
}

static void
every_failing_allocation_is_survived(int sticky)
{
	struct heap h;
	int complete;
	long fail_at = 0;

	do {
		memset(&h, 0, sizeof h);
		h.fail_at = ++fail_at;
		h.sticky = sticky;
		assert_int_equal(whole_life(&h, &complete), 0);
		if (h.live != 0)
			fail_msg("allocation %ld: %ld leaked", fail_at, h.live);
		if (h.count >= fail_at)
			assert_int_equal(complete, 0);
	} while (h.count >= fail_at);
	assert_true(complete);
	assert_true(fail_at > 20);
}

static void
each_allocation_fails_once(void **state)
{
	(void)state;
	every_failing_allocation_is_survived(0);
}

static void
each_allocation_fails_for_good(void **state)
{
	(void)state;
	every_failing_allocation_is_survived(1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_allocation_fails_once),
	    cmocka_unit_test(each_allocation_fails_for_good),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
