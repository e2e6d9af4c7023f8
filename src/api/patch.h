/*
 * patch: JSON patch, merge patch, strategic merge patch (core kinds), server-side apply.
 */
#ifndef SLIPWAY_API_PATCH_H
#define SLIPWAY_API_PATCH_H

#include "api/call.h"

json_t *patch_handle(struct call *c);

#endif
