/*
 * get and list, and what a list and a watch select.
 */
#ifndef SLIPWAY_API_READ_H
#define SLIPWAY_API_READ_H

#include "api/call.h"

/* Selection by query: what the store filters, and what is filtered here. */
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

/* resourceVersion of the query: -1 where there is none, 400 where it is no number. */
json_t *read_revision(struct call *c, int64_t *ret);

json_t *read_get(struct call *c);
json_t *read_list(struct call *c);

#endif
