#include "api/write.h"

#include "api/live.h"
#include "api/meta.h"
#include "api/reply.h"
#include "api/status.h"
#include "base/clock.h"
#include "codec/fields.h"

static struct store_key key_of(const struct admission *w)
{
	return (struct store_key){
		w->kind->name, w->kind->is_namespaced ? w->call->route.ns : "",
		jv_str_or(w->object ? w->object : w->live, "metadata.name", "")};
}

static const char *now_text(char ret[CLOCK_TEXT])
{
	return clock_text_s(clock_wall_us(), ret);
}

static const char *subresource(const struct admission *w)
{
	return w->call->route.is_status ? "status" : "";
}

/* Who changed which field. */
static void note_owner(struct admission *w)
{
	char now[CLOCK_TEXT];

	fields_update(
		w->kind->schema, w->live, w->object, w->options.manager, w->kind->api_version,
		subresource(w), now_text(now));
}

json_t *write_read_live(struct call *c, json_t **ret)
{
	const struct kind *k = c->route.kind;
	struct err e = {0};
	enum err_code code = store_get(
		c->api->store, (struct store_key){k->name, c->route.ns, c->route.name}, ret, &e);

	return code ? status_of_err(k, c->route.name, code, &e) : NULL;
}

static json_t *reply_written(struct admission *w, int status, json_t *object)
{
	live_lay(w->call->api, w->kind, object);
	return reply_object(w->call, status, object);
}

/* What a store would make of it: for dryRun. */
static void stamp_new(json_t *object)
{
	char now[CLOCK_TEXT];

	jv_set_str(object, "metadata.uid", "00000000-0000-4000-8000-000000000000");
	jv_set_str(object, "metadata.creationTimestamp", now_text(now));
	jv_set(object, "metadata.generation", json_integer(1));
}

static json_t *create_dry(struct admission *w)
{
	CLEANUP(jv_drop) json_t *there = NULL;
	struct err e = {0};
	enum err_code code = store_get(w->call->api->store, key_of(w), &there, &e);

	if (!code)
		return status_exists(w->kind, key_of(w).name);
	if (code != ERR_NOT_FOUND)
		return status_of_err(w->kind, key_of(w).name, code, &e);
	stamp_new(w->object);
	return reply_written(w, 201, w->object);
}

json_t *write_new(struct admission *w)
{
	struct store_write sw = {.verb = STORE_CREATE, .key = key_of(w), .object = w->object};
	struct err e = {0};
	json_t *status;
	enum err_code code;

	if (w->options.is_dry)
		return create_dry(w);
	code = store_write(w->call->api->store, &sw, 1, &e);
	if (code)
		return status_of_err(w->kind, sw.key.name, code, &e);
	status = reply_written(w, 201, sw.ret);
	json_decref(sw.ret);
	return status;
}

/* A name that was generated may be taken: another one is tried. */
static json_t *create_named(struct admission *w)
{
	const char *name = jv_str_or(w->object, "metadata.name", "");
	const char *prefix = jv_str_or(w->object, "metadata.generateName", "");
	bool is_generated = !*name && *prefix;
	json_t *status = NULL;

	for (int i = 0; i < WRITE_TRIES; i++) {
		json_decref(status);
		if (is_generated)
			meta_generate_name(w->object);
		status = admit_rules(w);
		if (!status) {
			note_owner(w);
			status = write_new(w);
		}
		if (!is_generated || status_code(status) != 409)
			break;
	}
	return status;
}

static json_t *create_admitted(struct admission *w)
{
	json_t *status = admit_shape(w);

	if (!status)
		status = admit_fields(w);
	if (!status && *jv_str_or(w->object, "metadata.resourceVersion", ""))
		status = status_bad_request(
			"resourceVersion should not be set on objects to be created");
	if (!status)
		status = admit_namespace(w);
	if (status)
		return status;
	meta_clean(w->object);
	if (w->kind->has_status)
		json_object_del(w->object, "status");
	return create_named(w);
}

json_t *write_create(struct call *c)
{
	struct admission w = {.call = c, .kind = c->route.kind};
	json_t *status = options_read(c, "CreateOptions", &w.options);

	if (!status)
		status = body_read(c, false, &w.object);
	if (!status)
		status = create_admitted(&w);
	admission_done(&w);
	return status;
}

