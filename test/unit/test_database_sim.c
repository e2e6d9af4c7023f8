/*
 * A small world with agents that do what they are told late, out of step, crash and come back; two
 * controllers that read and write at different times; people who change their mind. After each step
 * the rules of high availability must hold, and once the faults stop, all must become as it was
 * asked for. Built with mistakes in the rules (control/mutant.h): each must be noticed.
 *
 *   test_database_sim [SEED [MUTANT]] runs one seed and tells what happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/mutant.h"
#include "kinds/cond.h"
#include "sim_servers.h"

int mutant;

enum { STEPS = 1500, CALM_ROUNDS = 400, SEEDS = 60, MUTANT_SEEDS = 600 };

/* Controllers. */

static void leader_drop(struct leader *l)
{
	json_decref(l->database);
	json_decref(l->members);
	json_decref(l->secrets);
	if (l->out)
		outcome_done(l->out);
	arena_done(&l->arena);
	*l = (struct leader){0};
}

/* Reads the Database, reads the rest, plans, writes: one of these at each call. */
static void leader_step(struct sim *s, struct leader *l)
{
	if (!l->database) {
		json_t *d = world_get(&s->w, "Database", "orders");

		l->database = d ? json_deep_copy(d) : NULL;
	} else if (!l->members) {
		CLEANUP(jv_drop) json_t *members = world_list(&s->w, "Member");
		CLEANUP(jv_drop) json_t *secrets = world_list(&s->w, "Secret");

		l->members = json_deep_copy(members);
		l->secrets = json_deep_copy(secrets);
	} else if (!l->out) {
		l->out = arena_new(&l->arena, struct outcome);
		world_plan(&s->w, l->database, l->members, l->secrets, &l->arena, l->out);
	} else {
		bool is_done = world_apply(&s->w, l->out);

		for (size_t i = 0; i < l->out->writes_n && s->is_verbose; i++)
			sim_tell(
				s, " verb %d of %s %s, names %s, set %s, max %s",
				(int)l->out->writes[i].verb, l->out->writes[i].key.kind,
				l->out->writes[i].key.name,
				jv_str_or(
					l->out->writes[i].object, "spec.synchronousStandbyNames",
					"-"),
				jv_str_or(l->out->writes[i].object, "status.syncSet.0", "-"),
				jv_str_or(
					l->out->writes[i].object, "spec.settings.max_connections",
					"-"));
		if (l->out->writes_n)
			sim_tell(
				s, "leader %d %s %zu writes", (int)(l - s->leaders),
				is_done ? "made" : "could not make", l->out->writes_n);
		leader_drop(l);
	}
}

/* Rules. */

static int64_t flushed_of(struct sim *s, const char *name)
{
	struct server *v = sim_server_find(s, name);

	if (!v || v->is_wiped)
		return INT64_MAX; /* people took it away: no rule of ours can help */
	return v->state == SERVER_UP || v->state == SERVER_DOWN ? v->flushed : -1;
}

static void check_set(struct sim *s)
{
	const json_t *d = world_get(&s->w, "Database", "orders");
	json_t *set = cluster_is_deleting(d) ? NULL : jv_at(d, "status.syncSet"), *one;
	int64_t most = -1;
	size_t i;

	json_array_foreach (set, i, one)
		most = MAX(most, flushed_of(s, json_string_value(one)));
	if (json_array_size(set) && most < s->acked)
		sim_broken(
			s, "the set of %zu holds up to %lld, acknowledged is %lld",
			json_array_size(set), (long long)most, (long long)s->acked);
	s->was_ever_synchronous |= json_array_size(set) > 0;
}

static void check_strict(struct sim *s)
{
	struct server *p = sim_primary_of(s);

	if (s->is_strict && s->was_ever_synchronous && p && p->state == SERVER_UP && !p->names[0])
		sim_broken(s, "a strict primary goes on alone");
}

