#include "kinds/database.h"

#include <ctype.h>
#include <strings.h>

#include "kinds/cause.h"
#include "kinds/hold.h"
#include "kinds/parameter.h"
#include "kinds/zone.h"

enum {
	DATABASE_NAME_MAX = 50,
	FLEXIBLE_MAJOR_MIN = 13,
};

static json_t *spec_list(const json_t *object, const char *field)
{
	return json_object_get(json_object_get(object, "spec"), field);
}

static bool is_flexible(const json_t *object)
{
	return !strcmp(jv_str_or(object, "spec.tier", "single"), "flexible");
}

/* Defaults that depend on other fields. */

static void prepare_standbys(json_t *object, const json_t *old)
{
	json_t *now = jv_at(object, "spec.standbys");

	if (is_flexible(object) && !now)
		jv_set(object, "spec.standbys", json_integer(1));
	/* Who changes the tier alone means the standbys too. */
	if (!is_flexible(object) && old && is_flexible(old) &&
	    json_equal(now, jv_at(old, "spec.standbys")))
		jv_remove(object, "spec.standbys");
}

static void prepare_roles(json_t *object)
{
	json_t *roles = spec_list(object, "roles");

	if (json_array_size(roles) > 0)
		return;
	roles = json_array();
	json_array_append_new(
		roles,
		json_pack("{s:s, s:b, s:i}", "name", "app", "login", 1, "connectionLimit", -1));
	jv_set(object, "spec.roles", roles);
}

/* A resource may be named 9lives, a database inside PostgreSQL begins with a letter. */
static json_t *database_name(const char *resource)
{
	return json_sprintf("%s%s", isdigit((unsigned char)*resource) ? "db-" : "", resource);
}

static void prepare_databases(json_t *object)
{
	json_t *databases = spec_list(object, "databases"), *one;
	const char *name = jv_str(object, "metadata.name");
	const char *owner = jv_str_or(object, "spec.roles.0.name", "app");
	size_t i;

	if (json_array_size(databases) == 0) {
		if (!name)
			return; /* generateName has not been given out yet */
		databases = json_array();
		json_array_append_new(databases, json_pack("{s:o}", "name", database_name(name)));
		jv_set(object, "spec.databases", databases);
	}
	json_array_foreach (databases, i, one)
		if (!json_object_get(one, "owner"))
			json_object_set_new(one, "owner", json_string(owner));
}

void database_prepare(json_t *object, const json_t *old)
{
	prepare_standbys(object, old);
	prepare_roles(object);
	prepare_databases(object);
}

/* Rules. */

static void check_name(const json_t *object, struct schema_causes *out)
{
	const char *name = jv_str_or(object, "metadata.name", "");

	if (strlen(name) > DATABASE_NAME_MAX)
		cause_invalid(
			out, "metadata.name", name, "must be no more than %d characters",
			DATABASE_NAME_MAX);
	if (str_ends(str_of(name), DATABASE_READ_ONLY))
		cause_invalid(
			out, "metadata.name", name,
			"a name that ends in " DATABASE_READ_ONLY " is the read-only endpoint of "
			"the database without it; choose another name");
}

static void check_version(const json_t *object, const json_t *old, struct schema_causes *out)
{
	const char *version = jv_str_or(object, "spec.version", "");
	const char *before = jv_str_or(old, "spec.version", version);
	int major = parameter_major(version);

	if (strcmp(version, before) != 0) {
		cause_forbidden(
			out, "spec.version",
			"the major version cannot be changed in place (%s to %s): a Move takes the "
			"database to a new server of that version",
			before, version);
		return;
	}
	if (!major)
		cause_invalid(
			out, "spec.version", version, "this release knows PostgreSQL %d to %d",
			PARAMETER_MAJOR_MIN, PARAMETER_MAJOR_MAX);
	else if (is_flexible(object) && major < FLEXIBLE_MAJOR_MIN)
		cause_invalid(
			out, "spec.version", version, "tier flexible needs PostgreSQL %d or newer",
			FLEXIBLE_MAJOR_MIN);
}

static void check_standbys(const json_t *object, struct schema_causes *out)
{
	const json_t *zones = jv_at(object, "spec.highAvailability.zones");
	int64_t standbys = jv_int(object, "spec.standbys", 0);

	if (!is_flexible(object) && standbys)
		cause_forbidden(
			out, "spec.standbys",
			"only tier flexible has standbys; set spec.tier to flexible, or remove it");
	if (is_flexible(object) && zones && json_array_size(zones) > 0 &&
	    (int64_t)json_array_size(zones) < standbys + 1)
		cause_invalid(
			out, "spec.highAvailability.zones",
			json_string_value(json_array_get(zones, 0)),
			"a primary and %lld standby(s) are in %lld different zones; name at least "
			"as "
			"many",
			(long long)standbys, (long long)standbys + 1);
}

