/*
 * Conditions: status.conditions[] as Kubernetes defines metav1.Condition.
 */
#ifndef SLIPWAY_KINDS_COND_H
#define SLIPWAY_KINDS_COND_H

#include "codec/jv.h"

/* Sets the condition of this type; lastTransitionTime moves only when status does. Says whether
 * anything changed. status is "True", "False" or "Unknown"; reason is CamelCase; message one
 * sentence. */
bool cond_set(
	json_t *object, const char *type, const char *status, const char *reason,
	const char *message);

/* "True", "False", "Unknown"; NULL when there is none. */
const char *cond_status(const json_t *object, const char *type);
const json_t *cond_get(const json_t *object, const char *type);

#endif
