/* The wolfSSL adapter and anchors of which wolfSSL can make no X509: then it
 * lists none at all. */
#include "wolf_pair.h"

struct row {
	const char *name;
	enum who pinned, shown, sent, further;
	int allow;
	int32_t reason;
};

static void
connect_row(WOLFSSL_CTX *client, struct pinfast *policy, int tls,
    const struct row *row)
{
	static int64_t serial = 1;
	WOLFSSL_CTX *server =
	    server_ctx(row->shown, row->sent, row->further, tls);
	struct duo *d;

	world_change(policy, ++serial, PINFAST_ROLE_ANY, row->pinned);
	d = pinned_duo(client, server);
	run_client(row->name, d, row->allow, row->reason);
	drop_ctx(server);
}

/* Trusts nobody yet, and is watched. */
static WOLFSSL_CTX *
watched_ctx(struct pinfast *policy, int tls)
{
	WOLFSSL_CTX *ctx = bare_ctx(tls);

	assert_int_equal(pinfast_wolfssl_init(ctx, policy, NULL, NULL), 0);
	return ctx;
}

static const struct row good[] = {
    {"an anchor as ever", ROOT_A, LEAF, INT_A, NOBODY, 1,
        PINFAST_REASON_PIN_MATCHED},
    {"the one that hides all", ED_ROOT, ED_LEAF, NOBODY, NOBODY, 1,
        PINFAST_REASON_PIN_MATCHED},
    {"its leaf", ED_LEAF, ED_LEAF, NOBODY, NOBODY, 1,
        PINFAST_REASON_PIN_MATCHED},
    {"another key", ROOT_A, ED_LEAF, NOBODY, NOBODY, 0,
        PINFAST_REASON_PIN_MISMATCH},
};

/* Where it comes among the others, before pinfast or after it. */
static void
an_anchor_that_cannot_be_listed_hides_no_other(void **state)
{
	(void)state;
	for (int when = 0; when < 4; when++) {
		int tls = when & 1 ? TLS13 : TLS12;
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
		WOLFSSL_CTX *client = bare_ctx(tls);

		if (when & 2)
			trust(client, ROOT_A);
		assert_int_equal(pinfast_wolfssl_init(client, policy, NULL,
		                     NULL),
		    0);
		trust(client, ED_ROOT);
		if (!(when & 2))
			trust(client, ROOT_A);
		for (size_t i = 0; i < sizeof good / sizeof *good; i++)
			connect_row(client, policy, tls, &good[i]);
		/* And one that comes when others have been used. */
		trust(client, TWIN_B);
		for (size_t i = 0; i < sizeof good / sizeof *good; i++)
			connect_row(client, policy, tls, &good[i]);
		drop_ctx(client);
		pinfast_free(policy);
	}
}

static void
an_anchor_that_was_taken_out_counts_no_more(void **state)
{
	static const struct row gone = {"taken out", ROOT_A, LEAF, INT_A,
	    NOBODY, 0, PINFAST_REASON_PKIX_FAILED};
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
	WOLFSSL_CTX *client = watched_ctx(policy, TLS13);

	(void)state;
	trust(client, ED_ROOT);
	trust(client, ROOT_A);
	connect_row(client, policy, TLS13, &good[0]);
	assert_int_equal(wolfSSL_CTX_UnloadCAs(client), WOLFSSL_SUCCESS);
	trust(client, ED_ROOT);
	connect_row(client, policy, TLS13, &gone);
	connect_row(client, policy, TLS13, &good[1]);
	drop_ctx(client);
	pinfast_free(policy);
}

/* What is loaded wolfSSL tells, not where: it may be somebody else's. */
static void
an_anchor_of_another_context_is_none_here(void **state)
{
	static const struct row rows[] = {
	    {"over here", ROOT_A, LEAF_X, INT_XA, INT_XB, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"over there", ROOT_B, LEAF_X, INT_XA, INT_XB, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    /* wolfSSL knows the issuer from before, by name and key. */
	    {"the leaf alone", ROOT_A, LEAF_X, NOBODY, NOBODY, 0,
	        PINFAST_REASON_PKIX_FAILED},
	    {"its key", LEAF_X, LEAF_X, NOBODY, NOBODY, 0,
	        PINFAST_REASON_PKIX_FAILED},
	};

	(void)state;
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
		WOLFSSL_CTX *client = watched_ctx(policy, tls),
		            *other = watched_ctx(policy, tls);

		trust(client, ED_ROOT);
		trust(client, ROOT_A);
		trust(other, ROOT_B);
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			connect_row(client, policy, tls, &rows[i]);
			trust(other, INT_XS);
		}
		drop_ctx(client);
		drop_ctx(other);
		pinfast_free(policy);
	}
}

/* Of the same name and key, below another anchor. */
static void
a_peer_takes_no_anchor_away(void **state)
{
	static const struct row rows[] = {
	    {"the leaf alone", LEAF_X, LEAF_X, NOBODY, NOBODY, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"its issuer's twin sent", ROOT_A, LEAF_X, INT_XA, NOBODY, 1,
	        PINFAST_REASON_PIN_MATCHED},
	};

	(void)state;
	for (int hidden = 0; hidden < 2; hidden++) {
		struct pinfast *policy =
		    world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
		WOLFSSL_CTX *client = watched_ctx(policy, TLS13);

		if (hidden)
			trust(client, ED_ROOT);
		trust(client, INT_XS);
		trust(client, ROOT_A);
		connect_row(client, policy, TLS13, &rows[0]);
		connect_row(client, policy, TLS13, &rows[1]);
		trust(client, TWIN_B);
		connect_row(client, policy, TLS13, &rows[0]);
		drop_ctx(client);
		pinfast_free(policy);
	}
}

