#include "api/admit.h"

#include "api/meta.h"
#include "api/reply.h"
#include "api/spaces.h"
#include "api/status.h"

void admission_done(struct admission *w)
{
	json_decref(w->live);
	json_decref(w->object);
}

static json_t *check_type(struct admission *w)
{
	const struct kind *k = w->kind;
	const char *version = jv_str_or(w->object, "apiVersion", k->api_version);
	const char *name = jv_str_or(w->object, "kind", k->name);

	if (strcmp(version, k->api_version) != 0)
		return status_bad_request(
			"the API version in the data (%s) does not match the expected API version "
			"(%s)",
			version, k->api_version);
	if (strcmp(name, k->name) != 0)
		return status_bad_request(
			"%s in version \"%s\" cannot be handled as a %s: no kind \"%s\" is "
			"registered for this path",
			name, k->version, k->name, name);
	json_object_set_new(w->object, "apiVersion", json_string(k->api_version));
	json_object_set_new(w->object, "kind", json_string(k->name));
	return NULL;
}

static json_t *check_place(struct admission *w)
{
	const struct route *r = &w->call->route;
	json_t *meta = json_object_get(w->object, "metadata");
	const char *ns = jv_str_or(meta, "namespace", ""), *name = jv_str_or(meta, "name", "");

	if (!w->kind->is_namespaced)
		json_object_del(meta, "namespace");
	else if (*ns && strcmp(ns, r->ns) != 0)
		return status_bad_request(
			"the namespace of the provided object does not match the namespace sent on "
			"the request");
	else
		json_object_set_new(meta, "namespace", json_string(r->ns));
	if (!r->name)
		return NULL;
	if (*name && strcmp(name, r->name) != 0)
		return status_bad_request(
			"the name of the object (%s) does not match the name on the URL (%s)", name,
			r->name);
	json_object_set_new(meta, "name", json_string(r->name));
	return NULL;
}

json_t *admit_shape(struct admission *w)
{
	json_t *meta, *status;

	if (!json_is_object(w->object))
		return status_bad_request(
			"the object provided is unrecognized (must be of type %s): the body must "
			"be an object",
			w->kind->name);
	meta = json_object_get(w->object, "metadata");
	if (meta && !json_is_object(meta) && !json_is_null(meta))
		return status_bad_request(
			"%s in version \"%s\" cannot be handled as a %s: metadata must be an "
			"object",
			w->kind->name, w->kind->version, w->kind->name);
	if (!json_is_object(meta))
		json_object_set_new(w->object, "metadata", json_object());
	status = check_type(w);
	return status ? status : check_place(w);
}

static void warn_all(struct admission *w, const struct schema_causes *unknown)
{
	if (w->is_warned)
		return;
	w->is_warned = true;
	for (size_t i = 0; i < MIN(unknown->n, (size_t)SCHEMA_CAUSES_MAX); i++)
		reply_warn(w->call, unknown->v[i].message);
}

json_t *admit_fields(struct admission *w)
{
	struct schema_causes unknown = {.arena = w->call->arena};
	struct buf text = {0};
	json_t *status;

	schema_prune(w->kind->schema, w->object, &unknown);
	if (!unknown.n || w->options.validation == VALIDATION_IGNORE)
		return NULL;
	if (w->options.validation == VALIDATION_WARN) {
		warn_all(w, &unknown);
		return NULL;
	}
	for (size_t i = 0; i < MIN(unknown.n, (size_t)SCHEMA_CAUSES_MAX); i++)
		buf_printf(&text, "%s%s", i ? ", " : "", unknown.v[i].message);
	status = status_bad_request(
		"%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
		w->kind->name, w->kind->version, w->kind->name, text.p);
	buf_done(&text);
	return status;
}

json_t *admit_rules(struct admission *w)
{
	const struct kind *k = w->kind;
	struct schema_causes causes = {.arena = w->call->arena};

	schema_default(k->schema, w->object);
	schema_check(k->schema, w->object, &causes);
	if (!causes.n)
		meta_check(k, w->object, w->live, &causes);
	if (!causes.n && k->prepare)
		k->prepare(w->object, w->live);
	if (!causes.n && k->check)
		k->check(w->object, w->live, &causes);
	if (!causes.n)
		return NULL;
	return status_invalid(k, jv_str(w->object, "metadata.name"), &causes);
}

json_t *admit_namespace(struct admission *w)
{
	const char *ns = w->call->route.ns;
	struct err e = {0};
	enum space space;

	if (!w->kind->is_namespaced)
		return NULL;
	if (spaces_find(w->call->api->spaces, ns, &space, &e))
		return status_of_err(w->kind, NULL, e.code, &e);
	if (space == SPACE_NONE)
		return status_namespace_not_found(ns);
	if (space == SPACE_TERMINATING)
		return status_terminating(w->kind, jv_str(w->object, "metadata.name"), ns);
	return NULL;
}
