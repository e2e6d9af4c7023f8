#include "gateway/pool.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "codec/pgwire.h"

enum { TICK_US = 1000000, BACKOFF_US = 50000, BACKOFF_MOST_US = 2000000 };

static const struct route_pool *conf(const struct pool *p)
{
	return &p->database->route->pool;
}

static void on_tick(struct timer *t);

static void start_put(struct buf *b, const char *name, struct str value)
{
	pgw_put_text(b, str_of(name));
	pgw_put_text(b, value);
}

static const char *
key_of(struct arena *a, struct str user, const char *dbname, bool is_ro, struct str extra)
{
	struct buf b = {0};
	const char *key;

	buf_str(&b, user);
	buf_putc(&b, 1);
	buf_puts(&b, dbname);
	buf_putc(&b, is_ro ? 2 : 1);
	for (size_t i = 0; i < extra.n; i++)
		buf_putc(&b, extra.p[i] ? extra.p[i] : 3);
	key = arena_strndup(a, b.p, b.n);
	buf_done(&b);
	return key;
}

struct pool *pool_find(
	struct database *d, const struct pool_ops *ops, struct str user, const char *dbname,
	bool is_read_only, struct str extra)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *key = key_of(&a, user, dbname, is_read_only, extra);
	struct pool *p;

	list_for_each (at, &d->pools) {
		p = list_entry(at, struct pool, node);
		if (!strcmp(p->key, key))
			return p;
	}
	p = mem_alloc(sizeof(*p));
	p->hub = d->hub;
	p->database = d;
	p->ops = ops;
	p->key = mem_strdup(key);
	p->user = mem_printf(STR_FMT, STR_ARG(user));
	p->dbname = mem_strdup(dbname);
	p->is_read_only = is_read_only;
	start_put(&p->start, "user", d->route->user ? str_of(d->route->user) : user);
	start_put(&p->start, "database", str_of(dbname));
	buf_str(&p->start, extra);
	for (int i = 0; i < SERVER_PLACES; i++)
		list_init(&p->at[i]);
	list_init(&p->line);
	list_push_back(&d->pools, &p->node);
	loop_timer(d->hub->loop, &p->tick, TICK_US, on_tick);
	return p;
}

static void place(struct server *s, enum server_place to, bool is_front)
{
	struct pool *p = s->pool;

	list_remove(&s->node);
	p->n[s->place]--;
	s->place = to;
	p->n[to]++;
	if (is_front)
		list_push_front(&p->at[to], &s->node);
	else
		list_push_back(&p->at[to], &s->node);
}

static void leave(struct server *s)
{
	struct pool *p = s->pool;

	list_remove(&s->node);
	p->n[s->place]--;
}

static void discard(struct server *s)
{
	leave(s);
	server_close(s);
}

static void discard_all(struct pool *p, enum server_place from)
{
	while (!list_is_empty(&p->at[from]))
		discard(list_entry(p->at[from].next, struct server, node));
}

void pool_drop_idle(struct pool *p)
{
	discard_all(p, SERVER_IDLE);
	discard_all(p, SERVER_WARM);
	discard_all(p, SERVER_OPENING);
	discard_all(p, SERVER_LEAVING);
}

void pool_free(struct pool *p)
{
	assert(p->line_n == 0 && p->clients == 0);
	for (int i = 0; i < SERVER_PLACES; i++)
		discard_all(p, (enum server_place)i);
	loop_timer_stop(p->hub->loop, &p->tick);
	loop_timer_stop(p->hub->loop, &p->again);
	loop_timer_stop(p->hub->loop, &p->leave);
	list_remove(&p->node);
	vars_drop(p->welcome);
	buf_done(&p->start);
	free(p->key);
	free(p->user);
	free(p->dbname);
	free(p);
}

