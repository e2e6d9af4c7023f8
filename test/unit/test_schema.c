/* What codec/schema promises: what is checked, in which words, and what is filled in. */
#include "codec/schema.h"
#include "codec_test.h"

static const char database[] =
	"{'type':'object','properties':{"
	"'spec':{'type':'object','required':['version'],'properties':{"
	"'version':{'type':'string','pattern':'^(1[0-9])$','description':'Major version.'},"
	"'tier':{'type':'string','enum':['single','flexible'],'default':'single'},"
	"'standbys':{'type':'integer','format':'int32','minimum':1,'maximum':2},"
	"'ratio':{'type':'number','minimum':0.5},"
	"'note':{'type':'string','minLength':1,'maxLength':3,'nullable':true},"
	"'port':{'x-kubernetes-int-or-string':true},"
	"'on':{'type':'boolean','default':true},"
	"'since':{'type':'string','format':'date-time'},"
	"'blob':{'type':'string','format':'byte'},"
	"'parameters':{'type':'object','additionalProperties':{'type':'string'},"
	"'maxProperties':2},"
	"'window':{'type':'object','properties':{'hours':{'type':'integer','default':2}}},"
	"'roles':{'type':'array','minItems':1,'maxItems':3,'x-kubernetes-list-type':'map',"
	"'x-kubernetes-list-map-keys':['name'],'items':{'type':'object','required':['name'],"
	"'properties':{'name':{'type':'string'},'login':{'type':'boolean','default':true},"
	"'in':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}}}}}}},"
	"'status':{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{"
	"'known':{'type':'object','properties':{'a':{'type':'integer'}}}}}}}";

static struct schema *schema_of(const char *text)
{
	CLEANUP(jv_drop) json_t *doc = value_of(text);
	struct schema *s = NULL;
	struct err e = {0};

	if (schema_load(doc, &s, &e))
		fail_msg("%s", e.text);
	return s;
}

/* One line a cause: "field reason: message". */
static const char *lines_of(struct arena *a, const struct schema_causes *c)
{
	const char *lines = "";

	for (size_t i = 0; i < MIN(c->n, (size_t)SCHEMA_CAUSES_MAX); i++)
		lines = arena_printf(
			a, "%s%s%s %s: %s", lines, i ? "\n" : "", c->v[i].field, c->v[i].reason,
			c->v[i].message);
	return lines;
}

static void each_violation_is_said_as_kubernetes_says_it(void **state)
{
	static const struct {
		const char *spec, *causes;
	} cases[] = {
		{"{'version':'15','tier':'flexible','standbys':2,'ratio':1,'note':null,"
		 "'port':'x','parameters':{'a':'b'},'since':'2026-11-24T09:00:00Z','blob':'YQ==',"
		 "'roles':[{'name':'a','in':['x','y']},{'name':'b'}]}",
		 ""},
		{"{'version':'15','standbys':'two'}",
		 "spec.standbys FieldValueTypeInvalid: Invalid value: \"string\": spec.standbys in "
		 "body must be of type integer: \"string\""},
		{"{'version':null}",
		 "spec.version FieldValueTypeInvalid: Invalid value: \"null\": spec.version in "
		 "body must be of type string: \"null\""},
		{"{'version':'15','standbys':2.5}",
		 "spec.standbys FieldValueTypeInvalid: Invalid value: \"number\": spec.standbys in "
		 "body must be of type integer: \"number\""},
		{"{'version':'15','port':true}",
		 "spec.port FieldValueTypeInvalid: Invalid value: \"boolean\": spec.port in body "
		 "must be of type integer,string: \"boolean\""},
		{"{}", "spec.version FieldValueRequired: Required value"},
		{"{'version':'15','tier':'double'}",
		 "spec.tier FieldValueNotSupported: Unsupported value: \"double\": supported "
		 "values: \"single\", \"flexible\""},
		{"{'version':'15','standbys':3}",
		 "spec.standbys FieldValueInvalid: Invalid value: 3: spec.standbys in body should "
		 "be less than or equal to 2"},
		{"{'version':'15','standbys':0}",
		 "spec.standbys FieldValueInvalid: Invalid value: 0: spec.standbys in body should "
		 "be greater than or equal to 1"},
		{"{'version':'15','ratio':0.25}",
		 "spec.ratio FieldValueInvalid: Invalid value: 0.25: spec.ratio in body should be "
		 "greater than or equal to 0.5"},
		{"{'version':'9'}",
		 "spec.version FieldValueInvalid: Invalid value: \"9\": spec.version in body "
		 "should match '^(1[0-9])$'"},
		{"{'version':'15','note':''}",
		 "spec.note FieldValueInvalid: Invalid value: \"\": spec.note in body should be at "
		 "least 1 chars long"},
		{"{'version':'15','note':'\xc3\xa9\xc3\xa9\xc3\xa9'}", ""},
		{"{'version':'15','note':'four'}",
		 "spec.note FieldValueTooLong: Too long: may not be longer than 3"},
		{"{'version':'15','since':'yesterday'}",
		 "spec.since FieldValueTypeInvalid: Invalid value: \"yesterday\": spec.since in "
		 "body must be of type date-time: \"yesterday\""},
		{"{'version':'15','blob':'#'}",
		 "spec.blob FieldValueTypeInvalid: Invalid value: \"#\": spec.blob in body must be "
		 "of type byte: \"#\""},
		{"{'version':'15','parameters':{'a':'1','b':'2','c':3}}",
		 "spec.parameters FieldValueTooMany: Too many: 3: must have at most 2 items\n"
		 "spec.parameters.c FieldValueTypeInvalid: Invalid value: \"integer\": "
		 "spec.parameters.c in body must be of type string: \"integer\""},
		{"{'version':'15','roles':[]}",
		 "spec.roles FieldValueInvalid: Invalid value: 0: spec.roles in body should have "
		 "at least 1 items"},
		{"{'version':'15','roles':[{'name':'a'},{'name':'b'},{'name':'c'},{'name':'d'}]}",
		 "spec.roles FieldValueTooMany: Too many: 4: must have at most 3 items"},
		{"{'version':'15','roles':[{'name':'a'},{'name':'a','login':false}]}",
		 "spec.roles[1] FieldValueDuplicate: Duplicate value: {\"name\":\"a\"}"},
		{"{'version':'15','roles':[{'in':['x','x']}]}",
		 "spec.roles[0].name FieldValueRequired: Required value\n"
		 "spec.roles[0].in[1] FieldValueDuplicate: Duplicate value: \"x\""},
		{"{'version':'15','standbys':5000000000}",
		 "spec.standbys FieldValueTypeInvalid: Invalid value: \"5000000000\": "
		 "spec.standbys in body must be of type int32: \"5000000000\"\n"
		 "spec.standbys FieldValueInvalid: Invalid value: 5000000000: spec.standbys in "
		 "body should be less than or equal to 2"},
	};
	struct schema *s = schema_of(database);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *v = json_object();
		struct arena a = {0};
		struct schema_causes causes = {.arena = &a};

		json_object_set_new(v, "spec", value_of(cases[i].spec));
		schema_check(s, v, &causes);
		assert_string_equal(lines_of(&a, &causes), cases[i].causes);
		arena_done(&a);
		json_decref(v);
	}
	schema_free(s);
}

