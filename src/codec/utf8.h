/* UTF-8 (RFC 3629), one character at a time. Pure. */
#ifndef SLIPWAY_CODEC_UTF8_H
#define SLIPWAY_CODEC_UTF8_H

#include "base/str.h"

/* The bytes of the first character of s, which becomes *ret; 0 when there is none (a stray or
 * overlong byte, a surrogate, above U+10FFFF, cut off, or s is empty). NUL is a character. */
size_t utf8_next(struct str s, uint32_t *ret);

/* Cells that a character takes on a terminal: 0 (joined to the one before), 1 or 2. */
int utf8_cells(uint32_t c);

#endif
