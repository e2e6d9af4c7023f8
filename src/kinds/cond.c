#include "kinds/cond.h"

#include "base/clock.h"

static json_t *cond_find(const json_t *object, const char *type)
{
	json_t *all = jv_at(object, "status.conditions"), *c;
	size_t i;

	json_array_foreach (all, i, c)
		if (!strcmp(jv_str_or(c, "type", ""), type))
			return c;
	return NULL;
}

/* The condition of this type, made where it is missing. */
static json_t *cond_make(json_t *object, const char *type)
{
	json_t *status = jv_object_at(object, "status"), *c = cond_find(object, type);

	if (c)
		return c;
	if (!json_is_array(json_object_get(status, "conditions")))
		json_object_set_new(status, "conditions", json_array());
	c = json_pack("{s:s}", "type", type);
	json_array_append_new(json_object_get(status, "conditions"), c);
	return c;
}

static bool cond_put(json_t *c, const char *field, json_t *value)
{
	bool differs = !json_equal(json_object_get(c, field), value);

	json_object_set_new(c, field, value);
	return differs;
}

bool cond_set(
	json_t *object, const char *type, const char *status, const char *reason,
	const char *message)
{
	json_t *c = cond_make(object, type), *generation = jv_at(object, "metadata.generation");
	bool is_changed = cond_put(c, "status", json_string(status));
	char now[CLOCK_TEXT];

	if (is_changed)
		json_object_set_new(
			c, "lastTransitionTime", json_string(clock_text_s(clock_wall_us(), now)));
	is_changed |= cond_put(c, "reason", json_string(reason));
	is_changed |= cond_put(c, "message", json_string(message));
	if (generation)
		is_changed |= cond_put(c, "observedGeneration", json_incref(generation));
	return is_changed;
}

const char *cond_status(const json_t *object, const char *type)
{
	return jv_str(cond_find(object, type), "status");
}

const json_t *cond_get(const json_t *object, const char *type)
{
	return cond_find(object, type);
}
