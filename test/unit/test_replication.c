/* What agent/replication proves of synchronous_standby_names, on a real server. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/replication.h"
#include "base/clock.h"
#include "pgtest.h"

enum { WAIT_MS = 20000, LOOK_MS = 400 };

#define BOTH "ANY 1 (\"orders_2\", \"orders_3\")"
#define ONE "ANY 1 (\"orders_2\")"

static struct pgtest pg;
static struct db *d;
static pid_t receivers[2];

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void run(const char *sql)
{
	struct err e;

	if (db_exec(d, sql, NULL, 0, NULL, &e))
		fail_msg("%s: %s", sql, e.text);
}

static int64_t number(const char *sql)
{
	struct db_rows rows = {0};
	int64_t n = -1;
	struct err e;

	if (db_exec(d, sql, NULL, 0, &rows, &e))
		fail_msg("%s: %s", sql, e.text);
	if (rows.n == 1)
		str_to_i64(db_text(&rows, 0, 0), &n);
	db_rows_done(&rows);
	return n;
}

static void wait_number(const char *sql, int64_t want)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (number(sql) != want) {
		if (clock_mono_ms() > end)
			fail_msg("never %lld: %s", (long long)want, sql);
		pause_ms(10);
	}
}

/* What counts as a standby: it flushes what it receives, and says so at once. */
static pid_t receiver_start(const char *name)
{
	CLEANUP(arena_done) struct arena a = {0};
	char *program = arena_printf(&a, "%s/pg_receivewal", pg.bin);
	char *dir = arena_printf(&a, "%s/%s", pg.dir, name);
	char *conninfo = arena_printf(&a, "%s application_name=%s", pg.conninfo, name);
	char *argv[] = {program, "-D", dir, "--synchronous", "-d", conninfo, NULL};
	pid_t pid;

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(posix_spawn(&pid, program, NULL, NULL, argv, environ), 0);
	return pid;
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	if (!pgtest_start(&pg, 15, NULL) || db_open(pg.conninfo, 5000, &d, &e))
		return -1;
	receivers[0] = receiver_start("orders_2");
	receivers[1] = receiver_start("orders_3");
	wait_number("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", 2);
	run("ALTER SYSTEM SET synchronous_standby_names = '" BOTH "'");
	run("SELECT pg_reload_conf()");
	wait_number("SELECT count(*) FROM pg_stat_replication WHERE sync_priority > 0", 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(receivers); i++) {
		kill(receivers[i], SIGKILL);
		waitpid(receivers[i], NULL, 0);
	}
	db_close(d);
	pgtest_stop(&pg);
	return 0;
}

struct proof {
	pthread_t thread;
	struct job job;
	const char *names;
	uint64_t lsn;
	enum err_code code;
	struct err e;
	atomic_bool is_done;
};

static void *prove(void *arg)
{
	struct proof *p = arg;
	struct db *own;

	p->code = db_open(pg.conninfo, 5000, &own, &p->e);
	if (!p->code) {
		p->code = replication_prove(own, &p->job, p->names, &p->lsn, &p->e);
		db_close(own);
	}
	p->is_done = true;
	return NULL;
}

static void nothing_is_proven_while_a_sender_counts_by_the_old_names(void **state)
{
	struct proof p = {.names = ONE};
	pid_t sender = (pid_t)number(
		"SELECT pid FROM pg_stat_replication WHERE application_name = 'orders_3'");

	(void)state;
	assert_true(sender > 0);
	kill(sender, SIGSTOP);
	run("ALTER SYSTEM SET synchronous_standby_names = '" ONE "'");
	pthread_create(&p.thread, NULL, prove, &p);
	pause_ms(LOOK_MS);
	assert_false(p.is_done);
	kill(sender, SIGCONT);
	pthread_join(p.thread, NULL);
	if (p.code)
		fail_msg("%s", p.e.text);
	assert_true(p.lsn > 0);
	assert_int_equal(
		number("SELECT count(*) FROM pg_stat_replication WHERE sync_priority > 0"), 1);
}

/* A proof that nobody wants any more does not go on. */
static void a_proof_can_be_called_off(void **state)
{
	struct proof p = {.names = ONE};
	pid_t sender = (pid_t)number(
		"SELECT pid FROM pg_stat_replication WHERE application_name = 'orders_3'");

	(void)state;
	run("ALTER SYSTEM SET synchronous_standby_names = '" BOTH "'");
	run("SELECT pg_reload_conf()");
	wait_number("SELECT count(*) FROM pg_stat_replication WHERE sync_priority > 0", 2);
	kill(sender, SIGSTOP);
	run("ALTER SYSTEM SET synchronous_standby_names = '" ONE "'");
	pthread_create(&p.thread, NULL, prove, &p);
	pause_ms(LOOK_MS);
	p.job.is_cancelled = true;
	pthread_join(p.thread, NULL);
	kill(sender, SIGCONT);
	assert_int_equal(p.code, ERR_GONE);
	assert_int_equal(p.lsn, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_proven_while_a_sender_counts_by_the_old_names),
		cmocka_unit_test(a_proof_can_be_called_off),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
