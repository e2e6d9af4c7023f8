#include "store/cache.h"

#include <stdlib.h>

struct cache_entry {
	struct list by_use;
	struct str key; /* into the same allocation, as body */
	struct str body;
	int64_t revision;
	size_t bytes;
};

static struct str key_text(struct store_key key, struct arena *a)
{
	return str_of(arena_printf(a, "%s/%s/%s", key.kind, key.ns, key.name));
}

void cache_init(struct cache *c, size_t bytes_max)
{
	*c = (struct cache){.bytes_max = bytes_max};
	list_init(&c->by_use);
	pthread_mutex_init(&c->lock, NULL);
}

static void drop(struct cache *c, struct cache_entry *entry)
{
	if (!entry)
		return;
	map_remove(&c->entries, entry->key);
	list_remove(&entry->by_use);
	c->bytes -= entry->bytes;
	free(entry);
}

static void drop_oldest(struct cache *c)
{
	drop(c, list_entry(c->by_use.prev, struct cache_entry, by_use));
}

void cache_done(struct cache *c)
{
	while (!list_is_empty(&c->by_use))
		drop_oldest(c);
	map_done(&c->entries);
	pthread_mutex_destroy(&c->lock);
}

static struct cache_entry *entry_new(struct str key, struct str body, int64_t revision)
{
	size_t bytes = sizeof(struct cache_entry) + key.n + body.n;
	struct cache_entry *entry = mem_alloc(bytes);
	char *at = (char *)(entry + 1);

	memcpy(at, key.p, key.n);
	memcpy(at + key.n, body.p, body.n);
	entry->key = (struct str){at, key.n};
	entry->body = (struct str){at + key.n, body.n};
	entry->revision = revision;
	entry->bytes = bytes;
	return entry;
}

/* Takes the entry over. Under the lock. */
static void put(struct cache *c, struct cache_entry *entry)
{
	drop(c, map_get(&c->entries, entry->key));
	map_put(&c->entries, entry->key, entry);
	list_push_front(&c->by_use, &entry->by_use);
	c->bytes += entry->bytes;
	while (c->bytes > c->bytes_max)
		drop_oldest(c);
}

void cache_put(struct cache *c, struct store_key key, struct str body, int64_t revision)
{
	struct arena a = {0};
	struct cache_entry *entry = entry_new(key_text(key, &a), body, revision), *now;

	pthread_mutex_lock(&c->lock);
	now = map_get(&c->entries, entry->key);
	if (!now || now->revision < revision) {
		put(c, entry);
		entry = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	free(entry);
	arena_done(&a);
}

void cache_drop(struct cache *c, struct store_key key)
{
	struct arena a = {0};

	pthread_mutex_lock(&c->lock);
	drop(c, map_get(&c->entries, key_text(key, &a)));
	pthread_mutex_unlock(&c->lock);
	arena_done(&a);
}

bool cache_get(struct cache *c, struct store_key key, struct buf *ret, int64_t *ret_revision)
{
	struct arena a = {0};
	struct cache_entry *entry;

	pthread_mutex_lock(&c->lock);
	entry = map_get(&c->entries, key_text(key, &a));
	if (entry) {
		list_remove(&entry->by_use);
		list_push_front(&c->by_use, &entry->by_use);
		buf_clear(ret);
		buf_str(ret, entry->body);
		*ret_revision = entry->revision;
	}
	pthread_mutex_unlock(&c->lock);
	arena_done(&a);
	return entry;
}
