#include "sim_servers.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "kinds/database.h"
#include "kinds/member.h"

/* Where a run's memory came from is not what this test is about: that, and pages that guard a
 * password, took most of its time. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "malloc_context_size=1:quarantine_size_mb=4";
}

/* In libsodium's place. */
void *sodium_malloc(size_t n)
{
	return mem_alloc(n);
}

void sodium_free(void *p)
{
	free(p);
}

uint64_t sim_roll(struct sim *s, uint64_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (s->random >> 11) % n;
}

void sim_tell(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->is_verbose)
		return;
	fprintf(stderr, "%5zu ", s->step);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void sim_broken(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->broken[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->broken, sizeof(s->broken), fmt, ap);
	va_end(ap);
	sim_tell(s, "BROKEN: %s", s->broken);
}

/* Servers. */

struct server *sim_server_find(struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->servers_n; i++)
		if (s->servers[i].is_there && !strcmp(s->servers[i].name, name))
			return &s->servers[i];
	return NULL;
}

bool sim_is_role(const struct server *v, const char *role)
{
	return !strcmp(jv_str_or(v->want, "role", ""), role);
}

struct server *sim_primary_of(struct sim *s)
{
	for (size_t i = 0; i < s->servers_n; i++)
		if (s->servers[i].is_there && sim_is_role(&s->servers[i], "primary"))
			return &s->servers[i];
	return NULL;
}

const struct place_host *sim_host_of(struct sim *s, const struct server *v)
{
	for (size_t i = 0; i < s->w.hosts_n; i++)
		if (!strcmp(s->w.hosts[i].name, jv_str_or(v->want, "host", "")))
			return &s->w.hosts[i];
	return NULL;
}

bool sim_is_named(const char *names, const struct server *v)
{
	struct arena a = {0};
	bool found = strstr(names, arena_printf(&a, "\"%s\"", member_slot(&a, v->name))) != NULL;

	arena_done(&a);
	return found;
}

/* Who waits for a commit is told of it as soon as one of those that count has it. */
void sim_acknowledge(struct sim *s)
{
	struct server *p = sim_primary_of(s);

	if (!p || p->state != SERVER_UP)
		return;
	if (!p->names[0])
		s->acked = MAX(s->acked, p->flushed);
	for (size_t i = 0; i < s->servers_n; i++) {
		struct server *v = &s->servers[i];

		if (v == p || !v->is_connected)
			continue;
		if (sim_is_named(p->names, v)) {
			s->acked = MAX(s->acked, v->flushed);
			if (v->flushed >= p->since)
				p->is_proven[i] = true;
		}
	}
}

void sim_server_down(struct sim *s, struct server *v)
{
	if (v->state != SERVER_UP)
		return;
	v->state = SERVER_DOWN;
	v->is_connected = false;
	if (sim_is_role(v, "primary"))
		for (size_t i = 0; i < s->servers_n; i++)
			s->servers[i].is_connected = false;
}

static void names_apply(struct sim *s, struct server *v)
{
	snprintf(
		v->names, sizeof(v->names), "%s",
		jv_str_or(v->want, "synchronousStandbyNames", ""));
	v->since = v->flushed;
	sim_tell(
		s, "%s counts %s since %lld", v->name, *v->names ? v->names : "nobody",
		(long long)v->since);
	memset(v->is_proven, 0, sizeof(v->is_proven));
}

static int64_t bound_of(const struct server *v)
{
	int64_t n = 0;

	str_to_i64(str_of(jv_str_or(v->effect, "max_connections", "0")), &n);
	return n;
}

bool sim_is_in_set(struct sim *s, const struct server *v)
{
	json_t *set = jv_at(world_get(&s->w, "Database", "orders"), "status.syncSet"), *one;
	size_t i;

	json_array_foreach (set, i, one)
		if (!strcmp(json_string_value(one), v->name))
			return true;
	return false;
}

