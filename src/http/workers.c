#include "http/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"

enum { STACK_BYTES = 512 * 1024 }; /* of address space; only what is touched costs memory */

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list jobs;
	size_t waiting; /* jobs in the list */
	unsigned idle; /* threads that wait for one */
	unsigned n, max;
	bool is_stopping;
	pthread_t threads[];
};

/* With the lock held. NULL: stopping, and nothing is left to do. */
static struct workers_job *take(struct workers *w)
{
	w->idle++;
	while (!w->waiting && !w->is_stopping)
		pthread_cond_wait(&w->wake, &w->lock);
	w->idle--;
	if (!w->waiting)
		return NULL;
	w->waiting--;
	return list_entry(list_pop_front(&w->jobs), struct workers_job, at);
}

static void *work(void *arg)
{
	struct workers *w = arg;
	struct workers_job *job;

	pthread_mutex_lock(&w->lock);
	while ((job = take(w))) {
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* With the lock held. A thread that cannot be had is no error while there is another one. */
static void start_one(struct workers *w)
{
	pthread_attr_t attr;
	int no;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	no = pthread_create(&w->threads[w->n], &attr, work, w);
	pthread_attr_destroy(&attr);
	if (no == 0)
		w->n++;
	else
		log_warn("worker thread not started", "reason=%s", log_q(strerror(no)));
}

struct workers *workers_new(unsigned max)
{
	struct workers *w = mem_alloc(sizeof(*w) + max * sizeof(w->threads[0]));

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	list_init(&w->jobs);
	w->max = max;
	return w;
}

bool workers_put(struct workers *w, struct workers_job *job)
{
	bool ok;

	pthread_mutex_lock(&w->lock);
	ok = !w->is_stopping;
	if (ok) {
		list_push_back(&w->jobs, &job->at);
		w->waiting++;
		if (w->waiting > w->idle && w->n < w->max)
			start_one(w);
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return ok;
}

/* What is left when no thread could be had at all is run here. */
void workers_stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->threads[i], NULL);
	w->n = 0;
	work(w);
}

void workers_free(struct workers *w)
{
	assert(w->n == 0 && !w->waiting);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w);
}
