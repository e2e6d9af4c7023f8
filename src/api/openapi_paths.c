#include "api/openapi_paths.h"

/* Query parameters, and the verbs that take them. */
enum {
	P_GET = 1,
	P_LIST = 2,
	P_CREATE = 4,
	P_UPDATE = 8,
	P_PATCH = 16,
	P_DELETE = 32,
	P_WRITE = P_CREATE | P_UPDATE | P_PATCH,
};

static const struct {
	const char *name, *type, *description;
	int verbs;
} parameters[] = {
	{"dryRun", "string", "All: nothing is written, the answer is as if it was.",
	 P_WRITE | P_DELETE},
	{"fieldManager", "string", "Who owns the fields that are set.", P_WRITE},
	{"fieldValidation", "string",
	 "What unknown fields do: Ignore, Warn (a warning) or Strict (an error).", P_WRITE},
	{"force", "boolean", "Server-side apply: take over fields of other managers.", P_PATCH},
	{"labelSelector", "string", "Objects whose labels match.", P_LIST},
	{"fieldSelector", "string", "Objects whose fields match.", P_LIST},
	{"limit", "integer", "At most so many objects; the answer says how to go on.", P_LIST},
	{"continue", "string", "Where to go on, from the answer before.", P_LIST},
	{"watch", "boolean", "A stream of changes instead of a list.", P_LIST},
	{"allowWatchBookmarks", "boolean", "A watch tells its revision from time to time.", P_LIST},
	{"resourceVersion", "string", "Revision that a list is at least of, or a watch begins at.",
	 P_LIST},
	{"resourceVersionMatch", "string", "How resourceVersion is meant.", P_LIST},
	{"sendInitialEvents", "boolean", "A watch begins with all there is.", P_LIST},
	{"timeoutSeconds", "integer", "When a watch ends.", P_LIST},
	{"propagationPolicy", "string", "Accepted; what an object owns always goes with it.",
	 P_DELETE},
};

static const struct operation {
	const char *method, *action;
	int verb;
	bool is_on_collection;
	bool is_for_status;
	const char *body; /* media type; NULL: none */
} operations[] = {
	{"get", "list", P_LIST, true, false, NULL},
	{"post", "post", P_CREATE, true, false, "application/json"},
	{"delete", "deletecollection", P_DELETE | P_LIST, true, false, NULL},
	{"get", "get", P_GET, false, true, NULL},
	{"put", "put", P_UPDATE, false, true, "application/json"},
	{"patch", "patch", P_PATCH, false, true, "application/merge-patch+json"},
	{"delete", "delete", P_DELETE, false, false, NULL},
};

static json_t *
parameter(const char *name, const char *in, const char *type, const char *description, bool is_v2)
{
	json_t *p =
		json_pack("{s:s, s:s, s:s}", "name", name, "in", in, "description", description);

	if (!strcmp(in, "path"))
		json_object_set_new(p, "required", json_true());
	if (is_v2)
		json_object_set_new(p, "type", json_string(type));
	else
		json_object_set_new(p, "schema", json_pack("{s:s}", "type", type));
	return p;
}

static json_t *parameters_of(const struct operation *o, bool is_v2)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
		if (parameters[i].verbs & o->verb)
			json_array_append_new(
				list,
				parameter(
					parameters[i].name, "query", parameters[i].type,
					parameters[i].description, is_v2));
	return list;
}

static json_t *responses_of(const char *reference, bool is_v2)
{
	json_t *schema = json_pack("{s:s}", "$ref", reference);

	if (is_v2)
		return json_pack("{s:{s:s, s:o}}", "200", "description", "OK", "schema", schema);
	return json_pack(
		"{s:{s:s, s:{s:{s:o}}}}", "200", "description", "OK", "content", "application/json",
		"schema", schema);
}

