/*
 * Queue: keys of objects to look at, each once, with delays and a back-off per key.
 *
 * A key waits for its time, is taken by one worker, and comes back only after that worker is done
 * with it: what is added meanwhile is remembered. A key that fails again and again comes back later
 * and later. Any thread; only queue_take blocks.
 */
#ifndef SLIPWAY_CONTROL_QUEUE_H
#define SLIPWAY_CONTROL_QUEUE_H

#include "base/str.h"

enum {
	QUEUE_BACKOFF_MIN_MS = 100,
	QUEUE_BACKOFF_MAX_MS = 60000,
};

struct queue;

struct queue *queue_new(void);
/* Nobody may be in queue_take any more. */
void queue_free(struct queue *q);

/* At the latest in delay_ms; an earlier time that the key has already stays. */
void queue_add(struct queue *q, const char *key, int64_t delay_ms);

/* The next key that is due, at the latest in timeout_ms (-1: for ever). NULL: late, or stopped. The
 * key is the caller's, and its text valid, until queue_done or queue_fail. */
const char *queue_take(struct queue *q, int timeout_ms);

/* While held, what is added waits, due or not. A new queue is not held. */
void queue_hold(struct queue *q, bool is_held);

/* The key was dealt with: its back-off begins anew. */
void queue_done(struct queue *q, const char *key);

/* It was not: it comes back after its back-off (doubled each time), whatever was added meanwhile,
 * but never after more than max_ms. Says after how many milliseconds. */
int64_t queue_fail(struct queue *q, const char *key, int64_t max_ms);

/* Forgets the keys that wait; those that are with workers come back no more. */
void queue_clear(struct queue *q);

/* Wakes all who wait in queue_take: it gives NULL from now on. */
void queue_stop(struct queue *q);

/* Keys that wait or are with a worker. */
size_t queue_length(struct queue *q);

#endif