static void check_storage(const json_t *object, const json_t *old, struct schema_causes *out)
{
	const char *now = jv_str_or(object, "spec.storage", "");
	const char *before = jv_str_or(old, "spec.storage", "");

	if (!database_storage_bytes(now))
		cause_invalid(
			out, "spec.storage", now,
			"must be a number below 1048576 and Mi, Gi or Ti");
	else if (database_storage_bytes(now) < database_storage_bytes(before))
		cause_forbidden(
			out, "spec.storage", "storage grows only: %s cannot become %s", before,
			now);
}

static const char *parameter_why(
	struct schema_causes *out, int major, const char *name, const char *value,
	bool *ret_is_ours)
{
	const struct parameter *p = parameter_find(major, name);
	const char *why = parameter_refusal(out->arena, name, value);

	*ret_is_ours = why != NULL;
	if (why)
		return why;
	if (p && p->context == PARAMETER_DEVELOPER) {
		*ret_is_ours = true;
		return arena_printf(
			out->arena, "%s is a developer option, which can damage data", name);
	}
	if (p)
		return parameter_check(out->arena, major, p, value);
	if (strchr(name, '.') && !str_starts(str_of(name), "pg_") &&
	    !str_starts(str_of(name), "auto_explain."))
		return NULL; /* an application's or an extension's own */
	return arena_printf(out->arena, "PostgreSQL %d knows no parameter of this name", major);
}

static bool parameter_name_is_ok(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' &&
		    (*c != '.' || !(isalpha((unsigned char)c[1]) || c[1] == '_')))
			return false;
	return strlen(name) < 64;
}

static void check_parameters(const json_t *object, struct schema_causes *out)
{
	int major = parameter_major(jv_str_or(object, "spec.version", "0"));
	json_t *parameters = spec_list(object, "parameters"), *one;
	const char *name;

	json_object_foreach (parameters, name, one) {
		const char *value = json_string_value(one), *why;
		const char *field = cause_field(out, "spec.parameters[%s]", name);
		bool is_ours = false;

		if (!parameter_name_is_ok(name))
			why = "is not a name that a parameter can have";
		else
			why = parameter_why(out, major, name, value, &is_ours);
		if (why && is_ours)
			cause_forbidden(out, field, "%s", why);
		else if (why)
			cause_invalid(out, field, value, "%s", why);
	}
}

static bool is_reserved(const char *name)
{
	static const char *const words[] = {
		"postgres",  "public",       "none",         "template0",
		"template1", "all",          "replication",  "sameuser",
		"samerole",  "session_user", "current_user", "current_role",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcasecmp(words[i], name))
			return true;
	return str_starts(str_of(name), "slipway_") || str_starts(str_of(name), "slipway-") ||
		str_starts(str_of(name), "pg_");
}

static void check_reserved(const char *field, const char *name, struct schema_causes *out)
{
	if (is_reserved(name))
		cause_invalid(
			out, field, name, "the name is reserved for PostgreSQL or the platform");
}

static const json_t *role_find(const json_t *roles, const char *name)
{
	size_t i;
	json_t *role;

	json_array_foreach (roles, i, role)
		if (!strcmp(jv_str_or(role, "name", ""), name))
			return role;
	return NULL;
}

