/* What codec/fields promises: who owns which field, as Kubernetes' structured-merge-diff says. */
#include "codec/fields.h"
#include "codec_test.h"

static const char database[] =
	"{'type':'object','properties':{"
	"'spec':{'type':'object','properties':{"
	"'tier':{'type':'string'},'standbys':{'type':'integer'},"
	"'ha':{'type':'object','properties':{'failover':{'type':'string'},"
	"'zones':{'type':'array','items':{'type':'string'}}}},"
	"'parameters':{'type':'object','additionalProperties':{'type':'string'}},"
	"'roles':{'type':'array','x-kubernetes-list-type':'map',"
	"'x-kubernetes-list-map-keys':['name'],'items':{'type':'object','required':['name'],"
	"'properties':{'name':{'type':'string'},'login':{'type':'boolean'},"
	"'in':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}}}}}}},"
	"'status':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}}";

#define META "'apiVersion':'slipway.dev/v1','kind':'Database','metadata':{'name':'orders'"

static const char t1[] = "2026-11-24T09:00:00Z", t2[] = "2026-11-24T10:00:00Z";

struct world {
	struct schema *schema;
	struct arena arena;
	json_t *live;
	struct fields_conflicts conflicts;
	struct err e;
};

static int world_make(void **state)
{
	CLEANUP(jv_drop) json_t *doc = value_of(database);
	struct world *w = mem_alloc(sizeof(*w));

	assert_int_equal(schema_load(doc, &w->schema, &w->e), ERR_OK);
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	schema_free(w->schema);
	arena_done(&w->arena);
	json_decref(w->live);
	free(w);
	return 0;
}

static enum err_code apply_after(
	struct world *w, const char *last_applied, const char *manager, bool force,
	const char *applied, const char *now)
{
	CLEANUP(jv_drop) json_t *config = value_of(applied);
	CLEANUP(jv_drop) json_t *last = last_applied ? value_of(last_applied) : NULL;
	json_t *ret = NULL;
	enum err_code code;

	w->conflicts = (struct fields_conflicts){.arena = &w->arena};
	code = fields_apply(
		w->schema, w->live, config, last, manager, "slipway.dev/v1", "", force, now, &ret,
		&w->conflicts, &w->e);
	if (code) {
		assert_null(ret);
		return code;
	}
	json_decref(w->live);
	w->live = ret;
	return ERR_OK;
}

static enum err_code
apply_as(struct world *w, const char *manager, bool force, const char *applied, const char *now)
{
	return apply_after(w, NULL, manager, force, applied, now);
}

static void update_as(
	struct world *w, const char *manager, const char *subresource, const char *object,
	const char *now)
{
	json_t *v = value_of(object);

	fields_update(w->schema, w->live, v, manager, "slipway.dev/v1", subresource, now);
	json_decref(w->live);
	w->live = v;
}

/* "manager operation[/subresource] time set", one line each. */
static const char *owners(struct world *w)
{
	const char *lines = "";
	const json_t *m;
	size_t i;

	json_array_foreach (jv_at(w->live, "metadata.managedFields"), i, m)
		lines = arena_printf(
			&w->arena, "%s%s %s%s%s %.2s %s\n", lines, jv_str(m, "manager"),
			jv_str(m, "operation"), jv_str(m, "subresource") ? "/" : "",
			jv_str_or(m, "subresource", ""), jv_str(m, "time") + 11,
			jv_text(&w->arena, json_object_get(m, "fieldsV1")).p);
	return lines;
}

/* What is stored, without who owns it. */
static void assert_live(struct world *w, const char *want)
{
	json_t *v = json_deep_copy(w->live);

	jv_remove(v, "metadata.managedFields");
	assert_value(v, want);
}

static void who_creates_an_object_owns_its_fields(void **state)
{
	struct world *w = *state;

	update_as(
		w, "kubectl-create", "",
		"{" META ",'namespace':'dev','uid':'u','resourceVersion':'7','generation':1,"
		"'creationTimestamp':'2026-11-24T09:00:00Z','labels':{'a':'b'},"
		"'finalizers':['x/y']},"
		"'spec':{'tier':'single','parameters':{},'ha':{'zones':['a']},'roles':["
		"{'name':'app','in':['r']}]}}",
		t1);
	assert_string_equal(
		owners(w),
		"kubectl-create Update 09 "
		"{\"f:metadata\":{\"f:labels\":{\"f:a\":{},\".\":{}},"
		"\"f:finalizers\":{\"v:\\\"x/y\\\"\":{},\".\":{}}},"
		"\"f:spec\":{\"f:tier\":{},\"f:parameters\":{},\"f:ha\":{\"f:zones\":{},\".\":{}},"
		"\"f:roles\":{\"k:{\\\"name\\\":\\\"app\\\"}\":{\"f:name\":{},"
		"\"f:in\":{\"v:\\\"r\\\"\":{},\".\":{}},\".\":{}},\".\":{}},\".\":{}}}\n");
	assert_string_equal(
		jv_str(w->live, "metadata.managedFields.0.apiVersion"), "slipway.dev/v1");
	assert_string_equal(jv_str(w->live, "metadata.managedFields.0.fieldsType"), "FieldsV1");
	assert_string_equal(jv_str(w->live, "metadata.managedFields.0.time"), t1);
}

