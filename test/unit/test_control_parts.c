/* What the parts of control/ promise: the queue, the index, places. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/index.h"
#include "control/queue.h"
#include "control/reign.h"
#include "control_world.h"

static void a_key_stands_in_the_queue_once(void **state)
{
	struct queue *q = queue_new();

	(void)state;
	queue_add(q, "a", 0);
	queue_add(q, "a", 0);
	queue_add(q, "b", 0);
	assert_int_equal(queue_length(q), 2);
	queue_done(q, queue_take(q, 0));
	queue_done(q, queue_take(q, 0));
	assert_null(queue_take(q, 0));
	assert_int_equal(queue_length(q), 0);
	queue_free(q);
}

static void an_earlier_time_wins(void **state)
{
	struct queue *q = queue_new();
	const char *key;

	(void)state;
	queue_add(q, "late", 60000);
	queue_add(q, "later", 120000);
	assert_null(queue_take(q, 0));
	queue_add(q, "late", 0);
	queue_add(q, "late", 60000);
	key = queue_take(q, 0);
	assert_string_equal(key, "late");
	queue_done(q, key);
	assert_int_equal(queue_length(q), 1);
	queue_free(q);
}

static void what_is_added_meanwhile_comes_back(void **state)
{
	struct queue *q = queue_new();
	const char *key;

	(void)state;
	queue_add(q, "a", 0);
	key = queue_take(q, 0);
	queue_add(q, "a", 0);
	assert_null(queue_take(q, 0)); /* one worker at a time */
	queue_done(q, key);
	key = queue_take(q, 0);
	assert_string_equal(key, "a");
	queue_done(q, key);
	assert_null(queue_take(q, 0));
	queue_free(q);
}

static void failures_double_the_delay_and_success_ends_that(void **state)
{
	struct queue *q = queue_new();
	const char *key;

	(void)state;
	queue_add(q, "a", 0);
	for (int64_t want = QUEUE_BACKOFF_MIN_MS; want < 2000; want *= 2) {
		key = queue_take(q, 0);
		assert_int_equal(queue_fail(q, key, QUEUE_BACKOFF_MAX_MS), want);
		assert_null(queue_take(q, 0));
		queue_add(q, "a", 0); /* something changed: no reason to wait */
	}
	key = queue_take(q, 0);
	assert_int_equal(queue_fail(q, key, 5), 5);
	key = queue_take(q, 1000);
	queue_done(q, key);
	queue_add(q, "a", 0);
	key = queue_take(q, 0);
	assert_int_equal(queue_fail(q, key, QUEUE_BACKOFF_MAX_MS), QUEUE_BACKOFF_MIN_MS);
	queue_free(q);
}

static void what_is_added_to_a_held_queue_is_not_lost(void **state)
{
	struct queue *q = queue_new();
	const char *key;

	(void)state;
	queue_hold(q, true);
	queue_add(q, "a", 0);
	assert_null(queue_take(q, 0));
	queue_hold(q, false);
	key = queue_take(q, 0);
	assert_string_equal(key, "a");
	queue_done(q, key);
	queue_free(q);
}

static void keys_come_in_order_of_their_time(void **state)
{
	struct queue *q = queue_new();
	char key[16];

	(void)state;
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "%03d", i * 7919 % 500);
		queue_add(q, key, -1);
		queue_add(q, key, 0);
	}
	for (int i = 0; i < 500; i++)
		queue_done(q, queue_take(q, 0));
	for (int i = 0; i < 3; i++) { /* far enough apart for a busy machine */
		static const int delays[] = {600, 0, 300};

		snprintf(key, sizeof(key), "%d", delays[i]);
		queue_add(q, key, delays[i]);
	}
	for (int i = 0; i < 3; i++) {
		const char *got = queue_take(q, 5000);

		snprintf(key, sizeof(key), "%d", i * 300);
		assert_string_equal(got, key);
		queue_done(q, got);
	}
	queue_free(q);
}

static void a_cleared_queue_forgets_also_what_workers_have(void **state)
{
	struct queue *q = queue_new();
	const char *key;

	(void)state;
	queue_add(q, "a", 0);
	queue_add(q, "b", 0);
	key = queue_take(q, 0);
	queue_clear(q);
	queue_fail(q, key, 0);
	assert_int_equal(queue_length(q), 0);
	queue_free(q);
}

