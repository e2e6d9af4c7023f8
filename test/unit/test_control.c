/*
 * The controllers on a real store, with agents that do at once what they are told: a Database
 * comes, changes and goes, also through an outage of the system database.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "control/control.h"
#include "control/event.h"
#include "control_world.h"
#include "kinds/cond.h"
#include "kinds/kinds.h"
#include "kinds/member.h"
#include "pgtest.h"

enum { WAIT_MS = 60000, HOST_SILENT_MS = 1500 };

static struct pgtest pg;
static struct store *store;
static struct secret_key *key;
static struct control *control;

/* What all agents of this test are: one thread. */
static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	bool is_stopping;
	bool is_silent; /* all hosts */
} agents = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool flag(const bool *of)
{
	bool is;

	pthread_mutex_lock(&agents.lock);
	is = *of;
	pthread_mutex_unlock(&agents.lock);
	return is;
}

static void flag_set(bool *of, bool is)
{
	pthread_mutex_lock(&agents.lock);
	*of = is;
	pthread_mutex_unlock(&agents.lock);
}

static enum err_code
write_one(enum store_verb verb, const char *kind, const char *ns, const char *name, json_t *o)
{
	struct store_write w = {.verb = verb, .key = {kind, ns, name}, .object = o};
	struct err e;
	enum err_code code = store_write(store, &w, 1, &e);

	json_decref(w.ret);
	return code;
}

/* All of its spec is in place: a standby streams, and the primary has seen it do so. */
static json_t *status_of(const json_t *m)
{
	const json_t *spec = jv_at(m, "spec");
	const char *names = jv_str_or(spec, "synchronousStandbyNames", "");
	bool is_primary = !strcmp(jv_str_or(spec, "role", ""), "primary");
	struct arena a = {0};
	json_t *s = json_object(), *one, *replicas = json_array(), *seen = json_array();
	size_t i;

	jv_set_str(s, "state", is_primary || jv_at(spec, "upstream") ? "Running" : "Pending");
	json_object_set(s, "role", jv_at(spec, "role"));
	json_object_set(s, "epoch", jv_at(spec, "epoch"));
	json_object_set(s, "restarted", jv_at(spec, "restart"));
	jv_set_str(s, "address", "127.0.0.1");
	jv_set(s, "port", json_integer(5433));
	jv_set_str(s, "endpoint", "127.0.0.1:5433");
	jv_set_str(s, "settingsHash", member_settings_hash(&a, spec));
	jv_set_str(s, "rolesHash", member_roles_hash(&a, spec));
	json_array_foreach (jv_at(spec, "standbys"), i, one) {
		json_array_append_new(
			replicas, json_pack("{s:O, s:s}", "member", one, "state", "streaming"));
		if (strstr(names, member_slot(&a, json_string_value(one))))
			json_array_append(seen, one);
	}
	json_object_set_new(s, "replicas", replicas);
	jv_set_str(s, "synchronous.names", names);
	json_object_set_new(jv_at(s, "synchronous"), "members", seen);
	arena_done(&a);
	return s;
}

