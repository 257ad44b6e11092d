/* The builder: misuse, limits, and policies large enough to grow. */
#include "world.h"

#include "model/builder.h"

struct pin_text {
	char text[PINFAST_PIN_TEXT_LEN];
};

/* The n-th of many pins. */
static struct pin_text
nth(unsigned n)
{
	uint8_t hash[PINFAST_PIN_LEN] = {
	    (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 1};
	struct pin_text out;

	pinfast_pin_write(hash, out.text);
	return out;
}

static void
start(struct pinfast_builder *b, const char *name)
{
	pinfast_builder_entry(b, name, 0, PINFAST_SCOPE_EXACT);
}

static void
many_pins(struct pinfast_builder *b, enum pinfast_role role, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pinfast_builder_pin(b, role, nth(i).text);
}

static void
no_entry(struct pinfast_builder *b)
{
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
}

static void
no_entry_to_set(struct pinfast_builder *b)
{
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
}

static void
no_entry_to_trust(struct pinfast_builder *b)
{
	pinfast_builder_anchor(b, certs[ROOT].item.der);
}

static void
no_name(struct pinfast_builder *b)
{
	pinfast_builder_entry(b, NULL, 0, PINFAST_SCOPE_EXACT);
}

static void
bad_name(struct pinfast_builder *b)
{
	start(b, "*.test");
}

static void
unknown_setting(struct pinfast_builder *b)
{
	pinfast_builder_set(b, (enum pinfast_policy_key)99, 1);
}

static void
unknown_entry_setting(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_entry_set(b, (enum pinfast_entry_key)99, 1);
}

static void
no_pin(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, NULL);
}

static void
half_a_pin(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, "sha256/AAAA");
}

static void
a_certificates_hash_as_a_key(struct pinfast_builder *b)
{
	char pin[PINFAST_PIN_TEXT_LEN + 5];

	start(b, "a.test");
	snprintf(pin, sizeof pin, "cert-%s", certs[LEAF].pin);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, pin);
}

static void
a_keys_hash_as_a_certificate(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, certs[LEAF].pin);
}

static void
subdomains_of_an_address(struct pinfast_builder *b)
{
	pinfast_builder_entry(b, "192.0.2.7", 0, PINFAST_SCOPE_ANY);
}

static void
a_clients_port(struct pinfast_builder *b)
{
	pinfast_builder_entry(b, "partner", 443, PINFAST_SCOPE_CLIENT);
}

static void
http_reports(struct pinfast_builder *b)
{
	pinfast_builder_report_to(b, "http://a.test/");
}

static void
seventeen_reports(struct pinfast_builder *b)
{
	for (int i = 0; i < 17; i++)
		pinfast_builder_report_to(b, "https://a.test/");
}

static void
a_long_report(struct pinfast_builder *b)
{
	char url[2060] = "https://";

	memset(url + 8, 'a', 2041);
	pinfast_builder_report_to(b, url);
}

static void
sixty_five_rejects(struct pinfast_builder *b)
{
	for (unsigned i = 0; i < 65; i++)
		pinfast_builder_reject(b, nth(i).text);
}

static void
a_rejects_bad_pin(struct pinfast_builder *b)
{
	pinfast_builder_reject(b, "sha256/");
}

static void
sixty_five_pins(struct pinfast_builder *b)
{
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_ANY, 65);
}

static void
far_too_many_pins(struct pinfast_builder *b)
{
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_ANY, 193);
}

static void
sixty_five_shadow_pins(struct pinfast_builder *b)
{
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_LEAF, 1);
	many_pins(b, PINFAST_ROLE_SHADOW_ANY, 65);
}

static void
an_empty_anchor(struct pinfast_builder *b)
{
	const struct pinfast_bytes none = {NULL, 0};

	start(b, "a.test");
	pinfast_builder_anchor(b, none);
}

static void
sixty_five_anchors(struct pinfast_builder *b)
{
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_LEAF, 1);
	for (int i = 0; i < 65; i++)
		pinfast_builder_anchor(b, certs[ROOT].item.der);
}

