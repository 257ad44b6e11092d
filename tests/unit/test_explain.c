/* One sentence says what was decided, why, and what to do. */
#include "world.h"

#include "core/conn.h"
#include "core/sentence.h"

static char said[2000];

static void
must_say(const struct pinfast_conn *conn, const char *const *parts)
{
	pinfast_conn_explain(conn, said, sizeof said);
	for (; *parts != NULL; parts++)
		if (strstr(said, *parts) == NULL)
			fail_msg("\"%s\" is not in: %s", *parts, said);
}
#define SAYS(conn, ...) must_say(conn, (const char *const[]){__VA_ARGS__, NULL})

static struct pinfast_builder *
begin(void)
{
	struct pinfast_builder *b = world_builder();

	pinfast_builder_entry(b, "a.test", 0, PINFAST_SCOPE_EXACT);
	return b;
}

static void
end(struct pinfast_builder *b, struct pinfast *policy)
{
	pinfast_free(policy);
	pinfast_builder_free(b);
}

static void
hosts_that_are_none_are_called_so(void **state)
{
	struct pinfast_builder *b = begin();
	struct pinfast *policy, *empty;
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	policy = world_serve(b);
	conn = world_conn(policy, "no name", 443);
	v = pinfast_judge_path(conn, path3, 3);
	SAYS(conn, "denied an invalid host: ", "; ask for a host name of ");
	pinfast_conn_free(conn);
	conn = world_conn(policy, NULL, 443);
	v = pinfast_judge_path(conn, path3, 3);
	(void)v;
	SAYS(conn, "denied an unknown host: ", "; tell pinfast the name");
	pinfast_conn_free(conn);
	assert_int_equal(pinfast_new(NULL, &empty), 0);
	conn = world_conn(empty, "a.test", 0);
	v = pinfast_judge_path(conn, path3, 3);
	SAYS(conn, "denied a.test: no policy is loaded; load a policy");
	pinfast_conn_free(conn);
	pinfast_free(empty);
	end(b, policy);
}

static void
an_allow_is_short(void **state)
{
	struct pinfast_builder *b = begin();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	(void)v;
	pinfast_conn_explain(conn, said, sizeof said);
	assert_string_equal(said,
	    "allowed a.test:443: the peer showed a pinned key");
	/* What does not fit is cut, and the length told. */
	assert_int_equal(pinfast_conn_explain(conn, said, 8),
	    strlen("allowed a.test:443: the peer showed a pinned key"));
	assert_string_equal(said, "allowed");
	assert_int_equal(pinfast_conn_explain(conn, NULL, 0),
	    strlen("allowed a.test:443: the peer showed a pinned key"));
	pinfast_conn_free(conn);
	end(b, policy);
}

static void
a_mismatch_names_four_wanted_keys_and_counts_the_rest(void **state)
{
	struct pinfast_builder *b = begin();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_verdict v;
	uint8_t pin[PINFAST_PIN_LEN] = {0};
	char text[PINFAST_PIN_TEXT_LEN];

	(void)state;
	for (uint8_t i = 1; i < 8; i++) {
		pin[0] = i;
		pinfast_pin_write(pin, text);
		pinfast_builder_pin(b, PINFAST_ROLE_ANY, text);
	}
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	(void)v;
	SAYS(conn, "denied a.test:443: ", "; shown: ", certs[LEAF].pin,
	    certs[INTER].pin, certs[ROOT].pin, "; wanted: sha256/AQAA",
	    ", sha256/BAAA", " and 3 more; if the server's key was changed");
	assert_null(strstr(said, "sha256/BQAA"));
	pinfast_conn_free(conn);
	end(b, policy);
}

/* The hash of a whole certificate is nobody's key. */
static void
pins_of_certificates_are_named_as_such(void **state)
{
	struct pinfast_builder *b = begin();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_verdict v;
	char only[256];

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, certs[OTHER].cert_pin);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	snprintf(only, sizeof only, "; shown: %s; wanted: %s; ",
	    certs[LEAF].cert_pin, certs[OTHER].cert_pin);
	SAYS(conn, "denied a.test:443: ", only);
	pinfast_conn_free(conn);
	end(b, policy);
	b = begin();
	pinfast_builder_pin(b, PINFAST_ROLE_CERT, certs[OTHER].cert_pin);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[INTER].pin);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	(void)v;
	snprintf(only, sizeof only, "; shown: %s, %s; wanted: %s, %s; ",
	    certs[LEAF].pin, certs[LEAF].cert_pin, certs[INTER].pin,
	    certs[OTHER].cert_pin);
	SAYS(conn, "denied a.test:443: ", only);
	pinfast_conn_free(conn);
	end(b, policy);
}