static void body_add(json_t *op, const struct operation *o, const char *reference, bool is_v2)
{
	json_t *schema = json_pack("{s:s}", "$ref", reference);

	if (is_v2) {
		json_object_set_new(op, "consumes", json_pack("[s]", o->body));
		json_array_append_new(
			json_object_get(op, "parameters"),
			json_pack(
				"{s:s, s:s, s:b, s:o}", "name", "body", "in", "body", "required", 1,
				"schema", schema));
		return;
	}
	json_object_set_new(
		op, "requestBody",
		json_pack("{s:{s:{s:o}}}", "content", o->body, "schema", schema));
}

static json_t *operation_document(
	struct arena *a, const struct operation *o, const struct kind *k, const char *reference,
	const char *place, bool is_v2)
{
	json_t *op = json_pack(
		"{s:s, s:s, s:o, s:s, s:{s:s, s:s, s:s}, s:o}", "description",
		arena_printf(a, "%s %s", o->action, k->plural), "operationId",
		arena_printf(a, "%s%s%s", o->action, place, k->name), "parameters",
		parameters_of(o, is_v2), "x-kubernetes-action", o->action,
		"x-kubernetes-group-version-kind", "group", k->group, "version", k->version, "kind",
		k->name, "responses", responses_of(reference, is_v2));

	if (o->body)
		body_add(op, o, reference, is_v2);
	return op;
}

/* The path's own parameters: its namespace, its name. */
static json_t *path_parameters(const char *path, bool is_v2)
{
	json_t *list = json_array();

	if (strstr(path, "{namespace}"))
		json_array_append_new(
			list, parameter("namespace", "path", "string", "Namespace.", is_v2));
	if (strstr(path, "{name}"))
		json_array_append_new(
			list, parameter("name", "path", "string", "Name of the object.", is_v2));
	return list;
}

enum place { PLACE_COLLECTION, PLACE_EVERYWHERE, PLACE_OBJECT, PLACE_STATUS };

static bool is_at(const struct operation *o, enum place place)
{
	if (place == PLACE_EVERYWHERE)
		return !strcmp(o->action, "list");
	if (place == PLACE_STATUS)
		return o->is_for_status;
	return o->is_on_collection == (place == PLACE_COLLECTION);
}

static void item_add(
	struct arena *a, json_t *paths, const char *path, enum place place, const struct kind *k,
	const char *schema, bool is_v2)
{
	static const char *const words[] = {
		[PLACE_COLLECTION] = "Namespaced",
		[PLACE_EVERYWHERE] = "ForAllNamespaces",
		[PLACE_OBJECT] = "",
		[PLACE_STATUS] = "StatusOf",
	};
	const char *prefix = is_v2 ? "#/definitions/" : "#/components/schemas/";
	json_t *item = json_pack("{s:o}", "parameters", path_parameters(path, is_v2));

	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		const struct operation *o = &operations[i];
		const char *tail = !strcmp(o->action, "list") ? "List" : "";

		if (is_at(o, place))
			json_object_set_new(
				item, o->method,
				operation_document(
					a, o, k, arena_printf(a, "%s%s%s", prefix, schema, tail),
					words[place], is_v2));
	}
	json_object_set_new(paths, path, item);
}

void openapi_paths_add(
	struct arena *a, json_t *paths, const struct kind *k, const char *schema, bool is_v2)
{
	const char *root = *k->group ? arena_printf(a, "/apis/%s", k->api_version) : "/api/v1";
	const char *all = arena_printf(a, "%s/%s", root, k->plural), *one = all;

	if (k->is_namespaced) {
		item_add(a, paths, all, PLACE_EVERYWHERE, k, schema, is_v2);
		one = arena_printf(a, "%s/namespaces/{namespace}/%s", root, k->plural);
	}
	item_add(a, paths, one, PLACE_COLLECTION, k, schema, is_v2);
	item_add(a, paths, arena_printf(a, "%s/{name}", one), PLACE_OBJECT, k, schema, is_v2);
	if (k->has_status)
		item_add(
			a, paths, arena_printf(a, "%s/{name}/status", one), PLACE_STATUS, k, schema,
			is_v2);
}
