/*
 * pinfast: TLS certificate pinning.
 *
 * A policy says which keys each server may show.  It is written as text,
 * compiled into a store (pinfast-policy(5)), held by a live policy
 * (struct pinfast), and asked about every connection (struct pinfast_conn).
 *
 * The one rule: a connection may carry application bytes only when its
 * verdict's decision equals PINFAST_ALLOW.  Every other value, also zeroed
 * memory, means: close it.
 *
 * Judging and look-up allocate nothing, take no lock, do no input or output,
 * read no clock and do not recurse.  Functions allocate only where they say
 * so, and only through the allocator that the object was given.
 *
 * Sizes are in bytes, ports in host byte order (0: unknown), times in seconds
 * since 1970-01-01T00:00:00Z.  Pointers that a function takes are borrowed for
 * the call unless it says otherwise; outputs are written only on success.
 * Functions that end in _free take NULL.
 *
 * ABI: every struct defined here but pinfast_event is frozen; pinfast_event
 * grows at its end, guarded by its size member; everything else is opaque and
 * grows by functions.
 */
#ifndef PINFAST_H
#define PINFAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PINFAST_CHECK __attribute__((warn_unused_result))
#define PINFAST_API __attribute__((visibility("default")))
#else
#define PINFAST_CHECK
#define PINFAST_API
#endif

#define PINFAST_VERSION_MAJOR 0
#define PINFAST_VERSION_MINOR 1
#define PINFAST_VERSION_PATCH 0

/* The only go-ahead.  Far from zero, so that stray memory is a deny. */
#define PINFAST_ALLOW 0x5a17c0deU

#define PINFAST_PIN_LEN 32      /* SHA-256 */
#define PINFAST_PIN_TEXT_LEN 52 /* "sha256/" + 44 + NUL */
#define PINFAST_HOST_LEN 254    /* 253 octets + NUL */
#define PINFAST_TAG_MAX 1024
#define PINFAST_PATH_MAX 16 /* certificates in a verified path */

/*
 * Errors: 0 is fine, negative is failed, nothing is positive.
 * X(name, value, text)
 */
/* clang-format off */
#define PINFAST_ERRORS(X) \
	X(OK, 0, "fine") \
	X(EUSAGE, -1, "the call's arguments are wrong") \
	X(ENOMEM, -2, "out of memory") \
	X(EIO, -3, "reading or writing failed") \
	X(EFORMAT, -4, "the bytes are not what they should be") \
	X(EVERSION, -5, "made for another version of pinfast") \
	X(ELIMIT, -6, "a limit is exceeded") \
	X(EHOST, -7, "not a valid host name or address") \
	X(EOLDER, -8, "older than the policy in service") \
	X(ESAMESERIAL, -9, "same serial as the policy in service, other content") \
	X(EUNSAFE, -10, "refused because it would not be safe") \
	X(EUNSUPPORTED, -11, "not supported here") \
	X(EBUSY, -12, "two replaced policies are still in use; try again") \
	X(EPOLICY, -13, "the policy contradicts itself or is incomplete") \
	X(ENOTFOUND, -14, "not found")

/*
 * Why a verdict is what it is.  The name is what programs print (with '-' for
 * '_', lower case) and never changes; the text is for people.
 * X(NAME, value, "name", "text")
 */
