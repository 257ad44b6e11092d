/*
 * Byte-order-free reading and writing of small integers, and comparing and
 * copying of bytes without <string.h> surprises.  Nothing here can fail and
 * nothing here knows about sizes beyond what it is told: callers check.
 */
#ifndef PF_BYTES_H
#define PF_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The little-endian numbers that begin at p, which need not be aligned. */
static inline uint16_t
pf_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

/* 32 bits of them. */
static inline uint32_t
pf_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* 64 bits. */
static inline uint64_t
pf_le64(const uint8_t *p)
{
	return (uint64_t)pf_le32(p) | (uint64_t)pf_le32(p + 4) << 32;
}

/* A big-endian one of 32 bits. */
static inline uint32_t
pf_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* Writes the little-endian form of v to p, which need not be aligned. */
static inline void
pf_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* 32 bits of it. */
static inline void
pf_put_le32(uint8_t *p, uint32_t v)
{
	pf_put_le16(p, (uint16_t)v);
	pf_put_le16(p + 2, (uint16_t)(v >> 16));
}

/* 64 bits. */
static inline void
pf_put_le64(uint8_t *p, uint64_t v)
{
	pf_put_le32(p, (uint32_t)v);
	pf_put_le32(p + 4, (uint32_t)(v >> 32));
}

/* The big-endian form, 32 bits. */
static inline void
pf_put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Asks for the memory at p, which is wanted soon.  Only asks: p may lie
 * anywhere. */
#if defined(__GNUC__)
#define PF_PREFETCH(p) __builtin_prefetch((const void *)(p))
#else
#define PF_PREFETCH(p) ((void)(p))
#endif

/* Are len bytes the same?  Without any, the pointers may be NULL. */
static inline int
pf_same(const void *a, const void *b, size_t len)
{
	return len == 0 || memcmp(a, b, len) == 0;
}

#endif