static void metadata_is_checked_in_every_kind(void **state)
{
	struct schema *s = schema_of(database);
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};
	CLEANUP(jv_drop)
	json_t *v = value_of(
		"{'kind':1,'metadata':{'labels':{'a':1},'color':'red','finalizers':['x','x']}}");

	(void)state;
	schema_check(s, v, &causes);
	schema_prune(s, v, &causes);
	assert_string_equal(
		lines_of(&a, &causes),
		"kind FieldValueTypeInvalid: Invalid value: \"integer\": kind in body must be of "
		"type string: \"integer\"\n"
		"metadata.labels.a FieldValueTypeInvalid: Invalid value: \"integer\": "
		"metadata.labels.a in body must be of type string: \"integer\"\n"
		"metadata.finalizers[1] FieldValueDuplicate: Duplicate value: \"x\"\n"
		"metadata.color FieldValueUnknown: unknown field \"metadata.color\"");
	arena_done(&a);
	schema_free(s);
}

static void long_values_and_many_causes_are_cut(void **state)
{
	struct schema *s = schema_of(database);
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};
	json_t *parameters = json_object();
	CLEANUP(jv_drop) json_t *v = json_object();
	char text[5000] = "";

	(void)state;
	for (int i = 0; i < 30; i++)
		json_object_set_new(parameters, arena_printf(&a, "p%d", i), json_integer(i));
	jv_set(v, "spec.parameters", parameters);
	memset(text, 'x', sizeof(text) - 1);
	jv_set_str(v, "spec.version", text);
	schema_check(s, v, &causes);
	assert_int_equal(causes.n, 1 + 30 + 1);
	assert_null(strstr(lines_of(&a, &causes), text));
	arena_done(&a);
	schema_free(s);
}

static void unknown_fields_are_taken_out_and_named(void **state)
{
	struct schema *s = schema_of(database);
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};
	json_t *v = value_of(
		"{'apiVersion':'x','spec':{'foo':1,'tier':'single','parameters':{'any':'y'},"
		"'roles':[{'name':'a'},{'name':'b','bar':{'deep':1}}]},"
		"'status':{'anything':{'goes':1},'known':{'a':1,'b':2}},'extra':0}");

	(void)state;
	schema_prune(s, v, &causes);
	assert_string_equal(
		lines_of(&a, &causes),
		"spec.foo FieldValueUnknown: unknown field \"spec.foo\"\n"
		"spec.roles[1].bar FieldValueUnknown: unknown field \"spec.roles[1].bar\"\n"
		"status.known.b FieldValueUnknown: unknown field \"status.known.b\"\n"
		"extra FieldValueUnknown: unknown field \"extra\"");
	assert_value(
		v,
		"{'apiVersion':'x','spec':{'tier':'single','parameters':{'any':'y'},'roles':["
		"{'name':'a'},{'name':'b'}]},'status':{'anything':{'goes':1},'known':{'a':1}}}");
	arena_done(&a);
	schema_free(s);
}

