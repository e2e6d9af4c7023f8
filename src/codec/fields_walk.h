/*
 * Values by their fields: which a value has, which differ, values merged and fields taken out.
 *
 * Objects are made of fields; lists of type set and map of their items; all else is one field. So
 * is what lies deeper than FIELDS_DEPTH_MAX: a set, kept inside its object, must not make that
 * deeper than JV_DEPTH_MAX.
 */
#ifndef SLIPWAY_CODEC_FIELDS_WALK_H
#define SLIPWAY_CODEC_FIELDS_WALK_H

#include "codec/schema_node.h"

enum { FIELDS_DEPTH_MAX = 40 };

/* Sets (codec/fields_set.h). */
struct fields_diff {
	json_t *added, *modified, *removed;
};

/* The fields that somebody who says this value owns. */
json_t *fields_of(const struct schema_node *n, const json_t *value);

void fields_compare(
	const struct schema_node *n, const json_t *from, const json_t *to, struct fields_diff *ret);
void fields_diff_done(struct fields_diff *d);

/* `over` laid over `under`. Items of lists keep the order of `over`, those that only `under` has
 * stay at their places. */
json_t *fields_merge(const struct schema_node *n, const json_t *under, const json_t *over);

/* Without the fields of the set; what has become empty goes too. */
json_t *fields_remove(const struct schema_node *n, const json_t *value, const json_t *set);

#endif
