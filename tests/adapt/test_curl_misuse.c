/* The libcurl adapter in the hands of who does not read the manual: what a
 * server receives all the same. */
#define _GNU_SOURCE
#include "curl_world.h"

static void
nothing_is_no_handle(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct pinfast_curl_functions old = {
	    sizeof old - 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
	CURL *easy = curl_easy_init();
	struct pinfast_curl_use use = {&old, easy, NULL};
	struct pinfast_curl *pins = NULL;
	struct pinfast_diag diag = {0};
	char text[8];

	(void)state;
	assert_int_equal(pinfast_curl_attach(NULL, policy, NULL, &diag, &pins),
	    PINFAST_EUSAGE);
	assert_non_null(strstr(diag.text, "no handle"));
	assert_int_equal(pinfast_curl_attach(easy, NULL, NULL, NULL, &pins),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_curl_attach(easy, policy, NULL, NULL, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_curl_attach_with(NULL, policy, NULL, &pins),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_curl_attach_with(&use, policy, NULL, &pins),
	    PINFAST_EUSAGE);
	assert_null(pins);
	assert_int_equal(pinfast_curl_perform(NULL),
	    CURLE_BAD_FUNCTION_ARGUMENT);
	assert_int_equal(pinfast_curl_prepare(NULL, &diag), PINFAST_EUSAGE);
	assert_int_equal(pinfast_curl_proxy(NULL, "a.test", 1), PINFAST_EUSAGE);
	assert_int_equal(pinfast_curl_doh(NULL, NULL), PINFAST_EUSAGE);
	pinfast_curl_done(NULL, CURLE_OK);
	pinfast_curl_free(NULL);
	assert_true(pinfast_curl_result(NULL).decision != PINFAST_ALLOW);
	assert_int_equal(pinfast_curl_error(NULL), PINFAST_EUSAGE);
	assert_string_equal(pinfast_curl_backend(NULL), "leaf-pins");
	assert_int_equal(pinfast_curl_explain(NULL, NULL, 0), 32);
	assert_int_equal(pinfast_curl_explain(NULL, text, sizeof text), 32);
	assert_string_equal(text, "nothing");
	curl_easy_cleanup(easy);
	pinfast_free(policy);
}

static void
a_transfer_without_a_url_is_none(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct server *s = open_server(&leaf, &intA, HTTP);
	struct handle h = pinned_handle(s, policy);
	struct pinfast_diag diag = {0};

	(void)state;
	assert_int_equal(pinfast_curl_prepare(h.pins, &diag), PINFAST_EUSAGE);
	assert_non_null(strstr(diag.text, "CURLOPT_URL"));
	assert_int_equal(pinfast_curl_perform(h.pins),
	    CURLE_ABORTED_BY_CALLBACK);
	curl_easy_setopt(h.easy, CURLOPT_URL, "file:///dev/null");
	expect_transfer(&h, DENY, PINFAST_REASON_NOT_JUDGED);
	end_handle(&h);
	close_server(s);
	pinfast_free(policy);
}

/* ------------------------------------------------------ hooks and settings */

/* A handle with a server that shows another leaf than the pinned one. */
struct scene_of_misuse {
	struct pinfast *policy;
	struct server *server;
	struct handle h;
};

static struct scene_of_misuse
begin(const struct id *pinned)
{
	struct scene_of_misuse m;

	m.policy = policy_of(PINFAST_ROLE_LEAF, pinned);
	m.server = open_server(&leaf, &intA, HTTP);
	m.h = pinned_handle(m.server, m.policy);
	aim(&m.h, m.server, "https", "pin.test", "");
	return m;
}

static void
finish(struct scene_of_misuse *m, int asked)
{
	end_handle(&m->h);
	be_quiet(m->server);
	assert_int_equal(m->server->asked, asked);
	close_server(m->server);
	pinfast_free(m->policy);
}

static int
say_yes(void *arg, char *a, char *b, int c, int d)
{
	(void)arg, (void)a, (void)b, (void)c, (void)d;
	return CURL_PREREQFUNC_OK;
}

static CURLcode
do_nothing(CURL *easy, void *ctx, void *arg)
{
	(void)easy, (void)ctx, (void)arg;
	return CURLE_OK;
}

static void
hooks_that_are_replaced_come_back(void **state)
{
	(void)state;
	for (int when = 0; when < 2; when++) {
		struct scene_of_misuse m = begin(&other);
		CURLcode code;

		if (when == 1)
			assert_int_equal(pinfast_curl_prepare(m.h.pins, NULL),
			    0);
		curl_easy_setopt(m.h.easy, CURLOPT_PREREQFUNCTION, say_yes);
		curl_easy_setopt(m.h.easy, CURLOPT_SSL_CTX_FUNCTION,
		    do_nothing);
		curl_easy_setopt(m.h.easy, CURLOPT_SSL_VERIFYHOST, 0L);
		if (when == 1) {
			code = curl_easy_perform(m.h.easy);
			pinfast_curl_done(m.h.pins, code);
			assert_true(code != CURLE_OK);
			assert_int_equal(pinfast_curl_result(m.h.pins).reason,
			    PINFAST_REASON_PIN_MISMATCH);
		} else {
			expect_transfer(&m.h, DENY,
			    PINFAST_REASON_PIN_MISMATCH);
		}
		finish(&m, 0);
	}
}

static void
a_reset_handle_is_judged_once_it_is_prepared(void **state)
{
	struct scene_of_misuse m = begin(&other);

	(void)state;
	expect_transfer(&m.h, DENY, PINFAST_REASON_PIN_MISMATCH);
	curl_easy_reset(m.h.easy);
	curl_easy_setopt(m.h.easy, CURLOPT_RESOLVE, m.h.hosts);
	curl_easy_setopt(m.h.easy, CURLOPT_CAINFO, trust_file);
	curl_easy_setopt(m.h.easy, CURLOPT_NOSIGNAL, 1L);
	aim(&m.h, m.server, "https", "pin.test", "");
	expect_transfer(&m.h, DENY, PINFAST_REASON_PIN_MISMATCH);
	finish(&m, 0);
}

static void
a_copy_is_attached_or_transfers_nothing(void **state)
{
	struct scene_of_misuse m = begin(&leaf);
	struct handle copy = {NULL, NULL, NULL};

	(void)state;
	expect_transfer(&m.h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	copy.easy = curl_easy_duphandle(m.h.easy);
	assert_int_equal(curl_easy_perform(copy.easy),
	    CURLE_ABORTED_BY_CALLBACK);
	assert_int_equal(m.server->asked, 1);
	assert_int_equal(pinfast_curl_attach(copy.easy, m.policy, NULL, NULL,
	                     &copy.pins),
	    0);
	expect_transfer(&copy, ALLOW, PINFAST_REASON_PIN_MATCHED);
	change_policy(m.policy, 2, PINFAST_ROLE_LEAF, &other);
	expect_transfer(&copy, DENY, PINFAST_REASON_PIN_MISMATCH);
	end_handle(&copy);
	finish(&m, 2);
}

static void
who_attaches_twice_is_judged_by_the_last(void **state)
{
	struct scene_of_misuse m = begin(&leaf);
	struct pinfast *another = policy_of(PINFAST_ROLE_LEAF, &other);
	struct handle twice = {m.h.easy, NULL, NULL};

	(void)state;
	assert_int_equal(pinfast_curl_attach(twice.easy, another, NULL, NULL,
	                     &twice.pins),
	    0);
	expect_transfer(&twice, DENY, PINFAST_REASON_PIN_MISMATCH);
	expect_transfer(&m.h, ALLOW, PINFAST_REASON_PIN_MATCHED);
	/* The connection of the other one is kept. */
	assert_true(pinfast_curl_perform(twice.pins) != CURLE_OK);
	assert_true(pinfast_curl_result(twice.pins).decision != PINFAST_ALLOW);
	pinfast_curl_free(twice.pins);
	finish(&m, 1);
	pinfast_free(another);
}

/* ---------------------------------------------------------- what is shared */

static void
what_others_connected_is_judged_or_not_used(void **state)
{
	static const struct {
		curl_lock_data what;
		const struct id *pinned;
	} rows[] = {{CURL_LOCK_DATA_CONNECT, &leaf},
	    {CURL_LOCK_DATA_CONNECT, &other},
	    {CURL_LOCK_DATA_SSL_SESSION, &leaf},
	    {CURL_LOCK_DATA_SSL_SESSION, &other}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct scene_of_misuse m = begin(rows[i].pinned);
		struct handle bare = bare_handle(m.server);
		CURLSH *pool = curl_share_init();
		CURLcode code;
		int asked;

		curl_share_setopt(pool, CURLSHOPT_SHARE, rows[i].what);
		curl_easy_setopt(bare.easy, CURLOPT_SHARE, pool);
		curl_easy_setopt(m.h.easy, CURLOPT_SHARE, pool);
		aim(&bare, m.server, "https", "pin.test", "");
		assert_int_equal(curl_easy_perform(bare.easy), CURLE_OK);
		assert_int_equal(curl_easy_perform(bare.easy), CURLE_OK);
		code = pinfast_curl_perform(m.h.pins);
		assert_int_equal(code == CURLE_OK,
		    pinfast_curl_result(m.h.pins).decision == PINFAST_ALLOW);
		if (rows[i].pinned == &other)
			assert_true(code != CURLE_OK);
		else if (rows[i].what == CURL_LOCK_DATA_SSL_SESSION)
			assert_int_equal(code, CURLE_OK);
		asked = 2 + (code == CURLE_OK);
		end_handle(&bare);
		curl_easy_cleanup(m.h.easy);
		m.h.easy = NULL;
		curl_share_cleanup(pool);
		finish(&m, asked);
	}
}

/* ----------------------------------------------------- the multi interface */

static CURLcode
by_multi(CURLM *multi, const struct handle *h)
{
	CURLcode code = CURLE_FAILED_INIT;
	int running = 1, left;
	CURLMsg *said;

	if (pinfast_curl_prepare(h->pins, NULL) != PINFAST_OK)
		return code;
	curl_multi_add_handle(multi, h->easy);
	while (running > 0) {
		curl_multi_perform(multi, &running);
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 50, NULL);
	}
	while ((said = curl_multi_info_read(multi, &left)) != NULL)
		code = said->data.result;
	pinfast_curl_done(h->pins, code);
	curl_multi_remove_handle(multi, h->easy);
	return code;
}

static void
a_multi_handle_keeps_connections_but_no_verdicts(void **state)
{
	struct scene_of_misuse m = begin(&leaf);
	struct handle second = pinned_handle(m.server, m.policy);
	CURLM *multi = curl_multi_init();

	(void)state;
	aim(&second, m.server, "https", "pin.test", "");
	assert_int_equal(by_multi(multi, &m.h), CURLE_OK);
	assert_int_equal(by_multi(multi, &second), CURLE_OK);
	assert_int_equal(pinfast_curl_result(second.pins).decision,
	    PINFAST_ALLOW);
	change_policy(m.policy, 2, PINFAST_ROLE_LEAF, &other);
	assert_true(by_multi(multi, &second) != CURLE_OK);
	assert_int_equal(pinfast_curl_result(second.pins).reason,
	    PINFAST_REASON_PIN_MISMATCH);
	/* Not prepared. */
	curl_multi_add_handle(multi, m.h.easy);
	for (int running = 1; running > 0;)
		curl_multi_perform(multi, &running);
	curl_multi_remove_handle(multi, m.h.easy);
	end_handle(&second);
	curl_easy_cleanup(m.h.easy);
	m.h.easy = NULL;
	curl_multi_cleanup(multi);
	finish(&m, 2);
}

static void
a_connection_without_a_request_is_judged(void **state)
{
	struct scene_of_misuse m = begin(&other);
	size_t sent = 0;

	(void)state;
	curl_easy_setopt(m.h.easy, CURLOPT_CONNECT_ONLY, 1L);
	expect_transfer(&m.h, DENY, PINFAST_REASON_PIN_MISMATCH);
	assert_true(curl_easy_send(m.h.easy, "secret\r\n", 8, &sent) !=
	            CURLE_OK);
	finish(&m, 0);
}

/* ------------------------------------------------- a policy loaded meanwhile
 */

/* A server that speaks no TLS; how often somebody logged in. */
struct plain {
	int listener, port;
	pthread_t thread;
	atomic_int logins;
};

static void *
serve_plain(void *arg)
{
	struct plain *p = arg;
	char line[500], all[700];
	int fd;

	while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
		FILE *f = fdopen(fd, "r");

		(void)!write(fd, "* OK IMAP4rev1\r\n", 16);
		while (fgets(line, sizeof line, f) != NULL) {
			p->logins += strstr(line, "LOGIN") != NULL ||
			             strstr(line, "AUTHENTICATE") != NULL;
			snprintf(all, sizeof all, "%s%.*s OK fine\r\n",
			    strstr(line, "CAPAB") == NULL
			        ? ""
			        : "* CAPABILITY IMAP4rev1\r\n",
			    (int)strcspn(line, " "), line);
			(void)!write(fd, all, strlen(all));
		}
		fclose(f);
	}
	return NULL;
}

static void
open_plain(struct plain *p)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;

	memset(p, 0, sizeof *p);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(p->listener, (void *)&at, sizeof at), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	assert_int_equal(getsockname(p->listener, (void *)&at, &len), 0);
	p->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, serve_plain, p), 0);
}

