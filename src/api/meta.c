#include "api/meta.h"

#include <ctype.h>
#include <sys/random.h>

#include "api/selector.h"
#include "kinds/cause.h"

static const char *const platforms_own[] = {
	"uid",
	"resourceVersion",
	"generation",
	"creationTimestamp",
	"deletionTimestamp",
	"deletionGracePeriodSeconds",
	"selfLink",
	"managedFields",
};

void meta_clean(json_t *object)
{
	json_t *meta = json_object_get(object, "metadata");

	for (size_t i = 0; i < ARRAY_LEN(platforms_own); i++)
		json_object_del(meta, platforms_own[i]);
}

void meta_keep(json_t *object, const json_t *old)
{
	json_t *meta = json_object_get(object, "metadata");
	const json_t *before = json_object_get(old, "metadata");

	for (size_t i = 0; i < ARRAY_LEN(platforms_own); i++) {
		json_t *value = json_object_get(before, platforms_own[i]);

		if (value)
			json_object_set(meta, platforms_own[i], value);
		else
			json_object_del(meta, platforms_own[i]);
	}
}

void meta_generate_name(json_t *object)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	const char *prefix = jv_str_or(object, "metadata.generateName", "");
	unsigned char random[META_GENERATED];
	char tail[META_GENERATED + 1] = {0};

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		memset(random, 7, sizeof(random)); /* then the name may be taken, and says so */
	for (size_t i = 0; i < META_GENERATED; i++)
		tail[i] = letters[random[i] % (sizeof(letters) - 1)];
	jv_set(object, "metadata.name",
	       json_sprintf("%.*s%s", KIND_NAME_MAX - META_GENERATED, prefix, tail));
}

static void check_name(const struct kind *k, const json_t *object, struct schema_causes *out)
{
	const char *name = jv_str(object, "metadata.name");
	const char *problem;

	if (!name || !*name) {
		schema_cause_add(
			out, "FieldValueRequired", "metadata.name",
			"Required value: name or generateName is required");
		return;
	}
	problem = kind_name_problem(k, name);
	if (problem)
		cause_invalid(out, "metadata.name", name, "%s", problem);
}

static void check_labels(const json_t *object, struct schema_causes *out)
{
	json_t *labels = jv_at(object, "metadata.labels"), *value;
	const char *key, *problem;

	json_object_foreach (labels, key, value) {
		problem = selector_label_name_problem(key);
		if (problem)
			cause_invalid(out, "metadata.labels", key, "%s", problem);
		problem = selector_label_value_problem(json_string_value(value));
		if (problem)
			cause_invalid(
				out, "metadata.labels", json_string_value(value), "%s", problem);
	}
}

/* Kubernetes looks at annotations' names without regard to case. */
static const char *lower(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);

	for (char *at = copy; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

static void check_annotations(const json_t *object, struct schema_causes *out)
{
	json_t *annotations = jv_at(object, "metadata.annotations"), *value;
	const char *key, *problem;
	size_t bytes = 0;

	json_object_foreach (annotations, key, value) {
		problem = selector_label_name_problem(lower(out->arena, key));
		if (problem)
			cause_invalid(out, "metadata.annotations", key, "%s", problem);
		bytes += strlen(key) + json_string_length(value);
	}
	if (bytes > META_ANNOTATIONS_MAX)
		schema_cause_add(
			out, "FieldValueTooLong", "metadata.annotations",
			"Too long: may not be more than %d bytes", META_ANNOTATIONS_MAX);
}

static bool has_text(const json_t *list, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (!strcmp(json_string_value(one), text))
			return true;
	return false;
}

static void check_finalizers(const json_t *object, const json_t *old, struct schema_causes *out)
{
	json_t *now = jv_at(object, "metadata.finalizers"), *one;
	const json_t *before = jv_at(old, "metadata.finalizers");
	bool is_going = old && jv_str(old, "metadata.deletionTimestamp");
	size_t i;

	json_array_foreach (now, i, one) {
		const char *text = json_string_value(one);
		const char *problem = selector_label_name_problem(text);

		if (problem)
			cause_invalid(out, "metadata.finalizers", text, "%s", problem);
		if (is_going && !has_text(before, text))
			cause_forbidden(
				out, "metadata.finalizers",
				"no new finalizers can be added if the object is being deleted, "
				"found new finalizers []string{\"%s\"}",
				text);
	}
}

static void check_owners(const json_t *object, struct schema_causes *out)
{
	json_t *owners = jv_at(object, "metadata.ownerReferences"), *one;
	size_t i, controllers = 0;

	json_array_foreach (owners, i, one)
		controllers += jv_bool(one, "controller", false);
	if (controllers > 1)
		cause_invalid(
			out, "metadata.ownerReferences",
			jv_str(object, "metadata.ownerReferences.0.name"),
			"Only one reference can have Controller set to true.");
}

void meta_check(
	const struct kind *k, const json_t *object, const json_t *old, struct schema_causes *out)
{
	if (!old)
		check_name(k, object, out);
	check_labels(object, out);
	check_annotations(object, out);
	check_finalizers(object, old, out);
	check_owners(object, out);
}

/* Is every field of a that counts the same in b? */
static bool is_spec_in(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)a, key, value)
		if (strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 &&
		    !json_equal(value, json_object_get(b, key)))
			return false;
	return true;
}

bool meta_is_spec_changed(const json_t *object, const json_t *old)
{
	return !is_spec_in(object, old) || !is_spec_in(old, object);
}
