/*
 * The bytes of a compiled store: little-endian, 32-bit offsets from the start
 * of the file.  Hides nothing: reader (store.c, lookup.c, rule.c) and writer
 * (model/writer.c) share these positions, and ARCHITECTURE.md draws them.
 * Frozen; grows only in reserved bytes and with a new version.
 */
#ifndef PF_LAYOUT_H
#define PF_LAYOUT_H

#include <stdint.h>

#define PF_MAGIC "PINFAST\x01"
#define PF_MAGIC_LEN 8
#define PF_VERSION 1U

/* Header: positions.  Sections follow in this order without gaps. */
#define PF_HDR_MAGIC 0
#define PF_HDR_VERSION 8       /* u32 */
#define PF_HDR_LEN 12          /* u32, 256 */
#define PF_HDR_SIZE 16         /* u64, of the whole file */
#define PF_HDR_SERIAL 24       /* u64, 0: none */
#define PF_HDR_ISSUED 32       /* i64, 0: not said */
#define PF_HDR_VALID 40        /* i64, 0: never lapses */
#define PF_HDR_SEED 48         /* u64 */
#define PF_HDR_DEPTHS 56       /* u64, bit d: names of d labels cover others */
#define PF_HDR_BUCKETS 64      /* u32: a name's own bucket is below this */
#define PF_HDR_SLOTS 68        /* u32: names times scopes */
#define PF_HDR_TERMS 72        /* u32: number of terms */
#define PF_HDR_RUN 76          /* u32: further buckets that a probe looks at */
#define PF_HDR_ON_LAPSE 80     /* u8, enum pinfast_action */
#define PF_HDR_UNLISTED 81     /* u8 */
#define PF_HDR_UNKNOWN_HOST 82 /* u8 */
#define PF_HDR_HTTPS_ONLY 83   /* u8, enum pinfast_https_only */
#define PF_HDR_FLAGS 84        /* u32, 0 */
#define PF_HDR_BUCKETS_AT 88   /* u32, each section's position */
#define PF_HDR_NAMES_AT 92
#define PF_HDR_RULES_AT 96
#define PF_HDR_TERMS_AT 100
#define PF_HDR_BLOBS_AT 104
#define PF_HDR_REJECT_AT 108 /* u32, inside blobs */
#define PF_HDR_REJECT_COUNT 112
#define PF_HDR_URLS_AT 116 /* u32, inside blobs */
#define PF_HDR_URLS_COUNT 120
#define PF_HDR_RESERVED 124 /* zeros up to the sum */
#define PF_HDR_SUM 208      /* u64: everything but itself, core/sum.h */
#define PF_HDR_RESERVED2 216
#define PF_HDR_DIGEST 224 /* SHA-256 of everything but the sum and itself */
#define PF_HEADER_LEN 256

/* Bucket: one cache line.  n, more, 0, 0, tags, offsets of name records. */
#define PF_BUCKET_LEN 64
#define PF_BUCKET_SLOTS 10
#define PF_BUCKET_FILL 7 /* what the writer aims at */
#define PF_BUCKET_TAG 4
#define PF_BUCKET_AT 24

/* A tag: 14 bits of the hash and the scope (enum pinfast_scope). */
#define PF_TAG_SCOPE 3U
#define PF_TAG_HASH 0xfffcU

/* Name record: u32 offset of its rule, u8 length, the name's key bytes; a
 * rule that only this name uses lies directly behind. */
#define PF_NAME_RULE 0
#define PF_NAME_LEN 4
#define PF_NAME_TEXT 5

/* Rule: u16 terms, u8 counts[6]; if shadow pins: u8 counts[4]; pins. */
#define PF_RULE_TERMS 0
#define PF_RULE_COUNTS 2 /* any leaf ca cert reject shadow */
#define PF_RULE_LEN 8
#define PF_RULE_SHADOW_LEN 4 /* any leaf ca cert */

/* Rule by port: 0xffff, u16 n, then n rows sorted by port. */
#define PF_TERMS_BY_PORT 0xffffU
#define PF_PORTS_LEN 4
#define PF_PORT_ROW_LEN 8 /* u16 port, u16 0, u32 rule */

/* Terms. */
#define PF_TERMS_LEN 64
#define PF_TERMS_MODE 0      /* u8 */
#define PF_TERMS_FLAGS 1     /* u8 */
#define PF_TERMS_ON_EXPIRY 2 /* u8, 0 when there is no expiry */
#define PF_TERMS_ANCHORS 4   /* u32, inside blobs; 0: the application's */
#define PF_TERMS_WARN 8      /* i64, 0: never */
#define PF_TERMS_EXPIRES 16  /* i64, 0: never */
#define PF_TERMS_RESERVED 24 /* u64, 0 */
#define PF_TERMS_TRUST 32    /* SHA-256 of the anchors, zeros when none */

#define PF_TERM_PKIX_NONE 1U
#define PF_TERM_IGNORE_DATES 2U
#define PF_TERM_REQUIRE_ALL 4U
#define PF_TERM_UNION 8U
#define PF_TERM_DERIVED 16U /* a row that exists for a parent's port */
#define PF_TERM_ALL 31U

/* Anchors: u32 count, then each u32 length and DER.  URLs: u16 length and
 * text each. */

#endif