/* PostgreSQL's own roles that give no way out of the database. */
static bool is_grantable(const char *name)
{
	static const char *const names[] = {
		"pg_monitor",        "pg_read_all_data",     "pg_write_all_data",
		"pg_read_all_stats", "pg_read_all_settings", "pg_stat_scan_tables",
		"pg_signal_backend", "pg_checkpoint",        "pg_maintain",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* Does role reach `name` through inRoles, in at most `depth` steps? */
static bool role_reaches(const json_t *roles, const json_t *role, const char *name, size_t depth)
{
	json_t *in = json_object_get(role, "inRoles"), *one;
	size_t i;

	json_array_foreach (in, i, one) {
		const char *next = json_string_value(one);
		const json_t *next_role = role_find(roles, next);

		if (!strcmp(next, name))
			return true;
		if (next_role && depth && role_reaches(roles, next_role, name, depth - 1))
			return true;
	}
	return false;
}

enum { ROLE_DEPTH_MAX = 4 };

static void
check_role(const json_t *roles, const json_t *role, size_t at, struct schema_causes *out)
{
	const char *name = jv_str_or(role, "name", "");
	json_t *in = json_object_get(role, "inRoles"), *one;
	size_t i;

	check_reserved(cause_field(out, "spec.roles[%zu].name", at), name, out);
	json_array_foreach (in, i, one) {
		const char *other = json_string_value(one);
		const char *field = cause_field(out, "spec.roles[%zu].inRoles[%zu]", at, i);

		if (!role_find(roles, other) && !is_grantable(other))
			cause_invalid(
				out, field, other,
				"must be one of spec.roles, or a role of PostgreSQL such as "
				"pg_monitor or pg_read_all_data");
	}
	if (role_reaches(roles, role, name, ROLE_DEPTH_MAX))
		cause_invalid(
			out, cause_field(out, "spec.roles[%zu].inRoles", at), name,
			"a role cannot be a member of itself, also not through others");
}

static void check_roles(const json_t *object, struct schema_causes *out)
{
	json_t *roles = spec_list(object, "roles"), *role;
	bool has_login = false;
	size_t i;

	json_array_foreach (roles, i, role) {
		check_role(roles, role, i, out);
		has_login |= jv_bool(role, "login", true);
	}
	if (!has_login)
		cause_invalid(
			out, "spec.roles", jv_str(object, "spec.roles.0.name"),
			"at least one role must be able to log in");
}

static void check_databases(const json_t *object, struct schema_causes *out)
{
	json_t *databases = spec_list(object, "databases"), *roles = spec_list(object, "roles");
	json_t *one;
	size_t i;

	json_array_foreach (databases, i, one) {
		const char *owner = jv_str_or(one, "owner", "");

		check_reserved(
			cause_field(out, "spec.databases[%zu].name", i), jv_str_or(one, "name", ""),
			out);
		if (!role_find(roles, owner))
			cause_invalid(
				out, cause_field(out, "spec.databases[%zu].owner", i), owner,
				"must be the name of one of spec.roles");
	}
}

static void check_window(const json_t *object, struct schema_causes *out)
{
	const char *zone = jv_str(object, "spec.maintenanceWindow.timeZone");

	if (zone && !zone_exists(zone))
		cause_invalid(
			out, "spec.maintenanceWindow.timeZone", zone,
			"there is no such time zone; give an IANA name such as Europe/Berlin");
}

/* Of one pool alone: several of them may still ask for more than there is, and then wait. */
static void check_gateway(const json_t *object, struct schema_causes *out)
{
	CLEANUP(jv_drop) json_t *settings = database_settings(object);
	int64_t size = jv_int(object, "spec.gateway.pool.size", 0);
	int64_t reserve = jv_int(object, "spec.gateway.pool.reserve", 0);
	int64_t least = jv_int(object, "spec.gateway.pool.min", 0);
	int64_t most = 0;

	str_to_i64(str_of(jv_str_or(settings, "max_connections", "")), &most);
	if (least > size)
		cause_forbidden(
			out, "spec.gateway.pool.min",
			"%lld connections cannot be kept open in a pool of size %lld",
			(long long)least, (long long)size);
	if (most && size + reserve > most - DATABASE_RESERVED_CONNECTIONS)
		cause_forbidden(
			out, "spec.gateway.pool.size",
			"size and reserve together are %lld connections, but the servers take %lld "
			"of applications (max_connections %lld, %d of them kept for the platform); "
			"lower them, or take a larger spec.size",
			(long long)(size + reserve),
			(long long)most - DATABASE_RESERVED_CONNECTIONS, (long long)most,
			DATABASE_RESERVED_CONNECTIONS);
}

static void check_hold(const json_t *object, struct schema_causes *out)
{
	const char *asked = hold_asked(object);
	struct hold h;
	struct err e;

	if (asked && hold_parse(asked, &h, &e))
		cause_invalid(
			out, cause_field(out, "metadata.annotations[%s]", HOLD_ANNOTATION), asked,
			"%s", e.text);
}

void database_check(const json_t *object, const json_t *old, struct schema_causes *out)
{
	if (!old)
		check_name(object, out);
	check_version(object, old, out);
	check_standbys(object, out);
	check_storage(object, old, out);
	check_parameters(object, out);
	check_roles(object, out);
	check_databases(object, out);
	check_window(object, out);
	check_gateway(object, out);
	check_hold(object, out);
}

enum err_code database_check_delete(const json_t *object, struct err *e)
{
	if (!jv_bool(object, "spec.deletionProtection", false))
		return ERR_OK;
	return err_set(
		e, ERR_FORBIDDEN,
		"it is protected from deletion: set spec.deletionProtection to false first");
}
