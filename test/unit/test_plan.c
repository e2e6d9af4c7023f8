/* What cli/plan_diff and cli/progress promise: what a change costs, and what has become of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "cli/plan_diff.h"
#include "cli/progress.h"
#include "codec/yaml.h"

static json_t *yaml(const char *text)
{
	json_t *docs, *one;
	struct err e;

	if (yaml_parse(str_of(text), 65536, &docs, &e))
		fail_msg("%s", e.text);
	one = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return one;
}

#define DATABASE                                                                                   \
	"apiVersion: slipway.dev/v1\n"                                                             \
	"kind: Database\n"                                                                         \
	"metadata: {name: orders, namespace: dev, resourceVersion: '7'}\n"                         \
	"spec: {version: '15', size: small, storage: 10Gi, "
#define FLEXIBLE "tier: flexible, standbys: 1"

/* The change from one spec to another. */
static json_t *change(const char *from, const char *to)
{
	CLEANUP(jv_drop) json_t *live = from ? yaml(from) : NULL;
	CLEANUP(jv_drop) json_t *wanted = yaml(to);

	return plan_change(live, wanted);
}

static const char *text_of(const char *from, const char *to)
{
	static struct buf out;
	json_t *changes = json_array();
	json_t *doc;

	json_array_append_new(changes, change(from, to));
	doc = plan_document(changes);
	buf_clear(&out);
	plan_print(&out, doc);
	json_decref(doc);
	return out.p;
}

static void what_is_not_there_is_created(void **state)
{
	assert_string_equal(
		text_of(NULL, DATABASE FLEXIBLE "}"),
		"+ Database dev/orders is created\n"
		"      PostgreSQL 15, size small, a primary and a synchronous standby in another "
		"zone\n"
		"\nPlan: 1 to create.\n");
}

static void what_is_equal_is_nothing_to_do(void **state)
{
	assert_string_equal(
		text_of(DATABASE FLEXIBLE "}\nstatus: {x: 1}", DATABASE FLEXIBLE "}"),
		"  Database dev/orders stays as it is\n\nPlan: nothing to do.\n");
}

static void a_reload_is_a_change_in_place(void **state)
{
	assert_string_equal(
		text_of(DATABASE FLEXIBLE ", parameters: {work_mem: 4MB}}",
			DATABASE FLEXIBLE ", parameters: {work_mem: 8MB}}"),
		"~ Database dev/orders is changed in place\n"
		"      spec.parameters.work_mem: \"4MB\" -> \"8MB\"\n"
		"\nPlan: 1 to change in place.\n");
}

static void a_parameter_that_needs_it_restarts_with_its_pause(void **state)
{
	assert_string_equal(
		text_of(DATABASE FLEXIBLE "}",
			DATABASE FLEXIBLE ", parameters: {max_connections: '70'}}"),
		"! Database dev/orders is changed, and restarted\n"
		"      spec.parameters: (none) -> {\"max_connections\":\"70\"}\n"
		"      restart for max_connections\n"
		"      pause: one server after the other, the primary last: its connections end, "
		"and writes wait 1 to 3 s, as most do: it was not restarted so far\n"
		"\nPlan: 1 to restart.\n");
}

static void a_size_restarts_for_its_settings(void **state)
{
	CLEANUP(jv_drop) json_t *c = NULL;
	CLEANUP(jv_drop) json_t *live = yaml(DATABASE "tier: single}");
	CLEANUP(jv_drop) json_t *wanted = json_deep_copy(live);

	jv_set_str(wanted, "spec.size", "medium");
	c = plan_change(live, wanted);
	assert_int_equal(plan_action_of(c), PLAN_RESTART);
	assert_non_null(strstr(jv_str(c, "restart.pause"), "away 1 to 3 s"));
	assert_string_equal(jv_str(c, "restart.settings.0"), "max_connections");
}

static void a_pause_is_what_the_last_restart_took(void **state)
{
	const char *said =
		text_of(DATABASE FLEXIBLE "}\nstatus: {members: [{role: standby, restartMs: 900}, "
					  "{role: primary, restartMs: 1449}]}",
			DATABASE FLEXIBLE ", parameters: {max_connections: '70'}}");

	assert_non_null(strstr(said, "writes wait about 1.4 s, as at its last restart\n"));
	said =
		text_of(DATABASE FLEXIBLE "}\nstatus: {members: [{role: standby, restartMs: 900}, "
					  "{role: primary}]}",
			DATABASE FLEXIBLE ", parameters: {max_connections: '70'}}");
	assert_non_null(strstr(said, "writes wait about 0.9 s, as at its last restart\n"));
}

static void a_standby_that_goes_is_destroyed(void **state)
{
	const char *said = text_of(DATABASE FLEXIBLE "}", DATABASE "tier: single}");

	assert_non_null(strstr(said, "- Database dev/orders loses something\n"));
	assert_non_null(
		strstr(said,
		       "      destroys 1 standby(s) with their copy of the data: no other zone "
		       "holds the data then\n"));
	assert_non_null(strstr(said, "Plan: 1 to destroy something of.\n"));
}

