/* What the mbedTLS adapter makes of certificates: anchors, names, callbacks. */
#include "mbed_pair.h"

#include <mbedtls/oid.h>

/* ------------------------------------------------------------------ anchors */

static void
add_anchor(struct pinfast_builder *b, const struct id *id)
{
	unsigned char *bytes = NULL;
	int len = i2d_X509(id->cert, &bytes);
	struct pinfast_bytes der = {bytes, (size_t)len};

	assert_int_equal(pinfast_builder_anchor(b, der), 0);
	OPENSSL_free(bytes);
}

static const struct anchor_row {
	const char *name;
	const struct id *anchor; /* of the entry; NULL: none */
	const struct id *pinned;
	int trusting; /* the application trusts rootA and rootB */
	const struct id *shown;
	int allow;
	int32_t reason;
} anchor_rows[] = {
    {"the application's", NULL, &intA, 1, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"the application has none", NULL, &intA, 0, &leaf, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"the entry's", &rootA, &intA, 1, &leaf, ALLOW, PINFAST_REASON_PIN_MATCHED},
    {"the entry's alone", &rootA, &intA, 0, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"the entry's is another", &rootB, &intA, 1, &leaf, DENY,
        PINFAST_REASON_PKIX_FAILED},
    {"the entry's is the intermediate", &intA, &intA, 1, &leaf, ALLOW,
        PINFAST_REASON_PIN_MATCHED},
    {"the entry's is the intermediate, above it is pinned", &intA, &rootA, 1,
        &leaf, DENY, PINFAST_REASON_PIN_MISMATCH},
};

static void
anchors_of_the_entry_count_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof anchor_rows / sizeof *anchor_rows; i++) {
		const struct anchor_row *r = &anchor_rows[i];
		struct shared *c = client_side();
		struct shared *s = server_side(r->shown, &intA);

		for (int direct = 0; direct < 2; direct++) {
			struct pinfast_builder *b = begin_policy(1);
			struct pinfast *policy;
			struct duo *d;

			add_entry(b, "pin.test", PINFAST_ROLE_CA, r->pinned);
			if (r->anchor != NULL)
				add_anchor(b, r->anchor);
			policy = policy_made(b);
			if (!r->trusting)
				mbedtls_ssl_conf_ca_chain(&c->conf, NULL, NULL);
			d = pinned_duo(policy, c, s, "pin.test");
			pump(d, direct);
			talk(d);
			expect_duo(r->name, d, r->allow, r->reason);
			close_duo(d);
			pinfast_free(policy);
		}
		drop_shared(c);
		drop_shared(s);
	}
}

static struct pinfast *loaded;
static int64_t serial;

static void
load(const struct id *anchor)
{
	struct pinfast_builder *b = begin_policy(serial++);

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &leaf);
	pinfast_builder_pin(b, PINFAST_ROLE_LEAF, evil.pin);
	if (anchor != NULL)
		add_anchor(b, anchor);
	serve_policy(loaded, b);
}

/* The policy of the handshake, not that of the moment it was attached. */
static void
anchors_may_come_and_go_before_the_handshake(void **state)
{
	static const struct {
		const char *name;
		const struct id *before, *after, *shown;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"they come", NULL, &rootA, &leaf, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"they come, and are others", NULL, &rootA, &evil, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"they go", &rootA, NULL, &evil, ALLOW, PINFAST_REASON_PIN_MATCHED},
	    {"they change", &rootA, &rootB, &leaf, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	};

	(void)state;
	assert_int_equal(pinfast_new(NULL, &loaded), 0);
	serial = 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shared *c = client_side();
		struct shared *s = server_side(rows[i].shown, &intA);
		struct duo *d;

		load(rows[i].before);
		d = pinned_duo(loaded, c, s, "pin.test");
		load(rows[i].after);
		pump(d, 0);
		talk(d);
		expect_duo(rows[i].name, d, rows[i].allow, rows[i].reason);
		close_duo(d);
		/* Nobody tells us of this handshake: it rests on the others. */
		load(rows[i].before);
		d = pinned_duo(loaded, c, s, "pin.test");
		load(rows[i].after);
		pump(d, 1);
		talk(d);
		assert_int_equal(d->app, 0);
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
	}
	pinfast_free(loaded);
}

static struct shared *foreign;

/* An application's SNI callback puts other anchors in the place of ours. */
static int
on_name(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name,
    size_t len)
{
	(void)arg, (void)name, (void)len;
	mbedtls_ssl_set_hs_ca_chain(ssl, &foreign->trust, NULL);
	return 0;
}

