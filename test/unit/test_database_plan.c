/* What control/database_plan promises, scene by scene: what people see and what agents are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/plan_sync.h"
#include "control_scene.h"

static void a_single_database_is_ready_after_two_transactions(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_database(&w, "{}");
	w.groups = 0;
	world_reconcile(&w);
	assert_int_equal(w.groups, 1);
	assert_condition(
		&w, "Ready",
		"False Creating: Creating the primary in zone-a: waiting for its agent");
	assert_string_equal(text_at(&w, "Database", "orders", "status.primary"), "orders-1");
	assert_non_null(world_get(&w, "Secret", "orders-app"));
	assert_non_null(world_get(&w, "Secret", "orders-app-verifier"));
	says(&w, "orders-1", "{'state':'Initialising','message':'initialising'}");
	world_reconcile(&w);
	assert_condition(
		&w, "Ready", "False Creating: Creating the primary in zone-a: initialising");
	w.groups = 0;
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_int_equal(w.groups, 1);
	assert_condition(&w, "Ready", "True Ready: Running in zone-a");
	assert_condition(&w, "Progressing", "False Settled: All is as it was asked for");
	assert_condition(&w, "Replicated", "- -: -");
	assert_true(w.is_settled);
	world_done(&w);
}

static void the_cluster_is_known_by_its_identifier_for_good(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_database(&w, "{'tier':'flexible'}");
	world_reconcile(&w);
	assert_null(jv_at(world_get(&w, "Member", "orders-1"), "spec.systemIdentifier"));
	says(&w, "orders-1", "{'systemIdentifier':'7123'}");
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-1", "spec.systemIdentifier"), "7123");
	assert_string_equal(text_at(&w, "Member", "orders-2", "spec.systemIdentifier"), "7123");
	says(&w, "orders-1", "{'systemIdentifier':'9999'}");
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-1", "spec.systemIdentifier"), "7123");
	world_done(&w);
}

static void a_flexible_database_is_ready_after_three_transactions(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_database(&w, "{'tier':'flexible'}");
	w.groups = 0;
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-2", "spec.zone"), "zone-b");
	assert_string_equal(text_at(&w, "Member", "orders-1", "spec.standbys.0"), "orders-2");
	assert_null(jv_at(world_get(&w, "Member", "orders-2"), "spec.upstream"));
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")"); /* from the first start */
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-2", "spec.upstream.host"), "127.0.1.1");
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")");
	says(&w, "orders-2", "{'state':'Copying','message':'copying, 40 % of 23 MB'}");
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"False Creating: Creating the standby in zone-b: copying, 40 % of 23 MB");
	says(&w, "orders-2", "{'message':''}");
	obeys(&w, "orders-1", 5433);
	obeys(&w, "orders-2", 5434);
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "");
	streams(&w,
		"{'replicas':[{'member':'orders-2','state':'streaming'}],"
		"'synchronous':{'names':'ANY 1 (\\\"orders_2\\\")','members':['orders-2']}}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2");
	assert_condition(
		&w, "Ready", "True Ready: Primary in zone-a, synchronous standby in zone-b");
	assert_condition(
		&w, "Replicated", "True Synchronous: Every acknowledged write is in zone-b too");
	assert_true(w.groups <= 5); /* two of them only tell how far the copy is */
	assert_string_equal(text_at(&w, "Database", "orders", "status.standbyZones"), "zone-b");
	world_done(&w);
}

static void no_zone_for_a_standby_is_said_in_one_sentence(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.hosts[1].majors = w.hosts[2].majors = 1u << 13;
	world_database(&w, "{'tier':'flexible','version':'17'}");
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"False NoHost: Waiting for a second zone: a flexible database needs 2, only zone-a "
		"has a host with PostgreSQL 17");
	w.hosts[2].majors |= 1u << 17;
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-2", "spec.zone"), "zone-c");
	assert_condition(
		&w, "Ready",
		"False Creating: Creating the primary in zone-a: waiting for its agent");
	world_done(&w);
}

static void no_host_at_all_is_said_in_one_sentence(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_database(&w, "{'version':'16'}");
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"False NoHost: Waiting for a host with PostgreSQL 16: the hosts have 13, 15 and "
		"17");
	assert_null(world_get(&w, "Secret", "orders-app"));
	world_delete(&w, "Database", "orders");
	world_reconcile(&w);
	assert_null(world_get(&w, "Database", "orders"));
	world_done(&w);
}

