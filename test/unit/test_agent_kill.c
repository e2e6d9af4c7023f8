/*
 * What the agent promises when it is killed: at whatever step, the next one goes on from there, and
 * nothing is left over: no folder, no process, no half-made cluster.
 *
 * Started with --agent DATA ADDRESS, this program is the agent without its network: it follows
 * DATA/wants.json and writes DATA/report.json.
 */
#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host.h"
#include "agent/postmaster.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "hosttest.h"

enum { MAJOR = 15, LOOK_MS = 10, LIMIT_MS = 120 * 1000, FILE_BYTES = 1 << 20 };

/* The agent's side. */

struct side {
	uv_loop_t loop;
	uv_timer_t tick;
	struct host *host;
	const char *data;
	struct timespec seen; /* of wants.json */
	bool is_dirty;
};

static void on_change(void *arg)
{
	((struct side *)arg)->is_dirty = true;
}

static void wants_follow(struct side *s)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *wants = NULL;
	const char *path = arena_printf(&a, "%s/wants.json", s->data);
	struct str text;
	struct stat st;

	if (stat(path, &st) < 0 ||
	    (st.st_mtim.tv_sec == s->seen.tv_sec && st.st_mtim.tv_nsec == s->seen.tv_nsec))
		return;
	s->seen = st.st_mtim;
	if (file_read(&a, path, FILE_BYTES, &text, NULL) ||
	    jv_parse(text, FILE_BYTES, &wants, NULL))
		abort();
	host_wants(s->host, wants);
	s->is_dirty = true;
}

/* Without the fault points of base/file: they are for what the agent itself does. */
static void report_write(struct side *s)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *report = host_report(s->host);
	const char *path = arena_printf(&a, "%s/report.json", s->data);
	const char *temp = arena_printf(&a, "%s.new", path);

	if (json_dump_file(report, temp, 0) || rename(temp, path) < 0)
		abort();
	s->is_dirty = false;
}

static void on_tick(uv_timer_t *timer)
{
	struct side *s = container_of(timer, struct side, tick);

	wants_follow(s);
	if (s->is_dirty)
		report_write(s);
}

static int agent_main(const char *data, const char *address)
{
	struct side s = {.data = data};
	const struct host_conf conf = {
		.data = data,
		.address = address,
		.driver = &agent_driver_postgres,
		.on_change = on_change,
		.arg = &s,
	};
	struct err e;

	uv_loop_init(&s.loop);
	if (host_new(&s.loop, &conf, &s.host, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	uv_timer_init(&s.loop, &s.tick);
	uv_timer_start(&s.tick, on_tick, 0, LOOK_MS);
	return uv_run(&s.loop, UV_RUN_DEFAULT);
}

/* The test's side. */

struct zone {
	int i;
	char data[64], address[32];
	json_t *want;
	struct child agent; /* pid 0: none */
};

static char dir[32];
static struct zone zones[2];

static void agent_start(struct zone *z, const char *fault)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *const argv[] = {"/proc/self/exe", "--agent", z->data, z->address, NULL};
	const char *const env[] = {
		arena_printf(&a, "SLIPWAY_FAULT=%s", fault), "SLIPWAY_LOG=debug", NULL};
	const struct child_conf conf = {
		.argv = argv,
		.env = env,
		.log_path = arena_printf(&a, "%s/agent.log", z->data),
		.dies_with_us = true,
	};
	struct err e;

	unlink(arena_printf(&a, "%s/report.json", z->data));
	if (child_start(&conf, &z->agent, &e))
		fail_msg("%s", e.text);
}

static void agent_kill(struct zone *z)
{
	int status;

	child_signal(&z->agent, SIGKILL, NULL);
	assert_int_equal(child_wait(&z->agent, 10000, &status, NULL), ERR_OK);
	z->agent.pid = 0;
}

/* With another time than before, whatever the clock's grain. */
static void want_write(struct zone *z)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *wants = json_pack("{s[]}", "members");
	const char *path = arena_printf(&a, "%s/wants.json", z->data);

	if (z->want)
		json_array_append(jv_at(wants, "members"), z->want);
	assert_int_equal(file_write(path, 0600, jv_text(&a, wants), NULL), ERR_OK);
}