static bool fits(const struct pool *p, const struct server *s)
{
	const struct route *r = p->database->route;
	const struct route_member *m = r ? route_member(r, s->member) : NULL;

	return !s->is_stale && !s->is_warm && m && s->epoch == r->epoch &&
		m->is_primary != p->is_read_only;
}

static void on_again(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, again);

	pool_serve(p);
}

static void refuse(struct pool *p, struct pool_wait *w, const struct pool_refusal *why)
{
	list_remove(&w->node);
	p->line_n--;
	p->ops->refused(w, why);
}

/* What a server says that will not change by trying again. */
static bool is_lasting(const struct server_end *why)
{
	static const char *const states[] = {"28000", "28P01", "3D000", "42501",
					     "22023", "42704", "0A000", NULL};

	for (const char *const *at = states; *at; at++)
		if (!strcmp(why->sqlstate, *at))
			return true;
	return false;
}

static void failed(struct pool *p, const struct server_end *why)
{
	int64_t wait = BACKOFF_US << MIN(p->failures, 6);

	p->failures++;
	p->last.err = why->err;
	p->last.sqlstate = "08006";
	if (p->failures == 1)
		log_warn(
			"server cannot be reached", "database=%s role=%s why=%s", p->database->name,
			p->user, log_q(why->err.text));
	if (is_lasting(why)) {
		struct pool_refusal r = {.sqlstate = "08004", .err = why->err};

		while (!list_is_empty(&p->line))
			refuse(p, list_entry(p->line.next, struct pool_wait, node), &r);
	}
	if (!timer_is_on(&p->again))
		loop_timer(p->hub->loop, &p->again, MIN(wait, BACKOFF_MOST_US), on_again);
}

static void connect_to(struct pool *p, const struct route_member *m, bool is_warm)
{
	const struct route *r = p->database->route;
	struct server_target t = {
		.member = m,
		.epoch = r->epoch,
		.start = buf_view(&p->start),
		.password = r->user ? &r->password : NULL,
		.user = str_of(r->user ? r->user : p->user)};
	struct server_end why = {0};
	struct server *s;

	if (server_new(p->hub, &t, p, &s, &why.err)) {
		failed(p, &why);
		return;
	}
	s->is_warm = is_warm;
	s->place = SERVER_OPENING;
	p->n[SERVER_OPENING]++;
	list_push_back(&p->at[SERVER_OPENING], &s->node);
}

static bool may_grow(const struct pool *p)
{
	const struct route_pool *c = conf(p);
	int64_t all = (int64_t)p->n[SERVER_IDLE] + p->n[SERVER_BUSY] + p->n[SERVER_OPENING];
	const struct pool_wait *first;

	if (all < c->size)
		return true;
	if (all >= c->size + c->reserve || list_is_empty(&p->line))
		return false;
	first = list_entry(p->line.next, struct pool_wait, node);
	return loop_now_us(p->hub->loop) - first->since_us >= c->reserve_after_ms * 1000;
}

static void grow(struct pool *p)
{
	const struct route *r = p->database->route;
	const struct route_member *m;

	while (p->n[SERVER_OPENING] < p->line_n && may_grow(p) && !timer_is_on(&p->again)) {
		m = p->is_read_only ? route_standby(r, p->database->turn++) : route_primary(r);
		if (!m) {
			struct server_end why = {0};

			(void)err_set(
				&why.err, ERR_UNAVAILABLE, "%s has no %s now", p->database->name,
				p->is_read_only ? "standby that is near enough" : "primary");
			failed(p, &why);
			return;
		}
		connect_to(p, m, false);
	}
}

static void grant(struct pool *p, struct pool_wait *w, struct server *s)
{
	int64_t us = loop_now_us(p->hub->loop) - w->since_us;

	list_remove(&w->node);
	p->line_n--;
	p->wait_us += (uint64_t)us;
	p->wait_us_most = MAX(p->wait_us_most, us);
	histogram_add(&p->database->waits, us);
	p->ops->granted(w, s);
}

