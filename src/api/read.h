/*
 * get and list.
 */
#ifndef SLIPWAY_API_READ_H
#define SLIPWAY_API_READ_H

#include "api/call.h"

/* resourceVersion of the query: -1 where there is none, 400 where it is no number. */
json_t *read_revision(struct call *c, int64_t *ret);

json_t *read_get(struct call *c);
json_t *read_list(struct call *c);

#endif
