/*
 * JSON values: jansson's, read strictly and reached by path.
 *
 * No string holds a NUL byte ("\\u0000" is refused: PostgreSQL's jsonb cannot keep it), so all of
 * them are C strings. A json_t is counted by jansson: what a function here returns as `ret` is the
 * caller's to drop (json_decref, or CLEANUP(jv_drop)); what a look-up returns is borrowed from its
 * parent.
 */
#ifndef SLIPWAY_CODEC_JV_H
#define SLIPWAY_CODEC_JV_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { JV_DEPTH_MAX = 64 };

/* For CLEANUP on a json_t *. */
void jv_drop(json_t **v);

/* RFC 8259 with nothing beside it: one value, no duplicate keys, no NaN, integers of 64 bits, at
 * most max bytes (ERR_LIMIT), at most JV_DEPTH_MAX deep. The message names line and column. */
enum err_code jv_parse(struct str in, size_t max, json_t **ret, struct err *e);

/* A string value from any bytes: what is no UTF-8 (or NUL) becomes U+FFFD. */
json_t *jv_string(struct str s);

/* Compact text, keys in their order; lives in the arena. jv_text_sorted has the keys sorted: equal
 * values give equal bytes. */
struct str jv_text(struct arena *a, const json_t *v);
struct str jv_text_sorted(struct arena *a, const json_t *v);
void jv_print(struct buf *out, const json_t *v, bool is_pretty);

/* A path is "metadata.name" or "spec.roles.0.name"; NULL where something on it is missing. A key
 * that holds dots is reached with json_object_get. */
json_t *jv_at(const json_t *v, const char *path);
const char *jv_str(const json_t *v, const char *path); /* NULL: none, or no string */
const char *
jv_str_or(const json_t *v, const char *path, const char *other); /* never NULL if other is not */
int64_t jv_int(const json_t *v, const char *path, int64_t other);
bool jv_bool(const json_t *v, const char *path, bool other);

/* Levels of nesting: 0 for a scalar, 1 for an object or array of scalars. */
int jv_depth(const json_t *v);

/* Sets by path in an object and makes the objects on the way, also in place of what is no object.
 * Steals value, as json_object_set_new does. In an array, an index or its length (appends). */
void jv_set(json_t *v, const char *path, json_t *value);
void jv_set_str(json_t *v, const char *path, const char *value); /* NULL removes */
void jv_remove(json_t *v, const char *path);

/* The object at path, made when it is missing (borrowed). */
json_t *jv_object_at(json_t *v, const char *path);

/* 128 bits over the sorted text, as 32 hex digits: a fingerprint of a value. */
const char *jv_hash(struct arena *a, const json_t *v);

#endif
