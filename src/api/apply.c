#include "api/apply.h"

#include "api/body.h"
#include "api/meta.h"
#include "api/status.h"
#include "api/write.h"
#include "base/clock.h"
#include "codec/fields.h"

/* What kubectl keeps for its client-side apply. Its server-side apply goes on from there, and keeps
 * it up to date, so that the same person may change from the one to the other and back. */
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define LAST_APPLIED_MANAGER "kubectl"

struct applying {
	struct admission w;
	json_t *applied; /* what the body says, admitted; owned */
};

/* 'conflict with "kubectl-edit" using slipway.dev/v1'; the manager may end in 'x" using v'. */
static const char *conflict_text(struct arena *a, const char *manager)
{
	return strstr(manager, "\" using ") ? arena_printf(a, "conflict with \"%s", manager)
					    : arena_printf(a, "conflict with \"%s\"", manager);
}

/* One manager's fields on one line each, managers one after the other. */
static void conflicts_print(struct buf *out, const struct fields_conflicts *c)
{
	const char *last = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const char *text = conflict_text(c->arena, c->v[i].manager);

		if (!last || strcmp(last, c->v[i].manager) != 0)
			buf_printf(
				out, "%sconflicts%s:", last ? "\n" : "", text + strlen("conflict"));
		buf_printf(out, "\n- %s", c->v[i].field);
		last = c->v[i].manager;
	}
}

static json_t *conflict_status(const struct fields_conflicts *c)
{
	struct buf text = {0};
	json_t *s;

	if (c->n == 1)
		buf_printf(
			&text, "%s: %s", conflict_text(c->arena, c->v[0].manager), c->v[0].field);
	else
		conflicts_print(&text, c);
	s = status_new(
		409, "Conflict", "Apply failed with %zu conflict%s: %s", c->n, c->n == 1 ? "" : "s",
		text.p ? text.p : "");
	buf_done(&text);
	for (size_t i = 0; i < c->n; i++)
		status_add_cause(
			s, "FieldManagerConflict", conflict_text(c->arena, c->v[i].manager),
			c->v[i].field);
	return s;
}

/* What a manager may not say; unknown fields are looked for in what it applied, not in the rest. */
static json_t *applied_admit(struct applying *p)
{
	struct admission *w = &p->w;
	json_t *status;

	if (!w->options.has_manager)
		return status_bad_option(
			"PatchOptions", "fieldManager", "FieldValueRequired",
			"Required value: is required for apply patch");
	w->object = p->applied;
	status = admit_shape(w);
	if (!status && json_array_size(jv_at(p->applied, "metadata.managedFields")) > 0)
		status = status_bad_request("metadata.managedFields must be nil");
	if (!status)
		status = admit_fields(w);
	w->object = NULL;
	return status;
}

static bool is_by_kubectl(const struct admission *w)
{
	return !w->call->route.is_status && strcmp(w->options.manager, LAST_APPLIED_MANAGER) == 0;
}

static const char *last_applied_text(const json_t *object)
{
	return json_string_value(
		json_object_get(jv_at(object, "metadata.annotations"), LAST_APPLIED));
}

/* NULL: none, or none that counts here, or none that can be read. The caller's to drop. */
static json_t *last_applied_read(const struct admission *w)
{
	const char *text = last_applied_text(w->live);
	json_t *v = NULL;
	struct err e = {0};

	if (text && is_by_kubectl(w))
		jv_parse(str_of(text), BODY_MAX, &v, &e);
	return v;
}

/* The next client-side apply starts from what was applied here. */
static void last_applied_write(struct applying *p)
{
	struct admission *w = &p->w;
	CLEANUP(jv_drop) json_t *config = NULL;

	if (!last_applied_text(w->object) || !is_by_kubectl(w))
		return;
	config = json_deep_copy(p->applied);
	jv_remove(config, "metadata.managedFields");
	json_object_del(jv_at(config, "metadata.annotations"), LAST_APPLIED);
	json_object_set_new(
		jv_object_at(w->object, "metadata.annotations"), LAST_APPLIED,
		jv_string(jv_text(w->call->arena, config)));
}

static json_t *merge(struct applying *p)
{
	struct admission *w = &p->w;
	CLEANUP(jv_drop) json_t *last_applied = last_applied_read(w);
	struct fields_conflicts conflicts = {.arena = w->call->arena};
	struct err e = {0};
	char now[CLOCK_TEXT];
	enum err_code code = fields_apply(
		w->kind->schema, w->live, p->applied, last_applied, w->options.manager,
		w->kind->api_version, w->call->route.is_status ? "status" : "",
		w->options.is_forced, clock_text_s(clock_wall_us(), now), &w->object, &conflicts,
		&e);

	if (code == ERR_CONFLICT)
		return conflict_status(&conflicts);
	if (!code)
		last_applied_write(p);
	return code ? status_of_err(w->kind, w->call->route.name, code, &e) : NULL;
}

/* managedFields are the merge's own work: what cleaning would take away is kept. */
static json_t *apply_new(struct admission *w)
{
	json_t *status = admit_namespace(w), *managed;

	if (status)
		return status;
	if (*jv_str_or(w->object, "metadata.uid", ""))
		return status_conflict(
			w->kind, w->call->route.name,
			"uid mismatch: the provided object specified a uid, and no existing object "
			"was found");
	managed = json_incref(jv_at(w->object, "metadata.managedFields"));
	meta_clean(w->object);
	if (managed)
		jv_set(w->object, "metadata.managedFields", managed);
	if (w->kind->has_status)
		json_object_del(w->object, "status");
	status = admit_rules(w);
	return status ? status : write_new(w);
}

static json_t *apply_once(struct applying *p, bool *ret_is_stale)
{
	struct admission *w = &p->w;
	json_t *status;

	json_decref(w->live);
	json_decref(w->object);
	w->live = w->object = NULL;
	status = write_read_live(w->call, &w->live);
	if (status && (status_code(status) != 404 || w->call->route.is_status))
		return status;
	json_decref(status);
	status = merge(p);
	if (status)
		return status;
	if (!w->live)
		return apply_new(w);
	if (*jv_str_or(p->applied, "metadata.resourceVersion", "") &&
	    strcmp(jv_str_or(p->applied, "metadata.resourceVersion", ""),
		   jv_str_or(w->live, "metadata.resourceVersion", "")) != 0)
		return status_modified(w->kind, w->call->route.name);
	status = admit_rules(w);
	return status ? status : write_store(w, ret_is_stale);
}

json_t *apply_handle(struct call *c)
{
	struct applying p = {.w = {.call = c, .kind = c->route.kind}};
	json_t *status = options_read(c, "PatchOptions", &p.w.options);
	bool is_stale = true;

	if (!status)
		status = body_check_size(c);
	if (!status)
		status = body_read_yaml(c, &p.applied);
	if (!status)
		status = applied_admit(&p);
	for (int i = 0; !status && is_stale && i < WRITE_TRIES; i++) {
		is_stale = false;
		status = apply_once(&p, &is_stale);
	}
	if (!status && is_stale)
		status = status_modified(p.w.kind, c->route.name);
	json_decref(p.applied);
	admission_done(&p.w);
	return status;
}