static void
nobody_logs_in_in_clear_where_that_changed_meanwhile(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;
	struct server s = {.port = 0};
	struct handle h;
	struct plain p;
	CURLcode code;

	(void)state;
	add_entry(b, "nobody.test", PINFAST_ROLE_LEAF, &leaf);
	policy = policy_made(b);
	open_plain(&p);
	s.port = p.port;
	h = pinned_handle(&s, policy);
	aim(&h, &s, "imap", "pin.test", "");
	assert_int_equal(pinfast_curl_prepare(h.pins, NULL), 0);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &leaf);
	code = curl_easy_perform(h.easy);
	pinfast_curl_done(h.pins, code);
	assert_true(code != CURLE_OK);
	assert_true(pinfast_curl_result(h.pins).decision != PINFAST_ALLOW);
	end_handle(&h);
	shutdown(p.listener, SHUT_RDWR);
	pthread_join(p.thread, NULL);
	close(p.listener);
	pinfast_free(policy);
	assert_int_equal(p.logins, 0);
}

static void
a_login_is_not_for_who_was_pinned_before(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct server *s = open_server(&leaf, &intA, IMAP);
	struct handle h = pinned_handle(s, policy);
	CURLcode code;

	(void)state;
	aim(&h, s, "imaps", "pin.test", "");
	assert_int_equal(pinfast_curl_prepare(h.pins, NULL), 0);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &other);
	code = curl_easy_perform(h.easy);
	pinfast_curl_done(h.pins, code);
	assert_true(code != CURLE_OK);
	assert_true(pinfast_curl_result(h.pins).decision != PINFAST_ALLOW);
	end_handle(&h);
	be_quiet(s);
	assert_int_equal(s->app, 0);
	close_server(s);
	pinfast_free(policy);
}

