#include "control_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kinds/database.h"
#include "kinds/kinds.h"
#include "store/change.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "world: %s: %s\n", what, why);
	abort();
}

void world_init(struct world *w)
{
	static bool is_ready;
	static const char *const zones[] = {"zone-a", "zone-b", "zone-c"};
	struct err e;

	if (!is_ready && kinds_init(&e))
		die("kinds_init", e.text);
	is_ready = true;
	*w = (struct world){.now_us = INT64_C(1800000000000000), .hosts_n = 3};
	for (size_t i = 0; i < 3; i++)
		w->hosts[i] = (struct place_host){
			.name = zones[i],
			.zone = zones[i],
			.address = "127.0.0.1",
			.majors = 1u << 13 | 1u << 15 | 1u << 17,
			.is_ready = true,
		};
}

void world_done(struct world *w)
{
	for (size_t i = 0; i < WORLD_OBJECTS; i++)
		json_decref(w->objects[i]);
	json_decref(w->gateways);
}

static bool is_object(const json_t *o, const char *kind, const char *name)
{
	return o && !strcmp(jv_str_or(o, "kind", ""), kind) &&
		!strcmp(jv_str_or(o, "metadata.name", ""), name);
}

static size_t slot_of(const struct world *w, const char *kind, const char *name)
{
	for (size_t i = 0; i < WORLD_OBJECTS; i++)
		if (is_object(w->objects[i], kind, name))
			return i;
	return WORLD_OBJECTS;
}

json_t *world_get(const struct world *w, const char *kind, const char *name)
{
	size_t i = slot_of(w, kind, name);

	return i < WORLD_OBJECTS ? w->objects[i] : NULL;
}

json_t *world_list(const struct world *w, const char *kind)
{
	json_t *all = json_array();

	for (size_t i = 0; i < WORLD_OBJECTS; i++)
		if (w->objects[i] && !strcmp(jv_str_or(w->objects[i], "kind", ""), kind))
			json_array_append(all, w->objects[i]);
	return all;
}

static void put(struct world *w, const char *kind, const char *name, const struct change *ch)
{
	size_t i = slot_of(w, kind, name);
	char revision[24];

	w->revision++;
	w->writes++;
	if (ch->op == CHANGE_DELETE) {
		json_decref(w->objects[i]);
		w->objects[i] = NULL;
		return;
	}
	for (size_t at = 0; i == WORLD_OBJECTS; at++)
		if (!w->objects[at])
			i = at;
	json_decref(w->objects[i]);
	w->objects[i] = json_deep_copy(ch->object);
	snprintf(revision, sizeof(revision), "%lld", (long long)w->revision);
	jv_set_str(w->objects[i], "metadata.resourceVersion", revision);
}

static enum err_code
change(struct world *w, const struct store_write *write, struct change *ret, struct err *e)
{
	const json_t *base = world_get(w, write->key.kind, write->key.name);
	char uid[48], now[CLOCK_TEXT];

	snprintf(uid, sizeof(uid), "00000000-0000-4000-8000-%012u", (unsigned)++w->uids);
	return change_plan(
		write, base, outcome_revision(base), clock_text_s(w->now_us, now), uid, ret, e);
}

bool world_apply(struct world *w, struct outcome *o)
{
	struct change *changes = mem_alloc((o->writes_n + 1) * sizeof(*changes));
	bool is_ok = true;
	struct err e;
	size_t i;

	for (i = 0; i < o->writes_n && is_ok; i++)
		is_ok = change(w, &o->writes[i], &changes[i], &e) == ERR_OK;
	for (i = 0; i < o->writes_n && is_ok; i++)
		if (changes[i].op != CHANGE_NONE)
			put(w, o->writes[i].key.kind, o->writes[i].key.name, &changes[i]);
	for (i = 0; i < o->writes_n; i++)
		json_decref(changes[i].object);
	free(changes);
	if (!is_ok)
		return false;
	w->groups += o->writes_n > 0;
	w->events += o->events_n;
	w->events_text[0] = 0;
	for (i = 0; i < o->events_n; i++) {
		size_t n = strlen(w->events_text);

		snprintf(w->event, sizeof(w->event), "%s", o->events[i].reason);
		snprintf(
			w->events_text + n, sizeof(w->events_text) - n, "%s: %s\n",
			o->events[i].reason, o->events[i].message);
	}
	w->wake_at_us = o->wake_at_us;
	w->is_settled = o->is_settled;
	return true;
}

