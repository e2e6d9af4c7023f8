/* What agent/host promises when something is wrong: it says what, in words that help, loses
 * nothing, and goes on by itself once it has been set right. */
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "agent/host.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "hosttest.h"

enum { MAJOR = 15, LIMIT_MS = 120 * 1000, DISK_MIB = 200 };

static uv_loop_t loop;
static uv_timer_t tick;
static struct host *host;
static char dir[32], data[64], address[32];
static json_t *want;
static json_t *report; /* the member's */
static bool has_small_disk;

static void on_change(void *arg)
{
	(void)arg;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static void host_begin(void)
{
	const struct host_conf conf = {
		.data = data,
		.address = address,
		.driver = &agent_driver_postgres,
		.on_change = on_change,
	};
	struct err e;

	if (host_new(&loop, &conf, &host, &e))
		fail_msg("%s", e.text);
}

static void host_end(void)
{
	bool is_stopped = false;

	host_stop(host, true, on_stopped, &is_stopped);
	while (!is_stopped)
		uv_run(&loop, UV_RUN_ONCE);
	host_free(host);
	host = NULL;
}

static void tell(void)
{
	CLEANUP(jv_drop) json_t *wants = json_pack("{s[O]}", "members", want);

	host_wants(host, wants);
}

static void look(void)
{
	json_t *all = host_report(host);

	json_decref(report);
	report = json_incref(json_array_get(jv_at(all, "members"), 0));
	json_decref(all);
}

static bool is_state(const char *state)
{
	look();
	return strcmp(jv_str_or(report, "status.state", ""), state) == 0;
}

static void wait_for(const char *state)
{
	int64_t deadline = clock_mono_ms() + LIMIT_MS;

	while (!is_state(state)) {
		uv_run(&loop, UV_RUN_ONCE);
		if (clock_mono_ms() > deadline) {
			json_dumpf(report, stderr, JSON_INDENT(1));
			fail_msg("never %s", state);
		}
	}
}

static void message_has(const char *text)
{
	const char *message = jv_str_or(report, "status.message", "");

	if (!strstr(message, text))
		fail_msg("'%s' does not say '%s'", message, text);
}

static const char *inside(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/m/%012d/%s", data, 1, name);
}

static void running_set(bool is_running)
{
	jv_set(want, "spec.running", json_boolean(is_running));
	tell();
	wait_for(is_running ? "Running" : "Stopped");
}

static void a_major_that_is_missing_is_named(void **state)
{
	(void)state;
	jv_set_str(want, "spec.version", "42");
	tell();
	wait_for("Failed");
	message_has("PostgreSQL 42 is not installed");
	jv_set_str(want, "spec.version", "15");
}

/* What was half made is gone, and with room it goes on. */
static void a_full_disk_is_told_and_cleared_up(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *filler = arena_printf(&a, "%s/filler", dir);
	uint64_t free_bytes;
	int fd;

	(void)state;
	if (!has_small_disk)
		skip();
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, (off_t)(DISK_MIB - 20) << 20), 0);
	close(fd);
	tell();
	wait_for("Failed");
	message_has("the disk is full");
	message_has("make room");
	assert_int_equal(file_free_bytes(dir, &free_bytes, NULL), ERR_OK);
	assert_true(free_bytes > 18 << 20);
	unlink(filler);
	wait_for("Running");
}

static void a_port_that_is_taken_is_changed(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int64_t port;
	int fd, on = 1;

	(void)state;
	tell();
	wait_for("Running");
	port = jv_int(report, "status.port", 0);
	running_set(false);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	at.sin_port = htons((uint16_t)port);
	assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	running_set(true);
	assert_true(jv_int(report, "status.port", 0) != port);
	close(fd);
}

static void data_that_is_open_to_others_is_not_started(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};

	(void)state;
	running_set(false);
	assert_int_equal(chmod(inside(&a, "data"), 0755), 0);
	jv_set(want, "spec.running", json_true());
	tell();
	wait_for("Failed");
	message_has("has mode 0755");
	assert_int_equal(chmod(inside(&a, "data"), 0700), 0);
	wait_for("Running"); /* without a word from anybody */
}

static void data_of_another_major_is_left_as_it_is(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *path = inside(&a, "data/PG_VERSION");

	(void)state;
	running_set(false);
	assert_int_equal(file_write(path, 0600, STR("12\n"), NULL), ERR_OK);
	jv_set(want, "spec.running", json_true());
	tell();
	wait_for("Failed");
	message_has("its data folder is of PostgreSQL 12, and 15 is wanted");
	assert_true(file_exists(inside(&a, "data/global/pg_control")));
	assert_int_equal(file_write(path, 0600, STR("15\n"), NULL), ERR_OK);
	wait_for("Running");
}

