/* What the store's pure parts promise: the cache's bound, selectors, what a write makes of what is
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/cache.h"
#include "store/change.h"
#include "store/filter.h"
#include "store/object.h"

static json_t *parse(const char *text)
{
	json_t *v = NULL;
	struct err e;

	if (jv_parse(str_of(text), 1 << 20, &v, &e) != ERR_OK)
		fail_msg("%s: %s", text, e.text);
	return v;
}

static struct store_key key_of(const char *name)
{
	return (struct store_key){"Database", "shop", name};
}

static void the_cache_stays_within_its_bytes_and_keeps_what_is_used(void **state)
{
	CLEANUP(buf_done) struct buf body = {0};
	char name[16], text[1000];
	int64_t revision = 0;
	struct cache c;

	(void)state;
	memset(text, 'x', sizeof(text));
	cache_init(&c, 100 * sizeof(text));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		cache_put(&c, key_of(name), (struct str){text, sizeof(text)}, i + 1);
		assert_true(c.bytes <= c.bytes_max);
		assert_true(cache_get(&c, key_of("n0"), &body, &revision));
		assert_int_equal(revision, 1);
	}
	assert_true(cache_get(&c, key_of("n999"), &body, &revision));
	assert_int_equal(body.n, sizeof(text));
	assert_false(cache_get(&c, key_of("n500"), &body, &revision));
	cache_drop(&c, key_of("n999"));
	assert_false(cache_get(&c, key_of("n999"), &body, &revision));
	cache_done(&c);
}

static void the_cache_never_goes_back(void **state)
{
	CLEANUP(buf_done) struct buf body = {0};
	int64_t revision = 0;
	struct cache c;

	(void)state;
	cache_init(&c, 1 << 20);
	cache_put(&c, key_of("a"), STR("new"), 7);
	cache_put(&c, key_of("a"), STR("old"), 6);
	assert_true(cache_get(&c, key_of("a"), &body, &revision));
	assert_int_equal(revision, 7);
	assert_true(str_is(buf_view(&body), "new"));
	buf_clear(&body);
	for (int i = 0; i < 2 << 20; i++)
		buf_putc(&body, 'x');
	cache_put(&c, key_of("huge"), buf_view(&body), 8);
	assert_int_equal(c.bytes, 0); /* larger than all: it, too, goes */
	cache_done(&c);
}

static void selectors_select_as_kubernetes_does(void **state)
{
	static const struct {
		const char *requirements, *labels;
		bool takes;
	} cases[] = {
		{"[]", NULL, true},
		{"[{\"key\":\"a\",\"op\":\"=\",\"values\":[\"1\"]}]", "{\"a\":\"1\"}", true},
		{"[{\"key\":\"a\",\"op\":\"=\",\"values\":[\"1\"]}]", "{\"a\":\"2\"}", false},
		{"[{\"key\":\"a\",\"op\":\"=\",\"values\":[\"1\"]}]", NULL, false},
		{"[{\"key\":\"a\",\"op\":\"!=\",\"values\":[\"1\"]}]", NULL, true},
		{"[{\"key\":\"a\",\"op\":\"notin\",\"values\":[\"1\",\"2\"]}]", "{\"a\":\"2\"}",
		 false},
		{"[{\"key\":\"a\",\"op\":\"notin\",\"values\":[\"1\"]}]", "{\"b\":\"1\"}", true},
		{"[{\"key\":\"a\",\"op\":\"in\",\"values\":[\"1\",\"2\"]}]", "{\"a\":\"2\"}", true},
		{"[{\"key\":\"a\",\"op\":\"exists\"}]", "{\"a\":\"\"}", true},
		{"[{\"key\":\"a\",\"op\":\"!\"}]", "{\"a\":\"\"}", false},
		{"[{\"key\":\"a\",\"op\":\"!\"},{\"key\":\"b\",\"op\":\"exists\"}]", "{\"b\":\"\"}",
		 true},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(jv_drop) json_t *r = parse(cases[i].requirements);
		struct store_filter f = {.labels = r};

		assert_int_equal(filter_check(&f, &e), ERR_OK);
		assert_int_equal(
			filter_takes_labels(
				r,
				(struct str){
					cases[i].labels,
					cases[i].labels ? strlen(cases[i].labels) : 0}),
			cases[i].takes);
	}
}

static void bad_selectors_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[{\"key\":\"a\"}]",
		"[{\"op\":\"exists\"}]",
		"[{\"key\":\"a\",\"op\":\"~\",\"values\":[\"1\"]}]",
		"[{\"key\":\"a\",\"op\":\"=\",\"values\":[]}]",
		"[{\"key\":\"a\",\"op\":\"=\",\"values\":[\"1\",\"2\"]}]",
		"[{\"key\":\"a\",\"op\":\"in\"}]",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(jv_drop) json_t *r = parse(bad[i]);
		struct store_filter f = {.labels = r};

		assert_int_equal(filter_check(&f, &e), ERR_INVALID);
	}
}

#define META(more) "{\"name\":\"a\",\"uid\":\"u1\",\"generation\":3" more "}"

