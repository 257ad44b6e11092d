/* The GnuTLS adapter: anchors of an entry, revocation, further paths, keys. */
#include "gtls_pair.h"

/* ------------------------------------------------------------------ anchors */

static struct pinfast *
anchored(const struct id *pinned_key, const struct id *anchor)
{
	struct pinfast_builder *b = begin_policy(1);
	gnutls_datum_t der = der_of(anchor);
	struct pinfast_bytes bytes = {der.data, der.size};

	add_entry(b, "pin.test", PINFAST_ROLE_ANY, pinned_key);
	pinfast_builder_anchor(b, bytes);
	OPENSSL_free(der.data);
	return policy_made(b);
}

/* One connection of a client with these credentials, which it takes over. */
static void
expect_with(const char *name, struct stage *st,
    gnutls_certificate_credentials_t cred, int allow, int32_t reason)
{
	struct two t;

	gnutls_certificate_free_credentials(st->client);
	st->client = cred;
	t = attached_two(st);
	shake_two(&t);
	chat_two(&t);
	expect_two(name, &t, allow, reason);
	part_two(&t);
	end_stage(st);
}

static void
the_anchors_of_an_entry_replace_the_applications(void **state)
{
	static const struct {
		const char *name;
		const struct id *anchor, *pinned_key, *shown, *sent;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"its own", &rootB, &rootB, &evil, NULL, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"another's", &rootB, &leaf, &leaf, &intA, 0,
	        PINFAST_REASON_PKIX_FAILED},
	    {"an intermediate", &intA, &intA, &leaf, NULL, 1,
	        PINFAST_REASON_PIN_MATCHED},
	    {"its own, another pin", &rootB, &rootA, &evil, NULL, 0,
	        PINFAST_REASON_PIN_MISMATCH},
	    {"another name", &rootA, &rootA, &other, &intA, 0,
	        PINFAST_REASON_PKIX_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct stage st = stage_of(anchored(rows[i].pinned_key,
			                               rows[i].anchor),
			    rows[i].shown, rows[i].sent, tls);
			gnutls_certificate_credentials_t cred = new_cred();

			add_anchor_of(cred, &rootA);
			expect_with(rows[i].name, &st, cred, rows[i].allow,
			    rows[i].reason);
		}
}

/* What the priorities ask of keys holds whoever brings the anchor. */
static void
keys_are_as_strong_as_the_session_wants_them(void **state)
{
	static const struct {
		const char *name, *priority;
		int own, allow;
	} rows[] = {
	    {"112 bits", "NORMAL:%PROFILE_MEDIUM", 0, 1},
	    {"112 bits, own anchor", "NORMAL:%PROFILE_MEDIUM", 1, 1},
	    {"192 bits", "NORMAL:%PROFILE_ULTRA", 0, 0},
	    {"192 bits, own anchor", "NORMAL:%PROFILE_ULTRA", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st =
		    stage_of(rows[i].own ? anchored(&rootA, &rootA)
		                         : policy_of(PINFAST_ROLE_ANY, &rootA),
		        &leaf, &intA, TLS13);
		struct two t = bare_two(&st, 0);

		assert_int_equal(gnutls_priority_set_direct(t.c,
		                     rows[i].priority, NULL),
		    0);
		pin(t.c, st.policy);
		shake_two(&t);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].allow,
		    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
		                  : PINFAST_REASON_PKIX_FAILED);
		part_two(&t);
		end_stage(&st);
	}
}

static void
a_list_is_as_short_as_the_credentials_want_it(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++)
		for (unsigned most = 1; most < 3; most++) {
			struct stage st =
			    stage_of(own ? anchored(&rootA, &rootA)
			                 : policy_of(PINFAST_ROLE_ANY, &rootA),
			        &leaf, &intA, TLS13);
			gnutls_certificate_credentials_t cred = trusting();

			gnutls_certificate_set_verify_limits(cred, 16384, most);
			expect_with("limits", &st, cred, most == 2,
			    most == 2 ? PINFAST_REASON_PIN_MATCHED
			              : PINFAST_REASON_PKIX_FAILED);
		}
}

static void
an_entry_with_anchors_needs_none_of_the_application(void **state)
{
	struct stage st =
	    stage_of(anchored(&rootB, &rootB), &evil, NULL, TLS13);

	(void)state;
	expect_with("none", &st, new_cred(), 1, PINFAST_REASON_PIN_MATCHED);
}

/* --------------------------------------------------------------- revocation */

