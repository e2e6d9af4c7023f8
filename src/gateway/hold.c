#include "gateway/hold.h"

#include <stdio.h>

#include "base/log.h"
#include "gateway/carry.h"

enum { WARM_STEP_US = 2000, WARM_MOST_US = 1000000, RECENT_US = 2000000, WARM_MOST = 64 };

static const struct hold_ops *ops;
static void (*on_change)(struct database *d);

void hold_init(const struct hold_ops *o, void (*changed)(struct database *d))
{
	ops = o;
	on_change = changed;
}

const char *hold_name(enum hold_state s)
{
	static const char *const names[] = {"open", "warming", "holding", "held", "refused"};

	return names[s];
}

static void to(struct database *d, enum hold_state s)
{
	struct hold_tally n;

	if (d->hold == s)
		return;
	d->hold = s;
	n = hold_count(d);
	log_info(
		"hold", "database=%s state=%s id=%s parked=%u active=%u", d->name, hold_name(s),
		d->hold_id, n.parked, n.active);
	on_change(d);
}

/* Only the primary's sessions stand still: readers of a standby go on. */
#define each_server(d, s, body)                                                                    \
	list_for_each (at_pool, (struct list *)&(d)->pools) {                                      \
		struct pool *p = list_entry(at_pool, struct pool, node);                           \
                                                                                                   \
		if (p->is_read_only)                                                               \
			continue;                                                                  \
		list_for_each_safe (at, &p->at[SERVER_BUSY]) {                                     \
			struct server *s = list_entry(at, struct server, node);                    \
                                                                                                   \
			body                                                                       \
		}                                                                                  \
	}

static bool is_parked(const struct server *s)
{
	return s->session && s->session->is_parked;
}

struct hold_tally hold_count(const struct database *d)
{
	struct hold_tally n = {0};

	each_server(d, s, {
		if (is_parked(s))
			n.parked++;
		else if (s->session) /* not one that is being reset behind a session that left */
			n.active++;
	});
	return n;
}

static const char *reason(const struct session *c)
{
	if (c->tx != 'I')
		return "a transaction is open";
	if (c->carry && c->carry->obstacle[0])
		return c->carry->obstacle;
	return "a query runs";
}

void hold_stuck(
	const struct database *d, void (*each)(void *arg, const struct session *c, const char *why),
	void *arg)
{
	each_server(d, s, {
		if (s->session && !s->session->is_parked)
			each(arg, s->session, reason(s->session));
	});
}

/* Stops a session that is at a boundary, once it is known what it has. */
static void park(struct session *c)
{
	if (c->is_parked || !c->server || !session_is_at_rest(c) || c->asked || c->is_restoring)
		return;
	if (!session_is_pooled(c) && c->is_dirty) {
		ops->ask(c);
		return;
	}
	if (!session_is_pooled(c) && c->carry && c->carry->obstacle[0])
		return;
	c->is_parked = true;
}

static void check(struct timer *t)
{
	struct database *d = container_of(t, struct database, hold_check);

	if (d->hold == HOLD_HOLDING && hold_count(d).active == 0)
		to(d, HOLD_HELD);
}

void hold_boundary(struct session *c)
{
	struct database *d;

	if (!c->pool || c->pool->is_read_only)
		return;
	d = c->pool->database;
	if (d->hold != HOLD_HOLDING)
		return;
	park(c);
	/* many of a round are looked at once */
	if (!timer_is_on(&d->hold_check))
		loop_timer(d->hub->loop, &d->hold_check, 0, check);
}

static void release(struct database *d)
{
	each_server(d, s, {
		if (s->session) {
			s->session->is_parked = false;
			ops->attach(s->session);
		}
	});
}

static void end_one(void *arg, const struct session *c, const char *why)
{
	session_fail(
		(struct session *)c, "57P01",
		"the database moves to another server, and this session could not be carried there "
		"in time: %s",
		why);
}

static void log_one(void *arg, const struct session *c, const char *why)
{
	const struct database *d = arg;

	log_warn(
		"session keeps the hold", "database=%s id=%u role=%s why=%s", d->name, c->id,
		c->pool->user, log_q(why));
}

static void on_drained(struct timer *t)
{
	struct database *d = container_of(t, struct database, hold_limit);
	enum route_drain rule = d->route ? d->route->hold.on_drain : ROUTE_REFUSE;

	if (d->hold != HOLD_HOLDING)
		return;
	hold_stuck(d, log_one, d);
	if (rule == ROUTE_END) {
		hold_stuck(d, end_one, NULL);
		check(&d->hold_check);
	} else if (rule == ROUTE_REFUSE) {
		to(d, HOLD_REFUSED);
		release(d);
		list_for_each (at, &d->pools)
			pool_serve(list_entry(at, struct pool, node));
	} else {
		on_change(d);
	}
}

