#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "control_scene.h"
#include "kinds/cond.h"
#include "kinds/member.h"

static json_t *report(struct world *w, const char *member, const char *fields)
{
	json_t *m = json_deep_copy(world_get(w, "Member", member));
	CLEANUP(jv_drop) json_t *more = world_json(fields);
	json_t *status;

	assert_non_null(m);
	status = jv_object_at(m, "status");
	json_object_update(status, more);
	return m;
}

void says(struct world *w, const char *member, const char *fields)
{
	world_write(w, STORE_STATUS, "Member", member, report(w, member, fields));
}

void obeys(struct world *w, const char *member, int port)
{
	const json_t *spec = jv_at(world_get(w, "Member", member), "spec");
	bool is_primary = !strcmp(jv_str_or(spec, "role", ""), "primary");
	struct arena a = {0};
	json_t *m = report(w, member, "{'state':'Running','pendingRestart':[]}");
	json_t *s = jv_at(m, "status");

	json_object_set(s, "role", jv_at(spec, "role"));
	json_object_set(s, "epoch", jv_at(spec, "epoch"));
	json_object_set(s, "restarted", jv_at(spec, "restart"));
	json_object_set_new(s, "address", json_string("127.0.1.1"));
	json_object_set_new(s, "port", json_integer(port));
	json_object_set_new(s, "endpoint", json_sprintf("127.0.1.1:%d", port));
	json_object_set_new(s, "settingsHash", json_string(member_settings_hash(&a, spec)));
	if (is_primary) {
		json_object_set_new(s, "rolesHash", json_string(member_roles_hash(&a, spec)));
		if (strcmp(jv_str_or(s, "synchronous.names", ""),
			   jv_str_or(spec, "synchronousStandbyNames", "")) != 0)
			jv_set(s, "synchronous.members", json_array());
		jv_set_str(s, "synchronous.names", jv_str_or(spec, "synchronousStandbyNames", ""));
	}
	arena_done(&a);
	world_write(w, STORE_STATUS, "Member", member, m);
}

void streams(struct world *w, const char *list)
{
	says(w, "orders-1", list);
}

const char *condition(struct world *w, const char *type)
{
	static char text[600];
	const json_t *c = cond_get(world_get(w, "Database", "orders"), type);

	snprintf(
		text, sizeof(text), "%s %s: %s", jv_str_or(c, "status", "-"),
		jv_str_or(c, "reason", "-"), jv_str_or(c, "message", "-"));
	return text;
}

const char *text_at(struct world *w, const char *kind, const char *name, const char *path)
{
	return jv_str_or(world_get(w, kind, name), path, "-");
}

const char *names_of(struct world *w)
{
	return text_at(w, "Member", "orders-1", "spec.synchronousStandbyNames");
}

const char *set_of(struct world *w)
{
	static char text[200];
	json_t *set = jv_at(world_get(w, "Database", "orders"), "status.syncSet"), *one;
	size_t i;

	text[0] = 0;
	json_array_foreach (set, i, one) {
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "", json_string_value(one));
	}
	return text;
}

void make_flexible(struct world *w, const char *spec)
{
	world_init(w);
	world_database(w, spec);
	world_reconcile(w);
	obeys(w, "orders-1", 5433);
	world_reconcile(w);
	obeys(w, "orders-1", 5433);
	obeys(w, "orders-2", 5434);
	streams(w,
		"{'replicas':[{'member':'orders-2','state':'streaming'}],"
		"'synchronous':{'names':'ANY 1 (\\\"orders_2\\\")','members':['orders-2']}}");
	world_reconcile(w);
	assert_condition(
		w, "Ready", "True Ready: Primary in zone-a, synchronous standby in zone-b");
	assert_string_equal(set_of(w), "orders-2");
}

void make_single(struct world *w, const char *spec)
{
	world_init(w);
	world_database(w, spec);
	world_reconcile(w);
	obeys(w, "orders-1", 5433);
	world_reconcile(w);
	assert_condition(w, "Ready", "True Ready: Running in zone-a");
}