#define PINFAST_REASONS(X) \
	X(NOT_JUDGED, 0, "not-judged", \
	    "nothing has judged this connection") \
	X(NO_POLICY, 1, "no-policy", \
	    "no policy is loaded") \
	X(HOST_INVALID, 2, "host-invalid", \
	    "the host is not a valid name or address") \
	X(HOST_UNKNOWN, 3, "host-unknown", \
	    "no host name could be learned for this connection") \
	X(NO_CERTIFICATE, 4, "no-certificate", \
	    "the peer showed no certificate or key") \
	X(CERTIFICATE_MALFORMED, 5, "certificate-malformed", \
	    "a certificate is not structure-exact DER") \
	X(CERTIFICATE_DATES, 6, "certificate-dates", \
	    "the leaf certificate is not valid at this time") \
	X(PARSER_DISAGREEMENT, 7, "parser-disagreement", \
	    "the TLS library read another key from the same certificate") \
	X(PATH_TOO_LONG, 8, "path-too-long", \
	    "the verified path has more than 16 certificates") \
	X(PATH_SEARCH_LIMIT, 9, "path-search-limit", \
	    "the search for a pinned path was given up at its limit") \
	X(PKIX_FAILED, 10, "pkix-failed", \
	    "the certificate chain or its name did not verify") \
	X(NOT_VERIFIED, 11, "not-verified", \
	    "the certificate chain and its name were not verified") \
	X(PIN_MATCHED, 12, "pin-matched", \
	    "the peer showed a pinned key") \
	X(PIN_MISMATCH, 13, "pin-mismatch", \
	    "the peer showed none of the pinned keys") \
	X(NO_PINS, 14, "no-pins", \
	    "the entry names no pins, and no rejected key was shown") \
	X(REJECTED_KEY, 15, "rejected-key", \
	    "the peer showed a key that the policy rejects") \
	X(EXEMPT, 16, "exempt", \
	    "the entry is exempt from pinning") \
	X(EXEMPT_UNVERIFIED, 17, "exempt-unverified", \
	    "the entry is exempt, and the chain was not verified") \
	X(UNLISTED, 18, "unlisted", \
	    "no entry covers this host") \
	X(UNLISTED_UNVERIFIED, 19, "unlisted-unverified", \
	    "no entry covers this host, and the chain was not verified") \
	X(EXPIRED, 20, "expired", \
	    "the entry has expired and then denies") \
	X(EXPIRED_UNPINNED, 21, "expired-unpinned", \
	    "the entry has expired and then no longer pins") \
	X(HASH_FAILED, 22, "hash-failed", \
	    "the SHA-256 in use failed") \
	X(TAG_INVALID, 23, "tag-invalid", \
	    "the session's tag is missing, damaged or of another kind") \
	X(TAG_MISMATCH, 24, "tag-mismatch", \
	    "the session's tag belongs to another connection") \
	X(TAG_EXPIRED, 25, "tag-expired", \
	    "the session's tag is too old or from the future") \
	X(TAG_INCOMPLETE, 26, "tag-incomplete", \
	    "the session's tag lacks keys that today's policy asks about") \
	X(SETTLED, 27, "settled", \
	    "the connection was judged after it had been settled") \
	X(CLIENT_UNLISTED, 28, "client-unlisted", \
	    "no client entry has this label") \
	X(ALLOWED_BY_PASS, 29, "allowed-by-pass", \
	    "an assessor's pass lets this connection through") \
	X(BACKEND_CANNOT_PROVE, 30, "backend-cannot-prove", \
	    "the TLS library cannot prove here what the policy asks for")
/* clang-format on */

#define PINFAST_ERROR_ENUM_(name, value, text) PINFAST_##name = (value),
enum pinfast_error {
	PINFAST_ERRORS(PINFAST_ERROR_ENUM_) PINFAST_ERROR_MIN_ = -32768
};

#define PINFAST_REASON_ENUM_(name, value, word, text)                          \
	PINFAST_REASON_##name = (value),
enum pinfast_reason {
	PINFAST_REASONS(PINFAST_REASON_ENUM_) PINFAST_REASON_MAX_ = 32767
};

/* What a judgement rests on.  There is no "the certificates". */
enum pinfast_evidence {
	PINFAST_EVIDENCE_NONE = 0,
	PINFAST_EVIDENCE_VERIFIED_PATH = 1, /* chain and name verified */
	PINFAST_EVIDENCE_LEAF_ONLY = 2,     /* see enum pinfast_pkix */
	PINFAST_EVIDENCE_RAW_KEY = 3,       /* RFC 7250 */
	PINFAST_EVIDENCE_TAG = 4,           /* a resumed session's tag */
	PINFAST_EVIDENCE_FAILED = 5         /* chain or name did not verify */
};

/* What the TLS library's own verification (RFC 5280, RFC 9525) said. */
enum pinfast_pkix {
	PINFAST_PKIX_NOT_RUN = 0,
	PINFAST_PKIX_OK = 1,
	PINFAST_PKIX_FAILED = 2,
	PINFAST_PKIX_OVERRIDDEN = 3 /* it failed and the application said yes */
};

/* How an entry covers names.  ONE and ANY leave the name itself out. */
enum pinfast_scope {
	PINFAST_SCOPE_EXACT = 0,
	PINFAST_SCOPE_ONE = 1,   /* exactly one label below the name */
	PINFAST_SCOPE_ANY = 2,   /* any number of labels below the name */
	PINFAST_SCOPE_CLIENT = 3 /* a label of `clients`, for servers */
};

