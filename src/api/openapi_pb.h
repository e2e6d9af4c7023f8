/*
 * An OpenAPI 2 document as the protocol buffer openapi.v2.Document (gnostic): the only form that
 * kubectl before 1.27 reads. Pure; the subset that openapi.c makes.
 */
#ifndef SLIPWAY_API_OPENAPI_PB_H
#define SLIPWAY_API_OPENAPI_PB_H

#include "codec/jv.h"

void openapi_pb_print(struct buf *out, const json_t *document);

#endif