static void
revoke(gnutls_certificate_credentials_t cred, const struct id *who,
    const struct id *by)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
	ASN1_TIME *then = X509_gmtime_adj(NULL, 86400);
	unsigned char *der = NULL;
	gnutls_datum_t datum;

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, then);
	X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(who->cert));
	X509_REVOKED_set_revocationDate(entry, now);
	X509_CRL_add0_revoked(crl, entry);
	assert_true(X509_CRL_sign(crl, by->key, EVP_sha256()) > 0);
	datum.size = (unsigned)i2d_X509_CRL(crl, &der);
	datum.data = der;
	assert_int_equal(gnutls_certificate_set_x509_crl_mem(cred, &datum,
	                     GNUTLS_X509_FMT_DER),
	    1);
	OPENSSL_free(der);
	ASN1_TIME_free(now);
	ASN1_TIME_free(then);
	X509_CRL_free(crl);
}

static void
what_is_revoked_stays_so(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++)
		for (int revoked = 0; revoked < 2; revoked++) {
			struct stage st =
			    stage_of(own ? anchored(&intA, &rootA)
			                 : policy_of(PINFAST_ROLE_ANY, &intA),
			        &leaf, &intA, TLS13);
			gnutls_certificate_credentials_t cred = trusting();

			if (revoked)
				revoke(cred, &leaf, &intA);
			expect_with("leaf", &st, cred, !revoked,
			    revoked ? PINFAST_REASON_PKIX_FAILED
			            : PINFAST_REASON_PIN_MATCHED);
		}
}

/* ------------------------------------------------------------ further paths */

static void
import_cert(gnutls_pcert_st *out, const struct id *id)
{
	gnutls_datum_t der = der_of(id);

	assert_int_equal(gnutls_pcert_import_x509_raw(out, &der,
	                     GNUTLS_X509_FMT_DER, 0),
	    0);
	OPENSSL_free(der.data);
}

static gnutls_privkey_t
import_key(const struct id *id)
{
	unsigned char *der = NULL;
	int len = i2d_PrivateKey(id->key, &der);
	gnutls_datum_t datum = {der, (unsigned)len};
	gnutls_privkey_t key;

	assert_int_equal(gnutls_privkey_init(&key), 0);
	assert_int_equal(gnutls_privkey_import_x509_raw(key, &datum,
	                     GNUTLS_X509_FMT_DER, NULL, 0),
	    0);
	OPENSSL_free(der);
	return key;
}

/* The server sends the leaf, its CA under root A, and the same under another
 * root: GnuTLS would sort a list that it reads itself, and leave one out. */
static struct stage
crossed_by(const struct id *pinned_key, const struct id *second)
{
	struct stage st = stage_of(policy_of(PINFAST_ROLE_ANY, pinned_key),
	    &leafX, &intXA, TLS13);
	gnutls_pcert_st *certs = gnutls_calloc(3, sizeof *certs);

	assert_non_null(certs);
	gnutls_certificate_free_credentials(st.server);
	st.server = new_cred();
	import_cert(&certs[0], &leafX);
	import_cert(&certs[1], &intXA);
	import_cert(&certs[2], second);
	assert_int_equal(gnutls_certificate_set_key(st.server, NULL, 0, certs,
	                     3, import_key(&leafX)),
	    0);
	gnutls_free(certs);
	return st;
}

static struct stage
crossed(const struct id *pinned_key)
{
	return crossed_by(pinned_key, &intXB);
}

