/*
 * Causes in the words of Kubernetes' field errors, for rules that a schema cannot say.
 */
#ifndef SLIPWAY_KINDS_CAUSE_H
#define SLIPWAY_KINDS_CAUSE_H

#include "codec/schema.h"

/* 'Invalid value: "9": <why>' */
void cause_invalid(
	struct schema_causes *out, const char *field, const char *value, const char *fmt, ...)
	PRINTF(4, 5);
/* 'Forbidden: <why>' */
void cause_forbidden(struct schema_causes *out, const char *field, const char *fmt, ...)
	PRINTF(3, 4);
/* 'Duplicate value: "app"' */
void cause_duplicate(struct schema_causes *out, const char *field, const char *value);

/* "spec.roles[3].name", in the arena of the causes. */
const char *cause_field(struct schema_causes *out, const char *fmt, ...) PRINTF(2, 3);

#endif