static void
what_time_and_report_mode_did_is_said(void **state)
{
	struct pinfast_builder *b = begin();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_verdict v;

	(void)state;
	pinfast_builder_set(b, PINFAST_POLICY_VALID_UNTIL, NOW - 5);
	pinfast_builder_set(b, PINFAST_POLICY_ON_LAPSE, PINFAST_REPORT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[OTHER].pin);
	pinfast_builder_entry(b, "expired.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[OTHER].pin);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW - 5);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_REPORT);
	pinfast_builder_entry(b, "over.test", 0, PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_EXPIRES, NOW);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_ON_EXPIRY, PINFAST_DENY);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	SAYS(conn, "allowed a.test:443: ", " (report-only)",
	    " (the policy has lapsed)", "; shown: ", "; wanted: ");
	pinfast_conn_free(conn);
	conn = world_conn(policy, "expired.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	SAYS(conn, " (report-only)", " (the entry has expired)");
	pinfast_conn_free(conn);
	conn = world_conn(policy, "over.test", 443);
	v = pinfast_judge_path(conn, path3, 3);
	(void)v;
	SAYS(conn, "denied over.test:443: ", "; renew the entry's `expires`");
	assert_null(strstr(said, "wanted"));
	pinfast_conn_free(conn);
	end(b, policy);
}

static void
every_reason_that_has_a_remedy_tells_it(void **state)
{
	const struct pinfast_bytes none = {NULL, 0};
	struct pinfast_builder *b = begin();
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_cert crafted = path3[0];
	struct pinfast_verdict v;

	(void)state;
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, certs[LEAF].pin);
	policy = world_serve(b);
	conn = world_conn(policy, "a.test", 443);
	crafted.key_spki = path3[1].key_spki;
	v = pinfast_judge_path(conn, &crafted, 1);
	SAYS(conn, "; the certificate is crafted");
	v = pinfast_judge_leaf(conn, path3, PINFAST_PKIX_NOT_RUN);
	SAYS(conn, "; switch the TLS library's verification on");
	v = pinfast_judge_tag(conn, none, none);
	SAYS(conn, "; make a full handshake");
	v = pinfast_judge_failed(conn, path3, PINFAST_REASON_PKIX_FAILED);
	SAYS(conn, "did not verify");
	assert_null(strchr(said, ';'));
	v = pinfast_judge_delegated(conn, PINFAST_DELEGATED_NOT);
	SAYS(conn, "; pin leaf keys alone for this host");
	pinfast_conn_free(conn);
	assert_int_equal(pinfast_conn_new_server(policy, "nobody", NOW, &conn),
	    0);
	v = pinfast_judge_path(conn, path3, 3);
	(void)v;
	SAYS(conn, "denied nobody: ", "; add the label to the policy's");
	pinfast_conn_free(conn);
	end(b, policy);
}

static void
a_complaint_that_is_too_long_is_cut(void **state)
{
	struct pinfast_diag diag;
	char text[600];

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(pf_diag(&diag, PINFAST_EFORMAT, text),
	    PINFAST_EFORMAT);
	assert_int_equal(strlen(diag.text), sizeof diag.text - 1);
	assert_int_equal(pf_diag(NULL, PINFAST_EIO, text), PINFAST_EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hosts_that_are_none_are_called_so),
	    cmocka_unit_test(an_allow_is_short),
	    cmocka_unit_test(
	        a_mismatch_names_four_wanted_keys_and_counts_the_rest),
	    cmocka_unit_test(pins_of_certificates_are_named_as_such),
	    cmocka_unit_test(what_time_and_report_mode_did_is_said),
	    cmocka_unit_test(every_reason_that_has_a_remedy_tells_it),
	    cmocka_unit_test(a_complaint_that_is_too_long_is_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, world_setup, NULL);
}
