/* What the gist of a report promises: equal for reports that say the same but for their live
 * values, and for no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/gist.h"

#define REPORT                                                                                     \
	"{\"version\":\"0.1.0\",\"capacity\":{\"cpus\":2,\"diskFreeBytes\":%lld},\"members\":["    \
	"{\"uid\":\"a\",\"status\":{\"state\":\"Running\",\"message\":\"\\\"live\\\":{\"},"        \
	"\"live\":{\"lsn\":\"%s\",\"lagBytes\":%d}},"                                              \
	"{\"uid\":\"b\",\"status\":{\"state\":\"Creating\"},\"live\":{}},"                         \
	"{\"uid\":\"c\",\"status\":{},\"live\":{\"lsn\":\"0/5\",\"lagBytes\":0}}]}"

static char text[1024], other[1024];

static struct str make(char *to, long long disk, const char *lsn, int lag)
{
	int n = snprintf(to, sizeof(text), REPORT, disk, lsn, lag);

	return (struct str){to, (size_t)n};
}

/* NULL: no JSON */
static json_t *parse(struct str s)
{
	json_t *v = NULL;

	return jv_parse(s, 1 << 20, &v, NULL) ? NULL : v;
}

static bool fits(struct str s, const struct gist *g)
{
	json_t *v = parse(s);
	bool ret = v && gist_fits(g, v);

	json_decref(v);
	return ret;
}

static void live_values_are_read_and_are_no_part_of_it(void **state)
{
	struct gist a, b;

	(void)state;
	assert_true(gist_take(make(text, 5LL << 30, "0/3000148", 0), &a));
	assert_true(gist_take(make(other, (5LL << 30) + 77, "FF/30001480", 4096), &b));
	assert_true(a.hash == b.hash);
	assert_int_equal(b.n, 3);
	assert_string_equal(b.live[0].lsn, "FF/30001480");
	assert_int_equal(b.live[0].lag_bytes, 4096);
	assert_string_equal(b.live[1].lsn, "");
	assert_int_equal(b.live[1].lag_bytes, -1);
	assert_string_equal(b.live[2].lsn, "0/5");
	assert_int_equal(b.disk_free_bytes, (5LL << 30) + 77);
	assert_true(fits(str_of(text), &a) && fits(str_of(other), &b));
	assert_false(fits(str_of(text), &b));
	assert_true(gist_take(make(other, 6LL << 30, "0/3000148", 0), &b));
	assert_true(a.hash != b.hash);
}

/* What a report says when its live values are left out. */
static json_t *rest_of(struct str s)
{
	json_t *v = parse(s), *members = json_object_get(v, "members"), *m;
	size_t i;

	json_array_foreach (members, i, m)
		json_object_set_new(m, "live", json_object());
	if (v)
		jv_set(v, "capacity.diskFreeBytes",
		       json_integer(jv_int(v, "capacity.diskFreeBytes", -1) >> 30));
	return v;
}

static void a_byte_that_says_something_else_changes_it(void **state)
{
	static const char bytes[] = "0A/-\"\\{}[],: x\n\x80";
	struct str s = make(text, 5LL << 30, "0/3000148", 0), t = make(other, 5, "0", 0);
	json_t *was = rest_of(s), *is;
	size_t same = 0;
	struct gist a, b;

	(void)state;
	assert_true(gist_take(s, &a));
	t.n = s.n;
	for (size_t i = 0; i < s.n; i++) {
		for (size_t j = 0; j < sizeof(bytes); j++) {
			memcpy(other, text, s.n);
			other[i] = bytes[j];
			if (!gist_take(t, &b) || a.hash != b.hash || other[i] == text[i])
				continue;
			same++;
			is = rest_of(t);
			/* a number with a zero before it is no JSON, and does no harm */
			assert_true(!is || json_equal(was, is));
			json_decref(is);
		}
	}
	assert_in_range(same, 20, 400);
	json_decref(was);
}

static void what_stands_in_another_form_has_none_or_one_that_does_not_fit(void **state)
{
	static const char *const texts[] = {
		"{\"members\":[{\"live\": {\"lsn\":\"0/1\",\"lagBytes\":0}}]}",
		"{\"members\":[{\"live\":{\"lagBytes\":0,\"lsn\":\"0/1\"}}]}",
		"{\"members\":[{\"live\":{\"lsn\":\"0/1\",\"lagBytes\":0,\"copiedBytes\":1}}]}",
		"{\"members\":[{\"live\":{\"lsn\":\"x\",\"lagBytes\":0}}]}",
		"{\"members\":[{\"live\":{\"lsn\":\"0/1\",\"lagBytes\":99999999999999999999}}]}",
		"{\"members\":[{\"status\":{\"live\":{\"lsn\":\"0/1\",\"lagBytes\":0}}}]}",
		"{\"members\":[{\"live\":{}}],\"capacity\":{\"diskFreeBytes\":1}}",
		"{\"members\":[{\"live\":{",
		"{\"members\":[{\"live\":{\"lsn\":\"0/1",
		"{\"diskFreeBytes\":",
	};
	struct gist g;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (gist_take(str_of(texts[i]), &g) && fits(str_of(texts[i]), &g))
			fail_msg("%s has a gist", texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_values_are_read_and_are_no_part_of_it),
		cmocka_unit_test(a_byte_that_says_something_else_changes_it),
		cmocka_unit_test(what_stands_in_another_form_has_none_or_one_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
