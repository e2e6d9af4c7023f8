/* What app's parts promise: addresses, what `up` remembers, children that are kept running. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/crew.h"
#include "app/up_config.h"
#include "base/clock.h"
#include "base/file.h"

static struct arena a;
static struct err e;
static char dir[] = "/tmp/slipway-test-app-XXXXXX";

/* ---- addresses ---- */

static void an_address_is_an_ip_and_a_port(void **state)
{
	struct address at;

	assert_int_equal(address_parse(&a, "127.0.0.1:0", &at, &e), ERR_OK);
	assert_string_equal(at.host, "127.0.0.1");
	assert_int_equal(address_parse(&a, "[::1]:6443", &at, &e), ERR_OK);
	assert_string_equal(at.host, "::1");
	assert_int_equal(at.port, 6443);
	assert_string_equal(address_url(&a, at.host, at.port), "https://[::1]:6443");
	assert_int_equal(address_parse(&a, "localhost:1", &at, &e), ERR_INVALID);
	assert_int_equal(address_parse(&a, "127.0.0.1", &at, &e), ERR_INVALID);
	assert_int_equal(address_parse(&a, "127.0.0.1:65536", &at, &e), ERR_INVALID);
	assert_int_equal(address_parse(&a, ":1", &at, &e), ERR_INVALID);
}

static void a_port_that_is_taken_is_noticed(void **state)
{
	struct address at = {"127.0.0.1", 0};
	uint16_t port;

	assert_int_equal(address_is_free(&at, &port, &e), ERR_OK);
	assert_int_not_equal(port, 0);
	at.host = "192.0.2.1";
	assert_int_equal(address_is_free(&at, &port, &e), ERR_INVALID);
	assert_string_equal(e.text, "192.0.2.1 is no address of this machine");
}

static void the_own_address_is_the_one_on_the_way(void **state)
{
	const char *own;

	assert_int_equal(address_towards(&a, "https://127.0.0.1:6443/x", &own, &e), ERR_OK);
	assert_string_equal(own, "127.0.0.1");
	assert_int_equal(address_towards(&a, "nonsense", &own, &e), ERR_INVALID);
}

/* ---- what up remembers ---- */

static struct folder folder_new(void)
{
	static int n;
	struct folder f = {.path = arena_printf(&a, "%s/%d", dir, n++), .lock_fd = -1};

	assert_int_equal(dir_make(f.path, 0700, &e), ERR_OK);
	return f;
}

static void three_zones_by_default(void **state)
{
	struct folder f = folder_new();
	struct up_config c;

	assert_int_equal(up_config_load(&a, &f, NULL, NULL, &c, &e), ERR_OK);
	assert_int_equal(c.n, 3);
	assert_string_equal(c.zones[2].name, "zone-c");
	assert_string_equal(c.zones[2].address, "127.0.3.1");
	assert_int_equal(c.api.port, 6443);
}

static void what_was_said_once_is_remembered(void **state)
{
	struct folder f = folder_new();
	struct up_config c;

	assert_int_equal(
		up_config_load(&a, &f, "127.0.0.1:0", "east,west@127.0.9.1", &c, &e), ERR_OK);
	c.api.port = 12345;
	assert_int_equal(up_config_save(&f, &c, &e), ERR_OK);
	c = (struct up_config){.n = 0};
	assert_int_equal(up_config_load(&a, &f, NULL, NULL, &c, &e), ERR_OK);
	assert_int_equal(c.n, 2);
	assert_string_equal(c.zones[0].address, "127.0.1.1");
	assert_string_equal(c.zones[1].address, "127.0.9.1");
	assert_int_equal(c.api.port, 12345);
	assert_int_equal(up_config_load(&a, &f, "127.0.0.1:0", NULL, &c, &e), ERR_OK);
	assert_int_equal(c.api.port, 12345);
	assert_int_equal(up_config_load(&a, &f, "127.0.0.1:1", NULL, &c, &e), ERR_CONFLICT);
	assert_int_equal(up_config_load(&a, &f, NULL, "east,west@127.0.9.1,north", &c, &e), ERR_OK);
	assert_int_equal(c.n, 3);
	assert_int_equal(up_config_load(&a, &f, NULL, "east", &c, &e), ERR_CONFLICT);
	assert_non_null(strstr(e.text, "west@127.0.9.1, which may hold databases"));
	assert_int_equal(up_config_load(&a, &f, NULL, "east,west@127.0.9.2", &c, &e), ERR_CONFLICT);
}

static void bad_zones_are_named(void **state)
{
	static const char *const texts[][2] = {
		{"Zone", "zone 'Zone': a name"},
		{"", "zone '': a name"},
		{"a,a", "zone a is there twice"},
		{"a@host", "zone a: 'host' is no IP address"},
		{"a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4,b5,b6,b7,b8", "at most 16 zones"},
	};
	struct up_config c;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_not_equal(up_zones_parse(&a, texts[i][0], &c, &e), ERR_OK);
		assert_non_null(strstr(e.text, texts[i][1]));
	}
}

