/*
 * Waiting on a condition variable until a time of the monotonic clock (clock_mono_ms):
 * pthread_cond_timedwait counts on the wall clock, which somebody may set.
 */
#ifndef SLIPWAY_BASE_WAKE_H
#define SLIPWAY_BASE_WAKE_H

#include <pthread.h>

#include "base/defs.h"

/* Under the lock. False: the time has come. As pthread_cond_wait it may also return for nothing. */
bool wake_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms);
bool wake_wait_us(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us);

#endif