static void defaults_fill_what_is_missing_or_null(void **state)
{
	struct schema *s = schema_of(database);
	json_t *v = value_of(
		"{'spec':{'version':null,'tier':null,'note':null,'on':false,'window':{},"
		"'roles':[{'name':'a'},{'name':'b','login':false}],'parameters':{'a':null}}}");

	(void)state;
	schema_default(s, v);
	assert_value(
		v,
		"{'spec':{'tier':'single','note':null,'on':false,'window':{'hours':2},"
		"'roles':[{'name':'a','login':true},{'name':'b','login':false}],"
		"'parameters':{}}}");

	json_t *odd = value_of("{'spec':[1],'metadata':7}"); /* of a wrong shape: left alone */

	schema_default(s, odd);
	schema_prune(s, odd, NULL);
	assert_value(odd, "{'spec':[1],'metadata':7}");
	schema_free(s);
}

static void defaults_are_the_objects_own(void **state)
{
	struct schema *s = schema_of("{'type':'object','properties':{'spec':{'type':'object',"
				     "'default':{'list':['a']},'properties':{'list':{'type':"
				     "'array','items':{'type':'string'}}}}}}");
	json_t *v = json_object(), *other = json_object();

	(void)state;
	schema_default(s, v);
	jv_set_str(v, "spec.list.0", "changed");
	schema_default(s, other);
	assert_value(other, "{'spec':{'list':['a']}}");
	json_decref(v);
	schema_free(s);
}

static void fields_are_found_by_path(void **state)
{
	struct schema *s = schema_of(database);

	(void)state;
	assert_string_equal(jv_str(schema_at(s, "spec.version"), "description"), "Major version.");
	assert_string_equal(jv_str(schema_at(s, "spec.roles.0.name"), "type"), "string");
	assert_string_equal(jv_str(schema_at(s, "spec.roles.[].in.[]"), "type"), "string");
	assert_string_equal(jv_str(schema_at(s, "spec.parameters.any"), "type"), "string");
	assert_string_equal(jv_str(schema_at(s, "metadata.labels"), "type"), "object");
	assert_null(schema_at(s, "spec.nothing"));
	assert_null(schema_at(s, "spec.version.deeper"));
	assert_null(jv_at(schema_doc(s), "properties.metadata"));
	schema_free(s);
}

static void a_schema_never_promises_what_nobody_checks(void **state)
{
	static const struct {
		const char *schema, *message;
	} cases[] = {
		{"[]", "a schema is an object"},
		{"{'type':'object','oneOf':[]}", "schema of '(root)': keyword oneOf is unknown"},
		{"{'properties':{'spec':{'type':'text'}}}",
		 "schema of 'spec': keyword type is none that there is"},
		{"{'properties':{'spec':7}}", "or items hold what is no object"},
		{"{'properties':{'a':{'type':'string','minimum':1}}}",
		 "schema of 'a': keyword minimum does not fit"},
		{"{'properties':{'a':{'type':'string','maxLength':'x'}}}",
		 "maxLength does not fit"},
		{"{'properties':{'a':{'type':'string','pattern':'('}}}", "keyword pattern"},
		{"{'properties':{'a':{'type':'string','format':'email'}}}", "format does not fit"},
		{"{'properties':{'a':{'type':'integer','default':'x'}}}",
		 "schema of 'a': keyword default Invalid value"},
		{"{'properties':{'a':{'type':'object','required':['b']}}}",
		 "required names no property"},
		{"{'properties':{'a':{'type':'array','x-kubernetes-list-type':'map'}}}",
		 "need each other"},
		{"{'properties':{'a':{'type':'array','x-kubernetes-list-type':'map',"
		 "'x-kubernetes-list-map-keys':['b'],'items':{'type':'object'}}}}",
		 "names a field that items may lack"},
		{"{'properties':{'a':{'type':'array','x-kubernetes-list-type':'map',"
		 "'x-kubernetes-list-map-keys':['b'],'items':{'type':'object','properties':{'b':{"
		 "'type':'string'}}}}}}",
		 "names a field that items may lack"},
		{"{'properties':{'a':{'type':'object','additionalProperties':false}}}",
		 "wants a schema or true"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(jv_drop) json_t *doc = value_of(cases[i].schema);
		struct schema *s = NULL;
		struct err e = {0};

		assert_int_equal(schema_load(doc, &s, &e), ERR_INVALID);
		assert_null(s);
		if (!strstr(e.text, cases[i].message))
			fail_msg("%s: %s", cases[i].schema, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_violation_is_said_as_kubernetes_says_it),
		cmocka_unit_test(metadata_is_checked_in_every_kind),
		cmocka_unit_test(long_values_and_many_causes_are_cut),
		cmocka_unit_test(unknown_fields_are_taken_out_and_named),
		cmocka_unit_test(defaults_fill_what_is_missing_or_null),
		cmocka_unit_test(defaults_are_the_objects_own),
		cmocka_unit_test(fields_are_found_by_path),
		cmocka_unit_test(a_schema_never_promises_what_nobody_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