/* An idle server, moved to the busy ones; NULL: none. */
static struct server *pick(struct pool *p)
{
	while (!list_is_empty(&p->at[SERVER_IDLE])) {
		struct server *s = list_entry(p->at[SERVER_IDLE].next, struct server, node);

		if (!fits(p, s)) {
			discard(s);
			continue;
		}
		place(s, SERVER_BUSY, false);
		return s;
	}
	return NULL;
}

struct server *pool_take(struct pool *p, struct pool_wait *w)
{
	struct server *s = NULL;

	if (list_is_empty(&p->line) && !database_is_held(p->database) && p->database->route)
		s = pick(p);
	p->waits++;
	if (s) {
		p->database->waits.n[0]++;
		return s;
	}
	w->since_us = loop_now_us(p->hub->loop);
	list_push_back(&p->line, &w->node);
	p->line_n++;
	if (!database_is_held(p->database) && p->database->route)
		grow(p);
	return NULL;
}

void pool_leave(struct pool *p, struct pool_wait *w)
{
	if (!w->node.next || list_is_empty(&w->node))
		return;
	list_remove(&w->node);
	p->line_n--;
}

void pool_serve(struct pool *p)
{
	struct server *s;

	if (database_is_held(p->database) || !p->database->route)
		return;
	while (!list_is_empty(&p->line) && (s = pick(p)) != NULL)
		grant(p, list_entry(p->line.next, struct pool_wait, node), s);
	grow(p);
}

void pool_give(struct server *s)
{
	struct pool *p = s->pool;
	int64_t now = loop_now_us(p->hub->loop);

	s->session = NULL;
	s->used_us = now;
	if (!fits(p, s) || now - s->made_us > conf(p)->lifetime_s * 1000000) {
		discard(s);
		pool_serve(p);
		return;
	}
	if (!list_is_empty(&p->line) && !database_is_held(p->database)) {
		grant(p, list_entry(p->line.next, struct pool_wait, node), s);
		return;
	}
	place(s, SERVER_IDLE, true);
}

enum { LEAVE_US = 10000, LEAVE_AT_ONCE = 4 };

/* Backends that end cost their host time: hundreds at once would be felt by those that
 * have just been carried on. */
static void on_leave(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, leave);

	for (int i = 0; i < LEAVE_AT_ONCE && !list_is_empty(&p->at[SERVER_LEAVING]); i++)
		discard(list_entry(p->at[SERVER_LEAVING].next, struct server, node));
	if (!list_is_empty(&p->at[SERVER_LEAVING]))
		loop_timer(p->hub->loop, t, LEAVE_US, on_leave);
}

void pool_retire(struct server *s)
{
	struct pool *p = s->pool;

	s->session = NULL;
	s->is_stale = true;
	place(s, SERVER_LEAVING, false);
	if (!timer_is_on(&p->leave))
		loop_timer(p->hub->loop, &p->leave, LEAVE_US * 50, on_leave);
}

void pool_on_ready(struct server *s)
{
	struct pool *p = s->pool;

	p->failures = 0;
	loop_timer_stop(p->hub->loop, &p->again);
	if (!p->welcome || p->welcome != s->vars) {
		vars_drop(p->welcome);
		p->welcome = vars_ref(s->vars);
	}
	place(s, s->is_warm ? SERVER_WARM : SERVER_IDLE, false);
	pool_serve(p);
}

void pool_on_lost(struct server *s, const struct server_end *why)
{
	struct pool *p = s->pool;
	struct session *holder = s->session;

	leave(s);
	if (why->is_refused && !s->is_warm)
		failed(p, why);
	if (!holder)
		return;
	s->session = NULL;
	p->ops->lost(holder, s, why);
}

