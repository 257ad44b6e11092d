/* The engine against servers that behave in every way. */
#define _GNU_SOURCE
#include "servers.h"

static void
a_handshake_is_completed_and_verified(void **state)
{
	const struct kept *k;
	struct server s;

	(void)state;
	begin(&s, TLS);
	show(&s, &ecdsa);
	go(&s);
	k = ask("www.test", s.port);
	assert_int_equal(k->stage, PF_STAGE_DONE);
	assert_int_equal(k->ok, 1);
	assert_int_equal(k->path, 2);
	assert_int_equal(k->presented, 1);
	assert_string_equal(k->version, "TLSv1.3");
	assert_string_equal(k->address, "127.0.0.1");
	assert_string_equal(k->why, "");
	k = ask("other.test", s.port);
	assert_int_equal(k->stage, PF_STAGE_DONE);
	assert_int_equal(k->ok, 0);
	assert_int_equal(k->path, 0);
	assert_string_equal(k->error, "hostname mismatch");
	k = ask("127.0.0.1", s.port);
	assert_int_equal(k->ok, 1);
	k = ask("127.0.0.2", s.port);
	assert_int_equal(k->ok, 0);
	end(&s);
	assert_int_equal(s.got, 0);
}

static void
what_does_not_verify_is_still_shown(void **state)
{
	const struct kept *k;
	struct server s;

	(void)state;
	begin(&s, TLS);
	show(&s, &self);
	go(&s);
	k = ask("www.test", s.port);
	assert_int_equal(k->stage, PF_STAGE_DONE);
	assert_int_equal(k->ok, 0);
	assert_int_equal(k->presented, 1);
	assert_string_not_equal(k->error, "");
	end(&s);
}

static void
every_version_is_spoken(void **state)
{
	static const struct {
		int version;
		const char *name;
	} rows[] = {{TLS1_VERSION, "TLSv1"}, {TLS1_1_VERSION, "TLSv1.1"},
	    {TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};
	struct server s;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin(&s, TLS);
		show(&s, &rsa);
		SSL_CTX_set_max_proto_version(s.ctx, rows[i].version);
		go(&s);
		assert_string_equal(ask("www.test", s.port)->version,
		    rows[i].name);
		assert_int_equal(kept[0].ok, 1);
		end(&s);
	}
}

static void
broken_servers_are_named_by_stage(void **state)
{
	static const struct {
		enum manner manner;
		enum pf_probe_stage stage;
		int timed_out;
		const char *why;
	} rows[] = {{DEAD, PF_STAGE_CONNECT, 0, "refused"},
	    {SILENT, PF_STAGE_HANDSHAKE, 1, "no TLS handshake in " PATIENCE},
	    {DRIP, PF_STAGE_HANDSHAKE, 1, "no TLS handshake in " PATIENCE},
	    {GARBAGE, PF_STAGE_HANDSHAKE, 0, "is not TLS"},
	    {ALERT, PF_STAGE_HANDSHAKE, 0, "handshake failure"},
	    {FLOOD, PF_STAGE_HANDSHAKE, 0, "more than 1 MiB"},
	    {CLOSING, PF_STAGE_HANDSHAKE, 0, "closed the connection"}};
	struct server s;
	const struct kept *k;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(&s, rows[i].manner);
		go(&s);
		k = ask("www.test", s.port);
		assert_int_equal(k->stage, rows[i].stage);
		assert_int_equal(k->timed_out, rows[i].timed_out);
		if (strstr(k->why, rows[i].why) == NULL)
			fail_msg("row %zu: %s", i, k->why);
		end(&s);
	}
}

static void
broken_servers_delay_nobody(void **state)
{
	enum manner manners[] = {
	    DEAD, SILENT, DRIP, GARBAGE, CLOSING, FLOOD, TLS};
	struct server s[7];
	struct pf_probe p[7];
	struct pf_probe_options o = options();

	(void)state;
	memset(p, 0, sizeof p);
	for (size_t i = 0; i < 7; i++) {
		begin(&s[i], manners[i]);
		if (manners[i] == TLS)
			show(&s[i], &ecdsa);
		go(&s[i]);
		p[i].host = "127.0.0.1";
		p[i].port = s[i].port;
	}
	probe(p, 7, &o);
	assert_int_equal(kept_count, 7);
	/* The good one, the last, did not wait for the others' deadlines. */
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(kept[i].timed_out, 0);
	for (size_t i = 0; i < 7; i++)
		end(&s[i]);
}

static void
both_kinds_of_keys_are_asked_for(void **state)
{
	struct pf_probe_options o = options();
	struct server s;
	struct pf_probe p = {.host = "127.0.0.1", .both = 1};

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION;
	     version++) {
		begin(&s, TLS);
		show(&s, &ecdsa);
		show(&s, &rsa);
		SSL_CTX_set_max_proto_version(s.ctx, version);
		go(&s);
		p.port = s.port;
		probe(&p, 1, &o);
		assert_int_equal(kept_count, 2);
		assert_int_equal(kept[0].asked, PF_PROBE_ANY);
		assert_int_not_equal(kept[1].asked, PF_PROBE_ANY);
		assert_int_equal(kept[1].absent, 0);
		assert_int_equal(kept[1].ok, 1);
		end(&s);
	}
}