static void
many_ports(struct pinfast_builder *b)
{
	for (uint16_t port = 1; port <= 256; port++) {
		pinfast_builder_entry(b, "a.test", port, PINFAST_SCOPE_EXACT);
		many_pins(b, PINFAST_ROLE_LEAF, 1);
	}
}

static void
lapse_without_date(struct pinfast_builder *b)
{
	pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, PINFAST_REPORT);
}

static void
date_without_lapse(struct pinfast_builder *b)
{
	pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL, NOW);
}

static void
expiry_without_date(struct pinfast_builder *b)
{
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_LEAF, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_REPORT);
}

static void
date_without_expiry(struct pinfast_builder *b)
{
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_LEAF, 1);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW);
}

static void
off_until_enforced(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_ENFORCE);
}

static void
none_without_pins(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	pinfast_builder_pin(b, PINFAST_ROLE_REJECT, certs[LEAF].pin);
}

static void
union_of_nothing(struct pinfast_builder *b)
{
	start(b, "a.test");
	pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
}

/* A parent and its child that join; each part of the terms may differ. */
static void
family(struct pinfast_builder *b)
{
	pinfast_builder_entry(b, "test", 0, PINFAST_SCOPE_ANY);
	many_pins(b, PINFAST_ROLE_LEAF, 1);
	pinfast_builder_anchor(b, certs[ROOT].item.der);
	start(b, "a.test");
	pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
	many_pins(b, PINFAST_ROLE_LEAF, 2);
}

static void
union_of_other_anchors(struct pinfast_builder *b)
{
	family(b);
	pinfast_builder_anchor(b, certs[INTER].item.der);
}

static void
union_without_the_anchors(struct pinfast_builder *b)
{
	family(b);
}

static void
union_of_too_many(struct pinfast_builder *b)
{
	pinfast_builder_entry(b, "test", 0, PINFAST_SCOPE_ANY);
	many_pins(b, PINFAST_ROLE_LEAF, 40);
	start(b, "a.test");
	pinfast_builder_entry_set(b, PINFAST_ENTRY_INHERIT_UNION, 1);
	for (unsigned i = 100; i < 140; i++)
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF, nth(i).text);
}

static void
rejects_of_too_many(struct pinfast_builder *b)
{
	pinfast_builder_entry(b, "test", 0, PINFAST_SCOPE_ANY);
	many_pins(b, PINFAST_ROLE_REJECT, 40);
	start(b, "a.test");
	for (unsigned i = 100; i < 140; i++)
		pinfast_builder_pin(b, PINFAST_ROLE_REJECT, nth(i).text);
}

#define ROW(fn, error, text)                                                   \
	{                                                                      \
#fn, fn, error, text                                           \
	}
