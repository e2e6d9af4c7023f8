/* What agent/host promises with real servers: of each major a primary and a standby, made, changed,
 * left and found again, removed. Skips majors that are not installed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "db/db.h"
#include "hosttest.h"

enum { LIMIT_MS = 60 * 1000, ZONES = 2 };

struct zone {
	struct host *host;
	char data[64], address[32];
	json_t *want; /* of its one member; NULL: none */
	json_t *report; /* the member's, as last looked at */
	bool is_stopped;
};

struct world {
	uv_loop_t loop;
	uv_timer_t tick;
	char dir[32];
	int major;
	struct zone zones[ZONES];
};

static struct world world;

static void on_change(void *arg)
{
	(void)arg;
}

static void zone_start(struct zone *z)
{
	const struct host_conf conf = {
		.data = z->data,
		.address = z->address,
		.driver = &agent_driver_postgres,
		.on_change = on_change,
	};
	struct err e;

	z->is_stopped = false;
	if (host_new(&world.loop, &conf, &z->host, &e))
		fail_msg("%s", e.text);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void zone_tell(struct zone *z)
{
	CLEANUP(jv_drop) json_t *wants = json_pack("{s[]}", "members");

	if (z->want)
		json_array_append(jv_at(wants, "members"), z->want);
	host_wants(z->host, wants);
}

static void zone_look(struct zone *z)
{
	json_t *report = host_report(z->host);

	json_decref(z->report);
	z->report = json_incref(json_array_get(jv_at(report, "members"), 0));
	json_decref(report);
}

/* Turns the loop until it holds. */
#define WAIT(what)                                                                                 \
	do {                                                                                       \
		int64_t deadline = clock_mono_ms() + LIMIT_MS;                                     \
		while (!(what)) {                                                                  \
			uv_run(&world.loop, UV_RUN_ONCE);                                          \
			if (clock_mono_ms() > deadline)                                            \
				give_up(#what);                                                    \
		}                                                                                  \
	} while (0)

static void give_up(const char *what)
{
	for (int i = 0; i < ZONES; i++)
		if (world.zones[i].report)
			json_dumpf(world.zones[i].report, stderr, JSON_INDENT(1));
	fail_msg("not within %d ms: %s", LIMIT_MS, what);
}

static bool has(struct zone *z, const char *path, const char *value)
{
	zone_look(z);
	return strcmp(jv_str_or(z->report, path, ""), value) == 0;
}

static struct db *session(struct zone *z, const char *user, const char *password)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct db *d = NULL;
	struct err e;

	zone_look(z);
	if (db_open(arena_printf(
			    &a,
			    "host=%s port=%d dbname=orders user=%s password=%s sslmode=verify-full"
			    " sslrootcert=%s/ca.crt",
			    z->address, (int)jv_int(z->report, "status.port", 0), user, password,
			    z->data),
		    5000, &d, &e))
		print_message("%s\n", e.text);
	return d;
}

static const char *ask(struct arena *a, struct db *d, const char *sql)
{
	struct db_rows rows = {0};
	struct err e;
	const char *ret;

	if (db_exec(d, sql, NULL, 0, &rows, &e))
		fail_msg("%s: %s", sql, e.text);
	ret = rows.n ? arena_strndup(a, db_text(&rows, 0, 0).p, db_text(&rows, 0, 0).n) : "";
	db_rows_done(&rows);
	return ret;
}

static void ask_is(struct db *d, const char *sql, const char *value)
{
	CLEANUP(arena_done) struct arena a = {0};

	assert_string_equal(ask(&a, d, sql), value);
}

static void a_primary_is_made(struct zone *z)
{
	int64_t begin = clock_mono_ms();
	struct db *d;

	z->want = hosttest_want(0, world.major, "primary");
	zone_tell(z);
	WAIT(has(z, "status.state", "Running"));
	WAIT(jv_str(z->report, "status.rolesHash") || !has(z, "status.state", "Running"));
	print_message(
		"PostgreSQL %d: primary in %d ms\n", world.major, (int)(clock_mono_ms() - begin));
	assert_string_equal(jv_str_or(z->report, "status.role", ""), "primary");
	d = session(z, "app", "secret");
	assert_non_null(d);
	ask_is(d, "SHOW data_checksums", "on");
	ask_is(d, "SHOW server_encoding", "UTF8");
	ask_is(d, "SELECT datcollate FROM pg_database WHERE datname = 'orders'", "C.UTF-8");
	ask_is(d, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "t");
	ask_is(d, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", "f");
	ask_is(d, "SELECT pg_has_role('app', 'readers', 'member')", "t");
	assert_int_equal(
		db_script(d, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)", NULL), ERR_OK);
	db_close(d);
	assert_null(session(z, "app", "wrong"));
	assert_null(session(z, "postgres", "secret"));
}

static bool syncs(struct zone *z)
{
	zone_look(z);
	return json_array_size(jv_at(z->report, "status.synchronous.members")) == 1;
}

static void a_standby_joins_without_a_restart(struct zone *p, struct zone *s)
{
	const char *started = jv_str(p->report, "status.startedAt");
	CLEANUP(arena_done) struct arena a = {0};
	int64_t begin = clock_mono_ms();
	struct db *d;

	started = arena_strdup(&a, started);
	s->want = hosttest_want(1, world.major, "standby");
	jv_set(s->want, "spec.upstream",
	       json_pack(
		       "{ss ss si}", "member", "orders-1", "host", p->address, "port",
		       (int)jv_int(p->report, "status.port", 0)));
	zone_tell(s); /* it may hear of it before the primary does */
	jv_set(p->want, "spec.standbys", json_pack("[s]", "orders-2"));
	jv_set_str(p->want, "spec.synchronousStandbyNames", "ANY 1 (\"orders_2\")");
	zone_tell(p);
	WAIT(has(s, "status.state", "Running"));
	WAIT(syncs(p));
	print_message(
		"PostgreSQL %d: standby in %d ms\n", world.major, (int)(clock_mono_ms() - begin));
	assert_string_equal(jv_str_or(s->report, "status.role", ""), "standby");
	assert_string_equal(
		jv_str_or(s->report, "status.systemIdentifier", "s"),
		jv_str_or(p->report, "status.systemIdentifier", "p"));
	assert_string_equal(jv_str_or(p->report, "status.startedAt", ""), started);
	d = session(p, "app", "secret");
	ask_is(d, "SHOW synchronous_standby_names", "ANY 1 (\"orders_2\")");
	assert_int_equal(db_script(d, "INSERT INTO t VALUES (2)", NULL), ERR_OK);
	db_close(d);
	d = session(s, "app", "secret");
	WAIT(strcmp(ask(&a, d, "SELECT count(*) FROM t"), "2") == 0);
	db_close(d);
}

static bool is_hash_new(struct zone *z, const char *path, const char *old)
{
	const char *now;

	zone_look(z);
	now = jv_str(z->report, path);
	return now && strcmp(now, old) != 0 &&
		strcmp(jv_str_or(z->report, "status.state", ""), "Running") == 0;
}

static void settings_are_loaded_and_pending_ones_told(struct zone *z)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *old = arena_strdup(&a, jv_str(z->report, "status.settingsHash"));

	jv_set_str(z->want, "spec.settings.work_mem", "5MB");
	jv_set_str(z->want, "spec.settings.max_files_per_process", "900");
	zone_tell(z);
	WAIT(is_hash_new(z, "status.settingsHash", old));
	WAIT(json_array_size(jv_at(z->report, "status.pendingRestart")) == 1 ||
	     !has(z, "status.state", "Running"));
	jv_set(z->want, "spec.restart", json_integer(1));
	zone_tell(z);
	WAIT((zone_look(z), jv_int(z->report, "status.restarted", 0) == 1));
	WAIT(has(z, "status.state", "Running"));
	assert_int_equal(json_array_size(jv_at(z->report, "status.pendingRestart")), 0);
}

static void a_password_changes_without_a_restart(struct zone *z)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *old = arena_strdup(&a, jv_str(z->report, "status.rolesHash"));
	json_t *role = json_array_get(jv_at(z->want, "spec.roles"), 0);
	struct db *d;

	/* the password is "secret" still, but the salt and with it the verifier differ */
	jv_set_str(role, "credential", "2");
	jv_set_str(
		role, "verifier",
		"SCRAM-SHA-256$4096:ZmVkY2JhOTg3NjU0MzIxMA==$"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	zone_tell(z);
	WAIT(is_hash_new(z, "status.rolesHash", old));
	assert_null(session(z, "app", "secret"));
	jv_set_str(role, "verifier", HOSTTEST_VERIFIER);
	zone_tell(z);
	WAIT((d = session(z, "app", "secret")));
	db_close(d);
	WAIT(has(z, "status.message", ""));
}

/* Who it is, by certificate alone: "none" where the server refuses. */
static const char *who_is(struct arena *a, struct zone *z, const char *pair, const char *user)
{
	struct db *d = NULL;
	const char *ret = "none";
	struct err e;

	if (db_open(arena_printf(
			    a,
			    "host=%s port=%d dbname=orders user=%s sslmode=verify-full"
			    " sslrootcert=%s/ca.crt sslcert=%s/%s.crt sslkey=%s/%s.key",
			    z->address, (int)jv_int(z->report, "status.port", 0), user, z->data,
			    z->data, pair, z->data, pair),
		    5000, &d, &e))
		return ret;
	ret = ask(a, d, "SELECT current_user");
	db_close(d);
	return ret;
}

static void gateways_are(struct zone *z, const char *name, const char *address)
{
	jv_set(z->want, "spec.gateways",
	       name ? json_pack("[{ss ss}]", "name", name, "address", address) : json_array());
	zone_tell(z);
}

/* What comes over the loopback comes from 127.0.0.1. */
static void a_gateway_needs_no_password(struct zone *z)
{
	static const char *const nobody[][2] = {
		{"gw", "postgres"}, {"gw", "slipway_replication"},
		{"gw", "readers"},  {"other", "app"},
		{"host", "app"},    {"host", "slipway_replication"},
		{"server", "app"},  {"agent", "app"},
	};
	CLEANUP(arena_done) struct arena a = {0};
	const char *old = arena_strdup(&a, jv_str(z->report, "status.startedAt"));
	struct db *d;

	assert_string_equal(who_is(&a, z, "gw", "app"), "none");
	gateways_are(z, "gw", "127.0.0.1");
	WAIT(strcmp(who_is(&a, z, "gw", "app"), "app") == 0);
	for (size_t i = 0; i < ARRAY_LEN(nobody); i++)
		if (strcmp(who_is(&a, z, nobody[i][0], nobody[i][1]), "none") != 0)
			fail_msg("%s is let in as %s", nobody[i][0], nobody[i][1]);
	assert_null(session(z, "app", "secret")); /* the address is the gateway's alone */
	gateways_are(z, "gw", "127.0.0.9");
	WAIT((d = session(z, "app", "secret")));
	db_close(d);
	assert_string_equal(who_is(&a, z, "gw", "app"), "none");
	gateways_are(z, NULL, NULL);
	assert_string_equal(jv_str_or(z->report, "status.startedAt", ""), old);
}

static void on_stopped(void *arg)
{
	((struct zone *)arg)->is_stopped = true;
}

static void zone_stop(struct zone *z, bool with_members)
{
	host_stop(z->host, with_members, on_stopped, z);
	WAIT(z->is_stopped);
	host_free(z->host);
	z->host = NULL;
}

static void pid_read(struct zone *z, char ret[32])
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str text, line;

	assert_int_equal(
		file_read(
			&a,
			arena_printf(
				&a, "%s/m/%.12s/data/postmaster.pid", z->data,
				jv_str(z->want, "uid")),
			4096, &text, NULL),
		ERR_OK);
	str_split(&text, '\n', &line);
	snprintf(ret, 32, STR_FMT, STR_ARG(line));
}

/* Its servers go on; the next agent takes them over before it has heard anything. */
static void a_new_agent_adopts(struct zone *z)
{
	CLEANUP(jv_drop) json_t *before = NULL;
	char pid[32], again[32];

	WAIT(has(z, "status.state", "Running"));
	before = json_incref(jv_at(z->report, "status"));
	pid_read(z, pid);
	zone_stop(z, false);
	zone_start(z);
	WAIT(has(z, "status.state", "Running"));
	pid_read(z, again);
	assert_string_equal(pid, again);
	zone_tell(z);
	WAIT((zone_look(z), json_equal(jv_at(z->report, "status"), before)));
}

/* As after a reboot: no process, and nobody has spoken yet. */
static void only_the_standby_comes_back_alone(struct zone *p, struct zone *s)
{
	zone_stop(p, true);
	zone_stop(s, true);
	zone_start(p);
	zone_start(s);
	WAIT(has(p, "status.state", "Stopped"));
	WAIT(has(s, "status.state", "Running"));
	assert_string_equal(jv_str_or(s->report, "status.role", ""), "standby");
	for (int i = 0; i < 20; i++)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_true(has(p, "status.state", "Stopped"));
	zone_tell(p);
	zone_tell(s);
	WAIT(has(p, "status.state", "Running"));
	WAIT(syncs(p));
}

static void a_killed_server_comes_back(struct zone *z)
{
	char pid[32], again[32];
	uint64_t n;

	pid_read(z, pid);
	assert_true(str_to_u64(str_of(pid), &n));
	kill((pid_t)n, SIGKILL);
	WAIT(!has(z, "status.state", "Running"));
	WAIT(has(z, "status.state", "Running"));
	pid_read(z, again);
	assert_string_not_equal(pid, again);
}

static void a_removed_standby_leaves_no_slot(struct zone *p, struct zone *s)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *home = arena_printf(&a, "%s/m/%.12s", s->data, jv_str(s->want, "uid"));
	struct db *d;

	jv_set_str(p->want, "spec.synchronousStandbyNames", "");
	jv_set(p->want, "spec.standbys", json_array());
	zone_tell(p); /* while it still streams */
	WAIT(has(p, "status.synchronous.names", ""));
	d = session(p, "app", "secret");
	WAIT(strcmp(ask(&a, d, "SELECT count(*) FROM pg_replication_slots"), "0") == 0);
	db_close(d);
	jv_set(s->want, "deleting", json_true());
	zone_tell(s);
	WAIT(has(s, "status.state", "Removed"));
	assert_false(file_exists(home));
	json_decref(s->want);
	s->want = NULL;
	zone_tell(s);
	zone_look(s);
	assert_null(s->report);
}

