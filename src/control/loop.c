#include "control/loop.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wake.h"
#include "kinds/kinds.h"

enum {
	TICK_MS = 200, /* how often leadership is looked at */
	HOSTS_MS = 1000,
	PRUNE_MS = 60000,
	CONFLICT_MS = 200, /* at most: somebody else wrote, so there is something new to read */
	AWAY_MS = 1000, /* at most, while the system database is away */
	SETTLED_ROUNDS = 360, /* of resyncs, until an object at rest is looked at again */
	WORKERS_MAX = 16,
};

static const struct {
	const char *kind;
	controller *reconcile;
} controllers[] = {
	{"Database", database_reconcile}, {"Host", host_reconcile},
	{"Gateway", gateway_reconcile},   {"Namespace", namespace_reconcile},
	{"Event", event_reconcile},
};

struct loop {
	struct context *x;
	int resync_ms;
	pthread_t lead, workers[WORKERS_MAX];
	size_t workers_n;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock: */
	bool is_stopping;
	bool is_leading;
	bool is_gone; /* the watch has missed rows */
	bool is_away; /* the system database is, as workers have seen: said once */
	/* the leading thread's own: */
	struct store_watch *watch;
	int64_t hosts_at_ms, prune_at_ms, resync_at_ms;
	uint64_t round;
};

static bool flag_get(struct loop *l, const bool *flag)
{
	bool is;

	pthread_mutex_lock(&l->lock);
	is = *flag;
	pthread_mutex_unlock(&l->lock);
	return is;
}

static void flag_set(struct loop *l, bool *flag, bool is)
{
	pthread_mutex_lock(&l->lock);
	*flag = is;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

/* Workers. */

static enum err_code dispatch(struct loop *l, const char *key, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str rest = str_of(key), kind, ns;

	str_split(&rest, '/', &kind);
	str_split(&rest, '/', &ns);
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++)
		if (str_is(kind, controllers[i].kind))
			return controllers[i].reconcile(
				l->x, arena_strndup(&a, ns.p, ns.n),
				arena_strndup(&a, rest.p, rest.n), &a, e);
	return ERR_OK;
}

/* An error of ours, or of what somebody asked for: the object itself says so in an event. */
static void complain(struct loop *l, const char *key, const struct err *e)
{
	struct str rest = str_of(key), kind, ns;
	CLEANUP(jv_drop) json_t *about = NULL;
	struct outcome_event ev = {
		.is_warning = true, .reason = "ReconcileFailed", .message = e->text};

	str_split(&rest, '/', &kind);
	str_split(&rest, '/', &ns);
	about = json_pack(
		"{s:s, s:s%, s:{s:s%, s:s%}}", "apiVersion",
		str_is(kind, "Namespace") ? "v1" : "slipway.dev/v1", "kind", kind.p, kind.n,
		"metadata", "namespace", ns.p, ns.n, "name", rest.p, rest.n);
	ev.about = about;
	if (about && !str_is(kind, "Event")) {
		event_log_add(l->x->events, &ev);
		queue_add(l->x->queue, CONTEXT_EVENTS_KEY, AWAY_MS);
	}
}

/* Says once that the system database is away, and once that it is back. */
static void note_away(struct loop *l, bool is_away, const struct err *e)
{
	if (flag_get(l, &l->is_away) == is_away)
		return;
	flag_set(l, &l->is_away, is_away);
	if (is_away)
		log_warn("controllers wait", "why=%s", log_q(e->text));
	else
		log_info("controllers go on", "why=%s", log_q("the system database is back"));
}

static int64_t delay_max_ms(enum err_code code)
{
	if (code == ERR_CONFLICT)
		return CONFLICT_MS;
	return code == ERR_UNAVAILABLE ? AWAY_MS : QUEUE_BACKOFF_MAX_MS;
}

