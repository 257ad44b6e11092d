/* The libcurl adapter when memory runs out, and under many threads. */
#define _GNU_SOURCE
#include "curl_world.h"
#include "load.h"

#include <dlfcn.h>

/* ---------------------------------------------------- failing allocations */

static _Thread_local long left = -1; /* until one fails; -1: never */
static _Thread_local int from_then_on;
static long alive; /* allocations of the policy */

static int
fails(void)
{
	if (left < 0)
		return 0;
	if (left > 0) {
		left--;
		return 0;
	}
	if (!from_then_on)
		left = -1;
	return 1;
}

static void *
policy_alloc(void *arg, size_t size)
{
	void *out;

	(void)arg;
	if (fails())
		return NULL;
	out = malloc(size);
	if (out != NULL)
		alive++;
	return out;
}

static void
policy_free(void *arg, void *ptr)
{
	(void)arg;
	if (ptr != NULL)
		alive--;
	free(ptr);
}

static const struct pinfast_alloc failing = {policy_alloc, policy_free, NULL};

/* A sanitizer has its own malloc(); it sees all others fail. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);

/* dladdr() takes too long to be asked each time. */
static int
is_ours(const void *caller)
{
	static const char *base;
	Dl_info info;
	size_t at;

	if (left < 0)
		return 0;
	if (base == NULL &&
	    dladdr(dlsym(RTLD_DEFAULT, "pinfast_curl_free"), &info) != 0)
		base = info.dli_fbase;
	at = (size_t)((const char *)caller - base);
	return base != NULL && at < 0x10000;
}

