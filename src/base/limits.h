/*
 * Every limit, in one place (DESIGN: beyond a limit pinfast refuses and names
 * it).  Tests build with small values by defining them beforehand;
 * tests/unit/test_base.c asserts the values that ship.
 */
#ifndef PF_LIMITS_H
#define PF_LIMITS_H

#include <stdint.h>

#ifndef PF_MAX_PATH
#define PF_MAX_PATH 16 /* certificates in a verified path */
#endif
#ifndef PF_MAX_CERT
#define PF_MAX_CERT 65536 /* bytes of one certificate */
#endif
#ifndef PF_MAX_HOST
#define PF_MAX_HOST 253 /* octets of a canonical host name */
#endif
#ifndef PF_MAX_LABEL
#define PF_MAX_LABEL 63 /* octets of one label (RFC 1035) */
#endif
#ifndef PF_MAX_PINS
#define PF_MAX_PINS 64 /* pins in a set, counted after union */
#endif
#ifndef PF_MAX_REJECT
#define PF_MAX_REJECT 64 /* rejected keys of one entry, or of the policy */
#endif
#ifndef PF_MAX_HOSTS
#define PF_MAX_HOSTS 4000000 /* names with an entry */
#endif
#ifndef PF_MAX_PORTS
#define PF_MAX_PORTS 255 /* entries of one name, by port */
#endif
#ifndef PF_MAX_TERMS
#define PF_MAX_TERMS 65534 /* different sets of terms in a store */
#endif
#ifndef PF_MAX_ANCHORS
#define PF_MAX_ANCHORS 64 /* private trust anchors of one entry */
#endif
#ifndef PF_MAX_REPORT_TO
#define PF_MAX_REPORT_TO 16 /* report URLs of a policy */
#endif
#ifndef PF_MAX_URL
#define PF_MAX_URL 2048 /* bytes of one report URL */
#endif
#ifndef PF_MAX_NAMES
#define PF_MAX_NAMES 16 /* different names of one connection */
#endif
#ifndef PF_MAX_POLICY_TEXT
#define PF_MAX_POLICY_TEXT (1024UL * 1024 * 1024) /* bytes of policy text */
#endif
#ifndef PF_MAX_YAML_DEPTH
#define PF_MAX_YAML_DEPTH 16
#endif
#ifndef PF_MAX_STORE
#if UINTPTR_MAX > 0xffffffffU
#define PF_MAX_STORE 0xffffffffU /* bytes: offsets are 32 bits wide */
#else
#define PF_MAX_STORE 0x40000000U
#endif
#endif
#ifndef PF_MAX_RUN
#define PF_MAX_RUN 3 /* buckets that one probe may look at beyond its own */
#endif

#ifndef PF_MAX_DIALOGUE
#define PF_MAX_DIALOGUE 65536 /* bytes of a peer before TLS begins */
#endif
#ifndef PF_MAX_DIALOGUE_LINE
#define PF_MAX_DIALOGUE_LINE 1024 /* bytes of one line or message of those */
#endif

/*
 * The library's release date: a clock that says less is wrong.  Set by hand
 * with the version, so that equal sources give equal verdicts.
 */
#ifndef PF_RELEASE_TIME
#define PF_RELEASE_TIME 1795132800LL /* 2026-11-20T00:00:00Z */
#endif

#endif
