/* What codec/patch promises: RFC 7386, RFC 6902, and strategic merges of core kinds. */
#include "codec/patch.h"
#include "codec_test.h"

typedef enum err_code patch_fn(const json_t *, const json_t *, json_t **, struct err *);

struct patch_case {
	const char *value, *patch;
	const char *want; /* the result, or a part of the message after '!' */
};

static void run(patch_fn *patch, const struct patch_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(jv_drop) json_t *value = value_of(cases[i].value);
		CLEANUP(jv_drop) json_t *doc = value_of(cases[i].patch);
		json_t *ret = NULL;
		struct err e = {0};
		enum err_code code = patch(value, doc, &ret, &e);

		if (cases[i].want[0] != '!') {
			if (code)
				fail_msg("%s: %s", cases[i].patch, e.text);
			assert_value(ret, cases[i].want);
		} else if (!code || ret || !strstr(e.text, cases[i].want + 1)) {
			fail_msg("%s: code %d, '%s'", cases[i].patch, code, e.text);
		}
		assert_value(json_incref(value), cases[i].value); /* untouched */
	}
}

static void a_merge_patch_does_what_rfc_7386_shows(void **state)
{
	static const struct patch_case cases[] = {
		{"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
		{"{'a':'b'}", "{'a':null}", "{}"},
		{"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
		{"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
		{"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
		{"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
		{"['a','b']", "['c','d']", "!a merge patch is an object"},
		{"{'a':'foo'}", "null", "!a merge patch is an object"},
		{"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
		{"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
		{"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
	};

	(void)state;
	run(patch_merge, cases, ARRAY_LEN(cases));
}

static void a_json_patch_does_what_rfc_6902_shows(void **state)
{
	static const struct patch_case cases[] = {
		{"{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux'}]",
		 "{'baz':'qux','foo':'bar'}"},
		{"{'foo':['bar','baz']}", "[{'op':'add','path':'/foo/1','value':'qux'}]",
		 "{'foo':['bar','qux','baz']}"},
		{"{'foo':['bar']}", "[{'op':'add','path':'/foo/-','value':['abc']}]",
		 "{'foo':['bar',['abc']]}"},
		{"{'baz':'qux','foo':'bar'}", "[{'op':'remove','path':'/baz'}]", "{'foo':'bar'}"},
		{"{'foo':['bar','qux','baz']}", "[{'op':'remove','path':'/foo/1'}]",
		 "{'foo':['bar','baz']}"},
		{"{'baz':'qux'}", "[{'op':'replace','path':'/baz','value':'boo'}]",
		 "{'baz':'boo'}"},
		{"[1,2,3]", "[{'op':'replace','path':'/1','value':9}]", "[1,9,3]"},
		{"{'foo':{'bar':'baz','waldo':'fred'},'qux':{'corge':'grault'}}",
		 "[{'op':'move','from':'/foo/waldo','path':'/qux/thud'}]",
		 "{'foo':{'bar':'baz'},'qux':{'corge':'grault','thud':'fred'}}"},
		{"{'foo':['all','grass','cows','eat']}",
		 "[{'op':'move','from':'/foo/1','path':'/foo/3'}]",
		 "{'foo':['all','cows','eat','grass']}"},
		{"{'a':{'b':1}}",
		 "[{'op':'copy','from':'/a','path':'/c'},"
		 "{'op':'replace','path':'/c/b','value':2}]",
		 "{'a':{'b':1},'c':{'b':2}}"},
		{"{'a':1}", "[{'op':'replace','path':'','value':[]}]", "[]"},
		{"{'a/b':1,'m~n':2,'':3}",
		 "[{'op':'remove','path':'/a~1b'},{'op':'remove','path':'/m~0n'},"
		 "{'op':'test','path':'/','value':3}]",
		 "{'':3}"},
		{"{'a':1}", "[{'op':'test','path':'/a','value':1.0}]", "{'a':1}"},
		{"{'a':[1,{'b':null}]}", "[{'op':'test','path':'/a/1','value':{'b':null}}]",
		 "{'a':[1,{'b':null}]}"},
		{"{'a':1}", "[]", "{'a':1}"},
	};

	(void)state;
	run(patch_json, cases, ARRAY_LEN(cases));
}

static void a_json_patch_that_does_not_fit_names_the_operation(void **state)
{
	static const struct patch_case cases[] = {
		{"{}", "{}", "!a JSON patch is a list of operations"},
		{"{}", "[7]", "!operation 0"},
		{"{'a':1}",
		 "[{'op':'test','path':'/a','value':1},{'op':'test','path':'/a',"
		 "'value':2}]",
		 "!JSON patch, operation 1: test '/a': test failed: the value is another"},
		{"{}", "[{'op':'test','path':'/a','value':null}]", "!does not exist"},
		{"{}", "[{'op':'remove','path':'/a'}]", "!remove '/a': does not exist"},
		{"{}", "[{'op':'remove','path':''}]", "!the whole value cannot be removed"},
		{"{}", "[{'op':'replace','path':'/a','value':1}]", "!does not exist"},
		{"{}", "[{'op':'add','path':'/a/b','value':1}]", "!there is no such place"},
		{"{'a':[]}", "[{'op':'add','path':'/a/1','value':1}]", "!there is no such place"},
		{"{'a':[1]}", "[{'op':'replace','path':'/a/-','value':1}]", "!does not exist"},
		{"{'a':[1,2]}", "[{'op':'remove','path':'/a/01'}]", "!does not exist"},
		{"{}", "[{'op':'add','path':'/a'}]", "!has no value"},
		{"{}", "[{'op':'add','path':'a','value':1}]", "!path is no JSON pointer"},
		{"{}", "[{'op':'add','path':'/~2','value':1}]", "!path is no JSON pointer"},
		{"{}", "[{'op':'frob','path':'/a'}]", "!there is no such operation"},
		{"{'a':{}}", "[{'op':'move','from':'/a','path':'/a/b'}]", "!lies inside"},
		{"{}", "[{'op':'move','path':'/a'}]", "!from is no JSON pointer"},
		{"{}", "[{'op':'copy','from':'/x','path':'/a'}]", "!from does not exist"},
	};

	(void)state;
	run(patch_json, cases, ARRAY_LEN(cases));
}

/* Each operation doubles the value: a patch of some hundred bytes must not fill the memory. */
static void a_json_patch_cannot_grow_without_limit(void **state)
{
	CLEANUP(jv_drop) json_t *value = value_of("{'a':[1,2,3]}");
	CLEANUP(jv_drop) json_t *wide = json_array(), *deep = json_array();
	json_t *ret = NULL;
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		json_array_append_new(wide, value_of("{'op':'copy','from':'/a','path':'/a/0'}"));
		json_array_append_new(deep, value_of("{'op':'copy','from':'','path':'/b'}"));
	}
	assert_int_equal(patch_json(value, wide, &ret, &e), ERR_LIMIT);
	assert_int_equal(patch_json(value, deep, &ret, &e), ERR_LIMIT);
	while (json_array_size(wide) <= PATCH_OPS_MAX)
		json_array_append_new(wide, value_of("{'op':'test','path':'/a','value':[1,2,3]}"));
	assert_int_equal(patch_json(value, wide, &ret, &e), ERR_LIMIT);
	assert_null(ret);
}

static void a_strategic_patch_follows_its_directives(void **state)
{
	static const struct patch_case cases[] = {
		{"{'data':{'a':'1','b':'2'}}", "{'data':{'a':null,'c':'3'}}",
		 "{'data':{'b':'2','c':'3'}}"},
		{"{'data':{'a':'1'}}", "{'data':{'$patch':'replace','c':'3'}}",
		 "{'data':{'c':'3'}}"},
		{"{'data':{'a':'1'},'x':1}", "{'data':{'$patch':'delete'}}", "{'x':1}"},
		{"{'spec':{'a':1,'b':2}}", "{'spec':{'$retainKeys':['b','c'],'c':3}}",
		 "{'spec':{'b':2,'c':3}}"},
		{"{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['b','c']}}",
		 "{'metadata':{'finalizers':['a','b','c']}}"},
		{"{'metadata':{'finalizers':['a','b','c']}}",
		 "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],"
		 "'$setElementOrder/finalizers':['c','b']}}",
		 "{'metadata':{'finalizers':['c','b']}}"},
		{"{'metadata':{'ownerReferences':[{'uid':'1','name':'a'},{'uid':'2'}]}}",
		 "{'metadata':{'ownerReferences':[{'uid':'1','name':'b'},"
		 "{'uid':'2','$patch':'delete'},{'uid':'3'}]}}",
		 "{'metadata':{'ownerReferences':[{'uid':'1','name':'b'},{'uid':'3'}]}}"},
		{"{'metadata':{'finalizers':['a']}}",
		 "{'metadata':{'ownerReferences':[{'$patch':'replace'},{'uid':'3'}]}}",
		 "{'metadata':{'finalizers':['a'],'ownerReferences':[{'uid':'3'}]}}"},
		{"{'spec':{'finalizers':['a']}}", "{'spec':{'finalizers':['b']}}",
		 "{'spec':{'finalizers':['b']}}"},
		{"{}", "{'metadata':{'labels':{'a':null,'b':'c'}}}",
		 "{'metadata':{'labels':{'b':'c'}}}"},
		{"{}", "[]", "!a strategic merge patch is an object"},
		{"{}", "{'data':{'$patch':'explode'}}", "!none of replace, merge, delete"},
		{"{}", "{'data':{'$magic':1}}", "!unknown directive $magic"},
		{"{}", "{'metadata':{'$setElementOrder/finalizers':7}}", "!wants a list"},
		{"{}", "{'metadata':{'ownerReferences':[{'name':'x'}]}}", "!an item has no uid"},
	};

	(void)state;
	run(patch_strategic, cases, ARRAY_LEN(cases));
}

static void a_difference_is_the_patch_that_makes_it(void **state)
{
	static const struct {
		const char *from, *to, *patch;
	} cases[] = {
		{"{'a':1}", "{'a':1}", NULL},
		{"{'a':1,'b':{'c':[1],'d':2}}", "{'b':{'c':[2],'d':2},'e':{}}",
		 "{'a':null,'b':{'c':[2]},'e':{}}"},
		{"{'a':{'b':1}}", "{'a':{}}", "{'a':{'b':null}}"},
		{"{'a':[1]}", "{'a':{'b':1}}", "{'a':{'b':1}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(jv_drop) json_t *from = value_of(cases[i].from);
		CLEANUP(jv_drop) json_t *to = value_of(cases[i].to);
		CLEANUP(jv_drop) json_t *patch = patch_diff(from, to);
		json_t *ret = NULL;
		struct err e;

		if (!cases[i].patch) {
			assert_null(patch);
			continue;
		}
		assert_value(json_incref(patch), cases[i].patch);
		assert_int_equal(patch_merge(from, patch, &ret, &e), ERR_OK);
		assert_value(ret, cases[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_merge_patch_does_what_rfc_7386_shows),
		cmocka_unit_test(a_json_patch_does_what_rfc_6902_shows),
		cmocka_unit_test(a_json_patch_that_does_not_fit_names_the_operation),
		cmocka_unit_test(a_json_patch_cannot_grow_without_limit),
		cmocka_unit_test(a_strategic_patch_follows_its_directives),
		cmocka_unit_test(a_difference_is_the_patch_that_makes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
