/* What base promises: slices, maps, arenas, times, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"

static void numbers_never_overflow(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;

	(void)state;
	assert_true(str_to_u64(STR("18446744073709551615"), &u));
	assert_true(u == UINT64_MAX);
	assert_false(str_to_u64(STR("18446744073709551616"), &u));
	assert_false(str_to_u64(STR(""), &u));
	assert_false(str_to_u64(STR("+1"), &u));
	assert_true(str_to_i64(STR("-9223372036854775808"), &i));
	assert_true(i == INT64_MIN);
	assert_false(str_to_i64(STR("9223372036854775808"), &i));
	assert_true(i == INT64_MIN); /* untouched on failure */
}

static void split_gives_every_part_once(void **state)
{
	struct str rest = STR("a,,b"), part;

	(void)state;
	assert_true(str_split(&rest, ',', &part) && str_is(part, "a"));
	assert_true(str_split(&rest, ',', &part) && str_is(part, ""));
	assert_true(str_split(&rest, ',', &part) && str_is(part, "b"));
	assert_false(str_split(&rest, ',', &part));
}

/* Against a plain array as the model, with colliding life and death. */
static void map_agrees_with_a_model(void **state)
{
	static intptr_t model[512];
	struct map m = {0};
	unsigned seed = 42;
	size_t n = 0;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		int k = rand_r(&seed) % (int)ARRAY_LEN(model);
		char key[16];
		intptr_t old = model[k];
		intptr_t now = rand_r(&seed) % 3 ? step + 1 : 0;

		snprintf(key, sizeof(key), "k%d", k);
		if (now)
			assert_ptr_equal(map_put(&m, str_of(key), (void *)now), (void *)old);
		else
			assert_ptr_equal(map_remove(&m, str_of(key)), (void *)old);
		model[k] = now;
		n += (size_t)(now != 0) - (size_t)(old != 0);
		assert_int_equal(m.n, n);
	}
	for (size_t k = 0; k < ARRAY_LEN(model); k++) {
		char key[16];

		snprintf(key, sizeof(key), "k%zu", k);
		assert_ptr_equal(map_get(&m, str_of(key)), (void *)model[k]);
	}
	map_done(&m);
}

static void arena_memory_is_zeroed_also_after_reset(void **state)
{
	struct arena a = {0};

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t n = 1; n < 9000; n = n * 2 + 1) {
			unsigned char *p = arena_alloc(&a, n);

			for (size_t i = 0; i < n; i++) {
				assert_int_equal(p[i], 0);
				p[i] = 0xff;
			}
		}
		arena_reset(&a);
	}
	arena_done(&a);
}

static void times_are_read_back_as_written(void **state)
{
	int64_t us;
	char text[CLOCK_TEXT];
	static const char *const bad[] = {
		"",
		"2026-11-24",
		"2026-13-01T00:00:00Z",
		"2026-11-24T24:00:00Z",
		"2026-11-24T09:00:00",
		"2026-11-24T09:00:00Zx",
		"2026-11-24T09:00:00.Z",
		"2026-11-24T09:00:00+1:00"};

	(void)state;
	assert_int_equal(clock_parse(STR("2026-11-24T10:30:00.5+01:30"), &us, NULL), ERR_OK);
	assert_string_equal(clock_text(us, text), "2026-11-24T09:00:00.500Z");
	assert_string_equal(clock_text_s(us, text), "2026-11-24T09:00:00Z");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(clock_parse(str_of(bad[i]), &us, NULL), ERR_INVALID);
}

static void ages_read_like_kubectl(void **state)
{
	char t[CLOCK_TEXT];
	const int64_t s = 1000000;

	(void)state;
	assert_string_equal(clock_age(119 * s, t), "119s");
	assert_string_equal(clock_age(192 * s, t), "3m12s");
	assert_string_equal(clock_age(45 * 60 * s, t), "45m");
	assert_string_equal(clock_age((4 * 60 + 5) * 60 * s, t), "4h5m");
	assert_string_equal(clock_age(30 * 3600 * s, t), "30h");
	assert_string_equal(clock_age(50 * 3600 * s, t), "2d");
}

static void files_are_written_whole_or_not_at_all(void **state)
{
	char dir[] = "/tmp/slipway-test-XXXXXX";
	struct arena a = {0};
	struct err e = {0};
	struct str got;
	const char *path;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = arena_printf(&a, "%s/x", dir);
	assert_int_equal(file_read(&a, path, 10, &got, &e), ERR_NOT_FOUND);
	assert_int_equal(file_write(path, 0600, STR("one"), &e), ERR_OK);
	assert_int_equal(file_read(&a, path, 3, &got, &e), ERR_OK);
	assert_true(str_is(got, "one"));
	assert_int_equal(file_read(&a, path, 2, &got, &e), ERR_LIMIT);
	assert_int_equal(file_read(&a, "/proc/self/status", 100000, &got, &e), ERR_OK);
	assert_true(got.n > 100);
	assert_int_equal(dir_make(arena_printf(&a, "%s/p/q/r", dir), 0700, &e), ERR_OK);
	assert_int_equal(dir_make(path, 0700, &e), ERR_EXISTS);
	assert_int_equal(dir_remove(dir, &e), ERR_OK);
	assert_false(file_exists(dir));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_never_overflow),
		cmocka_unit_test(split_gives_every_part_once),
		cmocka_unit_test(map_agrees_with_a_model),
		cmocka_unit_test(arena_memory_is_zeroed_also_after_reset),
		cmocka_unit_test(times_are_read_back_as_written),
		cmocka_unit_test(ages_read_like_kubectl),
		cmocka_unit_test(files_are_written_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
