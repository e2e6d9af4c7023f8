/* What the API promises without a store: routes, verbs, selectors, forms, Status, discovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/accept.h"
#include "api/discovery.h"
#include "api/hash.h"
#include "api/kubepb.h"
#include "api/meta.h"
#include "api/openapi.h"
#include "api/openapi_pb.h"
#include "api/route.h"
#include "api/selector.h"
#include "api/status.h"
#include "api/table.h"
#include "kinds/kinds.h"

static struct arena arena;

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	return kinds_init(&e) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static json_t *parse(const char *text)
{
	struct err e = {0};
	json_t *v = NULL;

	if (jv_parse(str_of(text), 1 << 20, &v, &e))
		fail_msg("%s in %s", e.text, text);
	return v;
}

static void every_path_leads_to_its_endpoint(void **state)
{
	static const struct {
		const char *path;
		enum endpoint endpoint;
		const char *kind, *ns, *name; /* name NULL: a collection */
		bool is_status;
	} cases[] = {
		{"/api", ENDPOINT_API, NULL, "", ""},
		{"/api/", ENDPOINT_API, NULL, "", ""},
		{"/apis", ENDPOINT_APIS, NULL, "", ""},
		{"/api/v1", ENDPOINT_VERSION_RESOURCES, NULL, "", "v1"},
		{"/apis/slipway.dev", ENDPOINT_GROUP, NULL, "", "slipway.dev"},
		{"/apis/slipway.dev/v1", ENDPOINT_VERSION_RESOURCES, NULL, "", "slipway.dev/v1"},
		{"/version", ENDPOINT_VERSION, NULL, "", ""},
		{"/healthz", ENDPOINT_HEALTH, NULL, "", ""},
		{"/openapi/v3", ENDPOINT_OPENAPI_V3, NULL, "", ""},
		{"/openapi/v3/apis/slipway.dev/v1", ENDPOINT_OPENAPI_V3, NULL, "",
		 "apis/slipway.dev/v1"},
		{"/api/v1/namespaces", ENDPOINT_RESOURCE, "Namespace", "", NULL},
		{"/api/v1/namespaces/a", ENDPOINT_RESOURCE, "Namespace", "", "a"},
		{"/api/v1/namespaces/a/status", ENDPOINT_RESOURCE, "Namespace", "", "a", true},
		{"/api/v1/secrets", ENDPOINT_RESOURCE, "Secret", "", NULL},
		{"/api/v1/namespaces/a/secrets", ENDPOINT_RESOURCE, "Secret", "a", NULL},
		{"/api/v1/namespaces/a/secrets/b", ENDPOINT_RESOURCE, "Secret", "a", "b"},
		{"/api/v1/namespaces/a/secrets/b/status", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/api/v1/secrets/b", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/api/v1/pods", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/api/v2/secrets", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/apis/slipway.dev/v1/databases", ENDPOINT_RESOURCE, "Database", "", NULL},
		{"/apis/slipway.dev/v1/namespaces/a/databases/b", ENDPOINT_RESOURCE, "Database",
		 "a", "b"},
		{"/apis/slipway.dev/v1/namespaces/a/databases/b/status", ENDPOINT_RESOURCE,
		 "Database", "a", "b", true},
		{"/apis/slipway.dev/v1/namespaces/a/databases/b/scale", ENDPOINT_NONE, NULL, NULL,
		 NULL},
		{"/apis/slipway.dev/v1/hosts/h1", ENDPOINT_RESOURCE, "Host", "", "h1"},
		{"/apis/slipway.dev/v1/namespaces/a/hosts/h1", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/apis/slipway.dev/v1/namespaces/a", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/apis/slipway.dev/v1/secrets", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", ENDPOINT_REVIEW, NULL,
		 "", "selfsubjectaccessreviews"},
		{"/agent/v1/join", ENDPOINT_JOIN, NULL, "", ""},
		{"/gateway/v1/routes", ENDPOINT_GATEWAY_ROUTES, NULL, "", ""},
		{"/gateway/v1/report", ENDPOINT_GATEWAY_REPORT, NULL, "", ""},
		{"/agent/v1/nothing", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/terraform/v1/state/a/b", ENDPOINT_TERRAFORM, NULL, "a", "b"},
		{"/terraform/v1/state/a", ENDPOINT_NONE, NULL, NULL, NULL},
		{"//api", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/api/v1/namespaces//secrets", ENDPOINT_NONE, NULL, NULL, NULL},
		{"", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/", ENDPOINT_NONE, NULL, NULL, NULL},
		{"/a/b/c/d/e/f/g/h/i/j/k/l/m", ENDPOINT_NONE, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route r = route_find(&arena, cases[i].path);

		if (r.endpoint != cases[i].endpoint)
			fail_msg("%s leads to %d", cases[i].path, r.endpoint);
		if (r.endpoint == ENDPOINT_NONE)
			continue;
		if (cases[i].kind)
			assert_string_equal(r.kind->name, cases[i].kind);
		assert_string_equal(r.ns, cases[i].ns);
		if (cases[i].name)
			assert_string_equal(r.name, cases[i].name);
		else
			assert_null(r.name);
		assert_int_equal(r.is_status, cases[i].is_status);
	}
}

static void verbs_are_allowed_where_kubernetes_allows_them(void **state)
{
	static const struct {
		const char *method, *path;
		enum verb verb;
	} cases[] = {
		{"GET", "/api/v1/secrets", VERB_LIST},
		{"POST", "/api/v1/secrets", VERB_NONE},
		{"DELETE", "/api/v1/secrets", VERB_NONE},
		{"POST", "/api/v1/namespaces", VERB_CREATE},
		{"POST", "/api/v1/namespaces/a/secrets", VERB_CREATE},
		{"DELETE", "/api/v1/namespaces/a/secrets", VERB_DELETE_COLLECTION},
		{"POST", "/api/v1/namespaces/a/secrets/b", VERB_NONE},
		{"PUT", "/api/v1/namespaces/a/secrets/b", VERB_UPDATE},
		{"PATCH", "/api/v1/namespaces/a/secrets/b", VERB_PATCH},
		{"PATCH", "/api/v1/namespaces/a/secrets", VERB_NONE},
		{"DELETE", "/apis/slipway.dev/v1/hosts/h/status", VERB_NONE},
		{"PUT", "/apis/slipway.dev/v1/hosts/h/status", VERB_UPDATE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route r = route_find(&arena, cases[i].path);

		assert_int_equal(route_verb(&r, cases[i].method, false), cases[i].verb);
	}
	struct route list = route_find(&arena, "/api/v1/secrets");

	assert_int_equal(route_verb(&list, "GET", true), VERB_WATCH);
	assert_string_equal(verb_name(VERB_DELETE_COLLECTION), "deletecollection");
}

static void label_selectors_of_every_form_select(void **state)
{
	static const struct {
		const char *text;
		bool takes;
	} cases[] = {
		{"", true},
		{"team=payments", true},
		{"team==payments", true},
		{"team = payments", true},
		{"team=sales", false},
		{"team!=sales", true},
		{"nothing!=sales", true},
		{"team in (sales, payments)", true},
		{"team in (sales)", false},
		{"team notin (sales)", true},
		{"team notin (payments)", false},
		{"nothing notin (x)", true},
		{"team", true},
		{"nothing", false},
		{"!nothing", true},
		{"!team", false},
		{"size>3", true},
		{"size>7", false},
		{"size<8", true},
		{"nothing<8", false},
		{"example.com/env=dev,team=payments", true},
		{"example.com/env=dev,team=sales", false},
		{"empty=", true},
		{"nothing=", false},
	};
	json_t *o = parse("{\"metadata\":{\"labels\":{\"team\":\"payments\",\"size\":\"7\","
			  "\"example.com/env\":\"dev\",\"empty\":\"\"}}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		json_t *labels = NULL;

		if (selector_labels(str_of(cases[i].text), &labels, &e))
			fail_msg("%s: %s", cases[i].text, e.text);
		if (selector_labels_match(labels, o) != cases[i].takes)
			fail_msg("%s", cases[i].text);
		json_decref(labels);
	}
	json_decref(o);
}

static void broken_label_selectors_are_refused(void **state)
{
	static const char *const cases[] = {
		"=a",   "a=b c", "a in", "a in b", "a in (b",    "a,",
		"a,,b", "!",     "a b",  "-a=b",   "a=-b",       "a/b/c=d",
		"/a=b", "a>x",   "a=b,", "a ! b",  "a in (b) c",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		json_t *labels = NULL;

		if (selector_labels(str_of(cases[i]), &labels, &e) != ERR_INVALID)
			fail_msg("'%s' was taken", cases[i]);
		assert_non_null(strstr(e.text, "unable to parse requirement"));
	}
}

static void fields_select_where_the_kind_allows_it(void **state)
{
	const struct kind *ev = kind_by_name("Event"), *db = kind_by_name("Database");
	json_t *o = parse("{\"metadata\":{\"name\":\"a\"},\"type\":\"Warning\",\"involvedObject\":"
			  "{\"kind\":\"Database\"},\"source\":{\"component\":\"c\"}}");
	json_t *fields = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		selector_fields(
			ev, STR("involvedObject.kind=Database,type!=Normal,source=c"), &fields, &e),
		ERR_OK);
	assert_true(selector_fields_match(fields, o));
	json_decref(fields);
	assert_int_equal(selector_fields(ev, STR("type==Normal"), &fields, &e), ERR_OK);
	assert_false(selector_fields_match(fields, o));
	json_decref(fields);
	assert_int_equal(selector_fields(db, STR("metadata.name=a"), &fields, &e), ERR_OK);
	assert_string_equal(selector_field_value(fields, "metadata.name"), "a");
	json_decref(fields);
	assert_int_equal(selector_fields(db, STR("spec.tier=single"), &fields, &e), ERR_INVALID);
	assert_string_equal(e.text, "field label not supported: spec.tier");
	assert_int_equal(selector_fields(db, STR("what"), &fields, &e), ERR_INVALID);
	json_decref(o);
}

static void the_first_form_that_we_have_wins(void **state)
{
	static const struct {
		const char *header;
		bool is_discovery;
		enum form form;
		bool is_yaml;
	} cases[] = {
		{NULL, false, FORM_OBJECT, false},
		{"*/*", false, FORM_OBJECT, false},
		{"application/json", false, FORM_OBJECT, false},
		{"application/yaml", false, FORM_OBJECT, true},
		{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;"
		 "g=meta.k8s.io,application/json",
		 false, FORM_TABLE, false},
		{"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/"
		 "json",
		 false, FORM_METADATA, false},
		{"application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", false,
		 FORM_OBJECT, false},
		{"application/vnd.kubernetes.protobuf,application/json", false, FORM_OBJECT, false},
		{"application/vnd.kubernetes.protobuf", false, FORM_NONE, false},
		{"text/html", false, FORM_NONE, false},
		{"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
		 "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
		 "application/json",
		 true, FORM_DISCOVERY, false},
		{"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
		 "application/json",
		 true, FORM_DISCOVERY_BETA, false},
		{"application/json", true, FORM_OBJECT, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct accept a = accept_parse(cases[i].header, cases[i].is_discovery);

		if (a.form != cases[i].form || a.is_yaml != cases[i].is_yaml)
			fail_msg("%s gave %d", cases[i].header, a.form);
	}
}

static void status_says_what_kubernetes_says(void **state)
{
	const struct kind *db = kind_by_name("Database"), *ns = kind_by_name("Namespace");
	struct schema_causes causes = {.arena = &arena};
	json_t *s = status_not_found(db, "orders");

	(void)state;
	assert_string_equal(
		jv_text(&arena, s).p,
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
		"\"message\":\"databases.slipway.dev \\\"orders\\\" not found\",\"reason\":"
		"\"NotFound\",\"code\":404,\"details\":{\"name\":\"orders\",\"group\":"
		"\"slipway.dev\",\"kind\":\"databases\"}}");
	json_decref(s);
	s = status_exists(ns, "a");
	assert_string_equal(jv_str(s, "message"), "namespaces \"a\" already exists");
	assert_int_equal(status_code(s), 409);
	json_decref(s);
	s = status_modified(db, "orders");
	assert_string_equal(
		jv_str(s, "message"),
		"Operation cannot be fulfilled on databases.slipway.dev \"orders\": the object has "
		"been modified; please apply your changes to the latest version and try again");
	json_decref(s);
	schema_cause_add(&causes, "FieldValueInvalid", "spec.a", "Invalid value: \"x\": no");
	s = status_invalid(db, "orders", &causes);
	assert_string_equal(
		jv_str(s, "message"),
		"Database.slipway.dev \"orders\" is invalid: spec.a: Invalid value: \"x\": no");
	assert_string_equal(jv_str(s, "details.causes.0.field"), "spec.a");
	assert_string_equal(jv_str(s, "details.kind"), "Database");
	json_decref(s);
	schema_cause_add(&causes, "FieldValueRequired", "spec.b", "Required value");
	s = status_invalid(db, "orders", &causes);
	assert_string_equal(
		jv_str(s, "message"),
		"Database.slipway.dev \"orders\" is invalid: [spec.a: Invalid value: \"x\": no, "
		"spec.b: Required value]");
	json_decref(s);
	s = status_terminating(db, "orders", "a");
	assert_int_equal(status_code(s), 403);
	assert_string_equal(jv_str(s, "details.causes.0.reason"), "NamespaceTerminating");
	json_decref(s);
	s = status_unavailable(2);
	assert_int_equal(jv_int(s, "details.retryAfterSeconds", 0), 2);
	json_decref(s);
}

static void metadata_is_checked_by_kubernetes_rules(void **state)
{
	static const struct {
		const char *metadata, *field, *message;
	} cases[] = {
		{"{\"name\":\"a\"}", NULL, NULL},
		{"{}", "metadata.name", "Required value: name or generateName is required"},
		{"{\"name\":\"A\"}", "metadata.name", "a lowercase RFC 1123 label"},
		{"{\"name\":\"a\",\"labels\":{\"a b\":\"c\"}}", "metadata.labels",
		 "name part must"},
		{"{\"name\":\"a\",\"labels\":{\"a\":\"b c\"}}", "metadata.labels",
		 "a valid label must"},
		{"{\"name\":\"a\",\"annotations\":{\"UPPER/b\":\"any thing\"}}", NULL, NULL},
		{"{\"name\":\"a\",\"annotations\":{\"a b\":\"c\"}}", "metadata.annotations",
		 "name part must"},
		{"{\"name\":\"a\",\"finalizers\":[\"a b\"]}", "metadata.finalizers",
		 "name part must"},
	};
	const struct kind *db = kind_by_name("Database");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schema_causes causes = {.arena = &arena};
		json_t *o = json_pack("{s:o}", "metadata", parse(cases[i].metadata));

		meta_check(db, o, NULL, &causes);
		assert_int_equal(causes.n, cases[i].field != NULL);
		if (causes.n) {
			assert_string_equal(causes.v[0].field, cases[i].field);
			assert_non_null(strstr(causes.v[0].message, cases[i].message));
		}
		json_decref(o);
	}
}

static void a_deleted_object_takes_no_new_finalizer(void **state)
{
	json_t *old = parse("{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x/a\",\"x/b\"],"
			    "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}");
	json_t *less = parse("{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x/b\"]}}");
	json_t *more = parse("{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x/c\"]}}");
	struct schema_causes causes = {.arena = &arena};

	(void)state;
	meta_check(kind_by_name("Database"), less, old, &causes);
	assert_int_equal(causes.n, 0);
	meta_check(kind_by_name("Database"), more, old, &causes);
	assert_int_equal(causes.n, 1);
	json_decref(old);
	json_decref(less);
	json_decref(more);
}

static void generated_names_differ_and_are_names(void **state)
{
	json_t *o = parse("{\"metadata\":{\"generateName\":\"orders-\"}}");
	char first[80];

	(void)state;
	meta_generate_name(o);
	snprintf(first, sizeof(first), "%s", jv_str(o, "metadata.name"));
	assert_true(kind_name_is_ok(first));
	assert_int_equal(strlen(first), strlen("orders-") + META_GENERATED);
	meta_generate_name(o);
	assert_string_not_equal(first, jv_str(o, "metadata.name"));
	json_decref(o);
}

static void a_table_has_a_cell_for_each_column(void **state)
{
	size_t n;
	const struct kind *k = kinds_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		json_t *o = parse("{\"metadata\":{\"name\":\"a\",\"creationTimestamp\":"
				  "\"2020-01-01T00:00:00Z\"}}");
		json_t *t = table_new(&k[i], true);

		table_add(t, &k[i], o, TABLE_METADATA);
		assert_int_equal(
			json_array_size(jv_at(t, "columnDefinitions")),
			json_array_size(jv_at(t, "rows.0.cells")));
		assert_string_equal(jv_str(t, "rows.0.object.kind"), "PartialObjectMetadata");
		json_decref(t);
		json_decref(o);
	}
}

static void both_forms_of_discovery_name_every_kind(void **state)
{
	json_t *core = discovery_aggregated(true, FORM_DISCOVERY);
	json_t *others = discovery_aggregated(false, FORM_DISCOVERY);
	size_t n, core_n = 0;
	const struct kind *k = kinds_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		json_t *list = discovery_resources(k[i].api_version);

		assert_non_null(list);
		core_n += !*k[i].group;
		json_decref(list);
	}
	assert_int_equal(json_array_size(jv_at(core, "items.0.versions.0.resources")), core_n);
	assert_int_equal(
		json_array_size(jv_at(others, "items.0.versions.0.resources")), n - core_n);
	assert_string_equal(jv_str(others, "items.0.metadata.name"), "slipway.dev");
	assert_null(discovery_resources("slipway.dev/v2"));
	assert_null(discovery_group("other.dev"));
	json_decref(core);
	json_decref(others);
}

/* As kubectl looks for it: the path's operation leads to the kind, the kind to a schema. */
static void openapi_explains_every_field_that_kubectl_is_asked_for(void **state)
{
	json_t *d = openapi_document("apis/slipway.dev/v1"), *schema;
	json_t *item = json_object_get(
		json_object_get(d, "paths"),
		"/apis/slipway.dev/v1/namespaces/{namespace}/databases/{name}");
	const json_t *p;
	bool has_validation = false;
	size_t i;

	(void)state;
	json_array_foreach (jv_at(item, "patch.parameters"), i, p)
		has_validation |= !strcmp(jv_str_or(p, "name", ""), "fieldValidation");
	assert_true(has_validation);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(
				json_object_get(item, "get"), "x-kubernetes-group-version-kind"),
			"kind")),
		"Database");
	schema = json_object_get(jv_at(d, "components.schemas"), "dev.slipway.v1.Database");
	assert_non_null(jv_str(
		schema,
		"properties.spec.properties.highAvailability.properties.failover.description"));
	json_decref(d);
	assert_null(openapi_document("apis/other/v1"));
}