static void check_members(struct sim *s)
{
	CLEANUP(jv_drop) json_t *members = world_list(&s->w, "Member");
	size_t primaries = 0, i, j;
	json_t *m, *other;

	json_array_foreach (members, i, m) {
		const char *name = jv_str(m, "metadata.name"), *uid = jv_str(m, "metadata.uid");
		const char *seen = jv_str(s->names_seen, name);

		primaries += !strcmp(jv_str_or(m, "spec.role", ""), "primary");
		if (seen && strcmp(seen, uid) != 0)
			sim_broken(s, "the name %s was used before", name);
		json_object_set_new(s->names_seen, name, json_string(uid));
		json_array_foreach (members, j, other)
			if (j > i && !cluster_is_deleting(m) && !cluster_is_deleting(other) &&
			    !strcmp(jv_str_or(m, "spec.zone", ""),
				    jv_str_or(other, "spec.zone", "")))
				sim_broken(s, "two members are in %s", jv_str(m, "spec.zone"));
	}
	if (primaries > 1)
		sim_broken(s, "there are %zu primaries", primaries);
}

static void check_servers(struct sim *s)
{
	size_t restarting = 0;

	for (size_t i = 0; i < s->servers_n; i++) {
		struct server *v = &s->servers[i];

		if (!v->is_there || v->is_going || v->is_wiped)
			continue;
		restarting += v->state != SERVER_NONE && sim_host_of(s, v) &&
			v->restarted < jv_int(v->want, "restart", 0);
	}
	if (restarting > 1)
		sim_broken(s, "%zu servers are to restart at once", restarting);
}

static const char *note_of(const json_t *secret, const char *key)
{
	const char *text =
		json_string_value(json_object_get(jv_at(secret, "metadata.annotations"), key));

	return text ? text : "";
}

static int64_t number_of(const json_t *secret)
{
	int64_t n = 0;

	str_to_i64(str_of(note_of(secret, "slipway.dev/credential")), &n);
	return n;
}

/* The servers get a new password when somebody has fetched it, or after an hour. */
static void check_verifier(struct sim *s)
{
	const json_t *of = world_get(&s->w, "Secret", "orders-app");
	int64_t n = number_of(of), at;

	if (n < 2 || n == s->fetched ||
	    number_of(world_get(&s->w, "Secret", "orders-app-verifier")) != n)
		return;
	if (!clock_parse(str_of(note_of(of, "slipway.dev/rotated-at")), &at, NULL) &&
	    s->w.now_us - at < INT64_C(3600000000))
		sim_broken(s, "the verifier changed before the password was fetched");
}

static void check(struct sim *s)
{
	sim_acknowledge(s);
	check_set(s);
	check_strict(s);
	check_members(s);
	check_servers(s);
	check_verifier(s);
}

/* People and faults. */

static void
annotate(struct sim *s, const char *kind, const char *name, const char *key, const char *value)
{
	json_t *was = world_get(&s->w, kind, name), *o;

	if (!was)
		return;
	o = json_deep_copy(was);
	json_object_set_new(jv_object_at(o, "metadata.annotations"), key, json_string(value));
	world_write(&s->w, STORE_UPDATE, kind, name, o);
}

static void people(struct sim *s)
{
	static const char *const changes[] = {
		"{'parameters':{'max_connections':'20'}}",
		"{'parameters':{'max_connections':'100','shared_buffers':'256MB'}}",
		"{'parameters':{'max_connections':'200','max_worker_processes':'8'}}",
		"{'parameters':{'work_mem':'8MB'}}",
		"{'size':'medium'}",
		"{'size':'small'}",
		"{'roles':[{'name':'app'},{'name':'reader'}]}",
		"{'roles':[{'name':'app'}]}",
		"{'tier':'flexible','standbys':2}",
		"{'tier':'flexible','standbys':1}",
		"{'tier':'single','standbys':null}",
	};
	size_t n = ARRAY_LEN(changes) - (s->is_strict ? 1 : 0);
	const char *change = changes[sim_roll(s, n)];
	char text[24];

	if (!world_get(&s->w, "Database", "orders") ||
	    cluster_is_deleting(world_get(&s->w, "Database", "orders")))
		return;
	if (sim_roll(s, 5) == 0) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)s->w.revision);
		annotate(s, "Database", "orders", "slipway.dev/rotate-credentials", text);
		return;
	}
	sim_tell(s, "people: %s", change);
	world_change(&s->w, change);
}

