/* Asking in short whether a server has a key of the other kind. */
#define _GNU_SOURCE
#include "servers.h"

#include <dlfcn.h>

#define MANY 12 /* the first few are asked at length */

static void
ask_once(const struct server *s, const char *host, int timeout_ms)
{
	struct pf_address here = {4, {127, 0, 0, 1}, s->port, 0};
	struct pf_probe_options o = options();
	struct pf_probe p[MANY];

	o.timeout_ms = timeout_ms;
	memset(p, 0, sizeof p);
	for (size_t i = 0; i < MANY; i++) {
		p[i].host = host;
		p[i].port = s->port;
		p[i].addresses = &here;
		p[i].address_count = 1;
		p[i].both = 1;
	}
	probe(p, MANY, &o);
}

static void
ask_many(const struct server *s, const char *host)
{
	ask_once(s, host, 20000);
	assert_int_equal(kept_count, 2 * MANY);
}

static void
a_plain_no_is_believed(void **state)
{
	const struct id *ids[] = {&ecdsa, &rsa};
	struct server s;

	(void)state;
	for (int i = 0; i < 4; i++) {
		begin(&s, TLS);
		show(&s, ids[i / 2]);
		SSL_CTX_set_max_proto_version(s.ctx,
		    i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		go(&s);
		ask_many(&s, "www.test");
		end(&s);
		for (size_t k = 0; k < kept_count; k++) {
			if (kept[k].asked == PF_PROBE_ANY)
				assert_int_equal(kept[k].ok, 1);
			else
				assert_int_equal(kept[k].absent, 1);
			assert_int_equal(kept[k].silent, 0);
		}
		assert_int_equal(s.accepted, 2 * MANY);
	}
}

static void
a_key_of_the_other_kind_is_always_found(void **state)
{
	struct server s;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION;
	     version++) {
		begin(&s, TLS);
		show(&s, &ecdsa);
		show(&s, &rsa);
		SSL_CTX_set_max_proto_version(s.ctx, version);
		go(&s);
		ask_many(&s, "www.test");
		end(&s);
		for (size_t k = 0; k < kept_count; k++) {
			assert_int_equal(kept[k].stage, PF_STAGE_DONE);
			assert_int_equal(kept[k].absent, 0);
			assert_int_equal(kept[k].ok, 1);
		}
		/* A few short questions, and then they pay no more. */
		assert_in_range(s.accepted, 2 * MANY + 1, 2 * MANY + 5);
	}
}

/* A loaded machine may be too slow for the first question: then both are asked
 * once more, with more patience. */
static void
ask_who_waits(const struct server *s)
{
	int slow = 1;

	for (int ms = 700; slow; ms *= 2) {
		ask_once(s, "www.test", ms);
		slow = 0;
		for (size_t k = 0; k < kept_count; k++)
			slow |=
			    kept[k].asked == PF_PROBE_ANY && kept[k].timed_out;
	}
	assert_int_equal(kept_count, 2 * MANY);
}

/* In short and at length a server must be understood in the same way. */
static void
nothing_but_a_plain_no_is_a_no(void **state)
{
	static const struct {
		const char *answer;
		size_t len;
		int waits, absent, silent, timed_out;
	} rows[] = {
	    {"\x15\x03\x03\x00\x02\x02\x28", 7, 0, 1, 0, 0},
	    {"\x15\x03\x03\x00\x02\x02\x2f", 7, 0, 1, 0, 0},
	    {"\x15\x03\x01\x00\x02\x02\x47", 7, 0, 1, 0, 0},
	    {"", 0, 0, 1, 1, 0},
	    {"\x15\x03\x03\x00\x02\x02\x50", 7, 0, 0, 0, 0}, /* internal */
	    {"\x15\x03\x03\x00\x02\x02\x70", 7, 0, 0, 0, 0}, /* no such name */
	    {"\x15\x03\x03\x00\x02\x01\x28", 7, 0, 0, 0, 0}, /* a warning */
	    {"\x15\x03\x03\x00\x03\x02\x28\x00", 8, 0, 0, 0, 0},
	    {"\x15\x02\x03\x00\x02\x02\x28", 7, 0, 0, 0, 0},
	    {"\x15\x03\x03\x00\x02\x02", 6, 0, 0, 0, 0},
	    {"\x15", 1, 0, 0, 0, 0},
	    {"\x16\x03\x03\x00\x02\x02\x28", 7, 0, 0, 0, 0},
	    {"HTTP/1.0 400 What?", 18, 0, 0, 0, 0},
	    {"", 0, 1, 0, 0, 1},
	    {"\x15\x03\x03", 3, 1, 0, 0, 1},
	};
	struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(&s, TLS);
		show(&s, &ecdsa);
		s.to_rsa = rows[i].answer;
		s.to_rsa_len = rows[i].len;
		s.then_waits = rows[i].waits;
		go(&s);
		if (rows[i].waits)
			ask_who_waits(&s);
		else
			ask_many(&s, "www.test");
		end(&s);
		for (size_t k = 0; k < kept_count; k++) {
			if (kept[k].asked == PF_PROBE_ANY) {
				assert_int_equal(kept[k].ok, 1);
				continue;
			}
			if (kept[k].absent != rows[i].absent ||
			    kept[k].silent != rows[i].silent ||
			    kept[k].timed_out != rows[i].timed_out)
				fail_msg("row %zu: %s", i, kept[k].why);
			assert_int_equal(kept[k].stage, PF_STAGE_HANDSHAKE);
			assert_string_not_equal(kept[k].why, "");
		}
	}
}