static void
a_kind_that_is_not_there_is_absent_and_no_failure(void **state)
{
	struct pf_probe_options o = options();
	const struct id *ids[] = {&ecdsa, &rsa};
	struct server s;
	struct pf_probe p = {.host = "127.0.0.1", .both = 1};

	(void)state;
	for (int i = 0; i < 4; i++) {
		begin(&s, TLS);
		show(&s, ids[i / 2]);
		SSL_CTX_set_max_proto_version(s.ctx,
		    i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		go(&s);
		p.port = s.port;
		probe(&p, 1, &o);
		assert_int_equal(kept_count, 2);
		assert_int_equal(kept[0].stage, PF_STAGE_DONE);
		assert_int_equal(kept[1].asked,
		    i / 2 ? PF_PROBE_ECDSA : PF_PROBE_RSA);
		assert_int_equal(kept[1].absent, 1);
		end(&s);
	}
}

static void
a_hundred_certificates_and_not_one_more(void **state)
{
	struct server s;
	const struct kept *k;

	(void)state;
	for (int more = 0; more < 2; more++) {
		begin(&s, TLS);
		show(&s, &ecdsa);
		for (int i = 1; i < 100 + more; i++)
			SSL_CTX_add1_chain_cert(s.ctx, self.cert);
		go(&s);
		k = ask("www.test", s.port);
		if (more) {
			assert_int_equal(k->stage, PF_STAGE_HANDSHAKE);
			assert_non_null(strstr(k->why,
			    "more than 100 certificates"));
		} else {
			assert_int_equal(k->stage, PF_STAGE_DONE);
			assert_int_equal(k->presented, 100);
			assert_int_equal(k->ok, 1);
		}
		end(&s);
	}
}

static void
more_bytes_than_the_limit_are_refused(void **state)
{
	static char name[9000];
	struct server s;
	struct id big = {0};
	const struct kept *k;
	char san[9100];

	(void)state;
	for (size_t i = 0; i < sizeof name - 1; i++)
		name[i] = i % 60 == 59 ? '.' : 'a';
	snprintf(san, sizeof san, "DNS:%s", name);
	big.key = self.key;
	identity_certify(&big, "big", &root, san, 1);
	begin(&s, TLS);
	show(&s, &ecdsa);
	for (int i = 0; i < 30; i++)
		SSL_CTX_add1_chain_cert(s.ctx, big.cert);
	go(&s);
	k = ask("www.test", s.port);
	assert_int_equal(k->stage, PF_STAGE_HANDSHAKE);
	assert_non_null(strstr(k->why, "256 KiB"));
	end(&s);
	X509_free(big.cert);
}

static void
a_server_that_wants_a_client_certificate_is_seen(void **state)
{
	struct server s;
	const struct kept *k;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION;
	     version++) {
		begin(&s, TLS);
		show(&s, &ecdsa);
		SSL_CTX_set_max_proto_version(s.ctx, version);
		SSL_CTX_set_verify(s.ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		go(&s);
		k = ask("www.test", s.port);
		assert_int_equal(k->stage, PF_STAGE_DONE);
		assert_int_equal(k->wants_client, 1);
		assert_int_equal(k->ok, 1);
		end(&s);
	}
}

/* Its key exchange proves nothing before the server's Finished. */
static void
without_possession_a_refused_client_has_seen_nothing(void **state)
{
	struct server s;
	const struct kept *k;

	(void)state;
	begin(&s, TLS);
	show(&s, &rsa);
	SSL_CTX_set_max_proto_version(s.ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(s.ctx, "AES128-SHA");
	SSL_CTX_set_verify(s.ctx,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	go(&s);
	k = ask("www.test", s.port);
	assert_int_equal(k->stage, PF_STAGE_HANDSHAKE);
	assert_int_equal(k->wants_client, 1);
	assert_non_null(strstr(k->why, "client certificate"));
	end(&s);
}

static void
every_address_is_asked(void **state)
{
	struct pf_probe_options o = options();
	struct pf_address a[3];
	struct pf_probe p = {
	    .host = "www.test", .addresses = a, .address_count = 3};
	struct server s[3];
	int done = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(&s[i], i == 1 ? DEAD : TLS);
		if (i != 1)
			show(&s[i], i == 0 ? &ecdsa : &self);
		go(&s[i]);
		memset(&a[i], 0, sizeof a[i]);
		a[i].family = 4;
		memcpy(a[i].bytes, (uint8_t[]){127, 0, 0, 1}, 4);
		a[i].port = s[i].port;
	}
	p.port = s[0].port;
	probe(&p, 1, &o);
	assert_int_equal(kept_count, 3);
	for (int i = 0; i < 3; i++)
		done += kept[i].stage == PF_STAGE_DONE;
	assert_int_equal(done, 2);
	for (int i = 0; i < 3; i++)
		end(&s[i]);
}

static volatile sig_atomic_t stop_now;

static void
on_alarm(int number)
{
	(void)number;
	stop_now = 1;
}

static void
keep_and_stop(void *arg, const struct pf_probe *p,
    const struct pf_probe_result *r)
{
	keep(arg, p, r);
	raise(SIGALRM);
}

static void
a_stopped_run_tells_what_was_under_way(void **state)
{
	struct pf_probe_options o = options();
	struct server good, bad;
	struct pf_probe p[2];

	(void)state;
	memset(p, 0, sizeof p);
	begin(&good, TLS);
	show(&good, &ecdsa);
	go(&good);
	begin(&bad, SILENT);
	p[0].host = p[1].host = "127.0.0.1";
	p[0].port = good.port;
	p[1].port = bad.port;
	stop_now = 0;
	o.stop = &stop_now;
	o.timeout_ms = 20000;
	o.done = keep_and_stop;
	kept_count = 0;
	signal(SIGALRM, on_alarm);
	assert_int_equal(pf_probe_all(p, 2, &o), PF_PROBE_STOPPED);
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept[0].stage, PF_STAGE_DONE);
	assert_int_equal(kept[1].interrupted, 1);
	end(&good);
	end(&bad);
}

/* Nobody would know that it is over, and tell what else is known of it. */
static void
a_stopped_run_ends_what_has_more_addresses(void **state)
{
	static const struct itimerval soon = {{0, 0}, {0, 100000}};
	struct pf_probe_options o = options();
	struct pf_address at[3];
	struct pf_probe p[2];
	struct server bad;

	(void)state;
	memset(p, 0, sizeof p);
	begin(&bad, SILENT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pf_address_parse("127.0.0.1", 9, bad.port,
		                     &at[i]),
		    1);
	p[0].host = p[1].host = "www.test";
	p[0].addresses = p[1].addresses = at;
	p[0].address_count = p[1].address_count = 3;
	stop_now = 0;
	o.stop = &stop_now;
	o.timeout_ms = 20000;
	o.at_once = 1;
	kept_count = last_count = 0;
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(pf_probe_all(p, 2, &o), PF_PROBE_STOPPED);
	assert_int_equal(kept_count, 3);
	assert_int_equal(last_count, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kept[i].interrupted, 1);
	end(&bad);
}

static void
verify_own(void *arg, const struct pf_probe *p, X509_STORE_CTX *xs,
    struct pf_probe_pkix *pkix, void **judged)
{
	(void)p;
	pf_probe_verify(xs, pkix);
	*judged = arg;
}

static void
keep_judged(void *arg, const struct pf_probe *p,
    const struct pf_probe_result *r)
{
	*(int *)arg += r->judged == arg;
	keep(NULL, p, r);
}

static void
what_the_caller_judged_comes_with_the_result(void **state)
{
	struct pf_probe_options o = options();
	struct pf_probe p = {.host = "127.0.0.1"};
	struct server s;
	int judged = 0;

	(void)state;
	begin(&s, TLS);
	show(&s, &ecdsa);
	go(&s);
	p.port = s.port;
	o.verify = verify_own;
	o.done = keep_judged;
	o.arg = &judged;
	probe(&p, 1, &o);
	assert_int_equal(judged, 1);
	assert_int_equal(kept[0].ok, 1);
	end(&s);
}

static void
nothing_to_do_is_done(void **state)
{
	struct pf_probe_options o = options();

	(void)state;
	probe(NULL, 0, &o);
	assert_int_equal(kept_count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_handshake_is_completed_and_verified),
	    cmocka_unit_test(what_does_not_verify_is_still_shown),
	    cmocka_unit_test(every_version_is_spoken),
	    cmocka_unit_test(broken_servers_are_named_by_stage),
	    cmocka_unit_test(broken_servers_delay_nobody),
	    cmocka_unit_test(both_kinds_of_keys_are_asked_for),
	    cmocka_unit_test(a_kind_that_is_not_there_is_absent_and_no_failure),
	    cmocka_unit_test(a_hundred_certificates_and_not_one_more),
	    cmocka_unit_test(more_bytes_than_the_limit_are_refused),
	    cmocka_unit_test(a_server_that_wants_a_client_certificate_is_seen),
	    cmocka_unit_test(
	        without_possession_a_refused_client_has_seen_nothing),
	    cmocka_unit_test(every_address_is_asked),
	    cmocka_unit_test(a_stopped_run_tells_what_was_under_way),
	    cmocka_unit_test(a_stopped_run_ends_what_has_more_addresses),
	    cmocka_unit_test(what_the_caller_judged_comes_with_the_result),
	    cmocka_unit_test(nothing_to_do_is_done),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