static void work_on(struct loop *l, const char *key)
{
	struct err e = {0};
	enum err_code code = flag_get(l, &l->is_leading) ? dispatch(l, key, &e) : ERR_OK;

	if (code == ERR_OK) {
		note_away(l, false, &e);
		queue_done(l->x->queue, key);
		return;
	}
	if (code == ERR_UNAVAILABLE) {
		note_away(l, true, &e);
	} else if (code != ERR_CONFLICT) {
		log_warn("reconcile failed", "key=%s why=%s", key, log_q(e.text));
		complain(l, key, &e);
	}
	queue_fail(l->x->queue, key, delay_max_ms(code));
}

static void *worker_run(void *arg)
{
	struct loop *l = arg;
	const char *key;

	while ((key = queue_take(l->x->queue, -1)))
		work_on(l, key);
	return NULL;
}

/* The watch: on the store's thread. */

static void on_event(void *arg, const struct store_event *ev, enum err_code code)
{
	struct loop *l = arg;
	json_t *o = NULL;
	struct err e;

	if (code) {
		flag_set(l, &l->is_gone, true);
		return;
	}
	if (ev->type == STORE_BOOKMARK)
		return;
	if (!strcmp(ev->kind, "Event") && ev->type != STORE_DELETED) {
		event_log_written(l->x->events, ev->ns, ev->name, clock_wall_us());
		return;
	}
	if (jv_parse(ev->text, SIZE_MAX, &o, &e))
		return;
	if (!strcmp(ev->kind, "Event"))
		event_log_seen(l->x->events, o, true);
	if (ev->type == STORE_DELETED)
		index_remove(l->x->index, o, context_touch, l->x);
	else
		index_put(l->x->index, o, context_touch, l->x);
	json_decref(o);
}

/* Leading. */

static bool on_listed(void *arg, const char *ns, const char *name, struct str text)
{
	struct loop *l = arg;
	json_t *o = NULL;
	struct err e;

	if (jv_parse(text, SIZE_MAX, &o, &e)) {
		log_error("object cannot be read", "object=%s/%s why=%s", ns, name, log_q(e.text));
		return true;
	}
	if (!strcmp(jv_str_or(o, "kind", ""), "Event"))
		event_log_seen(l->x->events, o, false);
	else
		index_put(l->x->index, o, context_touch, l->x);
	json_decref(o);
	return true;
}

/* Lists every kind; the watch goes on behind the first list, so that nothing is missed. */
static enum err_code list_all(struct loop *l, struct err *e)
{
	int64_t revision, first = 0;
	enum err_code code = ERR_OK;
	size_t n;
	const struct kind *k = kinds_all(&n);

	index_list_begin(l->x->index);
	for (size_t i = 0; i < n && !code; i++) {
		code = store_list(
			l->x->store, k[i].name, NULL, 0, NULL, on_listed, l, &revision, e);
		if (!code && !i)
			first = revision;
	}
	if (code)
		return code;
	index_list_end(l->x->index, context_touch, l->x);
	return store_watch_start(l->x->store, NULL, NULL, first, on_event, l, &l->watch, e);
}

static void watch_end(struct loop *l)
{
	if (l->watch)
		store_watch_stop(l->watch);
	l->watch = NULL;
}

static void begin(struct loop *l)
{
	int64_t now = clock_mono_ms();
	struct err e;

	watch_end(l);
	flag_set(l, &l->is_gone, false);
	if (list_all(l, &e)) {
		log_warn("controllers cannot read yet", "why=%s", log_q(e.text));
		watch_end(l);
		return;
	}
	if (!flag_get(l, &l->is_leading))
		log_info("controllers lead", "workers=%zu", l->workers_n);
	l->x->since_ms = now;
	l->hosts_at_ms = now;
	l->prune_at_ms = now + PRUNE_MS;
	l->resync_at_ms = now + l->resync_ms;
	flag_set(l, &l->is_leading, true);
	queue_hold(l->x->queue, false);
}