static void fetch(struct sim *s)
{
	const json_t *of = world_get(&s->w, "Secret", "orders-app");

	if (strcmp(note_of(of, "slipway.dev/rotation"), "pending") != 0)
		return;
	s->fetched = number_of(of);
	annotate(s, "Secret", "orders-app", "slipway.dev/rotation", "fetched");
}

static struct server *any_standby(struct sim *s)
{
	struct server *v = s->servers_n ? &s->servers[sim_roll(s, s->servers_n)] : NULL;

	return v && v->is_there && v->want && sim_is_role(v, "standby") ? v : NULL;
}

static void operator_deletes(struct sim *s)
{
	struct server *v = any_standby(s);

	if (!v || !world_get(&s->w, "Member", v->name))
		return;
	sim_tell(s, "somebody deletes %s", v->name);
	v->is_wiped = true;
	world_delete(&s->w, "Member", v->name);
}

static void host_toggle(struct sim *s)
{
	struct place_host *h = &s->w.hosts[sim_roll(s, s->w.hosts_n)];

	h->is_ready = !h->is_ready;
}

/* The machine of a standby is gone for good; another one takes its name. */
static void host_lost(struct sim *s)
{
	struct server *v = any_standby(s);

	if (!v || s->w.hosts_n < 3 || !sim_host_of(s, v))
		return;
	for (size_t i = 0; i < s->w.hosts_n; i++) {
		if (&s->w.hosts[i] != sim_host_of(s, v))
			continue;
		for (size_t j = 0; j < s->servers_n; j++)
			if (s->servers[j].want && sim_is_role(&s->servers[j], "primary") &&
			    sim_host_of(s, &s->servers[j]) == &s->w.hosts[i])
				return;
		sim_tell(s, "host %s is gone", s->w.hosts[i].name);
		for (size_t j = 0; j < s->servers_n; j++)
			if (s->servers[j].want &&
			    sim_host_of(s, &s->servers[j]) == &s->w.hosts[i]) {
				sim_server_down(s, &s->servers[j]);
				s->servers[j].is_wiped = true;
				s->servers[j].state = SERVER_NONE;
				s->servers[j].flushed = 0;
			}
		s->w.hosts[i] = s->w.hosts[--s->w.hosts_n];
		return;
	}
}

static void fault(struct sim *s)
{
	struct server *v = s->servers_n ? &s->servers[sim_roll(s, s->servers_n)] : NULL;

	switch (sim_roll(s, 8)) {
	case 0:
	case 1:
		if (v && v->is_there)
			sim_server_down(s, v);
		break;
	case 2:
	case 3:
		if (v)
			v->is_connected = false;
		break;
	case 4:
	case 5:
		host_toggle(s);
		break;
	case 6:
		if (sim_roll(s, 4) == 0)
			operator_deletes(s);
		break;
	default:
		if (sim_roll(s, 12) == 0)
			host_lost(s);
	}
}

static void commit_and_replicate(struct sim *s)
{
	struct server *p = sim_primary_of(s);

	if (!p || p->state != SERVER_UP)
		return;
	p->flushed += (int64_t)sim_roll(s, 3);
	for (size_t i = 0; i < s->servers_n; i++) {
		struct server *v = &s->servers[i];

		if (v->is_connected && v->flushed < p->flushed)
			v->flushed += (int64_t)sim_roll(s, (uint64_t)(p->flushed - v->flushed) + 1);
	}
}

