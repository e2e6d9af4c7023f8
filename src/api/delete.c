#include "api/delete.h"

#include "api/reply.h"
#include "api/selection.h"
#include "api/status.h"
#include "api/write.h"

/* What a deletion asks for, from its body (DeleteOptions) and its query. */
struct deletion {
	struct call *c;
	bool is_dry;
	const char *uid; /* preconditions; NULL: none */
	const char *revision;
	json_t *body; /* owned */
};

static bool is_all(const json_t *list)
{
	return json_array_size(list) == 1 && !strcmp(jv_str_or(list, "0", ""), "All");
}

static json_t *deletion_read(struct call *c, struct deletion *ret)
{
	json_t *status = body_read(c, true, &ret->body);
	const char *dry = call_query(c, "dryRun", NULL);
	const char *policy;

	if (status)
		return status;
	ret->c = c;
	ret->is_dry = dry || json_array_size(jv_at(ret->body, "dryRun")) > 0;
	if ((dry && strcmp(dry, "All") != 0) ||
	    (!dry && ret->is_dry && !is_all(jv_at(ret->body, "dryRun"))))
		return status_bad_option(
			"DeleteOptions", "dryRun", "FieldValueNotSupported",
			"Unsupported value: supported values: \"All\"");
	policy = call_query(
		c, "propagationPolicy", jv_str_or(ret->body, "propagationPolicy", "Background"));
	if (strcmp(policy, "Background") != 0 && strcmp(policy, "Foreground") != 0 &&
	    strcmp(policy, "Orphan") != 0)
		return status_bad_option(
			"DeleteOptions", "propagationPolicy", "FieldValueNotSupported",
			arena_printf(
				c->arena,
				"Unsupported value: \"%s\": supported values: \"Foreground\", "
				"\"Background\", \"Orphan\", \"nil\"",
				policy));
	ret->uid = jv_str(ret->body, "preconditions.uid");
	ret->revision = jv_str(ret->body, "preconditions.resourceVersion");
	return NULL;
}

static json_t *failed_precondition(
	const struct deletion *d, const json_t *live, const char *what, const char *asked,
	const char *there)
{
	return status_conflict(
		d->c->route.kind, jv_str_or(live, "metadata.name", ""),
		arena_printf(
			d->c->arena,
			"Precondition failed: %s in precondition: %s, %s in object meta: %s", what,
			asked, what, there));
}

/* Its objects of a kind, each of which would go with it. */
static json_t *
contents_check_kind(const struct deletion *d, const struct kind *k, const char *ns, struct err *e)
{
	struct store_filter filter = {.ns = ns};
	CLEANUP(jv_drop) json_t *all = NULL;
	json_t *o;
	int64_t revision;
	size_t i;
	enum err_code code =
		store_list_json(d->c->api->store, k->name, &filter, &all, &revision, e);

	if (code)
		return status_of_err(d->c->route.kind, ns, code, e);
	json_array_foreach (all, i, o) /* what is owned goes with its owner, which is asked */
		if (!json_array_size(jv_at(o, "metadata.ownerReferences")) && k->check_delete(o, e))
			return status_forbidden(
				d->c->route.kind, ns,
				arena_printf(
					d->c->arena, "%s %s in it: %s", k->name,
					jv_str_or(o, "metadata.name", ""), e->text));
	return NULL;
}

/* A namespace cannot be taken back from its end, so what is protected in it is asked before. */
static json_t *contents_check(const struct deletion *d, const char *ns, struct err *e)
{
	size_t n;
	const struct kind *k = kinds_all(&n);
	json_t *status = NULL;

	for (size_t i = 0; i < n && !status; i++)
		if (k[i].is_namespaced && k[i].check_delete)
			status = contents_check_kind(d, &k[i], ns, e);
	return status;
}

static json_t *deletion_check(const struct deletion *d, const json_t *live)
{
	const struct kind *k = d->c->route.kind;
	const char *uid = jv_str_or(live, "metadata.uid", "");
	const char *revision = jv_str_or(live, "metadata.resourceVersion", "");
	struct err e = {0};

	if (d->uid && strcmp(d->uid, uid) != 0)
		return failed_precondition(d, live, "UID", d->uid, uid);
	if (d->revision && strcmp(d->revision, revision) != 0)
		return failed_precondition(d, live, "ResourceVersion", d->revision, revision);
	if (k->check_delete && k->check_delete(live, &e))
		return status_forbidden(k, jv_str(live, "metadata.name"), e.text);
	if (!strcmp(k->name, "Namespace"))
		return contents_check(d, jv_str_or(live, "metadata.name", ""), &e);
	return NULL;
}

