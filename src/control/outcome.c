#include "control/outcome.h"

#include "control/mutant.h"

void outcome_done(struct outcome *o)
{
	for (size_t i = 0; i < o->writes_n; i++) {
		json_decref(o->writes[i].object);
		json_decref(o->writes[i].ret);
	}
	for (size_t i = 0; i < o->events_n; i++)
		json_decref(o->events[i].about);
	o->writes_n = o->events_n = 0;
}

int64_t outcome_revision(const json_t *object)
{
	uint64_t n;

	if (!str_to_u64(str_of(jv_str_or(object, "metadata.resourceVersion", "")), &n))
		return 0;
	return (int64_t)n;
}

static struct store_write *
add(struct outcome *o, enum store_verb verb, const json_t *object, json_t *body)
{
	struct store_write *w = &o->writes[o->writes_n++];

	assert(o->writes_n <= OUTCOME_WRITES_MAX);
	*w = (struct store_write){
		.verb = verb,
		.key =
			{
				arena_strdup(o->arena, jv_str_or(object, "kind", "")),
				arena_strdup(o->arena, jv_str_or(object, "metadata.namespace", "")),
				arena_strdup(o->arena, jv_str_or(object, "metadata.name", "")),
			},
		.object = body,
	};
	return w;
}

static void add_guarded(struct outcome *o, enum store_verb verb, const json_t *object, json_t *body)
{
	const char *uid = jv_str(object, "metadata.uid");
	struct store_write *w = add(o, verb, object, body);

	w->if_revision = MUTANT(MUTANT_UNGUARDED) ? 0 : outcome_revision(object);
	w->if_uid = uid ? arena_strdup(o->arena, uid) : NULL;
}

void outcome_create(struct outcome *o, json_t *object)
{
	add(o, STORE_CREATE, object, object);
}

void outcome_write(struct outcome *o, enum store_verb verb, json_t *object)
{
	add_guarded(o, verb, object, object);
}

void outcome_delete(struct outcome *o, const json_t *object)
{
	add_guarded(o, STORE_DELETE, object, NULL);
}

static bool has_write(const struct outcome *o, const json_t *object)
{
	for (size_t i = 0; i < o->writes_n; i++) {
		const struct store_key *key = &o->writes[i].key;

		if (!strcmp(key->kind, jv_str_or(object, "kind", "")) &&
		    !strcmp(key->ns, jv_str_or(object, "metadata.namespace", "")) &&
		    !strcmp(key->name, jv_str_or(object, "metadata.name", "")))
			return true;
	}
	return false;
}

void outcome_guard(struct outcome *o, const json_t *object)
{
	if (has_write(o, object))
		return;
	add_guarded(o, STORE_STATUS, object, json_deep_copy(object));
}

void outcome_event(
	struct outcome *o, const json_t *about, bool is_warning, const char *reason,
	const char *message)
{
	json_t *ref;

	if (o->events_n == OUTCOME_EVENTS_MAX)
		return;
	ref = json_object();
	json_object_set(ref, "apiVersion", json_object_get(about, "apiVersion"));
	json_object_set(ref, "kind", json_object_get(about, "kind"));
	json_object_set_new(ref, "metadata", json_deep_copy(json_object_get(about, "metadata")));
	o->events[o->events_n++] =
		(struct outcome_event){ref, is_warning, reason, arena_strdup(o->arena, message)};
}

void outcome_wake(struct outcome *o, int64_t at_us)
{
	if (!o->wake_at_us || at_us < o->wake_at_us)
		o->wake_at_us = at_us;
}