static void
anchors_of_a_name_do_not_replace_the_entrys(void **state)
{
	(void)state;
	for (int wrong = 0; wrong < 2; wrong++) {
		struct shared *c = client_side();
		struct shared *s = server_side(&leaf, &intA);
		struct pinfast_builder *b = begin_policy(1);
		struct pinfast *policy;
		struct duo *d;

		foreign = client_side();
		add_entry(b, "partner", PINFAST_ROLE_COUNT, &client);
		add_anchor(b, wrong ? &rootB : &rootA);
		policy = policy_made(b);
		show(c, &client, &intA);
		mbedtls_ssl_conf_sni(&s->conf, on_name, NULL);
		d = duo_of(c, s);
		assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl,
		                     "pin.test"),
		    0);
		pin_end(&d->s, policy);
		assert_int_equal(pinfast_mbedtls_attach_server(d->s.pin,
		                     "partner", NULL),
		    0);
		pump(d, 0);
		talk(d);
		expect(pinfast_mbedtls_result(d->s.pin), !wrong,
		    wrong ? PINFAST_REASON_PKIX_FAILED
		          : PINFAST_REASON_PIN_MATCHED);
		assert_int_equal(d->app, wrong ? 0 : 16);
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
		drop_shared(foreign);
		pinfast_free(policy);
	}
}

static void
a_cross_signed_path_is_found(void **state)
{
	static const struct {
		const char *name;
		const struct id *first, *second, *pinned;
		int allow;
	} rows[] = {
	    {"A first, A pinned", &intXA, &intXB, &rootA, 1},
	    {"A first, B pinned", &intXA, &intXB, &rootB, 1},
	    {"B first, A pinned", &intXB, &intXA, &rootA, 1},
	    {"only A, B pinned", &intXA, NULL, &rootB, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pinfast *policy =
		    policy_of(PINFAST_ROLE_CA, rows[i].pinned);
		struct shared *c = client_side();
		struct shared *s = server_side(&leafX, rows[i].first);
		struct duo *d;

		if (rows[i].second != NULL)
			parse(&s->own, rows[i].second);
		d = pinned_duo(policy, c, s, "pin.test");
		pump(d, 0);
		talk(d);
		expect_duo(rows[i].name, d, rows[i].allow,
		    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
		                  : PINFAST_REASON_PIN_MISMATCH);
		/* Of the path that was found, its other keys are there. */
		if (rows[i].allow) {
			change_policy(policy, 2, PINFAST_ROLE_ANY, &intXA);
			expect(pinfast_mbedtls_result(d->c.pin), ALLOW,
			    PINFAST_REASON_PIN_MATCHED);
		}
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
		pinfast_free(policy);
	}
}

/* The pinned issuer is sent, too, and has the same name as the real one. */
static void
a_name_alone_makes_no_path(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_CA, &intA);
	struct id fake = {0}, forged = {0};
	struct shared *c = client_side(), *s;
	struct duo *d;

	(void)state;
	certify(&fake, "Int A", &rootB, NULL, 30);
	certify(&forged, "forged", &fake, "DNS:pin.test", 30);
	s = server_side(&forged, &fake);
	parse(&s->own, &intA);
	d = pinned_duo(policy, c, s, "pin.test");
	pump(d, 0);
	talk(d);
	expect_duo("forged", d, DENY, PINFAST_REASON_PIN_MISMATCH);
	close_duo(d);
	identity_free(&fake);
	identity_free(&forged);
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

/* -------------------------------------------------------------------- names */

static char asked[300];

static int
on_sni(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name,
    size_t len)
{
	(void)arg, (void)ssl;
	snprintf(asked, sizeof asked, "%.*s", (int)len, (const char *)name);
	return 0;
}

static const struct name_row {
	const char *host;  /* NULL: it must be learned */
	const char *told;  /* mbedtls_ssl_set_hostname(); NULL: nothing */
	const char *asked; /* the SNI */
	int allow;
	int32_t reason;
} name_rows[] = {
    {"pin.test", NULL, "pin.test", ALLOW, PINFAST_REASON_UNLISTED},
    {"PIN.test.", NULL, "pin.test", ALLOW, PINFAST_REASON_UNLISTED},
    {"192.0.2.7", NULL, "", ALLOW, PINFAST_REASON_UNLISTED},
    {"::ffff:192.0.2.7", NULL, "", ALLOW, PINFAST_REASON_UNLISTED},
    {"192.0.2.7", "192.0.2.7", "", ALLOW, PINFAST_REASON_UNLISTED},
    {"192.0.2.7", "two.test", "two.test", ALLOW, PINFAST_REASON_UNLISTED},
    {"pin.test", "other.test", "other.test", ALLOW, PINFAST_REASON_UNLISTED},
    {NULL, "pin.test", "pin.test", ALLOW, PINFAST_REASON_UNLISTED},
    {NULL, "other.test", "other.test", DENY, PINFAST_REASON_PKIX_FAILED},
    {NULL, NULL, "", DENY, PINFAST_REASON_HOST_UNKNOWN},
    {"192.0.2.8", NULL, "", DENY, PINFAST_REASON_PKIX_FAILED},
    {"other.test", NULL, "other.test", DENY, PINFAST_REASON_PKIX_FAILED},
    {"other.test", "pin.test", "pin.test", DENY, PINFAST_REASON_PKIX_FAILED},
    {"leaf", NULL, "leaf", DENY, PINFAST_REASON_PKIX_FAILED},
    {"c000:207::", NULL, "", DENY, PINFAST_REASON_PKIX_FAILED},
};

static void
a_name_is_compared_with_alternative_names_alone(void **state)
{
	struct pinfast_builder *b = begin_policy(1);
	struct pinfast *policy;
	struct shared *c = client_side();
	struct shared *s = server_side(&leaf, &intA);

	(void)state;
	add_entry(b, "somebody.test", PINFAST_ROLE_LEAF, &leaf);
	policy = policy_made(b);
	mbedtls_ssl_conf_sni(&s->conf, on_sni, NULL);
	for (size_t i = 0; i < sizeof name_rows / sizeof *name_rows; i++) {
		const struct name_row *r = &name_rows[i];
		struct duo *d = duo_of(c, s);

		asked[0] = '\0';
		if (r->told != NULL)
			assert_int_equal(mbedtls_ssl_set_hostname(&d->c.ssl,
			                     r->told),
			    0);
		pin_end(&d->c, policy);
		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, r->host, 443,
		                     NULL),
		    0);
		pump(d, 0);
		talk(d);
		expect_duo(r->host ? r->host : "learned", d, r->allow,
		    r->reason);
		assert_string_equal(asked, r->asked);
		close_duo(d);
	}
	drop_shared(c);
	drop_shared(s);
	pinfast_free(policy);
}