/* Which list of an entry a pin belongs to. */
enum pinfast_role {
	PINFAST_ROLE_ANY = 0,    /* `pins`: anywhere in the path */
	PINFAST_ROLE_LEAF = 1,   /* the end entity's key */
	PINFAST_ROLE_CA = 2,     /* an issuer's key */
	PINFAST_ROLE_CERT = 3,   /* the whole leaf certificate */
	PINFAST_ROLE_REJECT = 4, /* never */
	PINFAST_ROLE_SHADOW_ANY = 5,
	PINFAST_ROLE_SHADOW_LEAF = 6,
	PINFAST_ROLE_SHADOW_CA = 7,
	PINFAST_ROLE_SHADOW_CERT = 8
};
#define PINFAST_ROLE_COUNT 9

/* Borrowed bytes.  Never owns. */
struct pinfast_bytes {
	const uint8_t *data;
	size_t len;
};

/*
 * The caller's allocator.  alloc returns memory aligned for any object or
 * NULL; free takes NULL.  Both may be called from any thread that uses the
 * object they were given to.  A NULL pointer to this struct means malloc and
 * free, where the C library has them.
 */
struct pinfast_alloc {
	void *(*alloc)(void *arg, size_t size);
	void (*free)(void *arg, void *ptr);
	void *arg;
};

/* Where and what went wrong, for people.  All empty or 0 when not known. */
struct pinfast_diag {
	uint32_t line;   /* 1 is the first */
	uint32_t column; /* 1 is the first */
	char file[256];
	char text[512];
};

/* A judgement.  Read .decision with ==, and .reason for why. */
struct pinfast_verdict {
	uint32_t decision; /* PINFAST_ALLOW or not */
	int32_t reason;    /* enum pinfast_reason */
};

/*
 * One certificate of a path, with the key that the TLS library itself read
 * from it (the two-parser rule: for the leaf and for every certificate whose
 * key satisfied a pin the two must be the same, or the verdict is a deny with
 * reason parser-disagreement).
 *
 * der        the certificate as it stands
 * key_spki   the library's SubjectPublicKeyInfo, untouched (mbedTLS pk_raw).
 *            When given, the next three are not looked at
 * key_oid    content octets of the key's algorithm OBJECT IDENTIFIER
 * key_params the parameters' DER; data == NULL: the library does not say,
 *            len == 0 with data set: the library says there are none
 * key_bits   the BIT STRING's bytes without the unused-bits octet
 */
struct pinfast_cert {
	struct pinfast_bytes der;
	struct pinfast_bytes key_spki;
	struct pinfast_bytes key_oid;
	struct pinfast_bytes key_params;
	struct pinfast_bytes key_bits;
};

struct pinfast_store;
struct pinfast_builder;
struct pinfast;
struct pinfast_conn;

/* ------------------------------------------------------------------ store */

/*
 * A store is a compiled policy: immutable, usable by any number of threads.
 * Opening validates all of it; hostile bytes give an error.
 */

/*
 * Opens a compiled store file.  The file is mapped when nobody untrusted can
 * truncate it, and otherwise copied into memory first.
 *
 * path    a regular file that others may not write
 * alloc   kept by the store; NULL: malloc and free
 * diag    may be NULL
 * returns PINFAST_EIO (missing, unreadable), PINFAST_EUNSAFE (writable by
 *         others, not a regular file), PINFAST_EFORMAT, PINFAST_EVERSION,
 *         PINFAST_ELIMIT, PINFAST_ENOMEM
 *
 * Not in the amalgamation, which does no input or output.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_store_open_file(const char *path, const struct pinfast_alloc *alloc,
    struct pinfast_diag *diag, struct pinfast_store **out);

/*
 * Opens a store that lies in memory: flash, an array made by
 * `pinfast compile --format c`, a builder's image.  The bytes are borrowed
 * until pinfast_store_free() and must not change.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_store_open_memory(struct pinfast_bytes image,
    const struct pinfast_alloc *alloc, struct pinfast_diag *diag,
    struct pinfast_store **out);

/* Ends a store and lets go of its bytes.  NULL is fine. */
PINFAST_API void pinfast_store_free(struct pinfast_store *store);

/* The policy's serial, 0 when it has none. */
PINFAST_API uint64_t pinfast_store_serial(const struct pinfast_store *store);

/* 32 bytes, SHA-256 of the store's content: the policy's identity. */
PINFAST_API const uint8_t *
pinfast_store_digest(const struct pinfast_store *store);

