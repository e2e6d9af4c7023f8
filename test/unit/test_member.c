/* What agent/member promises: from want and seen to the next step, and never to a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/report.h"

static struct want *want_of(const char *role, const char *more)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(jv_drop) json_t *json = NULL;
	struct want *w = NULL;
	struct err e = {0};

	buf_printf(
		&text,
		"{\"uid\":\"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\",\"namespace\":\"payments-dev\","
		"\"name\":\"orders-1\",\"spec\":{\"database\":\"orders\",\"version\":\"15\","
		"\"role\":\"%s\"%s%s}}",
		role, strstr(more, "epoch") ? "" : ",\"epoch\":1", more);
	assert_int_equal(jv_parse(buf_view(&text), 1 << 20, &json, &e), ERR_OK);
	if (want_parse(json, &w, &e))
		fail_msg("%s", e.text);
	return w;
}

/* A primary that is all that the want says. */
static struct seen seen_right(const struct want *w)
{
	struct seen s = {
		.now_ms = 1000,
		.is_heard = true,
		.has_major = true,
		.has_folder = true,
		.data = w->is_primary ? SEEN_PRIMARY : SEEN_STANDBY,
		.epoch = w->epoch,
		.restarted = w->restart,
		.port = 5433,
		.is_noted = true,
		.process = UNIT_UP,
		.is_conf_current = true,
		.is_proven = true,
		.is_probed = true,
		.server = {.is_standby = !w->is_primary, .is_receiving = true},
	};

	snprintf(s.saved, sizeof(s.saved), "%s", w->hash);
	snprintf(s.access, sizeof(s.access), "%s", w->access_hash);
	snprintf(s.proven_names, sizeof(s.proven_names), "%s", w->sync_names);
	for (size_t i = 0; i < w->standbys_n; i++) {
		snprintf(s.server.slots[i], SEEN_NAME, "orders_%zu", i + 2);
		s.server.slots_n++;
	}
	return s;
}

static struct member_next decide(const struct want *w, const struct seen *s)
{
	struct member_next n;

	member_decide(w, s, &n);
	return n;
}

static void check(const struct want *w, const struct seen *s, enum step step, const char *state)
{
	struct member_next n = decide(w, s);

	assert_string_equal(step_name(n.step), step_name(step));
	assert_string_equal(n.state, state);
}

static void a_primary_is_made_step_by_step(void **state)
{
	struct want *w =
		want_of("primary",
			",\"synchronousStandbyNames\":\"ANY 1 (\\\"orders_2\\\")\","
			"\"standbys\":[\"orders-2\"]");
	struct seen s = {.is_heard = true, .has_major = true};

	(void)state;
	check(w, &s, STEP_INIT, "Initialising");
	s.data = SEEN_PRIMARY;
	s.epoch = 1;
	check(w, &s, STEP_START, "Starting");
	s.process = UNIT_STARTING;
	check(w, &s, STEP_NONE, "Starting");
	s.process = UNIT_UP;
	check(w, &s, STEP_NONE, "Starting");
	s.is_probed = true;
	check(w, &s, STEP_CONFIGURE, "Running");
	s.is_conf_current = true;
	check(w, &s, STEP_REPLICATION, "Running");
	snprintf(s.server.slots[s.server.slots_n++], SEEN_NAME, "orders_2");
	check(w, &s, STEP_ROLES, "Running");
	snprintf(s.access, sizeof(s.access), "%s", w->access_hash);
	check(w, &s, STEP_SYNC, "Running");
	s.is_proven = true;
	snprintf(s.proven_names, sizeof(s.proven_names), "%s", w->sync_names);
	check(w, &s, STEP_SAVE, "Running");
	snprintf(s.saved, sizeof(s.saved), "%s", w->hash);
	check(w, &s, STEP_SAVE, "Running");
	s.is_noted = true;
	check(w, &s, STEP_NONE, "Running");
	assert_string_equal(decide(w, &s).message, "");
	want_drop(&w);
}

