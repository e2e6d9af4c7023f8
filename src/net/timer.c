#include "net/timer.h"

#include <stdlib.h>

#include "base/arena.h"

void timers_done(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers){0};
}

static void put(struct timers *ts, size_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->at = (uint32_t)i + 1;
}

static void sift_up(struct timers *ts, size_t i, struct timer *t)
{
	while (i > 0 && ts->heap[(i - 1) / 2]->due_us > t->due_us) {
		put(ts, i, ts->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(ts, i, t);
}

static void sift_down(struct timers *ts, size_t i, struct timer *t)
{
	for (size_t child = 2 * i + 1; child < ts->n; child = 2 * i + 1) {
		if (child + 1 < ts->n && ts->heap[child + 1]->due_us < ts->heap[child]->due_us)
			child++;
		if (ts->heap[child]->due_us >= t->due_us)
			break;
		put(ts, i, ts->heap[child]);
		i = child;
	}
	put(ts, i, t);
}

void timer_stop(struct timers *ts, struct timer *t)
{
	if (!t->at)
		return;

	size_t i = t->at - 1;
	struct timer *last = ts->heap[--ts->n];

	assert(ts->heap[i] == t || i == ts->n);
	t->at = 0;
	if (last == t)
		return;
	if (i > 0 && ts->heap[(i - 1) / 2]->due_us > last->due_us)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

void timer_start(struct timers *ts, struct timer *t, int64_t due_us, void (*fire)(struct timer *))
{
	timer_stop(ts, t);
	if (ts->n == ts->cap) {
		ts->cap = MAX(ts->cap * 2, 64);
		ts->heap = mem_resize(ts->heap, ts->cap * sizeof(struct timer *));
	}
	t->due_us = due_us;
	t->fire = fire;
	sift_up(ts, ts->n++, t);
}

/* Those that a callback starts for now wait for the next round: a loop of timers cannot starve I/O.
 */
void timers_fire(struct timers *ts, int64_t now_us)
{
	size_t most = ts->n;

	while (most-- > 0 && ts->n > 0 && ts->heap[0]->due_us <= now_us) {
		struct timer *t = ts->heap[0];

		timer_stop(ts, t);
		t->fire(t);
	}
}

int64_t timers_next(const struct timers *ts)
{
	return ts->n ? ts->heap[0]->due_us : INT64_MAX;
}
