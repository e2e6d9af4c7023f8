/*
 * Timers: a binary heap by due time, embedded in their owners.
 *
 * A timer that was stopped does not fire, not even in the same round. timers_fire calls each that
 * is due once; a callback may start and stop any, its own too. One thread.
 */
#ifndef SLIPWAY_NET_TIMER_H
#define SLIPWAY_NET_TIMER_H

#include "base/defs.h"

struct timer {
	int64_t due_us; /* monotonic */
	uint32_t at; /* place in the heap and one; 0: not started */
	void (*fire)(struct timer *t);
};

struct timers {
	struct timer **heap;
	size_t n, cap;
};

void timers_done(struct timers *ts);
/* Starts it anew if it runs. */
void timer_start(struct timers *ts, struct timer *t, int64_t due_us, void (*fire)(struct timer *));
void timer_stop(struct timers *ts, struct timer *t);
void timers_fire(struct timers *ts, int64_t now_us);
/* When the next one is due; INT64_MAX: none. */
int64_t timers_next(const struct timers *ts);

static inline bool timer_is_on(const struct timer *t)
{
	return t->at > 0;
}

#endif