/* ---------------------------------------------------------------- callbacks */

static int calls, refuse_at, forgive;

static int
on_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	(void)crt;
	assert_ptr_equal(arg, &calls);
	calls++;
	if (forgive)
		*flags = 0;
	return depth == refuse_at ? MBEDTLS_ERR_X509_FATAL_ERROR : 0;
}

enum where { GIVEN, OF_SSL, OF_CONF, WHERES };

static void
the_applications_callback_has_its_say(void **state)
{
	static const struct {
		const char *name;
		const struct id *shown, *sent;
		int refuse_at, forgive;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"agrees", &leaf, &intA, -1, 0, ALLOW, PINFAST_REASON_PIN_MATCHED},
	    {"forgives nothing", &leaf, &intA, -1, 1, ALLOW,
	        PINFAST_REASON_PIN_MATCHED},
	    {"forgives a missing issuer", &leaf, NULL, -1, 1, DENY,
	        PINFAST_REASON_NOT_VERIFIED},
	    {"refuses the leaf", &leaf, &intA, 0, 0, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"refuses an issuer", &leaf, &intA, 1, 0, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"refuses the anchor", &leaf, &intA, 2, 1, DENY,
	        PINFAST_REASON_PKIX_FAILED},
	    {"agrees to the impostor", &evil, NULL, -1, 1, DENY,
	        PINFAST_REASON_PIN_MISMATCH},
	};
	struct pinfast *policy = policy_of(PINFAST_ROLE_LEAF, &leaf);

	(void)state;
	for (int i = 0; i < (int)(sizeof rows / sizeof *rows) * WHERES; i++) {
		struct pinfast_mbedtls_next next = {on_verify, &calls};
		struct shared *c = client_side();
		struct shared *s =
		    server_side(rows[i / WHERES].shown, rows[i / WHERES].sent);
		struct duo *d = duo_of(c, s);

		calls = 0;
		refuse_at = rows[i / WHERES].refuse_at;
		forgive = rows[i / WHERES].forgive;
		if (i % WHERES == OF_CONF)
			mbedtls_ssl_conf_verify(&c->conf, on_verify, &calls);
		if (i % WHERES == OF_SSL)
			mbedtls_ssl_set_verify(&d->c.ssl, on_verify, &calls);
		assert_int_equal(pinfast_mbedtls_new(policy, &d->c.ssl,
		                     i % WHERES == GIVEN ? &next : NULL, NULL,
		                     &d->c.pin),
		    0);
		/* Twice is once. */
		for (int k = 0; k < 2; k++)
			assert_int_equal(pinfast_mbedtls_attach(d->c.pin,
			                     "pin.test", 443, NULL),
			    0);
		pump(d, 0);
		talk(d);
		assert_true(calls >= 1 && calls <= 3);
		expect_duo(rows[i / WHERES].name, d, rows[i / WHERES].allow,
		    rows[i / WHERES].reason);
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
	}
	pinfast_free(policy);
}

