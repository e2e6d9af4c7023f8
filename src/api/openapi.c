#include "api/openapi.h"

#include <stdlib.h>

#include "api/openapi_paths.h"
#include "api/openapi_pb.h"
#include "api/reply.h"
#include "api/status.h"

#define OBJECTMETA "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
#define LISTMETA "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"

enum { DOCUMENTS_MAX = 8 };

/* A document ready to be sent. */
struct document {
	const char *path; /* "apis/slipway.dev/v1" */
	const char *hash;
	struct buf text;
};

struct openapi {
	struct arena arena;
	struct document v3[DOCUMENTS_MAX];
	size_t v3_n;
	struct buf index, swagger, swagger_pb;
};

static const char *const groups[] = {
	"api/v1",
	"apis/slipway.dev/v1",
	"apis/authorization.k8s.io/v1",
	"apis/authentication.k8s.io/v1",
};

/* "dev.slipway.v1.Database", "io.k8s.api.core.v1.Secret" */
static const char *schema_name(struct arena *a, const struct kind *k, const char *tail)
{
	return arena_printf(
		a, "%s.%s%s", *k->group ? "dev.slipway.v1" : "io.k8s.api.core.v1", k->name, tail);
}

static bool is_of(const struct kind *k, const char *path)
{
	struct str group = str_of(path);

	if (!strcmp(path, "api/v1"))
		return !*k->group;
	return str_cut_prefix(&group, "apis/") && str_cut_suffix(&group, "/v1") &&
		str_is(group, k->group);
}

/* A schema as version 2 has it: what that version does not know is taken off. */
static void make_plain(json_t *schema)
{
	json_t *one;
	const char *key;

	json_object_del(schema, "nullable");
	json_object_del(schema, "default");
	json_object_foreach (json_object_get(schema, "properties"), key, one)
		make_plain(one);
	if (json_object_get(schema, "items"))
		make_plain(json_object_get(schema, "items"));
	if (json_is_object(json_object_get(schema, "additionalProperties")))
		make_plain(json_object_get(schema, "additionalProperties"));
}

static json_t *reference(const char *prefix, const char *name, const char *description)
{
	return json_pack(
		"{s:s, s:[{s:o}]}", "description", description, "allOf", "$ref",
		json_sprintf("%s%s", prefix, name));
}

static json_t *text_schema(const char *description)
{
	return json_pack("{s:s, s:s}", "type", "string", "description", description);
}

static json_t *gvk_of(const struct kind *k, const char *tail)
{
	return json_pack(
		"{s:s, s:s, s:o}", "group", k->group, "version", k->version, "kind",
		json_sprintf("%s%s", k->name, tail));
}

static json_t *kind_schema(const struct kind *k, const char *prefix)
{
	json_t *s = json_deep_copy(schema_doc(k->schema));
	json_t *properties = jv_object_at(s, "properties");

	json_object_set_new(
		properties, "apiVersion",
		text_schema("Version of the API that the object is written in."));
	json_object_set_new(properties, "kind", text_schema("Kind of the object."));
	json_object_set_new(
		properties, "metadata",
		reference(prefix, OBJECTMETA, "What every object has: name, labels, its life."));
	json_object_set_new(s, "x-kubernetes-group-version-kind", json_pack("[o]", gvk_of(k, "")));
	return s;
}

static json_t *list_schema(struct arena *a, const struct kind *k, const char *prefix)
{
	return json_pack(
		"{s:s, s:s, s:[s], s:{s:o, s:o, s:o, s:{s:s, s:s, s:{s:o}}}, s:[o]}", "type",
		"object", "description", "A list of objects.", "required", "items", "properties",
		"apiVersion", text_schema("Version of the API that the list is written in."),
		"kind", text_schema("Kind of the list."), "metadata",
		reference(prefix, LISTMETA, "Revision and continuation of the list."), "items",
		"type", "array", "description", "The objects.", "items", "$ref",
		json_sprintf("%s%s", prefix, schema_name(a, k, "")),
		"x-kubernetes-group-version-kind", gvk_of(k, "List"));
}

static json_t *listmeta_schema(void)
{
	return json_pack(
		"{s:s, s:s, s:{s:o, s:o}}", "type", "object", "description",
		"Revision and continuation of a list.", "properties", "resourceVersion",
		text_schema("Revision that the list is of."), "continue",
		text_schema("Where the list goes on, when it was cut by a limit."));
}