/* A standby that has less than its primary stops replaying. */
static void check_bound(struct sim *s)
{
	struct server *p = sim_primary_of(s);

	for (size_t i = 0; p && p->state == SERVER_UP && i < s->servers_n; i++) {
		struct server *v = &s->servers[i];

		if (v != p && v->is_there && v->state == SERVER_UP && sim_is_in_set(s, v) &&
		    bound_of(v) < bound_of(p))
			sim_broken(
				s, "%s has %lld connections, its primary %lld", v->name,
				(long long)bound_of(v), (long long)bound_of(p));
	}
}

static void server_up(struct sim *s, struct server *v)
{
	int64_t bound = bound_of(v);

	json_decref(v->conf);
	json_decref(v->effect);
	v->conf = json_deep_copy(jv_at(v->want, "settings"));
	v->effect = json_deep_copy(v->conf);
	sim_tell(s, "%s starts with %s", v->name, jv_str_or(v->effect, "max_connections", "-"));
	v->restarted = jv_int(v->want, "restart", 0);
	v->epoch = jv_int(v->want, "epoch", 0);
	v->state = SERVER_UP;
	if (sim_is_role(v, "primary") ? bound_of(v) > bound : bound_of(v) < bound)
		check_bound(s);
	if (sim_is_role(v, "primary"))
		names_apply(s, v);
}

static void server_make(struct sim *s, struct server *v)
{
	struct server *p = sim_primary_of(s);

	if (sim_is_role(v, "primary")) {
		v->state = SERVER_DOWN;
	} else if (p && p->state == SERVER_UP && jv_at(v->want, "upstream")) {
		v->flushed = p->flushed; /* a base backup holds all up to its end */
		v->is_wiped = false;
		v->state = SERVER_DOWN;
	}
}

static bool is_admitted(struct server *p, struct server *v)
{
	json_t *all = jv_at(p->want, "standbys"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(json_string_value(one), v->name))
			return true;
	return false;
}

static void server_adjust(struct sim *s, struct server *v)
{
	struct server *p = sim_primary_of(s);
	struct arena a = {0};

	if (v->restarted < jv_int(v->want, "restart", 0) && sim_roll(s, 2)) {
		sim_server_down(s, v);
	} else if (sim_roll(s, 2)) {
		json_decref(v->conf);
		v->conf = json_deep_copy(jv_at(v->want, "settings"));
		sim_tell(s, "%s conf %s", v->name, jv_str_or(v->conf, "max_connections", "-"));
	} else if (sim_is_role(v, "primary")) {
		if (strcmp(v->names, jv_str_or(v->want, "synchronousStandbyNames", "")) != 0)
			names_apply(s, v);
		snprintf(v->roles, sizeof(v->roles), "%s", member_roles_hash(&a, v->want));
	} else if (p && p->state == SERVER_UP && is_admitted(p, v)) {
		v->is_connected = true;
	}
	v->epoch = jv_int(v->want, "epoch", 0);
	arena_done(&a);
}

/* By the plan, not by people: nobody may wait for it then. */
static void server_remove(struct sim *s, struct server *v)
{
	struct server *p = sim_primary_of(s);
	const json_t *d = world_get(&s->w, "Database", "orders");

	if (!v->is_wiped && p && p != v && p->state == SERVER_UP && sim_is_named(p->names, v) &&
	    d && !cluster_is_deleting(d))
		sim_broken(s, "%s is removed while the primary waits for it", v->name);
	sim_server_down(s, v);
	v->state = SERVER_REMOVED;
	sim_tell(s, "%s removed", v->name);
}

void sim_server_step(struct sim *s, struct server *v)
{
	if (!v->is_there || !v->want || !sim_host_of(s, v))
		return;
	if (v->is_going) {
		if (v->state != SERVER_REMOVED)
			server_remove(s, v);
	} else if (v->state == SERVER_NONE) {
		server_make(s, v);
	} else if (v->state == SERVER_DOWN) {
		server_up(s, v);
	} else if (v->state == SERVER_UP) {
		server_adjust(s, v);
	}
}

/* Agents: wants down, reports up. */

