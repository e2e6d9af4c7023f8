/*
 * Positions in PostgreSQL's write-ahead log: 64 bits, written as two hexadecimal halves
 * "0/16B3748".
 *
 * Compare and subtract them as the numbers that they are. Pure.
 */
#ifndef SLIPWAY_CODEC_LSN_H
#define SLIPWAY_CODEC_LSN_H

#include "base/err.h"
#include "base/str.h"

enum { LSN_TEXT = 18 };

/* As pg_lsn_in: one to eight hexadecimal digits, "/", one to eight more. */
enum err_code lsn_parse(struct str in, uint64_t *ret, struct err *e);

/* As pg_lsn_out; returns ret. */
const char *lsn_text(uint64_t lsn, char ret[LSN_TEXT]);

/* Bytes that `at` lacks to reach `to`: 0 when it is there or past it. */
uint64_t lsn_behind(uint64_t at, uint64_t to);

#endif
