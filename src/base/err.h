/*
 * Errors: returned as a code, worded once, logged at the boundary.
 *
 * The caller owns the struct err; the failing call fills it, the layers above just return the code.
 * A message is one sentence for a person: what happened, to what, what to do. It never holds a
 * secret.
 */
#ifndef SLIPWAY_BASE_ERR_H
#define SLIPWAY_BASE_ERR_H

#include "base/defs.h"

enum err_code {
	ERR_OK = 0,
	ERR_INVALID, /* the input is wrong; the message says where and what is wanted */
	ERR_LIMIT, /* the input is right but more than a written-down limit */
	ERR_NOT_FOUND, /* no such thing */
	ERR_EXISTS, /* it is there already */
	ERR_CONFLICT, /* it has changed since it was read, or somebody else owns it */
	ERR_GONE, /* it was there, and no longer is (a compacted revision, a used token) */
	ERR_UNAUTHORIZED, /* who are you? */
	ERR_FORBIDDEN, /* I know you, but no */
	ERR_TIMEOUT, /* did not finish within its deadline */
	ERR_UNAVAILABLE, /* a part that is needed cannot be reached now; trying again may help */
	ERR_IO, /* the operating system said no */
	ERR_INTERNAL, /* our own bug */
	ERR_CODES
};

struct err {
	enum err_code code;
	char text[500];
};

/* Fills e (which may be NULL) and returns code, so that it can stand behind `return`. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* As err_set with the text of errno behind it: "read 'x': No such file or directory". The code is
 * ERR_NOT_FOUND for ENOENT, ERR_EXISTS for EEXIST, ERR_LIMIT for EFBIG, else ERR_IO. */
enum err_code err_os(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Puts "context: " before the text that e has and returns its code. */
enum err_code err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* A short lasting name: "conflict". */
const char *err_name(enum err_code code);

#endif