static void a_standby_waits_for_its_upstream_and_copies_it(void **state)
{
	struct want *w = want_of("standby", "");
	struct seen s = {.has_major = true};
	struct member_next n;

	(void)state;
	check(w, &s, STEP_NONE, "Pending");
	want_drop(&w);
	w = want_of(
		"standby",
		",\"upstream\":{\"member\":\"orders-1\",\"host\":\"127.0.1.1\",\"port\":5433}");
	check(w, &s, STEP_COPY, "Copying");
	assert_string_equal(decide(w, &s).message, "copies the data of orders-1 at 127.0.1.1:5433");

	s.failed = STEP_COPY;
	s.retry_ms = 500;
	snprintf(s.why, sizeof(s.why), "no route");
	n = decide(w, &s);
	assert_int_equal(n.step, STEP_NONE);
	assert_string_equal(n.state, "Failed");
	assert_string_equal(n.message, "no route");
	s.now_ms = 500;
	check(w, &s, STEP_COPY, "Failed");
	s.busy = STEP_COPY;
	check(w, &s, STEP_COPY, "Copying");
	want_drop(&w);
}

/* Rule 8 of high availability. */
static void no_primary_starts_without_the_control_planes_word(void **state)
{
	struct want *w = want_of("primary", "");
	struct seen s = seen_right(w);

	(void)state;
	s.is_heard = false;
	check(w, &s, STEP_NONE, "Running"); /* it was adopted */
	s.process = UNIT_DOWN;
	s.is_probed = false;
	check(w, &s, STEP_NONE, "Stopped");
	s.data = SEEN_NOTHING;
	check(w, &s, STEP_NONE, "Stopped");
	s.data = SEEN_PRIMARY;
	s.is_heard = true;
	check(w, &s, STEP_START, "Starting");
	want_drop(&w);

	w = want_of("standby", "");
	s.data = SEEN_STANDBY;
	s.is_heard = false;
	check(w, &s, STEP_START, "Starting");
	want_drop(&w);
}

/* Rule 5. */
static void a_deposed_primary_is_stopped_and_stays_so(void **state)
{
	struct want *w = want_of("primary", "");
	struct seen s = seen_right(w);

	(void)state;
	want_drop(&w);
	w = want_of("standby", ",\"epoch\":2");
	check(w, &s, STEP_STOP, "Stopping");
	s.process = UNIT_STOPPING;
	check(w, &s, STEP_NONE, "Stopping");
	s.process = UNIT_DOWN;
	s.is_probed = false;
	check(w, &s, STEP_NONE, "Failed");
	want_drop(&w);
}

static void a_standby_becomes_a_primary_only_by_a_newer_epoch(void **state)
{
	struct want *w = want_of("standby", "");
	struct seen s = seen_right(w);

	(void)state;
	want_drop(&w);
	w = want_of("primary", "");
	check(w, &s, STEP_NONE, "Failed");
	s.epoch = 0;
	check(w, &s, STEP_PROMOTE, "Running");
	s.process = UNIT_DOWN;
	check(w, &s, STEP_START, "Starting"); /* as what its data is; then it is promoted */
	want_drop(&w);
}

static void deleting_comes_before_everything(void **state)
{
	static const enum seen_data data[] = {SEEN_NOTHING, SEEN_PRIMARY, SEEN_STANDBY, SEEN_BAD};
	struct want *w = want_of("primary", "");

	(void)state;
	w->is_deleting = true;
	for (size_t d = 0; d < ARRAY_LEN(data); d++)
		for (int p = 0; p < UNIT_STATES; p++) {
			struct seen s = seen_right(w);
			struct member_next n;

			s.data = data[d];
			s.process = (enum unit_state)p;
			s.has_major = s.is_heard = false;
			n = decide(w, &s);
			assert_string_equal(n.state, "Removing");
			if (p == UNIT_DOWN)
				assert_int_equal(n.step, STEP_REMOVE);
			else
				assert_int_equal(n.step, p < UNIT_QUITTING ? STEP_QUIT : STEP_NONE);
		}
	check(w, &(struct seen){0}, STEP_NONE, "Removed");
	want_drop(&w);
}

