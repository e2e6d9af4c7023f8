/*
 * The path items of a kind, for OpenAPI documents: enough that clients find its verbs, its schema
 * and its query parameters. Pure.
 */
#ifndef SLIPWAY_API_OPENAPI_PATHS_H
#define SLIPWAY_API_OPENAPI_PATHS_H

#include "base/arena.h"
#include "kinds/kinds.h"

/* Adds them to `paths`; schema is the name of the kind's schema. */
void openapi_paths_add(
	struct arena *a, json_t *paths, const struct kind *k, const char *schema, bool is_v2);

#endif