static void step(struct sim *s)
{
	struct server *v = s->servers_n ? &s->servers[sim_roll(s, s->servers_n)] : NULL;

	switch (sim_roll(s, 24)) {
	case 0:
	case 1:
	case 2:
		sim_wants(s);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		if (v)
			sim_server_step(s, v);
		break;
	case 8:
	case 9:
	case 10:
		if (v)
			sim_report(s, v);
		break;
	case 11:
	case 12:
	case 13:
		if (v)
			sim_deliver(s, v);
		break;
	case 14:
	case 15:
		commit_and_replicate(s);
		break;
	case 16:
		s->w.now_us += (int64_t)sim_roll(s, 4000000);
		if (sim_roll(s, 100) == 0)
			s->w.now_us += INT64_C(3600000000);
		break;
	case 17:
		if (sim_roll(s, 3) == 0)
			fault(s);
		break;
	case 18:
		if (sim_roll(s, 4) == 0)
			people(s);
		if (sim_roll(s, 20) == 0)
			fetch(s);
		break;
	default:
		leader_step(s, &s->leaders[sim_roll(s, 6) == 0]);
	}
}

/* No more faults: all becomes as it was asked for. */

static void calm_round(struct sim *s)
{
	sim_wants(s);
	for (size_t i = 0; i < s->servers_n; i++) {
		for (int n = 0; n < 4; n++)
			sim_server_step(s, &s->servers[i]);
		commit_and_replicate(s);
		sim_acknowledge(s);
		sim_report(s, &s->servers[i]);
		while (s->servers[i].reports_n)
			sim_deliver(s, &s->servers[i]);
	}
	for (int n = 0; n < 8; n++) {
		leader_step(s, &s->leaders[0]);
		check(s);
	}
	s->w.now_us += 1000000;
}

static bool is_settled(struct sim *s)
{
	const json_t *d = world_get(&s->w, "Database", "orders");
	const char *ready = cond_status(d, "Ready"), *doing = cond_status(d, "Progressing");
	int64_t standbys = jv_int(d, "spec.standbys", 0);

	return ready && !strcmp(ready, "True") && doing && !strcmp(doing, "False") &&
		jv_int(d, "status.settledGeneration", 0) == jv_int(d, "metadata.generation", -1) &&
		(int64_t)json_array_size(jv_at(d, "status.syncSet")) == standbys &&
		!*note_of(world_get(&s->w, "Secret", "orders-app"), "slipway.dev/rotation");
}

static bool is_gone(struct sim *s)
{
	for (size_t i = 0; i < WORLD_OBJECTS; i++)
		if (s->w.objects[i])
			return false;
	return true;
}

static void calm(struct sim *s, bool (*is_good)(struct sim *s), const char *what)
{
	size_t n;

	leader_drop(&s->leaders[0]);
	leader_drop(&s->leaders[1]);
	for (n = 0; n < CALM_ROUNDS && !is_good(s) && !s->broken[0]; n++) {
		s->step++;
		calm_round(s);
		if (n == CALM_ROUNDS / 2)
			s->w.now_us += INT64_C(3600000000);
	}
	if (n == CALM_ROUNDS)
		sim_broken(s, "it never became %s", what);
}

static void hosts_back(struct sim *s)
{
	static const char *const zones[] = {"zone-a", "zone-b", "zone-c"};

	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct place_host *h = NULL;

		for (size_t j = 0; j < s->w.hosts_n; j++)
			if (!strcmp(s->w.hosts[j].name, zones[i]))
				h = &s->w.hosts[j];
		if (!h)
			h = &s->w.hosts[s->w.hosts_n++];
		*h = (struct place_host){
			.name = zones[i],
			.zone = zones[i],
			.majors = 1u << 15,
			.is_ready = true,
		};
	}
}

