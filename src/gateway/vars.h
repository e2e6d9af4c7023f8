/*
 * Sets of the parameters that a server reports (ParameterStatus): immutable, and one for equal
 * values, so that "the same settings" is one comparison and 10,000 clients share what they share.
 *
 * Counted; a set belongs to the table that it was made in. One thread.
 */
#ifndef SLIPWAY_GATEWAY_VARS_H
#define SLIPWAY_GATEWAY_VARS_H

#include "base/map.h"

struct vars {
	struct vars_table *table;
	unsigned refs;
	uint32_t n; /* bytes of pairs */
	char pairs[]; /* name NUL value NUL …, in the order of names */
};

struct vars_table {
	struct map sets;
};

struct vars *vars_empty(struct vars_table *t);
struct vars *vars_ref(struct vars *v);
void vars_drop(struct vars *v); /* NULL is fine */

/* The set with this value in it: a new reference; v's is dropped. */
struct vars *vars_with(struct vars *v, struct str name, struct str value);
struct str vars_get(const struct vars *v, const char *name); /* p NULL: none */
bool vars_next(struct str *rest, struct str *ret_name, struct str *ret_value);
static inline struct str vars_pairs(const struct vars *v)
{
	return (struct str){v->pairs, v->n};
}

/* Whether a client may set it: others are the server's own (server_version, …). */
bool vars_can_set(struct str name);

#endif