/* Does the body name the revision and the object that are there? */
static json_t *check_preconditions(struct admission *w)
{
	const char *name = jv_str_or(w->live, "metadata.name", "");
	const char *uid = jv_str_or(w->object, "metadata.uid", "");
	const char *own_uid = jv_str_or(w->live, "metadata.uid", "");
	const char *revision = jv_str_or(w->object, "metadata.resourceVersion", "");

	if (*uid && strcmp(uid, own_uid) != 0)
		return status_conflict(
			w->kind, name,
			arena_printf(
				w->call->arena,
				"Precondition failed: UID in precondition: %s, UID in object meta: "
				"%s",
				uid, own_uid));
	if (*revision && strcmp(revision, jv_str_or(w->live, "metadata.resourceVersion", "")) != 0)
		return status_modified(w->kind, name);
	return NULL;
}

/* A write of the status changes nothing else; any other write leaves the status alone. */
static void keep_other_part(struct admission *w)
{
	if (w->call->route.is_status) {
		json_t *status = json_incref(json_object_get(w->object, "status"));

		json_decref(w->object);
		w->object = json_deep_copy(w->live);
		if (status)
			json_object_set_new(w->object, "status", status);
		else
			json_object_del(w->object, "status");
		return;
	}
	meta_keep(w->object, w->live);
	if (!w->kind->has_status)
		return;
	if (json_object_get(w->live, "status"))
		json_object_set_new(
			w->object, "status", json_deep_copy(json_object_get(w->live, "status")));
	else
		json_object_del(w->object, "status");
}

static json_t *change_dry(struct admission *w)
{
	int64_t generation = jv_int(w->live, "metadata.generation", 1);

	if (meta_is_spec_changed(w->object, w->live))
		jv_set(w->object, "metadata.generation", json_integer(generation + 1));
	return reply_written(w, 200, w->object);
}

json_t *write_store(struct admission *w, bool *ret_is_stale)
{
	struct store_write sw = {
		.verb = STORE_BOTH,
		.key = key_of(w),
		.object = w->object,
		.if_uid = jv_str(w->live, "metadata.uid")};
	const char *revision = jv_str_or(w->live, "metadata.resourceVersion", "0");
	struct err e = {0};
	json_t *status;
	enum err_code code;

	if (w->options.is_dry)
		return change_dry(w);
	str_to_i64(str_of(revision), &sw.if_revision);
	code = store_write(w->call->api->store, &sw, 1, &e);
	if (code == ERR_CONFLICT) {
		*ret_is_stale = true;
		return NULL;
	}
	if (code)
		return status_of_err(w->kind, sw.key.name, code, &e);
	status = reply_written(w, 200, sw.ret);
	json_decref(sw.ret);
	return status;
}

json_t *write_change(struct admission *w, bool *ret_is_stale)
{
	json_t *status = check_preconditions(w);

	if (status)
		return status;
	keep_other_part(w);
	status = admit_rules(w);
	if (status)
		return status;
	note_owner(w);
	return write_store(w, ret_is_stale);
}

/* Of a kind of ours an update must say which revision it was made from. */
static json_t *check_has_revision(struct admission *w)
{
	struct schema_causes causes = {.arena = w->call->arena};

	if (!*w->kind->group || *jv_str_or(w->object, "metadata.resourceVersion", ""))
		return NULL;
	schema_cause_add(
		&causes, "FieldValueInvalid", "metadata.resourceVersion",
		"Invalid value: 0x0: must be specified for an update");
	return status_invalid(w->kind, w->call->route.name, &causes);
}

static json_t *update_once(struct admission *w, const json_t *body, bool *ret_is_stale)
{
	json_t *status;

	json_decref(w->live);
	json_decref(w->object);
	w->live = NULL;
	w->object = json_deep_copy(body);
	status = admit_shape(w);
	if (!status)
		status = admit_fields(w);
	if (!status)
		status = write_read_live(w->call, &w->live);
	if (!status)
		status = check_has_revision(w);
	return status ? status : write_change(w, ret_is_stale);
}

json_t *write_update(struct call *c)
{
	struct admission w = {.call = c, .kind = c->route.kind};
	CLEANUP(jv_drop) json_t *body = NULL;
	json_t *status = options_read(c, "UpdateOptions", &w.options);
	bool is_stale = !status;

	if (!status)
		status = body_read(c, false, &body);
	for (int i = 0; !status && is_stale && i < WRITE_TRIES; i++) {
		is_stale = false;
		status = update_once(&w, body, &is_stale);
	}
	if (!status && is_stale)
		status = status_modified(w.kind, c->route.name);
	admission_done(&w);
	return status;
}