static void the_protocol_buffer_of_openapi_begins_as_it_must(void **state)
{
	json_t *d = openapi_swagger();
	struct buf out = {0};

	(void)state;
	openapi_pb_print(&out, d);
	assert_memory_equal(
		out.p,
		"\x0a\x03"
		"2.0\x12",
		6);
	assert_true(out.n > 10000);
	buf_done(&out);
	json_decref(d);
}

/* A Secret as kubectl sends it: empty fields are left out, bytes become base64. */
static void protocol_buffers_of_kubectl_are_read(void **state)
{
	static const char secret[] =
		"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x20\x0a\x0d\x0a\x01"
		"a\x42\x00\x5a\x06\x0a\x01k\x12\x01v\x12\x07\x0a\x01p\x12\x02\x00\xff\x1a\x06Opaque"
		"\x22\x00";
	struct str all = {secret, sizeof(secret) - 3}; /* its last field is cut off */
	struct err e = {0};
	json_t *o = NULL;

	(void)state;
	assert_int_equal(kubepb_read(all, &o, &e), ERR_OK);
	assert_string_equal(
		jv_text_sorted(&arena, o).p,
		"{\"apiVersion\":\"v1\",\"data\":{\"p\":\"AP8=\"},\"kind\":\"Secret\","
		"\"metadata\":{\"labels\":{\"k\":\"v\"},\"name\":\"a\"},\"type\":\"Opaque\"}");
	json_decref(o);
	for (size_t n = 0; n < all.n; n++) { /* cut anywhere: refused, or less of it */
		o = NULL;
		if (!kubepb_read((struct str){secret, n}, &o, &e))
			json_decref(o);
	}
	assert_int_equal(kubepb_read(STR("{}"), &o, &e), ERR_INVALID);
}