static void
a_further_path_is_verified_as_the_first_one_is(void **state)
{
	static const struct {
		const char *name;
		const struct id *pinned_key, *revoked, *by;
		int only_a, allow;
	} rows[] = {
	    {"root A", &rootA, NULL, NULL, 0, 1},
	    {"root B", &rootB, NULL, NULL, 0, 1},
	    {"root B is no anchor", &rootB, NULL, NULL, 1, 0},
	    {"root B, that path is revoked", &rootB, &intXB, &rootB, 0, 0},
	    {"neither", &evil, NULL, NULL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st = crossed(rows[i].pinned_key);
		gnutls_certificate_credentials_t cred = new_cred();

		add_anchor_of(cred, &rootA);
		if (!rows[i].only_a)
			add_anchor_of(cred, &rootB);
		if (rows[i].revoked != NULL)
			revoke(cred, rows[i].revoked, rows[i].by);
		expect_with(rows[i].name, &st, cred, rows[i].allow,
		    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
		                  : PINFAST_REASON_PIN_MISMATCH);
	}
}

/* A root of 112 bits behind an issuer of 128, which another one of 128 signed
 * as well. */
struct weak {
	struct id root, issuer;
};

static struct weak
make_weak(void)
{
	struct weak weak = {{0}, {0}};

	weak.root.key = EVP_RSA_gen(2048);
	certify(&weak.root, "Root W", NULL, NULL, 30);
	weak.issuer.key = intXA.key;
	EVP_PKEY_up_ref(intXA.key);
	certify(&weak.issuer, "Int X", &weak.root, NULL, 30);
	return weak;
}

/* The rules of a session hold for every path, also where GnuTLS does not say
 * what they are. */
static void
a_further_path_is_as_strong_as_the_session_wants_it(void **state)
{
	static const struct {
		const char *name, *priority;
		unsigned flags;
		int both; /* also the issuer under root A is sent */
		int allow;
	} rows[] = {
	    {"112 bits do", "NORMAL:%PROFILE_MEDIUM", 0, 0, 1},
	    {"128 bits are wanted", "NORMAL:%PROFILE_HIGH", 0, 0, 0},
	    {"128 bits are wanted, by the priorities", "NORMAL:%PROFILE_HIGH",
	        0, 1, 0},
	    {"128 bits are wanted, by the credentials", "NORMAL",
	        GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_HIGH), 1, 0},
	    {"weaker than what GnuTLS would take", "NORMAL", 0, 1, 0},
	};
	struct weak weak = make_weak();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st =
		    rows[i].both
		        ? crossed_by(&weak.root, &weak.issuer)
		        : stage_of(policy_of(PINFAST_ROLE_ANY, &weak.root),
		              &leafX, &weak.issuer, TLS13);
		struct two t;

		add_anchor_of(st.client, &weak.root);
		/* Without the other issuer GnuTLS has but one way. */
		if (!rows[i].both)
			add_anchor_of(st.client, &intXA);
		gnutls_certificate_set_verify_flags(st.client, rows[i].flags);
		t = bare_two(&st, 0);
		assert_int_equal(gnutls_priority_set_direct(t.c,
		                     rows[i].priority, NULL),
		    0);
		pin(t.c, st.policy);
		shake_two(&t);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].allow,
		    rows[i].allow ? PINFAST_REASON_PIN_MATCHED
		                  : PINFAST_REASON_PIN_MISMATCH);
		part_two(&t);
		end_stage(&st);
	}
	identity_free(&weak.root);
	identity_free(&weak.issuer);
}

static unsigned asked; /* how often the leaf was verified */

static int
count_leaf(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
    gnutls_x509_crl_t crl, unsigned status)
{
	gnutls_datum_t der = der_of(&leafX);

	(void)crl, (void)status;
	asked += issuer != NULL && gnutls_x509_crt_equals2(cert, &der) != 0;
	OPENSSL_free(der.data);
	return 0;
}

/* The server sends the leaf, its CA under root A, and the same under root B in
 * so many certificates. */
static struct stage
many_ways(size_t ways, const struct id *pinned_key)
{
	struct pinfast_builder *b = begin_policy(1);
	gnutls_pcert_st *certs = gnutls_calloc(2 + ways, sizeof *certs);
	struct stage st = {.tls = TLS13, .client = trusting()};

	pinfast_builder_reject(b, rootA.pin);
	add_entry(b, "pin.test", PINFAST_ROLE_ANY, pinned_key);
	st.policy = policy_made(b);
	st.server = new_cred();
	assert_int_equal(gnutls_session_ticket_key_generate(&st.key), 0);
	assert_non_null(certs);
	import_cert(&certs[0], &leafX);
	import_cert(&certs[1], &intXA);
	for (size_t i = 0; i < ways; i++) {
		struct id issuer = {.key = intXA.key};

		EVP_PKEY_up_ref(issuer.key);
		certify(&issuer, "Int X", &rootB, NULL, 30);
		import_cert(&certs[2 + i], &issuer);
		identity_free(&issuer);
	}
	assert_int_equal(gnutls_certificate_set_key(st.server, NULL, 0, certs,
	                     (int)(2 + ways), import_key(&leafX)),
	    0);
	gnutls_free(certs);
	return st;
}

/* Each of the ways holds, and none of them does: whoever sends them is not to
 * have them verified over and over. */
static void
a_search_is_as_long_as_what_gnutls_verifies(void **state)
{
	static const struct {
		const char *name;
		size_t ways;
		const struct id *pinned_key;
		unsigned most;
		int allow;
		int32_t reason;
	} rows[] = {
	    {"one that does", 1, &rootB, 8, 1, PINFAST_REASON_PIN_MATCHED},
	    {"a few", 4, &evil, 11, 0, PINFAST_REASON_REJECTED_KEY},
	    {"many", 14, &evil, 24, 0, PINFAST_REASON_REJECTED_KEY},
	};
	static const struct pinfast_gnutls_next next = {.output = count_leaf};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage st = many_ways(rows[i].ways, rows[i].pinned_key);
		struct two t = attached_two(&st);

		assert_int_equal(pinfast_gnutls_set_next(t.c, &next), 0);
		asked = 0;
		shake_two(&t);
		chat_two(&t);
		expect_two(rows[i].name, &t, rows[i].allow, rows[i].reason);
		if (asked > rows[i].most)
			fail_msg("%s: verified %u times", rows[i].name, asked);
		part_two(&t);
		end_stage(&st);
	}
}

