/* Values against a schema, in the words of Kubernetes' apiextensions-apiserver. */
#include "base/clock.h"
#include "base/secret.h"
#include "codec/schema.h"
#include "codec/schema_node.h"

enum { BAD_VALUE_BYTES = 200 };

struct check {
	struct schema_causes *out;
	struct arena arena; /* texts of this check */
	struct buf path;
};

struct schema_limit_kind {
	const char *name;
	unsigned types; /* of values that it limits; others pass */
	bool (*fits)(const json_t *arg);
	void (*check)(struct check *c, const struct schema_limit *l, const json_t *value);
};

/* A value as messages show it: strings quoted, at most BAD_VALUE_BYTES and an ellipsis. */
static const char *shown(struct check *c, const json_t *value)
{
	struct str s = jv_text(&c->arena, value);
	size_t n = BAD_VALUE_BYTES;

	if (s.n <= n)
		return s.p;
	while (((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return arena_printf(&c->arena, "%.*s...%s", (int)n, s.p, json_is_string(value) ? "\"" : "");
}

static const char *path(const struct check *c)
{
	return c->path.n ? c->path.p : "";
}

#define invalid(c, value, fmt, ...)                                                                \
	schema_cause_add(                                                                          \
		(c)->out, "FieldValueInvalid", path(c), "Invalid value: %s: %s in body " fmt,      \
		shown((c), (value)), path(c), __VA_ARGS__)

static void invalid_type(struct check *c, const char *want, const char *is)
{
	schema_cause_add(
		c->out, "FieldValueTypeInvalid", path(c),
		"Invalid value: %s: %s in body must be of type %s: %s", is, path(c), want, is);
}

/* Limits. */

static bool is_integer(const json_t *arg)
{
	return json_is_integer(arg) && json_integer_value(arg) >= 0;
}

static bool is_number(const json_t *arg)
{
	return json_is_number(arg);
}

static bool is_string(const json_t *arg)
{
	return json_is_string(arg);
}

static bool is_list(const json_t *arg)
{
	return json_array_size(arg) > 0;
}

static bool is_list_of_strings(const json_t *arg)
{
	const json_t *item;
	size_t i;

	json_array_foreach (arg, i, item)
		if (!json_is_string(item))
			return false;
	return json_is_array(arg);
}

static bool is_less(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) < json_integer_value(b);
	return json_number_value(a) < json_number_value(b);
}

static void check_minimum(struct check *c, const struct schema_limit *l, const json_t *value)
{
	if (is_less(value, l->arg))
		invalid(c, value, "should be greater than or equal to %s", shown(c, l->arg));
}

static void check_maximum(struct check *c, const struct schema_limit *l, const json_t *value)
{
	if (is_less(l->arg, value))
		invalid(c, value, "should be less than or equal to %s", shown(c, l->arg));
}

/* Characters, not bytes. */
static size_t string_length(const json_t *value)
{
	const char *s = json_string_value(value);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(value); i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void check_min_length(struct check *c, const struct schema_limit *l, const json_t *value)
{
	if (string_length(value) < (size_t)json_integer_value(l->arg))
		invalid(c, value, "should be at least %s chars long", shown(c, l->arg));
}

static void check_max_length(struct check *c, const struct schema_limit *l, const json_t *value)
{
	if (string_length(value) > (size_t)json_integer_value(l->arg))
		schema_cause_add(
			c->out, "FieldValueTooLong", path(c), "Too long: may not be longer than %s",
			shown(c, l->arg));
}

static void check_pattern(struct check *c, const struct schema_limit *l, const json_t *value)
{
	if (regexec(l->regex, json_string_value(value), 0, NULL, 0) != 0)
		invalid(c, value, "should match '%s'", json_string_value(l->arg));
}

static void check_min_items(struct check *c, const struct schema_limit *l, const json_t *value)
{
	CLEANUP(jv_drop) json_t *n = json_integer((json_int_t)json_array_size(value));

	if (is_less(n, l->arg))
		invalid(c, n, "should have at least %s items", shown(c, l->arg));
}

static void too_many(struct check *c, const struct schema_limit *l, size_t n)
{
	if (n > (size_t)json_integer_value(l->arg))
		schema_cause_add(
			c->out, "FieldValueTooMany", path(c),
			"Too many: %zu: must have at most %s items", n, shown(c, l->arg));
}

static void check_max_items(struct check *c, const struct schema_limit *l, const json_t *value)
{
	too_many(c, l, json_array_size(value));
}

static void check_max_properties(struct check *c, const struct schema_limit *l, const json_t *value)
{
	too_many(c, l, json_object_size(value));
}

static void check_enum(struct check *c, const struct schema_limit *l, const json_t *value)
{
	struct buf all = {0};
	const json_t *item;
	size_t i;

	json_array_foreach (l->arg, i, item)
		if (json_equal(item, value))
			return;
	json_array_foreach (l->arg, i, item)
		buf_printf(
			&all, json_is_string(item) ? "%s%s" : "%s\"%s\"", i ? ", " : "",
			shown(c, item));
	schema_cause_add(
		c->out, "FieldValueNotSupported", path(c),
		"Unsupported value: %s: supported values: %s", shown(c, value), all.p);
	buf_done(&all);
}

static void check_required(struct check *c, const struct schema_limit *l, const json_t *value)
{
	const json_t *name;
	size_t i;

	json_array_foreach (l->arg, i, name) {
		if (json_object_get(value, json_string_value(name)))
			continue;
		schema_cause_add(
			c->out, "FieldValueRequired",
			arena_printf(
				&c->arena, "%s%s%s", path(c), c->path.n ? "." : "",
				json_string_value(name)),
			"Required value");
	}
}

/* Formats. */

static bool is_int32(const json_t *value)
{
	return !json_is_integer(value) ||
		(json_integer_value(value) >= INT32_MIN && json_integer_value(value) <= INT32_MAX);
}

static bool is_int64(const json_t *value)
{
	return true; /* of those, jansson keeps no other integers */
}

static bool is_date_time(const json_t *value)
{
	int64_t us;

	return !json_is_string(value) || !clock_parse(str_of(json_string_value(value)), &us, NULL);
}

static bool is_base64(const json_t *value)
{
	struct arena a = {0};
	struct str bytes;
	bool is = !json_is_string(value) ||
		!secret_unbase64(&a, str_of(json_string_value(value)), &bytes, NULL);

	arena_done(&a);
	return is;
}

static const struct format {
	const char *name;
	bool (*is)(const json_t *value);
} formats[] = {
	{"int32", is_int32},
	{"int64", is_int64},
	{"date-time", is_date_time},
	{"byte", is_base64},
};

static const struct format *format_find(const json_t *name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (json_is_string(name) && !strcmp(formats[i].name, json_string_value(name)))
			return &formats[i];
	return NULL;
}

static bool is_format(const json_t *arg)
{
	return format_find(arg) != NULL;
}

static void check_format(struct check *c, const struct schema_limit *l, const json_t *value)
{
	const struct format *f = format_find(l->arg);
	const char *is = shown(c, value);

	if (!f->is(value))
		invalid_type(
			c, f->name,
			json_is_string(value) ? is : arena_printf(&c->arena, "\"%s\"", is));
}

static const struct schema_limit_kind limits[] = {
	{"enum", TYPE_ANY, is_list, check_enum},
	{"format", TYPE_STRING | TYPE_INTEGER, is_format, check_format},
	{"minimum", TYPE_NUMBER | TYPE_INTEGER, is_number, check_minimum},
	{"maximum", TYPE_NUMBER | TYPE_INTEGER, is_number, check_maximum},
	{"minLength", TYPE_STRING, is_integer, check_min_length},
	{"maxLength", TYPE_STRING, is_integer, check_max_length},
	{"pattern", TYPE_STRING, is_string, check_pattern},
	{"minItems", TYPE_ARRAY, is_integer, check_min_items},
	{"maxItems", TYPE_ARRAY, is_integer, check_max_items},
	{"maxProperties", TYPE_OBJECT, is_integer, check_max_properties},
	{"required", TYPE_OBJECT, is_list_of_strings, check_required},
};

const struct schema_limit_kind *schema_limit_find(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (!strcmp(limits[i].name, keyword))
			return &limits[i];
	return NULL;
}

bool schema_limit_fits(const struct schema_limit_kind *k, const json_t *arg, unsigned types)
{
	return (k->types & types) && k->fits(arg);
}

/* The walk. */

static void check_value(struct check *c, const struct schema_node *n, const json_t *value);

/* What must be one of a kind in its list: the item itself, or its keys as an object. */
static json_t *item_identity(const struct schema_node *n, json_t *item)
{
	json_t *id;
	const json_t *key;
	size_t i;

	if (n->list == LIST_SET || !json_is_object(item))
		return json_incref(item);
	id = json_object();
	json_array_foreach (n->keys, i, key) {
		json_t *at = json_object_get(item, json_string_value(key));

		if (at)
			json_object_set(id, json_string_value(key), at);
	}
	return id;
}

static void check_unique(struct check *c, const struct schema_node *n, const json_t *list)
{
	struct map seen = {0};
	size_t path_n = c->path.n, i;
	json_t *item;

	json_array_foreach (list, i, item) {
		json_t *id = item_identity(n, item);

		buf_printf(&c->path, "[%zu]", i);
		if (map_put(&seen, jv_text_sorted(&c->arena, id), &seen))
			schema_cause_add(
				c->out, "FieldValueDuplicate", path(c), "Duplicate value: %s",
				shown(c, id));
		c->path.n = path_n;
		json_decref(id);
	}
	map_done(&seen);
}

static void check_items(struct check *c, const struct schema_node *n, const json_t *list)
{
	size_t path_n = c->path.n, i;
	json_t *item;

	if (n->list != LIST_ATOMIC)
		check_unique(c, n, list);
	if (!n->items)
		return;
	json_array_foreach (list, i, item) {
		buf_printf(&c->path, "[%zu]", i);
		check_value(c, n->items, item);
		c->path.n = path_n;
	}
}

static void check_fields(struct check *c, const struct schema_node *n, const json_t *object)
{
	size_t path_n = c->path.n;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)object, name, value) {
		const struct schema_node *field = schema_node_field(n, str_of(name));

		if (!field)
			continue;
		buf_printf(&c->path, "%s%s", path_n ? "." : "", name);
		check_value(c, field, value);
		c->path.n = path_n;
	}
}

static void check_value(struct check *c, const struct schema_node *n, const json_t *value)
{
	unsigned type = schema_type_of(value);

	if (c->path.p)
		c->path.p[c->path.n] = '\0'; /* a walk back only set n */
	if (type == TYPE_NULL && n->is_nullable)
		return;
	if (!(type & n->types)) {
		invalid_type(c, n->type, arena_printf(&c->arena, "\"%s\"", schema_type_name(type)));
		return;
	}
	for (size_t i = 0; i < n->limits_n; i++)
		if (n->limits[i].kind->types & type)
			n->limits[i].kind->check(c, &n->limits[i], value);
	if (type == TYPE_ARRAY)
		check_items(c, n, value);
	if (type == TYPE_OBJECT)
		check_fields(c, n, value);
}

void schema_node_check(const struct schema_node *n, const json_t *value, struct schema_causes *out)
{
	struct check c = {.out = out};

	check_value(&c, n, value);
	buf_done(&c.path);
	arena_done(&c.arena);
}

void schema_check(const struct schema *s, const json_t *value, struct schema_causes *out)
{
	schema_node_check(s->root, value, out);
}
