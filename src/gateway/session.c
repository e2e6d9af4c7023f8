#include "gateway/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/log.h"
#include "gateway/carry.h"

static void id_take(struct session *c)
{
	struct hub *h = c->hub;

	while (h->ids_free < h->ids_n && h->ids[h->ids_free])
		h->ids_free++;
	if (h->ids_free == h->ids_n) {
		uint32_t n = MAX(h->ids_n * 2, 256);

		h->ids = mem_resize(h->ids, n * sizeof(struct session *));
		memset(h->ids + h->ids_n, 0, (n - h->ids_n) * sizeof(struct session *));
		h->ids_n = n;
	}
	h->ids[h->ids_free] = c;
	c->id = h->ids_free + 1;
}

struct session *session_new(struct hub *h, int fd, const struct stream_ops *ops)
{
	struct session *c = mem_alloc(sizeof(*c));

	c->hub = h;
	c->tx = 'I';
	c->made_us = c->used_us = loop_now_us(h->loop);
	list_push_back(&h->sessions, &c->node);
	list_init(&c->wait.node);
	h->clients++;
	id_take(c);
	if (getrandom(c->key, sizeof(c->key), 0) != sizeof(c->key))
		abort();
	stream_init(&c->stream, h->loop, ops, fd);
	return c;
}

struct session *session_by_id(const struct hub *h, uint32_t id)
{
	return id > 0 && id <= h->ids_n ? h->ids[id - 1] : NULL;
}

void session_free(struct session *c)
{
	struct hub *h = c->hub;

	assert(!c->server && !c->login);
	loop_timer_stop(h->loop, &c->timer);
	if (c->pool) {
		c->pool->clients--;
		c->pool->database->clients--;
	}
	list_remove(&c->node);
	h->clients--;
	h->ids[c->id - 1] = NULL;
	h->ids_free = MIN(h->ids_free, c->id - 1);
	carry_free(c->carry);
	carry_free(c->asked);
	stmts_done(&c->stmts);
	stmt_drop(c->unnamed);
	vars_drop(c->vars);
	vars_drop(c->base);
	if (c->again)
		buf_done(c->again);
	free(c->again);
	if (c->custom)
		buf_done(c->custom);
	free(c->custom);
	free(c);
}

void session_send(struct session *c, struct buf *b)
{
	stream_write(&c->stream, b->p, b->n);
	buf_done(b);
}

void session_error(struct session *c, const char *sqlstate, const char *text)
{
	struct buf b = {0};

	pgw_put_error(
		&b,
		&(struct pgw_error){.severity = "ERROR", .sqlstate = sqlstate, .message = text});
	session_send(c, &b);
}

static void say_end(struct session *c, const char *reason)
{
	const char *database = c->pool ? c->pool->database->name : "-";
	struct str application = c->vars ? vars_get(c->vars, "application_name") : STR("");

	log_info(
		"session ended",
		"id=%u database=%s role=%s application=%.*s tls=%s queries=%llu seconds=%.1f "
		"why=%s",
		c->id, database, c->pool ? c->pool->user : "-", (int)MIN(application.n, 64),
		application.p ? application.p : "", c->had_tls ? "yes" : "no",
		(unsigned long long)c->queries,
		(double)(loop_now_us(c->hub->loop) - c->made_us) / 1e6, log_q(reason));
}

static void on_linger(struct timer *t)
{
	struct session *c = container_of(t, struct session, timer);

	stream_close(&c->stream);
}

void session_end(struct session *c, const char *reason)
{
	if (c->state == SESSION_ENDING)
		return;
	say_end(c, reason);
	if (c->pool)
		pool_leave(c->pool, &c->wait);
	session_unlink(c);
	c->state = SESSION_ENDING;
	c->hub->counts.ended++;
	stream_finish(&c->stream);
	loop_timer(c->hub->loop, &c->timer, 2000000, on_linger);
}

void session_fail(struct session *c, const char *sqlstate, const char *fmt, ...)
{
	struct buf b = {0};
	char text[500];
	va_list ap;

	if (c->state == SESSION_ENDING)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pgw_put_error(
		&b,
		&(struct pgw_error){.severity = "FATAL", .sqlstate = sqlstate, .message = text});
	session_send(c, &b);
	session_end(c, text);
}

void session_unlink(struct session *c)
{
	struct server *s = c->server;
	const struct route *r;

	if (!s)
		return;
	c->server = NULL;
	s->session = NULL;
	s->own = NULL;
	r = c->pool->database->route;
	if (stream_is_paused(&s->stream))
		stream_resume(&s->stream);
	if (!server_is_at_rest(s) || c->is_batch_open || c->body_left || c->is_restoring || !r)
		s->is_stale = true;
	else if (r->mode == ROUTE_SESSION && s->needs_reset && r->pool.reset[0] && !s->is_stale) {
		s->is_reset = true;
		server_ask(s, str_of(r->pool.reset));
		return;
	} else if (r->mode == ROUTE_SESSION && s->needs_reset) {
		s->is_stale = r->pool.reset[0] != 0;
	}
	pool_give(s);
}

void session_wake(struct session *c)
{
	if (c->state == SESSION_READY && !c->is_waiting && !c->is_stopped && !c->is_choked &&
	    !c->is_restoring)
		stream_resume(&c->stream);
}