/* What is there; what is written; what that is; what it is then. */
static void a_write_makes_of_what_is_there_what_its_verb_says(void **state)
{
	static const struct {
		enum store_verb verb;
		const char *base, *object, *after;
		enum change_op op;
	} cases[] = {
		{STORE_UPDATE, "{\"metadata\":" META("") ",\"data\":{\"k\":\"1\"}}",
		 "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"2\"}}",
		 "{\"metadata\":{\"name\":\"a\",\"namespace\":\"shop\",\"uid\":\"u1\","
		 "\"generation\":4},\"data\":{\"k\":\"2\"}}",
		 CHANGE_MODIFY},
		{STORE_UPDATE, "{\"metadata\":" META("") ",\"status\":{\"s\":1}}",
		 "{\"metadata\":{\"annotations\":{\"x\":\"y\"}}}",
		 "{\"metadata\":{\"name\":\"a\",\"namespace\":\"shop\",\"uid\":\"u1\","
		 "\"generation\":3,\"annotations\":{\"x\":\"y\"}},\"status\":{\"s\":1}}",
		 CHANGE_MODIFY},
		{STORE_STATUS, "{\"metadata\":" META("") ",\"spec\":1,\"status\":{\"s\":1}}",
		 "{\"spec\":2}", "{\"metadata\":" META("") ",\"spec\":1}", CHANGE_MODIFY},
		{STORE_STATUS, "{\"metadata\":" META("") ",\"status\":{\"s\":1}}",
		 "{\"status\":{\"s\":1}}", "{\"metadata\":" META("") ",\"status\":{\"s\":1}}",
		 CHANGE_NONE},
		{STORE_DELETE, "{\"metadata\":" META("") "}", NULL, "{\"metadata\":" META("") "}",
		 CHANGE_DELETE},
		{STORE_DELETE, "{\"metadata\":" META(",\"finalizers\":[\"f\"]") "}", NULL,
		 "{\"metadata\":{\"name\":\"a\",\"uid\":\"u1\",\"generation\":4,"
		 "\"finalizers\":[\"f\"],\"deletionTimestamp\":\"now\"}}",
		 CHANGE_MODIFY},
		{STORE_BOTH,
		 "{\"metadata\":" META(
			 ",\"finalizers\":[\"f\"],\"deletionTimestamp\":\"then\"") "}",
		 "{\"metadata\":{},\"status\":{\"s\":2}}",
		 "{\"metadata\":{\"name\":\"a\",\"namespace\":\"shop\",\"uid\":\"u1\","
		 "\"generation\":3,\"deletionTimestamp\":\"then\"},\"status\":{\"s\":2}}",
		 CHANGE_DELETE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(jv_drop) json_t *base = parse(cases[i].base);
		CLEANUP(jv_drop) json_t *o = cases[i].object ? parse(cases[i].object) : NULL;
		CLEANUP(jv_drop) json_t *after = parse(cases[i].after);
		struct store_write w = {.verb = cases[i].verb, .key = key_of("a"), .object = o};
		struct change c = {0};
		struct arena a = {0};
		struct err e;

		assert_int_equal(change_plan(&w, base, 5, "now", "u2", &c, &e), ERR_OK);
		assert_string_equal(jv_text_sorted(&a, c.object).p, jv_text_sorted(&a, after).p);
		assert_int_equal(c.op, cases[i].op);
		json_decref(c.object);
		arena_done(&a);
	}
}

/* Whatever bytes stand in front of metadata, the revision lands in it. */
static void a_revision_goes_into_the_metadata_and_nowhere_else(void **state)
{
	CLEANUP(jv_drop)
	json_t *o =
		parse("{\"apiVersion\":\"\\\"metadata\\\":{\",\"kind\":\"\\\\\\\"metadata\\\":{\","
		      "\"spec\":{\"metadata\":{\"a\":1}},\"metadata\":{\"name\":\"x\","
		      "\"resourceVersion\":\"1\"}}");
	CLEANUP(jv_drop) json_t *back = NULL;
	CLEANUP(buf_done) struct buf body = {0};
	CLEANUP(buf_done) struct buf text = {0};
	struct err e;

	(void)state;
	assert_int_equal(object_body(&body, o, key_of("x"), NULL, &e), ERR_OK);
	assert_null(strstr(body.p, "resourceVersion"));
	assert_int_equal(object_text(&text, buf_view(&body), 42, key_of("x"), NULL, &e), ERR_OK);
	assert_int_equal(jv_parse(buf_view(&text), text.n, &back, &e), ERR_OK);
	object_set_revision(o, 42);
	assert_true(json_equal(o, back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cache_stays_within_its_bytes_and_keeps_what_is_used),
		cmocka_unit_test(the_cache_never_goes_back),
		cmocka_unit_test(selectors_select_as_kubernetes_does),
		cmocka_unit_test(bad_selectors_are_refused),
		cmocka_unit_test(a_write_makes_of_what_is_there_what_its_verb_says),
		cmocka_unit_test(a_revision_goes_into_the_metadata_and_nowhere_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
