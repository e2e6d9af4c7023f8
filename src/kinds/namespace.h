/* Namespace: one team's environment. The rules of struct kind. */
#ifndef SLIPWAY_KINDS_NAMESPACE_H
#define SLIPWAY_KINDS_NAMESPACE_H

#include "codec/schema.h"

/* A new one is Active, has its name as a label, and a finalizer that empties it when it goes. */
void namespace_prepare(json_t *object, const json_t *old);

#endif
