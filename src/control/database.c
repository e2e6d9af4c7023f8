/*
 * The Database controller: reads what database_plan needs, and writes what it says. A Database that
 * is gone takes along what still says that it belongs to it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "codec/window.h"
#include "control/context.h"
#include "control/database_plan.h"
#include "control/plan_member.h"
#include "kinds/zone.h"

/* What was read of one Database; the values are ours. */
struct reading {
	json_t *database, *members, *secrets, *gateways;
	struct index_hosts *hosts;
};

static void reading_done(struct context *x, struct reading *r)
{
	json_decref(r->database);
	json_decref(r->members);
	json_decref(r->secrets);
	json_decref(r->gateways);
	if (r->hosts)
		index_hosts_drop(x->index, r->hosts);
}

static bool has_name(const json_t *names, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach (names, i, one)
		if (!strcmp(json_string_value(one), name))
			return true;
	return false;
}

static enum err_code read_named(
	struct context *x, const char *kind, const char *ns, const json_t *names, json_t *ret,
	struct err *e)
{
	json_t *one, *o;
	size_t i;

	json_array_foreach (names, i, one) {
		enum err_code code = context_get(x, kind, ns, json_string_value(one), &o, e);

		if (code)
			return code;
		if (o)
			json_array_append_new(ret, o);
	}
	return ERR_OK;
}

/* Those that the index knows, and those that the Database's own status names: the row is never
 * behind, the index may be. */
static json_t *
member_names(struct context *x, const json_t *database, const char *ns, const char *name)
{
	json_t *names = index_children(x->index, "Member", ns, name);
	json_t *all = jv_at(database, "status.members"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!has_name(names, jv_str_or(one, "name", "")))
			json_array_append(names, json_object_get(one, "name"));
	return names;
}

static json_t *secret_names(
	struct context *x, struct arena *a, const json_t *database, const char *ns,
	const char *name)
{
	json_t *names = index_children(x->index, "Secret", ns, name);
	CLEANUP(jv_drop) json_t *wanted = plan_access_names(a, database);
	json_t *one;
	size_t i;

	json_array_foreach (wanted, i, one)
		if (!has_name(names, json_string_value(one)))
			json_array_append(names, one);
	return names;
}

static enum err_code read_family(
	struct context *x, const char *ns, const char *name, struct arena *a, struct reading *r,
	struct err *e)
{
	CLEANUP(jv_drop) json_t *members = member_names(x, r->database, ns, name);
	CLEANUP(jv_drop) json_t *secrets = secret_names(x, a, r->database, ns, name);
	enum err_code code;

	r->members = json_array();
	r->secrets = json_array();
	r->hosts = index_hosts(x->index);
	r->gateways = index_gateways(x->index, ns, name);
	code = read_named(x, "Member", ns, members, r->members, e);
	return code ? code : read_named(x, "Secret", ns, secrets, r->secrets, e);
}

static bool has_host(const struct reading *r, const json_t *member)
{
	for (size_t i = 0; i < r->hosts->n; i++)
		if (!strcmp(r->hosts->v[i].name, jv_str_or(member, "spec.host", "")))
			return true;
	return false;
}

static bool is_orphan(const json_t *o, const char *uid)
{
	return json_array_size(jv_at(o, "metadata.ownerReferences")) &&
		!cluster_is_owned_by(o, uid);
}

/* What belonged to a Database that is no more, or to an earlier one of the name; is there any? */
static bool collect(const struct reading *r, const char *uid, struct outcome *o)
{
	bool is_any = false;
	json_t *one;
	size_t i;

	json_array_foreach (r->members, i, one) {
		if (!is_orphan(one, uid))
			continue;
		is_any = true;
		if (!cluster_is_deleting(one))
			outcome_delete(o, one);
		else
			plan_member_release(o, one, has_host(r, one));
	}
	json_array_foreach (r->secrets, i, one) {
		if (!is_orphan(one, uid))
			continue;
		is_any = true;
		outcome_delete(o, one);
	}
	return is_any;
}

/* The file of the maintenance window's zone; one that cannot be read is the plan's to tell of. */
static struct str zone_file(struct arena *a, const json_t *database)
{
	const json_t *window = jv_at(database, "spec.maintenanceWindow");
	const char *zone = window ? window_zone(window) : NULL;
	struct str bytes = {0};
	struct err e;

	if (zone && zone_read(a, zone, &bytes, &e))
		log_warn("time zone cannot be read", "zone=%s why=%s", zone, log_q(e.text));
	return bytes;
}

static void plan(struct context *x, const struct reading *r, struct arena *a, struct outcome *ret)
{
	struct cluster_in in = {
		.database = r->database,
		.members = r->members,
		.hosts = r->hosts->v,
		.hosts_n = r->hosts->n,
		.gateways = r->gateways,
		.now_us = clock_wall_us(),
		.zone_file = zone_file(a, r->database),
	};
	struct plan_access_conf access = {.secrets = r->secrets, .ca_pem = x->ca_pem};

	database_plan(&in, &access, a, ret);
}

enum err_code database_reconcile(
	struct context *x, const char *ns, const char *name, struct arena *a, struct err *e)
{
	struct outcome *o = arena_new(a, struct outcome), *garbage = arena_new(a, struct outcome);
	struct reading r = {0};
	const char *key = arena_printf(a, "Database/%s/%s", ns, name);
	enum err_code code = context_get(x, "Database", ns, name, &r.database, e);
	bool has_garbage = false;

	o->arena = garbage->arena = a;
	if (!code)
		code = read_family(x, ns, name, a, &r, e);
	if (!code) {
		has_garbage = collect(&r, jv_str_or(r.database, "metadata.uid", "none"), garbage);
		code = context_apply(x, key, garbage, e);
	}
	if (!code && r.database) {
		plan(x, &r, a, o);
		code = context_apply(x, key, o, e);
		index_settle(x->index, ns, name, !code && o->is_settled);
	} else if (!code) {
		index_settle(x->index, ns, name, !has_garbage);
	}
	outcome_done(o);
	outcome_done(garbage);
	reading_done(x, &r);
	return code;
}