static void
a_proxy_that_was_pinned_before_is_asked_nothing(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
	struct server *s = open_server(&leaf, &intA, HTTP);
	struct handle h = pinned_handle(s, policy);
	char text[100];
	CURLcode code;

	(void)state;
	aim(&h, s, "https", "far.test", "");
	snprintf(text, sizeof text, "https://pin.test:%d", s->port);
	curl_easy_setopt(h.easy, CURLOPT_PROXY, text);
	curl_easy_setopt(h.easy, CURLOPT_PROXYUSERPWD, "p:secret");
	assert_int_equal(pinfast_curl_proxy(h.pins, "pin.test",
	                     (uint16_t)s->port),
	    0);
	assert_int_equal(pinfast_curl_prepare(h.pins, NULL), 0);
	change_policy(policy, 2, PINFAST_ROLE_LEAF, &other);
	code = curl_easy_perform(h.easy);
	pinfast_curl_done(h.pins, code);
	assert_true(code != CURLE_OK);
	end_handle(&h);
	be_quiet(s);
	assert_int_equal(s->app, 0);
	close_server(s);
	pinfast_free(policy);
}

/* ------------------------------------------------- a libcurl with less in it
 */

static CURLoption unknown; /* as after configure --disable-... */

static CURLcode
lacking_setopt(CURL *easy, CURLoption option, ...)
{
	CURLcode code = CURLE_UNKNOWN_OPTION;
	va_list args;

	va_start(args, option);
	if (option == unknown)
		;
	else if (option < CURLOPTTYPE_OBJECTPOINT)
		code = curl_easy_setopt(easy, option, va_arg(args, long));
	else
		code = curl_easy_setopt(easy, option, va_arg(args, void *));
	va_end(args);
	return code;
}

