/*
 * What the files of the libcurl adapter share.  curl.c attaches and answers,
 * curl_plan.c decides before a transfer how it will be proved, curl_hooks.c is
 * called in the middle of it, curl_failed.c when it failed before anything was
 * judged, curl_target.c reads URLs, curl_known.c finds the handles that still
 * live, curl_copy.c tells one copy of a TLS library from another.  Hides how a
 * transfer is proved under which TLS library.  Refuses what nobody prepared,
 * and what cannot be proved.
 */
#ifndef PF_CURL_H
#define PF_CURL_H

#include "adapt/adapter.h"
#include "base/limits.h"
#include "pinfast-curl.h"

/* When a protocol says something that matters. */
enum pf_curl_kind {
	PF_CURL_NONE = 0,  /* no protocol of the network's, or no host */
	PF_CURL_LATE = 1,  /* https: nothing before the request */
	PF_CURL_EARLY = 2, /* imap: it logs in before */
	PF_CURL_CLEAR = 3  /* http: there is no TLS */
};

/* Whom a transfer is for. */
struct pf_curl_target {
	enum pf_curl_kind kind;
	uint8_t is_ldap;
	uint8_t has_no_tls;   /* nor does it wait for its request to say much */
	uint8_t is_address;   /* its host is one */
	uint8_t is_respelled; /* a trailing dot, IPv4 written as IPv6 */
	uint16_t port;
	char scheme[16];
	char host[PINFAST_HOST_LEN]; /* canonical */
};

struct pf_curl_proxy {
	int named;
	uint16_t port;
	char host[PINFAST_HOST_LEN];
};

#define PF_CURL_PINS (PF_MAX_PINS * (PINFAST_PIN_TEXT_LEN + 2))

struct pinfast_curl {
	struct pinfast_curl_functions f;
	CURL *easy;
	struct pinfast *policy;
	struct pinfast_curl_next next;
	const struct pf_adapter *adapter; /* NULL: nobody can look */
	int in_handshake;                 /* its judge sits in handshakes */
	char no_adapter[200];             /* why nobody can look */
	struct pf_curl_proxy proxy;
	char *doh;

	uintptr_t id;
	struct pinfast_curl *other; /* in the list of curl_known.c */

	/* One transfer. */
	int running;
	int refused;        /* before it began */
	int delegate;       /* libcurl compares the leaf's key by itself */
	int asks_something; /* the policy does, of the host */
	int forced_tls;     /* CURLOPT_USE_SSL is ours now, */
	int barred_proxies; /* CURLOPT_PROXY_PINNEDPUBLICKEY, too */
	enum pinfast_error error;
	int left;      /* CURLOPT_FORBID_REUSE is ours, since a refusal */
	int left_kept; /* which was on a connection that was kept */
	int fresh;     /* CURLOPT_FRESH_CONNECT is ours now */
	struct pf_curl_target prepared;
	struct pinfast_conn *asked; /* what libcurl was told; NULL: nothing */
	struct pinfast_conn *proxy_asked; /* the same of its proxy */
	uint8_t terms[32];                /* of asked */
	uint8_t proxy_terms[32];          /* of proxy_asked */
	int told;                         /* asked has been judged */
	int compared; /* libcurl was given pins of the host's leaf */
	int verifies; /* libcurl was told to verify chain and name */
	struct pinfast_verdict verdict;
	char text[700];

	/* The connection that was judged last, when nobody else keeps it. */
	struct pinfast_conn *conn;
	void *tls;
	long local_port;
	struct pf_curl_target judged;
};

/* ------------------------------------------------------------------ targets */

/* Whom easy's present URL is for.  PINFAST_EUSAGE: it has none,
 * PINFAST_EHOST: no valid host, PINFAST_ENOMEM. */
PINFAST_CHECK enum pinfast_error pf_curl_target(const struct pinfast_curl *c,
    CURL *easy, struct pf_curl_target *out);

/* The same of any URL. */
PINFAST_CHECK enum pinfast_error pf_curl_target_of(const struct pinfast_curl *c,
    const char *url, struct pf_curl_target *out);

/* The same scheme, host and port? */
int pf_curl_target_same(const struct pf_curl_target *a,
    const struct pf_curl_target *b);

/* --------------------------------------------------------------------- plan */

/* Sets what the transfer to c->prepared needs. */
PINFAST_CHECK enum pinfast_error pf_curl_plan(struct pinfast_curl *c,
    struct pinfast_diag *diag);

/* -------------------------------------------------------------------- hooks */

/* Puts the callbacks in place; 0: libcurl would not have them. */
int pf_curl_hook(struct pinfast_curl *c);

/* Notes a sentence of our own. */
struct pinfast_verdict pf_curl_say(struct pinfast_curl *c,
    struct pinfast_verdict verdict, const char *text);

/* Notes a verdict and its sentence. */
void pf_curl_note(struct pinfast_curl *c, struct pinfast_verdict verdict,
    const struct pinfast_conn *conn);

/* A deny with this reason about a host, as an event and a sentence. */
void pf_curl_deny(struct pinfast_curl *c, const struct pf_curl_target *target,
    enum pinfast_delegated why);

/* The same of somebody else whom nobody can prove: a proxy, a DoH server. */
void pf_curl_deny_peer(struct pinfast_curl *c, const char *host, uint16_t port);

/* The sentence of a deny of what has no TLS: what the judge would say about
 * verification helps nobody there. */
void pf_curl_note_clear(struct pinfast_curl *c,
    const struct pf_curl_target *target);

/* Does the policy let what has no TLS go to this host?  Not when there is no
 * memory to ask it. */
int pf_curl_may_go_in_clear(struct pinfast_curl *c,
    const struct pf_curl_target *target);

/* The transfer is over, and nothing was judged, or less than there was: what
 * did libcurl say? */
void pf_curl_conclude(struct pinfast_curl *c, CURLcode code);

/* -------------------------------------------------------------------- known */

/* Connections outlive handles: callbacks carry a number, which finds the
 * handle as long as it lives. */
void pf_curl_known_add(struct pinfast_curl *c);
void pf_curl_known_remove(struct pinfast_curl *c);
/* Calls fn for the handle of that number while it cannot go away. */
void pf_curl_known_call(uintptr_t id,
    void (*fn)(struct pinfast_curl *c, const struct pinfast_conn *conn),
    const struct pinfast_conn *conn);

/* --------------------------------------------------------------------- copy */

/*
 * Is this the function that libcurl itself calls under that name?  libcurl is
 * the object that caller lies in; 0 also when it has a copy of its own, or
 * cannot be looked into.
 */
int pf_curl_calls(void (*caller)(void), const char *symbol,
    void (*function)(void));

#endif
