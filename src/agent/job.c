#include "agent/job.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STACK_BYTES = 512 << 10, NAP_MS = 20 };

static void on_finished(uv_async_t *async)
{
	struct job *j = container_of(async, struct job, finished);

	if (!j->is_running)
		return;
	pthread_join(j->thread, NULL);
	j->is_running = false;
	malloc_trim(0); /* what a copy or a parsed manifest took is not needed again soon */
	j->done(j, j->code, &j->err);
}

static void *job_main(void *arg)
{
	struct job *j = arg;

	j->code = j->work(j, &j->err);
	uv_async_send(&j->finished);
	return NULL;
}

void job_init(struct job *j, uv_loop_t *loop)
{
	*j = (struct job){0};
	if (uv_async_init(loop, &j->finished, on_finished))
		abort(); /* no descriptors at start */
	uv_unref((uv_handle_t *)&j->finished);
}

/* Signals are for the loop's thread. */
static int thread_start(struct job *j)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int no;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	no = pthread_create(&j->thread, &attr, job_main, j);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return no;
}

void job_start(struct job *j, job_work *work, job_done *done)
{
	assert(!j->is_running);
	j->work = work;
	j->done = done;
	j->is_cancelled = false;
	j->is_running = true;
	j->err = (struct err){0};
	if (thread_start(j)) {
		fprintf(stderr, "slipway: no thread for a job\n");
		abort();
	}
}

void job_cancel(struct job *j)
{
	j->is_cancelled = true;
}

bool job_is_cancelled(const struct job *j)
{
	return j->is_cancelled;
}

bool job_sleep(const struct job *j, int ms)
{
	for (; ms > 0 && !j->is_cancelled; ms -= NAP_MS) {
		struct timespec nap = {.tv_nsec = MIN(ms, NAP_MS) * 1000000L};

		nanosleep(&nap, NULL);
	}
	return j->is_cancelled;
}

static void on_closed(uv_handle_t *handle)
{
	struct job *j = container_of((uv_async_t *)handle, struct job, finished);

	if (j->closed)
		j->closed(j);
}

void job_close(struct job *j, void (*closed)(struct job *j))
{
	assert(!j->is_running);
	j->closed = closed;
	uv_close((uv_handle_t *)&j->finished, on_closed);
}
