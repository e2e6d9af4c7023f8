#include "api/spaces.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/follow.h"
#include "base/map.h"

struct spaces {
	struct store *store;
	struct follow *follow;
	pthread_mutex_t lock;
	struct map states; /* name to enum space */
};

/* As they stand in a map, where NULL says that there is none. */
static void *to_value(enum space s)
{
	return (void *)(uintptr_t)s;
}

static enum space of_object(const json_t *o)
{
	return jv_str(o, "metadata.deletionTimestamp") ? SPACE_TERMINATING : SPACE_ACTIVE;
}

static enum space of_text(struct str text)
{
	CLEANUP(jv_drop) json_t *o = NULL;

	if (jv_parse(text, SIZE_MAX, &o, NULL))
		return SPACE_NONE;
	return of_object(o);
}

static void
on_change(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct spaces *s = arg;

	(void)ns;
	pthread_mutex_lock(&s->lock);
	if (what == FOLLOW_BEGIN)
		map_done(&s->states); /* until it ends, the store answers */
	else if (what == FOLLOW_PUT)
		map_put(&s->states, str_of(name), to_value(of_text(text)));
	else if (what == FOLLOW_DROP)
		map_remove(&s->states, str_of(name));
	pthread_mutex_unlock(&s->lock);
}

enum err_code spaces_new(struct store *store, struct spaces **ret, struct err *e)
{
	struct spaces *s = mem_alloc(sizeof(*s));
	enum err_code code;

	s->store = store;
	pthread_mutex_init(&s->lock, NULL);
	code = follow_start(store, "Namespace", on_change, s, &s->follow, e);
	if (code) {
		spaces_free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void spaces_free(struct spaces *s)
{
	if (!s)
		return;
	follow_stop(s->follow);
	map_done(&s->states);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

enum err_code spaces_find(struct spaces *s, const char *name, enum space *ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *o = NULL;
	enum err_code code;
	enum space known;

	pthread_mutex_lock(&s->lock);
	known = (enum space)(uintptr_t)map_get(&s->states, str_of(name));
	pthread_mutex_unlock(&s->lock);
	if (known != SPACE_NONE) {
		*ret = known;
		return ERR_OK;
	}
	code = store_get(s->store, (struct store_key){"Namespace", "", name}, &o, e);
	if (code && code != ERR_NOT_FOUND)
		return code;
	*ret = o ? of_object(o) : SPACE_NONE;
	return ERR_OK;
}
