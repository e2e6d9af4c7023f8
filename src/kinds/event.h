/* Event: something that happened to an object. The rules of struct kind. */
#ifndef SLIPWAY_KINDS_EVENT_H
#define SLIPWAY_KINDS_EVENT_H

#include "codec/schema.h"

void event_check(const json_t *object, const json_t *old, struct schema_causes *out);
json_t *event_column(const json_t *object, const char *column);

#endif