/* Another policy asks about keys that the first did not. */
static void
a_kept_connection_says_more_when_it_is_asked(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct two t = attached_two(&st);

	(void)state;
	shake_two(&t);
	chat_two(&t);
	change_policy(st.policy, 2, PINFAST_ROLE_CA, &rootA);
	expect(pinfast_gnutls_result(t.c), ALLOW, PINFAST_REASON_PIN_MATCHED);
	change_policy(st.policy, 3, PINFAST_ROLE_CA, &rootB);
	expect(pinfast_gnutls_result(t.c), DENY, PINFAST_REASON_PIN_MISMATCH);
	part_two(&t);
	end_stage(&st);
}

/* --------------------------------------------------------------- bare keys */

static struct pinfast *
bare_policy(const struct id *id, int ignore_dates)
{
	struct pinfast_builder *b = begin_policy(1);

	add_entry(b, "pin.test", PINFAST_ROLE_LEAF, id);
	pinfast_builder_entry_set(b, PINFAST_ENTRY_PKIX_NONE, 1);
	if (ignore_dates)
		pinfast_builder_entry_set(b, PINFAST_ENTRY_IGNORE_DATES, 1);
	return policy_made(b);
}

static gnutls_certificate_credentials_t
bare(const struct id *id)
{
	gnutls_certificate_credentials_t cred = new_cred();
	BIO *pub = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	gnutls_datum_t texts[2];
	char *at;

	PEM_write_bio_PUBKEY(pub, id->key);
	PEM_write_bio_PrivateKey(key, id->key, NULL, NULL, 0, NULL, NULL);
	texts[0].size = (unsigned)BIO_get_mem_data(pub, &at);
	texts[0].data = (unsigned char *)at;
	texts[1].size = (unsigned)BIO_get_mem_data(key, &at);
	texts[1].data = (unsigned char *)at;
	assert_int_equal(gnutls_certificate_set_rawpk_key_mem(cred, &texts[0],
	                     &texts[1], GNUTLS_X509_FMT_PEM, NULL, 0, NULL, 0,
	                     0),
	    0);
	BIO_free(pub);
	BIO_free(key);
	return cred;
}

static void
a_bare_key_is_judged_by_its_pin_alone(void **state)
{
	static const struct {
		const char *name;
		const struct id *pinned_key;
		int none, dates, allow;
		int32_t reason;
	} rows[] = {
	    {"pinned", &leaf, 1, 1, 1, PINFAST_REASON_PIN_MATCHED},
	    {"another", &evil, 1, 1, 0, PINFAST_REASON_PIN_MISMATCH},
	    {"dates are wanted", &leaf, 1, 0, 0, PINFAST_REASON_NOT_VERIFIED},
	    {"a chain is wanted", &leaf, 0, 0, 0, PINFAST_REASON_NOT_VERIFIED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int tls = TLS12; tls <= TLS13; tls++) {
			struct pinfast *policy =
			    rows[i].none
			        ? bare_policy(rows[i].pinned_key, rows[i].dates)
			        : policy_of(PINFAST_ROLE_LEAF,
			              rows[i].pinned_key);
			gnutls_certificate_credentials_t ours = trusting(),
			                                 theirs = bare(&leaf);
			struct two t =
			    two_of(ours, theirs, tls, GNUTLS_ENABLE_RAWPK);
			const char *priority =
			    tls == TLS12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2:"
			                   "-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK"
			                 : "NORMAL:-VERS-ALL:+VERS-TLS1.3:"
			                   "-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK";

			assert_int_equal(gnutls_priority_set_direct(t.c,
			                     priority, NULL),
			    0);
			assert_int_equal(gnutls_priority_set_direct(t.s,
			                     priority, NULL),
			    0);
			pin(t.c, policy);
			shake_two(&t);
			chat_two(&t);
			expect_two(rows[i].name, &t, rows[i].allow,
			    rows[i].reason);
			part_two(&t);
			gnutls_certificate_free_credentials(ours);
			gnutls_certificate_free_credentials(theirs);
			pinfast_free(policy);
		}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_anchors_of_an_entry_replace_the_applications),
	    cmocka_unit_test(a_list_is_as_short_as_the_credentials_want_it),
	    cmocka_unit_test(
	        an_entry_with_anchors_needs_none_of_the_application),
	    cmocka_unit_test(keys_are_as_strong_as_the_session_wants_them),
	    cmocka_unit_test(what_is_revoked_stays_so),
	    cmocka_unit_test(a_further_path_is_verified_as_the_first_one_is),
	    cmocka_unit_test(
	        a_further_path_is_as_strong_as_the_session_wants_it),
	    cmocka_unit_test(a_search_is_as_long_as_what_gnutls_verifies),
	    cmocka_unit_test(a_kept_connection_says_more_when_it_is_asked),
	    cmocka_unit_test(a_bare_key_is_judged_by_its_pin_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