static void agent_of(json_t *m)
{
	json_t *status =
		cluster_is_deleting(m) ? json_pack("{s:s}", "state", "Removed") : status_of(m);

	if (!json_equal(status, jv_at(m, "status"))) {
		json_object_set(m, "status", status);
		write_one(
			STORE_STATUS, "Member", jv_str(m, "metadata.namespace"),
			jv_str(m, "metadata.name"), m);
	}
	json_decref(status);
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void *agents_run(void *arg)
{
	static const char *const hosts[] = {"zone-a", "zone-b", "zone-c"};

	(void)arg;
	for (; !flag(&agents.is_stopping); pause_ms(20)) {
		CLEANUP(jv_drop) json_t *members = NULL;
		json_t *m;
		int64_t revision;
		struct err e;
		size_t i;

		if (flag(&agents.is_silent))
			continue;
		for (i = 0; i < ARRAY_LEN(hosts); i++)
			store_pulse_put(store, hosts[i], STR(""));
		if (store_list_json(store, "Member", NULL, &members, &revision, &e))
			continue;
		json_array_foreach (members, i, m)
			agent_of(m);
	}
	return NULL;
}

static void create(const char *ns, const char *text)
{
	CLEANUP(jv_drop) json_t *o = world_json(text);

	assert_int_equal(
		write_one(STORE_CREATE, jv_str(o, "kind"), ns, jv_str(o, "metadata.name"), o),
		ERR_OK);
}

static json_t *get(const char *kind, const char *ns, const char *name)
{
	json_t *o = NULL;
	struct err e;

	store_get(store, (struct store_key){kind, ns, name}, &o, &e);
	return o;
}

static size_t count(const char *kind, const char *ns)
{
	CLEANUP(jv_drop) json_t *all = NULL;
	struct store_filter f = {.ns = ns};
	int64_t revision;
	struct err e;

	if (store_list_json(store, kind, &f, &all, &revision, &e))
		return SIZE_MAX;
	return json_array_size(all);
}

/* Waits until the condition has the status; *ret_us is how long that took. */
static void wait_condition(
	const char *kind, const char *ns, const char *name, const char *type, const char *want)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	for (;;) {
		CLEANUP(jv_drop) json_t *o = get(kind, ns, name);
		const json_t *c = cond_get(o, type);

		if (c && !strcmp(jv_str_or(c, "status", ""), want) &&
		    (!jv_at(c, "observedGeneration") ||
		     jv_int(c, "observedGeneration", 0) == jv_int(o, "metadata.generation", -1)))
			return;
		if (clock_mono_ms() > end)
			fail_msg("%s %s never became %s=%s", kind, name, type, want);
		pause_ms(5);
	}
}

static void wait_gone(const char *kind, const char *ns, const char *name)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	for (;;) {
		CLEANUP(jv_drop) json_t *o = get(kind, ns, name);

		if (!o && store_is_up(store, &(int){0}))
			return;
		if (clock_mono_ms() > end)
			fail_msg("%s %s is still there", kind, name);
		pause_ms(5);
	}
}

#define NAMESPACE                                                                                  \
	"{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'shop','finalizers':["           \
	"'slipway.dev/namespace']},'status':{'phase':'Active'}}"
#define HOST(zone)                                                                                 \
	"{'apiVersion':'slipway.dev/v1','kind':'Host','metadata':{'name':'" zone                   \
	"'},'spec':{'zone':'" zone "'},'status':{'address':'127.0.0.1','postgres':[{'major':"      \
	"'15'}]}}"
#define DATABASE(name, more)                                                                       \
	"{'apiVersion':'slipway.dev/v1','kind':'Database','metadata':{'name':'" name               \
	"','namespace':'shop'},'spec':{'engine':'postgres','version':'15','size':'small',"         \
	"'roles':[{'name':'app','login':true}],'databases':[{'name':'orders','owner':'app'}]" more \
	"}}"

static void controllers_start(void)
{
	const struct control_conf conf = {
		.store = store,
		.ca_pem = "CA",
		.host_silent_ms = HOST_SILENT_MS,
		.resync_ms = 3600 * 1000, /* what is forgotten is never looked at again */
	};
	struct err e;

	assert_int_equal(control_start(&conf, &control, &e), ERR_OK);
}

static int setup(void **state)
{
	struct store_conf conf = {0};
	char path[128];
	struct err e = {0};

	(void)state;
	if (!pgtest_start(&pg, 15, NULL))
		return -1;
	snprintf(path, sizeof(path), "%s/key", pg.dir);
	if (kinds_init(&e) || secret_key_open(path, &key, &e))
		fail_msg("%s", e.text);
	conf.conninfo = pg.conninfo;
	conf.key = key;
	if (store_open(&conf, &store, &e))
		fail_msg("%s", e.text);
	create("", NAMESPACE);
	create("", HOST("zone-a"));
	create("", HOST("zone-b"));
	create("", HOST("zone-c"));
	pthread_create(&agents.thread, NULL, agents_run, NULL);
	controllers_start();
	for (const char *const *h = (const char *const[]){"zone-a", "zone-b", "zone-c", NULL}; *h;
	     h++)
		wait_condition("Host", "", *h, "Ready", "True");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	flag_set(&agents.is_stopping, true);
	pthread_join(agents.thread, NULL);
	control_stop(control);
	store_close(store);
	secret_key_free(key);
	pgtest_stop(&pg);
	return 0;
}