static const struct {
	const char *name;
	void (*build)(struct pinfast_builder *b);
	enum pinfast_error error;
	const char *says;
} rows[] = {
    ROW(no_entry, PINFAST_EUSAGE, "no entry has been started"),
    ROW(no_entry_to_set, PINFAST_EUSAGE, "no entry has been started"),
    ROW(no_entry_to_trust, PINFAST_EUSAGE, "no entry has been started"),
    ROW(no_name, PINFAST_EHOST, "not a valid host name"),
    ROW(bad_name, PINFAST_EHOST, "not a valid host name"),
    ROW(unknown_setting, PINFAST_EUSAGE, "cannot have"),
    ROW(unknown_entry_setting, PINFAST_EUSAGE, "cannot have"),
    ROW(no_pin, PINFAST_EUSAGE, "a pin is missing"),
    ROW(half_a_pin, PINFAST_EFORMAT, ""),
    ROW(a_certificates_hash_as_a_key, PINFAST_EUSAGE, "not cert-sha256/"),
    ROW(a_keys_hash_as_a_certificate, PINFAST_EUSAGE, "takes cert-sha256/"),
    ROW(subdomains_of_an_address, PINFAST_EPOLICY, "no subdomains"),
    ROW(a_clients_port, PINFAST_EPOLICY, "no port"),
    ROW(http_reports, PINFAST_EUSAGE, "https://"),
    ROW(seventeen_reports, PINFAST_ELIMIT, "16 report URLs"),
    ROW(a_long_report, PINFAST_ELIMIT, "2048 bytes"),
    ROW(sixty_five_rejects, PINFAST_ELIMIT, "more than 64 keys"),
    ROW(a_rejects_bad_pin, PINFAST_EFORMAT, ""),
    ROW(sixty_five_pins, PINFAST_EPOLICY, "more than 64 pins"),
    ROW(far_too_many_pins, PINFAST_ELIMIT, "more than 64 pins"),
    ROW(sixty_five_shadow_pins, PINFAST_EPOLICY, "more than 64 pins"),
    ROW(an_empty_anchor, PINFAST_EUSAGE, "anchor is empty"),
    ROW(sixty_five_anchors, PINFAST_ELIMIT, "64 trust anchors"),
    ROW(many_ports, PINFAST_EPOLICY, "255 ports"),
    ROW(lapse_without_date, PINFAST_EPOLICY, "`on-lapse` has no meaning"),
    ROW(date_without_lapse, PINFAST_EPOLICY, "needs `on-lapse`"),
    ROW(expiry_without_date, PINFAST_EPOLICY, "`on-expiry` has no meaning"),
    ROW(date_without_expiry, PINFAST_EPOLICY, "needs `on-expiry`"),
    ROW(off_until_enforced, PINFAST_EPOLICY, "no pins that"),
    ROW(none_without_pins, PINFAST_EPOLICY, "at least one `leaf` pin"),
    ROW(union_of_nothing, PINFAST_EPOLICY, "inherits none"),
    ROW(union_of_other_anchors, PINFAST_EPOLICY, ""),
    ROW(union_without_the_anchors, PINFAST_EPOLICY, ""),
    ROW(union_of_too_many, PINFAST_ELIMIT, "after `inherit: union`"),
    ROW(rejects_of_too_many, PINFAST_ELIMIT, "more than 64 keys in one list"),
};

static void
the_first_mistake_is_told_in_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast_diag diag = {0};
		struct pinfast_bytes image = {NULL, 0};
		enum pinfast_error error;

		rows[i].build(b);
		error = pinfast_builder_finish(b, &diag, &image);
		if (error != rows[i].error ||
		    strstr(diag.text, rows[i].says) == NULL ||
		    diag.text[0] == '\0' || image.data != NULL)
			fail_msg("%s: %d %s", rows[i].name, (int)error,
			    diag.text);
		pinfast_builder_free(b);
	}
	assert_int_equal(pinfast_builder_new(NULL, NULL), PINFAST_EUSAGE);
	pinfast_builder_free(NULL);
}

static void
what_is_said_twice_counts_once(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast_bytes one, two;

	(void)state;
	pinfast_builder_reject(b, certs[OTHER].pin);
	pinfast_builder_reject(b, certs[OTHER].pin);
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_LEAF, 2);
	many_pins(b, PINFAST_ROLE_LEAF, 2);
	assert_int_equal(pf_builder_check(b), PINFAST_OK);
	assert_int_equal(pinfast_builder_finish(b, NULL, &one), 0);
	assert_int_equal(pinfast_builder_finish(b, NULL, NULL), PINFAST_EUSAGE);
	{
		struct pinfast_builder *c = world_builder();

		pinfast_builder_reject(c, certs[OTHER].pin);
		start(c, "a.test");
		many_pins(c, PINFAST_ROLE_LEAF, 2);
		assert_int_equal(pinfast_builder_finish(c, NULL, &two), 0);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.data, two.data, one.len);
		pinfast_builder_free(c);
	}
	pinfast_builder_free(b);
}

