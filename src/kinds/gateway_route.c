#include "kinds/gateway_route.h"

#include "kinds/database.h"
#include "kinds/kinds.h"

/* The pool's keys, and the fields of the Database that they come from. */
static const struct {
	const char *key, *field;
} pool_keys[] = {
	{"size", "spec.gateway.pool.size"},
	{"reserve", "spec.gateway.pool.reserve"},
	{"reserveAfterMs", "spec.gateway.pool.reserveAfterMs"},
	{"queueMs", "spec.gateway.pool.queueMs"},
	{"min", "spec.gateway.pool.min"},
	{"lifetimeS", "spec.gateway.pool.lifetimeSeconds"},
	{"idleS", "spec.gateway.pool.idleSeconds"},
	{"reset", "spec.gateway.pool.reset"},
	{"clients", "spec.gateway.clients"},
	{"clientIdleS", "spec.gateway.clientIdleSeconds"},
	{"maxLagBytes", "spec.gateway.readOnly.maxLagBytes"},
};

/* What the field says, or the kind's default: a Database that says nothing of the gateway has none
 * filled in. Borrowed. */
static json_t *field_of(const json_t *database, const char *field)
{
	json_t *v = jv_at(database, field);

	return v ? v
		 : json_object_get(schema_at(kind_by_name("Database")->schema, field), "default");
}

int64_t gateway_route_max_lag_bytes(const json_t *database)
{
	return json_integer_value(field_of(database, "spec.gateway.readOnly.maxLagBytes"));
}

/* The default pool must not ask for more than a small server has; one that somebody has asked for
 * was checked. */
static void pool_fit(json_t *pool, const json_t *database)
{
	CLEANUP(jv_drop) json_t *settings = database_settings(database);
	int64_t size = jv_int(pool, "size", 0), most = 0;

	if (jv_at(database, "spec.gateway.pool.size"))
		return;
	str_to_i64(str_of(jv_str_or(settings, "max_connections", "")), &most);
	most -= DATABASE_RESERVED_CONNECTIONS + jv_int(pool, "reserve", 0);
	if (size > most)
		json_object_set_new(pool, "size", json_integer(MAX(most, 1)));
}

static json_t *pool_of(const json_t *database)
{
	json_t *pool = json_object();

	for (size_t i = 0; i < ARRAY_LEN(pool_keys); i++)
		json_object_set(pool, pool_keys[i].key, field_of(database, pool_keys[i].field));
	pool_fit(pool, database);
	return pool;
}

static json_t *names_of(const json_t *list)
{
	json_t *ret = json_array(), *one;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, one)
		json_array_append(ret, json_object_get(one, "name"));
	return ret;
}

static json_t *roles_of(const json_t *database, const json_t *verifiers)
{
	json_t *ret = json_array(), *role;
	size_t i;

	json_array_foreach (jv_at(database, "spec.roles"), i, role) {
		json_t *its = json_object_get(verifiers, jv_str_or(role, "name", ""));

		if (!jv_bool(role, "login", true))
			continue;
		json_array_append_new(
			ret,
			json_pack(
				"{s:s, s:o, s:I}", "name", jv_str_or(role, "name", ""), "verifiers",
				its ? json_incref(its) : json_array(), "connections",
				(json_int_t)jv_int(role, "connectionLimit", -1)));
	}
	return ret;
}

/* Is it there to be connected to? A primary stays in the route when its server is down, so that
 * clients wait for it rather than hear that there is none. */
static bool is_reachable(const json_t *member, bool is_primary)
{
	if (!jv_str(member, "status.address") || jv_int(member, "status.port", 0) <= 0 ||
	    jv_str(member, "metadata.deletionTimestamp"))
		return false;
	return is_primary || !strcmp(jv_str_or(member, "status.state", ""), "Running");
}

