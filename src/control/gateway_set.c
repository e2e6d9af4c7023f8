#include "control/gateway_set.h"

#include <stdlib.h>

#include "kinds/cond.h"

void gateway_set_done(struct gateway_set *g)
{
	map_for_each (slot, &g->by_name)
		json_decref(slot->value);
	map_done(&g->by_name);
}

/* {"where": {...}, "holds": {route: hold}}. Nothing in it is the object's, which other threads go
 * on with. */
static json_t *digest_of(const json_t *object)
{
	const char *ready = cond_status(object, "Ready");
	json_t *holds = json_object(), *one;
	size_t i;

	json_array_foreach (jv_at(object, "status.holds"), i, one)
		json_object_set_new(holds, jv_str_or(one, "name", ""), json_deep_copy(one));
	return json_pack(
		"{s:{s:s, s:b, s:b, s:o*, s:o*}, s:o}", "where", "name",
		jv_str_or(object, "metadata.name", ""), "isReady", ready && !strcmp(ready, "True"),
		"isKnown", ready != NULL, "address",
		json_deep_copy(jv_at(object, "status.address")), "sources",
		json_deep_copy(jv_at(object, "status.sources")), "holds", holds);
}

static void held_add(json_t *held, const json_t *from, const json_t *to)
{
	const char *route;
	json_t *hold;

	json_object_foreach ((json_t *)(uintptr_t)from, route, hold)
		if (!json_equal(hold, json_object_get(to, route)))
			json_array_append_new(held, json_string(route));
}

static bool replace(json_t *was, json_t *now, json_t *ret_held)
{
	const json_t *before = jv_at(was, "holds"), *after = jv_at(now, "holds");
	bool is_moved = !was || !now || !json_equal(jv_at(was, "where"), jv_at(now, "where"));

	held_add(ret_held, before, after);
	held_add(ret_held, after, before);
	json_decref(was);
	return is_moved;
}

bool gateway_set_put(struct gateway_set *g, const json_t *object, json_t *ret_held)
{
	json_t *now = digest_of(object);

	return replace(
		map_put(&g->by_name, str_of(jv_str_or(object, "metadata.name", "")), now), now,
		ret_held);
}

bool gateway_set_remove(struct gateway_set *g, const char *name, json_t *ret_held)
{
	json_t *was = map_remove(&g->by_name, str_of(name));

	return was && replace(was, NULL, ret_held);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		jv_str_or(*(json_t *const *)a, "where.name", ""),
		jv_str_or(*(json_t *const *)b, "where.name", ""));
}

json_t *gateway_set_of(const struct gateway_set *g, const char *route)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t **all = arena_array(&a, json_t *, g->by_name.n + 1), *ret = json_array();
	size_t n = 0;

	map_for_each (slot, &g->by_name)
		all[n++] = slot->value;
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++) {
		json_t *one = json_deep_copy(jv_at(all[i], "where"));
		json_t *hold = json_object_get(jv_at(all[i], "holds"), route);

		if (hold)
			json_object_set_new(one, "hold", json_deep_copy(hold));
		json_array_append_new(ret, one);
	}
	return ret;
}