/*
 * Recomputes that digest.  Opening checks a fast sum only; whoever installs a
 * store calls this once.  PINFAST_EFORMAT: the digest is another one.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_store_verify(const struct pinfast_store *store);

/*
 * Calls fn once for every name and port that has an entry, in an order that
 * is the same for equal stores.  A non-zero result of fn ends the walk and is
 * returned.
 *
 * name   canonical, as pinfast_host_canonical() writes it: len bytes without
 *        a NUL and one behind them; lives for the call
 */
typedef int (*pinfast_store_each_fn)(void *arg, const char *name, size_t len,
    enum pinfast_scope scope, uint16_t port);
PINFAST_API int pinfast_store_each(const struct pinfast_store *store,
    pinfast_store_each_fn fn, void *arg);

/* ---------------------------------------------------------------- builder */

/*
 * A policy built in code, without text and without files.  Calls that belong
 * to an entry speak of the entry started last.  Errors are remembered:
 * pinfast_builder_finish() reports the first one, so callers may ignore the
 * results in between.  Used by one thread at a time.
 */

/* What pinfast_builder_set() sets for the whole policy. */
enum pinfast_policy_key {
	PINFAST_POLICY_SERIAL = 1,       /* 1..2^63-1; 0: none (default) */
	PINFAST_POLICY_ISSUED = 2,       /* time; 0: not said */
	PINFAST_POLICY_VALID_UNTIL = 3,  /* time; 0: never lapses */
	PINFAST_POLICY_ON_LAPSE = 4,     /* PINFAST_ENFORCE or _REPORT */
	PINFAST_POLICY_UNLISTED = 5,     /* PINFAST_PASS, _REPORT or _DENY */
	PINFAST_POLICY_UNKNOWN_HOST = 6, /* PINFAST_DENY, _REPORT or _PASS */
	PINFAST_POLICY_HTTPS_ONLY = 7    /* PINFAST_HTTPS_LISTED, _ALL, _NONE */
};

/* What pinfast_builder_entry_set() sets for an entry. */
enum pinfast_entry_key {
	PINFAST_ENTRY_MODE = 1,      /* PINFAST_ENFORCE, _REPORT or _OFF */
	PINFAST_ENTRY_PKIX_NONE = 2, /* 1: the leaf pin replaces PKIX */
	PINFAST_ENTRY_IGNORE_DATES = 3,
	PINFAST_ENTRY_REQUIRE_ALL = 4, /* 1: every list must be met */
	PINFAST_ENTRY_INHERIT_UNION = 5,
	PINFAST_ENTRY_WARN_AFTER = 6, /* time */
	PINFAST_ENTRY_EXPIRES = 7,    /* time */
	PINFAST_ENTRY_ON_EXPIRY = 8   /* _ENFORCE, _REPORT, _DENY, _UNPIN */
};

/* Values for both.  0 is never a value, so that "not said" is an error. */
enum pinfast_action {
	PINFAST_ENFORCE = 1,
	PINFAST_REPORT = 2,
	PINFAST_OFF = 3,   /* exempt: PKIX only */
	PINFAST_DENY = 4,  /* also the right pin */
	PINFAST_UNPIN = 5, /* as OFF, by expiry */
	PINFAST_PASS = 6   /* `allow`, for hosts that have no entry */
};
enum pinfast_https_only {
	PINFAST_HTTPS_LISTED = 1,
	PINFAST_HTTPS_ALL = 2,
	PINFAST_HTTPS_NONE = 3
};

/*
 * An empty policy that takes entries.
 *
 * alloc    NULL: malloc() and free()
 * returns  PINFAST_ENOMEM; else *out, for pinfast_builder_free(), which takes
 *          NULL, too
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_builder_new(const struct pinfast_alloc *alloc,
    struct pinfast_builder **out);
PINFAST_API void pinfast_builder_free(struct pinfast_builder *builder);

/* Sets a value of the whole policy, named by key. */
PINFAST_API enum pinfast_error
pinfast_builder_set(struct pinfast_builder *builder,
    enum pinfast_policy_key key, int64_t value);

/* Adds a pin to the policy's own reject list.  pin: "sha256/BASE64". */
PINFAST_API enum pinfast_error
pinfast_builder_reject(struct pinfast_builder *builder, const char *pin);

/* Adds a URL that failure reports go to. */
PINFAST_API enum pinfast_error
pinfast_builder_report_to(struct pinfast_builder *builder, const char *url);

/*
 * Starts an entry.  A name with subdomains and itself takes two entries.
 *
 * name   a host name (A-labels), an address, or a label for SCOPE_CLIENT
 * port   0: every port
 */
PINFAST_API enum pinfast_error
pinfast_builder_entry(struct pinfast_builder *builder, const char *name,
    uint16_t port, enum pinfast_scope scope);