static json_t *status_read(struct zone *z)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *report = NULL;
	struct str text;

	if (file_read(&a, arena_printf(&a, "%s/report.json", z->data), FILE_BYTES, &text, NULL) ||
	    jv_parse(text, FILE_BYTES, &report, NULL))
		return NULL;
	return json_incref(jv_at(json_array_get(jv_at(report, "members"), 0), "status"));
}

static bool is_running(const json_t *status)
{
	return strcmp(jv_str_or(status, "state", ""), "Running") == 0 &&
		strcmp(jv_str_or(status, "message", "?"), "") == 0;
}

static bool is_removed(const json_t *status)
{
	return strcmp(jv_str_or(status, "state", ""), "Removed") == 0;
}

/* False: the agent died before. */
static bool wait_for(struct zone *z, bool (*what)(const json_t *status))
{
	int64_t deadline = clock_mono_ms() + LIMIT_MS;

	for (;;) {
		CLEANUP(jv_drop) json_t *status = status_read(z);
		int how;

		if (what(status))
			return true;
		if (child_wait(&z->agent, LOOK_MS, &how, NULL) == ERR_OK) {
			z->agent.pid = 0;
			assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
			return false;
		}
		if (clock_mono_ms() > deadline) {
			json_dumpf(status, stderr, JSON_INDENT(1));
			fail_msg("not within %d ms", LIMIT_MS);
		}
	}
}

/* Kills it there, if it comes there, and then lets another one do it all. */
static void go_through(struct zone *z, const char *fault, bool (*what)(const json_t *status))
{
	bool was_killed;

	agent_start(z, fault);
	was_killed = !wait_for(z, what);
	if (!was_killed)
		agent_kill(z);
	print_message("%s: %s\n", fault, was_killed ? "killed" : "not reached");
	agent_start(z, "");
	assert_true(wait_for(z, what));
}

static int count(const char *path, const char *prefix)
{
	DIR *d = opendir(path);
	struct dirent *at;
	int n = 0;

	while (d && (at = readdir(d)))
		n += at->d_name[0] != '.' && strncmp(at->d_name, prefix, strlen(prefix)) == 0;
	if (d)
		closedir(d);
	return n;
}

/* Processes that work in a folder of this test. */
static int servers(void)
{
	DIR *d = opendir("/proc");
	struct dirent *at;
	int n = 0;

	while ((at = readdir(d))) {
		CLEANUP(mem_drop) char *path = mem_printf("/proc/%s/cwd", at->d_name);
		char cwd[256];
		ssize_t got = readlink(path, cwd, sizeof(cwd) - 1);

		cwd[got > 0 ? got : 0] = '\0';
		n += strncmp(cwd, dir, strlen(dir)) == 0;
	}
	closedir(d);
	return n;
}

static void wait_for_no_servers(void)
{
	int64_t deadline = clock_mono_ms() + LIMIT_MS;

	while (servers() > 0) {
		poll(NULL, 0, LOOK_MS);
		assert_true(clock_mono_ms() < deadline);
	}
}

static void nothing_half_made_is_left(struct zone *z)
{
	CLEANUP(arena_done) struct arena a = {0};

	assert_int_equal(count(arena_printf(&a, "%s/m/%012d", z->data, z->i + 1), "data."), 0);
	assert_int_equal(count(arena_printf(&a, "%s/m/%012d", z->data, z->i + 1), "data"), 1);
}

static void nothing_is_left(struct zone *z)
{
	CLEANUP(arena_done) struct arena a = {0};

	assert_int_equal(count(arena_printf(&a, "%s/m", z->data), ""), 0);
}

static void lives_through(struct zone *z, const char *making, const char *removing)
{
	jv_set(z->want, "deleting", json_false());
	want_write(z);
	go_through(z, making, is_running);
	nothing_half_made_is_left(z);
	agent_kill(z);
	jv_set(z->want, "deleting", json_true());
	want_write(z);
	go_through(z, removing, is_removed);
	nothing_is_left(z);
	agent_kill(z);
}

