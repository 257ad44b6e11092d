/*
 * The engine and names: getaddrinfo() is replaced by one that knows addresses
 * of loopback only, and hangs when it is told to.
 */
#define _GNU_SOURCE
#include <netdb.h>

#include "net/dial.h"
#include "servers.h"

int __wrap_getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *list);

/* Addresses of loopback, from 127.0.0.1 on; some names hang. */
int
__wrap_getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo *list = NULL, *item;
	struct sockaddr_in *at;
	unsigned count = 0;

	(void)service;
	if (strncmp(name, "hang", 4) == 0)
		usleep(3 * PATIENCE_MS * 1000);
	else if (hints->ai_family == AF_INET6)
		return strstr(name, "no6") != NULL     ? EAI_AGAIN
		       : strstr(name, "none6") != NULL ? EAI_NODATA
		                                       : EAI_NONAME;
	else if (sscanf(name, "addresses%u.", &count) != 1)
		return EAI_NONAME;
	for (unsigned i = 0; i < count; i++) {
		item = calloc(1, sizeof *item + sizeof *at);
		at = (struct sockaddr_in *)(void *)(item + 1);
		at->sin_family = AF_INET;
		at->sin_addr.s_addr = htonl(INADDR_LOOPBACK + i / 2);
		item->ai_addr = (struct sockaddr *)(void *)at;
		item->ai_next = list;
		list = item;
	}
	*out = list;
	return list == NULL ? EAI_AGAIN : 0;
}

void
__wrap_freeaddrinfo(struct addrinfo *list)
{
	struct addrinfo *next;

	for (; list != NULL; list = next) {
		next = list->ai_next;
		free(list);
	}
}

/* A machine without IPv6 could not have gone there, either. */
static void
a_family_whose_look_up_fails_is_told(void **state)
{
	struct pf_probe_options o = options();
	struct pf_probe p[] = {{.host = "addresses2.no6", .port = 1},
	    {.host = "addresses2.none6", .port = 1}};

	(void)state;
	probe(p, 2, &o);
	assert_int_equal(kept_count, 3);
	for (size_t i = 0; i < kept_count; i++) {
		if (kept[i].stage != PF_STAGE_RESOLVE)
			continue;
		assert_ptr_equal(kept[i].probe, &p[0]);
		assert_non_null(strstr(kept[i].why, "IPv6 addresses could"));
		assert_int_equal(kept[i].no_route, !pf_dial_has_route(6));
		assert_string_equal(kept[i].address, "");
		return;
	}
	fail_msg("nobody said that IPv6 is missing");
}

/* Every address is said twice. */
static void
every_address_of_a_name_is_asked_once(void **state)
{
	struct pf_probe_options o = options();
	struct pf_probe p = {.host = "addresses16.test", .port = 1};

	(void)state;
	probe(&p, 1, &o);
	assert_int_equal(kept_count, 8);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(kept[i].stage, PF_STAGE_CONNECT);
		assert_memory_equal(kept[i].address, "127.0.0.", 8);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(kept[i].address,
			    kept[k].address);
	}
}

static void
names_without_addresses_are_told(void **state)
{
	static const struct {
		const char *name, *why;
	} rows[] = {{"nobody.test", "has no address"},
	    {"addresses0.test", "no name server answered"},
	    {"addresses130.test", "more than 64 addresses"},
	    {"hang.test", "no answer for this name in " PATIENCE}};
	struct pf_probe_options o = options();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pf_probe p = {.host = rows[i].name, .port = 1};

		probe(&p, 1, &o);
		assert_int_equal(kept_count, 1);
		assert_int_equal(kept[0].stage, PF_STAGE_RESOLVE);
		assert_non_null(strstr(kept[0].why, rows[i].why));
	}
}

static void
names_that_hang_delay_nobody_and_are_limited(void **state)
{
	static char names[100][20];
	struct pf_probe_options o = options();
	struct pf_probe p[101];
	int timed_out = 0, too_many = 0;

	(void)state;
	memset(p, 0, sizeof p);
	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof names[i], "hang%d.test", i);
		p[i + 1].host = names[i];
		p[i + 1].port = 1;
	}
	p[0] = p[1];
	p[20].host = "addresses2.test";
	probe(p, 101, &o);
	assert_int_equal(kept_count, 101);
	assert_ptr_equal(kept[0].probe, &p[20]);
	for (size_t i = 0; i < kept_count; i++) {
		timed_out += kept[i].timed_out;
		too_many += strstr(kept[i].why, "more than 64") != NULL;
	}
	assert_int_equal(timed_out + too_many, 100);
	assert_true(too_many > 0);
}

static void
a_proxys_name_is_resolved(void **state)
{
	struct pf_proxy proxy = {.host = "addresses4.test", .port = 1};
	struct pf_probe_options o = options();
	struct pf_probe p = {.host = "www.test", .port = 443};

	(void)state;
	o.proxy = &proxy;
	probe(&p, 1, &o);
	assert_int_equal(kept[0].stage, PF_STAGE_PROXY);
	assert_non_null(strstr(kept[0].why, "nothing listens"));
	proxy.host = "nobody.test";
	probe(&p, 1, &o);
	assert_int_equal(kept[0].stage, PF_STAGE_PROXY);
	assert_non_null(strstr(kept[0].why, "has no address"));
	proxy.host = "hang.test";
	probe(&p, 1, &o);
	assert_int_equal(kept[0].stage, PF_STAGE_PROXY);
	assert_non_null(strstr(kept[0].why, "no answer"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_family_whose_look_up_fails_is_told),
	    cmocka_unit_test(every_address_of_a_name_is_asked_once),
	    cmocka_unit_test(names_without_addresses_are_told),
	    cmocka_unit_test(names_that_hang_delay_nobody_and_are_limited),
	    cmocka_unit_test(a_proxys_name_is_resolved),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