static const struct pinfast_curl_functions lacking = {
    sizeof(struct pinfast_curl_functions), lacking_setopt, curl_easy_getinfo,
    curl_easy_perform, curl_url, curl_url_cleanup, curl_url_set, curl_url_get,
    curl_free};

static void
what_libcurl_was_built_without_is_not_missed(void **state)
{
	static const struct {
		CURLoption unknown;
		const char *scheme, *host;
		enum speech speech;
	} rows[] = {
	    {CURLOPT_PROXY_PINNEDPUBLICKEY, "https", "two.test", HTTP},
	    {CURLOPT_PROXY_PINNEDPUBLICKEY, "https", "pin.test", HTTP},
	    {CURLOPT_DOH_URL, "https", "pin.test", HTTP},
	    {CURLOPT_FTP_SSL_CCC, "imaps", "pin.test", IMAP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);
		struct server *s = open_server(&leaf, &intA, rows[i].speech);
		struct handle h = bare_handle(s);
		const struct pinfast_curl_use use = {&lacking, h.easy, NULL};
		CURLcode code;

		unknown = rows[i].unknown;
		assert_int_equal(pinfast_curl_attach_with(&use, policy, NULL,
		                     &h.pins),
		    0);
		aim(&h, s, rows[i].scheme, rows[i].host, "");
		code = pinfast_curl_perform(h.pins);
		if (code != CURLE_OK ||
		    pinfast_curl_result(h.pins).decision != PINFAST_ALLOW)
			fail_msg("row %zu: %s, %s", i, curl_easy_strerror(code),
			    pinfast_error_text(pinfast_curl_error(h.pins)));
		end_handle(&h);
		close_server(s);
		pinfast_free(policy);
	}
}