PINFAST_API enum pinfast_error
pinfast_builder_entry_set(struct pinfast_builder *builder,
    enum pinfast_entry_key key, int64_t value);

/* Adds a pin: "sha256/BASE64", for ROLE_CERT and ROLE_SHADOW_CERT
 * "cert-sha256/BASE64". */
PINFAST_API enum pinfast_error
pinfast_builder_pin(struct pinfast_builder *builder, enum pinfast_role role,
    const char *pin);

/* Adds a trust anchor (a DER certificate) that replaces the application's
 * own for this entry. */
PINFAST_API enum pinfast_error
pinfast_builder_anchor(struct pinfast_builder *builder,
    struct pinfast_bytes der);

/*
 * Checks everything and makes the store's bytes, which live as long as the
 * builder.  Equal content gives equal bytes on every machine.
 *
 * returns PINFAST_EPOLICY with a sentence in diag when the policy contradicts
 *         itself (pinfast-policy(5) lists the rules)
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_builder_finish(struct pinfast_builder *builder,
    struct pinfast_diag *diag, struct pinfast_bytes *image);

/* ------------------------------------------------------------ live policy */

/*
 * What an application holds.  It denies everything with reason no-policy
 * until a store is loaded.  Readers never wait for a load.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_new(const struct pinfast_alloc *alloc, struct pinfast **out);

/* After its last connection has been freed. */
PINFAST_API void pinfast_free(struct pinfast *policy);

/*
 * Puts a store into service and owns it from then on; on failure the caller
 * still owns it and the old store stays in service.
 *
 * returns PINFAST_EOLDER (lower serial), PINFAST_ESAMESERIAL (equal serial,
 *         other content; diag names the serial to write), PINFAST_EBUSY (two
 *         replaced stores are still being read, or another thread is loading)
 *
 * Any thread; judging threads do not wait.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_load(struct pinfast *policy, struct pinfast_store *store,
    struct pinfast_diag *diag);

/* pinfast_store_open_file() and pinfast_load() in one. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_load_file(struct pinfast *policy, const char *path,
    struct pinfast_diag *diag);

/* Grows with every load; 0: nothing loaded. */
PINFAST_API uint32_t pinfast_generation(const struct pinfast *policy);

/* Serial and digest of the store in service; PINFAST_ENOTFOUND when none. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_identity(struct pinfast *policy, uint64_t *serial, uint8_t digest[32]);

/*
 * Lets another SHA-256 do the hashing (a FIPS module, SHA instructions).  It
 * must pass known answers, or PINFAST_EUNSAFE and the old one stays.  Before
 * the first connection.  fn returns 0 when it has written out; anything else
 * makes the verdict a deny with reason hash-failed.
 */
typedef int (*pinfast_sha256_fn)(void *arg, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN]);
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_use_sha256(struct pinfast *policy, pinfast_sha256_fn fn, void *arg);

/* 1: the library's own SHA-256 is in use, 0: one that it was given. */
PINFAST_API int pinfast_hashes_itself(const struct pinfast *policy);

/*
 * Tells a time that the clock is known to have passed (the newest signed
 * metadata).  Judging uses the largest of now, this, the policy's `issued`
 * and the library's release date.  Never goes back.
 */
PINFAST_API void pinfast_time_floor(struct pinfast *policy, int64_t at);

/* How time has loosened an entry. */
enum pinfast_loosened {
	PINFAST_LOOSENED_NOT = 0,
	PINFAST_LOOSENED_EXPIRY = 1,
	PINFAST_LOOSENED_LAPSE = 2
};

/* What happened, once per settled connection.  Pointers live for the call. */
struct pinfast_event {
	size_t size; /* of the struct as the library knows it */
	uint64_t serial;
	const uint8_t *policy; /* 32 bytes; NULL: no policy */
	const char *host;      /* canonical; "" when unknown or invalid */
	uint16_t port;
	uint16_t entry_port; /* 0: the entry is for every port */
	uint32_t entry_at;   /* the entry's name is host + entry_at */
	int32_t entry_scope; /* enum pinfast_scope; -1: no entry */
	uint32_t decision;
	int32_t reason;        /* enum pinfast_reason */
	int32_t reported;      /* 1: allowed only because it is report-only */
	int32_t shadow;        /* reason of the shadow set; 0: none judged */
	int32_t evidence;      /* enum pinfast_evidence */
	int32_t pkix;          /* enum pinfast_pkix */
	int32_t loosened;      /* enum pinfast_loosened */
	int32_t warn;          /* 1: warn-after has passed */
	int32_t resumed;       /* 1: judged by a tag */
	int32_t server;        /* 1: this side is the server */
	uint32_t path_count;   /* certificates in the path */
	uint32_t hashes_known; /* bit i: path[i] is set */
	const uint8_t (*path)[PINFAST_PIN_LEN]; /* only when denied or reported
	                                         */
	int32_t matched;        /* index in the path; -1: none */
	const uint8_t *pass_id; /* 16 bytes; NULL: no pass */
};

