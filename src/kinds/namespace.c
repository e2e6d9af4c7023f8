#include "kinds/namespace.h"

static const char finalizer[] = "slipway.dev/namespace";

static bool has_finalizer(const json_t *finalizers)
{
	json_t *one;
	size_t i;

	json_array_foreach (finalizers, i, one)
		if (!strcmp(json_string_value(one), finalizer))
			return true;
	return false;
}

void namespace_prepare(json_t *object, const json_t *old)
{
	json_t *meta = jv_object_at(object, "metadata");
	const char *name = jv_str(meta, "name");

	if (name)
		json_object_set_new(
			jv_object_at(meta, "labels"), "kubernetes.io/metadata.name",
			json_string(name));
	if (old)
		return;
	if (!json_is_array(json_object_get(meta, "finalizers")))
		json_object_set_new(meta, "finalizers", json_array());
	if (!has_finalizer(json_object_get(meta, "finalizers")))
		json_array_append_new(json_object_get(meta, "finalizers"), json_string(finalizer));
	jv_set_str(object, "status.phase", "Active");
}
