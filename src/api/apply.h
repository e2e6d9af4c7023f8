/*
 * Server-side apply: a manager says which fields it wants, and owns them from then on.
 */
#ifndef SLIPWAY_API_APPLY_H
#define SLIPWAY_API_APPLY_H

#include "api/call.h"

/* A PATCH with application/apply-patch+yaml; creates the object where there is none. */
json_t *apply_handle(struct call *c);

#endif