/* May not block, and may not call back into the same connection. */
typedef void (*pinfast_event_fn)(void *arg, const struct pinfast_event *event);

/* Before the first connection. */
PINFAST_API void pinfast_on_event(struct pinfast *policy, pinfast_event_fn fn,
    void *arg);

/* ------------------------------------------------------------- connection */

/*
 * One TLS connection: made at attach (the only call that allocates, beside
 * pinfast_conn_add_name), judged one or more times, settled once, which
 * yields one event.  Used by one thread at a time.  It does not keep a store
 * alive: every judgement is by the policy in service at that moment.
 */

/*
 * host   the name or address the application asked for, which is
 *        authoritative; NULL: unknown, see pinfast_conn_add_name()
 * port   the origin's, never a proxy's; 0: unknown
 * now    the present time
 *
 * An invalid host gives a connection that denies with host-invalid.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_conn_new(struct pinfast *policy, const char *host, uint16_t port,
    int64_t now, struct pinfast_conn **out);

/* A connection on which this side is the server; label is one of the
 * policy's `clients`. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_conn_new_server(struct pinfast *policy, const char *label, int64_t now,
    struct pinfast_conn **out);

/* A connection that was never settled is settled first. */
PINFAST_API void pinfast_conn_free(struct pinfast_conn *conn);

/* The same for one that was made to ask about the policy only: as long as
 * nothing was judged there is no event. */
PINFAST_API void pinfast_conn_drop(struct pinfast_conn *conn);

/* This object asks again about a connection that has had its event: for
 * adapters that keep nothing to recheck.  It settles without one. */
PINFAST_API void pinfast_conn_again(struct pinfast_conn *conn);

/*
 * Adds a name that was learned rather than given (a verify host, a verify
 * address, SNI).  All of them are judged and all must allow.  Ignored when
 * pinfast_conn_new() was given a host.  At most 16 different names
 * (PINFAST_ELIMIT, and the connection then denies).  A new name makes what was
 * judged before void: judge again, and before settling.
 */
PINFAST_API enum pinfast_error pinfast_conn_add_name(struct pinfast_conn *conn,
    const char *name);

/*
 * The library verified this path, and the reference name against its first
 * certificate.  path[0] is the leaf, path[count - 1] the trust anchor.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_path(struct pinfast_conn *conn, const struct pinfast_cert *path,
    size_t count);

/*
 * The same for adapters whose library hands out certificates at a price: each
 * one is fetched when a list asks about it, the leaf unless it is known.
 *
 * cert       writes certificate index; what it points at lives until the
 *            judgement returns.  0: done; anything else makes the verdict a
 *            deny with reason hash-failed
 * not_after  seconds since 1970 of certificate index; 0: cannot be told, and
 *            then the connection gets no tag
 * known      may be NULL.  1: pin has been written, as learned() once told it
 *            for a certificate of exactly these bytes; 0: fetch it
 * learned    may be NULL.  The pin of a certificate about which both parsers
 *            agreed: an adapter may remember it
 */
struct pinfast_path {
	size_t count; /* leaf first, the trust anchor last */
	void *arg;
	int (*cert)(void *arg, size_t index, struct pinfast_cert *out);
	int64_t (*not_after)(void *arg, size_t index);
	int (*known)(void *arg, size_t index, uint8_t pin[PINFAST_PIN_LEN]);
	void (*learned)(void *arg, size_t index,
	    const uint8_t pin[PINFAST_PIN_LEN]);
};
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_path_lazy(struct pinfast_conn *conn,
    const struct pinfast_path *path);

/*
 * Before the library verifies: is the answer certain to be no, because entries
 * that pin leaf keys alone do not know this one, or reject it, or because it
 * cannot be read, or the library reads it otherwise?  Never allows, and asks
 * about the first certificate only.
 *
 * returns 1: denied, pinfast_conn_verdict() has the reason and nobody needs to
 *         verify; 0: nothing is judged, go on as if this had not been called
 */
