#include "control/context.h"

#include "base/clock.h"

enum { EVENTS_DELAY_MS = 50 };

void context_touch(void *arg, const char *key)
{
	struct context *x = arg;

	queue_add(x->queue, key, 0);
}

/* An object of ours was deleted when it came back without its last finalizer. */
static bool is_gone(const struct store_write *w)
{
	bool is_deleting = jv_str(w->ret, "metadata.deletionTimestamp") != NULL;

	if (w->verb == STORE_DELETE)
		return !json_array_size(jv_at(w->ret, "metadata.finalizers"));
	return is_deleting && w->verb != STORE_STATUS &&
		!json_array_size(jv_at(w->ret, "metadata.finalizers"));
}

static void learn(struct context *x, struct outcome *o)
{
	for (size_t i = 0; i < o->writes_n; i++) {
		const struct store_write *w = &o->writes[i];

		if (!w->ret || !w->is_changed)
			continue;
		if (is_gone(w))
			index_remove(x->index, w->ret, context_touch, x);
		else
			index_put(x->index, w->ret, context_touch, x);
	}
	for (size_t i = 0; i < o->events_n; i++)
		event_log_add(x->events, &o->events[i]);
	if (o->events_n)
		queue_add(x->queue, CONTEXT_EVENTS_KEY, EVENTS_DELAY_MS);
}

enum err_code context_apply(struct context *x, const char *key, struct outcome *o, struct err *e)
{
	enum err_code code = ERR_OK;

	if (o->writes_n)
		code = store_write(x->store, o->writes, o->writes_n, e);
	if (code)
		return code;
	learn(x, o);
	if (o->wake_at_us)
		queue_add(x->queue, key, (o->wake_at_us - clock_wall_us()) / 1000 + 1);
	return ERR_OK;
}

enum err_code context_get(
	struct context *x, const char *kind, const char *ns, const char *name, json_t **ret,
	struct err *e)
{
	json_t *o = NULL;
	enum err_code code = store_get(x->store, (struct store_key){kind, ns, name}, &o, e);

	if (code && code != ERR_NOT_FOUND)
		return code;
	*ret = o;
	return ERR_OK;
}

enum err_code
event_reconcile(struct context *x, const char *ns, const char *name, struct arena *a, struct err *e)
{
	(void)ns;
	(void)a;
	if (!strcmp(name, "prune"))
		return event_log_prune(x->events, clock_wall_us(), e);
	return event_log_flush(x->events, e);
}