/* ---- children ---- */

static struct proc *child(struct crew *c, const char *const *argv)
{
	struct proc *p = crew_add(c, "it");

	p->conf = (struct child_conf){
		.argv = argv,
		.log_path = arena_printf(&a, "%s/log", dir),
		.dies_with_us = true,
	};
	p->stop_signal = SIGTERM;
	p->stop_ms = 10000;
	proc_step(p, PROC_START, clock_mono_ms());
	return p;
}

static void what_ends_is_started_again_and_what_is_stopped_is_not(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct crew c = {.n = 0};
	struct proc *p;
	pid_t first;

	assert_int_equal(crew_open(&c, &e), ERR_OK);
	p = child(&c, argv);
	assert_int_equal(p->state, PROC_UP);
	first = p->child.pid;
	kill(first, SIGKILL);
	while (p->state != PROC_UP || p->child.pid == first)
		crew_step(&c, -1);
	assert_int_equal(p->failures, 1);
	crew_stop(&c, 0, 1);
	assert_int_equal(p->state, PROC_DOWN);
	assert_int_equal(c.changes, 2); /* another one is there, none is */
	close(c.signal_fd);
}

static void what_keeps_ending_rests_longer_each_time(void **state)
{
	static const char *const argv[] = {
		"sh", "-c", "echo one; echo the reason >&2; exit 3", NULL};
	struct crew c = {.n = 0};
	char words[100];
	struct proc *p;
	int64_t rest;

	assert_int_equal(crew_open(&c, &e), ERR_OK);
	p = child(&c, argv);
	for (int64_t last = -1; last < 200; last = rest) {
		while (p->state != PROC_RESTING)
			crew_step(&c, -1);
		rest = p->due_ms - clock_mono_ms();
		assert_true(rest > last || rest <= 0);
		while (p->state == PROC_RESTING)
			crew_step(&c, -1);
	}
	proc_last_words(p, words, sizeof(words));
	assert_string_equal(words, "the reason");
	crew_stop(&c, 0, 1);
	close(c.signal_fd);
}

static void what_does_not_stop_is_killed(void **state)
{
	static const char *const argv[] = {
		"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done", NULL};
	struct crew c = {.n = 0};
	char words[100] = "";
	struct proc *p;

	assert_int_equal(crew_open(&c, &e), ERR_OK);
	p = child(&c, argv);
	p->stop_ms = 50;
	while (strcmp(words, "ready") != 0)
		proc_last_words(p, words, sizeof(words));
	crew_stop(&c, 0, 1);
	assert_int_equal(p->status, SIGKILL);
	close(c.signal_fd);
}

static void a_signal_asks_to_stop(void **state)
{
	struct crew c = {.n = 0};

	assert_int_equal(crew_open(&c, &e), ERR_OK);
	kill(getpid(), SIGTERM);
	while (!c.asked_to_stop)
		crew_step(&c, -1);
	assert_int_equal(c.asked_to_stop, 1);
	close(c.signal_fd);
}

/* Each cell: an event that means nothing does nothing. */
static void events_out_of_place_are_ignored(void **state)
{
	static const struct {
		enum proc_state state;
		enum proc_event event;
	} idle[] = {
		{PROC_DOWN, PROC_ENDED},    {PROC_DOWN, PROC_TIME},      {PROC_DOWN, PROC_STOP},
		{PROC_UP, PROC_START},      {PROC_UP, PROC_TIME},        {PROC_RESTING, PROC_START},
		{PROC_RESTING, PROC_ENDED}, {PROC_STOPPING, PROC_START}, {PROC_STOPPING, PROC_STOP},
	};

	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		struct proc p = {.state = idle[i].state};

		proc_step(&p, idle[i].event, 1);
		assert_int_equal(p.state, idle[i].state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_an_ip_and_a_port),
		cmocka_unit_test(a_port_that_is_taken_is_noticed),
		cmocka_unit_test(the_own_address_is_the_one_on_the_way),
		cmocka_unit_test(three_zones_by_default),
		cmocka_unit_test(what_was_said_once_is_remembered),
		cmocka_unit_test(bad_zones_are_named),
		cmocka_unit_test(what_ends_is_started_again_and_what_is_stopped_is_not),
		cmocka_unit_test(what_keeps_ending_rests_longer_each_time),
		cmocka_unit_test(what_does_not_stop_is_killed),
		cmocka_unit_test(a_signal_asks_to_stop),
		cmocka_unit_test(events_out_of_place_are_ignored),
	};
	int failed;

	assert_non_null(mkdtemp(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_remove(dir, NULL);
	arena_done(&a);
	return failed;
}
