/* What codec/yaml promises: documents as values, hostile ones refused, and back. */
#include "codec/yaml.h"
#include "codec_test.h"

static void documents_become_values(void **state)
{
	static const struct {
		const char *yaml, *docs;
	} cases[] = {
		{"", "[]"},
		{"---\n---\n# nothing\n--- ~\n", "[]"},
		{"a: 1\n---\nb: 2\n", "[{'a':1},{'b':2}]"},
		{"apiVersion: slipway.dev/v1\nkind: Database\nmetadata:\n  name: orders\nspec:\n"
		 "  roles:\n  - name: app\n    login: true\n  - {name: ro, inRoles: [a, b]}\n",
		 "[{'apiVersion':'slipway.dev/v1','kind':'Database','metadata':{'name':'orders'},"
		 "'spec':{'roles':[{'name':'app','login':true},{'name':'ro','inRoles':['a','b']}]}}"
		 "]"},
		{"[no, on, yes, True, ~, null, 15, '15', 0x1f, 0o17, -3, +4, 1.5, .5, 1e3, 10Gi]",
		 "[['no','on','yes',true,null,null,15,'15',31,15,-3,4,1.5,0.5,1000.0,'10Gi']]"},
		{"a: |\n  one\n  two\nb: >-\n  folded\n  text\n",
		 "[{'a':'one\\ntwo\\n','b':'folded text'}]"},
		{"{\"a\": \"\\ud83d\\ude00\"}", "[{'a':'\xf0\x9f\x98\x80'}]"},
		{"1: a\ntrue: b\n'': c\n", "[{'1':'a','true':'b','':'c'}]"},
		{"a: !!str 1\nb: !!int '2'\nc: !!float 3\nd: ! 4\n",
		 "[{'a':'1','b':2,'c':3.0,'d':'4'}]"},
		{"base: &b {x: 1, y: 2}\nuse: *b\n",
		 "[{'base':{'x':1,'y':2},'use':{'x':1,'y':2}}]"},
		{"base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n'<<': 7\n",
		 "[{'base':{'x':1,'y':2},'use':{'y':3,'x':1},'<<':7}]"},
		{"a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: [*x, *y]}\n",
		 "[{'a':{'k':1},'b':{'k':2,'l':2},'c':{'k':1,'l':2}}]"},
		{"\xef\xbb\xbfname: \xc3\xa9\n", "[{'name':'\xc3\xa9'}]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *docs = NULL;
		struct err e = {0};

		if (yaml_parse(str_of(cases[i].yaml), 1000, &docs, &e))
			fail_msg("%s: %s", cases[i].yaml, e.text);
		assert_value(docs, cases[i].docs);
	}
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
	static const struct {
		const char *yaml, *message;
	} cases[] = {
		{"a: 1\na: 2\n", "line 2, column 1: duplicate key \"a\""},
		{"{\"a\": 1, \"a\": 2}", "duplicate key \"a\""},
		{"a:\n\t- b\n", "line 2, column 1"},
		{"a: [1, 2\n", "line 2"},
		{"a: b: c\n", "line 1, column 5: mapping values are not allowed in this context"},
		{"[a]: b\n", "line 1, column 1: a key that is no scalar"},
		{"a: !secret x\n", "line 1, column 4: a tag that is unknown"},
		{"a: !!int x\n", "a tag that is unknown or does not fit"},
		{"a: *b\n", "line 1, column 4: an alias without an anchor"},
		{"a: &a [*a]\n", "an alias without an anchor"},
		{"a: &a 1\n---\nb: *a\n", "an alias without an anchor"},
		{"a: \"x\\0y\"\n", "a string with a NUL byte"},
		{"a: 99999999999999999999\n", "a number that fits no 64 bits"},
		{"a: .inf\n", "a number that fits no 64 bits"},
		{"a: \xff\n", "invalid YAML: byte 3"},
		{"? \n: a\n", "a value without a key"},
		{"<<: 7\n", "<< wants a mapping"},
		{"{a: 1", "while parsing a flow mapping"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *docs = NULL;
		struct err e = {0};

		assert_int_equal(yaml_parse(str_of(cases[i].yaml), 1000, &docs, &e), ERR_INVALID);
		assert_null(docs);
		if (!strstr(e.text, cases[i].message))
			fail_msg("'%s': %s", cases[i].yaml, e.text);
	}
}

/* Nine anchors of ten aliases each would be a billion values. */
static void aliases_depth_and_size_have_limits(void **state)
{
	json_t *docs = NULL;
	struct buf b = {0};
	struct err e = {0};

	(void)state;
	buf_puts(&b, "a0: &a0 [x]\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&b, "*a%d, ", i - 1);
		buf_puts(&b, "]\n");
	}
	assert_int_equal(yaml_parse(buf_view(&b), b.n, &docs, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "aliases stand for too many values"));
	assert_int_equal(yaml_parse(buf_view(&b), b.n - 1, &docs, &e), ERR_LIMIT);

	buf_clear(&b);
	for (int i = 0; i < JV_DEPTH_MAX; i++)
		buf_puts(&b, "- ");
	assert_int_equal(yaml_parse(buf_view(&b), b.n, &docs, &e), ERR_OK);
	json_decref(docs);
	docs = NULL;
	buf_puts(&b, "- ");
	assert_int_equal(yaml_parse(buf_view(&b), b.n, &docs, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "nested too deep"));

	buf_clear(&b);
	for (int i = 0; i <= YAML_DOCS_MAX; i++)
		buf_puts(&b, "--- 1\n");
	assert_int_equal(yaml_parse(buf_view(&b), b.n, &docs, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "too many documents"));
	assert_null(docs);
	buf_done(&b);
}

static void values_are_written_as_kubectl_writes_them(void **state)
{
	static const struct {
		const char *value, *yaml;
	} cases[] = {
		{"{'kind':'Database','metadata':{'labels':{},'name':'orders'},'spec':{'roles':[{"
		 "'name':'app','in':['a']},{'name':'b'}],'login':true,'on':null}}",
		 "kind: Database\nmetadata:\n  labels: {}\n  name: orders\nspec:\n  roles:\n"
		 "  - name: app\n    in:\n    - a\n  - name: b\n  login: true\n  \"on\": null\n"},
		{"['15','yes','1_0','12:30','2026-11-24','~','','a: b','a #b','- a','x:','-x','@a',"
		 "'0x1','1e3','Null','<<','...','---x',' x','x ']",
		 "- \"15\"\n- \"yes\"\n- \"1_0\"\n- \"12:30\"\n- \"2026-11-24\"\n- \"~\"\n- \"\"\n"
		 "- \"a: b\"\n- \"a #b\"\n- \"- a\"\n- \"x:\"\n- -x\n- \"@a\"\n- \"0x1\"\n"
		 "- \"1e3\"\n- \"Null\"\n- \"<<\"\n- \"...\"\n- \"---x\"\n- \" x\"\n- \"x \"\n"},
		{"['10Gi','0/16B3748','127.0.1.1:5433','say \\u0022hi\\u0022','it\\u0027s','1.2.3',"
		 "'a:b','\xc3\xa9']",
		 "- 10Gi\n- 0/16B3748\n- 127.0.1.1:5433\n- say \"hi\"\n- it's\n- 1.2.3\n- a:b\n"
		 "- \xc3\xa9\n"},
		{"{'a':'one\\ntwo\\n','b':['x\\n\\n  y','z\\n\\n'],'c':' x\\ny','d':'\\u0007\\t'}",
		 "a: |\n  one\n  two\nb:\n- |-\n  x\n\n    y\n- |+\n  z\n\nc: \" x\\ny\"\n"
		 "d: \"\\u0007\\t\"\n"},
		{"[[],[[1]],{}]", "- []\n- - - 1\n- {}\n"},
		{"'x'", "x\n"},
		{"'x\\ny'", "\"x\\ny\"\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *v = value_of(cases[i].value), *docs = NULL;
		struct buf b = {0};
		struct err e = {0};

		yaml_print(&b, v);
		assert_string_equal(b.p, cases[i].yaml);
		if (yaml_parse(buf_view(&b), b.n, &docs, &e))
			fail_msg("%s: %s", b.p, e.text);
		assert_true(json_equal(json_array_get(docs, 0), v));
		buf_done(&b);
		json_decref(docs);
		json_decref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_become_values),
		cmocka_unit_test(what_is_wrong_is_named_with_its_place),
		cmocka_unit_test(aliases_depth_and_size_have_limits),
		cmocka_unit_test(values_are_written_as_kubectl_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