/* Which one is the primary is the Database's to say, whatever the Members are still meant to be. */
static json_t *members_of(const struct gateway_route_in *in)
{
	const char *primary = jv_str_or(in->database, "status.primary", "");
	json_t *ret = json_array(), *member;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)in->members, i, member) {
		const char *name = jv_str_or(member, "metadata.name", "");
		bool is_primary = !strcmp(name, primary);
		json_t *lag = json_object_get(in->lags, name), *one;

		if (!is_reachable(member, is_primary))
			continue;
		one = json_pack(
			"{s:s, s:s, s:I, s:s, s:s}", "name", name, "host",
			jv_str_or(member, "status.address", ""), "port",
			(json_int_t)jv_int(member, "status.port", 0), "role",
			is_primary ? "primary" : "standby", "tls", "verify-ca");
		if (is_primary)
			json_object_set_new(one, "lagBytes", json_integer(0));
		else if (lag)
			json_object_set(one, "lagBytes", lag);
		json_array_append_new(ret, one);
	}
	return ret;
}

/* NULL: it is open. */
static json_t *hold_of(const json_t *database)
{
	static const char *const keys[] = {"id", "drainMs", "onDrain", "next"};
	const json_t *hold = jv_at(database, "status.hold");
	json_t *ret = hold ? json_object() : NULL;

	for (size_t i = 0; hold && i < ARRAY_LEN(keys); i++)
		if (json_object_get(hold, keys[i]))
			json_object_set(ret, keys[i], json_object_get(hold, keys[i]));
	return ret;
}

const char *gateway_route_name(struct arena *a, const char *ns, const char *database)
{
	return arena_printf(a, "%s.%s", ns, database);
}

json_t *gateway_route(const struct gateway_route_in *in)
{
	CLEANUP(arena_done) struct arena a = {0};
	const json_t *d = in->database;

	return json_pack(
		"{s:s, s:I, s:I, s:O, s:o, s:O, s:o, s:o*, s:o, s:o, s:{s:s}, s:{s:O}}", "name",
		gateway_route_name(
			&a, jv_str_or(d, "metadata.namespace", ""),
			jv_str_or(d, "metadata.name", "")),
		"revision", (json_int_t)in->revision, "epoch",
		(json_int_t)jv_int(d, "status.epoch", 0), "mode", field_of(d, "spec.gateway.mode"),
		"databases", names_of(jv_at(d, "spec.databases")), "tls",
		field_of(d, "spec.gateway.tls"), "pool", pool_of(d), "hold", hold_of(d), "members",
		members_of(in), "roles", roles_of(d, in->verifiers), "server", "auth", "cert",
		"readOnly", "fallback", field_of(d, "spec.gateway.readOnly.fallback"));
}

/* Digests: copies of the fields that are read above, and of whom they belong to. */

static json_t *digest_of(const json_t *object, const char *const *fields, size_t n)
{
	json_t *ret = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *v = jv_at(object, fields[i]);

		if (v)
			jv_set(ret, fields[i], json_deep_copy(v));
	}
	return ret;
}

/* Of lists of things with names: the names, and two more fields. */
static void digest_list(json_t *digest, const json_t *object, const char *field)
{
	json_t *list = json_array(), *one;
	size_t i;

	json_array_foreach (jv_at(object, field), i, one)
		json_array_append_new(
			list,
			json_pack(
				"{s:O*, s:O*, s:O*}", "name", json_object_get(one, "name"), "login",
				json_object_get(one, "login"), "connectionLimit",
				json_object_get(one, "connectionLimit")));
	jv_set(digest, field, list);
}

json_t *gateway_route_database_digest(const json_t *database)
{
	static const char *const fields[] = {
		"metadata.name",  "metadata.namespace", "spec.version",
		"spec.size",      "spec.gateway",       "spec.parameters.max_connections",
		"status.primary", "status.epoch",       "status.hold",
	};
	json_t *ret = digest_of(database, fields, ARRAY_LEN(fields));

	digest_list(ret, database, "spec.databases");
	digest_list(ret, database, "spec.roles");
	return ret;
}

json_t *gateway_route_member_digest(const json_t *member)
{
	static const char *const fields[] = {
		"metadata.name", "metadata.deletionTimestamp", "status.state", "status.address",
		"status.port",
	};

	return digest_of(member, fields, ARRAY_LEN(fields));
}