/* The folder of a primary, with state.json in it, is lost: nothing may hide that. */
static void a_primary_that_has_lived_is_not_made_anew(void **state)
{
	struct want *w = want_of("primary", ",\"systemIdentifier\":\"7123\"");
	struct seen s = {.is_heard = true, .has_major = true};

	(void)state;
	check(w, &s, STEP_NONE, "Failed");
	assert_string_equal(
		decide(w, &s).message,
		"its data has gone from this host: put the folder of cluster 7123 back; a new one "
		"is not made in its place");
	s.data = SEEN_PRIMARY;
	check(w, &s, STEP_START, "Starting");
	want_drop(&w);
}

static void a_restart_is_a_stop_and_a_start(void **state)
{
	struct want *w = want_of("primary", ",\"restart\":2");
	struct seen s = seen_right(w);

	(void)state;
	s.restarted = 1;
	check(w, &s, STEP_STOP, "Stopping");
	s.process = UNIT_DOWN;
	check(w, &s, STEP_START, "Starting");
	want_drop(&w);
}

static void bad_data_and_a_missing_major_are_told(void **state)
{
	struct want *w = want_of("primary", "");
	struct seen s = seen_right(w);

	(void)state;
	s.process = UNIT_DOWN;
	s.data = SEEN_BAD;
	snprintf(s.data_why, sizeof(s.data_why), "it is of another {major}");
	check(w, &s, STEP_NONE, "Failed");
	assert_string_equal(decide(w, &s).message, "it is of another {major}");
	s.has_major = false;
	check(w, &s, STEP_NONE, "Failed");
	assert_non_null(strstr(decide(w, &s).message, "PostgreSQL 15 is not installed"));
	want_drop(&w);
}

/* A failure in what a running server still lacks is told, but the server is up. */
static void a_server_that_lacks_a_role_still_runs(void **state)
{
	struct want *w = want_of("primary", "");
	struct seen s = seen_right(w);

	(void)state;
	s.access[0] = '\0';
	s.failed = STEP_ROLES;
	s.retry_ms = s.now_ms + 1;
	snprintf(s.why, sizeof(s.why), "no such extension");
	check(w, &s, STEP_NONE, "Running");
	assert_string_equal(decide(w, &s).message, "no such extension");
	want_drop(&w);
}

static void only_slots_that_are_ours_are_other_slots(void **state)
{
	struct want *w = want_of("primary", ",\"standbys\":[\"orders-2\"]");
	struct seen s = seen_right(w);

	(void)state;
	check(w, &s, STEP_NONE, "Running");
	snprintf(s.server.slots[s.server.slots_n++], SEEN_NAME, "somebody_7");
	snprintf(s.server.slots[s.server.slots_n++], SEEN_NAME, "orders_x");
	snprintf(s.server.slots[s.server.slots_n++], SEEN_NAME, "orders_");
	snprintf(s.server.slots[s.server.slots_n++], SEEN_NAME, "orders");
	check(w, &s, STEP_NONE, "Running");
	snprintf(s.server.slots[s.server.slots_n++], SEEN_NAME, "orders_3");
	check(w, &s, STEP_REPLICATION, "Running");
	want_drop(&w);
}

/* Rule 3, the middle step. */
static void a_standby_counts_only_past_the_proof(void **state)
{
	struct want *w =
		want_of("primary",
			",\"synchronousStandbyNames\":\"ANY 1 (\\\"orders_2\\\")\","
			"\"standbys\":[\"orders-2\"]");
	struct seen s = seen_right(w);
	struct seen_replica *r = &s.server.replicas[0];

	(void)state;
	s.server.replicas_n = 1;
	*r = (struct seen_replica){.slot = "orders_2", .is_sync = true, .flush_lsn = 99};
	s.proven_lsn = 100;
	assert_false(member_is_synced(&s, "orders_2"));
	r->flush_lsn = 100;
	assert_true(member_is_synced(&s, "orders_2"));
	assert_false(member_is_synced(&s, "orders_3"));
	r->is_sync = false;
	assert_false(member_is_synced(&s, "orders_2"));
	r->is_sync = true;
	s.is_proven = false;
	assert_false(member_is_synced(&s, "orders_2"));
	want_drop(&w);
}

