/*
 * What a write makes of what is there: the rules of metadata, generation, status and deletion.
 *
 * Pure: no I/O, no clock.
 */
#ifndef SLIPWAY_STORE_CHANGE_H
#define SLIPWAY_STORE_CHANGE_H

#include "store/store.h"

enum change_op { CHANGE_ADD = 'A', CHANGE_MODIFY = 'M', CHANGE_DELETE = 'D', CHANGE_NONE = '=' };

struct change {
	enum change_op op;
	/* The object as it will be (CHANGE_NONE: is; CHANGE_DELETE: was last). A new value that
	 * shares its parts with the write's object and with base: for reading only. Its
	 * resourceVersion means nothing. */
	json_t *object;
};

/* base is the object there is with its revision, NULL for none. now is an RFC 3339 time and uid a
 * new uid, used where they are needed. ERR_EXISTS, ERR_NOT_FOUND, ERR_CONFLICT as store_write says.
 */
enum err_code change_plan(
	const struct store_write *w, const json_t *base, int64_t base_revision, const char *now,
	const char *uid, struct change *ret, struct err *e);

#endif