/* OpenSSL without a group that is asked for, or without memory: in front of
 * libssl's functions. */
static int no_groups;

__attribute__((visibility("default"))) long
SSL_ctrl(SSL *ssl, int cmd, long number, void *arg)
{
	static long (*real)(SSL *, int, long, void *);
	void *found = dlsym(RTLD_NEXT, "SSL_ctrl");

	memcpy(&real, &found, sizeof real);
	return no_groups && cmd == SSL_CTRL_SET_GROUPS_LIST
	           ? 0
	           : real(ssl, cmd, number, arg);
}

__attribute__((visibility("default"))) long
SSL_CTX_ctrl(SSL_CTX *ctx, int cmd, long number, void *arg)
{
	static long (*real)(SSL_CTX *, int, long, void *);
	void *found = dlsym(RTLD_NEXT, "SSL_CTX_ctrl");

	memcpy(&real, &found, sizeof real);
	return no_groups && cmd == SSL_CTRL_SET_GROUPS_LIST
	           ? 0
	           : real(ctx, cmd, number, arg);
}

static void
who_could_not_ask_has_not_been_answered(void **state)
{
	struct server s;

	(void)state;
	begin(&s, TLS);
	show(&s, &ecdsa);
	show(&s, &rsa);
	go(&s);
	no_groups = 1;
	ask_many(&s, "www.test");
	no_groups = 0;
	end(&s);
	for (size_t k = 0; k < kept_count; k++) {
		if (kept[k].asked == PF_PROBE_ANY)
			continue;
		assert_int_equal(kept[k].absent, 0);
		assert_int_equal(kept[k].silent, 0);
		assert_string_not_equal(kept[k].why, "");
	}
}

/* What a server with names saw: the greeting is well-formed with each. */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *name;
	char *wanted = arg;
	size_t len;

	(void)alert;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &name,
	        &len))
		wanted[0] = (char)(wanted[0] + (wanted[0] != '\0'));
	else if (len != strlen(wanted) + 5 ||
	         memcmp(name + 5, wanted, len - 5) != 0)
		wanted[0]++;
	return SSL_CLIENT_HELLO_SUCCESS;
}

static void
the_name_is_asked_for_at_every_length(void **state)
{
	char host[PINFAST_HOST_LEN], seen[PINFAST_HOST_LEN];
	struct server s;

	(void)state;
	for (size_t len = 1; len <= 253; len += len < 60 ? 20 : 4) {
		memset(host, 0, sizeof host);
		for (size_t i = 0; i < len; i++)
			host[i] = i % 50 == 49 && i + 1 < len ? '.' : 'a';
		memcpy(seen, host, sizeof seen);
		begin(&s, TLS);
		show(&s, &rsa);
		SSL_CTX_set_client_hello_cb(s.ctx, on_hello, seen);
		go(&s);
		ask_many(&s, host);
		end(&s);
		assert_int_equal(s.accepted, 2 * MANY);
		assert_string_equal(seen, host);
	}
}

static void
an_address_is_no_name(void **state)
{
	char seen[1] = "";
	struct server s;

	(void)state;
	begin(&s, TLS);
	show(&s, &ecdsa);
	SSL_CTX_set_client_hello_cb(s.ctx, on_hello, seen);
	go(&s);
	ask_many(&s, "127.0.0.1");
	end(&s);
	assert_int_equal(s.accepted, 2 * MANY);
	assert_int_equal(seen[0], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plain_no_is_believed),
	    cmocka_unit_test(a_key_of_the_other_kind_is_always_found),
	    cmocka_unit_test(nothing_but_a_plain_no_is_a_no),
	    cmocka_unit_test(who_could_not_ask_has_not_been_answered),
	    cmocka_unit_test(the_name_is_asked_for_at_every_length),
	    cmocka_unit_test(an_address_is_no_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
