/* Secret: the rules of struct kind. Values are base64 text; sealing them is the store's business.
 */
#ifndef SLIPWAY_KINDS_SECRET_KIND_H
#define SLIPWAY_KINDS_SECRET_KIND_H

#include "codec/schema.h"

/* stringData becomes data, and goes. */
void secret_kind_prepare(json_t *object, const json_t *old);
void secret_kind_check(const json_t *object, const json_t *old, struct schema_causes *out);
json_t *secret_kind_column(const json_t *object, const char *column);

#endif
