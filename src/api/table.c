#include "api/table.h"

bool table_include_parse(const char *text, enum table_include *ret)
{
	static const struct {
		const char *text;
		enum table_include how;
	} words[] = {
		{"", TABLE_METADATA},
		{"Metadata", TABLE_METADATA},
		{"Object", TABLE_OBJECT},
		{"None", TABLE_NONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i].text, text ? text : "")) {
			*ret = words[i].how;
			return true;
		}
	return false;
}

/* An event's name says nothing: it comes last, and only with -o wide. */
static bool is_name_last(const struct kind *k)
{
	return !strcmp(k->name, "Event");
}

static void add_name_definition(json_t *out, const struct kind *k)
{
	json_array_append_new(
		out,
		json_pack(
			"{s:s, s:s, s:s, s:s, s:i}", "name", "Name", "type", "string", "format",
			"name", "description",
			"Name, unique among objects of the kind in the namespace.", "priority",
			is_name_last(k) ? 1 : 0));
}

static json_t *definitions(const struct kind *k)
{
	json_t *out = json_array(), *c;
	size_t i;

	if (!is_name_last(k))
		add_name_definition(out, k);
	json_array_foreach (k->columns, i, c)
		json_array_append_new(
			out,
			json_pack(
				"{s:s, s:s, s:s, s:s, s:I}", "name", jv_str_or(c, "name", ""),
				"type", jv_str_or(c, "type", "string"), "format", "", "description",
				jv_str_or(c, "description", ""), "priority",
				(json_int_t)jv_int(c, "priority", 0)));
	if (is_name_last(k))
		add_name_definition(out, k);
	return out;
}

json_t *table_new(const struct kind *k, bool has_columns)
{
	json_t *t = json_pack(
		"{s:s, s:s, s:{}}", "kind", "Table", "apiVersion", "meta.k8s.io/v1", "metadata");

	json_object_set_new(t, "columnDefinitions", has_columns ? definitions(k) : json_array());
	json_object_set_new(t, "rows", json_array());
	return t;
}

static json_t *cells_of(const struct kind *k, const json_t *object)
{
	json_t *cells = json_array(), *c;
	const char *name = jv_str_or(object, "metadata.name", "");
	size_t i;

	if (!is_name_last(k))
		json_array_append_new(cells, json_string(name));
	json_array_foreach (k->columns, i, c)
		json_array_append_new(cells, kind_column(k, c, object));
	if (is_name_last(k))
		json_array_append_new(cells, json_string(name));
	return cells;
}

json_t *table_metadata(const json_t *object)
{
	return json_pack(
		"{s:s, s:s, s:O?}", "kind", "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1",
		"metadata", json_object_get(object, "metadata"));
}

void table_add(json_t *table, const struct kind *k, const json_t *object, enum table_include how)
{
	json_t *row = json_object();

	json_object_set_new(row, "cells", cells_of(k, object));
	if (how == TABLE_METADATA)
		json_object_set_new(row, "object", table_metadata(object));
	else if (how == TABLE_OBJECT)
		json_object_set(row, "object", (json_t *)(uintptr_t)object);
	json_array_append_new(json_object_get(table, "rows"), row);
}