static void who_changes_a_field_takes_it_from_the_others(void **state)
{
	struct world *w = *state;

	update_as(w, "one", "", "{" META "},'spec':{'tier':'single','standbys':1}}", t1);
	update_as(w, "two", "", "{" META "},'spec':{'tier':'flexible','standbys':1}}", t2);
	assert_string_equal(
		owners(w),
		"one Update 09 {\"f:spec\":{\"f:standbys\":{},\".\":{}}}\n"
		"two Update 10 {\"f:spec\":{\"f:tier\":{}}}\n");
	update_as(w, "three", "", "{" META "}}", t2);
	assert_string_equal(owners(w), "");
	assert_null(jv_at(w->live, "metadata.managedFields"));
}

static void an_update_that_changes_nothing_changes_no_owner(void **state)
{
	struct world *w = *state;

	update_as(w, "one", "", "{" META "},'spec':{'tier':'single'}}", t1);
	update_as(w, "two", "", "{" META ",'resourceVersion':'8'},'spec':{'tier':'single'}}", t2);
	update_as(w, "one", "", "{" META "},'spec':{'tier':'single'}}", t2);
	assert_string_equal(owners(w), "one Update 09 {\"f:spec\":{\"f:tier\":{},\".\":{}}}\n");
}

static void status_is_owned_apart(void **state)
{
	struct world *w = *state;

	update_as(w, "one", "", "{" META "},'spec':{'tier':'single'}}", t1);
	update_as(
		w, "one", "status",
		"{" META "},'spec':{'tier':'single'},'status':{'epoch':1,'list':[1],'o':{'p':2}}}",
		t2);
	assert_string_equal(
		owners(w),
		"one Update 09 {\"f:spec\":{\"f:tier\":{},\".\":{}}}\n"
		"one Update/status 10 {\"f:status\":{\"f:epoch\":{},\"f:list\":{},"
		"\"f:o\":{\"f:p\":{},\".\":{}},\".\":{}}}\n");
}

static void an_applier_owns_what_it_names(void **state)
{
	struct world *w = *state;

	assert_int_equal(
		apply_as(
			w, "argo", false,
			"{" META ",'creationTimestamp':null,'labels':{'a':'b'}},'spec':{'tier':"
			"'flexible','roles':[{'name':'app','in':[]}]},'status':{'epoch':9}}",
			t1),
		ERR_OK);
	assert_live(
		w,
		"{" META ",'labels':{'a':'b'}},'spec':{'tier':'flexible','roles':["
		"{'name':'app','in':[]}]}}");
	assert_string_equal(
		owners(w),
		"argo Apply 09 {\"f:metadata\":{\"f:labels\":{\"f:a\":{}}},"
		"\"f:spec\":{\"f:tier\":{},\"f:roles\":{\"k:{\\\"name\\\":\\\"app\\\"}\":"
		"{\"f:name\":{},\".\":{}}}}}\n");
}

static void what_an_applier_no_longer_names_goes(void **state)
{
	struct world *w = *state;

	apply_as(
		w, "argo", false,
		"{" META ",'labels':{'a':'1','b':'2'}},'spec':{'tier':'flexible','standbys':1,"
		"'ha':{'failover':'manual'},'parameters':{'x':'1','y':'2'},'roles':[{'name':'app',"
		"'in':['p','q']},{'name':'ro'}]}}",
		t1);
	assert_int_equal(
		apply_as(
			w, "argo", false,
			"{" META ",'labels':{'b':'2'}},'spec':{'tier':'flexible','parameters':"
			"{'y':'3'},'roles':[{'name':'app','in':['q']}]}}",
			t2),
		ERR_OK);
	assert_live(
		w,
		"{" META ",'labels':{'b':'2'}},'spec':{'tier':'flexible','parameters':"
		"{'y':'3'},'roles':[{'name':'app','in':['q']}]}}");
	assert_string_equal(jv_str(w->live, "metadata.managedFields.0.time"), t2);
	assert_int_equal(apply_as(w, "argo", false, "{" META "}}", t2), ERR_OK);
	assert_live(w, "{" META "}}");
}

