#include "gateway/feed.h"

#include <stdlib.h>

#include "base/log.h"
#include "gateway/guest.h"
#include "gateway/keep.h"
#include "gateway/plane.h"

struct feed {
	struct guest guest;
	struct keep *keep;
	struct plane *plane;
	const struct feed_ops *ops;
	void *arg;
};

static void on_begins(void *arg)
{
	struct feed *f = arg;

	keep_begin(f->keep);
}

static void on_database(struct feed *f, const json_t *line)
{
	const json_t *route = json_object_get(line, "database");

	keep_put(f->keep, route);
	f->ops->database(f->arg, route);
}

static void on_gone(struct feed *f, const json_t *line)
{
	const char *name = jv_str_or(line, "name", "");

	f->ops->gone(f->arg, name);
	keep_gone(f->keep, name);
}

static void on_admins(struct feed *f, const json_t *line)
{
	const json_t *admins = json_object_get(line, "admins");

	keep_admins(f->keep, admins);
	f->ops->admins(f->arg, admins);
}

static void on_synced(struct feed *f, const json_t *line)
{
	keep_synced(f->keep, f->ops->gone, f->arg);
	plane_touch(f->plane);
}

static const struct {
	const char *type;
	void (*take)(struct feed *f, const json_t *line);
} takers[] = {
	{"database", on_database},
	{"gone", on_gone},
	{"admins", on_admins},
	{"synced", on_synced},
};

/* A kind of line that a newer control plane may send is passed over. */
static void on_line(void *arg, const json_t *line)
{
	const char *type = jv_str_or(line, "type", "");

	for (size_t i = 0; i < ARRAY_LEN(takers); i++)
		if (!strcmp(takers[i].type, type))
			takers[i].take(arg, line);
}

static json_t *on_report(void *arg)
{
	struct feed *f = arg;

	return f->ops->report(f->arg);
}

static void on_renewed(void *arg)
{
	struct feed *f = arg;

	f->ops->renewed(f->arg);
}

static const struct plane_ops plane_ops = {on_begins, on_line, on_report, on_renewed};

enum err_code feed_open(
	struct loop *l, const char *url, const char *data, const struct feed_ops *ops, void *arg,
	struct feed **ret, struct err *e)
{
	const struct plane_conf conf = {url, data};
	CLEANUP(jv_drop) json_t *kept = NULL;
	struct feed *f = mem_alloc(sizeof(*f));
	enum err_code code;

	f->ops = ops;
	f->arg = arg;
	code = guest_open(&f->guest, e);
	if (code) {
		free(f);
		return code;
	}
	code = keep_open(&f->guest.uv, data, &f->keep, &kept, e);
	if (!code)
		code = plane_new(&f->guest.uv, &conf, &plane_ops, f, &f->plane, e);
	if (code) {
		feed_close(f);
		feed_free(f);
		return code;
	}
	guest_join(&f->guest, l);
	if (kept)
		ops->routes(arg, kept);
	*ret = f;
	return ERR_OK;
}

void feed_touch(struct feed *f)
{
	plane_touch(f->plane);
	guest_touch(&f->guest);
}

enum err_code feed_reopen(struct feed *f, struct err *e)
{
	guest_touch(&f->guest);
	return plane_reopen(f->plane, e);
}

void feed_close(struct feed *f)
{
	if (!f)
		return;
	plane_free(f->plane); /* both may be NULL: opening has failed */
	keep_free(f->keep);
	guest_close(&f->guest);
}

void feed_free(struct feed *f)
{
	free(f);
}