/* Deletes it; *ret is what it is now, or was, and *ret_is_gone says which. *ret_is_stale: it was
 * changed meanwhile, and its new self must be checked. */
static json_t *deletion_do(
	const struct deletion *d, const json_t *live, json_t **ret, bool *ret_is_gone,
	bool *ret_is_stale)
{
	const struct kind *k = d->c->route.kind;
	struct store_write sw = {
		.verb = STORE_DELETE,
		.key = {k->name, jv_str_or(live, "metadata.namespace", ""),
			jv_str_or(live, "metadata.name", "")},
		.if_uid = jv_str(live, "metadata.uid"),
	};
	struct err e = {0};
	enum err_code code;

	*ret_is_gone = !json_array_size(jv_at(live, "metadata.finalizers"));
	if (d->is_dry) {
		*ret = json_deep_copy(live);
		return NULL;
	}
	str_to_i64(str_of(jv_str_or(live, "metadata.resourceVersion", "0")), &sw.if_revision);
	code = store_write(d->c->api->store, &sw, 1, &e);
	*ret_is_stale = code == ERR_CONFLICT;
	if (code && !*ret_is_stale)
		return status_of_err(k, sw.key.name, code, &e);
	*ret = sw.ret;
	return NULL;
}

static json_t *delete_once(const struct deletion *d, bool *ret_is_stale)
{
	struct call *c = d->c;
	CLEANUP(jv_drop) json_t *live = NULL;
	CLEANUP(jv_drop) json_t *now = NULL;
	CLEANUP(jv_drop) json_t *done = NULL;
	json_t *status = write_read_live(c, &live);
	bool is_gone = false;

	if (!status)
		status = deletion_check(d, live);
	if (!status)
		status = deletion_do(d, live, &now, &is_gone, ret_is_stale);
	if (status || *ret_is_stale)
		return status;
	if (!is_gone)
		return reply_object(c, 200, now);
	done = status_deleted(c->route.kind, c->route.name, jv_str(live, "metadata.uid"));
	reply_value(c, 200, done);
	return NULL;
}

json_t *delete_one(struct call *c)
{
	struct deletion d = {0};
	json_t *status = deletion_read(c, &d);
	bool is_stale = true;

	for (int i = 0; !status && is_stale && i < WRITE_TRIES; i++) {
		is_stale = false;
		status = delete_once(&d, &is_stale);
	}
	if (!status && is_stale)
		status = status_modified(c->route.kind, c->route.name);
	json_decref(d.body);
	return status;
}

/* Deletes all that are selected, one by one; what fails ends it. */
static json_t *
delete_selected(const struct deletion *d, const struct selection *s, json_t *items, json_t *deleted)
{
	json_t *status = NULL, *live;
	size_t i;

	json_array_foreach (items, i, live) {
		CLEANUP(jv_drop) json_t *now = NULL;
		bool is_gone, is_stale = false;

		if (!selection_takes(s, live))
			continue;
		status = deletion_check(d, live);
		if (!status)
			status = deletion_do(d, live, &now, &is_gone, &is_stale);
		if (status && status_code(status) == 404) {
			json_decref(status);
			status = NULL;
			continue;
		}
		if (status)
			return status;
		if (is_stale)
			return status_modified(
				d->c->route.kind, jv_str_or(live, "metadata.name", ""));
		json_array_append(deleted, now ? now : live);
	}
	return NULL;
}

json_t *delete_collection(struct call *c)
{
	const struct kind *k = c->route.kind;
	CLEANUP(jv_drop) json_t *items = NULL;
	CLEANUP(jv_drop)
	json_t *list = json_pack(
		"{s:o, s:s, s:{}, s:[]}", "kind", json_sprintf("%sList", k->name), "apiVersion",
		k->api_version, "metadata", "items");
	struct deletion d = {0};
	struct selection s = {0};
	struct err e = {0};
	int64_t revision;
	json_t *status = deletion_read(c, &d);
	enum err_code code;

	if (!status)
		status = selection_read(c, &s);
	if (!status) {
		code = store_list_json(c->api->store, k->name, &s.store, &items, &revision, &e);
		if (code)
			status = status_of_err(k, NULL, code, &e);
	}
	if (!status)
		status = delete_selected(&d, &s, items, json_object_get(list, "items"));
	if (!status)
		reply_value(c, 200, list);
	selection_done(&s);
	json_decref(d.body);
	return status;
}
