#include "gateway/tell.h"

#include "gateway/hold.h"

enum { STUCK_MAX = 20 };

static void stuck_add(void *arg, const struct session *c, const char *why)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *stuck = arg, *one;
	struct str application = c->vars ? vars_get(c->vars, "application_name") : STR("");

	if (json_array_size(stuck) == STUCK_MAX)
		return;
	one = json_pack(
		"{s:s, s:s, s:s}", "client", arena_printf(&a, "%u", c->id), "user", c->pool->user,
		"reason", why);
	json_object_set_new(one, "application", jv_string(application));
	json_array_append_new(stuck, one);
}

/* Warming is part of holding: only that nobody stands still yet. */
static json_t *hold_of(const struct database *d)
{
	struct hold_tally n = hold_count(d);
	json_t *stuck = json_array();

	if (d->hold == HOLD_HOLDING || d->hold == HOLD_REFUSED)
		hold_stuck(d, stuck_add, stuck);
	return json_pack(
		"{s:s, s:s, s:i, s:i, s:o}", "id", d->hold_id, "state",
		hold_name(d->hold == HOLD_WARMING ? HOLD_HOLDING : d->hold), "parked",
		(int)n.parked, "active", (int)n.active, "stuck", stuck);
}

static json_t *database_of(const struct database *d)
{
	json_t *ret = json_pack(
		"{s:s, s:I, s:I}", "name", d->name, "revision", (json_int_t)d->route->revision,
		"epoch", (json_int_t)d->route->epoch);

	if (d->hold_id[0] && d->hold != HOLD_OPEN)
		json_object_set_new(ret, "hold", hold_of(d));
	return ret;
}

json_t *tell_report(const struct hub *h, const char *address, const char *source)
{
	json_t *databases = json_array(), *ret;

	map_for_each (slot, &h->databases) {
		const struct database *d = slot->value;

		if (d->route)
			json_array_append_new(databases, database_of(d));
	}
	ret = json_pack(
		"{s:s, s:s, s:I, s:o}", "version", SLIPWAY_VERSION, "address", address, "clients",
		(json_int_t)h->clients, "databases", databases);
	if (source)
		json_object_set_new(ret, "sources", json_pack("[s]", source));
	return ret;
}