static void wants_read(struct sim *s, const json_t *m)
{
	const char *uid = jv_str_or(m, "metadata.uid", "");
	struct server *v = NULL;

	for (size_t i = 0; i < s->servers_n; i++)
		if (!strcmp(s->servers[i].uid, uid))
			v = &s->servers[i];
	if (!v && s->servers_n < SERVERS) {
		v = &s->servers[s->servers_n++];
		snprintf(v->name, sizeof(v->name), "%s", jv_str_or(m, "metadata.name", ""));
		snprintf(v->uid, sizeof(v->uid), "%s", uid);
		v->is_there = true;
	}
	if (!v || !v->is_there)
		return;
	json_decref(v->want);
	v->want = json_deep_copy(jv_at(m, "spec"));
	v->is_going = cluster_is_deleting(m);
}

void sim_wants(struct sim *s)
{
	CLEANUP(jv_drop) json_t *members = world_list(&s->w, "Member");
	json_t *m;
	size_t i;

	json_array_foreach (members, i, m)
		if (sim_roll(s, 2))
			wants_read(s, m);
	for (i = 0; i < s->servers_n; i++)
		if ((s->servers[i].state == SERVER_REMOVED || s->servers[i].is_wiped) &&
		    !world_get(&s->w, "Member", s->servers[i].name))
			s->servers[i].is_there = false;
}

static json_t *replicas(struct sim *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->servers_n; i++)
		if (s->servers[i].is_connected)
			json_array_append_new(
				all,
				json_pack(
					"{s:s, s:s}", "member", s->servers[i].name, "state",
					"streaming"));
	return all;
}

static json_t *proven(struct sim *s, const struct server *p)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->servers_n; i++)
		if (p->is_proven[i])
			json_array_append_new(all, json_string(s->servers[i].name));
	return all;
}

static json_t *status_of(struct sim *s, struct server *v)
{
	static const char *const states[] = {"Initialising", "Starting", "Running", "Removed"};
	json_t *r = json_pack(
		"{s:s, s:I, s:I}", "state", states[v->state], "epoch", (json_int_t)v->epoch,
		"restarted", (json_int_t)v->restarted);
	CLEANUP(jv_drop) json_t *spec = json_object();
	struct arena a = {0};

	if (v->state == SERVER_UP) {
		json_object_set(r, "role", jv_at(v->want, "role"));
		jv_set_str(r, "address", "127.0.1.1");
		jv_set(r, "port", json_integer(5433 + (v - s->servers)));
		json_object_set(spec, "settings", v->conf);
		jv_set_str(r, "settingsHash", member_settings_hash(&a, spec));
		json_object_set_new(
			r, "pendingRestart", database_restart_reasons("15", v->effect, v->conf));
	}
	if (v->state == SERVER_UP && sim_is_role(v, "primary")) {
		jv_set_str(r, "rolesHash", v->roles);
		json_object_set_new(r, "replicas", replicas(s));
		jv_set_str(r, "synchronous.names", v->names);
		jv_set(r, "synchronous.members", proven(s, v));
	}
	arena_done(&a);
	return r;
}

void sim_report(struct sim *s, struct server *v)
{
	if (v->is_there && v->want && sim_host_of(s, v) && v->reports_n < REPORTS)
		v->reports[v->reports_n++] = status_of(s, v);
}

void sim_deliver(struct sim *s, struct server *v)
{
	json_t *m = world_get(&s->w, "Member", v->name), *o;
	const struct place_host *h = v->want ? sim_host_of(s, v) : NULL;

	if (!v->reports_n || (h && !h->is_ready))
		return;
	if (h && m && !strcmp(jv_str_or(m, "metadata.uid", ""), v->uid)) {
		o = json_deep_copy(m);
		json_object_set(o, "status", v->reports[0]);
		sim_tell(
			s, "report %s: %s, pending %zu, names %s", v->name,
			jv_str(o, "status.state"),
			json_array_size(jv_at(o, "status.pendingRestart")),
			jv_str_or(o, "status.synchronous.names", "-"));
		world_write(&s->w, STORE_STATUS, "Member", v->name, o);
	}
	json_decref(v->reports[0]);
	v->reports_n--;
	memmove(v->reports, v->reports + 1, v->reports_n * sizeof(v->reports[0]));
}
