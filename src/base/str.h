/*
 * Slices and growing buffers.
 *
 * A struct str is a view: pointer and length, no NUL byte promised, owned by somebody else.
 * A struct buf owns its bytes on the heap (buf_done) and always keeps a NUL byte behind them.
 */
#ifndef SLIPWAY_BASE_STR_H
#define SLIPWAY_BASE_STR_H

#include <stdarg.h>
#include <string.h>

#include "base/defs.h"

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b); /* the same bytes as the C string b */
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);

/* These take the prefix or suffix off and say true, or leave s alone and say false. */
bool str_cut_prefix(struct str *s, const char *prefix);
bool str_cut_suffix(struct str *s, const char *suffix);

struct str str_trim(struct str s); /* without white space at both ends */

/* The part before the first sep; *rest becomes what stands behind it. Without a sep: all of it, and
 * an empty rest. Says false once *rest was empty with a NULL pointer (its end). */
bool str_split(struct str *rest, char sep, struct str *ret_part);

/* Decimal digits only (str_to_i64: with an optional '-'), all of s, no overflow. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_i64(struct str s, int64_t *ret);

/* 64-bit hash (FNV-1a): for tables and fingerprints, not against an enemy. */
uint64_t str_hash(struct str s);

struct buf {
	char *p;
	size_t n;
	size_t cap;
};

/* A zeroed struct buf is an empty buffer. */
void buf_done(struct buf *b);
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_cut_front(struct buf *b, size_t n); /* drops the first n bytes */
void buf_clear(struct buf *b); /* keeps the memory */

static inline struct str buf_view(const struct buf *b)
{
	return (struct str){b->p ? b->p : "", b->n};
}

#endif
