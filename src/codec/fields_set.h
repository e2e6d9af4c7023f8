/*
 * Sets of fields, kept as FieldsV1 has them: a tree whose keys are the elements of paths.
 *
 *   {"f:spec": {"f:roles": {"k:{\"name\":\"app\"}": {".": {}, "f:login": {}}}}}
 *
 * holds .spec.roles[name="app"] and .spec.roles[name="app"].login. A node is in the set when it is
 * empty or has "."; the root never is. The empty set is NULL, and so no function returns {}.
 * Results are the caller's to drop. They share subtrees with what they were made of, so a set is
 * not changed once it is made (fields_set_strip is for one that nobody else reads any more).
 */
#ifndef SLIPWAY_CODEC_FIELDS_SET_H
#define SLIPWAY_CODEC_FIELDS_SET_H

#include "codec/schema_node.h"

/* A node from its children (stolen; NULL: none) and whether it is in the set itself. */
json_t *fields_set_node(json_t *children, bool is_in);
bool fields_set_has(const json_t *node); /* NULL: no */

json_t *fields_set_union(const json_t *a, const json_t *b);
json_t *fields_set_common(const json_t *a, const json_t *b);
json_t *fields_set_without(const json_t *a, const json_t *b);

/* Changes *set, which becomes that without what nobody owns (names, times, versions). */
void fields_set_strip(json_t **set);

/* With the fields that n names and that hold others of the set: who owns spec.size owns spec. */
json_t *fields_set_named(const struct schema_node *n, const json_t *set);

/* Calls fn for each path of the set, as ".spec.roles[name=\"app\"].login". */
void fields_set_each(const json_t *set, void (*fn)(void *ctx, const char *path), void *ctx);

/* A set from outside, with its keys in our form; ERR_INVALID when it is none. */
enum err_code fields_set_read(const json_t *in, json_t **ret, struct err *e);

#endif