PINFAST_API PINFAST_CHECK int pinfast_judge_before(struct pinfast_conn *conn,
    const struct pinfast_path *path);

/* The leaf alone is known: pkix is PINFAST_PKIX_NOT_RUN or _OVERRIDDEN (any
 * other value counts as NOT_RUN). */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_leaf(struct pinfast_conn *conn, const struct pinfast_cert *leaf,
    enum pinfast_pkix pkix);

/* A raw public key (RFC 7250): its SubjectPublicKeyInfo in DER. */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_key(struct pinfast_conn *conn, struct pinfast_bytes spki);

/*
 * The chain or the name did not verify.
 *
 * leaf   what the peer showed; may be NULL.  Entries with `pkix: none` are
 *        decided by its key
 * why    PINFAST_REASON_PKIX_FAILED, _PATH_SEARCH_LIMIT or _NO_CERTIFICATE:
 *        the reason of the deny
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_failed(struct pinfast_conn *conn, const struct pinfast_cert *leaf,
    enum pinfast_reason why);

/*
 * For a program whose TLS library shows it no certificates, but compares the
 * leaf's key with a list by itself (CURLOPT_PINNEDPUBLICKEY).  Calls fn with
 * each key of that list.  Only for a connection with exactly one name and a
 * known port.  Remembers what was asked for, for pinfast_judge_delegated().
 *
 * returns  the number of keys: a peer that shows one of them may be let in,
 *          once its chain and name verify (`pkix: none`: unverified), and no
 *          other; 0: whoever verifies may be let in; -1: no such list can say
 *          what the policy asks for, or it lets nobody in
 */
typedef void (*pinfast_pin_fn)(void *arg, const uint8_t pin[PINFAST_PIN_LEN]);
PINFAST_API int pinfast_conn_leaf_pins(struct pinfast_conn *conn,
    pinfast_pin_fn fn, void *arg);

/* How the library found it. */
enum pinfast_delegated {
	PINFAST_DELEGATED_NOT = 0,   /* it was not asked, or could not be */
	PINFAST_DELEGATED_YES = 1,   /* chain, name and one of the keys */
	PINFAST_DELEGATED_OTHER = 2, /* the leaf has another key */
	PINFAST_DELEGATED_NO_TLS = 3 /* the connection is in clear */
};

/*
 * What such a library found.  YES counts only while today's policy asks for
 * what pinfast_conn_leaf_pins() said; NOT is a deny with reason
 * backend-cannot-prove, OTHER with pin-mismatch.  In clear only hosts go on
 * that the policy asks nothing of.  There is nothing to recheck or tag.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_delegated(struct pinfast_conn *conn,
    enum pinfast_delegated found);

/*
 * A session is about to be resumed: what its full handshake proved is judged
 * by today's policy.  Anything but ALLOW means: do not resume, make a full
 * handshake.
 *
 * blob   the serialised session that the tag was made for; len 0 for a
 *        session that never left memory
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_judge_tag(struct pinfast_conn *conn, struct pinfast_bytes tag,
    struct pinfast_bytes blob);

/*
 * Judges a kept connection again with the same evidence and today's policy:
 * before each request, after a reload, or for another host (HTTP/2
 * coalescing).  Works before and after settling and yields no event; what was
 * settled as a deny stays denied.
 *
 * host           NULL: the connection's own names
 * name_verified  1: the caller has checked that the leaf covers host.  For
 *                another host than the connection's own that and a verified
 *                chain are needed, or the answer is not-verified, also where
 *                no entry asks; only `pkix: none` is content with the leaf
 *
 * The result replaces what pinfast_conn_verdict() returns only when host is
 * NULL or the connection's own.
 */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_conn_recheck(struct pinfast_conn *conn, const char *host, uint16_t port,
    int64_t now, int name_verified);

/*
 * Hashes what no list has asked about yet, so that another policy can ask: for
 * a kept connection whose recheck says tag-incomplete.  The path is the one
 * that was judged; keys that were hashed before must be the same.
 *
 * returns PINFAST_EUSAGE (nothing was judged on a verified path of that
 *         length in this very handshake), PINFAST_EFORMAT (another path),
 *         PINFAST_EIO (fetching or hashing failed)
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_conn_complete(struct pinfast_conn *conn,
    const struct pinfast_path *path);

/* What the last judgement said; not-judged before the first. */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_conn_verdict(const struct pinfast_conn *conn);

/* Makes the last judgement final and yields the event.  Judging afterwards
 * denies with reason settled.  Settling again changes nothing. */
