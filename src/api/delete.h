/*
 * delete and deletecollection.
 */
#ifndef SLIPWAY_API_DELETE_H
#define SLIPWAY_API_DELETE_H

#include "api/call.h"

/* 200 with a Status when it is gone, with the object when finalizers keep it for now. */
json_t *delete_one(struct call *c);
json_t *delete_collection(struct call *c);

#endif