static void what_another_owns_too_stays(void **state)
{
	struct world *w = *state;

	apply_as(
		w, "argo", false,
		"{" META "},'spec':{'tier':'flexible','roles':[{'name':'app'},{'name':'ro'}]}}",
		t1);
	apply_as(w, "flux", false, "{" META "},'spec':{'roles':[{'name':'ro','login':true}]}}", t2);
	assert_int_equal(
		apply_as(w, "argo", false, "{" META "},'spec':{'tier':'flexible'}}", t2), ERR_OK);
	assert_live(
		w, "{" META "},'spec':{'tier':'flexible','roles':[{'name':'ro','login':true}]}}");
	assert_string_equal(
		owners(w),
		"argo Apply 10 {\"f:spec\":{\"f:tier\":{}}}\n"
		"flux Apply 10 {\"f:spec\":{\"f:roles\":{\"k:{\\\"name\\\":\\\"ro\\\"}\":"
		"{\"f:name\":{},\"f:login\":{},\".\":{}}}}}\n");
}

static void another_value_of_a_field_of_another_is_a_conflict(void **state)
{
	struct world *w = *state;
	CLEANUP(jv_drop) json_t *before = NULL;

	apply_as(w, "argo", false, "{" META "},'spec':{'tier':'single','standbys':1}}", t1);
	update_as(
		w, "kubectl-edit", "",
		"{" META "},'spec':{'tier':'single','standbys':2,'ha':{'zones':['a']}}}", t2);
	before = json_incref(w->live);
	assert_int_equal(
		apply_as(w, "argo", false, "{" META "},'spec':{'tier':'single','standbys':1}}", t2),
		ERR_CONFLICT);
	assert_true(w->live == before);
	assert_int_equal(w->conflicts.n, 1);
	assert_string_equal(
		w->conflicts.v[0].manager,
		"kubectl-edit\" using slipway.dev/v1 at 2026-11-24T10:00:00Z");
	assert_string_equal(w->conflicts.v[0].field, ".spec.standbys");
	assert_string_equal(
		w->e.text,
		"Apply failed with 1 conflict: conflict with \"kubectl-edit\" using "
		"slipway.dev/v1 at 2026-11-24T10:00:00Z: .spec.standbys");

	assert_int_equal(
		apply_as(
			w, "flux", false,
			"{" META "},'spec':{'tier':'flexible','ha':{'zones':['b']}}}", t2),
		ERR_CONFLICT);
	assert_string_equal(
		w->e.text,
		"Apply failed with 2 conflicts: conflicts with \"argo\":\n"
		"- .spec.tier\n"
		"conflicts with \"kubectl-edit\" using slipway.dev/v1 at "
		"2026-11-24T10:00:00Z:\n"
		"- .spec.ha.zones");
	assert_int_equal(w->conflicts.n, 2);
}

static void conflicts_of_items_name_their_keys(void **state)
{
	struct world *w = *state;

	apply_as(
		w, "argo", false, "{" META "},'spec':{'roles':[{'name':'app','login':true}]}}", t1);
	assert_int_equal(
		apply_as(
			w, "flux", false,
			"{" META "},'spec':{'roles':[{'name':'app','login':false}]}}", t1),
		ERR_CONFLICT);
	assert_string_equal(w->conflicts.v[0].manager, "argo");
	assert_string_equal(w->conflicts.v[0].field, ".spec.roles[name=\"app\"].login");
}

static void force_takes_the_field(void **state)
{
	struct world *w = *state;

	apply_as(w, "argo", false, "{" META "},'spec':{'tier':'single','standbys':1}}", t1);
	assert_int_equal(
		apply_as(w, "flux", true, "{" META "},'spec':{'tier':'flexible'}}", t2), ERR_OK);
	assert_live(w, "{" META "},'spec':{'tier':'flexible','standbys':1}}");
	assert_string_equal(
		owners(w),
		"argo Apply 09 {\"f:spec\":{\"f:standbys\":{}}}\n"
		"flux Apply 10 {\"f:spec\":{\"f:tier\":{}}}\n");
}

