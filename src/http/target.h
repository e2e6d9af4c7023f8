/*
 * The request target of HTTP: checked, split and percent-decoded (RFC 9112 section 3.2, RFC 3986).
 *
 * Pure. Texts live in the caller's arena.
 */
#ifndef SLIPWAY_HTTP_TARGET_H
#define SLIPWAY_HTTP_TARGET_H

#include "base/arena.h"
#include "base/str.h"

/* Why it is no target that we take: NULL, or words for the client. Refused are bytes that a URL
 * cannot hold, half an escape, and %00. */
const char *target_why(struct str raw);

/* The decoded path: without the query, and without "https://host" where a client sent that. */
const char *target_path(struct arena *a, struct str raw);

/* The decoded value of the first parameter of this name; NULL: none. '+' is a space. */
const char *target_query(struct arena *a, struct str raw, const char *name);

#endif
