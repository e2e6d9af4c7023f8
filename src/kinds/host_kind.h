/* Host and Member: what stays as it was made. The rules of struct kind. */
#ifndef SLIPWAY_KINDS_HOST_KIND_H
#define SLIPWAY_KINDS_HOST_KIND_H

#include "codec/schema.h"

void host_kind_check(const json_t *object, const json_t *old, struct schema_causes *out);
void member_kind_check(const json_t *object, const json_t *old, struct schema_causes *out);

#endif