static void what_was_applied_by_the_client_and_is_still_so_is_no_conflict(void **state)
{
	struct world *w = *state;
	static const char first[] = "{" META "},'spec':{'tier':'single','standbys':1}}";

	update_as(w, "kubectl-client-side-apply", "", first, t1);
	assert_int_equal(
		apply_after(
			w, first, "kubectl", false,
			"{" META "},'spec':{'tier':'flexible','standbys':1}}", t2),
		ERR_OK);
	assert_live(w, "{" META "},'spec':{'tier':'flexible','standbys':1}}");
}

static void what_was_changed_since_the_client_applied_it_is_a_conflict(void **state)
{
	struct world *w = *state;
	static const char first[] = "{" META "},'spec':{'tier':'single','standbys':1}}";

	update_as(w, "kubectl-client-side-apply", "", first, t1);
	update_as(w, "kubectl-edit", "", "{" META "},'spec':{'tier':'single','standbys':2}}", t1);
	assert_int_equal(
		apply_after(
			w, first, "kubectl", false,
			"{" META "},'spec':{'tier':'flexible','standbys':3}}", t2),
		ERR_CONFLICT);
	assert_int_equal(w->conflicts.n, 1);
	assert_string_equal(w->conflicts.v[0].field, ".spec.standbys");
}

static void the_same_value_is_owned_together(void **state)
{
	struct world *w = *state;

	apply_as(w, "argo", false, "{" META "},'spec':{'tier':'single'}}", t1);
	assert_int_equal(
		apply_as(w, "flux", false, "{" META "},'spec':{'tier':'single'}}", t2), ERR_OK);
	assert_string_equal(
		owners(w),
		"argo Apply 09 {\"f:spec\":{\"f:tier\":{}}}\n"
		"flux Apply 10 {\"f:spec\":{\"f:tier\":{}}}\n");
	assert_int_equal(apply_as(w, "argo", false, "{" META "}}", t2), ERR_OK);
	assert_live(w, "{" META "},'spec':{'tier':'single'}}");
}

static void applying_the_same_again_changes_nothing(void **state)
{
	static const char config[] = "{" META "},'spec':{'tier':'single','roles':[{'name':'a'}]}}";
	struct world *w = *state;
	CLEANUP(jv_drop) json_t *before = NULL;

	apply_as(w, "argo", false, config, t1);
	before = json_incref(w->live);
	assert_int_equal(apply_as(w, "argo", false, config, t2), ERR_OK);
	assert_true(json_equal(before, w->live));
}

static void what_was_before_the_first_apply_has_an_owner(void **state)
{
	struct world *w = *state;

	w->live = value_of("{" META "},'spec':{'tier':'single','standbys':1}}");
	assert_int_equal(
		apply_as(w, "argo", false, "{" META "},'spec':{'standbys':2}}", t1), ERR_CONFLICT);
	assert_string_equal(
		w->conflicts.v[0].manager,
		"before-first-apply\" using slipway.dev/v1 at 2026-11-24T09:00:00Z");
	assert_int_equal(
		apply_as(w, "argo", false, "{" META "},'spec':{'tier':'single'}}", t1), ERR_OK);
	assert_string_equal(
		owners(w),
		"argo Apply 09 {\"f:spec\":{\"f:tier\":{}}}\n"
		"before-first-apply Update 09 {\"f:spec\":{\"f:tier\":{},"
		"\"f:standbys\":{},\".\":{}}}\n");
}

static void lists_keep_the_order_of_who_applies(void **state)
{
	struct world *w = *state;

	w->live = value_of(
		"{" META
		"},'spec':{'roles':[{'name':'a'},{'name':'x'},{'name':'b'},{'name':'c'}]}}");
	assert_int_equal(
		apply_as(
			w, "argo", false,
			"{" META "},'spec':{'roles':[{'name':'c'},{'name':'n'},{'name':'a'}]}}",
			t1),
		ERR_OK);
	assert_live(
		w,
		"{" META "},'spec':{'roles':[{'name':'c'},{'name':'n'},{'name':'a'},"
		"{'name':'x'},{'name':'b'}]}}");
}

static void an_atomic_list_is_one_field(void **state)
{
	struct world *w = *state;

	apply_as(w, "argo", false, "{" META "},'spec':{'ha':{'zones':['a','b']}}}", t1);
	assert_int_equal(
		apply_as(w, "argo", false, "{" META "},'spec':{'ha':{'zones':['b']}}}", t1),
		ERR_OK);
	assert_live(w, "{" META "},'spec':{'ha':{'zones':['b']}}}");
}

