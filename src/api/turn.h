/*
 * Turns: which of somebody's reports it is, so that one that arrives late does not pass for what is
 * now. Pure.
 */
#ifndef SLIPWAY_API_TURN_H
#define SLIPWAY_API_TURN_H

#include "base/defs.h"

/* The sender's life, and the number in it; 0, 0: it does not say. */
struct turn {
	int64_t boot, number;
};

/* Is it newer than all that were taken? False also for the same again. Keeps it as the last if so.
 */
static inline bool turn_take(struct turn *last, struct turn now)
{
	bool is_newer = now.boot > last->boot ||
		(now.boot == last->boot && now.number > last->number) || (!now.boot && !now.number);

	if (is_newer && now.boot)
		*last = now;
	return is_newer;
}

#endif
