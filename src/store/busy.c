#include "store/busy.h"

#include <stdlib.h>

#include "store/object.h"

static struct str key_of(const struct store_write *w, struct arena *a)
{
	return str_of(arena_printf(a, "%s/%s/%s", w->key.kind, w->key.ns, w->key.name));
}

void busy_init(struct busy *b)
{
	*b = (struct busy){0};
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->freed, NULL);
}

void busy_done(struct busy *b)
{
	assert(b->keys.n == 0);
	map_done(&b->keys);
	pthread_cond_destroy(&b->freed);
	pthread_mutex_destroy(&b->lock);
}

static bool is_any_taken(const struct busy *b, const struct str *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (map_get(&b->keys, keys[i]))
			return true;
	return false;
}

/* The first one that is named before as well; n: none. */
static size_t find_twin(struct busy *b, const struct str *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (map_put(&b->keys, keys[i], b))
			return i;
	return n;
}

enum err_code busy_take(struct busy *b, const struct store_write *w, size_t n, struct err *e)
{
	char text[OBJECT_KEY_TEXT];
	struct arena a = {0};
	struct str *keys = arena_array(&a, struct str, n);
	size_t twin;

	for (size_t i = 0; i < n; i++)
		keys[i] = key_of(&w[i], &a);
	pthread_mutex_lock(&b->lock);
	b->waiting++;
	while (is_any_taken(b, keys, n))
		pthread_cond_wait(&b->freed, &b->lock);
	b->waiting--;
	twin = find_twin(b, keys, n);
	for (size_t i = 0; twin < n && i < twin; i++)
		map_remove(&b->keys, keys[i]);
	pthread_mutex_unlock(&b->lock);
	arena_done(&a);
	if (twin < n)
		return err_set(
			e, ERR_INVALID, "%s is in one group of writes twice",
			object_key_text(w[twin].key, text));
	return ERR_OK;
}

void busy_give(struct busy *b, const struct store_write *w, size_t n)
{
	struct arena a = {0};

	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < n; i++)
		map_remove(&b->keys, key_of(&w[i], &a));
	if (b->waiting)
		pthread_cond_broadcast(&b->freed);
	pthread_mutex_unlock(&b->lock);
	arena_done(&a);
}
