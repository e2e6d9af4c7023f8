#include "net/loop.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "net/loop_io.h"

enum { CHUNKS_KEPT = 256 };

static enum err_code open_first(struct loop *l, enum loop_io io, struct err *e)
{
	if (io != LOOP_EPOLL) {
		l->ops = &loop_uring;
		if (!l->ops->open(l, e))
			return ERR_OK;
		if (io == LOOP_URING)
			return e ? e->code : ERR_UNAVAILABLE;
	}
	l->ops = &loop_epoll;
	return l->ops->open(l, e);
}

enum err_code loop_new(enum loop_io io, struct loop **ret, struct err *e)
{
	struct loop *l = mem_alloc(sizeof(*l));
	enum err_code code = open_first(l, io, e);

	if (code) {
		free(l);
		return code;
	}
	l->now_us = clock_mono_us();
	*ret = l;
	return ERR_OK;
}

static void bury(struct loop *l)
{
	struct stream *s = l->dead;

	l->dead = NULL;
	for (struct stream *next; s; s = next) {
		next = s->next_dead;
		if (s->is_ready || s->is_dirty) {
			s->next_dead = l->dead;
			l->dead = s;
			continue;
		}
		stream_release(s);
		s->ops->closed(s);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (struct stream_chunk *c = l->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	l->ops->close(l);
	timers_done(&l->timers);
	buf_done(&l->plain);
	buf_done(&l->cipher);
	free(l);
}

const char *loop_io_name(const struct loop *l)
{
	return l->ops->name;
}

/* How long the wait may be. */
static int64_t patience_us(struct loop *l)
{
	int64_t most = l->before_wait ? l->before_wait(l->arg) : -1;
	int64_t due = timers_next(&l->timers);

	if (l->ready || l->dead || l->dirty)
		return 0;
	if (due == INT64_MAX)
		return most;
	due = MAX(due - clock_mono_us(), 0);
	return most < 0 ? due : MIN(due, most);
}

static void run_ready(struct loop *l)
{
	struct stream *s = l->ready;

	l->ready = NULL;
	for (struct stream *next; s; s = next) {
		next = s->next_ready;
		s->is_ready = false;
		if (!s->is_closing)
			stream_again(s);
	}
}

static void flush_dirty(struct loop *l)
{
	while (l->dirty) {
		struct stream *s = l->dirty;

		l->dirty = s->next_dirty;
		s->is_dirty = false;
		if (!s->is_closing && !s->is_sending && !s->is_connecting)
			l->ops->send(l, s);
	}
}

void loop_run(struct loop *l)
{
	while (!l->is_stopping) {
		l->ops->wait(l, patience_us(l));
		timers_fire(&l->timers, l->now_us);
		run_ready(l);
		flush_dirty(l);
		bury(l);
	}
	l->is_stopping = false;
}

void loop_end(struct loop *l)
{
	l->is_stopping = true;
}

int64_t loop_now_us(const struct loop *l)
{
	return l->now_us;
}

void loop_timer(struct loop *l, struct timer *t, int64_t after_us, void (*fire)(struct timer *))
{
	timer_start(&l->timers, t, l->now_us + after_us, fire);
}

void loop_timer_stop(struct loop *l, struct timer *t)
{
	timer_stop(&l->timers, t);
}

void loop_listen(struct loop *l, struct listener *n)
{
	n->loop = l;
	n->is_on = true;
	(void)fcntl(n->fd, F_SETFL, fcntl(n->fd, F_GETFL) | O_NONBLOCK);
	l->ops->listen(l, n);
}

void loop_listen_stop(struct listener *n)
{
	if (!n->is_on)
		return;
	n->is_on = false;
	timer_stop(&n->loop->timers, &n->again);
	n->loop->ops->listen_stop(n->loop, n);
}

void loop_watch(struct loop *l, struct watch *w)
{
	w->loop = l;
	w->is_on = true;
	l->ops->watch(l, w);
}

void loop_unwatch(struct watch *w)
{
	if (!w->is_on)
		return;
	w->is_on = false;
	w->loop->ops->unwatch(w->loop, w);
}

void loop_guest(struct loop *l, int64_t (*before_wait)(void *arg), void *arg)
{
	l->before_wait = before_wait;
	l->arg = arg;
}

struct stream_chunk *loop_chunk(struct loop *l)
{
	struct stream_chunk *c = l->chunks;

	if (c) {
		l->chunks = c->next;
		l->chunks_n--;
	} else {
		c = malloc(sizeof(*c)); /* its data needs no zeros */
		if (!c)
			abort();
	}
	c->next = NULL;
	c->start = c->end = 0;
	return c;
}

void loop_chunk_free(struct loop *l, struct stream_chunk *c)
{
	if (l->chunks_n >= CHUNKS_KEPT) {
		free(c);
		return;
	}
	c->next = l->chunks;
	l->chunks = c;
	l->chunks_n++;
}

void loop_dirty(struct loop *l, struct stream *s)
{
	if (s->is_dirty)
		return;
	s->is_dirty = true;
	s->next_dirty = l->dirty;
	l->dirty = s;
}

void loop_ready(struct loop *l, struct stream *s)
{
	if (s->is_ready)
		return;
	s->is_ready = true;
	s->next_ready = l->ready;
	l->ready = s;
}

void loop_dead(struct loop *l, struct stream *s)
{
	if (s->is_dead)
		return;
	s->is_dead = true;
	s->next_dead = l->dead;
	l->dead = s;
}
