/*
 * The bodies of objects that were read or written lately, for writers: a guess at what is there.
 *
 * Another process may have changed an object since, so nothing here is an answer for a reader. A
 * writer may decide on it, because the commit checks that the object still is at that revision.
 * Bounded in bytes; the least lately used go first. Any thread.
 */
#ifndef SLIPWAY_STORE_CACHE_H
#define SLIPWAY_STORE_CACHE_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "store/store.h"

struct cache {
	pthread_mutex_t lock;
	struct map entries; /* of struct cache_entry, by "kind/namespace/name" */
	struct list by_use; /* the latest first */
	size_t bytes, bytes_max;
};

void cache_init(struct cache *c, size_t bytes_max);
void cache_done(struct cache *c);

/* Keeps a copy of the body, unless one of a later revision is there. */
void cache_put(struct cache *c, struct store_key key, struct str body, int64_t revision);
void cache_drop(struct cache *c, struct store_key key);

/* Says whether there is one, and copies it to ret. */
bool cache_get(struct cache *c, struct store_key key, struct buf *ret, int64_t *ret_revision);

#endif