static void a_reloadable_parameter_changes_without_a_restart(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	world_change(&w, "{'parameters':{'work_mem':'8MB'}}");
	world_reconcile(&w);
	assert_condition(&w, "Ready", "False Applying: Applying settings on orders-1 in zone-a");
	assert_string_equal(text_at(&w, "Member", "orders-2", "spec.settings.work_mem"), "8MB");
	obeys(&w, "orders-1", 5433);
	obeys(&w, "orders-2", 5434);
	world_reconcile(&w);
	assert_condition(
		&w, "Ready", "True Ready: Primary in zone-a, synchronous standby in zone-b");
	assert_int_equal(jv_int(world_get(&w, "Member", "orders-1"), "spec.restart", -1), 0);
	world_done(&w);
}

static int64_t restart_of(struct world *w, const char *name)
{
	return jv_int(world_get(w, "Member", name), "spec.restart", -1);
}

static void raised_connections_reach_the_standby_first(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	world_change(&w, "{'parameters':{'max_connections':'200'}}");
	world_reconcile(&w);
	assert_string_equal(
		text_at(&w, "Member", "orders-1", "spec.settings.max_connections"), "50");
	assert_string_equal(
		text_at(&w, "Member", "orders-2", "spec.settings.max_connections"), "200");
	obeys(&w, "orders-2", 5434);
	says(&w, "orders-2", "{'pendingRestart':['max_connections']}");
	world_reconcile(&w);
	assert_int_equal(restart_of(&w, "orders-2"), 1);
	assert_condition(
		&w, "Progressing",
		"True Restarting: Restarting orders-2 in zone-b for max_connections");
	obeys(&w, "orders-2", 5434);
	world_reconcile(&w);
	assert_string_equal(
		text_at(&w, "Member", "orders-1", "spec.settings.max_connections"), "200");
	assert_int_equal(restart_of(&w, "orders-1"), 0);
	obeys(&w, "orders-1", 5433);
	says(&w, "orders-1", "{'pendingRestart':['max_connections']}");
	world_reconcile(&w);
	assert_int_equal(restart_of(&w, "orders-1"), 1);
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_true(w.is_settled);
	assert_int_equal(restart_of(&w, "orders-2"), 1);
	world_done(&w);
}

static void lowered_connections_reach_the_primary_first(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	world_change(&w, "{'parameters':{'max_connections':'20'}}");
	world_reconcile(&w);
	assert_string_equal(
		text_at(&w, "Member", "orders-1", "spec.settings.max_connections"), "20");
	assert_string_equal(
		text_at(&w, "Member", "orders-2", "spec.settings.max_connections"), "50");
	obeys(&w, "orders-1", 5433);
	says(&w, "orders-1", "{'pendingRestart':['max_connections']}");
	world_reconcile(&w);
	assert_int_equal(restart_of(&w, "orders-1"), 1);
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_string_equal(
		text_at(&w, "Member", "orders-2", "spec.settings.max_connections"), "20");
	obeys(&w, "orders-2", 5434);
	says(&w, "orders-2", "{'pendingRestart':['max_connections']}");
	world_reconcile(&w);
	assert_int_equal(restart_of(&w, "orders-2"), 1);
	obeys(&w, "orders-2", 5434);
	world_reconcile(&w);
	assert_true(w.is_settled);
	world_done(&w);
}

static void single_becomes_flexible_without_a_restart_of_the_primary(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{}");
	world_change(&w, "{'tier':'flexible'}");
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-2", "spec.upstream.host"), "127.0.1.1");
	assert_string_equal(names_of(&w), ""); /* writes wait for nobody who is not there */
	obeys(&w, "orders-2", 5434);
	streams(&w, "{'replicas':[{'member':'orders-2','state':'streaming'}]}");
	world_reconcile(&w);
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")");
	assert_string_equal(set_of(&w), "");
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_string_equal(set_of(&w), ""); /* in force, but not yet seen to hold everything */
	streams(&w, "{'synchronous':{'names':'ANY 1 (\\\"orders_2\\\")','members':['orders-2']}}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2");
	assert_int_equal(restart_of(&w, "orders-1"), 0);
	assert_condition(
		&w, "Ready", "True Ready: Primary in zone-a, synchronous standby in zone-b");
	world_done(&w);
}

