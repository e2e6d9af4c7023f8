#include "base/wake.h"

#include <errno.h>
#include <time.h>

static bool wait_for(pthread_cond_t *c, pthread_mutex_t *lock, const struct timespec *until)
{
	return pthread_cond_clockwait(c, lock, CLOCK_MONOTONIC, until) != ETIMEDOUT;
}

bool wake_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms)
{
	return wait_for(c, lock, &(struct timespec){until_ms / 1000, until_ms % 1000 * 1000000});
}

bool wake_wait_us(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_us)
{
	return wait_for(c, lock, &(struct timespec){until_us / 1000000, until_us % 1000000 * 1000});
}