static void equal_values_hash_alike_and_others_do_not(void **state)
{
	json_t *a = parse("{\"a\":1,\"b\":[1,2,{\"c\":null}]}");
	json_t *b = parse("{\"b\":[1,2,{\"c\":null}],\"a\":1}");
	json_t *c = parse("{\"a\":1,\"b\":[2,1,{\"c\":null}]}");
	json_t *d = parse("{\"b\":1,\"a\":[1,2,{\"c\":null}]}");

	(void)state;
	assert_true(hash_value(a) == hash_value(b));
	assert_true(hash_value(a) != hash_value(c));
	assert_true(hash_value(a) != hash_value(d));
	json_decref(a);
	json_decref(b);
	json_decref(c);
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_leads_to_its_endpoint),
		cmocka_unit_test(verbs_are_allowed_where_kubernetes_allows_them),
		cmocka_unit_test(label_selectors_of_every_form_select),
		cmocka_unit_test(broken_label_selectors_are_refused),
		cmocka_unit_test(fields_select_where_the_kind_allows_it),
		cmocka_unit_test(the_first_form_that_we_have_wins),
		cmocka_unit_test(status_says_what_kubernetes_says),
		cmocka_unit_test(metadata_is_checked_by_kubernetes_rules),
		cmocka_unit_test(a_deleted_object_takes_no_new_finalizer),
		cmocka_unit_test(generated_names_differ_and_are_names),
		cmocka_unit_test(a_table_has_a_cell_for_each_column),
		cmocka_unit_test(both_forms_of_discovery_name_every_kind),
		cmocka_unit_test(openapi_explains_every_field_that_kubectl_is_asked_for),
		cmocka_unit_test(the_protocol_buffer_of_openapi_begins_as_it_must),
		cmocka_unit_test(protocol_buffers_of_kubectl_are_read),
		cmocka_unit_test(equal_values_hash_alike_and_others_do_not),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