/* All schemas of a group (NULL: of all), with references that begin with prefix. */
static json_t *schemas_of(struct arena *a, const char *path, const char *prefix)
{
	json_t *all = json_object();
	const struct kind *k;
	size_t n;

	k = kinds_all(&n);
	for (size_t i = 0; i < n; i++) {
		if (path && !is_of(&k[i], path))
			continue;
		json_object_set_new(all, schema_name(a, &k[i], ""), kind_schema(&k[i], prefix));
		json_object_set_new(
			all, schema_name(a, &k[i], "List"), list_schema(a, &k[i], prefix));
	}
	json_object_set_new(all, OBJECTMETA, json_deep_copy(kind_objectmeta()));
	json_object_set_new(all, LISTMETA, listmeta_schema());
	return all;
}

static json_t *info(void)
{
	return json_pack("{s:s, s:s}", "title", "Slipway", "version", "v" SLIPWAY_VERSION);
}

static void paths_of(struct arena *a, json_t *paths, const char *path, bool is_v2)
{
	const struct kind *k;
	size_t n;

	k = kinds_all(&n);
	for (size_t i = 0; i < n; i++)
		if (is_of(&k[i], path))
			openapi_paths_add(a, paths, &k[i], schema_name(a, &k[i], ""), is_v2);
}

json_t *openapi_document(const char *path)
{
	json_t *paths = json_object(), *d;
	struct arena a = {0};
	bool is_known = false;

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		is_known |= !strcmp(groups[i], path);
	if (!is_known) {
		json_decref(paths);
		return NULL;
	}
	paths_of(&a, paths, path, false);
	d = json_pack(
		"{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(), "paths", paths,
		"components", "schemas", schemas_of(&a, path, "#/components/schemas/"));
	arena_done(&a);
	return d;
}

json_t *openapi_swagger(void)
{
	json_t *paths = json_object(), *definitions, *one, *d;
	struct arena a = {0};
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		paths_of(&a, paths, groups[i], true);
	definitions = schemas_of(&a, NULL, "#/definitions/");
	json_object_foreach (definitions, name, one)
		make_plain(one);
	d = json_pack(
		"{s:s, s:o, s:o, s:o}", "swagger", "2.0", "info", info(), "paths", paths,
		"definitions", definitions);
	arena_done(&a);
	return d;
}

static void document_add(struct openapi *o, json_t *index, const char *path)
{
	CLEANUP(jv_drop) json_t *d = openapi_document(path);
	struct document *doc = &o->v3[o->v3_n++];

	doc->path = path;
	doc->hash = jv_hash(&o->arena, d);
	jv_print(&doc->text, d, false);
	json_object_set_new(
		index, path,
		json_pack(
			"{s:o}", "serverRelativeURL",
			json_sprintf("/openapi/v3/%s?hash=%s", path, doc->hash)));
}

struct openapi *openapi_new(void)
{
	struct openapi *o = mem_alloc(sizeof(*o));
	CLEANUP(jv_drop) json_t *index = json_object();
	CLEANUP(jv_drop) json_t *top = json_pack("{s:O}", "paths", index);
	CLEANUP(jv_drop) json_t *swagger = openapi_swagger();

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		document_add(o, index, groups[i]);
	jv_print(&o->index, top, false);
	jv_print(&o->swagger, swagger, false);
	openapi_pb_print(&o->swagger_pb, swagger);
	return o;
}

void openapi_free(struct openapi *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->v3_n; i++)
		buf_done(&o->v3[i].text);
	buf_done(&o->index);
	buf_done(&o->swagger);
	buf_done(&o->swagger_pb);
	arena_done(&o->arena);
	free(o);
}

/* An address with the right hash never changes: it may be kept for long. */
static void send_document(struct call *c, const struct document *d)
{
	const char *hash = call_query(c, "hash", "");

	http_response_header(c->rs, "ETag", arena_printf(c->arena, "\"%s\"", d->hash));
	if (!strcmp(hash, d->hash))
		http_response_header(c->rs, "Cache-Control", "public, immutable, max-age=31536000");
	reply_text(c, 200, "application/json", buf_view(&d->text));
}

json_t *openapi_v3(struct call *c)
{
	const struct openapi *o = c->api->openapi;

	if (strcmp(c->rq->method, "GET") != 0)
		return status_method_not_allowed();
	if (!*c->route.name) {
		reply_text(c, 200, "application/json", buf_view(&o->index));
		return NULL;
	}
	for (size_t i = 0; i < o->v3_n; i++)
		if (!strcmp(o->v3[i].path, c->route.name)) {
			send_document(c, &o->v3[i]);
			return NULL;
		}
	return status_no_such_path();
}

json_t *openapi_v2(struct call *c)
{
	const struct openapi *o = c->api->openapi;
	const char *accept = http_header(c->rq, "Accept");

	if (strcmp(c->rq->method, "GET") != 0)
		return status_method_not_allowed();
	if (accept && strstr(accept, "com.github.proto-openapi.spec.v2"))
		reply_text(
			c, 200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
			buf_view(&o->swagger_pb));
	else
		reply_text(c, 200, "application/json", buf_view(&o->swagger));
	return NULL;
}