static void flexible_becomes_single_row_first(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	world_change(&w, "{'tier':'single','standbys':null}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "");
	assert_string_equal(names_of(&w), "");
	assert_false(cluster_is_deleting(world_get(&w, "Member", "orders-2")));
	assert_condition(&w, "Ready", "False Removing: Removing the standby orders-2 in zone-b");
	obeys(&w, "orders-1", 5433); /* it waits for nobody any more */
	world_reconcile(&w);
	assert_true(cluster_is_deleting(world_get(&w, "Member", "orders-2")));
	assert_string_equal(text_at(&w, "Member", "orders-1", "spec.standbys.0"), "orders-2");
	says(&w, "orders-2", "{'state':'Removed'}");
	world_reconcile(&w);
	assert_null(world_get(&w, "Member", "orders-2"));
	world_reconcile(&w);
	assert_string_equal(text_at(&w, "Member", "orders-1", "spec.standbys.0"), "-");
	assert_condition(&w, "Ready", "True Ready: Running in zone-a");
	assert_condition(&w, "Replicated", "- -: -");
	world_done(&w);
}

static void a_lost_standby_is_let_go_after_the_grace(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	streams(&w, "{'replicas':[]}");
	says(&w, "orders-2", "{'state':'Stopped','message':'stopped'}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2");
	assert_true(w.wake_at_us == w.now_us + PLAN_SYNC_GRACE_MS * INT64_C(1000));
	w.now_us = w.wake_at_us;
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "");
	assert_string_equal(names_of(&w), "");
	assert_condition(
		&w, "Replicated",
		"False NoStandby: The standby in zone-b is not up: it stopped; writes go on with "
		"the primary "
		"alone");
	assert_condition(&w, "Ready", "True Ready: Running in zone-a, without a standby");
	assert_non_null(strstr(w.events_text, "ReplicationLost: The standby in zone-b"));
	obeys(&w, "orders-1", 5433);
	says(&w, "orders-2", "{'state':'Running','message':''}");
	streams(&w, "{'replicas':[{'member':'orders-2','state':'streaming'}]}");
	world_reconcile(&w);
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")");
	streams(&w, "{'synchronous':{'names':'ANY 1 (\\\"orders_2\\\")','members':['orders-2']}}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2");
	assert_non_null(strstr(w.events_text, "ReplicationRestored"));
	world_done(&w);
}

static void a_strict_database_waits_for_its_standby(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible','durability':'strict'}");
	streams(&w, "{'replicas':[]}");
	says(&w, "orders-2", "{'state':'Stopped','message':'stopped'}");
	world_reconcile(&w);
	w.now_us += INT64_C(60000000);
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2");
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")");
	assert_condition(
		&w, "Ready",
		"False WritesWait: Writes wait for a standby. The standby in zone-b is not up: it "
		"stopped");
	/* Somebody deletes the broken one: another takes its place, and writes still wait. */
	world_delete(&w, "Member", "orders-2");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "");
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")");
	assert_string_equal(text_at(&w, "Member", "orders-3", "spec.zone"), "zone-b");
	obeys(&w, "orders-3", 5435);
	streams(&w, "{'replicas':[{'member':'orders-3','state':'streaming'}]}");
	world_reconcile(&w);
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_3\")");
	streams(&w, "{'synchronous':{'names':'ANY 1 (\\\"orders_3\\\")','members':['orders-3']}}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-3");
	world_done(&w);
}

static void a_second_standby_comes_into_row_and_names_at_once(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	world_change(&w, "{'standbys':2}");
	world_reconcile(&w);
	obeys(&w, "orders-3", 5435);
	streams(&w,
		"{'replicas':[{'member':'orders-2','state':'streaming'},"
		"{'member':'orders-3','state':'streaming'}]}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2 orders-3");
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\", \"orders_3\")");
	assert_condition(
		&w, "Ready",
		"True Ready: Primary in zone-a, synchronous standbys in zone-b and zone-c");
	obeys(&w, "orders-1", 5433);
	/* And back: the primary counts the other one alone, and only then the row does. */
	world_change(&w, "{'standbys':1}");
	world_reconcile(&w);
	assert_string_equal(names_of(&w), "ANY 1 (\"orders_2\")");
	assert_string_equal(set_of(&w), "orders-2 orders-3");
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2 orders-3");
	streams(&w, "{'synchronous':{'names':'ANY 1 (\\\"orders_2\\\")','members':['orders-2']}}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "orders-2");
	assert_true(cluster_is_deleting(world_get(&w, "Member", "orders-3")));
	world_done(&w);
}

static void another_version_is_not_made_in_place(void **state)
{
	struct world w;
	json_t *o;

	(void)state;
	make_single(&w, "{}");
	o = json_deep_copy(world_get(&w, "Database", "orders"));
	jv_set_str(o, "spec.version", "17");
	world_write(&w, STORE_UPDATE, "Database", "orders", o);
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"False VersionChange: It runs PostgreSQL 15 and version 17 was asked for: a Move "
		"takes it there, a version is not changed in place");
	assert_string_equal(text_at(&w, "Member", "orders-1", "spec.version"), "15");
	world_done(&w);
}

