/*
 * A Database as the gateway serves it: its present route, its pools, its hold. There is one as long
 * as there is a route of its name or a session in it.
 */
#ifndef SLIPWAY_GATEWAY_DATABASE_H
#define SLIPWAY_GATEWAY_DATABASE_H

#include "gateway/hub.h"
#include "gateway/route.h"

/* How long things took: bucket i counts those below 2^i * 64 µs; the last one all others. */
enum { HISTOGRAM = 20 };
struct histogram {
	uint64_t n[HISTOGRAM], sum_us;
};

static inline void histogram_add(struct histogram *h, int64_t us)
{
	unsigned i = us < 64 ? 0 : 64 - (unsigned)__builtin_clzll((uint64_t)us >> 6);

	h->n[MIN(i, HISTOGRAM - 1)]++;
	h->sum_us += (uint64_t)us;
}

enum hold_state {
	HOLD_OPEN,
	HOLD_WARMING, /* connections to the next primary are made while everything goes on */
	HOLD_HOLDING, /* sessions stop at their next boundary */
	HOLD_HELD, /* no connection to the old primary is in use */
	HOLD_REFUSED, /* the drain limit was over, and the rule was to refuse */
};

struct database {
	struct hub *hub;
	char *name;
	struct route *route; /* NULL: it is gone, sessions in it are being ended */
	struct list pools; /* struct pool */
	unsigned clients;
	unsigned turn; /* of standbys */
	enum hold_state hold;
	struct timer hold_limit, hold_check;
	int64_t held_since_us;
	char hold_id[64];
	struct histogram waits, queries;
	uint64_t xacts, query_count, bytes_in, bytes_out;
};

/* New sessions wait, and so does whoever begins a transaction. */
static inline bool database_is_held(const struct database *d)
{
	return d->hold == HOLD_HOLDING || d->hold == HOLD_HELD;
}

#endif