static void items_that_the_schema_refuses_are_not_lost(void **state)
{
	struct world *w = *state;

	w->live = value_of("{" META "},'spec':{'roles':[{'name':'a'}]}}");
	assert_int_equal(
		apply_as(
			w, "argo", false,
			"{" META "},'spec':{'roles':[{'login':true},{'name':'b'},{'name':'b'},7]}}",
			t1),
		ERR_OK);
	assert_int_equal(json_array_size(jv_at(w->live, "spec.roles")), 5);
}

static void clients_may_rewrite_who_owns_what(void **state)
{
	struct world *w = *state;

	update_as(w, "kubectl-client-side-apply", "", "{" META "},'spec':{'tier':'single'}}", t1);
	update_as(
		w, "kubectl", "",
		"{" META ",'managedFields':[{'manager':'kubectl','operation':'Apply','apiVersion':"
		"'slipway.dev/v1','time':'2026-11-24T09:00:00Z','fieldsType':'FieldsV1',"
		"'fieldsV1':{'f:spec':{'f:tier':{}}}}]},'spec':{'tier':'single'}}",
		t2);
	assert_string_equal(owners(w), "kubectl Apply 09 {\"f:spec\":{\"f:tier\":{}}}\n");
	update_as(
		w, "kubectl", "",
		"{" META ",'managedFields':[{'manager':'x','operation':'Frob'}]},'spec':{'tier':"
		"'single'}}",
		t2);
	assert_string_equal(owners(w), "kubectl Apply 09 {\"f:spec\":{\"f:tier\":{}}}\n");
	update_as(
		w, "kubectl", "", "{" META ",'managedFields':[{}]},'spec':{'tier':'single'}}", t2);
	assert_string_equal(owners(w), "");
}

static void old_updaters_become_one(void **state)
{
	struct world *w = *state;
	const json_t *list;

	for (int i = 0; i < 30; i++) {
		json_t *v = w->live ? json_deep_copy(w->live) : value_of("{" META ",'labels':{}}}");
		char now[32];

		jv_set_str(v, arena_printf(&w->arena, "metadata.labels.k%d", i), "v");
		snprintf(now, sizeof(now), "2026-11-24T09:00:%02dZ", i);
		fields_update(
			w->schema, w->live, v, arena_printf(&w->arena, "m%d", i), "slipway.dev/v1",
			"", now);
		json_decref(w->live);
		w->live = v;
	}
	list = jv_at(w->live, "metadata.managedFields");
	assert_true(json_array_size(list) <= FIELDS_UPDATE_MANAGERS_MAX + 1);
	assert_non_null(strstr(owners(w), "ancient-changes Update"));
	assert_non_null(strstr(owners(w), "\"f:k0\":{}"));
	assert_non_null(strstr(owners(w), "m29 Update"));
}

/* An object as deep as may be still can be read with who owns it. */
static void ownership_of_deep_values_stays_readable(void **state)
{
	struct world *w = *state;
	json_t *v = value_of("{" META "}}"), *status = json_integer(1), *again = NULL;
	struct err e;

	for (int i = 0; i < JV_DEPTH_MAX - 1; i++)
		status = json_pack("{so}", "a", status);
	json_object_set_new(v, "status", status);
	assert_int_equal(jv_depth(v), JV_DEPTH_MAX);
	fields_update(w->schema, NULL, v, "m", "slipway.dev/v1", "status", t1);
	assert_int_equal(jv_parse(jv_text(&w->arena, v), 1 << 20, &again, &e), ERR_OK);
	json_decref(again);
	json_decref(v);
}

#define promise(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(who_creates_an_object_owns_its_fields),
		promise(who_changes_a_field_takes_it_from_the_others),
		promise(an_update_that_changes_nothing_changes_no_owner),
		promise(status_is_owned_apart),
		promise(an_applier_owns_what_it_names),
		promise(what_an_applier_no_longer_names_goes),
		promise(what_another_owns_too_stays),
		promise(another_value_of_a_field_of_another_is_a_conflict),
		promise(conflicts_of_items_name_their_keys),
		promise(what_was_applied_by_the_client_and_is_still_so_is_no_conflict),
		promise(what_was_changed_since_the_client_applied_it_is_a_conflict),
		promise(force_takes_the_field),
		promise(the_same_value_is_owned_together),
		promise(applying_the_same_again_changes_nothing),
		promise(what_was_before_the_first_apply_has_an_owner),
		promise(lists_keep_the_order_of_who_applies),
		promise(an_atomic_list_is_one_field),
		promise(items_that_the_schema_refuses_are_not_lost),
		promise(clients_may_rewrite_who_owns_what),
		promise(old_updaters_become_one),
		promise(ownership_of_deep_values_stays_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
