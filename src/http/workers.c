#include "http/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"

enum { STACK_BYTES = 512 * 1024 }; /* of address space; only what is touched costs memory */

/* The one that rested last is woken first: its stack and caches are warm, the others stay cold. */
struct worker {
	struct workers *all;
	struct worker *next; /* below it in the stack of those that rest */
	struct workers_job *job; /* set by who wakes it */
	pthread_cond_t wake;
	pthread_t thread;
};

struct workers {
	pthread_mutex_t lock;
	struct list jobs; /* all are busy */
	struct worker *resting;
	unsigned n, max;
	bool is_stopping;
	struct worker at[];
};

static struct workers_job *first_job(struct workers *all)
{
	struct list *at = list_pop_front(&all->jobs);

	return at ? list_entry(at, struct workers_job, at) : NULL;
}

/* With the lock held. NULL: stopping, and nothing is left to do. */
static struct workers_job *next_job(struct worker *w)
{
	struct workers *all = w->all;
	struct workers_job *job = first_job(all);

	if (job || all->is_stopping)
		return job;
	w->job = NULL;
	w->next = all->resting;
	all->resting = w;
	while (!w->job && !all->is_stopping)
		pthread_cond_wait(&w->wake, &all->lock);
	return w->job;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct workers *all = w->all;
	struct workers_job *job;

	pthread_mutex_lock(&all->lock);
	while ((job = next_job(w))) {
		pthread_mutex_unlock(&all->lock);
		job->run(job);
		pthread_mutex_lock(&all->lock);
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

/* With the lock held. A thread that cannot be had is no error while there is another one. */
static void start_one(struct workers *all)
{
	struct worker *w = &all->at[all->n];
	pthread_attr_t attr;
	int no;

	w->all = all;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	no = pthread_create(&w->thread, &attr, work, w);
	pthread_attr_destroy(&attr);
	if (no == 0)
		all->n++;
	else
		log_warn("worker thread not started", "reason=%s", log_q(strerror(no)));
}

struct workers *workers_new(unsigned max)
{
	struct workers *all = mem_alloc(sizeof(*all) + max * sizeof(all->at[0]));

	pthread_mutex_init(&all->lock, NULL);
	list_init(&all->jobs);
	for (unsigned i = 0; i < max; i++)
		pthread_cond_init(&all->at[i].wake, NULL);
	all->max = max;
	return all;
}

bool workers_put(struct workers *all, struct workers_job *job)
{
	struct worker *w;
	bool ok;

	pthread_mutex_lock(&all->lock);
	ok = !all->is_stopping;
	w = ok ? all->resting : NULL;
	if (w) {
		all->resting = w->next;
		w->job = job;
	} else if (ok) {
		list_push_back(&all->jobs, &job->at);
		if (all->n < all->max)
			start_one(all);
	}
	pthread_mutex_unlock(&all->lock);
	if (w) /* after the unlock: it would wake only to wait for the lock */
		pthread_cond_signal(&w->wake);
	return ok;
}

/* A worker that was given a job runs it before it looks at is_stopping. What is left when no thread
 * could be had at all is run here. */
void workers_stop(struct workers *all)
{
	struct workers_job *job;

	pthread_mutex_lock(&all->lock);
	all->is_stopping = true;
	for (unsigned i = 0; i < all->n; i++)
		pthread_cond_signal(&all->at[i].wake);
	pthread_mutex_unlock(&all->lock);
	for (unsigned i = 0; i < all->n; i++)
		pthread_join(all->at[i].thread, NULL);
	all->n = 0;
	while ((job = first_job(all)))
		job->run(job);
}

void workers_free(struct workers *all)
{
	assert(all->n == 0 && list_is_empty(&all->jobs));
	pthread_mutex_destroy(&all->lock);
	for (unsigned i = 0; i < all->max; i++)
		pthread_cond_destroy(&all->at[i].wake);
	free(all);
}