void world_write(
	struct world *w, enum store_verb verb, const char *kind, const char *name, json_t *object)
{
	struct store_write write = {.verb = verb, .key = {kind, "shop", name}, .object = object};
	struct change ch = {0};
	struct err e;

	if (change(w, &write, &ch, &e))
		die(name, e.text);
	if (ch.op != CHANGE_NONE)
		put(w, kind, name, &ch);
	json_decref(ch.object);
	json_decref(object);
}

void world_create(struct world *w, json_t *object)
{
	const char *kind = jv_str(object, "kind"), *name = jv_str(object, "metadata.name");

	world_write(w, STORE_CREATE, kind, name, object);
}

void world_delete(struct world *w, const char *kind, const char *name)
{
	world_write(w, STORE_DELETE, kind, name, NULL);
}

json_t *world_json(const char *text)
{
	char *copy = mem_strdup(text);
	json_t *v = NULL;
	struct err e;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	if (jv_parse(str_of(copy), SIZE_MAX, &v, &e))
		die(text, e.text);
	free(copy);
	return v;
}

static void check(json_t *o, const json_t *old)
{
	const struct kind *k = kind_by_name("Database");
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};

	schema_default(k->schema, o);
	schema_check(k->schema, o, &causes);
	database_prepare(o, old);
	database_check(o, NULL, &causes);
	if (causes.n)
		die(causes.v[0].field, causes.v[0].message);
	arena_done(&a);
}

void world_database(struct world *w, const char *spec)
{
	json_t *o = world_json("{'apiVersion':'slipway.dev/v1','kind':'Database',"
			       "'metadata':{'name':'orders','namespace':'shop'}}");

	json_object_set_new(o, "spec", world_json(spec));
	check(o, NULL);
	world_create(w, o);
}

void world_change(struct world *w, const char *spec)
{
	json_t *old = world_get(w, "Database", "orders"), *o = json_deep_copy(old);
	CLEANUP(jv_drop) json_t *fields = world_json(spec);
	const char *field;
	json_t *value;

	json_object_foreach (fields, field, value) {
		if (json_is_null(value))
			json_object_del(json_object_get(o, "spec"), field);
		else
			json_object_set(json_object_get(o, "spec"), field, value);
	}
	check(o, old);
	world_write(w, STORE_UPDATE, "Database", "orders", o);
}

void world_plan(
	const struct world *w, const json_t *database, const json_t *members, const json_t *secrets,
	struct arena *a, struct outcome *ret)
{
	struct cluster_in in = {
		.database = database,
		.members = members,
		.hosts = w->hosts,
		.hosts_n = w->hosts_n,
		.gateways = w->gateways,
		.now_us = w->now_us,
	};
	struct plan_access_conf access = {
		.secrets = secrets, .ca_pem = "CA", .scram_iterations = 1};

	database_plan(&in, &access, a, ret);
}

/* What the second plan would still write, beside what is there. */
static void die_of_unrest(const json_t *database, const struct outcome *o)
{
	fprintf(stderr, "was: %s\n", json_dumps(database, JSON_INDENT(1)));
	for (size_t i = 0; i < o->writes_n; i++)
		fprintf(stderr, "%s %s: %s\n", o->writes[i].key.kind, o->writes[i].key.name,
			json_dumps(o->writes[i].object, JSON_INDENT(1)));
	die("plan", "a second call still finds something to do");
}

void world_reconcile(struct world *w)
{
	size_t rounds = MAX(w->rounds, 1);

	for (size_t again = 0; again <= rounds; again++) {
		CLEANUP(jv_drop) json_t *members = world_list(w, "Member");
		CLEANUP(jv_drop) json_t *secrets = world_list(w, "Secret");
		json_t *database = json_incref(world_get(w, "Database", "orders"));
		struct arena a = {0};
		struct outcome o;
		size_t writes = w->writes;
		char events[sizeof(w->events_text)];

		if (!database)
			return;
		memcpy(events, w->events_text, sizeof(events));
		world_plan(w, database, members, secrets, &a, &o);
		if (!world_apply(w, &o))
			die("plan", "the store refused it");
		if (again == rounds && (w->writes != writes || o.events_n))
			die_of_unrest(database, &o);
		if (again == rounds)
			memcpy(w->events_text, events, sizeof(events));
		outcome_done(&o);
		arena_done(&a);
		json_decref(database);
	}
}
