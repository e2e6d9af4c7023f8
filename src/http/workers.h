/*
 * Worker threads for what may block: started when they are needed, up to a limit, and kept.
 *
 * workers_put from any thread; a job belongs to its owner and runs exactly once. workers_stop lets
 * all jobs run that were put, and joins; after it, workers_put says false.
 */
#ifndef SLIPWAY_HTTP_WORKERS_H
#define SLIPWAY_HTTP_WORKERS_H

#include "base/err.h"
#include "base/list.h"

struct workers;

struct workers_job {
	struct list at;
	void (*run)(struct workers_job *job); /* may free the job */
};

struct workers *workers_new(unsigned max);
bool workers_put(struct workers *w, struct workers_job *job); /* false: stopped; not taken */
void workers_stop(struct workers *w);
void workers_free(struct workers *w); /* stopped */

#endif