static void databases_become_ready_and_go_without_a_trace(void **state)
{
	(void)state;
	create("shop", DATABASE("single", ""));
	create("shop", DATABASE("orders", ",'tier':'flexible','standbys':1"));
	wait_condition("Database", "shop", "single", "Ready", "True");
	wait_condition("Database", "shop", "orders", "Ready", "True");
	assert_int_equal(count("Member", "shop"), 3);
	assert_int_equal(count("Secret", "shop"), 4);
	assert_int_equal(write_one(STORE_DELETE, "Database", "shop", "single", NULL), ERR_OK);
	assert_int_equal(write_one(STORE_DELETE, "Database", "shop", "orders", NULL), ERR_OK);
	wait_gone("Database", "shop", "single");
	wait_gone("Database", "shop", "orders");
	assert_int_equal(count("Member", "shop"), 0);
	assert_int_equal(count("Secret", "shop"), 0);
}

static void many_databases_take_turns(void **state)
{
	enum { MANY = 60 };

	(void)state;
	for (int i = 0; i < MANY; i++) {
		CLEANUP(jv_drop) json_t *o = world_json(DATABASE("x", ",'tier':'flexible'"));
		char name[32];

		snprintf(name, sizeof(name), "many-%d", i);
		jv_set_str(o, "metadata.name", name);
		assert_int_equal(write_one(STORE_CREATE, "Database", "shop", name, o), ERR_OK);
	}
	for (int i = 0; i < MANY; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many-%d", i);
		wait_condition("Database", "shop", name, "Ready", "True");
	}
	assert_int_equal(count("Member", "shop"), 2 * MANY);
	for (int i = 0; i < MANY; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many-%d", i);
		write_one(STORE_DELETE, "Database", "shop", name, NULL);
	}
	for (int i = 0; i < MANY; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many-%d", i);
		wait_gone("Database", "shop", name);
	}
	assert_int_equal(count("Member", "shop"), 0);
}

static void an_outage_of_the_system_database_is_only_a_pause(void **state)
{
	(void)state;
	create("shop", DATABASE("orders", ",'tier':'flexible','standbys':1"));
	pgtest_kill(&pg);
	pause_ms(300);
	pgtest_restart(&pg);
	wait_condition("Database", "shop", "orders", "Ready", "True");
	pgtest_kill(&pg);
	pgtest_restart(&pg);
	while (write_one(STORE_DELETE, "Database", "shop", "orders", NULL) == ERR_UNAVAILABLE)
		pause_ms(50);
	wait_gone("Database", "shop", "orders");
}

static void the_next_controllers_go_on_from_the_rows(void **state)
{
	(void)state;
	control_stop(control);
	create("shop", DATABASE("orders", ""));
	controllers_start();
	control_stop(control); /* perhaps in the middle */
	controllers_start();
	wait_condition("Database", "shop", "orders", "Ready", "True");
	control_stop(control);
	assert_int_equal(write_one(STORE_DELETE, "Database", "shop", "orders", NULL), ERR_OK);
	controllers_start();
	wait_gone("Database", "shop", "orders");
}

static void a_silent_host_is_seen_and_heard_again(void **state)
{
	(void)state;
	create("shop", DATABASE("orders", ""));
	wait_condition("Database", "shop", "orders", "Ready", "True");
	flag_set(&agents.is_silent, true);
	wait_condition("Host", "", "zone-a", "Ready", "False");
	wait_condition("Database", "shop", "orders", "Ready", "Unknown");
	flag_set(&agents.is_silent, false);
	wait_condition("Host", "", "zone-a", "Ready", "True");
	wait_condition("Database", "shop", "orders", "Ready", "True");
}

/* Somebody took the finalizer off by force: what was owned does not stay. */
static void what_a_lost_database_owned_is_collected(void **state)
{
	CLEANUP(jv_drop) json_t *o = get("Database", "shop", "orders");
	int64_t end = clock_mono_ms() + WAIT_MS;

	(void)state;
	assert_non_null(o);
	jv_remove(o, "metadata.finalizers");
	control_stop(control);
	assert_int_equal(write_one(STORE_UPDATE, "Database", "shop", "orders", o), ERR_OK);
	assert_int_equal(write_one(STORE_DELETE, "Database", "shop", "orders", NULL), ERR_OK);
	controllers_start();
	while (count("Member", "shop") || count("Secret", "shop")) {
		if (clock_mono_ms() > end)
			fail_msg("members or secrets are left");
		pause_ms(20);
	}
}