/* ------------------------------------------------------------------ sentences
 */

static void
expect_sentence(const struct handle *h, const char *has, const char *lacks)
{
	char why[700];

	assert_true(pinfast_curl_perform(h->pins) != CURLE_OK);
	(void)pinfast_curl_explain(h->pins, why, sizeof why);
	if (strstr(why, has) == NULL ||
	    (lacks != NULL && strstr(why, lacks) != NULL))
		fail_msg("%s", why);
}

static void
what_is_in_clear_is_refused_for_the_reason_that_it_is(void **state)
{
	struct server s = {.port = 9};
	struct pinfast *empty;
	struct handle h;
	struct plain p;

	(void)state;
	open_plain(&p);
	s.port = p.port;
	assert_int_equal(pinfast_new(NULL, &empty), 0);
	h = pinned_handle(&s, empty);
	aim(&h, &s, "http", "pin.test", "");
	expect_sentence(&h, "policy", "mode: off");
	aim(&h, &s, "sftp", "pin.test", "");
	expect_sentence(&h, "policy", "mode: off");
	end_handle(&h);
	pinfast_free(empty);
	shutdown(p.listener, SHUT_RDWR);
	pthread_join(p.thread, NULL);
	close(p.listener);
}

static void
what_libcurl_did_not_take_is_said(void **state)
{
	struct scene_of_misuse m = begin(&leaf);
	const struct pinfast_curl_use use = {&lacking, m.h.easy, NULL};

	(void)state;
	pinfast_curl_free(m.h.pins);
	unknown = CURLOPT_LASTENTRY;
	assert_int_equal(pinfast_curl_attach_with(&use, m.policy, NULL,
	                     &m.h.pins),
	    0);
	unknown = CURLOPT_SSL_VERIFYHOST;
	expect_sentence(&m.h, "libcurl would not take", NULL);
	finish(&m, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_no_handle),
	    cmocka_unit_test(a_transfer_without_a_url_is_none),
	    cmocka_unit_test(hooks_that_are_replaced_come_back),
	    cmocka_unit_test(a_reset_handle_is_judged_once_it_is_prepared),
	    cmocka_unit_test(a_copy_is_attached_or_transfers_nothing),
	    cmocka_unit_test(who_attaches_twice_is_judged_by_the_last),
	    cmocka_unit_test(what_others_connected_is_judged_or_not_used),
	    cmocka_unit_test(a_multi_handle_keeps_connections_but_no_verdicts),
	    cmocka_unit_test(a_connection_without_a_request_is_judged),
	    cmocka_unit_test(
	        nobody_logs_in_in_clear_where_that_changed_meanwhile),
	    cmocka_unit_test(a_login_is_not_for_who_was_pinned_before),
	    cmocka_unit_test(a_proxy_that_was_pinned_before_is_asked_nothing),
	    cmocka_unit_test(what_libcurl_was_built_without_is_not_missed),
	    cmocka_unit_test(
	        what_is_in_clear_is_refused_for_the_reason_that_it_is),
	    cmocka_unit_test(what_libcurl_did_not_take_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
