/* The libcurl adapter: what is transferred, and what a server receives. */
#define _GNU_SOURCE
#include "curl_world.h"

static struct pinfast_builder *
with_entry(const char *host, enum pinfast_role role, const struct id *id)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, host, role, id);
	return b;
}

/* A row of a table: what the server shows, what is pinned. */
struct row {
	const char *name, *scheme, *host;
	const struct id *shown, *sent;
	enum pinfast_role role;
	const struct id *pinned;
	enum speech speech;
	int allow;
	int32_t reason;
	/* Nobody can look before something is said; 0: as reason. */
	int32_t blind, late;
};

static const struct row rows[] = {
    {"the leaf", "https", "pin.test", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        HTTP, ALLOW, PINFAST_REASON_PIN_MATCHED, 0, 0},
    {"a trailing dot", "https", "pin.test.", &leaf, &intA, PINFAST_ROLE_LEAF,
        &leaf, HTTP, ALLOW, PINFAST_REASON_PIN_MATCHED, 0, 0},
    {"the root", "https", "pin.test", &leaf, &intA, PINFAST_ROLE_ANY, &rootA,
        HTTP, ALLOW, PINFAST_REASON_PIN_MATCHED,
        PINFAST_REASON_BACKEND_CANNOT_PROVE, 0},
    {"no entry", "https", "two.test", &leaf, &intA, PINFAST_ROLE_LEAF, &evil,
        HTTP, ALLOW, PINFAST_REASON_UNLISTED, 0, 0},
    {"a login", "imaps", "pin.test", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        IMAP, ALLOW, PINFAST_REASON_PIN_MATCHED, 0, 0},
    {"a login, no entry", "imaps", "two.test", &leaf, &intA, PINFAST_ROLE_LEAF,
        &evil, IMAP, ALLOW, PINFAST_REASON_UNLISTED, 0, 0},
    {"a login, the root", "imaps", "pin.test", &leaf, &intA, PINFAST_ROLE_ANY,
        &rootA, IMAP, ALLOW, PINFAST_REASON_PIN_MATCHED,
        PINFAST_REASON_BACKEND_CANNOT_PROVE,
        PINFAST_REASON_BACKEND_CANNOT_PROVE},
    {"another leaf", "https", "pin.test", &leaf, &intA, PINFAST_ROLE_LEAF,
        &other, HTTP, DENY, PINFAST_REASON_PIN_MISMATCH, 0, 0},
    {"another root", "https", "pin.test", &evil, NULL, PINFAST_ROLE_ANY, &rootA,
        HTTP, DENY, PINFAST_REASON_PIN_MISMATCH,
        PINFAST_REASON_BACKEND_CANNOT_PROVE, 0},
    {"the leaf is only sent", "https", "pin.test", &evil, &leaf,
        PINFAST_ROLE_LEAF, &leaf, HTTP, DENY, PINFAST_REASON_PIN_MISMATCH, 0,
        0},
    {"another name", "https", "pin.test", &other, &intA, PINFAST_ROLE_LEAF,
        &other, HTTP, DENY, PINFAST_REASON_PKIX_FAILED, 0, 0},
    {"no entry, another name", "https", "pin.test", &other, &intA,
        PINFAST_ROLE_COUNT, NULL, HTTP, DENY, PINFAST_REASON_PKIX_FAILED, 0, 0},
    {"nobody's certificate", "https", "pin.test", &self, NULL,
        PINFAST_ROLE_LEAF, &self, HTTP, DENY, PINFAST_REASON_PKIX_FAILED, 0, 0},
    {"a login, another leaf", "imaps", "pin.test", &leaf, &intA,
        PINFAST_ROLE_LEAF, &other, IMAP, DENY, PINFAST_REASON_PIN_MISMATCH, 0,
        0},
    {"a login, another name", "imaps", "pin.test", &other, &intA,
        PINFAST_ROLE_LEAF, &other, IMAP, DENY, PINFAST_REASON_PKIX_FAILED, 0,
        0},
    {"in clear", "http", "pin.test", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        HTTP, DENY, PINFAST_REASON_NOT_VERIFIED, 0, 0},
    {"LDAP", "ldaps", "pin.test", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf, HTTP,
        DENY, PINFAST_REASON_BACKEND_CANNOT_PROVE, 0, 0},
    {"no TLS there", "dict", "pin.test", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        HTTP, DENY, PINFAST_REASON_NOT_VERIFIED, 0, 0},
    {"no host", "https", "pin..test", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        HTTP, DENY, PINFAST_REASON_HOST_INVALID, 0, 0},
    {"another way to write it", "https", "p%69n.test", &leaf, &intA,
        PINFAST_ROLE_LEAF, &leaf, HTTP, DENY, PINFAST_REASON_HOST_INVALID, 0,
        0},
};

