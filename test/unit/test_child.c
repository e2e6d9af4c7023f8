/* What base/child promises: nothing leaks into a child, no wrong process is ever hit. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/file.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void run_gives_the_output(void **state)
{
	struct child_conf c = {
		.argv = ARGV("sh", "-c", "echo $A; pwd; echo b >&2"),
		.env = ARGV("A=a b"),
	};
	CLEANUP(arena_done) struct arena a = {0};
	struct str out;
	struct err e;

	(void)state;
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, &e), ERR_OK);
	assert_string_equal(out.p, "a b\n/\nb\n");
}

static void run_drops_what_is_too_much(void **state)
{
	struct child_conf c = {.argv = ARGV("head", "-c", "1000000", "/dev/zero")};
	CLEANUP(arena_done) struct arena a = {0};
	struct str out;

	(void)state;
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, NULL), ERR_OK);
	assert_int_equal(out.n, 100);
}

static void run_fails_with_the_last_line(void **state)
{
	struct child_conf c = {.argv = ARGV("sh", "-c", "echo one; echo two >&2; exit 3")};
	CLEANUP(arena_done) struct arena a = {0};
	struct str out;
	struct err e;

	(void)state;
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, &e), ERR_IO);
	assert_string_equal(e.text, "sh failed: two");
	c.argv = ARGV("sh", "-c", "kill -9 $$");
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, &e), ERR_IO);
	assert_string_equal(e.text, "sh was ended by signal 9");
}

static void run_kills_what_is_late(void **state)
{
	struct child_conf c = {.argv = ARGV("sleep", "1000")};
	CLEANUP(arena_done) struct arena a = {0};
	struct str out;
	struct err e;

	(void)state;
	assert_int_equal(child_run(&a, &c, 20, 100, &out, &e), ERR_TIMEOUT);
}

static void a_program_in_the_background_does_not_hold_run_up(void **state)
{
	struct child_conf c = {.argv = ARGV("sh", "-c", "sleep 1000 & echo $!")};
	CLEANUP(arena_done) struct arena a = {0};
	struct str out;
	uint64_t pid;

	(void)state;
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, NULL), ERR_OK);
	assert_true(str_to_u64(str_trim(out), &pid));
	kill((pid_t)pid, SIGKILL);
}

static void a_program_that_cannot_start_is_told_at_once(void **state)
{
	struct child_conf c = {.argv = ARGV("no-such-program")};
	struct child child;
	struct err e;

	(void)state;
	assert_int_equal(child_start(&c, &child, &e), ERR_NOT_FOUND);
	c.argv = ARGV("/no/such/program");
	assert_int_equal(child_start(&c, &child, &e), ERR_NOT_FOUND);
	c.argv = ARGV("/");
	assert_int_equal(child_start(&c, &child, &e), ERR_IO);
	c.argv = ARGV("true");
	c.dir = "/no/such/dir";
	assert_int_equal(child_start(&c, &child, &e), ERR_NOT_FOUND);
}

/* /proc/self/fd of ls itself is the only one beside 0 to 2. */
static void a_child_inherits_no_descriptor_and_no_signal(void **state)
{
	struct child_conf c = {
		.argv =
			ARGV("sh", "-c",
			     "ls /proc/self/fd | wc -l;"
			     "grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f 2")};
	CLEANUP(arena_done) struct arena a = {0};
	struct str out;
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0); /* without O_CLOEXEC */
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, NULL), ERR_OK);
	assert_string_equal(out.p, "4\n0000000000000000\n0000000000000000\n");

	c.holds_signals = true;
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, NULL), ERR_OK);
	assert_string_equal(out.p, "4\n0000000000004003\n0000000000000000\n");
	close(pair[0]);
	close(pair[1]);
}

static void a_log_is_appended_to_and_private(void **state)
{
	char path[] = "/tmp/test_child.XXXXXX";
	struct child_conf c = {.argv = ARGV("echo", "line"), .log_path = path};
	CLEANUP(arena_done) struct arena a = {0};
	struct child child;
	struct str text;
	int status;

	(void)state;
	close(mkstemp(path));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(child_start(&c, &child, NULL), ERR_OK);
		assert_int_equal(child_wait(&child, 10000, &status, NULL), ERR_OK);
		assert_int_equal(status, 0);
	}
	assert_int_equal(file_read(&a, path, 100, &text, NULL), ERR_OK);
	assert_string_equal(text.p, "line\nline\n");
	unlink(path);
}

static void wait_says_how_it_ended(void **state)
{
	struct child_conf c = {.argv = ARGV("sleep", "1000"), .is_session = true};
	struct child child;
	int status = 7;

	(void)state;
	assert_int_equal(child_start(&c, &child, NULL), ERR_OK);
	assert_int_equal(getsid(child.pid), child.pid);
	assert_int_equal(child_wait(&child, 10, &status, NULL), ERR_TIMEOUT);
	assert_int_equal(status, 7);
	assert_int_equal(child_signal(&child, SIGTERM, NULL), ERR_OK);
	assert_int_equal(child_wait(&child, 10000, &status, NULL), ERR_OK);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(child.pidfd, -1);
}

/* The grandchild is adopted by its pid and start time, as a postgres after an agent's restart. */
static void adoption_is_of_the_very_same_process(void **state)
{
	struct child_conf c = {.argv = ARGV("sh", "-c", "setsid sleep 1000 & echo $!")};
	CLEANUP(arena_done) struct arena a = {0};
	struct child child;
	struct str out;
	uint64_t pid = 0, ticks;
	int status;

	(void)state;
	assert_int_equal(child_run(&a, &c, 10000, 100, &out, NULL), ERR_OK);
	assert_true(str_to_u64(str_trim(out), &pid));
	assert_int_equal(child_start_ticks((pid_t)pid, &ticks, NULL), ERR_OK);
	assert_int_equal(child_adopt((pid_t)pid, ticks + 1, &child, NULL), ERR_NOT_FOUND);
	assert_int_equal(child_adopt((pid_t)pid, ticks, &child, NULL), ERR_OK);
	assert_int_equal(child_signal(&child, SIGKILL, NULL), ERR_OK);
	assert_int_equal(child_wait(&child, 10000, &status, NULL), ERR_OK);
	assert_int_equal(status, -1);
	assert_int_equal(child_adopt((pid_t)pid, ticks, &child, NULL), ERR_NOT_FOUND);
	assert_int_equal(child_adopt(0, 0, &child, NULL), ERR_NOT_FOUND);
}

/* In a child of our own, since there is no way back. */
static void root_is_dropped_for_good(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		struct err e;
		bool is_ok = child_drop_root("nosuchuser", &e) == ERR_NOT_FOUND &&
			child_drop_root("root", &e) == ERR_INVALID &&
			child_drop_root("nobody", &e) == ERR_OK && geteuid() != 0 &&
			getgid() != 0 && setuid(0) < 0 && child_drop_root("nobody", &e) == ERR_OK;

		_exit(is_ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_gives_the_output),
		cmocka_unit_test(run_drops_what_is_too_much),
		cmocka_unit_test(run_fails_with_the_last_line),
		cmocka_unit_test(run_kills_what_is_late),
		cmocka_unit_test(a_program_in_the_background_does_not_hold_run_up),
		cmocka_unit_test(a_program_that_cannot_start_is_told_at_once),
		cmocka_unit_test(a_child_inherits_no_descriptor_and_no_signal),
		cmocka_unit_test(a_log_is_appended_to_and_private),
		cmocka_unit_test(wait_says_how_it_ended),
		cmocka_unit_test(adoption_is_of_the_very_same_process),
		cmocka_unit_test(root_is_dropped_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