/* Somebody moved it: an empty cluster in its place would look like lost data. */
static void data_that_has_gone_is_not_made_anew(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};

	(void)state;
	running_set(false);
	assert_int_equal(rename(inside(&a, "data"), inside(&a, "moved")), 0);
	jv_set(want, "spec.running", json_true());
	jv_set(want, "spec.restart", json_integer(1));
	tell();
	wait_for("Failed");
	message_has("has gone: put it back");
	assert_int_equal(rename(inside(&a, "moved"), inside(&a, "data")), 0);
	wait_for("Running");
}

static void a_setting_that_the_server_refuses_is_named(void **state)
{
	int64_t deadline = clock_mono_ms() + LIMIT_MS;

	(void)state;
	jv_set_str(want, "spec.settings.work_mem", "much");
	tell();
	while (strcmp(jv_str_or(report, "status.message", ""),
		      "the server does not take setting work_mem: setting could not be applied") !=
	       0) {
		uv_run(&loop, UV_RUN_ONCE);
		look();
		assert_true(clock_mono_ms() < deadline);
	}
	assert_true(is_state("Running"));
	running_set(false);
	jv_set(want, "spec.running", json_true());
	tell();
	wait_for("Failed");
	message_has("invalid value for parameter \"work_mem\": \"much\"");
	jv_set_str(want, "spec.settings.work_mem", "4MB");
	tell();
	wait_for("Running");
}

static void an_upstream_that_is_away_is_named(void **state)
{
	json_t *primary = want;

	(void)state;
	jv_set(want, "deleting", json_true());
	tell();
	wait_for("Removed");
	want = hosttest_want(1, MAJOR, "standby");
	tell();
	wait_for("Pending");
	message_has("waits for its primary");
	jv_set(want, "spec.upstream",
	       json_pack("{ss ss si}", "member", "orders-1", "host", address, "port", 1));
	tell();
	wait_for("Failed");
	message_has("cannot copy orders-1 at ");
	message_has("Connection refused");
	jv_set(want, "deleting", json_true());
	tell();
	wait_for("Removed");
	json_decref(primary);
}

static int set_up(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct ca_cert ca;

	(void)state;
	snprintf(data, sizeof(data), "%s/agent", dir);
	hosttest_address(0, address, sizeof(address));
	if (ca_new(&a, "test", &ca, NULL))
		return -1;
	hosttest_certificates(data, address, &ca);
	want = hosttest_want(0, MAJOR, "primary");
	uv_loop_init(&loop);
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 10, 10);
	host_begin();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (host)
		host_end();
	hosttest_end_server(data, 0);
	json_decref(want);
	json_decref(report);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) || dir_remove(data, NULL) ? -1 : 0;
}

/* On a folder that every machine has, in a namespace of mounts that ends with this process: so
 * nothing is left of it, however it ends. */
static void small_disk_mount(void)
{
	char how[32];

	snprintf(how, sizeof(how), "size=%dm,mode=0777", DISK_MIB);
	snprintf(dir, sizeof(dir), "/mnt");
	has_small_disk = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("tmpfs", dir, "tmpfs", 0, how) == 0;
}

/* Without that: one of the user's, who removes it in the end. */
static bool folder_make(void)
{
	const struct passwd *pw = getpwnam("slipway");

	snprintf(dir, sizeof(dir), "/tmp/trouble.XXXXXX");
	return mkdtemp(dir) && (geteuid() != 0 || (pw && chown(dir, pw->pw_uid, pw->pw_gid) == 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_major_that_is_missing_is_named),
		cmocka_unit_test(a_full_disk_is_told_and_cleared_up),
		cmocka_unit_test(a_port_that_is_taken_is_changed),
		cmocka_unit_test(data_that_is_open_to_others_is_not_started),
		cmocka_unit_test(data_of_another_major_is_left_as_it_is),
		cmocka_unit_test(data_that_has_gone_is_not_made_anew),
		cmocka_unit_test(a_setting_that_the_server_refuses_is_named),
		cmocka_unit_test(an_upstream_that_is_away_is_named),
	};
	struct err e;
	int failed;

	small_disk_mount();
	if (!has_small_disk && !folder_make())
		return 1;
	if (child_drop_root("slipway", &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (!getenv("SLIPWAY_LOG"))
		log_set_level(LOG_ERROR);
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	if (!has_small_disk)
		rmdir(dir);
	return failed;
}
