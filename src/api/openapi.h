/*
 * OpenAPI: the API described by itself, from the schemas of the kinds: /openapi/v3 and its document
 * a group, and /openapi/v2 as JSON and as the protocol buffer that kubectl before 1.27 reads.
 *
 * Built once at start, then only read: any thread.
 */
#ifndef SLIPWAY_API_OPENAPI_H
#define SLIPWAY_API_OPENAPI_H

#include "api/call.h"

struct openapi *openapi_new(void);
void openapi_free(struct openapi *o);

json_t *openapi_v3(struct call *c);
json_t *openapi_v2(struct call *c);

/* The documents themselves, new values: of a group ("apis/slipway.dev/v1"; NULL: none), and all in
 * the older form. */
json_t *openapi_document(const char *path);
json_t *openapi_swagger(void);

#endif