static void begin(struct database *d)
{
	d->held_since_us = loop_now_us(d->hub->loop);
	loop_timer(d->hub->loop, &d->hold_limit, d->route->hold.drain_ms * 1000, on_drained);
	to(d, HOLD_HOLDING);
	each_server(d, s, {
		if (s->session)
			park(s->session);
	});
	loop_timer(d->hub->loop, &d->hold_check, 0, check);
}

static unsigned opening(const struct database *d)
{
	unsigned n = 0;

	list_for_each (at, (struct list *)&d->pools) {
		struct pool *p = list_entry(at, struct pool, node);

		list_for_each (one, &p->at[SERVER_OPENING])
			n += list_entry(one, struct server, node)->is_warm;
	}
	return n;
}

static void on_warm(struct timer *t)
{
	struct database *d = container_of(t, struct database, hold_limit);

	if (d->hold != HOLD_WARMING)
		return;
	if (opening(d) == 0 || loop_now_us(d->hub->loop) - d->held_since_us > WARM_MOST_US)
		begin(d);
	else
		loop_timer(d->hub->loop, t, WARM_STEP_US, on_warm);
}

/* How many connections will be wanted at once: those in use of late. */
static unsigned wanted(const struct pool *p)
{
	int64_t now = loop_now_us(p->hub->loop);
	unsigned n = 0;

	list_for_each (at, (struct list *)&p->at[SERVER_BUSY]) {
		struct server *s = list_entry(at, struct server, node);

		n += s->session && now - s->session->used_us < RECENT_US;
	}
	if (p->database->route->mode == ROUTE_TRANSACTION)
		list_for_each (at, (struct list *)&p->at[SERVER_IDLE])
			n += now - list_entry(at, struct server, node)->used_us < RECENT_US;
	return MIN(n, WARM_MOST);
}

static void warm(struct database *d)
{
	const struct route_hold *h = &d->route->hold;
	const struct route_member *next = h->next ? route_member(d->route, h->next) : NULL;

	snprintf(d->hold_id, sizeof(d->hold_id), "%s", h->id);
	d->held_since_us = loop_now_us(d->hub->loop);
	if (!next || next->is_primary) {
		begin(d);
		return;
	}
	to(d, HOLD_WARMING);
	list_for_each (at, &d->pools) {
		struct pool *p = list_entry(at, struct pool, node);

		if (!p->is_read_only)
			pool_warm(p, next, wanted(p));
	}
	loop_timer(d->hub->loop, &d->hold_limit, WARM_STEP_US, on_warm);
}

static bool is_same_primary(const struct route *a, const struct route *b)
{
	const struct route_member *x = a ? route_primary(a) : NULL,
				  *y = b ? route_primary(b) : NULL;

	return x && y && a->epoch == b->epoch && !strcmp(x->name, y->name) &&
		!strcmp(x->host, y->host) && x->port == y->port;
}

/* Sessions leave their servers; those in a transaction keep theirs up to its end, which comes by
 * itself when the server is no primary anymore. */
static void carry_on(struct database *d)
{
	each_server(d, s, {
		struct session *c = s->session;

		s->is_stale = true;
		if (!c)
			continue;
		if (c->is_parked || (session_is_at_rest(c) && !c->is_dirty && !c->asked))
			ops->detach(c);
		c->is_parked = false;
		ops->attach(c);
	});
	list_for_each (at, &d->pools)
		pool_refresh(list_entry(at, struct pool, node));
}

static void end_all(struct database *d)
{
	list_for_each_safe (at, &d->hub->sessions) {
		struct session *c = list_entry(at, struct session, node);

		if (c->pool && c->pool->database == d)
			session_fail(c, "57P01", "this database is gone");
	}
	list_for_each (at, &d->pools)
		pool_drop_idle(list_entry(at, struct pool, node));
}

void hold_route(struct database *d, struct route *r)
{
	struct route *old = d->route;
	bool is_same = is_same_primary(old, r);
	bool was_held = d->hold != HOLD_OPEN;

	d->route = r;
	if (!r) {
		d->route = NULL;
		loop_timer_stop(d->hub->loop, &d->hold_limit);
		to(d, HOLD_OPEN);
		end_all(d);
	} else if (r->hold.id && strcmp(r->hold.id, d->hold_id)) {
		warm(d);
	} else if (!r->hold.id) {
		d->hold_id[0] = 0;
		loop_timer_stop(d->hub->loop, &d->hold_limit);
		to(d, HOLD_OPEN);
		if (!is_same) {
			carry_on(d);
		} else {
			if (was_held)
				release(d);
			list_for_each (at, &d->pools)
				pool_refresh(list_entry(at, struct pool, node));
		}
	}
	if (old != r)
		route_free(old);
}