static int
say_yes(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

/* Nor is it asked: it may load anchors itself. */
static void
a_managers_callback_makes_no_anchors(void **state)
{
	static const struct row row = {"over there", ROOT_B, LEAF_X, INT_XA,
	    INT_XB, 0, PINFAST_REASON_PIN_MISMATCH};
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
	WOLFSSL_CTX *client = watched_ctx(policy, TLS13),
	            *other = watched_ctx(policy, TLS13);

	(void)state;
	wolfSSL_CertManagerSetVerify(wolfSSL_CTX_GetCertManager(client),
	    say_yes);
	trust(client, ED_ROOT);
	trust(client, ROOT_A);
	trust(other, ROOT_B);
	connect_row(client, policy, TLS13, &row);
	drop_ctx(client);
	drop_ctx(other);
	pinfast_free(policy);
}

static void
use_store_of(WOLFSSL_CTX *ctx, enum who who)
{
	WOLFSSL_X509_STORE *store = wolfSSL_X509_STORE_new();
	struct pinfast_bytes der = cert_of(who);

	assert_non_null(store);
	assert_int_equal(wolfSSL_CertManagerLoadCABuffer(store->cm, der.data,
	                     (long)der.len, WOLFSSL_FILETYPE_ASN1),
	    WOLFSSL_SUCCESS);
	wolfSSL_CTX_set_cert_store(ctx, store);
}

/* The second one may lie where that of before did. */
static void
the_store_of_today_counts(void **state)
{
	static const struct row rows[] = {
	    {"before", ROOT_A, LEAF_X, INT_XA, NOBODY, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"today", ROOT_B, LEAF_X, INT_XB, NOBODY, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"no more", ROOT_A, LEAF_X, INT_XB, INT_XA, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	};
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
	WOLFSSL_CTX *client = watched_ctx(policy, TLS13);

	(void)state;
	trust(client, ROOT_A);
	connect_row(client, policy, TLS13, &rows[0]);
	use_store_of(client, ROOT_A);
	use_store_of(client, ROOT_B);
	connect_row(client, policy, TLS13, &rows[1]);
	connect_row(client, policy, TLS13, &rows[2]);
	drop_ctx(client);
	pinfast_free(policy);
}

/* What a peer sends to one of them is no anchor of the other. */
static void
two_contexts_may_share_a_store(void **state)
{
	static const struct row rows[] = {
	    {"the list", ROOT_A, LEAF_X, INT_XA, NOBODY, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"the leaf alone", LEAF_X, LEAF_X, NOBODY, NOBODY, 0,
	        PINFAST_REASON_PKIX_FAILED},
	};
	struct pinfast *policy = world_policy(NULL, PINFAST_ROLE_ANY, ROOT_A);
	WOLFSSL_CTX *one = bare_ctx(TLS13), *two = bare_ctx(TLS13);
	WOLFSSL_CTX *third = watched_ctx(policy, TLS13);
	WOLFSSL_X509_STORE *store;

	(void)state;
	use_store_of(one, ROOT_A);
	store = wolfSSL_CTX_get_cert_store(one);
	assert_int_equal(wolfSSL_X509_STORE_up_ref(store), WOLFSSL_SUCCESS);
	wolfSSL_CTX_set_cert_store(two, store);
	assert_int_equal(pinfast_wolfssl_init(one, policy, NULL, NULL), 0);
	assert_int_equal(pinfast_wolfssl_init(two, policy, NULL, NULL), 0);
	connect_row(one, policy, TLS13, &rows[0]);
	trust(third, ROOT_B);
	connect_row(two, policy, TLS13, &rows[1]);
	connect_row(one, policy, TLS13, &rows[1]);
	drop_ctx(one);
	drop_ctx(two);
	drop_ctx(third);
	pinfast_free(policy);
}

/* Whatever anchors the entry has, in this order. */
static void
connect_own(enum who one, enum who two, const struct row *row)
{
	for (int tls = TLS12; tls <= TLS13; tls++) {
		struct pinfast *policy =
		    world_two_anchors(row->pinned, one, two);
		WOLFSSL_CTX *client = pinned_ctx(policy, tls);
		WOLFSSL_CTX *server =
		    server_ctx(row->shown, row->sent, NOBODY, tls);
		struct duo *d = pinned_duo(client, server);

		run_client(row->name, d, row->allow, row->reason);
		drop_ctx(client);
		drop_ctx(server);
		pinfast_free(policy);
	}
}

static void
an_entry_may_have_such_an_anchor(void **state)
{
	(void)state;
	connect_own(ED_ROOT, ROOT_A, &good[0]);
	connect_own(ROOT_A, ED_ROOT, &good[1]);
}

static void
an_anchor_of_an_entry_may_have_ended(void **state)
{
	static const struct row ended = {"ended", OLD_ROOT, OLD_LEAF, NOBODY,
	    NOBODY, 0, PINFAST_REASON_PKIX_FAILED};

	(void)state;
	connect_own(OLD_ROOT, ROOT_A, &good[0]);
	connect_own(ROOT_A, OLD_ROOT, &ended);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_anchor_that_cannot_be_listed_hides_no_other),
	    cmocka_unit_test(an_anchor_that_was_taken_out_counts_no_more),
	    cmocka_unit_test(an_anchor_of_another_context_is_none_here),
	    cmocka_unit_test(a_peer_takes_no_anchor_away),
	    cmocka_unit_test(a_managers_callback_makes_no_anchors),
	    cmocka_unit_test(the_store_of_today_counts),
	    cmocka_unit_test(two_contexts_may_share_a_store),
	    cmocka_unit_test(an_entry_may_have_such_an_anchor),
	    cmocka_unit_test(an_anchor_of_an_entry_may_have_ended),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_wolf, free_wolf);
}
