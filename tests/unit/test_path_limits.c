/* Further paths: where the search ends, leaves alone, and pools. */
#include "people.h"

/* ------------------------------------------------------------------- limits */

/* Leaf X, which Int X issued, under both roots. */
static void
add_crossed(struct situation *s)
{
	static const enum who sent[] = {INT_XA, END};
	static const enum who anchors[] = {ROOT_A, ROOT_B, END};

	add(&s->sent, sent);
	add(&s->anchors, anchors);
	s->p.leaf = &links[LEAF_X];
}

static void
liars_use_up_the_builds(void **state)
{
	const struct pf_link *const first[] = {
	    &links[LEAF_X], &links[INT_XA], &links[ROOT_A]};

	(void)state;
	/* One more than can be tried: the good one comes too late. */
	for (int liars = 15; liars <= 17; liars++) {
		struct pinfast_verdict verdict;
		struct situation s;

		begin(&s, PINFAST_ROLE_ANY, ROOT_B, END);
		add_crossed(&s);
		for (int i = 0; i < liars; i++)
			assert_int_equal(pf_pool_add_copy(&s.sent,
			                     links[LIAR].der,
			                     links[LIAR].object),
			    0);
		assert_int_equal(pf_pool_add(&s.sent, links[INT_XB].der,
		                     links[INT_XB].object),
		    0);
		verdict = pf_paths_verified(&s.p, first, 3);
		assert_int_equal(verdict.reason,
		    liars < 16 ? PINFAST_REASON_PIN_MATCHED
		               : PINFAST_REASON_PATH_SEARCH_LIMIT);
		assert_int_equal(library.asked, 16);
		end(&s);
	}
}

/* verify(), of a library that has to look twice. */
static int
verify_twice(void *arg, const struct pf_link *const *path, size_t count)
{
	struct situation *s = arg;

	s->p.checks = 2 * (unsigned)count;
	return verify(arg, path, count);
}

/* Three certificates each: after ten paths there is no room for another. */
static void
what_is_verified_twice_counts_twice(void **state)
{
	const struct pf_link *const first[] = {
	    &links[LEAF_X], &links[INT_XA], &links[ROOT_A]};

	(void)state;
	for (int liars = 9; liars <= 11; liars++) {
		struct situation s;

		begin(&s, PINFAST_ROLE_ANY, ROOT_B, END);
		add_crossed(&s);
		s.p.arg = &s;
		s.p.verify = verify_twice;
		for (int i = 0; i < liars; i++)
			assert_int_equal(pf_pool_add_copy(&s.sent,
			                     links[LIAR].der,
			                     links[LIAR].object),
			    0);
		assert_int_equal(pf_pool_add(&s.sent, links[INT_XB].der,
		                     links[INT_XB].object),
		    0);
		assert_int_equal(pf_paths_verified(&s.p, first, 3).reason,
		    liars < 11 ? PINFAST_REASON_PIN_MATCHED
		               : PINFAST_REASON_PATH_SEARCH_LIMIT);
		assert_int_equal(library.asked, liars < 11 ? liars + 1 : 11);
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
	begin(&s, PINFAST_ROLE_ANY, ROOT_A, END);
	add_crossed(&s);
	assert_int_equal(pf_paths_verified(&s.p, NULL, 0).decision,
	    PINFAST_ALLOW);
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
	    cmocka_unit_test(liars_use_up_the_builds),
	    cmocka_unit_test(what_is_verified_twice_counts_twice),
	    cmocka_unit_test(long_paths_use_up_the_checks),
	    cmocka_unit_test(steps_come_to_an_end),
	    cmocka_unit_test(a_leaf_alone_proves_no_path),
	    cmocka_unit_test(a_leaf_that_will_be_refused_is_refused_at_once),
	    cmocka_unit_test(the_judged_path_can_be_completed),
	    cmocka_unit_test(more_than_sixteen_certificates_are_no_path),
	    cmocka_unit_test(a_pool_finds_exactly_the_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
