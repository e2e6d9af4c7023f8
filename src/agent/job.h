/*
 * Job: a function that blocks, in a thread of its own, on behalf of the loop.
 *
 * A thread a job, not a pool: a base backup may take hours and must not keep another member's first
 * start waiting; and an idle agent has no threads at all. job_start and done on the loop's thread;
 * done comes exactly once, never from inside job_start. work looks at job_is_cancelled where it
 * waits, and gives up with ERR_GONE.
 */
#ifndef SLIPWAY_AGENT_JOB_H
#define SLIPWAY_AGENT_JOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/err.h"

struct job;

typedef enum err_code job_work(struct job *j, struct err *e); /* its own thread */
typedef void job_done(struct job *j, enum err_code code, const struct err *e); /* the loop's */

/* Embedded in its owner, which must live until done (or, when none runs, job_close's closed). */
struct job {
	uv_async_t finished;
	pthread_t thread;
	job_work *work;
	job_done *done;
	void (*closed)(struct job *j);
	atomic_bool is_cancelled;
	bool is_running;
	enum err_code code;
	struct err err;
};

void job_init(struct job *j, uv_loop_t *loop);
void job_start(struct job *j, job_work *work, job_done *done);

/* Any thread. */
void job_cancel(struct job *j);
bool job_is_cancelled(const struct job *j);

/* From the work: waits, and says true when it was cancelled meanwhile. */
bool job_sleep(const struct job *j, int ms);

/* Only when none runs. */
void job_close(struct job *j, void (*closed)(struct job *j));

#endif