static const char *const makings[] = {
	"work.init:1:kill",   "pgdata.sync:1:kill", "pgdata.publish:1:kill", "work.done:1:kill",
	"work.start:1:kill",  "work.done:2:kill",   "work.roles:1:kill",     "work.done:3:kill",
	"file.rename:1:kill", "file.rename:2:kill",
};

static const char *const removings[] = {
	"work.remove:1:kill", "home.remove:1:kill", "work.done:1:kill",   "file.fsync:1:kill",
	"file.fsync:4:kill",  "file.fsync:6:kill",  "file.rename:1:kill",
};

static void a_primary_is_made_and_removed_whatever_is_killed(void **state)
{
	struct zone *z = &zones[0];

	(void)state;
	z->want = hosttest_want(0, MAJOR, "primary");
	for (size_t i = 0; i < ARRAY_LEN(makings); i++)
		lives_through(z, makings[i], removings[i % ARRAY_LEN(removings)]);
	wait_for_no_servers();
}

/* At any time, not only at a step's begin: initdb may be at work. */
static void an_agent_killed_at_any_time_is_followed_by_one_that_goes_on(void **state)
{
	struct zone *z = &zones[0];
	unsigned seed = 7;

	(void)state;
	jv_set(z->want, "deleting", json_false());
	want_write(z);
	for (int i = 0; i < 6; i++) {
		int status;

		agent_start(z, "");
		child_wait(&z->agent, rand_r(&seed) % 400, &status, NULL);
		agent_kill(z);
	}
	agent_start(z, "");
	assert_true(wait_for(z, is_running));
	nothing_half_made_is_left(z);
}

static const char *const copyings[] = {
	"work.copy:1:kill",      "unpack.write:100:kill", "pgdata.sync:1:kill",
	"pgdata.publish:1:kill", "work.done:1:kill",      "work.start:1:kill",
};

/* The primary of the test before goes on all the while. */
static void a_standby_is_made_and_removed_whatever_is_killed(void **state)
{
	struct zone *p = &zones[0], *s = &zones[1];
	CLEANUP(jv_drop) json_t *status = status_read(p);

	(void)state;
	jv_set(p->want, "spec.standbys", json_pack("[s]", "orders-2"));
	want_write(p);
	s->want = hosttest_want(1, MAJOR, "standby");
	jv_set(s->want, "spec.upstream",
	       json_pack(
		       "{ss ss si}", "member", "orders-1", "host", p->address, "port",
		       (int)jv_int(status, "port", 0)));
	for (size_t i = 0; i < ARRAY_LEN(copyings); i++)
		lives_through(s, copyings[i], removings[i]);
	jv_set(p->want, "deleting", json_true());
	want_write(p);
	assert_true(wait_for(p, is_removed));
	agent_kill(p);
	nothing_is_left(p);
	wait_for_no_servers();
}

static int set_up(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct ca_cert ca;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/kill.XXXXXX");
	if (!mkdtemp(dir) || ca_new(&a, "test", &ca, NULL))
		return -1;
	for (int i = 0; i < 2; i++) {
		struct zone *z = &zones[i];

		z->i = i;
		snprintf(z->data, sizeof(z->data), "%s/%d", dir, i);
		hosttest_address(i, z->address, sizeof(z->address));
		hosttest_certificates(z->data, z->address, &ca);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		if (zones[i].agent.pid)
			agent_kill(&zones[i]);
		hosttest_end_server(zones[i].data, i);
		json_decref(zones[i].want);
	}
	return dir_remove(dir, NULL) ? -1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_primary_is_made_and_removed_whatever_is_killed),
		cmocka_unit_test(an_agent_killed_at_any_time_is_followed_by_one_that_goes_on),
		cmocka_unit_test(a_standby_is_made_and_removed_whatever_is_killed),
	};
	struct err e;

	if (argc == 4 && strcmp(argv[1], "--agent") == 0)
		return agent_main(argv[2], argv[3]);
	if (child_drop_root("slipway", &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
