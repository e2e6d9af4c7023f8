/*
 * What a list, a watch or a deletecollection selects, from the query.
 */
#ifndef SLIPWAY_API_SELECTION_H
#define SLIPWAY_API_SELECTION_H

#include "api/call.h"

/* What the store filters, and what is filtered here. */
struct selection {
	struct store_filter store;
	json_t *labels; /* numeric label conditions; NULL: none */
	json_t *fields; /* field conditions */
	bool is_exact; /* the store filters all: nothing is left for us */
};

/* 400 for selectors that make no sense. */
json_t *selection_read(struct call *c, struct selection *ret);
void selection_done(struct selection *s);
bool selection_takes(const struct selection *s, const json_t *object);

#endif