static void world_begin(int major)
{
	static const char *const pairs[][2] = {
		{"gw", "slipway:gateways"},
		{"other", "slipway:gateways"},
		{"host", "slipway:hosts"},
		{"server", "slipway:servers"},
	};
	CLEANUP(arena_done) struct arena a = {0};
	struct ca_cert ca;

	memset(&world, 0, sizeof(world));
	world.major = major;
	snprintf(world.dir, sizeof(world.dir), "/tmp/host.XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	assert_int_equal(ca_new(&a, "test", &ca, NULL), ERR_OK);
	uv_loop_init(&world.loop);
	uv_timer_init(&world.loop, &world.tick);
	uv_timer_start(&world.tick, on_tick, 10, 10);
	for (int i = 0; i < ZONES; i++) {
		struct zone *z = &world.zones[i];

		snprintf(z->data, sizeof(z->data), "%s/%d", world.dir, i);
		hosttest_address(i, z->address, sizeof(z->address));
		hosttest_certificates(z->data, z->address, &ca);
		for (size_t j = 0; j < ARRAY_LEN(pairs); j++)
			hosttest_pair(z->data, pairs[j][0], pairs[j][1], &ca);
		zone_start(z);
	}
}

static void world_end(void)
{
	for (int i = 0; i < ZONES; i++) {
		struct zone *z = &world.zones[i];

		if (z->host)
			zone_stop(z, true);
		json_decref(z->want);
		json_decref(z->report);
	}
	uv_close((uv_handle_t *)&world.tick, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	assert_int_equal(dir_remove(world.dir, NULL), ERR_OK);
}

static bool has_major(int major)
{
	struct zone *z = &world.zones[0];
	CLEANUP(jv_drop) json_t *report = host_report(z->host);
	json_t *at;
	size_t i;
	char text[8];

	snprintf(text, sizeof(text), "%d", major);
	json_array_foreach (jv_at(report, "postgres"), i, at)
		if (strcmp(jv_str_or(at, "major", ""), text) == 0)
			return true;
	return false;
}

static void life(int major)
{
	struct zone *p = &world.zones[0], *s = &world.zones[1];

	world_begin(major);
	if (has_major(major)) {
		a_primary_is_made(p);
		a_standby_joins_without_a_restart(p, s);
		settings_are_loaded_and_pending_ones_told(p);
		a_password_changes_without_a_restart(p);
		a_gateway_needs_no_password(p);
		a_new_agent_adopts(p);
		a_new_agent_adopts(s);
		only_the_standby_comes_back_alone(p, s);
		a_killed_server_comes_back(p);
		a_removed_standby_leaves_no_slot(p, s);
	}
	world_end();
}

static void a_pair_of_13_lives(void **state)
{
	(void)state;
	life(13);
}

static void a_pair_of_15_lives(void **state)
{
	(void)state;
	life(15);
}

static void a_pair_of_17_lives(void **state)
{
	(void)state;
	life(17);
}

static void a_pair_of_18_lives(void **state)
{
	(void)state;
	life(18);
}

/* After a failure: servers live in sessions of their own, and would go on. */
static int clean_up(void **state)
{
	(void)state;
	for (int i = 0; i < ZONES && world.dir[0]; i++)
		hosttest_end_server(world.zones[i].data, i);
	return world.dir[0] && dir_remove(world.dir, NULL) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_pair_of_13_lives, clean_up),
		cmocka_unit_test_teardown(a_pair_of_15_lives, clean_up),
		cmocka_unit_test_teardown(a_pair_of_17_lives, clean_up),
		cmocka_unit_test_teardown(a_pair_of_18_lives, clean_up),
	};
	struct err e;

	if (child_drop_root("slipway", &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (!getenv("SLIPWAY_LOG"))
		log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
