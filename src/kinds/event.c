#include "kinds/event.h"

#include <ctype.h>

#include "base/clock.h"
#include "kinds/cause.h"

void event_check(const json_t *object, const json_t *old, struct schema_causes *out)
{
	const char *ns = jv_str_or(object, "metadata.namespace", "");
	const char *other = jv_str_or(object, "involvedObject.namespace", "");

	(void)old;
	if (strcmp(other, ns) != 0 && !(!*other && !strcmp(ns, "default")))
		cause_invalid(
			out, "involvedObject.namespace", other, "does not match event.namespace");
}

static json_t *last_seen(const json_t *object)
{
	static const char *const fields[] = {
		"lastTimestamp", "eventTime", "firstTimestamp", "metadata.creationTimestamp"};
	char text[CLOCK_TEXT];
	int64_t at;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const char *value = jv_str(object, fields[i]);

		if (value && !clock_parse(str_of(value), &at, NULL))
			return json_string(clock_age(clock_wall_us() - at, text));
	}
	return json_string("<unknown>");
}

/* "database/orders" */
static json_t *involved(const json_t *object)
{
	json_t *ret;
	char kind[64];
	size_t n = 0;

	for (const char *c = jv_str_or(object, "involvedObject.kind", ""); *c && n < 63; c++)
		kind[n++] = (char)tolower((unsigned char)*c);
	kind[n] = 0;
	ret = json_sprintf("%s/%s", kind, jv_str_or(object, "involvedObject.name", ""));
	return ret;
}

json_t *event_column(const json_t *object, const char *column)
{
	if (!strcmp(column, "Last Seen"))
		return last_seen(object);
	if (!strcmp(column, "Object"))
		return involved(object);
	return NULL;
}
