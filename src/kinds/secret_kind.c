#include "kinds/secret_kind.h"

#include <ctype.h>

#include "base/secret.h"
#include "kinds/cause.h"

enum { SECRET_BYTES_MAX = 1 << 20, SECRET_KEY_MAX = 253 };

void secret_kind_prepare(json_t *object, const json_t *old)
{
	json_t *texts = json_object_get(object, "stringData"), *one;
	struct arena a = {0};
	const char *key;

	(void)old;
	json_object_foreach (texts, key, one) {
		struct str text = {json_string_value(one), json_string_length(one)};

		json_object_set_new(
			jv_object_at(object, "data"), key, json_string(secret_base64(&a, text)));
	}
	json_object_del(object, "stringData");
	arena_done(&a);
}

static bool key_is_ok(const char *key)
{
	if (!*key || strlen(key) > SECRET_KEY_MAX || !strcmp(key, ".") || !strcmp(key, ".."))
		return false;
	for (; *key; key++)
		if (!isalnum((unsigned char)*key) && !strchr("-._", *key))
			return false;
	return true;
}

static size_t check_entry(const char *key, const json_t *value, struct schema_causes *out)
{
	const char *field = cause_field(out, "data[%s]", key);
	struct str text = {json_string_value(value), json_string_length(value)}, bytes = {0};

	if (!key_is_ok(key))
		cause_invalid(
			out, field, key,
			"a valid config key must consist of alphanumeric characters, '-', '_' or "
			"'.' (e.g. 'key.name', or 'KEY_NAME', or 'key-name', regex used for "
			"validation is '[-._a-zA-Z0-9]+')");
	if (secret_unbase64(out->arena, text, &bytes, NULL))
		cause_invalid(out, field, "", "must be base64 (RFC 4648)");
	return bytes.n;
}

static bool is_frozen_changed(const json_t *object, const json_t *old, const char *field)
{
	return !json_equal(json_object_get(object, field), json_object_get(old, field));
}

static void check_change(const json_t *object, const json_t *old, struct schema_causes *out)
{
	if (is_frozen_changed(object, old, "type"))
		cause_invalid(out, "type", jv_str(object, "type"), "field is immutable");
	if (!jv_bool(old, "immutable", false))
		return;
	if (!jv_bool(object, "immutable", false))
		cause_forbidden(out, "immutable", "field is immutable when `immutable` is set");
	if (is_frozen_changed(object, old, "data"))
		cause_forbidden(out, "data", "field is immutable when `immutable` is set");
}

void secret_kind_check(const json_t *object, const json_t *old, struct schema_causes *out)
{
	json_t *data = json_object_get(object, "data"), *one;
	const char *key;
	size_t bytes = 0;

	json_object_foreach (data, key, one)
		bytes += check_entry(key, one, out);
	if (bytes > SECRET_BYTES_MAX)
		schema_cause_add(
			out, "FieldValueTooLong", "data", "Too long: may not be more than %d bytes",
			SECRET_BYTES_MAX);
	if (old)
		check_change(object, old, out);
}

json_t *secret_kind_column(const json_t *object, const char *column)
{
	if (strcmp(column, "Data") != 0)
		return NULL;
	return json_integer((json_int_t)json_object_size(json_object_get(object, "data")));
}
