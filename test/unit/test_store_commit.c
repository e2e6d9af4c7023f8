/*
 * What the committer promises: an answer is true whatever happens around the COMMIT, and one
 * caller's trouble is nobody else's.
 */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "db/db.h"
#include "storetest.h"

static struct pgtest pg;

/* In a process of its own, since fault points are read once in each: writes an object for each
 * letter, and prints how that went. */
static int child(const char *dir, const char *conninfo, const char *names)
{
	struct store *s;

	snprintf(pg.dir, sizeof(pg.dir), "%s", dir);
	snprintf(pg.conninfo, sizeof(pg.conninfo), "%s", conninfo);
	s = storetest_open(&pg);
	for (const char *n = names; *n; n++) {
		char name[] = {*n, '\0'};
		enum err_code code = storetest_write(s, STORE_CREATE, name, "{}", NULL, NULL);

		if (code != ERR_OK && code != ERR_UNAVAILABLE)
			return 1;
		dprintf(STDOUT_FILENO, "%s", code == ERR_OK ? "+" : "-");
	}
	storetest_close(s);
	return 0;
}

/* Gives "+-+": which of the writes were acknowledged. */
static const char *write_in_child(const char *faults, const char *names, int *ret_status)
{
	static char answers[64];
	int from_child[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(from_child), 0);
	pid = fork();
	if (pid == 0) {
		setenv("SLIPWAY_FAULT", faults, 1);
		dup2(from_child[1], STDOUT_FILENO);
		close(from_child[0]);
		close(from_child[1]);
		execl("/proc/self/exe", "child", pg.dir, pg.conninfo, names, NULL);
		_exit(127);
	}
	close(from_child[1]);
	n = read(from_child[0], answers, sizeof(answers) - 1);
	answers[MAX(n, 0)] = '\0';
	for (ssize_t more = n; more > 0; n += MAX(more, 0)) { /* to the end */
		more = read(from_child[0], answers + n, sizeof(answers) - 1 - (size_t)n);
		answers[n + MAX(more, 0)] = '\0';
	}
	close(from_child[0]);
	waitpid(pid, ret_status, 0);
	return answers;
}

static bool is_there(const char *name)
{
	struct store *s = storetest_open(&pg);
	json_t *o = NULL;
	bool is = store_get(s, (struct store_key){"Database", "shop", name}, &o, NULL) == ERR_OK;

	json_decref(o);
	storetest_close(s);
	return is;
}

static void a_batch_that_was_not_sent_is_not_there(void **state)
{
	int status;

	(void)state;
	/* hits 1 and 2 are around a's commit, 3 is before b's */
	assert_string_equal(write_in_child("store.commit:3", "abc", &status), "+-+");
	assert_true(is_there("a"));
	assert_false(is_there("b"));
	assert_true(is_there("c"));
}

static void a_lost_answer_is_found_out(void **state)
{
	int status;

	(void)state;
	/* 2 is after p's commit, 4 (the second point does not count a hit of the first) after q's:
	 * both are in, and so say the answers */
	assert_string_equal(write_in_child("store.commit:2,store.commit:3", "pqr", &status), "+++");
	assert_int_equal(status, 0);
	assert_true(is_there("p"));
	assert_true(is_there("q"));
	assert_true(is_there("r"));
}

