/* What the store promises beside objects: tokens, pulses, blobs with locks, one leader, one key. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "db/db.h"
#include "storetest.h"

enum { WAIT_MS = 30000 };

static struct pgtest pg;
static struct store *store, *replica;

static void a_token_is_found_until_it_expires_and_kept_as_a_hash_only(void **state)
{
	struct store_token put = {"admin", "admins", "{\"a\":1}"}, got = {0};
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct db *d = NULL;
	struct err e;

	(void)state;
	assert_int_equal(store_token_put(store, "user", STR("open-sesame"), &put, 0, &e), ERR_OK);
	assert_int_equal(
		store_token_put(store, "user", STR("open-sesame"), &put, 0, &e), ERR_EXISTS);
	assert_int_equal(store_token_find(replica, "user", STR("open-sesame"), &got, &e), ERR_OK);
	assert_memory_equal(&put, &got, sizeof(put));
	assert_int_equal(
		store_token_find(store, "join", STR("open-sesame"), &got, &e), ERR_NOT_FOUND);
	assert_int_equal(store_token_find(store, "user", STR("x"), &got, &e), ERR_NOT_FOUND);
	assert_int_equal(store_token_put(store, "user", STR("old"), &put, 3600, &e), ERR_OK);
	assert_int_equal(db_open(pg.conninfo, 5000, &d, &e), ERR_OK);
	assert_int_equal(
		db_exec(d,
			"WITH o AS (UPDATE slipway.token SET expires_at = now()"
			" WHERE expires_at IS NOT NULL) SELECT count(*) FROM slipway.token"
			" WHERE hash LIKE '%sesame%' OR detail LIKE '%sesame%'",
			NULL, 0, &r, &e),
		ERR_OK);
	assert_int_equal(db_int(&r, 0, 0), 0);
	db_close(d);
	assert_int_equal(store_token_find(store, "user", STR("old"), &got, &e), ERR_GONE);
	assert_string_equal(e.text, "this user token has expired");
}

static void *use_it(void *arg)
{
	struct store_token got;

	return (void *)(intptr_t)store_token_use(arg, "join", STR("once"), &got, NULL);
}

static void a_join_token_is_used_by_one_only(void **state)
{
	struct store_token put = {"host", "hosts", "{}"}, got;
	pthread_t t[8];
	int used = 0;
	struct err e;

	(void)state;
	assert_int_equal(store_token_put(store, "join", STR("once"), &put, 60, &e), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_create(&t[i], NULL, use_it, i % 2 ? store : replica);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		void *code;

		pthread_join(t[i], &code);
		used += (intptr_t)code == ERR_OK;
		assert_true((intptr_t)code == ERR_OK || (intptr_t)code == ERR_GONE);
	}
	assert_int_equal(used, 1);
	assert_int_equal(store_token_find(store, "join", STR("once"), &got, &e), ERR_GONE);
	assert_string_equal(e.text, "this join token has been used already");
}

/* Asks the other replica until it has heard, too. */
static int64_t wait_pulse(struct store *s, const char *host, json_t **ret)
{
	int64_t until = clock_mono_ms() + WAIT_MS, age_ms = 0;
	struct err e;

	while (store_pulse_get(s, host, ret, &age_ms, &e) != ERR_OK) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 20);
	}
	return age_ms;
}

static void a_pulse_is_heard_here_at_once_and_by_other_replicas_soon(void **state)
{
	CLEANUP(jv_drop) json_t *body = json_pack("{s:i}", "lsn", 7);
	CLEANUP(jv_drop) json_t *here = NULL;
	CLEANUP(jv_drop) json_t *there = NULL;
	json_t *none = NULL;
	int64_t age_ms = -1;
	struct err e;

	(void)state;
	assert_int_equal(store_pulse_get(store, "h1", &none, &age_ms, &e), ERR_NOT_FOUND);
	store_pulse_put(store, "h1", STR("{\"lsn\":7}"));
	assert_int_equal(store_pulse_get(store, "h1", &here, &age_ms, &e), ERR_OK);
	assert_true(json_equal(here, body));
	assert_in_range(age_ms, 0, 1000);
	store_pulse_put(store, "h1", STR("")); /* a sign of life keeps the report */
	assert_in_range(wait_pulse(replica, "h1", &there), 0, WAIT_MS);
	assert_true(json_equal(there, body));
	store_pulse_put(store, "h2", STR(""));
	assert_int_equal(store_pulse_get(store, "h2", &none, &age_ms, &e), ERR_OK);
	assert_null(none);
}

#define LOCK_A "{\"ID\":\"a\",\"Who\":\"me\"}"
#define LOCK_B "{\"ID\":\"b\",\"Who\":\"you\"}"

