/* What codec/jv promises: strict reading, stable writing, paths that never surprise. */
#include "codec_test.h"

static void what_is_not_json_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "line 1, column 0"},
		{"{\"a\":1,\"a\":2}", "duplicate object key"},
		{"[NaN]", "invalid token near 'NaN'"},
		{"[1,]", "line 1"},
		{"{\"a\":1}x", "end of file expected"},
		{"18446744073709551616", "too big integer"},
		{"\"\\u0000\"", "line 1"},
		{"\"\xff\"", "unable to decode byte 0xff"},
		{"{\n\"a\": tru}", "line 2"},
		{"1e999", "real number overflow"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *v = NULL;
		struct err e = {0};

		assert_int_equal(jv_parse(str_of(cases[i].text), 100, &v, &e), ERR_INVALID);
		assert_null(v);
		if (!strstr(e.text, cases[i].message))
			fail_msg("'%s': %s", cases[i].text, e.text);
	}
}

static enum err_code parse_nested(int depth, json_t **ret, struct err *e)
{
	char text[300] = "";

	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	return jv_parse((struct str){text, 2 * (size_t)depth}, sizeof(text), ret, e);
}

static void depth_and_size_have_limits(void **state)
{
	CLEANUP(jv_drop) json_t *deep = NULL;
	CLEANUP(jv_drop) json_t *brackets = NULL;
	json_t *v = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(parse_nested(JV_DEPTH_MAX, &deep, &e), ERR_OK);
	assert_int_equal(jv_depth(deep), JV_DEPTH_MAX);
	assert_int_equal(parse_nested(JV_DEPTH_MAX + 1, &v, &e), ERR_INVALID);
	assert_string_equal(
		e.text, "invalid JSON: line 1, column 65: nested too deep (at most 64 levels)");
	assert_int_equal(jv_parse(STR("[1,2]"), 4, &v, &e), ERR_LIMIT);
	assert_null(v);

	/* Brackets in strings are no levels. */
	char text[200];

	memset(text, '[', sizeof(text));
	memcpy(text, "\"\\\"", 3);
	text[sizeof(text) - 1] = '"';
	assert_int_equal(
		jv_parse((struct str){text, sizeof(text)}, sizeof(text), &brackets, &e), ERR_OK);
}

static void text_reads_back_as_the_same_value(void **state)
{
	static const char text[] = "{\"b\":[1,-9223372036854775808,0.1,1.0,1e+300,true,null],"
				   "\"a\":{\"\":\"\\u0001\\n\\\"\\\\\xc3\xa9\"}}";
	CLEANUP(jv_drop) json_t *v = NULL;
	struct arena a = {0};
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_int_equal(jv_parse(str_of(text), 1000, &v, &e), ERR_OK);
	assert_string_equal(jv_text(&a, v).p, text);
	assert_true(str_starts(jv_text_sorted(&a, v), "{\"a\":{"));
	jv_print(&b, jv_at(v, "a"), true);
	assert_string_equal(b.p, "{\n    \"\": \"\\u0001\\n\\\"\\\\\xc3\xa9\"\n}");
	buf_done(&b);
	arena_done(&a);
}

static void equal_values_have_equal_hashes(void **state)
{
	CLEANUP(jv_drop) json_t *one = value_of("{'a':1,'b':{'c':[1,2],'d':null}}");
	CLEANUP(jv_drop) json_t *same = value_of("{'b':{'d':null,'c':[1,2]},'a':1}");
	CLEANUP(jv_drop) json_t *other = value_of("{'a':1,'b':{'c':[2,1],'d':null}}");
	struct arena a = {0};

	(void)state;
	assert_int_equal(strlen(jv_hash(&a, one)), 32);
	assert_string_equal(jv_hash(&a, one), jv_hash(&a, same));
	assert_string_not_equal(jv_hash(&a, one), jv_hash(&a, other));
	arena_done(&a);
}

static void look_ups_say_nothing_where_nothing_fits(void **state)
{
	CLEANUP(jv_drop)
	json_t *v = value_of("{'spec':{'roles':[{'name':'app'}],'n':3,'on':true}}");

	(void)state;
	assert_string_equal(jv_str(v, "spec.roles.0.name"), "app");
	assert_null(jv_str(v, "spec.roles.1.name"));
	assert_null(jv_str(v, "spec.roles.-1.name"));
	assert_null(jv_str(v, "spec.n"));
	assert_null(jv_str(NULL, "spec"));
	assert_string_equal(jv_str_or(v, "spec.tier", "single"), "single");
	assert_int_equal(jv_int(v, "spec.n", 7), 3);
	assert_int_equal(jv_int(v, "spec.on", 7), 7);
	assert_true(jv_bool(v, "spec.on", false));
	assert_true(jv_bool(v, "spec.n", true));
}

static void setting_makes_the_way_and_removing_leaves_the_rest(void **state)
{
	json_t *v = json_object();

	(void)state;
	jv_set(v, "status.primary.lsn", json_integer(7));
	jv_set_str(v, "status.zone", "a");
	jv_set_str(v, "status.zone", NULL);
	jv_set_str(v, "status.zone", NULL);
	jv_remove(v, "no.such.thing");
	jv_set(v, "list", json_array());
	jv_set_str(v, "list.0", "x");
	jv_set_str(v, "list.1", "y");
	jv_set_str(v, "list.0", "z");
	jv_remove(v, "list.1");
	assert_true(jv_object_at(v, "status") == jv_at(v, "status"));
	jv_set_str(jv_object_at(v, "metadata.labels"), "k", "v");
	assert_value(
		v, "{'status':{'primary':{'lsn':7}},'list':['z'],'metadata':{'labels':{'k':'v'}}}");
}

static void values_of_a_wrong_shape_are_replaced_on_the_way(void **state)
{
	json_t *v = value_of("{'metadata':[1,2],'status':'x'}");

	(void)state;
	jv_set_str(v, "metadata.labels.a", "b");
	jv_set(v, "status.epoch", json_integer(1));
	assert_value(v, "{'metadata':{'labels':{'a':'b'}},'status':{'epoch':1}}");
}

static void any_bytes_become_a_string(void **state)
{
	struct arena a = {0};
	CLEANUP(jv_drop) json_t *v = jv_string((struct str){"a\xff\0\xc3\xa9\xed\xa0\x80z", 9});

	(void)state;
	assert_string_equal(
		json_string_value(v),
		"a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
		cmocka_unit_test(depth_and_size_have_limits),
		cmocka_unit_test(text_reads_back_as_the_same_value),
		cmocka_unit_test(equal_values_have_equal_hashes),
		cmocka_unit_test(look_ups_say_nothing_where_nothing_fits),
		cmocka_unit_test(setting_makes_the_way_and_removing_leaves_the_rest),
		cmocka_unit_test(values_of_a_wrong_shape_are_replaced_on_the_way),
		cmocka_unit_test(any_bytes_become_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
