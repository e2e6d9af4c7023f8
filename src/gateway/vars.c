#include "gateway/vars.h"

#include <stdlib.h>

#include "base/arena.h"
#include "codec/pgwire.h"

static struct vars *intern(struct vars_table *t, struct str pairs)
{
	struct vars *v = map_get(&t->sets, pairs);

	if (v)
		return vars_ref(v);
	v = mem_alloc(sizeof(*v) + pairs.n);
	v->table = t;
	v->refs = 1;
	v->n = (uint32_t)pairs.n;
	if (pairs.n)
		memcpy(v->pairs, pairs.p, pairs.n);
	(void)map_put(&t->sets, pairs, v);
	return v;
}

struct vars *vars_empty(struct vars_table *t)
{
	return intern(t, STR(""));
}

struct vars *vars_ref(struct vars *v)
{
	v->refs++;
	return v;
}

void vars_drop(struct vars *v)
{
	if (!v || --v->refs > 0)
		return;
	(void)map_remove(&v->table->sets, vars_pairs(v));
	free(v);
}

bool vars_next(struct str *rest, struct str *ret_name, struct str *ret_value)
{
	return pgw_get_text(rest, ret_name) && pgw_get_text(rest, ret_value);
}

struct str vars_get(const struct vars *v, const char *name)
{
	struct str rest = vars_pairs(v), key, value;

	while (vars_next(&rest, &key, &value))
		if (str_is(key, name))
			return value;
	return (struct str){NULL, 0};
}

static int order(struct str a, struct str b)
{
	int d = memcmp(a.p, b.p, MIN(a.n, b.n));

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

struct vars *vars_with(struct vars *v, struct str name, struct str value)
{
	CLEANUP(buf_done) struct buf out = {0};
	struct str rest = vars_pairs(v), key, old;
	struct vars *made;
	bool is_in = false;

	while (vars_next(&rest, &key, &old)) {
		int d = is_in ? -1 : order(key, name);

		if (d >= 0) {
			pgw_put_text(&out, name);
			pgw_put_text(&out, value);
			is_in = true;
		}
		if (d != 0) {
			pgw_put_text(&out, key);
			pgw_put_text(&out, old);
		}
	}
	if (!is_in) {
		pgw_put_text(&out, name);
		pgw_put_text(&out, value);
	}
	made = intern(v->table, buf_view(&out));
	vars_drop(v);
	return made;
}

bool vars_can_set(struct str name)
{
	static const char *const own[] = {
		"server_version",
		"server_encoding",
		"is_superuser",
		"session_authorization",
		"integer_datetimes",
		"in_hot_standby",
		NULL};

	for (const char *const *at = own; *at; at++)
		if (str_is(name, *at))
			return false;
	return true;
}