static void equal_facts_give_an_equal_report(void **state)
{
	struct want *w = want_of("primary", ",\"standbys\":[\"orders-2\"]");
	struct seen s = seen_right(w);
	struct member_next n = decide(w, &s);
	CLEANUP(jv_drop) json_t *one = report_member(w, &s, &n, "127.0.1.1");
	CLEANUP(jv_drop) json_t *two = NULL;

	(void)state;
	s.server.lsn += 8192;
	s.now_ms += 1000;
	two = report_member(w, &s, &n, "127.0.1.1");
	assert_true(json_equal(jv_at(one, "status"), jv_at(two, "status")));
	assert_false(json_equal(jv_at(one, "live"), jv_at(two, "live")));
	assert_string_equal(jv_str(two, "live.lsn"), "0/2000");
	assert_string_equal(jv_str(two, "status.endpoint"), "127.0.1.1:5433");
	want_drop(&w);
}

static void names_that_could_leave_their_quotes_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"uid\":\"../../etc\",\"namespace\":\"a\",\"name\":\"b\"}",
		"{\"uid\":\"0a1b2c3d-4e5f\",\"namespace\":\"a\",\"name\":\"b/c\"}",
	};
	static const char *const bad_specs[] = {
		",\"settings\":{\"a b\":\"1\"}",
		",\"settings\":{\"a\":1}",
		",\"settings\":[]",
		",\"roles\":[{\"name\":\"a\\\"b\"}]",
		",\"roles\":[{}]",
		",\"databases\":[{\"name\":\"a\\nb\"}]",
		",\"standbys\":[\"a b\"]",
		",\"gateways\":[{\"name\":\"a\\\"b\",\"address\":\"127.0.0.1\"}]",
		",\"gateways\":[{\"name\":\"a\",\"address\":\"0.0.0.0/0 all\"}]",
		",\"gateways\":[{\"name\":\"a\"}]",
		",\"upstream\":{\"host\":\"a b\",\"port\":1}",
		",\"upstream\":{\"host\":\"a\",\"port\":65536}",
	};
	struct want *w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(jv_drop) json_t *json = NULL;

		assert_int_equal(jv_parse(str_of(bad[i]), 1000, &json, NULL), ERR_OK);
		assert_int_equal(want_parse(json, &w, &e), ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_specs); i++) {
		CLEANUP(arena_done) struct arena a = {0};
		CLEANUP(jv_drop) json_t *json = NULL;
		const char *text = arena_printf(
			&a,
			"{\"uid\":\"0a1b2c3d-4e5f\",\"namespace\":\"a\",\"name\":\"b\",\"spec\":{"
			"\"database\":\"b\",\"version\":\"15\",\"role\":\"primary\"%s}}",
			bad_specs[i]);

		assert_int_equal(jv_parse(str_of(text), 1000, &json, NULL), ERR_OK);
		assert_int_equal(want_parse(json, &w, &e), ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_primary_is_made_step_by_step),
		cmocka_unit_test(a_standby_waits_for_its_upstream_and_copies_it),
		cmocka_unit_test(no_primary_starts_without_the_control_planes_word),
		cmocka_unit_test(a_deposed_primary_is_stopped_and_stays_so),
		cmocka_unit_test(a_standby_becomes_a_primary_only_by_a_newer_epoch),
		cmocka_unit_test(deleting_comes_before_everything),
		cmocka_unit_test(a_primary_that_has_lived_is_not_made_anew),
		cmocka_unit_test(a_restart_is_a_stop_and_a_start),
		cmocka_unit_test(bad_data_and_a_missing_major_are_told),
		cmocka_unit_test(a_server_that_lacks_a_role_still_runs),
		cmocka_unit_test(only_slots_that_are_ours_are_other_slots),
		cmocka_unit_test(a_standby_counts_only_past_the_proof),
		cmocka_unit_test(equal_facts_give_an_equal_report),
		cmocka_unit_test(names_that_could_leave_their_quotes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
