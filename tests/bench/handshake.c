/*
 * A client's handshake for callgrind: only client_step() is counted.
 *
 *   handshake plain|pinfast|dane leaf|first|root|refused|resumed COUNT
 *
 * first: as leaf, but the server has another certificate each time.
 */
#include "../adapt/pair.h"

static int client_step(SSL *ssl) __attribute__((noinline));

static int
client_step(SSL *ssl)
{
	return SSL_do_handshake(ssl);
}

static void
step_through(struct pair *p)
{
	for (int i = 0; i < 8; i++) {
		int c = client_step(p->c);
		int s = SSL_do_handshake(p->s);

		if (c == 1 && s == 1)
			break;
		if (c != 1 && SSL_get_error(p->c, c) != SSL_ERROR_WANT_READ)
			break;
	}
	ERR_clear_error();
}

static void
add_dane(SSL *ssl, const struct id *id, uint8_t usage)
{
	unsigned char *der = NULL, hash[32];
	int len = i2d_PUBKEY(id->key, &der);
	unsigned hash_len;

	EVP_Digest(der, (size_t)len, hash, &hash_len, EVP_sha256(), NULL);
	SSL_dane_enable(ssl, "pin.test");
	SSL_dane_tlsa_add(ssl, usage, 1, 1, hash, 32);
	OPENSSL_free(der);
}

/* The leaf's key under another certificate. */
static void
renew(SSL_CTX *sctx)
{
	X509_free(leaf.cert);
	certify(&leaf, "leaf", &intA, "DNS:pin.test", 30);
	SSL_CTX_use_certificate(sctx, leaf.cert);
}

int
main(int argc, char *argv[])
{
	const char *who = argc > 1 ? argv[1] : "plain";
	const char *what = argc > 2 ? argv[2] : "leaf";
	int count = argc > 3 ? atoi(argv[3]) : 1,
	    resumed = !strcmp(what, "resumed");
	struct pinfast *policy;
	SSL_CTX *cctx, *sctx;
	SSL_SESSION *session = NULL;

	make_everybody(NULL);
	policy = strcmp(what, "root") == 0 ? policy_of(PINFAST_ROLE_ANY, &rootA)
	         : strcmp(what, "refused") == 0
	             ? policy_of(PINFAST_ROLE_LEAF, &client)
	             : policy_of(PINFAST_ROLE_LEAF, &leaf);
	cctx = strcmp(who, "pinfast") == 0 ? pinned_ctx(policy, TLS1_3_VERSION)
	                                   : bare_ctx(TLS1_3_VERSION);
	if (strcmp(who, "dane") == 0)
		SSL_CTX_dane_enable(cctx);
	sctx = server_ctx(&leaf, &intA, TLS1_3_VERSION);
	for (int i = 0; i < count + 1; i++) {
		struct pair p;

		if (strcmp(what, "first") == 0)
			renew(sctx);
		p = join(cctx, sctx);

		if (strcmp(who, "pinfast") == 0)
			assert_int_equal(pinfast_openssl_attach(p.c, "pin.test",
			                     443, NULL),
			    0);
		else if (strcmp(who, "dane") == 0)
			add_dane(p.c,
			    strcmp(what, "root") == 0 ? &rootA : &leaf,
			    strcmp(what, "root") == 0 ? 0 : 1);
		else
			SSL_set1_host(p.c, "pin.test");
		if (strcmp(who, "pinfast") != 0)
			SSL_set_tlsext_host_name(p.c,
			    (char *)(uintptr_t) "pin.test");
		if (resumed && session != NULL)
			SSL_set_session(p.c, session);
		step_through(&p);
		chat(&p);
		if (resumed && session == NULL)
			session = SSL_get1_session(p.c);
		part(&p);
	}
	return 0;
}
