#include "kinds/cause.h"

#include <stdarg.h>

void cause_invalid(
	struct schema_causes *out, const char *field, const char *value, const char *fmt, ...)
{
	va_list ap;
	const char *why;

	va_start(ap, fmt);
	why = arena_vprintf(out->arena, fmt, ap);
	va_end(ap);
	schema_cause_add(
		out, "FieldValueInvalid", field, "Invalid value: \"%s\": %s", value ? value : "",
		why);
}

void cause_forbidden(struct schema_causes *out, const char *field, const char *fmt, ...)
{
	va_list ap;
	const char *why;

	va_start(ap, fmt);
	why = arena_vprintf(out->arena, fmt, ap);
	va_end(ap);
	schema_cause_add(out, "FieldValueForbidden", field, "Forbidden: %s", why);
}

void cause_duplicate(struct schema_causes *out, const char *field, const char *value)
{
	schema_cause_add(
		out, "FieldValueDuplicate", field, "Duplicate value: \"%s\"", value ? value : "");
}

const char *cause_field(struct schema_causes *out, const char *fmt, ...)
{
	va_list ap;
	const char *field;

	va_start(ap, fmt);
	field = arena_vprintf(out->arena, fmt, ap);
	va_end(ap);
	return field;
}