struct crowd {
	struct queue *q;
	pthread_mutex_t lock;
	int inside[8], taken;
	bool has_met; /* two workers had the same key */
};

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	const char *key;

	while ((key = queue_take(c->q, -1))) {
		int i = key[0] - '0';

		pthread_mutex_lock(&c->lock);
		c->has_met |= c->inside[i]++ > 0;
		c->taken++;
		pthread_mutex_unlock(&c->lock);
		queue_add(c->q, i % 2 ? "0" : "1", 0);
		pthread_mutex_lock(&c->lock);
		c->inside[i]--;
		if (c->taken > 5000)
			queue_stop(c->q);
		pthread_mutex_unlock(&c->lock);
		queue_done(c->q, key);
	}
	return NULL;
}

static void a_key_is_with_one_worker_at_a_time(void **state)
{
	struct crowd c = {.q = queue_new(), .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t workers[4];
	char key[2] = "0";

	(void)state;
	for (; key[0] < '8'; key[0]++)
		queue_add(c.q, key, 0);
	for (size_t i = 0; i < ARRAY_LEN(workers); i++)
		assert_int_equal(pthread_create(&workers[i], NULL, crowd_run, &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(workers); i++)
		pthread_join(workers[i], NULL);
	assert_false(c.has_met);
	queue_free(c.q);
}

/* The index. */

struct touched {
	char text[2000];
};

static void touch(void *arg, const char *key)
{
	struct touched *t = arg;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%s ", key);
}

#define assert_touched(t, keys)                                                                    \
	do {                                                                                       \
		assert_string_equal((t).text, keys);                                               \
		(t).text[0] = 0;                                                                   \
	} while (0)

static void put(struct index *x, struct touched *t, const char *text)
{
	CLEANUP(jv_drop) json_t *o = world_json(text);

	index_put(x, o, touch, t);
}

#define DATABASE                                                                                   \
	"{'kind':'Database','metadata':{'name':'orders','namespace':'shop','resourceVersion':"     \
	"'1'}}"
#define MEMBER(n, revision)                                                                        \
	"{'kind':'Member','metadata':{'name':'orders-" n                                           \
	"','namespace':'shop','resourceVersion':'" revision                                        \
	"'},'spec':{'database':'orders','host':'zone-a'}}"
#define HOST(revision, ready)                                                                      \
	"{'kind':'Host','metadata':{'name':'zone-a','resourceVersion':'" revision                  \
	"'},'spec':{'zone':'zone-a'},'status':{'postgres':[{'major':'15'}],'conditions':[{"        \
	"'type':'Ready','status':'" ready "'}]}}"

static void a_change_touches_the_database_that_it_belongs_to(void **state)
{
	struct index *x = index_new();
	struct touched t = {""};
	CLEANUP(jv_drop) json_t *names = NULL;

	(void)state;
	put(x, &t, DATABASE);
	assert_touched(t, "Database/shop/orders ");
	put(x, &t, MEMBER("1", "5"));
	assert_touched(t, "Database/shop/orders ");
	put(x, &t, MEMBER("1", "5")); /* our own write, seen again */
	put(x, &t, MEMBER("1", "4"));
	assert_touched(t, "");
	put(x, &t,
	    "{'kind':'Secret','metadata':{'name':'orders-app','namespace':'shop',"
	    "'resourceVersion':'6','labels':{'slipway.dev/database':'orders'}}}");
	assert_touched(t, "Database/shop/orders ");
	put(x, &t,
	    "{'kind':'Secret','metadata':{'name':'mine','namespace':'shop','resourceVersion':"
	    "'7'}}");
	assert_touched(t, "");
	names = index_children(x, "Member", "shop", "orders");
	assert_int_equal(json_array_size(names), 1);
	assert_string_equal(jv_str(names, "0"), "orders-1");
	index_free(x);
}

#define GATEWAY(revision, ready, holds)                                                            \
	"{'kind':'Gateway','metadata':{'name':'gw','resourceVersion':'" revision                   \
	"'},'status':{'address':'127.0.0.1:6432','sources':['127.0.6.1'],'holds':[" holds          \
	"],'conditions':[{'type':'Ready','status':'" ready "'}]}}"
#define HOLD(state) "{'name':'shop.orders','id':'1','state':'" state "'}"

static void a_gateway_touches_all_when_it_moves_and_one_when_it_holds(void **state)
{
	struct index *x = index_new();
	struct touched t = {""};
	CLEANUP(jv_drop) json_t *o = world_json(GATEWAY("9", "True", ""));
	json_t *all;

	(void)state;
	put(x, &t, DATABASE);
	t.text[0] = 0;
	put(x, &t, GATEWAY("2", "False", ""));
	assert_touched(t, "Gateway//gw Database/shop/orders ");
	put(x, &t, GATEWAY("3", "True", ""));
	assert_touched(t, "Gateway//gw Database/shop/orders ");
	put(x, &t, GATEWAY("4", "True", ""));
	assert_touched(t, "Gateway//gw ");
	put(x, &t, GATEWAY("5", "True", HOLD("holding")));
	assert_touched(t, "Gateway//gw Database/shop/orders ");
	put(x, &t, GATEWAY("6", "True", HOLD("held")));
	all = index_gateways(x, "shop", "orders");
	assert_int_equal(json_array_size(all), 1);
	assert_true(jv_bool(all, "0.isReady", false));
	assert_string_equal(jv_str(all, "0.hold.state"), "held");
	assert_string_equal(jv_str(all, "0.sources.0"), "127.0.6.1");
	json_decref(all);
	all = index_gateways(x, "shop", "other");
	assert_null(jv_at(all, "0.hold"));
	json_decref(all);
	t.text[0] = 0;
	put(x, &t, GATEWAY("7", "True", "{'name':'shop.gone','id':'1','state':'held'}"));
	assert_touched(t, "Gateway//gw Database/shop/orders ");
	index_remove(x, o, touch, &t);
	assert_touched(t, "Database/shop/orders ");
	all = index_gateways(x, "shop", "orders");
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	index_free(x);
}

static void a_host_touches_its_databases_only_when_it_matters(void **state)
{
	struct index *x = index_new();
	struct touched t = {""};
	struct index_hosts *hosts;

	(void)state;
	put(x, &t, HOST("1", "True"));
	put(x, &t, DATABASE);
	put(x, &t, MEMBER("1", "5"));
	index_settle(x, "shop", "orders", true);
	t.text[0] = 0;
	put(x, &t, HOST("6", "True"));
	assert_touched(t, "Host//zone-a ");
	put(x, &t, HOST("7", "False"));
	assert_touched(t, "Host//zone-a Database/shop/orders ");
	hosts = index_hosts(x);
	assert_int_equal(hosts->n, 1);
	assert_int_equal(hosts->v[0].members, 1);
	assert_false(hosts->v[0].is_ready);
	assert_int_equal(hosts->v[0].majors, 1u << 15);
	index_hosts_drop(x, hosts);
	index_free(x);
}

static void what_a_list_does_not_name_has_gone(void **state)
{
	struct index *x = index_new();
	struct touched t = {""};
	CLEANUP(jv_drop) json_t *names = NULL;

	(void)state;
	put(x, &t, DATABASE);
	put(x, &t, MEMBER("1", "5"));
	put(x, &t, MEMBER("2", "6"));
	t.text[0] = 0;
	index_list_begin(x);
	put(x, &t, MEMBER("2", "6"));
	index_list_end(x, touch, &t);
	assert_non_null(strstr(t.text, "Database/shop/orders"));
	names = index_children(x, "Member", "shop", "orders");
	assert_int_equal(json_array_size(names), 1);
	assert_string_equal(jv_str(names, "0"), "orders-2");
	index_free(x);
}

static void count_touch(void *arg, const char *key)
{
	(void)key;
	++*(size_t *)arg;
}

static void databases_at_rest_are_looked_at_rarely(void **state)
{
	struct index *x = index_new();
	struct touched t = {""};
	size_t n = 0;

	(void)state;
	put(x, &t, DATABASE);
	index_each_due(x, 0, 360, count_touch, &n);
	assert_int_equal(n, 1);
	index_settle(x, "shop", "orders", true);
	n = 0;
	for (uint64_t round = 0; round < 360; round++)
		index_each_due(x, round, 360, count_touch, &n);
	assert_int_equal(n, 1);
	index_free(x);
}

static void a_terminating_namespace_hears_of_each_end(void **state)
{
	struct index *x = index_new();
	struct touched t = {""};
	CLEANUP(jv_drop) json_t *o = world_json(DATABASE);

	(void)state;
	put(x, &t, "{'kind':'Namespace','metadata':{'name':'shop','resourceVersion':'1'}}");
	put(x, &t, DATABASE);
	assert_true(index_is_open(x, "shop"));
	assert_false(index_is_open(x, "other"));
	put(x, &t,
	    "{'kind':'Namespace','metadata':{'name':'shop','resourceVersion':'2',"
	    "'deletionTimestamp':'2026-11-24T09:00:00Z'}}");
	assert_false(index_is_open(x, "shop"));
	t.text[0] = 0;
	jv_set_str(o, "metadata.resourceVersion", "3");
	index_remove(x, o, touch, &t);
	assert_non_null(strstr(t.text, "Namespace//shop"));
	index_free(x);
}

/* Places. */

static const struct place_host hosts[] = {
	{.name = "a1", .zone = "a", .majors = 1u << 15, .is_ready = true, .members = 3},
	{.name = "a2", .zone = "a", .majors = 1u << 15, .is_ready = true, .members = 1},
	{.name = "b1", .zone = "b", .majors = 1u << 15, .is_ready = true, .members = 1},
	{.name = "c1",
	 .zone = "c",
	 .majors = 1u << 15 | 1u << 17,
	 .is_closed = true,
	 .is_ready = true},
	{.name = "d1", .zone = "d", .majors = 1u << 17},
};

static void members_go_where_there_are_fewest(void **state)
{
	struct place_ask ask = {.major = 15, .zones_needed = 2};
	CLEANUP(jv_drop) json_t *zones = world_json("['b','a']");
	struct arena a = {0};
	const char *why;

	(void)state;
	assert_string_equal(place_choose(&a, hosts, 5, &ask, &why)->name, "a2");
	ask.used[ask.used_n++] = "a";
	assert_string_equal(place_choose(&a, hosts, 5, &ask, &why)->name, "b1");
	ask.used_n = 0;
	ask.zones = zones;
	assert_string_equal(place_choose(&a, hosts, 5, &ask, &why)->name, "b1");
	arena_done(&a);
}

static void what_is_missing_is_named(void **state)
{
	static const struct {
		struct place_ask ask;
		size_t n;
		const char *why;
	} cases[] = {
		{{.major = 15}, 0, "Waiting for a host: none has joined yet"},
		{{.major = 16},
		 5,
		 "Waiting for a host with PostgreSQL 16: the hosts have 15 and 17"},
		{{.major = 17},
		 5,
		 "Waiting for a host with PostgreSQL 17: there is none to be had; host c1 in c has "
		 "it "
		 "but takes no new members; host d1 in d has it but is silent"},
		{{.major = 15, .used = {"a", "b"}, .used_n = 2, .zones_needed = 3},
		 5,
		 "Waiting for a third zone: a flexible database needs 3, only a and b have a host "
		 "with PostgreSQL 15; host c1 in c has it but takes no new members"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = NULL;

		assert_null(place_choose(&a, hosts, cases[i].n, &cases[i].ask, &why));
		assert_string_equal(why, cases[i].why);
	}
	arena_done(&a);
}

/* Reigns. */

static void only_a_member_of_the_set_may_follow(void **state)
{
	CLEANUP(jv_drop) json_t *b = world_json("['b']");
	CLEANUP(jv_drop) json_t *a = world_json("['a']");
	CLEANUP(jv_drop) json_t *none = json_array();
	const struct reign nobody = {"", 0, none}, first = {"a", 1, b};
	const struct {
		struct reign from, to;
		bool is_allowed;
	} cases[] = {
		{nobody, {"a", 1, none}, true},
		{nobody, {"a", 1, b}, false},
		{nobody, {"a", 2, none}, false},
		{first, {"a", 1, none}, true},
		{first, {"b", 2, none}, true},
		{first, {"b", 1, none}, false},
		{first, {"b", 3, none}, false},
		{first, {"c", 2, none}, false},
		{first, {"a", 1, a}, false}, /* a primary is no standby of itself */
		{{"a", 1, none}, {"b", 2, none}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			reign_is_allowed(&cases[i].from, &cases[i].to), cases[i].is_allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_stands_in_the_queue_once),
		cmocka_unit_test(an_earlier_time_wins),
		cmocka_unit_test(what_is_added_meanwhile_comes_back),
		cmocka_unit_test(failures_double_the_delay_and_success_ends_that),
		cmocka_unit_test(what_is_added_to_a_held_queue_is_not_lost),
		cmocka_unit_test(keys_come_in_order_of_their_time),
		cmocka_unit_test(a_cleared_queue_forgets_also_what_workers_have),
		cmocka_unit_test(a_key_is_with_one_worker_at_a_time),
		cmocka_unit_test(a_change_touches_the_database_that_it_belongs_to),
		cmocka_unit_test(a_gateway_touches_all_when_it_moves_and_one_when_it_holds),
		cmocka_unit_test(a_host_touches_its_databases_only_when_it_matters),
		cmocka_unit_test(what_a_list_does_not_name_has_gone),
		cmocka_unit_test(databases_at_rest_are_looked_at_rarely),
		cmocka_unit_test(a_terminating_namespace_hears_of_each_end),
		cmocka_unit_test(members_go_where_there_are_fewest),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(only_a_member_of_the_set_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
