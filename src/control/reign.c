#include "control/reign.h"

struct reign reign_of(const json_t *database)
{
	return (struct reign){
		.primary = jv_str_or(database, "status.primary", ""),
		.epoch = jv_int(database, "status.epoch", 0),
		.sync_set = jv_at(database, "status.syncSet"),
	};
}

static bool has(const json_t *set, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach (set, i, one)
		if (!strcmp(json_string_value(one), name))
			return true;
	return false;
}

bool reign_is_allowed(const struct reign *from, const struct reign *to)
{
	if (has(to->sync_set, to->primary))
		return false;
	if (from->epoch == 0)
		return to->epoch == 1 && *to->primary && json_array_size(to->sync_set) == 0;
	if (to->epoch == from->epoch)
		return !strcmp(to->primary, from->primary);
	return to->epoch == from->epoch + 1 && has(from->sync_set, to->primary);
}

void reign_change(json_t *database, const struct reign *to)
{
	struct reign from = reign_of(database);
	json_t *set = to->sync_set ? json_deep_copy(to->sync_set) : json_array();

	assert(reign_is_allowed(&from, to));
	jv_set_str(database, "status.primary", to->primary);
	jv_set(database, "status.epoch", json_integer(to->epoch));
	jv_set(database, "status.syncSet", set);
}