/* Those that were made for the primary to come, now that the route has changed. */
static void adopt(struct pool *p, enum server_place from)
{
	const struct route *r = p->database->route;

	list_for_each_safe (at, &p->at[from]) {
		struct server *s = list_entry(at, struct server, node);
		const struct route_member *m = r ? route_member(r, s->member) : NULL;

		if (!s->is_warm || p->database->hold != HOLD_OPEN)
			continue;
		if (!m || !m->is_primary) {
			discard(s);
			continue;
		}
		s->is_warm = false;
		s->epoch = r->epoch;
		if (from == SERVER_WARM)
			place(s, SERVER_IDLE, true);
	}
}

void pool_refresh(struct pool *p)
{
	adopt(p, SERVER_WARM);
	adopt(p, SERVER_OPENING);
	list_for_each_safe (at, &p->at[SERVER_IDLE]) {
		struct server *s = list_entry(at, struct server, node);

		if (!fits(p, s))
			discard(s);
	}
	list_for_each_safe (at, &p->at[SERVER_OPENING]) {
		struct server *s = list_entry(at, struct server, node);

		if (!fits(p, s) && !s->is_warm)
			discard(s);
	}
	p->failures = 0;
	loop_timer_stop(p->hub->loop, &p->again);
	pool_serve(p);
}

void pool_warm(struct pool *p, const struct route_member *next, unsigned n)
{
	while (n-- > 0)
		connect_to(p, next, true);
}

static void expire_line(struct pool *p, int64_t now)
{
	struct pool_refusal late = {.sqlstate = "57014"};

	while (!list_is_empty(&p->line)) {
		struct pool_wait *w = list_entry(p->line.next, struct pool_wait, node);

		if (now - w->since_us < conf(p)->queue_ms * 1000 || database_is_held(p->database))
			return;
		if (p->failures) {
			refuse(p, w, &p->last);
			continue;
		}
		late.sqlstate = "53300";
		(void)err_set(
			&late.err, ERR_LIMIT,
			"no connection to '%s' as '%s' became free within %lld ms: all %u are in "
			"use; raise the pool's size or end transactions sooner",
			p->dbname, p->user, (long long)conf(p)->queue_ms, p->n[SERVER_BUSY]);
		refuse(p, w, &late);
	}
}

static void expire_idle(struct pool *p, int64_t now)
{
	const struct route_pool *c = conf(p);

	list_for_each_safe (at, &p->at[SERVER_IDLE]) {
		struct server *s = list_entry(at, struct server, node);
		bool is_old = now - s->made_us > c->lifetime_s * 1000000;
		bool is_idle = now - s->used_us > c->idle_s * 1000000 &&
			(int64_t)p->n[SERVER_IDLE] + p->n[SERVER_BUSY] > c->min;

		if (is_old || is_idle)
			discard(s);
	}
	if (!p->is_read_only && !database_is_held(p->database) && route_primary(p->database->route))
		while ((int64_t)p->n[SERVER_IDLE] + p->n[SERVER_BUSY] + p->n[SERVER_OPENING] <
			       MIN(c->min, c->size) &&
		       !timer_is_on(&p->again))
			connect_to(p, route_primary(p->database->route), false);
}

/* Startup parameters make a pool: one that nobody uses anymore goes, or clients could fill the
 * memory with them. */
static bool is_unused(const struct pool *p)
{
	unsigned n = p->clients + p->line_n;

	for (int i = 0; i < SERVER_PLACES; i++)
		n += p->n[i];
	return n == 0 && !timer_is_on(&p->again);
}

static void on_tick(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, tick);
	int64_t now = loop_now_us(p->hub->loop);

	loop_timer(p->hub->loop, t, TICK_US, on_tick);
	if (!p->database->route)
		return;
	if (is_unused(p)) {
		pool_free(p);
		return;
	}
	expire_line(p, now);
	if (p->database->hold == HOLD_OPEN)
		expire_idle(p, now);
	if (p->line_n && !database_is_held(p->database))
		pool_serve(p);
}
