/* What gateways' reports become: api/gateways, api/turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/gateways.h"
#include "api/turn.h"

static json_t *parse(const char *text)
{
	json_t *v = NULL;

	assert_int_equal(jv_parse(str_of(text), 1 << 20, &v, NULL), ERR_OK);
	return v;
}

static void a_gateway_s_report_becomes_a_bounded_status(void **state)
{
	json_t *report = parse(
		"{\"address\":\"127.0.0.9:6432\",\"version\":\"1\",\"clients\":3,"
		"\"databases\":[{\"name\":\"a.b\",\"epoch\":1},{\"name\":\"a.c\",\"hold\":{"
		"\"id\":\"7\",\"state\":\"holding\",\"parked\":12,\"active\":-1,\"stuck\":[{"
		"\"client\":\"17\",\"user\":\"app\",\"reason\":\"temporary tables\",\"x\":1}]}}]}");
	json_t *hold, *stuck = jv_at(report, "databases.1.hold.stuck"), *s;

	(void)state;
	for (int i = 0; i < 100; i++)
		json_array_append(stuck, json_array_get(stuck, 0));
	s = gateways_status(report);
	assert_string_equal(jv_str(s, "sources.0"), "127.0.0.9"); /* where it listens */
	assert_null(jv_at(s, "clients"));
	assert_int_equal(json_array_size(jv_at(s, "holds")), 1);
	hold = jv_at(s, "holds.0");
	assert_string_equal(jv_str(hold, "name"), "a.c");
	assert_string_equal(jv_str(hold, "state"), "holding");
	assert_int_equal(jv_int(hold, "parked", 0), 12);
	assert_int_equal(jv_int(hold, "active", -1), 0);
	assert_int_equal(jv_int(hold, "stuckCount", 0), 101);
	assert_int_equal(json_array_size(jv_at(hold, "stuck")), 20);
	assert_null(jv_at(hold, "stuck.0.x"));
	json_decref(s);
	jv_set(report, "sources", parse("[\"127.0.6.1\",\"all\",7]"));
	s = gateways_status(report);
	assert_int_equal(json_array_size(jv_at(s, "sources")), 1);
	assert_string_equal(jv_str(s, "sources.0"), "127.0.6.1");
	json_decref(s);
	json_decref(report);
}

static void a_report_is_taken_only_if_it_is_newer(void **state)
{
	struct turn last = {0};

	(void)state;
	assert_true(turn_take(&last, (struct turn){0, 0})); /* who does not count is believed */
	assert_true(turn_take(&last, (struct turn){5, 1}));
	assert_true(turn_take(&last, (struct turn){5, 2}));
	assert_false(turn_take(&last, (struct turn){5, 2}));
	assert_false(turn_take(&last, (struct turn){4, 9}));
	assert_true(turn_take(&last, (struct turn){6, 0}));
	assert_int_equal(last.boot, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gateway_s_report_becomes_a_bounded_status),
		cmocka_unit_test(a_report_is_taken_only_if_it_is_newer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