static void a_kill_before_the_commit_leaves_nothing_and_after_it_all(void **state)
{
	int status;

	(void)state;
	write_in_child("store.commit:1:kill", "f", &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_false(is_there("f"));
	write_in_child("store.commit:2:kill", "f", &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(is_there("f"));
}

/* The old batch of a committer that was taken for dead must not come in after all. */
static void a_batch_that_was_settled_stays_out(void **state)
{
	struct db *d = NULL;
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct err e = {0};
	const char *sql = "SELECT slipway.apply('00000000-0000-0000-0000-000000000001', 1, '{0}',"
			  " '{A}', '{X}', '{y}', '{late}', '{0}',"
			  " '{00000000-0000-0000-0000-000000000002}', '{NULL}', '{NULL}', '{x}')";

	(void)state;
	storetest_close(storetest_open(&pg));
	assert_int_equal(db_open(pg.conninfo, 5000, &d, &e), ERR_OK);
	assert_int_equal(
		db_script(
			d,
			"SELECT slipway.settle('00000000-0000-0000-0000-000000000001', 0);"
			"SELECT slipway.settle('00000000-0000-0000-0000-000000000001', 1)",
			&e),
		ERR_OK);
	assert_int_equal(db_script(d, sql, &e), ERR_CONFLICT);
	assert_int_equal(
		db_exec(d, "SELECT count(*) FROM slipway.object WHERE name = 'late'", NULL, 0, &r,
			&e),
		ERR_OK);
	assert_int_equal(db_int(&r, 0, 0), 0);
	db_close(d);
}

enum { THREADS = 12, ROUNDS = 40 };

static struct store *shared[2];

/* Groups of three around one contended object, through two stores (two processes, in effect):
 * whoever wins writes all three. */
static void *contend(void *arg)
{
	int id = (int)(intptr_t)arg;
	struct store *s = shared[id % 2];

	for (int i = 0; i < ROUNDS; i++) {
		CLEANUP(jv_drop) json_t *o = NULL;
		CLEANUP(jv_drop) json_t *own = json_object();
		char a[32], b[32];
		struct store_write w[] = {
			{.verb = STORE_CREATE, .key = {"Group", "g", a}, .object = own},
			{.verb = STORE_UPDATE, .key = {"Group", "g", "middle"}},
			{.verb = STORE_CREATE, .key = {"Group", "g", b}, .object = own},
		};
		struct err e = {0};
		enum err_code code;

		snprintf(a, sizeof(a), "a-%d-%d", id, i);
		snprintf(b, sizeof(b), "b-%d-%d", id, i);
		if (store_get(s, w[1].key, &o, &e) != ERR_OK)
			abort();
		w[1].object = o;
		w[1].if_revision = storetest_revision(o);
		jv_set(o, "spec.n", json_integer(jv_int(o, "spec.n", 0) + 1));
		code = store_write(s, w, ARRAY_LEN(w), &e);
		if (code != ERR_OK && code != ERR_CONFLICT)
			abort();
		for (size_t j = 0; j < ARRAY_LEN(w); j++)
			json_decref(w[j].ret);
	}
	return NULL;
}

static bool count_text(void *arg, const char *ns, const char *name, struct str text)
{
	(void)ns;
	(void)name;
	(void)text;
	(*(int *)arg)++;
	return true;
}

static void groups_of_two_replicas_win_or_lose_as_a_whole(void **state)
{
	CLEANUP(jv_drop) json_t *first = json_object();
	CLEANUP(jv_drop) json_t *last = NULL;
	struct store_write w = {
		.verb = STORE_CREATE, .key = {"Group", "g", "middle"}, .object = first};
	pthread_t t[THREADS];
	int64_t revision;
	int n = 0;

	(void)state;
	shared[0] = storetest_open(&pg);
	shared[1] = storetest_open(&pg);
	assert_int_equal(store_write(shared[0], &w, 1, NULL), ERR_OK);
	json_decref(w.ret);
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, contend, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(store_get(shared[1], w.key, &last, NULL), ERR_OK);
	assert_true(jv_int(last, "spec.n", 0) > 0);
	assert_int_equal(
		store_list(shared[0], "Group", NULL, 0, NULL, count_text, &n, &revision, NULL),
		ERR_OK);
	assert_int_equal(n, 1 + 2 * jv_int(last, "spec.n", 0));
	storetest_close(shared[0]);
	storetest_close(shared[1]);
}

static void *write_bad(void *arg)
{
	CLEANUP(jv_drop) json_t *o = json_object();
	char *name = arg;
	struct store_write w = {.verb = STORE_CREATE, .key = {"Group", "bad", name}, .object = o};
	enum err_code code = store_write(shared[0], &w, 1, NULL);

	json_decref(w.ret);
	return (void *)(intptr_t)code;
}

/* A name that no index page holds is the server's to refuse: the others' writes go through. */
static void values_that_the_server_refuses_fail_alone(void **state)
{
	static char too_long[9000];
	pthread_t bad[4], good[4];
	char names[4][8];
	void *code;

	(void)state;
	shared[0] = storetest_open(&pg);
	for (size_t i = 0; i < sizeof(too_long) - 1; i++)
		too_long[i] = (char)('a' + rand() % 26); /* does not compress */
	for (int i = 0; i < 4; i++) {
		snprintf(names[i], sizeof(names[i]), "good%d", i);
		pthread_create(&bad[i], NULL, write_bad, too_long);
		pthread_create(&good[i], NULL, write_bad, names[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(bad[i], &code);
		assert_int_not_equal((intptr_t)code, ERR_OK);
		pthread_join(good[i], &code);
		assert_int_equal((intptr_t)code, ERR_OK);
	}
	storetest_close(shared[0]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_that_was_not_sent_is_not_there),
		cmocka_unit_test(a_lost_answer_is_found_out),
		cmocka_unit_test(a_kill_before_the_commit_leaves_nothing_and_after_it_all),
		cmocka_unit_test(a_batch_that_was_settled_stays_out),
		cmocka_unit_test(groups_of_two_replicas_win_or_lose_as_a_whole),
		cmocka_unit_test(values_that_the_server_refuses_fail_alone),
	};
	int failed = 0;

	if (argc == 4)
		return child(argv[1], argv[2], argv[3]);
	for (const int *major = pgtest_majors(); *major; major++) {
		pgtest_start(&pg, *major, NULL);
		failed += cmocka_run_group_tests(tests, NULL, NULL);
		pgtest_stop(&pg);
	}
	return failed;
}