static void sim_done(struct sim *s)
{
	for (size_t i = 0; i < s->servers_n; i++) {
		struct server *v = &s->servers[i];

		json_decref(v->want);
		json_decref(v->conf);
		json_decref(v->effect);
		for (size_t j = 0; j < v->reports_n; j++)
			json_decref(v->reports[j]);
	}
	leader_drop(&s->leaders[0]);
	leader_drop(&s->leaders[1]);
	json_decref(s->names_seen);
	world_done(&s->w);
}

/* One life of a Database: what broke is in ret, "" for nothing. */
static void sim_run(uint64_t seed, bool is_verbose, char ret[300])
{
	static const char *const specs[] = {
		"{'tier':'flexible'}",
		"{'tier':'flexible','standbys':2}",
		"{}",
		"{'tier':'flexible','durability':'strict'}",
		"{'tier':'flexible','standbys':2,'durability':'strict'}",
	};
	struct sim *s = mem_alloc(sizeof(*s));
	size_t which = seed % ARRAY_LEN(specs);

	s->random = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
	s->is_verbose = is_verbose;
	s->is_strict = which >= 3;
	s->names_seen = json_object();
	world_init(&s->w);
	world_database(&s->w, specs[which]);
	for (; s->step < STEPS && !s->broken[0]; s->step++) {
		step(s);
		check(s);
	}
	hosts_back(s);
	if (!s->broken[0])
		calm(s, is_settled, "as it was asked for");
	if (is_verbose)
		json_dumpf(world_get(&s->w, "Database", "orders"), stderr, JSON_INDENT(1));
	if (!s->broken[0]) {
		world_delete(&s->w, "Database", "orders");
		calm(s, is_gone, "empty after its deletion");
	}
	snprintf(ret, 300, "%s", s->broken);
	sim_done(s);
	free(s);
}

static void the_rules_hold_whatever_happens(void **state)
{
	char what[300];

	(void)state;
	mutant = MUTANT_NONE;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		sim_run(seed, false, what);
		if (what[0])
			fail_msg("seed %llu: %s", (unsigned long long)seed, what);
	}
}

static void each_mistake_in_the_rules_is_noticed(void **state)
{
#define MUTANT_TEXT(name, text) [name] = text,
	static const char *const texts[] = {MUTANTS(MUTANT_TEXT)};
	/* A seed that was seen to notice it, to begin with: which is a matter of time alone. */
	static const uint64_t first[MUTANT_COUNT] = {
		[MUTANT_GROW_UNSEEN] = 75,        [MUTANT_GROW_NAMES_FIRST] = 3,
		[MUTANT_SHRINK_ROW_FIRST] = 6,    [MUTANT_SHRINK_UNSEEN] = 6,
		[MUTANT_TWO_AT_A_TIME] = 16,      [MUTANT_STRICT_LETS_GO] = 9,
		[MUTANT_LOWER_STANDBY_FIRST] = 9, [MUTANT_RAISE_PRIMARY_FIRST] = 11,
		[MUTANT_RESTART_TOGETHER] = 6,
	};
	size_t missed = 0;

	(void)state;
	for (mutant = 1; mutant < MUTANT_COUNT; mutant++) {
		char what[300] = "";
		uint64_t from = first[mutant] ? first[mutant] : 1, seed;

		for (seed = from; seed < from + MUTANT_SEEDS && !what[0]; seed++)
			sim_run(seed, false, what);
		if (!what[0])
			missed++;
		printf("  %s: %s (%llu)\n", texts[mutant], what[0] ? what : "NOT NOTICED",
		       (unsigned long long)seed - 1);
	}
	mutant = MUTANT_NONE;
	assert_int_equal(missed, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_hold_whatever_happens),
		cmocka_unit_test(each_mistake_in_the_rules_is_noticed),
	};
	char what[300];
	uint64_t seed, n;

	if (argc > 1 && str_to_u64(str_of(argv[1]), &seed)) {
		if (argc > 2 && str_to_u64(str_of(argv[2]), &n))
			mutant = (int)n;
		sim_run(seed, true, what);
		printf("%s\n", what[0] ? what : "all rules held");
		return what[0] != 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