static size_t events_of(const char *reason)
{
	CLEANUP(jv_drop) json_t *all = NULL;
	struct store_filter f = {.ns = "shop"};
	int64_t revision;
	struct err e;
	size_t n = 0, i;
	json_t *o;

	store_list_json(store, "Event", &f, &all, &revision, &e);
	json_array_foreach (all, i, o)
		n += !strcmp(jv_str_or(o, "reason", ""), reason);
	return n;
}

static void ignore(void *arg, const char *what)
{
	(void)arg;
	(void)what;
}

static void what_happened_is_told(void **state)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	(void)state;
	while (!events_of("Ready") || !events_of("MemberPlaced")) {
		if (clock_mono_ms() > end)
			fail_msg("nobody tells");
		pause_ms(20);
	}
	assert_int_equal(events_of("ReconcileFailed"), 0);
}

/* A log of its own: what it says, and when it forgets. */
static void the_same_again_counts_up_and_ends_after_an_hour(void **state)
{
	CLEANUP(jv_drop) json_t *ns = get("Namespace", "", "shop");
	CLEANUP(jv_drop) json_t *about = world_json(DATABASE("counted", ""));
	struct outcome_event ev = {about, true, "Tired", "It is tired"};
	struct index *x = index_new();
	struct event_log *l = event_log_new(store, x);
	struct err e;

	(void)state;
	index_put(x, ns, ignore, NULL);
	for (int i = 0; i < 3; i++) {
		event_log_add(l, &ev);
		if (i)
			assert_int_equal(event_log_flush(l, &e), ERR_OK);
	}
	{
		CLEANUP(jv_drop) json_t *all = NULL;
		struct store_filter f = {.ns = "shop"};
		int64_t revision;
		json_t *o;
		size_t i, n = 0;

		assert_int_equal(store_list_json(store, "Event", &f, &all, &revision, &e), ERR_OK);
		json_array_foreach (all, i, o) {
			if (strcmp(jv_str_or(o, "reason", ""), "Tired") != 0)
				continue;
			assert_int_equal(jv_int(o, "count", 0), 3);
			event_log_seen(l, o, false);
			n++;
		}
		assert_int_equal(n, 1);
	}
	assert_int_equal(event_log_prune(l, clock_wall_us() + INT64_C(3500000000), &e), ERR_OK);
	assert_int_equal(events_of("Tired"), 1);
	assert_int_equal(event_log_prune(l, clock_wall_us() + INT64_C(3700000000), &e), ERR_OK);
	assert_int_equal(events_of("Tired"), 0);
	event_log_free(l);
	index_free(x);
}

static void a_namespace_takes_everything_along(void **state)
{
	(void)state;
	create("shop", DATABASE("orders", ",'tier':'flexible'"));
	create("shop", DATABASE("kept", ",'deletionProtection':true"));
	create("shop",
	       "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'mine','namespace':"
	       "'shop'},'data':{}}");
	wait_condition("Database", "shop", "kept", "Ready", "True");
	assert_int_equal(write_one(STORE_DELETE, "Namespace", "", "shop", NULL), ERR_OK);
	wait_gone("Database", "shop", "orders");
	wait_condition("Namespace", "", "shop", "NamespaceContentRemaining", "True");
	{
		CLEANUP(jv_drop) json_t *o = get("Database", "shop", "kept");

		jv_set(o, "spec.deletionProtection", json_false());
		assert_int_equal(write_one(STORE_UPDATE, "Database", "shop", "kept", o), ERR_OK);
	}
	wait_gone("Namespace", "", "shop");
	for (const char *const *k =
		     (const char *const[]){"Database", "Member", "Secret", "Event", NULL};
	     *k; k++)
		assert_int_equal(count(*k, "shop"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(databases_become_ready_and_go_without_a_trace),
		cmocka_unit_test(many_databases_take_turns),
		cmocka_unit_test(an_outage_of_the_system_database_is_only_a_pause),
		cmocka_unit_test(the_next_controllers_go_on_from_the_rows),
		cmocka_unit_test(a_silent_host_is_seen_and_heard_again),
		cmocka_unit_test(what_a_lost_database_owned_is_collected),
		cmocka_unit_test(what_happened_is_told),
		cmocka_unit_test(the_same_again_counts_up_and_ends_after_an_hour),
		cmocka_unit_test(a_namespace_takes_everything_along),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
