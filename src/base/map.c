#include "base/map.h"

#include <stdlib.h>

#include "base/arena.h"

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){0};
}

/* The slot that holds key, or the empty one where it belongs. */
static size_t slot_of(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].key) {
		const struct map_slot *s = &m->slots[i];

		if (s->hash == hash && s->key_n == key.n && memcmp(s->key, key.p, key.n) == 0)
			return i;
		i = (i + 1) & (m->cap - 1);
	}
	return i;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slots = mem_alloc(m->cap * sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++) {
		const struct map_slot *s = &old.slots[i];

		if (s->key)
			m->slots[slot_of(m, (struct str){s->key, s->key_n}, s->hash)] = *s;
	}
	free(old.slots);
}

void *map_get(const struct map *m, struct str key)
{
	return m->cap ? m->slots[slot_of(m, key, str_hash(key))].value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = str_hash(key);
	struct map_slot *s;
	void *old;

	if ((m->n + 1) * 3 > m->cap * 2)
		grow(m);
	s = &m->slots[slot_of(m, key, hash)];
	if (!s->key) {
		s->key = mem_alloc(key.n + 1);
		memcpy(s->key, key.p, key.n);
		s->key_n = key.n;
		s->hash = hash;
		m->n++;
	}
	old = s->value;
	s->value = value;
	return old;
}

/* Moves back whatever a probe could no longer reach over the hole at i (linear probing). */
static void close_hole(struct map *m, size_t i)
{
	for (size_t j = (i + 1) & (m->cap - 1); m->slots[j].key; j = (j + 1) & (m->cap - 1)) {
		size_t home = m->slots[j].hash & (m->cap - 1);

		if (((j - home) & (m->cap - 1)) < ((j - i) & (m->cap - 1)))
			continue;
		m->slots[i] = m->slots[j];
		i = j;
	}
	m->slots[i] = (struct map_slot){0};
}

void *map_remove(struct map *m, struct str key)
{
	size_t i;
	void *old;

	if (!m->cap)
		return NULL;
	i = slot_of(m, key, str_hash(key));
	if (!m->slots[i].key)
		return NULL;
	old = m->slots[i].value;
	free(m->slots[i].key);
	close_hole(m, i);
	m->n--;
	return old;
}