PINFAST_API PINFAST_CHECK struct pinfast_verdict
pinfast_conn_settle(struct pinfast_conn *conn);

/*
 * Is this key one that today's policy wants for this connection?  Steers a
 * search for further paths; says nothing about a verdict.
 * returns 1: pinned, 0: not, -1: rejected
 */
PINFAST_API int pinfast_conn_wants(struct pinfast_conn *conn,
    struct pinfast_bytes spki);

/* What an adapter must know before the handshake.  Bits. */
enum pinfast_need {
	PINFAST_NEED_PKIX = 1, /* some entry wants the library's verification */
	PINFAST_NEED_LEAF_ONLY = 2, /* every entry is `pkix: none` */
	PINFAST_NEED_TRUST = 4,     /* some entry brings its own anchors */
	PINFAST_NEED_PATH =
	    8, /* another path could turn a deny into an allow */
	PINFAST_NEED_LEAF = 16 /* the leaf's key alone can make it a deny */
};
PINFAST_API unsigned pinfast_conn_needs(struct pinfast_conn *conn);

/*
 * Calls fn with every trust anchor (DER) of the connection's entry and
 * remembers that the verification rests on them: evidence gathered under
 * other anchors does not count as verified.  Call it, also when there are
 * none, before the handshake and before another try with a reloaded policy.
 * returns the number of anchors, or the first non-zero result of fn, negated;
 * -1 when the names' entries want different anchors
 */
typedef int (*pinfast_anchor_fn)(void *arg, struct pinfast_bytes der);
PINFAST_API int pinfast_conn_trust(struct pinfast_conn *conn,
    pinfast_anchor_fn fn, void *arg);

/*
 * A hash (SHA-256) of what today's policy asks of the connection's names: the
 * same as long as changes of the policy concern others, and no expiry or lapse
 * is passed.  Servers bind the
 * sessions they hand out to it.
 * returns 0: there is no policy, and the hash is that of nothing
 */
PINFAST_API int pinfast_conn_terms(struct pinfast_conn *conn, uint8_t out[32]);

/*
 * Says in one sentence what was decided and why, and for a mismatch which
 * keys were shown and which were wanted.  Writes at most size bytes including
 * the NUL and returns the full length.
 */
PINFAST_API size_t pinfast_conn_explain(const struct pinfast_conn *conn,
    char *text, size_t size);

/*
 * What a session needs to be resumed later: what this connection proved, not
 * what was decided.  Only for a settled ALLOW that rests on evidence of its
 * own or of a tag, with exactly one name, else PINFAST_ENOTFOUND: then do not
 * let the session be resumed.
 *
 * blob   the serialised session the tag is stored with; len 0: stays in memory
 * now    the present time
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_conn_tag(struct pinfast_conn *conn, struct pinfast_bytes blob,
    uint8_t tag[PINFAST_TAG_MAX], size_t *len);

/*
 * For programs that hold certificates but no TLS library (offline tools,
 * tests): drops the two-parser rule for this connection.  Never in front of a
 * live one.
 */
PINFAST_API void pinfast_insecure_conn_one_parser(struct pinfast_conn *conn);

/* ------------------------------------------------------------------- pins */

/*
 * The pin of a certificate, a certification request or a
 * SubjectPublicKeyInfo in DER: SHA-256 over the SPKI's bytes as they stand
 * (RFC 7469 section 2.4).  On PINFAST_EFORMAT *bad_at (may be NULL) is the
 * offset of the first byte that is not structure-exact.
 */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_pin_of(struct pinfast_bytes der, uint8_t pin[PINFAST_PIN_LEN],
    size_t *bad_at);

/* Reads "sha256/" and 44 characters of base64, canonical, nothing else. */
PINFAST_API PINFAST_CHECK enum pinfast_error pinfast_pin_read(const char *text,
    uint8_t pin[PINFAST_PIN_LEN]);
PINFAST_API void pinfast_pin_write(const uint8_t pin[PINFAST_PIN_LEN],
    char text[PINFAST_PIN_TEXT_LEN]);

/* The one canonical form of a host name or address; PINFAST_EHOST. */
PINFAST_API PINFAST_CHECK enum pinfast_error
pinfast_host_canonical(const char *in, char out[PINFAST_HOST_LEN]);

/* Never NULL; static. */
PINFAST_API const char *pinfast_error_text(enum pinfast_error error);
PINFAST_API const char *pinfast_reason_name(int32_t reason);
PINFAST_API const char *pinfast_reason_text(int32_t reason);
PINFAST_API const char *pinfast_version(void); /* "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif
