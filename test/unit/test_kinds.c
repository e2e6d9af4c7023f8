/* What kinds promise: defaults, rules across fields, settings, columns, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kinds/cond.h"
#include "kinds/database.h"
#include "kinds/hold.h"
#include "kinds/kinds.h"
#include "kinds/parameter.h"
#include "kinds/zone.h"

static struct arena arena;

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	if (kinds_init(&e)) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static json_t *parse(const char *text)
{
	struct err e = {0};
	json_t *v = NULL;

	if (jv_parse(str_of(text), 1 << 20, &v, &e))
		fail_msg("%s in %s", e.text, text);
	return v;
}

/* A Database with this spec, defaults filled in as the API does. */
static json_t *database(const char *spec)
{
	const struct kind *k = kind_by_name("Database");
	json_t *o = json_pack(
		"{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "slipway.dev/v1", "kind", "Database",
		"metadata", "name", "orders", "namespace", "payments-dev", "spec", parse(spec));

	schema_default(k->schema, o);
	k->prepare(o, NULL);
	return o;
}

/* Says that the check finds exactly one thing wrong, at this field, with this in its message. */
static void wrong(const char *spec, const char *old_spec, const char *field, const char *message)
{
	const struct kind *k = kind_by_name("Database");
	struct schema_causes out = {.arena = &arena};
	json_t *o = database(spec), *old = old_spec ? database(old_spec) : NULL;

	schema_check(k->schema, o, &out);
	if (out.n)
		fail_msg("schema: %s: %s", out.v[0].field, out.v[0].message);
	k->check(o, old, &out);
	if (!field) {
		if (out.n)
			fail_msg("%s: %s: %s", spec, out.v[0].field, out.v[0].message);
	} else {
		if (!out.n)
			fail_msg("%s: nothing found wrong", spec);
		assert_string_equal(out.v[0].field, field);
		if (!strstr(out.v[0].message, message))
			fail_msg("%s: %s", field, out.v[0].message);
		assert_int_equal(out.n, 1);
	}
	json_decref(o);
	json_decref(old);
}

static void an_empty_spec_becomes_a_database_with_a_role(void **state)
{
	json_t *o = database("{}");

	(void)state;
	assert_string_equal(jv_str(o, "spec.databases.0.name"), "orders");
	assert_string_equal(jv_str(o, "spec.databases.0.owner"), "app");
	assert_string_equal(jv_str(o, "spec.roles.0.name"), "app");
	assert_true(jv_bool(o, "spec.roles.0.login", false));
	assert_null(jv_at(o, "spec.standbys"));
	json_decref(o);
	o = database("{\"tier\":\"flexible\"}");
	assert_int_equal(jv_int(o, "spec.standbys", 0), 1);
	json_decref(o);
	wrong("{}", NULL, NULL, NULL);
	wrong("{\"tier\":\"flexible\",\"version\":\"17\"}", NULL, NULL, NULL);
}

static void the_owner_is_the_first_role_unless_named(void **state)
{
	json_t *o = database("{\"roles\":[{\"name\":\"web\"}],\"databases\":[{\"name\":\"a\"}]}");

	(void)state;
	assert_string_equal(jv_str(o, "spec.databases.0.owner"), "web");
	json_decref(o);
	wrong("{\"databases\":[{\"name\":\"a\",\"owner\":\"who\"}]}", NULL,
	      "spec.databases[0].owner", "must be the name of one of spec.roles");
}

static void a_change_of_tier_takes_the_standbys_along(void **state)
{
	json_t *old = database("{\"tier\":\"flexible\"}");
	json_t *now = json_deep_copy(old);

	(void)state;
	jv_set_str(now, "spec.tier", "single");
	kind_by_name("Database")->prepare(now, old);
	assert_null(jv_at(now, "spec.standbys"));
	json_decref(now);
	json_decref(old);
	wrong("{\"tier\":\"single\",\"standbys\":1}", NULL, "spec.standbys", "only tier flexible");
}

static void versions_are_known_and_stay(void **state)
{
	(void)state;
	wrong("{\"version\":\"19\"}", NULL, "spec.version", "knows PostgreSQL 10 to 18");
	wrong("{\"version\":\"12\",\"tier\":\"flexible\"}", NULL, "spec.version", "13 or newer");
	wrong("{\"version\":\"17\"}", "{\"version\":\"15\"}", "spec.version", "a Move takes the");
}

static void storage_grows_only(void **state)
{
	(void)state;
	wrong("{\"storage\":\"20Gi\"}", "{\"storage\":\"10Gi\"}", NULL, NULL);
	wrong("{\"storage\":\"10240Mi\"}", "{\"storage\":\"10Gi\"}", NULL, NULL);
	wrong("{\"storage\":\"5Gi\"}", "{\"storage\":\"10Gi\"}", "spec.storage", "grows only");
	wrong("{\"storage\":\"9999999Ti\"}", NULL, "spec.storage", "below");
}

static void parameters_are_what_the_server_takes(void **state)
{
	static const struct {
		const char *parameters, *field, *message;
	} cases[] = {
		{"{\"work_mem\":\"16MB\"}", NULL, NULL},
		{"{\"work_mem\":\"16384\"}", NULL, NULL},
		{"{\"work_mem\":\"16 MB\"}", NULL, NULL},
		{"{\"timezone\":\"Europe/Berlin\"}", NULL, NULL},
		{"{\"statement_timeout\":\"30s\"}", NULL, NULL},
		{"{\"autovacuum\":\"ON\"}", NULL, NULL},
		{"{\"my.setting\":\"x\"}", NULL, NULL},
		{"{\"shared_preload_libraries\":\"pg_stat_statements, auto_explain\"}", NULL, NULL},
		{"{\"synchronous_commit\":\"remote_apply\"}", NULL, NULL},
		{"{\"work_mem\":\"1kB\"}", "work_mem", "must be between 64 and"},
		{"{\"work_mem\":\"16mb\"}", "work_mem", "with a unit of B, kB"},
		{"{\"work_mem\":\"16s\"}", "work_mem", "with a unit of B, kB"},
		{"{\"work_mem\":\"\"}", "work_mem", "an integer"},
		{"{\"work_mem\":\"nan\"}", "work_mem", "an integer"},
		{"{\"seq_page_cost\":\"x\"}", "seq_page_cost", "a number"},
		{"{\"autovacuum\":\"maybe\"}", "autovacuum", "on or off"},
		{"{\"wal_compression\":\"maybe\"}", "wal_compression", "takes one of"},
		{"{\"no_such\":\"1\"}", "no_such", "PostgreSQL 15 knows no parameter"},
		{"{\"pg_stat_statements.nope\":\"1\"}", "pg_stat_statements.nope", "knows no"},
		{"{\"pg_stat_statements.max\":\"5\"}", "pg_stat_statements.max", "between 100"},
		{"{\"block_size\":\"8192\"}", "block_size", "cannot be set"},
		{"{\"io_method\":\"worker\"}", "io_method", "PostgreSQL 15 knows no"},
		{"{\"timezone\":\"Europe/Nowhere\"}", "timezone", "no time zone"},
		{"{\"timezone\":\"../../etc/passwd\"}", "timezone", "no time zone"},
		{"{\"lc_messages\":\"xx_XX\"}", "lc_messages", "one or more of"},
		{"{\"search_path\":\"a\\nb\"}", "search_path", "line breaks"},
		{"{\"max_connections\":\"3\"}", "max_connections", "between 20"},
		{"{\"a b\":\"1\"}", "a b", "not a name"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char spec[300], field[100];

		snprintf(spec, sizeof(spec), "{\"parameters\":%s}", cases[i].parameters);
		snprintf(field, sizeof(field), "spec.parameters[%s]", cases[i].field);
		wrong(spec, NULL, cases[i].field ? field : NULL, cases[i].message);
	}
}

static void what_the_platform_depends_on_is_refused_with_a_reason(void **state)
{
	static const char *const names[] = {
		"listen_addresses",
		"port",
		"Port",
		"data_directory",
		"hba_file",
		"ssl",
		"ssl_ca_file",
		"synchronous_standby_names",
		"primary_conninfo",
		"restore_command",
		"recovery_target_time",
		"archive_mode",
		"archive_command",
		"wal_level",
		"hot_standby",
		"max_wal_senders",
		"max_replication_slots",
		"unix_socket_group",
		"zero_damaged_pages",
		"slipway.x",
	};
	char spec[200], field[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(spec, sizeof(spec), "{\"parameters\":{\"%s\":\"1\"}}", names[i]);
		snprintf(field, sizeof(field), "spec.parameters[%s]", names[i]);
		wrong(spec, NULL, field, "Forbidden: ");
	}
	wrong("{\"parameters\":{\"fsync\":\"off\"}}", NULL, "spec.parameters[fsync]", "lose");
	wrong("{\"parameters\":{\"fsync\":\"on\"}}", NULL, NULL, NULL);
	wrong("{\"parameters\":{\"synchronous_commit\":\"off\"}}", NULL,
	      "spec.parameters[synchronous_commit]", "anything but on,remote_apply");
}

static void names_of_roles_and_databases_are_free(void **state)
{
	(void)state;
	wrong("{\"roles\":[{\"name\":\"postgres\"}]}", NULL, "spec.roles[0].name", "reserved");
	wrong("{\"roles\":[{\"name\":\"app\"},{\"name\":\"slipway_x\"}]}", NULL,
	      "spec.roles[1].name", "reserved");
	wrong("{\"databases\":[{\"name\":\"template1\"}]}", NULL, "spec.databases[0].name",
	      "reserved");
	wrong("{\"roles\":[{\"name\":\"app\",\"inRoles\":[\"nobody\"]}]}", NULL,
	      "spec.roles[0].inRoles[0]", "one of spec.roles");
	wrong("{\"roles\":[{\"name\":\"app\",\"inRoles\":[\"pg_monitor\"]}]}", NULL, NULL, NULL);
	wrong("{\"roles\":[{\"name\":\"app\",\"inRoles\":[\"pg_write_server_files\"]}]}", NULL,
	      "spec.roles[0].inRoles[0]", "one of spec.roles");
	wrong("{\"roles\":[{\"name\":\"app\",\"inRoles\":[\"app\"]}]}", NULL,
	      "spec.roles[0].inRoles", "member of itself");
	wrong("{\"roles\":[{\"name\":\"app\",\"login\":false}]}", NULL, "spec.roles",
	      "able to log in");
}

static void a_name_that_ends_in_ro_is_refused_at_creation_only(void **state)
{
	const struct kind *k = kind_by_name("Database");
	struct schema_causes out = {.arena = &arena};
	json_t *o = database("{}");

	(void)state;
	jv_set_str(o, "metadata.name", "orders-ro");
	k->check(o, NULL, &out);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.v[0].field, "metadata.name");
	assert_non_null(strstr(out.v[0].message, "read-only endpoint"));
	out.n = 0;
	k->check(o, o, &out);
	assert_int_equal(out.n, 0);
	json_decref(o);
}

static void a_pool_fits_its_servers(void **state)
{
	(void)state;
	wrong("{\"gateway\":{\"pool\":{}}}", NULL, NULL, NULL);
	wrong("{\"gateway\":{\"pool\":{\"size\":42}}}", NULL, NULL, NULL);
	wrong("{\"gateway\":{\"pool\":{\"size\":43}}}", NULL, "spec.gateway.pool.size",
	      "48 connections, but the servers take 47");
	wrong("{\"size\":\"large\",\"gateway\":{\"pool\":{\"size\":43}}}", NULL, NULL, NULL);
	wrong("{\"parameters\":{\"max_connections\":\"20\"},\"gateway\":{\"pool\":{}}}", NULL,
	      "spec.gateway.pool.size", "max_connections 20");
	wrong("{\"gateway\":{\"pool\":{\"min\":21}}}", NULL, "spec.gateway.pool.min",
	      "a pool of size 20");
}

static void a_hold_says_how_long_and_what_then(void **state)
{
	static const char *const bad[] = {
		"",
		"5s",
		"[]",
		"{\"drainMs\":-1}",
		"{\"drainMs\":3600001}",
		"{\"drainMs\":\"5\"}",
		"{\"onDrain\":\"kill\"}",
	};
	struct hold h;
	struct err e;

	(void)state;
	assert_int_equal(hold_parse("{}", &h, &e), ERR_OK);
	assert_int_equal(h.drain_ms, 5000);
	assert_string_equal(h.on_drain, "wait");
	assert_int_equal(hold_parse("{\"drainMs\":0,\"onDrain\":\"end\"}", &h, &e), ERR_OK);
	assert_int_equal(h.drain_ms, 0);
	assert_string_equal(h.on_drain, "end");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (hold_parse(bad[i], &h, &e) != ERR_INVALID)
			fail_msg("%s", bad[i]);
}

static void a_window_is_in_a_time_zone_that_there_is(void **state)
{
	(void)state;
	wrong("{\"maintenanceWindow\":{\"start\":\"02:00\",\"timeZone\":\"Europe/Berlin\"}}", NULL,
	      NULL, NULL);
	wrong("{\"maintenanceWindow\":{\"start\":\"02:00\",\"timeZone\":\"Mars/Base\"}}", NULL,
	      "spec.maintenanceWindow.timeZone", "no such time zone");
	assert_false(zone_exists("Europe"));
	assert_false(zone_exists("/etc/passwd"));
	assert_true(zone_exists("UTC"));
}

static void a_zone_s_file_can_be_had_by_its_name_alone(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str bytes = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(zone_read(&a, "Europe/Berlin", &bytes, &e), ERR_OK);
	assert_true(str_starts(bytes, "TZif"));
	assert_int_equal(zone_read(&a, "../../../etc/passwd", &bytes, &e), ERR_NOT_FOUND);
	assert_int_equal(zone_read(&a, "Mars/Base", &bytes, &e), ERR_NOT_FOUND);
	assert_string_equal(e.text, "this machine knows no time zone 'Mars/Base'");
}

static void a_protected_database_is_not_deleted(void **state)
{
	json_t *o = database("{\"deletionProtection\":true}");
	struct err e = {0};

	(void)state;
	assert_int_equal(database_check_delete(o, &e), ERR_FORBIDDEN);
	assert_non_null(strstr(e.text, "deletionProtection"));
	json_decref(o);
	o = database("{}");
	assert_int_equal(database_check_delete(o, &e), ERR_OK);
	json_decref(o);
}

static void the_primary_of_a_database_is_not_deleted(void **state)
{
	const struct kind *k = kind_by_name("Member");
	json_t *o = json_pack(
		"{s:{s:[{s:s}]}, s:{s:s}}", "metadata", "ownerReferences", "name", "orders", "spec",
		"role", "primary");
	struct err e;

	(void)state;
	assert_int_equal(k->check_delete(o, &e), ERR_FORBIDDEN);
	assert_non_null(strstr(e.text, "it is the primary of Database orders"));
	jv_set_str(o, "spec.role", "standby");
	assert_int_equal(k->check_delete(o, &e), ERR_OK);
	json_decref(o);
}

static void settings_come_from_size_and_parameters(void **state)
{
	json_t *o = database("{\"size\":\"medium\",\"version\":\"13\",\"storage\":\"40Gi\","
			     "\"parameters\":{\"TIMEZONE\":\"Europe/Berlin\",\"max_connections\":"
			     "\"200\",\"my.x\":\"1\"}}");
	json_t *s = database_settings(o);

	(void)state;
	assert_string_equal(jv_str(s, "shared_buffers"), "512MB");
	assert_string_equal(jv_str(s, "max_connections"), "200");
	assert_string_equal(jv_str(s, "TimeZone"), "Europe/Berlin");
	assert_null(json_object_get(s, "timezone"));
	assert_string_equal(json_string_value(json_object_get(s, "my.x")), "1");
	assert_string_equal(jv_str(s, "max_slot_wal_keep_size"), "10240MB");
	json_decref(s);
	jv_set_str(o, "spec.version", "12");
	s = database_settings(o);
	assert_null(json_object_get(s, "max_slot_wal_keep_size")); /* came with 13 */
	json_decref(s);
	json_decref(o);
}

static void every_setting_of_every_size_fits_every_major(void **state)
{
	static const char *const sizes[] = {"small", "medium", "large"};

	(void)state;
	for (int major = PARAMETER_MAJOR_MIN; major <= PARAMETER_MAJOR_MAX; major++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			char spec[100];
			const char *name;
			json_t *o, *s, *v;

			snprintf(
				spec, sizeof(spec), "{\"version\":\"%d\",\"size\":\"%s\"}", major,
				sizes[i]);
			o = database(spec);
			s = database_settings(o);
			json_object_foreach (s, name, v) {
				const struct parameter *p = parameter_find(major, name);

				assert_non_null(p);
				assert_null(
					parameter_check(&arena, major, p, json_string_value(v)));
			}
			json_decref(s);
			json_decref(o);
		}
}

static void restarts_are_for_what_needs_them(void **state)
{
	json_t *a =
		parse("{\"work_mem\":\"4MB\",\"shared_buffers\":\"1\",\"max_connections\":\"9\"}");
	json_t *b =
		parse("{\"work_mem\":\"8MB\",\"shared_buffers\":\"2\",\"wal_buffers\":\"1MB\"}");
	json_t *r = database_restart_reasons("15", a, b);

	(void)state;
	assert_string_equal(
		jv_text(&arena, r).p, "[\"max_connections\",\"shared_buffers\",\"wal_buffers\"]");
	assert_true(database_setting_needs_restart("15", "shared_buffers"));
	assert_false(database_setting_needs_restart("15", "work_mem"));
	assert_true(database_setting_is_standby_bound("max_connections"));
	assert_false(database_setting_is_standby_bound("shared_buffers"));
	json_decref(a);
	json_decref(b);
	json_decref(r);
}

static void names_are_checked_in_kubernetes_words(void **state)
{
	const struct kind *db = kind_by_name("Database"), *ev = kind_by_name("Event");

	(void)state;
	assert_null(kind_name_problem(db, "orders-1"));
	assert_non_null(strstr(kind_name_problem(db, "Orders"), "RFC 1123 label"));
	assert_non_null(kind_name_problem(db, "a.b"));
	assert_non_null(kind_name_problem(db, "-a"));
	assert_non_null(kind_name_problem(db, "a-"));
	assert_non_null(kind_name_problem(db, ""));
	assert_null(kind_name_problem(ev, "orders.17ab"));
	assert_non_null(strstr(kind_name_problem(ev, "a..b"), "subdomain"));
	assert_non_null(kind_name_problem(ev, "a-.b"));
	assert_non_null(kind_name_problem(ev, ".a"));
	assert_non_null(kind_name_problem(ev, "a."));
}

static void kinds_are_found_by_every_name(void **state)
{
	static const char *const names[] = {"db",
					    "DB",
					    "database",
					    "databases",
					    "Database",
					    "databases.slipway.dev",
					    "db.slipway.dev"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_ptr_equal(kind_by_alias(names[i]), kind_by_name("Database"));
	assert_null(kind_by_alias("databases.other.dev"));
	assert_null(kind_by_alias("secret.slipway.dev"));
	assert_ptr_equal(kind_by_alias("ns"), kind_by_name("Namespace"));
	assert_string_equal(kind_by_name("Secret")->api_version, "v1");
	assert_string_equal(kind_by_name("Database")->resource, "databases.slipway.dev");
}

static void columns_reach_into_conditions(void **state)
{
	const struct kind *k = kind_by_name("Database");
	json_t *o = database("{}"), *column, *cell;
	size_t i, found = 0;

	(void)state;
	assert_true(cond_set(o, "Ready", "False", "Waiting", "It waits for a host."));
	assert_false(cond_set(o, "Ready", "False", "Waiting", "It waits for a host."));
	json_array_foreach (k->columns, i, column) {
		const char *name = jv_str(column, "name");

		cell = kind_column(k, column, o);
		if (!strcmp(name, "Ready") && ++found)
			assert_string_equal(json_string_value(cell), "False");
		if (!strcmp(name, "Status") && ++found)
			assert_string_equal(json_string_value(cell), "It waits for a host.");
		if (!strcmp(name, "Age") && ++found)
			assert_string_equal(json_string_value(cell), "<unknown>");
		if (!strcmp(name, "Epoch") && ++found)
			assert_true(json_is_null(cell));
		json_decref(cell);
	}
	assert_int_equal(found, 4);
	json_decref(o);
}

static void secrets_take_text_and_keep_base64(void **state)
{
	const struct kind *k = kind_by_name("Secret");
	json_t *o = parse("{\"type\":\"Opaque\",\"stringData\":{\"a\":\"hello\"}}"), *old;
	struct schema_causes out = {.arena = &arena};

	(void)state;
	k->prepare(o, NULL);
	assert_string_equal(jv_str(o, "data.a"), "aGVsbG8=");
	assert_null(json_object_get(o, "stringData"));
	k->check(o, NULL, &out);
	assert_int_equal(out.n, 0);
	old = json_deep_copy(o);
	jv_set_str(o, "data.b", "!");
	jv_set_str(o, "type", "other");
	k->check(o, old, &out);
	assert_int_equal(out.n, 2);
	json_decref(o);
	json_decref(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_spec_becomes_a_database_with_a_role),
		cmocka_unit_test(the_owner_is_the_first_role_unless_named),
		cmocka_unit_test(a_change_of_tier_takes_the_standbys_along),
		cmocka_unit_test(versions_are_known_and_stay),
		cmocka_unit_test(storage_grows_only),
		cmocka_unit_test(parameters_are_what_the_server_takes),
		cmocka_unit_test(what_the_platform_depends_on_is_refused_with_a_reason),
		cmocka_unit_test(names_of_roles_and_databases_are_free),
		cmocka_unit_test(a_name_that_ends_in_ro_is_refused_at_creation_only),
		cmocka_unit_test(a_pool_fits_its_servers),
		cmocka_unit_test(a_hold_says_how_long_and_what_then),
		cmocka_unit_test(a_window_is_in_a_time_zone_that_there_is),
		cmocka_unit_test(a_zone_s_file_can_be_had_by_its_name_alone),
		cmocka_unit_test(a_protected_database_is_not_deleted),
		cmocka_unit_test(the_primary_of_a_database_is_not_deleted),
		cmocka_unit_test(settings_come_from_size_and_parameters),
		cmocka_unit_test(every_setting_of_every_size_fits_every_major),
		cmocka_unit_test(restarts_are_for_what_needs_them),
		cmocka_unit_test(names_are_checked_in_kubernetes_words),
		cmocka_unit_test(kinds_are_found_by_every_name),
		cmocka_unit_test(columns_reach_into_conditions),
		cmocka_unit_test(secrets_take_text_and_keep_base64),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
