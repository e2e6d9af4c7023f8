/*
 * Custom: names of parameters with a dot in them (my.tenant) that a client sets.
 *
 * PostgreSQL shows such placeholders in none of its views (guc.h: GUC_NO_SHOW_ALL), so a session
 * can only be asked for them by name, and the names are read from what the client says: SET a.b,
 * set_config('a.b', …). Pure, linear in the text.
 */
#ifndef SLIPWAY_GATEWAY_CUSTOM_H
#define SLIPWAY_GATEWAY_CUSTOM_H

#include "base/str.h"

enum { CUSTOM_NAME_MAX = 63, CUSTOM_MOST = 32 };

/* Adds each name in sql that is not yet in names (each with a NUL byte), lower case. False where a
 * name is computed (set_config with no literal), or there are too many: they cannot be known. */
bool custom_note(struct str sql, struct buf *names);

#endif