__attribute__((visibility("default"))) void *
malloc(size_t size)
{
	if (is_ours(__builtin_return_address(0)) && fails())
		return NULL;
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *
calloc(size_t count, size_t size)
{
	if (is_ours(__builtin_return_address(0)) && fails())
		return NULL;
	return __libc_calloc(count, size);
}
#endif

/*
 * What libcurl is asked fails as a whole.  A string for which it has no memory
 * is gone, and so is the one that was there before.
 */
static CURLcode
failing_setopt(CURL *easy, CURLoption option, ...)
{
	int failed = fails();
	va_list args;
	CURLcode code;

	va_start(args, option);
	if (option < CURLOPTTYPE_OBJECTPOINT) {
		long value = va_arg(args, long);

		code = failed ? CURLE_OUT_OF_MEMORY
		              : curl_easy_setopt(easy, option, value);
	} else {
		void *value = va_arg(args, void *);

		if (failed && option != CURLOPT_PINNEDPUBLICKEY &&
		    option != CURLOPT_PROXY_PINNEDPUBLICKEY)
			code = CURLE_OUT_OF_MEMORY;
		else
			code = curl_easy_setopt(easy, option,
			    failed ? NULL : value);
		/* To forget something takes no memory. */
		if (failed && value != NULL)
			code = CURLE_OUT_OF_MEMORY;
	}
	va_end(args);
	return code;
}

static CURLcode
failing_getinfo(CURL *easy, CURLINFO info, ...)
{
	CURLcode code = CURLE_OUT_OF_MEMORY;
	va_list args;

	va_start(args, info);
	if (!fails())
		code = curl_easy_getinfo(easy, info, va_arg(args, void *));
	va_end(args);
	return code;
}

static CURLU *
failing_url(void)
{
	return fails() ? NULL : curl_url();
}

static CURLUcode
failing_url_set(CURLU *url, CURLUPart what, const char *text, unsigned flags)
{
	return fails() ? CURLUE_OUT_OF_MEMORY
	               : curl_url_set(url, what, text, flags);
}

static CURLUcode
failing_url_get(CURLU *url, CURLUPart what, char **text, unsigned flags)
{
	return fails() ? CURLUE_OUT_OF_MEMORY
	               : curl_url_get(url, what, text, flags);
}

static const struct pinfast_curl_functions functions = {
    sizeof(struct pinfast_curl_functions), failing_setopt, failing_getinfo,
    curl_easy_perform, failing_url, curl_url_cleanup, failing_url_set,
    failing_url_get, curl_free};

/* ---------------------------------------------------------------- transfers */

/* One line of the table below. */
struct plot {
	const char *name, *scheme, *host, *path;
	const struct id *shown, *sent;
	enum pinfast_role role;
	const struct id *pinned;
	enum speech speech;
	int proxied;
	int inside, late, blind; /* what it may be at best */
	int spared;              /* requests that come before it */
};

static const struct plot plots[] = {
    {"the pinned leaf", "https", "pin.test", "", &leaf, &intA,
        PINFAST_ROLE_LEAF, &leaf, HTTP, 0, 1, 1, 1, 0},
    {"the pinned root", "https", "pin.test", "", &leaf, &intA, PINFAST_ROLE_ANY,
        &rootA, HTTP, 0, 1, 1, 0, 0},
    {"a login", "imaps", "pin.test", "", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        IMAP, 0, 1, 1, 1, 0},
    {"a proxy", "http", "far.test", "", &leaf, &intA, PINFAST_ROLE_LEAF, &leaf,
        HTTP, 1, 1, 1, 1, 0},
    {"a redirect", "https", "two.test", "away", &leaf, &intA, PINFAST_ROLE_LEAF,
        &leaf, HTTP, 0, 1, 1, 0, 1},
    {"another leaf", "https", "pin.test", "", &evil, NULL, PINFAST_ROLE_LEAF,
        &leaf, HTTP, 0, 0, 0, 0, 0},
    {"another root", "https", "pin.test", "", &evil, &intA, PINFAST_ROLE_ANY,
        &rootA, HTTP, 0, 0, 0, 0, 0},
    {"another name", "https", "pin.test", "", &other, &intA, PINFAST_ROLE_LEAF,
        &other, HTTP, 0, 0, 0, 0, 0},
    {"a login, another leaf", "imaps", "pin.test", "", &evil, NULL,
        PINFAST_ROLE_LEAF, &leaf, IMAP, 0, 0, 0, 0, 0},
    {"a login, another name", "imaps", "pin.test", "", &other, &intA,
        PINFAST_ROLE_LEAF, &other, IMAP, 0, 0, 0, 0, 0},
    {"a proxy, another leaf", "http", "far.test", "", &evil, NULL,
        PINFAST_ROLE_LEAF, &leaf, HTTP, 1, 0, 0, 0, 0},
    {"a redirect, another leaf", "https", "two.test", "away", &leaf, &intA,
        PINFAST_ROLE_LEAF, &other, HTTP, 0, 0, 0, 0, 1},
};

struct stage {
	const struct plot *plot;
	struct pinfast *policy;
	struct server *server;
};

static void
aim_plot(const struct handle *h, const struct stage *st)
{
	char text[100];

	aim(h, st->server, st->plot->scheme, st->plot->host, st->plot->path);
	if (!st->plot->proxied)
		return;
	snprintf(text, sizeof text, "https://pin.test:%d", st->server->port);
	curl_easy_setopt(h->easy, CURLOPT_PROXY, text);
	curl_easy_setopt(h->easy, CURLOPT_PROXYUSERPWD, "p:secret");
}

/* Who attached in vain does not go on. */
static CURLcode
transfer(struct handle *h, const struct stage *st,
    struct pinfast_verdict *verdict)
{
	const struct pinfast_curl_use use = {&functions, h->easy, NULL};
	CURLcode code = CURLE_FAILED_INIT;

	verdict->decision = 0;
	if (pinfast_curl_attach_with(&use, st->policy, NULL, &h->pins) !=
	    PINFAST_OK)
		return code;
	if (st->plot->proxied && pinfast_curl_proxy(h->pins, "pin.test",
	                             (uint16_t)st->server->port) != PINFAST_OK)
		return code;
	code = pinfast_curl_perform(h->pins);
	*verdict = pinfast_curl_result(h->pins);
	return code;
}

/* One transfer with allocation n failing.  0: so many were not made, and all
 * went as it should. */
static int
try(const struct stage *st, long n, int on)
{
	const struct plot *plot = st->plot;
	struct handle h = bare_handle(st->server);
	struct pinfast_verdict verdict;
	int reached, may, asked = st->server->asked;
	size_t app = st->server->app;
	long before = alive;
	CURLcode code;

	aim_plot(&h, st);
	from_then_on = on;
	left = n;
	code = transfer(&h, st, &verdict);
	reached = left <= 0;
	left = -1;
	may = is_inside(&h)   ? plot->inside
	      : !is_blind(&h) ? plot->late
	                      : plot->blind;
	if (!reached && (verdict.decision == PINFAST_ALLOW) != may)
		fail_msg("%s: %s", plot->name,
		    pinfast_reason_name(verdict.reason));
	end_handle(&h);
	be_quiet(st->server);
	if (verdict.decision == PINFAST_ALLOW) {
		/* Before a redirect, it was; nothing was sent afterwards. */
		if ((!may && (!plot->spared ||
		                 st->server->asked > asked + plot->spared)) ||
		    st->server->app == app)
			fail_msg("%s: allowed, %ld", plot->name, n);
	} else {
		assert_true(code != CURLE_OK);
		/* A login to who was allowed comes before the request. */
		if (st->server->asked > asked + plot->spared ||
		    (!plot->spared && (plot->speech != IMAP || !may) &&
		        st->server->app != app))
			fail_msg("%s: sent, %ld", plot->name, n);
	}
	if (alive != before)
		fail_msg("%s: kept, %ld", plot->name, n);
	return reached;
}

static void
try_all(const struct stage *st)
{
	for (int on = 0; on < 2; on++) {
		long n = 0;

		while (try(st, n, on))
			if (++n == 2000)
				fail_msg("there is no end of it");
		/* So many may fail at the least. */
		assert_true(n > 15);
	}
}

static void
whatever_fails_nobody_gets_through(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof plots / sizeof plots[0]; i++) {
		struct pinfast_builder *b = begin_policy(1);
		struct stage st = {&plots[i], NULL, NULL};
		char to[100];

		assert_int_equal(pinfast_new(&failing, &st.policy), 0);
		add_entry(b, "pin.test", plots[i].role, plots[i].pinned);
		serve_policy(st.policy, b);
		st.server =
		    open_server(plots[i].shown, plots[i].sent, plots[i].speech);
		snprintf(to, sizeof to, "https://pin.test:%d/",
		    st.server->port);
		st.server->location = to;
		try_all(&st);
		close_server(st.server);
		pinfast_free(st.policy);
	}
}

