#include "api/wants.h"

#include <stdlib.h>

#include "api/lines.h"
#include "api/status.h"

struct wants {
	struct fleet *fleet;
	struct lines *lines;
};

static void on_change(void *arg, const char *host)
{
	struct wants *w = arg;

	lines_touch(w->lines, host);
}

static void print(void *arg, const char *host, int64_t *position, struct buf *out)
{
	struct wants *w = arg;

	(void)position; /* a line is always the whole */
	fleet_wants(w->fleet, host, out);
}

enum err_code wants_new(struct store *s, struct wants **ret, struct err *e)
{
	struct wants *w = mem_alloc(sizeof(*w));
	enum err_code code = lines_new(print, w, &w->lines, e);

	if (!code)
		code = fleet_new(s, on_change, w, &w->fleet, e);
	if (code) {
		wants_free(w);
		return code;
	}
	*ret = w;
	return ERR_OK;
}

/* Streams end before what is printed into them, changes before those who are told of them. */
void wants_free(struct wants *w)
{
	if (!w)
		return;
	fleet_unfollow(w->fleet);
	lines_free(w->lines);
	fleet_free(w->fleet);
	free(w);
}

struct fleet *wants_fleet(struct wants *w)
{
	return w->fleet;
}

/* A host that has just joined may not have come round to the fleet yet. */
static json_t *check_host(struct call *c)
{
	const struct kind *k = kind_by_name("Host");
	CLEANUP(jv_drop) json_t *host = NULL;
	struct err e = {0};
	enum err_code code = ERR_OK;

	if (!fleet_has_host(c->api->wants->fleet, c->user.name))
		code = store_get(
			c->api->store, (struct store_key){k->name, "", c->user.name}, &host, &e);
	return code ? status_of_err(k, c->user.name, code, &e) : NULL;
}

json_t *wants_handle(struct call *c)
{
	json_t *status = check_host(c);

	if (!status)
		lines_open(c->api->wants->lines, c);
	return status;
}
