/*
 * Hash map from strings to pointers. Keys are copied in; values are the caller's.
 *
 * A zeroed struct map is an empty map. Open addressing, kept under two thirds full. Not for two
 * threads at a time. The order of map_for_each is not meaningful, and the map must not change in
 * it.
 */
#ifndef SLIPWAY_BASE_MAP_H
#define SLIPWAY_BASE_MAP_H

#include "base/str.h"

struct map_slot {
	char *key; /* NULL: empty */
	size_t key_n;
	uint64_t hash;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t cap; /* 0 or a power of two */
	size_t n;
};

void map_done(struct map *m);
void *map_get(const struct map *m, struct str key); /* NULL: not there */
void *map_put(struct map *m, struct str key, void *value); /* the value that was there, or NULL */
void *map_remove(struct map *m, struct str key); /* the value that was there, or NULL */

#define map_for_each(slot, m)                                                                      \
	for (struct map_slot *slot = (m)->slots; slot && slot < (m)->slots + (m)->cap; slot++)     \
		if (slot->key)

#endif