static void a_standby_that_comes_costs_nothing(void **state)
{
	CLEANUP(jv_drop)
	json_t *c = change(DATABASE "tier: single}", DATABASE "tier: flexible, standbys: 2}");

	assert_int_equal(plan_action_of(c), PLAN_CHANGE);
	assert_string_equal(
		jv_str(c, "notes.0"), "2 standby(s) more, from a base backup; the primary goes on");
}

static void lists_are_compared_by_name(void **state)
{
	assert_non_null(strstr(
		text_of(DATABASE "roles: [{name: app, login: true}, {name: ro, login: true}]}",
			DATABASE "roles: [{name: ro, login: false}, {name: app, login: true}]}"),
		"      spec.roles[ro].login: true -> false\n\nPlan: 1 to change in place.\n"));
}

static void a_secret_is_never_shown(void **state)
{
	const char *said =
		text_of("{kind: Secret, metadata: {name: x}, data: {password: b2xk}}",
			"{kind: Secret, metadata: {name: x}, data: {password: bmV3}}");

	assert_null(strstr(said, "b2xk"));
	assert_null(strstr(said, "bmV3"));
	assert_non_null(strstr(said, "data.password: \"(hidden)\" -> \"(hidden)\""));
}

static void the_summary_counts(void **state)
{
	json_t *changes = json_array();
	CLEANUP(jv_drop) json_t *doc = NULL;

	json_array_append_new(changes, change(NULL, DATABASE "tier: single}"));
	json_array_append_new(changes, change(DATABASE "}", DATABASE "}"));
	doc = plan_document(changes);
	assert_int_equal(jv_int(doc, "summary.create", -1), 1);
	assert_int_equal(jv_int(doc, "summary.nothing", -1), 1);
	assert_int_equal(jv_int(doc, "summary.restart", -1), 0);
}

/* ---- progress ---- */

static const char *lines_of(const char *before, const char *now)
{
	static char text[1000];
	CLEANUP(jv_drop) json_t *b = before ? yaml(before) : NULL;
	CLEANUP(jv_drop) json_t *n = yaml(now);
	CLEANUP(jv_drop) json_t *lines = json_array();
	const json_t *one;
	size_t i, at = 0;

	progress_lines(b, n, lines);
	text[0] = '\0';
	json_array_foreach (lines, i, one)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%s\n", json_string_value(one));
	return text;
}

static void progress_says_each_step_once(void **state)
{
	const char *first = "status: {members: [{name: a-1, role: primary, zone: z1, state: "
			    "Initialising}], conditions: [{type: Ready, status: 'False', message: "
			    "Creating}, {type: Progressing, status: 'True', message: Creating}]}";
	const char *second = "status: {members: [{name: a-1, role: primary, zone: z1, state: "
			     "Running}, {name: a-2, role: standby, zone: z2, state: Running, sync: "
			     "true}], conditions: [{type: Ready, status: 'True', message: Fine}, "
			     "{type: Progressing, status: 'False', message: Settled}]}";

	assert_string_equal(lines_of(NULL, first), "a-1 (primary in z1): initialising\nCreating\n");
	assert_string_equal(lines_of(first, first), "");
	assert_string_equal(
		lines_of(first, second),
		"a-1 (primary in z1): running\n"
		"a-2 (standby in z2): running, holds every acknowledged write\nFine\n");
	assert_string_equal(lines_of(second, "status: {}"), "a-1: gone\na-2: gone\n");
}

static enum progress_end end_of(const char *text)
{
	CLEANUP(jv_drop) json_t *o = yaml(text);

	return progress_end(o);
}

static void ready_counts_for_the_newest_spec_only(void **state)
{
	assert_int_equal(
		end_of("{metadata: {generation: 2}, status: {observedGeneration: 1, conditions: "
		       "[{type: Ready, status: 'True'}]}}"),
		PROGRESS_GOES_ON);
	assert_int_equal(
		end_of("{metadata: {generation: 2}, status: {observedGeneration: 2, conditions: "
		       "[{type: Ready, status: 'True'}]}}"),
		PROGRESS_READY);
	assert_int_equal(
		end_of("{metadata: {generation: 2}, status: {observedGeneration: 2, conditions: "
		       "[{type: Ready, status: 'False', reason: NoHost}]}}"),
		PROGRESS_FAILED);
	assert_int_equal(end_of("metadata: {generation: 1}"), PROGRESS_GOES_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_there_is_created),
		cmocka_unit_test(what_is_equal_is_nothing_to_do),
		cmocka_unit_test(a_reload_is_a_change_in_place),
		cmocka_unit_test(a_parameter_that_needs_it_restarts_with_its_pause),
		cmocka_unit_test(a_size_restarts_for_its_settings),
		cmocka_unit_test(a_pause_is_what_the_last_restart_took),
		cmocka_unit_test(a_standby_that_goes_is_destroyed),
		cmocka_unit_test(a_standby_that_comes_costs_nothing),
		cmocka_unit_test(lists_are_compared_by_name),
		cmocka_unit_test(a_secret_is_never_shown),
		cmocka_unit_test(the_summary_counts),
		cmocka_unit_test(progress_says_each_step_once),
		cmocka_unit_test(ready_counts_for_the_newest_spec_only),
	};
	struct err e;

	assert_int_equal(kinds_init(&e), ERR_OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
