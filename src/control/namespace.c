/*
 * The Namespace controller: one that is deleted takes everything in it along, Databases first (they
 * take their Members and Secrets), Events last, and then goes itself.
 */
#include "control/cluster.h"
#include "control/context.h"
#include "kinds/cond.h"
#include "kinds/kinds.h"

#define NAMESPACE_FINALIZER "slipway.dev/namespace"

/* What is being emptied. */
struct emptying {
	struct context *x;
	const char *ns;
	struct arena *arena;
	size_t left; /* objects that go on their own, or are still there */
	const char *why; /* the first that holds it up; NULL: none */
};

static bool is_owned(const json_t *o)
{
	return json_array_size(jv_at(o, "metadata.ownerReferences")) > 0;
}

static enum err_code
empty_one(struct emptying *m, const struct kind *k, const json_t *o, struct err *e)
{
	struct outcome *out = arena_new(m->arena, struct outcome);
	struct err why;
	enum err_code code;

	m->left++;
	if (cluster_is_deleting(o) || is_owned(o))
		return ERR_OK;
	if (k->check_delete && k->check_delete(o, &why)) {
		if (!m->why)
			m->why = arena_printf(
				m->arena, "%s %s: %s", k->name, jv_str_or(o, "metadata.name", ""),
				why.text);
		return ERR_OK;
	}
	out->arena = m->arena;
	outcome_delete(out, o);
	code = context_apply(m->x, "", out, e);
	if (!code && !json_array_size(jv_at(o, "metadata.finalizers")))
		m->left--;
	outcome_done(out);
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code empty_kind(struct emptying *m, const struct kind *k, struct err *e)
{
	struct store_filter filter = {.ns = m->ns};
	CLEANUP(jv_drop) json_t *all = NULL;
	json_t *o;
	int64_t revision;
	size_t i;
	enum err_code code = store_list_json(m->x->store, k->name, &filter, &all, &revision, e);

	json_array_foreach (all, i, o)
		if (!code)
			code = empty_one(m, k, o, e);
	return code;
}

/* Events stay until all else has gone: they say what happens. */
static enum err_code empty(struct emptying *m, struct err *e)
{
	const struct kind *events = kind_by_name("Event");
	enum err_code code = ERR_OK;
	size_t n;
	const struct kind *k = kinds_all(&n);

	for (size_t i = 0; i < n && !code; i++)
		if (k[i].is_namespaced && &k[i] != events)
			code = empty_kind(m, &k[i], e);
	return !code && !m->left ? empty_kind(m, events, e) : code;
}

static void say_terminating(struct outcome *o, const json_t *ns, const struct emptying *m)
{
	json_t *next = json_deep_copy(ns);

	jv_set_str(next, "status.phase", "Terminating");
	if (m->left)
		cond_set(
			next, "NamespaceContentRemaining", "True",
			m->why ? "Protected" : "SomeResourcesRemain",
			m->why ? m->why : "Its objects are being deleted");
	if (json_equal(next, ns))
		json_decref(next);
	else
		outcome_write(o, STORE_STATUS, next);
}

static void put_finalizer(struct outcome *o, const json_t *ns)
{
	json_t *all = jv_at(ns, "metadata.finalizers"), *one, *next;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(json_string_value(one), NAMESPACE_FINALIZER))
			return;
	next = json_deep_copy(ns);
	if (!all)
		jv_set(next, "metadata.finalizers", json_array());
	json_array_append_new(jv_at(next, "metadata.finalizers"), json_string(NAMESPACE_FINALIZER));
	jv_set_str(next, "status.phase", "Active");
	outcome_write(o, STORE_BOTH, next);
}

enum err_code namespace_reconcile(
	struct context *x, const char *ns, const char *name, struct arena *a, struct err *e)
{
	CLEANUP(jv_drop) json_t *o = NULL;
	struct outcome *out = arena_new(a, struct outcome);
	struct emptying m = {.x = x, .ns = name, .arena = a};
	enum err_code code = context_get(x, "Namespace", ns, name, &o, e);

	if (code || !o)
		return code;
	out->arena = a;
	if (!cluster_is_deleting(o)) {
		put_finalizer(out, o);
	} else {
		code = empty(&m, e);
		if (!code && m.left)
			say_terminating(out, o, &m);
		else if (!code)
			outcome_write(
				out, STORE_UPDATE,
				cluster_without_finalizer(o, NAMESPACE_FINALIZER));
	}
	if (!code)
		code = context_apply(x, arena_printf(a, "Namespace//%s", name), out, e);
	outcome_done(out);
	return code;
}