static void
try_row(const struct row *r)
{
	struct pinfast *policy =
	    policy_made(r->pinned == NULL
	                    ? begin_policy(1)
	                    : with_entry("pin.test", r->role, r->pinned));
	struct server *s = open_server(r->shown, r->sent, r->speech);
	struct handle h = pinned_handle(s, policy);
	int32_t reason = r->reason;

	if (!is_inside(&h) && is_blind(&h) && r->blind != 0)
		reason = r->blind;
	if (!is_inside(&h) && !is_blind(&h) && r->late != 0)
		reason = r->late;
	aim(&h, s, r->scheme, r->host, "");
	print_message("# %s\n", r->name);
	expect_transfer(&h,
	    r->allow && reason != PINFAST_REASON_BACKEND_CANNOT_PROVE, reason);
	end_handle(&h);
	be_quiet(s);
	if ((s->app > 0) !=
	    (r->allow && reason != PINFAST_REASON_BACKEND_CANNOT_PROVE))
		fail_msg("%s: %zu bytes", r->name, (size_t)s->app);
	close_server(s);
	pinfast_free(policy);
}

static void
only_what_is_pinned_is_sent_anything(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		try_row(&rows[i]);
}

/* ------------------------------------------------------------ kept, resumed */

static void
a_kept_connection_is_judged_by_todays_policy(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct server *s = open_server(&leaf, &intA, HTTP);
	struct handle h = pinned_handle(s, policy);

	(void)state;
	aim(&h, s, "https", "pin.test", "");
	expect_transfer(&h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	expect_transfer(&h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s->made, 1);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &other);
	expect_transfer(&h, DENY, PINFAST_REASON_PIN_MISMATCH);
	assert_int_equal(s->asked, 2);
	change_policy(policy, 3, PINFAST_ROLE_LEAF, &leaf);
	expect_transfer(&h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s->asked, 3);
	end_handle(&h);
	close_server(s);
	pinfast_free(policy);
}

static void
a_resumed_session_is_judged_by_todays_policy(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct server *s = open_server(&leaf, &intA, HTTP);
	struct handle h = pinned_handle(s, policy);

	(void)state;
	aim(&h, s, "https", "pin.test", "");
	curl_easy_setopt(h.easy, CURLOPT_FORBID_REUSE, 1L);
	for (int i = 0; i < 3; i++)
		expect_transfer(&h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(s->made, 3);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &other);
	expect_transfer(&h, DENY, PINFAST_REASON_PIN_MISMATCH);
	end_handle(&h);
	be_quiet(s);
	assert_int_equal(s->asked, 3);
	close_server(s);
	pinfast_free(policy);
}

/* -------------------------------------------------------------- other hosts */

static void
a_redirect_is_judged_as_where_it_leads(void **state)
{
	/* pin.test and two.test are both the leaf's. */
	static const struct {
		const char *name, *pinned_host;
		const struct id *pinned;
		const char *scheme;
		int allow, blind;
	} table[] = {
	    {"nothing is asked", "nobody.test", &leaf, "https", ALLOW, ALLOW},
	    {"to the pinned one", "two.test", &leaf, "https", ALLOW, DENY},
	    {"to another key", "two.test", &other, "https", DENY, DENY},
	    {"to clear", "two.test", &leaf, "http", DENY, DENY},
	    {"to what logs in", "two.test", &leaf, "ftps", DENY, DENY},
	    {"to what has no entry", "pin.test", &leaf, "https", ALLOW, ALLOW},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct pinfast *policy =
		    policy_made(with_entry(table[i].pinned_host,
		        PINFAST_ROLE_LEAF, table[i].pinned));
		struct server *s = open_server(&leaf, &intA, HTTP);
		struct handle h = pinned_handle(s, policy);
		int allow = is_blind(&h) ? table[i].blind : table[i].allow;
		char to[100];

		print_message("# %s\n", table[i].name);
		snprintf(to, sizeof to, "%s://two.test:%d/", table[i].scheme,
		    s->port);
		s->location = to;
		aim(&h, s, "https", "pin.test", "away");
		(void)!pinfast_curl_perform(h.pins);
		if (allow)
			assert_int_equal(pinfast_curl_result(h.pins).decision,
			    PINFAST_ALLOW);
		end_handle(&h);
		be_quiet(s);
		assert_int_equal(s->asked, allow ? 2 : 1);
		close_server(s);
		pinfast_free(policy);
	}
}