static void a_locked_blob_is_its_holders(void **state)
{
	struct str v1 = STR("one\0two\377"), v2 = STR("v2");
	CLEANUP(buf_done) struct buf got = {0};
	CLEANUP(buf_done) struct buf lock = {0};
	struct err e;

	(void)state;
	assert_int_equal(store_blob_get(store, "tf", &got, &e), ERR_NOT_FOUND);
	assert_int_equal(store_blob_put(store, "tf", &v1, NULL, &lock, &e), ERR_OK);
	assert_int_equal(store_blob_get(store, "tf", &got, &e), ERR_OK);
	assert_true(str_eq(buf_view(&got), v1));
	assert_int_equal(store_blob_lock(store, "tf", STR(LOCK_A), &lock, &e), ERR_OK);
	assert_int_equal(store_blob_lock(store, "tf", STR(LOCK_A), &lock, &e), ERR_OK);
	assert_int_equal(store_blob_lock(replica, "tf", STR(LOCK_B), &lock, &e), ERR_CONFLICT);
	assert_true(str_is(buf_view(&lock), LOCK_A));
	assert_int_equal(store_blob_put(store, "tf", &v2, NULL, &lock, &e), ERR_CONFLICT);
	assert_true(str_is(buf_view(&lock), LOCK_A));
	assert_int_equal(store_blob_put(store, "tf", &v2, "b", &lock, &e), ERR_CONFLICT);
	assert_int_equal(store_blob_put(store, "tf", NULL, NULL, &lock, &e), ERR_CONFLICT);
	assert_int_equal(store_blob_put(store, "tf", &v2, "a", &lock, &e), ERR_OK);
	assert_int_equal(store_blob_unlock(store, "tf", "b", &lock, &e), ERR_CONFLICT);
	assert_int_equal(store_blob_unlock(store, "tf", "a", &lock, &e), ERR_OK);
	assert_int_equal(store_blob_unlock(store, "tf", "a", &lock, &e), ERR_OK);
	assert_int_equal(store_blob_put(store, "tf", &v1, "a", &lock, &e), ERR_CONFLICT);
	assert_int_equal(store_blob_get(store, "tf", &got, &e), ERR_OK);
	assert_true(str_eq(buf_view(&got), v2));
	assert_int_equal(store_blob_put(store, "tf", NULL, NULL, &lock, &e), ERR_OK);
	assert_int_equal(store_blob_get(store, "tf", &got, &e), ERR_NOT_FOUND);
	assert_int_equal(store_blob_lock(store, "new", STR(LOCK_B), &lock, &e), ERR_OK);
	assert_int_equal(store_blob_get(store, "new", &got, &e), ERR_NOT_FOUND);
	assert_int_equal(store_blob_unlock(store, "new", NULL, &lock, &e), ERR_OK); /* by force */
	assert_int_equal(store_blob_lock(store, "bad", STR("{}"), &lock, &e), ERR_INVALID);
}

/* One of the two leads; which one? */
static struct store *wait_leader(void)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	for (;;) {
		bool a = store_is_leader(store), b = store_is_leader(replica);

		assert_false(a && b);
		if (a || b)
			return a ? store : replica;
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 10);
	}
}

static void there_is_one_leader_and_none_while_the_database_is_away(void **state)
{
	struct store *leader = wait_leader();
	struct store **other = leader == store ? &store : &replica;

	(void)state;
	storetest_close(leader);
	*other = NULL;
	leader = store ? store : replica;
	for (int64_t until = clock_mono_ms() + WAIT_MS; !store_is_leader(leader);) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 10);
	}
	*other = storetest_open(&pg);
	pgtest_kill(&pg);
	assert_false(store_is_leader(store)); /* at once */
	assert_false(store_is_leader(replica));
	pgtest_restart(&pg);
	wait_leader();
}

static void another_key_file_is_refused_at_start(void **state)
{
	struct store_conf c = {.conninfo = pg.conninfo};
	struct secret_key *other = NULL;
	struct store *s = NULL;
	char path[96];
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "%s/other-key", pg.dir);
	assert_int_equal(secret_key_open(path, &other, &e), ERR_OK);
	c.key = other;
	assert_int_equal(store_open(&c, &s, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "another key file"));
	assert_null(s);
	secret_key_free(other);
}

static int begin(void **state)
{
	(void)state;
	store = storetest_open(&pg);
	replica = storetest_open(&pg);
	return 0;
}

static int end(void **state)
{
	(void)state;
	storetest_close(store);
	storetest_close(replica);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_found_until_it_expires_and_kept_as_a_hash_only),
		cmocka_unit_test(a_join_token_is_used_by_one_only),
		cmocka_unit_test(a_pulse_is_heard_here_at_once_and_by_other_replicas_soon),
		cmocka_unit_test(a_locked_blob_is_its_holders),
		cmocka_unit_test(there_is_one_leader_and_none_while_the_database_is_away),
		cmocka_unit_test(another_key_file_is_refused_at_start),
	};
	int failed = 0;

	for (const int *major = pgtest_majors(); *major; major++) {
		pgtest_start(&pg, *major, NULL);
		failed += cmocka_run_group_tests(tests, begin, end);
		pgtest_stop(&pg);
	}
	return failed;
}