/* It may refuse every further path, too. */
static void
the_applications_callback_sees_further_paths(void **state)
{
	struct pinfast *policy = policy_of(PINFAST_ROLE_CA, &rootB);
	struct pinfast_mbedtls_next next = {on_verify, &calls};

	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		struct shared *c = client_side();
		struct shared *s = server_side(&leafX, &intXA);
		struct duo *d;

		parse(&s->own, &intXB);
		d = duo_of(c, s);
		calls = 0;
		forgive = 0;
		refuse_at = -1;
		assert_int_equal(pinfast_mbedtls_new(policy, &d->c.ssl, &next,
		                     NULL, &d->c.pin),
		    0);
		assert_int_equal(pinfast_mbedtls_attach(d->c.pin, "pin.test",
		                     443, NULL),
		    0);
		if (refuses)
			mbedtls_ssl_conf_ca_chain(&c->conf, &c->trust, NULL);
		pump(d, 0);
		talk(d);
		assert_int_equal(calls, 6);
		expect_duo("further", d, ALLOW, PINFAST_REASON_PIN_MATCHED);
		close_duo(d);
		drop_shared(c);
		drop_shared(s);
	}
	pinfast_free(policy);
}

/* mbedTLS looks at what the key may be used for behind our back, and does not
 * ask whether the policy minds. */
static void
a_key_for_something_else_is_refused_by_mbedtls(void **state)
{
	static const struct {
		const char *name, *usage;
		int chain; /* its chain is wanted */
		int allow;
	} rows[] = {
	    {"signs, chain", "digitalSignature", 1, 1},
	    {"signs, leaf alone", "digitalSignature", 0, 1},
	    {"CRLs, chain", "cRLSign", 1, 0},
	    {"CRLs, leaf alone", "cRLSign", 0, 0},
	};
	struct shared *ours = client_side();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct id odd = {0};
		struct pinfast_builder *b = begin_policy(1);
		struct pinfast *policy;
		struct shared *theirs;
		struct duo *d;
		X509_EXTENSION *ext;

		certify(&odd, "odd", &rootA, "DNS:pin.test", 30);
		ext = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage,
		    rows[i].usage);
		X509_add_ext(odd.cert, ext, -1);
		X509_EXTENSION_free(ext);
		X509_sign(odd.cert, rootA.key, EVP_sha256());
		add_entry(b, "pin.test", PINFAST_ROLE_LEAF, &odd);
		if (!rows[i].chain)
			pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE,
			    1);
		policy = policy_made(b);
		theirs = server_side(&odd, NULL);
		/* Nor would the server use it. */
		theirs->own.ext_types &= ~MBEDTLS_X509_EXT_KEY_USAGE;
		d = pinned_duo(policy, ours, theirs, "pin.test");
		pump(d, 0);
		talk(d);
		if (!rows[i].allow) {
			assert_int_equal(d->c.error,
			    MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE);
			assert_true(mbedtls_ssl_get_verify_result(&d->c.ssl) &
			            MBEDTLS_X509_BADCERT_KEY_USAGE);
		}
		expect_duo(rows[i].name, d, rows[i].allow,
		    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
		                  : PINFAST_REASON_NOT_JUDGED);
		close_duo(d);
		drop_shared(theirs);
		pinfast_free(policy);
		identity_free(&odd);
	}
	drop_shared(ours);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(anchors_of_the_entry_count_alone),
	    cmocka_unit_test(anchors_may_come_and_go_before_the_handshake),
	    cmocka_unit_test(anchors_of_a_name_do_not_replace_the_entrys),
	    cmocka_unit_test(a_cross_signed_path_is_found),
	    cmocka_unit_test(a_name_alone_makes_no_path),
	    cmocka_unit_test(a_name_is_compared_with_alternative_names_alone),
	    cmocka_unit_test(the_applications_callback_has_its_say),
	    cmocka_unit_test(the_applications_callback_sees_further_paths),
	    cmocka_unit_test(a_key_for_something_else_is_refused_by_mbedtls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_mbed, free_mbed);
}
