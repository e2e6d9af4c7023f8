/*
 * Schemas: the OpenAPI v3 subset that kinds/ uses: checks, defaults, unknown fields, list types.
 *
 * Keywords: type, properties, required, additionalProperties (schema or true), items, enum,
 * pattern, minimum, maximum, minLength, maxLength, minItems, maxItems, maxProperties, default,
 * nullable, format (int32, int64, date-time, byte), description, x-kubernetes-int-or-string,
 * x-kubernetes-preserve-unknown-fields, x-kubernetes-list-type (atomic, set, map),
 * x-kubernetes-list-map-keys. A keyword that is not listed is refused at load: a schema never
 * promises what nobody checks.
 */
#ifndef SLIPWAY_CODEC_SCHEMA_H
#define SLIPWAY_CODEC_SCHEMA_H

#include "codec/jv.h"

struct schema;

/* One thing that is wrong, in the words of Kubernetes' StatusCause. */
struct schema_cause {
	const char *reason; /* "FieldValueInvalid", "FieldValueRequired", "FieldValueNotSupported",
			       ... */
	const char *field; /* "spec.roles[0].name" */
	const char *message; /* 'Invalid value: "string": must be one of ...' */
};

enum { SCHEMA_CAUSES_MAX = 20 };

/* Starts zeroed but for the arena that the texts live in; more than the most are counted, not kept.
 */
struct schema_causes {
	struct arena *arena;
	struct schema_cause v[SCHEMA_CAUSES_MAX];
	size_t n;
};

void schema_cause_add(
	struct schema_causes *c, const char *reason, const char *field, const char *fmt, ...)
	PRINTF(4, 5);

/* Keeps a reference to doc. Freed with schema_free. */
enum err_code schema_load(json_t *doc, struct schema **ret, struct err *e);
void schema_free(struct schema *s);
const json_t *schema_doc(const struct schema *s);

/* Adds a cause for each violation; the value is not changed. */
void schema_check(const struct schema *s, const json_t *value, struct schema_causes *out);

/* Fills in defaults for missing fields, also inside objects that are there. */
void schema_default(const struct schema *s, json_t *value);

/* Removes fields that the schema does not know, and adds a cause "FieldValueUnknown" with
 * message 'unknown field "spec.foo"' for each. */
void schema_prune(const struct schema *s, json_t *value, struct schema_causes *out);

/* The schema of a field: path as in jv_at, items by any number or "[]"; NULL where unknown. */
const json_t *schema_at(const struct schema *s, const char *path);

#endif