/* `pkix: none` of one host switches nothing off for another. */
static void
an_unverified_host_leads_to_verified_ones_only(void **state)
{
	struct pinfast_builder *b =
	    with_entry("mine.test", PINFAST_ROLE_LEAF, &self);
	struct pinfast *policy;
	struct server *s = open_server(&self, NULL, HTTP);
	struct handle h;
	char to[100];

	(void)state;
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	policy = policy_made(b);
	h = pinned_handle(s, policy);
	if (is_inside(&h))
		curl_easy_setopt(h.easy, CURLOPT_SSL_VERIFYPEER, 0L);
	snprintf(to, sizeof to, "https://else.test:%d/", s->port);
	s->location = to;
	aim(&h, s, "https", "mine.test", "");
	expect_transfer(&h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	/* The same key, which nobody has certified for that name. */
	aim(&h, s, "https", "mine.test", "away");
	assert_true(pinfast_curl_perform(h.pins) != CURLE_OK);
	assert_true(pinfast_curl_result(h.pins).decision != PINFAST_ALLOW);
	end_handle(&h);
	be_quiet(s);
	assert_int_equal(s->asked, 2);
	close_server(s);
	pinfast_free(policy);
}

/* Wherever it connects to, it is the URL's host that it must meet. */
static void
other_addresses_are_no_other_hosts(void **state)
{
	static const char *const key[] = {"other.test", "pin.test"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pinfast *policy =
		    policy_made(with_entry(key[i], PINFAST_ROLE_LEAF, &evil));
		struct server *s = open_server(&leaf, &intA, HTTP);
		struct handle h = pinned_handle(s, policy);
		struct curl_slist *to;
		char line[100];

		snprintf(line, sizeof line, "pin.test:%d:other.test:%d",
		    s->port, s->port);
		to = curl_slist_append(NULL, line);
		curl_easy_setopt(h.easy, CURLOPT_CONNECT_TO, to);
		aim(&h, s, "https", "pin.test", "");
		if (i == 0)
			expect_transfer(&h, ALLOW, PINFAST_REASON_UNLISTED);
		else
			expect_transfer(&h, DENY, PINFAST_REASON_PIN_MISMATCH);
		end_handle(&h);
		curl_slist_free_all(to);
		be_quiet(s);
		assert_int_equal(s->asked, i == 0);
		close_server(s);
		pinfast_free(policy);
	}
}

/* ----------------------------------------------------------------- proxies */

static void
a_proxy_is_judged_by_its_own_entry(void **state)
{
	static const struct {
		const char *name, *proxy;
		const struct id *pinned;
		enum pinfast_role role;
		int named, inside, outside;
	} table[] = {
	    {"named", "two.test", &leaf, PINFAST_ROLE_LEAF, 1, 1, 1},
	    {"another key", "two.test", &other, PINFAST_ROLE_LEAF, 1, 0, 0},
	    {"not named", "two.test", &leaf, PINFAST_ROLE_LEAF, 0, 1, 0},
	    {"not named, another key", "two.test", &other, PINFAST_ROLE_LEAF, 0,
	        0, 0},
	    {"its root", "two.test", &rootA, PINFAST_ROLE_ANY, 1, 1, 0},
	    {"another root", "two.test", &rootB, PINFAST_ROLE_ANY, 1, 0, 0},
	    {"another name", "else.test", &leaf, PINFAST_ROLE_LEAF, 1, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct pinfast *policy = policy_made(with_entry(table[i].proxy,
		    table[i].role, table[i].pinned));
		struct server *s = open_server(&leaf, &intA, HTTP);
		struct handle h = pinned_handle(s, policy);
		int passes = is_inside(&h) ? table[i].inside : table[i].outside;
		char url[100];

		print_message("# %s\n", table[i].name);
		snprintf(url, sizeof url, "https://%s:%d", table[i].proxy,
		    s->port);
		curl_easy_setopt(h.easy, CURLOPT_PROXY, url);
		curl_easy_setopt(h.easy, CURLOPT_PROXYUSERPWD, "p:secret");
		if (table[i].named)
			assert_int_equal(pinfast_curl_proxy(h.pins,
			                     table[i].proxy, (uint16_t)s->port),
			    0);
		/* In clear beyond the proxy, to a host without an entry. */
		curl_easy_setopt(h.easy, CURLOPT_URL, "http://plain.test/");
		assert_int_equal(pinfast_curl_perform(h.pins) == CURLE_OK,
		    passes);
		assert_int_equal(pinfast_curl_result(h.pins).decision ==
		                     PINFAST_ALLOW,
		    passes);
		/* A name that is none is none. */
		assert_int_equal(pinfast_curl_proxy(h.pins, "a..b", 1),
		    PINFAST_EHOST);
		assert_int_equal(pinfast_curl_proxy(h.pins, NULL, 0), 0);
		end_handle(&h);
		be_quiet(s);
		assert_int_equal(s->app > 0, passes);
		close_server(s);
		pinfast_free(policy);
	}
}

/* -------------------------------------------------------------- DoH servers */

static void
a_doh_server_is_judged_or_of_no_interest(void **state)
{
	static const struct {
		const char *name, *host;
		const struct id *pinned;
		int named, inside, outside;
	} table[] = {
	    {"no entry", "nobody.test", &leaf, 1, 1, 1},
	    {"the pinned one", "two.test", &leaf, 1, 1, 0},
	    {"another key", "two.test", &other, 1, 0, 0},
	    {"not named", "two.test", &other, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct pinfast *policy = policy_made(with_entry(table[i].host,
		    PINFAST_ROLE_LEAF, table[i].pinned));
		struct server *s = open_server(&leaf, &intA, HTTP);
		struct handle h = pinned_handle(s, policy);
		struct curl_slist *only;
		char url[100], at[100];
		int heard;

		print_message("# %s\n", table[i].name);
		snprintf(at, sizeof at, "two.test:%d:127.0.0.1", s->port);
		only = curl_slist_append(NULL, at);
		curl_easy_setopt(h.easy, CURLOPT_RESOLVE, only);
		snprintf(url, sizeof url, "https://127.0.0.1:%d/q", s->port);
		assert_int_equal(pinfast_curl_doh(h.pins, url), 0);
		snprintf(url, sizeof url, "https://two.test:%d/q", s->port);
		assert_int_equal(pinfast_curl_doh(h.pins, NULL), 0);
		if (table[i].named)
			assert_int_equal(pinfast_curl_doh(h.pins, url), 0);
		else
			curl_easy_setopt(h.easy, CURLOPT_DOH_URL, url);
		assert_int_equal(pinfast_curl_doh(h.pins, "https://a..b/"),
		    PINFAST_EHOST);
		curl_easy_setopt(h.easy, CURLOPT_URL, "https://far.test/");
		(void)!pinfast_curl_perform(h.pins);
		assert_true(pinfast_curl_result(h.pins).decision !=
		            PINFAST_ALLOW);
		heard = is_inside(&h) ? table[i].inside : table[i].outside;
		end_handle(&h);
		curl_slist_free_all(only);
		be_quiet(s);
		assert_int_equal(s->app > 0, heard);
		close_server(s);
		pinfast_free(policy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_pinned_is_sent_anything),
	    cmocka_unit_test(a_kept_connection_is_judged_by_todays_policy),
	    cmocka_unit_test(a_resumed_session_is_judged_by_todays_policy),
	    cmocka_unit_test(a_redirect_is_judged_as_where_it_leads),
	    cmocka_unit_test(an_unverified_host_leads_to_verified_ones_only),
	    cmocka_unit_test(other_addresses_are_no_other_hosts),
	    cmocka_unit_test(a_proxy_is_judged_by_its_own_entry),
	    cmocka_unit_test(a_doh_server_is_judged_or_of_no_interest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