static void a_silent_host_makes_ready_unknown(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{}");
	w.hosts[0].is_ready = false;
	w.hosts[0].silent_since = "2026-11-24T09:00:00Z";
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"Unknown HostSilent: Host zone-a in zone-a, where the primary is, has been silent "
		"since 2026-11-24T09:00:00Z");
	w.hosts[0].is_ready = true;
	world_reconcile(&w);
	assert_condition(&w, "Ready", "True Ready: Running in zone-a");
	world_done(&w);
}

static void a_standby_whose_host_is_gone_is_replaced(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	w.hosts[1] = w.hosts[2];
	w.hosts_n = 2;
	w.rounds = 2; /* marked first, then let go */
	streams(&w, "{'replicas':[]}");
	world_reconcile(&w);
	assert_string_equal(set_of(&w), "");
	assert_string_equal(text_at(&w, "Member", "orders-3", "spec.zone"), "zone-c");
	assert_null(world_get(&w, "Member", "orders-2"));
	world_done(&w);
}

static void deletion_takes_members_then_secrets_then_the_database(void **state)
{
	struct world w;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	world_delete(&w, "Database", "orders");
	world_reconcile(&w);
	assert_true(cluster_is_deleting(world_get(&w, "Member", "orders-1")));
	assert_true(cluster_is_deleting(world_get(&w, "Member", "orders-2")));
	assert_condition(&w, "Ready", "False Deleting: Deleting its servers and Secrets");
	assert_non_null(world_get(&w, "Secret", "orders-app"));
	w.hosts[1].is_ready = false;
	says(&w, "orders-1", "{'state':'Removed'}");
	world_reconcile(&w);
	assert_null(world_get(&w, "Member", "orders-1"));
	assert_condition(
		&w, "Ready",
		"False Deleting: Waiting for host zone-b, which is silent, to remove orders-2: "
		"delete the Host if it never comes back");
	w.hosts[1].is_ready = true;
	says(&w, "orders-2", "{'state':'Removed'}");
	world_reconcile(&w);
	world_reconcile(&w);
	assert_null(world_get(&w, "Database", "orders"));
	for (size_t i = 0; i < WORLD_OBJECTS; i++)
		assert_null(w.objects[i]);
	world_done(&w);
}

static void a_protected_database_stays(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{'deletionProtection':true}");
	world_delete(&w, "Database", "orders");
	world_reconcile(&w);
	assert_false(cluster_is_deleting(world_get(&w, "Member", "orders-1")));
	assert_non_null(strstr(condition(&w, "Ready"), "False Protected: "));
	world_change(&w, "{'deletionProtection':false}");
	world_reconcile(&w);
	assert_true(cluster_is_deleting(world_get(&w, "Member", "orders-1")));
	world_done(&w);
}

static void a_failed_server_says_why(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{}");
	says(&w, "orders-1", "{'state':'Failed','message':'the disk is full: free some space'}");
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"False PrimaryDown: The primary in zone-a failed: the disk is full: free some "
		"space");
	assert_non_null(strstr(w.events_text, "NotReady: The primary in zone-a failed"));
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_database_is_ready_after_two_transactions),
		cmocka_unit_test(the_cluster_is_known_by_its_identifier_for_good),
		cmocka_unit_test(a_flexible_database_is_ready_after_three_transactions),
		cmocka_unit_test(no_zone_for_a_standby_is_said_in_one_sentence),
		cmocka_unit_test(no_host_at_all_is_said_in_one_sentence),
		cmocka_unit_test(a_reloadable_parameter_changes_without_a_restart),
		cmocka_unit_test(raised_connections_reach_the_standby_first),
		cmocka_unit_test(lowered_connections_reach_the_primary_first),
		cmocka_unit_test(single_becomes_flexible_without_a_restart_of_the_primary),
		cmocka_unit_test(flexible_becomes_single_row_first),
		cmocka_unit_test(a_lost_standby_is_let_go_after_the_grace),
		cmocka_unit_test(a_strict_database_waits_for_its_standby),
		cmocka_unit_test(a_second_standby_comes_into_row_and_names_at_once),
		cmocka_unit_test(another_version_is_not_made_in_place),
		cmocka_unit_test(a_silent_host_makes_ready_unknown),
		cmocka_unit_test(a_standby_whose_host_is_gone_is_replaced),
		cmocka_unit_test(deletion_takes_members_then_secrets_then_the_database),
		cmocka_unit_test(a_protected_database_stays),
		cmocka_unit_test(a_failed_server_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