static void
probes_stay_with_their_entry_and_out_of_the_store(void **state)
{
	struct pinfast_builder *b = world_builder(), *c = world_builder();
	const struct pf_model *m = pf_builder_model(b);
	struct pinfast_bytes with, without;
	struct pf_host host;

	(void)state;
	assert_int_equal(pf_builder_probe(b, NULL, 443, NULL), PINFAST_EUSAGE);
	pinfast_builder_free(b);
	b = world_builder();
	m = pf_builder_model(b);
	start(b, "a.test");
	many_pins(b, PINFAST_ROLE_LEAF, 2);
	start(b, "b.test");
	assert_int_equal(pf_host_parse("x.b.test", 8, &host), 0);
	assert_int_equal(pf_builder_probe(b, NULL, 443, NULL), 0);
	many_pins(b, PINFAST_ROLE_LEAF, 2);
	assert_int_equal(pf_builder_probe(b, &host, 25, "smtp"), 0);
	assert_int_equal(m->probe_count, 2);
	assert_int_equal(m->probes[0].entry, 1);
	assert_int_equal(m->probes[0].name_len, 6);
	assert_memory_equal(m->names + m->probes[0].name_at, "b.test", 6);
	assert_int_equal(m->probes[1].entry, 1);
	assert_int_equal(m->probes[1].port, 25);
	assert_string_equal(m->probes[1].starttls, "smtp");
	assert_memory_equal(m->names + m->probes[1].name_at, "x.b.test", 8);
	assert_int_equal(pinfast_builder_finish(b, NULL, &with), 0);
	start(c, "a.test");
	many_pins(c, PINFAST_ROLE_LEAF, 2);
	start(c, "b.test");
	many_pins(c, PINFAST_ROLE_LEAF, 2);
	assert_int_equal(pinfast_builder_finish(c, NULL, &without), 0);
	assert_int_equal(with.len, without.len);
	assert_memory_equal(with.data, without.data, with.len);
	pinfast_builder_free(b);
	pinfast_builder_free(c);
}

/* So many that every table grows, and some names miss their bucket. */
static void
large_policies_answer_like_small_ones(void **state)
{
	struct pinfast_builder *b = world_builder();
	struct pinfast *policy;
	char name[40];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "h%u.test", i);
		start(b, name);
		/* A set and terms of their own for every other entry. */
		pinfast_builder_pin(b, PINFAST_ROLE_ANY,
		    i & 1 ? nth(i).text : certs[LEAF].pin);
		if (i % 16 == 0) {
			pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES,
			    NOW + 1 + i);
			pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY,
			    PINFAST_DENY);
		}
	}
	policy = world_serve(b);
	for (unsigned i = 0; i < 20000; i += 7) {
		struct pinfast_conn *conn;

		snprintf(name, sizeof name, "h%u.test", i);
		conn = world_conn(policy, name, 0);
		expect(pinfast_judge_path(conn, path3, 3), !(i & 1),
		    i & 1 ? PINFAST_REASON_PIN_MISMATCH
		          : PINFAST_REASON_PIN_MATCHED);
		pinfast_conn_free(conn);
	}
	pinfast_free(policy);
	pinfast_builder_free(b);
}

/* A parent's port makes a row for the child, unless it says nothing new. */
static void
a_parents_port_reaches_its_children(void **state)
{
	(void)state;
	for (int rejects = 0; rejects < 2; rejects++) {
		struct pinfast_builder *b = world_builder();
		struct pinfast *policy;
		struct pinfast_conn *conn;

		pinfast_builder_entry(b, "test", 0, PINFAST_SCOPE_ANY);
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[OTHER].pin);
		pinfast_builder_entry(b, "test", 8443, PINFAST_SCOPE_ANY);
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[OTHER].pin);
		if (rejects)
			pinfast_builder_pin(b, PINFAST_ROLE_REJECT,
			    certs[LEAF].pin);
		start(b, "a.test");
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
		policy = world_serve(b);
		conn = world_conn(policy, "a.test", 443);
		expect(pinfast_judge_path(conn, path3, 3), 1,
		    PINFAST_REASON_PIN_MATCHED);
		pinfast_conn_free(conn);
		conn = world_conn(policy, "a.test", 8443);
		expect(pinfast_judge_path(conn, path3, 3), !rejects,
		    rejects ? PINFAST_REASON_REJECTED_KEY
		            : PINFAST_REASON_PIN_MATCHED);
		pinfast_conn_free(conn);
		pinfast_free(policy);
		pinfast_builder_free(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_mistake_is_told_in_the_end),
	    cmocka_unit_test(what_is_said_twice_counts_once),
	    cmocka_unit_test(probes_stay_with_their_entry_and_out_of_the_store),
	    cmocka_unit_test(large_policies_answer_like_small_ones),
	    cmocka_unit_test(a_parents_port_reaches_its_children),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