static void end(struct loop *l)
{
	if (!flag_get(l, &l->is_leading))
		return;
	flag_set(l, &l->is_leading, false);
	queue_hold(l->x->queue, true);
	watch_end(l);
	queue_clear(l->x->queue);
	log_info("controllers rest", "why=%s", "another replica leads");
}

static void look_at(struct context *x, const char *kind, const char *name)
{
	char key[320];

	snprintf(key, sizeof(key), "%s//%s", kind, name);
	queue_add(x->queue, key, 0);
}

static void look_at_host(void *arg, const char *name, bool is_ready)
{
	bool is_known, is_heard = host_is_heard(arg, name, &is_known);

	if (is_known && is_heard != is_ready)
		look_at(arg, "Host", name);
}

static void look_at_gateway(void *arg, const char *name, bool is_ready)
{
	bool is_known, is_heard = gateway_is_heard(arg, name, &is_known);

	if (is_known && is_heard != is_ready)
		look_at(arg, "Gateway", name);
}

/* Spread over the time until the next one. */
static void look_again(void *arg, const char *key)
{
	struct loop *l = arg;

	queue_add(
		l->x->queue, key,
		(int64_t)(str_hash(str_of(key)) % (uint64_t)MAX(l->resync_ms, 1)));
}

static void tick(struct loop *l)
{
	int64_t now = clock_mono_ms();

	if (now >= l->hosts_at_ms) {
		l->hosts_at_ms = now + HOSTS_MS;
		index_each_host(l->x->index, look_at_host, l->x);
		index_each_gateway(l->x->index, look_at_gateway, l->x);
	}
	if (now >= l->prune_at_ms) {
		l->prune_at_ms = now + PRUNE_MS;
		queue_add(l->x->queue, CONTEXT_PRUNE_KEY, 0);
	}
	if (now >= l->resync_at_ms) {
		l->resync_at_ms = now + l->resync_ms;
		index_each_due(l->x->index, l->round++, SETTLED_ROUNDS, look_again, l);
	}
}

/* Until it is time to look again, or somebody wakes us. */
static bool rest(struct loop *l)
{
	int64_t until = clock_mono_ms() + TICK_MS;
	bool is_stopping;

	pthread_mutex_lock(&l->lock);
	if (!l->is_stopping && !l->is_gone)
		wake_wait(&l->wake, &l->lock, until);
	is_stopping = l->is_stopping;
	pthread_mutex_unlock(&l->lock);
	return !is_stopping;
}

static void *lead_run(void *arg)
{
	struct loop *l = arg;

	do {
		if (!store_is_leader(l->x->store))
			end(l);
		else if (!l->watch || flag_get(l, &l->is_gone))
			begin(l);
		else
			tick(l);
	} while (rest(l));
	watch_end(l);
	return NULL;
}

static void loop_free(struct loop *l)
{
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void workers_end(struct loop *l)
{
	queue_stop(l->x->queue);
	for (size_t i = 0; i < l->workers_n; i++)
		pthread_join(l->workers[i], NULL);
}

enum err_code loop_start(const struct loop_conf *c, struct loop **ret, struct err *e)
{
	struct loop *l = mem_alloc(sizeof(*l));
	bool is_ok = true;

	l->x = c->context;
	l->resync_ms = c->resync_ms;
	queue_hold(l->x->queue, true); /* nobody looks at a key before all is listed */
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	while (is_ok && l->workers_n < (size_t)MIN(c->workers, WORKERS_MAX)) {
		is_ok = !pthread_create(&l->workers[l->workers_n], NULL, worker_run, l);
		l->workers_n += is_ok;
	}
	if (!is_ok || pthread_create(&l->lead, NULL, lead_run, l)) {
		workers_end(l);
		loop_free(l);
		return err_set(e, ERR_LIMIT, "no thread for the controllers");
	}
	*ret = l;
	return ERR_OK;
}

void loop_stop(struct loop *l)
{
	flag_set(l, &l->is_stopping, true);
	pthread_join(l->lead, NULL);
	workers_end(l);
	loop_free(l);
}
