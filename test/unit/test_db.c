/* What db promises, with each PostgreSQL major that is installed: codes, deadlines, a pool that
 * mends itself, migrations. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "db/db.h"
#include "pgtest.h"

static struct pgtest pg;

static struct db *session(void)
{
	struct db *d = NULL;
	struct err e = {0};

	if (db_open(pg.conninfo, 5000, &d, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return d;
}

static void rows_come_back_as_they_were_sent(void **state)
{
	const char *params[] = {"it's \\ \"text\"", NULL};
	struct db *d = session();
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct err e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		db_rows_done(&r);
		assert_int_equal(
			db_exec_named(
				d, "echo", "SELECT $1::text, $2::text, -7, true", params, 2, &r,
				&e),
			ERR_OK);
		assert_int_equal(r.n, 1);
		assert_true(str_is(db_text(&r, 0, 0), params[0]));
		assert_true(db_is_null(&r, 0, 1));
		assert_int_equal(db_int(&r, 0, 2), -7);
		assert_true(db_bool(&r, 0, 3));
	}
	db_close(d);
}

static void arrays_arrive_in_binary(void **state)
{
	struct db_array texts = {0}, numbers = {0};
	struct db *d = session();
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct str params[2];
	struct err e = {0};

	(void)state;
	db_array_init(&texts, DB_TEXT);
	db_array_text(&texts, STR("a,\"{b"));
	db_array_text(&texts, (struct str){0});
	db_array_init(&numbers, DB_INT8);
	db_array_i64(&numbers, INT64_MIN);
	db_array_i64(&numbers, 5);
	params[0] = db_array_view(&texts);
	params[1] = db_array_view(&numbers);
	assert_int_equal(
		db_exec_binary(
			d, "arrays",
			"SELECT t, n FROM unnest($1::text[], $2::bigint[]) AS u (t, n)", params, 2,
			&r, &e),
		ERR_OK);
	assert_int_equal(r.n, 2);
	assert_true(str_is(db_text(&r, 0, 0), "a,\"{b"));
	assert_true(db_int(&r, 0, 1) == INT64_MIN);
	assert_true(db_is_null(&r, 1, 0));
	db_array_done(&texts);
	db_array_done(&numbers);
	db_close(d);
}

static void errors_have_codes_and_the_session_lives_on(void **state)
{
	static const struct {
		const char *sql;
		enum err_code code;
	} cases[] = {
		{"CREATE TEMP TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)", ERR_OK},
		{"INSERT INTO t VALUES (1)", ERR_EXISTS},
		{"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$", ERR_CONFLICT},
		{"SET statement_timeout = 20; SELECT pg_sleep(60)", ERR_TIMEOUT},
		{"SELECT * FROM there_is_no_such_table", ERR_INTERNAL},
		{"SELECT 1", ERR_OK},
	};
	struct db *d = session();
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(db_script(d, cases[i].sql, &e), cases[i].code);
		assert_false(db_is_broken(d));
	}
	assert_int_equal(db_script(d, "DO $$ BEGIN RAISE WARNING 'careful'; END $$", &e), ERR_OK);
	assert_true(db_has_warned(d));
	assert_int_equal(db_script(d, "SELECT 1", &e), ERR_OK);
	assert_false(db_has_warned(d));
	db_close(d);
}

static void a_server_that_hangs_is_given_up_in_time(void **state)
{
	struct db *d = session(), *other = NULL;
	int64_t start = clock_mono_ms();
	struct err e;

	(void)state;
	db_set_timeout(d, 200);
	pgtest_freeze(&pg, true);
	assert_int_equal(db_exec(d, "SELECT 1", NULL, 0, NULL, &e), ERR_TIMEOUT);
	assert_true(db_is_broken(d));
	assert_int_equal(db_exec(d, "SELECT 1", NULL, 0, NULL, &e), ERR_UNAVAILABLE);
	assert_int_equal(db_open(pg.conninfo, 200, &other, &e), ERR_UNAVAILABLE);
	pgtest_freeze(&pg, false);
	assert_in_range(clock_mono_ms() - start, 390, 5000);
	db_close(d);
}

struct counted {
	int64_t sum;
	int left;
};

static bool count_row(void *arg, const struct db_rows *row)
{
	struct counted *c = arg;

	c->sum += db_int(row, 0, 0);
	return --c->left > 0;
}

static void a_long_result_streams_and_may_be_left_early(void **state)
{
	const char *params[] = {"1000"};
	struct counted all = {.left = 5000}, few = {.left = 3};
	struct db *d = session();
	struct err e;

	(void)state;
	assert_int_equal(
		db_stream(
			d, "series", "SELECT generate_series(1, $1::int)", params, 1, count_row,
			&all, &e),
		ERR_OK);
	assert_int_equal(all.sum, 500500);
	assert_int_equal(
		db_stream(
			d, "series", "SELECT generate_series(1, $1::int)", params, 1, count_row,
			&few, &e),
		ERR_OK);
	assert_int_equal(few.sum, 6);
	assert_int_equal(db_exec(d, "SELECT 1", NULL, 0, NULL, &e), ERR_OK);
	db_close(d);
}

static void *give_back(void *arg)
{
	void **both = arg;

	db_pool_put(both[0], both[1]);
	return NULL;
}

static void a_pool_waits_for_a_session_and_no_longer_than_asked(void **state)
{
	struct db_pool *p = NULL;
	struct db *a = NULL, *b = NULL, *c = NULL;
	struct err e;
	pthread_t t;

	(void)state;
	assert_int_equal(db_pool_new(pg.conninfo, "SET work_mem = '5MB'", 2, &p, &e), ERR_OK);
	assert_int_equal(db_pool_get(p, 1000, &a, &e), ERR_OK);
	assert_int_equal(db_pool_get(p, 1000, &b, &e), ERR_OK);
	assert_int_equal(db_pool_get(p, 20, &c, &e), ERR_LIMIT);
	void *both[] = {p, a};
	pthread_create(&t, NULL, give_back, both);
	assert_int_equal(db_pool_get(p, 10000, &c, &e), ERR_OK);
	assert_ptr_equal(a, c);
	pthread_join(t, NULL);
	db_pool_put(p, b);
	db_pool_put(p, c);
	db_pool_free(p);
}

static void a_pool_mends_itself_when_the_server_is_back(void **state)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct db_pool *p = NULL;
	struct db *held = NULL, *idle = NULL, *d = NULL;
	struct err e;

	(void)state;
	assert_int_equal(db_pool_new(pg.conninfo, NULL, 4, &p, &e), ERR_OK);
	assert_int_equal(db_pool_get(p, 1000, &held, &e), ERR_OK);
	assert_int_equal(db_pool_get(p, 1000, &idle, &e), ERR_OK);
	db_pool_put(p, idle);
	pgtest_kill(&pg);
	assert_int_equal(db_exec(held, "SELECT 1", NULL, 0, NULL, &e), ERR_UNAVAILABLE);
	db_pool_put(p, held);
	assert_int_equal(db_pool_get(p, 1000, &d, &e), ERR_UNAVAILABLE);
	pgtest_restart(&pg);
	assert_int_equal(db_pool_get(p, 5000, &d, &e), ERR_OK);
	assert_int_equal(db_exec(d, "SELECT 7", NULL, 0, &r, &e), ERR_OK);
	assert_int_equal(db_int(&r, 0, 0), 7);
	db_pool_put(p, d);
	db_pool_free(p);
}

static void *migrate(void *arg)
{
	struct db *d = session();
	struct err e = {0};

	(void)arg;
	if (db_migrate(d, &e) != ERR_OK)
		fail_msg("%s", e.text);
	db_close(d);
	return NULL;
}

static void replicas_that_start_together_migrate_once(void **state)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct db *d = session();
	struct err e = {0};
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_create(&t[i], NULL, migrate, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(
		db_exec(d, "SELECT count(*) > 0 AND count(*) = max(number) FROM slipway.migration",
			NULL, 0, &r, &e),
		ERR_OK);
	assert_true(db_bool(&r, 0, 0));
	db_close(d);
}

static void a_newer_schema_is_refused_with_a_sentence(void **state)
{
	struct db *d = session();
	struct err e = {0};

	(void)state;
	assert_int_equal(db_migrate(d, &e), ERR_OK);
	assert_int_equal(
		db_script(d, "INSERT INTO slipway.migration VALUES (4711, 'future')", &e), ERR_OK);
	assert_int_equal(db_migrate(d, &e), ERR_CONFLICT);
	assert_non_null(strstr(e.text, "schema 4711, made by a newer slipway"));
	assert_int_equal(
		db_script(d, "DELETE FROM slipway.migration WHERE number = 4711", &e), ERR_OK);
	assert_int_equal(db_migrate(d, &e), ERR_OK);
	db_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back_as_they_were_sent),
		cmocka_unit_test(arrays_arrive_in_binary),
		cmocka_unit_test(errors_have_codes_and_the_session_lives_on),
		cmocka_unit_test(a_server_that_hangs_is_given_up_in_time),
		cmocka_unit_test(a_long_result_streams_and_may_be_left_early),
		cmocka_unit_test(a_pool_waits_for_a_session_and_no_longer_than_asked),
		cmocka_unit_test(a_pool_mends_itself_when_the_server_is_back),
		cmocka_unit_test(replicas_that_start_together_migrate_once),
		cmocka_unit_test(a_newer_schema_is_refused_with_a_sentence),
	};
	int failed = 0;

	for (const int *major = pgtest_majors(); *major; major++) {
		pgtest_start(&pg, *major, NULL);
		failed += cmocka_run_group_tests(tests, NULL, NULL);
		pgtest_stop(&pg);
	}
	return failed;
}