/* ------------------------------------------------------------------ threads */

struct crowd {
	struct pinfast *policy;
	struct server *server;
	CURLSH *pool;
	pthread_mutex_t locks[CURL_LOCK_DATA_LAST];
};

static void
lock(CURL *easy, curl_lock_data what, curl_lock_access how, void *arg)
{
	struct crowd *c = arg;

	(void)easy, (void)how;
	pthread_mutex_lock(&c->locks[what]);
}

static void
unlock(CURL *easy, curl_lock_data what, void *arg)
{
	struct crowd *c = arg;

	(void)easy;
	pthread_mutex_unlock(&c->locks[what]);
}

static _Thread_local struct handle own; /* of the thread; made when needed */
static _Thread_local unsigned turns;

/*
 * Policies pin the server's leaf, or another one.  Kept, resumed and new
 * connections.
 */
static enum outcome
transfer_once(void *arg, int bad)
{
	const struct crowd *c = arg;
	CURLcode code;
	int may;

	(void)bad;
	if (own.easy == NULL) {
		own = pinned_handle(c->server, c->policy);
		curl_easy_setopt(own.easy, CURLOPT_SHARE, c->pool);
		aim(&own, c->server, "https", "pin.test", "");
	}
	curl_easy_setopt(own.easy, CURLOPT_FORBID_REUSE,
	    (long)(turns++ % 4 == 0));
	code = pinfast_curl_perform(own.pins);
	may = pinfast_curl_result(own.pins).decision == PINFAST_ALLOW;
	if ((code == CURLE_OK) != may)
		return LOAD_WRONG;
	return may ? LOAD_ALLOWED : LOAD_DENIED;
}

static void
leave_crowd(void)
{
	if (own.easy != NULL)
		end_handle(&own);
	OPENSSL_thread_stop();
}

static void
pin_another(void *arg, int64_t serial)
{
	const struct crowd *c = arg;

	change_policy(c->policy, serial, PINFAST_ROLE_LEAF,
	    serial % 2 ? &leaf : &other);
}

static void
threads_share_sessions_while_policies_come_and_go(void **state)
{
	struct crowd c = {policy_of(PINFAST_ROLE_LEAF, &leaf),
	    open_server(&leaf, &intA, HTTP), curl_share_init(), {{{0}}}};
	struct load load = {
	    .connect = transfer_once,
	    .change = pin_another,
	    .leave = leave_crowd,
	    .arg = &c,
	};

	(void)state;
	for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
		pthread_mutex_init(&c.locks[i], NULL);
	curl_share_setopt(c.pool, CURLSHOPT_LOCKFUNC, lock);
	curl_share_setopt(c.pool, CURLSHOPT_UNLOCKFUNC, unlock);
	curl_share_setopt(c.pool, CURLSHOPT_USERDATA, &c);
	curl_share_setopt(c.pool, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_share_setopt(c.pool, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	reload_under_load(&load);
	be_quiet(c.server);
	/* Who was denied was sent no request. */
	assert_int_equal(c.server->asked, load.seen[LOAD_ALLOWED]);
	curl_share_cleanup(c.pool);
	close_server(c.server);
	pinfast_free(c.policy);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_fails_nobody_gets_through),
	    cmocka_unit_test(threads_share_sessions_while_policies_come_and_go),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
